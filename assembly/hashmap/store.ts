/**
 * The storage: byte strings to byte strings, each with or without a deadline. What the commands and the link functions share, each in the order
 * allocate → commit → replicate, signal. What is told of a write is told before its change ends: no time limit strikes between them.
 *
 * An entry whose deadline has passed is absent for whoever reads or writes it. It stays where it is until `sweep` (deadlines.ts) reclaims it, or a
 * write puts another in its place.
 */
import { copy } from "../base/storage/bytes";
import { compact } from "../base/compaction";
import { moveEntry } from "../base/storage/compact";
import {
  create,
  createUntil,
  deadlineOf,
  destroy,
  hasRoom,
  keyLength as keyLengthOf,
  keyOf,
  nodeOf,
  overwrite,
  setDeadline,
  valueLength,
  valueOf,
} from "../base/storage/entry";
import { heapReset } from "../base/storage/heap";
import { Table } from "../base/storage/table";
import { Wheel, WHEEL_BYTES } from "../base/storage/wheel";
import { forgetBlocks, reserveBlock } from "../base/persistence/blocks";
import { beginChange, endChange } from "../base/change";
import { entryMemory } from "../base/check";
import { pack } from "../base/frame";
import { ContextFlags, redis } from "../base/redis";
import { replicateDel } from "./replication/effects";
import { EVENT_DEL, EVENT_SET } from "./replication/events";
import { changed } from "../base/register";
import { failOutOfMemory } from "../base/text";

/** The one table; its struct is static. */
export const table: Table = changetype<Table>(memory.data(offsetof<Table>(), 16));
/** The nodes of all entries that have a deadline. */
export const wheel: Wheel = changetype<Wheel>(memory.data(WHEEL_BYTES, 16));
/** Whether the table has its hash key, drawn before the first entry comes: loading the module must call nothing. */
let keyed: bool = false;
const key: usize = memory.data(16, 8);
/** A value that is out of the table and still to be replied, by a command that a time limit may end meanwhile; 0: none. */
let leaving: usize = 0;

/** Gets ready for entries: draws the hash key and takes the buffer of saving. False when there is no memory. */
export function prepareTable(): bool {
  if (!keyed) {
    redis.GetRandomBytes(key, 16);
    table.init(load<u64>(key), load<u64>(key, 8));
    wheel.init();
    keyed = true;
  }
  beginChange();
  const ready = reserveBlock();
  endChange();
  return ready;
}

/** Whether the entry's deadline has passed for the running command: not for one that repeats what was decided elsewhere. O(1). */
// prettier-ignore
@inline
export function isExpired(entry: usize): bool {
  return hasRoom(entry) && hasPassed(deadlineOf(entry));
}

function hasPassed(deadline: i64): bool {
  return deadline != 0 && deadline <= redis.Milliseconds() && !repeatsDecisions();
}

/** Whether the running command comes from the primary or a file, which say themselves what has expired. */
function repeatsDecisions(): bool {
  return (redis.GetContextFlags() & (ContextFlags.REPLICATED | ContextFlags.LOADING)) != 0;
}

/** The entry with this key, 0 when there is none or it has expired. O(key). */
export function findEntry(keyPointer: usize, keyLength: u32): usize {
  const entry = table.find(keyPointer, keyLength);
  return entry && !isExpired(entry) ? entry : 0;
}

/** The value (`length << 32 | pointer`, valid until the next write), 0 when the key is absent. O(key). */
export function getValue(keyPointer: usize, keyLength: u32): u64 {
  const entry = findEntry(keyPointer, keyLength);
  return entry ? pack(valueOf(entry), valueLength(entry)) : 0;
}

/**
 * Stores the value under the key, without a deadline. O(key + value).
 * Errors: `OOM …`, nothing changed.
 * @param verbatim whether the running command is to be replicated as it came
 */
export function setValue(keyPointer: usize, keyLength: u32, value: usize, length: u32, verbatim: bool): void {
  if (!prepareTable()) failOutOfMemory();
  const hash = table.hashOf(keyPointer, keyLength);
  beginChange();
  const slot = table.lookup(keyPointer, keyLength, hash);
  const outcome = slot ? replaceValue(slot, keyPointer, keyLength, value, length) : insertValue(hash, keyPointer, keyLength, value, length);
  if (outcome != NO_MEMORY) changed(EVENT_SET, 10, keyPointer, keyLength, verbatim);
  endChange();
  if (outcome == NO_MEMORY) failOutOfMemory();
  if (outcome == ALLOCATED) compactEntries(keyLength + length);
}

/** How storing a value ended: with nothing changed; in a new entry; in the old one. */
export const NO_MEMORY: u32 = 0;
export const ALLOCATED: u32 = 1;
export const IN_PLACE: u32 = 2;

/** NO_MEMORY or ALLOCATED. */
function insertValue(hash: u64, keyPointer: usize, keyLength: u32, value: usize, length: u32): u32 {
  return insertEntry(hash, create(keyPointer, keyLength, value, length));
}

/** Puts a new entry, 0 for want of memory, into the table: NO_MEMORY, and it is destroyed, or ALLOCATED. */
function insertEntry(hash: u64, entry: usize): u32 {
  if (!entry) return NO_MEMORY;
  if (!table.reserve(hash)) {
    destroy(entry);
    return NO_MEMORY;
  }
  table.insert(hash, entry);
  return ALLOCATED;
}

/** Whether a value of this length in the place of the entry's frees memory: then it may be had, beyond the limit. Within a change, which it interrupts. */
function makesRoom(entry: usize, length: u32): bool {
  if (length >= valueLength(entry)) return false;
  endChange();
  redis.MayExceed();
  beginChange();
  return true;
}

/** NO_MEMORY, ALLOCATED or IN_PLACE. */
function replaceValue(slot: usize, keyPointer: usize, keyLength: u32, value: usize, length: u32): u32 {
  const old = <usize>load<u32>(slot);
  let outcome = IN_PLACE;
  // Where the value fits in place, writing it is itself the commit; only then is it known that nothing can fail any more.
  if (hasRoom(old) || !overwrite(old, value, length)) {
    let entry = create(keyPointer, keyLength, value, length);
    if (!entry && makesRoom(old, length)) entry = create(keyPointer, keyLength, value, length);
    if (!entry) return NO_MEMORY;
    drop(table.replace(slot, entry));
    outcome = ALLOCATED;
  }
  return outcome;
}

/** Frees an entry that is out of the table; its deadline with it. O(1). */
function drop(entry: usize): void {
  unschedule(entry);
  destroy(entry);
}

// ── Values with a deadline: each of these inside a change ───────────────────────────────────────────────────────────

/**
 * Stores a value with a deadline, Unix ms, 0: none; `value` 0 leaves its bytes to be written by the caller, in the slot's entry. Where the old
 * entry must stay readable, `keep`, it is `takeLeaving`'s. O(key + value).
 * @param slot of the entry with this key; 0: there is none
 * @returns NO_MEMORY, nothing changed; ALLOCATED or IN_PLACE
 */
export function storeUntil(
  slot: usize,
  hash: u64,
  keyPointer: usize,
  keyLength: u32,
  value: usize,
  length: u32,
  deadline: i64,
  keep: bool = false,
): u32 {
  const old = slot ? <usize>load<u32>(slot) : 0;
  if (old && !keep && hasRoom(old) == (deadline != 0) && overwrite(old, value, length)) {
    if (deadline) schedule(old, deadline);
    return IN_PLACE;
  }
  let entry = createFor(keyPointer, keyLength, value, length, deadline);
  if (!entry && old && makesRoom(old, length)) entry = createFor(keyPointer, keyLength, value, length, deadline);
  if (!old) {
    if (insertEntry(hash, entry) == NO_MEMORY) return NO_MEMORY;
  } else {
    if (!entry) return NO_MEMORY;
    table.replace(slot, entry);
    if (keep) leave(old);
    else drop(old);
  }
  if (deadline) schedule(entry, deadline);
  return ALLOCATED;
}

/** A new entry, with room for a deadline where there is one; 0 when there is no memory. */
function createFor(key: usize, keyLength: u32, value: usize, length: u32, deadline: i64): usize {
  return deadline ? createUntil(key, keyLength, value, length, 0) : create(key, keyLength, value, length);
}

/**
 * Gives an entry another deadline, Unix ms; 0: none. Its block changes where it has no room for one, or keeps room for none. O(1), or O(entry).
 * @returns false, nothing changed: there is no memory. Not where the deadline is 0, or there was one
 */
export function changeDeadline(slot: usize, deadline: i64): bool {
  const old = <usize>load<u32>(slot);
  if (hasRoom(old) == (deadline != 0)) {
    if (deadline) schedule(old, deadline);
    return true;
  }
  const length = valueLength(old);
  const entry = deadline
    ? createUntil(keyOf(old), keyLengthOf(old), valueOf(old), length, 0)
    : create(keyOf(old), keyLengthOf(old), valueOf(old), length);
  if (entry) {
    drop(table.replace(slot, entry));
    if (deadline) schedule(entry, deadline);
  } else if (!deadline) unschedule(old);
  return entry != 0 || !deadline;
}

/**
 * Puts a suffix after the first `before` bytes of the slot's value, which has no fewer. The deadline stays. O(value).
 * @returns NO_MEMORY, nothing changed; ALLOCATED or IN_PLACE
 */
export function appendValue(slot: usize, before: u32, suffix: usize, length: u32): u32 {
  const old = <usize>load<u32>(slot);
  let entry = old;
  if (!overwrite(old, 0, before + length)) {
    entry = hasRoom(old)
      ? createUntil(keyOf(old), keyLengthOf(old), 0, before + length, 0)
      : create(keyOf(old), keyLengthOf(old), 0, before + length);
    if (!entry) return NO_MEMORY;
    copy(valueOf(entry), valueOf(old), before);
  }
  copy(valueOf(entry) + <usize>before, suffix, length);
  if (entry == old) return IN_PLACE;
  const deadline = deadlineOf(old);
  drop(table.replace(slot, entry));
  if (deadline) schedule(entry, deadline);
  return ALLOCATED;
}

/** Sets the deadline, not 0, of an entry that has room for one. A later one than before moves no node. O(1). */
export function schedule(entry: usize, deadline: i64): void {
  const before = deadlineOf(entry);
  setDeadline(entry, deadline);
  if (before && deadline >= before) return;
  if (before) wheel.remove(nodeOf(entry));
  wheel.insert(nodeOf(entry), deadline);
}

/** Takes the entry's deadline away, if it has one. O(1). */
function unschedule(entry: usize): void {
  if (!deadlineOf(entry)) return;
  wheel.remove(nodeOf(entry));
  setDeadline(entry, 0);
}

/** Sets the clock of an empty wheel, so that what comes next begins in its lowest level. Not inside a change. O(1). */
export function startWheel(now: i64): void {
  if (!wheel.count) wheel.take(now);
}

/** An entry that is out of the table stays readable until releaseLeaving. */
function leave(entry: usize): void {
  unschedule(entry);
  leaving = entry;
}

/** The entry that storeUntil or removeEntry kept; 0: none. */
export function takeLeaving(): usize {
  return leaving;
}

/** Bytes of the heap that such an entry takes. */
export function leavingBytes(): u64 {
  return leaving ? entryMemory(leaving) : 0;
}

/** Frees what has been replied. Every write that may leave something begins with it, and ends with it. */
export function releaseLeaving(): void {
  if (!leaving) return;
  beginChange();
  destroy(leaving);
  leaving = 0;
  endChange();
}

/** Takes the slot's entry out and frees it, or keeps it as storeUntil does. Inside a change. O(1). */
export function removeEntry(slot: usize, hash: u64, keep: bool = false): void {
  const entry = table.remove(slot, hash);
  if (keep) leave(entry);
  else drop(entry);
}

/** Takes an entry out that the wheel has given, and frees it. Inside a change. O(key). */
export function dropExpired(entry: usize): void {
  const hash = table.hashOf(keyOf(entry), keyLengthOf(entry));
  destroy(table.remove(table.lookup(keyOf(entry), keyLengthOf(entry), hash), hash));
}

/**
 * Puts `count` new entries, addresses at `list`, into the table, each in the place of one with its key; after reserveMany. Cannot fail. Inside a
 * change. O(keys).
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

// ── Compaction, deleting ────────────────────────────────────────────────────────────────────────────────────────────

/** Ends every write that stored `written` bytes: see compact. O(1). */
export function compactEntries(written: u32): bool {
  return compact(load<i32>(changetype<usize>(relocate)), written);
}

/** Compaction moves an entry. */
function relocate(block: usize): usize {
  const entry = moveEntry(table, block);
  if (entry && deadlineOf(entry)) wheel.moved(nodeOf(block), nodeOf(entry));
  return entry;
}

/**
 * Deletes the key; false when it was absent. Needs no memory. O(key).
 * @param verbatim whether the running command is to be replicated as it came
 * @param effect whether the deletion of this key alone is to be replicated
 */
export function deleteValue(keyPointer: usize, keyLength: u32, verbatim: bool, effect: bool = false): bool {
  if (!table.count) return false;
  const hash = table.hashOf(keyPointer, keyLength);
  const slot = table.lookup(keyPointer, keyLength, hash);
  if (!slot || isExpired(<usize>load<u32>(slot))) return false;
  beginChange();
  removeEntry(slot, hash);
  if (effect) replicateDel(keyPointer, keyLength);
  changed(EVENT_DEL, 10, keyPointer, keyLength, verbatim);
  endChange();
  compactEntries(0);
  return true;
}

/** Drops all entries at once. O(pages of the memory). */
export function dropAll(): void {
  beginChange();
  if (keyed) {
    table.forget();
    wheel.init();
  }
  // With another key: data that comes back from a file in the order of this one would make the table split at every step.
  keyed = false;
  heapReset();
  forgetBlocks();
  leaving = 0;
  endChange();
}
