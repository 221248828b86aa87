/**
 * Where replies are put together. Up to 16 KiB are static, so that short replies need no memory and reading
 * goes on when the heap is full; a longer one has a heap block, which lives until the next.
 */
import { alloc, free } from "../../base/storage/heap";
import { beginChange, endChange } from "../../base/change";
import { failOutOfMemory } from "../../base/text";

/** Bytes that a buffer may have without memory for it. */
export const FIXED_SIZE: u32 = 16384;
const fixed: usize = memory.data(16384, 16);
let block: usize = 0;
let blockSize: u32 = 0;

/**
 * A buffer of `size` bytes, valid until the next call. Ends the command with an OOM error when there is no
 * memory.
 */
export function takeScratch(size: u64): usize {
  releaseScratch();
  if (size <= FIXED_SIZE) return fixed;
  if (size > <u64>i32.MAX_VALUE) failOutOfMemory();
  beginChange();
  block = alloc(<u32>size);
  endChange();
  if (!block) failOutOfMemory();
  blockSize = <u32>size;
  return block;
}

/** Gives a long buffer back to the heap. */
export function releaseScratch(): void {
  if (!block) return;
  beginChange();
  free(block, blockSize);
  block = 0;
  endChange();
}

/** Forgets the buffer, after the heap took back every block. */
export function forgetScratch(): void {
  block = 0;
}
