import type { Command, CommandParser, NumberReply } from '../command.ts';

export default {
  IS_READ_ONLY: true,
  parseCommand(parser: CommandParser) {
    parser.push('CUSTOM.LEN');
  },
  transformReply: undefined as unknown as () => NumberReply,
} as const satisfies Command;
