/** What the cells of a report give: plain data, kept as it was measured, one value for each round. */
import type { Kind } from '../lib/arguments.ts';
import type { CallTimes } from '../measures/calls.ts';
import type { Saving } from '../measures/durability.ts';
import type { Filling } from '../measures/growth.ts';
import type { SiteTimings } from '../measures/http.ts';
import type { BothBytes } from '../measures/memory.ts';
import type { SessionTimings } from '../measures/session-commands.ts';
import type { CommandTimings } from '../measures/storage.ts';

/** By kind of cell, what one cell gives. */
export interface Results {
  commands: { byDepth: Record<string, CommandTimings> };
  sessions: SessionTimings;
  http: SiteTimings;
  /** resident bytes of an entry, one for each round */
  memory: BothBytes;
  'session-memory': BothBytes;
  growth: Record<'SET' | 'CUSTOM.SET', Filling[]>;
  calls: CallTimes;
  saving: { native: Saving; ours: Saving };
  start: { load_ms: number[] };
}

/** What was measured where: cells of another build or machine are no part of a report. */
export interface Setting {
  /** SHA-256 of host.so and both modules together */
  build: string;
  machine: Machine;
}

export interface Machine {
  cpu: string;
  cores: number;
  memory_gib: number;
  kernel: string;
  node: string;
}

/** A server as the page names it. */
export interface ServerName {
  key: string;
  name: string;
  version: string;
}

/** A cell that has been measured: a line of the file of figures. */
export interface Figure<K extends Kind = Kind> {
  kind: K;
  server: ServerName;
  /** what distinguishes it from other cells of its kind, and how much was sent */
  parameters: Record<string, number | string>;
  result: Results[K];
  setting: Setting;
  /** the commit whose sources were built, with `+` behind it when they had been changed */
  commit: string;
  /** ISO 8601, when the cell was done */
  date: string;
  seconds: number;
}

/** The figures of one kind. */
export function ofKind<K extends Kind>(figures: Figure[], kind: K): Figure<K>[] {
  return figures.filter((figure): figure is Figure<K> => figure.kind === kind);
}

/** The last of a list, if there is any. */
export function last<T>(list: T[]): T | undefined {
  return list[list.length - 1];
}
