import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Engine, engineFactory } from './engine.ts';

const PAGE = 65536;
const size = fc.oneof(
  fc.integer({ min: 0, max: 300 }),
  fc.integer({ min: 200, max: 4200 }),
  fc.integer({ min: 2049, max: 40_000 }),
  fc.integer({ min: 60_000, max: 400_000 }),
  fc.constantFrom(64, 2048, 2049, 4096, 4097, PAGE - 20, PAGE - 16, PAGE, 16 * PAGE - 20, 16 * PAGE),
);

type Step = { kind: 'alloc'; size: number; movable: boolean } | { kind: 'free'; which: number } | { kind: 'foreign'; pages: number };
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('alloc' as const), size, movable: fc.boolean() }) },
  { weight: 5, arbitrary: fc.record({ kind: fc.constant('free' as const), which: fc.nat() }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('foreign' as const), pages: fc.integer({ min: 1, max: 3 }) }) },
);

interface Block {
  pointer: number;
  size: number;
  mark: number;
}

/**
 * A heap beside a list of what it should hold; each block is filled with a mark of its own, so that an
 * overlap shows.
 */
class Model {
  readonly engine: Engine;
  blocks: Block[] = [];
  used = 0;
  private marks = 0;

  constructor(engine: Engine) {
    this.engine = engine;
  }

  alloc(bytes: number, movable: boolean): boolean {
    const { x } = this.engine;
    const pointer = (movable ? x.allocMovable(bytes) : x.alloc(bytes)) >>> 0;
    if (!pointer) return false;
    const usable = x.usableSize(bytes);
    // usableSize counts a large block's header.
    const room = bytes > 2048 && bytes !== 4096 ? usable - 4 : usable;
    expect(room).toBeGreaterThanOrEqual(bytes);
    this.adopt({ pointer, size: room, mark: 0 });
    this.blocks.at(-1).size = bytes;
    this.engine.bytes(pointer, room).fill(this.blocks.at(-1).mark);
    this.used += usable;
    return true;
  }

  private adopt(block: Block): void {
    this.marks = (this.marks + 1) & 255;
    this.blocks.push({ ...block, mark: this.marks });
  }

  free(which: number): void {
    const [block] = this.blocks.splice(which % this.blocks.length, 1);
    if (!block) return;
    expect(Buffer.alloc(block.size, block.mark).equals(this.engine.bytes(block.pointer, block.size))).toBe(true);
    this.engine.x.free(block.pointer, block.size);
    this.used -= this.engine.x.usableSize(block.size);
  }

  /** Another user of the memory takes pages, and marks them. */
  foreign(pages: number): void {
    let first: number;
    try {
      first = this.engine.memory.grow(pages);
    } catch {
      return;
    }
    this.engine.bytes(first * PAGE, pages * PAGE).fill(0xf0);
    this.foreignPages.push({ pointer: first * PAGE, size: pages * PAGE, mark: 0xf0 });
  }
  readonly foreignPages: Block[] = [];

  check(): void {
    expect(this.engine.x.heapCheck()).toBe(0);
    expect(Number(this.engine.x.usedBytes())).toBe(this.used);
  }

  end(): void {
    while (this.blocks.length) this.free(0);
    this.check();
    for (const area of this.foreignPages) {
      expect(Buffer.alloc(area.size, area.mark).equals(this.engine.bytes(area.pointer, area.size))).toBe(true);
    }
  }
}

/** Steps take up to 16 pages at once. */
function expectKept(pages: number, wanted: number): void {
  expect(pages).toBeLessThanOrEqual(wanted);
  expect(pages).toBeGreaterThan(wanted - 16);
}

describe('heap', async () => {
  const create = await engineFactory();

  test('no block overlaps, none is lost, sizes add up, whatever the order and the limit of growth', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120 }), fc.integer({ min: 2, max: 90 }), (steps, maximum) => {
        const model = new Model(create(maximum));
        for (const next of steps) {
          if (next.kind === 'alloc') model.alloc(next.size, next.movable);
          else if (next.kind === 'foreign') model.foreign(next.pages);
          else if (model.blocks.length) model.free(next.which);
          model.check();
        }
        model.end();
        // All is free again but the notes and at most one spare slab.
        const { x } = model.engine;
        expect(x.pagesOwned() - x.pagesFree()).toBeLessThanOrEqual(2);
      }),
      { seed: 3, numRuns: 250 },
    );
  });

  test('every size class gives blocks that hold their size, and full pages', () => {
    const engine = create();
    for (let bytes = 1; bytes <= 2048; bytes++) {
      const usable = engine.x.usableSize(bytes);
      expect(usable).toBeGreaterThanOrEqual(bytes);
      expect(usable - bytes).toBeLessThanOrEqual(Math.max(3, bytes / 32));
      expect(engine.x.usableSize(usable)).toBe(usable);
    }
  });

  test('blocks whose size is a power of two are aligned to it', () => {
    const engine = create();
    for (const bytes of [64, 128, 256, 512, 1024, 2048, 4096]) {
      for (let count = 0; count < 40; count++) expect((engine.x.alloc(bytes) >>> 0) % bytes).toBe(0);
    }
  });

  test('grows by 1 MiB, by less where only less can be had, and fails cleanly at the limit', () => {
    const engine = create(25);
    const { x, memory } = engine;
    x.alloc(12);
    expect(memory.buffer.byteLength / PAGE).toBe(2 + 16);
    const blocks: number[] = [];
    for (let block = x.alloc(4096); block; block = x.alloc(4096)) blocks.push(block);
    expect(memory.buffer.byteLength / PAGE).toBe(25);
    // 23 pages: one of notes, one of the small block, 16 blocks in each of the rest.
    expect(blocks.length).toBe(21 * 16);
    const before = x.usedBytes();
    expect(x.alloc(12)).not.toBe(0);
    expect(x.alloc(100)).toBe(0);
    expect(x.alloc(5000)).toBe(0);
    expect(x.heapCheck()).toBe(0);
    x.free(blocks.pop()!, 4096);
    expect(x.alloc(4096)).not.toBe(0);
    expect(x.usedBytes()).toBe(before + 12n);
  });

  test('a fuller slab is used before an emptier one, so that the emptier can become free', () => {
    const engine = create();
    const { x } = engine;
    const blocks = Array.from({ length: 96 }, () => x.alloc(2048) >>> 0);
    const page = (block: number): number => Math.floor(block / PAGE);
    const ofPage = (number: number): number[] => blocks.filter((block) => page(block) === number);
    const [first, second] = [page(blocks[0]!), page(blocks[32]!)];
    for (const block of ofPage(first).slice(0, 30)) x.free(block, 2048);
    for (const block of ofPage(second).slice(0, 4)) x.free(block, 2048);
    for (let count = 0; count < 4; count++) expect(page(x.alloc(2048) >>> 0)).toBe(second);
    expect(page(x.alloc(2048) >>> 0)).toBe(first);
  });

  test('free pages that end the memory become part of a longer run', () => {
    const engine = create(40);
    const { x } = engine;
    x.alloc(1);
    const block = x.alloc(30 * PAGE) >>> 0;
    expect(block).toBeGreaterThan(0);
    expect(engine.memory.buffer.byteLength / PAGE).toBeLessThan(40);
    expect(x.heapCheck()).toBe(0);
  });

  test('a run may cross into a group of pages that has no notes yet', () => {
    const engine = create();
    // The first growth ends the first 2048 pages; the next one continues its free pages and needs notes for
    // the second 2048.
    engine.memory.grow(2048 - 16 - 2);
    engine.x.alloc(1);
    expect(engine.x.alloc(20 * PAGE - 100)).not.toBe(0);
    expect(engine.memory.buffer.byteLength / PAGE).toBe(2048 + 16);
    expect(engine.x.heapCheck()).toBe(0);
  });

  test('reset gives everything back at once, foreign pages stay untouched', () => {
    const model = new Model(create(300));
    for (let round = 0; round < 3; round++) {
      for (let count = 0; count < 400; count++) {
        model.alloc((count * 37) % 9000, count % 2 === 0);
        if (count % 100 === 0) model.foreign(1);
      }
      model.check();
      model.engine.x.heapReset();
      model.blocks = [];
      model.used = 0;
      model.check();
      expect(model.engine.x.freeBytes()).toBe(model.engine.x.ownedBytes() - BigInt(PAGE));
    }
    model.end();
  });

  test('pages that become free go back to the system, but for 4 MiB, and can be used again', () => {
    const model = new Model(create());
    const { engine } = model;
    const { x } = engine;
    for (let count = 0; count < 2000; count++) model.alloc(1000 + count * 20, count % 2 === 0);
    expect(engine.discardStep()).toBe(false);
    const kept = model.blocks.length / 10;
    while (model.blocks.length > kept) model.free((model.blocks.length * 7919) | 0);
    const [before, free] = [x.pagesIdle(), x.pagesFree()];
    expect(before).toBeGreaterThan(200);
    while (engine.discardStep()) model.check();
    expectKept(x.pagesIdle(), 64);
    expect(engine.discarded).toBe(before - x.pagesIdle());
    expect(x.pagesFree()).toBe(free);
    const owned = x.pagesOwned();
    for (let count = 200; count < 2000; count++) model.alloc(1000 + count * 20, count % 2 === 0);
    expect(x.pagesOwned()).toBeLessThan(1.1 * owned);
    expect(x.pagesIdle()).toBeLessThan(64);
    model.end();
    while (engine.discardStep());
    expectKept(x.pagesIdle(), 64);
  });

  test('of large memory a sixteenth of what is in use stays resident', () => {
    const engine = create();
    const { x } = engine;
    const blocks = Array.from({ length: 256 }, () => x.alloc(16 * PAGE - 100));
    for (const block of blocks.splice(0, 128)) x.free(block, 16 * PAGE - 100);
    while (engine.discardStep());
    expectKept(x.pagesIdle(), Math.floor((x.pagesOwned() - x.pagesFree()) / 16));
    expect(x.heapCheck()).toBe(0);
  });

  test('pages that are soon used again stay', () => {
    const engine = create();
    const { x } = engine;
    for (let round = 0; round < 100; round++) {
      x.free(x.alloc(3 << 20), 3 << 20);
      expect(engine.discardStep()).toBe(false);
    }
    expect(engine.discarded).toBe(0);
  });

  test('no block is given back to the system, whatever the order', () => {
    const pages = fc.integer({ min: 1, max: 40 });
    const steps = fc.array(
      fc.oneof({ weight: 3, arbitrary: fc.record({ pages }) }, { weight: 3, arbitrary: fc.record({ free: fc.nat() }) }),
      {
        maxLength: 60,
      },
    );
    fc.assert(
      fc.property(steps, (steps) => {
        const model = new Model(create(2000));
        for (const next of steps) {
          if ('pages' in next) model.alloc(next.pages * PAGE - 100, true);
          else if (model.blocks.length) model.free(next.free);
          model.engine.discardStep();
          model.check();
        }
        model.end();
      }),
      { seed: 5, numRuns: 60 },
    );
  });

  test('the last page of 4 GiB can be used', () => {
    const engine = create();
    engine.memory.grow(65536 - 2 - 20);
    const { x } = engine;
    const blocks: number[] = [];
    for (let block = x.alloc(48); block; block = x.alloc(48)) blocks.push(block >>> 0);
    expect(Math.max(...blocks)).toBeGreaterThan(2 ** 32 - 100);
    for (const block of blocks) engine.bytes(block, 48).fill(block & 255);
    expect(x.heapCheck()).toBe(0);
    for (const block of blocks) x.free(block, 48);
    const large: number[] = [];
    for (let block = x.alloc(9000); block; block = x.alloc(9000)) large.push(block >>> 0);
    expect(Math.max(...large)).toBeGreaterThan(2 ** 32 - 20_000);
    for (const block of large) engine.bytes(block, 9000).fill(block & 255);
    expect(x.heapCheck()).toBe(0);
    for (const block of large) x.free(block, 9000);
    expect(x.usedBytes()).toBe(0n);
    expect(x.heapCheck()).toBe(0);
  });
});
