import { integer, pushKey } from '../arguments.ts';
import type { Command, CommandParser, NumberReply, RedisArgument } from '../command.ts';

export default {
  IS_READ_ONLY: false,
  parseCommand(parser: CommandParser, key: RedisArgument, ms: number) {
    parser.push('CUSTOM.PEXPIRE');
    pushKey(parser, key);
    parser.push(integer('ms', ms));
  },
  transformReply: undefined as unknown as () => NumberReply,
} as const satisfies Command;
