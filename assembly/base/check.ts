/**
 * Diagnostics: walks table and heap and ends the running command with the first invariant that does not hold.
 * What each module adds to it stands beside its records.
 */
import { heapCheck, usableSize, usedBytes } from "./storage/heap";
import { sizeOf } from "./storage/entry";
import { checkTable } from "./storage/table/check";
import { Table } from "./storage/table/table";
import { blockMemory } from "./persistence";
import { indexBytes } from "./slot-index";
import { appendText, failLine, line } from "./text";

/** Ends the running command: this invariant is broken. Does not return. */
export function failBroken(invariant: usize): void {
  line(changetype<usize>("ERR broken: "));
  appendText(invariant);
  failLine();
}

/** Checks table and heap. O(entries + pages). Errors: `ERR broken: …`. */
export function checkStructures(table: Table): void {
  const heap = heapCheck();
  if (heap) failBroken(heap);
  const broken = table.count ? checkTable(table) : 0;
  if (broken) failBroken(broken);
}

/**
 * Checks that what is known to be in use is what the heap counts. `bytes`: of all blocks beside the table's
 * own and the buffer of saving.
 */
export function checkBytes(table: Table, bytes: u64): void {
  if (bytes + table.memoryUsed() + blockMemory() + indexBytes() != usedBytes())
    failBroken(changetype<usize>("blocks of the heap that nothing uses"));
}

/** Bytes of the heap that an entry takes. */
// prettier-ignore
@inline
export function entryMemory(entry: usize): u64 {
  return usableSize(sizeOf(entry));
}
