import { oneOrMore, type OneOrMore } from '../arguments.ts';
import type { Command, CommandParser, NumberReply } from '../command.ts';

export default {
  CACHEABLE: true,
  IS_READ_ONLY: true,
  parseCommand(parser: CommandParser, keys: OneOrMore) {
    parser.push('CUSTOM.EXISTS');
    parser.pushKeys(oneOrMore('keys', keys));
  },
  transformReply: undefined as unknown as () => NumberReply,
} as const satisfies Command;
