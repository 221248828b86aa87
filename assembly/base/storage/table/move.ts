/** Compaction (compact.ts) of the entries of a hash table. */
import { sizeOf } from "../entry";
import { allocMovable } from "../heap";
import { Table } from "./table";

/**
 * What `relocate` does for an entry of this table: copies it and points its slot to the copy, whose address
 * it answers. The old block is still readable, and compact's to free. O(length).
 * @returns 0, nothing changed: the table does not hold it, or there is no memory
 */
export function moveEntry(table: Table, block: usize): usize {
  const slot = table.slotOf(block);
  if (!slot) return 0;
  const size = sizeOf(block);
  const target = allocMovable(size);
  if (!target) return 0;
  memory.copy(target, block, <usize>size);
  table.replace(slot, target);
  return target;
}
