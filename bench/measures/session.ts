/** Server CPU per SESSION.CREATE: of a user who has a session and of a new one, linked directly and by command. */
import { batches, drive, type Words } from '../lib/connection.ts';
import { ratio, show } from '../lib/statistics.ts';
import { MeasuredServer } from '../lib/server.ts';
import type { Measure } from '../main.ts';
import { OK_BYTES } from './storage.ts';
import { keyName, valueOf } from '../lib/random.ts';

const CONNECTIONS = 50;
const PIPELINE = 64;
const USERS = 100_000;
const ID_BYTES = 36;

const replyBytes = (status: string) => `+${status}: \r\n`.length + ID_BYTES;

function create(prefix: string, status: string): ReturnType<typeof batches> {
  const commands: Words[] = [];
  for (let user = 0; user < USERS; user++) commands.push(['SESSION.CREATE', `${prefix}${user}`]);
  return batches(commands, PIPELINE, replyBytes(status));
}

function set(): ReturnType<typeof batches> {
  const commands: Words[] = [];
  for (let key = 0; key < USERS; key++) commands.push(['SET', keyName(key), valueOf(32)]);
  return batches(commands, PIPELINE, OK_BYTES);
}

export const session: Measure = {
  name: 'session',
  summary: 'server CPU of SESSION.CREATE, linked directly over by command, and over a native SET',
  async run({ server, rounds, print }) {
    const direct = await MeasuredServer.start(server);
    const byCommand = await MeasuredServer.start(server, { settings: ['--wasm.link', 'command'] });
    try {
      const sides = [
        { measured: direct, connections: await Promise.all(Array.from({ length: CONNECTIONS }, () => direct.connection())) },
        { measured: byCommand, connections: await Promise.all(Array.from({ length: CONNECTIONS }, () => byCommand.connection())) },
      ];
      const times = sides.map(() => ({ fresh: [] as number[], existing: [] as number[], native: [] as number[] }));
      const timed = async (side: number, load: ReturnType<typeof batches>): Promise<number> => {
        const { measured, connections } = sides[side] ?? sides[0]!;
        const before = measured.cpuNs();
        await drive(connections, load);
        return (measured.cpuNs() - before) / USERS;
      };
      for (let round = 0; round <= rounds; round++) {
        for (const [side, time] of times.entries()) {
          const prefix = `user:${round}:`;
          const fresh = await timed(side, create(prefix, 'Session created'));
          const existing = await timed(side, create(prefix, 'Session exists'));
          const native = await timed(side, set());
          // The first round warms up.
          if (round > 0) {
            time.fresh.push(fresh);
            time.existing.push(existing);
            time.native.push(native);
          }
        }
      }
      const [one, other] = [times[0]!, times[1]!];
      print('SESSION.CREATE of an existing user, direct / command', show(ratio(one.existing, other.existing)), `${Math.round(Math.min(...one.existing))} ns direct at best`);
      print('SESSION.CREATE of a new user, direct / command', show(ratio(one.fresh, other.fresh)), `${Math.round(Math.min(...one.fresh))} ns direct at best`);
      print('SESSION.CREATE of a new user, direct / native SET', show(ratio(one.fresh, one.native)), '');
    } finally {
      await direct.stop();
      await byCommand.stop();
    }
  },
};
