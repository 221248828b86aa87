/** Server CPU per CUSTOM.SET and CUSTOM.GET of 1 MiB values, over the server's own SET and GET. */
import { batches, drive, type Batch } from '../lib/connection.ts';
import { keyName, valueOf } from '../lib/random.ts';
import { bulkBytes, OK_BYTES } from '../lib/replies.ts';
import { MeasuredServer } from '../lib/server.ts';
import { median, ratio, show } from '../lib/statistics.ts';
import type { Measure } from '../lib/measure.ts';

const VALUE_BYTES = 1 << 20;
const KEYS = 16;
const COMMANDS_PER_ROUND = 128;

/** Commands over all keys in turn, each sent by itself. */
function load(name: string, replyBytes: number, value?: string): Batch[] {
  const words = Array.from({ length: KEYS }, (_, key) => [name, keyName(key), ...(value === undefined ? [] : [value])]);
  const each = batches(words, 1, replyBytes);
  return Array.from({ length: COMMANDS_PER_ROUND }, (_, index) => each[index % KEYS]).filter((batch) => batch !== undefined);
}

export const large: Measure = {
  name: 'large',
  summary: 'server CPU of CUSTOM.SET and CUSTOM.GET over SET and GET, 1 MiB values, one command at a time',
  async run({ server, rounds, print }) {
    const measured = await MeasuredServer.start(server);
    try {
      const connections = [await measured.connection()];
      const value = valueOf(VALUE_BYTES);
      const loads = ['SET', 'CUSTOM.SET', 'GET', 'CUSTOM.GET'].map((name) => ({
        name,
        commands: name.endsWith('SET') ? load(name, OK_BYTES, value) : load(name, bulkBytes(VALUE_BYTES)),
        times_ns: [] as number[],
      }));
      for (let round = 0; round <= rounds; round++) {
        for (const { commands, times_ns } of loads) {
          const before = measured.cpuNs();
          await drive(connections, commands);
          // The first round warms up.
          if (round > 0) times_ns.push((measured.cpuNs() - before) / COMMANDS_PER_ROUND);
        }
      }
      const [set, customSet, get, customGet] = loads.map(({ times_ns }) => times_ns) as [number[], number[], number[], number[]];
      const native = (times_ns: number[]) => `${(median(times_ns) / 1000).toFixed(0)} µs native`;
      print('CUSTOM.SET / SET of 1 MiB, over a value as long', show(ratio(customSet, set)), native(set));
      print('CUSTOM.GET / GET of 1 MiB', show(ratio(customGet, get)), native(get));
    } finally {
      await measured.stop();
    }
  },
};
