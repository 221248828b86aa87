import { fieldsOrPair, integer, pushId, type FieldsOrPair } from '../arguments.ts';
import type { Command, CommandParser, NumberReply, RedisArgument } from '../command.ts';

export default {
  IS_READ_ONLY: false,
  parseCommand(parser: CommandParser, id: RedisArgument, version: number, ...data: FieldsOrPair) {
    parser.push('SESSION.CAS');
    pushId(parser, id);
    parser.push(integer('version', version, 0));
    parser.pushVariadic(fieldsOrPair(data));
  },
  transformReply: undefined as unknown as () => NumberReply,
} as const satisfies Command;
