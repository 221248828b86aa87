import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { loadEngine } from './engine.ts';
import { sipHash } from './siphash.ts';

const K0 = 0x0706050403020100n;
const K1 = 0x0f0e0d0c0b0a0908n;
const ascending = (length: number): Uint8Array => Uint8Array.from({ length }, (_, at) => at & 255);

describe('SipHash-1-3', async () => {
  const engine = await loadEngine();
  const hash = (k0: bigint, k1: bigint, data: Uint8Array): bigint =>
    BigInt.asUintN(64, engine.x.sipHash(k0, k1, engine.put(data), data.length));

  test("the reference gives the paper's vector as SipHash-2-4", () => {
    expect(sipHash(2, 4, K0, K1, ascending(15))).toBe(0xa129ca6149be45e5n);
  });

  test('equals the reference for each length up to 300', () => {
    for (let length = 0; length <= 300; length++) expect(hash(K0, K1, ascending(length))).toBe(sipHash(1, 3, K0, K1, ascending(length)));
  });

  test('equals the reference for any key and bytes', () => {
    const word = fc.bigInt({ min: 0n, max: (1n << 64n) - 1n });
    fc.assert(
      fc.property(word, word, fc.uint8Array({ maxLength: 70 }), (k0, k1, data) => hash(k0, k1, data) === sipHash(1, 3, k0, k1, data)),
      { seed: 1, numRuns: 500 },
    );
  });

  test('the bytes around the string do not matter', () => {
    for (let length = 0; length < 24; length++) {
      const data = ascending(length);
      const results = [0, 255].map((around) => {
        engine.bytes(engine.left - 16, length + 32).fill(around);
        return hash(K0, K1, data);
      });
      expect(results[0]).toBe(results[1]);
    }
  });
});
