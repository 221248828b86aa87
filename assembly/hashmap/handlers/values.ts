/** The commands that read and write values, but for SET with options (options.ts). */
import { create, deadlineOf, destroy, LENGTH_MAX, valueLength, valueOf } from "../../base/storage/entry";
import { alloc, free } from "../../base/storage/heap";
import { beginChange, endChange } from "../../base/change";
import { argument, argumentLength, NULL, OK, REPLIED } from "../../base/frame";
import { integerOf, parsed, parseInteger } from "../../base/parse";
import { redis } from "../../base/redis";
import { changed } from "../../base/register";
import { failLine, failOutOfMemory, line, writeDecimal } from "../../base/text";
import { replicateAppend, replicateDel, replicateSet } from "../replication/effects";
import { EVENT_APPEND, EVENT_DEL, EVENT_SET } from "../replication/events";
import { setWithOptions } from "./set";
import {
  ALLOCATED,
  appendValue,
  compactEntries,
  deleteValue,
  findEntry,
  getValue,
  isExpired,
  NO_MEMORY,
  prepareTable,
  releaseLeaving,
  removeEntry,
  replaceMany,
  setValue,
  storeUntil,
  table,
  takeLeaving,
} from "../store";

/** The text of an integer: a sign and 19 digits. */
const digits: usize = memory.data(24);

/** `CUSTOM.SET key value [options]` → `+OK`; with options as setWithOptions. O(key + value). */
export function commandSet(argc: i32, argv: usize): u64 {
  if (argc != 2) return setWithOptions(argc, argv);
  setValue(argument(argv, 0), argumentLength(argv, 0), argument(argv, 1), argumentLength(argv, 1), true);
  return OK;
}

/** `CUSTOM.GET key` → the value, or null. O(key + value). */
export function commandGet(argc: i32, argv: usize): u64 {
  return getValue(argument(argv, 0), argumentLength(argv, 0));
}

/** `CUSTOM.MGET key [key …]` → an array of values, null for each key that is absent. O(keys + values). */
export function commandMget(argc: i32, argv: usize): u64 {
  redis.ReplyWithArray(argc);
  for (let index = 0; index < argc; index++) {
    const entry = findEntry(argument(argv, index), argumentLength(argv, index));
    if (entry) redis.ReplyWithStringBuffer(valueOf(entry), valueLength(entry));
    else redis.ReplyWithNull();
  }
  return REPLIED;
}

/** `CUSTOM.MSET key value [key value …]` → `+OK`: all of them, or at `OOM …` none. The last of equal keys wins. O(keys + values). */
export function commandMset(argc: i32, argv: usize): u64 {
  if (argc & 1) {
    redis.WrongArity();
    return REPLIED;
  }
  if (!prepareTable()) failOutOfMemory();
  beginChange();
  const stored = storePairs(argc >> 1, argv);
  endChange();
  if (!stored) failOutOfMemory();
  let written: u64 = 0;
  for (let index = 0; index < argc; index++) written += argumentLength(argv, index);
  compactEntries(<u32>min<u64>(written, u32.MAX_VALUE));
  return OK;
}

/** Allocates every entry, then puts all of them in. False, nothing changed: there is no memory. */
function storePairs(count: u32, argv: usize): bool {
  const list = alloc(count << 2);
  if (!list) return false;
  let made: u32 = 0;
  let ready = table.reserveMany(count);
  for (; ready && made < count; made++) {
    const at = made << 1;
    const entry = create(argument(argv, at), argumentLength(argv, at), argument(argv, at + 1), argumentLength(argv, at + 1));
    if (!entry) {
      ready = false;
      break;
    }
    store<u32>(list + ((<usize>made) << 2), <u32>entry);
  }
  if (ready) {
    replaceMany(list, count);
    for (let index: u32 = 0; index < count; index++) {
      changed(EVENT_SET, 10, argument(argv, index << 1), argumentLength(argv, index << 1), !index);
    }
  } else {
    while (made) destroy(<usize>load<u32>(list + ((<usize>--made) << 2)));
  }
  free(list, count << 2);
  return ready;
}

/** `CUSTOM.DEL key [key …]` → how many were deleted. O(keys). */
export function commandDel(argc: i32, argv: usize): u64 {
  let count: i64 = 0;
  for (let index = 0; index < argc; index++) {
    if (deleteValue(argument(argv, index), argumentLength(argv, index), argc == 1, argc != 1)) count++;
  }
  redis.ReplyWithLongLong(count);
  return REPLIED;
}

/** `CUSTOM.EXISTS key [key …]` → how many are there; a key that is named twice counts twice. O(keys). */
export function commandExists(argc: i32, argv: usize): u64 {
  let count: i64 = 0;
  for (let index = 0; index < argc; index++) if (findEntry(argument(argv, index), argumentLength(argv, index))) count++;
  redis.ReplyWithLongLong(count);
  return REPLIED;
}

/** `CUSTOM.STRLEN key` → bytes of the value, 0 when absent. O(key). */
export function commandStrlen(argc: i32, argv: usize): u64 {
  const entry = findEntry(argument(argv, 0), argumentLength(argv, 0));
  redis.ReplyWithLongLong(entry ? valueLength(entry) : 0);
  return REPLIED;
}

/** `CUSTOM.GETDEL key` → the value, which is deleted, or null. O(key + value). */
export function commandGetdel(argc: i32, argv: usize): u64 {
  const key = argument(argv, 0);
  const length = argumentLength(argv, 0);
  releaseLeaving();
  if (!table.count) return NULL;
  const hash = table.hashOf(key, length);
  const slot = table.lookup(key, length, hash);
  if (!slot || isExpired(<usize>load<u32>(slot))) return NULL;
  beginChange();
  removeEntry(slot, hash, true);
  replicateDel(key, length);
  changed(EVENT_DEL, 10, key, length);
  endChange();
  replyLeaving();
  compactEntries(0);
  return REPLIED;
}

/** Replies the value of the entry that has left the table, and frees it. */
export function replyLeaving(): void {
  const entry = takeLeaving();
  redis.ReplyWithStringBuffer(valueOf(entry), valueLength(entry));
  releaseLeaving();
}

/**
 * `CUSTOM.INCRBY key n` → the new integer; an absent key counts as 0, the deadline stays. O(key).
 * Errors: `ERR value is not an integer or out of range`, `ERR increment or decrement would overflow`, `OOM …`, nothing changed.
 */
export function commandIncrby(argc: i32, argv: usize): u64 {
  const key = argument(argv, 0);
  const length = argumentLength(argv, 0);
  const by = integerOf(argument(argv, 1), argumentLength(argv, 1));
  if (!prepareTable()) failOutOfMemory();
  const hash = table.hashOf(key, length);
  const slot = table.lookup(key, length, hash);
  const entry = slot && !isExpired(<usize>load<u32>(slot)) ? <usize>load<u32>(slot) : 0;
  const before = entry ? integerOf(valueOf(entry), valueLength(entry)) : 0;
  if (by < 0 ? before < i64.MIN_VALUE - by : before > i64.MAX_VALUE - by) {
    line(changetype<usize>("ERR increment or decrement would overflow"));
    failLine();
  }
  const deadline = entry ? deadlineOf(entry) : 0;
  const size = writeInteger(before + by);
  beginChange();
  const outcome = storeUntil(slot, hash, key, length, digits, size, deadline);
  if (outcome != NO_MEMORY) {
    replicateSet(key, length, digits, size, deadline);
    changed(EVENT_SET, 10, key, length);
  }
  endChange();
  if (outcome == NO_MEMORY) failOutOfMemory();
  if (outcome == ALLOCATED) compactEntries(length + size);
  redis.ReplyWithLongLong(before + by);
  return REPLIED;
}

/** Writes an integer to `digits`; its length in bytes. */
function writeInteger(value: i64): u32 {
  if (value >= 0) return writeDecimal(value, digits);
  store<u8>(digits, 0x2d);
  return writeDecimal(0 - <u64>value, digits + 1) + 1;
}

/**
 * `CUSTOM.APPEND key value` → bytes of the value after it; the deadline stays. O(key + value).
 * Errors: `ERR string exceeds maximum allowed size (512 MiB)`, `OOM …`, nothing changed.
 */
export function commandAppend(argc: i32, argv: usize): u64 {
  const key = argument(argv, 0);
  const length = argumentLength(argv, 0);
  const suffix = argument(argv, 1);
  const size = argumentLength(argv, 1);
  if (!prepareTable()) failOutOfMemory();
  const hash = table.hashOf(key, length);
  const slot = table.lookup(key, length, hash);
  const live = slot && !isExpired(<usize>load<u32>(slot));
  const before = live ? valueLength(<usize>load<u32>(slot)) : 0;
  if (before + size > LENGTH_MAX) {
    line(changetype<usize>("ERR string exceeds maximum allowed size (512 MiB)"));
    failLine();
  }
  beginChange();
  const outcome = live ? appendValue(slot, before, suffix, size) : storeUntil(slot, hash, key, length, suffix, size, 0);
  if (outcome != NO_MEMORY) {
    if (live) replicateAppend(key, length, before, suffix, size);
    else replicateSet(key, length, suffix, size, 0);
    changed(EVENT_APPEND, 13, key, length);
  }
  endChange();
  if (outcome == NO_MEMORY) failOutOfMemory();
  if (outcome == ALLOCATED) compactEntries(length + before + size);
  redis.ReplyWithLongLong(before + size);
  return REPLIED;
}
