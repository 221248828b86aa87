/** Storing and changing entries: each of these inside a change, which finishWrite ends. */
import { copy } from "../../base/storage/bytes";
import {
  create,
  createUntil,
  deadlineOf,
  destroy,
  hasRoom,
  keyLength as keyLengthOf,
  keyOf,
  overwrite,
  PLAIN,
  valueLength,
  valueOf,
} from "../../base/storage/entry";
import { beginChange, endChange } from "../../base/change";
import { isLate, pointerOf } from "../../base/frame";
import { redis } from "../../base/redis";
import { changed } from "../../base/register";
import { failOutOfMemory } from "../../base/text";
import { compactEntries, createKept, drop, overwriteKept, schedule, table, unschedule } from "./entries";
import { isPlain, keep, keepAs, kept, SHORTENED_MAX, textOf } from "./value";

/** How a write ended. */
export namespace Outcome {
  /** There was no memory, nothing has changed. */
  export const NO_MEMORY: u32 = 0;
  /** In a new block, or a block is free now. */
  export const MOVED: u32 = 1;
  /** In the block that was there. */
  export const IN_PLACE: u32 = 2;
  /** The old entry is still to be replied: nothing may move yet. */
  export const KEPT: u32 = 3;
}

/**
 * Ends a write: tells of it, if it was done, and ends the change. What is told is told before that: no time
 * limit strikes between them. O(1).
 * @param event what a write that was done is told as, by `key`
 * @param written bytes that it has stored
 * @param verbatim whether the running command is to be replicated as it came
 * Errors: `OOM …` where there was no memory.
 */
// prettier-ignore
@inline
export function finishWrite(outcome: u32, event: usize, key: usize, length: u32, written: u32, verbatim: bool = false): void {
  if (outcome != Outcome.NO_MEMORY) changed(event, key, length, verbatim);
  endChange();
  if (outcome == Outcome.NO_MEMORY) failOutOfMemory();
  if (outcome == Outcome.MOVED) compactEntries(written);
}

/** Puts a new entry, 0 for want of memory, into the table: NO_MEMORY, and it is destroyed, or MOVED. */
function insertEntry(hash: u64, entry: usize): u32 {
  if (!entry) return Outcome.NO_MEMORY;
  if (!table.reserve(hash)) {
    destroy(entry);
    return Outcome.NO_MEMORY;
  }
  table.insert(hash, entry);
  return Outcome.MOVED;
}

/**
 * As createKept, for the place of another entry: where it is smaller, it may be had beyond the limit of
 * memory.
 */
function createInstead(old: usize, key: usize, keyLength: u32, timed: bool): usize {
  const entry = createKept(key, keyLength, timed);
  if (entry || kept.length >= valueLength(old)) return entry;
  endChange();
  redis.MayExceed();
  beginChange();
  return createKept(key, keyLength, timed);
}

/**
 * Stores a value without a deadline. O(key + value).
 * @param slot of the entry with this key; 0: there is none
 * @returns NO_MEMORY, MOVED or IN_PLACE
 */
export function storeValue(slot: usize, hash: u64, key: usize, keyLength: u32, value: usize, length: u32): u32 {
  keep(value, length);
  if (!slot) return insertEntry(hash, createKept(key, keyLength, false));
  const old = <usize>load<u32>(slot);
  // Where the value fits in place, writing it is itself the commit; only then is it known that nothing can
  // fail any more.
  if (!hasRoom(old) && overwriteKept(old)) return Outcome.IN_PLACE;
  const entry = createInstead(old, key, keyLength, false);
  if (!entry) return Outcome.NO_MEMORY;
  drop(table.replace(slot, entry));
  return Outcome.MOVED;
}

/**
 * As storeValue, with a deadline, Unix ms, 0: none. Where the old entry must stay readable, `leaves`, it
 * is `takeLeaving`'s. O(key + value).
 * @returns NO_MEMORY, MOVED, IN_PLACE or KEPT
 */
export function storeUntil(
  slot: usize,
  hash: u64,
  key: usize,
  keyLength: u32,
  value: usize,
  length: u32,
  deadline: i64,
  leaves: bool = false,
): u32 {
  const timed = deadline != 0;
  const old = slot ? <usize>load<u32>(slot) : 0;
  keep(value, length);
  if (old && !leaves && hasRoom(old) == timed && overwriteKept(old)) {
    if (timed) schedule(old, deadline);
    return Outcome.IN_PLACE;
  }
  const entry = old ? createInstead(old, key, keyLength, timed) : createKept(key, keyLength, timed);
  if (!old) {
    if (insertEntry(hash, entry) == Outcome.NO_MEMORY) return Outcome.NO_MEMORY;
  } else {
    if (!entry) return Outcome.NO_MEMORY;
    drop(table.replace(slot, entry), leaves);
  }
  if (timed) schedule(entry, deadline);
  return leaves ? Outcome.KEPT : Outcome.MOVED;
}

/** Where the bytes of a value are that was just stored: a late one's lie in the entry alone. O(key). */
export function storedAt(value: usize, length: u32, key: usize, keyLength: u32): usize {
  return isLate(value, length) ? valueOf(table.find(key, keyLength)) : value;
}

/**
 * Gives an entry another deadline, Unix ms; 0: none. Its block changes where it has no room for one, or keeps
 * room for none. O(1), or O(entry).
 * @returns NO_MEMORY, not where the deadline is 0, or there was one; or MOVED
 */
export function changeDeadline(slot: usize, deadline: i64): u32 {
  const old = <usize>load<u32>(slot);
  const timed = deadline != 0;
  if (hasRoom(old) == timed) {
    if (timed) schedule(old, deadline);
    return Outcome.MOVED;
  }
  keepAs(old);
  const entry = createKept(keyOf(old), keyLengthOf(old), timed);
  if (entry) {
    drop(table.replace(slot, entry));
    if (timed) schedule(entry, deadline);
  } else if (timed) return Outcome.NO_MEMORY;
  else unschedule(old);
  return Outcome.MOVED;
}

/**
 * Puts a suffix after the first `before` bytes of the text of the slot's value, which has no fewer. The
 * deadline stays. O(value).
 * @returns NO_MEMORY, MOVED or IN_PLACE
 */
export function appendValue(slot: usize, before: u32, suffix: usize, length: u32): u32 {
  const old = <usize>load<u32>(slot);
  const after = before + length;
  const source = pointerOf(textOf(old));
  if (after <= SHORTENED_MAX) {
    // The whole of it may be a value that is not kept as it comes.
    copy(whole, source, before);
    copy(whole + <usize>before, suffix, length);
    return storeUntil(slot, 0, keyOf(old), keyLengthOf(old), whole, after, deadlineOf(old));
  }
  let entry = old;
  if (!isPlain(old) || !overwrite(old, 0, after, PLAIN)) {
    entry = createBlank(old, after);
    if (!entry) return Outcome.NO_MEMORY;
    copy(valueOf(entry), source, before);
  }
  const end = valueOf(entry) + <usize>before;
  if (isLate(suffix, length)) redis.ReadArgument(suffix, length, end);
  else copy(end, suffix, length);
  if (entry == old) return Outcome.IN_PLACE;
  const deadline = deadlineOf(old);
  drop(table.replace(slot, entry));
  if (deadline) schedule(entry, deadline);
  return Outcome.MOVED;
}

/** A text that appendValue has put together. */
const whole: usize = memory.data(36, 4);

/** An entry like another, for a text of this length that is still to be written. */
function createBlank(like: usize, length: u32): usize {
  if (hasRoom(like)) return createUntil(keyOf(like), keyLengthOf(like), 0, length, 0, PLAIN);
  return create(keyOf(like), keyLengthOf(like), 0, length, PLAIN);
}

/**
 * Puts `count` new entries, addresses at `list`, into the table, each in the place of one with its key; after
 * reserveMany. Cannot fail. O(keys).
 */
export function replaceMany(list: usize, count: u32): void {
  for (let at: u32 = 0; at < count; at++) {
    const entry = <usize>load<u32>(list + ((<usize>at) << 2));
    const hash = table.hashOf(keyOf(entry), keyLengthOf(entry));
    const slot = table.lookup(keyOf(entry), keyLengthOf(entry), hash);
    if (slot) {
      drop(table.replace(slot, entry));
    } else {
      // Where this finds no room, reserveMany has kept a place.
      table.reserve(hash);
      table.insert(hash, entry);
    }
  }
}
