/** The commands that read and write values, but for SET with options (set.ts). */
import { deadlineOf, destroy, LENGTH_MAX } from "../../base/storage/entry";
import { alloc, free } from "../../base/storage/heap";
import { beginChange, endChange } from "../../base/change";
import { argument, argumentLength, isLate, lengthOf, NULL, OK, pointerOf, REPLIED } from "../../base/frame";
import { integerOf, sumOf } from "../../base/parse";
import { redis } from "../../base/redis";
import { changed } from "../../base/register";
import { replyArity, replyInteger } from "../../base/reply";
import { failLine, failOutOfMemory, line, writeInteger } from "../../base/text";
import { replicateAppend, replicateSet } from "../replication/effects";
import { Event } from "../replication/events";
import { compactEntries, createKept, findEntry, liveIn, prepareTable, releaseLeaving, table } from "../store/entries";
import { keep, textLength, textOf } from "../store/value";
import { appendValue, finishWrite, Outcome, replaceMany, storedAt, storeUntil } from "../store/writes";
import { deleteSlot, deleteValue, getValue, setValue } from "../actions/values";
import { replyLeaving } from "./leaving";
import { setWithOptions } from "./set";

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
    const text = entry ? textOf(entry) : NULL;
    if (entry) redis.ReplyWithStringBuffer(pointerOf(text), lengthOf(text));
    else redis.ReplyWithNull();
  }
  return REPLIED;
}

/**
 * `CUSTOM.MSET key value [key value …]` → `+OK`: all of them, or at `OOM …` none. The last of equal keys
 * wins. O(keys + values).
 */
export function commandMset(argc: i32, argv: usize): u64 {
  if (argc & 1) return replyArity();
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
    keep(argument(argv, at + 1), argumentLength(argv, at + 1));
    const entry = createKept(argument(argv, at), argumentLength(argv, at), false);
    if (!entry) {
      ready = false;
      break;
    }
    store<u32>(list + ((<usize>made) << 2), <u32>entry);
  }
  if (ready) {
    replaceMany(list, count);
    for (let index: u32 = 0; index < count; index++) {
      changed(Event.SET, argument(argv, index << 1), argumentLength(argv, index << 1), !index);
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
  return replyInteger(count);
}

/** `CUSTOM.EXISTS key [key …]` → how many are there; a key that is named twice counts twice. O(keys). */
export function commandExists(argc: i32, argv: usize): u64 {
  let count: i64 = 0;
  for (let index = 0; index < argc; index++) if (findEntry(argument(argv, index), argumentLength(argv, index))) count++;
  return replyInteger(count);
}

/** `CUSTOM.STRLEN key` → bytes of the value, 0 when absent. O(key). */
export function commandStrlen(argc: i32, argv: usize): u64 {
  const entry = findEntry(argument(argv, 0), argumentLength(argv, 0));
  return replyInteger(entry ? textLength(entry) : 0);
}

/** `CUSTOM.GETDEL key` → the value, which is deleted, or null. O(key + value). */
export function commandGetdel(argc: i32, argv: usize): u64 {
  const key = argument(argv, 0);
  const length = argumentLength(argv, 0);
  releaseLeaving();
  if (!table.count) return NULL;
  const hash = table.hashOf(key, length);
  const slot = table.lookup(key, length, hash);
  if (!liveIn(slot)) return NULL;
  deleteSlot(slot, hash, key, length, true);
  replyLeaving();
  compactEntries(0);
  return REPLIED;
}

/**
 * `CUSTOM.INCRBY key n` → the new integer; an absent key counts as 0, the deadline stays. O(key).
 * Errors: `ERR value is not an integer or out of range`, `ERR increment or decrement would overflow`, `OOM
 * …`, nothing changed.
 */
export function commandIncrby(argc: i32, argv: usize): u64 {
  const key = argument(argv, 0);
  const length = argumentLength(argv, 0);
  const by = integerOf(argument(argv, 1), argumentLength(argv, 1));
  if (!prepareTable()) failOutOfMemory();
  const hash = table.hashOf(key, length);
  const slot = table.lookup(key, length, hash);
  const entry = liveIn(slot);
  const text = entry ? textOf(entry) : NULL;
  const after = sumOf(entry ? integerOf(pointerOf(text), lengthOf(text)) : 0, by);
  const deadline = entry ? deadlineOf(entry) : 0;
  const size = writeInteger(after, digits);
  beginChange();
  const outcome = storeUntil(slot, hash, key, length, digits, size, deadline);
  if (outcome != Outcome.NO_MEMORY) replicateSet(key, length, digits, size, deadline);
  finishWrite(outcome, Event.SET, key, length, length + size);
  return replyInteger(after);
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
  const entry = liveIn(slot);
  const before = entry ? textLength(entry) : 0;
  if (before + size > LENGTH_MAX) {
    line(changetype<usize>("ERR string exceeds maximum allowed size (512 MiB)"));
    failLine();
  }
  beginChange();
  const outcome = entry ? appendValue(slot, before, suffix, size) : storeUntil(slot, hash, key, length, suffix, size, 0);
  if (outcome != Outcome.NO_MEMORY) {
    const stored = storedAt(suffix, size, key, length);
    if (entry) replicateAppend(key, length, before, isLate(suffix, size) ? stored + <usize>before : stored, size);
    else replicateSet(key, length, stored, size, 0);
  }
  finishWrite(outcome, Event.APPEND, key, length, length + before + size);
  return replyInteger(before + size);
}
