/** The classes of small blocks, and the lists of the slabs of each class that wait: see slab.ts. */
import { Notes } from "./pages";

export const FIXED: u32 = 0;
export const MOVABLE: u32 = 1;
export const SMALL_MAX: u32 = 2048;
export const SEGMENT_SIZE: u32 = 4096;
const SEGMENT_CLASS: u32 = 160;
export const CLASSES: u32 = 161;
export const BUCKETS: u32 = 8;
/** A slab in no list: the active one, or full. */
export const UNLISTED: u8 = 255;
/**
 * Bytes of a class's row: its own, then the heads of its lists (8 × u32), then how many slabs are in each (8
 * × u16).
 */
const ROW_BYTES: usize = 52;


@unmanaged
export class Row {
  /** The active slab, 0: none. */
  active: Notes;

  /** The first slab in a list, 0: none. */
  @inline
  first(bucket: u32): Notes {
    return changetype<Notes>(<usize>load<u32>(changetype<usize>(this) + ((<usize>bucket) << 2), 4));
  }


  @inline
  setFirst(bucket: u32, notes: Notes): void {
    store<u32>(changetype<usize>(this) + ((<usize>bucket) << 2), <u32>changetype<usize>(notes), 4);
  }

  /** Slabs in a list. */
  @inline
  count(bucket: u32): u32 {
    return <u32>load<u16>(changetype<usize>(this) + ((<usize>bucket) << 1), 36);
  }


  @inline
  setCount(bucket: u32, count: u32): void {
    store<u16>(changetype<usize>(this) + ((<usize>bucket) << 1), <u16>count, 36);
  }

  /** Whether a list has a slab. */
  @inline
  get isListed(): bool {
    return v128.any_true(v128.load(changetype<usize>(this), 36));
  }
}

/** Rows of both pools: CLASSES × 2 × 52 bytes. */
const rows: usize = memory.data(16744, 16);

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
