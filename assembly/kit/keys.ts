/** The server's own keys that a command declares, for authors: `keys`. */
import { lengthOf, pointerOf } from "../base/frame";
import { redisKeys } from "../base/redis-keys";
import { now } from "./hand";
import { wordOf } from "./server";
import { Reader } from "./values/buffer";
import { decodeString } from "./values/strings";

/** REDISMODULE_KEYTYPE_*. */
namespace Type {
  export const STRING: i32 = 1;
  export const LIST: i32 = 2;
  export const HASH: i32 = 3;
  export const SET: i32 = 4;
  export const ZSET: i32 = 5;
  export const MODULE: i32 = 6;
  export const STREAM: i32 = 7;
}

const HEAD: i32 = 0;
const TAIL: i32 = 1;

/** A member of a sorted set. */
export class Member {
  constructor(
    public member: string,
    public score: f64,
  ) {}
}

function textOf(value: u64): string | null {
  return value ? decodeString(pointerOf(value), lengthOf(value)) : null;
}

function bytesIn(value: u64): Uint8Array | null {
  if (!value) return null;
  const bytes = new Uint8Array(<i32>lengthOf(value));
  memory.copy(bytes.dataStart, pointerOf(value), bytes.length);
  return bytes;
}

/** Reads what the host has packed. */
function readerOf(packed: u64): Reader {
  const reader = changetype<Reader>(reading);
  reader.begin(pointerOf(packed), lengthOf(packed));
  return reader;
}

const reading: usize = memory.data(offsetof<Reader>(), 8);

function nextText(reader: Reader): string {
  const length = reader.fixed<u32>();
  return decodeString(reader.skip(length), length);
}

/** Functions on keys, `string` or `Bytes`; what is stored is a string, Bytes or a number. */
export class Keys {
  /** string, list, hash, set, zset, stream, module; none where it is absent. */
  type<K>(key: K): string {
    const name = wordOf<K>(key);
    const type = redisKeys.KeyType(pointerOf(name), lengthOf(name));
    if (type == Type.STRING) return "string";
    if (type == Type.LIST) return "list";
    if (type == Type.HASH) return "hash";
    if (type == Type.SET) return "set";
    if (type == Type.ZSET) return "zset";
    if (type == Type.STREAM) return "stream";
    return type ? "module" : "none";
  }

  exists<K>(key: K): bool {
    const name = wordOf<K>(key);
    return redisKeys.KeyType(pointerOf(name), lengthOf(name)) != 0;
  }

  /** Whether there was one to delete. */
  delete<K>(key: K): bool {
    const name = wordOf<K>(key);
    return redisKeys.DeleteKey(pointerOf(name), lengthOf(name)) != 0;
  }

  /** Deletes a string that is this value; whether it was. */
  deleteIf<K, V>(key: K, value: V): bool {
    const name = wordOf<K>(key);
    const word = wordOf<V>(value);
    return redisKeys.StringDeleteIf(pointerOf(name), lengthOf(name), pointerOf(word), lengthOf(word)) != 0;
  }

  /** Has it expire in so many ms; false where it is absent. */
  expire<K>(key: K, ms: i64): bool {
    return this.expireAt<K>(key, now() + ms);
  }

  /** Has it expire at a time in Unix ms; one that has passed deletes it. False where it is absent. */
  expireAt<K>(key: K, deadline: i64): bool {
    if (deadline <= 0) return this.delete<K>(key);
    const name = wordOf<K>(key);
    return redisKeys.SetAbsExpire(pointerOf(name), lengthOf(name), deadline) != 0;
  }

  /** Has it never expire; whether it would have. */
  persist<K>(key: K): bool {
    const name = wordOf<K>(key);
    return redisKeys.SetAbsExpire(pointerOf(name), lengthOf(name), 0) != 0;
  }

  /** Unix ms at which it expires; 0: never; −1: it is absent. */
  deadline<K>(key: K): i64 {
    const name = wordOf<K>(key);
    return redisKeys.GetAbsExpire(pointerOf(name), lengthOf(name));
  }

  // ── Strings ──────────────────────────────────────────────────────────────────────────────────────────────

  /** The string, null where it is absent. */
  get<K>(key: K): string | null {
    const name = wordOf<K>(key);
    return textOf(redisKeys.StringGet(pointerOf(name), lengthOf(name)));
  }

  getBytes<K>(key: K): Uint8Array | null {
    const name = wordOf<K>(key);
    return bytesIn(redisKeys.StringGet(pointerOf(name), lengthOf(name)));
  }

  /**
   * Sets it, whatever it was. `deadline`: Unix ms; without one it stays, also where it had one; KEEP keeps
   * that; one that has passed deletes it.
   */
  set<K, V>(key: K, value: V, deadline: i64 = 0): void {
    const name = wordOf<K>(key);
    const word = wordOf<V>(value);
    redisKeys.StringSet(pointerOf(name), lengthOf(name), pointerOf(word), lengthOf(word), deadline);
  }

  /** Adds to the integer that it is, 0 where it is absent; the sum. */
  incr<K>(key: K, by: i64 = 1): i64 {
    const name = wordOf<K>(key);
    return redisKeys.StringIncrement(pointerOf(name), lengthOf(name), by);
  }

  /** Puts a value at its end; how many bytes it has then. */
  append<K, V>(key: K, value: V): i64 {
    const name = wordOf<K>(key);
    const word = wordOf<V>(value);
    return redisKeys.StringAppend(pointerOf(name), lengthOf(name), pointerOf(word), lengthOf(word));
  }

  strlen<K>(key: K): i64 {
    return this.lengthAs<K>(key, Type.STRING);
  }

  private lengthAs<K>(key: K, type: i32): i64 {
    const name = wordOf<K>(key);
    return redisKeys.ValueLength(pointerOf(name), lengthOf(name), type);
  }

  // ── Hashes ───────────────────────────────────────────────────────────────────────────────────────────────

  /** The value of a field, null where it is absent. */
  hget<K, F>(key: K, field: F): string | null {
    return textOf(this.field<K, F>(key, field));
  }

  hgetBytes<K, F>(key: K, field: F): Uint8Array | null {
    return bytesIn(this.field<K, F>(key, field));
  }

  hexists<K, F>(key: K, field: F): bool {
    return this.field<K, F>(key, field) != 0;
  }

  private field<K, F>(key: K, field: F): u64 {
    const name = wordOf<K>(key);
    const inner = wordOf<F>(field);
    return redisKeys.HashGet(pointerOf(name), lengthOf(name), pointerOf(inner), lengthOf(inner));
  }

  /** Sets a field; whether it is a new one. */
  hset<K, F, V>(key: K, field: F, value: V): bool {
    const name = wordOf<K>(key);
    const inner = wordOf<F>(field);
    const word = wordOf<V>(value);
    return redisKeys.HashSet(pointerOf(name), lengthOf(name), pointerOf(inner), lengthOf(inner), pointerOf(word), lengthOf(word)) != 0;
  }

  /** Whether there was a field to delete. */
  hdel<K, F>(key: K, field: F): bool {
    const name = wordOf<K>(key);
    const inner = wordOf<F>(field);
    return redisKeys.HashDelete(pointerOf(name), lengthOf(name), pointerOf(inner), lengthOf(inner)) != 0;
  }

  /** Adds to the integer in a field, 0 where it is absent; the sum. */
  hincrby<K, F>(key: K, field: F, by: i64): i64 {
    const name = wordOf<K>(key);
    const inner = wordOf<F>(field);
    return redisKeys.HashIncrement(pointerOf(name), lengthOf(name), pointerOf(inner), lengthOf(inner), by);
  }

  hlen<K>(key: K): i64 {
    return this.lengthAs<K>(key, Type.HASH);
  }

  /** All fields and their values, in no order. */
  hgetall<K>(key: K): Map<string, string> {
    const name = wordOf<K>(key);
    const reader = readerOf(redisKeys.HashGetAll(pointerOf(name), lengthOf(name)));
    const all = new Map<string, string>();
    while (reader.left) {
      const field = nextText(reader);
      all.set(field, nextText(reader));
    }
    return all;
  }

  // ── Sorted sets ──────────────────────────────────────────────────────────────────────────────────────────

  /** Sets the score of a member; whether it is a new one. */
  zadd<K, M>(key: K, score: f64, member: M): bool {
    const name = wordOf<K>(key);
    const inner = wordOf<M>(member);
    return redisKeys.ZsetAdd(pointerOf(name), lengthOf(name), score, pointerOf(inner), lengthOf(inner)) != 0;
  }

  /** Adds to the score of a member, 0 where it is absent; the sum. */
  zincrby<K, M>(key: K, by: f64, member: M): f64 {
    const name = wordOf<K>(key);
    const inner = wordOf<M>(member);
    return redisKeys.ZsetIncrement(pointerOf(name), lengthOf(name), by, pointerOf(inner), lengthOf(inner));
  }

  /** Whether there was a member to take out. */
  zrem<K, M>(key: K, member: M): bool {
    const name = wordOf<K>(key);
    const inner = wordOf<M>(member);
    return redisKeys.ZsetRemove(pointerOf(name), lengthOf(name), pointerOf(inner), lengthOf(inner)) != 0;
  }

  /** The score of a member; NaN where it is absent. */
  zscore<K, M>(key: K, member: M): f64 {
    const name = wordOf<K>(key);
    const inner = wordOf<M>(member);
    return redisKeys.ZsetScore(pointerOf(name), lengthOf(name), pointerOf(inner), lengthOf(inner));
  }

  zcard<K>(key: K): i64 {
    return this.lengthAs<K>(key, Type.ZSET);
  }

  /** The members with scores from `min` to `max`, both included, in their order. */
  zrange<K>(key: K, min: f64, max: f64, limit: i32 = 1000): Member[] {
    const name = wordOf<K>(key);
    const reader = readerOf(redisKeys.ZsetRange(pointerOf(name), lengthOf(name), min, max, limit));
    const all: Member[] = [];
    while (reader.left) {
      const score = reader.fixed<f64>();
      all.push(new Member(nextText(reader), score));
    }
    return all;
  }

  // ── Lists ────────────────────────────────────────────────────────────────────────────────────────────────

  /** Puts a value before all others; how many there are then. */
  lpush<K, V>(key: K, value: V): i64 {
    return this.push<K, V>(key, HEAD, value);
  }

  /** Puts a value behind all others; how many there are then. */
  rpush<K, V>(key: K, value: V): i64 {
    return this.push<K, V>(key, TAIL, value);
  }

  private push<K, V>(key: K, end: i32, value: V): i64 {
    const name = wordOf<K>(key);
    const word = wordOf<V>(value);
    return redisKeys.ListPush(pointerOf(name), lengthOf(name), end, pointerOf(word), lengthOf(word));
  }

  /** Takes the first value out; null where the key is absent. */
  lpop<K>(key: K): string | null {
    const name = wordOf<K>(key);
    return textOf(redisKeys.ListPop(pointerOf(name), lengthOf(name), HEAD));
  }

  /** Takes the last value out; null where the key is absent. */
  rpop<K>(key: K): string | null {
    const name = wordOf<K>(key);
    return textOf(redisKeys.ListPop(pointerOf(name), lengthOf(name), TAIL));
  }

  /** The value at a place, negative ones from the end; null where there is none. */
  lindex<K>(key: K, index: i64): string | null {
    const name = wordOf<K>(key);
    return textOf(redisKeys.ListGet(pointerOf(name), lengthOf(name), index));
  }

  /** Sets the value at a place, which must be there. */
  lset<K, V>(key: K, index: i64, value: V): void {
    const name = wordOf<K>(key);
    const word = wordOf<V>(value);
    redisKeys.ListSet(pointerOf(name), lengthOf(name), index, pointerOf(word), lengthOf(word));
  }

  llen<K>(key: K): i64 {
    return this.lengthAs<K>(key, Type.LIST);
  }
}

export const keys: Keys = new Keys();
