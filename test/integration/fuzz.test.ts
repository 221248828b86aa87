/**
 * Random commands through a real server and the host, against the same plain model as in
 * test/unit/fuzz.test.ts.
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Model } from '../fuzz/model.ts';
import { operations, runOn } from '../fuzz/operations.ts';
import { tested, useServer } from '../support/server.ts';

const SEED = 20_266;
const server = useServer();

test('replies and final state equal the model', { timeout: 120_000 }, async () => {
  let commands = 0;
  const target = {
    name: `${tested.name}, linked by ${tested.link}`,
    // The server's clock is its own: times are not compared.
    send: (argv: string[]) => server.send(...(argv[0] === 'DEBUG RELOAD' ? ['DEBUG', 'RELOAD'] : argv)),
  };
  await fc.assert(
    fc.asyncProperty(operations(200), async (all) => {
      await server.send('FLUSHALL');
      await runOn(target, new Model(), all);
      commands += all.length;
    }),
    { seed: SEED, numRuns: 120, endOnFailure: true },
  );
  expect(commands).toBeGreaterThan(1000);
  const info = await server.info('wasm');
  expect(info.wasm_traps).toBe('0');
  expect(info.wasm_timeouts).toBe('0');
});
