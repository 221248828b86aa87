import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Engine, engineFactory } from './engine.ts';

const LEVELS = 7;
const TICK = 64;
const NODE = 8;
const NOW = Date.UTC(2026, 0, 2, 3, 4, 5, 678);
const YEAR = 365 * 86_400_000;
const YEAR_9999 = Date.UTC(9999, 11, 31, 23, 59, 59, 999);

/** A wheel and what its owner knows: the true deadline of each node. */
class Owner {
  readonly engine: Engine;
  readonly wheel: number;
  readonly deadlines = new Map<number, number>();
  /** How often each node was taken before its deadline. */
  early = 0;
  private readonly free: number[] = [];
  private fresh: number;
  private takes = 0;

  constructor(engine: Engine) {
    this.engine = engine;
    this.wheel = engine.left;
    this.fresh = this.wheel + engine.x.wheelBytes() + 1;
    engine.x.wheelInit(this.wheel);
  }

  private place(): number {
    const node = this.free.pop() ?? this.fresh;
    if (node === this.fresh) this.fresh += NODE + 3;
    return node;
  }

  add(deadline: number): number {
    const node = this.place();
    this.engine.x.wheelInsert(this.wheel, node, BigInt(deadline));
    this.deadlines.set(node, deadline);
    return node;
  }

  remove(node: number): void {
    this.engine.x.wheelRemove(this.wheel, node);
    this.forget(node);
  }

  private forget(node: number): void {
    this.deadlines.delete(node);
    this.engine.bytes(node, NODE).fill(0xdd);
    this.free.push(node);
  }

  /** Copies the node elsewhere, as compaction does. */
  move(node: number): number {
    const to = this.place();
    this.engine.bytes(to, NODE).set(this.engine.bytes(node, NODE));
    this.engine.bytes(node, NODE).fill(0xdd);
    this.engine.x.wheelMoved(this.wheel, node, to);
    this.deadlines.set(to, this.deadlines.get(node) ?? 0);
    this.deadlines.delete(node);
    this.free.push(node);
    return to;
  }

  /** Takes a node, from either end by turns. */
  private take(now: number): number {
    return this.engine.x.wheelTake(this.wheel, BigInt(now), this.takes++ & 1) >>> 0;
  }

  /** The deadline of a node that was taken, or NaN where that is later and it is inserted again. */
  private settle(node: number, now: number): number {
    const deadline = this.deadlines.get(node);
    if (deadline === undefined) throw new Error('a node that is not in the wheel');
    if (deadline > now) {
      this.early++;
      this.engine.x.wheelInsert(this.wheel, node, BigInt(deadline));
      return NaN;
    }
    this.forget(node);
    return deadline;
  }

  /** One take: the deadline of what expired, NaN as settle, undefined where none has come. */
  step(now: number): number | undefined {
    const node = this.take(now);
    return node ? this.settle(node, now) : undefined;
  }

  /** Takes until nothing is due, up to `batch` before the first is inserted again: the deadlines, sorted. */
  sweep(now: number, batch = 16): number[] {
    const taken: number[] = [];
    for (let more = true; more;) {
      const nodes: number[] = [];
      for (let node = -1; node && nodes.length < batch;) if ((node = this.take(now))) nodes.push(node);
      more = nodes.length > 0;
      for (const node of nodes) {
        const deadline = this.settle(node, now);
        if (!isNaN(deadline)) taken.push(deadline);
      }
    }
    return taken.sort((left, right) => left - right);
  }

  check(): void {
    expect(this.engine.x.wheelCheck(this.wheel)).toBe(0);
    expect(this.engine.x.wheelCount(this.wheel)).toBe(this.deadlines.size);
  }
}

describe('the timing wheel', async () => {
  const create = await engineFactory(true);
  const owner = (): Owner => new Owner(create());

  const span = fc.oneof(
    fc.integer({ min: -1000, max: 1000 }),
    fc.integer({ min: -100_000, max: 100_000 }),
    fc.integer({ min: 0, max: 30 * 86_400_000 }),
    fc.integer({ min: 0, max: 10 * YEAR }),
    fc.constantFrom(YEAR_9999 - NOW, 0, TICK, 64 * TICK, 4096 * TICK, 262_144 * TICK),
  );
  const step = fc.oneof(
    fc.record({ op: fc.constant('add'), by: span, at: fc.nat() }),
    fc.record({ op: fc.constant('add'), by: span, at: fc.nat() }),
    fc.record({ op: fc.constant('remove'), by: fc.constant(0), at: fc.nat() }),
    fc.record({ op: fc.constant('move'), by: fc.constant(0), at: fc.nat() }),
    fc.record({ op: fc.constant('later'), by: span, at: fc.nat() }),
    fc.record({ op: fc.constant('step'), by: fc.constant(0), at: fc.nat() }),
    fc.record({ op: fc.constant('sweep'), by: fc.constant(0), at: fc.nat() }),
    fc.record({ op: fc.constant('clock'), by: fc.oneof(fc.integer({ min: 0, max: 200 }), span), at: fc.nat() }),
    fc.record({ op: fc.constant('back'), by: fc.oneof(fc.integer({ min: 0, max: 200 }), span), at: fc.nat() }),
  );

  test('gives what a sorted list gives, to 64 ms, whatever the clock does', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 300, size: 'max' }), fc.boolean(), (steps, started) => {
        const all = owner();
        let now = NOW;
        if (started) expect(all.sweep(now)).toEqual([]);
        for (const { op, by, at } of steps) {
          const nodes = [...all.deadlines.keys()];
          const node = nodes[at % nodes.length];
          if (op === 'add') all.add(Math.min(now + by, YEAR_9999));
          else if (op === 'clock') now = Math.min(now + Math.abs(by), YEAR_9999);
          else if (op === 'back') now = Math.max(now - Math.abs(by), 0);
          else if (op === 'step') all.step(now);
          else if (op === 'sweep') {
            const due = [...all.deadlines.values()].filter((deadline) => deadline <= now - TICK).sort((left, right) => left - right);
            const latest = [...all.deadlines.values()].filter((deadline) => deadline <= now).length;
            const taken = all.sweep(now, 1 + (at % 20));
            expect(taken.slice(0, due.length)).toEqual(due);
            expect(taken.length).toBeLessThanOrEqual(latest);
          } else if (node !== undefined && op === 'remove') all.remove(node);
          else if (node !== undefined && op === 'move') all.move(node);
          else if (node !== undefined && op === 'later')
            all.deadlines.set(node, Math.min(Math.max(all.deadlines.get(node) ?? 0, now + by), YEAR_9999));
          if (at % 4 === 0) all.check();
        }
        // At the end of time the wheel is empty.
        const left = all.deadlines.size;
        expect(all.sweep(YEAR_9999 + 11 * YEAR)).toHaveLength(left);
        all.check();
        expect(all.deadlines.size).toBe(0);
      }),
      { seed: 11, numRuns: 300 },
    );
  });

  test('gives each node within 64 ms of its deadline, never before it', () => {
    for (const offset of [0, 1, 63, 64, 65, 4095, 4096, 4097, 262_144, 262_207, 1_800_000, 86_400_000]) {
      const all = owner();
      all.sweep(NOW);
      all.add(NOW + offset);
      expect(all.sweep(NOW + offset - 1)).toEqual([]);
      expect(all.sweep(NOW + offset + TICK)).toEqual([NOW + offset]);
      all.check();
    }
  });

  test('deals a node out at most once per level, in steps that look at a bounded number of slots', () => {
    const all = owner();
    const { x } = all.engine;
    all.sweep(NOW);
    let seed = 1;
    const random = (): number => (seed = (seed * 48_271) % 0x7fffffff) / 0x7fffffff;
    const count = 1500;
    for (let at = 0; at < count; at++) all.add(NOW + Math.floor(random() ** 4 * 30 * 86_400_000));
    const steps = LEVELS * count;
    let calls = 0;
    let most = 0;
    for (let now = NOW; all.deadlines.size > 0; now += 3_600_000) {
      for (let before = x.wheelProbes(); all.step(now) !== undefined; before = x.wheelProbes()) {
        most = Math.max(most, x.wheelProbes() - before);
        calls++;
      }
    }
    expect(most).toBeLessThanOrEqual(LEVELS);
    expect(calls).toBeLessThanOrEqual(steps);
    expect(all.early).toBeLessThanOrEqual(steps - count);
    expect(all.early).toBeGreaterThan(0);
  });

  test('passes over idle time, forwards and back, without walking through it', () => {
    const all = owner();
    const { x } = all.engine;
    all.sweep(NOW);
    all.add(YEAR_9999);
    for (const now of [NOW + 1, NOW + YEAR, NOW + 1000 * YEAR]) {
      const before = x.wheelProbes();
      expect(all.sweep(now)).toEqual([]);
      expect(x.wheelProbes() - before).toBeLessThanOrEqual(LEVELS * LEVELS);
    }
    for (const now of [NOW + 999 * YEAR, NOW, 0, -1]) {
      const before = x.wheelProbes();
      expect(all.sweep(now)).toEqual([]);
      expect(x.wheelProbes() - before).toBeLessThanOrEqual(LEVELS * 65 + LEVELS);
    }
    all.check();
    expect(all.sweep(YEAR_9999 + TICK)).toEqual([YEAR_9999]);
  });

  test('a clock that was years ahead for a moment delays nothing that is inserted then or later', () => {
    const all = owner();
    all.sweep(NOW);
    all.add(NOW + 5000);
    expect(all.sweep(NOW + 10 * YEAR)).toEqual([NOW + 5000]);
    all.add(NOW + 10 * YEAR + 1000);
    all.add(NOW + 3000);
    all.add(NOW + 90_000);
    expect(all.sweep(NOW)).toEqual([]);
    expect(all.sweep(NOW + 3000 + TICK)).toEqual([NOW + 3000]);
    expect(all.sweep(NOW + 90_000 + TICK)).toEqual([NOW + 90_000]);
    all.check();
    expect(all.sweep(NOW + 10 * YEAR + 1000 + TICK)).toHaveLength(1);
  });

  test('a deadline before the first tick, and one after the last, are kept until they have come', () => {
    const all = owner();
    const last = 9e15;
    all.add(last);
    all.add(-5);
    all.add(0);
    expect(all.sweep(TICK)).toEqual([-5, 0]);
    all.check();
    expect(all.deadlines.size).toBe(1);
  });

  test('check notices a broken link, a wrong bitmap and a wrong number', () => {
    const broken = (poke: (all: Owner, node: number) => void): number => {
      const all = owner();
      all.sweep(NOW);
      const node = all.add(NOW + 100_000);
      all.add(NOW + 100_000);
      poke(all, node);
      return all.engine.x.wheelCheck(all.wheel);
    };
    const word = (all: Owner, address: number): Uint32Array => new Uint32Array(all.engine.memory.buffer.slice(address, address + 4));
    const set = (all: Owner, address: number, value: number): void => {
      all.engine.bytes(address, 4).set(new Uint8Array(Uint32Array.of(value).buffer));
    };
    expect(broken(() => undefined)).toBe(0);
    expect(
      broken((all, node) => {
        set(all, node + 4, 1);
      }),
    ).toBe(1);
    expect(
      broken((all) => {
        set(all, all.wheel + 16, 1);
      }),
    ).toBe(2);
    expect(
      broken((all) => {
        set(all, all.wheel, (word(all, all.wheel)[0] ?? 0) + 1);
      }),
    ).toBe(3);
    expect(
      broken((all) => {
        set(all, all.wheel + 8, 0x7fffffff);
      }),
    ).toBe(4);
  });
});
