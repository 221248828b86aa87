/**
 * Blocks over 2 KiB (but for segments): arenas, runs of pages that are cut into blocks of any multiple of 16
 * bytes. Free neighbours join, and a wholly free arena gives its pages back. Free blocks are in lists by
 * size, two levels deep (TLSF: the power of two, then sixteenths of it), so that alloc and free take a
 * bounded number of steps.
 *
 *     block in use    | size, flags | the caller's bytes …                                     |
 *     free block      | size, flags | next | previous | … | size |        (the last word only where free)
 *     arena           | block | block | … | end mark: size 0, in use | 12 bytes |
 *
 *     size            of the whole block, a multiple of 16
 *     flags           bit 0 in use · bit 1 the block before is free (its last word is then its size)
 *                     bit 2 FIXED pool
 *
 *     notes           of an arena's first page: free: bytes in use · used: blocks of the FIXED pool
 *                     next, previous: of all arenas · extent: pages
 *                     bucket: VICTIM while it is being emptied
 *                     of every page: fresh: number of the first page
 */
import { FIXED } from "./classes";
import {
  givePages,
  KIND_LARGE,
  KIND_LARGE_REST,
  Notes,
  notesAt,
  notesOf,
  PAGE_BITS,
  PAGE_SIZE,
  STUCK,
  takeFreePages,
  VICTIM,
} from "./pages";
import { takePagesOrSpare } from "./slab";
import { carryArea, carryWord } from "./carry";

const IN_USE: u32 = 1;
const BEFORE_FREE: u32 = 2;
const OF_FIXED: u32 = 4;
const SIZE_MASK: u32 = ~15;
const HEADER: usize = 4;
/** An arena's end: the end mark, and what keeps sizes multiples of 16. */
const TRAILER: u32 = 16;
/** Arenas have this many pages if they can, or room for eight of a larger block. */
const ARENA_PAGES: u32 = 16;
const SHARED_PAGES: u32 = 8;
const FIRST_LEVEL: u32 = 4;
/** The longest block's request: address arithmetic stays within 32 bits. */
const SIZE_LIMIT: u32 = 0xf0000000;

/** A block that is not in use; the first word is that of any block. */
@unmanaged
class Block {
  /** Size and flags. */
  head: u32;
  /** The neighbours in its list, 0: none. */
  next: Block;
  previous: Block;

  /** Bytes of the whole block. */
  @inline
  get size(): u32 {
    return this.head & SIZE_MASK;
  }

  /** The block behind it. */
  @inline
  get after(): Block {
    return changetype<Block>(changetype<usize>(this) + <usize>this.size);
  }


  @inline
  get isFree(): bool {
    return !(this.head & IN_USE);
  }
}

/** The block of a pointer that largeAlloc has given. */
// prettier-ignore
@inline
function blockOf(pointer: usize): Block {
  return changetype<Block>(pointer - HEADER);
}

/** Heads of the lists: 28 powers of two × 16. */
const heads: usize = memory.data(1792, 16);
/** For each power of two: which of its 16 lists have blocks. */
const levels: usize = memory.data(112, 16);
/** Which powers of two have blocks. */
let powers: u32 = 0;
/** All arenas: notes of the first one. */
let arenas: Notes = changetype<Notes>(0);
/** Notes of the closed arena, the one that compaction empties; 0: none. */
let closed: Notes = changetype<Notes>(0);

/** Bytes that a block asked with `size` takes, its header included. */
// prettier-ignore
@inline
export function largeSize(size: u32): u32 {
  return (size + <u32>HEADER + 15) & SIZE_MASK;
}

/** A block for `size` bytes, 0 when there is no memory. O(1) but for the search for pages. */
export function largeAlloc(pool: u32, size: u32): usize {
  if (size > SIZE_LIMIT) return 0;
  const wanted = largeSize(size);
  let block = findFree(wanted);
  if (block) unlink(block, block.size);
  else {
    block = newArena(wanted);
    if (!block) return 0;
  }
  const found = block.size;
  // The block before a free one is in use: free neighbours always join.
  block.head = wanted | IN_USE | (pool == FIXED ? OF_FIXED : 0);
  const rest = block.after;
  if (found == wanted) rest.head &= ~BEFORE_FREE;
  else setFree(rest, found - wanted, true);
  const arena = arenaOf(changetype<usize>(block));
  arena.free += wanted;
  if (pool == FIXED) arena.used++;
  return changetype<usize>(block) + HEADER;
}

/** Frees a block of largeAlloc. O(1), and the pages of an arena when it was its last block. */
export function largeFree(pointer: usize): void {
  let block = blockOf(pointer);
  const head = block.head;
  let size = block.size;
  const arena = arenaOf(pointer - HEADER);
  const listed = arena != closed;
  const left = arena.free - size;
  arena.free = left;
  if (head & OF_FIXED) arena.used--;
  const next = block.after;
  if (next.isFree) {
    if (listed) unlink(next, next.size);
    size += next.size;
  }
  if (head & BEFORE_FREE) {
    const before = load<u32>(changetype<usize>(block) - 4);
    block = changetype<Block>(changetype<usize>(block) - <usize>before);
    if (listed) unlink(block, before);
    size += before;
  }
  if (!left) {
    if (arena == closed) closed = changetype<Notes>(0);
    dropArena(arena);
  } else setFree(block, size, listed);
}

/** Bytes that a block of largeAlloc takes, its header included. */
export function blockSize(pointer: usize): u32 {
  return blockOf(pointer).size;
}

/** Notes of the first page of the arena that holds this address. */
// prettier-ignore
@inline
function arenaOf(address: usize): Notes {
  return notesOf(notesAt(address).fresh);
}

/** Number of the list for a free block of this size. */
// prettier-ignore
@inline
function listOf(size: u32): u32 {
  const power = 31 - clz(size);
  return ((power - FIRST_LEVEL) << 4) | ((size >> (power - 4)) & 15);
}

/**
 * A free block of at least this size: the first of the smallest list all of whose blocks are large enough. 0:
 * none.
 */
function findFree(size: u32): Block {
  const power = 31 - clz(size);
  const list = listOf(size + ((((<u32>1) << (power - 4)) - 1) & SIZE_MASK));
  let level = list >> 4;
  let bits = load<u32>(levels + ((<usize>level) << 2)) & (~(<u32>0) << (list & 15));
  if (!bits) {
    // 31 - FIRST_LEVEL is the highest level, so the shift is under 32.
    const higher = powers & (~(<u32>0) << (level + 1));
    if (!higher) return changetype<Block>(0);
    level = ctz(higher);
    bits = load<u32>(levels + ((<usize>level) << 2));
  }
  return changetype<Block>(<usize>load<u32>(heads + ((<usize>((level << 4) | ctz(bits))) << 2)));
}

/** Writes a free block's words, tells the block after it, and lists it. Neither neighbour is free. */
function setFree(block: Block, size: u32, listed: bool): void {
  block.head = size;
  const after = block.after;
  store<u32>(changetype<usize>(after) - 4, size);
  after.head |= BEFORE_FREE;
  if (listed) link(block, size);
}

function link(block: Block, size: u32): void {
  const list = listOf(size);
  const head = heads + ((<usize>list) << 2);
  const first = changetype<Block>(<usize>load<u32>(head));
  block.next = first;
  block.previous = changetype<Block>(0);
  if (first) first.previous = block;
  store<u32>(head, <u32>changetype<usize>(block));
  const level = levels + ((<usize>(list >> 4)) << 2);
  store<u32>(level, load<u32>(level) | (1 << (list & 15)));
  powers |= 1 << (list >> 4);
}

function unlink(block: Block, size: u32): void {
  const next = block.next;
  const previous = block.previous;
  if (next) next.previous = previous;
  if (previous) {
    previous.next = next;
    return;
  }
  const list = listOf(size);
  store<u32>(heads + ((<usize>list) << 2), <u32>changetype<usize>(next));
  if (next) return;
  const level = levels + ((<usize>(list >> 4)) << 2);
  const bits = load<u32>(level) & ~(1 << (list & 15));
  store<u32>(level, bits);
  if (!bits) powers &= ~(1 << (list >> 4));
}

/** An arena with room for a block of `size`: one free block, in no list, which is returned. 0: no memory. */
function newArena(size: u32): Block {
  const needed = (size + TRAILER + PAGE_SIZE - 1) >> PAGE_BITS;
  const wanted = needed > SHARED_PAGES ? needed : max(ARENA_PAGES, needed * 8);
  let pages = wanted;
  let first = takeFreePages(pages);
  while (!first && pages > needed) {
    pages = max(needed, pages >> 1);
    first = takeFreePages(pages);
  }
  if (!first) {
    pages = wanted;
    first = takePagesOrSpare(pages);
  }
  if (!first) {
    pages = needed;
    first = takePagesOrSpare(pages);
    if (!first) return changetype<Block>(0);
  }
  for (let page = first; page < first + pages; page++) {
    const notes = notesOf(page);
    notes.kind = KIND_LARGE_REST;
    notes.fresh = first;
  }
  const arena = notesOf(first);
  arena.kind = KIND_LARGE;
  arena.bucket = 0;
  arena.tag = 0;
  arena.free = 0;
  arena.used = 0;
  arena.extent = pages;
  arena.next = arenas;
  arena.previous = changetype<Notes>(0);
  if (arenas) arenas.previous = arena;
  arenas = arena;
  const block = firstOf(arena);
  block.head = (pages << PAGE_BITS) - TRAILER;
  block.after.head = IN_USE;
  return block;
}

/** An arena's first block. */
// prettier-ignore
@inline
function firstOf(arena: Notes): Block {
  return changetype<Block>(arena.page);
}

/** Gives an arena's pages back; none of its blocks is in use, and none is in a list. */
function dropArena(arena: Notes): void {
  const next = arena.next;
  const previous = arena.previous;
  if (next) next.previous = previous;
  if (previous) previous.next = next;
  else arenas = next;
  givePages(arena.number, arena.extent);
}

/** Forgets every arena; the pages are the caller's to give back. */
export function largeReset(): void {
  memory.fill(heads, 0, 1792);
  memory.fill(levels, 0, 112);
  powers = 0;
  arenas = changetype<Notes>(0);
  closed = changetype<Notes>(0);
}

// ── Compaction (compact.ts) ────────────────────────────────────────────────────────────────────────────────

/**
 * Closes the arena with the smallest part in use, at most 6/8, of those that hold movable blocks alone and
 * for whose blocks the others have bytes: nothing is taken from it any more. O(arenas) + O(its blocks).
 * @returns false when there is none
 */
export function closeSparsestArena(): bool {
  let best = changetype<Notes>(0);
  let share: u64 = 6;
  let room: u64 = 0;
  for (let arena = arenas; arena; arena = arena.next) {
    if (arena.used || arena.tag & STUCK) continue;
    const bytes = (<u64>arena.extent) << PAGE_BITS;
    const used = <u64>arena.free;
    room += bytes - used;
    if (used << 3 >= bytes * share) continue;
    best = arena;
    share = (used << 3) / bytes + 1;
  }
  if (!best || room < (<u64>best.extent) << PAGE_BITS) return false;
  best.bucket = VICTIM;
  closed = best;
  eachFree(best, false);
  return true;
}

/** Lists or unlists the free blocks of an arena. */
function eachFree(arena: Notes, listed: bool): void {
  for (let block = firstOf(arena); block.size; block = block.after) {
    if (!block.isFree) continue;
    if (listed) link(block, block.size);
    else unlink(block, block.size);
  }
}

/**
 * The first block in use of the closed arena, 0: none is closed. Free neighbours are one block, so this is
 * the first or the second.
 */
export function firstOfClosedArena(): usize {
  if (!closed) return 0;
  const block = firstOf(closed);
  return changetype<usize>(block.isFree ? block.after : block) + HEADER;
}

/** Opens the closed arena again, marked as one that cannot be emptied. O(its blocks). */
export function reopenArena(): void {
  if (!closed) return;
  closed.bucket = 0;
  closed.tag = STUCK;
  eachFree(closed, true);
  closed = changetype<Notes>(0);
}

// ── Checking ───────────────────────────────────────────────────────────────────────────────────────────────

/**
 * Walks all arenas. O(blocks).
 * @returns 0, or the first rule that does not hold, a literal: 1 not an arena, 2 a flag about the block
 *   before, 3 free neighbours or a wrong last word, 4 the end, 5 the notes' sums
 */
export function checkLarge(): usize {
  for (let arena = arenas; arena; arena = arena.next) {
    if (arena.kind != KIND_LARGE) return changetype<usize>("a run of large blocks, rule 1");
    const broken = checkArena(arena);
    if (broken) return broken;
  }
  return 0;
}

function checkArena(arena: Notes): usize {
  let used: u32 = 0;
  let fixed: u32 = 0;
  let before: u32 = IN_USE;
  let block = firstOf(arena);
  for (; block.size; block = block.after) {
    if (((block.head & BEFORE_FREE) != 0) == ((before & IN_USE) != 0)) return changetype<usize>("a run of large blocks, rule 2");
    if (!block.isFree) used += block.size;
    else if (!(before & IN_USE) || load<u32>(changetype<usize>(block.after) - 4) != block.size) {
      return changetype<usize>("a run of large blocks, rule 3");
    }
    if (block.head & OF_FIXED) fixed++;
    before = block.head;
  }
  const end = arena.page + ((<usize>arena.extent) << PAGE_BITS) - <usize>TRAILER;
  if (changetype<usize>(block) != end) return changetype<usize>("a run of large blocks, rule 4");
  return used == <u32>arena.free && fixed == <u32>arena.used ? 0 : changetype<usize>("a run of large blocks, rule 5");
}

/** What another file takes over in the same memory (carry.ts). */
export function carryLarge(): void {
  carryArea(heads, 1792);
  carryArea(levels, 112);
  powers = carryWord<u32>(powers);
  arenas = carryWord<Notes>(arenas);
  closed = carryWord<Notes>(closed);
}
