/** What `onLoad` tells the server, from literals; and the notifications of changes. */
import { redis } from "./redis";
import { lendTables } from "./slots";
import { literalLength, narrow } from "./text";

const name: usize = memory.data(64);
const flags: usize = memory.data(64);
/** Bytes that a command's description may have. */
const INFO_SIZE: u32 = 2048;

/** REDISMODULE_NOTIFY_MODULE: keyspace events of class `d`. */
const NOTIFY_MODULE: i32 = 1 << 13;

/** The event that was told last, a literal; and its name, ready to be told again. */
let told: usize = 0;
let toldLength: u32 = 0;
const toldName: usize = memory.data(64);

/**
 * Registers a command whose handler has this index in the table.
 * @param text literal of lines `key: value`, 2048 characters at most, as `redis.AddCommand` takes it
 * @returns 0, or 1 when the server refused
 */
export function addCommand(text: usize, handler: i32): i32 {
  const info = lendTables();
  return literalLength(text) > INFO_SIZE ? 1 : redis.AddCommand(info, narrow(text, info), handler);
}

/**
 * As addCommand, in the words of `redis.CreateCommand`.
 * @param key position of its one key, the command's name being 0; 0 when it has none. The lines `keys` of its
 *   description win over it.
 * @param description literal of lines `key: value`, 2048 characters at most, as `redis.SetCommandInfo` takes
 *   it; 0: none
 * @returns 0, or 1 when the server refused
 */
export function command(commandName: usize, handler: i32, commandFlags: usize, key: i32, arity: i32, description: usize = 0): i32 {
  const nameLength = narrow(commandName, name);
  const flagsLength = narrow(commandFlags, flags);
  if (redis.CreateCommand(name, nameLength, handler, flags, flagsLength, key, key, key ? 1 : 0, arity)) return 1;
  if (!description) return 0;
  if (literalLength(description) > INFO_SIZE) return 1;
  const info = lendTables();
  return redis.SetCommandInfo(name, nameLength, info, narrow(description, info));
}

/**
 * Declares the setting `wasm.<name>`, a whole number from `least` to `most`; `redis.GetNumericConfig(handle)`
 * reads it.
 */
export function setting(settingName: usize, defaultValue: i64, least: i64, most: i64, handle: i32): void {
  redis.RegisterNumericConfig(name, narrow(settingName, name), defaultValue, 0, least, most, handle);
}

/** Declares the auxiliary data type of this name, 9 bytes; 0, or 1 when the server refused. */
export function dataType(typeName: usize, version: i32): i32 {
  return redis.CreateDataType(name, narrow(typeName, name), version);
}

/** Tells which file ordinarily serves a namespace. */
export function servedBy(namespace: usize, file: usize): void {
  const namespaceLength = narrow(namespace, name);
  redis.ServedBy(name, namespaceLength, flags, narrow(file, flags));
}

/**
 * Tells WATCH, client-side caching and subscribers that the key has changed. `event`: its name, a literal of
 * at most 64 characters.
 * @param verbatim whether the running command is replicated as it came
 */
export function changed(event: usize, key: usize, length: u32, verbatim: bool = false): void {
  if (event != told) {
    toldLength = narrow(event, toldName);
    told = event;
  }
  redis.KeyChanged(NOTIFY_MODULE, toldName, toldLength, key, length, verbatim);
}

/** Adds a field to this module's section of INFO. */
export function infoField(fieldName: usize, value: u64): void {
  redis.InfoAddFieldULongLong(name, narrow(fieldName, name), value);
}
