/** Inner nodes of the tree (tree.ts draws them): children with their counts and least entries. */
import { alloc } from "../heap";
import { ABOVE, commonOf, headAt, headOf, order, ORDER_MASK } from "./keys";
import { keyLength } from "../entry";

/** Children of a node. */
export const INNER_MAX: u32 = 62;
export const INNER_BYTES: u32 = 1024;
/** Where the arrays begin: heads for 64 lanes, then least entries, children, counts. */
const LEASTS: usize = 272;
const CHILDREN: usize = 520;
const COUNTS: usize = 768;
/** A head where no child is. */
const NONE: u32 = 0xffffffff;


@unmanaged
export class Inner {
  /** Children of it. */
  count: u32;
  /** So many bytes the keys of its least entries all begin with, at least. */
  prefix: u32;
  private unused: u64;

  /** Address of head `index`. */
  @inline
  private head(index: u32): usize {
    return changetype<usize>(this) + offsetof<Inner>() + ((<usize>index) << 2);
  }


  @inline
  private word(index: u32): usize {
    return changetype<usize>(this) + ((<usize>index) << 2);
  }

  /** The entry with the least key below child `index`. */
  @inline
  least(index: u32): usize {
    return <usize>load<u32>(this.word(index), LEASTS);
  }

  /** Address of child `index`. */
  @inline
  child(index: u32): usize {
    return <usize>load<u32>(this.word(index), CHILDREN);
  }

  /** Entries below child `index`. */
  @inline
  size(index: u32): u32 {
    return load<u32>(this.word(index), COUNTS);
  }

  /** Adds to the entries below child `index`. */
  @inline
  grow(index: u32, by: u32): void {
    store<u32>(this.word(index), this.size(index) + by, COUNTS);
  }

  /** The head of child `index`, as it is kept. */
  @inline
  headKept(index: u32): u32 {
    return load<u32>(this.head(index));
  }

  /** Points to another entry with the same key. */
  @inline
  replaceLeast(index: u32, entry: usize): void {
    store<u32>(this.word(index), <u32>entry, LEASTS);
  }

  /** How many heads are at most this one: halving 64 lanes, without a branch. */
  @inline
  private upTo(head: u32): u32 {
    let at = this.head(0);
    at += select<usize>(128, 0, load<u32>(at, 124) <= head);
    at += select<usize>(64, 0, load<u32>(at, 60) <= head);
    at += select<usize>(32, 0, load<u32>(at, 28) <= head);
    at += select<usize>(16, 0, load<u32>(at, 12) <= head);
    at += select<usize>(8, 0, load<u32>(at, 4) <= head);
    at += select<usize>(4, 0, load<u32>(at) <= head);
    return min((<u32>(at - this.head(0))) >> 2, this.count);
  }

  /**
   * The child below which the key belongs, where it begins with the node's prefix: the last whose least key
   * is not above it, or else the first. Of other keys, any child. O(children) + O(length).
   */
  childFor(key: usize, length: u32): u32 {
    const prefix = this.prefix;
    const head = headAt(key, length, prefix);
    const count = this.upTo(head);
    if (!count) return 0;
    const index = count - 1;
    if (this.headKept(index) != head || length < prefix) return index;
    if (!index || (order(this.least(index), key, length, prefix) & ORDER_MASK) != ABOVE) return index;
    if (this.headKept(index - 1) != head) return index - 1;
    let low: u32 = 0;
    let high = index;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if ((order(this.least(middle), key, length, prefix) & ORDER_MASK) == ABOVE) high = middle;
      else low = middle;
    }
    return low;
  }

  /** Entries below the first `index` children. O(children). */
  before(index: u32): u32 {
    let sums = i32x4.splat(0);
    const end = this.word(index);
    let at = this.word(0);
    for (; at + 16 <= end; at += 16) sums = i32x4.add(sums, v128.load(at, COUNTS));
    let sum = sumOf(sums);
    for (; at < end; at += 4) sum += load<u32>(at, COUNTS);
    return sum;
  }

  /** Entries below all children. O(children). */
  get total(): u32 {
    return this.before(this.count);
  }

  /** Puts a child in as number `index`: there is room. O(children). */
  insert(index: u32, child: usize, least: usize, size: u32): void {
    const count = this.count;
    this.shift(this, index, index + 1, count - index);
    this.count = count + 1;
    store<u32>(this.word(index), <u32>child, CHILDREN);
    store<u32>(this.word(index), size, COUNTS);
    this.setLeast(index, least);
  }

  /** Takes child `index` out. O(children). */
  remove(index: u32): void {
    const count = this.count - 1;
    this.shift(this, index + 1, index, count - index);
    this.count = count;
    this.clearHeads(1);
  }

  /** The least entry below child `index` has another key from now on. O(1), now and then O(children). */
  setLeast(index: u32, least: usize): void {
    this.replaceLeast(index, least);
    const last = this.count - 1;
    if (!last) this.prefix = keyLength(least);
    else if (!index || index == last) {
      const prefix = commonOf(this.least(0), this.least(last));
      if (prefix < this.prefix) {
        this.retag(prefix);
        return;
      }
    }
    store<u32>(this.head(index), headOf(least, this.prefix));
  }

  /** Moves the first `count` children of the node behind this one to its end: there is room. O(children). */
  pull(right: Inner, count: u32): void {
    const rest = right.count - count;
    this.shift(right, 0, this.count, count);
    right.shift(right, count, 0, rest);
    this.count += count;
    right.count = rest;
    this.fit();
    if (rest) right.fit();
    right.clearHeads(count);
  }

  /** Moves the last `count` children to the start of the node behind this one: there is room. O(children). */
  push(right: Inner, count: u32): void {
    const rest = this.count - count;
    right.shift(right, 0, count, right.count);
    right.shift(this, rest, 0, count);
    this.count = rest;
    right.count += count;
    this.fit();
    right.fit();
    this.clearHeads(count);
  }

  /** Copies children of a node, from number `source` on, to number `target` of this one. */
  private shift(from: Inner, source: u32, target: u32, count: u32): void {
    const bytes = (<usize>count) << 2;
    memory.copy(this.head(target), from.head(source), bytes);
    memory.copy(this.word(target) + LEASTS, from.word(source) + LEASTS, bytes);
    memory.copy(this.word(target) + CHILDREN, from.word(source) + CHILDREN, bytes);
    memory.copy(this.word(target) + COUNTS, from.word(source) + COUNTS, bytes);
  }

  /** The heads of so many children that are no more there. */
  private clearHeads(count: u32): void {
    for (let index = this.count; index < this.count + count; index++) store<u32>(this.head(index), NONE);
  }

  /** Makes the prefix as long as it may be. O(children). */
  private fit(): void {
    const count = this.count;
    this.retag(count > 1 ? commonOf(this.least(0), this.least(count - 1)) : keyLength(this.least(0)));
  }

  private retag(prefix: u32): void {
    this.prefix = prefix;
    for (let index: u32 = 0; index < this.count; index++) store<u32>(this.head(index), headOf(this.least(index), prefix));
  }
}

// prettier-ignore
@inline
function sumOf(lanes: v128): u32 {
  return i32x4.extract_lane(lanes, 0) + i32x4.extract_lane(lanes, 1) + i32x4.extract_lane(lanes, 2) + i32x4.extract_lane(lanes, 3);
}

/** A node without children; 0: no memory. O(1). */
export function newInner(): Inner {
  const inner = changetype<Inner>(alloc(INNER_BYTES));
  if (!inner) return inner;
  inner.count = 0;
  inner.prefix = 0;
  memory.fill(changetype<usize>(inner) + offsetof<Inner>(), 255, LEASTS - offsetof<Inner>());
  return inner;
}
