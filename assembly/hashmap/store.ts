/**
 * The storage: byte strings to byte strings. What the commands and the link functions share, each in the order
 * allocate → commit → replicate, signal. What is told of a write is told before its change ends: no time limit strikes between them.
 */
import { compactStep, moveEntry } from "../storage/compact";
import { create, destroy, overwrite, valueLength, valueOf } from "../storage/entry";
import { heapReset } from "../storage/heap";
import { Table } from "../storage/table";
import { forgetBlocks, reserveBlock } from "../persistence/blocks";
import { beginChange, endChange } from "../change";
import { pack } from "../frame";
import { redis } from "../redis";
import { EVENT_DEL, EVENT_SET } from "./events";
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
  beginChange();
  const ready = reserveBlock();
  endChange();
  return ready;
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
  beginChange();
  const slot = table.lookup(keyPointer, keyLength, hash);
  const outcome = slot ? replaceValue(slot, keyPointer, keyLength, value, length) : insertValue(hash, keyPointer, keyLength, value, length);
  if (outcome != NO_MEMORY) changed(EVENT_SET, 10, keyPointer, keyLength, verbatim);
  endChange();
  if (outcome == NO_MEMORY) failOutOfMemory();
  if (outcome == ALLOCATED) compactEntries(keyLength + length);
}

/** How storing a value ended: with nothing changed; in a new entry; in the old one. */
// prettier-ignore
@inline const NO_MEMORY: u32 = 0;


@inline const ALLOCATED: u32 = 1;


@inline const IN_PLACE: u32 = 2;

/** NO_MEMORY or ALLOCATED. */
function insertValue(hash: u64, keyPointer: usize, keyLength: u32, value: usize, length: u32): u32 {
  const entry = create(keyPointer, keyLength, value, length);
  if (!entry) return NO_MEMORY;
  if (!table.reserve(hash)) {
    destroy(entry);
    return NO_MEMORY;
  }
  table.insert(hash, entry);
  return ALLOCATED;
}

/** NO_MEMORY, ALLOCATED or IN_PLACE. */
function replaceValue(slot: usize, keyPointer: usize, keyLength: u32, value: usize, length: u32): u32 {
  const old = <usize>load<u32>(slot);
  let outcome = IN_PLACE;
  // Where the value fits in place, writing it is itself the commit; only then is it known that nothing can fail any more.
  if (!overwrite(old, value, length)) {
    const entry = create(keyPointer, keyLength, value, length);
    if (!entry) return NO_MEMORY;
    destroy(table.replace(slot, entry));
    outcome = ALLOCATED;
  }
  return outcome;
}

/** Moves a few entries together where deletes have left idle memory. `written`: bytes that the command stored. O(1). */
function compactEntries(written: u32): void {
  beginChange();
  compactStep(load<i32>(changetype<usize>(relocate)), written);
  endChange();
}

/** Compaction moves an entry. */
function relocate(block: usize): usize {
  return moveEntry(table, block);
}

/** Deletes the key; false when it was absent. Needs no memory. O(key). */
export function deleteValue(keyPointer: usize, keyLength: u32, verbatim: bool): bool {
  if (!table.count) return false;
  const hash = table.hashOf(keyPointer, keyLength);
  const slot = table.lookup(keyPointer, keyLength, hash);
  if (!slot) return false;
  beginChange();
  destroy(table.remove(slot, hash));
  changed(EVENT_DEL, 10, keyPointer, keyLength, verbatim);
  endChange();
  compactEntries(0);
  return true;
}

/** Drops all entries at once. O(pages of the memory). */
export function dropAll(): void {
  beginChange();
  if (keyed) table.forget();
  // With another key: data that comes back from a file in the order of this one would make the table split at every step.
  keyed = false;
  heapReset();
  forgetBlocks();
  endChange();
}
