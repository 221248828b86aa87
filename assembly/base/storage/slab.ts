/**
 * Slabs: pages cut into blocks of one size, for blocks up to 2 KiB (and those of a table's segments). No
 * block has a header: the page's notes know the size. Free blocks are a list through their first four bytes;
 * the part of a page that was never used is not touched.
 *
 *     classes   4, 5, 6 … 64 (61 classes), then 32 steps for each doubling … 2048 (160
 *               classes), then 4096 and 5952
 *     pools     FIXED blocks stay where they are; MOVABLE ones may be moved by their owner (compact.ts)
 *
 * Of each class and pool one slab is active: blocks come from it alone. The others are full, or wait in one
 * of 8 lists by how full they are (eighths); when the active one is full, the fullest of these becomes
 * active, so that sparse ones have time to become empty.
 *
 * A slab that compaction empties (the closed one) is in no list; `live` has a bit for each of its blocks.
 *
 *     notes     free: first free block, 0 = none · fresh: offset of the never used rest · used: blocks in use
 *               limit: a free that leaves `used` at or below this takes the slow path
 *               extent: blocks that fit · tag: pool × 256 + class, STUCK
 */
import { BUCKETS, CLASSES, classSize, enlist, FIXED, forgetRows, MOVABLE, Row, rowOf, rowOfNotes, unlist, UNLISTED } from "./classes";
import { givePages, KIND_SLAB, Notes, notesOf, PAGE_SIZE, STUCK, takePages, VICTIM } from "./pages";
import { carryArea, carryWord } from "./carry";

/** Of the closed slab: bit i is set while block i is in use. 65536 / 4 bits, and a byte to spare. */
const live: usize = memory.data(2056, 16);
/** Notes of the closed slab, 0: none. */
let closed: Notes = changetype<Notes>(0);

/**
 * One slab of all that is empty may keep its page, so that a block freed and asked for in turn costs no page.
 */
let spare: Notes = changetype<Notes>(0);

/** A block of the class, 0 when the memory cannot grow. O(1) but for a search for a page. */
// prettier-ignore
@inline
export function slabAlloc(pool: u32, index: u32): usize {
  const notes = rowOf(pool, index).active;
  if (notes) {
    const block = notes.free;
    if (block) {
      notes.free = <usize>load<u32>(block);
      notes.used++;
      return block;
    }
  }
  return allocSlow(pool, index);
}

/** Whether a fixed block of the class can be had without another page. O(1). */
export function hasRoom(index: u32): bool {
  const row = rowOf(FIXED, index);
  const notes = row.active;
  if (notes && (notes.free || notes.fresh + classSize(index) <= PAGE_SIZE)) return true;
  for (let bucket: u32 = 0; bucket < BUCKETS; bucket++) if (row.first(bucket)) return true;
  return false;
}

/** Takes a block from the active slab's never used part, or makes another slab active. */
function allocSlow(pool: u32, index: u32): usize {
  const row = rowOf(pool, index);
  const notes = row.active;
  if (notes) {
    const block = takeFresh(notes, index);
    if (block) return block;
  }
  const next = nextSlab(pool, index, row);
  if (!next) return 0;
  if (notes) retire(notes);
  row.active = next;
  const block = next.free;
  if (!block) return takeFresh(next, index);
  next.free = <usize>load<u32>(block);
  next.used++;
  return block;
}

function takeFresh(notes: Notes, index: u32): usize {
  const size = classSize(index);
  const fresh = notes.fresh;
  if (fresh + size > PAGE_SIZE) return 0;
  notes.fresh = fresh + size;
  notes.used++;
  return notes.page + <usize>fresh;
}

/** The fullest slab that waits, else a new one; its limit set as an active slab's. 0: no memory. */
function nextSlab(pool: u32, index: u32, row: Row): Notes {
  for (let bucket: i32 = BUCKETS - 1; bucket >= 0; bucket--) {
    const notes = row.first(bucket);
    if (!notes) continue;
    unlist(notes, row);
    notes.limit = 0;
    return notes;
  }
  const page = takePagesOrSpare(1);
  if (!page) return changetype<Notes>(0);
  const notes = notesOf(page);
  notes.free = 0;
  notes.fresh = 0;
  notes.used = 0;
  notes.limit = 0;
  notes.tag = <u16>((pool << 8) | index);
  notes.kind = KIND_SLAB;
  notes.bucket = UNLISTED;
  notes.extent = PAGE_SIZE / classSize(index);
  return notes;
}

/** The active slab is full: it is in no list until a block of it is freed. */
function retire(notes: Notes): void {
  notes.limit = <u16>(notes.extent - 1);
}

/** Bytes of each block of the slab with these notes. */
export function slabSize(notes: Notes): u32 {
  return classSize((<u32>notes.tag) & 255);
}

/** Frees a block of a slab. O(1). */
// prettier-ignore
@inline
export function slabFree(notes: Notes, block: usize): void {
  store<u32>(block, <u32>notes.free);
  notes.free = block;
  const used = notes.used - 1;
  notes.used = used;
  if (used <= notes.limit) freeSlow(notes, used, block);
}

/** Moves the slab to the list of its fullness, or gives its page back. */
function freeSlow(notes: Notes, used: u32, block: usize): void {
  if (notes == closed) {
    freeClosed(notes, used, block);
    return;
  }
  const row = rowOfNotes(notes);
  if (!used) {
    release(notes, row);
    return;
  }
  if (row.active == notes) return;
  if (notes.bucket != UNLISTED) unlist(notes, row);
  enlist(notes, row, used);
}

/** An empty slab: it stays as the one spare, and the spare before it goes. */
function release(notes: Notes, row: Row): void {
  if (spare == notes) return;
  const old = spare;
  spare = notes;
  if (row.active != notes) {
    if (notes.bucket != UNLISTED) unlist(notes, row);
    enlist(notes, row, 0);
  }
  if (old) dropEmpty(old);
}

/** Gives the page of the former spare back if it is still an empty slab. */
function dropEmpty(notes: Notes): void {
  if (notes.kind != KIND_SLAB || notes.used) return;
  const row = rowOfNotes(notes);
  if (row.active == notes) row.active = changetype<Notes>(0);
  else if (notes.bucket != UNLISTED) unlist(notes, row);
  givePages(notes.number, 1);
}

/** As takePages; when no page can be had, the spare is given up first. */
export function takePagesOrSpare(count: u32): u32 {
  const page = takePages(count);
  return page || !dropSpare() ? page : takePages(count);
}

/** Gives the spare's page back; false where there was none. After it, no slab in a list is empty. */
function dropSpare(): bool {
  const old = spare;
  spare = changetype<Notes>(0);
  if (old) dropEmpty(old);
  return changetype<usize>(old) != 0;
}

/** Forgets every slab; the pages are the caller's to give back. */
export function slabReset(): void {
  forgetRows();
  spare = changetype<Notes>(0);
  closed = changetype<Notes>(0);
}

// ── Compaction (compact.ts) ────────────────────────────────────────────────────────────────────────────────

/**
 * Closes the sparsest slab of movable blocks among those whose blocks have room in other slabs of their
 * class: nothing is taken from it any more. Room is counted in eighths of a slab, for the worst that its list
 * allows. O(classes) + O(blocks of one page).
 * @returns false when there is none
 */
export function closeSparsestSlab(): bool {
  dropSpare();
  let best = changetype<Notes>(0);
  let bestBucket: u32 = BUCKETS - 1;
  for (let index: u32 = 0; index < CLASSES; index++) {
    const row = rowOf(MOVABLE, index);
    if (!row.isListed) continue;
    const bucket = sparsestBucket(row);
    if (bucket >= bestBucket) continue;
    const slab = firstUnstuck(row, bucket);
    if (slab) {
      best = slab;
      bestBucket = bucket;
    }
  }
  if (!best) return false;
  unlist(best, rowOfNotes(best));
  best.bucket = VICTIM;
  best.limit = 65535;
  closed = best;
  markLive(best);
  return true;
}

/**
 * The lowest of a row's lists that is not empty, if the other listed slabs have room for one of its slabs;
 * BUCKETS if not.
 */
function sparsestBucket(row: Row): u32 {
  let lowest: u32 = BUCKETS;
  let room: u32 = 0;
  for (let bucket: u32 = 0; bucket < BUCKETS; bucket++) {
    const slabs = row.count(bucket);
    if (slabs && lowest == BUCKETS) lowest = bucket;
    room += slabs * (BUCKETS - 1 - bucket);
  }
  if (lowest == BUCKETS) return BUCKETS;
  return room - (BUCKETS - 1 - lowest) > lowest ? lowest : BUCKETS;
}

/** A slab of the list that is not marked as stuck, among its first 16; 0: there is none. */
function firstUnstuck(row: Row, bucket: u32): Notes {
  let notes = row.first(bucket);
  for (let tries = 0; notes && tries < 16; tries++) {
    if (!(notes.tag & STUCK)) return notes;
    notes = notes.next;
  }
  return changetype<Notes>(0);
}

/** Sets `live` for the blocks in use: all that were ever used but the free ones. */
function markLive(notes: Notes): void {
  const size = slabSize(notes);
  const touched = notes.fresh / size;
  memory.fill(live, 255, <usize>(touched >> 3));
  memory.fill(live + <usize>(touched >> 3), 0, 2048 - <usize>(touched >> 3));
  store<u8>(live + <usize>(touched >> 3), <u8>((((<u32>1) << (touched & 7)) - 1) & 255));
  for (let block = notes.free; block; block = <usize>load<u32>(block)) unmark(block, size);
}

function unmark(block: usize, size: u32): void {
  const index = ((<u32>block) & (PAGE_SIZE - 1)) / size;
  const byte = live + <usize>(index >> 3);
  store<u8>(byte, <u8>((<u32>load<u8>(byte)) & ~(1 << (index & 7))));
}

/** A block of the closed slab is free: when it was the last, so is the page. */
function freeClosed(notes: Notes, used: u32, block: usize): void {
  unmark(block, slabSize(notes));
  if (used) return;
  closed = changetype<Notes>(0);
  givePages(notes.number, 1);
}

/** The lowest block in use of the closed slab; 0: no slab is closed. */
export function firstOfClosedSlab(): usize {
  if (!closed) return 0;
  let word = live;
  while (!load<u64>(word)) word += 8;
  const index = ((<u32>(word - live)) << 3) + <u32>ctz(load<u64>(word));
  return closed.page + <usize>(index * slabSize(closed));
}

/** Opens the closed slab again, marked as one that cannot be emptied. */
export function reopenSlab(): void {
  if (!closed) return;
  const notes = closed;
  closed = changetype<Notes>(0);
  notes.bucket = UNLISTED;
  notes.tag = notes.tag | STUCK;
  enlist(notes, rowOfNotes(notes), notes.used);
}

// ── Checking ───────────────────────────────────────────────────────────────────────────────────────────────

/**
 * Whether a slab's notes agree with its free list and its row. O(its free blocks).
 * @returns 0, or the first rule that does not hold, a literal: 1 the number of blocks, 2 a free block out of
 *   place, 3 a list that should (not) hold the slab
 */
export function checkSlab(notes: Notes): usize {
  const size = slabSize(notes);
  const fresh = notes.fresh;
  const start = notes.page;
  let free: u32 = 0;
  for (let block = notes.free; block; block = <usize>load<u32>(block)) {
    if (block < start || block - start >= <usize>fresh || <u32>(block - start) % size) {
      return changetype<usize>("a page of small blocks, rule 2");
    }
    if (++free > fresh / size) return changetype<usize>("a page of small blocks, rule 1");
  }
  if (<u32>notes.used + free != fresh / size || notes.extent != PAGE_SIZE / size) {
    return changetype<usize>("a page of small blocks, rule 1");
  }
  return isListedRightly(notes) ? 0 : changetype<usize>("a page of small blocks, rule 3");
}

function isListedRightly(notes: Notes): bool {
  const bucket = notes.bucket;
  if (notes == closed) return bucket == VICTIM;
  if (rowOfNotes(notes).active == notes) return bucket == UNLISTED;
  if (bucket == UNLISTED) return <u32>notes.used == notes.extent;
  return <u32>bucket == (<u32>notes.used * BUCKETS) / notes.extent;
}

/** Bytes in use of a slab's blocks. O(1). */
export function slabUsed(notes: Notes): u32 {
  return slabSize(notes) * <u32>notes.used;
}

/** What another file takes over in the same memory (carry.ts). */
export function carrySlabs(): void {
  carryArea(live, 2056);
  closed = carryWord<Notes>(closed);
  spare = carryWord<Notes>(spare);
}
