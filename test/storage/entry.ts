/** The storage modules' functions as exports, for the tests alone. */
import { copy as bytesCopy, equal as bytesEqual } from "../../assembly/storage/bytes";
import { hash as sipHash } from "../../assembly/storage/hash";
import { kindOf as pageKind, freePageCount as pagesFree, ownedPageCount as pagesOwned } from "../../assembly/storage/pages";
import { compact, compactStep } from "../../assembly/storage/compact";
import { Table } from "../../assembly/storage/table";

export { bytesCopy, bytesEqual, sipHash, pageKind, pagesFree, pagesOwned };

export { alloc, allocMovable, free, usableSize, freeBytes, usedBytes, ownedBytes, slackBytes, heapReset, heapCheck, compactionDue } from "../../assembly/storage/heap";
export { create, createFixed, destroy, keyOf, keyLength, valueOf, valueLength, sizeOf, sizeFor, overwrite } from "../../assembly/storage/entry";

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
export function tableCheck(table: Table): u32 {
  return table.check();
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
export function tableCompactStep(table: Table, written: u32): void {
  compactStep(table, written);
}
export function tableCompact(table: Table, bytes: u32): bool {
  return compact(table, bytes);
}
