/**
 * Random commands on the shipped modules, in both link modes, against a plain model; `npm run fuzz` goes on
 * for longer.
 */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { fakeTarget } from '../fuzz/fake.ts';
import { Model } from '../fuzz/model.ts';
import { operations, runOn, type Target } from '../fuzz/operations.ts';

const SEED = 20_266;

test('replies and final state equal the model, linked directly and by command', { timeout: 120_000 }, async () => {
  await fc.assert(
    fc.asyncProperty(operations(250, true), async (all) => {
      const direct = await runOn(fakeTarget('direct'), new Model(), all);
      // The same random numbers give the same ids.
      expect(await runOn(fakeTarget('command'), new Model(), all)).toEqual(direct);
    }),
    { seed: SEED, numRuns: 200, endOnFailure: true },
  );
});

describe('the comparison finds', () => {
  const find = (change: (argv: string[], reply: string) => string) =>
    fc.assert(
      fc.asyncProperty(operations(250, true), async (all) => {
        const sound = fakeTarget('direct');
        const target: Target = { ...sound, send: async (argv) => change(argv, await sound.send(argv)) };
        await runOn(target, new Model(), all);
      }),
      { seed: SEED, numRuns: 20, endOnFailure: true },
    );

  test.each<[string, (argv: string[], reply: string) => string]>([
    ['a reply of another type', ([name], reply) => (name === 'CUSTOM.DEL' ? reply.replace(':1', '+1') : reply)],
    ['a time that is wrong by a millisecond', (_, reply) => reply.replace(/\.(\d\d)[1-9]Z","data/, '.$10Z","data')],
    ['a field too few', (_, reply) => reply.replace(/"[a-h]":"[^"]*",/, '')],
    ['a key too few', ([name], reply) => (name === 'CUSTOM.KEYS' ? reply.replace(/\$1\r\na\r\n/, '') : reply)],
    ["somebody else's session", ([name], reply) => (name === 'SESSION.CREATE' ? reply.replace('created', 'exists') : reply)],
  ])('%s', async (_, change) => {
    await expect(find(change)).rejects.toThrow(/Property failed/);
  });
});
