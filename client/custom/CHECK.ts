import type { Command, CommandParser, SimpleStringReply } from '../command.ts';

export default {
  IS_READ_ONLY: true,
  parseCommand(parser: CommandParser) {
    parser.push('CUSTOM.CHECK');
  },
  transformReply: undefined as unknown as () => SimpleStringReply<'OK'>,
} as const satisfies Command;
