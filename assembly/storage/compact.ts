/**
 * Compaction: memory that deletes have left idle in sparse pages comes back, by moving the entries that are still there.
 *
 * The heap chooses the page or arena with the least in use and closes it; the table finds the slot of each entry in it, by its key, and
 * points it to the entry's copy elsewhere; the emptied pages go back to the pool. It happens in small steps, and only where memory
 * would otherwise grow soon, or more is idle than used: so each step moves few bytes for many freed.
 */
import { sizeOf } from "./entry";
import { allocMovable, blockToMove, compactionDue, free, keepBlock } from "./heap";
import { Table } from "./table";

/** A step moves entries until their bytes, and a fixed part for each one's lookup, come to this. */
@inline const STEP_BYTES: u32 = 4096;


@inline const LOOKUP_BYTES: u32 = 192;
/** Of what the command has written, this many times as much more may be moved. */
@inline const PER_WRITTEN: u32 = 4;


@inline const STEP_BYTES_MAX: u32 = 256 << 10;

/**
 * One step: call it at the end of each command that writes or deletes, when no pointer to an entry and no slot is held, for
 * entries move. `written` is how many bytes the command has allocated; 0 is fine. `table` must hold all that `create` has made and
 * that is not destroyed; a page with any other is left as it is. O(1): at most about 16 small entries, or 256 KiB after long writes.
 */
export function compactStep(table: Table, written: u32): void {
  if (compactionDue())
    compact(table, min(max(STEP_BYTES, written > STEP_BYTES_MAX ? STEP_BYTES_MAX : written * PER_WRITTEN), STEP_BYTES_MAX));
}

/** Moves entries of about `bytes`, or one if it is larger; false when nothing (more) is worth moving. */
export function compact(table: Table, bytes: u32): bool {
  let moved: u32 = 0;
  while (moved < bytes) {
    const block = blockToMove();
    if (!block) return false;
    const size = move(table, block);
    if (!size) keepBlock();
    moved += size + LOOKUP_BYTES;
  }
  return true;
}

/** Moves one entry; bytes moved, 0: the table does not hold it, or there is no memory. */
function move(table: Table, block: usize): u32 {
  const slot = table.slotOf(block);
  if (!slot) return 0;
  const size = sizeOf(block);
  const target = allocMovable(size);
  if (!target) return 0;
  memory.copy(target, block, <usize>size);
  free(table.replace(slot, target), size);
  return size;
}
