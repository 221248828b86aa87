import { knownOptions, moment, pushId, pushKey } from '../arguments.ts';
import type { Command, CommandParser, NumberReply, RedisArgument } from '../command.ts';

/** Options of `session.delUser`. */
export interface DelUserOptions {
  /** The id of a session to keep: log out all other devices. */
  except?: RedisArgument;
  /** Only sessions created before this moment: a Date, or Unix milliseconds. */
  before?: Date | number;
}

export default {
  IS_READ_ONLY: false,
  parseCommand(parser: CommandParser, user: RedisArgument, options?: DelUserOptions) {
    const { except, before } = knownOptions(options, ['except', 'before']);
    parser.push('SESSION.DELUSER');
    pushKey(parser, user, 'user');
    if (except !== undefined) {
      parser.push('EXCEPT');
      pushId(parser, except, 'options.except');
    }
    if (before !== undefined) parser.push('BEFORE', String(moment('options.before', before)));
  },
  transformReply: undefined as unknown as () => NumberReply,
} as const satisfies Command;
