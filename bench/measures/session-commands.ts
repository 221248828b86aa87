/**
 * Server CPU of commands on sessions: linked directly, linked by command, and over the same in native keys.
 * The native side is measured twice.
 * A Lua script is one step with its checks in it, like the command.
 * A transaction in MULTI changes as much and checks nothing.
 */
import type { Server } from '../../scripts/lib/servers.ts';
import { drive } from '../lib/connection.ts';
import { batches, bulkBytes, command, commands, creating, storing, type Operation, type Words } from '../lib/load.ts';
import { CONNECTIONS, ID_BYTES, OK_BYTES, PIPELINE, VALUE_BYTES } from '../lib/sizes.ts';
import type { Measure } from '../lib/measure.ts';
import * as native from '../lib/native-sessions.ts';
import { user, uuid } from '../lib/native-sessions.ts';
import { keyName, valueOf } from '../lib/random.ts';
import { takeTurns, type Timing } from '../lib/rounds.ts';
import { bothLinks, withServers } from '../lib/server.ts';
import { ratio, show } from '../lib/statistics.ts';

const FIELDS = 5;
const IDLE_S = '1800';
const USERS = 100_000;
const VALUE = valueOf(VALUE_BYTES);

export type SessionOperation = 'create' | 'existing' | 'get' | 'add';
/**
 * How sessions are kept: in the modules, linked directly or by command, or in native keys.
 * Native keys are changed by a Lua script or in MULTI.
 */
export type SessionSide = 'direct' | 'command' | 'lua' | 'multi';
export type SessionTimings = Record<SessionOperation, Partial<Record<SessionSide, Timing>>>;

/** By operation and side, what is sent for the session number `index`. */
type Recipes<Side extends string> = Partial<Record<SessionOperation, Partial<Record<Side, Operation>>>>;

const field = (index: number) => `field:${index % FIELDS}`;
const data = Array.from({ length: FIELDS }, (_, index) => [field(index), VALUE]).flat();
const fresh = (index: number) => ({ id: uuid(index), user: user(index), idle_s: IDLE_S });

function transaction(words: (index: number) => Words[], replies: string[]): Operation {
  const answered = ['+OK\r\n', ...replies.map(() => '+QUEUED\r\n'), `*${replies.length}\r\n`, ...replies];
  return commands((index) => [['MULTI'], ...words(index), ['EXEC']], answered);
}

/** SESSION.CREATE by both links, with `limits` behind the user. */
function createdByUs(status: Parameters<typeof creating>[0], limits: string[]): Record<'direct' | 'command', Operation> {
  const operation = creating(status, (index) => [user(index), ...limits]);
  return { direct: operation, command: operation };
}

function recipesOf(digests: native.Digests): Recipes<SessionSide> {
  const limits = ['IDLE', IDLE_S];
  const lua = command((index) => native.createByScript(digests, fresh(index), IDLE_S), bulkBytes(ID_BYTES));
  return {
    create: {
      ...createdByUs('Session created', limits),
      lua,
      multi: transaction((index) => native.create(fresh(index)), native.createReplies(0, IDLE_S)),
    },
    existing: { ...createdByUs('Session exists', limits), lua },
    get: {
      direct: command((index) => ['SESSION.GET_DATA', uuid(index), field(index)], bulkBytes(VALUE_BYTES)),
      lua: command((index) => native.getByScript(digests, uuid(index), IDLE_S, field(index)), bulkBytes(VALUE_BYTES)),
      multi: transaction(
        (index) => [...native.touch(uuid(index), IDLE_S), native.get(uuid(index), field(index))],
        [...native.TOUCH_REPLIES, `$${VALUE_BYTES}\r\n${VALUE}\r\n`],
      ),
    },
    add: {
      direct: command((index) => ['SESSION.ADD_DATA', uuid(index), field(index), VALUE], OK_BYTES),
      lua: command((index) => native.addByScript(digests, uuid(index), IDLE_S, field(index), VALUE), OK_BYTES),
      multi: transaction((index) => native.touch(uuid(index), IDLE_S, [field(index), VALUE]), native.TOUCH_REPLIES),
    },
  };
}

/**
 * Measures recipes on two servers with sessions, one linked directly and one by command.
 * @param stored what is sent for each session before
 * @param count how many sessions there are, and how many operations a round sends
 */
function measureRecipes<Side extends string>(
  server: Server,
  stored: Operation[],
  recipes: (ask: (words: Words) => Promise<string>) => Promise<Recipes<Side>>,
  { depth, count, rounds }: { depth: number; count: number; rounds: number },
): Promise<Record<string, Record<Side, Timing>>> {
  return withServers(server, bothLinks(), async (servers) => {
    const connections = { direct: await servers.direct.connections(CONNECTIONS), command: await servers.command.connections(CONNECTIONS) };
    for (const all of Object.values(connections)) for (const each of stored) await drive(all, batches(each, 0, count, PIPELINE));
    const asking = await servers.direct.connection();
    const result: Record<string, Record<Side, Timing>> = {};
    for (const [operation, sides] of Object.entries(await recipes((words) => asking.ask(words)))) {
      // New sessions are further numbers in every round.
      const first = (round: number) => (operation === 'create' ? count * (round + 1) : 0);
      const contenders = (Object.entries(sides) as [Side, Operation][]).map(([name, recipe]) => {
        const where = name === 'command' ? 'command' : 'direct';
        const load = (round: number) => [...batches(recipe, first(round), first(round) + count, depth)];
        return { name, measured: servers[where], connections: connections[where], load };
      });
      result[operation] = await takeTurns(contenders, rounds);
    }
    return result;
  });
}

/** Creating sessions, finding existing ones, reading and writing a field of them, among `count` sessions. */
export async function sessionCommands(server: Server, depth: number, count: number, rounds: number): Promise<SessionTimings> {
  const stored = [
    creating('Session created', (index) => [user(index), 'IDLE', IDLE_S, 'ID', uuid(index), 'DATA', ...data]),
    commands((index) => native.create({ ...fresh(index), fields: data }), native.createReplies(FIELDS, IDLE_S)),
  ];
  const recipes = async (ask: (words: Words) => Promise<string>) => recipesOf(await native.loadScripts(ask));
  return (await measureRecipes(server, stored, recipes, { depth, count, rounds })) as SessionTimings;
}

export const session: Measure = {
  name: 'session',
  summary: 'server CPU of SESSION.CREATE, linked directly over by command, and over a native SET',
  async run({ server, rounds, print }) {
    const recipes: Recipes<'direct' | 'command' | 'set'> = {
      create: { ...createdByUs('Session created', []), set: storing('SET', VALUE, (index) => keyName(index % USERS)) },
      existing: createdByUs('Session exists', []),
    };
    const stored = [creating('Session created', (index) => [user(index)])];
    const scale = { depth: PIPELINE, count: USERS, rounds };
    const { create, existing } = await measureRecipes(server, stored, () => Promise.resolve(recipes), scale);
    if (create === undefined || existing === undefined) return;
    const byLink = (what: string, { direct, command }: Record<'direct' | 'command', Timing>) => {
      const best = `${Math.round(Math.min(...direct.cpu_ns))} ns direct at best`;
      print(`SESSION.CREATE of ${what} user, direct / command`, show(ratio(direct.cpu_ns, command.cpu_ns)), best);
    };
    byLink('an existing', existing);
    byLink('a new', create);
    print('SESSION.CREATE of a new user, direct / native SET', show(ratio(create.direct.cpu_ns, create.set.cpu_ns)), '');
  },
};
