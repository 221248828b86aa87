/** What the cells of a report give: plain data, kept as it was measured, one value for each round. */
import type { Kind } from '../lib/arguments.ts';
import type { Timing } from '../lib/rounds.ts';
import type { CallTimes } from '../measures/calls.ts';
import type { Filling } from '../measures/growth.ts';

export type CommandName = 'SET' | 'CUSTOM.SET' | 'GET' | 'CUSTOM.GET';
export type SessionOperation = 'create' | 'existing' | 'get' | 'add';
/** How sessions are kept: in the modules, linked directly or by command, or in native keys, changed by a Lua script or in MULTI. */
export type SessionSide = 'direct' | 'command' | 'lua' | 'multi';

/** What saving and loading gives for one side. */
export interface Saving {
  /** from BGSAVE until the file is in place, by the clock */
  save_ms: number[];
  /** CPU of a start with the file, less that of a start without one */
  load_ms: number[];
  /** the file's size */
  bytes: number[];
}

/** By kind of cell, what one cell gives. */
export interface Results {
  commands: { byDepth: Record<string, Record<CommandName, Timing>> };
  sessions: Record<SessionOperation, Partial<Record<SessionSide, Timing>>>;
  /** resident bytes of an entry, one for each round */
  memory: { native: number[]; ours: number[] };
  'session-memory': { native: number[]; ours: number[] };
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
