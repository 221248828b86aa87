/** Starts after modules were loaded, replaced and unloaded: the server always starts, and no data is lost. */
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { APPEND_ONLY, dumpShop, fillShop, Folder, NOT_KNOWN, OK, shopWith, startLive, versioned, type Live } from '../support/live.ts';
import { bulk } from '../support/raw.ts';
import { caughtUp, follow } from '../support/replication.ts';
import { HASHMAP_FILE, HOST_FILE, startServer, type TestServer } from '../support/server.ts';

const one = await shopWith();
const two = await shopWith(versioned('two'), ['"SHOP.RENAME"', '"SHOP.CALL"']);
/** Refuses what the others have stored. */
const other = await shopWith(['public count: i64', 'public count: f64'], ['new Item(name, count)', 'new Item(name, f64(count))']);

const kept = async (server: TestServer) => (await server.info('wasm')).wasm_kept_modules;
const rewritten = async (server: TestServer) => {
  await server.send('BGREWRITEAOF');
  await expect.poll(async () => (await server.info('persistence')).aof_rewrite_in_progress).toBe('0');
};

describe('CONFIG REWRITE', () => {
  async function start() {
    const folder = Folder.ofTest();
    const configuration = `loadmodule ${HOST_FILE} ${HASHMAP_FILE}\nwasm.dir ${folder.path}\nwasm.allow-load yes\n`;
    const server = await startServer({ module: false, configuration, arguments: APPEND_ONLY });
    folder.put('shop', one);
    expect(await server.send('WASM.LOAD', 'shop')).toBe(OK);
    await fillShop(server);
    folder.put('shop', two);
    expect(await server.send('WASM.RELOAD', 'shop')).toBe(OK);
    expect(await server.send('CONFIG', 'REWRITE')).toBe(OK);
    await server.end();
    return { server, folder, text: readFileSync(path.join(server.folder, 'redis.conf'), 'utf8') };
  }
  const lines = (text: string) => text.split('\n').filter((line) => line.startsWith('loadmodule '));

  test('writes lines that are taken in any order, with the module or without', async () => {
    const { server, folder, text } = await start();
    expect(lines(text)).toHaveLength(3);
    const rest = text.split('\n').filter((line) => !line.startsWith('loadmodule '));
    for (const order of [lines(text), lines(text).reverse(), [...lines(text).slice(1), lines(text)[0]!]]) {
      server.change({ configuration: [...order, ...rest].join('\n') });
      await server.start();
      expect(await server.send('SHOP.VERSION')).toBe(bulk('two'));
      const before = await dumpShop(server);
      expect(before).not.toEqual([]);
      // Commands can still come and go.
      folder.put('shop', one);
      expect(await server.send('WASM.RELOAD', 'shop')).toBe(OK);
      expect(await server.send('SHOP.RENAME', 'key:1', 'name')).toBe(':1\r\n');
      folder.put('shop', two);
      await server.end();
    }
    folder.remove('shop');
    await server.start();
    expect(await server.send('SHOP.VERSION')).toMatch(NOT_KNOWN);
    expect(await kept(server)).toBe('1');
  });
});

/** Kills the server when this many commands were answered behind the one that is under way. */
async function killAfter(server: TestServer, words: string[], count: number): Promise<void> {
  const client = await server.connect();
  client.send(...words).catch(() => undefined);
  for (let index = 0; index < count; index++) await server.send('PING');
  await server.kill();
}

test('a kill at any moment of a load, a reload or an unload loses nothing, and the server starts', async () => {
  const live = await startLive({ shop: one }, { arguments: [...APPEND_ONLY] });
  const { server, folder } = live;
  await fillShop(server);
  await rewritten(server);
  await fillShop(server, 20, 50, 'tail');
  let before = await dumpShop(server);
  let writes = 0;
  for (let round = 0; round < 18; round++) {
    folder.put('shop', round % 2 === 0 ? two : one);
    const moment = round < 3 ? 0 : 2 ** (round - 3) % 5000;
    if (round % 3 === 2) expect(await server.send('WASM.UNLOAD', 'shop')).toBe(OK);
    await killAfter(
      server,
      [
        ['WASM.RELOAD', 'shop'],
        ['WASM.UNLOAD', 'shop'],
        ['WASM.LOAD', 'shop'],
      ][round % 3]!,
      moment,
    );
    await server.start();
    expect(await server.send('SHOP.VERSION')).toMatch(/one|two/);
    expect(await dumpShop(server), `round ${round}`).toEqual(before);
    expect(await server.send('SHOP.SET', `more:${writes++}`, 'name', '1')).toBe(OK);
    before = await dumpShop(server);
  }
});

describe('a file that', () => {
  /** Data in what the append-only file begins with, and behind it. */
  async function start(whole: boolean): Promise<Live & { before: string[] }> {
    const live = await startLive({ shop: one }, { arguments: APPEND_ONLY });
    if (whole) {
      await fillShop(live.server, 10);
      await rewritten(live.server);
    }
    await fillShop(live.server);
    const before = await dumpShop(live.server);
    await live.server.end();
    return { ...live, before };
  }
  const broken = (folder: Folder) => {
    writeFileSync(folder.file('shop'), readFileSync(one).subarray(0, 1000));
  };

  test.each([
    ['is broken', broken, /cannot be loaded: .*end-of-file/],
    [
      'refuses the data',
      (folder: Folder) => {
        folder.put('shop', other);
      },
      /table items: its field count was i64, and is f64/,
    ],
  ])('%s: what served last is loaded in its place', async (_, spoil, reason) => {
    const { server, folder, before } = await start(true);
    spoil(folder);
    await server.start();
    expect(await server.send('SHOP.VERSION')).toBe(bulk('one'));
    expect(await dumpShop(server)).toEqual(before);
    expect(server.log).toMatch(reason);
    expect(server.log).toContain('module shop: what served last is loaded in');
    expect(readFileSync(folder.served('shop')).equals(readFileSync(one))).toBe(true);
    await server.restart();
    expect(await dumpShop(server)).toEqual(before);
    folder.put('shop', two);
    expect(await server.send('WASM.RELOAD', 'shop')).toBe(OK);
    expect(await dumpShop(server)).toEqual(before);
  });

  test.each([
    [
      'is missing',
      true,
      (folder: Folder) => {
        folder.remove('shop');
      },
    ],
    [
      'is missing',
      false,
      (folder: Folder) => {
        folder.remove('shop');
      },
    ],
    ['is broken, and nothing has served', true, broken],
    [
      'refuses data that the file begins with, and nothing has served',
      true,
      (folder: Folder) => {
        folder.put('shop', other);
      },
    ],
    [
      'refuses effects, and nothing has served',
      false,
      (folder: Folder) => {
        folder.put('shop', other);
      },
    ],
  ])('%s (the file begins with data: %s): its data is kept', async (_, whole, spoil) => {
    const { server, folder, before } = await start(whole);
    spoil(folder);
    rmSync(folder.served('shop'));
    for (let round = 0; round < 3; round++) {
      await server.start();
      expect(await server.send('SHOP.VERSION')).toMatch(NOT_KNOWN);
      expect(await kept(server)).toBe('1');
      if (round === 1) await rewritten(server);
      if (round < 2) await server.kill();
    }
    rmSync(folder.served('shop'), { force: true });
    folder.put('shop', two);
    expect(await server.send('WASM.LOAD', 'shop')).toBe(OK);
    expect(await dumpShop(server)).toEqual(before);
    await server.kill();
    await server.start();
    expect(await dumpShop(server)).toEqual(before);
  });
});

describe('a replica whose file', () => {
  async function start(spoil: (folder: Folder) => void, filled: boolean, ways: string[] = []) {
    const primary = await startLive({ shop: one }, { tcp: true });
    if (filled) await fillShop(primary.server);
    const folder = Folder.ofTest();
    spoil(folder);
    const replica = await startServer({ module: [HOST_FILE, HASHMAP_FILE], arguments: [...folder.arguments, ...APPEND_ONLY, ...ways] });
    await follow(replica, primary.server);
    return { primary: primary.server, replica, folder };
  }

  test.each([
    ['is missing', () => undefined, true, []],
    [
      'is broken',
      (folder: Folder) => {
        writeFileSync(folder.file('shop'), 'no module');
      },
      true,
      [],
    ],
    [
      'refuses the data',
      (folder: Folder) => {
        folder.put('shop', other);
      },
      true,
      [],
    ],
    [
      'refuses the data beside its own',
      (folder: Folder) => {
        folder.put('shop', other);
      },
      true,
      ['--repl-diskless-load', 'swapdb'],
    ],
    [
      'refuses the first effect',
      (folder: Folder) => {
        folder.put('shop', other);
      },
      false,
      [],
    ],
  ] as const)('%s keeps all that comes, and has it after a failover', async (_, spoil, filled, ways) => {
    const { primary, replica, folder } = await start(spoil, filled, [...ways]);
    await fillShop(primary, 30, 20, 'behind');
    await caughtUp(primary, replica);
    const before = await dumpShop(primary);
    expect(await kept(replica)).toBe('1');
    // A replica that has just begun its file does not end before that is done.
    await expect.poll(async () => (await replica.info('persistence')).aof_rewrite_in_progress).toBe('0');
    await replica.restart();
    await follow(replica, primary);
    await primary.send('SHOP.SET', 'last', 'name', '1');
    await caughtUp(primary, replica);
    expect(await replica.send('REPLICAOF', 'NO', 'ONE')).toBe(OK);
    expect(await replica.send('SHOP.VERSION')).toMatch(NOT_KNOWN);
    folder.put('shop', two);
    expect(await replica.send('WASM.LOAD', 'shop')).toBe(OK);
    expect(await dumpShop(replica)).toEqual([...before, ...(await dumpShop(primary)).filter((line) => line.startsWith('last '))].sort());
    await replica.kill();
    await replica.start();
    expect(await replica.send('SHOP.SIZE')).toBe(`:${before.length + 1}\r\n`);
  });
});
