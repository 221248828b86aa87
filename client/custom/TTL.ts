import { pushKey } from '../arguments.ts';
import type { Command, CommandParser, NumberReply, RedisArgument } from '../command.ts';

export default {
  IS_READ_ONLY: true,
  parseCommand(parser: CommandParser, key: RedisArgument) {
    parser.push('CUSTOM.TTL');
    pushKey(parser, key);
  },
  transformReply: undefined as unknown as () => NumberReply,
} as const satisfies Command;
