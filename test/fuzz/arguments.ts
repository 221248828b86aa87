/**
 * Random arguments that mean something: keys that are users and users that are keys, ids that exist, existed,
 * or nearly do, awkward bytes.
 */
import fc from 'fast-check';

/**
 * An argument: bytes; or the `index`-th id that was ever replied, changed in some `way`; or the time of the
 * command, so many ms `ago`. What refers to an earlier reply, or to the clock, is resolved as the run goes
 * on.
 */
export type Argument = string | { index: number; way: Way } | { ago: number };
type Way = 'as it is' | 'upper case' | 'cut' | 'longer' | 'another';
export type Operation = Argument[];
export interface Weighted {
  weight: number;
  arbitrary: fc.Arbitrary<Operation>;
}

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

export const bytes = (maxLength: number) => fc.uint8Array({ maxLength, size: 'max' }).map((array) => Buffer.from(array).toString('latin1'));
const lengths = fc.constantFrom(15, 16, 17, 63, 64, 127, 128, 129, 255, 256, 2000, 2049, 16384, 65535, 65536, 70_000);
const long = fc.tuple(lengths, fc.nat(255)).map(([length, byte]) => String.fromCharCode(byte).repeat(length));
export const short = fc.constantFrom(...'a b c d e f g h'.split(' '));
export const key = fc.oneof(
  { weight: 8, arbitrary: short },
  { weight: 2, arbitrary: fc.constantFrom(...AWKWARD) },
  { weight: 1, arbitrary: long },
  { weight: 1, arbitrary: bytes(40) },
);
const knownId = (ways: fc.Arbitrary<Way>) => fc.record({ index: fc.nat(20), way: ways });
const live = knownId(fc.constant('as it is'));
export const id: fc.Arbitrary<Argument> = fc.oneof(
  { weight: 12, arbitrary: live },
  { weight: 2, arbitrary: knownId(fc.constantFrom('upper case', 'cut', 'longer', 'another')) },
  { weight: 1, arbitrary: fc.constantFrom(...UNKNOWN) },
  { weight: 1, arbitrary: key },
);
/** What is kept as an integer, or nearly is. */
const digits = fc.constantFrom('0', '-1', '127', '-129', '32768', '2147483648', '-9223372036854775808', '9223372036854775808', '-0', '007');
export const value: fc.Arbitrary<Argument> = fc.oneof(
  { weight: 4, arbitrary: key },
  { weight: 1, arbitrary: digits },
  { weight: 2, arbitrary: live },
  { weight: 1, arbitrary: fc.constantFrom(...UNKNOWN) },
  { weight: 2, arbitrary: bytes(300) },
);

export const command = (name: string, ...args: fc.Arbitrary<Argument>[]): fc.Arbitrary<Operation> => fc.tuple(fc.constant(name), ...args);

/** A command whose last arguments are as many as a list gives. */
export const spread = (name: string, head: fc.Arbitrary<Argument>[], tail: fc.Arbitrary<Argument[]>): fc.Arbitrary<Operation> =>
  fc.tuple(fc.tuple(...head), tail).map(([first, rest]) => [name, ...first, ...rest]);

/** What the argument is now. */
export function resolve(argument: Argument, ids: string[], now: number): string {
  if (typeof argument === 'string') return argument;
  if ('ago' in argument) return String(now - argument.ago);
  const found = ids[ids.length - 1 - (argument.index % Math.max(ids.length, 1))] ?? UNKNOWN[0]!;
  if (argument.way === 'upper case') return found.toUpperCase();
  if (argument.way === 'cut') return found.slice(0, -1);
  if (argument.way === 'longer') return `${found}\0`;
  if (argument.way === 'another') return found.slice(0, -1) + (found.endsWith('0') ? '1' : '0');
  return found;
}
