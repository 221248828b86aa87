/**
 * Slabs: pages cut into blocks of one size, for blocks up to 2 KiB (and the 4 KiB of a table's segment). No block has a header: the page's
 * notes know the size. Free blocks are a list through their first four bytes; the part of a page that was never used is not touched.
 *
 *     classes   4, 8, 12 … 256 (64 classes), then 32 steps for each doubling … 2048 (96 classes), then 4096
 *     pools     FIXED blocks stay where they are; MOVABLE ones may be moved by their owner (compact.ts)
 *
 * Of each class and pool one slab is active: blocks come from it alone. The others are full, or wait in one of 8 lists by how full they
 * are (eighths); when the active one is full, the fullest of these becomes active, so that sparse ones have time to become empty.
 *
 * A slab that compaction empties (the closed one) is in no list; `live` has a bit for each of its blocks.
 *
 *     notes     free: first free block, 0 = none · fresh: offset of the never used rest · used: blocks in use
 *               limit: a free that leaves `used` at or below this takes the slow path · extent: blocks that fit · class: pool × 256 + class, STUCK
 */
import {
  givePages,
  kindOf,
  KIND_SLAB,
  NOTE_BUCKET,
  NOTE_CLASS,
  NOTE_EXTENT,
  NOTE_FREE,
  NOTE_FRESH,
  NOTE_KIND,
  NOTE_LIMIT,
  NOTE_NEXT,
  NOTE_NUMBER,
  NOTE_PREVIOUS,
  NOTE_USED,
  notesOf,
  PAGE_BITS,
  PAGE_SIZE,
  STUCK,
  takePages,
  VICTIM,
} from "./pages";

export const FIXED: u32 = 0;
export const MOVABLE: u32 = 1;
export const SMALL_MAX: u32 = 2048;
export const SEGMENT_SIZE: u32 = 4096;
const SEGMENT_CLASS: u32 = 160;
const CLASSES: u32 = 161;
const BUCKETS: u32 = 8;
/** A slab in no list: the active one, or full. */
const UNLISTED: u8 = 255;
/** A class's row: the active slab's notes (u32), the heads of its lists (8 × u32), how many slabs are in each (8 × u16). */
const ROW_BYTES: usize = 52;
const ROW_HEADS: usize = 4;
const ROW_COUNTS: usize = 36;

/** Rows of both pools: CLASSES × 2 × 52 bytes. */
const rows: usize = memory.data(16744, 16);
/** Of the closed slab: bit i is set while block i is in use. 65536 / 4 bits, and a byte to spare. */
const live: usize = memory.data(2056, 16);
/** Notes of the closed slab, 0: none. */
let closed: usize = 0;

/** One slab of all that is empty may keep its page, so that a block freed and asked for in turn costs no page. */
let spare: usize = 0;

/** Whether blocks of `size` bytes live in slabs. */
// prettier-ignore
@inline
export function isSmall(size: u32): bool {
  return size <= SMALL_MAX || size == SEGMENT_SIZE;
}

/** Class of a small size. */
// prettier-ignore
@inline
export function classOf(size: u32): u32 {
  if (size <= 256) return ((size + 3) >> 2) - u32(size != 0);
  if (size == SEGMENT_SIZE) return SEGMENT_CLASS;
  const exponent = 31 - clz(size - 1);
  return 64 + ((exponent - 8) << 5) + (((size - 1) >> (exponent - 5)) & 31);
}

/** Bytes of a block of this class. */
// prettier-ignore
@inline
export function classSize(index: u32): u32 {
  if (index < 64) return (index + 1) << 2;
  if (index == SEGMENT_CLASS) return SEGMENT_SIZE;
  return (33 + ((index - 64) & 31)) << (3 + ((index - 64) >> 5));
}

// prettier-ignore
@inline
function rowOf(pool: u32, index: u32): usize {
  return rows + <usize>(pool * CLASSES + index) * ROW_BYTES;
}

// prettier-ignore
@inline
function rowOfNotes(notes: usize): usize {
  const tag = <u32>load<u16>(notes, NOTE_CLASS);
  return rowOf((tag >> 8) & 1, tag & 255);
}

/** A block of the class, 0 when the memory cannot grow. O(1) but for a search for a page. */
// prettier-ignore
@inline
export function slabAlloc(pool: u32, index: u32): usize {
  const notes = <usize>load<u32>(rowOf(pool, index));
  if (notes) {
    const block = <usize>load<u32>(notes, NOTE_FREE);
    if (block) {
      store<u32>(notes, load<u32>(block), NOTE_FREE);
      store<u16>(notes, load<u16>(notes, NOTE_USED) + 1, NOTE_USED);
      return block;
    }
  }
  return allocSlow(pool, index);
}

/** Whether a fixed block of the class can be had without another page. O(1). */
export function hasRoom(index: u32): bool {
  const row = rowOf(FIXED, index);
  const notes = <usize>load<u32>(row);
  if (notes && (load<u32>(notes, NOTE_FREE) || load<u32>(notes, NOTE_FRESH) + classSize(index) <= PAGE_SIZE)) return true;
  for (let bucket: usize = 0; bucket < BUCKETS; bucket++) if (load<u32>(row + ROW_HEADS + (bucket << 2))) return true;
  return false;
}

/** Takes a block from the active slab's never used part, or makes another slab active. */
function allocSlow(pool: u32, index: u32): usize {
  const row = rowOf(pool, index);
  let notes = <usize>load<u32>(row);
  if (notes) {
    const block = takeFresh(notes, index);
    if (block) return block;
  }
  const next = nextSlab(pool, index, row);
  if (!next) return 0;
  if (notes) retire(notes);
  store<u32>(row, <u32>next);
  const block = <usize>load<u32>(next, NOTE_FREE);
  if (!block) return takeFresh(next, index);
  store<u32>(next, load<u32>(block), NOTE_FREE);
  store<u16>(next, load<u16>(next, NOTE_USED) + 1, NOTE_USED);
  return block;
}

function takeFresh(notes: usize, index: u32): usize {
  const size = classSize(index);
  const fresh = load<u32>(notes, NOTE_FRESH);
  if (fresh + size > PAGE_SIZE) return 0;
  store<u32>(notes, fresh + size, NOTE_FRESH);
  store<u16>(notes, load<u16>(notes, NOTE_USED) + 1, NOTE_USED);
  return ((<usize>load<u32>(notes, NOTE_NUMBER)) << PAGE_BITS) + <usize>fresh;
}

/** The fullest slab that waits, else a new one; its limit set as an active slab's. 0: no memory. */
function nextSlab(pool: u32, index: u32, row: usize): usize {
  for (let bucket: i32 = BUCKETS - 1; bucket >= 0; bucket--) {
    const notes = <usize>load<u32>(row + ROW_HEADS + ((<usize>bucket) << 2));
    if (!notes) continue;
    unlist(notes, row);
    store<u16>(notes, 0, NOTE_LIMIT);
    return notes;
  }
  const page = takePagesOrSpare(1);
  if (!page) return 0;
  const notes = notesOf(page);
  store<u32>(notes, 0, NOTE_FREE);
  store<u32>(notes, 0, NOTE_FRESH);
  store<u32>(notes, 0, NOTE_USED);
  store<u16>(notes, <u16>((pool << 8) | index), NOTE_CLASS);
  store<u8>(notes, KIND_SLAB, NOTE_KIND);
  store<u8>(notes, UNLISTED, NOTE_BUCKET);
  store<u32>(notes, PAGE_SIZE / classSize(index), NOTE_EXTENT);
  return notes;
}

/** The active slab is full: it is in no list until a block of it is freed. */
function retire(notes: usize): void {
  store<u16>(notes, <u16>(load<u32>(notes, NOTE_EXTENT) - 1), NOTE_LIMIT);
}

/** Bytes of each block of the slab with these notes. */
export function slabSize(notes: usize): u32 {
  return classSize((<u32>load<u16>(notes, NOTE_CLASS)) & 255);
}

/** Frees a block of a slab. O(1). */
// prettier-ignore
@inline
export function slabFree(notes: usize, block: usize): void {
  store<u32>(block, load<u32>(notes, NOTE_FREE));
  store<u32>(notes, <u32>block, NOTE_FREE);
  const used = load<u16>(notes, NOTE_USED) - 1;
  store<u16>(notes, used, NOTE_USED);
  if (used <= load<u16>(notes, NOTE_LIMIT)) freeSlow(notes, used, block);
}

/** Moves the slab to the list of its fullness, or gives its page back. */
function freeSlow(notes: usize, used: u32, block: usize): void {
  if (notes == closed) {
    freeClosed(notes, used, block);
    return;
  }
  const row = rowOfNotes(notes);
  if (!used) {
    release(notes, row);
    return;
  }
  if (<usize>load<u32>(row) == notes) return;
  if (load<u8>(notes, NOTE_BUCKET) != UNLISTED) unlist(notes, row);
  enlist(notes, row, used);
}

/** An empty slab: it stays as the one spare, and the spare before it goes. */
function release(notes: usize, row: usize): void {
  if (spare == notes) return;
  const old = spare;
  spare = notes;
  if (<usize>load<u32>(row) != notes) {
    if (load<u8>(notes, NOTE_BUCKET) != UNLISTED) unlist(notes, row);
    enlist(notes, row, 0);
  }
  if (old) dropEmpty(old);
}

/** Gives the page of the former spare back if it is still an empty slab. */
function dropEmpty(notes: usize): void {
  if (load<u8>(notes, NOTE_KIND) != KIND_SLAB || load<u16>(notes, NOTE_USED)) return;
  const row = rowOfNotes(notes);
  if (<usize>load<u32>(row) == notes) store<u32>(row, 0);
  else if (load<u8>(notes, NOTE_BUCKET) != UNLISTED) unlist(notes, row);
  givePages(load<u32>(notes, NOTE_NUMBER), 1);
}

/** As takePages; when no page can be had, the spare is given up first. */
export function takePagesOrSpare(count: u32): u32 {
  const page = takePages(count);
  return page || !dropSpare() ? page : takePages(count);
}

/** Gives the spare's page back; false where there was none. After it, no slab in a list is empty. */
function dropSpare(): bool {
  const old = spare;
  spare = 0;
  if (old) dropEmpty(old);
  return old != 0;
}

function enlist(notes: usize, row: usize, used: u32): void {
  const extent = load<u32>(notes, NOTE_EXTENT);
  const bucket = (used * BUCKETS) / extent;
  const head = row + ROW_HEADS + ((<usize>bucket) << 2);
  const first = <usize>load<u32>(head);
  store<u32>(notes, <u32>first, NOTE_NEXT);
  store<u32>(notes, 0, NOTE_PREVIOUS);
  if (first) store<u32>(first, <u32>notes, NOTE_PREVIOUS);
  store<u32>(head, <u32>notes);
  const count = row + ROW_COUNTS + ((<usize>bucket) << 1);
  store<u16>(count, load<u16>(count) + 1);
  store<u8>(notes, <u8>bucket, NOTE_BUCKET);
  // The next list below begins where used × 8 / extent falls under `bucket`.
  const floor = (bucket * extent + BUCKETS - 1) / BUCKETS;
  store<u16>(notes, <u16>(floor ? floor - 1 : 0), NOTE_LIMIT);
}

function unlist(notes: usize, row: usize): void {
  const next = <usize>load<u32>(notes, NOTE_NEXT);
  const previous = <usize>load<u32>(notes, NOTE_PREVIOUS);
  const bucket = <usize>load<u8>(notes, NOTE_BUCKET);
  if (next) store<u32>(next, <u32>previous, NOTE_PREVIOUS);
  if (previous) store<u32>(previous, <u32>next, NOTE_NEXT);
  else store<u32>(row + ROW_HEADS + (bucket << 2), <u32>next);
  const count = row + ROW_COUNTS + (bucket << 1);
  store<u16>(count, load<u16>(count) - 1);
  store<u8>(notes, UNLISTED, NOTE_BUCKET);
}

/** Forgets every slab; the pages are the caller's to give back. */
export function slabReset(): void {
  memory.fill(rows, 0, <usize>(CLASSES * 2) * ROW_BYTES);
  spare = 0;
  closed = 0;
}

// ── Compaction (compact.ts) ─────────────────────────────────────────────────────────────────────────────────────────

/**
 * Closes the sparsest slab of movable blocks among those whose blocks have room in other slabs of their class: nothing is taken from it
 * any more. Room is counted in eighths of a slab, for the worst that its list allows. O(classes) + O(blocks of one page).
 * @returns false when there is none
 */
export function closeSparsestSlab(): bool {
  dropSpare();
  let best: usize = 0;
  let bestBucket: u32 = BUCKETS - 1;
  for (let index: u32 = 0; index < CLASSES; index++) {
    const row = rowOf(MOVABLE, index);
    if (v128.any_true(v128.load(row + ROW_COUNTS))) {
      const bucket = sparsestBucket(row);
      if (bucket < bestBucket) {
        const slab = firstUnstuck(row, bucket);
        if (slab) {
          best = slab;
          bestBucket = bucket;
        }
      }
    }
  }
  if (!best) return false;
  unlist(best, rowOfNotes(best));
  store<u8>(best, VICTIM, NOTE_BUCKET);
  store<u16>(best, 65535, NOTE_LIMIT);
  closed = best;
  markLive(best);
  return true;
}

/** The lowest of a row's lists that is not empty, if the other listed slabs have room for one of its slabs; BUCKETS if not. */
function sparsestBucket(row: usize): u32 {
  let lowest: u32 = BUCKETS;
  let room: u32 = 0;
  for (let bucket: u32 = 0; bucket < BUCKETS; bucket++) {
    const slabs = <u32>load<u16>(row + ROW_COUNTS + ((<usize>bucket) << 1));
    if (slabs && lowest == BUCKETS) lowest = bucket;
    room += slabs * (BUCKETS - 1 - bucket);
  }
  if (lowest == BUCKETS) return BUCKETS;
  return room - (BUCKETS - 1 - lowest) > lowest ? lowest : BUCKETS;
}

/** A slab of the list that is not marked as stuck, among its first 16. */
function firstUnstuck(row: usize, bucket: u32): usize {
  let notes = <usize>load<u32>(row + ROW_HEADS + ((<usize>bucket) << 2));
  for (let tries = 0; notes && tries < 16; tries++) {
    if (!(load<u16>(notes, NOTE_CLASS) & STUCK)) return notes;
    notes = <usize>load<u32>(notes, NOTE_NEXT);
  }
  return 0;
}

/** Sets `live` for the blocks in use: all that were ever used but the free ones. */
function markLive(notes: usize): void {
  const size = classSize((<u32>load<u16>(notes, NOTE_CLASS)) & 255);
  const touched = load<u32>(notes, NOTE_FRESH) / size;
  memory.fill(live, 255, <usize>(touched >> 3));
  memory.fill(live + <usize>(touched >> 3), 0, 2048 - <usize>(touched >> 3));
  store<u8>(live + <usize>(touched >> 3), <u8>((((<u32>1) << (touched & 7)) - 1) & 255));
  for (let block = <usize>load<u32>(notes, NOTE_FREE); block; block = <usize>load<u32>(block)) unmark(block, size);
}

function unmark(block: usize, size: u32): void {
  const index = ((<u32>block) & (PAGE_SIZE - 1)) / size;
  const byte = live + <usize>(index >> 3);
  store<u8>(byte, <u8>((<u32>load<u8>(byte)) & ~(1 << (index & 7))));
}

/** A block of the closed slab is free: when it was the last, so is the page. */
function freeClosed(notes: usize, used: u32, block: usize): void {
  unmark(block, classSize((<u32>load<u16>(notes, NOTE_CLASS)) & 255));
  if (used) return;
  closed = 0;
  givePages(load<u32>(notes, NOTE_NUMBER), 1);
}

/** The lowest block in use of the closed slab; 0: no slab is closed. */
export function firstOfClosedSlab(): usize {
  if (!closed) return 0;
  let word = live;
  while (!load<u64>(word)) word += 8;
  const index = ((<u32>(word - live)) << 3) + <u32>ctz(load<u64>(word));
  const size = classSize((<u32>load<u16>(closed, NOTE_CLASS)) & 255);
  return ((<usize>load<u32>(closed, NOTE_NUMBER)) << PAGE_BITS) + <usize>(index * size);
}

/** Opens the closed slab again, marked as one that cannot be emptied. */
export function reopenSlab(): void {
  if (!closed) return;
  const notes = closed;
  closed = 0;
  store<u8>(notes, UNLISTED, NOTE_BUCKET);
  store<u16>(notes, load<u16>(notes, NOTE_CLASS) | STUCK, NOTE_CLASS);
  enlist(notes, rowOfNotes(notes), load<u16>(notes, NOTE_USED));
}

// ── Checking ────────────────────────────────────────────────────────────────────────────────────────────────────────

/**
 * Whether a slab's notes agree with its free list and its row. O(its free blocks).
 * @returns 0, or 1 the number of blocks, 2 a free block out of place, 3 a list that should (not) hold the slab
 */
export function checkSlab(notes: usize): u32 {
  const size = classSize((<u32>load<u16>(notes, NOTE_CLASS)) & 255);
  const fresh = load<u32>(notes, NOTE_FRESH);
  const start = (<usize>load<u32>(notes, NOTE_NUMBER)) << PAGE_BITS;
  let free: u32 = 0;
  for (let block = <usize>load<u32>(notes, NOTE_FREE); block; block = <usize>load<u32>(block)) {
    if (block < start || block - start >= <usize>fresh || <u32>(block - start) % size) return 2;
    if (++free > fresh / size) return 1;
  }
  const used = <u32>load<u16>(notes, NOTE_USED);
  const extent = load<u32>(notes, NOTE_EXTENT);
  if (used + free != fresh / size || extent != PAGE_SIZE / size) return 1;
  const bucket = <u32>load<u8>(notes, NOTE_BUCKET);
  if (notes == closed) return bucket == VICTIM ? 0 : 3;
  if (<usize>load<u32>(rowOfNotes(notes)) == notes) return bucket == UNLISTED ? 0 : 3;
  if (bucket == UNLISTED) return used == extent ? 0 : 3;
  return bucket == (used * BUCKETS) / extent ? 0 : 3;
}

/** Bytes in use of a slab's blocks. O(1). */
export function slabUsed(notes: usize): u32 {
  return classSize((<u32>load<u16>(notes, NOTE_CLASS)) & 255) * load<u16>(notes, NOTE_USED);
}
