/**
 * Where replies are put together. Up to 16 KiB are static, so that short replies need no memory and reading
 * goes on when the heap is full; a longer one has a heap block, which lives until the next.
 */
import { alloc, free } from "../../base/storage/heap";
import { beginChange, endChange } from "../../base/change";
import { failOutOfMemory } from "../../base/text";
import { carryWord } from "../../base/storage/carry";

/** Bytes that a buffer may have without memory for it. */
export const FIXED_SIZE: u32 = 16384;
const fixed: usize = memory.data(16384, 16);
/** Bytes that a text may go on for without asking for room, what is touched after its end included. */
const ROOM: u32 = 384;
/** Where a text that is written must have come to the end of its buffer. */
let limit: usize = 0;
/** Bytes of a text that went to the fixed buffer and are not there any more. */
let passed: u64 = 0;
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

/**
 * Begins a text of unknown length in the fixed buffer. One that is longer begins there again and again: it is
 * measured by it, and written once more.
 */
export function beginText(): usize {
  limit = fixed + FIXED_SIZE - ROOM;
  passed = 0;
  return fixed;
}

/**
 * Where a text goes on that has come to `target`: there is room for 384 bytes, those that are touched after
 * the text's end included. To be asked before each piece of it.
 */
// prettier-ignore
@inline
export function roomAt(target: usize): usize {
  return target <= limit ? target : again(target);
}

function again(target: usize): usize {
  passed += target - fixed;
  return fixed;
}

/**
 * Ends a text that beginText began and that has come to `end`: 0 where it is whole in the fixed buffer;
 * otherwise a buffer for all of it, where it is to be written again. Errors: as takeScratch.
 */
export function takeWhole(end: usize): usize {
  if (!passed) return 0;
  limit = usize.MAX_VALUE;
  return takeScratch(passed + (end - fixed) + ROOM);
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

/** What another file takes over in the same memory (carry.ts). */
export function carryScratch(): void {
  block = carryWord<usize>(block);
  blockSize = carryWord<u32>(blockSize);
}
