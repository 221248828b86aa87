/// <reference path="./language.d.ts" />
/**
 * `redis-wasm/kit`: own commands in TypeScript, inside the server.
 *
 * A command is a transaction over tables. What it makes is gone when it ends; what lasts is in a `Table`. If
 * it throws, or runs out of time or memory, nothing has happened.
 */

/** Bytes that need not be text. */
export type Bytes = Uint8Array;

/** What COMMAND DOCS and ACL say of a command. */
export interface About {
  /** One line: what it does. */
  summary?: string;
  /** `"O(1)"` */
  complexity?: string;
  /** The version of the module that has it first. */
  since?: string;
  /** `"fast no-slowlog"`; of `no-monitor`, `no-slowlog`, `admin`, `deny-script`, `fast`. */
  flags?: string;
  /** Categories of ACL: `"@limit"`, or the server's own, `"@fast"`. */
  categories?: string;
  /** Names of the syntax's keys that the command only reads: `"source"`. */
  readKeys?: string;
}

/**
 * A command that may write.
 *
 * ```ts
 * command("COUNTER.ADD", "key:key [BY amount:integer]", add, "Adds to a counter");
 * function add(key: string, amount: i64 = 1): i64 {
 *   return counters.add(key, amount);
 * }
 * ```
 * @param name what clients send, `MODULE.VERB`
 * @param syntax its arguments: `name:type` with `string` (the default), `integer`, `double`, `key`,
 *   `pattern`, `unix-time`; `[…]` for what may be left out, `TOKEN` or `TOKEN name:type`, `A|B` within a
 *   group, `...` for what repeats
 * @param handler the function that does it: a parameter for each argument, in their order
 * @param about what it does, in one line; or more of it
 */
export function command(name: string, syntax: string, handler: (...args: any[]) => unknown, about?: string | About): void;

/**
 * A command that only reads; a write in it is an error.
 *
 * ```ts
 * query("COUNTER.GET", "key:key", read, "The count so far");
 * function read(key: string): i64 {
 *   return counters.get(key, 0);
 * }
 * ```
 * Parameters as those of `command`.
 */
export function query(name: string, syntax: string, handler: (...args: any[]) => unknown, about?: string | About): void;

/**
 * Has a function run again and again, on a primary, as a transaction like a command's.
 *
 * ```ts
 * every(60_000, tidy); // once a minute
 * function tidy(): void {
 *   for (const entry of visits.range(0, now() - 86_400_000)) visits.delete(entry.key);
 * }
 * ```
 * The first run comes an interval after the module was loaded, or the server became a primary. Turns that
 * pass while nothing may be written are left out. One that throws or takes long is tried again later.
 * @param ms from one run to the next, 10 to those of a year; known when it is built: `24 * 60 * 60 * 1000`
 */
export function every(ms: i64, handler: () => void): void;

/**
 * Has a function run after events of keys, on a primary, as a transaction like a command's.
 *
 * ```ts
 * on("expired", "user:*", gone);
 * function gone(key: string, event: string): void {
 *   sessions.in(key).clear();
 * }
 * ```
 * It runs when the command has ended that caused the event, and is replicated with that. `caller.db` is the
 * key's database.
 * @param event as PUBLISH has it in `__keyevent@0__:…`: "set", "del", "expired", "evicted", "hset"; that of a
 *   module's command is its name, "counter.add". `"*"`: any
 * @param pattern of keys, as in KEYS: "user:*"
 * @param handler is given the key, as a string or as Bytes, and the event; it may leave the event out
 */
export function on(event: string, pattern: string, handler: (key: any, event: string) => void): void;

/** An entry of a table. */
export class Entry<K, V> {
  private constructor();
  readonly key: K;
  readonly value: V;
  /** Unix ms at which it expires; 0: never. */
  readonly deadline: i64;
}

/** As a deadline in `set`: the one that the entry has already stays. */
export const KEEP: i64;

interface Entries<K, V> {
  /**
   * The value of a key, or `fallback` where there is none. A copy: only `set` lasts.
   *
   * ```ts
   * const bucket = buckets.get(key, new Bucket(capacity, now()));
   * ```
   */
  get(key: K, fallback: V): V;
  /**
   * The value of a key, or null. A copy: only `set` lasts. For classes, strings and Bytes; numbers have no
   * null: `has` and `get`.
   */
  find(key: K): V | null;
  has(key: K): bool;
  /**
   * Stores a value.
   *
   * ```ts
   * seen.set(id, true, now() + 60_000); // for a minute
   * ```
   * @param deadline Unix ms at which it expires. Without one it stays, also where it had one; `KEEP` keeps
   *   that; one that has passed deletes the entry
   */
  set(key: K, value: V, deadline?: i64): void;
  /** Whether there was one to delete. */
  delete(key: K): bool;
  /** Adds to a number, which is 0 where there is none; its deadline stays. The sum. */
  add(key: K, amount: V): V;
  /** How many entries there are; expired ones count until they are reclaimed. */
  readonly size: i32;
  /** Deletes all of them; of a table not those that are `in` a key. */
  clear(): void;
  /** All keys, in their order where they have one. A copy: of what is small. */
  keys(): K[];
  /**
   * A page of the keys, as SCAN has them.
   *
   * ```ts
   * const page = users.scan(cursor, 100);
   * return new Reply().array(2).string(page.cursor).strings(page.keys);
   * ```
   * @param cursor `"0"` to begin with, then that of the page before
   * @param count about how many keys
   */
  scan(cursor?: string, count?: i32): Page<K>;
}

interface OwnEntries<K, V> extends Entries<K, V> {
  /** Sets when an entry expires, in Unix ms; false where there is none. */
  expireAt(key: K, deadline: i64): bool;
  /** Unix ms at which an entry expires; 0: never; −1: there is none. */
  deadline(key: K): i64;
}

interface SubEntries<K, V> extends Entries<K, V> {
  /** Sets when all of them expire, present and later ones, in Unix ms; false where there are none. */
  expireAt(deadline: i64): bool;
  /** Unix ms at which all of them expire; 0: never. Not of one entry, which `set` may give its own. */
  readonly deadline: i64;
}

/** What `scan` answers. */
export class Page<K> {
  private constructor();
  readonly keys: K[];
  /** For the next page; `"0"`: this was the last one. */
  readonly cursor: string;
}

interface Ordered<K, V> {
  first(): Entry<K, V> | null;
  last(): Entry<K, V> | null;
  /** The next entry behind a key, be that there or not. */
  after(key: K): Entry<K, V> | null;
  /** The next entry before a key, be that there or not. */
  before(key: K): Entry<K, V> | null;
  /**
   * The entries from one key to another, both included: at most 1000, unless told; `i32.MAX_VALUE`: all.
   * What has expired is not among them.
   *
   * ```ts
   * for (const entry of board.range(new Score(100, ""), new Score(200, "~"))) names.push(entry.key.user);
   * ```
   */
  range(from: K, to: K, limit?: i32, reverse?: bool): Entry<K, V>[];
  /** How many entries come before the one with this key, −1 where there is none. O(log n). */
  rank(key: K): i32;
  /** The entry at this place, 0 being the first; null where there are not so many. O(log n). */
  at(index: i32): Entry<K, V> | null;
  /** How many entries are from one key to another, O(log n); expired ones count until they are reclaimed. */
  count(from: K, to: K): i32;
}

/** The entries of a `Table` that belong to one key. */
export class SubTable<K, V> {
  private constructor();
}
export interface SubTable<K, V> extends SubEntries<K, V> {}

/** The entries of a `SortedTable` that belong to one key, in order. */
export class SortedSubTable<K, V> {
  private constructor();
}
export interface SortedSubTable<K, V> extends SubEntries<K, V>, Ordered<K, V> {}

/**
 * What lasts: entries that are saved, replicated and expire, by their keys.
 *
 * ```ts
 * class Bucket {
 *   constructor(public tokens: f64, public at: i64) {}
 * }
 * const buckets = new Table<string, Bucket>("buckets");
 * ```
 * Keys: `string`, `Bytes`, whole numbers. Values: these, `f64`, `bool`, and classes of fields of all of them.
 */
export class Table<K, V> {
  /** @param name of the data, for good: `[a-z][a-z0-9_-]{0,63}` */
  constructor(name: string);
  /**
   * The entries that belong to one key, as a table of its own.
   *
   * ```ts
   * carts.in(user).set(product, amount);
   * carts.in(user).expireAt(now() + 3_600_000);
   * ```
   */
  in(key: string | Bytes): SubTable<K, V>;
}
export interface Table<K, V> extends OwnEntries<K, V> {}

/**
 * As `Table`, in the order of its keys: numbers by value, strings by bytes, classes by their fields.
 *
 * ```ts
 * class Score {
 *   constructor(public points: i64, public user: string) {}
 * }
 * const boards = new SortedTable<Score, string>("boards");
 * boards.in(key).set(new Score(points, user), "");
 * ```
 */
export class SortedTable<K, V> {
  /** @param name of the data, for good: `[a-z][a-z0-9_-]{0,63}` */
  constructor(name: string);
  /** The entries that belong to one key, as a table of its own. */
  in(key: string | Bytes): SortedSubTable<K, V>;
}
export interface SortedTable<K, V> extends OwnEntries<K, V>, Ordered<K, V> {}

/**
 * A reply that types cannot say: mixed arrays, statuses, nulls.
 *
 * ```ts
 * return new Reply().array(2).string(name).integer(age);
 * ```
 */
export class Reply {
  constructor();
  /** The next `length` replies are its elements. */
  array(length: i32): this;
  /** The next 2 × `length` replies are its keys and values. */
  map(length: i32): this;
  string(value: string): this;
  bytes(value: Bytes): this;
  integer(value: i64): this;
  double(value: f64): this;
  bool(value: bool): this;
  null(): this;
  /** `+text` */
  status(text: string): this;
  strings(values: string[]): this;

  // What `redis.call` has answered: read it, or return it as it is.

  /** `null`, `string`, `status`, `integer`, `double`, `bool`, `bignumber`, `array`, `set`, `map`, `error`. */
  readonly type: string;
  readonly isNull: bool;
  readonly isError: bool;
  /** The text of an error, as `"WRONGTYPE …"`; empty: it is none. */
  readonly error: string;
  /** Elements of an array or a set, pairs of a map. */
  readonly length: i32;
  /** An element; of a map keys and values take turns. */
  at(index: i32): Reply;
  /** All elements; of a map keys and values take turns. */
  elements(): Reply[];
  /** A text, or a number as one; an error where it is null. */
  asString(): string;
  asStringOrNull(): string | null;
  asBytes(): Bytes;
  /** A whole number, a truth value as 0 or 1, a text of digits. */
  asInteger(): i64;
  /** A number, or a text that reads as one. */
  asDouble(): f64;
  asBool(): bool;
  asStrings(): string[];
  /** A map of texts, also of an array in which keys and values take turns. */
  asMap(): Map<string, string>;
}

/** Unix ms, the same throughout a command. */
export function now(): i64;
/** A random UUID, version 4. */
export function uuid(): string;
/** Random bytes that are fit for secrets. */
export function randomBytes(length: i32): Bytes;
/** SHA-256, 32 bytes. */
export function sha256(data: Bytes): Bytes;
/** HMAC-SHA-256. */
export function hmac(key: Bytes, data: Bytes): Bytes;
/** Whether both are the same, in a time that does not tell where they differ. */
export function equal(a: Bytes, b: Bytes): bool;
/** A line in the server's log. */
export function log(text: string): void;
/** PUBLISH, once the command has succeeded. */
export function publish(channel: string, text: string): void;

/** Who sent the command. */
export const caller: {
  /** The ACL user. */
  readonly user: string;
  /** The number of the database that is selected. */
  readonly db: i32;
};

/**
 * A number that operators set by `CONFIG SET wasm.settings "limit.burst=5"`.
 *
 * ```ts
 * const burst = setting("burst", 10, 1, 1000);
 * … burst.value
 * ```
 */
export function setting(name: string, initial: i64, min: i64, max: i64): Setting;
/** What `setting` declares. */
export class Setting {
  private constructor();
  readonly value: i64;
}

/** A field of INFO, `wasm_<module>_x_<field>`: what the function answers whenever INFO is asked. */
export function info(field: string, value: () => f64): void;

/** The hashmap's functions. What they write belongs to the transaction. */
export const custom: {
  get(key: string): string | null;
  set(key: string, value: string): void;
  del(key: string): bool;
  exists(key: string): bool;
};

/** The session manager's functions. What they write belongs to the transaction. */
export const session: {
  /** The id of a new session. */
  create(user: string): string;
  /** The session as JSON. Not of one that this command has changed: read it before. */
  get(id: string): string | null;
  getData(id: string, field: string): string | null;
  addData(id: string, field: string, value: string): void;
  delete(id: string): bool;
};

export { keys, Member, redis } from './server';
