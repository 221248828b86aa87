import { pushKey } from '../arguments.ts';
import type { Command, CommandParser, BlobStringReply, NullReply, RedisArgument } from '../command.ts';

export default {
  IS_READ_ONLY: false,
  parseCommand(parser: CommandParser, key: RedisArgument) {
    parser.push('CUSTOM.GETDEL');
    pushKey(parser, key);
  },
  transformReply: undefined as unknown as () => BlobStringReply | NullReply,
} as const satisfies Command;
