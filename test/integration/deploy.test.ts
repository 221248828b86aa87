/** `npx redis-wasm deploy`: every server that belongs together serves a file, replicas first. */
import { copyFileSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, onTestFinished, test, vi } from 'vitest';
import { command } from '../../bin/deploy.ts';
import { Problem } from '../../bin/process.ts';
import { startCluster } from '../support/cluster.ts';
import { kitOf } from '../support/kit.ts';
import { follow } from '../support/replication.ts';
import { freePort, ROOT, startServer, type ServerOptions, type TestServer } from '../support/server.ts';
import { hasTls, makeCertificates, tlsProxy, type Certificates } from '../support/tls.ts';
import { trustedWord } from '../support/trusted.ts';

/** A module `word` that answers a number. */
const wordOf = (n: number) =>
  kitOf('word', `import { query } from "redis-wasm/kit";\nquery("WORD.GET", "", (): i64 => ${n}, "A number");\n`);
const [ONE, TWO, THREE] = [await wordOf(1), await wordOf(2), await wordOf(3)];

function folderFor(name: string): string {
  const folder = mkdtempSync(path.join(tmpdir(), `deploy-${name}-`));
  onTestFinished(() => {
    rmSync(folder, { recursive: true });
  });
  return folder;
}

interface Deployed extends TestServer {
  modules: string;
}

const live = (modules: string, allows = 'yes'): string[] => ['--wasm.dir', modules, '--wasm.allow-load', allows];

async function startLive(options: ServerOptions = {}, allows = 'yes'): Promise<Deployed> {
  const modules = folderFor('modules');
  const server = await startServer({ ...options, tcp: true, arguments: [...live(modules, allows), ...(options.arguments ?? [])] });
  return Object.assign(server, { modules });
}

/** A primary, its replica, and one that follows that. */
async function startChain(allows: string[] = ['yes', 'yes', 'yes']): Promise<[Deployed, Deployed, Deployed]> {
  const [primary, middle, last] = [await startLive({}, allows[0]), await startLive({}, allows[1]), await startLive({}, allows[2])];
  await follow(middle, primary);
  await follow(last, middle);
  return [primary, middle, last];
}

function place(file: string, ...servers: Deployed[]): void {
  for (const server of servers) copyFileSync(file, path.join(server.modules, path.basename(file)));
}

const at = (server: TestServer): string => `127.0.0.1:${server.port}`;
const urlOf = (server: TestServer): string => `redis://${at(server)}`;
const three = (reply: unknown): unknown[] => [reply, reply, reply];
const answers = (servers: TestServer[]) => Promise.all(servers.map((server) => server.send('WORD.GET')));

/** Runs the program: what it has said, the time that it took left out. */
async function deploy(...given: string[]): Promise<[status: number, lines: string[]]> {
  const lines: string[] = [];
  const spy = vi.spyOn(console, 'log').mockImplementation((line: string) => {
    lines.push(line.replace(/, in [\d.]+ s$/, ''));
  });
  try {
    return [await command(given), lines];
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    return [1, [...lines, error.message]];
  } finally {
    spy.mockRestore();
  }
}

test('replicas come first, from whichever server it is told of, and who serves it is left alone', async () => {
  const servers = await startChain();
  const [primary, middle, last] = servers;
  place(ONE, ...servers);
  const said = (how: string, before = ''): unknown[] => [
    expect.stringMatching(/^• word\.wasm, SHA-256 [0-9a-f]{64}: 3 servers, replicas first$/),
    `• ${before && '1 of 3: '}${at(last)} (replica): ${how}`,
    `• ${before && '2 of 3: '}${at(middle)} (replica): ${how}`,
    `• ${before && '3 of 3: '}${at(primary)} (primary): ${how}`,
  ];
  expect(await deploy(ONE, '--url', urlOf(middle), '--dry-run')).toEqual([0, said('would be loaded')]);
  expect(await answers(servers)).toEqual(three(expect.stringContaining('unknown command')));
  expect(await deploy(ONE, '--url', urlOf(middle))).toEqual([0, said('loaded', 'n')]);
  expect(await answers(servers)).toEqual(three(':1\r\n'));
  place(TWO, ...servers);
  expect(await deploy(TWO, '--url', urlOf(last), '--url', primary.socket)).toEqual([
    0,
    [...said('replaced', 'n').slice(0, 3), expect.stringMatching(/^• 3 of 3: .*\(primary\): replaced$/)],
  ]);
  expect(await answers(servers)).toEqual(three(':2\r\n'));
  expect(await deploy(TWO, '--url', urlOf(primary))).toEqual([0, said('serves it already', 'n')]);
});

test('it stops where a server has another file, says so, and goes on from there', async () => {
  const servers = await startChain();
  const [primary, middle, last] = servers;
  place(ONE, ...servers);
  expect((await deploy(ONE, '--url', urlOf(primary)))[0]).toBe(0);
  place(TWO, primary, last);
  const still = await deploy(TWO, '--url', urlOf(primary));
  expect(still[0]).toBe(1);
  expect(still[1].at(-1)).toMatch(
    /\(replica\): \S+word\.wasm is still the file that was served before: put the new one there\n1 of 3 servers/,
  );
  expect(await answers(servers)).toEqual([':1\r\n', ':1\r\n', ':2\r\n']);
  place(THREE, middle);
  const other = await deploy(TWO, '--url', urlOf(primary), '--json');
  const [hash] = trustedWord(THREE).map((word) => word.slice('word:'.length));
  expect(other[0]).toBe(1);
  expect(JSON.parse(other[1].join('\n'))).toMatchObject({
    module: 'word',
    dryRun: false,
    servers: [
      { server: at(last), role: 'replica', action: 'none', state: 'done' },
      {
        action: 'reload',
        state: 'failed',
        reason: expect.stringContaining(`is another file, and is served now, SHA-256 ${hash}`) as string,
      },
      { server: at(primary), role: 'primary', action: 'reload', state: 'open' },
    ],
  });
  place(TWO, middle);
  expect(await deploy(TWO, '--url', urlOf(primary))).toMatchObject([
    0,
    [{}, expect.stringContaining('already'), expect.stringContaining('replaced'), expect.stringContaining('replaced')],
  ]);
  expect(await answers(servers)).toEqual(three(':2\r\n'));
});

test('nothing is begun where a server does not allow it, and one that refuses is named in its words', async () => {
  const servers = await startChain(['no', 'yes', 'yes']);
  const [primary, middle, last] = servers;
  place(ONE, ...servers);
  const refused = [
    1,
    [
      expect.any(String),
      `${at(primary)} (primary): its setting wasm.allow-load is no: it has to be yes from its start on\nNothing has been changed.`,
    ],
  ];
  expect(await deploy(ONE, '--url', urlOf(middle))).toEqual(refused);
  expect((await deploy(ONE, '--url', urlOf(middle), '--dry-run'))[0]).toBe(1);
  expect(await answers(servers)).toEqual(three(expect.stringContaining('unknown command')));

  // Who may not read settings hears it from the server.
  await primary.send('ACL', 'SETUSER', 'ci', 'on', '>secret', '~*', '+@all', '-config');
  await middle.send('ACL', 'SETUSER', 'ci', 'on', '>secret', '~*', '+@all', '-config');
  await last.send('ACL', 'SETUSER', 'ci', 'on', '>secret', '~*', '+@all', '-module');
  const url = `redis://ci:secret@${at(middle)}`;
  const [status, lines] = await deploy(ONE, '--url', url);
  expect([status, lines.at(-1)]).toEqual([
    1,
    expect.stringMatching(/\(replica\): NOPERM WASM\.LOAD needs the permission to run MODULE LOAD too\n0 of 3 servers/),
  ]);
  await last.send('ACL', 'SETUSER', 'ci', '+@all');
  expect((await deploy(ONE, '--url', url))[1].at(-1)).toMatch(/\(primary\): WASM\.LOAD needs wasm\.allow-load yes .*\n2 of 3 servers/);
  expect((await answers(servers)).slice(1)).toEqual([':1\r\n', ':1\r\n']);
  expect(lines.join('\n')).not.toContain('secret');
});

test('a cluster is found by one of its nodes, and a file is copied to those of this machine', async () => {
  const modules = folderFor('shared');
  const { nodes } = await startCluster({ arguments: live(modules) });
  const [node] = nodes;
  const [status, lines] = await deploy(ONE, '--url', urlOf(node!));
  expect([status, lines.at(-1)]).toEqual([
    1,
    expect.stringMatching(/: put word\.wasm into its wasm\.dir first; on this machine --copy does\n0 of 3 servers serve this word\.wasm/),
  ]);
  expect((await deploy(ONE, '--url', urlOf(node!), '--copy', '--dry-run'))[1][1]).toMatch(/would be loaded, after a copy$/);
  expect(existsSync(path.join(modules, 'word.wasm'))).toBe(false);
  expect((await deploy(ONE, '--url', urlOf(node!), '--copy'))[0]).toBe(0);
  expect(await answers(nodes)).toEqual(three(':1\r\n'));
  // As the account that docs/SECURITY.md has for it.
  const [line = ''] = /ACL SETUSER deploy on >deploy-secret .*/.exec(readFileSync(path.join(ROOT, 'docs/SECURITY.md'), 'utf8')) ?? [];
  for (const each of nodes) expect(await each.send(...line.split(' '))).toBe('+OK\r\n');
  expect((await deploy(TWO, '--url', `redis://deploy:deploy-secret@${at(nodes[2]!)}`, '--copy'))[0]).toBe(0);
  expect(await answers(nodes)).toEqual(three(':2\r\n'));
  expect(readdirSync(modules).filter((name) => !name.startsWith('.'))).toEqual(['word.wasm']);
});

/** Has both, of whom the replica tells this port, serve the file by TLS, and not without our certificate. */
async function deployByTls({ ca, cert, key }: Certificates, port: number, primary: Deployed, replica: Deployed): Promise<void> {
  const url = `rediss://127.0.0.1:${port}`;
  const shown = ['--cert', cert, '--key', key];
  expect((await deploy(ONE, '--url', url, ...shown))[1].at(-1)).toMatch(/of a CA of your own: --cacert <file>\.\nNothing/);
  expect((await deploy(ONE, '--url', url, '--cacert', ca))[1].at(-1)).toMatch(/: .+\n(?:[^]*--cert <file> --key <file>\.\n)?Nothing/);
  expect(await answers([primary, replica])).toEqual([expect.stringContaining('unknown'), expect.stringContaining('unknown')]);
  const [status, lines] = await deploy(ONE, '--url', url, '--cacert', ca, ...shown, '--copy');
  expect(lines.slice(1)).toEqual([expect.stringMatching(/\(replica\): loaded$/), expect.stringMatching(/\(primary\): loaded$/)]);
  expect(status).toBe(0);
  expect(await answers([primary, replica])).toEqual([':1\r\n', ':1\r\n']);
}

test("servers behind TLS are asked by it, with a CA and a certificate of one's own", async () => {
  const certificates = makeCertificates();
  const told = await freePort();
  const primary = await startLive();
  const replica = await startLive({ arguments: ['--replica-announce-ip', '127.0.0.1', '--replica-announce-port', String(told)] });
  await follow(replica, primary);
  await tlsProxy(replica.port, certificates, told);
  await deployByTls(certificates, await tlsProxy(primary.port, certificates), primary, replica);
});

test.runIf(hasTls)('servers that speak TLS alone, and ask for a certificate, are found by each other', async () => {
  const certificates = makeCertificates();
  const { ca, cert, key } = certificates;
  const files = ['--tls-ca-cert-file', ca, '--tls-cert-file', cert, '--tls-key-file', key];
  const startTls = async (): Promise<Deployed> => {
    const port = await freePort();
    const server = await startLive({ arguments: ['--port', '0', '--tls-port', String(port), '--tls-replication', 'yes', ...files] });
    return Object.assign(server, { port });
  };
  const [primary, replica] = [await startTls(), await startTls()];
  await follow(replica, primary);
  const plain = await deploy(ONE, '--url', urlOf(primary));
  expect([plain[0], plain[1].at(-1)]).toEqual([1, expect.stringContaining('Nothing has been changed')]);
  await deployByTls(certificates, replica.port, primary, replica);
});

test('what cannot be deployed is told before anything is changed', async () => {
  const [plain, server] = [await startServer({ module: false, tcp: true }), await startServer({ tcp: true })];
  const folder = folderFor('files');
  const [text, other] = [path.join(folder, 'text.wasm'), path.join(folder, 'other.wasm')];
  writeFileSync(text, 'this is no module');
  copyFileSync(ONE, other);
  const cases: [string[], RegExp][] = [
    [[], /A file is needed/],
    [[ONE], /A server is needed: --url/],
    [[ONE, TWO, '--url', urlOf(server)], /One file is deployed at a time/],
    [[ONE, '--url', urlOf(server), '--fast'], /fast/],
    [['none.wasm', '--url', urlOf(server)], /none\.wasm cannot be read: /],
    [['my_word.wasm', '--url', urlOf(server)], /a module's file is called as the module/],
    [[text, '--url', urlOf(server)], /is no WebAssembly module/],
    [[other, '--url', urlOf(server)], /is the module word, and has to be called word\.wasm/],
    [[ONE, '--url', urlOf(plain)], /host\.so is not loaded there[^]*Nothing has been changed/],
    [[ONE, '--url', 'http://127.0.0.1'], /is no protocol of a server[^]*Nothing has been changed/],
    [
      [ONE, '--url', path.join(folder, 'socket')],
      /there is no such socket\. A server by host and port is redis:[^]*Nothing has been changed/,
    ],
    [[ONE, '--url', at(server)], /there is no such socket/],
    [[ONE, '--url', urlOf(server), '--cacert', ONE], /no server is asked by it: rediss:/],
    [[ONE, '--url', 'rediss://127.0.0.1', '--cert', ONE], /--cert and --key belong together/],
    [[ONE, '--url', 'rediss://127.0.0.1', '--cacert', 'none.crt'], /none\.crt cannot be read: /],
    [[ONE, '--url', urlOf(server)], /its setting wasm\.allow-load is no/],
  ];
  for (const [given, said] of cases) {
    const [status, lines] = await deploy(...given);
    expect([status, lines.at(-1)], given.join(' ')).toEqual([1, expect.stringMatching(said)]);
  }
  const [, json] = await deploy(text, '--url', urlOf(server), '--json');
  expect(JSON.parse(json.join('\n'))).toMatchObject({ error: expect.stringContaining('is no WebAssembly module') as string });
});
