/** WASM.RELOAD that fails: the error says why, the old file serves on, and all data is there. */
import { readFileSync, truncateSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { APPEND_ONLY, dumpShop, fillShop, idle, OK, reload, shopWith, startLive, versioned, type Live } from '../support/live.ts';
import { kitOf } from '../support/kit.ts';
import { assemble, file } from '../support/modules.ts';
import { bulk } from '../support/raw.ts';
import { parseReply } from '../support/reply.ts';
import { trustedWord } from '../support/trusted.ts';

const one = await shopWith();
const two = await shopWith(versioned('two'));
const kinds: [from: string, to: string][] = [
  ['public count: i64', 'public count: f64'],
  ['new Item(name, count)', 'new Item(name, f64(count))'],
];
const wide = await shopWith(
  versioned('wide'),
  ['public count: i64', 'public note: string, public count: i64, public price: f64 = 2.5'],
  ['new Item(name, count)', 'new Item(name, "noted", count, 9.5)'],
  ['item.count.toString();', 'item.count.toString() + " " + item.note + " " + item.price.toString();'],
);
const bytes = readFileSync(one);

/** The module with a command of this name, which no compiler would let it have. */
async function renamed(name: string): Promise<string> {
  const own = 'SHOP.SIZES'.slice(0, name.length);
  const text = readFileSync(await shopWith(['"SHOP.SIZE"', `"${own}"`]), 'latin1');
  const wide = (word: string) => Buffer.from(word.toLowerCase(), 'utf16le').toString('latin1');
  const changed = text.replaceAll(wide(own), wide(name));
  expect(changed).not.toBe(text);
  return file('shop', Buffer.from(changed, 'latin1'));
}

const REFUSED = /^-ERR module shop: it refuses the data that is there: (?!the log).*\b(?:items|carts)\b.*\r\n/;
/** Files that cannot take over, what the error says, and what the log does. */
const UNFIT: [what: string, file: string, reason: RegExp, line?: RegExp][] = [
  ['is no module', await file('shop', Buffer.from('no module at all')), /^-ERR .*(?:magic|not a|no |unexpected)/i],
  ['is empty', await file('shop', Buffer.alloc(0)), /^-ERR ./],
  ['is cut short', await file('shop', bytes.subarray(0, bytes.length >> 1)), /^-ERR ./],
  [
    'is another module of another name',
    await file('shop', Buffer.from(bytes.toString('latin1').replace('name: shop', 'name: shoq'), 'latin1')),
    /^-ERR it was built as shoq, and its file is named shop: give it the name that it was built with\r\n/,
  ],
  [
    'does not export apply',
    await assemble('shop', ''),
    /^-ERR one of the two files exports apply, and the other does not: it needs a restart\r\n/,
  ],
  [
    'throws when it starts',
    await shopWith(['const items', 'const n = bad();\nfunction bad(): i32 { throw new Error("NOT today"); }\nconst items']),
    /^-ERR its declarations failed: it failed: NOT today;/,
  ],
  [
    'has a table whose class changed a field to another type',
    await shopWith(...kinds),
    REFUSED,
    /table items: its field count was i64, and is f64/,
  ],
  [
    'has a sorted table where there was another',
    await shopWith(['const carts = new Table<', 'const carts = new SortedTable<']),
    REFUSED,
    /a Table has become a SortedTable, or the other way round: carts/,
  ],
  [
    'registers a command of the server',
    await renamed('RANDOMKEY'),
    /^-ERR it registers RANDOMKEY, which another module, or the server, has\r\n/,
  ],
  ['registers a command of another module', await renamed('CUSTOM.GET'), /^-ERR it registers CUSTOM\.GET, as hashmap does\r\n/],
  ['registers a command of the host', await renamed('WASM.APPLY'), /^-ERR ./],
];

async function expectOne({ server }: Live, before: string[]): Promise<void> {
  expect(await server.send('SHOP.VERSION')).toBe(bulk('one'));
  expect(await dumpShop(server)).toEqual(before);
  const fields = await server.info('wasm');
  expect(fields.wasm_shop_state).toBe('serving');
  expect(fields.wasm_shop_sha256).toBe(trustedWord(one)[0]!.split(':')[1]);
}

describe('a file that', () => {
  test.each(UNFIT)('%s', async (_, unfit, reason, line = /./) => {
    const live = await startLive({ shop: one });
    await fillShop(live.server);
    const before = await dumpShop(live.server);
    for (const direct of [false, true]) {
      live.folder.put('shop', unfit);
      if (direct) await live.server.send('MULTI');
      const reply = await live.server.send('WASM.RELOAD', 'shop');
      const error = direct ? (await live.server.send('EXEC')).slice('*1\r\n'.length) : reply;
      expect(error).toMatch(reason);
      await expectOne(live, before);
      await expect.poll(() => live.server.log).toMatch(line);
    }
    // What served last is no worse for it, and the next file is taken.
    expect(readFileSync(live.folder.served('shop')).equals(bytes)).toBe(true);
    expect(await live.server.send('SHOP.RENAME', 'key:1', 'name')).toBe(':1\r\n');
    const now = await dumpShop(live.server);
    expect(await reload(live, two)).toBe(OK);
    expect(await live.server.send('SHOP.VERSION')).toBe(bulk('two'));
    expect(await dumpShop(live.server)).toEqual(now);
  });

  test('is missing, or has more bytes than any', async () => {
    const live = await startLive({ shop: one });
    await fillShop(live.server);
    const before = await dumpShop(live.server);
    truncateSync(live.folder.file('shop'), (8 << 20) + 1);
    expect(await live.server.send('WASM.RELOAD', 'shop')).toBe('-ERR it has 8388609 bytes, more than 8388608\r\n');
    await expectOne(live, before);
    live.folder.remove('shop');
    expect(await live.server.send('WASM.RELOAD', 'shop')).toMatch(/^-ERR No such file or directory/);
    await expectOne(live, before);
    expect(await live.server.send('WASM.RELOAD', 'none')).toBe('-ERR no module none is loaded: WASM.LOAD loads one\r\n');
  });

  test('needs more memory than it may have', async () => {
    const live = await startLive({ shop: one }, { arguments: ['--wasm.max-memory', '3mb'] });
    await fillShop(live.server);
    const before = await dumpShop(live.server);
    expect(await reload(live, await idle('shop', 60))).toMatch(/^-ERR .*memory/);
    await expectOne(live, before);
    expect(await reload(live, two)).toBe(OK);
  });
});

describe('versions with another class', () => {
  test.each([
    ['from memory to memory', []],
    ['and through restarts', APPEND_ONLY],
  ])('keep the values of fields that one of them lacks, %s', async (_, ways) => {
    const live = await startLive({ shop: one }, { arguments: ways });
    const { server } = live;
    const get = async (key: string) => parseReply(await server.send('SHOP.GET', key));
    const change = async (file: string) => {
      expect(await reload(live, file)).toBe(OK);
      if (ways.length > 0) await server.restart();
      expect(await server.send('SHOP.CHECK')).toBe(OK);
    };
    await server.send('SHOP.SET', 'old', 'name', '1');
    await change(wide);
    expect(await get('old')).toBe('name 1  2.5');
    await server.send('SHOP.SET', 'new', 'name', '2');
    expect(await get('new')).toBe('name 2 noted 9.5');
    await change(one);
    expect([await get('old'), await get('new')]).toEqual(['name 1', 'name 2']);
    for (const key of ['old', 'new']) expect(await server.send('SHOP.RENAME', key, 'renamed')).toBe(':1\r\n');
    await change(wide);
    expect([await get('old'), await get('new')]).toEqual(['renamed 1  2.5', 'renamed 2 noted 9.5']);
    await server.send('SHOP.RENAME', 'old', 'again');
    expect(await get('old')).toBe('again 1  2.5');
  });
});

test('what was done in the memory that is there is taken back', async () => {
  const live = await startLive({ shop: one });
  const { server } = live;
  // More than is saved and loaded in no time.
  await fillShop(server, 600, 700);
  const before = await dumpShop(server);
  const otherFlags = await shopWith(versioned('other'), ['query("SHOP.SIZE"', 'command("SHOP.SIZE"']);
  for (let count = 0; count < 2; count++) {
    expect(await reload(live, otherFlags)).toMatch(/^-ERR SHOP\.SIZE has other flags/);
    await expectOne(live, before);
  }
  await fillShop(server, 100, 300, 'more');
  const more = await dumpShop(server);
  expect(await reload(live, two)).toBe(OK);
  expect(await dumpShop(server)).toEqual(more);
  expect(await server.send('SHOP.VERSION')).toBe(bulk('two'));
  expect(server.log).not.toContain('is saved and loaded now');
});

test('the settings of what serves on are those that it declared', async () => {
  const text = `import { command, query, setting, Table } from "redis-wasm/kit";
const notes = new Table<string, string>("notes");
const burst = setting("burst", 10, 1, 1000);
query("PACE.BURST", "", get);
function get(): i64 { return burst.value; }
query("PACE.SIZE", "", size);
function size(): i64 { return notes.size; }
`;
  const pace = await kitOf('pace', text, [0]);
  const other = await kitOf(
    'pace',
    text.replace('setting("burst", 10', 'setting("other", 20').replace('query("PACE.SIZE"', 'command("PACE.SIZE"'),
    [0],
  );
  const live = await startLive({ pace });
  const { server } = live;
  const told = async (value: number) => await server.send('CONFIG', 'SET', 'wasm.settings', `pace.burst=${value}`);
  expect(await reload(live, other, 'pace')).toMatch(/^-ERR PACE\.SIZE has other flags/);
  expect(await server.send('PACE.BURST')).toBe(':10\r\n');
  expect(await told(5)).toBe(OK);
  expect(await server.send('PACE.BURST')).toBe(':5\r\n');
  expect(await told(5000)).toContain('pace.burst takes 1 to 1000, not 5000');
  expect(await server.send('PACE.BURST')).toBe(':5\r\n');
});
