import { bytes } from '../arguments.ts';
import type { ArrayReply, BlobStringReply, Command, CommandParser, RedisArgument } from '../command.ts';

export default {
  IS_READ_ONLY: true,
  parseCommand(parser: CommandParser, pattern?: RedisArgument) {
    parser.push('CUSTOM.KEYS');
    if (pattern !== undefined) parser.push(bytes('pattern', pattern));
  },
  transformReply: undefined as unknown as () => ArrayReply<BlobStringReply>,
} as const satisfies Command;
