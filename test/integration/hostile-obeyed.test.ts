/**
 * What a primary has done, or the append-only file holds, is done again whatever the settings here; or the
 * server ends and says why.
 */
import { expect, test } from 'vitest';
import { faulty, FAULTS } from '../support/hostile.ts';
import { bulk } from '../support/raw.ts';
import { caughtUp, follow } from '../support/replication.ts';
import { eventually, HASHMAP_FILE, HOST_FILE, SESSION_FILE, startServer, type TestServer } from '../support/server.ts';

const module = [HOST_FILE, HASHMAP_FILE, SESSION_FILE, await faulty];
const LONG = 'v'.repeat(1_200_000);
const LOWER = ['--wasm.max-value-size', '1mb'];

/** Stores values that are longer than `LOWER` allows; answers a session's id. */
async function storeLong(server: TestServer): Promise<string> {
  const id = (await server.send('SESSION.CREATE', 'user')).trim().slice(-36);
  expect(await server.send('CUSTOM.SET', 'key', LONG)).toBe('+OK\r\n');
  expect(await server.send('SESSION.ADD_DATA', id, 'field', LONG)).toBe('+OK\r\n');
  return id;
}

async function expectLong(server: TestServer, id: string): Promise<void> {
  expect(await server.send('CUSTOM.STRLEN', 'key')).toBe(`:${LONG.length}\r\n`);
  expect(await server.send('SESSION.GET_DATA', id, 'field')).toBe(bulk(LONG));
  // Its own clients are held to its own limit.
  expect(await server.send('CUSTOM.SET', 'own', LONG)).toBe('-ERR an argument is longer than wasm.max-value-size\r\n');
}

test.each(['auto', 'command'] as const)('wasm.max-value-size does not limit an append-only file, linked by %s', async (link) => {
  const server = await startServer({ link, arguments: ['--appendonly', 'yes'] });
  const id = await storeLong(server);
  server.change({ arguments: ['--appendonly', 'yes', ...LOWER] });
  await server.restart();
  await expectLong(server, id);
});

test.each(['auto', 'command'] as const)('wasm.max-value-size does not limit a replica, linked by %s', async (link) => {
  const primary = await startServer({ link, tcp: true });
  const replica = await startServer({ link, arguments: [...LOWER, '--replica-read-only', 'no'] });
  await follow(replica, primary);
  const id = await storeLong(primary);
  await caughtUp(primary, replica);
  await replica.send('REPLICAOF', 'NO', 'ONE');
  await expectLong(replica, id);
});

test.each(Object.entries(FAULTS))(
  'a write of the stream that ends in %s ends the replica, which says why',
  async (fault, { number, what }) => {
    const limits = ['--wasm.time-limit', '100'];
    const primary = await startServer({ module, tcp: true, arguments: limits });
    const replica = await startServer({ module, arguments: limits });
    await follow(replica, primary);
    // Of its own accord it fails as anywhere, and goes on.
    if (fault !== 'a trap within a commit') expect(await replica.send('HOSTILE.READ', number)).toMatch(what);
    expect(await primary.send('HOSTILE.WRITE', number)).toBe('+OK\r\n');
    const lineOf = () => replica.log.split('\n').find((text) => text.includes('cannot be applied'));
    // A loop is ended after seconds on a processor, whatever else the machine does.
    const line = await eventually(lineOf, (text) => text !== undefined && !replica.isRunning, 100_000);
    expect(replica.isRunning).toBe(false);
    expect(line).toMatch(/hostile\.write cannot be applied: .*: this server ends, since its data would diverge/);
    expect(line).toMatch(what);
    expect(await primary.send('PING')).toBe('+PONG\r\n');
  },
);

test('a write of the append-only file that ends in a trap ends the server at its start, which says why', async () => {
  const server = await startServer({ module, arguments: ['--appendonly', 'yes'] });
  expect(await server.send('HOSTILE.WRITE', FAULTS['a trap'].number)).toBe('+OK\r\n');
  await server.end();
  await expect(server.start()).rejects.toThrow(/hostile\.write cannot be applied: ERR module hostile: .*unreachable.*: this server ends/);
});
