import { integer, knownOptions } from '../arguments.ts';
import type { ArrayReply, BlobStringReply, Command, CommandParser, NumberReply } from '../command.ts';
import { whole } from '../replies.ts';

/** Options of `session.strays`. */
export interface StraysOptions {
  /** How many ids to name at most; the server's default is 100. */
  count?: number;
}

export default {
  IS_READ_ONLY: true,
  parseCommand(parser: CommandParser, options?: StraysOptions) {
    parser.push('SESSION.STRAYS');
    const { count } = knownOptions(options, ['count']);
    if (count !== undefined) parser.push('COUNT', integer('options.count', count, 0));
  },
  transformReply: ([count, ids]: [NumberReply, ArrayReply<BlobStringReply>]) => ({ count, ids: whole(ids) }),
} as const satisfies Command;
