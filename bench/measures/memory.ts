/** Resident bytes per entry, over the server's own keys, and per session. */
import { batches, drive, type Words } from '../lib/connection.ts';
import { valueOf } from '../lib/random.ts';
import { createBytes } from '../lib/replies.ts';
import type { Server } from '../../scripts/lib/servers.ts';
import { MeasuredServer } from '../lib/server.ts';
import type { Measure } from '../lib/measure.ts';
import { fill } from './storage.ts';

const ENTRIES = 1_000_000;
/** Entries that are there before memory is read. */
const FIRST = 1000;
const SESSIONS = 200_000;
const CONNECTIONS = 8;
const PIPELINE = 64;
const CREATED_BYTES = createBytes('Session created');

/** Resident bytes that each of `entries` of 16 bytes and a value takes, stored by the command `name` in a server of its own. */
export async function bytesPerEntry(server: Server, name: string, entries: number, valueBytes: number): Promise<number> {
  const measured = await MeasuredServer.start(server);
  try {
    const connections = await Promise.all(Array.from({ length: CONNECTIONS }, () => measured.connection()));
    const value = valueOf(valueBytes);
    // What the connections themselves take is there before the first reading.
    await fill(connections, name, FIRST, value);
    const before = measured.residentBytes();
    await fill(connections, name, entries, value);
    return (measured.residentBytes() - before) / (entries - FIRST);
  } finally {
    await measured.stop();
  }
}

export const memory: Measure = {
  name: 'memory',
  summary: 'resident bytes per entry of 16 + 32 bytes, over native SET, and per session of a new user',
  async run({ server, print }) {
    const [native, ours] = [await bytesPerEntry(server, 'SET', ENTRIES, 32), await bytesPerEntry(server, 'CUSTOM.SET', ENTRIES, 32)];
    print(
      `CUSTOM.SET / SET, ${ENTRIES.toLocaleString('en')} entries`,
      (ours / native).toFixed(2),
      `${ours.toFixed(1)} and ${native.toFixed(1)} bytes per entry`,
    );

    const measured = await MeasuredServer.start(server);
    try {
      const connections = await Promise.all(Array.from({ length: CONNECTIONS }, () => measured.connection()));
      const create = (from: number, to: number) => {
        const commands: Words[] = [];
        for (let user = from; user < to; user++) commands.push(['SESSION.CREATE', `user:${String(user).padStart(6, '0')}`]);
        return drive(connections, batches(commands, PIPELINE, CREATED_BYTES));
      };
      await create(0, 1000);
      const before = measured.residentBytes();
      await create(1000, SESSIONS);
      print(
        `SESSION.CREATE, ${SESSIONS.toLocaleString('en')} users, both modules`,
        '',
        `${((measured.residentBytes() - before) / (SESSIONS - 1000)).toFixed(1)} bytes per session`,
      );
    } finally {
      await measured.stop();
    }
  },
};
