/**
 * A hierarchical timing wheel (Varghese, Lauck: "Hashed and hierarchical timing wheels"): nodes, each in the
 * slot of its moment. It knows neither what a node belongs to nor its exact deadline: take gives back each
 * node whose slot has come, and its owner, who knows, inserts it again where its deadline is later. So a
 * deadline that moves to a later moment needs no call at all, and a slot that covers a long time is dealt out
 * to finer ones node by node: no call takes long.
 *
 *     tick             when a deadline has passed for sure, in units of 64 ms: 42 bits, seven digits of six
 *     level l, slot s  nodes whose tick differs from the wheel's own (the field) first in digit l, which is
 *                      s: 64^l ticks wide
 *     level 0          also what was overdue when it came, in the slot of the wheel's own tick
 *
 *     wheel            0       8       16             72
 *                      +-------+-------+--------------+---------------------------------+
 *                      | count | tick  | 7 × bitmap   | 7 × 64 × head { next, back }    |
 *                      +-------+-------+--------------+---------------------------------+
 *     node             | next u32 | back u32 |     a ring through the slot's head
 *
 * In each level slots before the tick's own digit are empty, so the lowest occupied slot of the lowest level
 * is the next one, and its bitmap finds it: idle time costs nothing. A slot of the tick's own digit in a
 * level over 0 is being dealt out.
 */

/** Bytes of a wheel: `changetype<Wheel>(memory.data(WHEEL_BYTES, 16))`. */
export const WHEEL_BYTES: i32 = 72 + 7 * 64 * 8;
/** Bytes of a node. It needs no alignment. */
export const NODE_BYTES: u32 = 8;
const LEVELS: u32 = 7;
/** log2 of the ms of a tick. */
const TICK_BITS: i64 = 6;
/** The last tick: in the year 10889. Later deadlines count as this one. */
const TICK_MAX: u64 = (1 << 42) - 1;
const BITMAPS: usize = 16;
const HEADS: usize = 72;

/** How many levels and slots have been looked at: of test builds alone. */
export let probes: u32 = 0;

/** A node, or the head of a slot's ring. */
@unmanaged
class Node {
  next: Node;
  /** The node before. */
  back: Node;

  /** Makes a head a ring of itself. */
  @inline
  empty(): void {
    this.next = this;
    this.back = this;
  }
}


@unmanaged
export class Wheel {
  /** Nodes in the wheel. */
  count: u32;
  /** The moment that the wheel has come to. */
  tick: u64;

  /**
   * Makes the memory at `this` (WHEEL_BYTES) a wheel without nodes. It owns nothing, so this is also how to
   * forget all nodes at once. O(slots).
   */
  init(): void {
    this.count = 0;
    this.tick = 0;
    memory.fill(changetype<usize>(this) + BITMAPS, 0, HEADS - BITMAPS);
    for (let slot: u32 = 0; slot < LEVELS << 6; slot++) this.headOf(slot).empty();
  }

  /** Puts a node in whose deadline is this, Unix ms. It is in no wheel yet. Cannot fail. O(1). */
  insert(node: usize, deadline: i64): void {
    const tick = tickOf(deadline);
    let slot = (<u32>this.tick) & 63;
    if (tick > this.tick) {
      const level = levelOf(tick ^ this.tick);
      slot = (level << 6) | ((<u32>(tick >> (level * 6))) & 63);
    }
    const head = this.headOf(slot);
    const added = changetype<Node>(node);
    const last = head.back;
    added.next = head;
    added.back = last;
    last.next = added;
    head.back = added;
    this.mark(slot);
    this.count++;
  }

  /** Takes a node out. O(1). */
  remove(node: usize): void {
    const next = changetype<Node>(node).next;
    const back = changetype<Node>(node).back;
    back.next = next;
    next.back = back;
    // Only a head can be on both sides.
    if (next == back) this.unmark((<u32>(changetype<usize>(next) - changetype<usize>(this.headOf(0)))) >> 3);
    this.count--;
  }

  /**
   * Whether what stands beside the node points to it: true of every node in the wheel; of other bytes,
   * whatever they are, hardly. O(1).
   */
  holds(node: usize): bool {
    const next = changetype<Node>(node).next;
    const back = changetype<Node>(node).back;
    if (!isReadable(next) || !isReadable(back)) return false;
    return changetype<usize>(next.back) == node && changetype<usize>(back.next) == node;
  }

  /**
   * The node's bytes were copied to another place: what points to it follows. The old ones need not be
   * readable any more. O(1).
   */
  moved(from: usize, to: usize): void {
    const node = changetype<Node>(to);
    node.back.next = node;
    node.next.back = node;
  }

  /**
   * Takes out the next node whose slot has come at `now`, Unix ms: one whose deadline has passed, or one to
   * be dealt out. Its owner compares the deadline, and inserts it again if it is later, at once or after some
   * more takes.
   * Each node is given at most once per level, besides once for each later deadline that it was given; one
   * whose deadline was 64 ms ago is among them. On an empty wheel it sets the wheel's clock, which spares
   * what is inserted next the upper levels. A clock that has jumped, either way, is followed. O(levels).
   * @param last the last node of that slot instead of its first: who takes many takes from both ends by
   *   turns, so that two nodes come from memory side by side
   * @returns 0: none
   */
  take(now: i64, last: bool = false): usize {
    if (now < 0) return 0;
    const tick = min((<u64>now) >> TICK_BITS, TICK_MAX - 1);
    if (tick < this.tick) this.rewind(tick);
    for (let level: u32 = 0; level < LEVELS; level++) {
      if (isDefined(STORAGE_TEST_HASH)) probes++;
      const bits = this.bitsOf(level);
      if (!bits) continue;
      const digit = <u32>ctz(bits);
      const start = this.startOf(level, digit);
      if (start > tick) continue;
      if (start > this.tick) this.tick = start;
      const head = this.headOf((level << 6) | digit);
      const node = changetype<usize>(last ? head.back : head.next);
      this.remove(node);
      return node;
    }
    this.tick = tick;
    return 0;
  }

  /** The first tick of a slot whose digit is not before the wheel's own. */
  private startOf(level: u32, digit: u32): u64 {
    const shift = <u64>level * 6;
    return (((this.tick >> shift) & ~63) | digit) << shift;
  }

  /**
   * The clock went back to `tick`. Levels over that of the first digit that differs stay right as they are.
   * The slots under it lie all in the one slot of that level that the wheel's tick was in. What was overdue
   * has a deadline that may be anything now: it is given again. O(slots).
   */
  private rewind(tick: u64): void {
    const level = levelOf(tick ^ this.tick);
    const target = (level << 6) | ((<u32>(this.tick >> (level * 6))) & 63);
    const overdue = (<u32>this.tick) & 63;
    if (overdue != ((<u32>tick) & 63)) this.append(overdue, (<u32>tick) & 63);
    for (let below: u32 = 0; below < level; below++) {
      for (let bits = this.bitsOf(below); bits; bits &= bits - 1) {
        const slot = (below << 6) | (<u32>ctz(bits));
        if (slot != ((<u32>tick) & 63)) this.append(slot, target);
      }
    }
    this.tick = tick;
  }

  /** Moves all nodes of a slot to the end of another. O(1). */
  private append(from: u32, to: u32): void {
    const source = this.headOf(from);
    if (isDefined(STORAGE_TEST_HASH)) probes++;
    const first = source.next;
    if (first == source) return;
    const last = source.back;
    const target = this.headOf(to);
    const before = target.back;
    before.next = first;
    first.back = before;
    last.next = target;
    target.back = last;
    source.empty();
    this.unmark(from);
    this.mark(to);
  }


  @inline
  private headOf(slot: u32): Node {
    return changetype<Node>(changetype<usize>(this) + HEADS + ((<usize>slot) << 3));
  }


  @inline
  private bitsOf(level: u32): u64 {
    return load<u64>(changetype<usize>(this) + ((<usize>level) << 3), BITMAPS);
  }

  private mark(slot: u32): void {
    const bitmap = changetype<usize>(this) + ((<usize>(slot >> 6)) << 3);
    store<u64>(bitmap, load<u64>(bitmap, BITMAPS) | ((<u64>1) << (slot & 63)), BITMAPS);
  }

  private unmark(slot: u32): void {
    const bitmap = changetype<usize>(this) + ((<usize>(slot >> 6)) << 3);
    store<u64>(bitmap, load<u64>(bitmap, BITMAPS) & ~((<u64>1) << (slot & 63)), BITMAPS);
  }

  /**
   * Walks the whole wheel. O(nodes).
   * @returns 0, or the first rule that does not hold: 1 a link, 2 a bitmap, 3 the number of nodes, 4 a slot
   *   before the wheel's own that is not empty
   */
  check(): u32 {
    let nodes: u32 = 0;
    for (let slot: u32 = 0; slot < LEVELS << 6; slot++) {
      const head = this.headOf(slot);
      const digit = slot & 63;
      const level = slot >> 6;
      if (<u32>((this.bitsOf(level) >> digit) & 1) != u32(head.next != head)) return 2;
      if (head.next != head && this.startOf(level, digit) + ((<u64>1) << (level * 6)) <= this.tick) return 4;
      let before = head;
      do {
        const node = before.next;
        if (!isReadable(node) || node.back != before) return 1;
        before = node;
        // More than there are: the ring does not come back to its head.
        if (node != head && ++nodes > this.count) return 3;
      } while (before != head);
    }
    return nodes == this.count ? 0 : 3;
  }
}

/** The first tick by which a deadline, Unix ms, has passed. */
// prettier-ignore
@inline
function tickOf(deadline: i64): u64 {
  return deadline < 0 ? 0 : min(((<u64>deadline) >> TICK_BITS) + 1, TICK_MAX);
}

/** The level of the first digit in which two ticks differ, from the bits in which they do. */
// prettier-ignore
@inline
function levelOf(difference: u64): u32 {
  return (63 - <u32>clz(difference)) / <u32>6;
}

/** Whether a node lies within the memory. */
function isReadable(node: Node): bool {
  return <u64>changetype<usize>(node) + NODE_BYTES <= (<u64>memory.size()) << 16;
}
