/**
 * Checks of arguments, before anything is sent. Each answers what goes over the wire, or throws an
 * ArgumentError that names the argument.
 */
import type { CommandParser, RedisArgument } from './command.ts';

/** An argument that no command can be made of. Nothing was sent. */
export class ArgumentError extends TypeError {
  override readonly name: string = 'ArgumentError';
  /** The argument's name, as in the method's signature: `id`, `options.idle`. */
  readonly argument: string;

  constructor(argument: string, expected: string) {
    super(`${argument}: ${expected}`);
    this.argument = argument;
  }
}

/** A value to store: bytes, or a finite number, which is stored as its text. */
export type Value = RedisArgument | number;

/** Fields and their values: an object, or a Map or pairs where names are not text. */
export type Fields = Readonly<Record<string, Value>> | ReadonlyMap<RedisArgument, Value> | readonly (readonly [RedisArgument, Value])[];

/** One field and its value, or several. */
export type FieldsOrPair = [field: RedisArgument, value: Value] | [fields: Fields];

/** One argument or several. */
export type OneOrMore = RedisArgument | readonly RedisArgument[];

/** Bytes: a string (sent as UTF-8) or a Buffer, of any length. */
export function bytes(argument: string, given: unknown): RedisArgument {
  if (typeof given === 'string') return wellFormed(argument, given);
  if (Buffer.isBuffer(given)) return given;
  throw new ArgumentError(argument, `a string or a Buffer, not ${kindOf(given)}`);
}

/**
 * Text that UTF-8 can write. Of half a surrogate pair it makes U+FFFD: two texts, such as the keys of two
 * users, would be the same bytes.
 */
function wellFormed(argument: string, given: string): string {
  if (given.isWellFormed()) return given;
  throw new ArgumentError(argument, 'text without half a surrogate pair, which UTF-8 cannot write');
}

/** A session's id: bytes, not none. */
export function idOf(argument: string, given: unknown): RedisArgument {
  const id = bytes(argument, given);
  if (id.length === 0) throw new ArgumentError(argument, 'the id of a session, not an empty string');
  return id;
}

/** Bytes, or the text of a finite number. */
export function valueOf(argument: string, given: unknown): RedisArgument {
  if (typeof given !== 'number') {
    if (typeof given === 'string') return wellFormed(argument, given);
    if (Buffer.isBuffer(given)) return given;
    throw new ArgumentError(argument, `a string, a Buffer or a finite number, not ${kindOf(given)}`);
  }
  if (!Number.isFinite(given)) throw new ArgumentError(argument, `a string, a Buffer or a finite number, not ${given}`);
  return String(given);
}

/** The text of a whole number that JavaScript holds exactly, or of a bigint of 64 bits. */
export function integer(argument: string, given: unknown, min?: number): string {
  const isWhole = typeof given === 'bigint' ? BigInt.asIntN(64, given) === given : Number.isSafeInteger(given);
  if (!isWhole) throw new ArgumentError(argument, `a whole number, not ${shown(given)}`);
  if (min !== undefined && (given as number | bigint) < min)
    throw new ArgumentError(argument, `a whole number of at least ${min}, not ${shown(given)}`);
  return String(given);
}

/** A moment in Unix milliseconds, given as such or as a Date. */
export function moment(argument: string, given: unknown): number {
  const ms = given instanceof Date ? given.getTime() : given;
  if (Number.isSafeInteger(ms)) return ms as number;
  throw new ArgumentError(argument, `a valid Date, or whole Unix milliseconds, not ${shown(ms)}`);
}

/** Bytes as a list: one, or each of a list that has at least one. */
export function oneOrMore(argument: string, given: unknown): RedisArgument[] {
  if (!Array.isArray(given)) return [bytes(argument, given)];
  if (given.length === 0) throw new ArgumentError(argument, 'at least one is needed, not an empty list');
  return given.map((element, index) => bytes(`${argument}[${index}]`, element));
}

/** Fields and values in turn, as the server takes them. */
export function flat(argument: string, given: unknown): RedisArgument[] {
  const pairs = pairsOf(argument, given).flatMap(([field, value], index) => [
    bytes(`${argument}[${index}]`, field),
    valueOf(typeof field === 'string' ? `${argument}.${field}` : `${argument}[${index}]`, value),
  ]);
  if (pairs.length === 0) throw new ArgumentError(argument, 'at least one field and its value are needed');
  return pairs;
}

function pairsOf(argument: string, given: unknown): (readonly unknown[])[] {
  if (given instanceof Map) return [...(given as Map<unknown, unknown>)];
  if (Array.isArray(given)) {
    given.forEach((pair, index) => {
      if (!Array.isArray(pair) || pair.length !== 2) throw new ArgumentError(`${argument}[${index}]`, 'a pair: [field, value]');
    });
    return given as unknown[][];
  }
  if (isRecord(given)) return Object.entries(given);
  throw new ArgumentError(argument, `an object, a Map or pairs of fields and values, not ${kindOf(given)}`);
}

/** The fields of `(field, value)` or `(fields)`. */
export function fieldsOrPair(given: readonly unknown[]): RedisArgument[] {
  if (given.length < 2) return flat('fields', given[0]);
  if (given.length > 2) throw new ArgumentError('fields', 'an object, a Map or pairs, for more than one field');
  return [bytes('field', given[0]), valueOf('value', given[1])];
}

/**
 * The options, of which each must be known: a misspelt option that is ignored would be a limit that is not
 * there.
 */
export function knownOptions<T extends object>(
  given: T | undefined,
  known: readonly (keyof T & string)[],
  argument = 'options',
): Partial<T> {
  if (given === undefined) return {};
  if (!isRecord(given)) throw new ArgumentError(argument, `an object of options, not ${kindOf(given)}`);
  for (const name of Object.keys(given)) {
    if (!(known as readonly string[]).includes(name))
      throw new ArgumentError(`${argument}.${name}`, `unknown; there are ${known.join(', ')}`);
  }
  return given;
}

/** A boolean; undefined counts as false. */
export function flag(argument: string, given: unknown): boolean {
  if (given !== undefined && typeof given !== 'boolean') throw new ArgumentError(argument, `true or false, not ${shown(given)}`);
  return given === true;
}

/** A function that is called back. */
export function callback(given: unknown): void {
  if (typeof given !== 'function') throw new ArgumentError('callback', `a function, not ${kindOf(given)}`);
}

/** One of the words. */
export function word<T extends string>(argument: string, given: unknown, words: readonly T[]): T {
  if (words.includes(given as T)) return given as T;
  throw new ArgumentError(argument, `${words.map((each) => `'${each}'`).join(' or ')}, not ${shown(given)}`);
}

/**
 * Appends the id of a session: a key for routing, to which a client's `keyPrefix` does not apply, since ids
 * are made by the server, or by the caller as they are.
 */
export function pushId(parser: CommandParser, given: unknown, argument = 'id'): void {
  parser.pushKey(idOf(argument, given), false);
}

/** Appends a key. A client's `keyPrefix` applies. */
export function pushKey(parser: CommandParser, given: unknown, argument = 'key'): void {
  parser.pushKey(bytes(argument, given));
}

/**
 * Whether it is an object that is its properties: plain or of a class, but no Array, Map, Set, Date, Promise,
 * bytes or the like.
 */
function isRecord(given: unknown): given is object {
  return typeof given === 'object' && given !== null && tagOf(given) === 'Object';
}

/** `Object`, or what kind of object the language has it for: `Set`, `Uint8Array`. */
function tagOf(given: object): string {
  return Object.prototype.toString.call(given).slice('[object '.length, -1);
}

function kindOf(given: unknown): string {
  if (given === null || given === undefined) return String(given);
  if (Array.isArray(given)) return 'an array';
  if (Buffer.isBuffer(given)) return 'a Buffer';
  if (typeof given !== 'object') return `a ${typeof given}`;
  const tag = tagOf(given);
  if (tag === 'Object') return 'an object';
  return /^[AEIO]/.test(tag) ? `an ${tag}` : `a ${tag}`;
}

/** A value in an error's text: text and numbers themselves, of anything else its kind. */
export function shown(given: unknown): string {
  if (typeof given === 'string') return JSON.stringify(given);
  return typeof given === 'number' || typeof given === 'bigint' ? String(given) : kindOf(given);
}
