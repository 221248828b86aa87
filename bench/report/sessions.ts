/**
 * Commands on sessions, over what the same takes of native keys: a hash with a time to live for each session, a set of ids for each user, and a
 * string that names the user's newest session. The native side is measured twice: as a Lua script, which like the command is one step with its
 * checks in it, and as a transaction in MULTI, which changes as much but checks nothing.
 */
import type { Server } from '../../scripts/lib/servers.ts';
import { drive, type Connection, type Words } from '../lib/connection.ts';
import { valueOf } from '../lib/random.ts';
import { bulkBytes, createBytes, OK_BYTES } from '../lib/replies.ts';
import { operationBatches, takeTurns, type Contender } from '../lib/rounds.ts';
import { MeasuredServer } from '../lib/server.ts';
import { range, user, uuid } from '../measures/sessions.ts';
import { connect } from './cells.ts';
import type { Results, SessionOperation, SessionSide } from './results.ts';

const FIELDS = 5;
const FIELD_BYTES = 32;
const IDLE_S = '1800';
const ID_BYTES = 36;
const TIME = '2026-01-02T03:04:05.678Z';
const SETUP_PIPELINE = 64;
const QUEUED = '+QUEUED\r\n';

/** A user's session if there is one, else a new one: KEYS mapping, set of ids, hash of the new session; ARGV id, user, time, seconds. */
const CREATE = `
  local old = redis.call('GET', KEYS[1])
  if old and redis.call('EXISTS', 'session:' .. old) == 1 then
    redis.call('HSET', 'session:' .. old, 'last_accessed', ARGV[3])
    redis.call('EXPIRE', 'session:' .. old, ARGV[4])
    return old
  end
  redis.call('HSET', KEYS[3], 'user_key', ARGV[2], 'created_at', ARGV[3], 'last_accessed', ARGV[3])
  redis.call('EXPIRE', KEYS[3], ARGV[4])
  redis.call('SADD', KEYS[2], ARGV[1])
  redis.call('SET', KEYS[1], ARGV[1])
  return ARGV[1]`;
/** KEYS hash; ARGV field, time, seconds. */
const GET = `
  if redis.call('EXISTS', KEYS[1]) == 0 then return redis.error_reply('Session not found') end
  redis.call('HSET', KEYS[1], 'last_accessed', ARGV[2])
  redis.call('EXPIRE', KEYS[1], ARGV[3])
  return redis.call('HGET', KEYS[1], ARGV[1])`;
/** KEYS hash; ARGV field, value, time, seconds. */
const ADD = `
  if redis.call('EXISTS', KEYS[1]) == 0 then return redis.error_reply('Session not found') end
  redis.call('HSET', KEYS[1], ARGV[1], ARGV[2], 'last_accessed', ARGV[3])
  redis.call('EXPIRE', KEYS[1], ARGV[4])
  return redis.status_reply('OK')`;

/** How an operation is done on one side: its commands for the session number `index`, and the length of their replies in bytes. */
interface Recipe {
  words: (index: number) => Words[];
  replyBytes: number;
}

const session = (index: number) => `session:${uuid(index)}`;
const mapping = (index: number) => `mapping:${user(index)}`;
const field = (index: number) => `field:${index % FIELDS}`;

function transaction(commands: (index: number) => Words[], replies: string[]): Recipe {
  const replyBytes = OK_BYTES + QUEUED.length * replies.length + `*${replies.length}\r\n${replies.join('')}`.length;
  return { words: (index) => [['MULTI'], ...commands(index), ['EXEC']], replyBytes };
}

/** Recipes of one operation by side; a scripts' digest by its text. */
function recipes(digests: Map<string, string>): Record<SessionOperation, Partial<Record<SessionSide, Recipe>>> {
  const script = (text: string, keys: (index: number) => string[], words: (index: number) => Words, replyBytes: number): Recipe => ({
    words: (index) => [['EVALSHA', digests.get(text) ?? '', String(keys(index).length), ...keys(index), ...words(index)]],
    replyBytes,
  });
  const ours = (words: (index: number) => Words, replyBytes: number): Partial<Record<SessionSide, Recipe>> => {
    const recipe = { words: (index: number) => [words(index)], replyBytes };
    return { direct: recipe, command: recipe };
  };
  const value = valueOf(FIELD_BYTES);
  const create = (index: number): Words => ['SESSION.CREATE', user(index), 'IDLE', IDLE_S];
  const createKeys = (index: number) => [mapping(index), `sessions:${user(index)}`, session(index)];
  const createScript = script(CREATE, createKeys, (index) => [uuid(index), user(index), TIME, IDLE_S], bulkBytes(ID_BYTES));
  const fresh = (index: number): Words[] => [
    ['HSET', session(index), 'user_key', user(index), 'created_at', TIME, 'last_accessed', TIME],
    ['EXPIRE', session(index), IDLE_S],
    ['SADD', `sessions:${user(index)}`, uuid(index)],
    ['SET', mapping(index), uuid(index)],
  ];
  const touch = (index: number, ...words: string[]): Words[] => [
    ['HSET', session(index), ...words, 'last_accessed', TIME],
    ['EXPIRE', session(index), IDLE_S],
  ];
  return {
    create: {
      ...ours(create, createBytes('Session created')),
      lua: createScript,
      multi: transaction(fresh, [':3\r\n', ':1\r\n', ':1\r\n', '+OK\r\n']),
    },
    existing: { ...ours(create, createBytes('Session exists')), lua: createScript },
    get: {
      direct: { words: (index) => [['SESSION.GET_DATA', uuid(index), field(index)]], replyBytes: bulkBytes(FIELD_BYTES) },
      lua: script(
        GET,
        (index) => [session(index)],
        (index) => [field(index), TIME, IDLE_S],
        bulkBytes(FIELD_BYTES),
      ),
      multi: transaction(
        (index) => [...touch(index), ['HGET', session(index), field(index)]],
        [':0\r\n', ':1\r\n', `$${FIELD_BYTES}\r\n${value}\r\n`],
      ),
    },
    add: {
      direct: { words: (index) => [['SESSION.ADD_DATA', uuid(index), field(index), value]], replyBytes: OK_BYTES },
      lua: script(
        ADD,
        (index) => [session(index)],
        (index) => [field(index), value, TIME, IDLE_S],
        OK_BYTES,
      ),
      multi: transaction((index) => touch(index, field(index), value), [':0\r\n', ':1\r\n']),
    },
  };
}

/** Sends each operation once for every session number in `numbers`. */
function send(connections: Connection[], { words, replyBytes }: Recipe, numbers: number[]): Promise<void> {
  return drive(connections, operationBatches(numbers.map(words), SETUP_PIPELINE, replyBytes));
}

/** Stores `count` sessions with data, in the modules and in native keys. */
async function populate(connections: Connection[], count: number): Promise<void> {
  const data = range(0, FIELDS).flatMap((index) => [field(index), valueOf(FIELD_BYTES)]);
  const created: Recipe = {
    words: (index) => [['SESSION.CREATE', user(index), 'IDLE', IDLE_S, 'ID', uuid(index), 'DATA', ...data]],
    replyBytes: createBytes('Session created'),
  };
  const native: Recipe = {
    words: (index) => [
      ['HSET', session(index), 'user_key', user(index), 'created_at', TIME, 'last_accessed', TIME, ...data],
      ['EXPIRE', session(index), IDLE_S],
      ['SADD', `sessions:${user(index)}`, uuid(index)],
      ['SET', mapping(index), uuid(index)],
    ],
    replyBytes: `:${FIELDS + 3}\r\n:1\r\n:1\r\n+OK\r\n`.length,
  };
  for (const recipe of [created, native]) await send(connections, recipe, range(0, count));
}

/**
 * Creating sessions, finding those that exist, reading and writing a field of them.
 * @param count how many sessions there are, and how many operations a round sends
 */
export async function sessions(server: Server, depth: number, count: number, rounds: number): Promise<Results['sessions']> {
  const started: MeasuredServer[] = [];
  try {
    const start = async (settings: string[]) => {
      const measured = await MeasuredServer.start(server, { settings });
      started.push(measured);
      return measured;
    };
    const servers = { direct: await start([]), command: await start(['--wasm.link', 'command']) };
    const connections = { direct: await connect(servers.direct), command: await connect(servers.command) };
    const digests = new Map<string, string>();
    for (const text of [CREATE, GET, ADD]) {
      const reply = await connections.direct[0]?.ask(['SCRIPT', 'LOAD', text]);
      digests.set(text, (reply ?? '').split('\r\n')[1] ?? '');
    }
    for (const side of ['direct', 'command'] as const) await populate(connections[side], count);
    const result: Partial<Results['sessions']> = {};
    for (const [operation, sides] of Object.entries(recipes(digests)) as [SessionOperation, Partial<Record<SessionSide, Recipe>>][]) {
      const contenders = (Object.entries(sides) as [SessionSide, Recipe][]).map(([name, recipe]): Contender<SessionSide> => {
        const where = name === 'command' ? 'command' : 'direct';
        // New sessions are further numbers in every round.
        const first = (round: number) => (operation === 'create' ? count * (round + 1) : 0);
        return {
          name,
          measured: servers[where],
          connections: connections[where],
          load: (round) => operationBatches(range(first(round), first(round) + count).map(recipe.words), depth, recipe.replyBytes),
        };
      });
      result[operation] = await takeTurns(contenders, rounds);
    }
    return result as Results['sessions'];
  } finally {
    for (const measured of started) await measured.stop();
  }
}
