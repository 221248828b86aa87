import { integer, pushKey } from '../arguments.ts';
import type { Command, CommandParser, NumberReply, RedisArgument } from '../command.ts';

export default {
  IS_READ_ONLY: false,
  parseCommand(parser: CommandParser, key: RedisArgument, seconds: number) {
    parser.push('CUSTOM.EXPIRE');
    pushKey(parser, key);
    parser.push(integer('seconds', seconds));
  },
  transformReply: undefined as unknown as () => NumberReply,
} as const satisfies Command;
