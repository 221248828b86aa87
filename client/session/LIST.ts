import type { BlobStringReply, Command, CommandParser } from '../command.ts';
import { dateOf, whole } from '../replies.ts';

/** One session in the reply of `session.list`. */
export interface ListedSession {
  id: string;
  /** The user key, as text. */
  userKey: string;
  createdAt: Date;
}

/**
 * `ID: <id>, Key: <user_key>, Created: <time>`: an id has no blank, a time no comma, a user key may have
 * anything.
 */
function parse(line: BlobStringReply): ListedSession {
  const text = line.toString();
  const key = text.indexOf(', Key: ');
  const created = text.lastIndexOf(', Created: ');
  return {
    id: text.slice('ID: '.length, key),
    userKey: text.slice(key + ', Key: '.length, created),
    createdAt: dateOf(text.slice(created + ', Created: '.length)),
  };
}

export default {
  IS_READ_ONLY: true,
  parseCommand(parser: CommandParser) {
    parser.push('SESSION.LIST');
  },
  transformReply: (reply: BlobStringReply[]): ListedSession[] => whole(reply).map(parse),
} as const satisfies Command;
