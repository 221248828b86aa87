/**
 * Sessions as applications keep them, with a field, limits of time and a place in the index.
 * One figure is the memory of such a session, over the same in native keys.
 * The other tells whether reading a field takes longer in a session with thousands of them.
 */
import type { Server } from '../../scripts/lib/servers.ts';
import { drive } from '../lib/connection.ts';
import { batches, bulkBytes, command, commands, creating } from '../lib/load.ts';
import type { Context, Measure } from '../lib/measure.ts';
import { create, createReplies, user, uuid } from '../lib/native-sessions.ts';
import { valueOf } from '../lib/random.ts';
import { steady, takeTurns, type Contender } from '../lib/rounds.ts';
import { withServer, type MeasuredServer } from '../lib/server.ts';
import { OK_BYTES, PIPELINE, VALUE_BYTES } from '../lib/sizes.ts';
import { ratio, show } from '../lib/statistics.ts';
import { bothBytes, printBytes, type BothBytes } from './memory.ts';

const SESSIONS = 200_000;
const READS = 100_000;
/** Fields of the two sessions whose reads are compared. */
const FEW = 10;
const MANY = 10_000;

/** Resident bytes of a session with a field, IDLE and TTL; the native one is a hash, a set and a string. */
export function sessionBytes(server: Server, count: number, rounds: number): Promise<BothBytes> {
  const [idle_s, fields] = ['1800', ['field', valueOf(VALUE_BYTES)]];
  const ours = creating('Session created', (index) => [user(index), 'IDLE', idle_s, 'TTL', '86400', 'DATA', ...fields]);
  const native = commands((index) => create({ id: uuid(index), user: user(index), fields, idle_s }), createReplies(1, idle_s));
  return bothBytes(server, { native, ours }, count, rounds);
}

/** Creates a session with `fields` fields, and gives what reads all of them over and over. */
async function readsOf<Name extends string>(measured: MeasuredServer, name: Name, fields: number): Promise<Contender<Name>> {
  const connection = await measured.connection();
  const id = (await connection.ask(['SESSION.CREATE', `fields:${fields}`])).trim().slice(-36);
  const add = command((field) => ['SESSION.ADD_DATA', id, `field:${field}`, valueOf(VALUE_BYTES)], OK_BYTES);
  await drive([connection], batches(add, 0, fields, PIPELINE));
  const operation = command((index) => ['SESSION.GET_DATA', id, `field:${(index * 7919) % fields}`], bulkBytes(VALUE_BYTES));
  return steady(name, measured, [connection], { operation, count: READS, pipeline: PIPELINE });
}

/** Server CPU of GET_DATA in a session of many fields over one of few. */
async function compareReads({ server, rounds, print }: Context): Promise<void> {
  const { few, many } = await withServer(server, {}, async (measured) =>
    takeTurns([await readsOf(measured, 'few', FEW), await readsOf(measured, 'many', MANY)], rounds),
  );
  const best = `${Math.min(...few.cpu_ns).toFixed(0)} ns at best`;
  print(`GET_DATA, ${MANY.toLocaleString('en')} fields / ${FEW}`, show(ratio(many.cpu_ns, few.cpu_ns)), best);
}

export const sessions: Measure = {
  name: 'sessions',
  summary: 'resident bytes of a session with field, limits and index, over native keys; GET_DATA of many fields over few',
  async run(context) {
    const bytes = await sessionBytes(context.server, SESSIONS, 1);
    const what = `session with a field, limits, index, mapping / native keys, ${SESSIONS.toLocaleString('en')}`;
    printBytes(context.print, what, 'bytes', bytes);
    await compareReads(context);
  },
};
