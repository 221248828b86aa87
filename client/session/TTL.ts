import { pushId } from '../arguments.ts';
import type { Command, CommandParser, NumberReply, RedisArgument } from '../command.ts';

export default {
  IS_READ_ONLY: true,
  parseCommand(parser: CommandParser, id: RedisArgument) {
    parser.push('SESSION.TTL');
    pushId(parser, id);
  },
  transformReply: undefined as unknown as () => NumberReply,
} as const satisfies Command;
