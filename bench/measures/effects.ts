/**
 * Server CPU of writes whose effect somebody takes, and of those whose effect nobody does.
 * Each is compared with a native write on the same server, with an append-only file and without.
 */
import { drive } from '../lib/connection.ts';
import { batches } from '../lib/load.ts';
import type { Context, Measure } from '../lib/measure.ts';
import { loadScripts } from '../lib/native-sessions.ts';
import { takeTurns } from '../lib/rounds.ts';
import { withServer } from '../lib/server.ts';
import { CONNECTIONS, PIPELINE } from '../lib/sizes.ts';
import { ratio, show } from '../lib/statistics.ts';
import { PEERS, stored, TAKERS, writes, type ModuleName } from '../lib/writes.ts';

/** A step that meets every key once before it meets one twice. */
const STRIDE = 7919;

function compare({ server, rounds, keys, print }: Context, taker: string): Promise<void> {
  return withServer(server, { settings: TAKERS[taker] ?? [] }, async (measured) => {
    const connections = await measured.connections(CONNECTIONS);
    for (const each of stored()) await drive(connections, batches(each, 0, keys, PIPELINE));
    const asking = await measured.connection();
    const digests = await loadScripts((words) => asking.ask(words));
    const operations = Object.entries(writes(digests, (index) => (index * STRIDE) % keys));
    const contenders = operations.map(([name, operation]) => {
      const load = (round: number) => [...batches(operation, round * keys, (round + 1) * keys, PIPELINE)];
      return { name, measured, connections, load };
    });
    const timings = await takeTurns(contenders, rounds);
    for (const [name, peer] of Object.entries(PEERS)) {
      const [ours, theirs] = [timings[name as ModuleName]?.cpu_ns ?? [], timings[peer]?.cpu_ns ?? []];
      const best = `${Math.round(Math.min(...ours))} and ${Math.round(Math.min(...theirs))} ns at best`;
      print(`${name} / ${peer}, ${taker}`, show(ratio(ours, theirs)), best);
    }
  });
}

export const effects: Measure = {
  name: 'effects',
  summary: 'server CPU of writes over native ones, with an append-only file and without',
  async run(context) {
    for (const taker of Object.keys(TAKERS)) await compare(context, taker);
  },
};
