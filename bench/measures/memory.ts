/** Resident bytes per entry, over the server's own keys, and per session. */
import type { Server } from '../../scripts/lib/servers.ts';
import { drive } from '../lib/connection.ts';
import { batches, creating, storing, type Operation } from '../lib/load.ts';
import type { Measure } from '../lib/measure.ts';
import { user } from '../lib/native-sessions.ts';
import { valueOf } from '../lib/random.ts';
import { withServer } from '../lib/server.ts';
import { PIPELINE, VALUE_BYTES } from '../lib/sizes.ts';

const ENTRIES = 1_000_000;
const SESSIONS = 200_000;
const CONNECTIONS = 8;
/** What is there before memory is read the first time: connections and first pages are not counted. */
const FIRST = 1000;

/** Resident bytes of both sides, one for each round. */
export interface BothBytes {
  native: number[];
  ours: number[];
}

/** Resident bytes that each of `count` operations takes in a server of its own. */
function bytesEach(server: Server, operation: Operation, count: number): Promise<number> {
  return withServer(server, {}, async (measured) => {
    const connections = await measured.connections(CONNECTIONS);
    await drive(connections, batches(operation, 0, FIRST, PIPELINE));
    const before = measured.residentBytes();
    await drive(connections, batches(operation, FIRST, count, PIPELINE));
    return (measured.residentBytes() - before) / (count - FIRST);
  });
}

/** Resident bytes that each of `count` operations takes, of both sides in turn. */
export async function bothBytes(
  server: Server,
  { native, ours }: Record<keyof BothBytes, Operation>,
  count: number,
  rounds: number,
): Promise<BothBytes> {
  const result: BothBytes = { native: [], ours: [] };
  for (let round = 0; round < rounds; round++) {
    result.native.push(await bytesEach(server, native, count));
    result.ours.push(await bytesEach(server, ours, count));
  }
  return result;
}

/** Resident bytes of an entry with a key of 16 bytes and a value of `valueBytes`. */
export function entryBytes(server: Server, valueBytes: number, entries: number, rounds: number): Promise<BothBytes> {
  const value = valueOf(valueBytes);
  return bothBytes(server, { native: storing('SET', value), ours: storing('CUSTOM.SET', value) }, entries, rounds);
}

/** Prints what the only round of a measure gave. */
export function printBytes(
  print: (what: string, figure: string, note: string) => void,
  what: string,
  unit: string,
  bytes: BothBytes,
): void {
  const [ours = Number.NaN, native = Number.NaN] = [bytes.ours[0], bytes.native[0]];
  print(what, (ours / native).toFixed(2), `${ours.toFixed(1)} and ${native.toFixed(1)} ${unit}`);
}

export const memory: Measure = {
  name: 'memory',
  summary: 'resident bytes per entry of 16 + 32 bytes, over native SET, and per session of a new user',
  async run({ server, print }) {
    const entries = await entryBytes(server, VALUE_BYTES, ENTRIES, 1);
    printBytes(print, `CUSTOM.SET / SET, ${ENTRIES.toLocaleString('en')} entries`, 'bytes per entry', entries);
    const session = await bytesEach(
      server,
      creating('Session created', (index) => [user(index)]),
      SESSIONS,
    );
    print(`SESSION.CREATE, ${SESSIONS.toLocaleString('en')} users, both modules`, '', `${session.toFixed(1)} bytes per session`);
  },
};
