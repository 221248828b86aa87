import { integer, knownOptions, pushId } from '../arguments.ts';
import type { BlobStringReply, Command, CommandParser, RedisArgument } from '../command.ts';

/** Options of `session.rotate`. */
export interface RotateOptions {
  /** ms for which the old id goes on working: for requests that are under way with it. */
  grace?: number;
}

export default {
  IS_READ_ONLY: false,
  parseCommand(parser: CommandParser, id: RedisArgument, options?: RotateOptions) {
    const { grace } = knownOptions(options, ['grace']);
    parser.push('SESSION.ROTATE');
    pushId(parser, id);
    if (grace !== undefined) parser.push('GRACE', integer('options.grace', grace, 0));
  },
  transformReply: undefined as unknown as () => BlobStringReply,
} as const satisfies Command;
