import { ArgumentError, flag, integer, knownOptions, moment, pushKey, valueOf, word, type Value } from '../arguments.ts';
import type { BlobStringReply, Command, CommandParser, NullReply, RedisArgument, SimpleStringReply } from '../command.ts';

/** Options of `custom.set`. They have the names of node-redis' own `set`. */
export interface SetOptions {
  /** `NX`: only if the key is absent. `XX`: only if it is there. */
  condition?: 'NX' | 'XX';
  /**
   * When the entry ends: `EX` seconds or `PX` ms from now, at least 1; `EXAT` Unix seconds or `PXAT` Unix ms,
   * or a Date for either; `'KEEPTTL'`: when it would have ended anyway. Without it, never.
   */
  expiration?: { type: 'EX' | 'PX'; value: number } | { type: 'EXAT' | 'PXAT'; value: number | Date } | { type: 'KEEPTTL' } | 'KEEPTTL';
  /** Answer the value that was there before, null when there was none. */
  GET?: boolean;
}

const EXPIRATION = 'options.expiration';
const TYPES = ['EX', 'PX', 'EXAT', 'PXAT', 'KEEPTTL'] as const;

function pushExpiration(parser: CommandParser, expiration: NonNullable<SetOptions['expiration']>): void {
  const given: { type?: unknown; value?: unknown } | null = expiration === 'KEEPTTL' ? { type: expiration } : expiration;
  if (typeof given !== 'object' || (given as unknown) === null) throw new ArgumentError(EXPIRATION, "{ type, value } or 'KEEPTTL'");
  const { type: given_type, value } = knownOptions(given, ['type', 'value'], EXPIRATION);
  const type = word(`${EXPIRATION}.type`, given_type, TYPES);
  parser.push(type);
  if (type === 'KEEPTTL') return;
  if (value instanceof Date && (type === 'EXAT' || type === 'PXAT')) {
    const ms = moment(`${EXPIRATION}.value`, value);
    parser.push(String(type === 'EXAT' ? Math.floor(ms / 1000) : ms));
  } else {
    parser.push(integer(`${EXPIRATION}.value`, value, 1));
  }
}

export default {
  IS_READ_ONLY: false,
  parseCommand(parser: CommandParser, key: RedisArgument, value: Value, options?: SetOptions) {
    const { condition, expiration, GET } = knownOptions(options, ['condition', 'expiration', 'GET']);
    parser.push('CUSTOM.SET');
    pushKey(parser, key);
    parser.push(valueOf('value', value));
    if (condition !== undefined) parser.push(word('options.condition', condition, ['NX', 'XX']));
    if (flag('options.GET', GET)) parser.push('GET');
    if (expiration !== undefined) pushExpiration(parser, expiration);
  },
  transformReply: undefined as unknown as () => SimpleStringReply<'OK'> | BlobStringReply | NullReply,
} as const satisfies Command;
