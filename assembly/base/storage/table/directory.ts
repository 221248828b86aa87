/** The hash table's fields, and its directory of segments (table.ts draws it). */
import { alloc, free } from "../heap";
import { CHUNK_BITS, localOf, WIDE, WIDE_CHUNKS } from "./chunk";


@unmanaged
export class Directory {
  /** Entries in the table. */
  count: u32;
  /** Bits of the hash that the directory uses. */
  depth: u32;
  /** Address of the directory: `root`, or a block of the heap. */
  directory: usize;
  /** The one segment while depth is 0; 0: no memory is owned. */
  root: u32;
  /** log2 of the chunks in a segment that is not wide: 6 as soon as depth is over 0. */
  chunkBits: u32;
  /** Segments whose local depth is `depth`. */
  deepest: u32;
  /** Segments, and how many of them are wide. */
  segments: u32;
  wides: u32;
  /** Entries that found no place: `stashCount` × u32, with room for `stashCapacity`. */
  stash: usize;
  stashCount: u32;
  stashCapacity: u32;
  /** The hash key. */
  k0: u64;
  k1: u64;

  /** Makes the table empty without freeing anything. O(1). */
  forgetSegments(): void {
    this.count = 0;
    this.depth = 0;
    this.root = 0;
    this.directory = this.rootAddress;
    this.chunkBits = 0;
    this.deepest = 0;
    this.segments = 0;
    this.wides = 0;
    this.stash = 0;
    this.stashCount = 0;
    this.stashCapacity = 0;
  }

  /** Whether the table owns segments. */
  @inline
  get isStarted(): bool {
    return (this.root | this.depth) != 0;
  }

  /** Address of the field `root`. */
  @inline
  private get rootAddress(): usize {
    return changetype<usize>(this) + offsetof<Directory>("root");
  }

  /** The word of this number in the directory: a segment. */
  @inline
  segmentAt(place: u32): u32 {
    return load<u32>(this.directory + ((<usize>place) << 2));
  }

  /** Chunks of the segment of this word. */
  @inline
  chunksOf(segment: u32): u32 {
    return segment & WIDE ? WIDE_CHUNKS : (<u32>1) << this.chunkBits;
  }

  /** Bytes of the segment of this word. */
  @inline
  bytesOf(segment: u32): u32 {
    return this.chunksOf(segment) << CHUNK_BITS;
  }

  /** How many words of the directory the segment of this word has. */
  @inline
  placesOf(segment: u32): u32 {
    return (<u32>1) << (this.depth - localOf(segment));
  }


  @inline
  segmentOf(hash: u64): u32 {
    // (hash >> 1) >> (63 - depth) is hash >> (64 - depth) that is right for depth 0 as well.
    return this.segmentAt(<u32>((hash >> 1) >> (63 - <u64>this.depth)));
  }

  /** Number of the first word of the segment of this hash and local depth. */
  firstOf(hash: u64, local: u32): u32 {
    return (<u32>((hash >> 1) >> (63 - <u64>this.depth))) & ~((1 << (this.depth - local)) - 1);
  }

  point(first: u32, places: u32, segment: u32): void {
    for (let at = this.directory + ((<usize>first) << 2), end = at + ((<usize>places) << 2); at < end; at += 4) store<u32>(at, segment);
  }

  doubleDirectory(): bool {
    const places = (<u32>1) << this.depth;
    const directory = alloc(places << 3);
    if (!directory) return false;
    for (let place: u32 = 0; place < places; place++) {
      const segment = <u64>this.segmentAt(place);
      store<u64>(directory + ((<usize>place) << 3), segment | (segment << 32));
    }
    if (this.depth) free(this.directory, places << 2);
    this.directory = directory;
    this.root = 0;
    this.depth++;
    this.deepest = 0;
    return true;
  }

  /** No segment needs the directory's last bit: halves it, if memory can be had, until one does. */
  halveDirectory(): void {
    const depth = this.depth - 1;
    const places = (<u32>1) << depth;
    let target = this.rootAddress;
    if (depth) {
      target = alloc(places << 2);
      if (!target) return;
    }
    let deepest: u32 = 0;
    for (let place: u32 = 0; place < places; place++) {
      const segment = this.segmentAt(place << 1);
      store<u32>(target + ((<usize>place) << 2), segment);
      if (localOf(segment) == depth) deepest++;
    }
    free(this.directory, places << 3);
    this.directory = target;
    this.depth = depth;
    this.deepest = deepest;
  }
}
