import { pushKey, valueOf, type Value } from '../arguments.ts';
import type { Command, CommandParser, NumberReply, RedisArgument } from '../command.ts';

export default {
  IS_READ_ONLY: false,
  parseCommand(parser: CommandParser, key: RedisArgument, value: Value) {
    parser.push('CUSTOM.APPEND');
    pushKey(parser, key);
    parser.push(valueOf('value', value));
  },
  transformReply: undefined as unknown as () => NumberReply,
} as const satisfies Command;
