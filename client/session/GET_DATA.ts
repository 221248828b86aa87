import { bytes, pushId } from '../arguments.ts';
import type { BlobStringReply, Command, CommandParser, NullReply, RedisArgument } from '../command.ts';

export default {
  // To the primary: there it counts as an access, from which the idle limit is counted.
  IS_READ_ONLY: false,
  parseCommand(parser: CommandParser, id: RedisArgument, field: RedisArgument) {
    parser.push('SESSION.GET_DATA');
    pushId(parser, id);
    parser.push(bytes('field', field));
  },
  transformReply: undefined as unknown as () => BlobStringReply | NullReply,
} as const satisfies Command;
