/**
 * `npm run bench -- [measure …] [--server redis7|redis8|valkey9|all …] [--rounds n] [--keys n] [--entries n]`
 * `npm run bench -- --report [part …] [--server …] [--fresh] [--quick] [--render]
 *   [--cells file] [--out folder]`
 *
 * Every figure is a ratio within one run against a named peer.
 * It is the median of several rounds that take turns, with the spread beside it.
 * The server runs on one core, this process on another.
 */
import { cpus } from 'node:os';
import { main, Problem, say } from '../scripts/lib/process.ts';
import { testMatrix } from '../scripts/lib/servers.ts';
import * as wheels from '../scripts/lib/wheels.ts';
import { parse, SERVER_KEYS, SERVER_TITLES, type MeasuresRequest, type ServerKey } from './lib/arguments.ts';
import type { Measure } from './lib/measure.ts';
import { CLIENT_CORE, pinSelf } from './lib/server.ts';
import type { Target } from './report/plan.ts';
import { render, report } from './report/report.ts';
import { calls } from './measures/calls.ts';
import { durability } from './measures/durability.ts';
import { effects } from './measures/effects.ts';
import { expiring } from './measures/expiring.ts';
import { expiry } from './measures/expiry.ts';
import { functions } from './measures/functions.ts';
import { growth } from './measures/growth.ts';
import { http } from './measures/http.ts';
import { ids } from './measures/ids.ts';
import { instructions } from './measures/instructions.ts';
import { json } from './measures/json.ts';
import { kit } from './measures/kit.ts';
import { large } from './measures/large.ts';
import { limit } from './measures/limit.ts';
import { load } from './measures/load.ts';
import { memory } from './measures/memory.ts';
import { noop } from './measures/noop.ts';
import { own } from './measures/own.ts';
import { prefetching } from './measures/prefetching.ts';
import { session } from './measures/session-commands.ts';
import { sessions } from './measures/session-memory.ts';
import { slots } from './measures/slots.ts';
import { storage } from './measures/storage.ts';
import { tables } from './measures/tables.ts';

const MEASURES: Measure[] = [
  load,
  storage,
  session,
  effects,
  memory,
  sessions,
  ids,
  http,
  calls,
  kit,
  own,
  noop,
  functions,
  large,
  growth,
  durability,
  expiry,
  expiring,
  tables,
  limit,
  json,
  instructions,
  prefetching,
  slots,
];
type Get = Parameters<typeof testMatrix>[0];

const onlyIfFetched: Get = (wheel) => {
  const file = wheels.find(wheel);
  return file === undefined ? { reason: 'not fetched: npm run tools' } : { file };
};

/**
 * The servers that are asked for; `all` are those that are here.
 * Throws a Problem when one that was named is not here.
 */
function targets(wanted: ServerKey[] | 'all', get: Get): Target[] {
  const matrix = testMatrix(get);
  return SERVER_KEYS.filter((key) => wanted === 'all' || wanted.includes(key)).flatMap((key) => {
    const entry = matrix.find(({ title }) => title.startsWith(SERVER_TITLES[key]));
    if (entry !== undefined && 'server' in entry) {
      const { name, version } = entry.server;
      return [{ server: entry.server, name: { key, name, version } }];
    }
    if (wanted !== 'all') throw new Problem(`${SERVER_TITLES[key]} is not here: ${entry?.reason ?? 'it is not in the test matrix'}`);
    return [];
  });
}

function pinned(): void {
  if (!pinSelf(CLIENT_CORE)) say('this process could not be pinned to a core of its own: read the figures with care');
}

async function runMeasures({ names, servers, rounds, keys, entries }: MeasuresRequest): Promise<number> {
  const wanted = MEASURES.filter(({ name, onlyWhenNamed }) => (names.length === 0 ? !onlyWhenNamed : names.includes(name)));
  pinned();
  console.log(`${cpus()[0]?.model.trim() ?? 'unknown processor'}, ${cpus().length} cores; ${new Date().toISOString().slice(0, 10)}`);
  for (const { server } of targets(servers ?? ['redis7'], wheels.fetch)) {
    console.log(`\n${server.name} ${server.version}`);
    for (const measure of wanted) {
      const print = (what: string, figure: string, note: string) => {
        console.log(`  ${what.padEnd(56)} ${figure.padEnd(20)} ${note}`);
      };
      await measure.run({ server, rounds, keys, entries, print });
    }
  }
  return 0;
}

await main(async () => {
  const request = parse(process.argv.slice(2), MEASURES);
  if (request.what === 'measures') return runMeasures(request);
  if (request.what === 'render') return render(request);
  pinned();
  return report(request, targets(request.servers ?? 'all', wheels.fetch), targets('all', onlyIfFetched));
});
