import { bytes } from '../arguments.ts';
import type { ArrayReply, BlobStringReply, Command, CommandParser, RedisArgument } from '../command.ts';
import { whole } from '../replies.ts';

export default {
  IS_READ_ONLY: true,
  parseCommand(parser: CommandParser, pattern?: RedisArgument) {
    parser.push('CUSTOM.KEYS');
    if (pattern !== undefined) parser.push(bytes('pattern', pattern));
  },
  transformReply: (reply: ArrayReply<BlobStringReply>) => whole(reply),
} as const satisfies Command;
