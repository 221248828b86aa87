import { integer, pushKey } from '../arguments.ts';
import type { Command, CommandParser, NumberReply, RedisArgument } from '../command.ts';

export default {
  IS_READ_ONLY: false,
  parseCommand(parser: CommandParser, key: RedisArgument, increment: number | bigint) {
    parser.push('CUSTOM.INCRBY');
    pushKey(parser, key);
    parser.push(integer('increment', increment));
  },
  transformReply: undefined as unknown as () => NumberReply,
} as const satisfies Command;
