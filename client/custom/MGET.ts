import { oneOrMore, type OneOrMore } from '../arguments.ts';
import type { ArrayReply, BlobStringReply, Command, CommandParser, NullReply } from '../command.ts';
import { whole } from '../replies.ts';

export default {
  CACHEABLE: true,
  IS_READ_ONLY: true,
  parseCommand(parser: CommandParser, keys: OneOrMore) {
    parser.push('CUSTOM.MGET');
    parser.pushKeys(oneOrMore('keys', keys));
  },
  transformReply: (reply: ArrayReply<BlobStringReply | NullReply>) => whole(reply),
} as const satisfies Command;
