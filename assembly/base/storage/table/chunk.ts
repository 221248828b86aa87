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
/** Chunks in which an entry may lie. */
export const PROBES: u32 = 8;
/** An overflow count that stays as it is. */
export const STICKY: u32 = 65535;
/** Bits of a segment's word that are its local depth. */
const LOCAL_MASK: u32 = 63;


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
  put(index: u32, tag: u32, entry: u32): void {
    store<u8>(changetype<usize>(this) + <usize>index, <u8>tag);
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

/** Address of the segment of this word of the directory. */
// prettier-ignore
@inline
export function baseOf(segment: u32): usize {
  return <usize>(segment & ~LOCAL_MASK);
}

/** The local depth of the segment of this word of the directory. */
// prettier-ignore
@inline
export function localOf(segment: u32): u32 {
  return segment & LOCAL_MASK;
}

/** The tag of a hash. */
// prettier-ignore
@inline
export function tagOf(hash: u64): u32 {
  const low = <u32>hash & 255;
  return low + <u32>(low == 0);
}

/**
 * Number of the home chunk in a segment of 2^bits chunks whose local depth is in the low bits of `segment`.
 */
// prettier-ignore
@inline
export function homeIn(hash: u64, segment: u32, bits: u32): u32 {
  return <u32>(((hash << <u64>localOf(segment)) >> 1) >> (63 - <u64>bits));
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

/** Entries in the chunks of a whole segment. */
export function countSlots(base: usize): u32 {
  let count: u32 = 0;
  for (let at = base, end = base + <usize>SEGMENT_BYTES; at < end; at += CHUNK) count += popcnt(changetype<Chunk>(at).used);
  return count;
}

/**
 * Puts an entry in the first chunk from its home on with a free slot; counts overflow in those before. False:
 * none, all are counted.
 */
export function place(base: usize, bits: u32, home: u32, hash: u64, entry: u32): bool {
  const mask = ((<u32>1) << bits) - 1;
  const probes = min(PROBES, mask + 1);
  for (let probe: u32 = 0; probe < probes; probe++) {
    const chunk = chunkAt(base, (home + probe) & mask);
    const vacant = ~chunk.used & SLOT_MASK;
    if (vacant) {
      const index = ctz(vacant);
      chunk.put(index, tagOf(hash), entry);
      if (probe) chunk.displaced = <u16>((<u32>chunk.displaced) | (1 << index));
      return true;
    }
    const overflow = <u32>chunk.overflow;
    if (overflow != STICKY) chunk.overflow = <u16>(overflow + 1);
  }
  return false;
}

/** Takes one entry off the overflow counts of `chunks` chunks from its home on. */
export function subtractOverflow(base: usize, mask: u32, home: u32, chunks: u32): void {
  for (let step: u32 = 0; step < chunks; step++) {
    const chunk = chunkAt(base, (home + step) & mask);
    const overflow = <u32>chunk.overflow;
    if (overflow != STICKY) chunk.overflow = <u16>(overflow - 1);
  }
}
