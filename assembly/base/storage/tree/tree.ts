/**
 * The tree: entries (entry.ts) in the order of their keys, with their numbers. It is a B+tree. A tree without
 * entries owns no memory.
 *
 *     leaf         256 bytes: up to 48 entries, and of each a tag: a byte made of the two bytes of its key
 *                  behind what all of the leaf's have in common. Leaves are linked in both directions.
 *                  0          4      8       9       12       16        64             256
 *                  +----------+------+-------+-------+--------+---------+--------------+
 *                  | previous | next | count | scale | prefix | 48 tags | 48 addresses |
 *                  +----------+------+-------+-------+--------+---------+--------------+
 *
 *     inner node   1024 bytes: up to 62 children, and of each the least entry below it, the number of
 *                  entries below it, and a head: four bytes of the least entry's key, those behind what all
 *                  of the node's have in common
 *                  0       4        8   16         272             520        768      1016
 *                  +-------+--------+---+----------+---------------+----------+--------+---+
 *                  | count | prefix | - | 64 heads | least entries | children | counts | - |
 *                  +-------+--------+---+----------+---------------+----------+--------+---+
 *
 *     prefix       so many bytes all keys of the leaf, or all least keys of the node, begin with; it may be
 *                  less than that. They are not compared on the way down: where the key that is looked for
 *                  does not begin with them, an entry at the way's end shows it.
 *     head, tag    never fall from an entry to the next; a byte behind a key's end counts as 0. Where they
 *                  are the same, keys are compared.
 *     scale        how a tag is made, so that of the bytes that are there it tells apart many pairs: all
 *                  pairs of digits, one after the other
 *
 * A full leaf gives entries to one beside it; where both are full it is split. At the end of the tree it is
 * left full, so that what comes in order fills it. A leaf with few entries takes some from one beside it, or
 * they become one. Only the last node of a level may have fewer than 22 entries, or 20 children.
 */
import { free } from "../heap";
import { Inner, INNER_BYTES } from "./inner";
import { Leaf, LEAF_BYTES } from "./leaf";
import { Growth } from "./growth";

/** Nodes with fewer are filled up, or become one with another if both have no more than ROOMY. */
export const LEAF_FEW: u32 = 22;
const LEAF_ROOMY: u32 = 44;
export const INNER_FEW: u32 = 20;
const INNER_ROOMY: u32 = 50;


@unmanaged
export class Tree extends Growth {
  /** Makes the memory at `this` an empty tree. Owns nothing yet. O(1). */
  init(): void {
    this.forget();
  }

  /** Makes the tree empty without freeing anything: for use after heapReset. O(1). */
  forget(): void {
    this.count = 0;
    this.height = 0;
    this.root = 0;
  }

  /** The entry with this key, 0 when there is none. O(log entries + length). */
  find(key: usize, length: u32): usize {
    return this.locate(key, length) ? this.leaf.entry(this.place) : 0;
  }

  /** How many entries have a lesser key. O(log entries + length). */
  rank(key: usize, length: u32): u32 {
    if (!this.root) return 0;
    this.lower(key, length);
    return this.rankOfPlace;
  }

  /** The entry with so many before it, 0 when there is none. O(log entries). */
  at(index: u32): usize {
    if (index >= this.count) return 0;
    this.descendTo(index);
    return this.leaf.entry(this.place);
  }

  /**
   * Puts an entry with the same key in the place of `old`, which is the caller's from now on. It
   * can still be read. Cannot fail. O(log entries + length).
   * @returns false, nothing changed: the tree does not hold `old`
   */
  replace(old: usize, entry: usize): bool {
    return this.point(old, entry);
  }

  /** The entry at `from`, which can still be read, lies at `to` as well from now on: as replace. */
  moved(from: usize, to: usize): bool {
    return this.point(from, to);
  }

  /**
   * Takes the entry with this key out and returns it; it is the caller's. Cannot fail, allocates nothing.
   * O(log entries + length), now and then O(entries of a node) for each level.
   * @returns 0 when there is none
   */
  remove(key: usize, length: u32): usize {
    if (!this.locate(key, length)) return 0;
    const leaf = this.leaf;
    const entry = leaf.remove(this.place);
    this.addToCounts(0xffffffff);
    if (!this.count) this.release();
    else if (!leaf.count) this.drop();
    else {
      if (!this.place) this.tellLeast(1, leaf.entry(0));
      if (leaf.count < LEAF_FEW && this.height) {
        this.fillLeaf();
        this.fillUp(1);
      }
    }
    return entry;
  }

  /** The leaf of the way down is empty and alone below its parent: frees it, and what gets empty above. */
  private drop(): void {
    this.leaf.unlink();
    free(changetype<usize>(this.leaf), LEAF_BYTES);
    let level: u32 = 1;
    for (; this.nodeAt(level).count == 1; level++) free(changetype<usize>(this.nodeAt(level)), INNER_BYTES);
    // The last child of several: only the last node of a level has a single one.
    this.nodeAt(level).remove(this.indexAt(level));
    this.fillUp(level);
  }

  /** Mends nodes of the way down with few children, from a level on. */
  private fillUp(level: u32): void {
    for (; level < this.height; level++) {
      if (this.nodeAt(level).count < INNER_FEW) this.fillInner(level + 1);
    }
    while (this.height && changetype<Inner>(this.root).count == 1) {
      const root = this.root;
      this.root = changetype<Inner>(root).child(0);
      this.height--;
      free(root, INNER_BYTES);
    }
  }

  /** Mends the leaf of the way down, which has few entries. */
  private fillLeaf(): void {
    const parent = this.nodeAt(1);
    if (parent.count == 1) return;
    const index = min(this.indexAt(1), parent.count - 2);
    const leaf = changetype<Leaf>(parent.child(index));
    const right = leaf.next;
    if (leaf.count + right.count > LEAF_ROOMY) {
      this.even(parent, index);
      return;
    }
    leaf.pull(right.count);
    right.unlink();
    this.absorb(parent, index, changetype<usize>(right), LEAF_BYTES);
  }

  /** Mends the child that the way down took at this level, an inner node. */
  private fillInner(level: u32): void {
    const parent = this.nodeAt(level);
    if (parent.count == 1) return;
    const index = min(this.indexAt(level), parent.count - 2);
    const node = changetype<Inner>(parent.child(index));
    const right = changetype<Inner>(parent.child(index + 1));
    const own = node.count;
    const both = own + right.count;
    if (both <= INNER_ROOMY) {
      node.pull(right, right.count);
      this.absorb(parent, index, changetype<usize>(right), INNER_BYTES);
      return;
    }
    if (both >> 1 < own) node.push(right, own - (both >> 1));
    else node.pull(right, (both >> 1) - own);
    const size = parent.size(index);
    parent.grow(index, node.total - size);
    parent.grow(index + 1, size - node.total);
    parent.setLeast(index + 1, right.least(0));
  }

  /** Child `index` has taken all that the one behind it had: frees that. */
  private absorb(parent: Inner, index: u32, right: usize, bytes: u32): void {
    parent.grow(index, parent.size(index + 1));
    parent.remove(index + 1);
    free(right, bytes);
  }

  /**
   * The tree holds no entries (any more), or they are somebody else's by now: frees what it owns. O(nodes).
   */
  release(): void {
    if (this.root) freeBelow(this.root, this.height);
    this.forget();
  }
}

function freeBelow(node: usize, level: u32): void {
  if (!level) {
    free(node, LEAF_BYTES);
    return;
  }
  const inner = changetype<Inner>(node);
  for (let index: u32 = 0; index < inner.count; index++) freeBelow(inner.child(index), level - 1);
  free(node, INNER_BYTES);
}
