import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Engine, engineFactory } from './engine.ts';

const inUse = (engine: Engine): number => Number(engine.x.ownedBytes() - engine.x.freeBytes());

describe('compaction', async () => {
  const create = await engineFactory();

  // Lengths before and after.
  test.each([
    [32, 100],
    [100, 20],
    [500, 1500],
    [3000, 60],
    [60, 3000],
    [9000, 20_000],
    [20_000, 9000],
  ])('after deleting 90 % at random, then refilling with other sizes, memory is at most 1.15 of a fresh fill: %i, %i', (from, to) => {
    const bytes = 50e6;
    const churned = create();
    const { x, table } = churned;
    const total = Math.floor(bytes / (from + 20));
    expect(x.manySet(table, 0, total, from)).toBe(total);
    const left = total - x.manyDelete(table, 0, total, 1);
    expect(left / total).toBeCloseTo(0.1, 2);
    // Deletes alone already bring memory back: at most about as much idle as used.
    expect(x.slackBytes()).toBeLessThan(x.usedBytes() + BigInt(2 << 20));
    const refill = Math.floor((bytes * 0.95) / (to + 20));
    expect(x.manySet(table, total, refill, to)).toBe(refill);
    const fresh = create();
    for (let at = 0; at < total; at++) if (x.isKept(at)) fresh.x.manySet(table, at, 1, from);
    fresh.x.manySet(table, total, refill, to);
    churned.check();
    expect(inUse(churned) / inUse(fresh)).toBeLessThan(1.15);
    expect(Number(x.ownedBytes()) / Number(fresh.x.ownedBytes())).toBeLessThan(1.15);
    expect(x.manyGet(table, 0, total)).toBe(left);
    expect(x.manyGet(table, total, refill)).toBe(refill);
    expect(x.manyWalk(table)).toBe(left + refill);
  });

  test('changes no content, whenever a step comes between', () => {
    const step = fc.record({ key: fc.nat(3000), length: fc.integer({ min: 0, max: 3000 }), remove: fc.boolean(), move: fc.nat(20) });
    fc.assert(
      fc.property(fc.array(step, { minLength: 200, maxLength: 900, size: 'max' }), fc.integer({ min: 1, max: 40 }), (steps, shape) => {
        const engine = create(400);
        const model = new Map<string, string>();
        for (let at = 0; at < 3000; at++) {
          engine.set(`key:${at}`, 'x'.repeat((at * shape) % 2900));
          model.set(`key:${at}`, 'x'.repeat((at * shape) % 2900));
        }
        for (let at = 0; at < 3000; at++) if (at % 11 && model.delete(`key:${at}`)) engine.delete(`key:${at}`);
        for (const [at, next] of steps.entries()) {
          const key = `key:${next.key}`;
          const value = String(at).padEnd(next.length, '.');
          if (next.remove) expect(engine.delete(key)).toBe(model.delete(key));
          else if (engine.set(key, value)) model.set(key, value);
          if (next.move < 8) engine.x.tableCompact(engine.table, next.move * 1000);
          if (at % 16 === 0) engine.check();
        }
        engine.check();
        expect(engine.walk().sort()).toEqual([...model.keys()].sort());
        for (const [key, value] of model) if (engine.get(key) !== value) expect(engine.get(key)).toBe(value);
        engine.x.tableClear(engine.table);
        engine.check();
        expect(engine.x.usedBytes()).toBe(0n);
      }),
      { seed: 7, numRuns: 25 },
    );
  });

  test('leaves fixed blocks and entries that the table does not hold where they are', () => {
    const engine = create();
    const { x } = engine;
    const own: number[] = [];
    for (let at = 0; at < 20_000; at++) {
      engine.set(`key:${at}`, 'v'.repeat(40));
      if (at % 500 === 0) {
        own.push(x.create(engine.put(`own:${at}`), `own:${at}`.length, engine.put('v'.repeat(40), engine.right), 40));
        own.push(x.createFixed(engine.put(`own:${at}`), `own:${at}`.length, engine.put('v'.repeat(40), engine.right), 40));
      }
    }
    for (let at = 0; at < 20_000; at++) if (at % 13) engine.delete(`key:${at}`);
    const before = x.slackBytes();
    while (x.tableCompact(engine.table, 10_000));
    engine.check();
    // Pages that hold one of `own` stay, the others are emptied.
    expect(x.slackBytes()).toBeLessThan(before);
    for (const [at, entry] of own.entries()) expect(engine.keyText(entry)).toBe(`own:${Math.floor(at / 2) * 500}`);
    for (const entry of own) x.destroy(entry);
    for (let at = 0; at < 20_000; at += 13) expect(engine.get(`key:${at}`)).toBe('v'.repeat(40));
    engine.x.tableClear(engine.table);
    engine.check();
    expect(x.usedBytes()).toBe(0n);
  });

  test('a step moves a bounded number of bytes', () => {
    const engine = create();
    const { x, table } = engine;
    for (let at = 0; at < 100_000; at++) engine.set(`key:${at}`, 'v'.repeat(60));
    for (let at = 0; at < 100_000; at++) if (at % 10) engine.delete(`key:${at}`);
    expect(x.compactionDue()).toBe(1);
    const addresses = (): Map<string, number> => {
      const all = new Map<string, number>();
      for (let at = 0; at < 100_000; at += 10) all.set(`key:${at}`, x.tableFind(table, engine.put(`key:${at}`), `key:${at}`.length));
      return all;
    };
    const before = addresses();
    x.tableCompactStep(table, 0);
    const moved = [...addresses()].filter(([key, address]) => before.get(key) !== address).length;
    expect(moved).toBeGreaterThan(0);
    expect(moved).toBeLessThanOrEqual(4096 / 192 + 1);
    let steps = 0;
    while (x.compactionDue()) {
      x.tableCompactStep(table, 0);
      steps++;
    }
    expect(steps).toBeGreaterThan(100);
    engine.check();
  });
});
