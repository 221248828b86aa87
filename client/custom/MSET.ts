import { flat, type Fields } from '../arguments.ts';
import type { Command, CommandParser, SimpleStringReply } from '../command.ts';

export default {
  IS_READ_ONLY: false,
  parseCommand(parser: CommandParser, entries: Fields) {
    parser.push('CUSTOM.MSET');
    flat('entries', entries).forEach((each, index) => {
      if (index % 2 === 0) parser.pushKey(each);
      else parser.push(each);
    });
  },
  transformReply: undefined as unknown as () => SimpleStringReply<'OK'>,
} as const satisfies Command;
