import { ArgumentError, flag, flat, idOf, integer, knownOptions, pushKey, word, type Fields } from '../arguments.ts';
import type { Command, CommandParser, RedisArgument } from '../command.ts';

/** Options of `session.create`. They are not applied to a session that exists. */
export interface CreateOptions {
  /** A further session for the same user, whatever others there are. */
  new?: boolean;
  /** Seconds without access after which it ends, at least 1. Without it, the server's `wasm.session-idle`. */
  idle?: number;
  /**
   * Seconds after which it ends however it is used, at least 1. Without it, the server's `wasm.session-ttl`.
   */
  ttl?: number;
  /**
   * At most `n` live sessions for this user, with the new one: `EVICT` (the default) ends the oldest,
   * `REJECT` refuses the new one with MaxSessionsError. Without it, the server's `wasm.session-max`.
   */
  max?: number | { n: number; mode?: 'EVICT' | 'REJECT' };
  /**
   * An id of your own, 16–128 visible ASCII characters, as hard to guess as a UUID. IdExistsError when it is
   * known.
   */
  id?: RedisArgument;
  /** The first fields of its data: in the same step as its creation. */
  data?: Fields;
}

/** What `session.create` answers. */
export interface Created {
  /**
   * `created`: a new session. `exists`: the user's live session, to which the options were not applied.
   * `recreated`: the storage named an id whose session is gone; it is used again.
   */
  outcome: 'created' | 'exists' | 'recreated';
  id: string;
}

const OPTIONS = ['new', 'idle', 'ttl', 'max', 'id', 'data'] as const;
const REPLY = /^Session (created|exists|recreated): (.+)$/s;
const ID = /^[\x21-\x7e]{16,128}$/;

function pushMax(parser: CommandParser, max: NonNullable<CreateOptions['max']>): void {
  if (typeof max === 'number') {
    parser.push('MAX', integer('options.max', max, 1));
    return;
  }
  const { n, mode } = knownOptions(max, ['n', 'mode'], 'options.max');
  parser.push('MAX', integer('options.max.n', n, 1));
  if (mode !== undefined) parser.push(word('options.max.mode', mode, ['EVICT', 'REJECT']));
}

function mintedId(given: unknown): RedisArgument {
  const id = idOf('options.id', given);
  if (!ID.test(String(id))) throw new ArgumentError('options.id', '16 to 128 visible ASCII characters');
  return id;
}

export default {
  IS_READ_ONLY: false,
  parseCommand(parser: CommandParser, user: RedisArgument, options?: CreateOptions) {
    const given = knownOptions(options, OPTIONS);
    parser.push('SESSION.CREATE');
    pushKey(parser, user, 'user');
    if (flag('options.new', given.new)) parser.push('NEW');
    if (given.idle !== undefined) parser.push('IDLE', integer('options.idle', given.idle, 1));
    if (given.ttl !== undefined) parser.push('TTL', integer('options.ttl', given.ttl, 1));
    if (given.max !== undefined) pushMax(parser, given.max);
    if (given.id !== undefined) parser.push('ID', mintedId(given.id));
    if (given.data !== undefined) {
      parser.push('DATA');
      parser.pushVariadic(flat('options.data', given.data));
    }
  },
  transformReply: (reply: unknown): Created => {
    const [, outcome, id] = REPLY.exec(String(reply)) ?? [];
    if (outcome === undefined || id === undefined)
      throw new Error(`SESSION.CREATE answered ${JSON.stringify(String(reply))}, which is not known here`);
    return { outcome: outcome as Created['outcome'], id };
  },
} as const satisfies Command;
