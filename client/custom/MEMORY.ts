import { pushKey } from '../arguments.ts';
import type { Command, CommandParser, NullReply, NumberReply, RedisArgument } from '../command.ts';

export default {
  IS_READ_ONLY: true,
  parseCommand(parser: CommandParser, key: RedisArgument) {
    parser.push('CUSTOM.MEMORY');
    pushKey(parser, key);
  },
  transformReply: undefined as unknown as () => NumberReply | NullReply,
} as const satisfies Command;
