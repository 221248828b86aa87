/**
 * Diagnostics: walks table and heap and ends the running command with the first invariant that does not hold. What each module adds to
 * it stands beside its records.
 */
import { heapCheck, usableSize, usedBytes } from "./storage/heap";
import { sizeOf } from "./storage/entry";
import { Table } from "./storage/table";
import { blockMemory } from "./persistence/blocks";
import { appendNumber, appendText, failLine, line } from "./text";

/** Ends the running command: this invariant is broken. Does not return. */
export function failBroken(invariant: usize): void {
  line(changetype<usize>("ERR broken: "));
  appendText(invariant);
  failLine();
}

/** Checks table and heap. O(entries + pages). Errors: `ERR broken: …`. */
export function checkStructures(table: Table): void {
  const heap = heapCheck();
  if (heap) failHeap(heap);
  const rule = table.count ? table.check() : 0;
  if (rule) failTable(rule);
}

/** Checks that what is known to be in use is what the heap counts. `bytes`: of all blocks beside the table's own and the buffer of saving. */
export function checkBytes(table: Table, bytes: u64): void {
  if (bytes + table.memoryUsed() + blockMemory() != usedBytes()) failBroken(changetype<usize>("blocks of the heap that nothing uses"));
}

/** Bytes of the heap that an entry takes. */
// prettier-ignore
@inline
export function entryMemory(entry: usize): u64 {
  return usableSize(sizeOf(entry));
}

function failHeap(rule: u32): void {
  if (rule == 1) failBroken(changetype<usize>("the heap's number of free pages"));
  if (rule == 30) failBroken(changetype<usize>("the heap's bytes in use"));
  line(
    rule < 20
      ? changetype<usize>("ERR broken: a page of small blocks, rule ")
      : changetype<usize>("ERR broken: a run of large blocks, rule "),
  );
  appendNumber(rule % 10);
  failLine();
}

function failTable(rule: u32): void {
  if (rule == 1) failBroken(changetype<usize>("the directory of the table"));
  if (rule == 2) failBroken(changetype<usize>("the table's number of segments"));
  if (rule == 3) failBroken(changetype<usize>("a tag of the table"));
  if (rule == 4) failBroken(changetype<usize>("an entry out of reach of its home"));
  if (rule == 5) failBroken(changetype<usize>("a displaced bit of the table"));
  if (rule == 6) failBroken(changetype<usize>("an overflow count of the table"));
  if (rule == 7) failBroken(changetype<usize>("the number of entries"));
  if (rule == 8) failBroken(changetype<usize>("an entry that a search does not find"));
  failBroken(changetype<usize>("bits of empty slots of the table"));
}
