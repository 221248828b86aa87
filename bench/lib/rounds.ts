/** Contenders that take turns, so that a drift of the machine meets all of them. */
import { drive, type Connection } from './connection.ts';
import { batches, type Batch, type Operation } from './load.ts';
import type { MeasuredServer } from './server.ts';

/** What each round took per operation: CPU of the server's main thread, and time by the clock; both in ns. */
export interface Timing {
  cpu_ns: number[];
  wall_ns: number[];
}

/** One of those that take turns. */
export interface Contender<Name extends string = string> {
  name: Name;
  measured: MeasuredServer;
  connections: Connection[];
  /** Its commands of a round, encoded before the clock starts; round 0 warms up. */
  load: (round: number) => Batch[];
  /** What is sent before them, outside of what is measured. */
  prepare?: (round: number) => Iterable<Batch>;
}

/** A contender that does the same in every round: `operation` for each number below `count`. */
export function steady<Name extends string>(
  name: Name,
  measured: MeasuredServer,
  connections: Connection[],
  { operation, count, pipeline }: { operation: Operation; count: number; pipeline: number },
): Contender<Name> {
  const load = [...batches(operation, 0, count, pipeline)];
  return { name, measured, connections, load: () => load };
}

/**
 * Runs every contender in every round, after a round that warms up.
 * Every other round runs them in the opposite order.
 */
export async function takeTurns<Name extends string>(contenders: Contender<Name>[], rounds: number): Promise<Record<Name, Timing>> {
  const timings = new Map<Contender<Name>, Timing>(contenders.map((contender) => [contender, { cpu_ns: [], wall_ns: [] }]));
  for (let round = 0; round <= rounds; round++) {
    for (const [contender, timing] of round % 2 === 0 ? timings : [...timings].reverse()) {
      const { measured, connections } = contender;
      await drive(connections, contender.prepare?.(round) ?? []);
      const load = contender.load(round);
      const operations = load.reduce((sum, batch) => sum + batch.operations, 0);
      const [cpu, wall] = [measured.cpuNs(), performance.now()];
      await drive(connections, load);
      if (round === 0) continue;
      timing.wall_ns.push(((performance.now() - wall) * 1e6) / operations);
      timing.cpu_ns.push((measured.cpuNs() - cpu) / operations);
    }
  }
  return Object.fromEntries([...timings].map(([{ name }, timing]) => [name, timing])) as Record<Name, Timing>;
}
