/**
 * Whether growing stalls the server: single inserts of 16 + 32 bytes into an empty one.
 * They are made by CUSTOM.SET and by the server's own SET.
 *
 * The percentiles are those of the server's own clock (INFO latencystats).
 * They are whole microseconds, and hold the waiting for the processor.
 * How much of the longest is work is told by the CPU time of each batch of a few inserts.
 * No insert took more than its batch.
 */
import type { Server } from '../../scripts/lib/servers.ts';
import type { Connection } from '../lib/connection.ts';
import { batches, storing } from '../lib/load.ts';
import type { Context, Measure } from '../lib/measure.ts';
import { valueOf } from '../lib/random.ts';
import { withServer, type MeasuredServer } from '../lib/server.ts';
import { VALUE_BYTES } from '../lib/sizes.ts';

const ENTRIES = 10_000_000;
const BATCH = 16;
/** Entries that are there before memory is read, so that connection and first pages are not counted. */
const FIRST = 16_000;
const STALL_NS = 1_000_000;
export const PERCENTILES = ['50', '99', '99.9', '99.99', '100'];

type Name = 'SET' | 'CUSTOM.SET';

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

/** A server that is filled over one connection by one command. */
interface Filled {
  measured: MeasuredServer;
  connection: Connection;
  name: Name;
}

/** Inserts keys [from, to), a few at once. */
async function insert({ measured, connection, name }: Filled, from: number, to: number): Promise<{ longest_ns: number; stalls: number }> {
  let longest_ns = 0;
  let stalls = 0;
  let before = measured.cpuNs();
  for (const batch of batches(storing(name, valueOf(VALUE_BYTES)), from, to, BATCH)) {
    await connection.send(batch);
    const after = measured.cpuNs();
    longest_ns = Math.max(longest_ns, after - before);
    if (after - before > STALL_NS) stalls++;
    before = after;
  }
  return { longest_ns, stalls };
}

async function latencies({ connection, name }: Filled): Promise<Record<string, number>> {
  const field = `latency_percentiles_usec_${name.toLowerCase()}:`;
  const text = await connection.ask(['INFO', 'latencystats']);
  const line = text.split('\r\n').find((each) => each.toLowerCase().startsWith(field)) ?? '';
  return Object.fromEntries([...line.matchAll(/p([\d.]+)=([\d.]+)/g)].map((match) => [match[1] ?? '', Number(match[2])]));
}

/** Inserts `entries` into an empty server. */
async function fill(filled: Filled, entries: number): Promise<Filling> {
  const { measured, connection } = filled;
  const first = Math.min(FIRST, entries >> 1);
  await connection.ask(['CONFIG', 'SET', 'latency-tracking-info-percentiles', PERCENTILES.join(' ')]);
  await insert(filled, 0, first);
  await connection.ask(['CONFIG', 'RESETSTAT']);
  const empty = measured.residentBytes();
  const { longest_ns, stalls } = await insert(filled, first, entries);
  const bytesPerEntry = (measured.residentBytes() - empty) / (entries - first);
  return { latency_us: await latencies(filled), longestBatch_ns: longest_ns, stalls, bytesPerEntry };
}

/** Fills, flushes and fills again. */
async function grow(filled: Filled, entries: number): Promise<Growth> {
  const { measured, connection } = filled;
  const first = await fill(filled, entries);
  const full = measured.residentBytes();
  const [cpu, wall] = [measured.cpuNs(), performance.now()];
  await connection.ask(['FLUSHALL', 'SYNC']);
  const flush_ms = { cpu: (measured.cpuNs() - cpu) / 1e6, wall: performance.now() - wall };
  await insert(filled, 0, entries);
  return { ...first, flush_ms, refilled: measured.residentBytes() / full };
}

/** Does `once` by SET and by CUSTOM.SET, each in a server of its own in every round. */
async function both<T>(server: Server, rounds: number, once: (filled: Filled) => Promise<T>): Promise<Record<Name, T[]>> {
  const result: Record<Name, T[]> = { SET: [], 'CUSTOM.SET': [] };
  for (let round = 0; round < rounds; round++) {
    for (const name of ['SET', 'CUSTOM.SET'] as const) {
      const begin = async (measured: MeasuredServer) => once({ measured, connection: await measured.connection(), name });
      result[name].push(await withServer(server, {}, begin));
    }
  }
  return result;
}

export function fillings(server: Server, entries: number, rounds: number): Promise<Record<Name, Filling[]>> {
  return both(server, rounds, (filled) => fill(filled, entries));
}

function printGrowth(print: Context['print'], name: string, entries: number, growth: Growth): void {
  const { latency_us, longestBatch_ns, stalls, bytesPerEntry, flush_ms, refilled } = growth;
  const shown = Object.entries(latency_us).map(([percentile, value]) => `p${percentile} ${value}`);
  print(`${name}, growing to ${entries.toLocaleString('en')} entries, µs`, '', shown.join(', '));
  const batch = `${(longestBatch_ns / 1000).toFixed(0)} µs CPU`;
  print(`${name}, longest batch of ${BATCH}`, batch, `${stalls} batches over 1 ms of CPU`);
  print(`${name}, resident bytes per entry`, bytesPerEntry.toFixed(1), `${refilled.toFixed(3)} × after FLUSHALL and filling again`);
  print(`${name}, FLUSHALL`, `${flush_ms.cpu.toFixed(1)} ms CPU`, `${flush_ms.wall.toFixed(1)} ms by the clock`);
}

export const growth: Measure = {
  name: 'growth',
  summary: 'inserts up to 10,000,000 entries (--entries n): percentiles, the longest, memory, FLUSHALL (only when named)',
  onlyWhenNamed: true,
  async run({ server, entries = ENTRIES, print }) {
    const results = await both(server, 1, (filled) => grow(filled, entries));
    for (const [name, [only]] of Object.entries(results)) if (only !== undefined) printGrowth(print, name, entries, only);
  },
};
