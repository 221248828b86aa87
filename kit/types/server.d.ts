/// <reference path="./language.d.ts" />
/** The server's own keys and commands, of `redis-wasm/kit`. */
import type { Bytes, Reply } from './kit';

/**
 * The server's own commands, with the permissions of whoever sent the command, and by the rules of scripts.
 *
 * ```ts
 * const left = redis.call("TTL", key).asInteger();
 * const all = redis.call("SUNION", ...names).asStrings();
 * ```
 * What it writes stays, even where the command fails afterwards, and so does what `keys` has written before.
 * In a cluster it reaches the slot of the command's own keys.
 */
export const redis: {
  /** Runs a command. An error that it answers ends the running one with this error. */
  call(name: string, ...words: (string | Bytes | number)[]): Reply;
  /** As `call`, and answers an error as well: `isError`, `error`. */
  tryCall(name: string, ...words: (string | Bytes | number)[]): Reply;
};

/** A member of a sorted set. */
export class Member {
  private constructor();
  readonly member: string;
  readonly score: f64;
}

/** What names a key, a field or a member, and what is stored: numbers as their shortest text. */
type Word = string | Bytes | number;

/**
 * The server's own keys that the command declares in its syntax; faster than `redis.call`.
 *
 * ```ts
 * command("LOCK.RELEASE", "key:key token", release);
 * function release(key: string, token: string): bool {
 *   return keys.deleteIf(key, token);
 * }
 * ```
 * What it writes belongs to the transaction: it is taken back where the command fails. A key of another kind
 * than a function is for is an error, `WRONGTYPE …`.
 */
export const keys: {
  /** `string`, `list`, `hash`, `set`, `zset`, `stream`, `module`; `none`: it is absent. */
  type(key: Word): string;
  exists(key: Word): bool;
  /** Whether there was one to delete. */
  delete(key: Word): bool;
  /** Deletes a string that is this value; whether it was. */
  deleteIf(key: Word, value: Word): bool;
  /** Has it expire in so many ms; false where it is absent. */
  expire(key: Word, ms: i64): bool;
  /** Has it expire at a time in Unix ms; one that has passed deletes it. False where it is absent. */
  expireAt(key: Word, deadline: i64): bool;
  /** Has it never expire; whether it would have. */
  persist(key: Word): bool;
  /** Unix ms at which it expires; 0: never; −1: it is absent. */
  deadline(key: Word): i64;

  /** The string, null where it is absent. */
  get(key: Word): string | null;
  getBytes(key: Word): Bytes | null;
  /**
   * Sets it, whatever it was.
   * @param deadline Unix ms at which it expires. Without one it stays, also where it had one; `KEEP` keeps
   *   that; one that has passed deletes it
   */
  set(key: Word, value: Word, deadline?: i64): void;
  /** Adds to the integer that it is, 0 where it is absent; the sum. */
  incr(key: Word, by?: i64): i64;
  /** Puts a value at its end; how many bytes it has then. */
  append(key: Word, value: Word): i64;
  strlen(key: Word): i64;

  /** The value of a field, null where it is absent. */
  hget(key: Word, field: Word): string | null;
  hgetBytes(key: Word, field: Word): Bytes | null;
  hexists(key: Word, field: Word): bool;
  /** Sets a field; whether it is a new one. */
  hset(key: Word, field: Word, value: Word): bool;
  /** Whether there was a field to delete. */
  hdel(key: Word, field: Word): bool;
  /** Adds to the integer in a field, 0 where it is absent; the sum. */
  hincrby(key: Word, field: Word, by: i64): i64;
  hlen(key: Word): i64;
  /** All fields and their values, in no order. */
  hgetall(key: Word): Map<string, string>;

  /** Sets the score of a member; whether it is a new one. */
  zadd(key: Word, score: f64, member: Word): bool;
  /** Adds to the score of a member, 0 where it is absent; the sum. */
  zincrby(key: Word, by: f64, member: Word): f64;
  /** Whether there was a member to take out. */
  zrem(key: Word, member: Word): bool;
  /** The score of a member; NaN where it is absent. */
  zscore(key: Word, member: Word): f64;
  zcard(key: Word): i64;
  /** The members with scores from `min` to `max`, both included, in order; at most 1000, unless told. */
  zrange(key: Word, min: f64, max: f64, limit?: i32): Member[];

  /** Puts a value before all others; how many there are then. */
  lpush(key: Word, value: Word): i64;
  /** Puts a value behind all others; how many there are then. */
  rpush(key: Word, value: Word): i64;
  /** Takes the first value out; null where the key is absent. */
  lpop(key: Word): string | null;
  /** Takes the last value out; null where the key is absent. */
  rpop(key: Word): string | null;
  /** The value at a place, negative ones from the end; null where there is none. */
  lindex(key: Word, index: i64): string | null;
  /** Sets the value at a place, which must be there. */
  lset(key: Word, index: i64, value: Word): void;
  llen(key: Word): i64;
};
