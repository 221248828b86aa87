/**
 * Memory of a server whose module is replaced again and again. What a file was instantiated for stays in its
 * store, half a MiB each time, until the data is saved and loaded into a fresh one: after 16 times, or as
 * many as are a twentieth of the data. So the memory goes up and down, and every measure is the least of a
 * round of reloads that is longer than that.
 */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { fillShop, Folder, OK, reload, shopWith, startLive, versioned } from '../support/live.ts';
import type { TestServer } from '../support/server.ts';

const files = [await shopWith(), await shopWith(versioned('two'))];
const ROUND = 20;
/**
 * Rounds until the memory is at rest: at first the allocator comes to have what a save and a load take for a
 * while, and what compiling takes lies in several of its arenas. Memory that a reload loses never comes to
 * rest: half a MiB each is over 5 % of some 80 MiB in a round, and for all further rounds.
 */
const ROUNDS_MIN = 3;
const ROUNDS_MAX = 7;
const MOST = 1.05;

const resident = (server: TestServer): number => {
  const [, kilobytes] = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${server.pid}/status`, 'utf8')) ?? [];
  return Number(kilobytes) * 1024;
};

test.each([
  ['a little data, compiled each time', 50, 20, false],
  ['some MiB, out of the cache', 4000, 1000, true],
])('with %s it stays the same', async (_, count, bytes, isKept) => {
  const cache = Folder.ofTest();
  const live = await startLive({ shop: files[0]! }, { arguments: isKept ? ['--wasm.cache', cache.path] : [] });
  await fillShop(live.server, count, bytes);
  const size = await live.server.send('SHOP.SIZE');
  const least: { resident: number; used: number }[] = [];
  let number = 0;
  const isAtRest = () => {
    const [before, last] = least.slice(-2) as [(typeof least)[0], (typeof least)[0]];
    return least.length >= ROUNDS_MIN && (['resident', 'used'] as const).every((what) => last[what] < before[what] * MOST);
  };
  while (!isAtRest() && least.length < ROUNDS_MAX) {
    const measures: typeof least = [];
    for (let each = 0; each < ROUND; each++) {
      expect(await reload(live, files[++number % 2]!)).toBe(OK);
      const used = Number((await live.server.info('wasm')).wasm_shop_memory_used);
      measures.push({ resident: resident(live.server), used });
    }
    least.push({
      resident: Math.min(...measures.map((measure) => measure.resident)),
      used: Math.min(...measures.map((measure) => measure.used)),
    });
  }
  expect(isAtRest(), JSON.stringify(least)).toBe(true);
  expect([await live.server.send('SHOP.SIZE'), await live.server.send('SHOP.CHECK')]).toEqual([size, OK]);
  expect((await live.server.info('wasm')).wasm_shop_reloads).toBe(String(number));
});
