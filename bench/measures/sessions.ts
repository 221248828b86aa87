/**
 * Sessions as applications keep them: memory of one with a field, limits of time and its place in the index, over the same in native keys; and
 * whether reading a field takes longer in a session with thousands of them.
 */
import type { Server } from '../../scripts/lib/servers.ts';
import { batches, drive, type Connection, type Words } from '../lib/connection.ts';
import { valueOf } from '../lib/random.ts';
import { createBytes, OK_BYTES } from '../lib/replies.ts';
import { MeasuredServer } from '../lib/server.ts';
import { ratio, show } from '../lib/statistics.ts';
import type { Context, Measure } from '../lib/measure.ts';

const SESSIONS = 200_000;
const WARM = 1000;
const CONNECTIONS = 8;
const PIPELINE = 64;
const VALUE_BYTES = 32;
const CREATED_BYTES = createBytes('Session created');
/** Of `:1` and `:4`. */
const DIGIT_BYTES = 4;

const FIELDS_FEW = 10;
const FIELDS_MANY = 10_000;
const READS = 100_000;

export const user = (number: number) => `user:${String(number).padStart(6, '0')}`;
export const uuid = (number: number) => `01234567-89ab-4cde-8f01-${String(number).padStart(12, '0')}`;
export const range = (from: number, to: number) => Array.from({ length: to - from }, (_, index) => from + index);

export const ours = (connections: Connection[], from: number, to: number) => {
  const create = (number: number): Words => [
    'SESSION.CREATE',
    user(number),
    'IDLE',
    '1800',
    'TTL',
    '86400',
    'DATA',
    'field',
    valueOf(VALUE_BYTES),
  ];
  return drive(connections, batches(range(from, to).map(create), PIPELINE, CREATED_BYTES));
};

/** What the same takes of native keys: a hash that expires, a set of the user's sessions, and the user's newest. */
export const native = async (connections: Connection[], from: number, to: number) => {
  const time = '2026-01-02T03:04:05.678Z';
  const commands: [string[], number][] = [
    [['HSET', 'session:%', 'user_key', '%user', 'created_at', time, 'last_accessed', time, 'field', valueOf(VALUE_BYTES)], DIGIT_BYTES],
    [['EXPIRE', 'session:%', '1800'], DIGIT_BYTES],
    [['SADD', 'sessions:%user', '%'], DIGIT_BYTES],
    [['SET', '%user', '%'], OK_BYTES],
  ];
  for (const [words, bytes] of commands) {
    const named = (number: number): Words => words.map((word) => word.replace('%user', user(number)).replace('%', uuid(number)));
    await drive(connections, batches(range(from, to).map(named), PIPELINE, bytes));
  }
};

/** Resident bytes that each of `count` sessions takes in a server of its own. */
export async function bytesPerSession(server: Server, fill: typeof ours, count = SESSIONS): Promise<number> {
  const measured = await MeasuredServer.start(server);
  try {
    const connections = await Promise.all(Array.from({ length: CONNECTIONS }, () => measured.connection()));
    await fill(connections, 0, WARM);
    const before = measured.residentBytes();
    await fill(connections, WARM, count);
    return (measured.residentBytes() - before) / (count - WARM);
  } finally {
    await measured.stop();
  }
}

/** Server CPU of GET_DATA in a session of many fields over one of few, in rounds that take turns. */
async function compareReads({ server, rounds, print }: Context): Promise<void> {
  const measured = await MeasuredServer.start(server);
  try {
    const connection = await measured.connection();
    const times = new Map<number, number[]>([
      [FIELDS_FEW, []],
      [FIELDS_MANY, []],
    ]);
    const ids = new Map<number, string>();
    for (const fields of times.keys()) {
      const id = (await connection.ask(['SESSION.CREATE', `fields:${fields}`])).trim().slice(-36);
      const add = (field: number): Words => ['SESSION.ADD_DATA', id, `field:${field}`, valueOf(VALUE_BYTES)];
      await drive([connection], batches(range(0, fields).map(add), PIPELINE, OK_BYTES));
      ids.set(fields, id);
    }
    for (let round = 0; round <= rounds; round++) {
      for (const [fields, times_ns] of times) {
        const read = (index: number): Words => ['SESSION.GET_DATA', ids.get(fields) ?? '', `field:${(index * 7919) % fields}`];
        const load = batches(range(0, READS).map(read), PIPELINE, VALUE_BYTES + 7);
        const before = measured.cpuNs();
        await drive([connection], load);
        // The first round warms up.
        if (round > 0) times_ns.push((measured.cpuNs() - before) / READS);
      }
    }
    const [few, many] = [times.get(FIELDS_FEW) ?? [], times.get(FIELDS_MANY) ?? []];
    print(
      `GET_DATA, ${FIELDS_MANY.toLocaleString('en')} fields / ${FIELDS_FEW}`,
      show(ratio(many, few)),
      `${Math.min(...few).toFixed(0)} ns at best`,
    );
  } finally {
    await measured.stop();
  }
}

export const sessions: Measure = {
  name: 'sessions',
  summary: 'resident bytes of a session with field, limits and index, over native keys; GET_DATA of many fields over few',
  async run(context) {
    const [own, natives] = [await bytesPerSession(context.server, ours), await bytesPerSession(context.server, native)];
    context.print(
      `session with a field, limits, index, mapping / native keys, ${SESSIONS.toLocaleString('en')}`,
      (own / natives).toFixed(2),
      `${own.toFixed(1)} and ${natives.toFixed(1)} bytes`,
    );
    await compareReads(context);
  },
};
