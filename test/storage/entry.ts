/** The storage modules' functions as exports, for the tests alone. */
import { copy as bytesCopy, equal as bytesEqual } from "../../assembly/base/storage/bytes";
import { hash as sipHash } from "../../assembly/base/storage/hash";
import {
  kindOf as pageKind,
  freePageCount as pagesFree,
  idlePageCount as pagesIdle,
  ownedPageCount as pagesOwned,
  takeIdle,
} from "../../assembly/base/storage/pages";
import { compact, compactStep } from "../../assembly/base/storage/compact";
import { moveEntry } from "../../assembly/base/storage/table/move";
import { create, destroy, valueLength, valueOf } from "../../assembly/base/storage/entry";
import { checkTable } from "../../assembly/base/storage/table/check";
import { looks } from "../../assembly/base/storage/table/segments";
import { Table } from "../../assembly/base/storage/table/table";
import { probes, Wheel, WHEEL_BYTES } from "../../assembly/base/storage/wheel";

export * from "./entry-tree";
export { bytesCopy, bytesEqual, sipHash, pageKind, pagesFree, pagesIdle, pagesOwned, takeIdle };

export {
  alloc,
  allocMovable,
  free,
  usableSize,
  freeBytes,
  usedBytes,
  ownedBytes,
  slackBytes,
  heapReset,
  heapCheck,
  compactionDue,
} from "../../assembly/base/storage/heap";
export {
  create,
  createFixed,
  destroy,
  keyOf,
  keyLength,
  valueOf,
  valueLength,
  sizeOf,
  sizeFor,
  overwrite,
  createUntil,
  deadlineOf,
  setDeadline,
  hasRoom,
  nodeOf,
  entryOf,
  kindOf,
  hasKey,
} from "../../assembly/base/storage/entry";

export function tableSize(): u32 {
  return offsetof<Table>();
}
export function tableInit(table: Table, k0: u64, k1: u64): void {
  table.init(k0, k1);
}
export function tableForget(table: Table): void {
  table.forget();
}
export function tableHash(table: Table, key: usize, length: u32): u64 {
  return table.hashOf(key, length);
}
export function tableFind(table: Table, key: usize, length: u32): usize {
  return table.find(key, length);
}
export function tableLookup(table: Table, key: usize, length: u32, hash: u64): usize {
  return table.lookup(key, length, hash);
}
export function tableSlotOf(table: Table, entry: usize): usize {
  return table.slotOf(entry);
}
export function tableReserve(table: Table, hash: u64): bool {
  return table.reserve(hash);
}
export function tableReserveMany(table: Table, inserts: u32): bool {
  return table.reserveMany(inserts);
}
export function tableInsert(table: Table, hash: u64, entry: usize): void {
  table.insert(hash, entry);
}
export function tableReplace(table: Table, slot: usize, entry: usize): usize {
  return table.replace(slot, entry);
}
export function tableRemove(table: Table, slot: usize, hash: u64): usize {
  return table.remove(slot, hash);
}
export function tableClear(table: Table): void {
  table.clear();
}
export function tableSeek(table: Table, cursor: u64): void {
  table.seek(cursor);
}
export function tableNext(table: Table): usize {
  return table.next();
}
export function tableCursor(table: Table): u64 {
  return table.cursor;
}
export function tableEndWalk(table: Table): void {
  table.endWalk();
}
export function tableCheck(table: Table): usize {
  return checkTable(table);
}
export function tableCount(table: Table): u32 {
  return table.count;
}
export function tableDepth(table: Table): u32 {
  return table.depth;
}
export function tableSegments(table: Table): u32 {
  return table.segments;
}
export function tableStash(table: Table): u32 {
  return table.stashCount;
}
export function tableMemory(table: Table): u64 {
  return table.memoryUsed();
}

/** The table whose entries compaction moves now. */
let compacted: Table = changetype<Table>(0);

function relocate(block: usize): usize {
  return moveEntry(compacted, block);
}

export function tableCompactStep(table: Table, written: u32): void {
  compacted = table;
  compactStep(load<i32>(changetype<usize>(relocate)), written);
}
export function tableCompact(table: Table, bytes: u32): bool {
  compacted = table;
  return compact(load<i32>(changetype<usize>(relocate)), bytes);
}

export function wheelBytes(): u32 {
  return WHEEL_BYTES;
}
export function wheelInit(wheel: Wheel): void {
  wheel.init();
}
export function wheelInsert(wheel: Wheel, node: usize, deadline: i64): void {
  wheel.insert(node, deadline);
}
export function wheelRemove(wheel: Wheel, node: usize): void {
  wheel.remove(node);
}
export function wheelMoved(wheel: Wheel, from: usize, to: usize): void {
  wheel.moved(from, to);
}
export function wheelTake(wheel: Wheel, now: i64, last: bool): usize {
  return wheel.take(now, last);
}
export function wheelCount(wheel: Wheel): u32 {
  return wheel.count;
}
export function wheelCheck(wheel: Wheel): u32 {
  return wheel.check();
}
export function wheelProbes(): u32 {
  return probes;
}

// ── Many at once, as fast as a module would do it: for benchmarks and tests of large tables ────────────────

const keyBytes: usize = memory.data(16, 16);

/** The 16-byte key of a number. */
// prettier-ignore
@inline
function keyOfNumber(number: u32): void {
  store<u64>(keyBytes, (<u64>number * 0x9e3779b97f4a7c15) ^ 0x5851f42d4c957f2d);
  store<u64>(keyBytes, <u64>number | 0x7365737300000000, 8);
}

/** Whether a tenth of all numbers, chosen at random, has this one. */
export function isKept(number: u32): bool {
  return ((number * 0x9e3779b1) >> 8) % 10 == 0;
}

/**
 * Sets `count` keys from `first` on to values of `length` bytes whose first four are the number; returns how
 * many it could.
 */
export function manySet(table: Table, first: u32, count: u32, length: u32): u32 {
  for (let number = first; number < first + count; number++) {
    keyOfNumber(number);
    const hash = table.hashOf(keyBytes, 16);
    const slot = table.lookup(keyBytes, 16, hash);
    const entry = create(keyBytes, 16, 0, length, 0);
    if (!entry) return number - first;
    if (length >= 4) store<u32>(valueOf(entry), number);
    if (slot) destroy(table.replace(slot, entry));
    else if (table.reserve(hash)) table.insert(hash, entry);
    else return number - first;
    tableCompactStep(table, length);
  }
  return count;
}

/** How many of these keys are there, with a value that begins with the number. */
export function manyGet(table: Table, first: u32, count: u32): u32 {
  let found: u32 = 0;
  for (let number = first; number < first + count; number++) {
    keyOfNumber(number);
    const entry = table.find(keyBytes, 16);
    if (entry && (valueLength(entry) < 4 || load<u32>(valueOf(entry)) == number)) found++;
  }
  return found;
}

/** Deletes those of these keys that are not kept (all: `keep` false); returns how many. */
export function manyDelete(table: Table, first: u32, count: u32, keep: bool): u32 {
  let deleted: u32 = 0;
  for (let number = first; number < first + count; number++) {
    if (keep && isKept(number)) continue;
    keyOfNumber(number);
    const hash = table.hashOf(keyBytes, 16);
    const slot = table.lookup(keyBytes, 16, hash);
    if (!slot) continue;
    destroy(table.remove(slot, hash));
    tableCompactStep(table, 0);
    deleted++;
  }
  return deleted;
}

/** Walks the whole table; returns how many entries it met. */
export function manyWalk(table: Table): u32 {
  let met: u32 = 0;
  let cursor: u64 = 0;
  do {
    table.seek(cursor);
    while (table.next()) met++;
    cursor = table.cursor;
  } while (cursor);
  return met;
}

/** Hashes `count` 16-byte keys, one after another; returns the sum. */
export function manyHash(table: Table, count: u32): u64 {
  let sum: u64 = 0;
  for (let number: u32 = 0; number < count; number++) {
    keyOfNumber(number);
    sum += table.hashOf(keyBytes, 16);
  }
  return sum;
}

// ── Keys that collide, for who does not know the key of the hash ───────────────────────────────────────────

/**
 * Writes `count` keys of 16 bytes to `keys` whose hashes under the key 0 have none of the bits of `mask`; 0:
 * keys like any others. Returns how many numbers it tried.
 */
export function collidingKeys(keys: usize, count: u32, mask: u64): u32 {
  let number: u32 = 0;
  for (let found: u32 = 0; found < count; number++) {
    keyOfNumber(number);
    if (sipHash(0, 0, keyBytes, 16) & mask) continue;
    bytesCopy(keys + ((<usize>found) << 4), keyBytes, 16);
    found++;
  }
  return number;
}

/** Sets the `count` keys of 16 bytes at `keys`, each as a command does; returns how many it could. */
export function listSet(table: Table, keys: usize, count: u32): u32 {
  for (let index: u32 = 0; index < count; index++) {
    const key = keys + ((<usize>index) << 4);
    const hash = table.hashOf(key, 16);
    if (table.lookup(key, 16, hash)) continue;
    const entry = create(key, 16, 0, 0, 0);
    if (!entry || !table.reserve(hash)) return index;
    table.insert(hash, entry);
  }
  return count;
}

/** How many of the `count` keys at `keys` there are. */
export function listFind(table: Table, keys: usize, count: u32): u32 {
  let found: u32 = 0;
  for (let index: u32 = 0; index < count; index++) found += <u32>(table.find(keys + ((<usize>index) << 4), 16) != 0);
  return found;
}

/** What the look-ups so far have looked at: in a build that counts it. */
export function tableLooks(): u32 {
  return looks;
}

// ── One operation for each of `count` numbers, in steps that jump about: for the benchmark against other tab

/** A value of 32 bytes. */
const benchValue: usize = memory.data<u8>([
  118, 118, 118, 118, 118, 118, 118, 118, 118, 118, 118, 118, 118, 118, 118, 118, 118, 118, 118, 118, 118, 118, 118, 118, 118, 118, 118,
  118, 118, 118, 118, 118,
]);

/**
 * Stores the numbers below `count`, as CUSTOM.SET does; returns how many entries there are. `step` has no
 * common divisor with `count`.
 */
export function passInsert(table: Table, count: u32, step: u32): u32 {
  let number: u32 = 0;
  for (let rest = count; rest; rest--) {
    keyOfNumber(number);
    const hash = table.hashOf(keyBytes, 16);
    const slot = table.lookup(keyBytes, 16, hash);
    const entry = create(keyBytes, 16, benchValue, 32, 0);
    if (!entry) return 0;
    if (slot) destroy(table.replace(slot, entry));
    else if (table.reserve(hash)) table.insert(hash, entry);
    else return 0;
    tableCompactStep(table, 48);
    number += step;
    if (number >= count) number -= count;
  }
  return table.count;
}

/** How many of `count` numbers from `first` on are there. */
export function passFind(table: Table, first: u32, count: u32, step: u32): u32 {
  let found: u32 = 0;
  let number: u32 = 0;
  for (let rest = count; rest; rest--) {
    keyOfNumber(first + number);
    const entry = table.find(keyBytes, 16);
    if (entry && load<u8>(valueOf(entry)) == 118) found++;
    number += step;
    if (number >= count) number -= count;
  }
  return found;
}

/** Reads the first byte of each value; returns how many there are. */
export function passIterate(table: Table): u32 {
  let met: u32 = 0;
  let cursor: u64 = 0;
  do {
    table.seek(cursor);
    for (let entry = table.next(); entry; entry = table.next()) met += <u32>(load<u8>(valueOf(entry)) == 118);
    cursor = table.cursor;
  } while (cursor);
  return met;
}

/** Deletes the numbers below `count`, as CUSTOM.DEL does; returns how many were there. */
export function passDelete(table: Table, count: u32, step: u32): u32 {
  let deleted: u32 = 0;
  let number: u32 = 0;
  for (let rest = count; rest; rest--) {
    keyOfNumber(number);
    const hash = table.hashOf(keyBytes, 16);
    const slot = table.lookup(keyBytes, 16, hash);
    if (slot) {
      destroy(table.remove(slot, hash));
      tableCompactStep(table, 0);
      deleted++;
    }
    number += step;
    if (number >= count) number -= count;
  }
  return deleted;
}

/**
 * For runs outside of JavaScript: a table in page 1 with `count` entries, then `rounds` times hits (operation
 * 1), misses (2), hashes (3), replacements (4), or deletes and inserts (5); 0: none. The time of two numbers
 * of rounds tells that of one.
 */
export function bench(operation: u32, count: u32, rounds: u32): u32 {
  const table = changetype<Table>(<usize>65536);
  table.init(1, 2);
  let done = manySet(table, 0, count, 32);
  for (let round: u32 = 0; round < rounds; round++) {
    if (operation == 1) done += manyGet(table, 0, count);
    else if (operation == 2) done += manyGet(table, 1 << 30, count);
    else if (operation == 3) done += <u32>manyHash(table, count);
    else if (operation == 4) done += manySet(table, 0, count, 32);
    else if (operation == 5) done += manyDelete(table, 0, count, false) + manySet(table, 0, count, 32);
  }
  return done;
}
