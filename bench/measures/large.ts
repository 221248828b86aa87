/** Server CPU per CUSTOM.SET and CUSTOM.GET of 1 MiB values, over the server's own SET and GET. */
import { batches, reading, storing } from '../lib/load.ts';
import type { Measure } from '../lib/measure.ts';
import { valueOf } from '../lib/random.ts';
import { takeTurns, type Contender } from '../lib/rounds.ts';
import { withServer } from '../lib/server.ts';
import { median, ratio, show } from '../lib/statistics.ts';

const LARGE_BYTES = 1 << 20;
const KEYS = 16;
/** How often a round goes over all keys. */
const TURNS = 8;

export const large: Measure = {
  name: 'large',
  summary: 'server CPU of CUSTOM.SET and CUSTOM.GET over SET and GET, 1 MiB values, one command at a time',
  run({ server, rounds, print }) {
    return withServer(server, {}, async (measured) => {
      const connections = await measured.connections(1);
      const value = valueOf(LARGE_BYTES);
      const contender = <Name extends string>(name: Name): Contender<Name> => {
        const operation = name.endsWith('SET') ? storing(name, value) : reading(name, LARGE_BYTES);
        // Encoded once, since a round's values would take 128 MiB.
        const each = [...batches(operation, 0, KEYS, 1)];
        const load = Array.from({ length: TURNS }, () => each).flat();
        return { name, measured, connections, load: () => load };
      };
      const contenders = (['SET', 'CUSTOM.SET', 'GET', 'CUSTOM.GET'] as const).map((name) => contender(name));
      const timings = await takeTurns(contenders, rounds);
      const row = (what: string, name: 'SET' | 'GET') => {
        const [ours, native] = [timings[`CUSTOM.${name}`].cpu_ns, timings[name].cpu_ns];
        print(what, show(ratio(ours, native)), `${(median(native) / 1000).toFixed(0)} µs native`);
      };
      row('CUSTOM.SET / SET of 1 MiB, over a value as long', 'SET');
      row('CUSTOM.GET / GET of 1 MiB', 'GET');
    });
  },
};
