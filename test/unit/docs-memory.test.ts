/** The formula of docs/OPERATIONS.md for memory, against what the modules take. */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { type Bytes, FakeServer } from '../support/fake-redis.ts';
import { parseReply } from '../support/reply.ts';
import { info } from '../support/sessions.ts';

const PAGE = readFileSync(new URL('../../docs/OPERATIONS.md', import.meta.url), 'utf8');
/** Bytes that the table has for each entry, and how far they may be off. */
const TABLE = 7;
const TABLE_TOLERANCE = 4;
/** Of these, what CUSTOM.MEMORY counts: the place of an entry, without those that are free. */
const SLOT = 5;
/** Bytes of the modules' own pages, buffers and beginnings. */
const OWN = 3_000_000;

/** Bytes of a heap's block. */
function block(size: number): number {
  const up = (step: number, bytes = size): number => Math.ceil(bytes / step) * step;
  if (size <= 64) return Math.max(size, 4);
  if (size > 2048) return up(16, size + 4);
  return up(2 ** Math.ceil(Math.log2(size)) / 64);
}
function header(key: number, value: number, deadline = false): number {
  if (key < 32 && 1 + key + value >= 4 && 1 + key + value <= 128 && !deadline) return 1;
  if (key >= 256 || value >= 65536) return 12;
  return value < 256 ? 3 : 4;
}
const entry = (key: number, value: number, deadline: boolean): number =>
  block(header(key, value, deadline) + (deadline ? 16 : 0) + key + value);

interface Example {
  key: number;
  value: number;
  deadline: boolean;
  bytes: number;
}

/** The table of examples, without separators of thousands. */
const EXAMPLES: Example[] = [...PAGE.matchAll(/^\| ([\d,]+) \| ([\d,]+) \| (yes|no) \| ([\d,]+) \|$/gm)].map((row) => {
  const [key, value, bytes] = [row[1], row[2], row[4]].map((text) => Number(text!.replaceAll(',', '')));
  return { key: key!, value: value!, deadline: row[3] === 'yes', bytes: bytes! };
});

/** The buffer that a module takes for its saves with its first entry. */
const SAVING = 65536;
/** Bytes of a module's blocks in use, but for that buffer. */
const heapUsed = (server: FakeServer, name: 'hashmap' | 'session'): number =>
  Number(server.infoOf(server[name]).get(`${name}_heap_used`)) - SAVING;

/** Bytes of the linear memory in use, as `wasm_memory_used` has them. */
const memoryUsed = (server: FakeServer): number =>
  server.hashmap.region.memory.buffer.byteLength - Number(server.hashmap.exports.freeBytes() + server.session.exports.freeBytes());

/** The memory in use is that of the formula, within a tenth, and what the modules have of their own. */
function expectMemory(server: FakeServer, bytes: number): void {
  const used = memoryUsed(server);
  expect(used).toBeGreaterThan(bytes * 0.9);
  expect(used).toBeLessThan(bytes * 1.1 + OWN);
}

function set(server: FakeServer, name: string, { key, value, deadline }: Example): string {
  const words: Bytes[] = deadline ? ['EX', '1000'] : [];
  return server.text('CUSTOM.SET', name.padStart(key, 'k'), Buffer.alloc(value, 1), ...words);
}

describe('entries', () => {
  test('the page has examples of each kind', () => {
    expect(EXAMPLES.length).toBe(8);
    expect(EXAMPLES.map(({ key, value, deadline }) => entry(key, value, deadline))).toEqual(EXAMPLES.map(({ bytes }) => bytes));
  });

  test('each takes the bytes of the formula, whatever its lengths', () => {
    const server = new FakeServer();
    const lengths = [1, 7, 16, 63, 64, 100, 255, 256, 500, 2000, 65_535, 65_536, 70_001];
    for (const key of [1, 16, 63, 64, 255, 256, 300]) {
      for (const value of lengths) {
        for (const deadline of [false, true]) {
          expect(set(server, 'x', { key, value, deadline, bytes: 0 })).toBe('+OK\r\n');
          const told = parseReply(server.text('CUSTOM.MEMORY', 'x'.padStart(key, 'k')));
          expect(told, `${key} ${value} ${deadline}`).toBe(entry(key, value, deadline) + SLOT);
        }
      }
    }
  });

  test.each(EXAMPLES)('many of $key + $value bytes, with a deadline: $deadline', (example) => {
    const server = new FakeServer({ maxPages: 4096 });
    const count = Math.min(25_000, Math.ceil(30_000_000 / example.bytes));
    for (let index = 0; index < count; index++) set(server, String(index), example);
    const each = heapUsed(server, 'hashmap') / count;
    // A few large entries share a table that is hardly used.
    const tolerance = count < 1000 ? 300 : TABLE_TOLERANCE;
    expect(Math.abs(each - example.bytes - TABLE), `${each} bytes each`).toBeLessThan(tolerance);
    expectMemory(server, count * (example.bytes + TABLE));
  });
});

describe('sessions', () => {
  const USER = 11;
  const userOf = (index: number): string => String(index).padStart(USER, 'u');
  const packed = (...fields: [name: string, value: string][]): number =>
    block(Math.ceil((3 + fields.reduce((sum, [name, value]) => sum + 4 + name.length + value.length, 0)) / 2) * 2);
  const LARGE = 'x'.repeat(5000);

  const kinds: [title: string, options: string[], session: number, data: number][] = [
    ['without anything', [], 54, 0],
    ['with limits', ['IDLE', '1000', 'TTL', '5000'], 72, 0],
    ['with a field', ['TTL', '100', 'DATA', 'field', 'v'.repeat(32)], 72, packed(['field', 'v'.repeat(32)])],
    ['with two fields', ['DATA', 'a', 'v'.repeat(100), 'b', 'c'.repeat(300)], 54, packed(['a', 'v'.repeat(100)], ['b', 'c'.repeat(300)])],
    ['with a large field', ['DATA', 'big', LARGE], 54, 180 + block(header(3, 5008) + 3 + 5008) + 8],
  ];

  test.each(kinds)('%s', (_title, options, session, data) => {
    const server = new FakeServer({ maxPages: 4096 });
    const count = data > 1000 ? 2000 : 10_000;
    for (let index = 0; index < count; index++) server.call('SESSION.CREATE', userOf(index), ...options);
    const user = entry(USER, 8, false) + TABLE;
    const least = session + TABLE + user + data;
    const each = heapUsed(server, 'session') / count;
    expect(each, 'the session').toBeGreaterThan(least - 2 * TABLE_TOLERANCE);
    expect(each, 'the session').toBeLessThan(least + 2 * TABLE_TOLERANCE);
    const id = String(parseReply(server.text('CUSTOM.GET', userOf(1))));
    const told = Number(info(server, id)?.bytes);
    expect(told, 'SESSION.INFO').toBeGreaterThanOrEqual(session + data);
    expect(told, 'SESSION.INFO').toBeLessThanOrEqual(session + data);
    const mapping = entry(USER, 16, false) + TABLE;
    expect(Math.abs(heapUsed(server, 'hashmap') / count - mapping), 'the mapping').toBeLessThan(TABLE_TOLERANCE);
    expectMemory(server, count * (least + mapping));
  });

  test('a further session of a user has no user and no mapping of its own', () => {
    const server = new FakeServer();
    for (let index = 0; index < 10_000; index++) server.call('SESSION.CREATE', userOf(index % 200), 'NEW');
    expect(Math.abs(heapUsed(server, 'session') / 10_000 - 54 - TABLE)).toBeLessThan(TABLE_TOLERANCE);
  });
});
