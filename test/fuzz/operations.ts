/**
 * Random commands, and how they are run on a target and on the model side by side. The commands of each
 * family stand in files of their own: storage-operations.ts and session-operations.ts.
 */
import fc from 'fast-check';
import { command, key, resolve, type Operation } from './arguments.ts';
import { comparable, type Model } from './model.ts';
import { sessionOperations } from './session-operations.ts';
import { storageOperations } from './storage-operations.ts';
import { parseReply } from '../support/reply.ts';
import { array } from './sessions.ts';

export type { Operation } from './arguments.ts';

const NAMES = ['CUSTOM.SET', 'CUSTOM.GET', 'CUSTOM.DEL', 'CUSTOM.EXISTS', 'CUSTOM.KEYS', 'SESSION.CREATE', 'SESSION.GET', 'SESSION.LIST', 'SESSION.ADD_DATA', 'SESSION.GET_DATA', 'SESSION.DELETE']; // prettier-ignore

/**
 * A run of at most `most` commands.
 * @param timed whether the target's clock is known and can be moved, so that sessions expire by it
 */
export function operations(most: number, timed = false): fc.Arbitrary<Operation[]> {
  const operation = fc.oneof(
    ...storageOperations(),
    ...sessionOperations(timed),
    { weight: 5, arbitrary: fc.tuple(fc.constantFrom(...NAMES), fc.array(key, { maxLength: 5 })).map(([name, args]) => [name, ...args]) },
    { weight: 2, arbitrary: command('DEBUG RELOAD') },
    { weight: 1, arbitrary: command('FLUSHALL') },
  );
  return fc.array(operation, { maxLength: most, size: 'max' });
}

/** What runs commands: a server, or something that does as one. */
export interface Target {
  name: string;
  send(argv: string[]): Promise<string> | string;
  /**
   * The time of the next command, in ms; undefined where it is not known, and times in replies are not
   * compared.
   */
  now?: () => number;
  /** Lets so many ms pass. */
  pass?: (ms: number) => void;
  /** Reclaims all that has expired. Where it is missing, nothing expires by the clock. */
  sweep?: () => void;
}

const TIMES = /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z/g;
/** As long as a time, so that lengths stay true. */
const NO_TIME = '0000-00-00T00:00:00.000Z';
/**
 * Milliseconds left, where the target's clock is not known: limits there are so long that these are always
 * seven digits or more.
 */
const LEFT = /:\d{7,}\r\n/g;

/** What expired so long ago is reclaimed by a sweep. */
const SWEPT_AFTER_MS = 64;

/** A difference between what was replied and what should have been. */
export class Difference extends Error {}

/** What counts or shows what has expired until it is reclaimed: to be swept before. */
const showsExpired = (name: string) => name.startsWith('CUSTOM.') || name === 'SESSION.COUNT';

/**
 * A whole walk of a SCAN: its elements as one array, or the error of its first step. `*` stands for the
 * cursor.
 */
async function walk(target: Target, [name = '', , ...options]: string[]): Promise<string> {
  const found = new Set<string>();
  let cursor = '0';
  do {
    const bytes = await target.send([name, cursor, ...options]);
    if (bytes.startsWith('-')) return bytes;
    const [next, elements] = parseReply(bytes) as [string, string[]];
    for (const element of elements) found.add(element);
    cursor = next;
  } while (cursor !== '0');
  return array([...found]);
}

/** Everything that clients can see, asked at the end of each run. */
function questions(model: Model, ids: string[], users: string[]): string[][] {
  return [
    ['CUSTOM.KEYS'],
    ['SESSION.LIST'],
    ...[...model.storage.keys()].map((known) => ['CUSTOM.GET', known]),
    ...ids.map((known) => ['SESSION.GET', known]),
    ...sessionQuestions(ids, users),
  ];
}

/** Those of the sessions. */
function sessionQuestions(ids: string[], users: string[]): string[][] {
  return [
    ['SESSION.COUNT'],
    ...users.flatMap((user) => [
      ['SESSION.USER', user],
      ['SESSION.COUNT', user],
    ]),
    ...ids.flatMap((known) => [
      ['SESSION.INFO', known],
      ['SESSION.TTL', known],
      ['SESSION.GETALL', known],
    ]),
    ['SESSION.CHECK'],
    ['CUSTOM.CHECK'],
  ];
}

/** The id that a reply gives out: created, or rotated. */
export function idIn(name: string, reply: string): string | undefined {
  const created = /^\+Session created: (.*)\r\n$/.exec(reply)?.[1];
  if (created !== undefined) return created;
  return name === 'SESSION.ROTATE' && reply.startsWith('$') && reply !== '$-1\r\n' ? (parseReply(reply) as string) : undefined;
}

/**
 * Runs the operations on a target and on the model.
 * @returns the ids that were given out, in order
 * @throws Difference at the first reply that is not the model's
 */
export async function runOn(target: Target, model: Model, all: Operation[]): Promise<string[]> {
  const ids: string[] = [];
  const users = new Set<string>();
  let now = 0;
  const check = async (argv: string[]): Promise<void> => {
    const name = argv[0]!.toUpperCase();
    if (name === 'PASS') {
      target.pass?.(Number(argv[1]));
      return;
    }
    if (target.sweep && showsExpired(name)) {
      for (; !model.isSettled(now, SWEPT_AFTER_MS); now += SWEPT_AFTER_MS) target.pass?.(SWEPT_AFTER_MS);
      target.sweep();
      model.sweep(now);
    }
    const actual = name.endsWith('.SCAN') && argv[1] === '*' ? await walk(target, argv) : await target.send(argv);
    const known = (reply: string) => comparable(target.now ? reply : reply.replace(TIMES, NO_TIME).replace(LEFT, ':left\r\n'), name);
    const wanted = model.reply(argv, now, actual);
    if (known(actual) !== known(wanted)) {
      const shown = (text: string) => JSON.stringify(text.length > 2000 ? `${text.slice(0, 2000)}…` : text);
      throw new Difference(`${target.name}: ${shown(argv.join(' '))} replied\n  ${shown(actual)}\nand not\n  ${shown(wanted)}`);
    }
    const id = idIn(name, actual);
    if (id !== undefined && !ids.includes(id)) ids.push(id);
    if (/^SESSION\.(CREATE|ASSIGN)$/.test(name)) users.add((name.endsWith('ASSIGN') ? argv[2] : argv[1]) ?? '');
  };
  const tick = () => (now = target.now?.() ?? Date.now());
  for (const one of all) {
    tick();
    await check(one.map((argument) => resolve(argument, ids, now)));
  }
  for (const question of questions(model, ids, [...users])) {
    tick();
    await check(question);
  }
  return ids;
}
