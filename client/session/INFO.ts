import { pushId } from '../arguments.ts';
import type { BlobStringReply, Command, CommandParser, NullReply, RedisArgument } from '../command.ts';
import { dateOf, durationOf, pairsOf, whole } from '../replies.ts';

/** What SESSION.INFO tells about a session. Moments are Dates, durations are ms. */
export interface SessionInfo<UserKey = string> {
  id: string;
  /** The user key: a Buffer under a type mapping that makes Buffers of bulk strings. */
  userKey: UserKey;
  createdAt: Date;
  /** The last access, from which the idle limit counts. */
  lastAccessed: Date;
  /** The idle limit in ms; null: none. */
  idle: number | null;
  /** What is left of the absolute lifetime, in ms; null: it has none. */
  ttl: number | null;
  /** Changes of its data since it was created: what `cas` compares. */
  version: number;
  /** How many fields its data has. */
  fields: number;
  /** Bytes of memory that it takes. */
  bytes: number;
}

function transformInfo(reply: unknown): SessionInfo<BlobStringReply> | null {
  if (reply === null) return null;
  const told = new Map(pairsOf(whole(reply) as Parameters<typeof pairsOf>[0]));
  return {
    id: String(told.get('id')),
    userKey: told.get('user_key') as BlobStringReply,
    createdAt: dateOf(told.get('created_at')),
    lastAccessed: dateOf(told.get('last_accessed')),
    idle: durationOf(told.get('idle')),
    ttl: durationOf(told.get('ttl')),
    version: Number(told.get('version')),
    fields: Number(told.get('fields')),
    bytes: Number(told.get('bytes')),
  };
}

export default {
  IS_READ_ONLY: true,
  parseCommand(parser: CommandParser, id: RedisArgument) {
    parser.push('SESSION.INFO');
    pushId(parser, id);
  },
  transformReply: transformInfo as (reply: unknown) => SessionInfo<BlobStringReply> | NullReply,
} as const satisfies Command;
