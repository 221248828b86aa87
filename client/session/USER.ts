import { pushKey } from '../arguments.ts';
import type { ArrayReply, BlobStringReply, Command, CommandParser, RedisArgument } from '../command.ts';
import { whole } from '../replies.ts';

export default {
  IS_READ_ONLY: true,
  parseCommand(parser: CommandParser, user: RedisArgument) {
    parser.push('SESSION.USER');
    pushKey(parser, user, 'user');
  },
  transformReply: (reply: ArrayReply<BlobStringReply>) => whole(reply),
} as const satisfies Command;
