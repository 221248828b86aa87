/**
 * The heap of both modules: blocks of bytes from pages that it grew itself, so that two heaps live in one linear memory with no
 * coordination. A block is freed by the module that allocated it, with the size that it was asked with.
 *
 *     alloc(size)         a block that stays where it is
 *     allocMovable(size)  a block that its owner can find and move: compaction may ask for that (compact.ts)
 *     free(block, size)   for both
 *
 * Blocks up to 2 KiB, and of 4 KiB, live in slabs (slab.ts), aligned to the largest power of two that divides their size up to 4 KiB.
 */
import { freePageCount, givePages, giveAllPages, KIND_LARGE, KIND_SLAB, NOTE_EXTENT, NOTE_KIND, notesOf, ownedPageCount, PAGE_BITS, PAGE_SIZE } from "./pages";
import { classOf, classSize, FIXED, isSmall, MOVABLE, slabAlloc, slabFree, slabReset, takePagesOrSpare } from "./slab";

/** Bytes of all blocks in use, each at its usable size. */
let used: u64 = 0;

/**
 * A block of at least `size` bytes, not cleared; `alloc(0)` is a block too. O(1) but for the search for a page.
 * @returns 0 when the memory cannot grow
 */
export function alloc(size: u32): usize {
  return take(FIXED, size);
}

/** As alloc, a block that compaction may ask its owner to move. */
export function allocMovable(size: u32): usize {
  return take(MOVABLE, size);
}

// prettier-ignore
@inline
function take(pool: u32, size: u32): usize {
  if (!isSmall(size)) return takeLarge(pool, size);
  const index = classOf(size);
  const block = slabAlloc(pool, index);
  if (block) used += classSize(index);
  return block;
}

/** Frees a block; `size` is what it was asked with. 0 is no block and does nothing. O(1). */
export function free(block: usize, size: u32): void {
  if (!block) return;
  const notes = notesOf(<u32>(block >> PAGE_BITS));
  used -= usableSize(size);
  if (load<u8>(notes, NOTE_KIND) == KIND_SLAB) slabFree(notes, block);
  else freeLarge(notes, block);
}

/** Bytes that a block asked with `size` really has. */
export function usableSize(size: u32): u32 {
  if (size <= 256) return size ? (size + 3) & ~3 : 4;
  return isSmall(size) ? classSize(classOf(size)) : (size + PAGE_SIZE - 1) & ~(PAGE_SIZE - 1);
}

/** Bytes of wholly free pages. O(1). */
export function freeBytes(): u64 {
  return <u64>freePageCount() << PAGE_BITS;
}

/** Bytes of all blocks in use. O(1). */
export function usedBytes(): u64 {
  return used;
}

/** Bytes of all pages that the heap owns. O(1). */
export function ownedBytes(): u64 {
  return <u64>ownedPageCount() << PAGE_BITS;
}

/** Gives all blocks back at once; every pointer to one is void. O(pages): under 1 ms for 4 GiB. */
export function heapReset(): void {
  slabReset();
  giveAllPages();
  used = 0;
}

function takeLarge(pool: u32, size: u32): usize {
  if (size > 0xfff00000) return 0;
  const count = (size + PAGE_SIZE - 1) >> PAGE_BITS;
  const page = takePagesOrSpare(count);
  if (!page) return 0;
  const notes = notesOf(page);
  store<u8>(notes, KIND_LARGE, NOTE_KIND);
  store<u32>(notes, count, NOTE_EXTENT);
  used += <u64>count << PAGE_BITS;
  return <usize>page << PAGE_BITS;
}

function freeLarge(notes: usize, block: usize): void {
  givePages(<u32>(block >> PAGE_BITS), load<u32>(notes, NOTE_EXTENT));
}
