/** The classes of small blocks, and the lists of the slabs of each class that wait: see slab.ts. */
import { Notes, notesOf } from "./pages";
import { carryArea } from "./carry";

export const FIXED: u32 = 0;
export const MOVABLE: u32 = 1;
export const SMALL_MAX: u32 = 2048;
/** A segment of a table. */
export const SEGMENT_SIZE: u32 = 4096;
/** A wide one. */
export const WIDE_SIZE: u32 = 5952;
const SEGMENT_CLASS: u32 = 224;
const WIDE_CLASS: u32 = 225;
export const CLASSES: u32 = 226;
export const BUCKETS: u32 = 8;
/** Up to this size blocks are as long as they are asked to be, but for those shorter than a link. */
export const EXACT_MAX: u32 = 64;
export const LINK: u32 = 4;
/** A slab in no list: the active one, or full. */
export const UNLISTED: u8 = 255;
/**
 * Bytes of a class's row: its own, then the page of the first slab in each of its lists (8 × u16, 0: none),
 * then how many slabs are in each (8 × u16).
 */
const ROW_BYTES: usize = 36;


@unmanaged
export class Row {
  /** The active slab, 0: none. */
  active: Notes;

  /** The first slab in a list, 0: none. */
  @inline
  first(bucket: u32): Notes {
    const page = <u32>load<u16>(changetype<usize>(this) + ((<usize>bucket) << 1), 4);
    return page ? notesOf(page) : changetype<Notes>(0);
  }


  @inline
  setFirst(bucket: u32, notes: Notes): void {
    store<u16>(changetype<usize>(this) + ((<usize>bucket) << 1), notes ? <u16>notes.number : 0, 4);
  }

  /** Slabs in a list. */
  @inline
  count(bucket: u32): u32 {
    return <u32>load<u16>(changetype<usize>(this) + ((<usize>bucket) << 1), 20);
  }


  @inline
  setCount(bucket: u32, count: u32): void {
    store<u16>(changetype<usize>(this) + ((<usize>bucket) << 1), <u16>count, 20);
  }

  /** Whether a list has a slab. */
  @inline
  get isListed(): bool {
    return v128.any_true(v128.load(changetype<usize>(this), 20));
  }
}

/** Rows of both pools: CLASSES × 2 × 36 bytes. */
const rows: usize = memory.data(16272, 16);

/** Whether blocks of `size` bytes live in slabs. */
// prettier-ignore
@inline
export function isSmall(size: u32): bool {
  return size <= SMALL_MAX || size == SEGMENT_SIZE || size == WIDE_SIZE;
}

/** Class of a small size. */
// prettier-ignore
@inline
export function classOf(size: u32): u32 {
  // A free block has room for a link.
  if (size <= EXACT_MAX) return max(size, LINK) - 1;
  if (size > SMALL_MAX) return size == SEGMENT_SIZE ? SEGMENT_CLASS : WIDE_CLASS;
  const exponent = 31 - clz(size - 1);
  return 64 + ((exponent - 6) << 5) + (((size - 1) >> (exponent - 5)) & 31);
}

/** Bytes of a block of this class. */
// prettier-ignore
@inline
export function classSize(index: u32): u32 {
  if (index < 64) return index + 1;
  if (index >= SEGMENT_CLASS) return index == SEGMENT_CLASS ? SEGMENT_SIZE : WIDE_SIZE;
  return (33 + (index & 31)) << (1 + ((index - 64) >> 5));
}

// prettier-ignore
@inline
export function rowOf(pool: u32, index: u32): Row {
  return changetype<Row>(rows + <usize>(pool * CLASSES + index) * ROW_BYTES);
}

// prettier-ignore
@inline
export function rowOfNotes(notes: Notes): Row {
  const tag = <u32>notes.tag;
  return rowOf((tag >> 8) & 1, tag & 255);
}

/** Puts a slab with `used` blocks in use into the list of its fullness. */
export function enlist(notes: Notes, row: Row, used: u32): void {
  const extent = notes.extent;
  const bucket = (used * BUCKETS) / extent;
  const first = row.first(bucket);
  notes.next = first;
  notes.previous = changetype<Notes>(0);
  if (first) first.previous = notes;
  row.setFirst(bucket, notes);
  row.setCount(bucket, row.count(bucket) + 1);
  notes.bucket = <u8>bucket;
  // The next list below begins where used × 8 / extent falls under `bucket`.
  const floor = (bucket * extent + BUCKETS - 1) / BUCKETS;
  notes.limit = <u16>(floor ? floor - 1 : 0);
}

/** Takes a slab out of its list. */
export function unlist(notes: Notes, row: Row): void {
  const next = notes.next;
  const previous = notes.previous;
  const bucket = <u32>notes.bucket;
  if (next) next.previous = previous;
  if (previous) previous.next = next;
  else row.setFirst(bucket, next);
  row.setCount(bucket, row.count(bucket) - 1);
  notes.bucket = UNLISTED;
}

/** Forgets all lists. */
export function forgetRows(): void {
  memory.fill(rows, 0, <usize>(CLASSES * 2) * ROW_BYTES);
}

/** What another file takes over in the same memory (carry.ts). */
export function carryRows(): void {
  carryArea(rows, 16272);
}
