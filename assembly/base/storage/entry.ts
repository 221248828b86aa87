/**
 * An entry: key and value in one block of the heap.
 *
 *     short    key < 64, value < 256       +-+-+------+----------+------------- - -
 *              f = flags | key length      |f|v| node | deadline | key value
 *     medium   key < 256, value < 65536    +-+-+------+---+----------+------------- - -
 *                                          |f|k| node | v | deadline | key value
 *     long                                 +-+-+------+----+---+---+----------+------------- - -
 *                                          |f|0| node |zero| k | v | deadline | key value
 *
 *     flags    bit 7 not short · bit 6 it has room for a deadline · bit 5, where bit 7 is set: long
 *     room     only with bit 6: the node of a timing wheel (wheel.ts), 8 bytes, always at byte 2; the
 *              deadline i64, Unix ms, always before the key, 0: none
 */
import { copy, equal } from "./bytes";
import { alloc, allocMovable, free, usableSize } from "./heap";

const WIDE: u32 = 0x80;
const DEADLINE: u32 = 0x40;
/** Bytes of a deadline's node, and of both. */
const NODE_BYTES: u32 = 8;
const ROOM_BYTES: u32 = 16;
const NODE: usize = 2;
const LONG: u32 = 0x20;
const SHORT_KEY: u32 = 64;
const SHORT_VALUE: u32 = 256;
const MEDIUM_KEY: u32 = 256;
const MEDIUM_VALUE: u32 = 65536;
/** Keys and values are each at most 512 MiB, so that sums of sizes fit 32 bits. */
export const LENGTH_MAX: u32 = 512 << 20;

// prettier-ignore
@inline
function headerFor(keyLength: u32, valueLength: u32): u32 {
  if (keyLength < SHORT_KEY && valueLength < SHORT_VALUE) return 2;
  return keyLength < MEDIUM_KEY && valueLength < MEDIUM_VALUE ? 4 : 12;
}

/** Bytes that an entry of these lengths asks of the heap. */
export function sizeFor(keyLength: u32, valueLength: u32): u32 {
  return headerFor(keyLength, valueLength) + keyLength + valueLength;
}

/**
 * A new entry with copies of key and value; the caller owns it. A `value` of 0 leaves its bytes to be written
 * by the caller. It may be moved by compaction once a table holds it. O(lengths).
 * @returns 0 when there is no memory, or a length is over LENGTH_MAX
 */
export function create(key: usize, keyLength: u32, value: usize, valueLength: u32): usize {
  if (keyLength > LENGTH_MAX || valueLength > LENGTH_MAX) return 0;
  const block = allocMovable(sizeFor(keyLength, valueLength));
  return block ? fill(block, key, keyLength, value, valueLength) : 0;
}

/** As create, an entry that is never moved: for tables that compaction does not know. */
export function createFixed(key: usize, keyLength: u32, value: usize, valueLength: u32): usize {
  if (keyLength > LENGTH_MAX || valueLength > LENGTH_MAX) return 0;
  const block = alloc(sizeFor(keyLength, valueLength));
  return block ? fill(block, key, keyLength, value, valueLength) : 0;
}

/**
 * As create, an entry with room for a deadline, Unix ms, which it has from now on; 0: none yet. Its node is
 * in no wheel: that is the caller's to do.
 */
export function createUntil(key: usize, keyLength: u32, value: usize, valueLength: u32, deadline: i64): usize {
  if (keyLength > LENGTH_MAX || valueLength > LENGTH_MAX) return 0;
  const lengths = headerFor(keyLength, valueLength);
  const block = allocMovable(lengths + ROOM_BYTES + keyLength + valueLength);
  if (!block) return 0;
  writeLengths(block, lengths, keyLength, valueLength);
  const target = block + <usize>(lengths + ROOM_BYTES);
  store<i64>(target - 8, deadline);
  copy(target, key, keyLength);
  if (value) copy(target + <usize>keyLength, value, valueLength);
  return block;
}

function fill(block: usize, key: usize, keyLength: u32, value: usize, valueLength: u32): usize {
  const header = headerFor(keyLength, valueLength);
  writeHeader(block, header, keyLength, valueLength);
  const target = block + <usize>header;
  copy(target, key, keyLength);
  if (value) copy(target + <usize>keyLength, value, valueLength);
  return block;
}

// prettier-ignore
@inline
function writeHeader(block: usize, header: u32, keyLength: u32, valueLength: u32): void {
  if (header == 2) {
    store<u16>(block, <u16>(keyLength | (valueLength << 8)));
  } else if (header == 4) {
    store<u32>(block, WIDE | (keyLength << 8) | (valueLength << 16));
  } else {
    store<u32>(block, WIDE | LONG);
    store<u32>(block, keyLength, 4);
    store<u32>(block, valueLength, 8);
  }
}

/** Writes the lengths of an entry with room for a deadline: as writeHeader, but for its node between them. */
function writeLengths(block: usize, lengths: u32, keyLength: u32, valueLength: u32): void {
  if (lengths == 2) {
    store<u16>(block, <u16>(DEADLINE | keyLength | (valueLength << 8)));
  } else if (lengths == 4) {
    store<u16>(block, <u16>(WIDE | DEADLINE | (keyLength << 8)));
    store<u16>(block, <u16>valueLength, 2 + NODE_BYTES);
  } else {
    store<u16>(block, <u16>(WIDE | DEADLINE | LONG));
    store<u16>(block, 0, 2 + NODE_BYTES);
    store<u32>(block, keyLength, 4 + NODE_BYTES);
    store<u32>(block, valueLength, 8 + NODE_BYTES);
  }
}

/** Frees an entry made by create or createFixed. O(1). */
export function destroy(entry: usize): void {
  free(entry, sizeOf(entry));
}

/** Bytes before the key. */
// prettier-ignore
@inline
function headerOf(entry: usize): u32 {
  const flags = <u32>load<u8>(entry);
  const lengths = flags & WIDE ? (flags & LONG ? 12 : 4) : 2;
  return lengths + roomOf(flags);
}

/** ROOM_BYTES where the flags say so. */
// prettier-ignore
@inline
function roomOf(flags: u32): u32 {
  return (flags & DEADLINE) >> 2;
}

/** How far the lengths after byte 2 lie behind the node: NODE_BYTES where the flags say so. */
// prettier-ignore
@inline
function shiftOf(flags: u32): usize {
  return <usize>((flags & DEADLINE) >> 3);
}

/** Address of the key's first byte. */
export function keyOf(entry: usize): usize {
  return entry + <usize>headerOf(entry);
}

/** Bytes of the key. */
export function keyLength(entry: usize): u32 {
  const flags = <u32>load<u8>(entry);
  if (!(flags & WIDE)) return flags & (SHORT_KEY - 1);
  return flags & LONG ? load<u32>(entry + shiftOf(flags), 4) : <u32>load<u8>(entry, 1);
}

/** Address of the value's first byte. */
export function valueOf(entry: usize): usize {
  return entry + <usize>headerOf(entry) + <usize>keyLength(entry);
}

/** Bytes of the value. */
export function valueLength(entry: usize): u32 {
  const flags = <u32>load<u8>(entry);
  if (!(flags & WIDE)) return <u32>load<u8>(entry, 1);
  return flags & LONG ? load<u32>(entry + shiftOf(flags), 8) : <u32>load<u16>(entry + shiftOf(flags), 2);
}

/** Whether the entry's key is these bytes. O(length). */
// prettier-ignore
@inline
export function hasKey(entry: usize, key: usize, length: u32): bool {
  const flags = <u32>load<u8>(entry);
  // Under SHORT_KEY it is a short entry without deadline, and the number is the key's length.
  if (flags < SHORT_KEY) return flags == length && equal(entry + 2, key, length);
  return keyLength(entry) == length && equal(keyOf(entry), key, length);
}

/** Bytes that the entry asked of the heap. */
export function sizeOf(entry: usize): u32 {
  return headerOf(entry) + keyLength(entry) + valueLength(entry);
}

/**
 * Replaces the value in place where the entry's block has room for it and a new entry's would be no smaller;
 * `value` 0 leaves the bytes to be written by the caller, the former ones as they are as far as both reach. A
 * deadline stays. O(length).
 * @returns false, nothing changed, where a new entry is needed
 */
export function overwrite(entry: usize, value: usize, length: u32): bool {
  if (load<u8>(entry) < SHORT_KEY && <u32>load<u8>(entry, 1) == length) {
    // A short entry without deadline keeps its header: the bytes alone change.
    if (value) copy(entry + 2 + <usize>load<u8>(entry), value, length);
    return true;
  }
  if (length > LENGTH_MAX) return false;
  const size = keyLength(entry);
  const room = roomOf(load<u8>(entry));
  const lengths = headerFor(size, length);
  const header = lengths + room;
  if (header != headerOf(entry)) return false;
  if (usableSize(header + size + length) != usableSize(sizeOf(entry))) return false;
  if (room) writeLengths(entry, lengths, size, length);
  else writeHeader(entry, lengths, size, length);
  if (value) copy(entry + <usize>header + <usize>size, value, length);
  return true;
}

// ── Deadlines ──────────────────────────────────────────────────────────────────────────────────────────────

/** Whether the entry has room for a deadline. */
// prettier-ignore
@inline
export function hasRoom(entry: usize): bool {
  return (load<u8>(entry) & DEADLINE) != 0;
}

/** The deadline, Unix ms; 0: none. */
// prettier-ignore
@inline
export function deadlineOf(entry: usize): i64 {
  return hasRoom(entry) ? load<i64>(keyOf(entry) - 8) : 0;
}

/** Sets the deadline, Unix ms, of an entry that has room for one; 0: none. The node stays where it is. */
export function setDeadline(entry: usize, deadline: i64): void {
  store<i64>(keyOf(entry) - 8, deadline);
}

/** The node of an entry that has room for a deadline. */
// prettier-ignore
@inline
export function nodeOf(entry: usize): usize {
  return entry + NODE;
}

/** The entry with this node. */
// prettier-ignore
@inline
export function entryOf(node: usize): usize {
  return node - NODE;
}
