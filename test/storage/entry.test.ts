import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { loadEngine } from './engine.ts';

const SIZES = [0, 1, 63, 64, 127, 128, 255, 256, 300, 65535, 65536, 70000];

describe('entries', async () => {
  const engine = await loadEngine();
  const { x } = engine;
  const big = x.alloc(1 << 20) >>> 0;
  engine.bytes(big, 1 << 20).forEach((_, at, all) => (all[at] = (at * 31 + (at >> 8)) & 255));

  test('round-trip at each border of the header forms', () => {
    for (const keyLength of SIZES) {
      for (const valueLength of SIZES) {
        const entry = x.create(big, keyLength, big + 1, valueLength) >>> 0;
        expect([x.keyLength(entry), x.valueLength(entry)]).toEqual([keyLength, valueLength]);
        expect(Buffer.compare(engine.bytes(x.keyOf(entry), keyLength), engine.bytes(big, keyLength))).toBe(0);
        expect(Buffer.compare(engine.bytes(x.valueOf(entry), valueLength), engine.bytes(big + 1, valueLength))).toBe(0);
        expect(x.usableSize(x.sizeOf(entry))).toBe(x.usableSize(x.sizeFor(keyLength, valueLength)));
        x.destroy(entry);
      }
    }
    expect(x.heapCheck()).toBe(0);
  });

  test('a header costs one byte of an entry of up to 128, three or four of a longer one', () => {
    expect(x.sizeFor(16, 32)).toBe(49);
    expect(x.sizeFor(31, 96)).toBe(128);
    expect(x.sizeFor(31, 97)).toBe(31 + 97 + 3);
    expect(x.sizeFor(32, 32)).toBe(32 + 32 + 3);
    expect(x.sizeFor(255, 255)).toBe(255 + 255 + 3);
    expect(x.sizeFor(16, 4096)).toBe(16 + 4096 + 4);
    // The block tells how long these are, so they are no shorter than one.
    expect(x.sizeFor(0, 3)).toBe(4);
    expect(x.sizeFor(0, 2)).toBe(2 + 3);
  });

  test('a value has the kind that it was given, in each form of header, until it is written over', () => {
    for (const keyLength of [0, 1, 16, 31, 32, 255, 256]) {
      for (const valueLength of [1, 2, 4, 8, 16]) {
        for (const kind of [0, 1, 2]) {
          const plain = x.create(big, keyLength, big, valueLength, kind) >>> 0;
          const timed = x.createUntil(big, keyLength, big, valueLength, 5n, kind) >>> 0;
          for (const entry of [plain, timed]) {
            expect([x.kindOf(entry), x.keyLength(entry), x.valueLength(entry)]).toEqual([kind, keyLength, valueLength]);
            expect(x.overwrite(entry, big, valueLength, 2 - kind)).toBe(1);
            expect([x.kindOf(entry), x.keyLength(entry), x.valueLength(entry)]).toEqual([2 - kind, keyLength, valueLength]);
            expect(x.hasKey(entry, big, keyLength)).toBe(1);
            x.destroy(entry);
          }
        }
      }
    }
    expect(x.heapCheck()).toBe(0);
  });

  test('a value of 512 MiB fits; a longer one is refused', async () => {
    const own = await loadEngine();
    const before = own.x.usedBytes();
    const length = 512 << 20;
    const entry = own.x.create(own.put('key'), 3, 0, length) >>> 0;
    expect(entry).toBeGreaterThan(0);
    expect(own.x.valueLength(entry)).toBe(length);
    const last = own.bytes(own.x.valueOf(entry) + length - 1, 1);
    last[0] = 7;
    expect(own.keyText(entry)).toBe('key');
    own.x.destroy(entry);
    expect(own.x.usedBytes()).toBe(before);
    expect(own.x.heapCheck()).toBe(0);
    expect(own.x.create(own.put('key'), 3, 0, length + 1)).toBe(0);
    expect(own.x.create(own.put('key'), length + 1, 0, 0)).toBe(0);
  });

  test('overwrite refuses a value that needs another form of header, though the block would hold it', () => {
    for (let keyLength = 0; keyLength < 64; keyLength++) {
      const entry = x.create(big, keyLength, big, 255) >>> 0;
      expect(x.overwrite(entry, big, 256, 0)).toBe(0);
      expect([x.keyLength(entry), x.valueLength(entry)]).toEqual([keyLength, 255]);
      x.destroy(entry);
    }
  });

  test('overwrite succeeds only where a new entry would take the same bytes, and then changes the value alone', () => {
    const size = fc.integer({ min: 0, max: 700 });
    fc.assert(
      fc.property(size, size, size, (keyLength, from, to) => {
        const entry = x.create(big, keyLength, big, from) >>> 0;
        const header = (length: number): number => x.sizeFor(keyLength, length) - keyLength - length;
        const fits = header(from) === header(to) && x.usableSize(x.sizeFor(keyLength, from)) === x.usableSize(x.sizeFor(keyLength, to));
        expect(x.overwrite(entry, big + 5, to, 0)).toBe(Number(fits));
        expect(x.valueLength(entry)).toBe(fits ? to : from);
        const source = fits ? big + 5 : big;
        expect(Buffer.compare(engine.bytes(x.valueOf(entry), fits ? to : from), engine.bytes(source, fits ? to : from))).toBe(0);
        expect(Buffer.compare(engine.bytes(x.keyOf(entry), keyLength), engine.bytes(big, keyLength))).toBe(0);
        x.destroy(entry);
        expect(x.heapCheck()).toBe(0);
      }),
      { seed: 2, numRuns: 500 },
    );
  });

  const NODE = 8;
  const ROOM = 16;
  /** Bytes of an entry with a deadline, which has at least the short header. */
  const timed = (keyLength: number, valueLength: number): number =>
    Math.max(x.sizeFor(keyLength, valueLength), keyLength + valueLength + 3) + ROOM;

  test('with a deadline round-trip at each border of the header forms, at most 18 bytes longer, their node at one place', () => {
    for (const keyLength of SIZES) {
      for (const valueLength of SIZES) {
        const entry = x.createUntil(big, keyLength, big + 1, valueLength, 253_402_300_799_999n) >>> 0;
        engine.bytes(x.nodeOf(entry), NODE).fill(0xff);
        expect(x.entryOf(x.nodeOf(entry)) >>> 0).toBe(entry);
        expect([x.hasRoom(entry), x.deadlineOf(entry)]).toEqual([1, 253_402_300_799_999n]);
        x.setDeadline(entry, -2n);
        expect(x.deadlineOf(entry)).toBe(-2n);
        expect([x.keyLength(entry), x.valueLength(entry)]).toEqual([keyLength, valueLength]);
        expect(Buffer.compare(engine.bytes(x.keyOf(entry), keyLength), engine.bytes(big, keyLength))).toBe(0);
        expect(Buffer.compare(engine.bytes(x.valueOf(entry), valueLength), engine.bytes(big + 1, valueLength))).toBe(0);
        expect(x.sizeOf(entry)).toBe(timed(keyLength, valueLength));
        // It stands right before the key.
        expect([...engine.bytes(x.keyOf(entry) - 8, 8)]).toEqual([254, 255, 255, 255, 255, 255, 255, 255]);
        x.destroy(entry);
      }
    }
    const plain = x.create(big, 5, big, 5) >>> 0;
    expect([x.hasRoom(plain), x.deadlineOf(plain)]).toEqual([0, 0n]);
    x.destroy(plain);
    expect(x.heapCheck()).toBe(0);
  });

  test('overwrite keeps deadline and node, and succeeds only where a new entry would take the same bytes', () => {
    const size = fc.integer({ min: 0, max: 700 });
    let fitted = 0;
    fc.assert(
      fc.property(size, size, size, (keyLength, from, to) => {
        const entry = x.createUntil(big, keyLength, big, from, 12345n) >>> 0;
        engine.bytes(x.nodeOf(entry), NODE).fill(0xa5);
        const header = (length: number): number => timed(keyLength, length) - keyLength - length;
        const total = (length: number): number => x.usableSize(timed(keyLength, length));
        const fits = header(from) === header(to) && total(from) === total(to);
        fitted += Number(fits);
        expect(x.overwrite(entry, big + 5, to, 0)).toBe(Number(fits));
        expect([x.valueLength(entry), x.deadlineOf(entry)]).toEqual([fits ? to : from, 12345n]);
        expect([...engine.bytes(x.nodeOf(entry), NODE)]).toEqual(Array.from({ length: NODE }, () => 0xa5));
        const source = fits ? big + 5 : big;
        expect(Buffer.compare(engine.bytes(x.valueOf(entry), fits ? to : from), engine.bytes(source, fits ? to : from))).toBe(0);
        expect(Buffer.compare(engine.bytes(x.keyOf(entry), keyLength), engine.bytes(big, keyLength))).toBe(0);
        x.destroy(entry);
        expect(x.heapCheck()).toBe(0);
      }),
      { seed: 4, numRuns: 800 },
    );
    expect(fitted).toBeGreaterThan(5);
  });
});
