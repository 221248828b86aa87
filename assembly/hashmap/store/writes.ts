/** Storing and changing entries: each of these inside a change, which finishWrite ends. */
import { copy } from "../../base/storage/bytes";
import { deadlineOf, destroy, hasRoom, keyLength as keyLengthOf, keyOf, overwrite, valueLength, valueOf } from "../../base/storage/entry";
import { beginChange, endChange } from "../../base/change";
import { isLate } from "../../base/frame";
import { redis } from "../../base/redis";
import { changed } from "../../base/register";
import { failOutOfMemory } from "../../base/text";
import { compactEntries, createFor, drop, overwriteWith, schedule, table, unschedule } from "./entries";

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
 * As create, for the place of another entry: where it is smaller, it may be had beyond the limit of memory.
 */
function createInstead(old: usize, key: usize, keyLength: u32, value: usize, length: u32, timed: bool): usize {
  const entry = createFor(key, keyLength, value, length, timed);
  if (entry || length >= valueLength(old)) return entry;
  endChange();
  redis.MayExceed();
  beginChange();
  return createFor(key, keyLength, value, length, timed);
}

/**
 * Stores a value without a deadline. O(key + value).
 * @param slot of the entry with this key; 0: there is none
 * @returns NO_MEMORY, MOVED or IN_PLACE
 */
export function storeValue(slot: usize, hash: u64, key: usize, keyLength: u32, value: usize, length: u32): u32 {
  if (!slot) return insertEntry(hash, createFor(key, keyLength, value, length, false));
  const old = <usize>load<u32>(slot);
  // Where the value fits in place, writing it is itself the commit; only then is it known that nothing can
  // fail any more.
  if (!hasRoom(old) && overwriteWith(old, value, length)) return Outcome.IN_PLACE;
  const entry = createInstead(old, key, keyLength, value, length, false);
  if (!entry) return Outcome.NO_MEMORY;
  drop(table.replace(slot, entry));
  return Outcome.MOVED;
}

/**
 * As storeValue, with a deadline, Unix ms, 0: none. Where the old entry must stay readable, `keep`, it is
 * `takeLeaving`'s. O(key + value).
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
  keep: bool = false,
): u32 {
  const timed = deadline != 0;
  const old = slot ? <usize>load<u32>(slot) : 0;
  if (old && !keep && hasRoom(old) == timed && overwriteWith(old, value, length)) {
    if (timed) schedule(old, deadline);
    return Outcome.IN_PLACE;
  }
  const entry = old ? createInstead(old, key, keyLength, value, length, timed) : createFor(key, keyLength, value, length, timed);
  if (!old) {
    if (insertEntry(hash, entry) == Outcome.NO_MEMORY) return Outcome.NO_MEMORY;
  } else {
    if (!entry) return Outcome.NO_MEMORY;
    drop(table.replace(slot, entry), keep);
  }
  if (timed) schedule(entry, deadline);
  return keep ? Outcome.KEPT : Outcome.MOVED;
}

/** Where the bytes of a value are that was just stored: a late one's lie in the entry alone. O(key). */
export function storedAt(value: usize, key: usize, keyLength: u32): usize {
  return isLate(value) ? valueOf(table.find(key, keyLength)) : value;
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
  const entry = createFor(keyOf(old), keyLengthOf(old), valueOf(old), valueLength(old), timed);
  if (entry) {
    drop(table.replace(slot, entry));
    if (timed) schedule(entry, deadline);
  } else if (timed) return Outcome.NO_MEMORY;
  else unschedule(old);
  return Outcome.MOVED;
}

/**
 * Puts a suffix after the first `before` bytes of the slot's value, which has no fewer. The deadline stays.
 * O(value).
 * @returns NO_MEMORY, MOVED or IN_PLACE
 */
export function appendValue(slot: usize, before: u32, suffix: usize, length: u32): u32 {
  const old = <usize>load<u32>(slot);
  let entry = old;
  if (!overwrite(old, 0, before + length)) {
    entry = createFor(keyOf(old), keyLengthOf(old), 0, before + length, hasRoom(old));
    if (!entry) return Outcome.NO_MEMORY;
    copy(valueOf(entry), valueOf(old), before);
  }
  const end = valueOf(entry) + <usize>before;
  if (isLate(suffix)) redis.ReadArgument(suffix, length, end);
  else copy(end, suffix, length);
  if (entry == old) return Outcome.IN_PLACE;
  const deadline = deadlineOf(old);
  drop(table.replace(slot, entry));
  if (deadline) schedule(entry, deadline);
  return Outcome.MOVED;
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
