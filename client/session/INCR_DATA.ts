import { bytes, integer, pushId } from '../arguments.ts';
import type { Command, CommandParser, NumberReply, RedisArgument } from '../command.ts';

export default {
  IS_READ_ONLY: false,
  parseCommand(parser: CommandParser, id: RedisArgument, field: RedisArgument, increment: number | bigint) {
    parser.push('SESSION.INCR_DATA');
    pushId(parser, id);
    parser.push(bytes('field', field), integer('increment', increment));
  },
  transformReply: undefined as unknown as () => NumberReply,
} as const satisfies Command;
