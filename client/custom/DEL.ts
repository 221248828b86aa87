import { oneOrMore, type OneOrMore } from '../arguments.ts';
import type { Command, CommandParser, NumberReply } from '../command.ts';

export default {
  IS_READ_ONLY: false,
  parseCommand(parser: CommandParser, keys: OneOrMore) {
    parser.push('CUSTOM.DEL');
    parser.pushKeys(oneOrMore('keys', keys));
  },
  transformReply: undefined as unknown as () => NumberReply,
} as const satisfies Command;
