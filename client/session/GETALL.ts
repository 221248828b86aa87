import { pushId } from '../arguments.ts';
import type { Command, CommandParser, RedisArgument } from '../command.ts';
import { transformLines } from '../replies.ts';

export default {
  // To the primary: there it counts as an access, from which the idle limit is counted.
  IS_READ_ONLY: false,
  parseCommand(parser: CommandParser, id: RedisArgument) {
    parser.push('SESSION.GETALL');
    pushId(parser, id);
    // One text is sent, read and cut into lines sooner than as many texts as there are lines.
    parser.push('LINES');
  },
  transformReply: transformLines,
} as const satisfies Command;
