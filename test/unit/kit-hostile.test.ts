/**
 * Effects and files that no kit module writes: refused as a whole, with nothing left behind; and what a
 * module may hold at most, so that it can read what it has written.
 */
import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { elements, FakeServer, placeModule, type Saved } from '../support/fake-redis.ts';
import { kitModule, kitOf } from '../support/kit.ts';

const IMPORT = 'import { command, query, Reply, SortedTable, Table } from "redis-wasm/kit";\n';
const LINES = 'sorted lines string i64';

beforeAll(async () => {
  placeModule('ops', await kitModule('ops'));
}, 120_000);

let server: FakeServer;
beforeEach(() => {
  server = new FakeServer({ kit: 'ops' });
});

/** A number in LEB128. */
function leb(value: number): Buffer {
  const bytes = [];
  for (let rest = value; ; rest = Math.floor(rest / 128)) {
    bytes.push((rest % 128) + (rest >= 128 ? 128 : 0));
    if (rest < 128) return Buffer.from(bytes);
  }
}
const counted = (bytes: Buffer | string): Buffer => Buffer.concat([leb(Buffer.byteLength(bytes)), Buffer.from(bytes)]);
const i64 = (value: bigint): Buffer => {
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64LE(value);
  return bytes;
};
/** FNV-1a of a schema's text. */
function idOf(schema: string): Buffer {
  let hash = 0x811c9dc5;
  for (const byte of Buffer.from(schema)) hash = Math.imul(hash ^ byte, 0x01000193);
  const bytes = Buffer.alloc(4);
  bytes.writeInt32LE(hash | 0);
  return bytes;
}
const PUT = 1;
const CLEAR = 5;
const HEAD = 6;
const change = (kind: number, schema: string, key: Buffer, ...rest: Buffer[]): Buffer =>
  Buffer.concat([Buffer.from([kind]), idOf(schema), counted(key), ...rest]);
const apply = (to: FakeServer, changes: Buffer[], ...schemas: string[]): string =>
  to.text('wasm.apply', 'k', 'ops', '1', Buffer.concat([counted('event'), ...changes]), ...schemas);
/** A sorted own key that is a text. */
const ordered = (text: string): Buffer => Buffer.from(`${text}\0\x01`);
/** What is in the key `k`. */
const IN_K = Buffer.from('\x02k');
const dump = (of: FakeServer): string => of.text('OPS.DUMP', 'k');
const NINE = counted(i64(9n));

/** An owner's length and bytes that no module writes, of a key that is otherwise sound. */
const PREFIXES: [string, Buffer][] = [
  ['of a length in more bytes than it needs', Buffer.from([0x82, 0x00, 0x6b])],
  ['of no owner in two bytes', Buffer.from([0x80, 0x00])],
  ['of a length that has no end', Buffer.from([0x80, 0x80, 0x80, 0x80, 0x80, 0x80])],
  ['of a length that is more than there is', Buffer.from([0x7f, 0x6b])],
  ['of a length of over 32 bits', Buffer.from([0xff, 0xff, 0xff, 0xff, 0x7f])],
  // The sum of it and its own bytes is 4 in 32 bits.
  ['of a length that overflows', Buffer.from([0xff, 0xff, 0xff, 0xff, 0x0f])],
];

describe.each(PREFIXES)('a key %s is refused', (_, prefix) => {
  const key = Buffer.concat([prefix, ordered('own')]);

  test('in an effect', () => {
    const before = dump(server);
    expect(apply(server, [change(PUT, LINES, key, NINE)])).toBe('-ERR wasm.apply: the effect holds a key of another type\r\n');
    expect(apply(server, [change(HEAD, LINES, prefix, i64(5n))])).toBe('-ERR wasm.apply: the effect holds a prefix that is none\r\n');
    expect(apply(server, [change(CLEAR, LINES, prefix)])).toBe('-ERR wasm.apply: the effect holds a prefix that is none\r\n');
    expect(dump(server)).toBe(before);
    server.check();
  });

  test('in a file', () => {
    const saved = fileOf([
      1n,
      Buffer.concat([Buffer.from([1]), record(Buffer.concat([Buffer.from([0]), key]), Buffer.from([0, ...i64(9n)]))]),
    ]);
    expect(server.load(server.kit!, saved, 1)).toBe(false);
    expect(dump(server)).toBe(dump(new FakeServer({ kit: 'ops' })));
    expect(apply(server, [change(PUT, LINES, Buffer.concat([IN_K, ordered('own')]), NINE)], LINES)).toBe('+OK\r\n');
    server.check();
  });
});

const record = (a: Buffer, b: Buffer): Buffer => Buffer.concat([leb(a.length), leb(b.length), a, b]);
const END = (count: bigint): Buffer => Buffer.concat([Buffer.from([0]), i64(count)]);
/** A file with the schema of `lines` as the number 0, entries without a deadline, and heads. */
function fileOf(entries: [bigint, Buffer?], heads: [bigint, Buffer?] = [0n]): Saved {
  const sequence = ([count, block]: [bigint, Buffer?]): Saved => [count, ...(block === undefined ? [] : [block]), END(count)];
  return [1n, Buffer.from(`\0\0${LINES}`), ...sequence(entries), ...sequence([0n]), ...sequence(heads)];
}

test('the owner of an effect’s or file’s own keys has no common deadline', () => {
  expect(apply(server, [change(HEAD, LINES, Buffer.from([0]), i64(5n))])).toBe(
    '-ERR wasm.apply: the effect holds a prefix that is none\r\n',
  );
  const head = Buffer.concat([Buffer.from([1]), record(Buffer.concat([i64(5n), Buffer.from([0, 0])]), Buffer.alloc(0))]);
  expect(server.load(server.kit!, fileOf([0n], [1n, head]), 1)).toBe(false);
  server.check();
});

test('a common deadline of nothing is left out, of an effect and of a file', () => {
  expect(apply(server, [change(HEAD, LINES, IN_K, i64(1n << 50n))])).toBe('+OK\r\n');
  server.check();
  const head = Buffer.concat([Buffer.from([1]), record(Buffer.concat([i64(1n << 50n), Buffer.from([0]), IN_K]), Buffer.alloc(0))]);
  expect(server.load(server.kit!, fileOf([0n], [1n, head]), 1)).toBe(true);
  server.check();
  expect(elements(server.call('OPS.RUN', 'k', 'set in-lines a 1 0', 'deadline in-lines')).map(String)).toEqual(['ok', '0']);
});

test('a common deadline that a command sets and has nothing left for is gone, here and on a replica', () => {
  const far = '1967323045000';
  const steps = ['set in-lines a 1 0', `expire in-lines ${far}`, 'delete in-lines a', 'size in-lines'];
  expect(elements(server.call('OPS.RUN', 'k', ...steps)).map(String)).toEqual(['ok', 'yes', 'yes', '0']);
  const replica = new FakeServer({ kit: 'ops', seed: 2 });
  replica.replay(server.propagated);
  for (const one of [server, replica]) {
    one.check();
    expect(elements(one.call('OPS.RUN', 'k', 'deadline in-lines', 'set in-lines b 1 0', 'deadline in-lines')).map(String)).toEqual([
      '0',
      'ok',
      '0',
    ]);
  }
});

describe('a schema', () => {
  /** A schema of a table that the module does not have, of this many bytes. */
  const long = (bytes: number): string => `table more string {${'f'.repeat(bytes - 'table more string {:i64}'.length)}:i64}`;
  const put = (schema: string): Buffer => change(PUT, schema, Buffer.from('\0key'), counted(i64(1n)));

  test('of 8192 bytes is kept, and comes back from a file', () => {
    const schema = long(8192);
    expect(apply(server, [put(schema)], schema)).toBe('+OK\r\n');
    const again = new FakeServer({ kit: 'ops', seed: 2 });
    expect(again.load(again.kit!, server.save(server.kit!), 1)).toBe(true);
    expect(again.save(again.kit!)).toEqual(server.save(server.kit!));
    again.check();
  });

  test.each(['{}', '{}[]', '{}?', '{a:{}}', '{a:{}[]}', '{a:i64,b:{c:{}}}'])('with a class without fields is refused: %s', (type) => {
    const schema = `table more string ${type}`;
    // A count of values that take no bytes.
    const many = change(PUT, schema, Buffer.from('\0key'), counted(leb(2 ** 32 - 1)));
    expect(apply(server, [many], schema)).toBe(`-a schema is none: ${schema}\r\n`);
    const file: Saved = [1n, Buffer.from(`\0\0${schema}`), 0n, END(0n), 0n, END(0n), 0n, END(0n)];
    expect(server.load(server.kit!, file, 1)).toBe(false);
    server.check();
  });

  test('with a class without fields as its key is refused', () => {
    const schema = 'sorted more {} i64';
    expect(apply(server, [change(PUT, schema, Buffer.from('\0'), NINE)], schema)).toBe(`-a schema is none: ${schema}\r\n`);
  });

  test('of more is refused', () => {
    const schema = long(8193);
    expect(apply(server, [put(schema)], schema)).toMatch(/^-a schema is none: table more string/);
    expect(apply(server, [put(schema)])).toMatch(/^-ERR wasm\.apply: the effect is of a schema that is not known here/);
    server.check();
  });
});

/** A module with a table `wide`, of a class of so many fields, each a name of 60 characters and `i64`. */
const wide = (letter: string, count: number): string => {
  const fields = Array.from({ length: count }, (_, index) => `${letter.repeat(56)}${String(index).padStart(4, '0')}: i64 = ${index};`);
  return `${IMPORT}class Wide { name: string = 'first'; ${fields.join(' ')} }
const wide = new Table<string, Wide>('wide');
command('WIDE.SET', 'key:key', (key: string): void => wide.set(key, new Wide()));
command('WIDE.AGAIN', 'key:key', again);
function again(key: string): string { const found = wide.get(key, new Wide()); found.name += '+'; wide.set(key, found); return found.name; }
query('WIDE.GET', 'key:key', (key: string): string => wide.get(key, new Wide()).name);
`;
};

test('what another version has left is kept up to 8192 bytes of names and types, and is never cut', async () => {
  placeModule('wide', await kitOf('wide', wide('a', 100)));
  placeModule('wideagain', await kitOf('wide', wide('b', 100)));
  const one = new FakeServer({ kit: 'wide' });
  expect(one.text('WIDE.SET', 'key')).toBe('+OK\r\n');
  const saved = one.save(one.kit!);
  const two = new FakeServer({ kit: 'wideagain' });
  expect(two.load(two.kit!, saved, 1)).toBe(true);
  expect(two.text('WIDE.AGAIN', 'key')).toBe("-ERR a table's class has too many fields, with those that other versions have left\r\n");
  expect(two.text('WIDE.GET', 'key')).toBe('$5\r\nfirst\r\n');
  const back = new FakeServer({ kit: 'wide', seed: 2 });
  expect(back.load(back.kit!, two.save(two.kit!), 1)).toBe(true);
  expect(back.text('WIDE.AGAIN', 'key')).toBe('$6\r\nfirst+\r\n');
  back.check();
}, 120_000);

test('what a module makes at its start stays, however much that is', async () => {
  const text = `${IMPORT}
const long = 'x'.repeat(40_000);
const list = new Array<i32>(20_000).fill(7);
const kept = new Table<string, string>('kept');
command('BIG.SET', 'key:key', (key: string): void => kept.set(key, 'y'.repeat(100_000)));
query('BIG.GET', 'key:key', get);
function get(key: string): string { return [long.length, long.lastIndexOf('x'), list.length, list[19_999], kept.get(key, '').length].join(); }
`;
  placeModule('big', await kitOf('big', text));
  const big = new FakeServer({ kit: 'big' });
  const get = (key: string): string => String(elements(Buffer.concat([Buffer.from('*1\r\n'), big.call('BIG.GET', key)]))[0]);
  for (let round = 0; round < 20; round++) {
    expect(get(`${round}`)).toBe('40000,39999,20000,7,0');
    expect(big.text('BIG.SET', `${round}`)).toBe('+OK\r\n');
    expect(get(`${round}`)).toBe('40000,39999,20000,7,100000');
    big.check();
    if (round % 7 === 6) big.kit!.exports.flush();
  }
}, 120_000);

describe('pages of entries in order', () => {
  beforeAll(async () => {
    const text = `${IMPORT}
const loose = new Table<string, i64>('loose');
const sorted = new SortedTable<string, i64>('sorted');
command('PAGES.SET', 'key:key own', (key: string, own: string): void => { loose.in(key).set(own, 1); sorted.set(own, 1); });
query('PAGES.SCAN', 'key:key which cursor count:integer', scan);
function scan(key: string, which: string, cursor: string, count: i32): Reply {
  const page = which == 'sorted' ? sorted.scan(cursor, count) : loose.in(key).scan(cursor, count);
  return new Reply().array(2).string(page.cursor).strings(page.keys);
}
`;
    placeModule('pages', await kitOf('pages', text));
  }, 120_000);

  test.each(['loose', 'sorted'])('end, with each of the keys once: %s', (which) => {
    const pages = new FakeServer({ kit: 'pages' });
    const keys = ['', '\0', '0', 'a', 'k', 'kk'];
    for (const key of keys) pages.text('PAGES.SET', 'key', key);
    for (const count of ['-1', '0', '1', '2', '100']) {
      const found: string[] = [];
      let cursor = '0';
      do {
        const page = pages.call('PAGES.SCAN', 'key', which, cursor, count);
        const parts = partsOf(page);
        cursor = parts.cursor;
        found.push(...parts.keys);
      } while (cursor !== '0' && found.length < 100);
      expect(found, count).toEqual(keys);
    }
  });

  test.each(['loose', 'sorted'])('have cursors of their own alone: %s', (which) => {
    const pages = new FakeServer({ kit: 'pages' });
    pages.text('PAGES.SET', 'key', 'own');
    for (const cursor of ['', '1', 'x', '-1', 'K', 'k0', 'kx0', 'k0G', 'kAB', '99999999999999999999']) {
      expect(pages.text('PAGES.SCAN', 'key', which, cursor, '1'), cursor).toBe('-ERR invalid cursor\r\n');
    }
  });
});

/** A reply of a cursor and keys. */
function partsOf(reply: Buffer): { cursor: string; keys: string[] } {
  const text = reply.toString('latin1');
  const bulks: string[] = [];
  for (let at = text.indexOf('$'); at !== -1;) {
    const end = text.indexOf('\r\n', at);
    const length = Number(text.slice(at + 1, end));
    bulks.push(text.slice(end + 2, end + 2 + length));
    at = text.indexOf('$', end + 2 + length);
  }
  const [cursor = '', ...keys] = bulks;
  return { cursor, keys };
}
