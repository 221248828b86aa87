/**
 * hashmap.wasm: the storage CUSTOM.*, for clients as commands and for other modules as exported functions.
 * docs/ABI.md tells the conventions. This file is the list of exports, nothing else.
 */
import { forgetIndex, indexBytes } from "./base/slot-index";
import { infoField, dataType, servedBy } from "./base/register";
import { beginJoin, beginLeave, endJoin, endLeave } from "./base/storage/carry";
import { freeBytes as heapFreeBytes, usedBytes } from "./base/storage/heap";
import { registerCommands } from "./hashmap/commands";
import { loadEntries, saveEntries, tellEntries, VERSION } from "./hashmap/persistence";
import { carryEntries, dropAll, findEntry, table } from "./hashmap/store/entries";
import { countEntries, dropEntries, exportEntries } from "./hashmap/slots";
import { carrySweep, expired, sweepStep } from "./hashmap/sweep";
import { expireIn, msLeft } from "./hashmap/handlers/deadlines";
import { deleteValue, getValue, setValue } from "./hashmap/actions/values";

export { committing } from "./base/change";

/** Version of the conventions between directly linked modules. */
export const abi: u32 = 1;

/** Declares the data type and the commands; 0, or how many of them the server refused. */
export function onLoad(): i32 {
  servedBy(changetype<usize>("CUSTOM"), changetype<usize>("hashmap.wasm"));
  return dataType(changetype<usize>("wasm-hmap"), VERSION) + registerCommands();
}

/** Drops all data at once. O(pages of the memory). */
export function flush(): void {
  dropAll();
}

/** Writes the RDB file's auxiliary data. */
export function auxSave(): void {
  saveEntries();
}

/**
 * Reads the RDB file's auxiliary data; 0, or 1 when it is refused (the cause is logged). The host calls flush
 * before, and after 1.
 */
export function auxLoad(version: i32): i32 {
  return loadEntries(version) ? 0 : 1;
}

/** Tells the log what is there after a load. */
export function loaded(): void {
  tellEntries();
}

/** Adds this module's fields to INFO. */
export function info(): void {
  infoField(changetype<usize>("entries"), table.count);
  infoField(changetype<usize>("expired"), expired);
  infoField(changetype<usize>("heap_used"), usedBytes());
  infoField(changetype<usize>("slot_index"), indexBytes());
}

/** Bytes of the wholly free pages of this module's heap. O(1). */
export function freeBytes(): u64 {
  return heapFreeBytes();
}

/** 1 when there is nothing to save. */
export function isEmpty(): i32 {
  return table.count ? 0 : 1;
}

/** One step of reclaiming what has expired; 1 when more is due now. O(1). */
export function sweep(): i32 {
  return sweepStep() ? 1 : 0;
}

/** Emits the entries of these slots as effects: a set of 2,048 bytes (base/slots.ts). O(entries). */
export function exportSlots(slots: usize): void {
  exportEntries(slots);
}

/** Drops the entries of these slots, `most` at most, or all where that is 0 or less; 1: there may be more. */
export function dropSlots(slots: usize, most: i32): i32 {
  return dropEntries(slots, most) ? 1 : 0;
}

/** How many entries lie in these slots. O(entries). */
export function countSlots(slots: usize): u64 {
  return countEntries(slots);
}

/** What another file of this module takes over in the same memory: a list (base/storage/carry.ts). */
export function leave(): u64 {
  forgetIndex();
  beginLeave();
  carry();
  return endLeave();
}

/** Takes over what the file that left has listed, before onLoad; 0, or 1 where it cannot. */
export function join(list: usize, length: u32): i32 {
  beginJoin(list);
  carry();
  return endJoin(list + <usize>length) ? 0 : 1;
}

function carry(): void {
  carryEntries();
  carrySweep();
}

/**
 * Link function of CUSTOM.GET: the value (`length << 32 | pointer`, valid until the caller's next import
 * call), 0 when absent.
 */
export function get(key: usize, keyLength: u32): u64 {
  return getValue(key, keyLength);
}

/**
 * Link function of CUSTOM.SET: 1. Errors: `OOM …`, nothing stored. Does not replicate: the caller's effect
 * does.
 */
export function set(key: usize, keyLength: u32, value: usize, valueLength: u32): u64 {
  setValue(key, keyLength, value, valueLength, false);
  return 1;
}

/**
 * Link function of CUSTOM.DEL: 1, or 0 when the key was absent. Does not replicate: the caller's effect does.
 */
export function del(key: usize, keyLength: u32): u64 {
  return <u64>deleteValue(key, keyLength, false);
}

/** Link function of CUSTOM.PTTL: ms until the deadline, -1 without one, -2 when absent. */
export function pttl(key: usize, keyLength: u32): u64 {
  return msLeft(key, keyLength);
}

/**
 * Link function of CUSTOM.PEXPIRE, of ms in decimal: 1, or 0 when the key was absent. Errors: those of the
 * command. Does not replicate: the caller's effect does.
 */
export function pexpire(key: usize, keyLength: u32, ms: usize, msLength: u32): u64 {
  return <u64>expireIn(key, keyLength, ms, msLength, 0, changetype<usize>("custom.pexpire"), false);
}

/** Link function of CUSTOM.EXISTS: 1 or 0. */
export function exists(key: usize, keyLength: u32): u64 {
  return findEntry(key, keyLength) ? 1 : 0;
}
