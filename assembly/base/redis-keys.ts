/**
 * The host's functions for the server's own keys and commands, under the server's own names.
 *
 * A command reaches the keys that it declares, and a query changes none. Each change is made at once, taken
 * back where the command fails, and told to replicas, the append-only file, WATCH, client-side caching and
 * subscribers when it has ended well, as the server's own command would tell it. A key that holds another
 * kind of value than a function is for ends the command with WRONGTYPE. A byte string that is answered is
 * `length << 32 | pointer`, valid until the next import call; 0: there is none.
 */
export namespace redisKeys {
  /**
   * Runs a command of the server, of `argc` words at `argv`, with the permissions of the user behind the
   * running command and by the rules of scripts; in a query one that only reads. What it writes replicates by
   * itself and stays, and so does what the running command has done to keys before it.
   * @returns its reply as parts, as `ReplyWithParts` takes them, and those of errors
   */
  @external("redis", "Call")
  export declare function Call(argv: usize, argc: i32): u64;

  /** REDISMODULE_KEYTYPE_*; 0: the key is absent. */
  @external("redis", "KeyType")
  export declare function KeyType(key: usize, length: u32): i32;

  /** Bytes of a string, elements of what else there is, which must be of this type; 0: the key is absent. */
  @external("redis", "ValueLength")
  export declare function ValueLength(key: usize, length: u32, type: i32): i64;

  /** 1: it was there. */
  @external("redis", "DeleteKey")
  export declare function DeleteKey(key: usize, length: u32): i32;

  /** When it expires, in Unix ms; 0: never, −1: the key is absent. */
  @external("redis", "GetAbsExpire")
  export declare function GetAbsExpire(key: usize, length: u32): i64;

  /** The same, to be set; one that has passed deletes the key. 1: there was something to change. */
  @external("redis", "SetAbsExpire")
  export declare function SetAbsExpire(key: usize, length: u32, deadline: i64): i32;

  /** The string, `length << 32 | pointer`; 0: absent. */
  @external("redis", "StringGet")
  export declare function StringGet(key: usize, length: u32): u64;

  /** `deadline`: Unix ms, 0: none, −1: the one that is there. */
  // prettier-ignore
  @external("redis", "StringSet")
  export declare function StringSet(key: usize, keyLength: u32, value: usize, length: u32, deadline: i64): void;

  /** Deletes a string of these bytes; 1: it was that. */
  @external("redis", "StringDeleteIf")
  export declare function StringDeleteIf(key: usize, keyLength: u32, value: usize, length: u32): i32;

  /** The length of the string then. */
  @external("redis", "StringAppend")
  export declare function StringAppend(key: usize, keyLength: u32, value: usize, length: u32): i64;

  /** The sum. */
  @external("redis", "StringIncrement")
  export declare function StringIncrement(key: usize, length: u32, by: i64): i64;

  /** The value of a field, `length << 32 | pointer`; 0: absent. */
  @external("redis", "HashGet")
  export declare function HashGet(key: usize, keyLength: u32, field: usize, length: u32): u64;

  /** 1: the field is new. */
  // prettier-ignore
  @external("redis", "HashSet")
  export declare function HashSet(key: usize, keyLength: u32, field: usize, fieldLength: u32, value: usize, length: u32): i32;

  /** 1: the field was there. */
  @external("redis", "HashDelete")
  export declare function HashDelete(key: usize, keyLength: u32, field: usize, length: u32): i32;

  /** The sum. */
  // prettier-ignore
  @external("redis", "HashIncrement")
  export declare function HashIncrement(key: usize, keyLength: u32, field: usize, length: u32, by: i64): i64;

  /** All fields and values, in no order: of each a u32 length and its bytes. */
  @external("redis", "HashGetAll")
  export declare function HashGetAll(key: usize, length: u32): u64;

  /** 1: the member is new. */
  // prettier-ignore
  @external("redis", "ZsetAdd")
  export declare function ZsetAdd(key: usize, keyLength: u32, score: f64, member: usize, length: u32): i32;

  /** The sum. */
  // prettier-ignore
  @external("redis", "ZsetIncrement")
  export declare function ZsetIncrement(key: usize, keyLength: u32, by: f64, member: usize, length: u32): f64;

  /** 1: the member was there. */
  @external("redis", "ZsetRemove")
  export declare function ZsetRemove(key: usize, keyLength: u32, member: usize, length: u32): i32;

  /** NaN: the member is absent. */
  @external("redis", "ZsetScore")
  export declare function ZsetScore(key: usize, keyLength: u32, member: usize, length: u32): f64;

  /**
   * The members with scores from `min` to `max`, both included, in their order, at most `limit`: of each an
   * f64 score, a u32 length, and its bytes.
   */
  // prettier-ignore
  @external("redis", "ZsetRange")
  export declare function ZsetRange(key: usize, length: u32, min: f64, max: f64, limit: i32): u64;

  /** `end`: 0 is the head, 1 the tail. The length of the list then. */
  // prettier-ignore
  @external("redis", "ListPush")
  export declare function ListPush(key: usize, keyLength: u32, end: i32, value: usize, length: u32): i64;

  /** The value that was taken out, `length << 32 | pointer`; 0: the key is absent. */
  @external("redis", "ListPop")
  export declare function ListPop(key: usize, length: u32, end: i32): u64;

  /** The value at a place, negative ones from the end, `length << 32 | pointer`; 0: absent. */
  @external("redis", "ListGet")
  export declare function ListGet(key: usize, length: u32, index: i64): u64;

  /** The value at a place, which must be there. */
  // prettier-ignore
  @external("redis", "ListSet")
  export declare function ListSet(key: usize, keyLength: u32, index: i64, value: usize, length: u32): void;
}
