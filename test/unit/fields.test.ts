/** A field is found as fast among thousands as among a few: what a look-up looks at is counted. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { fixture, SHIPPED, THIRD } from '../support/modules.ts';

const PAGES_MAX = 1000;

interface Fields {
  fill: (count: number) => number;
  looksOf: (index: number) => number;
}

async function fields(): Promise<Fields> {
  const use = [...(SHIPPED.options.use ?? []), 'STORAGE_COUNT_LOOKS=1'];
  const memory = new WebAssembly.Memory({ initial: THIRD.initialMemory ?? 0, maximum: PAGES_MAX });
  const redis = { Fail: () => undefined };
  const { instance } = await WebAssembly.instantiate(readFileSync(await fixture('fields', { ...THIRD, use })), { env: { memory }, redis });
  return instance.exports as unknown as Fields;
}

test('a look-up among 10,000 fields looks at no more than one among 100', async () => {
  const { fill, looksOf } = await fields();
  const average = (count: number) => {
    expect(fill(count)).toBe(count);
    let sum = 0;
    for (let index = 0; index < count; index++) {
      const looks = looksOf(index);
      expect(looks).toBeGreaterThan(0);
      // Of eight chunks at most, each with the few entries whose tag is the same.
      expect(looks).toBeLessThan(24);
      sum += looks;
    }
    expect(looksOf(count)).toBe(-1);
    return sum / count;
  };
  const few = average(100);
  const many = average(10_000);
  expect(many).toBeLessThan(1.5 * few);
  expect(many).toBeLessThan(3.5);
});
