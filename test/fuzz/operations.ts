/**
 * Random commands that mean something: keys that are users and users that are keys, ids that exist, existed, or nearly do, mappings
 * that name somebody else's session, awkward bytes, other numbers of arguments. What refers to an earlier reply is resolved as the run goes on.
 */
import fc from 'fast-check';
import { comparable, type Model } from './model.ts';

/** An argument: bytes, or the `index`-th id that was ever replied, changed in some `way`. */
type Argument = string | { index: number; way: 'as it is' | 'upper case' | 'cut' | 'longer' | 'another' };
export type Operation = Argument[];

const AWKWARD = [
  '',
  '\0',
  'a\r\nb',
  'x\r\n+INJECTED\r\n',
  '\xff\xfe',
  '\xed\xa0\x80',
  '\xe2\x82\xac',
  '"\\',
  '\x1f',
  '{}',
  'Session created: ',
];
const UNKNOWN = ['01234567-89ab-4cde-8f01-23456789abcd', '01234567-89ab-3cde-8f01-23456789abcd', '00000000-0000-0000-0000-000000000000'];

const bytes = (maxLength: number) => fc.uint8Array({ maxLength, size: 'max' }).map((array) => Buffer.from(array).toString('latin1'));
const lengths = fc.constantFrom(15, 16, 17, 63, 64, 127, 128, 129, 255, 256, 2000, 2049, 16384, 65535, 65536, 70_000);
const long = fc.tuple(lengths, fc.nat(255)).map(([length, byte]) => String.fromCharCode(byte).repeat(length));
const short = fc.constantFrom(...'a b c d e f g h'.split(' '));
const key = fc.oneof(
  { weight: 8, arbitrary: short },
  { weight: 2, arbitrary: fc.constantFrom(...AWKWARD) },
  { weight: 1, arbitrary: long },
  { weight: 1, arbitrary: bytes(40) },
);
const knownId = (ways: fc.Arbitrary<'as it is' | 'upper case' | 'cut' | 'longer' | 'another'>) =>
  fc.record({ index: fc.nat(20), way: ways });
const live = knownId(fc.constant('as it is'));
const id: fc.Arbitrary<Argument> = fc.oneof(
  { weight: 12, arbitrary: live },
  { weight: 2, arbitrary: knownId(fc.constantFrom('upper case', 'cut', 'longer', 'another')) },
  { weight: 1, arbitrary: fc.constantFrom(...UNKNOWN) },
  { weight: 1, arbitrary: key },
);
const value: fc.Arbitrary<Argument> = fc.oneof(
  { weight: 4, arbitrary: key },
  { weight: 2, arbitrary: live },
  { weight: 1, arbitrary: fc.constantFrom(...UNKNOWN) },
  { weight: 2, arbitrary: bytes(300) },
);

const command = (name: string, ...args: fc.Arbitrary<Argument>[]): fc.Arbitrary<Operation> => fc.tuple(fc.constant(name), ...args);
const NAMES = ['CUSTOM.SET', 'CUSTOM.GET', 'CUSTOM.DEL', 'CUSTOM.EXISTS', 'CUSTOM.KEYS', 'SESSION.CREATE', 'SESSION.GET', 'SESSION.LIST', 'SESSION.ADD_DATA', 'SESSION.GET_DATA', 'SESSION.DELETE']; // prettier-ignore

const operation: fc.Arbitrary<Operation> = fc.oneof(
  { weight: 50, arbitrary: command('CUSTOM.SET', key, value) },
  { weight: 30, arbitrary: command('CUSTOM.GET', key) },
  { weight: 30, arbitrary: command('CUSTOM.DEL', key) },
  { weight: 15, arbitrary: command('CUSTOM.EXISTS', key) },
  { weight: 10, arbitrary: command('CUSTOM.KEYS') },
  { weight: 70, arbitrary: command('SESSION.CREATE', key) },
  { weight: 40, arbitrary: command('SESSION.GET', id) },
  { weight: 10, arbitrary: command('SESSION.LIST') },
  { weight: 80, arbitrary: command('SESSION.ADD_DATA', id, key, value) },
  { weight: 50, arbitrary: command('SESSION.GET_DATA', id, key) },
  { weight: 30, arbitrary: command('SESSION.DELETE', id) },
  { weight: 5, arbitrary: fc.tuple(fc.constantFrom(...NAMES), fc.array(key, { maxLength: 5 })).map(([name, args]) => [name, ...args]) },
  { weight: 2, arbitrary: command('DEBUG RELOAD') },
  { weight: 1, arbitrary: command('FLUSHALL') },
);

/** A run of at most `most` commands. */
export const operations = (most: number) => fc.array(operation, { maxLength: most, size: 'max' });

/** What runs commands: a server, or something that does as one. */
export interface Target {
  name: string;
  send(argv: string[]): Promise<string> | string;
  /** The time of the next command, in ms; undefined where it is not known, and times in replies are not compared. */
  now?: () => number;
}

const TIMES = /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z/g;
/** As long as a time, so that lengths stay true. */
const NO_TIME = '0000-00-00T00:00:00.000Z';

/** A difference between what was replied and what should have been. */
export class Difference extends Error {}

function resolve(argument: Argument, ids: string[]): string {
  if (typeof argument === 'string') return argument;
  const found = ids[ids.length - 1 - (argument.index % Math.max(ids.length, 1))] ?? UNKNOWN[0]!;
  if (argument.way === 'upper case') return found.toUpperCase();
  if (argument.way === 'cut') return found.slice(0, 35);
  if (argument.way === 'longer') return `${found}\0`;
  if (argument.way === 'another') return found.slice(0, 35) + (found.endsWith('0') ? '1' : '0');
  return found;
}

/** Everything that clients can see, asked at the end of each run. */
function questions(model: Model, ids: string[]): string[][] {
  return [
    ['CUSTOM.KEYS'],
    ['SESSION.LIST'],
    ...[...model.storage.keys()].map((known) => ['CUSTOM.GET', known]),
    ...ids.map((known) => ['SESSION.GET', known]),
  ];
}

/**
 * Runs the operations on a target and on the model.
 * @returns the ids that were given out, in order
 * @throws Difference at the first reply that is not the model's
 */
export async function runOn(target: Target, model: Model, all: Operation[]): Promise<string[]> {
  const ids: string[] = [];
  const check = async (argv: string[]): Promise<void> => {
    const now = target.now?.() ?? 0;
    const actual = await target.send(argv);
    const known = (reply: string) => comparable(target.now ? reply : reply.replace(TIMES, NO_TIME));
    const wanted = model.reply(argv, now, actual);
    if (known(actual) !== known(wanted)) {
      const shown = (text: string) => JSON.stringify(text.length > 2000 ? `${text.slice(0, 2000)}…` : text);
      throw new Difference(`${target.name}: ${shown(argv.join(' '))} replied\n  ${shown(actual)}\nand not\n  ${shown(wanted)}`);
    }
    const id = /^\+Session created: (.{36})\r\n$/.exec(actual)?.[1];
    if (id !== undefined) ids.push(id);
  };
  for (const one of all) await check(one.map((argument) => resolve(argument, ids)));
  for (const question of questions(model, ids)) await check(question);
  return ids;
}
