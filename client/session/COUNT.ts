import { pushKey } from '../arguments.ts';
import type { Command, CommandParser, NumberReply, RedisArgument } from '../command.ts';

export default {
  IS_READ_ONLY: true,
  parseCommand(parser: CommandParser, user?: RedisArgument) {
    parser.push('SESSION.COUNT');
    if (user !== undefined) pushKey(parser, user, 'user');
  },
  transformReply: undefined as unknown as () => NumberReply,
} as const satisfies Command;
