/**
 * `npx redis-wasm serve` and `config`: what they make of arguments and folders, on the first server that
 * there is.
 */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { command as config } from '../../bin/config.ts';
import { usableCache } from '../../bin/cache.ts';
import { settingsOf } from '../../bin/configuration.ts';
import { serverArguments } from '../../bin/launch.ts';
import { Problem } from '../../bin/process.ts';
import { ensureBuilt, PACKAGE } from '../../scripts/lib/build.ts';
import { RawConnection } from '../support/raw.ts';
import { eventually, HOST_FILE, ROOT, tested } from '../support/server.ts';

const PROGRAM = [path.join(ROOT, 'build/bin/main.js')];
/** Has the program end at a signal as an error of its own would end it. */
const ENDS_AT_SIGNAL = ['--import', 'data:text/javascript,process.on("SIGUSR2", () => process.exit(3))'];
const onSocket = ['--port', '0', '--unixsocket', 'socket', '--save', ''];

/** The caches of the person who runs the tests are left alone. */
const caches = mkdtempSync(path.join(tmpdir(), 'caches-'));
vi.stubEnv('XDG_CACHE_HOME', caches);

let folder = '';
let started: ChildProcess[] = [];

beforeAll(() => {
  ensureBuilt(PACKAGE);
});

afterAll(() => {
  vi.unstubAllEnvs();
  rmSync(caches, { recursive: true });
});

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

test('one that its server has rewritten is served again', async () => {
  write('redis.conf', 'port 0\nunixsocket socket\nsave ""\n');
  for (let times = 0; times < 2; times++) {
    const { output, child } = serve('redis.conf');
    expect(await eventually(output, (text) => text.includes('Serving') || child.exitCode !== null)).toContain('Serving');
    const connection = await connect();
    expect(await connection.send('CONFIG', 'REWRITE')).toBe('+OK\r\n');
    connection.close();
    child.kill('SIGTERM');
    await eventually(
      () => child.exitCode,
      (status) => status !== null,
    );
  }
  expect(readFileSync(path.join(folder, 'redis.conf'), 'utf8').match(/^loadmodule .*host\.so/gm)).toHaveLength(1);
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

test('--server may stand anywhere', async () => {
  const child = spawn(process.execPath, [...PROGRAM, 'serve', ...onSocket, '--server', tested.file], { cwd: folder, stdio: 'ignore' });
  started.push(child);
  const reply = await eventually(
    () => connect().then((connection) => connection.send('CUSTOM.LEN'), String),
    (text) => text === ':0\r\n',
  );
  expect(reply).toBe(':0\r\n');
});

describe('compiled code', () => {
  test('is kept where nobody else may write, and the next start takes it', async () => {
    const kept = () =>
      readdirSync(path.join(caches, 'redis-wasm')).map((name) => [name, statSync(path.join(caches, 'redis-wasm', name)).mtimeMs]);
    rmSync(path.join(caches, 'redis-wasm'), { recursive: true, force: true });
    const seen = [];
    for (let times = 0; times < 2; times++) {
      const { output, child } = serve(...onSocket);
      expect(await eventually(output, (text) => text.includes('Serving') || child.exitCode !== null)).toContain('Serving');
      seen.push(kept());
      child.kill('SIGTERM');
      await eventually(
        () => child.exitCode,
        (status) => status !== null,
      );
    }
    expect(seen[0]).toHaveLength(2);
    expect(seen[1]).toEqual(seen[0]);
    expect(statSync(path.join(caches, 'redis-wasm')).mode & 0o777).toBe(0o700);
  });

  test('is kept nowhere where the data is around it, and the server starts', async () => {
    const { output, child } = serve(...onSocket, '--dir', caches);
    expect(await eventually(output, (text) => text.includes('Serving') || child.exitCode !== null)).toContain('Serving');
    expect(output()).not.toContain('wasm.cache');
  });

  test('has no folder that the server would refuse', () => {
    write('data/file', '');
    const within = (name: string) => path.join(folder, name);
    const data = within('data');
    symlinkSync(data, within('link'));
    expect(usableCache(within('cache/own'), data)).toBe(within('cache/own'));
    expect(usableCache(within('data-2'), data)).toBe(within('data-2'));
    for (const refused of [data, within('data/cache'), within('link'), within('link/cache'), folder, within('data/file'), '/proc/none'])
      expect(usableCache(refused, data), refused).toBeUndefined();
    chmodSync(within('cache/own'), 0o777);
    expect(usableCache(within('cache/own'), data)).toBeUndefined();
  });

  test('is kept where a person says, if they do, and as they say where they load a host.so of their own', () => {
    const launch = { folder, host: '/the/host.so', command: '', cache: '/the/cache' };
    const added = (...given: string[]) => serverArguments({ ...launch, userArguments: given }).join(' ');
    expect(added('--port', '0')).toContain('--wasm.cache /the/cache');
    expect(added('--wasm.cache', '/own')).not.toContain('/the/cache');
    expect(added('--loadmodule', '/x/host.so')).not.toContain('/the/cache');
    write('redis.conf', 'wasm.cache ""\n');
    expect(added('redis.conf')).not.toContain('/the/cache');
  });
});

describe('the program answers', () => {
  const run = (...given: string[]) => {
    const { status, stdout, stderr } = spawnSync(process.execPath, [...PROGRAM, ...given], { cwd: folder, encoding: 'utf8' });
    return { status, stdout, stderr };
  };
  const { version } = JSON.parse(readFileSync(path.join(ROOT, 'package.json'), 'utf8')) as { version: string };

  test.each(['serve', 'config', 'export', 'import', 'deploy'])('-h and --help of %s', (name) => {
    const usage = { status: 0, stdout: expect.stringMatching(`^usage: npx redis-wasm ${name} .*\n.`) as string, stderr: '' };
    for (const given of [
      [name, '-h'],
      [name, 'x', '--help'],
      ['help', name],
    ])
      expect(run(...given)).toEqual(usage);
  });

  test('for help and its version without a command', () => {
    for (const given of ['--help', '-h', 'help']) {
      expect(run(given)).toEqual({ status: 0, stdout: expect.stringMatching(/^usage:\n.* serve [^]* import /) as string, stderr: '' });
    }
    for (const given of [['--version'], ['-v'], ['serve', '--version']]) {
      expect(run(...given)).toEqual({ status: 0, stdout: `${version}\n`, stderr: '' });
    }
  });

  test.each([
    [/^\nusage:\n/, []],
    [/^\nThere is no command no-such\.\nusage:\n/, ['no-such']],
    [/^\nThere is no option --no-such\.\nusage:\n/, ['--no-such']],
    [/^\nA folder is needed, .*\nusage: .* config /, ['config']],
    [/^\nA folder is needed, .*\nusage: .* config /, ['config', '']],
    [/^\nThere is no option --no-such\.\nusage: .* config /, ['config', '--no-such']],
    [/^\nOne folder is enough; two is too much\.\nusage: .* config /, ['config', 'one', 'two']],
    [/^\nUnknown option '--no-such'.*\nusage: .* export /, ['export', '--no-such']],
    [/^\nUnknown option '--prune'.*\nusage: .* import /, ['import', '--prune']],
    [/^\n--server needs the path .*\nusage: .* serve /, ['serve', '--server']],
  ])('wrong arguments with %s', (expected, given) => {
    expect(run(...given)).toEqual({ status: 1, stdout: '', stderr: expect.stringMatching(expected) as string });
    expect(readdirSync(folder)).toEqual([]);
  });
});

describe('where the data goes', () => {
  test.each([
    ['', true, []],
    ['', false, ['--save', '']],
    ['', true, ['--save', '', '--save', '60 1']],
    ['', true, ['--save', '', '--appendonly', 'yes']],
    ['more', true, ['--dir', 'more']],
    ['more', false, ['more/here.conf']],
    ['more', true, ['more/here.conf', '--save', '60', '1']],
    ['more/below', true, ['more/here.conf', '--DIR', 'below', '--appendonly', 'yes']],
    ['more', false, ['includes.conf']],
  ])('%s, kept: %s, by %j', (where, isKept, given) => {
    write('more/here.conf', 'dir more\nsave ""\n');
    write('includes.conf', 'save 60 1\ninclude more/h*.conf\n');
    expect(settingsOf(given, folder)).toMatchObject({ folder: path.join(folder, where), isKept });
  });

  test('is said when it serves', async () => {
    mkdirSync(path.join(folder, 'here'));
    const { output } = serve('--port', '0', '--unixsocket', 'socket', '--dir', 'here');
    expect(await eventually(output, (text) => text.includes('Ctrl-C'))).toContain(
      `The data is kept in ${path.join(folder, 'here')}; elsewhere: npx redis-wasm serve --dir <folder>`,
    );
  });

  test('is tried at the start, and not where nothing is kept', async () => {
    write('file', '');
    const places: [string, RegExp][] = [
      ['file', /there is a file where a folder would be/],
      ['missing', /ENOENT/],
      ['/proc', /ENOENT/],
    ];
    for (const [where, reason] of places) {
      const { child, output } = serve('--port', '0', '--dir', where);
      await eventually(
        () => child.exitCode,
        (status) => status !== null,
      );
      expect(child.exitCode).toBe(1);
      expect(output()).toMatch(
        new RegExp(`No data can be written to .*${where}: .*${reason.source}.*\nName another folder: .* --dir <folder>`),
      );
      expect(output()).not.toContain('ready to accept');
    }
    const { output } = serve(...onSocket, '--unixsocket', path.join(folder, 'socket'), '--dir', '/proc');
    expect(await eventually(output, (text) => text.includes('Ctrl-C'))).toContain('The data is kept nowhere');
  });
});

describe('a server that cannot save', () => {
  async function started(...given: string[]): Promise<ReturnType<typeof serve> & { child: ChildProcess }> {
    mkdirSync(path.join(folder, 'data'));
    const program = serve(
      '--port',
      '0',
      '--unixsocket',
      path.join(folder, 'socket'),
      '--dir',
      'data',
      '--save',
      '60 1',
      '--enable-protected-configs',
      'yes',
      ...given,
    );
    // Its log may be elsewhere.
    const ping = async () => {
      const connection = await connect();
      const reply = await connection.send('PING');
      connection.close();
      return reply;
    };
    const answer = () => ping().catch(String);
    expect(await eventually(answer, (text) => text === '+PONG\r\n')).toBe('+PONG\r\n');
    rmSync(path.join(folder, 'data'), { recursive: true });
    return program;
  }
  const told = /The server cannot save its data, .*: Failed opening .*No such file or directory\nCtrl-C once more/;
  const hasEnded = (child: ChildProcess) => child.exitCode !== null || child.signalCode !== null;

  test.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)('goes on after %s and says why; a further Ctrl-C ends it', async (signal) => {
    const { child, output } = await started();
    const connection = await connect();
    child.kill(signal);
    expect(await eventually(output, (text) => told.test(text))).toMatch(told);
    expect(await connection.send('CUSTOM.SET', 'key', 'value')).toBe('+OK\r\n');
    // SIGTERM alone never takes the data.
    child.kill('SIGTERM');
    expect(await eventually(output, (text) => text.split('cannot save its data').length > 2)).toMatch(told);
    expect(await connection.send('CUSTOM.GET', 'key')).toBe('$5\r\nvalue\r\n');
    connection.close();
    child.kill('SIGINT');
    await eventually(
      () => hasEnded(child),
      (ended) => ended,
    );
    expect(child.exitCode).toBe(137);
  });

  test('saves at the further Ctrl-C where it can by then', async () => {
    const { child, output } = await started();
    child.kill('SIGINT');
    // Comes twice, as from npm: that is one.
    child.kill('SIGINT');
    await eventually(output, (text) => told.test(text));
    const connection = await connect();
    expect(await connection.send('CONFIG', 'SET', 'dir', folder)).toBe('+OK\r\n');
    connection.close();
    child.kill('SIGINT');
    await eventually(
      () => hasEnded(child),
      (ended) => ended,
    );
    expect([child.exitCode, existsSync(path.join(folder, 'dump.rdb'))]).toEqual([0, true]);
  });

  test('is ended by Ctrl-C where its log goes to a file too', async () => {
    const { child, output } = await started('--logfile', path.join(folder, 'log'));
    for (let times = 1; !hasEnded(child) && times < 5; times++) {
      child.kill('SIGINT');
      await eventually(output, (text) => hasEnded(child) || text.split('Ctrl-C once more').length > times);
    }
    expect(child.exitCode).toBe(137);
  });
});

test('a port in use is told, and a server that ends by itself ends the program', async () => {
  const listener = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => listener.once('listening', resolve));
  const taken = serve('--save', '', '--port', String((listener.address() as AddressInfo).port));
  const { child, output } = serve(...onSocket);
  await eventually(output, (text) => text.includes('Ctrl-C'));
  const connection = await connect();
  connection.send('SHUTDOWN', 'NOSAVE').catch(() => undefined);
  for (const each of [taken.child, child]) {
    await eventually(
      () => each.exitCode,
      (status) => status !== null,
    );
  }
  connection.close();
  listener.close();
  expect([taken.child.exitCode, child.exitCode]).toEqual([1, 0]);
  expect(taken.output()).toMatch(/The port is in use, perhaps by another server\. Choose another one: .* serve --port 6380/);
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
    for (const place of ['/sys/modules', '/proc/modules-of-mine', '/proc/one/two']) {
      expect(problem(place)).toMatch(new RegExp(`^${place} cannot be written: E[A-Z]+[^]*Run this with sudo, or choose another`));
    }
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
    expect(readdirSync(path.join(folder, 'mine/one/two')).sort()).toEqual(['hashmap.wasm', 'host.so', 'session.wasm']);
    const modeOf = (name: string) => (statSync(path.join(folder, name)).mode & 0o777).toString(8);
    expect(['mine', 'mine/one', 'mine/one/two', 'mine/one/two/host.so'].map(modeOf)).toEqual(['700', '755', '755', '755']);
  });
});
