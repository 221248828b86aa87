import { pushId } from '../arguments.ts';
import type { Command, CommandParser, RedisArgument } from '../command.ts';
import { transformFields } from '../replies.ts';

export default {
  // To the primary: there it counts as an access, from which the idle limit is counted.
  IS_READ_ONLY: false,
  parseCommand(parser: CommandParser, id: RedisArgument) {
    parser.push('SESSION.GETALL');
    pushId(parser, id);
  },
  transformReply: transformFields,
} as const satisfies Command;
