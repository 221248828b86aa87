/** Server CPU per CUSTOM.SET and CUSTOM.GET, over the server's own SET and GET of the same keys. */
import { batches, drive, type Batch, type Connection, type Words } from '../lib/connection.ts';
import { keyName, random, valueOf } from '../lib/random.ts';
import { bulkBytes, OK_BYTES } from '../lib/replies.ts';
import { ratio, show } from '../lib/statistics.ts';
import { MeasuredServer } from '../lib/server.ts';
import type { Measure } from '../lib/measure.ts';

const CONNECTIONS = 50;
const PIPELINE = 64;
const VALUE_BYTES = 32;
const COMMANDS_PER_ROUND = 200_000;
const SEED = 1;

/** Commands over random keys of `keys`, in batches. */
function load(name: string, keys: number, count: number, replyBytes: number, value?: string): Batch[] {
  const next = random(SEED);
  const commands: Words[] = [];
  for (let index = 0; index < count; index++) {
    const words: Words = [name, keyName(Math.floor(next() * keys))];
    if (value !== undefined) words.push(value);
    commands.push(words);
  }
  return batches(commands, PIPELINE, replyBytes);
}

/** Stores every key once, in slices, so that the encoded commands of millions of keys need not all be held. */
export async function fill(connections: Connection[], name: string, keys: number, value: string): Promise<void> {
  const slice = 100_000;
  for (let start = 0; start < keys; start += slice) {
    const commands: Words[] = [];
    for (let index = start; index < Math.min(keys, start + slice); index++) commands.push([name, keyName(index), value]);
    await drive(connections, batches(commands, PIPELINE, OK_BYTES));
  }
}

/** Bytes of a reply that holds the value. */
const BULK_BYTES = bulkBytes(VALUE_BYTES);

export const storage: Measure = {
  name: 'storage',
  summary: 'server CPU of CUSTOM.SET and CUSTOM.GET over SET and GET, 16-byte keys, 32-byte values',
  async run({ server, rounds, keys, print }) {
    const measured = await MeasuredServer.start(server);
    try {
      const connections = await Promise.all(Array.from({ length: CONNECTIONS }, () => measured.connection()));
      const value = valueOf(VALUE_BYTES);
      await fill(connections, 'SET', keys, value);
      await fill(connections, 'CUSTOM.SET', keys, value);
      const loads = {
        SET: load('SET', keys, COMMANDS_PER_ROUND, OK_BYTES, value),
        'CUSTOM.SET': load('CUSTOM.SET', keys, COMMANDS_PER_ROUND, OK_BYTES, value),
        GET: load('GET', keys, COMMANDS_PER_ROUND, BULK_BYTES),
        'CUSTOM.GET': load('CUSTOM.GET', keys, COMMANDS_PER_ROUND, BULK_BYTES),
      };
      const times: Record<string, number[]> = { SET: [], 'CUSTOM.SET': [], GET: [], 'CUSTOM.GET': [] };
      for (let round = 0; round <= rounds; round++) {
        for (const [name, load] of Object.entries(loads)) {
          const before = measured.cpuNs();
          await drive(connections, load);
          // The first round warms up.
          if (round > 0) times[name]?.push((measured.cpuNs() - before) / COMMANDS_PER_ROUND);
        }
      }
      for (const name of ['SET', 'GET']) {
        const native = times[name] ?? [];
        const ours = times[`CUSTOM.${name}`] ?? [];
        print(
          `CUSTOM.${name} / ${name}, ${keys.toLocaleString('en')} keys`,
          show(ratio(ours, native)),
          `${Math.round(Math.min(...native))} ns native at best`,
        );
      }
      for (const connection of connections) connection.close();
    } finally {
      await measured.stop();
    }
  },
};
