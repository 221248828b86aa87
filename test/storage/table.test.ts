import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Engine, engineFactory } from './engine.ts';
import { sipHash } from './siphash.ts';

const K0 = 0x0706050403020100n;
const K1 = 0x0f0e0d0c0b0a0908n;

/** A key whose hash, in the build for tests, is `hash`; `rest` tells keys of one hash apart. */
function keyOfHash(hash: bigint, rest: number | string = ''): string {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt.asUintN(64, hash));
  return bytes.toString('latin1') + String(rest);
}

function expectContent(engine: Engine, model: Map<string, string>): void {
  engine.check();
  expect(engine.x.tableCount(engine.table)).toBe(model.size);
  for (const [key, value] of model) if (engine.get(key) !== value) expect(engine.get(key)).toBe(value);
  expect(engine.walk().sort()).toEqual([...model.keys()].sort());
}

/**
 * Takes all memory that the heap can give, so that the next thing that needs any fails; returns what gives it
 * back.
 */
function exhaust(engine: Engine): () => void {
  const taken: [number, number][] = [];
  for (const size of [1 << 20, 1 << 16, 5952, 4096, 2048, 1024, 512, 256, 128, 64, 16, 4]) {
    for (let block = engine.x.alloc(size); block; block = engine.x.alloc(size)) taken.push([block, size]);
  }
  return () => {
    for (const [block, size] of taken) engine.x.free(block, size);
  };
}

type Step = { kind: 'set'; key: number; length: number } | { kind: 'delete'; key: number } | { kind: 'clear' };
const steps = fc.array(
  fc.oneof(
    { weight: 60, arbitrary: fc.record({ kind: fc.constant('set' as const), key: fc.nat(400), length: fc.nat(300) }) },
    { weight: 40, arbitrary: fc.record({ kind: fc.constant('delete' as const), key: fc.nat(400) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('clear' as const) }) },
  ),
  { maxLength: 400, size: 'max' },
);

/**
 * Runs steps on the engine and a Map; the engine may refuse to set for want of memory, and then nothing may
 * have changed.
 */
function runSteps(engine: Engine, all: Step[], keyFor: (key: number) => string): number {
  const model = new Map<string, string>();
  let refused = 0;
  for (const [at, step] of all.entries()) {
    if (step.kind === 'clear') {
      engine.x.tableClear(engine.table);
      model.clear();
    } else if (step.kind === 'delete') {
      expect(engine.delete(keyFor(step.key))).toBe(model.delete(keyFor(step.key)));
    } else {
      const value = String(at).padEnd(step.length, '.');
      if (engine.set(keyFor(step.key), value)) model.set(keyFor(step.key), value);
      else refused++;
    }
    engine.check();
  }
  expectContent(engine, model);
  engine.x.tableClear(engine.table);
  engine.check();
  expect(engine.x.usedBytes()).toBe(0n);
  return refused;
}

describe('table', async () => {
  const create = await engineFactory();
  const createChosen = await engineFactory(true);

  test('behaves as a Map, whatever the order', () => {
    fc.assert(
      fc.property(steps, (all) => {
        runSteps(create(), all, (key) => `key:${key}`);
      }),
      { seed: 4, numRuns: 60 },
    );
  });

  test('behaves as a Map while growth fails at any point', () => {
    let refused = 0;
    fc.assert(
      fc.property(steps, fc.integer({ min: 2, max: 14 }), (all, maximum) => {
        refused += runSteps(create(maximum), all, (key) => `key:${key}`);
      }),
      { seed: 5, numRuns: 60 },
    );
    expect(refused).toBeGreaterThan(100);
  });

  test('behaves as a Map when hashes share home chunks, tags, or everything', () => {
    for (const [seed, spread] of [0n, 0x0101n, 1n << 60n, (1n << 57n) | 1n, 1n << 20n].entries()) {
      fc.assert(
        fc.property(steps, (all) => {
          runSteps(createChosen(), all, (key) => keyOfHash(BigInt(key) * spread, key));
        }),
        { seed, numRuns: 15 },
      );
    }
  });

  test('an empty table owns nothing', () => {
    const engine = create();
    expect(engine.get('absent')).toBeUndefined();
    expect(engine.delete('absent')).toBe(false);
    expect(engine.x.ownedBytes()).toBe(0n);
    expect(engine.x.tableMemory(engine.table)).toBe(0n);
    expect(engine.walk()).toEqual([]);
    engine.set('only', 'one');
    expect(engine.x.tableMemory(engine.table)).toBe(64n);
    engine.delete('only');
    expect(engine.x.usedBytes()).toBe(0n);
  });

  test('doubles up to one segment, which becomes wide, then splits, then doubles the directory', () => {
    const engine = create();
    const { x, table } = engine;
    const model = new Map<string, string>();
    let last = '';
    const shapes: string[] = [];
    for (let at = 0; at < 6000; at++) {
      engine.set(`key:${at}`, `${at}`);
      model.set(`key:${at}`, `${at}`);
      const shape = `${x.tableDepth(table)}/${x.tableSegments(table)}/${x.tableMemory(table)}`;
      if (shape !== last) {
        shapes.push(shape);
        expectContent(engine, model);
      }
      last = shape;
    }
    expect(shapes.slice(0, 7)).toEqual(['0/1/64', '0/1/128', '0/1/256', '0/1/512', '0/1/1024', '0/1/2048', '0/1/4096']);
    expect(shapes.slice(7, 9)).toEqual(['0/1/5952', '1/2/8200']);
    expect(x.tableDepth(table)).toBeGreaterThanOrEqual(3);
    expect(x.tableStash(table)).toBe(0);
  });

  test('a segment becomes wide when it is full, and is so no longer when it is half empty', () => {
    const engine = create();
    const { x, table } = engine;
    const model = new Map<string, string>();
    const put = (until: bigint) => {
      for (let at = model.size; x.tableMemory(table) !== until; at++) {
        engine.set(`key:${at}`, `${at}`);
        model.set(`key:${at}`, `${at}`);
      }
    };
    put(5952n);
    expect(model.size).toBeGreaterThan(500);
    expectContent(engine, model);
    for (const key of [...model.keys()]) {
      engine.delete(key);
      model.delete(key);
      engine.check();
      if (x.tableMemory(table) === 4096n) break;
    }
    expect(model.size).toBeLessThanOrEqual(480);
    expect(model.size).toBeGreaterThan(200);
    expectContent(engine, model);
    // Beside another: the directory has two.
    put(4096n * 2n + 8n);
    put(4096n + 5952n + 8n);
    expectContent(engine, model);
  });

  test('takes no more than nine bytes for each of many entries, however many they are', () => {
    const engine = create();
    const { x, table } = engine;
    let [most, sum, steps] = [0, 0, 0];
    for (let at = 1; at <= 120_000; at++) {
      engine.set(`key:${at}`, '');
      // Evenly in all of one doubling.
      if (at < 60_000 || Math.floor(Math.log2(at) * 100) === Math.floor(Math.log2(at - 1) * 100)) continue;
      const each = Number(x.tableMemory(table)) / at;
      most = Math.max(most, each);
      sum += each;
      steps++;
    }
    expect(steps).toBeGreaterThan(90);
    expect(most).toBeLessThan(9);
    expect(sum / steps).toBeLessThan(7.3);
  });

  test('hashes that only their low bits tell apart go to the stash, and the directory does not grow for them', () => {
    const engine = createChosen();
    const { x, table } = engine;
    const model = new Map<string, string>();
    for (let at = 0; at < 3000; at++) {
      const key = keyOfHash(0xabcdef0000000000n | BigInt(at & 255), at);
      expect(engine.set(key, `${at}`)).toBe(true);
      model.set(key, `${at}`);
      if (at % 100 === 0) engine.check();
    }
    expectContent(engine, model);
    // One home chunk of a wide segment and the 23 after it hold 288.
    expect(x.tableStash(table)).toBe(3000 - 288);
    expect(Number(x.tableMemory(table))).toBeLessThan(64 * 1024);
    for (const [at, key] of [...model.keys()].entries()) {
      if (at % 3 === 0) continue;
      expect(engine.delete(key)).toBe(true);
      model.delete(key);
      if (at % 100 === 1) expectContent(engine, model);
    }
    // Others are not disturbed, and a split puts what it can into chunks.
    for (let at = 0; at < 3000; at++) {
      const key = keyOfHash(BigInt(at) << 52n, at);
      engine.set(key, 'other');
      model.set(key, 'other');
    }
    expectContent(engine, model);
    for (const key of model.keys()) engine.delete(key);
    expect(x.usedBytes()).toBe(0n);
  });

  test('equal hashes past the limit of the overflow count', () => {
    const engine = createChosen();
    const total = 66_000;
    for (let at = 0; at < total; at++) {
      const pointer = engine.put(keyOfHash(5n, at));
      const length = 8 + String(at).length;
      const entry = engine.x.create(pointer, length, 0, 0);
      expect(engine.x.tableReserve(engine.table, 5n)).toBe(1);
      engine.x.tableInsert(engine.table, 5n, entry);
    }
    expect(engine.x.tableStash(engine.table)).toBe(total - 288);
    for (let at = 65_990; at >= 65_900; at--) expect(engine.delete(keyOfHash(5n, at))).toBe(true);
    expect(engine.get(keyOfHash(5n, 65_999))).toBe('');
    expect(engine.get(keyOfHash(5n, 1))).toBe('');
    expect(engine.get(keyOfHash(5n, 65_950))).toBeUndefined();
    expect(new Set(engine.walk()).size).toBe(total - 91);
    engine.x.tableClear(engine.table);
    expect(engine.x.usedBytes()).toBe(0n);
  });

  test('a full chunk overflows into the next ones, round the end of its segment', () => {
    const engine = createChosen();
    const model = new Map<string, string>();
    // Enough for 64 chunks, then 30 entries whose home is the last of them.
    for (let at = 0; at < 400; at++) model.set(keyOfHash(BigInt(at % 64) << 58n, `f${at}`), 'fill');
    for (let at = 0; at < 30; at++) model.set(keyOfHash((63n << 58n) | BigInt(at), `w${at}`), 'wrapped');
    for (const [key, value] of model) engine.set(key, value);
    expect(engine.x.tableSegments(engine.table)).toBe(1);
    expectContent(engine, model);
    for (const key of [...model.keys()].filter((_, at) => at % 2 === 0)) {
      engine.delete(key);
      model.delete(key);
      engine.check();
    }
    expectContent(engine, model);
  });

  test('memory comes back as entries go', () => {
    const engine = create();
    const { x, table } = engine;
    const total = 50_000;
    for (let at = 0; at < total; at++) engine.set(`key:${at}`, 'value');
    const full = Number(x.tableMemory(table));
    for (let at = 0; at < total; at++) if (at % 50 !== 0) engine.delete(`key:${at}`);
    engine.check();
    expect(x.tableCount(table)).toBe(total / 50);
    expect(Number(x.tableMemory(table))).toBeLessThan(full / 12);
    expect(x.tableDepth(table)).toBeLessThanOrEqual(4);
    for (let at = 0; at < total; at += 50) engine.delete(`key:${at}`);
    expect(x.usedBytes()).toBe(0n);
    expect(x.freeBytes()).toBeGreaterThanOrEqual(x.ownedBytes() - 2n * 65536n);
  });

  test('forget after a reset of the heap leaves an empty table that works', () => {
    const engine = create();
    for (let at = 0; at < 5000; at++) engine.set(`key:${at}`, 'value');
    engine.x.heapReset();
    engine.x.tableForget(engine.table);
    engine.check();
    expect(engine.get('key:1')).toBeUndefined();
    engine.set('key:1', 'again');
    expectContent(engine, new Map([['key:1', 'again']]));
  });
});

describe('two-phase writes', async () => {
  const create = await engineFactory();
  const createChosen = await engineFactory(true);

  test('reserve fails at each point where the table would grow, without any change, and works when memory is there again', () => {
    const total = 4000;
    const rehearsal = create();
    const growing = new Set<number>();
    for (let at = 0, memory = 0n; at < total; at++) {
      rehearsal.set(`key:${at}`, 'v');
      const now = rehearsal.x.tableMemory(rehearsal.table);
      if (now !== memory) growing.add(at);
      memory = now;
    }
    const engine = create(40);
    const { x, table } = engine;
    const model = new Map<string, string>();
    for (let at = 0; at < total; at++) {
      const key = `key:${at}`;
      if (growing.has(at)) {
        const giveBack = exhaust(engine);
        const hash = x.tableHash(table, engine.put(key), key.length);
        expect(x.tableReserve(table, hash)).toBe(0);
        expectContent(engine, model);
        giveBack();
      }
      expect(engine.set(key, 'v')).toBe(true);
      model.set(key, 'v');
    }
    expect(growing.size).toBeGreaterThan(12);
    expectContent(engine, model);
  });

  test('replace and remove need no memory', () => {
    const engine = create(40);
    const { x, table } = engine;
    for (let at = 0; at < 4000; at++) engine.set(`key:${at}`, 'v');
    const fresh = x.create(engine.put('key:7'), 5, engine.put('new', engine.right), 3);
    const giveBack = exhaust(engine);
    const hash = x.tableHash(table, engine.put('key:7'), 5);
    const old = x.tableReplace(table, x.tableLookup(table, engine.left, 5, hash), fresh);
    expect(engine.valueText(old)).toBe('v');
    x.destroy(old);
    expect(engine.get('key:7')).toBe('new');
    for (let at = 0; at < 4000; at += 2) expect(engine.delete(`key:${at}`)).toBe(true);
    engine.check();
    giveBack();
    engine.check();
  });

  test.each([
    ['different', (at: number) => BigInt.asUintN(64, BigInt(at) * 0x9e3779b97f4a7c15n)],
    ['equal', () => 77n],
  ])('after reserveMany no insert fails, though memory is out: %s hashes', (_name, hashOf) => {
    const engine = createChosen(60);
    const { x, table } = engine;
    const model = new Map<string, string>();
    for (let at = 0; at < 700; at++) {
      engine.set(keyOfHash(hashOf(at), at), 'before');
      model.set(keyOfHash(hashOf(at), at), 'before');
    }
    expect(x.tableReserveMany(table, 300)).toBe(1);
    const entries = Array.from({ length: 300 }, (_, at) => {
      const key = keyOfHash(hashOf(at + 1000), at + 1000);
      model.set(key, '');
      return [hashOf(at + 1000), x.create(engine.put(key), key.length, 0, 0)] as const;
    });
    const giveBack = exhaust(engine);
    for (const [hash, entry] of entries) x.tableInsert(table, hash, entry);
    expectContent(engine, model);
    giveBack();
    expectContent(engine, model);
  });
});

describe('walks', async () => {
  const create = await engineFactory();
  const createChosen = await engineFactory(true);

  test('go in the order of the hash, each step one range of it', () => {
    const engine = create();
    for (const total of [1, 30, 700, 20_000]) {
      for (let at = 0; at < total; at++) engine.set(`key:${at}`, '');
      let cursor = 0n;
      let count = 0;
      do {
        const step = engine.step(cursor);
        const end = step.cursor || 1n << 48n;
        expect(end).toBeGreaterThan(cursor);
        for (const key of step.keys) {
          const hash = sipHash(1, 3, K0, K1, Buffer.from(key)) >> 16n;
          expect(hash >= cursor && hash < end).toBe(true);
        }
        count += step.keys.length;
        cursor = step.cursor;
      } while (cursor);
      expect(count).toBe(total);
    }
  });

  test('meet every entry that stays, whatever is inserted, deleted, split and merged meanwhile', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 3000 }),
        fc.array(fc.integer({ min: -1500, max: 1500 }), { minLength: 1, maxLength: 60 }),
        fc.integer({ min: 1, max: 90 }),
        (initial, changes, pause) => {
          const engine = create();
          const stay = Array.from({ length: 100 }, (_, at) => `stay:${at}`);
          for (const key of stay) engine.set(key, '');
          let [low, high] = [0, 0];
          const change = (by: number): void => {
            for (; by > 0; by--) engine.set(`go:${high++}`, '');
            for (; by < 0 && low < high; by++) engine.delete(`go:${low++}`);
          };
          change(initial);
          const seen = new Set<string>();
          let cursor = 0n;
          let turn = 0;
          let left = 40;
          do {
            const step = engine.step(cursor);
            for (const key of step.keys) seen.add(key);
            cursor = step.cursor;
            if (++turn % pause === 0 && left-- > 0) change(changes[(turn / pause) % changes.length]!);
          } while (cursor);
          engine.check();
          for (const key of stay) expect(seen).toContain(key);
        },
      ),
      { seed: 6, numRuns: 60 },
    );
  });

  test('meet entries of the stash too, while it changes', () => {
    const engine = createChosen();
    for (let at = 0; at < 500; at++) engine.set(keyOfHash(9n << 50n, `stay${at}`), '');
    for (let at = 0; at < 3000; at++) engine.set(keyOfHash(BigInt.asUintN(64, BigInt(at) * 0x9e3779b97f4a7c15n), `go${at}`), '');
    const seen: string[] = [];
    let cursor = 0n;
    let turn = 0;
    do {
      const step = engine.step(cursor);
      seen.push(...step.keys);
      cursor = step.cursor;
      for (let at = 0; at < 20; at++, turn++) engine.delete(keyOfHash(BigInt.asUintN(64, BigInt(turn) * 0x9e3779b97f4a7c15n), `go${turn}`));
    } while (cursor);
    engine.check();
    const stayed = seen.filter((key) => key.includes('stay'));
    expect(new Set(stayed).size).toBe(500);
  });

  test.each([
    ['spread', create, (at: number) => `key:${at}`] as const,
    ['equal hashes', createChosen, (at: number) => keyOfHash(3n, at)] as const,
  ])('the entry just given may be removed: a walk that removes all it meets leaves nothing: %s', (_name, factory, keyFor) => {
    const engine = factory();
    const { x, table } = engine;
    for (let at = 0; at < 3000; at++) engine.set(keyFor(at), '');
    let removed = 0;
    let cursor = 0n;
    do {
      x.tableSeek(table, cursor);
      for (let entry = x.tableNext(table); entry; entry = x.tableNext(table)) {
        const hash = x.tableHash(table, x.keyOf(entry), x.keyLength(entry));
        x.destroy(x.tableRemove(table, x.tableSlotOf(table, entry), hash));
        removed++;
        if (removed % 500 === 0) engine.check();
      }
      cursor = BigInt.asUintN(64, x.tableCursor(table));
    } while (cursor);
    expect(removed).toBe(3000);
    expect(x.usedBytes()).toBe(0n);
  });
});
