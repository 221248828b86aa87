/** Contenders that take turns, so that a drift of the machine meets all of them. */
import { drive, encode, type Batch, type Connection, type Words } from './connection.ts';
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
}

/**
 * Batches of operations, `pipeline` at a time. An operation may be several commands, and counts as one.
 * @param replyBytes length of the replies to one operation, in bytes
 */
export function operationBatches(operations: Words[][], pipeline: number, replyBytes: number): Batch[] {
  const result: Batch[] = [];
  for (let start = 0; start < operations.length; start += pipeline) {
    const slice = operations.slice(start, start + pipeline);
    result.push({ request: Buffer.concat(slice.flat().map(encode)), replyBytes: slice.length * replyBytes, commands: slice.length });
  }
  return result;
}

/** Runs every contender in every round, in the other order in every other round, after a round that warms up. */
export async function takeTurns<Name extends string>(contenders: Contender<Name>[], rounds: number): Promise<Record<Name, Timing>> {
  const timings = new Map<Contender<Name>, Timing>(contenders.map((contender) => [contender, { cpu_ns: [], wall_ns: [] }]));
  for (let round = 0; round <= rounds; round++) {
    for (const [contender, timing] of round % 2 === 0 ? timings : [...timings].reverse()) {
      const { measured, connections } = contender;
      const load = contender.load(round);
      const operations = load.reduce((sum, { commands }) => sum + commands, 0);
      const [cpu, wall] = [measured.cpuNs(), performance.now()];
      await drive(connections, load);
      if (round === 0) continue;
      timing.wall_ns.push(((performance.now() - wall) * 1e6) / operations);
      timing.cpu_ns.push((measured.cpuNs() - cpu) / operations);
    }
  }
  return Object.fromEntries([...timings].map(([{ name }, timing]) => [name, timing])) as Record<Name, Timing>;
}
