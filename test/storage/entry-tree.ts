/** The tree's functions as exports, for the tests alone: a part of entry.ts. */
import { compact } from "../../assembly/base/storage/compact";
import { create, destroy } from "../../assembly/base/storage/entry";
import { checkTree } from "../../assembly/base/storage/tree/check";
import { Cursor } from "../../assembly/base/storage/tree/cursor";
import { moveEntry } from "../../assembly/base/storage/tree/move";
import { Tree } from "../../assembly/base/storage/tree/tree";

export function treeBytes(): u32 {
  return offsetof<Tree>();
}
export function treeInit(tree: Tree): void {
  tree.init();
}
export function treeForget(tree: Tree): void {
  tree.forget();
}
export function treeCount(tree: Tree): u32 {
  return tree.count;
}
export function treeHeight(tree: Tree): u32 {
  return tree.height;
}
export function treeFind(tree: Tree, key: usize, length: u32): usize {
  return tree.find(key, length);
}
export function treeInsert(tree: Tree, entry: usize): bool {
  return tree.insert(entry);
}
export function treeReplace(tree: Tree, old: usize, entry: usize): bool {
  return tree.replace(old, entry);
}
export function treeRemove(tree: Tree, key: usize, length: u32): usize {
  return tree.remove(key, length);
}
export function treeRank(tree: Tree, key: usize, length: u32): u32 {
  return tree.rank(key, length);
}
export function treeAt(tree: Tree, index: u32): usize {
  return tree.at(index);
}
export function treeMoved(tree: Tree, from: usize, to: usize): bool {
  return tree.moved(from, to);
}
export function treeRelease(tree: Tree): void {
  tree.release();
}
export function treeCheck(tree: Tree): usize {
  return checkTree(tree);
}

export function cursorSeek(cursor: Cursor, tree: Tree, key: usize, length: u32): void {
  cursor.seek(tree, key, length);
}
export function cursorSeekAfter(cursor: Cursor, tree: Tree, key: usize, length: u32): void {
  cursor.seekAfter(tree, key, length);
}
export function cursorSeekPast(cursor: Cursor, tree: Tree, prefix: usize, length: u32): void {
  cursor.seekPast(tree, prefix, length);
}
export function cursorSeekAt(cursor: Cursor, tree: Tree, index: u32): void {
  cursor.seekAt(tree, index);
}
export function cursorSeekFirst(cursor: Cursor, tree: Tree): void {
  cursor.seekFirst(tree);
}
export function cursorSeekLast(cursor: Cursor, tree: Tree): void {
  cursor.seekLast(tree);
}
export function cursorNext(cursor: Cursor): usize {
  return cursor.next();
}
export function cursorPrevious(cursor: Cursor): usize {
  return cursor.previous();
}

/** The tree whose entries compaction moves now. */
let compacted: Tree = changetype<Tree>(0);

function relocate(block: usize): usize {
  return moveEntry(compacted, block);
}

export function treeCompact(tree: Tree, bytes: u32): bool {
  compacted = tree;
  return compact(load<i32>(changetype<usize>(relocate)), bytes);
}

// ── Many at once, as fast as a module would do it: for large trees and benchmarks ──────────────────────────

/** A byte for the table, one for the length of the owner's key, that, and a number: 25 bytes. */
const KEY_BYTES: u32 = 25;
const keyBytes: usize = memory.data<u8>([
  1, 12, 117, 115, 101, 114, 58, 48, 48, 48, 48, 48, 48, 48, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
]);

/**
 * The key of a number: one of ten for each owner, whose name has the other digits. `shuffle` 0: in the order
 * of the numbers.
 */
function keyOfNumber(number: u32, shuffle: u32): void {
  let rest = shuffle ? <u32>((<u64>number * 7654321) % 10000019) : number;
  store<u64>(keyBytes + 14, bswap<u64>(<u64>(rest % 10)));
  rest /= 10;
  for (let at = keyBytes + 13; at >= keyBytes + 7; at--) {
    store<u8>(at, <u8>(48 + (rest % 10)));
    rest /= 10;
  }
}

/** Inserts `count` keys from number `first` on, with values of 16 bytes; returns how many it could. */
export function manyInsert(tree: Tree, first: u32, count: u32, shuffle: u32): u32 {
  for (let number = first; number < first + count; number++) {
    keyOfNumber(number, shuffle);
    const entry = create(keyBytes, KEY_BYTES, keyBytes, 16, 0);
    if (!entry || !tree.insert(entry)) return number - first;
  }
  return count;
}

/** How many of these keys are there. */
export function manyFind(tree: Tree, first: u32, count: u32, shuffle: u32): u32 {
  let found: u32 = 0;
  for (let number = first; number < first + count; number++) {
    keyOfNumber(number, shuffle);
    found += <u32>(tree.find(keyBytes, KEY_BYTES) != 0);
  }
  return found;
}

/** Removes these keys; returns how many were there. */
export function manyRemove(tree: Tree, first: u32, count: u32, shuffle: u32): u32 {
  let removed: u32 = 0;
  for (let number = first; number < first + count; number++) {
    keyOfNumber(number, shuffle);
    const entry = tree.remove(keyBytes, KEY_BYTES);
    if (!entry) continue;
    destroy(entry);
    removed++;
  }
  return removed;
}

/** The sum of the ranks of these keys. */
export function manyRank(tree: Tree, first: u32, count: u32, shuffle: u32): u32 {
  let sum: u32 = 0;
  for (let number = first; number < first + count; number++) {
    keyOfNumber(number, shuffle);
    sum += tree.rank(keyBytes, KEY_BYTES);
  }
  return sum;
}

const scanning: usize = memory.data(16, 8);

/** Walks over `length` entries from each of these keys on; returns how many it met. */
export function manyScan(tree: Tree, first: u32, count: u32, shuffle: u32, length: u32): u32 {
  const cursor = changetype<Cursor>(scanning);
  let met: u32 = 0;
  for (let number = first; number < first + count; number++) {
    keyOfNumber(number, shuffle);
    cursor.seek(tree, keyBytes, KEY_BYTES);
    for (let rest = length; rest && cursor.next(); rest--) met++;
  }
  return met;
}

/** Seeks each key by whole keys, as if nodes held nothing of them. */
function manyCompare(tree: Tree, count: u32): u32 {
  const cursor = changetype<Cursor>(scanning);
  let met: u32 = 0;
  for (let number: u32 = 0; number < count; number++) {
    keyOfNumber(number, 1);
    cursor.seekAfter(tree, keyBytes, KEY_BYTES);
    met += <u32>(cursor.previous() != 0);
  }
  return met;
}

/** Creates and destroys an entry for each number; returns how many. */
function manyEntries(count: u32): u32 {
  for (let number: u32 = 0; number < count; number++) {
    keyOfNumber(number, 1);
    destroy(create(keyBytes, KEY_BYTES, keyBytes, 16, 0));
  }
  return count;
}

/**
 * For runs outside of JavaScript: a tree in page 1 with `count` entries, then `rounds` times finds (operation
 * 1), scans of 100 (2), ranks (3), absent keys (4), removes and inserts (5), numbers to entries (6), keys
 * alone (7), seeks (8), seeks that compare whole keys (9), entries alone (10); 0: none.
 */
export function benchTree(operation: u32, count: u32, rounds: u32): u32 {
  const tree = changetype<Tree>(<usize>65536);
  tree.init();
  let done = manyInsert(tree, 0, count, operation < 100 ? 1 : 0);
  for (let round: u32 = 0; round < rounds; round++) {
    if (operation == 1) done += manyFind(tree, 0, count, 1);
    else if (operation == 2) done += manyScan(tree, 0, count, 1, 100);
    else if (operation == 3) done += manyRank(tree, 0, count, 1);
    else if (operation == 4) done += manyFind(tree, 1000000, count, 1);
    else if (operation == 5) done += manyRemove(tree, 0, count, 1) + manyInsert(tree, 0, count, 1);
    else if (operation == 6) for (let index: u32 = 0; index < count; index++) done += <u32>tree.at((index * 7919) % count);
    else if (operation == 7) for (let index: u32 = 0; index < count; index++) keyOfNumber(index, 1);
    else if (operation == 8) done += manyScan(tree, 0, count, 1, 0);
    else if (operation == 9) done += manyCompare(tree, count);
    else if (operation == 10) done += manyEntries(count);
  }
  return done;
}
