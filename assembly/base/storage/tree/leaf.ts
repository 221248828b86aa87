/** Leaves of the tree (tree.ts draws them): entries in the order of their keys. */
import { hasKey, keyLength, keyOf } from "../entry";
import { alloc } from "../heap";
import { ABOVE, BELOW, commonOf, order, ORDER_BITS, ORDER_MASK, pairAt, pairOf } from "./keys";

/** Entries in a leaf. */
export const LEAF_MAX: u32 = 48;
export const LEAF_BYTES: u32 = 256;
/** Two bytes of each key, while its tags are made. */
const pairs: usize = memory.data(96, 16);
/** No place in a leaf. */
export const NOWHERE: u32 = 0xffffffff;


@unmanaged
export class Leaf {
  /** The leaves beside it, 0: none. */
  previous: Leaf;
  next: Leaf;
  private size: u8;
  /**
   * How the two bytes behind the prefix make a tag: the least of the first, from which on they count; the
   * least of the second; and how many tags one of the first has, less one (bits 0 to 4), and by how many bits
   * the second is shifted to be one of them (bits 5 to 7).
   */
  private low: u8;
  private lowSecond: u8;
  private scale: u8;
  /** So many bytes all of its keys begin with, at least. */
  prefix: u32;

  /** Entries in it. */
  @inline
  get count(): u32 {
    return <u32>this.size;
  }


  @inline
  set count(count: u32) {
    this.size = <u8>count;
  }

  /** Address of the first tag. */
  @inline
  private get tags(): usize {
    return changetype<usize>(this) + offsetof<Leaf>();
  }

  /** Address of slot `index` (u32: the entry's address). */
  @inline
  private slot(index: u32): usize {
    return changetype<usize>(this) + (offsetof<Leaf>() + LEAF_MAX) + ((<usize>index) << 2);
  }

  /** The entry in slot `index`. */
  @inline
  entry(index: u32): usize {
    return <usize>load<u32>(this.slot(index));
  }

  /** The tag of slot `index`. */
  @inline
  tag(index: u32): u32 {
    return <u32>load<u8>(this.tags + <usize>index);
  }

  /** The tag of a key: it never falls from a key to a greater one. */
  @inline
  tagFor(key: usize, length: u32): u32 {
    return this.tagOfPair(pairAt(key, length, this.prefix));
  }


  @inline
  private tagOfPair(pair: u32): u32 {
    const first = pair & 255;
    const low = <u32>this.low;
    if (first < low) return 0;
    const scale = <u32>this.scale;
    const last = scale & 31;
    const over = max(<i32>(pair >> 8) - <i32>this.lowSecond, 0) >> (scale >> 5);
    return min((first - low) * (last + 1) + min(<u32>over, last), 255);
  }

  /** Puts an entry with the same key in the place of the one in slot `index`. */
  @inline
  replace(index: u32, entry: usize): void {
    store<u32>(this.slot(index), <u32>entry);
  }

  /** Bit i: the tag of slot i is this one. */
  @inline
  private matches(tag: u32): u64 {
    const wanted = i8x16.splat(<i8>tag);
    const low = <u32>i8x16.bitmask(i8x16.eq(v128.load(this.tags), wanted));
    const middle = <u32>i8x16.bitmask(i8x16.eq(v128.load(this.tags, 16), wanted));
    const high = <u32>i8x16.bitmask(i8x16.eq(v128.load(this.tags, 32), wanted));
    return this.filled(((<u64>high) << 32) | (<u64>(low | (middle << 16))));
  }

  /** Bit i: the tag of slot i is less than this one. */
  @inline
  private below(tag: u32): u64 {
    const wanted = i8x16.splat(<i8>tag);
    const low = <u32>i8x16.bitmask(i8x16.lt_u(v128.load(this.tags), wanted));
    const middle = <u32>i8x16.bitmask(i8x16.lt_u(v128.load(this.tags, 16), wanted));
    const high = <u32>i8x16.bitmask(i8x16.lt_u(v128.load(this.tags, 32), wanted));
    return this.filled(((<u64>high) << 32) | (<u64>(low | (middle << 16))));
  }

  /** Those of the bits that stand for slots with an entry. */
  @inline
  private filled(bits: u64): u64 {
    return bits & (((<u64>1) << (<u64>this.count)) - 1);
  }

  /** The slot of the entry with this key; NOWHERE: there is none. O(length · log(slots of one tag)). */
  find(key: usize, length: u32): u32 {
    const prefix = this.prefix;
    if (length < prefix) return NOWHERE;
    const slots = this.matches(this.tagFor(key, length));
    if (!slots) return NOWHERE;
    let low = <u32>ctz(slots);
    let high = low + <u32>popcnt(slots);
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if ((order(this.entry(middle), key, length, prefix) & ORDER_MASK) == ABOVE) high = middle;
      else low = middle;
    }
    return hasKey(this.entry(low), key, length) ? low : NOWHERE;
  }

  /**
   * How many entries have a lesser key. Where the key has fewer than `needed` bytes in common with the
   * leaf's, or with its prefix: NOWHERE. O(length · log(slots of one tag)).
   */
  lower(key: usize, length: u32, needed: u32): u32 {
    const prefix = this.prefix;
    if (length < prefix) return NOWHERE;
    const tag = this.tagFor(key, length);
    let low = <u32>popcnt(this.below(tag));
    let high = low + <u32>popcnt(this.matches(tag));
    needed = max(needed, prefix);
    if (low == high) return order(this.entry(min(low, this.count - 1)), key, length, 0) >> ORDER_BITS < needed ? NOWHERE : low;
    let from: u32 = 0;
    while (low < high) {
      const middle = (low + high) >> 1;
      const answer = order(this.entry(middle), key, length, from);
      if (answer >> ORDER_BITS < needed) return NOWHERE;
      if ((answer & ORDER_MASK) == BELOW) low = middle + 1;
      else high = middle;
      from = prefix;
    }
    return low;
  }

  /** Puts an entry into slot `index`, those from it on go one further: there is room. O(slots). */
  insert(index: u32, entry: usize): void {
    const count = this.count;
    const start = this.slot(index);
    let at = this.slot(count);
    for (; at >= start + 16; at -= 16) v128.store(at - 12, v128.load(at - 16));
    for (; at > start; at -= 4) store<u32>(at, load<u32>(at - 4));
    store<u32>(start, <u32>entry);
    this.count = count + 1;
    // Inside, it begins as those on both sides do. What comes in order is at times given better tags.
    if (!index || index == count) {
      const prefix = this.wholePrefix;
      if (!count || prefix < this.prefix || !(count & 15)) {
        this.retag(prefix);
        return;
      }
    }
    this.insertTag(index, this.tagFor(keyOf(entry), keyLength(entry)));
  }

  /** Takes the entry out of slot `index`, those behind it go one back. O(slots). */
  remove(index: u32): usize {
    const entry = this.entry(index);
    const count = this.count - 1;
    this.count = count;
    const end = this.slot(count);
    let at = this.slot(index);
    for (; at + 16 <= end; at += 16) v128.store(at, v128.load(at + 4));
    for (; at < end; at += 4) store<u32>(at, load<u32>(at + 4));
    this.removeTag(index);
    return entry;
  }

  /** Puts a tag in, sixteen at a time, the last first: each lane keeps its tag or takes the one before. */
  @inline
  private insertTag(index: u32, tag: u32): void {
    const place = i8x16.splat(<i8>index);
    const fresh = i8x16.splat(<i8>tag);
    let lanes = i8x16(32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47);
    for (let at = this.tags + 32; at >= this.tags; at -= 16) {
      const moved = v128.bitselect(v128.load(at - 1), v128.load(at), i8x16.gt_s(lanes, place));
      v128.store(at, v128.bitselect(fresh, moved, i8x16.eq(lanes, place)));
      lanes = i8x16.sub(lanes, i8x16.splat(16));
    }
  }

  /** Takes a tag out, likewise, the first first: what follows the tags is read, and never used. */
  @inline
  private removeTag(index: u32): void {
    const place = i8x16.splat(<i8>index);
    let lanes = i8x16(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    for (let at = this.tags; at < this.tags + LEAF_MAX; at += 16) {
      v128.store(at, v128.bitselect(v128.load(at, 1), v128.load(at), i8x16.ge_s(lanes, place)));
      lanes = i8x16.add(lanes, i8x16.splat(16));
    }
  }

  /** Moves the first `count` entries of the leaf behind this one to its end: there is room. O(slots). */
  pull(count: u32): void {
    const right = this.next;
    const rest = right.count - count;
    memory.copy(this.slot(this.count), right.slot(0), (<usize>count) << 2);
    memory.copy(right.slot(0), right.slot(count), (<usize>rest) << 2);
    memory.copy(this.tags + this.count, right.tags, count);
    memory.copy(right.tags, right.tags + count, rest);
    this.moved(right, this, this.count + count, rest);
  }

  /** Moves the last `count` entries to the start of the leaf behind this one: there is room. O(slots). */
  push(count: u32): void {
    const right = this.next;
    const rest = this.count - count;
    memory.copy(right.slot(count), right.slot(0), (<usize>right.count) << 2);
    memory.copy(right.slot(0), this.slot(rest), (<usize>count) << 2);
    memory.copy(right.tags + count, right.tags, right.count);
    memory.copy(right.tags, this.tags + rest, count);
    this.moved(this, right, rest, right.count + count);
  }

  /** Entries went from one leaf to the other: mends counts, prefixes, tags. */
  private moved(from: Leaf, to: Leaf, own: u32, others: u32): void {
    const isNew = !to.count;
    this.count = own;
    this.next.count = others;
    if (isNew) {
      to.prefix = from.prefix;
      to.low = from.low;
      to.lowSecond = from.lowSecond;
      to.scale = from.scale;
      to.fit();
    } else to.retag(to.wholePrefix);
    if (from.count) from.fit();
  }

  /** Bytes that all of its keys begin with. */
  get wholePrefix(): u32 {
    const count = this.count;
    return count > 1 ? commonOf(this.entry(0), this.entry(count - 1)) : keyLength(this.entry(0));
  }

  /** Makes the prefix as long as it may be. O(slots). */
  private fit(): void {
    const prefix = this.wholePrefix;
    if (prefix != this.prefix) this.retag(prefix);
  }

  /** Chooses how tags are made, so that they tell apart what they can, and makes them. O(slots). */
  private retag(prefix: u32): void {
    this.prefix = prefix;
    const count = this.count;
    let lowSecond: u32 = 255;
    let highSecond: u32 = 0;
    for (let index: u32 = 0; index < count; index++) {
      const pair = pairOf(this.entry(index), prefix);
      store<u16>(pairs + ((<usize>index) << 1), <u16>pair);
      const second = pair >> 8;
      lowSecond = min(lowSecond, second);
      highSecond = max(highSecond, second);
    }
    const low = <u32>load<u8>(pairs);
    const firsts = <u32>load<u8>(pairs + ((<usize>(count - 1)) << 1)) - low + 1;
    const room = min<u32>(256 / firsts, 32);
    let shift: u32 = 0;
    while (shift < 7 && (highSecond - lowSecond) >> shift >= room) shift++;
    this.low = <u8>low;
    this.lowSecond = <u8>lowSecond;
    this.scale = <u8>((shift << 5) | min((highSecond - lowSecond) >> shift, room - 1));
    for (let index: u32 = 0; index < count; index++) {
      store<u8>(this.tags + <usize>index, <u8>this.tagOfPair(<u32>load<u16>(pairs + ((<usize>index) << 1))));
    }
  }

  /** Puts the leaf between this one and the next. O(1). */
  link(leaf: Leaf): void {
    const next = this.next;
    leaf.previous = this;
    leaf.next = next;
    this.next = leaf;
    if (next) next.previous = leaf;
  }

  /** Takes the leaf out of the list. O(1). */
  unlink(): void {
    const next = this.next;
    const previous = this.previous;
    if (next) next.previous = previous;
    if (previous) previous.next = next;
  }
}

/** A leaf without entries and neighbours; 0: no memory. O(1). */
export function newLeaf(): Leaf {
  const leaf = changetype<Leaf>(alloc(LEAF_BYTES));
  if (!leaf) return leaf;
  leaf.previous = changetype<Leaf>(0);
  leaf.next = changetype<Leaf>(0);
  leaf.count = 0;
  leaf.prefix = 0;
  return leaf;
}
