/**
 * Chunks and segments of the hash table (table.ts draws them): where an entry with a hash lies, and putting
 * it there.
 */
import { alloc } from "../heap";

/** Bytes of a chunk, and log2 of them. */
export const CHUNK: u32 = 64;
export const CHUNK_BITS: u32 = 6;
/** A bit for each of the 12 slots of a chunk. */
export const SLOT_MASK: u32 = 4095;
export const SLOTS: u32 = 12;
/** Of a whole segment: log2 of its chunks, and its bytes. */
export const SEGMENT_BITS: u32 = 6;
export const SEGMENT_BYTES: u32 = 4096;
/** Of a wide one: its chunks and its bytes, of which eleven times as many fill a page. */
export const WIDE_CHUNKS: u32 = 93;
export const WIDE_BYTES: u32 = 5952;
/**
 * Chunks in which an entry may lie, of all, and of a wide segment: that one becomes fuller, for what follows
 * is a split.
 */
const PROBES: u32 = 8;
const WIDE_PROBES: u32 = 24;
/** An overflow count that stays as it is. */
export const STICKY: u32 = 65535;
/** Bits of a segment's word that are no address: its local depth, and whether it is wide. */
const FLAGS: u32 = 63;
const LOCAL_MASK: u32 = 31;
export const WIDE: u32 = 32;
/** Bits of a hash that tell an entry's place in its segment. */
export const POSITION_BITS: u32 = 14;


@unmanaged
export class Chunk {
  /** The 12 tags: low bytes of hashes, 0 where the slot is empty. */
  tags: u64;
  tagsRest: u32;
  /**
   * How many entries were put further on because this chunk was full when they came; STICKY: that many or
   * more, for ever.
   */
  overflow: u16;
  /** Bit i: slot i holds an entry whose home is another chunk. */
  displaced: u16;

  /** Address of slot `index` (u32: the entry's address). */
  @inline
  slot(index: u32): usize {
    return changetype<usize>(this) + offsetof<Chunk>() + ((<usize>index) << 2);
  }

  /** The entry in slot `index`. */
  @inline
  entry(index: u32): usize {
    return <usize>load<u32>(this.slot(index));
  }

  /** Bit i: slot i holds an entry. */
  @inline
  get used(): u32 {
    return (<u32>i8x16.bitmask(i8x16.ne(v128.load(changetype<usize>(this)), i8x16.splat(0)))) & SLOT_MASK;
  }

  /** Bit i: slot i has this tag, which is in all lanes. */
  @inline
  matches(tag: v128): u32 {
    return (<u32>i8x16.bitmask(i8x16.eq(v128.load(changetype<usize>(this)), tag))) & SLOT_MASK;
  }

  /** Puts an entry into the empty slot `index`. */
  @inline
  put(index: u32, position: u32, entry: u32): void {
    store<u8>(changetype<usize>(this) + <usize>index, <u8>position);
    store<u32>(this.slot(index), entry);
  }

  /** Empties slot `index`; its address stays there, and can be read. */
  @inline
  empty(index: u32): void {
    store<u8>(changetype<usize>(this) + <usize>index, 0);
    this.displaced = <u16>((<u32>this.displaced) & ~(1 << index));
  }

  /** Whether no slot holds an entry. */
  @inline
  get isEmpty(): bool {
    return !(this.tags | this.tagsRest);
  }

  /** The tag in slot `index`. */
  @inline
  tag(index: u32): u32 {
    return <u32>load<u8>(changetype<usize>(this) + <usize>index);
  }
}

/** Chunk number `index` of the segment at `base`. */
// prettier-ignore
@inline
export function chunkAt(base: usize, index: u32): Chunk {
  return changetype<Chunk>(base + ((<usize>index) << CHUNK_BITS));
}

/** In how many chunks from its home on an entry may lie, in a segment of so many. */
// prettier-ignore
@inline
export function probesIn(chunks: u32): u32 {
  return chunks == WIDE_CHUNKS ? WIDE_PROBES : min(PROBES, chunks);
}

/** Address of the segment of this word of the directory. */
// prettier-ignore
@inline
export function baseOf(segment: u32): usize {
  return <usize>(segment & ~FLAGS);
}

/** The local depth of the segment of this word of the directory. */
// prettier-ignore
@inline
export function localOf(segment: u32): u32 {
  return segment & LOCAL_MASK;
}

/**
 * The part of a hash that tells an entry's place in a segment of this local depth: POSITION_BITS after the
 * first `local` ones. The low 8 of them are the tag, with 1 in the place of 0.
 */
// prettier-ignore
@inline
export function positionOf(hash: u64, local: u32): u32 {
  const position = <u32>((hash << <u64>local) >> 50);
  return position | u32((position & 255) == 0);
}

/** Number of the home chunk of a position, of so many chunks: in the order of the hash. */
// prettier-ignore
@inline
export function homeIn(position: u32, chunks: u32): u32 {
  return (position * chunks) >> POSITION_BITS;
}

/** The first position of a hash, not of a tag, whose home is this chunk. */
export function firstIn(home: u32, chunks: u32): u32 {
  const first = ((home << POSITION_BITS) + chunks - 1) / chunks;
  // The one before it, of tag 0, counts as this one.
  return first - u32((first & 255) == 1);
}

/** A segment of `bytes`, a power of two and so aligned to it, all slots empty; 0: no memory. */
export function newSegment(bytes: u32): usize {
  const segment = alloc(bytes);
  if (segment) memory.fill(segment, 0, <usize>bytes);
  return segment;
}

/** Where touchEntries leaves what it has read, so that no compiler drops the reads. */
const touched: usize = memory.data(4, 4);

/**
 * Reads a byte of each entry of a chunk, all 12 independently, so that the processor fetches them at the same
 * time; what is hashed one by one afterwards is in its cache. Slots that are empty hold 0 or a former entry's
 * address, which can be read as well.
 */
export function touchEntries(chunk: Chunk): void {
  let sum: u32 = 0;
  for (let slot = chunk.slot(0); slot < chunk.slot(SLOTS); slot += 4) sum += load<u8>(<usize>load<u32>(slot));
  store<u32>(touched, sum);
}

/** Entries in `chunks` chunks. */
export function countSlots(base: usize, chunks: u32): u32 {
  let count: u32 = 0;
  for (let index: u32 = 0; index < chunks; index++) count += popcnt(chunkAt(base, index).used);
  return count;
}

/**
 * Puts an entry in the first chunk from its home on with a free slot; counts overflow in those before. False:
 * none, all are counted.
 */
export function place(base: usize, chunks: u32, position: u32, entry: u32): bool {
  const probes = probesIn(chunks);
  let at = homeIn(position, chunks);
  for (let probe: u32 = 0; probe < probes; probe++) {
    const chunk = chunkAt(base, at);
    const vacant = ~chunk.used & SLOT_MASK;
    if (vacant) {
      const index = ctz(vacant);
      chunk.put(index, position, entry);
      if (probe) chunk.displaced = <u16>((<u32>chunk.displaced) | (1 << index));
      return true;
    }
    const overflow = <u32>chunk.overflow;
    if (overflow != STICKY) chunk.overflow = <u16>(overflow + 1);
    at = after(at, chunks);
  }
  return false;
}

/** Number of the chunk after this one: behind the last comes the first. */
// prettier-ignore
@inline
export function after(index: u32, chunks: u32): u32 {
  return index + 1 == chunks ? 0 : index + 1;
}

/** How many chunks after `from` the chunk `to` is. */
// prettier-ignore
@inline
export function distance(from: u32, to: u32, chunks: u32): u32 {
  return to >= from ? to - from : to + chunks - from;
}

/** Takes one entry off the overflow counts of so many chunks from its home on. */
export function subtractOverflow(base: usize, chunks: u32, home: u32, steps: u32): void {
  let at = home;
  for (let step: u32 = 0; step < steps; step++) {
    const chunk = chunkAt(base, at);
    const overflow = <u32>chunk.overflow;
    if (overflow != STICKY) chunk.overflow = <u16>(overflow - 1);
    at = after(at, chunks);
  }
}
