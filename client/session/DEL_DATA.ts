import { oneOrMore, pushId, type OneOrMore } from '../arguments.ts';
import type { Command, CommandParser, NumberReply, RedisArgument } from '../command.ts';

export default {
  IS_READ_ONLY: false,
  parseCommand(parser: CommandParser, id: RedisArgument, fields: OneOrMore) {
    parser.push('SESSION.DEL_DATA');
    pushId(parser, id);
    parser.pushVariadic(oneOrMore('fields', fields));
  },
  transformReply: undefined as unknown as () => NumberReply,
} as const satisfies Command;
