/**
 *     npm run soak -- [--operations n] [--intervals n] [--keys n] [--users n] [--seed n]
 *                     [--server redis7|redis8|valkey9] [--link auto|command]
 *
 * Mixed commands on both modules through one server, the live data of a constant size. After each interval it
 * prints what the memory has come to and looks whether every structure holds together. It ends with status 1
 * at the first reply that is an error, and when the resident memory has drifted by more than 5 % since the
 * first interval, which warms up.
 */
import { parseArgs } from 'node:util';
import { ensureBuilt, HOST, WASM } from '../../scripts/lib/build.ts';
import { main, Problem } from '../../scripts/lib/process.ts';
import { testMatrix, type Server } from '../../scripts/lib/servers.ts';
import * as wheels from '../../scripts/lib/wheels.ts';
import { soak, type Sample } from './soak.ts';

const DEFAULTS = { operations: '10000000', intervals: '20', keys: '100000', users: '20000', seed: '1', server: 'redis7', link: 'auto' };
const PREFIXES: Record<string, string> = { redis7: 'Redis 7', redis8: 'Redis 8', valkey9: 'Valkey 9' };
const DRIFT_MAX = 0.05;

function wholeNumber(text: string, name: string): number {
  if (!/^[1-9]\d{0,11}$/.test(text)) throw new Problem(`--${name} is a whole number from 1 on, not ${text}`);
  return Number(text);
}

function serverOf(key: string): Server {
  const entry = testMatrix(wheels.fetch).find(({ title }) => title.startsWith(PREFIXES[key] ?? '?'));
  if (entry === undefined || 'reason' in entry) throw new Problem(`There is no server ${key} here: ${entry?.reason ?? 'unknown'}`);
  return entry.server;
}

const mib = (bytes: number) => `${(bytes / (1 << 20)).toFixed(1)} MiB`;

function print({ operations, seconds, reserved, free, resident }: Sample): void {
  const columns = [`${mib(reserved)} linear`, `${mib(free)} free`, `${mib(reserved - free)} used`, `${mib(resident)} resident`];
  console.log(`${operations.toLocaleString('en').padStart(14)} commands, ${seconds.toFixed(0).padStart(5)} s: ${columns.join(', ')}`);
}

await main(async () => {
  const options = Object.fromEntries(Object.entries(DEFAULTS).map(([name, value]) => [name, { type: 'string' as const, default: value }]));
  const values = parseArgs({ options }).values as typeof DEFAULTS;
  const number = (name: 'operations' | 'intervals' | 'keys' | 'users' | 'seed') => wholeNumber(values[name], name);
  if (values.link !== 'auto' && values.link !== 'command') throw new Problem(`--link is auto or command, not ${values.link}`);
  for (const product of [WASM, HOST]) ensureBuilt(product);
  const server = serverOf(values.server);
  const plan = { operations: number('operations'), intervals: number('intervals'), keys: number('keys'), users: number('users') };
  console.log(`${server.name} ${server.version}, linked by ${values.link}, ${plan.keys} keys, ${plan.users} users, seed ${values.seed}`);
  const samples = await soak(server, { ...plan, seed: number('seed'), link: values.link }, print);
  const drift = (of: (sample: Sample) => number) => Math.max(...samples.map(of)) / of(samples[0]!) - 1;
  const percent = (ratio: number) => `${(100 * ratio).toFixed(1)} %`;
  const resident = drift((sample) => sample.resident);
  console.log(`since the first interval at most: resident +${percent(resident)}, linear +${percent(drift((sample) => sample.reserved))}`);
  return resident > DRIFT_MAX ? 1 : 0;
});
