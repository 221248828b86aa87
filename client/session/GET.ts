import { pushId } from '../arguments.ts';
import type { Command, CommandParser, NullReply, RedisArgument } from '../command.ts';
import { bareObject, dateOf } from '../replies.ts';

/** A session as SESSION.GET tells it: all of it as text. */
export interface Session {
  id: string;
  userKey: string;
  createdAt: Date;
  lastAccessed: Date;
  /**
   * Its fields, in an object without a prototype. Bytes that are no UTF-8 are U+FFFD: `getAll` answers them
   * as they are.
   */
  data: Record<string, string>;
}

interface Told {
  id: string;
  user_key: string;
  created_at: string;
  last_accessed: string;
  data: Record<string, string>;
}

export default {
  IS_READ_ONLY: true,
  parseCommand(parser: CommandParser, id: RedisArgument) {
    parser.push('SESSION.GET');
    pushId(parser, id);
  },
  transformReply: (reply: unknown): Session | NullReply => {
    if (reply === null) return reply as unknown as NullReply;
    const told = JSON.parse((reply as string | Buffer).toString()) as Told;
    return {
      id: told.id,
      userKey: told.user_key,
      createdAt: dateOf(told.created_at),
      lastAccessed: dateOf(told.last_accessed),
      data: bareObject(Object.entries(told.data)),
    };
  },
} as const satisfies Command;
