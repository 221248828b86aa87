import { fieldsOrPair, pushId, type FieldsOrPair } from '../arguments.ts';
import type { Command, CommandParser, RedisArgument, SimpleStringReply } from '../command.ts';

export default {
  IS_READ_ONLY: false,
  parseCommand(parser: CommandParser, id: RedisArgument, ...data: FieldsOrPair) {
    parser.push('SESSION.ADD_DATA');
    pushId(parser, id);
    parser.pushVariadic(fieldsOrPair(data));
  },
  transformReply: undefined as unknown as () => SimpleStringReply<'OK'>,
} as const satisfies Command;
