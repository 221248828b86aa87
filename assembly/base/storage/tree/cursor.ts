/** Cursors: walks over the tree's entries in the order of their keys, forwards and back. */
import { Leaf } from "./leaf";
import { AFTER, PAST } from "./path";
import { Tree } from "./tree";

/**
 * A gap between two entries, or at an end: `next` gives the entry behind it and goes past it, `previous` the
 * one before it. A cursor is valid until the tree changes, but for `replace` and `moved`. It owns nothing.
 */
@unmanaged
export class Cursor {
  private leaf: Leaf;
  /** Entries of the leaf before the gap. */
  private place: u32;

  /** Goes before the first entry whose key is not less than this one. O(log entries + length). */
  seek(tree: Tree, key: usize, length: u32): void {
    if (tree.root) tree.lower(key, length);
    this.take(tree);
  }

  /** Goes behind the last entry whose key is not greater than this one. O(log entries · length). */
  seekAfter(tree: Tree, key: usize, length: u32): void {
    if (tree.root) tree.compareAll(key, length, AFTER);
    this.take(tree);
  }

  /** Goes behind the last entry whose key begins with this, or is less. O(log entries · length). */
  seekPast(tree: Tree, prefix: usize, length: u32): void {
    if (tree.root) tree.compareAll(prefix, length, PAST);
    this.take(tree);
  }

  /** Goes before the entry with so many before it, or behind all. O(log entries). */
  seekAt(tree: Tree, index: u32): void {
    if (index >= tree.count) {
      this.seekLast(tree);
      return;
    }
    tree.descendTo(index);
    this.take(tree);
  }

  /** Goes before all entries. O(log entries). */
  seekFirst(tree: Tree): void {
    if (tree.root) tree.descendToEnd(false);
    this.take(tree);
  }

  /** Goes behind all entries. O(log entries). */
  seekLast(tree: Tree): void {
    if (tree.root) tree.descendToEnd(true);
    this.take(tree);
  }

  /** Takes the place that the tree has found. */
  @inline
  private take(tree: Tree): void {
    this.leaf = tree.root ? tree.leaf : changetype<Leaf>(0);
    this.place = tree.place;
  }

  /** The entry behind the gap, which goes past it; 0: there is none. O(1). */
  next(): usize {
    let leaf = this.leaf;
    if (!leaf) return 0;
    let place = this.place;
    if (place == leaf.count) {
      leaf = leaf.next;
      if (!leaf) return 0;
      this.leaf = leaf;
      place = 0;
    }
    this.place = place + 1;
    return leaf.entry(place);
  }

  /** The entry before the gap, which goes before it; 0: there is none. O(1). */
  previous(): usize {
    let leaf = this.leaf;
    if (!leaf) return 0;
    let place = this.place;
    if (!place) {
      leaf = leaf.previous;
      if (!leaf) return 0;
      this.leaf = leaf;
      place = leaf.count;
    }
    this.place = place - 1;
    return leaf.entry(place - 1);
  }
}
