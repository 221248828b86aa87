/**
 * Memory of a kit module: at a constant live size it stays the same, whatever commands do and however they
 * fail.
 */
import { expect, test } from 'vitest';
import { startServer } from '../support/server.ts';
import { infoOf, OK, WITH_TRIAL } from '../support/trial.ts';

const KEYS = 500;
const ROUND = 20_000;
const COMMANDS = 200_000;
/** What heap and memory may grow by after the first rounds. */
const DRIFT = 1.02;

test('is flat over mixed commands of which a fifth fails', async () => {
  const server = await startServer({ module: WITH_TRIAL });
  let seed = 1;
  const random = (below: number) => (seed = (seed * 48_271) % 2_147_483_647) % below;
  const failures = ['throw', 'trap', 'index', 'deadline', 'null', 'reply too short'];
  const command = (): string[] => {
    const key = `key ${random(KEYS)}`;
    switch (random(10)) {
      case 0:
      case 1:
        return ['TRIAL.FAIL', key, failures[random(failures.length)]!];
      case 2:
        return ['TRIAL.SET', key, 'v'.repeat(random(400))];
      case 3:
        return ['TRIAL.SET', key, 'short', 'UNTIL', '32503680000000'];
      case 4:
        return ['TRIAL.DEL', key];
      case 5:
        return ['TRIAL.PUT', key, `m${random(8)}`, '5'];
      case 6:
        return ['TRIAL.STORE', key, 'b'.repeat(random(3000))];
      case 7:
        return ['TRIAL.NOTE', key, 'n'.repeat(random(50)), '1.5'];
      case 8:
        return ['TRIAL.PUTALL', `all ${random(20)}`, '40', String(random(100))];
      default:
        return [['TRIAL.MEMBERS', 'TRIAL.CLEAR', 'TRIAL.GET'][random(3)]!, key];
    }
  };
  const sizes: { heap: number; memory: number }[] = [];
  for (let done = 0, failed = 0; done < COMMANDS; done += ROUND) {
    const replies = await Promise.all(Array.from({ length: ROUND }, () => server.send(...command())));
    failed += replies.filter((reply) => reply.startsWith('-')).length;
    expect(failed / (done + ROUND)).toBeGreaterThan(0.15);
    sizes.push({ heap: await infoOf(server, 'heap_used'), memory: await infoOf(server, 'memory_used') });
  }
  expect(await server.send('TRIAL.CHECK')).toBe(OK);
  const settled = sizes.slice(2, 5);
  for (const measure of ['heap', 'memory'] as const) {
    const before = Math.max(...settled.map((size) => size[measure]));
    expect(Math.max(...sizes.slice(5).map((size) => size[measure])), measure).toBeLessThan(before * DRIFT + 65_536 * 4);
  }
  expect(await infoOf(server, 'damaged')).toBe(0);
});
