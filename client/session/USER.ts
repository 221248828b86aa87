import { pushKey } from '../arguments.ts';
import type { ArrayReply, BlobStringReply, Command, CommandParser, RedisArgument } from '../command.ts';

export default {
  IS_READ_ONLY: true,
  parseCommand(parser: CommandParser, user: RedisArgument) {
    parser.push('SESSION.USER');
    pushKey(parser, user, 'user');
  },
  transformReply: undefined as unknown as () => ArrayReply<BlobStringReply>,
} as const satisfies Command;
