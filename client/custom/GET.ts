import { pushKey } from '../arguments.ts';
import type { Command, CommandParser, BlobStringReply, NullReply, RedisArgument } from '../command.ts';

export default {
  CACHEABLE: true,
  IS_READ_ONLY: true,
  parseCommand(parser: CommandParser, key: RedisArgument) {
    parser.push('CUSTOM.GET');
    pushKey(parser, key);
  },
  transformReply: undefined as unknown as () => BlobStringReply | NullReply,
} as const satisfies Command;
