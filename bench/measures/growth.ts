/**
 * Whether growing stalls the server: single inserts up to `entries` of 16 + 32 bytes, of CUSTOM.SET and of the server's own SET.
 *
 * The server's own clock tells the percentiles (INFO latencystats: whole microseconds, waiting for the processor included). How much of
 * the longest is work is told by the CPU time of each batch of a few inserts: no insert took more than its batch.
 */
import { batches, type Connection, type Words } from '../lib/connection.ts';
import { keyName, valueOf } from '../lib/random.ts';
import { OK_BYTES } from '../lib/replies.ts';
import { MeasuredServer } from '../lib/server.ts';
import type { Measure } from '../lib/measure.ts';

const BATCH = 16;
const VALUE_BYTES = 32;
const SLICE = 160_000;
/** Entries that are there before memory is read: what the connection and the first pages take is not counted. */
const FIRST = 16_000;
const STALL_NS = 1_000_000;
export const PERCENTILES = ['50', '99', '99.9', '99.99', '100'];

/** What filling an empty server gives. */
export interface Filling {
  /** by percentile, in µs */
  latency_us: Record<string, number>;
  /** the longest batch, in ns of CPU */
  longestBatch_ns: number;
  /** batches that took longer than a millisecond of CPU */
  stalls: number;
  bytesPerEntry: number;
}

interface Growth extends Filling {
  /** FLUSHALL of all entries, in ms of CPU and by the clock */
  flush_ms: { cpu: number; wall: number };
  /** resident bytes after FLUSHALL and a second fill, over those after the first */
  refilled: number;
}

/** Inserts keys [from, to), a few at once, and answers the CPU time of each batch in ns. */
async function insert(
  measured: MeasuredServer,
  connection: Connection,
  name: string,
  from: number,
  to: number,
): Promise<{ longest_ns: number; stalls: number }> {
  const value = valueOf(VALUE_BYTES);
  let longest_ns = 0;
  let stalls = 0;
  let before = measured.cpuNs();
  for (let start = from; start < to; start += SLICE) {
    const commands: Words[] = [];
    for (let key = start; key < Math.min(to, start + SLICE); key++) commands.push([name, keyName(key), value]);
    for (const batch of batches(commands, BATCH, OK_BYTES)) {
      await connection.send(batch);
      const after = measured.cpuNs();
      longest_ns = Math.max(longest_ns, after - before);
      if (after - before > STALL_NS) stalls++;
      before = after;
    }
  }
  return { longest_ns, stalls };
}

async function latencies(connection: Connection, name: string): Promise<Record<string, number>> {
  const text = await connection.ask(['INFO', 'latencystats']);
  const line = text.split('\r\n').find((each) => each.toLowerCase().startsWith(`latency_percentiles_usec_${name.toLowerCase()}:`)) ?? '';
  return Object.fromEntries([...line.matchAll(/p([\d.]+)=([\d.]+)/g)].map((match) => [match[1] ?? '', Number(match[2])]));
}

/** Inserts `entries` into an empty server by the command `name`. */
export async function filling(measured: MeasuredServer, connection: Connection, name: string, entries: number): Promise<Filling> {
  const first = Math.min(FIRST, entries >> 1);
  await connection.ask(['CONFIG', 'SET', 'latency-tracking-info-percentiles', PERCENTILES.join(' ')]);
  await insert(measured, connection, name, 0, first);
  await connection.ask(['CONFIG', 'RESETSTAT']);
  const empty = measured.residentBytes();
  const { longest_ns, stalls } = await insert(measured, connection, name, first, entries);
  const bytesPerEntry = (measured.residentBytes() - empty) / (entries - first);
  return { latency_us: await latencies(connection, name), longestBatch_ns: longest_ns, stalls, bytesPerEntry };
}

async function grow(measured: MeasuredServer, name: string, entries: number): Promise<Growth> {
  const connection = await measured.connection();
  const first = await filling(measured, connection, name, entries);
  const full = measured.residentBytes();
  const [cpu, wall] = [measured.cpuNs(), performance.now()];
  await connection.ask(['FLUSHALL', 'SYNC']);
  const flush_ms = { cpu: (measured.cpuNs() - cpu) / 1e6, wall: performance.now() - wall };
  await insert(measured, connection, name, 0, entries);
  const refilled = measured.residentBytes() / full;
  connection.close();
  return { ...first, flush_ms, refilled };
}

export const growth: Measure = {
  name: 'growth',
  summary: 'inserts up to 10,000,000 entries (--entries n): percentiles, the longest, memory, FLUSHALL (only when named)',
  onlyWhenNamed: true,
  async run({ server, entries, print }) {
    const results = new Map<string, Growth>();
    for (const name of ['SET', 'CUSTOM.SET']) {
      const measured = await MeasuredServer.start(server);
      try {
        results.set(name, await grow(measured, name, entries));
      } finally {
        await measured.stop();
      }
    }
    for (const [name, { latency_us, longestBatch_ns, stalls, bytesPerEntry, flush_ms, refilled }] of results) {
      const shown = Object.entries(latency_us)
        .map(([percentile, value]) => `p${percentile} ${value}`)
        .join(', ');
      print(`${name}, growing to ${entries.toLocaleString('en')} entries, µs`, '', shown);
      const batch = `${(longestBatch_ns / 1000).toFixed(0)} µs CPU`;
      print(`${name}, longest batch of ${BATCH}`, batch, `${stalls} batches over 1 ms of CPU`);
      print(`${name}, resident bytes per entry`, bytesPerEntry.toFixed(1), `${refilled.toFixed(3)} × after FLUSHALL and filling again`);
      print(`${name}, FLUSHALL`, `${flush_ms.cpu.toFixed(1)} ms CPU`, `${flush_ms.wall.toFixed(1)} ms by the clock`);
    }
  },
};
