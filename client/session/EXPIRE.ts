import { integer, pushId, word } from '../arguments.ts';
import type { Command, CommandParser, NumberReply, RedisArgument } from '../command.ts';

export default {
  IS_READ_ONLY: false,
  parseCommand(parser: CommandParser, id: RedisArgument, seconds: number, limit?: 'IDLE' | 'TTL') {
    parser.push('SESSION.EXPIRE');
    pushId(parser, id);
    parser.push(integer('seconds', seconds));
    if (limit !== undefined) parser.push(word('limit', limit, ['IDLE', 'TTL']));
  },
  transformReply: undefined as unknown as () => NumberReply,
} as const satisfies Command;
