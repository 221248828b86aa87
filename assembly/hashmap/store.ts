/**
 * The storage: byte strings to byte strings. What the commands and the link functions share, each in the order
 * allocate → replicate → commit → signal.
 */
import { create, destroy, overwrite, valueLength, valueOf } from "../storage/entry";
import { heapReset } from "../storage/heap";
import { Table } from "../storage/table";
import { forgetBlocks, reserveBlock } from "../persistence/blocks";
import { beginCommit, endCommit } from "../commit";
import { pack } from "../frame";
import { redis } from "../redis";
import { changed } from "../register";
import { failOutOfMemory } from "../text";

/** The one table; its struct is static. */
export const table: Table = changetype<Table>(memory.data(offsetof<Table>(), 16));
/** Whether the table has its hash key, drawn before the first entry comes: loading the module must call nothing. */
let keyed: bool = false;
const key: usize = memory.data(16, 8);

/** Gets ready for entries: draws the hash key and takes the buffer of saving. False when there is no memory. */
export function prepareTable(): bool {
  if (!keyed) {
    redis.GetRandomBytes(key, 16);
    table.init(load<u64>(key), load<u64>(key, 8));
    keyed = true;
  }
  return reserveBlock();
}

/** The value (`length << 32 | pointer`, valid until the next write), 0 when the key is absent. O(key). */
export function getValue(keyPointer: usize, keyLength: u32): u64 {
  const entry = table.find(keyPointer, keyLength);
  return entry ? pack(valueOf(entry), valueLength(entry)) : 0;
}

/**
 * Stores the value under the key. O(key + value).
 * Errors: `OOM …`, nothing changed.
 * @param verbatim whether the running command is to be replicated as it came
 */
export function setValue(keyPointer: usize, keyLength: u32, value: usize, length: u32, verbatim: bool): void {
  if (!prepareTable()) failOutOfMemory();
  const hash = table.hashOf(keyPointer, keyLength);
  const slot = table.lookup(keyPointer, keyLength, hash);
  if (!slot) insertValue(hash, keyPointer, keyLength, value, length, verbatim);
  else replaceValue(slot, keyPointer, keyLength, value, length, verbatim);
  changed(changetype<usize>("custom.set"), keyPointer, keyLength);
}

function insertValue(hash: u64, keyPointer: usize, keyLength: u32, value: usize, length: u32, verbatim: bool): void {
  const entry = create(keyPointer, keyLength, value, length);
  if (!entry) failOutOfMemory();
  if (!table.reserve(hash)) {
    destroy(entry);
    failOutOfMemory();
  }
  if (verbatim) redis.ReplicateVerbatim();
  beginCommit();
  table.insert(hash, entry);
  endCommit();
}

function replaceValue(slot: usize, keyPointer: usize, keyLength: u32, value: usize, length: u32, verbatim: bool): void {
  const old = <usize>load<u32>(slot);
  // Where the value fits in place, overwriting it is itself the commit; only then is it known that nothing can fail any more.
  beginCommit();
  const done = overwrite(old, value, length);
  if (done && verbatim) redis.ReplicateVerbatim();
  endCommit();
  if (done) return;
  const entry = create(keyPointer, keyLength, value, length);
  if (!entry) failOutOfMemory();
  if (verbatim) redis.ReplicateVerbatim();
  beginCommit();
  destroy(table.replace(slot, entry));
  endCommit();
}

/** Deletes the key; false when it was absent. Needs no memory. O(key). */
export function deleteValue(keyPointer: usize, keyLength: u32, verbatim: bool): bool {
  if (!table.count) return false;
  const hash = table.hashOf(keyPointer, keyLength);
  const slot = table.lookup(keyPointer, keyLength, hash);
  if (!slot) return false;
  if (verbatim) redis.ReplicateVerbatim();
  beginCommit();
  destroy(table.remove(slot, hash));
  endCommit();
  changed(changetype<usize>("custom.del"), keyPointer, keyLength);
  return true;
}

/** Drops all entries at once. O(pages of the memory). */
export function dropAll(): void {
  beginCommit();
  if (keyed) table.forget();
  heapReset();
  forgetBlocks();
  endCommit();
}
