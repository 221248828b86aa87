/**
 * The hash table's segments and stash (table.ts draws them): looking up, and growing and shrinking
 * by splits and merges.
 */
import { hasKey, keyLength, keyOf } from "../entry";
import { hash as sipHash } from "../hash";
import { alloc, free, usableSize } from "../heap";
import {
  after,
  baseOf,
  CHUNK,
  chunkAt,
  CHUNK_BITS,
  countSlots,
  homeIn,
  localOf,
  newSegment,
  place,
  positionOf,
  probesIn,
  SEGMENT_BITS,
  SEGMENT_BYTES,
  SLOT_MASK,
  SLOTS,
  touchEntries,
  WIDE,
  WIDE_BYTES,
} from "./chunk";
import { Directory } from "./directory";

/** Most bits of the hash that a directory uses. */
const DEPTH_MAX: u32 = 24;
/** Buddies merge when together they fill at most this many of a segment's 768 slots. */
const MERGE_MAX: u32 = 288;
/** A wide segment with at most this many entries is wide no longer. */
const NARROW_MAX: u32 = 480;

/** Chunks and entries that look-ups have looked at: counted in a test build alone. */
export let looks: u32 = 0;


@unmanaged
export class Segments extends Directory {
  /** The hash of a key in this table. O(length). */
  @inline
  hashOf(key: usize, length: u32): u64 {
    // A test build replaces the hash by the key's first eight bytes, so that a test can choose it.
    if (isDefined(STORAGE_TEST_HASH)) return length >= 8 ? bswap(load<u64>(key)) : 0;
    return sipHash(this.k0, this.k1, key, length);
  }

  /** The hash of an entry's key. O(length). */
  @inline
  hashOfEntry(entry: usize): u64 {
    return this.hashOf(keyOf(entry), keyLength(entry));
  }

  /**
   * Address of the slot (u32: the entry's address) of the entry with this key and hash; 0 when there is none.
   * O(length).
   */
  lookup(key: usize, length: u32, hash: u64): usize {
    if (!this.count) return 0;
    const segment = this.segmentOf(hash);
    const chunks = this.chunksOf(segment);
    const base = baseOf(segment);
    const position = positionOf(hash, localOf(segment));
    let index = homeIn(position, chunks);
    const tag = i8x16.splat(<i8>position);
    const probes = probesIn(chunks);
    for (let probe: u32 = 0; probe < probes; probe++) {
      const chunk = chunkAt(base, index);
      if (isDefined(STORAGE_COUNT_LOOKS)) looks++;
      let matches = chunk.matches(tag);
      while (matches) {
        const slot = chunk.slot(ctz(matches));
        if (isDefined(STORAGE_COUNT_LOOKS)) looks++;
        if (hasKey(<usize>load<u32>(slot), key, length)) return slot;
        matches &= matches - 1;
      }
      if (!chunk.overflow) return 0;
      index = after(index, chunks);
    }
    return this.stashCount ? this.lookupStash(key, length) : 0;
  }

  private lookupStash(key: usize, length: u32): usize {
    for (let slot = this.stash, end = this.stashSlot(this.stashCount); slot < end; slot += 4) {
      if (isDefined(STORAGE_COUNT_LOOKS)) looks++;
      if (hasKey(<usize>load<u32>(slot), key, length)) return slot;
    }
    return 0;
  }

  /** Bytes of heap blocks that the table itself owns: segments, directory, stash; not the entries. O(1). */
  memoryUsed(): u64 {
    let bytes: u64 = <u64>this.segments * usableSize(CHUNK << this.chunkBits) + <u64>this.wides * (WIDE_BYTES - SEGMENT_BYTES);
    if (this.depth) bytes += usableSize(4 << this.depth);
    if (this.stash) bytes += usableSize(this.stashCapacity << 2);
    return bytes;
  }

  // ── The stash ────────────────────────────────────────────────────────────────────────────────────────────

  /** Address of slot `at` of the stash. */
  @inline
  stashSlot(at: u32): usize {
    return this.stash + ((<usize>at) << 2);
  }

  growStash(capacity: u32): bool {
    if (capacity <= this.stashCapacity) return true;
    const size = max(capacity, max(this.stashCapacity << 1, 16));
    const stash = alloc(size << 2);
    if (!stash) return false;
    memory.copy(stash, this.stash, (<usize>this.stashCount) << 2);
    free(this.stash, this.stashCapacity << 2);
    this.stash = stash;
    this.stashCapacity = size;
    return true;
  }

  /**
   * After a rebuild of this hash's upper `local` bits: entries of the stash with the same bits go where there
   * is room, or count anew.
   */
  private restash(hash: u64, local: u32): void {
    let kept: u32 = 0;
    for (let at: u32 = 0; at < this.stashCount; at++) {
      const entry = load<u32>(this.stashSlot(at));
      const own = this.hashOfEntry(<usize>entry);
      if (!local || (own ^ hash) >> (64 - <u64>local) == 0) {
        if (this.placeEntry(own, entry)) continue;
      }
      store<u32>(this.stashSlot(kept), entry);
      kept++;
    }
    this.stashCount = kept;
  }

  /** Puts an entry into its segment; false: there is no free slot for it, which its chunks count. */
  @inline
  placeEntry(hash: u64, entry: u32): bool {
    const segment = this.segmentOf(hash);
    return place(baseOf(segment), this.chunksOf(segment), positionOf(hash, localOf(segment)), entry);
  }

  // ── Growing and shrinking ────────────────────────────────────────────────────────────────────────────────

  /** The first segment, of one chunk. */
  start(): bool {
    const segment = newSegment(CHUNK);
    if (!segment) return false;
    this.root = <u32>segment;
    this.chunkBits = 0;
    this.segments = 1;
    this.deepest = 1;
    return true;
  }

  /** Whether a chunk within reach of this hash has a free slot. */
  freeSlot(hash: u64): bool {
    const segment = this.segmentOf(hash);
    const chunks = this.chunksOf(segment);
    let at = homeIn(positionOf(hash, localOf(segment)), chunks);
    for (let probe: u32 = 0, probes = probesIn(chunks); probe < probes; probe++) {
      if (chunkAt(baseOf(segment), at).used != SLOT_MASK) return true;
      at = after(at, chunks);
    }
    return false;
  }

  /**
   * Doubles the one segment; or widens the hash's, or splits it, until there is room, else gets a place in
   * the stash.
   */
  makeRoom(hash: u64): bool {
    while (true) {
      if (this.chunkBits < SEGMENT_BITS) {
        if (!this.resize(this.chunkBits + 1)) return false;
      } else {
        let done = this.segmentOf(hash) & WIDE ? 0 : this.refit(hash, true);
        if (!done) done = this.split(hash);
        if (done < 0) return false;
        if (!done) break;
      }
      if (this.freeSlot(hash)) return true;
    }
    return this.growStash(this.stashCount + 1);
  }

  /**
   * Moves the content of the one segment, of fewer than 64 chunks or to fewer, to one of 2^bits. False:
   * nothing changed.
   */
  private resize(bits: u32): bool {
    const before = this.root;
    const bytes = CHUNK << this.chunkBits;
    const fresh = <u32>newSegment(CHUNK << bits);
    if (!fresh) return false;
    if (!this.pour(before, fresh, fresh, (<u32>1) << bits)) {
      free(<usize>fresh, CHUNK << bits);
      return false;
    }
    free(<usize>before, bytes);
    this.root = fresh;
    this.chunkBits = bits;
    if (this.stashCount) this.restash(0, 0);
    return true;
  }

  /** Makes the hash's segment wide, or ends that. 1: done, 0: an entry has no place, -1: no memory. */
  private refit(hash: u64, wide: bool): i32 {
    const segment = this.segmentOf(hash);
    const local = localOf(segment);
    const bytes = wide ? WIDE_BYTES : SEGMENT_BYTES;
    const fresh = newSegment(bytes);
    if (!fresh) return -1;
    const word = (<u32>fresh) | local | (wide ? WIDE : 0);
    if (!this.pour(segment, word, word, bytes >> CHUNK_BITS)) {
      free(fresh, bytes);
      return 0;
    }
    this.point(this.firstOf(hash, local), this.placesOf(segment), word);
    this.wides += wide ? 1 : -1;
    free(baseOf(segment), this.bytesOf(segment));
    if (this.stashCount) this.restash(hash, local);
    return 1;
  }

  /**
   * Puts all entries of a segment into two of `chunks` chunks (which may be the same one), by the last bit of
   * their local depth, in the order of their chunks. False when one has no place: the new segments are then
   * void.
   */
  private pour(from: u32, low: u32, high: u32, chunks: u32): bool {
    const local = localOf(low);
    // From one of 64 chunks an entry in its home keeps its position, which its chunk and its tag tell.
    const kept = local == localOf(from) && this.bytesOf(from) == SEGMENT_BYTES;
    const count = this.chunksOf(from);
    const side = <u64>local - 1;
    if (!kept) touchEntries(chunkAt(baseOf(from), 0));
    for (let index: u32 = 0; index < count; index++) {
      const chunk = chunkAt(baseOf(from), index);
      const hashed = kept ? <u32>chunk.displaced : SLOT_MASK;
      if (!kept && index + 1 < count) touchEntries(chunkAt(baseOf(from), index + 1));
      for (let slots = chunk.used; slots; slots &= slots - 1) {
        const slot = ctz(slots);
        const entry = chunk.entry(slot);
        let target = low;
        let position = (index << 8) | chunk.tag(slot);
        if ((hashed >> slot) & 1) {
          const hash = this.hashOfEntry(entry);
          if (low != high && (hash << side) >> 63) target = high;
          position = positionOf(hash, local);
        }
        if (!place(baseOf(target), chunks, position, <u32>entry)) return false;
      }
    }
    return true;
  }

  /**
   * Splits the hash's segment in two, after the directory has doubled where it must. 1: done, 0: it cannot be
   * separated, -1: no memory.
   */
  private split(hash: u64): i32 {
    if (localOf(this.segmentOf(hash)) == this.depth) {
      // Doubling is for tables whose size asks for it: about 700 entries come to a segment, this allows some
      // twenty times as many.
      if (this.depth >= DEPTH_MAX || (<u32>2) << this.depth > this.count >> 5) return 0;
      if (!this.doubleDirectory()) return -1;
    }
    const done = this.splitInto(hash, SEGMENT_BYTES, 0);
    // What is all on one side.
    return done ? done : this.splitInto(hash, WIDE_BYTES, WIDE);
  }

  /** As split, into two segments of `bytes`. */
  private splitInto(hash: u64, bytes: u32, wide: u32): i32 {
    const segment = this.segmentOf(hash);
    const local = localOf(segment);
    const low = newSegment(bytes);
    if (!low) return -1;
    const high = newSegment(bytes);
    const flags = (local + 1) | wide;
    if (!high || !this.pour(segment, (<u32>low) | flags, (<u32>high) | flags, bytes >> CHUNK_BITS)) {
      free(low, bytes);
      free(high, bytes);
      return high ? 0 : -1;
    }
    const half = (<u32>1) << (this.depth - local - 1);
    const first = this.firstOf(hash, local);
    this.point(first, half, (<u32>low) | flags);
    this.point(first + half, half, (<u32>high) | flags);
    this.segments++;
    this.wides += (wide ? 2 : 0) - u32((segment & WIDE) != 0);
    if (local + 1 == this.depth) this.deepest += 2;
    free(baseOf(segment), this.bytesOf(segment));
    if (this.stashCount) this.restash(hash, local);
    return 1;
  }

  /**
   * After a removal: a smaller table if it has become sparse. Only looks in one of 8 cases, for it has to
   * count.
   */
  shrink(hash: u64): void {
    if (hash & 0x700) return;
    const segment = this.segmentOf(hash);
    const own = countSlots(baseOf(segment), this.chunksOf(segment));
    if (this.depth && own <= MERGE_MAX && this.merge(hash, own)) return;
    if (segment & WIDE) {
      if (own <= NARROW_MAX) this.refit(hash, false);
    } else if (!this.depth && this.chunkBits && this.count * 6 < SLOTS << this.chunkBits) this.resize(this.chunkBits - 1);
  }

  /**
   * Merges the hash's segment, which has `own` entries, with the one from which a split parted it, if both
   * are sparse; false: not done.
   */
  private merge(hash: u64, own: u32): bool {
    const segment = this.segmentOf(hash);
    const local = localOf(segment);
    const bit = (<u64>1) << (64 - <u64>local);
    const buddy = this.segmentOf(hash ^ bit);
    if (localOf(buddy) != local || own + countSlots(baseOf(buddy), this.chunksOf(buddy)) > MERGE_MAX) return false;
    const fresh = newSegment(SEGMENT_BYTES);
    if (!fresh) return false;
    const word = (<u32>fresh) | (local - 1);
    if (
      !this.pour(hash & bit ? buddy : segment, word, word, SEGMENT_BYTES >> CHUNK_BITS) ||
      !this.pour(hash & bit ? segment : buddy, word, word, SEGMENT_BYTES >> CHUNK_BITS)
    ) {
      free(fresh, SEGMENT_BYTES);
      return false;
    }
    this.point(this.firstOf(hash, local - 1), 1 << (this.depth - local + 1), word);
    this.segments--;
    this.wides -= u32((segment & WIDE) != 0) + u32((buddy & WIDE) != 0);
    if (local == this.depth) this.deepest -= 2;
    free(baseOf(segment), this.bytesOf(segment));
    free(baseOf(buddy), this.bytesOf(buddy));
    if (this.stashCount) this.restash(hash, local - 1);
    if (!this.deepest) this.halveDirectory();
    return true;
  }
}
