/** Resident bytes per entry, over the server's own keys, and per session. */
import { batches, drive, type Words } from '../lib/connection.ts';
import { valueOf } from '../lib/random.ts';
import { createBytes } from '../lib/replies.ts';
import { MeasuredServer } from '../lib/server.ts';
import type { Measure } from '../main.ts';
import { fill } from './storage.ts';

const ENTRIES = 1_000_000;
const SESSIONS = 200_000;
const CONNECTIONS = 8;
const PIPELINE = 64;
const CREATED_BYTES = createBytes('Session created');

export const memory: Measure = {
  name: 'memory',
  summary: 'resident bytes per entry of 16 + 32 bytes, over native SET, and per session of a new user',
  async run({ server, print }) {
    const perEntry = async (name: string): Promise<number> => {
      const measured = await MeasuredServer.start(server);
      try {
        const connections = await Promise.all(Array.from({ length: CONNECTIONS }, () => measured.connection()));
        // What the connections themselves take is there before the first reading.
        await fill(connections, name, 1000, valueOf(32));
        const before = measured.residentBytes();
        await fill(connections, name, ENTRIES, valueOf(32));
        return (measured.residentBytes() - before) / (ENTRIES - 1000);
      } finally {
        await measured.stop();
      }
    };
    const [native, ours] = [await perEntry('SET'), await perEntry('CUSTOM.SET')];
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
