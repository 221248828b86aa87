/** Starts after modules were loaded, replaced and unloaded: the server always starts, and no data is lost. */
import { execFileSync } from 'node:child_process';
import { existsSync, lstatSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { hostile, registering } from '../support/attacks.ts';
import {
  APPEND_ONLY,
  dumpShop,
  fillShop,
  Folder,
  KEEPS,
  NOT_KNOWN,
  OK,
  shopWith,
  startLive,
  versioned,
  type Live,
} from '../support/live.ts';
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
    const live = await startLive({ shop: one }, { arguments: APPEND_ONLY, cached: true });
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
    const primary = await startLive({ shop: one }, { tcp: true, cached: true });
    if (filled) await fillShop(primary.server);
    const folder = Folder.ofTest();
    spoil(folder);
    const settings = [...folder.arguments, ...APPEND_ONLY, ...ways];
    const replica = await startServer({ module: [HOST_FILE, HASHMAP_FILE], arguments: settings, cached: true });
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
    // Before its file is begun anew, a replica does not end, and one that is killed lacks what came last.
    const begun = () => expect.poll(async () => (await replica.info('persistence')).aof_rewrite_in_progress).toBe('0');
    await begun();
    await replica.restart();
    await follow(replica, primary);
    await begun();
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

/** A module whose one command has this name; it has imports of this kind. */
const odd = (name: string, imports = '') =>
  hostile(
    `${imports} ${registering([{ name, flags: 'readonly', arity: 1, handler: '$get' }])} (func $get (param i32 i32))
     (func (export "onLoad") (result i32) (call $register)) ${KEEPS}`,
    'odd',
  );
const served = (folder: Folder, name: string) =>
  existsSync(folder.served(name)) && lstatSync(folder.served(name)).isFile() ? readFileSync(folder.served(name), 'latin1') : '';

const UNFIT: [what: string, file: string, reason: string][] = [
  ['with a command of the server', await odd('get'), 'it registers GET, which another module, or the server, has'],
  ['with a command of the host', await odd('wasm.load'), 'it registers WASM.LOAD, which another module, or the server, has'],
  ['with a command that the host has too', await odd('wasm.modules'), 'it registers WASM.MODULES, which another module'],
  [
    'that cannot be linked',
    await odd('odd.other', '(import "NONE" "get" (func (param f64)))'),
    'it imports NONE.get with a type that no command has',
  ],
];
describe('what served last is taken in the place of a file', () => {
  test.each(UNFIT)('%s', async (_, unfit, reason) => {
    const { server, folder } = await startLive({ odd: await odd('odd.get') }, { cached: true });
    await expect.poll(() => served(folder, 'odd')).not.toBe('');
    const before = served(folder, 'odd');
    folder.put('odd', unfit);
    for (let count = 0; count < 2; count++) {
      await server.restart();
      expect(await server.send('ODD.GET')).toBe('-ERR the module sent no reply\r\n');
      expect((await server.info('wasm_odd')).wasm_odd_state).toBe('serving');
      expect(server.log).toContain(`odd.wasm of wasm.dir cannot be loaded: ${reason}`);
      expect(served(folder, 'odd')).toBe(before);
    }
    // Without it the module is missing, and the server starts.
    rmSync(folder.served('odd'));
    await server.restart();
    expect((await server.info('wasm_odd')).wasm_odd_missing_reason).toContain(reason);
    expect(await server.send('WASM.LOAD', 'odd')).toMatch(/^-ERR /);
  });
});

test.each(['pipe', 'folder', 'link'])('a %s in the place of what served last keeps nobody waiting', async (what) => {
  const { server, folder } = await startLive({ shop: one });
  await expect.poll(() => served(folder, 'shop')).not.toBe('');
  const place = folder.served('shop');
  rmSync(place);
  if (what === 'pipe') execFileSync('mkfifo', [place]);
  else if (what === 'folder') mkdirSync(place);
  else symlinkSync('/dev/zero', place);
  folder.put('shop', two);
  expect(await server.send('WASM.RELOAD', 'shop')).toBe(OK);
  expect(await server.send('SHOP.VERSION')).toBe(bulk('two'));
  if (what === 'folder') await expect.poll(() => server.log).toContain('cannot be written, so what serves now cannot be taken later');
  else expect(readFileSync(place).equals(readFileSync(two))).toBe(true);
  // At a start too.
  rmSync(place, { recursive: true });
  if (what === 'pipe') execFileSync('mkfifo', [place]);
  await server.restart();
  expect(await server.send('SHOP.VERSION')).toBe(bulk('two'));
  await expect.poll(() => served(folder, 'shop')).not.toBe('');
});
