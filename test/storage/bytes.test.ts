import { describe, expect, test } from 'vitest';
import { loadEngine } from './engine.ts';

const LENGTHS = [...Array.from({ length: 100 }, (_, length) => length), 255, 256, 1000, 4097];
const pattern = (length: number): Uint8Array => Uint8Array.from({ length }, (_, at) => (at * 7 + 3) & 255);

describe('bytes', async () => {
  const engine = await loadEngine();
  const { x, left, right } = engine;

  test('copy writes exactly the bytes it is asked for', () => {
    for (const length of LENGTHS) {
      engine.bytes(right, length + 64).fill(0xee);
      engine.put(pattern(length));
      x.bytesCopy(right + 32, left, length);
      expect(engine.bytes(right + 32, length)).toEqual(pattern(length));
      expect(engine.bytes(right, 32).every((byte) => byte === 0xee)).toBe(true);
      expect(engine.bytes(right + 32 + length, 32).every((byte) => byte === 0xee)).toBe(true);
    }
  });

  test('equal sees a difference at each place, and none beyond the end', () => {
    for (const length of LENGTHS) {
      engine.put(pattern(length));
      engine.put(pattern(length), right);
      engine.bytes(left + length, 16).fill(1);
      engine.bytes(right + length, 16).fill(2);
      expect(x.bytesEqual(left, right, length)).toBe(1);
      for (let at = 0; at < length; at += length > 300 ? 13 : 1) {
        const byte = engine.bytes(right + at, 1);
        byte[0]! ^= 0x80;
        expect(x.bytesEqual(left, right, length)).toBe(0);
        byte[0]! ^= 0x80;
      }
    }
  });
});
