/**
 * The hash table: byte strings to entries (entry.ts), by extendible hashing. A full segment is split alone,
 * so no operation ever rehashes the table or doubles its memory. A table without entries owns no memory.
 *
 *     hash (64 bits)   | directory: `depth` bits | … |
 *                      | segment: its local depth | position: 14 bits | … |
 *
 *     directory        2^depth × u32: address of a segment (64-byte aligned) | wide (bit 5) | its local depth
 *                      (low 5 bits). A segment of local depth l stands 2^(depth - l) times, side by side.
 *                      While there is one segment, the directory is the field `root` and the segment may have
 *                      fewer than 64 chunks: 1, 2, 4 … 64.
 *     segment          64 chunks of 64 bytes, each one cache line; 93 when it is wide. A full one becomes
 *                      wide, and a full wide one is split: so segments are fuller than if each doubled.
 *     home chunk       position × chunks / 2^14: in the order of the hash
 *
 *     chunk            0            12         14          16                            64
 *                      +------------+----------+-----------+-----------------------------+
 *                      | 12 tags    | overflow | displaced | 12 × u32 addresses of entries|
 *                      +------------+----------+-----------+-----------------------------+
 *
 *     tag              low byte of the position, 1 in the place of 0; 0 is an empty slot. Of a segment of 64
 *                      chunks, home and tag are the position, so it becomes wide without hashing
 *     overflow         how many entries were put further on because this chunk was full when they came
 *                      (65535: that many or more, for ever)
 *     displaced        bit i: slot i holds an entry whose home is another chunk
 *
 * An entry lies in its home chunk or one of the next 7, of a wide segment 23 (round its end). A search ends
 * at the first chunk with overflow 0. What finds no place there, and cannot be separated by a
 * split (only when many hashes are equal in their upper bits, as nobody who does not know the key can bring
 * about), goes to the `stash`, a plain array that is searched from end to end, and counts as overflow in all
 * of these.
 *
 * Writes have two phases, so that a command can allocate everything and then commit with steps that cannot
 * fail:
 *
 *     const hash = table.hashOf(key, length);
 *     const slot = table.lookup(key, length, hash);
 *     const entry = create(…);                                   // may fail
 *     if (slot) destroy(table.replace(slot, entry));             // cannot fail
 *     else if (table.reserve(hash)) table.insert(hash, entry);   // reserve may fail, insert cannot
 *
 * A slot's address is valid until the next reserve, insert, remove, clear, or step of compaction.
 */
import { destroy, keyLength, keyOf } from "../entry";
import { free } from "../heap";
import { tellInsert } from "../inserts";
import { baseOf, Chunk, CHUNK, CHUNK_BITS, chunkAt, distance, homeIn, localOf, positionOf, probesIn, subtractOverflow } from "./chunk";
import { Walk } from "./walk";


@unmanaged
export class Table extends Walk {
  /** Makes the memory at `this` an empty table with this hash key. Owns nothing yet. O(1). */
  init(k0: u64, k1: u64): void {
    this.k0 = k0;
    this.k1 = k1;
    this.forget();
  }

  /** Makes the table empty without freeing anything: for use after heapReset. O(1). */
  forget(): void {
    this.forgetSegments();
    this.forgetWalk();
  }

  /** The entry with this key, 0 when there is none. O(length). */
  find(key: usize, length: u32): usize {
    if (!this.count) return 0;
    const slot = this.lookup(key, length, this.hashOf(key, length));
    return slot ? <usize>load<u32>(slot) : 0;
  }

  /** Address of the slot that holds this very entry; 0 when the table does not hold it. O(key's length). */
  slotOf(entry: usize): usize {
    const slot = this.lookup(keyOf(entry), keyLength(entry), this.hashOfEntry(entry));
    return slot && <usize>load<u32>(slot) == entry ? slot : 0;
  }

  /**
   * Reads the home chunk of a hash, so that it is in the processor's cache when the hash is looked up soon:
   * for several, which come from memory side by side. The table is not empty. Answers what it read, whose sum
   * keeps the reads from being left out. O(1).
   */
  touchHome(hash: u64): u32 {
    const segment = this.segmentOf(hash);
    const home = homeIn(positionOf(hash, localOf(segment)), this.chunksOf(segment));
    return load<u32>(changetype<usize>(chunkAt(baseOf(segment), home)));
  }

  /**
   * Makes sure that one insert of this hash cannot fail, if it is the table's next change. O(1); now and then
   * it widens or splits a segment: O(1116 entries), and the directory doubles with it: 4 bytes for each of
   * about 500 entries are copied.
   * @returns false when there is no memory; the table's content is unchanged
   */
  reserve(hash: u64): bool {
    if (!this.isStarted) return this.start();
    if (this.freeSlot(hash)) return true;
    return this.makeRoom(hash);
  }

  /**
   * Makes sure that `inserts` inserts of any hashes cannot fail, though other inserts and reserves come
   * between: for commands that write several keys, which call it first and then reserve for each key as well.
   * O(inserts) memory, 4 bytes each, kept until `clear`.
   */
  reserveMany(inserts: u32): bool {
    if (!this.isStarted && !this.start()) return false;
    return this.growStash(this.stashCount + inserts);
  }

  /**
   * Puts an entry in whose key the table does not hold, after reserve. The table owns it now. Cannot fail.
   * O(1).
   */
  insert(hash: u64, entry: usize): void {
    tellInsert(changetype<usize>(this), hash, entry);
    this.count++;
    if (this.placeEntry(hash, <u32>entry)) return;
    store<u32>(this.stashSlot(this.stashCount), <u32>entry);
    this.stashCount++;
  }

  /**
   * Puts an entry with the same key in the place of the one in the slot, which is returned and is the
   * caller's. Cannot fail. O(1).
   */
  replace(slot: usize, entry: usize): usize {
    const old = <usize>load<u32>(slot);
    store<u32>(slot, <u32>entry);
    return old;
  }

  /**
   * Takes the entry out of its slot and returns it; it is the caller's. Cannot fail. O(1); now and then two
   * segments merge, or the directory halves, where memory for that can be had.
   */
  remove(slot: usize, hash: u64): usize {
    const entry = <usize>load<u32>(slot);
    this.count--;
    const segment = this.segmentOf(hash);
    const base = baseOf(segment);
    const chunks = this.chunksOf(segment);
    const home = homeIn(positionOf(hash, localOf(segment)), chunks);
    const at = slot & ~(<usize>(CHUNK - 1));
    if (at >= base && at < base + ((<usize>chunks) << CHUNK_BITS)) {
      const chunk = changetype<Chunk>(at);
      chunk.empty((<u32>(slot - chunk.slot(0))) >> 2);
      subtractOverflow(base, chunks, home, distance(home, <u32>((at - base) >> CHUNK_BITS), chunks));
      if (!this.walkSegment && chunk.isEmpty) this.shrink(hash);
    } else {
      this.stashCount--;
      store<u32>(slot, load<u32>(this.stashSlot(this.stashCount)));
      subtractOverflow(base, chunks, home, probesIn(chunks));
    }
    if (!this.count) this.release();
    return entry;
  }

  /** Destroys every entry and gives all memory back; the key stays. O(entries). */
  clear(): void {
    const places = this.isStarted ? (<u32>1) << this.depth : 0;
    for (let at: u32 = 0; at < places;) {
      const segment = this.segmentAt(at);
      for (let chunk = baseOf(segment), end = chunk + <usize>this.bytesOf(segment); chunk < end; chunk += CHUNK) {
        for (let slots = changetype<Chunk>(chunk).used; slots; slots &= slots - 1) destroy(changetype<Chunk>(chunk).entry(ctz(slots)));
      }
      at += this.placesOf(segment);
    }
    for (let at: u32 = 0; at < this.stashCount; at++) destroy(<usize>load<u32>(this.stashSlot(at)));
    this.release();
  }

  /**
   * The table holds no entries (any more), or they are somebody else's by now: frees what it owns.
   * O(segments).
   */
  release(): void {
    if (this.isStarted) {
      const places = (<u32>1) << this.depth;
      for (let at: u32 = 0; at < places;) {
        const segment = this.segmentAt(at);
        free(baseOf(segment), this.bytesOf(segment));
        at += this.placesOf(segment);
      }
      if (this.depth) free(this.directory, 4 << this.depth);
    }
    free(this.stash, this.stashCapacity << 2);
    this.forget();
  }
}
