/**
 * `npm run fuzz -- [--seed n] [--count n] [--length n]`
 *
 * Random commands on the shipped modules, in both link modes, against a plain model: `count` runs of at most
 * `length` commands each. A reply or a final state that is not the model's ends it with status 1 and the
 * shortest run of commands that shows it; the same seed and length give the same runs.
 */
import { parseArgs } from 'node:util';
import fc from 'fast-check';
import { ensureBuilt, WASM } from '../../scripts/lib/build.ts';
import { main, Problem } from '../../scripts/lib/process.ts';
import { fakeTarget } from './fake.ts';
import { Model } from './model.ts';
import { operations, runOn, type Operation } from './operations.ts';

const COUNT_DEFAULT = '10000';
const LENGTH_DEFAULT = '300';
const REPORT_EVERY = 1000;

function wholeNumber(text: string, name: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new Problem(`--${name} is a whole number of at most nine digits, not ${text}`);
  return Number(text);
}

await main(async () => {
  const { values } = parseArgs({
    options: {
      seed: { type: 'string', default: String(Math.floor(Math.random() * 1e6)) },
      count: { type: 'string', default: COUNT_DEFAULT },
      length: { type: 'string', default: LENGTH_DEFAULT },
    },
  });
  const seed = wholeNumber(values.seed, 'seed');
  const [count, length] = [wholeNumber(values.count, 'count'), wholeNumber(values.length, 'length')];
  ensureBuilt(WASM);
  console.log(`seed ${seed}, ${count} runs of at most ${length} commands, each linked directly and by command`);
  let [runs, commands] = [0, 0];
  const run = async (all: Operation[]): Promise<void> => {
    const ids = [];
    for (const link of ['direct', 'command'] as const) ids.push((await runOn(fakeTarget(link), new Model(), all)).join());
    if (ids[0] !== ids[1]) throw new Error('the links gave different ids');
    commands += 2 * all.length;
    if (++runs % REPORT_EVERY === 0) console.log(`${runs} runs, ${commands} commands`);
  };
  const details = await fc.check(fc.asyncProperty(operations(length, true), run), { seed, numRuns: count });
  if (details.failed) {
    console.error(fc.defaultReportMessage(details));
    if (details.errorInstance instanceof Error) console.error(details.errorInstance.message);
    console.error(`again: npm run fuzz -- --seed ${seed} --count ${count} --length ${length}`);
    return 1;
  }
  console.log(`${runs} runs, ${commands} commands: every reply and every final state is the model's`);
  return 0;
});
