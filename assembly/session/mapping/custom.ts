/**
 * The storage that maps each user to the newest session: whatever serves the commands CUSTOM.*, linked
 * directly or called by command. A function that fails ends the running command, so it is called before
 * anything of this module is committed.
 */
import { carryWord } from "../../base/storage/carry";

// prettier-ignore
@external("CUSTOM", "get")
declare function get(key: usize, keyLength: u32): u64;

// prettier-ignore
@external("CUSTOM", "set")
declare function set(key: usize, keyLength: u32, value: usize, valueLength: u32): u64;

// prettier-ignore
@external("CUSTOM", "del")
declare function del(key: usize, keyLength: u32): u64;

/** How often the storage has been called. */
export let storageCalls: u64 = 0;

/** The value (`length << 32 | pointer`, valid until the next import call), 0 when there is none. */
export function customGet(key: usize, keyLength: u32): u64 {
  storageCalls++;
  return get(key, keyLength);
}

/** Stores the value. */
export function customSet(key: usize, keyLength: u32, value: usize, valueLength: u32): void {
  storageCalls++;
  set(key, keyLength, value, valueLength);
}

/** Deletes the entry, if there is one. */
export function customDel(key: usize, keyLength: u32): void {
  storageCalls++;
  del(key, keyLength);
}

/** What another file takes over in the same memory (carry.ts). */
export function carryStorageCalls(): void {
  storageCalls = carryWord<u64>(storageCalls);
}
