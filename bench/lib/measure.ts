/** What a measure is given, and what it is. */
import type { Server } from '../../scripts/lib/servers.ts';

export interface Context {
  server: Server;
  rounds: number;
  keys: number;
  /** how many entries a measure of large tables inserts, where that was asked for */
  entries: number | undefined;
  /** Prints a figure: what, the ratio, and what else helps to read it. */
  print: (what: string, figure: string, note: string) => void;
}

export interface Measure {
  name: string;
  summary: string;
  onlyWhenNamed?: boolean;
  run: (context: Context) => Promise<void>;
}
