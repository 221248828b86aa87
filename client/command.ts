/**
 * What a command of node-redis is made of: the types that every file of custom/ and session/ is written with.
 * They are node-redis' own; their package has no shorter path to them.
 */
export type { CommandParser } from '@redis/client';
export type {
  ArrayReply,
  BlobStringReply,
  Command,
  MapReply,
  NullReply,
  NumberReply,
  RedisArgument,
  SimpleStringReply,
  TypeMapping,
} from '@redis/client/dist/lib/RESP/types.js';
