/** Walks over the hash table's entries, home chunk by home chunk, in the order of the hash. */
import { after, baseOf, chunkAt, firstIn, homeIn, localOf, positionOf, POSITION_BITS, probesIn } from "./chunk";
import { Segments } from "./segments";

/** A cursor is the upper 48 bits of a hash: clients that read it as a floating-point number keep it exact. */
const CURSOR_SHIFT: u64 = 16;


@unmanaged
export class Walk extends Segments {
  /**
   * Of the walk in progress: the home chunk, how far it has gone from it, the chunk now looked at, its slots
   * not looked at.
   */
  private walkHome: u32;
  private walkStep: u16;
  /** The tag of what is looked for; 0: all. */
  private walkTag: u16;
  private walkChunk: u32;
  private walkMask: u32;
  /** Address of the segment; 0: no walk is in progress. */
  walkSegment: usize;
  /** Its local depth and its chunks. */
  private walkLocal: u32;
  private walkChunks: u32;
  /** Entries of the stash not looked at. */
  private walkStash: u32;
  private walkPrefix: u64;
  /** The cursor with which to go on after the chunk that seek began; 0: the walk is at its end. */
  cursor: u64;

  /** Ends all walks. */
  forgetWalk(): void {
    this.walkTag = 0;
    this.walkMask = 0;
    this.walkStash = 0;
    this.walkSegment = 0;
    this.cursor = 0;
  }

  /**
   * Begins at a cursor: 0, or what the field `cursor` was after an earlier chunk. Then `next` gives the
   * entries of one home chunk, one by one, and 0 after the last; `cursor` is then where to go on, 0 at the
   * end of the table:
   *
   *     let cursor: u64 = 0;
   *     do {
   *       table.seek(cursor);
   *       for (let entry = table.next(); entry; entry = table.next()) …;
   *       cursor = table.cursor;
   *     } while (cursor);
   *
   * A walk visits the home chunks in the order of the hash. While nothing changes it meets each entry once.
   * With any changes between two chunks (also splits and merges) it meets each entry that is there from its
   * begin to its end at least once: SCAN's guarantee. Between seek and the last next nothing may change, but
   * that the entry just given is removed, or replaced through its slot. O(1).
   */
  seek(cursor: u64): void {
    this.forgetWalk();
    if (!this.count) return;
    const hash = cursor << CURSOR_SHIFT;
    const segment = this.segmentOf(hash);
    const local = localOf(segment);
    const chunks = this.chunksOf(segment);
    this.walkSegment = baseOf(segment);
    this.walkLocal = local;
    this.walkChunks = chunks;
    this.walkHome = homeIn(positionOf(hash, local), chunks);
    this.walkStep = 0;
    this.walkChunk = this.walkHome;
    const home = chunkAt(this.walkSegment, this.walkHome);
    this.walkMask = home.used & ~(<u32>home.displaced);
    this.walkStash = this.stashCount;
    // The first hash of the segment, and of the next home chunk: past the last one it is 0.
    this.walkPrefix = hash & ~(~(<u64>0) >> (<u64>local));
    this.cursor = (this.walkPrefix + ((<u64>firstIn(this.walkHome + 1, chunks)) << (64 - POSITION_BITS - local))) >> CURSOR_SHIFT;
  }

  /**
   * As seek, for the entries whose hash begins with the cursor's 48 bits, and a few others. Then `cursor` is
   * no place to go on.
   */
  seekHash(cursor: u64): void {
    this.seek(cursor);
    if (!this.walkSegment) return;
    this.walkTag = <u16>(positionOf(cursor << CURSOR_SHIFT, this.walkLocal) & 255);
    this.walkMask &= chunkAt(this.walkSegment, this.walkHome).matches(i8x16.splat(<i8>this.walkTag));
  }

  /**
   * Reads a byte of each entry in the home chunk that seek began: the processor fetches them side by side,
   * where a walk that uses one after the other waits for each. Answers their sum, which keeps the reads from
   * being left out. O(1).
   */
  touch(): u32 {
    let sum: u32 = 0;
    const chunk = chunkAt(this.walkSegment, this.walkHome);
    for (let mask = this.walkMask; mask; mask &= mask - 1) sum += <u32>load<u8>(chunk.entry(ctz(mask)));
    return sum;
  }

  /** The next entry of the chunk that seek began, 0 after the last. */
  next(): usize {
    if (!this.walkSegment) return 0;
    while (true) {
      const chunk = chunkAt(this.walkSegment, this.walkChunk);
      while (this.walkMask) {
        const entry = chunk.entry(ctz(this.walkMask));
        this.walkMask &= this.walkMask - 1;
        if (!this.walkStep || this.isOfWalk(entry)) return entry;
      }
      if (<u32>this.walkStep >= probesIn(this.walkChunks) - 1 || !chunk.overflow) break;
      this.walkStep++;
      this.walkChunk = after(this.walkChunk, this.walkChunks);
      const further = chunkAt(this.walkSegment, this.walkChunk);
      this.walkMask = further.used & (<u32>further.displaced);
      if (this.walkTag) this.walkMask &= further.matches(i8x16.splat(<i8>this.walkTag));
    }
    // From the end, so that the removal of the one just given (the last takes its place) skips none.
    while (this.walkStash) {
      this.walkStash--;
      const entry = <usize>load<u32>(this.stashSlot(this.walkStash));
      if (this.isOfWalk(entry)) return entry;
    }
    this.walkSegment = 0;
    return 0;
  }

  /**
   * The first of all entries, 0: there is none. Nothing may change while `nextOfAll` gives the others.
   * O(empty chunks).
   */
  firstOfAll(): usize {
    this.seek(0);
    return this.nextOfAll();
  }

  /** The next of all entries, 0 after the last. */
  nextOfAll(): usize {
    let entry = this.next();
    while (!entry && this.cursor) {
      this.seek(this.cursor);
      entry = this.next();
    }
    return entry;
  }

  /**
   * Ends a walk before its chunk's end: while one is in progress, removals do not make the table smaller.
   * O(1).
   */
  endWalk(): void {
    this.walkSegment = 0;
  }

  /** Whether the entry's home is the chunk that the walk is at. */
  private isOfWalk(entry: usize): bool {
    const hash = this.hashOfEntry(entry);
    if ((hash ^ this.walkPrefix) & ~(~(<u64>0) >> (<u64>this.walkLocal))) return false;
    return homeIn(positionOf(hash, this.walkLocal), this.walkChunks) == this.walkHome;
  }
}
