/** Random commands SESSION.*. */
import fc from 'fast-check';
import { command, id, key, short, spread, value, type Argument, type Weighted } from './arguments.ts';

const GIVEN_IDS = [
  'given-by-the-caller',
  'g'.repeat(16),
  '!'.repeat(128),
  '01234567-89ab-4cde-8f01-23456789abcd',
  'ABCDEF01-89AB-4CDE-8F01-23456789ABCD',
];
const NO_IDS = ['', 'g'.repeat(15), 'g'.repeat(129), 'has a blank inside', 'invalid byte \xff\xff\xff', 'nul\0nul\0nul\0nul\0nul'];
const NO_INTEGERS = ['', 'x', '1.5', '+1', ' 1', '01', '9223372036854775808', '1e3'];
const LARGE_INTEGERS = ['9223372036854775807', '-9223372036854775808', '-1', '0', '1', '7', '10'];

/** Mostly users that have sessions. */
const user = fc.oneof({ weight: 6, arbitrary: short }, { weight: 1, arbitrary: key });
/** Field names of which sessions have many in common, and values that are numbers at times. */
const field = fc.oneof({ weight: 5, arbitrary: short }, { weight: 1, arbitrary: key });
const content: fc.Arbitrary<Argument> = fc.oneof(
  { weight: 3, arbitrary: value },
  { weight: 1, arbitrary: fc.constantFrom(...LARGE_INTEGERS, ...NO_INTEGERS) },
);
const several = (most: number) => fc.array(fc.tuple(field, content), { minLength: 1, maxLength: most }).map((all) => all.flat());
const integer = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom(...LARGE_INTEGERS) },
  { weight: 3, arbitrary: fc.integer({ min: -5, max: 20 }).map(String) },
  { weight: 1, arbitrary: fc.constantFrom(...NO_INTEGERS) },
);
const word = (text: string) => fc.constantFrom(text, text.toLowerCase());

/** Seconds that a test's clock can reach, or that none does. */
const seconds = (timed: boolean): fc.Arbitrary<string> =>
  fc.oneof(
    { weight: 8, arbitrary: timed ? fc.integer({ min: 1, max: 4 }).map(String) : fc.constantFrom('100000', '86400000') },
    { weight: 2, arbitrary: fc.constantFrom('100000', '86400000') },
    { weight: 1, arbitrary: fc.constantFrom('0', '-1', ...NO_INTEGERS) },
  );

function createOption(timed: boolean): fc.Arbitrary<Argument[]> {
  const max = fc.oneof({ weight: 8, arbitrary: fc.integer({ min: 1, max: 3 }).map(String) }, { weight: 1, arbitrary: integer });
  return fc.oneof(
    { weight: 6, arbitrary: fc.tuple(word('NEW')) },
    { weight: 3, arbitrary: fc.tuple(word('IDLE'), seconds(timed)) },
    { weight: 3, arbitrary: fc.tuple(word('TTL'), seconds(timed)) },
    { weight: 2, arbitrary: fc.tuple(word('MAX'), max) },
    { weight: 2, arbitrary: fc.tuple(word('MAX'), max, fc.constantFrom('EVICT', 'REJECT', 'reject')) },
    {
      weight: 2,
      arbitrary: fc.tuple(word('ID'), fc.oneof({ weight: 4, arbitrary: fc.constantFrom(...GIVEN_IDS) }, { weight: 1, arbitrary: id })),
    },
    { weight: 1, arbitrary: fc.tuple(word('ID'), fc.constantFrom(...NO_IDS)) },
    { weight: 1, arbitrary: fc.constantFrom<Argument[]>(['MAX'], ['EVICT'], ['REJECT'], ['IDLE'], ['ID'], ['DATA'], ['WHAT'], ['']) },
  );
}

function createOptions(timed: boolean): fc.Arbitrary<Argument[]> {
  const data = fc.oneof(
    { weight: 4, arbitrary: fc.constant<Argument[]>([]) },
    { weight: 2, arbitrary: several(5).map((all) => ['DATA', ...all]) },
    { weight: 1, arbitrary: several(2).map((all) => ['data', ...all.slice(1)]) },
  );
  return fc.tuple(fc.array(createOption(timed), { maxLength: 4 }), data).map(([options, rest]) => [...options.flat(), ...rest]);
}

/** SESSION.DELUSER's: moments in the past and the future, and no numbers. */
function delUserOptions(timed: boolean): fc.Arbitrary<Argument[]> {
  const far = fc.constantFrom<Argument>({ ago: 1e9 }, { ago: -1e9 });
  const before = fc.oneof(
    { weight: 4, arbitrary: timed ? fc.integer({ min: -10, max: 3000 }).map((ago) => ({ ago })) : far },
    { weight: 1, arbitrary: fc.oneof(far, integer) },
  );
  const option = fc.oneof(
    { weight: 4, arbitrary: fc.tuple(word('EXCEPT'), id) },
    { weight: 4, arbitrary: fc.tuple(word('BEFORE'), before) },
    { weight: 1, arbitrary: fc.constantFrom<Argument[]>(['EXCEPT'], ['BEFORE'], ['AFTER', '1']) },
  );
  return fc.array(option, { maxLength: 2 }).map((all) => all.flat());
}

function graces(timed: boolean): fc.Arbitrary<Argument[]> {
  const grace = timed ? fc.integer({ min: 0, max: 3000 }).map(String) : fc.constantFrom('0', '1000000');
  return fc.oneof(
    { weight: 3, arbitrary: fc.constant<Argument[]>([]) },
    { weight: 5, arbitrary: fc.tuple(word('GRACE'), grace) },
    { weight: 1, arbitrary: fc.constantFrom<Argument[]>(['GRACE'], ['GRACE', '-1'], ['GRACE', 'x'], ['OTHER', '1'], ['OTHER']) },
  );
}

const scanOptions: fc.Arbitrary<Argument[]> = fc
  .array(
    fc.oneof(
      fc.tuple(word('COUNT'), fc.constantFrom('1', '3', '10', '1000', '0', 'x')),
      fc.tuple(word('MATCH'), fc.constantFrom('*', 'g*', '????????-*', '*-4*', '\0*', '')),
      fc.constantFrom<Argument[]>(['COUNT'], ['WITH', '1']),
    ),
    { maxLength: 1 },
  )
  .map((all) => all.flat());

/** Commands of all arities, with the arguments of another. */
const OTHERS = ['CREATE', 'ASSIGN', 'GETALL', 'ADD_DATA', 'DEL_DATA', 'INCR_DATA', 'CAS', 'TOUCH', 'EXPIRE', 'TTL', 'INFO', 'ROTATE', 'USER', 'DELUSER', 'COUNT']; // prettier-ignore

/** @param timed whether the target's clock is known and can be moved, so that sessions expire by it */
export const sessionOperations = (timed: boolean): Weighted[] => [
  { weight: 40, arbitrary: command('SESSION.CREATE', key) },
  { weight: 60, arbitrary: spread('SESSION.CREATE', [user], createOptions(timed)) },
  { weight: 40, arbitrary: spread('SESSION.CREATE', [user, fc.constant('NEW')], createOptions(timed)) },
  { weight: 40, arbitrary: command('SESSION.GET', id) },
  { weight: 10, arbitrary: command('SESSION.LIST') },
  { weight: 50, arbitrary: command('SESSION.ADD_DATA', id, field, content) },
  { weight: 20, arbitrary: spread('SESSION.ADD_DATA', [id], several(6)) },
  { weight: 5, arbitrary: spread('SESSION.ADD_DATA', [id, field], several(3)) },
  { weight: 40, arbitrary: command('SESSION.GET_DATA', id, field) },
  { weight: 20, arbitrary: command('SESSION.DELETE', id) },
  { weight: 20, arbitrary: command('SESSION.ASSIGN', id, user) },
  { weight: 15, arbitrary: spread('SESSION.GETALL', [id], fc.constantFrom<Argument[]>([], ['LINES'], ['lines'], ['LINE'])) },
  { weight: 20, arbitrary: spread('SESSION.DEL_DATA', [id], fc.array(field, { minLength: 1, maxLength: 4 })) },
  { weight: 25, arbitrary: command('SESSION.INCR_DATA', id, field, integer) },
  { weight: 20, arbitrary: spread('SESSION.CAS', [id, integer], several(3)) },
  { weight: 15, arbitrary: command('SESSION.TOUCH', id) },
  {
    weight: 15,
    arbitrary: spread('SESSION.EXPIRE', [id, seconds(timed)], fc.constantFrom<Argument[]>([], ['IDLE'], ['idle'], ['TTL'], ['X'])),
  },
  { weight: 15, arbitrary: command('SESSION.TTL', id) },
  { weight: 20, arbitrary: command('SESSION.INFO', id) },
  { weight: 30, arbitrary: spread('SESSION.ROTATE', [id], graces(timed)) },
  { weight: 15, arbitrary: command('SESSION.USER', user) },
  { weight: 10, arbitrary: spread('SESSION.DELUSER', [user], delUserOptions(timed)) },
  { weight: 8, arbitrary: spread('SESSION.SCAN', [fc.constant('*')], scanOptions) },
  { weight: 8, arbitrary: command('SESSION.COUNT') },
  { weight: 8, arbitrary: command('SESSION.COUNT', user) },
  { weight: 3, arbitrary: command('SESSION.CHECK') },
  {
    weight: 6,
    arbitrary: fc.tuple(fc.constantFrom(...OTHERS), fc.array(field, { maxLength: 6 })).map(([name, args]) => [`SESSION.${name}`, ...args]),
  },
  ...(timed ? [{ weight: 25, arbitrary: command('PASS', fc.integer({ min: 1, max: 3000 }).map(String)) }] : []),
];
