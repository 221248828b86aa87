/**
 * Versions of a kit module: classes gain and lose fields, tables move, go and come back, and what a version
 * cannot read is refused by its name.
 */
import { describe, expect, test } from 'vitest';
import { kitOf } from '../support/kit.ts';
import { caughtUp, follow } from '../support/replication.ts';
import { parseReply, type Reply } from '../support/reply.ts';
import { HOST_FILE, startServer, type TestServer } from '../support/server.ts';

const OK = '+OK\r\n';
const APPEND_ONLY = ['--appendonly', 'yes', '--appendfsync', 'always'];
const IMPORT = 'import { command, query, Reply, SortedTable, Table } from "redis-wasm/kit";\n';

/** A module with a table of a class: the class, its constructor's arguments, what BUMP changes, and more. */
const cart = (fields: string, made: string, shown: string, more = '') => `${IMPORT}
class Item { constructor(${fields}) {} }
${more.includes('const items') ? '' : 'const items = new Table<string, Item>("items");'}
${more}
command("CART.SET", "key:key name:string", set);
function set(key: string, name: string): void { items.set(key, new Item(${made})); }
query("CART.GET", "key:key", get);
function get(key: string): Reply {
  const item = items.find(key);
  return item === null ? new Reply().null() : new Reply()${shown};
}
command("CART.RENAME", "key:key name:string", rename);
/** Changes the name alone, of what it has found. */
function rename(key: string, name: string): bool {
  const item = items.find(key);
  if (item === null) return false;
  item.name = name;
  items.set(key, item);
  return true;
}
command("CART.DEL", "key:key", remove);
function remove(key: string): bool { return items.delete(key); }
`;

const one = cart('public name: string, public count: i64', 'name, 7', '.array(2).string(item.name).integer(item.count)');
/** Further fields of all kinds, two of them before and between those of the first version. */
const two = cart(
  'public price: f64, public name: string, public on: bool, public count: i64, public note: string | null, public tags: string[], public parts: Part[], public last: Part',
  '2.5, name, true, 8, "no\\0te", ["a", ""], [new Part("p", 1)], new Part("q", 2)',
  '.array(8).double(item.price).string(item.name).bool(item.on).integer(item.count).string(item.note === null ? "null" : item.note!).strings(item.tags).integer(item.parts.length).integer(item.last.size)',
  'class Part { constructor(public id: string, public size: i32) {} }',
);
const less = cart('public name: string', 'name', '.array(1).string(item.name)');
const moved = cart(
  'public count: i64, public name: string',
  '9, name',
  '.array(2).string(item.name).integer(item.count)',
  `const before = new SortedTable<i64, string>("before");
   const items = new Table<string, Item>("items");
   command("CART.BEFORE", "key:key number:integer text:string", put);
   function put(key: string, number: i64, text: string): i64 { before.in(key).set(number, text); return before.in(key).size; }`,
);
const files = {
  one: await kitOf('cart', one),
  two: await kitOf('cart', two),
  less: await kitOf('cart', less),
  moved: await kitOf('cart', moved),
};
type Version = keyof typeof files;

const start = (version: Version, ways: string[] = [], tcp = false) =>
  startServer({ module: [HOST_FILE, files[version]], arguments: ways, tcp });
const get = async (server: TestServer, key: string): Promise<Reply> => parseReply(await server.send('CART.GET', key));
/** Starts it again with another version. */
async function restartWith(server: TestServer, version: Version): Promise<void> {
  server.change({ module: [HOST_FILE, files[version]] });
  if ((await server.send('CONFIG', 'GET', 'appendonly')).includes('no')) expect(await server.send('SAVE')).toBe(OK);
  await server.restart();
  expect(await server.send('CART.CHECK')).toBe(OK);
}

describe.each([
  ['RDB', []],
  ['append-only', APPEND_ONLY],
])('in %s files', (_, ways) => {
  test('fields come as their defaults, and go and come back with what they held', async () => {
    const server = await start('one', ways);
    await server.send('CART.SET', 'old', 'first');
    await restartWith(server, 'two');
    expect(await get(server, 'old')).toEqual(['0', 'first', 0, 7, 'null', [], 0, 0]);
    await server.send('CART.SET', 'new', 'second');
    const whole = ['2.5', 'second', 1, 8, 'no\0te', ['a', ''], 1, 2];
    expect(await get(server, 'new')).toEqual(whole);
    await restartWith(server, 'one');
    expect([await get(server, 'old'), await get(server, 'new')]).toEqual([
      ['first', 7],
      ['second', 8],
    ]);
    expect(await server.send('CART.RENAME', 'new', 'renamed')).toBe(':1\r\n');
    expect(await server.send('CART.RENAME', 'old', 'renamed')).toBe(':1\r\n');
    await restartWith(server, 'less');
    expect(await get(server, 'new')).toEqual(['renamed']);
    expect(await server.send('CART.RENAME', 'new', 'thrice')).toBe(':1\r\n');
    await restartWith(server, 'two');
    expect(await get(server, 'new')).toEqual(whole.with(1, 'thrice'));
    expect(await get(server, 'old')).toEqual(['0', 'renamed', 0, 7, 'null', [], 0, 0]);
    await restartWith(server, 'less');
    // A new object has no more than its own fields.
    await server.send('CART.SET', 'new', 'anew');
    await restartWith(server, 'one');
    expect(await get(server, 'new')).toEqual(['anew', 0]);
  });

  test('tables change places, and one that is gone keeps its data', async () => {
    const server = await start('one', ways);
    await server.send('CART.SET', 'key', 'name');
    await restartWith(server, 'moved');
    expect(await get(server, 'key')).toEqual(['name', 7]);
    expect(await server.send('CART.BEFORE', 'key', '-5', 'text')).toBe(':1\r\n');
    await restartWith(server, 'two');
    expect(await get(server, 'key')).toEqual(['0', 'name', 0, 7, 'null', [], 0, 0]);
    expect((await server.info('wasm')).wasm_cart_entries).toBe('2');
    await restartWith(server, 'moved');
    expect(await server.send('CART.BEFORE', 'key', '6', 'text')).toBe(':2\r\n');
    expect(await get(server, 'key')).toEqual(['name', 7]);
  });
});

describe('the stream', () => {
  test.each([
    ['one', 'two'],
    ['two', 'one'],
    ['moved', 'less'],
    ['one', 'moved'],
  ] as [Version, Version][])('of version %s is understood by version %s, whatever came before', async (ours, theirs) => {
    const primary = await start(ours, [], true);
    const replica = await start(theirs);
    await follow(replica, primary);
    await primary.send('CART.SET', 'key', 'name');
    await primary.send('CART.DEL', 'key');
    await caughtUp(primary, replica);
    // There is nothing to be saved, but the schema has been told.
    await replica.send('REPLICAOF', 'NO', 'ONE');
    await replica.send('FLUSHALL');
    await follow(replica, primary);
    await primary.send('CART.SET', 'key', 'second');
    await caughtUp(primary, replica);
    expect(JSON.stringify(await get(replica, 'key'))).toContain('second');
    await primary.send('FLUSHALL');
    await primary.send('CART.SET', 'key', 'third');
    await primary.send('CART.RENAME', 'key', 'fourth');
    await caughtUp(primary, replica);
    expect(JSON.stringify(await get(replica, 'key'))).toContain('fourth');
    // And on, as a primary of its own.
    await replica.send('REPLICAOF', 'NO', 'ONE');
    await replica.send('CART.RENAME', 'key', 'fifth');
    expect(JSON.stringify(await get(replica, 'key'))).toContain('fifth');
    expect(await replica.send('CART.CHECK')).toBe(OK);
  });

  test('in an append-only file is understood by another version, whatever came before', async () => {
    const server = await start('one', APPEND_ONLY);
    await server.send('CART.SET', 'key', 'name');
    await server.send('CART.DEL', 'key');
    await server.send('BGREWRITEAOF');
    await expect.poll(() => server.log).toContain('Background AOF rewrite finished successfully');
    await server.send('CART.SET', 'key', 'second');
    await restartWith(server, 'two');
    expect(await get(server, 'key')).toEqual(['0', 'second', 0, 7, 'null', [], 0, 0]);
    await server.send('FLUSHALL');
    await server.send('CART.SET', 'key', 'third');
    await server.send('FLUSHALL');
    await server.send('CART.SET', 'key', 'third');
    await restartWith(server, 'one');
    expect(await get(server, 'key')).toEqual(['third', 8]);
  });
});

describe('what a version cannot read is refused', () => {
  const table = (kind: string, key: string, value: string, fields = 'public name: string, public count: i64') => `${IMPORT}
class Item { constructor(${fields}) {} }
class Key { constructor(public a: i64, public b: string) {} }
const items = new ${kind}<${key}, ${value}>("items");
query("CART.SIZE", "", size);
function size(): i64 { return items.size; }
`;
  test.each([
    [
      'a field of another type',
      table('Table', 'string', 'Item', 'public name: string, public count: f64'),
      /table items: its field count was i64, and is f64/,
    ],
    [
      'a field that may be null',
      table('Table', 'string', 'Item', 'public name: string | null, public count: i64'),
      /table items: its field name was string, and is string\?/,
    ],
    ['keys of another type', table('Table', 'i64', 'Item'), /table items: its keys were string, and are i64/],
    [
      'values of another type',
      table('Table', 'string', 'string'),
      /table items: its values were \{name:string,count:i64\}, and are string/,
    ],
    ['another kind', table('SortedTable', 'string', 'Item'), /a Table has become a SortedTable, or the other way round: items/],
    ['keys that are a class', table('SortedTable', 'Key', 'Item'), /a Table has become a SortedTable, or the other way round: items/],
  ])('%s', async (_, text, reason) => {
    const other = await kitOf('cart', text);
    for (const ways of [[], APPEND_ONLY]) {
      const server = await start('one', ways);
      await server.send('CART.SET', 'key', 'name');
      if (ways.length === 0) expect(await server.send('SAVE')).toBe(OK);
      await server.end();
      server.change({ module: [HOST_FILE, other] });
      await expect(server.start()).rejects.toThrow(reason);
      server.change({ module: [HOST_FILE, files.one] });
      await server.start();
      expect(await get(server, 'key')).toEqual(['name', 7]);
    }
  });
});
