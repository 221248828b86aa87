/** The ways to load the module, and what happens when a file is not fit to be loaded. */
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { eventually, HASHMAP_FILE, HOST_FILE, SESSION_FILE, startServer, tested, TestServer } from '../support/server.ts';

/** A server that has the module, and both of the modules in it, works: a session's id is in the storage. */
async function expectServing(server: TestServer): Promise<void> {
  const reply = await server.send('SESSION.CREATE', 'user');
  expect(reply).toMatch(/^\+Session created: /);
  expect(await server.send('CUSTOM.GET', 'user')).toContain(reply.trim().split(' ').at(-1));
}

const defaultLink = tested.link === 'auto' ? 'direct' : 'command';

describe('the module is loaded', () => {
  test('by --loadmodule, without paths from its own folder', async () => {
    const server = await startServer();
    await expectServing(server);
    expect((await server.info('wasm')).wasm_link_CUSTOM).toBe(defaultLink);
  });

  test('by --loadmodule with explicit paths', async () => {
    await expectServing(await startServer({ module: [HOST_FILE, HASHMAP_FILE, SESSION_FILE] }));
  });

  test('by loadmodule in redis.conf, with its settings beside it', async () => {
    for (const [link, shown] of [
      ['auto', 'direct'],
      ['command', 'command'],
    ]) {
      const server = await startServer({ module: false, configuration: `loadmodule ${HOST_FILE}\nwasm.link ${link}\n` });
      await expectServing(server);
      expect((await server.info('wasm')).wasm_link_CUSTOM).toBe(shown);
      expect(await server.send('CONFIG', 'GET', 'wasm.link')).toBe(`*2\r\n$9\r\nwasm.link\r\n$${link!.length}\r\n${link}\r\n`);
    }
  });

  test('by loadmodule in redis.conf with explicit paths', async () => {
    const configuration = `loadmodule ${HOST_FILE} ${HASHMAP_FILE} ${SESSION_FILE}\n`;
    await expectServing(await startServer({ module: false, configuration }));
  });

  test('by MODULE LOAD, with and without paths', async () => {
    for (const paths of [[], [HASHMAP_FILE, SESSION_FILE]]) {
      const server = await startServer({ module: false });
      expect(await server.send('CUSTOM.GET', 'key')).toMatch(/^-ERR unknown command/);
      expect(await server.send('MODULE', 'LOAD', HOST_FILE, ...paths)).toBe('+OK\r\n');
      await expectServing(server);
    }
  });

  test('by MODULE LOADEX with a setting and paths', async () => {
    const server = await startServer({ module: false });
    const load = ['MODULE', 'LOADEX', HOST_FILE, 'CONFIG', 'wasm.link', 'command', 'ARGS', HASHMAP_FILE, SESSION_FILE];
    expect(await server.send(...load)).toBe('+OK\r\n');
    await expectServing(server);
    expect((await server.info('wasm')).wasm_link_CUSTOM).toBe('command');
  });

  test("with relative paths, which start at the server's folder", async () => {
    const server = await startServer({ module: false });
    mkdirSync(path.join(server.folder, 'sub'));
    copyFileSync(HASHMAP_FILE, path.join(server.folder, 'hashmap.wasm'));
    copyFileSync(SESSION_FILE, path.join(server.folder, 'sub/session.wasm'));
    expect(await server.send('MODULE', 'LOAD', HOST_FILE, 'hashmap.wasm', 'sub/session.wasm')).toBe('+OK\r\n');
    await expectServing(server);
  });

  test('and is listed, cannot be loaded twice, and how it links cannot be changed', async () => {
    const server = await startServer();
    expect(await server.send('MODULE', 'LIST')).toContain('$4\r\nwasm\r\n');
    expect(await server.send('MODULE', 'LOAD', HOST_FILE)).toMatch(/^-ERR Error loading the extension/);
    expect(await server.send('CONFIG', 'SET', 'wasm.link', 'command')).toMatch(/^-ERR CONFIG SET failed.*immutable/);
    await expectServing(server);
  });
});

/**
 * An unfit file, by what is wrong with it: how to make it out of a folder, and what the log must say about
 * it.
 */
interface Unfit {
  title: string;
  /**
   * writes what is needed into the folder and answers the arguments of the module; the first one that is
   * unfit is `named`
   */
  make: (folder: string) => string[];
  named: string;
  reason: RegExp;
}

function written(folder: string, name: string, bytes: string | Uint8Array): string {
  const file = path.join(folder, name);
  writeFileSync(file, bytes);
  return file;
}

const EMPTY_MODULE = new Uint8Array([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]);

const UNFIT: Unfit[] = [
  {
    title: 'a missing file',
    make: (folder) => [path.join(folder, 'missing.wasm')],
    named: 'missing.wasm',
    reason: /No such file/,
  },
  {
    title: 'a missing second file',
    make: (folder) => [HASHMAP_FILE, path.join(folder, 'missing.wasm')],
    named: 'missing.wasm',
    reason: /No such file/,
  },
  { title: 'a folder', make: (folder) => [folder], named: 'unfit', reason: /./ },
  { title: 'an empty file', make: (folder) => [written(folder, 'empty.wasm', '')], named: 'empty.wasm', reason: /./ },
  { title: 'a text', make: (folder) => [written(folder, 'text.wasm', 'this is no module')], named: 'text.wasm', reason: /./ },
  {
    title: 'a truncated module',
    make: (folder) => [HASHMAP_FILE, written(folder, 'half.wasm', readFileSync(SESSION_FILE).subarray(0, 20_000))],
    named: 'half.wasm',
    reason: /./,
  },
  {
    title: 'a module with a changed byte',
    make: (folder) => {
      const bytes = readFileSync(SESSION_FILE);
      bytes[12] = (bytes[12] ?? 0) ^ 0xff;
      return [HASHMAP_FILE, written(folder, 'changed.wasm', bytes)];
    },
    named: 'changed.wasm',
    reason: /./,
  },
  {
    title: 'a module that exports nothing',
    make: (folder) => [written(folder, 'nothing.wasm', EMPTY_MODULE)],
    named: 'nothing.wasm',
    reason: /onLoad/,
  },
  {
    title: 'a file that is too big to compile',
    make: (folder) => [written(folder, 'big.wasm', new Uint8Array(9 << 20))],
    named: 'big.wasm',
    reason: /bytes/,
  },
  {
    title: 'the same module twice',
    make: () => [HASHMAP_FILE, HASHMAP_FILE],
    named: 'hashmap.wasm',
    reason: /name/,
  },
  {
    title: 'two modules that serve the same commands',
    make: (folder) => [HASHMAP_FILE, written(folder, 'copy.wasm', readFileSync(HASHMAP_FILE))],
    named: 'copy.wasm',
    reason: /custom\./,
  },
];

/**
 * The lines of the log that the module wrote at warning level, once there are any: a server's reply may come
 * before its line of the log.
 */
function warnings(server: TestServer): Promise<string[]> {
  return eventually(
    () => server.log.split('\n').filter((line) => line.includes(' # <wasm>')),
    (lines) => lines.length > 0,
  );
}

describe('an unfit file refuses the load', () => {
  const server = new TestServer({ module: false });
  const folder = path.join(mkdtempSync(path.join(tmpdir(), 'wasm-')), 'unfit');
  beforeAll(async () => {
    mkdirSync(folder);
    await server.start();
  });
  beforeEach(() => {
    server.log = '';
  });
  afterAll(async () => {
    rmSync(path.dirname(folder), { recursive: true });
    await server.stop();
  });

  test.each(UNFIT)('$title: one line names the file and the reason, and the server lives on', async ({ make, named, reason }) => {
    const reply = await server.send('MODULE', 'LOAD', HOST_FILE, ...make(folder));
    expect(reply).toMatch(/^-ERR Error loading the extension/);
    expect(await server.send('PING')).toBe('+PONG\r\n');
    const lines = await warnings(server);
    expect(lines).toHaveLength(1);
    expect(lines[0]).toContain(named);
    expect(lines[0]).toMatch(reason);
    expect(await server.send('CUSTOM.GET', 'key')).toMatch(/^-ERR unknown command/);
  });

  test('a library without the modules beside it', async () => {
    const copy = path.join(folder, 'host.so');
    copyFileSync(HOST_FILE, copy);
    chmodSync(copy, 0o755);
    expect(await server.send('MODULE', 'LOAD', copy)).toMatch(/^-ERR Error loading the extension/);
    expect(await warnings(server)).toEqual([expect.stringContaining(path.join(folder, 'hashmap.wasm'))]);
  });

  test('a setting with a wrong value', async () => {
    const load = ['MODULE', 'LOADEX', HOST_FILE, 'CONFIG', 'wasm.link', 'nonsense'];
    expect(await server.send(...load)).toMatch(/^-ERR Error loading the extension/);
    expect(await server.send('PING')).toBe('+PONG\r\n');
  });

  // Runs last: the server has seen every refusal above.
  test('and the next load works, after many that failed', async () => {
    for (let attempt = 0; attempt < 10; attempt++) {
      expect(await server.send('MODULE', 'LOAD', HOST_FILE, path.join(folder, 'missing.wasm'))).toMatch(/^-ERR/);
    }
    expect(await server.send('MODULE', 'LOAD', HOST_FILE)).toBe('+OK\r\n');
    await expectServing(server);
  });
});

describe('at its start', () => {
  test('a server whose module is unfit ends, and its log names the file and the reason', async () => {
    const server = new TestServer({ module: [HOST_FILE, '/nonexistent/hashmap.wasm'] });
    try {
      await expect(server.start()).rejects.toThrow(/ended at its start/);
      expect(await warnings(server)).toEqual([expect.stringMatching(/\/nonexistent\/hashmap\.wasm: No such file/)]);
    } finally {
      await server.stop();
    }
  });
});

// Valkey 9.1 dereferences a null pointer of its own after the module's OnLoad has succeeded.
test.skipIf(tested.name === 'Valkey')('MODULE LOADEX with an unknown setting answers an error, and the server lives on', async () => {
  const server = await startServer({ module: false });
  expect(await server.send('MODULE', 'LOADEX', HOST_FILE, 'CONFIG', 'wasm.unknown', '1')).toMatch(/^-ERR/);
  expect(await server.send('PING')).toBe('+PONG\r\n');
});

test('MODULE UNLOAD is refused, for the data would be lost', async () => {
  const server = await startServer();
  await server.send('CUSTOM.SET', 'key', 'value');
  expect(await server.send('MODULE', 'UNLOAD', 'wasm')).toMatch(/^-ERR Error unloading module/);
  expect(await server.send('CUSTOM.GET', 'key')).toBe('$5\r\nvalue\r\n');
});
