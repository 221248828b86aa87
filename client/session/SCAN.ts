import type { ArrayReply, BlobStringReply, Command, CommandParser, RedisArgument } from '../command.ts';
import { whole } from '../replies.ts';
import { pushScan, type ScanOptions } from '../scan.ts';

export default {
  IS_READ_ONLY: true,
  parseCommand(parser: CommandParser, cursor: RedisArgument, options?: ScanOptions) {
    parser.push('SESSION.SCAN');
    pushScan(parser, cursor, options);
  },
  transformReply: ([cursor, ids]: [BlobStringReply, ArrayReply<BlobStringReply>]) => ({ cursor, ids: whole(ids) }),
} as const satisfies Command;
