/**
 * The hash table's segments and stash (table.ts draws them): looking up, and growing and shrinking
 * by splits and merges.
 */
import { hasKey, keyLength, keyOf } from "../entry";
import { hash as sipHash } from "../hash";
import { alloc, free, usableSize } from "../heap";
import {
  baseOf,
  Chunk,
  CHUNK,
  chunkAt,
  countSlots,
  homeIn,
  localOf,
  newSegment,
  place,
  PROBES,
  SEGMENT_BITS,
  SEGMENT_BYTES,
  SLOT_MASK,
  SLOTS,
  tagOf,
  touchEntries,
} from "./chunk";
import { Directory } from "./directory";

/** Most bits of the hash that a directory uses. */
const DEPTH_MAX: u32 = 24;
/** Buddies merge when together they fill at most this many of a segment's 768 slots. */
const MERGE_MAX: u32 = 288;

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
    const bits = this.chunkBits;
    const base = baseOf(segment);
    const mask = ((<u32>1) << bits) - 1;
    let index = homeIn(hash, segment, bits);
    const tag = i8x16.splat(<i8>tagOf(hash));
    const probes = min(PROBES, mask + 1);
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
      index = (index + 1) & mask;
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
    let bytes: u64 = <u64>this.segments * usableSize(CHUNK << this.chunkBits);
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
    return place(baseOf(segment), this.chunkBits, homeIn(hash, segment, this.chunkBits), hash, entry);
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
    const mask = ((<u32>1) << this.chunkBits) - 1;
    const home = homeIn(hash, segment, this.chunkBits);
    for (let probe: u32 = 0, probes = min(PROBES, mask + 1); probe < probes; probe++) {
      if (chunkAt(baseOf(segment), (home + probe) & mask).used != SLOT_MASK) return true;
    }
    return false;
  }

  /** Doubles the one segment or splits the hash's until there is room, else gets a place in the stash. */
  makeRoom(hash: u64): bool {
    while (true) {
      if (this.chunkBits < SEGMENT_BITS) {
        if (!this.resize(this.chunkBits + 1)) return false;
      } else {
        if (localOf(this.segmentOf(hash)) == this.depth) {
          // Doubling is for tables whose size asks for it: about 500 entries come to a segment, this allows
          // 16 times as many.
          if (this.depth >= DEPTH_MAX || (<u32>2) << this.depth > this.count >> 5) break;
          if (!this.doubleDirectory()) return false;
        }
        const done = this.split(hash);
        if (done < 0) return false;
        if (!done) break;
      }
      if (this.freeSlot(hash)) return true;
    }
    return this.growStash(this.stashCount + 1);
  }

  /**
   * Moves the content of the one segment to one of 2^bits chunks, smaller or larger. False: nothing changed.
   */
  private resize(bits: u32): bool {
    const fresh = newSegment(CHUNK << bits);
    if (!fresh) return false;
    if (!this.pour(<usize>this.root, this.chunkBits, fresh, fresh, bits, 0)) {
      free(fresh, CHUNK << bits);
      return false;
    }
    free(<usize>this.root, CHUNK << this.chunkBits);
    this.root = <u32>fresh;
    this.chunkBits = bits;
    if (this.stashCount) this.restash(0, 0);
    return true;
  }

  /**
   * Puts all entries of a segment into two (which may be the same one) by the hash's bit after the `local`
   * upper ones, in the order of their chunks. False when one has no place: the new segments are then void.
   */
  private pour(from: usize, fromBits: u32, low: usize, high: usize, bits: u32, local: u32): bool {
    const same = low == high;
    const depth = same ? local : local + 1;
    const end = from + ((<usize>CHUNK) << fromBits);
    touchEntries(changetype<Chunk>(from));
    for (let at = from; at < end; at += CHUNK) {
      const chunk = changetype<Chunk>(at);
      if (at + CHUNK < end) touchEntries(changetype<Chunk>(at + CHUNK));
      for (let slots = chunk.used; slots; slots &= slots - 1) {
        const entry = chunk.entry(ctz(slots));
        const hash = this.hashOfEntry(entry);
        const target = same || !((hash << local) >> 63) ? low : high;
        if (!place(target, bits, homeIn(hash, depth, bits), hash, <u32>entry)) return false;
      }
    }
    return true;
  }

  /**
   * Splits the hash's segment, whose local depth is under the directory's. 1: done, 0: it cannot be
   * separated, -1: no memory.
   */
  private split(hash: u64): i32 {
    const segment = this.segmentOf(hash);
    const local = localOf(segment);
    const old = baseOf(segment);
    const low = newSegment(SEGMENT_BYTES);
    if (!low) return -1;
    const high = newSegment(SEGMENT_BYTES);
    if (!high || !this.pour(old, SEGMENT_BITS, low, high, SEGMENT_BITS, local)) {
      free(low, SEGMENT_BYTES);
      free(high, SEGMENT_BYTES);
      return high ? 0 : -1;
    }
    const half = (<u32>1) << (this.depth - local - 1);
    const first = this.firstOf(hash, local);
    this.point(first, half, (<u32>low) | (local + 1));
    this.point(first + half, half, (<u32>high) | (local + 1));
    this.segments++;
    if (local + 1 == this.depth) this.deepest += 2;
    free(old, SEGMENT_BYTES);
    if (this.stashCount) this.restash(hash, local);
    return 1;
  }

  /**
   * After a removal: a smaller table if it has become sparse. Only looks in one of 8 cases, for it has to
   * count.
   */
  shrink(hash: u64): void {
    if (hash & 0x700) return;
    if (this.depth) this.merge(hash);
    else if (this.chunkBits && this.count * 6 < SLOTS << this.chunkBits) this.resize(this.chunkBits - 1);
  }

  /** Merges the hash's segment with the one from which a split parted it, if both are sparse. */
  private merge(hash: u64): void {
    const segment = this.segmentOf(hash);
    const local = localOf(segment);
    const base = baseOf(segment);
    const own = countSlots(base);
    if (own > MERGE_MAX) return;
    const bit = (<u64>1) << (64 - <u64>local);
    const buddy = this.segmentOf(hash ^ bit);
    const other = baseOf(buddy);
    if (localOf(buddy) != local || own + countSlots(other) > MERGE_MAX) return;
    const fresh = newSegment(SEGMENT_BYTES);
    if (!fresh) return;
    const low = hash & bit ? other : base;
    const high = hash & bit ? base : other;
    if (
      !this.pour(low, SEGMENT_BITS, fresh, fresh, SEGMENT_BITS, local - 1) ||
      !this.pour(high, SEGMENT_BITS, fresh, fresh, SEGMENT_BITS, local - 1)
    ) {
      free(fresh, SEGMENT_BYTES);
      return;
    }
    this.point(this.firstOf(hash, local - 1), 1 << (this.depth - local + 1), (<u32>fresh) | (local - 1));
    this.segments--;
    if (local == this.depth) this.deepest -= 2;
    free(base, SEGMENT_BYTES);
    free(other, SEGMENT_BYTES);
    if (this.stashCount) this.restash(hash, local - 1);
    if (!this.deepest) this.halveDirectory();
  }
}
