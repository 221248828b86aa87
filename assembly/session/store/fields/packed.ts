/**
 * Packed fields: all of a session's in one block of at most 2 KiB, found by walking it. See fields.ts for
 * when data is packed.
 *
 *     block    | used u16 | count u8 | item | item | … | (vacant)
 *     item     | name length u16 | value length u16 | name | value |
 *
 * Packed data is small, so walking it costs about a cache miss per 64 bytes.
 */
import { copy, equal } from "../../../base/storage/bytes";
import { alloc, smallSize, usableSize } from "../../../base/storage/heap";

/** Most bytes of a packed block, and most fields in it: past either, the data is tabled. */
export const PACKED_MAX: u32 = 2048;
export const PACKED_FIELDS: u32 = 64;
/** Bytes of a block's head, and of an item's. */
export const HEAD: u32 = 3;
export const ITEM_HEAD: u32 = 4;


@unmanaged
export class Item {
  nameLength: u16;
  valueLength: u16;


  @inline
  get name(): usize {
    return changetype<usize>(this) + ITEM_HEAD;
  }


  @inline
  get value(): usize {
    return this.name + this.nameLength;
  }

  /** Bytes of the item. */
  @inline
  get size(): u32 {
    return ITEM_HEAD + this.nameLength + this.valueLength;
  }

  write(name: usize, nameLength: u32, value: usize, valueLength: u32): void {
    this.nameLength = <u16>nameLength;
    this.valueLength = <u16>valueLength;
    copy(this.name, name, nameLength);
    copy(this.value, value, valueLength);
  }
}


@unmanaged
export class Packed {
  /** Bytes of its head and its items. */
  used: u16;
  /** Items. */
  count: u8;

  /** Bytes of the block: what the heap has for them. */
  @inline
  get size(): u32 {
    return smallSize(changetype<usize>(this));
  }

  /** Address of the first item, or where it would be. */
  @inline
  get start(): usize {
    return changetype<usize>(this) + HEAD;
  }

  /** The address after the last item. */
  @inline
  get end(): usize {
    return changetype<usize>(this) + this.used;
  }

  /** Address of the item of this name, 0 when there is none. O(items). */
  find(name: usize, length: u32): usize {
    const end = this.end;
    let at = this.start;
    while (at < end) {
      const item = changetype<Item>(at);
      if (item.nameLength == length && equal(item.name, name, length)) return at;
      at += item.size;
    }
    return 0;
  }

  /**
   * Sets a field: in the place of the item at `at`, or behind the last, 0. The block has room for it. Cannot
   * fail.
   */
  put(at: usize, name: usize, nameLength: u32, value: usize, valueLength: u32): void {
    const before: u32 = at ? changetype<Item>(at).size : 0;
    const after = ITEM_HEAD + nameLength + valueLength;
    const end = this.end;
    if (!at) {
      at = end;
      this.count++;
    }
    const rest = at + before;
    memory.copy(at + after, rest, end - rest);
    changetype<Item>(at).write(name, nameLength, value, valueLength);
    this.used = <u16>(<u32>this.used + after - before);
  }

  /** Takes the item at `at` out. */
  remove(at: usize): void {
    const size = changetype<Item>(at).size;
    memory.copy(at, at + size, this.end - at - size);
    this.used = <u16>(<u32>this.used - size);
    this.count--;
  }

  /** Whether the lengths lie within the block. O(items). */
  check(): bool {
    const used = <u32>this.used;
    if (used > this.size) return false;
    let at = HEAD;
    let count: u32 = 0;
    for (; at + ITEM_HEAD <= used; at += changetype<Item>(changetype<usize>(this) + at).size) count++;
    return at == used && count == <u32>this.count;
  }
}

// prettier-ignore
@inline
export function packedOf(fields: u32): Packed {
  return changetype<Packed>(<usize>fields);
}

/** Bytes of the block for `size` bytes: even, so that a bit of its address is free. */
export function packedSize(size: u32): u32 {
  return usableSize((size + 1) & ~1);
}

/** A block for `size` bytes that holds what `fields`, 0 or packed, holds; 0 when there is no memory. */
export function newPacked(fields: u32, size: u32): u32 {
  const block = alloc(packedSize(size));
  if (!block) return 0;
  const packed = changetype<Packed>(block);
  if (fields) {
    memory.copy(block, fields, packedOf(fields).used);
  } else {
    packed.used = <u16>HEAD;
    packed.count = 0;
  }
  return <u32>block;
}
