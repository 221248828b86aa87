/** How the tree gets larger: room for an entry, from a leaf beside its own or by splitting nodes. */
import { keyLength, keyOf } from "../entry";
import { free } from "../heap";
import { tellInsert } from "../inserts";
import { Inner, INNER_BYTES, INNER_MAX, newInner } from "./inner";
import { Leaf, LEAF_MAX, newLeaf } from "./leaf";
import { Path } from "./path";

/** A leaf takes some entries of a full one beside it where it has no more than so many. */
const SPACIOUS: u32 = 38;


@unmanaged
export class Growth extends Path {
  /** The new inner nodes of a split, each with the next one's address as its count; 0: none. */
  private fresh: usize;

  /**
   * Puts an entry in whose key the tree does not hold; the tree owns it now. What the heap calls where memory
   * is short must not change the tree. O(log entries + length), now and then O(entries of a node) per level.
   * @returns false, the content unchanged: no memory
   */
  insert(entry: usize): bool {
    tellInsert(changetype<usize>(this), 0, entry);
    if (!this.root) return this.start(entry);
    this.lower(keyOf(entry), keyLength(entry));
    const isFull = this.leaf.count == LEAF_MAX && !this.makeRoom();
    if (isFull && !this.allocate()) return false;
    this.addToCounts(1);
    if (isFull) this.splitLeaf(entry);
    else this.put(entry);
    return true;
  }

  /** The first leaf, with its entry. */
  private start(entry: usize): bool {
    const leaf = newLeaf();
    if (!leaf) return false;
    leaf.insert(0, entry);
    this.root = changetype<usize>(leaf);
    this.count = 1;
    return true;
  }

  /** Puts an entry into the place found, whose leaf has room. */
  private put(entry: usize): void {
    this.leaf.insert(this.place, entry);
    if (!this.place) this.tellLeast(1, entry);
  }

  /** Gives entries of the full leaf to one beside it that has room, and finds the place again. */
  private makeRoom(): bool {
    if (!this.height) return false;
    const leaf = this.leaf;
    const parent = this.nodeAt(1);
    const index = this.indexAt(1);
    if (index + 1 < parent.count && parent.size(index + 1) <= SPACIOUS) {
      this.even(parent, index);
      if (this.place > leaf.count) this.step(leaf.next, index + 1, this.place - leaf.count);
      return true;
    }
    if (index && parent.size(index - 1) <= SPACIOUS) {
      this.even(parent, index - 1);
      const given = LEAF_MAX - leaf.count;
      if (this.place <= given) this.step(leaf.previous, index - 1, leaf.previous.count - given + this.place);
      else this.place -= given;
      return true;
    }
    return false;
  }

  /** The place found lies in a leaf beside, at this number of its parent. */
  private step(leaf: Leaf, index: u32, place: u32): void {
    this.leaf = leaf;
    this.place = place;
    this.setStep(1, this.nodeAt(1), index);
  }

  /** Makes two leaves side by side equally full. O(their entries). */
  even(parent: Inner, index: u32): void {
    const leaf = changetype<Leaf>(parent.child(index));
    const right = leaf.next;
    const own = leaf.count;
    const half = (own + right.count) >> 1;
    if (half < own) leaf.push(own - half);
    else leaf.pull(half - own);
    parent.grow(index, half - own);
    parent.grow(index + 1, own - half);
    parent.setLeast(index + 1, right.entry(0));
  }

  /**
   * Allocates all nodes of a split of the leaf found, and links a leaf behind it. False, nothing kept: no
   * memory.
   */
  private allocate(): bool {
    this.fresh = 0;
    let isRoot = true;
    for (let level: u32 = 1; level <= this.height; level++) {
      if (this.nodeAt(level).count < INNER_MAX) {
        isRoot = false;
        break;
      }
      if (!this.keepFresh()) return false;
    }
    if (isRoot && !this.keepFresh()) return false;
    const leaf = newLeaf();
    if (!leaf) return this.dropFresh();
    this.leaf.link(leaf);
    return true;
  }

  private keepFresh(): bool {
    const node = newInner();
    if (!node) return this.dropFresh();
    store<u32>(changetype<usize>(node), <u32>this.fresh);
    this.fresh = changetype<usize>(node);
    return true;
  }

  private dropFresh(): bool {
    while (this.fresh) free(changetype<usize>(this.takeFresh()), INNER_BYTES);
    return false;
  }

  private takeFresh(): Inner {
    const node = changetype<Inner>(this.fresh);
    this.fresh = <usize>node.count;
    node.count = 0;
    return node;
  }

  /**
   * Splits the full leaf found, whose other half goes to the new one behind it, and puts the entry in. At the
   * end of the tree the new one gets the entry alone: what is loaded in order fills leaves.
   */
  private splitLeaf(entry: usize): void {
    const leaf = this.leaf;
    const right = leaf.next;
    const place = this.place;
    if (right.next || place < LEAF_MAX) {
      leaf.push(LEAF_MAX >> 1);
      if (place > leaf.count) right.insert(place - leaf.count, entry);
      else this.put(entry);
    } else right.insert(0, entry);
    this.attach(changetype<usize>(right), right.entry(0), right.count);
  }

  /**
   * Puts a leaf behind the one that it was split from, whose counts in the nodes above have its entries
   * still.
   */
  private attach(right: usize, least: usize, size: u32): void {
    for (let level: u32 = 1; level <= this.height; level++) {
      const parent = this.nodeAt(level);
      const index = this.indexAt(level) + 1;
      parent.grow(index - 1, 0 - size);
      if (parent.count < INNER_MAX) {
        parent.insert(index, right, least, size);
        return;
      }
      const beside = this.takeFresh();
      // Nothing of the last one of its level, at whose end it grows: as splitLeaf.
      if (index < INNER_MAX || !this.isLast(level)) parent.push(beside, INNER_MAX >> 1);
      if (index > parent.count || !beside.count) beside.insert(index - parent.count, right, least, size);
      else parent.insert(index, right, least, size);
      right = changetype<usize>(beside);
      least = beside.least(0);
      size = beside.total;
    }
    this.addRoot(right, least, size);
  }

  /** Whether the node of the way down at this level is the last of its level. */
  private isLast(level: u32): bool {
    for (let above = level + 1; above <= this.height; above++) {
      if (this.indexAt(above) + 1 < this.nodeAt(above).count) return false;
    }
    return true;
  }

  /** A root above the former one and the node that this was split into. */
  private addRoot(right: usize, least: usize, size: u32): void {
    const left = this.root;
    const root = this.takeFresh();
    root.insert(0, left, this.height ? changetype<Inner>(left).least(0) : changetype<Leaf>(left).entry(0), this.count - size);
    root.insert(1, right, least, size);
    this.root = changetype<usize>(root);
    this.height++;
  }
}
