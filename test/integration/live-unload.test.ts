/** WASM.UNLOAD: a module's commands become unknown, and its data stays for when it is back, or is dropped. */
import { describe, expect, test } from 'vitest';
import { hostile, registering } from '../support/attacks.ts';
import { APPEND_ONLY, dumpShop, fillShop, idle, KEEPS, NOT_KNOWN, OK, shopWith, startLive, versioned } from '../support/live.ts';
import { bulk } from '../support/raw.ts';
import { caughtUp, follow } from '../support/replication.ts';
import type { TestServer } from '../support/server.ts';

const one = await shopWith();
const two = await shopWith(versioned('two'));

/** How many modules something is kept for, and whether that has any bytes. */
const kept = async (server: TestServer) => {
  const { wasm_kept_modules, wasm_kept_bytes } = await server.info('wasm');
  return [wasm_kept_modules, Number(wasm_kept_bytes) > 0];
};
const SOMETHING = ['1', true];
const NOTHING = ['0', false];

async function expectUnloaded(server: TestServer): Promise<void> {
  for (const words of [['SHOP.GET', 'key:1'], ['SHOP.GET'], ['SHOP.CHECK'], ['shop.version']])
    expect(await server.send(...words), words.join(' ')).toMatch(NOT_KNOWN);
  // A server that follows another refuses what writes by itself.
  expect(await server.send('SHOP.SET', 'key:1', 'name', '1')).toMatch(/^-(?:ERR unknown command|READONLY)/);
  expect((await server.info('wasm_shop')).wasm_shop_state).toBe('missing');
}

/** A server with a module, and one that follows it with a folder of its own. */
async function startTwo(ways: string[] = []) {
  const primary = await startLive({ shop: one }, { tcp: true, arguments: ways });
  const replica = await startLive({ shop: one }, { arguments: ways });
  await follow(replica.server, primary.server);
  return { primary, replica };
}

describe('a module that is unloaded', () => {
  test('answers as unknown, its data is kept and saved, and WASM.LOAD brings it back', async () => {
    const { server } = await startLive({ shop: one });
    await fillShop(server);
    const before = await dumpShop(server);
    expect(await kept(server)).toEqual(NOTHING);
    expect(await server.send('WASM.UNLOAD', 'shop')).toBe(OK);
    await expect.poll(() => server.log).toMatch(/module shop: unloaded by user "default", client \d+ ""; its data are kept/);
    await expectUnloaded(server);
    expect(await kept(server)).toEqual(SOMETHING);
    expect(await server.send('WASM.UNLOAD', 'shop')).toBe('-ERR no module shop is loaded\r\n');
    expect(await server.send('WASM.RELOAD', 'shop')).toBe('-ERR no module shop is loaded: WASM.LOAD loads one\r\n');
    expect(await server.send('DEBUG', 'RELOAD')).toBe(OK);
    expect(await kept(server)).toEqual(SOMETHING);

    expect(await server.send('WASM.LOAD', 'shop')).toBe(OK);
    expect(await dumpShop(server)).toEqual(before);
    expect(await kept(server)).toEqual(NOTHING);
    expect(await server.send('WASM.LOAD', 'shop')).toBe('-ERR shop is loaded already: WASM.RELOAD replaces it\r\n');
    expect(await server.send('SHOP.RENAME', 'key:1', 'name')).toBe(':1\r\n');
  });

  test('comes back as another version, in whatever order', async () => {
    const { server, folder } = await startLive({ shop: one });
    await fillShop(server);
    for (const [file, version] of [
      [two, 'two'],
      [one, 'one'],
      [two, 'two'],
    ] as const) {
      const before = await dumpShop(server);
      expect(await server.send('WASM.UNLOAD', 'shop')).toBe(OK);
      folder.put('shop', file);
      expect(await server.send('WASM.LOAD', 'shop')).toBe(OK);
      expect(await server.send('SHOP.VERSION')).toBe(bulk(version));
      expect(await dumpShop(server)).toEqual(before);
      await server.send('SHOP.RENAME', 'key:1', version);
    }
  });

  test.each([
    ['RDB', []],
    ['append-only', APPEND_ONLY],
  ])('is back with the next start, with its data out of %s files', async (_, ways) => {
    const { server, folder } = await startLive({ shop: one }, { arguments: ways });
    await fillShop(server);
    const before = await dumpShop(server);
    expect(await server.send('WASM.UNLOAD', 'shop')).toBe(OK);
    if (ways.length === 0) expect(await server.send('SAVE')).toBe(OK);
    await server.restart();
    expect(await dumpShop(server)).toEqual(before);
    // Where its file is gone, what served last is not taken: it is missing, and its data is kept.
    expect(await server.send('WASM.UNLOAD', 'shop')).toBe(OK);
    folder.remove('shop');
    if (ways.length === 0) expect(await server.send('SAVE')).toBe(OK);
    await server.restart();
    expect(await server.send('SHOP.GET', 'key:1')).toMatch(NOT_KNOWN);
    expect(await kept(server)).toEqual(SOMETHING);
    folder.put('shop', two);
    expect(await server.send('WASM.LOAD', 'shop')).toBe(OK);
    expect(await dumpShop(server)).toEqual(before);
    expect(await server.send('SHOP.VERSION')).toBe(bulk('two'));
  });

  test('its data is in a rewritten append-only file', async () => {
    const { server } = await startLive({ shop: one }, { arguments: APPEND_ONLY });
    await fillShop(server);
    const before = await dumpShop(server);
    expect(await server.send('WASM.UNLOAD', 'shop')).toBe(OK);
    await server.send('BGREWRITEAOF');
    await expect.poll(async () => (await server.info('persistence')).aof_rewrite_in_progress).toBe('0');
    await server.kill();
    await server.start();
    expect(await dumpShop(server)).toEqual(before);
  });

  test('a queued command answers as unknown, and a client that asks all the while sees nothing else', async () => {
    const { server } = await startLive({ shop: one });
    await fillShop(server);
    const wanted = await server.send('SHOP.GET', 'key:1');
    const [client, asking] = [await server.connect(), await server.connect()];
    await client.send('MULTI');
    for (const words of [
      ['SHOP.GET', 'key:1'],
      ['WASM.UNLOAD', 'shop'],
      ['SHOP.GET', 'key:1'],
      ['WASM.LOAD', 'shop'],
      ['SHOP.GET', 'key:1'],
    ])
      expect(await client.send(...words)).toBe('+QUEUED\r\n');
    const seen = new Set<string>();
    const asks = { goesOn: true };
    const asked = (async () => {
      while (asks.goesOn) seen.add(await asking.send('SHOP.GET', 'key:1'));
    })();
    const replies = await client.send('EXEC');
    expect(replies.split(wanted)).toHaveLength(3);
    expect(replies).toMatch(/-ERR unknown command 'SHOP.GET'/);
    expect(await server.send('WASM.UNLOAD', 'shop')).toBe(OK);
    await expect.poll(() => [...seen].some((reply) => NOT_KNOWN.test(reply))).toBe(true);
    asks.goesOn = false;
    await asked;
    expect([...seen].filter((reply) => reply !== wanted && !NOT_KNOWN.test(reply))).toEqual([]);
  });

  test('FLUSHALL drops what is kept', async () => {
    const { server } = await startLive({ shop: one });
    await fillShop(server);
    expect(await server.send('WASM.UNLOAD', 'shop')).toBe(OK);
    await server.send('FLUSHALL');
    expect(await kept(server)).toEqual(NOTHING);
    expect(await server.send('WASM.LOAD', 'shop')).toBe(OK);
    expect(await dumpShop(server)).toEqual([]);
  });
});

describe('on replicas', () => {
  test('each has its own: what the primary unloads is served here, and what is missing here is kept', async () => {
    const { primary, replica } = await startTwo();
    await fillShop(primary.server);
    const before = await dumpShop(primary.server);
    expect(await primary.server.send('WASM.UNLOAD', 'shop')).toBe(OK);
    await caughtUp(primary.server, replica.server);
    expect(await dumpShop(replica.server)).toEqual(before);
    expect(await primary.server.send('WASM.LOAD', 'shop')).toBe(OK);

    expect(await replica.server.send('WASM.UNLOAD', 'shop')).toBe(OK);
    await expectUnloaded(replica.server);
    await fillShop(primary.server, 30, 20, 'meanwhile');
    await primary.server.send('SHOP.RENAME', 'key:1', 'meanwhile');
    await caughtUp(primary.server, replica.server);
    expect(await kept(replica.server)).toEqual(SOMETHING);
    expect(await replica.server.send('DEBUG', 'RELOAD')).toMatch(/^[+-]/);
    expect(await replica.server.send('WASM.LOAD', 'shop')).toBe(OK);
    await caughtUp(primary.server, replica.server);
    expect(await dumpShop(replica.server)).toEqual(await dumpShop(primary.server));
    expect(await kept(replica.server)).toEqual(NOTHING);
    await primary.server.send('SHOP.SET', 'last', 'name', '1');
    await caughtUp(primary.server, replica.server);
    expect(await dumpShop(replica.server)).toEqual(await dumpShop(primary.server));
  });

  test('a replica without the module becomes the primary with what it keeps', async () => {
    const { primary, replica } = await startTwo(APPEND_ONLY);
    await fillShop(primary.server);
    expect(await replica.server.send('WASM.UNLOAD', 'shop')).toBe(OK);
    await primary.server.send('SHOP.RENAME', 'key:1', 'meanwhile');
    await caughtUp(primary.server, replica.server);
    const before = await dumpShop(primary.server);
    expect(await replica.server.send('REPLICAOF', 'NO', 'ONE')).toBe(OK);
    await expectUnloaded(replica.server);
    expect(await replica.server.send('WASM.LOAD', 'shop')).toBe(OK);
    expect(await dumpShop(replica.server)).toEqual(before);
    await replica.server.kill();
    await replica.server.start();
    expect(await dumpShop(replica.server)).toEqual(before);
  });

  test('DROP replicates, and is refused on a replica', async () => {
    const { primary, replica } = await startTwo();
    await fillShop(primary.server);
    await caughtUp(primary.server, replica.server);
    const before = await dumpShop(replica.server);
    expect(await replica.server.send('WASM.UNLOAD', 'shop', 'DROP')).toBe('-ERR a replica drops what its primary drops: DROP it there\r\n');
    expect(await dumpShop(replica.server)).toEqual(before);
    expect(await primary.server.send('WASM.UNLOAD', 'shop', 'DROPS')).toBe('-ERR syntax error\r\n');
    expect(await primary.server.send('WASM.UNLOAD', 'shop', 'DROP', 'DROP')).toMatch(/^-ERR wrong number of arguments/);
    expect(await dumpShop(primary.server)).toEqual(before);

    expect(await primary.server.send('WASM.UNLOAD', 'shop', 'drop')).toBe(OK);
    await caughtUp(primary.server, replica.server);
    await expectUnloaded(primary.server);
    expect(await kept(primary.server)).toEqual(NOTHING);
    // The module is the replica's own; its data is not.
    expect(await dumpShop(replica.server)).toEqual([]);
    expect(await primary.server.send('WASM.LOAD', 'shop')).toBe(OK);
    expect(await dumpShop(primary.server)).toEqual([]);
  });

  test('DROP drops what replicas keep too, and what is kept here', async () => {
    const { primary, replica } = await startTwo();
    await fillShop(primary.server);
    await caughtUp(primary.server, replica.server);
    for (const { server } of [primary, replica]) expect(await server.send('WASM.UNLOAD', 'shop')).toBe(OK);
    expect(await primary.server.send('WASM.UNLOAD', 'shop', 'DROP')).toBe(OK);
    await caughtUp(primary.server, replica.server);
    for (const { server } of [primary, replica]) {
      expect(await kept(server)).toEqual(NOTHING);
      expect(await server.send('WASM.LOAD', 'shop')).toBe(OK);
      expect(await dumpShop(server)).toEqual([]);
    }
    expect(await primary.server.send('WASM.UNLOAD', 'none', 'DROP')).toBe('-ERR no module none is loaded\r\n');
  });
});

test('DROP is in the append-only file', async () => {
  const { server } = await startLive({ shop: one }, { arguments: APPEND_ONLY });
  await fillShop(server);
  expect(await server.send('WASM.UNLOAD', 'shop', 'DROP')).toBe(OK);
  await server.kill();
  await server.start();
  expect(await dumpShop(server)).toEqual([]);
  await fillShop(server, 5);
  const before = await dumpShop(server);
  await server.kill();
  await server.start();
  expect(await dumpShop(server)).toEqual(before);
});

test('the server unloads neither the host nor what holds the commands of a module', async () => {
  const { server, folder } = await startLive();
  folder.put('shop', one);
  folder.put('idle', await idle('idle'));
  for (const name of ['shop', 'idle']) expect(await server.send('WASM.LOAD', name)).toBe(OK);
  await fillShop(server);
  const before = await dumpShop(server);
  const client = await server.connect();
  await client.send('MULTI');
  expect(await client.send('SHOP.SIZE')).toBe('+QUEUED\r\n');
  const list = await server.send('MODULE', 'LIST');
  expect(list).toContain('wasm:shop');
  expect(await server.send('MODULE', 'UNLOAD', 'wasm')).toMatch(
    /^-ERR Error unloading module: the module exports one or more module-side data types/,
  );
  expect(await server.send('MODULE', 'UNLOAD', 'wasm:shop')).toMatch(/^-ERR Error unloading module/);
  await expect.poll(() => server.log).toContain('MODULE UNLOAD is refused');
  expect(await server.send('MODULE', 'LIST')).toBe(list);
  expect(await client.send('EXEC')).toBe(`*1\r\n:${before.length}\r\n`);
  expect(await dumpShop(server)).toEqual(before);
});

test('nor does it within the transaction that has just loaded them', async () => {
  const { server, folder } = await startLive();
  folder.put('shop', one);
  const client = await server.connect();
  await client.send('MULTI');
  for (const words of [
    ['WASM.LOAD', 'shop'],
    ['MODULE', 'UNLOAD', 'wasm:shop'],
  ])
    expect(await client.send(...words)).toBe('+QUEUED\r\n');
  expect(await client.send('EXEC')).toMatch(/^\*2\r\n\+OK\r\n-ERR Error unloading module/);
  expect(await server.send('SHOP.VERSION')).toBe(bulk('one'));
});

test('a command that nobody has any longer can be that of another module', async () => {
  const having = (name: string) =>
    hostile(
      `${registering([{ name: 'some.get', flags: 'readonly', arity: 1, handler: '$get' }])} (func $get (param i32 i32))
       (func (export "onLoad") (result i32) (call $register)) ${KEEPS}`,
      name,
    );
  const { server, folder } = await startLive({ first: await having('first') });
  folder.put('second', await having('second'));
  expect(await server.send('WASM.LOAD', 'second')).toBe('-ERR it registers SOME.GET, as first does\r\n');
  for (const [away, here] of [
    ['first', 'second'],
    ['second', 'first'],
  ] as const) {
    expect(await server.send('WASM.UNLOAD', away)).toBe(OK);
    expect(await server.send('SOME.GET')).toMatch(NOT_KNOWN);
    expect(await server.send('WASM.LOAD', here)).toBe(OK);
    expect(await server.send('SOME.GET')).toBe('-ERR the module sent no reply\r\n');
    expect(await server.send('WASM.LOAD', away)).toBe(`-ERR it registers SOME.GET, as ${here} does\r\n`);
    const fields = await server.info('wasm');
    expect([fields[`wasm_${here}_state`], fields[`wasm_${away}_state`]]).toEqual(['serving', 'missing']);
  }
});
