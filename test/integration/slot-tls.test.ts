/** Slots that move between nodes that use TLS, and where clients of either kind are sent. */
import { readFileSync } from 'node:fs';
import { createClient } from 'redis';
import { expect, onTestFinished, test } from 'vitest';
import { joined, keyOfFirst } from '../support/cluster.ts';
import { closeSlot, idOf, OK, setSlot } from '../support/moves.ts';
import { bulk } from '../support/raw.ts';
import { freePort, HASHMAP_FILE, HOST_FILE, startServer, type ServerOptions, type TestServer } from '../support/server.ts';
import { slotOf } from '../support/slots.ts';
import { hasTls, makeCertificates, type Certificates } from '../support/tls.ts';

interface Secured {
  nodes: [TestServer, TestServer];
  /** The ports for TLS, in the order of the nodes. */
  ports: number[];
}

/** Two nodes that listen for TLS, with these further words of their settings. */
async function startSecured({ ca, cert, key }: Certificates, words: string[]): Promise<Secured> {
  const ports: number[] = [];
  const start = async (options: ServerOptions) => {
    const port = await freePort();
    ports.push(port);
    const files = ['--tls-cert-file', cert, '--tls-key-file', key, '--tls-ca-cert-file', ca];
    return startServer({ ...options, arguments: [...(options.arguments ?? []), '--tls-port', String(port), ...files, ...words] });
  };
  const nodes = await joined(start, { module: [HOST_FILE, HASHMAP_FILE] }, 2);
  return { nodes: nodes as [TestServer, TestServer], ports };
}

type Ask = (...words: string[]) => Promise<string>;

/** A client of this port; answers the text of errors too. */
async function clientOf(port: number, files?: Certificates): Promise<Ask> {
  const secured = files && { tls: true as const, ca: readFileSync(files.ca), cert: readFileSync(files.cert), key: readFileSync(files.key) };
  const client = createClient({ socket: { host: '127.0.0.1', port, ...secured } });
  client.on('error', () => undefined);
  await client.connect();
  onTestFinished(() => {
    client.destroy();
  });
  return (...words) => client.sendCommand(words).then(String, (error: unknown) => (error as Error).message);
}

test.runIf(hasTls).each([
  ['by TLS alone', ['--tls-cluster', 'yes', '--port', '0']],
  ['with both ports open and links by TLS', ['--tls-cluster', 'yes']],
  ['with both ports open and links without', ['--tls-cluster', 'no']],
])('nodes %s', async (_, words) => {
  const files = makeCertificates();
  const { nodes, ports } = await startSecured(files, words);
  const [source, target] = nodes;
  const clients = [await clientOf(ports[0]!, files)];
  if (!words.includes('--port')) clients.push(await clientOf(source.port));
  for (const [number, opener] of clients.entries()) {
    const key = keyOfFirst(`opened by ${number}:`, 2);
    const slot = slotOf(key);
    expect(await source.send('CUSTOM.SET', key, 'value')).toBe(OK);
    expect(await setSlot(target, slot, 'IMPORTING', await idOf(source))).toBe(OK);
    expect(await opener('CLUSTER', 'SETSLOT', String(slot), 'MIGRATING', await idOf(target))).toBe('OK');
    const asked = await Promise.all(clients.map((ask) => ask('GET', key)));
    for (const answer of asked) expect(answer).toMatch(new RegExp(`^ASK ${slot} 127.0.0.1:(${target.port}|${ports[1]})$`));
    if (words.includes('yes')) expect(asked[0]).toContain(`:${ports[1]}`);
    if (clients.length > 1) expect(asked[1]).toContain(`:${target.port}`);
    // From now on the host alone sends clients there.
    expect(await setSlot(source, slot, 'STABLE')).toBe(OK);
    expect(await Promise.all(clients.map((ask) => ask('CUSTOM.GET', key)))).toEqual(asked);
    await closeSlot({ nodes }, target, slot);
    expect(await target.send('CUSTOM.GET', key)).toBe(bulk('value'));
  }
});
