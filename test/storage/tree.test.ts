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
    const { engine, tree } = this;
    const entry = engine.x.treeRemove(tree, engine.put(key), key.length);
    expect(entry !== 0).toBe(this.values.delete(key));
    if (!entry) return;
    expect(engine.keyText(entry)).toBe(key);
    engine.bytes(entry, engine.x.sizeOf(entry)).fill(0xdd);
    this.keys.splice(this.lower(key), 1);
  }

  /** As delete, and the entry's memory comes back. */
  destroy(key: string): void {
    const entry = this.engine.x.treeRemove(this.tree, this.engine.put(key), key.length);
    expect(entry !== 0).toBe(this.values.delete(key));
    if (!entry) return;
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
    for (const key of [...this.keys]) this.destroy(key);
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
    else if (kind === 'delete') pair.destroy(keyFor(key));
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
});
