/**
 * An entry: key and value in one block of the heap.
 *
 *     tiny     key < 32, all of it 4 … 128     +-+------------- - -
 *              bytes, without deadline         |f| key value        the block tells the value's length
 *     short    key < 256, value < 256          +-+-+------+-+----------+------------- - -
 *                                              |f|k| node |v| deadline | key value
 *     medium   key < 256, value < 65536        +-+-+------+---+----------+------------- - -
 *                                              |f|k| node | v | deadline | key value
 *     long                                     +-+-+------+----+---+---+----------+------------- - -
 *                                              |f|0| node |zero| k | v | deadline | key value
 *
 *     f        of a tiny entry: bits 5 and 6 the kind of its value, or PADDED · bits 0 to 4 the key's length
 *              of others: bit 7 set · bit 6 it has room for a deadline · bits 4 and 5 the form · bits 0 and 1
 *              the kind
 *     kind     what the value's bytes are: of no meaning here, 0 to 2
 *     room     only with bit 6: the node of a timing wheel (wheel.ts), 8 bytes, always at byte 2; the
 *              deadline i64, Unix ms, always before the key, 0: none
 */
import { copy, equal } from "./bytes";
import { alloc, allocMovable, free, tinySize, usableSize } from "./heap";

/** The kind of a value that is kept as it came. */
export const PLAIN: u32 = 0;
/** In the place of a tiny entry's kind: PLAIN, and the block is a byte longer than the entry. */
const PADDED: u32 = 3;
const KIND_SHIFT: u32 = 5;
const KIND_MASK: u32 = 3;
const WIDE: u32 = 0x80;
const DEADLINE: u32 = 0x40;
/** The forms, as the flags of entries that are not tiny have them. */
const FORM_MASK: u32 = 0x30;
const SHORT: u32 = 0;
const MEDIUM: u32 = 0x10;
const LONG: u32 = 0x20;
/** Bytes of a deadline's node, and of both. */
const NODE_BYTES: u32 = 8;
const ROOM_BYTES: u32 = 16;
const NODE: usize = 2;
/** A tiny entry's key is shorter; it has at least and at most so many bytes: those whose blocks fit them. */
const TINY_KEY: u32 = 32;
const TINY_MIN: u32 = 4;
const TINY_MAX: u32 = 128;
const SHORT_KEY: u32 = 256;
const SHORT_VALUE: u32 = 256;
const MEDIUM_VALUE: u32 = 65536;
/** Keys and values are each at most 512 MiB, so that sums of sizes fit 32 bits. */
export const LENGTH_MAX: u32 = 512 << 20;

/** Bytes before the key, of an entry without room for a deadline. */
// prettier-ignore
@inline
function headerFor(keyLength: u32, valueLength: u32): u32 {
  if (keyLength < TINY_KEY && 1 + keyLength + valueLength - TINY_MIN <= TINY_MAX - TINY_MIN) return 1;
  return wideHeader(keyLength, valueLength);
}

/** Bytes of flags and lengths of an entry that is not tiny: which form it has. */
// prettier-ignore
@inline
function wideHeader(keyLength: u32, valueLength: u32): u32 {
  if (keyLength >= SHORT_KEY || valueLength >= MEDIUM_VALUE) return 12;
  return valueLength < SHORT_VALUE ? 3 : 4;
}

/** Bytes that an entry of these lengths asks of the heap. */
export function sizeFor(keyLength: u32, valueLength: u32): u32 {
  return headerFor(keyLength, valueLength) + keyLength + valueLength;
}

/** The entry, without room for a deadline, whose value of this length begins at `value`. O(1). */
// prettier-ignore
@inline
export function entryOfValue(value: usize, keyLength: u32, valueLength: u32): usize {
  return value - <usize>(headerFor(keyLength, valueLength) + keyLength);
}

/**
 * A new entry with copies of key and value; the caller owns it. A `value` of 0 leaves its bytes to be written
 * by the caller. It may be moved by compaction once a table holds it. O(lengths).
 * @param kind what the value's bytes are
 * @returns 0 when there is no memory, or a length is over LENGTH_MAX
 */
export function create(key: usize, keyLength: u32, value: usize, valueLength: u32, kind: u32): usize {
  if (keyLength > LENGTH_MAX || valueLength > LENGTH_MAX) return 0;
  const block = allocMovable(sizeFor(keyLength, valueLength));
  return block ? fill(block, key, keyLength, value, valueLength, kind) : 0;
}

/** As create, an entry that is never moved: for tables that compaction does not know. */
export function createFixed(key: usize, keyLength: u32, value: usize, valueLength: u32): usize {
  if (keyLength > LENGTH_MAX || valueLength > LENGTH_MAX) return 0;
  const block = alloc(sizeFor(keyLength, valueLength));
  return block ? fill(block, key, keyLength, value, valueLength, PLAIN) : 0;
}

/**
 * As create, an entry with room for a deadline, Unix ms, which it has from now on; 0: none yet. Its node is
 * in no wheel: that is the caller's to do.
 */
export function createUntil(key: usize, keyLength: u32, value: usize, valueLength: u32, deadline: i64, kind: u32): usize {
  if (keyLength > LENGTH_MAX || valueLength > LENGTH_MAX) return 0;
  const header = wideHeader(keyLength, valueLength) + ROOM_BYTES;
  const block = allocMovable(header + keyLength + valueLength);
  if (!block) return 0;
  writeLengths(block, header, keyLength, valueLength, kind, DEADLINE);
  const target = block + <usize>header;
  store<i64>(target - 8, deadline);
  copy(target, key, keyLength);
  if (value) copy(target + <usize>keyLength, value, valueLength);
  return block;
}

function fill(block: usize, key: usize, keyLength: u32, value: usize, valueLength: u32, kind: u32): usize {
  const header = headerFor(keyLength, valueLength);
  writeHeader(block, header, keyLength, valueLength, kind);
  const target = block + <usize>header;
  copy(target, key, keyLength);
  if (value) copy(target + <usize>keyLength, value, valueLength);
  return block;
}

// prettier-ignore
@inline
function writeHeader(block: usize, header: u32, keyLength: u32, valueLength: u32, kind: u32): void {
  if (header == 1) store<u8>(block, <u8>tinyFlags(keyLength, valueLength, kind));
  else writeLengths(block, header, keyLength, valueLength, kind, 0);
}

/** The flags of a tiny entry. Over 64 bytes its block may be one longer; no other kind is as long as that. */
// prettier-ignore
@inline
function tinyFlags(keyLength: u32, valueLength: u32, kind: u32): u32 {
  const size = 1 + keyLength + valueLength;
  if (size > 64 && size & 1) kind = PADDED;
  return (kind << KIND_SHIFT) | keyLength;
}

/** Writes flags and lengths of an entry that is not tiny, whose key begins after `header` bytes. */
function writeLengths(block: usize, header: u32, keyLength: u32, valueLength: u32, kind: u32, room: u32): void {
  const lengths = header - roomOf(room);
  const shift = shiftOf(room);
  const flags = WIDE | room | kind;
  if (lengths == 3) {
    store<u16>(block, <u16>(flags | SHORT | (keyLength << 8)));
    store<u8>(block + shift, <u8>valueLength, 2);
  } else if (lengths == 4) {
    store<u16>(block, <u16>(flags | MEDIUM | (keyLength << 8)));
    store<u16>(block + shift, <u16>valueLength, 2);
  } else {
    store<u16>(block, <u16>(flags | LONG));
    store<u16>(block + shift, 0, 2);
    store<u32>(block + shift, keyLength, 4);
    store<u32>(block + shift, valueLength, 8);
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
  return flags & WIDE ? lengthsOf(flags) + roomOf(flags) : 1;
}

/** Bytes of flags and lengths of an entry that is not tiny. */
// prettier-ignore
@inline
function lengthsOf(flags: u32): u32 {
  return flags & LONG ? 12 : 3 + ((flags & MEDIUM) >> 4);
}

/** ROOM_BYTES where the flags, which are not those of a tiny entry, say so. */
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
  if (!(flags & WIDE)) return flags & (TINY_KEY - 1);
  return flags & LONG ? load<u32>(entry + shiftOf(flags), 4) : <u32>load<u8>(entry, 1);
}

/** Address of the value's first byte. */
export function valueOf(entry: usize): usize {
  const flags = <u32>load<u8>(entry);
  if (!(flags & WIDE)) return entry + 1 + <usize>(flags & (TINY_KEY - 1));
  return entry + <usize>headerOf(entry) + <usize>keyLength(entry);
}

/**
 * As valueOf, in few steps, of an entry without room for a deadline whose key and value have each less than
 * 256 bytes.
 */
// prettier-ignore
@inline
export function shortValueOf(entry: usize): usize {
  const flags = <u32>load<u8>(entry);
  return entry + <usize>(flags & WIDE ? 3 + <u32>load<u8>(entry, 1) : 1 + (flags & (TINY_KEY - 1)));
}

/** Bytes of the value. */
export function valueLength(entry: usize): u32 {
  const flags = <u32>load<u8>(entry);
  if (!(flags & WIDE)) return tinySize(entry) - u32(flags >> KIND_SHIFT == PADDED) - 1 - (flags & (TINY_KEY - 1));
  const lengths = entry + shiftOf(flags);
  if (flags & LONG) return load<u32>(lengths, 8);
  return flags & MEDIUM ? <u32>load<u16>(lengths, 2) : <u32>load<u8>(lengths, 2);
}

/** Address and length of the value, `length << 32 | address`. */
// prettier-ignore
@inline
export function spanOf(entry: usize): u64 {
  const flags = <u32>load<u8>(entry);
  if (flags & WIDE) return (<u64>valueLength(entry) << 32) | <u64>valueOf(entry);
  const before = 1 + (flags & (TINY_KEY - 1));
  const length = tinySize(entry) - u32(flags >> KIND_SHIFT == PADDED) - before;
  return (<u64>length << 32) | <u64>(entry + <usize>before);
}

/** What the value's bytes are, as they were when it was stored. */
// prettier-ignore
@inline
export function kindOf(entry: usize): u32 {
  const flags = <u32>load<u8>(entry);
  if (flags & WIDE) return flags & KIND_MASK;
  const kind = flags >> KIND_SHIFT;
  return kind == PADDED ? PLAIN : kind;
}

/** Whether the entry's key is these bytes. O(length). */
// prettier-ignore
@inline
export function hasKey(entry: usize, key: usize, length: u32): bool {
  const flags = <u32>load<u8>(entry);
  if (!(flags & WIDE)) return (flags & (TINY_KEY - 1)) == length && equal(entry + 1, key, length);
  return keyLength(entry) == length && equal(keyOf(entry), key, length);
}

/** Bytes that the entry asked of the heap; of a tiny one, what the heap gave it for them. */
export function sizeOf(entry: usize): u32 {
  if (!(load<u8>(entry) & WIDE)) return tinySize(entry);
  return headerOf(entry) + keyLength(entry) + valueLength(entry);
}

/**
 * Replaces the value in place where the entry's block has room for it and a new entry's would be no smaller;
 * `value` 0 leaves the bytes to be written by the caller, the former ones as they are as far as both reach. A
 * deadline stays. O(length).
 * @returns false, nothing changed, where a new entry is needed
 */
export function overwrite(entry: usize, value: usize, length: u32, kind: u32): bool {
  const flags = <u32>load<u8>(entry);
  if (!(flags & WIDE)) return overwriteTiny(entry, flags & (TINY_KEY - 1), value, length, kind);
  if (length > LENGTH_MAX) return false;
  const size = keyLength(entry);
  const room = flags & DEADLINE;
  const header = room ? wideHeader(size, length) + ROOM_BYTES : headerFor(size, length);
  if (header != headerOf(entry)) return false;
  if (usableSize(header + size + length) != usableSize(sizeOf(entry))) return false;
  if (room) writeLengths(entry, header, size, length, kind, room);
  else writeHeader(entry, header, size, length, kind);
  if (value) copy(entry + <usize>header + <usize>size, value, length);
  return true;
}

// prettier-ignore
@inline
function overwriteTiny(entry: usize, keyLength: u32, value: usize, length: u32, kind: u32): bool {
  const size: u32 = 1 + keyLength + length;
  // Over 64 bytes blocks have an even length.
  if (size < TINY_MIN || tinySize(entry) != (size > 64 ? (size + 1) & ~1 : size)) return false;
  store<u8>(entry, <u8>tinyFlags(keyLength, length, kind));
  if (value) copy(entry + 1 + <usize>keyLength, value, length);
  return true;
}

// ── Deadlines ──────────────────────────────────────────────────────────────────────────────────────────────

/** Whether the entry has room for a deadline. */
// prettier-ignore
@inline
export function hasRoom(entry: usize): bool {
  return (load<u8>(entry) & (WIDE | DEADLINE)) == (WIDE | DEADLINE);
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
