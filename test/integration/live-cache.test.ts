/** wasm.cache: compiled code is kept and taken again, if it is what it was kept as; and where it may lie. */
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { Folder, idle, OK, startLive } from '../support/live.ts';
import { bulk } from '../support/raw.ts';
import { HASHMAP_FILE, HOST_FILE, startServer, type TestServer } from '../support/server.ts';

const plain = await idle('idle');
const module = [HOST_FILE, HASHMAP_FILE];

/** A folder for the running test. */
function temporary(): string {
  const folder = mkdtempSync(path.join(tmpdir(), 'wasm-cache-'));
  onTestFinished(() => {
    rmSync(folder, { recursive: true, force: true });
  });
  return folder;
}
const filesIn = (folder: string) => readdirSync(folder).sort();
const expectServed = async (server: TestServer) => {
  expect(await server.send('CUSTOM.SET', 'key', 'value')).toBe(OK);
  expect(await server.send('CUSTOM.GET', 'key')).toBe(bulk('value'));
};

describe('a file of the cache', () => {
  /** A server that has kept its one module's code, and that file. */
  async function start() {
    const folder = path.join(temporary(), 'made', 'by the server');
    const server = await startServer({ module, arguments: ['--wasm.cache', folder] });
    await server.end();
    const [name = ''] = filesIn(folder);
    expect(filesIn(folder)).toEqual([expect.stringMatching(/^[0-9a-f]{64}\.code$/)]);
    return { server, folder, file: path.join(folder, name) };
  }

  test('is taken: it is not written again; and nobody else may read or write it', async () => {
    const { server, folder, file } = await start();
    const before = statSync(file);
    expect([before.mode & 0o777, statSync(folder).mode & 0o777]).toEqual([0o600, 0o700]);
    await server.start();
    await expectServed(server);
    expect(statSync(file).ino).toBe(before.ino);
    expect(filesIn(folder)).toHaveLength(1);
  });

  test.each([
    [
      'was damaged',
      (file: string) => {
        spoil(file, (bytes) => bytes.fill(0xff, bytes.length >> 1, (bytes.length >> 1) + 1));
      },
    ],
    [
      'has another sum',
      (file: string) => {
        spoil(file, (bytes) => bytes.fill(0, 0, 4));
      },
    ],
    [
      'was cut short',
      (file: string) => {
        writeFileSync(file, readFileSync(file).subarray(0, 1000));
      },
    ],
    [
      'is shorter than its sum',
      (file: string) => {
        writeFileSync(file, 'short');
      },
    ],
    [
      'is empty',
      (file: string) => {
        writeFileSync(file, '');
      },
    ],
    [
      'others may write',
      (file: string) => {
        chmodSync(file, 0o664);
      },
    ],
    [
      'is a link to one that would do',
      (file: string) => {
        renameSync(file, `${file}.kept`);
        symlinkSync(`${file}.kept`, file);
      },
    ],
    [
      'is a pipe',
      (file: string) => {
        rmSync(file);
        execFileSync('mkfifo', [file]);
      },
    ],
  ])('that %s is not taken, and written anew', async (_, change) => {
    const { server, file } = await start();
    const whole = readFileSync(file);
    change(file);
    const before = statSync(file, { bigint: true });
    await server.start();
    await expectServed(server);
    const after = statSync(file, { bigint: true });
    expect(after.ino).not.toBe(before.ino);
    expect(after.mode & 0o777n).toBe(0o600n);
    expect(readFileSync(file).length).toBe(whole.length);
    await server.restart();
    expect(statSync(file, { bigint: true }).ino).toBe(after.ino);
  });

  test('of another module under this name is not taken', async () => {
    const { server, folder, file } = await start();
    server.change({ module: [HOST_FILE, plain] });
    await server.start();
    await server.end();
    const other = filesIn(folder).find((name) => name !== path.basename(file))!;
    copyFileSync(path.join(folder, other), file);
    server.change({ module });
    await server.start();
    await expectServed(server);
  });

  test('that cannot be written keeps no server from starting', async () => {
    const { server, file } = await start();
    rmSync(file);
    mkdirSync(path.join(file, 'in the way'), { recursive: true });
    await server.start();
    await expectServed(server);
  });

  test('is kept by WASM.LOAD, and taken by it', async () => {
    const cache = temporary();
    const { server, folder } = await startLive({}, { arguments: ['--wasm.cache', cache] });
    const before = filesIn(cache);
    folder.put('idle', plain);
    expect(await server.send('WASM.LOAD', 'idle')).toBe(OK);
    const fresh = filesIn(cache).filter((name) => !before.includes(name));
    expect(fresh).toHaveLength(1);
    const { ino } = statSync(path.join(cache, fresh[0]!));
    expect(await server.send('WASM.RELOAD', 'idle')).toBe(OK);
    await server.restart();
    expect(statSync(path.join(cache, fresh[0]!)).ino).toBe(ino);
  });
});

function spoil(file: string, change: (bytes: Buffer) => void): void {
  const bytes = readFileSync(file);
  change(bytes);
  writeFileSync(file, bytes);
}

describe.each(['wasm.cache', 'wasm.dir'])('%s', (setting) => {
  /** Starts a server whose own folder is this one. */
  const start = (named: string, data: string, ways: string[] = []) =>
    startServer({ module, arguments: ['--dir', data, `--${setting}`, named, ...ways] });
  const apart = new RegExp(`${setting} .* and the server's own (?:dir|appenddirname) .* must lie apart`);

  test.each([
    ['is dir', '.', '.'],
    ['lies in dir', 'inner', '.'],
    ['holds dir', '.', 'inner'],
    ['is the append-only folder', 'inner/log', 'inner'],
    ['lies in the append-only folder', 'inner/log/deep', 'inner'],
  ])('is refused where it %s', async (_, named, data) => {
    const folder = temporary();
    mkdirSync(path.join(folder, 'inner/log/deep'), { recursive: true });
    const started = start(path.join(folder, named), path.join(folder, data), ['--appenddirname', 'log']);
    await expect(started).rejects.toThrow(apart);
  });

  test('is refused where it is so by a link', async () => {
    const folder = temporary();
    mkdirSync(path.join(folder, 'data'));
    symlinkSync('data', path.join(folder, 'link'));
    await expect(start(path.join(folder, 'link'), path.join(folder, 'data'))).rejects.toThrow(apart);
  });

  test('may lie beside it, though its name begins in the same way', async () => {
    const folder = temporary();
    mkdirSync(path.join(folder, 'data'));
    mkdirSync(path.join(folder, 'data-2'), { mode: 0o700 });
    await expectServed(await start(path.join(folder, 'data-2'), path.join(folder, 'data')));
  });
});

test.each([0o770, 0o707, 0o777, 0o1777])('a cache of mode %o is refused', async (mode) => {
  const folder = temporary();
  chmodSync(folder, mode);
  const start = startServer({ module, arguments: ['--wasm.cache', folder] });
  await expect(start).rejects.toThrow(/wasm\.cache .*: it must be a folder of the server's user that nobody else may write to/);
});

test('neither setting changes while the server serves', async () => {
  const folder = Folder.ofTest();
  const server = await startServer({ module, arguments: folder.arguments });
  for (const setting of ['wasm.cache', 'wasm.dir'])
    expect(await server.send('CONFIG', 'SET', setting, '/tmp')).toMatch(/^-ERR .*immutable/);
});

test.each(['wasm.dir', 'wasm.cache'])('a dir that comes to %s is set back, and told', async (setting) => {
  const parent = temporary();
  const folder = path.join(parent, 'modules');
  mkdirSync(folder, { mode: 0o700 });
  const server = await startServer({
    arguments: [`--${setting}`, folder, '--enable-protected-configs', 'yes', '--wasm.allow-load', 'yes'],
  });
  const before = await server.send('CONFIG', 'GET', 'dir');
  for (const dir of [folder, parent]) {
    expect(await server.send('CONFIG', 'SET', 'dir', dir)).toBe('+OK\r\n');
    expect(await server.send('CONFIG', 'GET', 'dir')).toBe(before);
  }
  expect((await server.info('wasm')).wasm_settings_undone).toBe('2');
  await expect.poll(() => server.log).toContain(`${setting} ${folder} and the server's own dir`);
  const elsewhere = temporary();
  expect(await server.send('CONFIG', 'SET', 'dir', elsewhere)).toBe('+OK\r\n');
  expect(await server.send('CONFIG', 'GET', 'dir')).toContain(elsewhere);
  expect(await server.send('CONFIG', 'SET', 'dir', server.folder)).toBe('+OK\r\n');
});
