/**
 * Keys chosen to collide, by one who knows the hash function but not its key: they cost as much as any
 * others. Counted in what look-ups look at, chunks and entries, which no clock disturbs.
 */
import { randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import { loadEngine } from './engine.ts';

const KEY_BYTES = 16;
/**
 * Bits of the hash that the chosen keys have not: those that choose the directory's entry, or the chunk in a
 * segment; and how many such keys hurt.
 */
const CHOSEN = [
  { title: 'in one part of the directory', mask: 0x7fn << 57n, many: 10_000 },
  { title: 'in few chunks of every segment', mask: 0xffn << 48n, many: 40_000 },
  { title: 'in few chunks of segments to come', mask: 0xffn << 46n, many: 100_000 },
];
const ANY = 0n;

interface Cost {
  insert: number;
  find: number;
}

/** What a table with this hash key looks at for each of `count` keys of a kind. */
async function cost(k0: bigint, k1: bigint, mask: bigint, count: number): Promise<Cost> {
  const { x, table } = await loadEngine({ counting: true });
  x.tableInit(table, k0, k1);
  const keys = x.alloc(count * KEY_BYTES);
  expect(x.collidingKeys(keys, count, mask) >>> 0).toBeGreaterThanOrEqual(count);
  expect(x.listSet(table, keys, count)).toBe(count);
  const insert = x.tableLooks() >>> 0;
  expect(x.listFind(table, keys, count)).toBe(count);
  return { insert: insert / count, find: ((x.tableLooks() >>> 0) - insert) / count };
}

test.each(CHOSEN)('100,000 keys that collide $title without a hash key take less than twice what others take', async ({ mask }) => {
  for (let round = 0; round < 3; round++) {
    const [k0, k1] = [randomBytes(8).readBigUInt64LE(), randomBytes(8).readBigUInt64LE()];
    const [chosen, any] = [await cost(k0, k1, mask, 100_000), await cost(k0, k1, ANY, 100_000)];
    expect(chosen.insert).toBeLessThan(2 * any.insert);
    expect(chosen.find).toBeLessThan(2 * any.find);
    expect(any.find).toBeLessThan(3);
  }
});

test.each(CHOSEN)('and $many of them do collide $title, where the hash key is known', async ({ mask, many }) => {
  const [chosen, any] = [await cost(0n, 0n, mask, many), await cost(0n, 0n, ANY, many)];
  expect(chosen.find).toBeGreaterThan(5 * any.find);
});
