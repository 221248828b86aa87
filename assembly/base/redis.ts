/**
 * The host's half of the ABI: every function that a module may import from the namespace `redis`, and nothing
 * else.
 *
 * Names are the server's own module API without the prefix `RedisModule_`, argument order kept and the
 * context implicit, so that each name greps straight to the server's documentation: `redis.ReplyWithNull` is
 * `RedisModule_ReplyWithNull`. Functions that the server does not have are marked "host's own".
 *
 * Conventions:
 * - A byte string is a pair (pointer: usize, length: u32) in bytes. The host checks every pair before it
 *   reads a byte.
 * - The host copies what it is given before it returns; it keeps no pointer into the module's memory.
 * - A result of type u64 that stands for a byte string is `length << 32 | pointer`; 0 is null. The bytes lie
 *   in memory that
 *   the host owns and are valid until the module's next import call.
 * - An array of byte strings is a pointer to `count` × { pointer: u32, length: u32 } (see
 *   `assembly/frame.ts`).
 */
export namespace redis {
  // ── Commands ─────────────────────────────────────────────────────────────────────────────────────────────

  /**
   * Registers a command, and describes it; allowed in `onLoad` alone. Host's own.
   * @param text lines `key: value` of ASCII text, 16 KiB at most, whose grammar is in docs/ABI.md: `name`,
   *   `flags`, and what COMMAND DOCS and COMMAND INFO tell. A text that breaks it ends the load.
   * @param handler as in `CreateCommand`
   * @returns 0, or 1 when the server refused
   */
  @external("redis", "AddCommand")
  export declare function AddCommand(text: usize, length: u32, handler: i32): i32;

  /**
   * Registers a command in other words; allowed in `onLoad` alone.
   * @param handler index in the exported `table` of a function `(argc: i32, argv: usize) => u64`. `argv`
   *   points to `argc` × { pointer, length } of the arguments *after* the command's name, valid until the
   *   handler returns. Its result is the reply: a byte string, `NULL`, `OK`, or `REPLIED` when it has called
   *   the functions below instead (see `assembly/base/frame.ts`). One that returns nothing replies by calls
   *   alone.
   * @param flags the server's command flags, separated by spaces, and the host's own `effect`: a command that
   *   only the replication stream and the append-only file may run; for anybody else it answers as an unknown
   *   command does.
   * @param arity as in COMMAND INFO, the command's name counted: 3 is exactly two arguments, -3 two or more.
   *   The host refuses any other count with the server's own error before the handler runs. (Host's own
   *   parameter.)
   * @returns 0, or 1 when the server refused (the name is taken, a flag is unknown)
   */
  // prettier-ignore
  @external("redis", "CreateCommand")
  export declare function CreateCommand(name: usize, nameLength: u32, handler: i32, flags: usize, flagsLength: u32,
    firstKey: i32, lastKey: i32, keyStep: i32, arity: i32): i32;

  /**
   * Describes a command that `CreateCommand` has registered, at most once; allowed in `onLoad` alone. Its
   * keys and its arity then stand in COMMAND INFO, its arguments in COMMAND DOCS, and it belongs to the ACL
   * categories that it names.
   * @param info lines `key: value` of ASCII text, 16 KiB at most, whose grammar is in docs/ABI.md. A text
   *   that breaks it ends the load. (The host's own form of the server's structure.)
   * @returns 0, or 1 when the server refused, or no such command of this module is there to be described
   */
  // prettier-ignore
  @external("redis", "SetCommandInfo")
  export declare function SetCommandInfo(command: usize, commandLength: u32, info: usize, infoLength: u32): i32;

  /**
   * Declares a numeric setting; allowed in `settings` alone. `handle` is the module's own number for it (0 …
   * 31).
   * @param flags the server's REDISMODULE_CONFIG_* bits
   * @returns 0. A name that the server refuses (it is taken) ends the load.
   */
  // prettier-ignore
  @external("redis", "RegisterNumericConfig")
  export declare function RegisterNumericConfig(name: usize, nameLength: u32, defaultValue: i64, flags: u32, min: i64, max: i64,
    handle: i32): i32;

  /** The present value of this module's numeric setting `handle`. Host's own. */
  @external("redis", "GetNumericConfig")
  export declare function GetNumericConfig(handle: i32): i64;

  /**
   * Declares a whole number of the setting `wasm.settings`, as `module.name=number` there; allowed in
   * `settings` alone. Host's own.
   * @param name without the module's: a letter and at most 31 of a to z, 0 to 9 and -
   * @param handle the module's own number for it; `RegisterNumericConfig` counts apart
   * @returns 0. What cannot be declared ends the load.
   */
  // prettier-ignore
  @external("redis", "RegisterSetting")
  export declare function RegisterSetting(name: usize, nameLength: u32, defaultValue: i64, min: i64, max: i64, handle: i32): i32;

  /** The present value of this module's setting `handle` of `RegisterSetting`. Host's own. */
  @external("redis", "GetSetting")
  export declare function GetSetting(handle: i32): i64;

  /**
   * Tells which file ordinarily serves a namespace, for the error that a caller meets when nothing does:
   * "load <file>". Allowed in `onLoad` alone. Host's own.
   */
  // prettier-ignore
  @external("redis", "ServedBy")
  export declare function ServedBy(namespace: usize, namespaceLength: u32, file: usize, fileLength: u32): void;

  /**
   * Has a handler run every `ms` milliseconds, 10 to a year's, on a primary; allowed in `onLoad` alone.
   * Host's own. It is called as a command's, without arguments, may do what one that writes may, but reply,
   * and its result is nobody's. A failure is logged and counted, and the next run comes later.
   * @param handler as in `CreateCommand`. 64 of a module; what is wrong with it ends the load.
   */
  @external("redis", "Every")
  export declare function Every(ms: i64, handler: i32): void;

  /**
   * Has a handler run after each event of a key, of the server's or of a module's, on a primary; allowed in
   * `onLoad` alone. Host's own. As `Every`, but that its arguments are the key and the event's name. It runs
   * when what has caused the event has ended.
   * @param event the name, as in `NotifyKeyspaceEvent`, 1 to 128 bytes; `*`: any
   * @param pattern of keys, as in KEYS, 1 to 1024 bytes
   */
  @external("redis", "On")
  export declare function On(event: usize, eventLength: u32, pattern: usize, patternLength: u32, handler: i32): void;

  /**
   * Copies a late argument of the running command to `target`, which has room for its `length` bytes. Traps
   * where it is none. Host's own.
   */
  @external("redis", "ReadArgument")
  export declare function ReadArgument(argument: usize, length: u32, target: usize): void;

  // ── Replies ──────────────────────────────────────────────────────────────────────────────────────────────

  /** `+text`. CR, LF and NUL in it are replaced by spaces. */
  @external("redis", "ReplyWithSimpleString")
  export declare function ReplyWithSimpleString(text: usize, length: u32): void;

  /** `-text`; the text begins with its code: "ERR …". CR, LF and NUL in it are replaced by spaces. */
  @external("redis", "ReplyWithError")
  export declare function ReplyWithError(text: usize, length: u32): void;

  /** A bulk string of any bytes. */
  @external("redis", "ReplyWithStringBuffer")
  export declare function ReplyWithStringBuffer(bytes: usize, length: u32): void;


  @external("redis", "ReplyWithNull")
  export declare function ReplyWithNull(): void;


  @external("redis", "ReplyWithLongLong")
  export declare function ReplyWithLongLong(value: i64): void;

  /** A number: `,` in RESP3; in RESP2 a bulk string, the shortest text that reads back. */
  @external("redis", "ReplyWithDouble")
  export declare function ReplyWithDouble(value: f64): void;

  /** Opens an array of `length` elements; -1: its length is told afterwards by ReplySetArrayLength. */
  @external("redis", "ReplyWithArray")
  export declare function ReplyWithArray(length: i64): void;


  @external("redis", "ReplySetArrayLength")
  export declare function ReplySetArrayLength(length: i64): void;

  /** Opens a map of `length` pairs (RESP2: a flat array); -1: told afterwards by ReplySetMapLength. */
  @external("redis", "ReplyWithMap")
  export declare function ReplyWithMap(length: i64): void;


  @external("redis", "ReplySetMapLength")
  export declare function ReplySetMapLength(length: i64): void;

  /**
   * Some replies as the calls above send them one after the other, in one call. Host's own.
   * @param parts one after the other: a kind u8, a number of 8 bytes, little-endian, and of kinds 0, 3 and 13
   *   so many bytes: 0 a bulk string, 1 null, 2 an integer, 3 a status, 6 an array of so many elements, 7 a
   *   map of so many pairs, 10 an f64, 11 a set of so many elements, 12 a truth value, 13 the digits of an
   *   integer of any size. Bytes that are no such parts end the call.
   */
  @external("redis", "ReplyWithParts")
  export declare function ReplyWithParts(parts: usize, length: u32): void;

  /** The server's own "ERR wrong number of arguments for '<command>' command". */
  @external("redis", "WrongArity")
  export declare function WrongArity(): void;

  /**
   * Ends the running command with the error `-text`, from any depth, across a direct link too; it does not
   * return and is not counted as a trap. Inside a commit it is a trap. Host's own.
   */
  @external("redis", "Fail")
  export declare function Fail(text: usize, length: u32): void;

  /**
   * Calls a function of this module that may fail; not allowed inside a commit. What it has changed or
   * replied until then stays. Host's own.
   * @param handler index in the exported `table` of a function `() => void`
   * @returns 0 when it returned, 1 when `Fail` ended it: its own, that of a directly linked module, or an
   *   import call that failed. Traps and time-outs end the command as ever.
   */
  @external("redis", "Attempt")
  export declare function Attempt(handler: i32): i32;

  // ── The server ───────────────────────────────────────────────────────────────────────────────────────────

  /**
   * Unix time in milliseconds. In a command it is that of the beginning of the client's command, transaction
   * or script, where the server tells modules of it: Redis and Valkey from 7.2 on.
   */
  @external("redis", "Milliseconds")
  export declare function Milliseconds(): i64;

  /** Fills `length` bytes from the server's cryptographic random source. */
  @external("redis", "GetRandomBytes")
  export declare function GetRandomBytes(target: usize, length: u32): void;

  /**
   * A line in the server's log; level: "debug", "verbose", "notice" or "warning". The host puts the module's
   * name before it.
   */
  // prettier-ignore
  @external("redis", "Log")
  export declare function Log(level: usize, levelLength: u32, text: usize, length: u32): void;

  /**
   * 1 when the user behind the running command, who may stand behind a script, may run it with this key in
   * the place of its first one, and read and write the key; 1 too where there is no user, as in a sweep or
   * the replication stream. For keys that the command does not declare, because the server could not tell
   * where they are. (The server's ACLCheckCommandPermissions and ACLCheckKeyPermissions.) Under
   * `ContextFlags.CONFINED` it tells whether the key lies in the slots that come, whatever its length.
   */
  @external("redis", "MayAccess")
  export declare function MayAccess(key: usize, length: u32): i32;

  /** The server's REDISMODULE_CTX_FLAGS_* bits for the running command; see `ContextFlags`. */
  @external("redis", "GetContextFlags")
  export declare function GetContextFlags(): i32;

  /**
   * The name of the user behind the running command, who may stand behind a script; empty where there is
   * none, as in a sweep or the replication stream.
   */
  @external("redis", "GetCurrentUserName")
  export declare function GetCurrentUserName(): u64;

  /** The database that the running command's client has selected; 0 in a sweep. */
  @external("redis", "GetSelectedDb")
  export declare function GetSelectedDb(): i32;

  /**
   * What the running command does next frees more memory than it takes: until its end its memory may exceed
   * `wasm.max-memory` by a quarter. For writes that were refused memory and make something smaller. Host's
   * own.
   */
  @external("redis", "MayExceed")
  export declare function MayExceed(): void;

  /**
   * The `length` bytes at `pointer` are not needed any more: their memory goes back to the system, as far as
   * they are whole pages of it, and the module may use the same addresses again at any time. What they read
   * until they are written is undefined. Host's own.
   */
  @external("redis", "DiscardMemory")
  export declare function DiscardMemory(pointer: usize, length: u32): void;

  // ── Effects of a write ───────────────────────────────────────────────────────────────────────────────────

  /** Queues the running command as it came for replicas and the append-only file. */
  @external("redis", "ReplicateVerbatim")
  export declare function ReplicateVerbatim(): void;

  /**
   * Queues a command with `argc` arguments (array of byte strings at `argv`) for replicas and the append-only
   * file: one that this module, or one that is directly linked to it, registered as `write`. As the other
   * two, only in a command that is `write` or `may-replicate`, and in a sweep.
   */
  // prettier-ignore
  @external("redis", "Replicate")
  export declare function Replicate(command: usize, commandLength: u32, argv: usize, argc: i32): void;

  /**
   * Queues an effect that the host hands to this module's export `apply` wherever it arrives: `wasm.apply
   * <key> <module> <format> <arguments>`. As `Replicate` otherwise. Host's own.
   */
  // prettier-ignore
  @external("redis", "ReplicateTables")
  export declare function ReplicateTables(key: usize, keyLength: u32, format: i32, argv: usize, argc: i32): void;

  /**
   * 1 when somebody takes what `Replicate` queues now: a replica, a backlog or the append-only file. 0:
   * nobody does; the effect has been counted, as save points do, and need not be queued. Host's own.
   */
  @external("redis", "CountEffect")
  export declare function CountEffect(): i32;

  /**
   * 1 when an effect that may be late, or lost with a crash, should be queued now: a replica, a backlog or
   * the append-only file listens, or none such was queued for a second (the server's save points count what
   * is replicated). Host's own.
   */
  @external("redis", "EffectsWanted")
  export declare function EffectsWanted(): i32;

  /** Tells WATCH and client-side caching that this key (or id) has changed. */
  @external("redis", "SignalModifiedKey")
  export declare function SignalModifiedKey(key: usize, length: u32): void;

  /** Publishes a keyspace notification. `type`: REDISMODULE_NOTIFY_* bits. */
  // prettier-ignore
  @external("redis", "NotifyKeyspaceEvent")
  export declare function NotifyKeyspaceEvent(type: i32, event: usize, eventLength: u32, key: usize, length: u32): void;

  /**
   * `SignalModifiedKey` and `NotifyKeyspaceEvent` in one call, what nearly every write ends with; before them
   * `ReplicateVerbatim`, if `verbatim` is not 0. Host's own.
   */
  // prettier-ignore
  @external("redis", "KeyChanged")
  export declare function KeyChanged(type: i32, event: usize, eventLength: u32, key: usize, length: u32, verbatim: i32): void;

  /**
   * Publishes a message to the subscribers of a channel, once: those of this server and its cluster, and,
   * from a command that may replicate, those of its replicas. Does nothing in an effect, or whatever else
   * comes from the stream or a file: it was published where it was decided. No permission is asked for.
   */
  // prettier-ignore
  @external("redis", "PublishMessage")
  export declare function PublishMessage(channel: usize, channelLength: u32, message: usize, length: u32): void;

  // ── Persistence: the RDB file's auxiliary data of this module ────────────────────────────────────────────

  /**
   * Declares that this module keeps auxiliary data in RDB files, by its exports `auxSave` and `auxLoad`;
   * allowed in `onLoad` alone.
   * @param name exactly 9 bytes of A–Z a–z 0–9 - _
   * @param version version of the encoding, 0 … 1023, stored beside the data
   * @returns 0, or 1 when the server refused
   */
  @external("redis", "CreateDataType")
  export declare function CreateDataType(name: usize, nameLength: u32, version: i32): i32;

  /** Allowed in `auxSave` alone, as SaveStringBuffer. */
  @external("redis", "SaveUnsigned")
  export declare function SaveUnsigned(value: u64): void;


  @external("redis", "SaveStringBuffer")
  export declare function SaveStringBuffer(bytes: usize, length: u32): void;

  /** Allowed in `auxLoad` alone, as LoadStringBuffer and IsIOError. 0 after an error: ask IsIOError. */
  @external("redis", "LoadUnsigned")
  export declare function LoadUnsigned(): u64;

  /** `length << 32 | pointer`, valid until the next import call; 0 after an error. */
  @external("redis", "LoadStringBuffer")
  export declare function LoadStringBuffer(): u64;

  /** 1 when a read from the file has failed: `auxLoad` must then return 1. */
  @external("redis", "IsIOError")
  export declare function IsIOError(): i32;

  // ── INFO ─────────────────────────────────────────────────────────────────────────────────────────────────

  /** A field of this module's section in INFO, `wasm_<module>_<name>:<value>`; allowed in `info` alone. */
  @external("redis", "InfoAddFieldULongLong")
  export declare function InfoAddFieldULongLong(name: usize, nameLength: u32, value: u64): void;

  /** As above, of the shortest text that reads back as this number. */
  @external("redis", "InfoAddFieldDouble")
  export declare function InfoAddFieldDouble(name: usize, nameLength: u32, value: f64): void;
}

/** Bits of `redis.GetContextFlags` that modules use (the server's REDISMODULE_CTX_FLAGS_*). */
export namespace ContextFlags {
  /** This server is a replica. */
  export const REPLICA: i32 = 1 << 3;
  /** This server is a node of a cluster. */
  export const CLUSTER: i32 = 1 << 5;
  /** The command came over the replication stream. */
  export const REPLICATED: i32 = 1 << 12;
  /** The server is loading an RDB or append-only file. */
  export const LOADING: i32 = 1 << 13;
  /** The host's own: an effect comes with slots of another node, and whatever it names must lie in these. */
  export const CONFINED: i32 = 1 << 30;
}
