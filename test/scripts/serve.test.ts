/** `npx redis-wasm-sessions serve` and `config`: what they make of arguments and folders, on the first server that there is. */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { command as config } from '../../bin/config.ts';
import { serverArguments } from '../../bin/launch.ts';
import { Problem } from '../../bin/process.ts';
import { RawConnection } from '../support/raw.ts';
import { eventually, HOST_FILE, ROOT, tested } from '../support/server.ts';

const PROGRAM = ['--import', path.join(ROOT, 'node_modules/tsx/dist/loader.mjs'), path.join(ROOT, 'bin/main.ts')];
/** Has the program end at a signal as an error of its own would end it. */
const ENDS_AT_SIGNAL = ['--import', 'data:text/javascript,process.on("SIGUSR2", () => process.exit(3))'];
const onSocket = ['--port', '0', '--unixsocket', 'socket', '--save', ''];

let folder = '';
let started: ChildProcess[] = [];

beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'serve-'));
});

afterEach(async () => {
  for (const child of started) {
    child.kill('SIGTERM');
    await eventually(
      () => child.exitCode ?? child.signalCode,
      (status) => status !== null,
    );
  }
  started = [];
  rmSync(folder, { recursive: true });
});

function write(name: string, text: string): void {
  mkdirSync(path.dirname(path.join(folder, name)), { recursive: true });
  writeFileSync(path.join(folder, name), text);
}

/** Starts `serve …` in the folder, and follows what it says. */
function serve(...given: string[]): { child: ChildProcess; output: () => string } {
  const child = spawn(process.execPath, [...ENDS_AT_SIGNAL, ...PROGRAM, 'serve', '--server', tested.file, ...given], {
    cwd: folder,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  started.push(child);
  let text = '';
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
  return { child, output: () => text };
}

const connect = (): Promise<RawConnection> => RawConnection.connect(path.join(folder, 'socket'));

describe('the module is added', () => {
  const isAdded = (...given: string[]): boolean =>
    serverArguments({ userArguments: given, folder, host: '/the/host.so', command: '' }).includes('/the/host.so');

  test.each([
    [true, ['--unixsocket', '/run/localhost.sock']],
    [true, ['--logfile', 'host.so']],
    [true, ['--loadmodule', '/x/ghost.so']],
    [true, ['--loadmodule', '/x/host.so.old']],
    [false, ['--loadmodule', '/x/host.so']],
    [false, ['--loadmodule', '/x/host.so', 'a.wasm', '--port', '0']],
    [false, ['--port', '0', '--LoadModule', 'host.so']],
    [false, ['--loadmodule /x/host.so']],
  ])('%s: by the arguments', (expected, given) => {
    expect(isAdded(...given)).toBe(expected);
  });

  test.each([
    [true, 'loadmodule /x/ghost.so'],
    [true, '# loadmodule /x/host.so'],
    [true, 'logfile /x/host.so'],
    [true, 'include none.conf\ninclude none/*.conf\ninclude redis.conf'],
    [false, 'port 0\n  LOADMODULE /x/host.so a.wasm'],
    [false, 'loadmodule "/x y/host.so"'],
    [false, 'include more/wasm.conf'],
    [false, `dir more\ninclude wasm.conf`],
    [false, 'include "more/w*m.conf"'],
    [false, 'include m[!x-z]r?/[a-w]asm.conf'],
    [true, 'include more/*.con'],
    [true, 'include more/*wasm-conf'],
    [false, 'include more/outer.conf'],
  ])('%s: by a configuration file of %j', (expected, text) => {
    write('more/wasm.conf', '# modules\nloadmodule /x/host.so\n');
    write('more/outer.conf', 'include more/wasm.conf\n');
    write('redis.conf', text);
    expect(isAdded('redis.conf')).toBe(expected);
  });
});

test('a configuration file that includes the modules is served, by a pattern too', async () => {
  write('modules/wasm.conf', `loadmodule ${HOST_FILE}\n`);
  write('redis.conf', `dir modules\ninclude *.conf\ndir ..\nport 0\nunixsocket socket\nsave ""\n`);
  const { output, child } = serve('redis.conf');
  expect(await eventually(output, (text) => text.includes('Serving') || child.exitCode !== null)).toContain('Serving');
  const connection = await connect();
  expect(await connection.send('CUSTOM.LEN')).toBe(':0\r\n');
  connection.close();
});

test('one that loads them twice is told of', async () => {
  write('redis.conf', `port 0\nunixsocket socket\nloadmodule ${HOST_FILE}\nloadmodule ${HOST_FILE}\n`);
  const { output, child } = serve('redis.conf');
  await eventually(
    () => child.exitCode,
    (status) => status !== null,
  );
  expect([child.exitCode, output()]).toEqual([1, expect.stringContaining('The configuration loads the modules twice')]);
});

test('--server may stand anywhere, and --help is answered', async () => {
  const child = spawn(process.execPath, [...PROGRAM, 'serve', ...onSocket, '--server', tested.file], { cwd: folder, stdio: 'ignore' });
  started.push(child);
  const reply = await eventually(
    () => connect().then((connection) => connection.send('CUSTOM.LEN'), String),
    (text) => text === ':0\r\n',
  );
  expect(reply).toBe(':0\r\n');
  const { status, stdout } = spawnSync(process.execPath, [...PROGRAM, 'serve', '--help'], { encoding: 'utf8' });
  expect([status, stdout]).toEqual([0, expect.stringMatching(/^usage: npx redis-wasm-sessions serve \[--server <path>\]/)]);
});

test.each(['its output is closed', 'the program ends otherwise'])('the server ends where %s', async (how) => {
  const { child, output } = serve(...onSocket);
  await eventually(output, (text) => text.includes('Ctrl-C'));
  const connection = await connect();
  try {
    if (how === 'its output is closed') {
      child.stdout?.destroy();
      // Has it log something more.
      expect(await connection.send('BGSAVE')).toMatch(/^\+/);
    } else child.kill('SIGUSR2');
    await eventually(
      () => child.exitCode,
      (status) => status !== null,
    );
    expect(child.exitCode).toBe(how === 'its output is closed' ? 0 : 3);
    const answer = () => connect().then(() => 'it serves', String);
    expect(await eventually(answer, (text) => text !== 'it serves')).toMatch(/ECONNREFUSED|ENOENT/);
  } finally {
    connection.send('SHUTDOWN', 'NOSAVE').catch(() => undefined);
    connection.close();
  }
});

describe('config', () => {
  const problem = (given: string): string => {
    try {
      config([given]);
      return 'nothing was in the way';
    } catch (error) {
      return error instanceof Problem ? error.message : String(error);
    }
  };

  test('says what is in the way of its folder', () => {
    write('file', '');
    expect(problem(path.join(folder, 'file'))).toMatch(/file cannot be written: there is a file where a folder would be\..*another folder/);
    expect(problem(path.join(folder, 'file/below'))).toMatch(/below cannot be written: there is a file where a folder would be/);
    expect(problem('/sys/modules')).toMatch(/^\/sys\/modules cannot be written: E[A-Z]+[^]*Run this with sudo, or choose another/);
    for (const name of ['a*b', 'a?b', 'a[b', 'a]b']) expect(problem(path.join(folder, name))).toMatch(/for a pattern of files/);
    for (const name of ['a b', 'a"b', 'a\\b']) expect(problem(path.join(folder, name))).toMatch(/takes no spaces, quotes or backslashes/);
  });

  test('leaves folders that the server can enter, whatever the umask', () => {
    const before = process.umask(0o077);
    try {
      mkdirSync(path.join(folder, 'mine'));
      config([path.join(folder, 'mine/one/two')]);
    } finally {
      process.umask(before);
    }
    const modeOf = (name: string) => (statSync(path.join(folder, name)).mode & 0o777).toString(8);
    expect(['mine', 'mine/one', 'mine/one/two', 'mine/one/two/host.so'].map(modeOf)).toEqual(['700', '755', '755', '755']);
  });
});
