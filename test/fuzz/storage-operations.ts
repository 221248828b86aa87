/** Random commands CUSTOM.*. */
import fc from 'fast-check';
import { command, key, short, spread, value, type Argument, type Weighted } from './arguments.ts';

const number = fc.constantFrom('0', '1', '-1', '7', '-12', '9223372036854775807', '-9223372036854775808', '01', '1.5', 'x', '');
/**
 * Times from now on: so long that no run of a real server comes near them, and that what is left of them is
 * known by its digits alone; or none that can be.
 */
const later = fc.constantFrom('100000000000', '300000000000', '9223372036854775807');
const anyTime = fc.oneof({ weight: 6, arbitrary: later }, { weight: 1, arbitrary: fc.constantFrom('0', '-1', 'x', '') });
const passed = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom<Argument>('1', '0', '-5') },
  { weight: 1, arbitrary: fc.constant<Argument>({ ago: 0 }) },
);
const word = fc.constantFrom<Argument[]>(['NX'], ['xx'], ['GET'], ['KEEPTTL'], ['Get'], ['EX'], ['none']);
const timeOption: fc.Arbitrary<Argument[]> = fc.oneof(
  fc.tuple(fc.constantFrom('EX', 'PX', 'px'), anyTime),
  // Far away, and in ms still a number that the model has exactly.
  fc.tuple(fc.constantFrom('EXAT', 'PXAT'), fc.oneof(fc.constant<Argument>('8999999999999'), passed)),
);
const options = fc
  .array(fc.oneof({ weight: 2, arbitrary: word }, { weight: 3, arbitrary: timeOption }), { minLength: 1, maxLength: 3 })
  .map((all) => all.flat());
const keys = fc.array<Argument>(key, { minLength: 1, maxLength: 4 });
const pairs = fc.array(fc.tuple(key, value), { minLength: 1, maxLength: 5 }).map((all): Argument[] => all.flat());
const pattern = fc.oneof(fc.constantFrom('*', '?', 'a*', '*b', '\\a', '**', '?*?', ''), short);
const scanOptions = fc
  .array(
    fc.oneof(
      fc.tuple(fc.constantFrom('MATCH', 'match'), pattern),
      fc.tuple(fc.constant('COUNT'), fc.constantFrom('1', '5', '1000', '0', 'x')),
      fc.constant(['LIMIT']),
    ),
    { maxLength: 2 },
  )
  .map((all): Argument[] => all.flat());

export const storageOperations = (): Weighted[] => [
  { weight: 50, arbitrary: command('CUSTOM.SET', key, value) },
  { weight: 30, arbitrary: command('CUSTOM.GET', key) },
  { weight: 20, arbitrary: command('CUSTOM.DEL', key) },
  { weight: 10, arbitrary: command('CUSTOM.EXISTS', key) },
  { weight: 10, arbitrary: command('CUSTOM.KEYS') },
  { weight: 40, arbitrary: spread('CUSTOM.SET', [key, value], options) },
  { weight: 10, arbitrary: spread('CUSTOM.MSET', [], pairs) },
  { weight: 10, arbitrary: spread('CUSTOM.MGET', [], keys) },
  { weight: 8, arbitrary: spread('CUSTOM.DEL', [], keys) },
  { weight: 8, arbitrary: spread('CUSTOM.EXISTS', [], keys) },
  { weight: 8, arbitrary: command('CUSTOM.GETDEL', key) },
  { weight: 5, arbitrary: command('CUSTOM.STRLEN', key) },
  { weight: 10, arbitrary: command('CUSTOM.SET', short, number) },
  { weight: 15, arbitrary: command('CUSTOM.INCRBY', short, number) },
  { weight: 15, arbitrary: command('CUSTOM.APPEND', key, value) },
  { weight: 10, arbitrary: command('CUSTOM.EXPIRE', key, anyTime) },
  { weight: 10, arbitrary: command('CUSTOM.PEXPIRE', key, anyTime) },
  { weight: 6, arbitrary: command('CUSTOM.TTL', key) },
  { weight: 10, arbitrary: command('CUSTOM.PTTL', key) },
  { weight: 8, arbitrary: command('CUSTOM.PERSIST', key) },
  { weight: 6, arbitrary: command('CUSTOM.KEYS', pattern) },
  { weight: 8, arbitrary: spread('CUSTOM.SCAN', [fc.constantFrom('*', '*', '*', 'x', '-1')], scanOptions) },
  { weight: 5, arbitrary: command('CUSTOM.LEN') },
  { weight: 2, arbitrary: command('CUSTOM.CLEAR') },
  { weight: 2, arbitrary: command('CUSTOM.CHECK') },
];
