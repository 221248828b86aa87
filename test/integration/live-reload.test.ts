/** WASM.RELOAD: another file of a module takes the place of what runs, with all data. */
import { describe, expect, test } from 'vitest';
import { hostile, registering } from '../support/attacks.ts';
import { dumpShop, fillShop, Folder, KEEPS, NOT_KNOWN, OK, reload, shopWith, startLive, versioned, type Live } from '../support/live.ts';
import { bulk } from '../support/raw.ts';
import { caughtUp, follow } from '../support/replication.ts';
import { startServer } from '../support/server.ts';

const one = await shopWith();
/** Says another version; one command is new, one is gone, and one takes another number of arguments. */
const two = await shopWith(
  versioned('two'),
  ['command("SHOP.RENAME"', 'command("SHOP.CALL"'],
  [
    'query("SHOP.SIZE", "", size);\nfunction size(): i64 { return items.size; }',
    'query("SHOP.SIZE", "[PLUS more:integer]", size);\nfunction size(more: i64 = 0): i64 { return items.size + more; }',
  ],
);
const otherFlags = await shopWith(['query("SHOP.SIZE"', 'command("SHOP.SIZE"']);
const otherKeys = await shopWith([
  'command("SHOP.RENAME", "key:key name", rename);\nfunction rename(key: string, name: string)',
  'command("SHOP.RENAME", "name key:key", rename);\nfunction rename(name: string, key: string)',
]);

const otherCategories = await shopWith(['query("SHOP.SIZE", "", size);', 'query("SHOP.SIZE", "", size, { categories: "dangerous" });']);
/** A module that does nothing by a command of this name. */
const odd = (name: string) =>
  hostile(
    `${registering([{ name, flags: 'readonly', arity: 1, handler: '$get' }])} (func $get (param i32 i32))
     (func (export "onLoad") (result i32) (call $register)) ${KEEPS}`,
    'odd',
  );

const version = (name: string) => bulk(name);

describe('what clients see', () => {
  test('other replies, commands that come, go and come back, and other arguments, with the same data', async () => {
    const live = await startLive({ shop: one });
    const { server } = live;
    await fillShop(server);
    const before = await dumpShop(server);
    expect(await server.send('SHOP.SIZE', 'PLUS', '5')).toMatch(/^-ERR wrong number of arguments/);

    expect(await reload(live, two)).toBe(OK);
    expect(await dumpShop(server)).toEqual(before);
    expect(await server.send('SHOP.VERSION')).toBe(version('two'));
    expect(await server.send('SHOP.RENAME', 'key:1', 'name')).toMatch(NOT_KNOWN);
    expect(await server.send('SHOP.RENAME', 'key:1')).toMatch(NOT_KNOWN);
    expect(await server.send('SHOP.CALL', 'key:1', 'name')).toBe(':1\r\n');
    expect(await server.send('SHOP.CALL', 'key:1')).toMatch(/^-ERR wrong number of arguments/);
    expect(await server.send('SHOP.SIZE', 'PLUS', '5')).toBe(`:${before.length + 5}\r\n`);
    expect(await server.send('SHOP.SIZE', 'MINUS', '5')).toMatch(/^-ERR syntax error/);

    // And back, with what was changed meanwhile.
    expect(await reload(live, one)).toBe(OK);
    expect(await server.send('SHOP.VERSION')).toBe(version('one'));
    expect(await server.send('SHOP.CALL', 'key:1', 'name')).toMatch(NOT_KNOWN);
    expect(await server.send('SHOP.GET', 'key:1')).toMatch(/name \d/);
    expect(await server.send('SHOP.RENAME', 'key:1', 'other')).toBe(':1\r\n');
    expect(await server.send('SHOP.SIZE')).toBe(`:${before.length}\r\n`);
    expect(await server.send('SHOP.SIZE', 'PLUS', '5')).toMatch(/^-ERR wrong number of arguments/);
    const fields = await server.info('wasm_shop');
    expect([fields.wasm_shop_state, fields.wasm_shop_reloads]).toEqual(['serving', '2']);
  });

  test.each([
    ['flags', otherFlags, 'SHOP.SIZE', 'flags or keys'],
    ['keys', otherKeys, 'SHOP.RENAME', 'flags or keys'],
    ['categories', otherCategories, 'SHOP.SIZE', 'categories of permissions'],
  ])('other %s of a command are refused, and the old file serves on', async (_, file, name, what) => {
    const live = await startLive({ shop: one });
    await fillShop(live.server);
    const before = await dumpShop(live.server);
    expect(await reload(live, file)).toBe(`-ERR ${name} has other ${what} than before: it needs a restart, or another name\r\n`);
    expect(await dumpShop(live.server)).toEqual(before);
    expect(await live.server.send('SHOP.RENAME', 'key:1', 'name')).toBe(':1\r\n');
    expect((await live.server.info('wasm_shop')).wasm_shop_reloads).toBe('0');
    // A restart takes it.
    await live.server.restart();
    expect(await live.server.send('SHOP.SIZE')).toBe(':0\r\n');
  });

  test('a name in another case is the same command, also beside the present data', async () => {
    const primary = await startServer({ tcp: true });
    const live = await startLive({ odd: await odd('odd.get') }, { arguments: ['--repl-diskless-load', 'swapdb'] });
    expect(await reload(live, await odd('ODD.Get'), 'odd')).toBe(OK);
    await primary.send('CUSTOM.SET', 'key', 'value');
    await follow(live.server, primary);
    expect(await live.server.send('CUSTOM.GET', 'key')).toBe(bulk('value'));
    expect(await live.server.send('ODD.GET')).toBe('-ERR the module sent no reply\r\n');
  });

  test('a client that asks all the while never sees an error', async () => {
    const live = await startLive({ shop: one });
    await fillShop(live.server);
    const client = await live.server.connect();
    const seen = new Set<string>();
    const asks = { goesOn: true };
    const asked = (async () => {
      while (asks.goesOn) {
        for (const reply of await Promise.all([client.send('SHOP.GET', 'key:1'), client.send('SHOP.VERSION')])) seen.add(reply);
      }
    })();
    const wanted = await live.server.send('SHOP.GET', 'key:1');
    for (const file of [two, one, two, one]) expect(await reload(live, file)).toBe(OK);
    asks.goesOn = false;
    await asked;
    expect([...seen].sort()).toEqual([wanted, version('one'), version('two')].sort());
  });
});

describe('transactions, scripts and waiting clients', () => {
  test('a queued command that goes away before EXEC answers as unknown, and the others run', async () => {
    const live = await startLive({ shop: one });
    await fillShop(live.server);
    const client = await live.server.connect();
    await client.send('MULTI');
    for (const words of [['SHOP.RENAME', 'key:1', 'queued'], ['SHOP.SIZE'], ['SHOP.VERSION'], ['SET', 'native', 'value']])
      expect(await client.send(...words)).toBe('+QUEUED\r\n');
    expect(await reload(live, two)).toBe(OK);
    expect(await client.send('EXEC')).toMatch(/^\*4\r\n-ERR unknown command 'SHOP.RENAME'.*\r\n:45\r\n\$3\r\ntwo\r\n\+OK\r\n$/);
    expect(await live.server.send('SHOP.GET', 'key:1')).not.toContain('queued');
    expect(await live.server.send('PING')).toBe('+PONG\r\n');
  });

  test('within MULTI it is done at its place', async () => {
    const live = await startLive({ shop: one });
    const client = await live.server.connect();
    live.folder.put('shop', two);
    await client.send('MULTI');
    const all = [['SHOP.VERSION'], ['SHOP.SET', 'key', 'name', '3'], ['WASM.RELOAD', 'shop'], ['SHOP.VERSION'], ['SHOP.GET', 'key']];
    for (const words of all) expect(await client.send(...words)).toBe('+QUEUED\r\n');
    expect(await client.send('EXEC')).toBe(`*5\r\n${version('one')}${OK}${OK}${version('two')}${bulk('name 3')}`);
  });

  test('scripts may not, and a script that runs a command meanwhile replaced serves on', async () => {
    const live = await startLive({ shop: one });
    for (const words of [
      ['WASM.RELOAD', 'shop'],
      ['WASM.UNLOAD', 'shop'],
      ['WASM.LOAD', 'shop'],
    ]) {
      const call = `return redis.call(${words.map((word) => `'${word}'`).join()})`;
      expect(await live.server.send('EVAL', call, '0')).toMatch(/^-ERR This (?:Redis|Valkey|server)? ?command is not allowed from script/i);
    }
    const asks = "return redis.call('SHOP.VERSION')";
    expect(await live.server.send('EVAL', asks, '0')).toBe(version('one'));
    expect(await reload(live, two)).toBe(OK);
    expect(await live.server.send('EVAL', asks, '0')).toBe(version('two'));
    expect(await live.server.send('EVAL', "return redis.pcall('SHOP.RENAME', KEYS[1], 'x')", '1', 'key')).toMatch(NOT_KNOWN);
  });

  test('a file that is compiled while a script runs for long is refused', async () => {
    const { server } = await startLive({}, { arguments: ['--busy-reply-threshold', '1'] });
    const [replaces, runs] = [await server.connect(), await server.connect()];
    const replaced = replaces.send('WASM.RELOAD', 'hashmap');
    // It has been read by the time that this is answered.
    await server.send('PING');
    const ended = runs.send('EVAL', "while true do redis.call('CUSTOM.GET', KEYS[1]) end", '1', 'key');
    await expect.poll(() => server.send('PING')).toMatch(/^-BUSY /);
    await expect.poll(() => server.log).toContain('module hashmap: nothing has changed: a script runs');
    expect(await server.send('SCRIPT', 'KILL')).toBe(OK);
    expect(await ended).toMatch(/^-ERR .*(?:killed|SCRIPT KILL)/i);
    expect(await replaced).toBe('-ERR a script runs: try again when it has ended\r\n');
    expect(await server.send('WASM.RELOAD', 'hashmap')).toBe(OK);
  });

  test('what a client watches stays watched', async () => {
    const live = await startLive({ shop: one });
    await fillShop(live.server);
    const [undisturbed, disturbed] = [await live.server.connect(), await live.server.connect()];
    for (const client of [undisturbed, disturbed]) expect(await client.send('WATCH', client === disturbed ? 'key:3' : 'key:1')).toBe(OK);
    expect(await reload(live, two)).toBe(OK);
    await live.server.send('SHOP.SET', 'key:3', 'name', '1');
    for (const client of [undisturbed, disturbed]) {
      await client.send('MULTI');
      await client.send('SHOP.VERSION');
    }
    expect(await undisturbed.send('EXEC')).toBe(`*1\r\n${version('two')}`);
    expect(await disturbed.send('EXEC')).toBe('*-1\r\n');
  });

  test('clients that wait or listen live on', async () => {
    const live = await startLive({ shop: one });
    const [waiting, listening] = [await live.server.connect(), await live.server.connect()];
    const popped = waiting.send('BLPOP', 'list', '0');
    await listening.send('SUBSCRIBE', 'channel');
    expect(await reload(live, two)).toBe(OK);
    await live.server.send('RPUSH', 'list', 'element');
    expect(await popped).toContain('element');
    await live.server.send('PUBLISH', 'channel', 'message');
    expect(await listening.next()).toContain('message');
  });

  test('a client that is gone before the end has it done all the same', async () => {
    const live = await startLive({ shop: one });
    await fillShop(live.server);
    const before = await dumpShop(live.server);
    live.folder.put('shop', two);
    const client = await live.server.connect();
    client.send('WASM.RELOAD', 'shop').catch(() => undefined);
    await client.send('PING').catch(() => undefined);
    client.close();
    await expect.poll(() => live.server.send('SHOP.VERSION')).toBe(version('two'));
    expect(await dumpShop(live.server)).toEqual(before);
  });

  test('one at a time: another one is refused while a file is on its way', async () => {
    const live = await startLive({ shop: one });
    live.folder.put('shop', two);
    const clients = [await live.server.connect(), await live.server.connect()];
    const replies = await Promise.all(clients.map((client) => client.send('WASM.RELOAD', 'shop')));
    expect(replies.sort()).toEqual([OK, '-ERR another module is being loaded: try again when it is\r\n']);
    expect(await live.server.send('SHOP.VERSION')).toBe(version('two'));
  });
});

describe('while the server does something else', () => {
  let live: Live;
  let before: string[];
  const prepare = async (options = {}) => {
    live = await startLive({ shop: one }, options);
    await fillShop(live.server);
    before = await dumpShop(live.server);
  };
  const expectTwo = async () => {
    expect(await live.server.send('SHOP.VERSION')).toBe(version('two'));
    expect(await dumpShop(live.server)).toEqual(before);
  };

  test('a background save has all data, before and after', async () => {
    await prepare({ arguments: ['--rdb-key-save-delay', '2000'] });
    // So many keys that the save lasts until the file has been replaced.
    await Promise.all(Array.from({ length: 500 }, (_, index) => live.server.send('SET', `native:${index}`, 'value')));
    expect(await live.server.send('BGSAVE')).toMatch(/^\+/);
    expect(await reload(live, two)).toBe(OK);
    await expectTwo();
    await expect.poll(async () => (await live.server.info('persistence')).rdb_bgsave_in_progress).toBe('0');
    expect((await live.server.info('persistence')).rdb_last_bgsave_status).toBe('ok');
    await live.server.kill();
    await live.server.start();
    await expectTwo();
  });

  test('a rewrite of the append-only file has all data', async () => {
    await prepare({ arguments: ['--appendonly', 'yes', '--appendfsync', 'always', '--rdb-key-save-delay', '2000'] });
    await Promise.all(Array.from({ length: 500 }, (_, index) => live.server.send('SET', `native:${index}`, 'value')));
    expect(await live.server.send('BGREWRITEAOF')).toMatch(/^\+/);
    expect(await reload(live, two)).toBe(OK);
    expect(await live.server.send('SHOP.CALL', 'key:1', 'renamed')).toBe(':1\r\n');
    before = await dumpShop(live.server);
    await expect.poll(async () => (await live.server.info('persistence')).aof_rewrite_in_progress).toBe('0');
    await live.server.kill();
    await live.server.start();
    await expectTwo();
  });

  test.each(['WRITE', 'ALL'])('CLIENT PAUSE %s', async (mode) => {
    await prepare();
    expect(await live.server.send('CLIENT', 'PAUSE', mode === 'WRITE' ? '100000' : '2000', mode)).toBe(OK);
    const other = await live.server.connect();
    const write = other.send('SHOP.SET', 'late', 'name', '1');
    const replaced = reload(live, two);
    if (mode === 'WRITE') {
      expect(await replaced).toBe(OK);
      expect(await live.server.send('CLIENT', 'UNPAUSE')).toBe(OK);
    }
    expect(await replaced).toBe(OK);
    expect(await write).toBe(OK);
    expect(await live.server.send('SHOP.GET', 'late')).toBe(bulk('name 1'));
    expect(await live.server.send('SHOP.VERSION')).toBe(version('two'));
  });

  test('a replica replaces its own file, before its primary does', async () => {
    const folder = Folder.ofTest();
    folder.put('shop', one);
    const primary = await startServer({ tcp: true, arguments: folder.arguments });
    await fillShop(primary);
    await prepare();
    await follow(live.server, primary);
    before = await dumpShop(primary);
    expect(await reload(live, two)).toBe(OK);
    await expectTwo();
    expect(await primary.send('SHOP.RENAME', 'key:1', 'renamed')).toBe(':1\r\n');
    await caughtUp(primary, live.server);
    before = await dumpShop(primary);
    await expectTwo();
    // It is not replicated.
    expect(await primary.send('SHOP.VERSION')).toBe(version('one'));
    folder.put('shop', two);
    expect(await primary.send('WASM.RELOAD', 'shop')).toBe(OK);
    await primary.send('SHOP.CALL', 'key:1', 'again');
    await caughtUp(primary, live.server);
    expect(await dumpShop(live.server)).toEqual(await dumpShop(primary));
  });
});
