import { pushId, pushKey } from '../arguments.ts';
import type { Command, CommandParser, NumberReply, RedisArgument } from '../command.ts';

export default {
  IS_READ_ONLY: false,
  parseCommand(parser: CommandParser, id: RedisArgument, user: RedisArgument) {
    parser.push('SESSION.ASSIGN');
    pushId(parser, id);
    pushKey(parser, user, 'user');
  },
  transformReply: undefined as unknown as () => NumberReply,
} as const satisfies Command;
