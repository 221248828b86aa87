/** Server CPU per CUSTOM.SET and CUSTOM.GET, over the server's own SET and GET of the same keys. */
import type { Server } from '../../scripts/lib/servers.ts';
import { drive } from '../lib/connection.ts';
import { batches, reading, storing } from '../lib/load.ts';
import type { Measure } from '../lib/measure.ts';
import { keyName, random, valueOf } from '../lib/random.ts';
import { steady, takeTurns, type Timing } from '../lib/rounds.ts';
import { withServer } from '../lib/server.ts';
import { CONNECTIONS, PIPELINE, VALUE_BYTES } from '../lib/sizes.ts';
import { ratio, show } from '../lib/statistics.ts';

const COMMANDS_PER_ROUND = 200_000;
const SEED = 1;
const NAMES = ['SET', 'CUSTOM.SET', 'GET', 'CUSTOM.GET'] as const;

export type CommandName = (typeof NAMES)[number];
export type CommandTimings = Record<CommandName, Timing>;

/** Names a key of `keys`, another one each time. */
export function randomKey(keys: number): () => string {
  const next = random(SEED);
  return () => keyName(Math.floor(next() * keys));
}

/**
 * SET, GET, CUSTOM.SET and CUSTOM.GET of random keys, all in one server that holds `keys` of each.
 * @param operations by pipeline depth, how many commands a round sends
 */
export function storageCommands(
  server: Server,
  keys: number,
  operations: Record<string, number>,
  rounds: number,
): Promise<{ byDepth: Record<string, CommandTimings> }> {
  return withServer(server, {}, async (measured) => {
    const connections = await measured.connections(CONNECTIONS);
    const value = valueOf(VALUE_BYTES);
    for (const name of ['SET', 'CUSTOM.SET']) await drive(connections, batches(storing(name, value), 0, keys, PIPELINE));
    const byDepth: Record<string, CommandTimings> = {};
    for (const [depth, count] of Object.entries(operations)) {
      const contenders = NAMES.map((name) => {
        const key = randomKey(keys);
        const operation = name.endsWith('SET') ? storing(name, value, key) : reading(name, VALUE_BYTES, key);
        return steady(name, measured, connections, { operation, count, pipeline: Number(depth) });
      });
      byDepth[depth] = await takeTurns(contenders, rounds);
    }
    return { byDepth };
  });
}

export const storage: Measure = {
  name: 'storage',
  summary: 'server CPU of CUSTOM.SET and CUSTOM.GET over SET and GET, 16-byte keys, 32-byte values',
  async run({ server, rounds, keys, print }) {
    const { byDepth } = await storageCommands(server, keys, { [PIPELINE]: COMMANDS_PER_ROUND }, rounds);
    for (const timings of Object.values(byDepth)) {
      for (const name of ['SET', 'GET'] as const) {
        const [ours, native] = [timings[`CUSTOM.${name}`].cpu_ns, timings[name].cpu_ns];
        const best = `${Math.round(Math.min(...native))} ns native at best`;
        print(`CUSTOM.${name} / ${name}, ${keys.toLocaleString('en')} keys`, show(ratio(ours, native)), best);
      }
    }
  },
};
