/**
 * The index of cluster slots (base/slot-index.ts) over all tables of a module. Entries in the tree have no
 * hash, so it tells of runs of them: of all that are `in` one key, or of one sorted key. The table `runs` has
 * the first bytes of their keys, as long as there is an index.
 */
import { beginChange, endChange } from "../../base/change";
import {
  addPlace,
  addTable,
  beginIndex,
  endIndex,
  endPlaces,
  hasIndex,
  indexBytes as placeBytes,
  pinIndex,
  releaseIndex,
  releaseWhenShort,
} from "../../base/slot-index";
import { entryMemory } from "../../base/check";
import { createFixed, destroy, keyLength, keyOf } from "../../base/storage/entry";
import { Table } from "../../base/storage/table/table";
import { Cursor } from "../../base/storage/tree/cursor";
import { slotOfStored } from "./signal";
import { hashOf, hashTable, heads, initTable, isUnder, numberOf, prefixLength, storedCount, tableCount, tree } from "./tables";

/** Sources of the index, beside the hash tables with their numbers. */
export const HEADS: u32 = 64;
export const RUNS: u32 = 65;

export const runs: Table = changetype<Table>(memory.data(offsetof<Table>(), 16));
/** Bytes of the entries of all runs. */
let entryBytes: u64 = 0;
const cursor: Cursor = changetype<Cursor>(memory.data(offsetof<Cursor>(), 8));

/** The slot of an entry, a head or a run. */
export function slotOfEntry(entry: usize): u32 {
  return slotOfStored(keyOf(entry), keyLength(entry));
}

/** Whether a run is of entries in a key: else it is one entry. */
// prettier-ignore
@inline
export function isInKey(run: usize): bool {
  return load<u8>(keyOf(run), 1) != 0;
}

/** Makes an index, where it is worth it for a command on these slots. O(entries), once. */
export function indexTables(slots: usize): void {
  releaseWhenShort();
  if (!beginIndex(slots, storedCount(), load<i32>(changetype<usize>(releaseRuns)))) return;
  const slotOf = load<i32>(changetype<usize>(slotOfEntry));
  for (let table: u32 = 0; table < tableCount(); table++) addTable(hashTable(table), table, slotOf);
  addTable(heads, HEADS, slotOf);
  initTable(runs);
  let first: usize = 0;
  cursor.seekFirst(tree);
  for (let entry = cursor.next(); entry && hasIndex(); entry = cursor.next()) {
    if (first && isInKey(first) && isUnder(entry, keyOf(first), runLength(first))) continue;
    first = entry;
    beginChange();
    addRun(entry);
    endChange();
  }
  if (hasIndex()) endIndex(load<i32>(changetype<usize>(observe)));
}

/** Bytes of an entry's key that tell the run that it is in. */
function runLength(entry: usize): u32 {
  return isInKey(entry) ? prefixLength(keyOf(entry)) : keyLength(entry);
}

/** Is told of each insert. */
function observe(owner: usize, hash: u64, entry: usize): void {
  if (owner == changetype<usize>(tree)) addRun(entry);
  else if (owner == changetype<usize>(heads)) addPlace(slotOfEntry(entry), HEADS, hash);
  else if (owner != changetype<usize>(runs)) addPlace(slotOfEntry(entry), numberOf(owner), hash);
}

/** Adds the run of an entry, if the index does not know it. Where there is no memory the index goes. */
function addRun(entry: usize): void {
  const key = keyOf(entry);
  const length = runLength(entry);
  const hash = hashOf(key, length);
  if (runs.lookup(key, length, hash)) return;
  addPlace(slotOfStored(key, length), RUNS, hash);
  if (!hasIndex()) return;
  // No memory is had by freeing the runs while they grow.
  pinIndex();
  const run = createFixed(key, length, 0, 0);
  const isTaken = run != 0 && runs.reserve(hash);
  endPlaces();
  if (isTaken) {
    runs.insert(hash, run);
    entryBytes += entryMemory(run);
    return;
  }
  if (run) destroy(run);
  releaseIndex();
}

/** The index is forgotten. */
function releaseRuns(): void {
  runs.clear();
  entryBytes = 0;
}

/** Bytes of the heap that the index takes, its runs too. O(1). */
export function indexBytes(): u64 {
  return placeBytes() + runs.memoryUsed() + entryBytes;
}
