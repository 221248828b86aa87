import type { Command, CommandParser, NumberReply } from '../command.ts';

export default {
  IS_READ_ONLY: false,
  parseCommand(parser: CommandParser) {
    parser.push('CUSTOM.CLEAR');
  },
  transformReply: undefined as unknown as () => NumberReply,
} as const satisfies Command;
