/**
 *     npm run torture -- [--seed n] [--seconds n] [--servers redis7,redis8,valkey9|all]
 *                        [--only scenario | --cluster] [--rounds n]
 *
 * Runs one scenario after the other, each with the next seed, until the time is over. A broken promise ends
 * it with status 1, says what was lost, and how to run the same again: a seed chooses scenario, link,
 * operations and kills. With --cluster slots of a cluster move meanwhile.
 */
import { parseArgs } from 'node:util';
import { ensureBuilt, HOST, WASM } from '../../scripts/lib/build.ts';
import { main, Problem } from '../../scripts/lib/process.ts';
import { testMatrix, type Server } from '../../scripts/lib/servers.ts';
import * as wheels from '../../scripts/lib/wheels.ts';
import { tested } from '../support/server.ts';
import { CLUSTER_SCENARIOS } from './cluster.ts';
import { Violation } from './history.ts';
import { SCENARIOS, type Scenario } from './scenarios.ts';

const SECONDS_DEFAULT = 60;
const ROUNDS_DEFAULT = 5;
const PREFIXES: Record<string, string> = { redis7: 'Redis 7', redis8: 'Redis 8', valkey9: 'Valkey 9' };

function servers(wanted: string): { key: string; server: Server }[] {
  const keys = wanted === 'all' ? Object.keys(PREFIXES) : wanted.split(',');
  const matrix = testMatrix(wheels.fetch);
  return keys.map((key) => {
    const entry = matrix.find(({ title }) => title.startsWith(PREFIXES[key] ?? '?'));
    if (entry === undefined || 'reason' in entry) throw new Problem(`There is no server ${key} here: ${entry?.reason ?? 'unknown'}`);
    return { key, server: entry.server };
  });
}

function wholeNumber(text: string, name: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new Problem(`--${name} is a whole number of at most nine digits, not ${text}`);
  return Number(text);
}

/**
 * One scenario of these on one server; false when a promise was broken.
 * @param chosen the words by which these scenarios were chosen
 */
async function torture(
  key: string,
  { file, name, version }: Server,
  seed: number,
  rounds: number,
  scenarios: Scenario[],
  chosen: string,
): Promise<boolean> {
  const scenario = scenarios[seed % scenarios.length];
  if (scenario === undefined) throw new Problem(`Scenarios: ${SCENARIOS.map((one) => one.name).join(', ')}`);
  const link = seed % (2 * scenarios.length) < scenarios.length ? 'auto' : 'command';
  Object.assign(tested, { file, name, version, link });
  const title = `${name} ${version}, linked by ${link}, ${scenario.name}, seed ${seed}`;
  try {
    const outcome = await scenario.run({ seed, link, rounds, tell: console.log });
    const counts = Object.entries(outcome).map(([what, count]) => `${count} ${what}`);
    console.log(`${title}: ${counts.join(', ')}`);
    return true;
  } catch (error) {
    if (!(error instanceof Violation)) throw error;
    console.error(`${title}: ${error.message}`);
    console.error(`again: npm run torture -- --seed ${seed} --seconds 0 --servers ${key} --rounds ${rounds}${chosen}`);
    return false;
  }
}

await main(async () => {
  const { values } = parseArgs({
    options: {
      seed: { type: 'string', default: String(Math.floor(Math.random() * 1e6)) },
      seconds: { type: 'string', default: String(SECONDS_DEFAULT) },
      servers: { type: 'string', default: 'all' },
      only: { type: 'string' },
      cluster: { type: 'boolean', default: false },
      rounds: { type: 'string', default: String(ROUNDS_DEFAULT) },
    },
  });
  const first = wholeNumber(values.seed, 'seed');
  const seconds = wholeNumber(values.seconds, 'seconds');
  const rounds = wholeNumber(values.rounds, 'rounds');
  for (const product of [WASM, HOST]) ensureBuilt(product);
  const chosen = servers(values.servers);
  const { only, cluster } = values;
  const scenarios = cluster ? CLUSTER_SCENARIOS : SCENARIOS.filter(({ name }) => only === undefined || name === only);
  const words = cluster ? ' --cluster' : only === undefined ? '' : ` --only ${only}`;
  console.log(`seed ${first}, ${seconds} s`);
  const deadline = Date.now() + 1000 * seconds;
  for (let seed = first; seed === first || Date.now() < deadline; seed++) {
    for (const { key, server } of chosen) if (!(await torture(key, server, seed, rounds, scenarios, words))) return 1;
  }
  return 0;
});
