/**
 * Compaction: memory that deletes have left idle in sparse pages comes back, by moving the entries that are
 * still there.
 *
 * The heap chooses the page or arena with the least in use and closes it; the owner of each block in it
 * copies it elsewhere and mends what points to it; the emptied pages go back to the pool. It happens in small
 * steps, and only where memory would otherwise grow soon, or more is idle than used: so each step moves few
 * bytes for many freed.
 *
 * The owner is a function `(block: usize) => usize`, named by its index in the table of functions,
 * `load<i32>(changetype<usize>(name))`: it answers the address of the copy, a block of allocMovable, or 0
 * where the block stays. It frees nothing.
 */
import { blockToMove, compactionDue, freeMoved, keepBlock } from "./heap";
import { takeIdle } from "./pages";

/** A step moves entries until their bytes, and a fixed part for each one's lookup, come to this. */
const STEP_BYTES: u32 = 4096;
const LOOKUP_BYTES: u32 = 192;
/** Of what the command has written, this many times as much more may be moved. */
const PER_WRITTEN: u32 = 4;
const STEP_BYTES_MAX: u32 = 256 << 10;

/**
 * One step: call it at the end of each command that writes or deletes, when no pointer to a movable block and
 * no slot is held, for blocks move. `written` is how many bytes the command has allocated; 0 is fine. A page
 * with a block that `relocate` does not know is left as it is. O(1): at most about 16 small entries, or 256
 * KiB after long writes.
 * @returns pages that are to be given back to the system, as takeIdle answers them
 */
export function compactStep(relocate: u32, written: u32): u64 {
  if (compactionDue())
    compact(relocate, min(max(STEP_BYTES, written > STEP_BYTES_MAX ? STEP_BYTES_MAX : written * PER_WRITTEN), STEP_BYTES_MAX));
  return takeIdle();
}

/** Moves blocks of about `bytes`, or one if it is larger; false when nothing (more) is worth moving. */
export function compact(relocate: u32, bytes: u32): bool {
  let moved: u32 = 0;
  while (moved < bytes) {
    const block = blockToMove();
    if (!block) return false;
    if (call_indirect<usize>(relocate, block)) moved += freeMoved(block);
    else keepBlock();
    moved += LOOKUP_BYTES;
  }
  return true;
}
