/**
 * The hash table: byte strings to entries (entry.ts), by extendible hashing. A full segment is split alone, so no operation ever
 * rehashes the table or doubles its memory. A table without entries owns no memory.
 *
 *     hash (64 bits)   | directory: `depth` bits | home chunk: 6 bits | … | tag: low 8 bits |
 *
 *     directory        2^depth × u32: address of a segment (64-byte aligned) | its local depth (low 6 bits). A segment of local depth l
 *                      stands 2^(depth - l) times, side by side. While there is one segment, the directory is the field `root` and the
 *                      segment may have fewer than 64 chunks: 1, 2, 4 … 64.
 *     segment          64 chunks of 64 bytes, each one cache line
 *
 *     chunk            0            12         14          16                            64
 *                      +------------+----------+-----------+-----------------------------+
 *                      | 12 tags    | overflow | displaced | 12 × u32 addresses of entries|
 *                      +------------+----------+-----------+-----------------------------+
 *
 *     tag              low byte of the hash, 1 in the place of 0; 0 is an empty slot
 *     overflow         how many entries were put further on because this chunk was full when they came (65535: that many or more, for ever)
 *     displaced        bit i: slot i holds an entry whose home is another chunk
 *
 * An entry lies in its home chunk or one of the next PROBES - 1 (round the end of its segment). A search ends at the first chunk with
 * overflow 0. What finds no place within PROBES chunks, and cannot be separated by a split (only when many hashes are equal in
 * their upper bits, as nobody who does not know the key can bring about), goes to the `stash`, a plain array that is searched from
 * end to end, and counts as overflow in all PROBES chunks.
 *
 * Writes have two phases, so that a command can allocate everything and then commit with steps that cannot fail:
 *
 *     const hash = table.hashOf(key, length);
 *     const slot = table.lookup(key, length, hash);
 *     const entry = create(…);                                   // may fail
 *     if (slot) destroy(table.replace(slot, entry));             // cannot fail
 *     else if (table.reserve(hash)) table.insert(hash, entry);   // reserve may fail, insert cannot
 *
 * A slot's address is valid until the next reserve, insert, remove, clear, or step of compaction.
 */
import { destroy, hasKey, keyLength, keyOf } from "./entry";
import { hash as sipHash } from "./hash";
import { alloc, free, usableSize } from "./heap";

const CHUNK: u32 = 64;
const SLOTS: u32 = 12;
const SLOT_MASK: u32 = 4095;
const OVERFLOW: usize = 12;
const DISPLACED: usize = 14;
const FIRST_SLOT: usize = 16;
const SEGMENT_BITS: u32 = 6;
const SEGMENT_BYTES: u32 = 4096;
const LOCAL_MASK: u32 = 63;
/** Chunks in which an entry may lie. */
const PROBES: u32 = 8;
const STICKY: u32 = 65535;
const DEPTH_MAX: u32 = 24;
/** A cursor is the upper 48 bits of a hash: clients that read it as a floating-point number keep it exact. */
const CURSOR_SHIFT: u64 = 16;
/** Buddies merge when together they fill at most this many of a segment's 768 slots. */
const MERGE_MAX: u32 = 288;

/** Chunks and entries that look-ups have looked at: counted in a test build alone. */
export let looks: u32 = 0;


@unmanaged
export class Table {
  /** Entries in the table. */
  count: u32;
  /** Bits of the hash that the directory uses. */
  depth: u32;
  /** Address of the directory: `root`, or a block of the heap. */
  directory: usize;
  /** The one segment while depth is 0; 0: no memory is owned. */
  root: u32;
  /** log2 of the chunks in a segment: 6 as soon as depth is over 0. */
  chunkBits: u32;
  /** Segments whose local depth is `depth`. */
  deepest: u32;
  /** Segments. */
  segments: u32;
  stash: usize;
  stashCount: u32;
  stashCapacity: u32;
  k0: u64;
  k1: u64;
  /** Of the walk in progress (seek, next): the home chunk, the chunk now looked at, its slots not looked at, cursor after it. */
  walkHome: u32;
  walkStep: u32;
  walkMask: u32;
  walkSegment: usize;
  walkBits: u32;
  walkStash: u32;
  walkPrefix: u64;
  /** The cursor with which to go on after the chunk that seek began; 0: the walk is at its end. */
  cursor: u64;

  /** Makes the memory at `this` an empty table with this hash key. Owns nothing yet. O(1). */
  init(k0: u64, k1: u64): void {
    this.k0 = k0;
    this.k1 = k1;
    this.forget();
  }

  /** Makes the table empty without freeing anything: for use after heapReset. O(1). */
  forget(): void {
    this.count = 0;
    this.depth = 0;
    this.root = 0;
    this.directory = changetype<usize>(this) + offsetof<Table>("root");
    this.chunkBits = 0;
    this.deepest = 0;
    this.segments = 0;
    this.stash = 0;
    this.stashCount = 0;
    this.stashCapacity = 0;
    this.walkMask = 0;
    this.walkSegment = 0;
    this.walkStash = 0;
    this.cursor = 0;
  }

  /** The hash of a key in this table. O(length). */
  @inline
  hashOf(key: usize, length: u32): u64 {
    // A test build replaces the hash by the key's first eight bytes, so that a test can choose it.
    if (isDefined(STORAGE_TEST_HASH)) return length >= 8 ? bswap(load<u64>(key)) : 0;
    return sipHash(this.k0, this.k1, key, length);
  }

  /** The entry with this key, 0 when there is none. O(length). */
  find(key: usize, length: u32): usize {
    if (!this.count) return 0;
    const slot = this.lookup(key, length, this.hashOf(key, length));
    return slot ? <usize>load<u32>(slot) : 0;
  }

  /** Address of the slot (u32: the entry's address) of the entry with this key and hash; 0 when there is none. O(length). */
  lookup(key: usize, length: u32, hash: u64): usize {
    if (!this.count) return 0;
    const segment = this.segmentOf(hash);
    const bits = this.chunkBits;
    const base = <usize>(segment & ~LOCAL_MASK);
    const mask = ((<u32>1) << bits) - 1;
    let index = homeIn(hash, segment, bits);
    const tag = i8x16.splat(<i8>tagOf(hash));
    const probes = min(PROBES, mask + 1);
    for (let probe: u32 = 0; probe < probes; probe++) {
      const chunk = base + ((<usize>index) << 6);
      if (isDefined(STORAGE_COUNT_LOOKS)) looks++;
      let matches = (<u32>i8x16.bitmask(i8x16.eq(v128.load(chunk), tag))) & SLOT_MASK;
      while (matches) {
        const slot = chunk + FIRST_SLOT + ((<usize>ctz(matches)) << 2);
        const entry = <usize>load<u32>(slot);
        if (isDefined(STORAGE_COUNT_LOOKS)) looks++;
        if (hasKey(entry, key, length)) return slot;
        matches &= matches - 1;
      }
      if (!load<u16>(chunk, OVERFLOW)) return 0;
      index = (index + 1) & mask;
    }
    return this.stashCount ? this.lookupStash(key, length) : 0;
  }

  private lookupStash(key: usize, length: u32): usize {
    for (let slot = this.stash, end = slot + ((<usize>this.stashCount) << 2); slot < end; slot += 4) {
      const entry = <usize>load<u32>(slot);
      if (isDefined(STORAGE_COUNT_LOOKS)) looks++;
      if (hasKey(entry, key, length)) return slot;
    }
    return 0;
  }

  /** Address of the slot that holds this very entry; 0 when the table does not hold it. O(key's length). */
  slotOf(entry: usize): usize {
    const key = keyOf(entry);
    const length = keyLength(entry);
    const slot = this.lookup(key, length, this.hashOf(key, length));
    return slot && <usize>load<u32>(slot) == entry ? slot : 0;
  }

  /**
   * Makes sure that one insert of this hash cannot fail, if it is the table's next change. O(1); now and then it splits a segment: O(768
   * entries), and the directory doubles with it: 4 bytes for each of about 500 entries are copied.
   * @returns false when there is no memory; the table's content is unchanged
   */
  reserve(hash: u64): bool {
    if (!this.root && !this.depth) return this.start();
    if (this.freeSlot(hash)) return true;
    return this.makeRoom(hash);
  }

  /**
   * Makes sure that `inserts` inserts of any hashes cannot fail, though other inserts and reserves come between: for commands that
   * write several keys, which call it first and then reserve for each key as well. O(inserts) memory, 4 bytes each, kept until `clear`.
   */
  reserveMany(inserts: u32): bool {
    if (!this.root && !this.depth && !this.start()) return false;
    return this.growStash(this.stashCount + inserts);
  }

  /** Puts an entry in whose key the table does not hold, after reserve. The table owns it now. Cannot fail. O(1). */
  insert(hash: u64, entry: usize): void {
    this.count++;
    const segment = this.segmentOf(hash);
    if (place(<usize>(segment & ~LOCAL_MASK), this.chunkBits, homeIn(hash, segment, this.chunkBits), hash, <u32>entry)) return;
    store<u32>(this.stash + ((<usize>this.stashCount) << 2), <u32>entry);
    this.stashCount++;
  }

  /** Puts an entry with the same key in the place of the one in the slot, which is returned and is the caller's. Cannot fail. O(1). */
  replace(slot: usize, entry: usize): usize {
    const old = <usize>load<u32>(slot);
    store<u32>(slot, <u32>entry);
    return old;
  }

  /**
   * Takes the entry out of its slot and returns it; it is the caller's. Cannot fail. O(1); now and then two segments merge, or
   * the directory halves, where memory for that can be had.
   */
  remove(slot: usize, hash: u64): usize {
    const entry = <usize>load<u32>(slot);
    this.count--;
    const segment = this.segmentOf(hash);
    const base = <usize>(segment & ~LOCAL_MASK);
    const mask = ((<u32>1) << this.chunkBits) - 1;
    const home = homeIn(hash, segment, this.chunkBits);
    const chunk = slot & ~(<usize>(CHUNK - 1));
    if (chunk >= base && chunk < base + ((<usize>(mask + 1)) << 6)) {
      const index = (<u32>(slot - chunk - FIRST_SLOT)) >> 2;
      store<u8>(chunk + <usize>index, 0);
      store<u16>(chunk, <u16>((<u32>load<u16>(chunk, DISPLACED)) & ~(1 << index)), DISPLACED);
      subtractOverflow(base, mask, home, (<u32>((chunk - base) >> 6) - home) & mask);
      if (!this.walkSegment && !(load<u64>(chunk) | load<u32>(chunk, 8))) this.shrink(hash);
    } else {
      this.stashCount--;
      store<u32>(slot, load<u32>(this.stash + ((<usize>this.stashCount) << 2)));
      subtractOverflow(base, mask, home, min(PROBES, mask + 1));
    }
    if (!this.count) this.release();
    return entry;
  }

  /** Destroys every entry and gives all memory back; the key stays. O(entries). */
  clear(): void {
    const places = this.root || this.depth ? (<u32>1) << this.depth : 0;
    for (let place: u32 = 0; place < places;) {
      const segment = load<u32>(this.directory + ((<usize>place) << 2));
      const base = <usize>(segment & ~LOCAL_MASK);
      for (let chunk = base, end = base + ((<usize>CHUNK) << this.chunkBits); chunk < end; chunk += CHUNK) {
        for (let slots = usedSlots(chunk); slots; slots &= slots - 1) {
          destroy(<usize>load<u32>(chunk + FIRST_SLOT + ((<usize>ctz(slots)) << 2)));
        }
      }
      place += 1 << (this.depth - (segment & LOCAL_MASK));
    }
    for (let at: u32 = 0; at < this.stashCount; at++) destroy(<usize>load<u32>(this.stash + ((<usize>at) << 2)));
    this.release();
  }

  // ── Walks ─────────────────────────────────────────────────────────────────────────────────────────────────────────

  /**
   * Begins at a cursor: 0, or what the field `cursor` was after an earlier chunk. Then `next` gives the entries of one home chunk, one by
   * one, and 0 after the last; `cursor` is then where to go on, 0 at the end of the table:
   *
   *     let cursor: u64 = 0;
   *     do {
   *       table.seek(cursor);
   *       for (let entry = table.next(); entry; entry = table.next()) …;
   *       cursor = table.cursor;
   *     } while (cursor);
   *
   * A walk visits the home chunks in the order of the hash. While nothing changes it meets each entry once. With any changes between
   * two chunks (also splits and merges) it meets each entry that is there from its begin to its end at least once: SCAN's guarantee.
   * Between seek and the last next nothing may change, but that the entry just given is removed, or replaced through its slot. O(1).
   */
  seek(cursor: u64): void {
    this.walkMask = 0;
    this.walkStash = 0;
    this.walkSegment = 0;
    this.cursor = 0;
    if (!this.count) return;
    const hash = cursor << CURSOR_SHIFT;
    const segment = this.segmentOf(hash);
    const bits = this.chunkBits;
    this.walkSegment = <usize>(segment & ~LOCAL_MASK);
    this.walkBits = (segment & LOCAL_MASK) + bits;
    this.walkHome = homeIn(hash, segment, bits);
    this.walkStep = 0;
    this.walkMask = usedSlots(this.walkSegment + ((<usize>this.walkHome) << 6)) & ~this.displacedOf(this.walkHome);
    this.walkStash = this.stashCount;
    // The first hash of the next home chunk; past the last one it is 0. A shift by 64 would be one by 0.
    const unit: u64 = this.walkBits ? (<u64>1) << (64 - this.walkBits) : 0;
    this.cursor = ((hash & ~(unit - 1)) + unit) >> CURSOR_SHIFT;
    if (!this.walkBits) this.cursor = 0;
    this.walkPrefix = hash;
  }

  /**
   * Reads a byte of each entry in the home chunk that seek began: the processor fetches them side by side, where a walk that uses one
   * after the other waits for each. Answers their sum, which keeps the reads from being left out. O(1).
   */
  touch(): u32 {
    let sum: u32 = 0;
    const chunk = this.walkSegment + ((<usize>this.walkHome) << 6);
    for (let mask = this.walkMask; mask; mask &= mask - 1) {
      sum += <u32>load<u8>(<usize>load<u32>(chunk + FIRST_SLOT + ((<usize>ctz(mask)) << 2)));
    }
    return sum;
  }

  private displacedOf(index: u32): u32 {
    return <u32>load<u16>(this.walkSegment + ((<usize>index) << 6), DISPLACED);
  }

  /** The next entry of the chunk that seek began, 0 after the last. */
  next(): usize {
    if (!this.walkSegment) return 0;
    const mask = ((<u32>1) << this.chunkBits) - 1;
    while (true) {
      const chunk = this.walkSegment + ((<usize>((this.walkHome + this.walkStep) & mask)) << 6);
      while (this.walkMask) {
        const index = ctz(this.walkMask);
        this.walkMask &= this.walkMask - 1;
        const entry = <usize>load<u32>(chunk + FIRST_SLOT + ((<usize>index) << 2));
        if (!this.walkStep || this.isOfWalk(entry)) return entry;
      }
      if (this.walkStep >= min(PROBES - 1, mask) || !load<u16>(chunk, OVERFLOW)) break;
      this.walkStep++;
      const index = (this.walkHome + this.walkStep) & mask;
      this.walkMask = usedSlots(this.walkSegment + ((<usize>index) << 6)) & this.displacedOf(index);
    }
    // From the end, so that the removal of the one just given (the last takes its place) skips none.
    while (this.walkStash) {
      this.walkStash--;
      const entry = <usize>load<u32>(this.stash + ((<usize>this.walkStash) << 2));
      if (this.isOfWalk(entry)) return entry;
    }
    this.walkSegment = 0;
    return 0;
  }

  /** Ends a walk before its chunk's end: while one is in progress, removals do not make the table smaller. O(1). */
  endWalk(): void {
    this.walkSegment = 0;
  }

  /** Whether the entry's home is the chunk that the walk is at. */
  private isOfWalk(entry: usize): bool {
    const hash = this.hashOf(keyOf(entry), keyLength(entry));
    return !this.walkBits || (hash ^ this.walkPrefix) >> (64 - this.walkBits) == 0;
  }

  // ── Memory ────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Bytes of heap blocks that the table itself owns: segments, directory, stash; not the entries. O(1). */
  memoryUsed(): u64 {
    let bytes: u64 = <u64>this.segments * usableSize(CHUNK << this.chunkBits);
    if (this.depth) bytes += usableSize(4 << this.depth);
    if (this.stash) bytes += usableSize(this.stashCapacity << 2);
    return bytes;
  }


  @inline
  private segmentOf(hash: u64): u32 {
    // (hash >> 1) >> (63 - depth) is hash >> (64 - depth) that is right for depth 0 as well.
    return load<u32>(this.directory + ((<usize>((hash >> 1) >> (63 - <u64>this.depth))) << 2));
  }

  /** The first segment, of one chunk. */
  private start(): bool {
    const segment = newSegment(CHUNK);
    if (!segment) return false;
    this.root = <u32>segment;
    this.chunkBits = 0;
    this.segments = 1;
    this.deepest = 1;
    return true;
  }

  /** Whether a chunk within reach of this hash has a free slot. */
  private freeSlot(hash: u64): bool {
    const segment = this.segmentOf(hash);
    const mask = ((<u32>1) << this.chunkBits) - 1;
    const base = <usize>(segment & ~LOCAL_MASK);
    const home = homeIn(hash, segment, this.chunkBits);
    for (let probe: u32 = 0, probes = min(PROBES, mask + 1); probe < probes; probe++) {
      if (usedSlots(base + ((<usize>((home + probe) & mask)) << 6)) != SLOT_MASK) return true;
    }
    return false;
  }

  /** Doubles the one segment or splits the hash's until there is room, else gets a place in the stash. */
  private makeRoom(hash: u64): bool {
    while (true) {
      if (this.chunkBits < SEGMENT_BITS) {
        if (!this.resize(this.chunkBits + 1)) return false;
      } else {
        const local = this.segmentOf(hash) & LOCAL_MASK;
        if (local == this.depth) {
          // Doubling is for tables whose size asks for it: about 500 entries come to a segment, this allows 16 times as many.
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

  private growStash(capacity: u32): bool {
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

  /** Moves the content of the one segment to one of 2^bits chunks, smaller or larger. False: nothing changed. */
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
   * Puts all entries of a segment into two (which may be the same one) by the hash's bit after the `local` upper ones, in the order of
   * their chunks. False when one has no place: the new segments are then void.
   */
  private pour(from: usize, fromBits: u32, low: usize, high: usize, bits: u32, local: u32): bool {
    const same = low == high;
    const depth = same ? local : local + 1;
    const end = from + ((<usize>CHUNK) << fromBits);
    touchEntries(from);
    for (let chunk = from; chunk < end; chunk += CHUNK) {
      if (chunk + CHUNK < end) touchEntries(chunk + CHUNK);
      for (let slots = usedSlots(chunk); slots; slots &= slots - 1) {
        const entry = load<u32>(chunk + FIRST_SLOT + ((<usize>ctz(slots)) << 2));
        const hash = this.hashOf(keyOf(entry), keyLength(entry));
        const target = same || !((hash << local) >> 63) ? low : high;
        if (!place(target, bits, homeIn(hash, depth, bits), hash, entry)) return false;
      }
    }
    return true;
  }

  /** Splits the hash's segment, whose local depth is under the directory's. 1: done, 0: it cannot be separated, -1: no memory. */
  private split(hash: u64): i32 {
    const segment = this.segmentOf(hash);
    const local = segment & LOCAL_MASK;
    const old = <usize>(segment & ~LOCAL_MASK);
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

  /** Number of the first directory place of the segment of this hash and local depth. */
  private firstOf(hash: u64, local: u32): u32 {
    return (<u32>((hash >> 1) >> (63 - <u64>this.depth))) & ~((1 << (this.depth - local)) - 1);
  }

  private point(first: u32, places: u32, segment: u32): void {
    for (let place = this.directory + ((<usize>first) << 2), end = place + ((<usize>places) << 2); place < end; place += 4)
      store<u32>(place, segment);
  }

  private doubleDirectory(): bool {
    const places = (<u32>1) << this.depth;
    const directory = alloc(places << 3);
    if (!directory) return false;
    for (let place: u32 = 0; place < places; place++) {
      const segment = <u64>load<u32>(this.directory + ((<usize>place) << 2));
      store<u64>(directory + ((<usize>place) << 3), segment | (segment << 32));
    }
    if (this.depth) free(this.directory, places << 2);
    this.directory = directory;
    this.root = 0;
    this.depth++;
    this.deepest = 0;
    return true;
  }

  /** After a rebuild of this hash's upper `local` bits: entries of the stash with the same bits go where there is room, or count anew. */
  private restash(hash: u64, local: u32): void {
    let kept: u32 = 0;
    for (let at: u32 = 0; at < this.stashCount; at++) {
      const entry = load<u32>(this.stash + ((<usize>at) << 2));
      const own = this.hashOf(keyOf(entry), keyLength(entry));
      if (!local || (own ^ hash) >> (64 - <u64>local) == 0) {
        const segment = this.segmentOf(own);
        if (place(<usize>(segment & ~LOCAL_MASK), this.chunkBits, homeIn(own, segment, this.chunkBits), own, entry)) continue;
      }
      store<u32>(this.stash + ((<usize>kept) << 2), entry);
      kept++;
    }
    this.stashCount = kept;
  }

  /** After a removal: a smaller table if it has become sparse. Only looks in one of 8 cases, for it has to count. */
  private shrink(hash: u64): void {
    if (hash & 0x700) return;
    if (this.depth) this.merge(hash);
    else if (this.chunkBits && this.count * 6 < SLOTS << this.chunkBits) this.resize(this.chunkBits - 1);
  }

  /** Merges the hash's segment with the one from which a split parted it, if both are sparse. */
  private merge(hash: u64): void {
    const segment = this.segmentOf(hash);
    const local = segment & LOCAL_MASK;
    const base = <usize>(segment & ~LOCAL_MASK);
    const own = countSlots(base);
    if (own > MERGE_MAX) return;
    const bit = (<u64>1) << (64 - <u64>local);
    const buddy = this.segmentOf(hash ^ bit);
    const other = <usize>(buddy & ~LOCAL_MASK);
    if ((buddy & LOCAL_MASK) != local || own + countSlots(other) > MERGE_MAX) return;
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

  /** No segment needs the directory's last bit: halves it, if memory can be had, until one does. */
  private halveDirectory(): void {
    const depth = this.depth - 1;
    const places = (<u32>1) << depth;
    let target: usize = changetype<usize>(this) + offsetof<Table>("root");
    if (depth) {
      target = alloc(places << 2);
      if (!target) return;
    }
    let deepest: u32 = 0;
    for (let place: u32 = 0; place < places; place++) {
      const segment = load<u32>(this.directory + ((<usize>place) << 3));
      store<u32>(target + ((<usize>place) << 2), segment);
      if ((segment & LOCAL_MASK) == depth) deepest++;
    }
    free(this.directory, places << 3);
    this.directory = target;
    this.depth = depth;
    this.deepest = deepest;
  }

  /** The table holds no entries (any more), or they are somebody else's by now: frees what it owns. O(segments). */
  release(): void {
    if (this.root || this.depth) {
      const places = (<u32>1) << this.depth;
      for (let place: u32 = 0; place < places;) {
        const segment = load<u32>(this.directory + ((<usize>place) << 2));
        free(<usize>(segment & ~LOCAL_MASK), CHUNK << this.chunkBits);
        place += 1 << (this.depth - (segment & LOCAL_MASK));
      }
      if (this.depth) free(this.directory, 4 << this.depth);
    }
    free(this.stash, this.stashCapacity << 2);
    this.forget();
  }

  // ── Checking ──────────────────────────────────────────────────────────────────────────────────────────────────────

  /**
   * Walks the whole table. O(entries).
   * @returns 0, or the first rule that does not hold: 1 the directory's places of a segment, 2 the number of segments or deepest ones, 3 a
   *   tag, 4 an entry out of reach of its home, 5 a displaced bit, 6 an overflow count, 7 the number of entries, 8 an entry that a search
   *   does not find, 9 bits of empty slots
   */
  check(): u32 {
    if (!this.root && !this.depth) return this.count | this.stashCount | this.segments ? 7 : 0;
    let entries = this.stashCount;
    let segments: u32 = 0;
    let deepest: u32 = 0;
    const places = (<u32>1) << this.depth;
    for (let place: u32 = 0; place < places;) {
      const segment = load<u32>(this.directory + ((<usize>place) << 2));
      const local = segment & LOCAL_MASK;
      if (local > this.depth) return 1;
      const width = (<u32>1) << (this.depth - local);
      if (place & (width - 1)) return 1;
      for (let at = place; at < place + width; at++) if (load<u32>(this.directory + ((<usize>at) << 2)) != segment) return 1;
      const prefix = this.depth ? (<u64>place) << (64 - <u64>this.depth) : 0;
      const broken = this.checkSegment(segment, prefix);
      if (broken) return broken;
      for (let index: u32 = 0; index < (<u32>1) << this.chunkBits; index++) {
        entries += popcnt(usedSlots(<usize>(segment & ~LOCAL_MASK) + ((<usize>index) << 6)));
      }
      segments++;
      if (local == this.depth) deepest++;
      place += width;
    }
    if (segments != this.segments || deepest != this.deepest) return 2;
    return entries == this.count ? 0 : 7;
  }

  private checkSegment(segment: u32, prefix: u64): u32 {
    const base = <usize>(segment & ~LOCAL_MASK);
    const mask = ((<u32>1) << this.chunkBits) - 1;
    const local = segment & LOCAL_MASK;
    for (let index: u32 = 0; index <= mask; index++) {
      const chunk = base + ((<usize>index) << 6);
      const used = usedSlots(chunk);
      const displaced = <u32>load<u16>(chunk, DISPLACED);
      if (displaced & ~used) return 9;
      for (let slots = used; slots; slots &= slots - 1) {
        const slot = ctz(slots);
        const entry = <usize>load<u32>(chunk + FIRST_SLOT + ((<usize>slot) << 2));
        const hash = this.hashOf(keyOf(entry), keyLength(entry));
        if (local && (hash ^ prefix) >> (64 - <u64>local) != 0) return 4;
        if (<u32>load<u8>(chunk + <usize>slot) != tagOf(hash)) return 3;
        const steps = (index - homeIn(hash, segment, this.chunkBits)) & mask;
        if (steps >= PROBES) return 4;
        if (<u32>(steps != 0) != ((displaced >> slot) & 1)) return 5;
        if (this.slotOf(entry) != chunk + FIRST_SLOT + ((<usize>slot) << 2)) return 8;
      }
      const overflow = <u32>load<u16>(chunk, OVERFLOW);
      if (overflow != STICKY && overflow != this.countOverflow(segment, prefix, index)) return 6;
    }
    return 0;
  }

  /** Entries that were put beyond this chunk, counted anew. */
  private countOverflow(segment: u32, prefix: u64, index: u32): u32 {
    const base = <usize>(segment & ~LOCAL_MASK);
    const mask = ((<u32>1) << this.chunkBits) - 1;
    const local = <u64>(segment & LOCAL_MASK);
    const probes = min(PROBES, mask + 1);
    let overflow: u32 = 0;
    for (let step: u32 = 1; step < probes; step++) {
      const at = (index + step) & mask;
      const chunk = base + ((<usize>at) << 6);
      for (let slots = usedSlots(chunk); slots; slots &= slots - 1) {
        const entry = <usize>load<u32>(chunk + FIRST_SLOT + ((<usize>ctz(slots)) << 2));
        const home = homeIn(this.hashOf(keyOf(entry), keyLength(entry)), segment, this.chunkBits);
        if (((index - home) & mask) < ((at - home) & mask)) overflow++;
      }
    }
    for (let at: u32 = 0; at < this.stashCount; at++) {
      const entry = <usize>load<u32>(this.stash + ((<usize>at) << 2));
      const hash = this.hashOf(keyOf(entry), keyLength(entry));
      if (local && (hash ^ prefix) >> (64 - local) != 0) continue;
      if (((index - homeIn(hash, segment, this.chunkBits)) & mask) < probes) overflow++;
    }
    return overflow;
  }
}

/** The tag of a hash. */
// prettier-ignore
@inline
function tagOf(hash: u64): u32 {
  const low = <u32>hash & 255;
  return low + <u32>(low == 0);
}

/** Number of the home chunk in a segment of 2^bits chunks whose local depth is in the low bits of `segment`. */
// prettier-ignore
@inline
function homeIn(hash: u64, segment: u32, bits: u32): u32 {
  return <u32>(((hash << <u64>(segment & LOCAL_MASK)) >> 1) >> (63 - <u64>bits));
}

/** Bit i: slot i of the chunk holds an entry. */
// prettier-ignore
@inline
function usedSlots(chunk: usize): u32 {
  return <u32>i8x16.bitmask(i8x16.ne(v128.load(chunk), i8x16.splat(0))) & SLOT_MASK;
}

/** A segment of `bytes`, a power of two and so aligned to it, all slots empty; 0: no memory. */
function newSegment(bytes: u32): usize {
  const segment = alloc(bytes);
  if (segment) memory.fill(segment, 0, <usize>bytes);
  return segment;
}

/** Where touchEntries leaves what it has read, so that no compiler drops the reads. */
const touched: usize = memory.data(4, 4);

/**
 * Reads a byte of each entry of a chunk, all 12 independently, so that the processor fetches them at the same time; what is hashed one
 * by one afterwards is in its cache. Slots that are empty hold 0 or a former entry's address, which can be read as well.
 */
function touchEntries(chunk: usize): void {
  let sum: u32 = 0;
  for (let slot = chunk + FIRST_SLOT; slot < chunk + <usize>CHUNK; slot += 4) sum += load<u8>(<usize>load<u32>(slot));
  store<u32>(touched, sum);
}

/** Entries in the 64 chunks of a segment. */
function countSlots(base: usize): u32 {
  let count: u32 = 0;
  for (let chunk = base, end = base + <usize>SEGMENT_BYTES; chunk < end; chunk += CHUNK) count += popcnt(usedSlots(chunk));
  return count;
}

/** Puts an entry in the first chunk from its home on with a free slot; counts overflow in those before. False: none, all are counted. */
function place(base: usize, bits: u32, home: u32, hash: u64, entry: u32): bool {
  const mask = ((<u32>1) << bits) - 1;
  const probes = min(PROBES, mask + 1);
  for (let probe: u32 = 0; probe < probes; probe++) {
    const chunk = base + ((<usize>((home + probe) & mask)) << 6);
    const vacant = ~usedSlots(chunk) & SLOT_MASK;
    if (vacant) {
      const index = ctz(vacant);
      store<u8>(chunk + <usize>index, <u8>tagOf(hash));
      store<u32>(chunk + FIRST_SLOT + ((<usize>index) << 2), entry);
      if (probe) store<u16>(chunk, <u16>((<u32>load<u16>(chunk, DISPLACED)) | (1 << index)), DISPLACED);
      return true;
    }
    const overflow = <u32>load<u16>(chunk, OVERFLOW);
    if (overflow != STICKY) store<u16>(chunk, <u16>(overflow + 1), OVERFLOW);
  }
  return false;
}

/** Takes one entry off the overflow counts of `chunks` chunks from its home on. */
function subtractOverflow(base: usize, mask: u32, home: u32, chunks: u32): void {
  for (let step: u32 = 0; step < chunks; step++) {
    const chunk = base + ((<usize>((home + step) & mask)) << 6);
    const overflow = <u32>load<u16>(chunk, OVERFLOW);
    if (overflow != STICKY) store<u16>(chunk, <u16>(overflow - 1), OVERFLOW);
  }
}
