/** What the language's library does with texts and bytes is what JavaScript does, and stays within them. */
import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { FakeServer, placeModule } from '../support/fake-redis.ts';
import { kitOf } from '../support/kit.ts';

const SOURCE = `import { query, Reply } from "redis-wasm/kit";
query("LIB.JOIN", "separator [number:integer ...]", join, "Arrays of each kind, joined");
function join(separator: string, list: i64[]): Reply {
  const reply = new Reply().array(8);
  reply.string(list.join(separator)).string(list.map<u64>((n) => u64(n)).join(separator));
  reply.string(list.map<i32>((n) => i32(n)).join(separator)).string(list.map<u32>((n) => u32(n)).join(separator));
  reply.string(list.map<u8>((n) => u8(n)).join(separator)).string(list.map<i8>((n) => i8(n)).join(separator));
  reply.string(list.map<bool>((n) => n > 0).join(separator));
  const typed = new Int64Array(list.length);
  for (let i = 0; i < list.length; i++) typed[i] = list[i];
  return reply.string(typed.join(separator));
}
query("LIB.REPLACE", "text search replacement", (text: string, search: string, replacement: string): string =>
  text.replaceAll(search, replacement), "A text with others in it");

query("LIB.SUBSTR", "text from:integer length:integer", (text: string, from: i64, length: i64): string =>
  text.substr(i32(from), i32(length)), "A part of a text");
query("LIB.PART", "text number:integer from:integer to:integer [list:integer ...]", part, "Parts of a text and of arrays, changed");
function part(text: string, number: i64, from: i64, to: i64, list: i64[]): Reply {
  const n = i32(number);
  const i = i32(from);
  const j = i32(to);
  const reply = new Reply().array(11).string(text.substr(i, j)).string(text.padStart(i, "ab")).string(text.padEnd(i, "ab"));
  reply.string(list.slice().fill(number, i, j).join()).string(list.slice().copyWithin(n, i, j).join());
  reply.string(list.map<i32>((each) => i32(each)).fill(n, i, j).join());
  const fixed = StaticArray.fromArray<i64>(list).copyWithin(n, i, j);
  reply.string(fixed.join()).string(StaticArray.fromArray<i64>(list).fill(number, i, j).join());
  const typed = new Int32Array(list.length);
  for (let index = 0; index < list.length; index++) typed[index] = i32(list[index]);
  reply.string(typed.slice().fill(n, i, j).join()).string(typed.slice().copyWithin(n, i, j).join());
  return reply.string(typed.sort().join());
}

query("LIB.LONG", "what", long, "What would take more than there is");
function long(what: string): i32 {
  const text = "x".repeat(1 << 20);
  const numbers = new Array<i64>(4097);
  const flags = new Array<bool>(4097);
  const parts = new Array<f64>(4097);
  const texts = new Array<string>(4097).fill("");
  const lists = new Array<i64[]>(4097).fill(numbers);
  if (what == "numbers") return numbers.join(text).length;
  if (what == "flags") return flags.join(text).length;
  if (what == "floats") return parts.join(text).length;
  if (what == "separators") return texts.join(text).length;
  if (what == "texts") return texts.fill(text).join("").length;
  if (what == "flat") return new Array<i64[]>(1 << 20).fill(numbers).flat().length;
  if (what == "between") return "x".repeat(65535).replaceAll("", "y".repeat(65536)).length;
  if (what == "each") return "xx".repeat(65535).replaceAll("x", text).length;
  return lists.flat().length;
}

query("LIB.BEYOND", "what", beyond, "What lies beyond an array");
function beyond(what: string): i64 {
  const buffer = new ArrayBuffer(16);
  const bytes = new Uint8Array(16);
  if (what == "wrap") return Uint8Array.wrap(buffer, 8, i32.MAX_VALUE).length;
  if (what == "wrap64") return Int64Array.wrap(buffer, 0, 0x20000000).length;
  if (what == "view") return new DataView(buffer, -8, 16).getInt64(0);
  if (what == "view-end") return new DataView(buffer, 8, i32.MAX_VALUE).getInt64(0);
  if (what == "get") return new DataView(buffer).getInt64(i32.MAX_VALUE - 3);
  if (what == "put") new DataView(buffer).setInt64(i32.MAX_VALUE - 3, 1);
  if (what == "set") bytes.set([1, 2], i32.MAX_VALUE);
  return 0;
}
query("LIB.WITHIN", "", within, "What lies within");
function within(): i64 {
  const buffer = new ArrayBuffer(16);
  const view = new DataView(buffer, 8, 8);
  view.setInt64(0, 7);
  const bytes = Uint8Array.wrap(buffer, 15, 1);
  bytes.set([8], 0);
  return new DataView(buffer).getInt64(8) + Int64Array.wrap(buffer, 8, 1).length + Int64Array.wrap(buffer, 16, 0).length;
}
`;
let server: FakeServer;
beforeAll(async () => {
  placeModule('lib', await kitOf('lib', SOURCE));
  server = new FakeServer({ kit: 'lib' });
}, 120_000);

const MIN = -(2n ** 63n);
const MAX = 2n ** 63n - 1n;

describe.each([',', '', ' and '])('joined by %j', (separator) => {
  test.each(['', ...`${MAX} ${MIN} -1 0 4294967296 300`.split(' '), `${MAX} ${MIN} 0`, '-1 2147483648 255'])('%j', (texts) => {
    const list = texts.split(' ').filter(Boolean).map(BigInt);
    const expected = [
      list,
      list.map((n) => BigInt.asUintN(64, n)),
      list.map((n) => BigInt.asIntN(32, n)),
      list.map((n) => BigInt.asUintN(32, n)),
      list.map((n) => BigInt.asUintN(8, n)),
      list.map((n) => BigInt.asIntN(8, n)),
      list.map((n) => n > 0n),
      list,
    ].map((values) => values.join(separator));
    const reply = server.text('LIB.JOIN', separator, ...list.map(String));
    expect(reply).toBe(`*8\r\n${expected.map((text) => `$${text.length}\r\n${text}\r\n`).join('')}`);
  });
});

test('replaceAll is as in Node, however long the replacement is', () => {
  const replaced = (text: string, search: string, replacement: string) => {
    const expected = text.replaceAll(search, () => replacement);
    expect(server.text('LIB.REPLACE', text, search, replacement)).toBe(`$${Buffer.byteLength(expected)}\r\n${expected}\r\n`);
  };
  replaced('&a', '&', '&amp;');
  replaced('<b>&</b>', '<', '&lt;');
  replaced('ab', 'a', 'x'.repeat(100_000));
  const text = fc.string({ unit: fc.constantFrom('a', 'b', '<'), maxLength: 30 });
  fc.assert(
    fc.property(text, fc.constantFrom('a', 'b', 'ab', '<', ''), fc.string({ unit: fc.constantFrom('x', 'a'), maxLength: 200 }), replaced),
  );
});

test('parts that begin or end beyond a text or an array are as in Node', () => {
  const far = fc.constantFrom(-(2 ** 31), -40, -3, -1, 0, 1, 3, 40, 2 ** 31 - 1);
  const list = fc.array(fc.oneof(far, fc.integer({ min: -9, max: 9 })), { maxLength: 9 });
  const changed = (text: string, n: number, from: number, to: number, of: number[]) => {
    const padding = Math.min(from, 40);
    const typed = () => new Int32Array(of);
    const [filled, moved] = [[...of].fill(n, from, to).join(), [...of].copyWithin(n, from, to).join()];
    // As substr has it.
    const begin = from < 0 ? Math.max(text.length + from, 0) : Math.min(from, text.length);
    const part = text.slice(begin, begin + Math.max(to, 0));
    const texts = [part, text.padStart(padding, 'ab'), text.padEnd(padding, 'ab'), filled, moved, filled, moved, filled];
    const expected = [...texts, typed().fill(n, from, to).join(), typed().copyWithin(n, from, to).join(), typed().sort().join()];
    const reply = `*${expected.length}\r\n${expected.map((each) => `$${each.length}\r\n${each}\r\n`).join('')}`;
    const asked = server.text('LIB.PART', text, ...[n, from, to, ...of].map(String));
    // As long as that no text is.
    if (from > 40) expect(asked).toBe('-ERR the command takes more than 64 MiB of memory\r\n');
    else expect(asked).toBe(reply);
  };
  fc.assert(fc.property(fc.string({ unit: fc.constantFrom('a', 'b'), maxLength: 9 }), far, far, far, list, changed), { numRuns: 2000 });
  expect(server.text('LIB.SUBSTR', 'abc', '2147483647', '9')).toBe('$0\r\n\r\n');
});

test.each(['numbers', 'flags', 'floats', 'separators', 'texts', 'flat', 'between', 'each', 'lists'])(
  'a result that is too long is refused: %s',
  (what) => {
    expect(server.text('LIB.LONG', what)).toBe('-ERR the command takes more than 64 MiB of memory\r\n');
    expect(server.text('LIB.REPLACE', '&a', '&', '&amp;')).toBe('$6\r\n&amp;a\r\n');
  },
);

test.each([
  ['wrap', 'Invalid length'],
  ['wrap64', 'Invalid length'],
  ['view', 'Invalid length'],
  ['view-end', 'Invalid length'],
  ['get', 'Index out of range'],
  ['put', 'Index out of range'],
  ['set', 'Index out of range'],
])('what lies beyond is refused: %s', (what, reason) => {
  expect(server.text('LIB.BEYOND', what)).toContain(`-ERR ${reason}`);
});

test('what lies within is reached', () => {
  expect(server.text('LIB.WITHIN')).toBe(':9\r\n');
});
