/** `npm start`: serves, tells what to try, and saves when it is ended. */
import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { RawConnection } from '../support/raw.ts';
import { eventually, ROOT } from '../support/server.ts';

let folder = '';
let started: ChildProcess[] = [];

beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'start-'));
});

afterEach(async () => {
  for (const child of started) await end(child, 'SIGTERM');
  started = [];
  rmSync(folder, { recursive: true });
});

/**
 * Starts as `npm start -- …` does, in a process group of its own as a terminal's shell does, and waits for
 * the announcement.
 */
async function start(...given: string[]): Promise<{ child: ChildProcess; output: () => string }> {
  const child = spawn(process.execPath, [path.join(ROOT, 'scripts/bootstrap.mjs'), 'scripts/start.ts', ...given], {
    cwd: folder,
    env: { ...process.env, INIT_CWD: folder },
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  started.push(child);
  let text = '';
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
  const output = () => text;
  await eventually(output, (shown) => shown.includes('Ctrl-C') || child.exitCode !== null);
  return { child, output };
}

/** Sends the signal to the whole group, as a terminal's Ctrl-C does, and answers the exit status. */
async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<number | null> {
  if (child.exitCode !== null) return child.exitCode;
  const ended = new Promise((resolve) => child.once('close', resolve));
  process.kill(-child.pid!, signal);
  await ended;
  return child.exitCode;
}

async function send(...command: string[]): Promise<string> {
  const raw = await RawConnection.connect(path.join(folder, 'socket'));
  const reply = await raw.send(...command);
  raw.close();
  return reply;
}

const onSocket = ['--port', '0', '--unixsocket', 'socket', '--dir', '.', '--save', '3600', '1'];

test.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)('after %s the data is there at the next start', async (signal) => {
  const first = await start(...onSocket);
  expect(first.output()).toMatch(/Serving on socket:[^]*CUSTOM\.\*[^]*SESSION\.\*[^]*SESSION\.CREATE user123/);
  const reply = await send('SESSION.CREATE', 'user123');
  expect(reply).toMatch(/^\+Session created: /);
  expect(await end(first.child, signal)).toBe(0);
  expect(existsSync(path.join(folder, 'dump.rdb'))).toBe(true);

  await start(...onSocket);
  expect(await send('SESSION.CREATE', 'user123')).toBe(reply.replace('created', 'exists'));
});

test("a configuration file's settings are the server's, and the module is added", async () => {
  writeFileSync(path.join(folder, 'my.conf'), 'port 0\nunixsocket socket\nsave ""\nmaxmemory 123mb\n');
  const { output } = await start('my.conf', '--unixsocket', 'socket');
  expect(output()).toContain('Serving on');
  expect(await send('CONFIG', 'GET', 'maxmemory')).toContain('128974848');
  expect(await send('CUSTOM.SET', 'key', 'value')).toBe('+OK\r\n');
});

test.each(['-h', '--help'])('%s says how it is used, and starts nothing', async (asked) => {
  const { child, output } = await start(asked);
  expect(await end(child, 'SIGTERM')).toBe(0);
  expect(output()).toMatch(/^usage: npm start -- .*\n[^]*The data is kept in data\/, unless/);
});

test('a missing configuration file is named', async () => {
  const { child, output } = await start('missing.conf');
  expect(await end(child, 'SIGTERM')).toBe(1);
  expect(output()).toContain(`There is no configuration file ${path.join(folder, 'missing.conf')}`);
});
