/**
 * The storage: byte strings to byte strings, each with or without a deadline.
 *
 * An entry whose deadline has passed is absent for whoever reads or writes it. It stays where it is until the
 * sweep reclaims it, or a write puts another in its place.
 */
import { moveEntry } from "../../base/storage/table/move";
import {
  create,
  createUntil,
  deadlineOf,
  destroy,
  hasRoom,
  keyLength,
  keyOf,
  nodeOf,
  overwrite,
  setDeadline,
  valueOf,
} from "../../base/storage/entry";
import { carryHeap, heapReset } from "../../base/storage/heap";
import { Table } from "../../base/storage/table/table";
import { Wheel, WHEEL_BYTES } from "../../base/storage/wheel";
import { carryBlock, forgetBlocks, reserveBlock } from "../../base/persistence";
import { beginChange, endChange } from "../../base/change";
import { entryMemory } from "../../base/check";
import { compact } from "../../base/compaction";
import { isExpired } from "../../base/deadline";
import { isLate } from "../../base/frame";
import { redis } from "../../base/redis";
import { forgetDrop } from "../../base/slot-drop";
import { releaseIndex } from "../../base/slot-index";
import { kept } from "./value";
import { carryArea, carryWord } from "../../base/storage/carry";

/** The one table; its struct is static. */
export const table: Table = changetype<Table>(memory.data(offsetof<Table>(), 16));
/** The nodes of all entries that have a deadline. */
export const wheel: Wheel = changetype<Wheel>(memory.data(WHEEL_BYTES, 16));
/**
 * Whether the table has its hash key, drawn before the first entry comes: loading the module must call
 * nothing.
 */
let keyed: bool = false;
const key: usize = memory.data(16, 8);
/**
 * A value that is out of the table and still to be replied, by a command that a time limit may end meanwhile;
 * 0: none.
 */
let leaving: usize = 0;

/**
 * Gets ready for entries: draws the hash key and takes the buffer of saving. False when there is no memory.
 */
export function prepareTable(): bool {
  if (!keyed) {
    redis.GetRandomBytes(key, 16);
    table.init(load<u64>(key), load<u64>(key, 8));
    wheel.init();
    keyed = true;
  }
  return reserveBlock();
}

/** Drops all entries at once. O(pages of the memory). */
export function dropAll(): void {
  beginChange();
  releaseIndex();
  if (keyed) {
    table.forget();
    wheel.init();
  }
  // With another key: data that comes back from a file in the order of this one would make the table split at
  // every step.
  keyed = false;
  heapReset();
  forgetBlocks();
  forgetDrop();
  leaving = 0;
  endChange();
}

// ── Looking up ─────────────────────────────────────────────────────────────────────────────────────────────

/** The entry of a slot, 0 where the slot is 0, or the entry has expired. O(1). */
// prettier-ignore
@inline
export function liveIn(slot: usize): usize {
  const entry = slot ? <usize>load<u32>(slot) : 0;
  return entry && !isExpired(entry) ? entry : 0;
}

/** The entry with this key, 0 when there is none or it has expired. O(key). */
export function findEntry(key: usize, length: u32): usize {
  const entry = table.find(key, length);
  return entry && !isExpired(entry) ? entry : 0;
}

// ── Deadlines ──────────────────────────────────────────────────────────────────────────────────────────────

/**
 * A new entry with the value that was kept last (value.ts), and room for a deadline where there is to be one;
 * 0 when there is no memory. As create; a late argument is copied once.
 */
export function createKept(key: usize, keyLength: u32, timed: bool): usize {
  const late = isLate(kept.bytes, kept.length);
  const value: usize = late ? 0 : kept.bytes;
  const entry = timed
    ? createUntil(key, keyLength, value, kept.length, 0, kept.kind)
    : create(key, keyLength, value, kept.length, kept.kind);
  if (entry && late) redis.ReadArgument(kept.bytes, kept.length, valueOf(entry));
  return entry;
}

/** As the entry's own overwrite, by the value that was kept last; it may be a late argument. */
export function overwriteKept(entry: usize): bool {
  if (!isLate(kept.bytes, kept.length)) return overwrite(entry, kept.bytes, kept.length, kept.kind);
  if (!overwrite(entry, 0, kept.length, kept.kind)) return false;
  redis.ReadArgument(kept.bytes, kept.length, valueOf(entry));
  return true;
}

/**
 * Sets the deadline, Unix ms and not 0, of an entry that has room for one. A later one than before moves no
 * node. O(1).
 */
export function schedule(entry: usize, deadline: i64): void {
  const before = deadlineOf(entry);
  setDeadline(entry, deadline);
  if (before && deadline >= before) return;
  if (before) wheel.remove(nodeOf(entry));
  wheel.insert(nodeOf(entry), deadline);
}

/** Takes the entry's deadline away, if it has one. O(1). */
export function unschedule(entry: usize): void {
  if (!deadlineOf(entry)) return;
  wheel.remove(nodeOf(entry));
  setDeadline(entry, 0);
}

/**
 * Sets the clock of an empty wheel, so that what comes next begins in its lowest level. Not inside a change.
 * O(1).
 */
export function startWheel(now: i64): void {
  if (!wheel.count) wheel.take(now);
}

// ── What leaves ────────────────────────────────────────────────────────────────────────────────────────────

/**
 * Frees an entry that is out of the table, and its deadline; `keep`: it stays readable until releaseLeaving.
 * O(1).
 */
export function drop(entry: usize, keep: bool = false): void {
  unschedule(entry);
  if (keep) leaving = entry;
  else destroy(entry);
}

/** The entry that drop kept; 0: none. */
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

/** Takes the slot's entry out and frees it, or keeps it as drop does. Inside a change. O(1). */
export function removeEntry(slot: usize, hash: u64, keep: bool = false): void {
  drop(table.remove(slot, hash), keep);
}

/** Takes an entry out, of this hash, that the wheel has given, and frees it. Inside a change. O(key). */
export function dropExpired(entry: usize, hash: u64): void {
  destroy(table.remove(table.lookup(keyOf(entry), keyLength(entry), hash), hash));
}

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

/** What another file takes over in the same memory (carry.ts). */
export function carryEntries(): void {
  carryHeap();
  carryBlock();
  carryArea(changetype<usize>(table), offsetof<Table>());
  carryArea(changetype<usize>(wheel), WHEEL_BYTES);
  carryArea(key, 16);
  keyed = carryWord<bool>(keyed);
  leaving = carryWord<usize>(leaving);
}
