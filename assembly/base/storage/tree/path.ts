/** The tree's fields, and the ways down from its root (tree.ts draws it). */
import { hasKey, keyLength, keyOf } from "../entry";
import { Inner } from "./inner";
import { Leaf, NOWHERE } from "./leaf";
import { BELOW, order, ORDER_BITS, ORDER_MASK, SAME } from "./keys";

/** Which entries lie before a gap that is looked for: those with a lesser key … */
const AT: u32 = 0;
/** … and the one with this key … */
export const AFTER: u32 = 1;
/** … and all whose keys begin with it. */
export const PAST: u32 = 2;
/**
 * Of the last way down: for each level, node and number of the child taken; level 1 has the leaves' parents.
 * There are 16 at most: each node but the last of its level has 20 children or more.
 */
const steps: usize = memory.data(128, 8);


@unmanaged
export class Path {
  /** Entries in the tree. */
  count: u32;
  /** Levels of inner nodes. */
  height: u32;
  /** A leaf where height is 0, else an inner node; 0: no memory is owned. */
  root: usize;
  /** Where the last way down has ended: a leaf, and the entries before that place in it. */
  leaf: Leaf;
  place: u32;

  /** The node of the last way down at a level from 1 on. */
  @inline
  nodeAt(level: u32): Inner {
    return changetype<Inner>(<usize>load<u32>(steps + ((<usize>(level - 1)) << 3)));
  }

  /** The number of the child that the last way down took there. */
  @inline
  indexAt(level: u32): u32 {
    return load<u32>(steps + ((<usize>(level - 1)) << 3), 4);
  }

  /** Notes a step of a way down. */
  @inline
  setStep(level: u32, node: Inner, index: u32): void {
    const step = steps + ((<usize>(level - 1)) << 3);
    store<u32>(step, <u32>changetype<usize>(node));
    store<u32>(step, index, 4);
  }

  /** Goes to the entry with this key; false: there is none, and no place. O(log entries + length). */
  locate(key: usize, length: u32): bool {
    if (!this.root) return false;
    const needed = this.follow(key, length);
    this.place = this.leaf.find(key, length);
    return this.place != NOWHERE || this.locateAnew(key, length, needed);
  }

  /** The leaf does not have the key: looks whether the way was right, and else for the right one. */
  private locateAnew(key: usize, length: u32, needed: u32): bool {
    if (this.leaf.lower(key, length, needed) != NOWHERE) return false;
    this.compareAll(key, length, AFTER);
    if (!this.place) return false;
    this.place--;
    return hasKey(this.leaf.entry(this.place), key, length);
  }

  /**
   * Goes to the place before the first entry whose key is not less than this one; the tree has entries.
   * O(log entries + length).
   */
  lower(key: usize, length: u32): void {
    const needed = this.follow(key, length);
    this.place = this.leaf.lower(key, length, needed);
    if (this.place == NOWHERE) this.compareAll(key, length, AT);
  }

  /**
   * Goes to the leaf that the key belongs to, by its bytes behind what the least keys of each node begin
   * with, as if it began with that as well.
   * @returns a key that has so many bytes in common with any entry of the leaf belongs there. (It began with
   *   the prefix of each node; or it is greater than all least keys of one, and went to the last child. In
   *   another child, or in the last if it is less than all, no entry shares so much with it.)
   */
  // prettier-ignore
  @inline
  private follow(key: usize, length: u32): u32 {
    let node = this.root;
    let needed: u32 = 0;
    for (let level = this.height; level; level--) {
      const inner = changetype<Inner>(node);
      const index = inner.childFor(key, length);
      needed = max(needed, inner.prefix);
      this.setStep(level, inner, index);
      node = inner.child(index);
    }
    this.leaf = changetype<Leaf>(node);
    return needed;
  }

  /**
   * Goes to the gap that AT, AFTER or PAST tells, by comparing whole keys; the tree has entries.
   * O(log entries · length).
   */
  compareAll(key: usize, length: u32, gap: u32): void {
    let node = this.root;
    for (let level = this.height; level; level--) {
      const inner = changetype<Inner>(node);
      let low: u32 = 0;
      let high = inner.count;
      while (high - low > 1) {
        const middle = (low + high) >> 1;
        if (isBefore(inner.least(middle), key, length, gap)) low = middle;
        else high = middle;
      }
      this.setStep(level, inner, low);
      node = inner.child(low);
    }
    const leaf = changetype<Leaf>(node);
    let low: u32 = 0;
    let high = leaf.count;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (isBefore(leaf.entry(middle), key, length, gap)) low = middle + 1;
      else high = middle;
    }
    this.leaf = leaf;
    this.place = low;
  }

  /** Goes to the place before the entry with so many before it, fewer than there are. O(log entries). */
  descendTo(index: u32): void {
    let node = this.root;
    for (let level = this.height; level; level--) {
      const inner = changetype<Inner>(node);
      let child: u32 = 0;
      for (let size = inner.size(0); index >= size; size = inner.size(child)) {
        index -= size;
        child++;
      }
      node = inner.child(child);
    }
    this.leaf = changetype<Leaf>(node);
    this.place = index;
  }

  /** Goes to the first place, or behind the last; the tree has entries. O(log entries). */
  descendToEnd(last: bool): void {
    let node = this.root;
    for (let level = this.height; level; level--) {
      const inner = changetype<Inner>(node);
      node = inner.child(last ? inner.count - 1 : 0);
    }
    this.leaf = changetype<Leaf>(node);
    this.place = last ? this.leaf.count : 0;
  }

  /** Entries before the place that the last way down by keys has found. O(log entries). */
  get rankOfPlace(): u32 {
    let rank = this.place;
    for (let level = this.height; level; level--) rank += this.nodeAt(level).before(this.indexAt(level));
    return rank;
  }

  /** Adds to the counts of all nodes of the last way down. */
  addToCounts(by: u32): void {
    this.count += by;
    for (let level = this.height; level; level--) this.nodeAt(level).grow(this.indexAt(level), by);
  }

  /** The child that the last way down took at a level has another least entry: tells the nodes above. */
  tellLeast(level: u32, least: usize): void {
    for (; level <= this.height; level++) {
      const index = this.indexAt(level);
      this.nodeAt(level).setLeast(index, least);
      if (index) return;
    }
  }

  /** Points the place of an entry, and the nodes above that name it, to another with the same key. */
  point(from: usize, to: usize): bool {
    if (!this.locate(keyOf(to), keyLength(to)) || this.leaf.entry(this.place) != from) return false;
    this.leaf.replace(this.place, to);
    if (this.place) return true;
    for (let level: u32 = 1; level <= this.height; level++) {
      const index = this.indexAt(level);
      this.nodeAt(level).replaceLeast(index, to);
      if (index) break;
    }
    return true;
  }
}

/** Whether the entry lies before the gap of a key. */
function isBefore(entry: usize, key: usize, length: u32, gap: u32): bool {
  const answer = order(entry, key, length, 0);
  if ((answer & ORDER_MASK) == BELOW) return true;
  if (gap == AT) return false;
  return gap == AFTER ? (answer & ORDER_MASK) == SAME : answer >> ORDER_BITS == length;
}
