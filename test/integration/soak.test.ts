/**
 * A short soak (`npm run soak` goes on for as long as it is told): memory does not grow at a constant live
 * size, and its judge looks.
 */
import { expect, test } from 'vitest';
import type { Server } from '../../scripts/lib/servers.ts';
import { soak, type Sample } from '../soak/soak.ts';
import { tested } from '../support/server.ts';

test('linear memory stays as it is after the warm-up', { timeout: 120_000 }, async () => {
  const plan = { operations: 400_000, intervals: 4, keys: 2000, users: 400, seed: 7, link: tested.link };
  const seen: Sample[] = [];
  const samples = await soak({ ...tested, name: tested.name as Server['name'] }, plan, (sample) => seen.push(sample));
  expect(seen).toEqual(samples);
  expect(samples.map(({ operations }) => operations)).toEqual([100_000, 200_000, 300_000, 400_000]);
  const [first, last] = [samples[0]!, samples.at(-1)];
  expect(first.reserved).toBeGreaterThan(1 << 20);
  // Memory grows by 1 MiB at a time, and by command there are two.
  expect(last.reserved).toBeLessThanOrEqual(1.1 * first.reserved);
  expect(last.resident).toBeLessThan(1.1 * first.resident);
});
