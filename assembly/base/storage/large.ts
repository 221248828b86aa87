/**
 * Blocks over 2 KiB (but for segments): arenas, runs of pages that are cut into blocks of any multiple of 16 bytes. Free neighbours
 * join, and a wholly free arena gives its pages back. Free blocks are in lists by size, two levels deep (TLSF: the power of two, then
 * sixteenths of it), so that alloc and free take a bounded number of steps.
 *
 *     block in use    | size, flags | the caller's bytes …                                     |
 *     free block      | size, flags | next | previous | … | size |        (the last word only where free)
 *     arena           | block | block | … | end mark: size 0, in use | 12 bytes |
 *
 *     size            of the whole block, a multiple of 16
 *     flags           bit 0 in use · bit 1 the block before is free (its last word is then its size) · bit 2 FIXED pool
 *
 *     notes           of an arena's first page: free: bytes in use · used: blocks of the FIXED pool · next, previous: of all arenas
 *                     extent: pages · bucket: VICTIM while it is being emptied. Of every page: fresh: number of the first page
 */
import {
  givePages,
  KIND_LARGE,
  KIND_LARGE_REST,
  NOTE_BUCKET,
  NOTE_CLASS,
  NOTE_EXTENT,
  NOTE_FREE,
  NOTE_FRESH,
  NOTE_KIND,
  NOTE_NEXT,
  NOTE_NUMBER,
  NOTE_PREVIOUS,
  NOTE_USED,
  notesOf,
  PAGE_BITS,
  PAGE_SIZE,
  STUCK,
  takeFreePages,
  VICTIM,
} from "./pages";
import { FIXED, takePagesOrSpare } from "./slab";

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

/** Heads of the lists: 28 powers of two × 16. */
const heads: usize = memory.data(1792, 16);
/** For each power of two: which of its 16 lists have blocks. */
const levels: usize = memory.data(112, 16);
/** Which powers of two have blocks. */
let powers: u32 = 0;
/** All arenas: notes of the first one. */
let arenas: usize = 0;
/** Notes of the closed arena, the one that compaction empties; 0: none. */
let closed: usize = 0;

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
  if (block) unlink(block, load<u32>(block) & SIZE_MASK);
  else {
    block = newArena(wanted);
    if (!block) return 0;
  }
  const found = load<u32>(block) & SIZE_MASK;
  const flags = IN_USE | (pool == FIXED ? OF_FIXED : 0);
  // The block before a free one is in use: free neighbours always join.
  store<u32>(block, wanted | flags);
  const rest = block + <usize>wanted;
  if (found == wanted) store<u32>(rest, load<u32>(rest) & ~BEFORE_FREE);
  else setFree(rest, found - wanted, true);
  const arena = arenaOf(block);
  store<u32>(arena, load<u32>(arena, NOTE_FREE) + wanted, NOTE_FREE);
  if (pool == FIXED) store<u16>(arena, load<u16>(arena, NOTE_USED) + 1, NOTE_USED);
  return block + HEADER;
}

/** Frees a block of largeAlloc. O(1), and the pages of an arena when it was its last block. */
export function largeFree(pointer: usize): void {
  let block = pointer - HEADER;
  const head = load<u32>(block);
  let size = head & SIZE_MASK;
  const arena = arenaOf(block);
  const listed = arena != closed;
  const left = load<u32>(arena, NOTE_FREE) - size;
  store<u32>(arena, left, NOTE_FREE);
  if (head & OF_FIXED) store<u16>(arena, load<u16>(arena, NOTE_USED) - 1, NOTE_USED);
  const after = block + <usize>size;
  const next = load<u32>(after);
  if (!(next & IN_USE)) {
    if (listed) unlink(after, next & SIZE_MASK);
    size += next & SIZE_MASK;
  }
  if (head & BEFORE_FREE) {
    const before = load<u32>(block - 4);
    block -= <usize>before;
    if (listed) unlink(block, before);
    size += before;
  }
  if (!left) {
    if (arena == closed) closed = 0;
    dropArena(arena);
  } else setFree(block, size, listed);
}

/** Bytes that a block of largeAlloc takes, its header included. */
export function blockSize(pointer: usize): u32 {
  return load<u32>(pointer - HEADER) & SIZE_MASK;
}

/** Notes of the first page of the arena that holds this address. */
// prettier-ignore
@inline
function arenaOf(address: usize): usize {
  return notesOf(load<u32>(notesOf(<u32>(address >> PAGE_BITS)), NOTE_FRESH));
}

/** Number of the list for a free block of this size. */
// prettier-ignore
@inline
function listOf(size: u32): u32 {
  const power = 31 - clz(size);
  return ((power - FIRST_LEVEL) << 4) | ((size >> (power - 4)) & 15);
}

/** A free block of at least this size: the first of the smallest list all of whose blocks are large enough. 0: none. */
function findFree(size: u32): usize {
  const power = 31 - clz(size);
  const list = listOf(size + ((((<u32>1) << (power - 4)) - 1) & SIZE_MASK));
  let level = list >> 4;
  let bits = load<u32>(levels + ((<usize>level) << 2)) & (~(<u32>0) << (list & 15));
  if (!bits) {
    // 31 - FIRST_LEVEL is the highest level, so the shift is under 32.
    const higher = powers & (~(<u32>0) << (level + 1));
    if (!higher) return 0;
    level = ctz(higher);
    bits = load<u32>(levels + ((<usize>level) << 2));
  }
  return <usize>load<u32>(heads + ((<usize>((level << 4) | ctz(bits))) << 2));
}

/** Writes a free block's words, tells the block after it, and lists it. Neither neighbour is free. */
function setFree(block: usize, size: u32, listed: bool): void {
  store<u32>(block, size);
  const after = block + <usize>size;
  store<u32>(after - 4, size);
  store<u32>(after, load<u32>(after) | BEFORE_FREE);
  if (listed) link(block, size);
}

function link(block: usize, size: u32): void {
  const list = listOf(size);
  const head = heads + ((<usize>list) << 2);
  const first = <usize>load<u32>(head);
  store<u32>(block, <u32>first, 4);
  store<u32>(block, 0, 8);
  if (first) store<u32>(first, <u32>block, 8);
  store<u32>(head, <u32>block);
  const level = levels + ((<usize>(list >> 4)) << 2);
  store<u32>(level, load<u32>(level) | (1 << (list & 15)));
  powers |= 1 << (list >> 4);
}

function unlink(block: usize, size: u32): void {
  const next = <usize>load<u32>(block, 4);
  const previous = <usize>load<u32>(block, 8);
  if (next) store<u32>(next, <u32>previous, 8);
  if (previous) {
    store<u32>(previous, <u32>next, 4);
    return;
  }
  const list = listOf(size);
  store<u32>(heads + ((<usize>list) << 2), <u32>next);
  if (next) return;
  const level = levels + ((<usize>(list >> 4)) << 2);
  const bits = load<u32>(level) & ~(1 << (list & 15));
  store<u32>(level, bits);
  if (!bits) powers &= ~(1 << (list >> 4));
}

/** An arena with room for a block of `size`: one free block, in no list, which is returned. 0: no memory. */
function newArena(size: u32): usize {
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
    if (!first) return 0;
  }
  for (let page = first; page < first + pages; page++) {
    const notes = notesOf(page);
    store<u8>(notes, KIND_LARGE_REST, NOTE_KIND);
    store<u32>(notes, first, NOTE_FRESH);
  }
  const arena = notesOf(first);
  store<u8>(arena, KIND_LARGE, NOTE_KIND);
  store<u8>(arena, 0, NOTE_BUCKET);
  store<u16>(arena, 0, NOTE_CLASS);
  store<u32>(arena, 0, NOTE_FREE);
  store<u16>(arena, 0, NOTE_USED);
  store<u32>(arena, pages, NOTE_EXTENT);
  store<u32>(arena, <u32>arenas, NOTE_NEXT);
  store<u32>(arena, 0, NOTE_PREVIOUS);
  if (arenas) store<u32>(arenas, <u32>arena, NOTE_PREVIOUS);
  arenas = arena;
  const block = (<usize>first) << PAGE_BITS;
  const room = (pages << PAGE_BITS) - TRAILER;
  store<u32>(block, room);
  store<u32>(block + <usize>room, IN_USE);
  return block;
}

/** Gives an arena's pages back; none of its blocks is in use, and none is in a list. */
function dropArena(arena: usize): void {
  const next = <usize>load<u32>(arena, NOTE_NEXT);
  const previous = <usize>load<u32>(arena, NOTE_PREVIOUS);
  if (next) store<u32>(next, <u32>previous, NOTE_PREVIOUS);
  if (previous) store<u32>(previous, <u32>next, NOTE_NEXT);
  else arenas = next;
  givePages(load<u32>(arena, NOTE_NUMBER), load<u32>(arena, NOTE_EXTENT));
}

/** Forgets every arena; the pages are the caller's to give back. */
export function largeReset(): void {
  memory.fill(heads, 0, 1792);
  memory.fill(levels, 0, 112);
  powers = 0;
  arenas = 0;
  closed = 0;
}

// ── Compaction (compact.ts) ─────────────────────────────────────────────────────────────────────────────────────────

/**
 * Closes the arena with the smallest part in use, at most 6/8, of those that hold movable blocks alone and for whose blocks the
 * others have bytes: nothing is taken from it any more. O(arenas) + O(its blocks).
 * @returns false when there is none
 */
export function closeSparsestArena(): bool {
  let best: usize = 0;
  let share: u64 = 6;
  let room: u64 = 0;
  for (let arena = arenas; arena; arena = <usize>load<u32>(arena, NOTE_NEXT)) {
    if (load<u16>(arena, NOTE_USED) || load<u16>(arena, NOTE_CLASS) & STUCK) continue;
    const bytes = (<u64>load<u32>(arena, NOTE_EXTENT)) << PAGE_BITS;
    const used = <u64>load<u32>(arena, NOTE_FREE);
    room += bytes - used;
    if (used << 3 >= bytes * share) continue;
    best = arena;
    share = (used << 3) / bytes + 1;
  }
  if (!best || room < (<u64>load<u32>(best, NOTE_EXTENT)) << PAGE_BITS) return false;
  store<u8>(best, VICTIM, NOTE_BUCKET);
  closed = best;
  eachFree(best, false);
  return true;
}

/** Lists or unlists the free blocks of an arena. */
function eachFree(arena: usize, listed: bool): void {
  let block = (<usize>load<u32>(arena, NOTE_NUMBER)) << PAGE_BITS;
  for (let head = load<u32>(block); head & SIZE_MASK; head = load<u32>(block)) {
    if (!(head & IN_USE)) {
      if (listed) link(block, head & SIZE_MASK);
      else unlink(block, head & SIZE_MASK);
    }
    block += <usize>(head & SIZE_MASK);
  }
}

/** The first block in use of the closed arena, 0: none is closed. Free neighbours are one block, so this is the first or the second. */
export function firstOfClosedArena(): usize {
  if (!closed) return 0;
  const block = (<usize>load<u32>(closed, NOTE_NUMBER)) << PAGE_BITS;
  const head = load<u32>(block);
  return (head & IN_USE ? block : block + <usize>(head & SIZE_MASK)) + HEADER;
}

/** Opens the closed arena again, marked as one that cannot be emptied. O(its blocks). */
export function reopenArena(): void {
  if (!closed) return;
  store<u8>(closed, 0, NOTE_BUCKET);
  store<u16>(closed, STUCK, NOTE_CLASS);
  eachFree(closed, true);
  closed = 0;
}

// ── Checking ────────────────────────────────────────────────────────────────────────────────────────────────────────

/**
 * Walks all arenas. O(blocks).
 * @returns 0, or 1 not an arena, 2 a flag about the block before, 3 free neighbours or a wrong last word, 4 the end, 5 the notes' sums
 */
export function checkLarge(): u32 {
  for (let arena = arenas; arena; arena = <usize>load<u32>(arena, NOTE_NEXT)) {
    if (load<u8>(arena, NOTE_KIND) != KIND_LARGE) return 1;
    const start = (<usize>load<u32>(arena, NOTE_NUMBER)) << PAGE_BITS;
    let block = start;
    let used: u32 = 0;
    let fixed: u32 = 0;
    let before: u32 = IN_USE;
    for (let head = load<u32>(block); head & SIZE_MASK; head = load<u32>(block)) {
      const size = head & SIZE_MASK;
      if (((head & BEFORE_FREE) != 0) == ((before & IN_USE) != 0)) return 2;
      if (head & IN_USE) used += size;
      else if (!(before & IN_USE) || load<u32>(block + <usize>size - 4) != size) return 3;
      if (head & OF_FIXED) fixed++;
      before = head;
      block += <usize>size;
    }
    if (block - start != ((<usize>load<u32>(arena, NOTE_EXTENT)) << PAGE_BITS) - <usize>TRAILER) return 4;
    if (used != load<u32>(arena, NOTE_FREE) || fixed != <u32>load<u16>(arena, NOTE_USED)) return 5;
  }
  return 0;
}
