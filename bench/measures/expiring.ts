/**
 * What it takes to reclaim entries that expire in the same second, over native keys with the same deadlines.
 * It is the CPU of the server's main thread from the first deadline until nothing is left.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { drive, type Connection } from '../lib/connection.ts';
import { batches, command } from '../lib/load.ts';
import type { Measure } from '../lib/measure.ts';
import { keyName, valueOf } from '../lib/random.ts';
import { withServer, type MeasuredServer } from '../lib/server.ts';
import { OK_BYTES, PIPELINE, VALUE_BYTES } from '../lib/sizes.ts';
import { ratio, show } from '../lib/statistics.ts';

const KEYS = 1_000_000;
const CONNECTIONS = 8;
const ROUNDS_MAX = 3;
/** Time that storing them may take, in ms. */
const LEAD_MS = 40_000;
/** They expire within so many ms, in no order. */
const SPREAD_MS = 1000;
const PATIENCE_MS = 300_000;
const ASK_EVERY_MS = 50;

const SIDES = { native: ['SET', 'DBSIZE'], ours: ['CUSTOM.SET', 'CUSTOM.LEN'] } as const;

/** CPU in ns that reclaiming `KEYS` takes. */
async function reclaiming(measured: MeasuredServer, connections: Connection[], [set, count]: readonly [string, string]): Promise<number> {
  const first_ms = Date.now() + LEAD_MS;
  const value = valueOf(VALUE_BYTES);
  const deadline = (index: number) => String(first_ms + ((index * 7919) % SPREAD_MS));
  const storing = command((index) => [set, keyName(index), value, 'PXAT', deadline(index)], OK_BYTES);
  await drive(connections, batches(storing, 0, KEYS, PIPELINE));
  if (Date.now() > first_ms) throw new Error('storing them took too long');
  await sleep(first_ms - Date.now());
  const [asking] = connections;
  const [begun, cpu] = [performance.now(), measured.cpuNs()];
  while ((await asking?.ask([count])) !== ':0\r\n') {
    if (performance.now() - begun > PATIENCE_MS) throw new Error(`${count} does not come to 0`);
    await sleep(ASK_EVERY_MS);
  }
  return measured.cpuNs() - cpu;
}

export const expiring: Measure = {
  name: 'expiring',
  summary: `server CPU to reclaim ${KEYS.toLocaleString('en')} entries that expire in the same second, over native keys (only when named)`,
  onlyWhenNamed: true,
  run({ server, rounds, print }) {
    return withServer(server, {}, async (measured) => {
      const connections = await measured.connections(CONNECTIONS);
      const [native, ours]: [number[], number[]] = [[], []];
      for (let round = 0; round < Math.min(rounds, ROUNDS_MAX); round++) {
        native.push(await reclaiming(measured, connections, SIDES.native));
        ours.push(await reclaiming(measured, connections, SIDES.ours));
      }
      const each = (all: number[]) => all.map((ns) => (ns / KEYS).toFixed(0)).join(', ');
      print('reclaiming entries / native keys', show(ratio(ours, native)), `server CPU: ${each(ours)} and ${each(native)} ns each`);
    });
  },
};
