/** The cells of a report: what is measured on each server, and how much. */
import type { Kind } from '../lib/arguments.ts';
import type { Server } from '../../scripts/lib/servers.ts';
import { callTimes } from '../measures/calls.ts';
import { noisyEntries, noisySessions, saving } from '../measures/durability.ts';
import { fillings } from '../measures/growth.ts';
import { siteTimings } from '../measures/http.ts';
import { loadTimes } from '../measures/load.ts';
import { entryBytes } from '../measures/memory.ts';
import { sessionCommands } from '../measures/session-commands.ts';
import { sessionBytes } from '../measures/session-memory.ts';
import { storageCommands } from '../measures/storage.ts';
import type { ServerName } from './results.ts';
import type { Cell } from './run.ts';

/** How much is sent. */
export interface Scale {
  rounds: number;
  keys: number[];
  /** by pipeline depth, the commands of a round */
  operations: Record<string, number>;
  /** pipeline depths of the commands on sessions */
  sessionDepths: number[];
  /** requests of a round to a site */
  requests: number;
  /** sessions that there are, and operations on them in a round */
  sessions: number;
  valueBytes: number[];
  memoryEntries: number;
  memorySessions: number;
  memoryRounds: number;
  growthEntries: number;
  growthRounds: number;
  savedEntries: number;
  savedSessions: number;
  savingRounds: number;
  starts: number;
}

/** The report's: about twenty minutes for three servers. */
export const FULL: Scale = {
  rounds: 7,
  keys: [1000, 100_000, 1_000_000],
  operations: { 1: 20_000, 8: 60_000, 64: 150_000 },
  sessionDepths: [1, 64],
  requests: 4000,
  sessions: 20_000,
  valueBytes: [8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096],
  memoryEntries: 200_000,
  memorySessions: 200_000,
  memoryRounds: 1,
  growthEntries: 1_000_000,
  growthRounds: 3,
  savedEntries: 1_000_000,
  savedSessions: 200_000,
  savingRounds: 3,
  starts: 7,
};

/** Everything once, in seconds, to see that it works: the figures mean nothing. */
export const QUICK: Scale = {
  rounds: 2,
  keys: [1000, 5000],
  operations: { 1: 500, 8: 1000, 64: 5000 },
  sessionDepths: [1, 64],
  requests: 160,
  sessions: 500,
  valueBytes: [8, 128, 4096],
  memoryEntries: 5000,
  memorySessions: 5000,
  memoryRounds: 1,
  growthEntries: 20_000,
  growthRounds: 2,
  savedEntries: 20_000,
  savedSessions: 2000,
  savingRounds: 2,
  starts: 2,
};

/** A server of the plan: what runs, and how the page names it. */
export interface Target {
  server: Server;
  name: ServerName;
}

/** The cells of one server. Each is measured by itself and takes from a second to a minute. */
function cellsOf({ server, name }: Target, scale: Scale): Cell[] {
  const cell = <K extends Kind>(kind: K, parameters: Cell['parameters'], estimate_s: number, measure: Cell<K>['measure']): Cell<K> => ({
    ...{ kind, server: name, parameters, estimate_s, measure },
  });
  const { rounds, memoryEntries, memorySessions, memoryRounds, savedEntries, savingRounds } = scale;
  const operations = Object.entries(scale.operations)
    .map(([depth, count]) => `${depth}:${count}`)
    .join(' ');
  return [
    ...scale.keys.map((keys) =>
      cell('commands', { keys, operations, rounds }, 18 + keys / 100_000, () => storageCommands(server, keys, scale.operations, rounds)),
    ),
    ...scale.sessionDepths.map((depth) =>
      cell('sessions', { depth, sessions: scale.sessions, rounds }, depth === 1 ? 70 : 36, () =>
        sessionCommands(server, depth, scale.sessions, rounds),
      ),
    ),
    cell('http', { requests: scale.requests, rounds }, 90, () => siteTimings(server, rounds, scale.requests)),
    cell('calls', { rounds }, 8, () => callTimes(server, rounds)),
    ...scale.valueBytes.map((bytes) =>
      cell('memory', { 'value bytes': bytes, entries: memoryEntries, rounds: memoryRounds }, 2.5 + bytes / 600, () =>
        entryBytes(server, bytes, memoryEntries, memoryRounds),
      ),
    ),
    cell('session-memory', { sessions: memorySessions, rounds: memoryRounds }, 8, () => sessionBytes(server, memorySessions, memoryRounds)),
    cell('growth', { entries: scale.growthEntries, rounds: scale.growthRounds }, 105, () =>
      fillings(server, scale.growthEntries, scale.growthRounds),
    ),
    cell('saving', { data: 'entries', count: savedEntries, rounds: savingRounds }, 25, () =>
      saving(server, noisyEntries(savedEntries), savingRounds),
    ),
    cell('saving', { data: 'sessions', count: scale.savedSessions, rounds: savingRounds }, 28, () =>
      saving(server, noisySessions(scale.savedSessions), savingRounds),
    ),
    cell('start', { rounds: scale.starts }, 2, async () => ({ load_ms: await loadTimes(server, scale.starts) })),
  ];
}

export function planOf(targets: Target[], scale: Scale): Cell[] {
  return targets.flatMap((target) => cellsOf(target, scale));
}
