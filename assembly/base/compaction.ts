/**
 * What both modules do at the end of every write, and of every step of their sweep, for memory that deletes
 * have left idle.
 */
import { beginChange, endChange } from "./change";
import { redis } from "./redis";
import { compactStep } from "./storage/compact";
import { PAGE_BITS } from "./storage/pages";

/**
 * Moves a few blocks together, and gives pages that stay free back to the system. `relocate`: see
 * storage/compact.ts; `written`: bytes that the command stored. Pointers to movable blocks are void
 * afterwards. O(1).
 * @returns whether there may be more pages to give back
 */
export function compact(relocate: i32, written: u32): bool {
  beginChange();
  const pages = compactStep(relocate, written);
  endChange();
  if (pages) redis.DiscardMemory(usize(u32(pages)) << PAGE_BITS, u32(pages >> 32) << PAGE_BITS);
  return pages != 0;
}
