/**
 * The heap of both modules: blocks of bytes from pages that it grew itself, so that two heaps live in one
 * linear memory with no coordination. A block is freed by the module that allocated it, with the size that it
 * was asked with.
 *
 *     alloc(size)         a block that stays where it is
 *     allocMovable(size)  a block that its owner can find and move: compaction may ask for that (compact.ts)
 *     free(block, size)   for both
 *
 * Blocks up to 2 KiB, and of the two sizes of a table's segments, live in slabs (slab.ts): one whose size is
 * a power of two is aligned to it. Larger ones live in arenas (large.ts). Both take pages from pages.ts.
 */
import {
  blockSize,
  carryLarge,
  checkLarge,
  closeSparsestArena,
  firstOfClosedArena,
  largeAlloc,
  largeFree,
  largeReset,
  largeSize,
  reopenArena,
} from "./large";
import {
  carryPages,
  countIdle,
  freePageCount,
  giveAllPages,
  idlePageCount,
  KIND_FREE,
  KIND_LARGE,
  KIND_SLAB,
  kindOf,
  notesAt,
  notesOf,
  ownedPageCount,
  PAGE_BITS,
} from "./pages";
import { carryRows, classOf, classSize, EXACT_MAX, FIXED, isSmall, LINK, MOVABLE, SMALL_MAX } from "./classes";
import {
  carrySlabs,
  checkSlab,
  closeSparsestSlab,
  firstOfClosedSlab,
  hasRoom,
  reopenSlab,
  slabAlloc,
  slabFree,
  slabReset,
  slabSize,
  slabUsed,
} from "./slab";
import { carryWord } from "./carry";

/** Bytes of all blocks in use, each at its usable size. */
let used: u64 = 0;
/** The function that frees what waits to be freed: see whenShort. */
let shortage: i32 = 0;

/**
 * Names the function `() => bool`, by its index in the table of functions, that is called where the memory
 * cannot grow: it frees what its owner keeps to free later, some of it at a time, and answers whether there
 * was any. Then the allocation is tried again.
 */
export function whenShort(index: i32): void {
  shortage = index;
}

/**
 * A block of at least `size` bytes, not cleared; `alloc(0)` is a block too. O(1) but for the search for a
 * page.
 * @returns 0 when the memory cannot grow
 */
export function alloc(size: u32): usize {
  return take(FIXED, size);
}

/** As alloc, a block that compaction may ask its owner to move. */
export function allocMovable(size: u32): usize {
  return take(MOVABLE, size);
}

/**
 * As alloc, of 2 KiB at most, and only in pages that the heap has: 0 where the memory would have to grow.
 * O(1).
 */
export function allocWithin(size: u32): usize {
  return freePageCount() || hasRoom(classOf(size)) ? take(FIXED, size) : 0;
}

// prettier-ignore
@inline
function take(pool: u32, size: u32): usize {
  const block = takeNow(pool, size);
  return block ? block : takeLater(pool, size);
}

// prettier-ignore
@inline
function takeNow(pool: u32, size: u32): usize {
  if (!isSmall(size)) return takeLarge(pool, size);
  const index = classOf(size);
  const block = slabAlloc(pool, index);
  if (block) used += classSize(index);
  return block;
}

function takeLarge(pool: u32, size: u32): usize {
  const block = largeAlloc(pool, size);
  if (block) used += largeSize(size);
  return block;
}

/** A block where there was none, once enough is freed for it; 0 when there is nothing to free. */
function takeLater(pool: u32, size: u32): usize {
  let block: usize = 0;
  while (!block && shortage && call_indirect<bool>(shortage)) block = takeNow(pool, size);
  return block;
}

/** Frees a block; `size` is what it was asked with. 0 is no block and does nothing. O(1). */
export function free(block: usize, size: u32): void {
  if (!block) return;
  const notes = notesAt(block);
  used -= usableSize(size);
  if (notes.kind == KIND_SLAB) slabFree(notes, block);
  else largeFree(block);
}

/** Bytes that a block asked with `size` really has. */
export function usableSize(size: u32): u32 {
  if (size <= EXACT_MAX) return max(size, LINK);
  if (size > SMALL_MAX) return isSmall(size) ? size : largeSize(size);
  // One of 32 steps in each doubling.
  const step = (<u32>1) << (26 - clz(size - 1));
  return (size + step - 1) & ~(step - 1);
}

/** Usable bytes of a block that was asked with at most 128 bytes. O(1). */
// prettier-ignore
@inline
export function tinySize(block: usize): u32 {
  const index = (<u32>notesAt(block).tag) & 255;
  return index < 64 ? index + 1 : (index - 31) << 1;
}

/** Usable bytes of a block that was asked with at most 2 KiB. O(1). */
// prettier-ignore
@inline
export function smallSize(block: usize): u32 {
  return slabSize(notesAt(block));
}

/** Bytes of wholly free pages. O(1). */
export function freeBytes(): u64 {
  return (<u64>freePageCount()) << PAGE_BITS;
}

/** Bytes of all blocks in use. O(1). */
export function usedBytes(): u64 {
  return used;
}

/** Bytes of all pages that the heap owns. O(1). */
export function ownedBytes(): u64 {
  return (<u64>ownedPageCount()) << PAGE_BITS;
}

/** Gives all blocks back at once; every pointer to one is void. O(pages): under 1 ms for 4 GiB. */
export function heapReset(): void {
  slabReset();
  largeReset();
  giveAllPages();
  used = 0;
  fruitless = 0;
}

// ── Compaction (compact.ts) ────────────────────────────────────────────────────────────────────────────────

/** Free pages under which compaction begins: as many as one growth brings. */
const SHORT_OF_PAGES: u32 = 16;
/** Unused bytes in used pages that are never worth a search. */
const SLACK_FLOOR: u64 = 1 << 20;

/**
 * The slack at the last search that found nothing, or the least since then; searching again is for when it
 * has grown.
 */
let fruitless: u64 = 0;

/** Bytes of pages in use that no block uses. O(1). */
export function slackBytes(): u64 {
  return ((<u64>(ownedPageCount() - freePageCount())) << PAGE_BITS) - used;
}

/**
 * Whether a step of compaction is worth its time: pages are short, so that memory would grow soon, while over
 * 1/16 of what is used lies idle in used pages; or more lies idle than is used. O(1).
 */
export function compactionDue(): bool {
  const slack = slackBytes();
  if (slack < SLACK_FLOOR + (used >> 4)) return false;
  if (freePageCount() >= SHORT_OF_PAGES && slack < SLACK_FLOOR + used) return false;
  if (!fruitless) return true;
  if (slack < fruitless) fruitless = slack;
  return slack >= fruitless + SLACK_FLOOR + (used >> 6);
}

/**
 * The block to be moved next: its owner allocates another by allocMovable, copies it, frees this one, and
 * asks again; or calls keepBlock. Blocks of one page or arena come until it is empty, so that it can be given
 * back. O(1), now and then O(classes + blocks of a page).
 * @returns 0 when nothing is worth moving
 */
export function blockToMove(): usize {
  let block = firstOfClosedSlab();
  if (!block) block = firstOfClosedArena();
  if (block) return block;
  if (closeSparsestSlab()) return firstOfClosedSlab();
  if (closeSparsestArena()) return firstOfClosedArena();
  fruitless = slackBytes();
  return 0;
}

/** The block that blockToMove gave cannot be moved: its page or arena is left as it is. */
export function keepBlock(): void {
  if (firstOfClosedSlab()) reopenSlab();
  else reopenArena();
}

/** Frees a block that was moved, whose size the heap knows; answers its usable bytes. O(1). */
export function freeMoved(block: usize): u32 {
  const notes = notesAt(block);
  let size: u32;
  if (notes.kind == KIND_SLAB) {
    size = slabSize(notes);
    slabFree(notes, block);
  } else {
    size = blockSize(block);
    largeFree(block);
  }
  used -= size;
  return size;
}

// ── Checking ───────────────────────────────────────────────────────────────────────────────────────────────

/**
 * Walks the whole heap. O(pages + free blocks).
 * @returns 0, or the first invariant that does not hold, a literal
 */
export function heapCheck(): usize {
  let free: u32 = 0;
  let bytes: u64 = 0;
  for (let page: u32 = 0, end = <u32>memory.size(); page < end; page++) {
    const kind = kindOf(page);
    if (kind == KIND_FREE) free++;
    else if (kind == KIND_SLAB) {
      const broken = checkSlab(notesOf(page));
      if (broken) return broken;
      bytes += slabUsed(notesOf(page));
    } else if (kind == KIND_LARGE) bytes += notesOf(page).free;
  }
  if (free != freePageCount()) return changetype<usize>("the heap's number of free pages");
  if (countIdle() != idlePageCount()) return changetype<usize>("the heap's number of resident free pages");
  const broken = checkLarge();
  if (broken) return broken;
  return bytes == used ? 0 : changetype<usize>("the heap's bytes in use");
}

/** What another file takes over in the same memory (carry.ts). */
export function carryHeap(): void {
  carryRows();
  carryPages();
  carrySlabs();
  carryLarge();
  used = carryWord<u64>(used);
  fruitless = carryWord<u64>(fruitless);
}
