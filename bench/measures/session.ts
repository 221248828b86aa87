/** Server CPU per SESSION.CREATE: of a user who has a session and of a new one, linked directly and by command. */
import { batches, drive, type Batch, type Connection, type Words } from '../lib/connection.ts';
import { ratio, show } from '../lib/statistics.ts';
import { MeasuredServer } from '../lib/server.ts';
import type { Measure } from '../lib/measure.ts';
import { keyName, valueOf } from '../lib/random.ts';
import { createBytes, OK_BYTES } from '../lib/replies.ts';

const CONNECTIONS = 50;
const PIPELINE = 64;
const USERS = 100_000;

function create(prefix: string, status: 'Session created' | 'Session exists'): Batch[] {
  const commands: Words[] = [];
  for (let user = 0; user < USERS; user++) commands.push(['SESSION.CREATE', `${prefix}${user}`]);
  return batches(commands, PIPELINE, createBytes(status));
}

function set(): Batch[] {
  const commands: Words[] = [];
  for (let key = 0; key < USERS; key++) commands.push(['SET', keyName(key), valueOf(32)]);
  return batches(commands, PIPELINE, OK_BYTES);
}

/** A server with its connections, and what each round took on it, in ns per command. */
interface Side {
  measured: MeasuredServer;
  connections: Connection[];
  fresh: number[];
  existing: number[];
  native: number[];
}

async function side(measured: MeasuredServer): Promise<Side> {
  const connections = await Promise.all(Array.from({ length: CONNECTIONS }, () => measured.connection()));
  return { measured, connections, fresh: [], existing: [], native: [] };
}

async function timed({ measured, connections }: Side, load: Batch[]): Promise<number> {
  const before = measured.cpuNs();
  await drive(connections, load);
  return (measured.cpuNs() - before) / USERS;
}

export const session: Measure = {
  name: 'session',
  summary: 'server CPU of SESSION.CREATE, linked directly over by command, and over a native SET',
  async run({ server, rounds, print }) {
    const servers = [
      await MeasuredServer.start(server),
      await MeasuredServer.start(server, { settings: ['--wasm.link', 'command'] }),
    ] as const;
    try {
      const direct = await side(servers[0]);
      const byCommand = await side(servers[1]);
      for (let round = 0; round <= rounds; round++) {
        for (const one of [direct, byCommand]) {
          const prefix = `user:${round}:`;
          const fresh = await timed(one, create(prefix, 'Session created'));
          const existing = await timed(one, create(prefix, 'Session exists'));
          const native = await timed(one, set());
          // The first round warms up.
          if (round === 0) continue;
          one.fresh.push(fresh);
          one.existing.push(existing);
          one.native.push(native);
        }
      }
      const best = (times: number[]) => `${Math.round(Math.min(...times))} ns direct at best`;
      print(
        'SESSION.CREATE of an existing user, direct / command',
        show(ratio(direct.existing, byCommand.existing)),
        best(direct.existing),
      );
      print('SESSION.CREATE of a new user, direct / command', show(ratio(direct.fresh, byCommand.fresh)), best(direct.fresh));
      print('SESSION.CREATE of a new user, direct / native SET', show(ratio(direct.fresh, direct.native)), '');
    } finally {
      for (const server of servers) await server.stop();
    }
  },
};
