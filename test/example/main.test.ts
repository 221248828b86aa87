/**
 * `npm run example`: serves, keeps people signed in over a restart, and says what to do when it cannot start.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { eventually, ROOT, startServer } from '../support/server.ts';
import { ALICE, Visitor } from '../support/site.ts';

let folder = '';
let started: ChildProcess[] = [];

beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'example-'));
});

afterEach(async () => {
  for (const child of started) await end(child);
  started = [];
  rmSync(folder, { recursive: true });
});

interface Started {
  child: ChildProcess;
  output: () => string;
  /** The site's address; '' when it did not start. */
  address: string;
}

/** Starts as `npm run example -- …` does, and waits until it serves or has ended. */
async function start(given: string[], environment: Record<string, string> = {}): Promise<Started> {
  const child = spawn(process.execPath, [path.join(ROOT, 'scripts/bootstrap.mjs'), 'example/main.ts', ...given], {
    cwd: folder,
    env: { ...process.env, INIT_CWD: folder, REDIS_URL: '', REDIS_SERVER: process.env.TEST_SERVER, ...environment },
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  started.push(child);
  let text = '';
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
  const output = () => text;
  await eventually(output, (shown) => shown.includes('Ctrl-C saves') || child.exitCode !== null);
  return { child, output, address: /http:\/\/127\.0\.0\.1:\d+/.exec(text)?.[0] ?? '' };
}

/** Sends Ctrl-C to the whole group, as a terminal does, and answers the exit status. */
async function end(child: ChildProcess): Promise<number | null> {
  if (child.exitCode !== null || child.signalCode !== null) return child.exitCode;
  const ended = new Promise((resolve) => child.once('close', resolve));
  process.kill(-child.pid!, 'SIGINT');
  await ended;
  return child.exitCode;
}

test('serves, and who was signed in still is after a restart', async () => {
  const first = await start(['--port', '0', '--data', 'here']);
  expect(first.output()).toMatch(/The site:\s+http:\/\/127\.0\.0\.1:\d+\n[^]*alice\s+wonderland\n/);
  const visitor = new Visitor(first.address);
  expect((await visitor.signIn(...ALICE)).text).toContain('this device');
  expect(statSync(path.join(folder, 'here/secret')).mode & 0o077).toBe(0);

  const second = await start(['--port', '0', '--data', 'here']);
  expect(await end(second.child)).toBe(1);
  expect(second.output()).toMatch(/An example runs already with the data in .*here\.\nEnd it .*--data/);

  expect(await end(first.child)).toBe(0);
  const third = await start(['--port', '0', '--data', 'here']);
  const later = new Visitor(third.address);
  for (const [name, value] of visitor.cookies) later.cookies.set(name, value);
  expect((await later.open('/sessions')).text).toContain('this device');
});

test('with REDIS_URL uses that server', async () => {
  const server = await startServer({ tcp: true });
  const { child, address } = await start(['--port', '0', '--data', '.'], { REDIS_URL: `redis://127.0.0.1:${server.port}` });
  await new Visitor(address).signIn(...ALICE);
  expect(await server.send('SESSION.COUNT', 'alice')).toBe(':1\r\n');
  expect(await end(child)).toBe(0);
});

const REFUSED = [
  { given: ['--prot', '1'], says: /Unknown option '--prot'[^]*usage: npm run example -- \[--port n\] \[--data folder\]/ },
  { given: ['--port', 'x'], says: /--port x: a port is a number from 0/ },
  {
    given: ['--data', '/proc/one/two'],
    says: /The folder \/proc\/one\/two cannot be made: ENOENT.*\nChoose another folder: .* --data \/tmp\/example/,
  },
  { given: ['--data', 'x'.repeat(120)], says: /too long for a socket in it[^]*--data \/tmp\/example/ },
  {
    given: ['--data', '.'],
    environment: { REDIS_URL: 'redis://user:secret@127.0.0.1:1' },
    says: /No server answers at redis:\/\/…@127\.0\.0\.1:1: .*\nStart one with npm start/,
  },
];

test('an unknown option, a wrong port, too long a folder and a server that is not there end it with what to do', async () => {
  const told = await Promise.all(
    REFUSED.map(async ({ given, environment = {} }) => {
      const { child, output } = await start(given, environment);
      return { status: await end(child), output: output() };
    }),
  );
  for (const [index, { status, output }] of told.entries()) {
    expect(output).toMatch(REFUSED[index]!.says);
    expect(output).not.toContain('secret@');
    expect(output).not.toMatch(/^\s+at /m);
    expect(status).toBe(1);
  }
});

test('a server that cannot save is told of, and ended by one more Ctrl-C', async () => {
  const { child, output } = await start(['--port', '0', '--data', 'here']);
  // What the server has open stays; what it would save into has no name any more.
  rmSync(path.join(folder, 'here'), { recursive: true });
  process.kill(-child.pid!, 'SIGINT');
  const told = /The server cannot save its data, .*: Failed opening .*No such file or directory\nCtrl-C once more/;
  expect(await eventually(output, (text) => told.test(text))).toMatch(told);
  expect(child.exitCode).toBe(null);
  expect(await end(child)).toBe(1);
});

test('help is asked for', async () => {
  const { child, output } = await start(['--help']);
  expect([await end(child), output()]).toEqual([0, expect.stringMatching(/^usage: npm run example -- \[--port n\] \[--data folder\]\n/)]);
});

test('a server without the modules, and a port in use, are named', async () => {
  const server = await startServer({ tcp: true, module: false });
  const listener = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => listener.once('listening', resolve));
  const { port } = listener.address() as AddressInfo;
  const [without, taken] = await Promise.all([
    start(['--data', 'without'], { REDIS_URL: `redis://127.0.0.1:${server.port}` }),
    start(['--port', String(port), '--data', 'taken']),
  ]);
  expect(await end(without.child)).toBe(1);
  expect(without.output()).toContain('--loadmodule');
  expect(await end(taken.child)).toBe(1);
  expect(taken.output()).toContain(`Port ${port} is in use. Choose another one: npm run example -- --port 3001`);
  listener.close();
});
