/**
 * What `wasm.time-limit` costs: server CPU per operation of a server with the limit, over one with the limit set to 0, and over one whose
 * modules were compiled without the checks that a limit needs (an environment variable of the host, for developers). Instructions too, where
 * callgrind is there: they do not depend on what else the machine does.
 */
import { findOnPath, say } from '../../scripts/lib/process.ts';
import type { Server } from '../../scripts/lib/servers.ts';
import { batches, drive, type Connection, type Words } from '../lib/connection.ts';
import { CountingServer } from '../lib/counting.ts';
import { keyName, valueOf } from '../lib/random.ts';
import { bulkBytes, createBytes, OK_BYTES } from '../lib/replies.ts';
import { MeasuredServer, type StartOptions } from '../lib/server.ts';
import { ratio, show } from '../lib/statistics.ts';
import type { Context, Measure } from '../lib/measure.ts';

const CONNECTIONS = 50;
const PIPELINE = 64;
const KEYS = 20_000;
const COMMANDS_PER_ROUND = 200_000;
const VALUE = valueOf(32);

const SIDES = {
  limited: {},
  unlimited: { settings: ['--wasm.time-limit', '0'] },
  unchecked: { environment: { WASM_NO_TIME_LIMIT: '1' } },
} satisfies Record<string, StartOptions>;
type Side = keyof typeof SIDES;
const NAMES = Object.keys(SIDES) as Side[];

interface Operation {
  name: string;
  command: (index: number) => Words;
  replyBytes: number;
}

const SET: Operation = { name: 'CUSTOM.SET', command: (index) => ['CUSTOM.SET', keyName(index % KEYS), VALUE], replyBytes: OK_BYTES };
const CREATE: Operation = {
  name: 'SESSION.CREATE of an existing user',
  command: (index) => ['SESSION.CREATE', `user:${index % KEYS}`],
  replyBytes: createBytes('Session exists'),
};
const OPERATIONS: Operation[] = [
  SET,
  { name: 'CUSTOM.GET', command: (index) => ['CUSTOM.GET', keyName(index % KEYS)], replyBytes: bulkBytes(VALUE.length) },
  CREATE,
];

const words = (count: number, { command }: Operation) => Array.from({ length: count }, (_, index) => command(index));

/** Makes what the operations find. */
async function fill(connections: Connection[]): Promise<void> {
  await drive(connections, batches(words(KEYS, SET), PIPELINE, OK_BYTES));
  await drive(connections, batches(words(KEYS, CREATE), PIPELINE, createBytes('Session created')));
}

async function measureCpu({ server, rounds, print }: Context): Promise<void> {
  const servers = await Promise.all(NAMES.map((name) => MeasuredServer.start(server, SIDES[name])));
  try {
    const all = await Promise.all(servers.map((one) => Promise.all(Array.from({ length: CONNECTIONS }, () => one.connection()))));
    for (const connections of all) await fill(connections);
    for (const operation of OPERATIONS) {
      const load = batches(words(COMMANDS_PER_ROUND, operation), PIPELINE, operation.replyBytes);
      const times: number[][] = NAMES.map(() => []);
      for (let round = 0; round <= rounds; round++) {
        for (const [index, measured] of servers.entries()) {
          const before = measured.cpuNs();
          await drive(all[index] ?? [], load);
          // The first round warms up.
          if (round > 0) times[index]?.push((measured.cpuNs() - before) / COMMANDS_PER_ROUND);
        }
      }
      const [limited = [], unlimited = [], unchecked = []] = times;
      print(`${operation.name}, with the limit / without checks`, show(ratio(limited, unchecked)), 'server CPU');
      print(`${operation.name}, with the limit / with 0`, show(ratio(limited, unlimited)), 'server CPU');
    }
  } finally {
    for (const measured of servers) await measured.stop();
  }
}

/** Instructions of each operation on one side. */
async function count(server: Server, side: Side): Promise<number[]> {
  const counting = await CountingServer.start(server, SIDES[side]);
  try {
    await counting.send(KEYS, SET.command, OK_BYTES);
    await counting.send(KEYS, CREATE.command, createBytes('Session created'));
    const counts: number[] = [];
    for (const { command, replyBytes } of OPERATIONS) counts.push(await counting.count(command, replyBytes));
    return counts;
  } finally {
    await counting.stop();
  }
}

export const limit: Measure = {
  name: 'limit',
  summary: 'what wasm.time-limit costs: server CPU, and instructions where callgrind is there; only when named',
  onlyWhenNamed: true,
  async run(context) {
    await measureCpu(context);
    if (findOnPath('valgrind') === undefined) {
      say('instructions are not counted: there is no valgrind');
      return;
    }
    const limited = await count(context.server, 'limited');
    const unchecked = await count(context.server, 'unchecked');
    for (const [index, { name }] of OPERATIONS.entries()) {
      const [own, peer] = [limited[index] ?? Number.NaN, unchecked[index] ?? Number.NaN];
      context.print(
        `${name}, with the limit / without checks`,
        (own / peer).toFixed(3),
        `${own.toFixed(0)} and ${peer.toFixed(0)} instructions`,
      );
    }
  },
};
