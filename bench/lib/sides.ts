/** Entries of CUSTOM, and native keys that are measured beside them. */
import { drive, type Connection } from './connection.ts';
import { batches, storing } from './load.ts';
import { keyName, valueOf } from './random.ts';
import { PIPELINE, VALUE_BYTES } from './sizes.ts';

export type Side = 'native' | 'ours';
export const COMMANDS = {
  native: { set: 'SET', get: 'GET', count: 'DBSIZE' },
  ours: { set: 'CUSTOM.SET', get: 'CUSTOM.GET', count: 'CUSTOM.LEN' },
} as const;
export const VALUE = valueOf(VALUE_BYTES);

/** Stores `entries` keys. */
export async function fill(connection: Connection, side: Side, entries: number, key = keyName): Promise<void> {
  await drive([connection], batches(storing(COMMANDS[side].set, VALUE, key), 0, entries, PIPELINE));
}

/** How many keys there are. */
export async function countOf(connection: Connection, side: Side): Promise<number> {
  return Number((await connection.ask([COMMANDS[side].count])).slice(1));
}
