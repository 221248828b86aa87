import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Engine, engineFactory } from './engine.ts';

/** Where in the engine's own page the tree and a cursor lie. */
const CURSOR_OFFSET = 512;

/** The tree beside a sorted array of its keys, which are strings of bytes (latin1). */
class Pair {
  readonly engine: Engine;
  readonly tree: number;
  readonly cursor: number;
  keys: string[] = [];
  readonly values = new Map<string, string>();
  refused = 0;

  constructor(engine: Engine) {
    this.engine = engine;
    this.tree = engine.table;
    this.cursor = engine.table + CURSOR_OFFSET;
    engine.x.treeInit(this.tree);
  }

  /** How many keys are less. */
  lower(key: string): number {
    let [low, high] = [0, this.keys.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.keys[middle]! < key) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** How many keys are less, or begin with this. */
  past(prefix: string): number {
    let at = this.lower(prefix);
    while (this.keys[at]?.startsWith(prefix)) at++;
    return at;
  }

  find(key: string): number {
    return this.engine.x.treeFind(this.tree, this.engine.put(key), key.length);
  }

  /** Inserts or replaces; false: there was no memory, and nothing has changed. */
  set(key: string, value: string): boolean {
    const { engine, tree } = this;
    const old = this.find(key);
    const entry = engine.x.create(engine.put(key), key.length, engine.put(value, engine.right), value.length);
    const isDone = entry !== 0 && (old ? engine.x.treeReplace(tree, old, entry) === 1 : engine.x.treeInsert(tree, entry) === 1);
    if (entry && !isDone) engine.x.destroy(entry);
    if (!isDone) {
      this.refused++;
      return false;
    }
    if (old) engine.x.destroy(old);
    else this.keys.splice(this.lower(key), 0, key);
    this.values.set(key, value);
    return true;
  }

  delete(key: string): void {
    const entry = this.engine.x.treeRemove(this.tree, this.engine.put(key), key.length);
    expect(entry !== 0).toBe(this.values.delete(key));
    if (!entry) return;
    expect(this.engine.keyText(entry)).toBe(key);
    this.engine.x.destroy(entry);
    this.keys.splice(this.lower(key), 1);
  }

  check(): void {
    const { x } = this.engine;
    const broken = x.treeCheck(this.tree);
    if (broken) throw new Error(`the tree breaks: ${this.literal(broken)}`);
    const heap = x.heapCheck();
    if (heap) throw new Error(`the heap breaks: ${this.literal(heap)}`);
    expect(x.treeCount(this.tree)).toBe(this.keys.length);
  }

  private literal(pointer: number): string {
    const length = new DataView(this.engine.memory.buffer).getUint32(pointer - 4, true);
    return Buffer.from(this.engine.bytes(pointer, length)).toString('utf16le');
  }

  /** Compares what a search for this key finds, in every way. */
  probe(key: string): void {
    const { engine, tree, cursor } = this;
    const { x } = engine;
    const pointer = engine.put(key);
    const [at, past] = [this.lower(key), this.past(key)];
    const found = x.treeFind(tree, pointer, key.length);
    expect(found ? engine.keyText(found) : undefined).toBe(this.values.has(key) ? key : undefined);
    if (found) expect(engine.valueText(found)).toBe(this.values.get(key));
    expect(x.treeRank(tree, pointer, key.length) >>> 0).toBe(at);
    const entry = x.treeAt(tree, at);
    expect(entry ? engine.keyText(entry) : undefined).toBe(this.keys[at]);
    x.cursorSeek(cursor, tree, pointer, key.length);
    this.expectGap(at);
    x.cursorSeekAfter(cursor, tree, pointer, key.length);
    this.expectGap(this.values.has(key) ? at + 1 : at);
    x.cursorSeekPast(cursor, tree, pointer, key.length);
    this.expectGap(past);
    x.cursorSeekAt(cursor, tree, at);
    this.expectGap(at);
  }

  /** The cursor is before this entry: one step in each direction, there and back. */
  private expectGap(at: number): void {
    const { x } = this.engine;
    const text = (entry: number): string | undefined => (entry ? this.engine.keyText(entry) : undefined);
    const back = text(x.cursorPrevious(this.cursor));
    expect(back).toBe(this.keys[at - 1]);
    if (back !== undefined) expect(text(x.cursorNext(this.cursor))).toBe(back);
    const on = text(x.cursorNext(this.cursor));
    expect(on).toBe(this.keys[at]);
    if (on !== undefined) expect(text(x.cursorPrevious(this.cursor))).toBe(on);
  }

  /** The whole content, forwards and back. */
  expectContent(): void {
    const { engine, tree, cursor } = this;
    const { x } = engine;
    this.check();
    const all: string[] = [];
    x.cursorSeekFirst(cursor, tree);
    for (let entry = x.cursorNext(cursor); entry; entry = x.cursorNext(cursor)) all.push(engine.keyText(entry));
    expect(all).toEqual(this.keys);
    const back: string[] = [];
    x.cursorSeekLast(cursor, tree);
    for (let entry = x.cursorPrevious(cursor); entry; entry = x.cursorPrevious(cursor)) back.push(engine.keyText(entry));
    expect(back.reverse()).toEqual(this.keys);
  }

  /** Removes everything: no memory stays. */
  empty(): void {
    for (const key of [...this.keys]) this.delete(key);
    this.check();
    expect(this.engine.x.usedBytes()).toBe(0n);
  }
}

interface Step {
  kind: 'set' | 'delete' | 'probe';
  key: number;
  length: number;
}
const steps = (most: number): fc.Arbitrary<Step[]> =>
  fc.array(
    fc.record({
      kind: fc.constantFrom('set' as const, 'set' as const, 'set' as const, 'delete' as const, 'delete' as const, 'probe' as const),
      key: fc.nat(most),
      length: fc.nat(80),
    }),
    { minLength: 300, maxLength: 1500, size: 'max' },
  );

/** Keys of one number, of every shape: which bytes decide, and where. */
const SHAPES: [string, (key: number) => string][] = [
  ['numbers behind a prefix', (key) => `\x01\x0cuser:${String(key).padStart(7, '0')}`],
  ['prefixes of each other', (key) => 'a'.repeat(key % 40) + 'b'.repeat(key % 3)],
  ['zeros, and the empty key', (key) => '\0'.repeat(key % 45)],
  ['the byte 255', (key) => '\xff'.repeat(key % 37) + '\0'.repeat(key % 5)],
  ['few bytes', (key) => String.fromCharCode(...[key & 3, (key >> 2) & 3, (key >> 4) & 3].map((at) => [0, 1, 254, 255][at]!))],
  ['several tables', (key) => String.fromCharCode(key % 3, 6) + `owner${String(key % 7)}${String.fromCharCode(key & 255, key >> 8)}`],
  ['long, alike but at their ends', (key) => 'x'.repeat(300) + String(key)],
  ['alike but in the middle', (key) => `k${String.fromCharCode(key & 255)}${'y'.repeat(20)}${String(key >> 8)}`],
  ['backwards', (key) => String(99_999 - key)],
];

function run(pair: Pair, all: Step[], keyFor: (key: number) => string): void {
  for (const { kind, key, length } of all) {
    if (kind === 'set') pair.set(keyFor(key), 'v'.repeat(length));
    else if (kind === 'delete') pair.delete(keyFor(key));
    else pair.probe(keyFor(key));
    pair.check();
  }
  pair.expectContent();
  pair.empty();
}

describe('tree', async () => {
  const create = await engineFactory();

  test.each(SHAPES)('behaves as a sorted array: %s', (_name, keyFor) => {
    fc.assert(
      fc.property(steps(600), (all) => {
        run(new Pair(create()), all, keyFor);
      }),
      { seed: 11, numRuns: 12, endOnFailure: true },
    );
  });

  test('behaves as a sorted array: any bytes', () => {
    const key = fc
      .array(fc.oneof(fc.constantFrom(0, 1, 97, 255), fc.nat(255)), { maxLength: 12 })
      .map((bytes) => String.fromCharCode(...bytes));
    fc.assert(
      fc.property(fc.array(key, { minLength: 200, maxLength: 400, size: 'max' }), steps(399), (keys, all) => {
        run(new Pair(create()), all, (at) => keys[at % keys.length]!);
      }),
      { seed: 12, numRuns: 12, endOnFailure: true },
    );
  });

  test('behaves as a sorted array while growth fails at any point', () => {
    let refused = 0;
    fc.assert(
      fc.property(steps(3000), fc.integer({ min: 4, max: 8 }), fc.constantFrom(...SHAPES), (all, maximum, [, keyFor]) => {
        const pair = new Pair(create(maximum));
        run(pair, all, keyFor);
        refused += pair.refused;
      }),
      { seed: 13, numRuns: 40, endOnFailure: true },
    );
    expect(refused).toBeGreaterThan(100);
  });

  test('every allocation of an insert may fail: nothing has changed, and it works afterwards', () => {
    const pair = new Pair(create(64));
    const { engine } = pair;
    const { x } = engine;
    let failed = 0;
    const heights = new Set<number>();
    for (let at = 0; at < 6000; at++) {
      // A third at the end, where nodes are split at their ends; the others anywhere.
      const key = at % 3 ? `key:${String((at * 7919) % 9973).padStart(5, '0')}` : `last:${String(at).padStart(5, '0')}`;
      const entry = x.create(engine.put(key), key.length, 0, 0);
      const before = x.treeHeight(pair.tree);
      const taken: [number, number][] = [];
      const takeAll = (sizes: number[]): void => {
        for (const size of sizes) for (let block = x.alloc(size); block; block = x.alloc(size)) taken.push([block, size]);
      };
      // Each time another part of what a split needs is there: nothing, a leaf, inner nodes.
      const [leaf, ...inner] = [256, 1024, 1024, 1024].slice(0, 1 + (at % 4)).map((size) => [x.alloc(size), size] as const);
      takeAll([1 << 20, 1 << 16, 5952, 1024, 256]);
      if (at % 5 < 3) for (const [block, size] of inner) x.free(block, size);
      if (at % 7 < 4) x.free(leaf![0], leaf![1]);
      const bytes = x.usedBytes();
      const done = x.treeInsert(pair.tree, entry);
      if (!done) {
        failed++;
        expect(x.usedBytes()).toBe(bytes);
        expect(x.treeHeight(pair.tree)).toBe(before);
        pair.check();
      }
      for (const [block, size] of taken) x.free(block, size);
      if (at % 5 >= 3) for (const [block, size] of inner) x.free(block, size);
      if (at % 7 >= 4) x.free(leaf![0], leaf![1]);
      if (!done) expect(x.treeInsert(pair.tree, entry)).toBe(1);
      pair.keys.splice(pair.lower(key), 0, key);
      pair.values.set(key, '');
      heights.add(x.treeHeight(pair.tree));
    }
    expect(failed).toBeGreaterThan(50);
    expect([...heights]).toEqual([0, 1, 2]);
    pair.expectContent();
    pair.empty();
  });

  test('removes without memory', () => {
    const pair = new Pair(create(64));
    const { x } = pair.engine;
    for (let at = 0; at < 9000; at++) pair.set(`key:${(at * 7919) % 9973}`, '');
    const sizes = [1 << 20, 1 << 16, 5952, 4096, 2048, 1024, 512, 256, 128, 64, 32, 16, 8, 4];
    for (const size of sizes) while (x.alloc(size));
    for (const [at, key] of [...pair.keys].entries()) {
      if (at % 4) pair.delete(key);
      if (at % 100 === 0) pair.check();
    }
    pair.expectContent();
  });

  test('an empty tree owns nothing and finds nothing', () => {
    const pair = new Pair(create());
    pair.probe('');
    pair.probe('key');
    pair.delete('key');
    pair.expectContent();
    expect(pair.engine.x.ownedBytes()).toBe(0n);
    pair.set('', '');
    pair.probe('');
    pair.empty();
  });

  test.each([48 * 62, 48 * 62 * 62])('frees a leaf that gets empty and is alone, with the nodes above: after %i in order', (full) => {
    const { x, table: tree } = create();
    x.treeInit(tree);
    expect(x.manyInsert(tree, 0, full, 0)).toBe(full);
    const [bytes, height] = [x.usedBytes(), x.treeHeight(tree)];
    for (let round = 0; round < 2; round++) {
      // All nodes are full: one entry more has a leaf and nodes of its own, and a root above.
      expect(x.manyInsert(tree, full, 1, 0)).toBe(1);
      expect([x.treeCheck(tree), x.treeHeight(tree)]).toEqual([0, height + 1]);
      expect(x.manyRemove(tree, full, 1, 0)).toBe(1);
      expect([x.treeCheck(tree), x.treeHeight(tree), x.usedBytes()]).toEqual([0, height, bytes]);
    }
    expect(x.manyFind(tree, 0, full + 1, 0)).toBe(full);
    expect(x.heapCheck()).toBe(0);
  });

  test('replaces only what it holds', () => {
    const pair = new Pair(create());
    const { engine, tree } = pair;
    const { x } = engine;
    for (let at = 0; at < 3000; at++) pair.set(`key:${at}`, '');
    const other = x.create(engine.put('key:5'), 5, 0, 0);
    const absent = x.create(engine.put('none'), 4, 0, 0);
    expect(x.treeReplace(tree, other, other)).toBe(0);
    expect(x.treeMoved(tree, absent, absent)).toBe(0);
    pair.expectContent();
  });

  test('names the new place of every entry that compaction moves', () => {
    const pair = new Pair(create());
    const { engine, tree } = pair;
    const own: number[] = [];
    for (let at = 0; at < 20_000; at++) {
      const key = `key:${(at * 7919) % 20_011}`;
      // Blocks that the tree does not hold stay where they are.
      if (at % 5000 === 2500) own.push(engine.x.create(engine.put('key:7'), 5, engine.put('v'.repeat(94), engine.right), 94));
      const entry = engine.x.create(engine.put(key), key.length, engine.put('v'.repeat(90), engine.right), 90);
      expect(engine.x.treeInsert(tree, entry)).toBe(1);
      pair.keys.push(key);
      pair.values.set(key, 'v'.repeat(90));
    }
    pair.keys.sort((left, right) => (left < right ? -1 : 1));
    for (const [at, key] of [...pair.keys].entries()) if (at % 9) pair.delete(key);
    const places = (): number[] => pair.keys.map((_, at) => engine.x.treeAt(tree, at));
    const before = places();
    const idle = engine.x.slackBytes();
    while (engine.x.treeCompact(tree, 10_000));
    expect(engine.x.slackBytes()).toBeLessThan(idle / 2n);
    const after = places();
    expect(before.filter((place, at) => place !== after[at]).length).toBeGreaterThan(500);
    pair.expectContent();
    for (const key of pair.keys) pair.probe(key);
    for (const entry of own) {
      expect(engine.keyText(entry)).toBe('key:7');
      engine.x.destroy(entry);
    }
    pair.empty();
  });

  test('release and forget leave an empty tree', () => {
    const { x, table: tree } = create();
    x.treeInit(tree);
    expect(x.manyInsert(tree, 0, 30_000, 1)).toBe(30_000);
    const entries = BigInt(x.usableSize(x.sizeFor(25, 16))) * 30_000n;
    x.treeRelease(tree);
    expect([x.usedBytes(), x.treeCount(tree), x.treeCheck(tree), x.heapCheck()]).toEqual([entries, 0, 0, 0]);
    expect(x.manyInsert(tree, 0, 100, 1)).toBe(100);
    x.heapReset();
    x.treeForget(tree);
    expect([x.treeCount(tree), x.treeCheck(tree), x.manyFind(tree, 0, 100, 1)]).toEqual([0, 0, 0]);
  });
});

describe('a tree of 200,000 entries', async () => {
  const create = await engineFactory();
  const TOTAL = 200_000;

  /** Bytes of the tree for each entry, beyond the entries. */
  const perEntry = ({ x, table }: Engine): number => {
    const count = x.treeCount(table);
    return (Number(x.usedBytes()) - count * x.usableSize(x.sizeFor(25, 16))) / count;
  };

  test.each([
    ['at random', 1, 7.5],
    ['in order', 0, 5.8],
  ])('inserted %s, it has them all, in few bytes, also after deletes at random', (_name, shuffle, most) => {
    const engine = create();
    const { x, table: tree } = engine;
    const cursor = tree + CURSOR_OFFSET;
    x.treeInit(tree);
    let before = 0;
    for (const count of [1000, 20_000, TOTAL]) {
      expect(x.manyInsert(tree, before, count - before, shuffle)).toBe(count - before);
      // And a node for the root.
      expect(perEntry(engine)).toBeLessThan(most + 1024 / count);
      expect(x.treeCheck(tree)).toBe(0);
      before = count;
    }
    expect(x.manyFind(tree, 0, TOTAL, shuffle)).toBe(TOTAL);
    expect(x.manyFind(tree, TOTAL, TOTAL, shuffle)).toBe(0);
    expect(x.manyScan(tree, 0, 1000, shuffle, 100)).toBeGreaterThan(99_000);
    // The sum of all ranks.
    expect(x.manyRank(tree, 0, TOTAL, shuffle) >>> 0).toBe(Number(BigInt.asUintN(32, (BigInt(TOTAL) * BigInt(TOTAL - 1)) / 2n)));
    for (let index = 0; index < TOTAL; index += 997) {
      const entry = x.treeAt(tree, index);
      expect(x.treeRank(tree, x.keyOf(entry), x.keyLength(entry)) >>> 0).toBe(index);
      x.cursorSeekAt(cursor, tree, index);
      expect(x.cursorNext(cursor)).toBe(entry);
    }
    // In the order of numbers: at random where they were inserted so.
    for (let left = TOTAL; left > 5000; left /= 2) {
      expect(x.manyRemove(tree, TOTAL - left, left / 2, shuffle)).toBe(left / 2);
      expect(perEntry(engine)).toBeLessThan(12);
      expect(x.treeCheck(tree)).toBe(0);
    }
    expect(x.heapCheck()).toBe(0);
  });
});
