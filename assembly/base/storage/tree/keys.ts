/**
 * Keys of entries as the tree orders them: byte by byte, unsigned; of two that begin alike the shorter first.
 */
import { keyLength, keyOf } from "../entry";

/** How an entry's key stands to another, in the low bits of what `order` answers. */
export const BELOW: u32 = 0;
export const SAME: u32 = 1;
export const ABOVE: u32 = 2;
export const ORDER_MASK: u32 = 3;
export const ORDER_BITS: u32 = 2;

/**
 * The first place from `from` on at which the bytes differ; `length`: none does. Where those before `from`
 * differ, it may answer such a place. Reads nothing outside of both. O(length).
 */
// prettier-ignore
@inline
export function common(left: usize, right: usize, from: u32, length: u32): u32 {
  let at = from;
  for (; at + 8 <= length; at += 8) {
    const difference = load<u64>(left + <usize>at) ^ load<u64>(right + <usize>at);
    if (difference) return at + <u32>(ctz(difference) >> 3);
  }
  if (at >= length) return length;
  if (length < 8) return commonTiny(left, right, at, length);
  at = length - 8;
  const difference = load<u64>(left + <usize>at) ^ load<u64>(right + <usize>at);
  return difference ? at + <u32>(ctz(difference) >> 3) : length;
}

function commonTiny(left: usize, right: usize, from: u32, length: u32): u32 {
  while (from < length && load<u8>(left + <usize>from) == load<u8>(right + <usize>from)) from++;
  return from;
}

/**
 * Compares an entry's key with another, of which at least the first `from` bytes are there and taken as the
 * same. O(length).
 * @returns BELOW, SAME or ABOVE: where the entry's key stands, and above these bits how many bytes of both
 *   agree
 */
export function order(entry: usize, key: usize, length: u32, from: u32): u32 {
  const own = keyOf(entry);
  const ownLength = keyLength(entry);
  const shorter = min(ownLength, length);
  const at = common(own, key, from, shorter);
  const agree = at << ORDER_BITS;
  if (at < shorter) return agree | (load<u8>(own + <usize>at) < load<u8>(key + <usize>at) ? BELOW : ABOVE);
  if (ownLength == length) return agree | SAME;
  return agree | (ownLength < length ? BELOW : ABOVE);
}

/** How many bytes the keys of two entries have in common. O(length). */
export function commonOf(entry: usize, other: usize): u32 {
  return common(keyOf(entry), keyOf(other), 0, min(keyLength(entry), keyLength(other)));
}

/** The byte at a place of the key, 0 behind its end. */
// prettier-ignore
@inline
function byteAt(key: usize, length: u32, place: u32): u32 {
  return place < length ? <u32>load<u8>(key + <usize>place) : 0;
}

/** The two bytes from a place of the key on, the first as the lowest, 0 for each behind its end. */
// prettier-ignore
@inline
export function pairAt(key: usize, length: u32, place: u32): u32 {
  return place + 2 <= length ? <u32>load<u16>(key + <usize>place) : byteAt(key, length, place);
}

/** The two bytes from a place of an entry's key on, as pairAt. */
export function pairOf(entry: usize, place: u32): u32 {
  return pairAt(keyOf(entry), keyLength(entry), place);
}

/** The four bytes from a place of the key on, the first as the highest, 0 for each behind its end. */
// prettier-ignore
@inline
export function headAt(key: usize, length: u32, place: u32): u32 {
  return place + 4 <= length ? bswap<u32>(load<u32>(key + <usize>place)) : headAtEnd(key, length, place);
}

function headAtEnd(key: usize, length: u32, place: u32): u32 {
  let head: u32 = 0;
  for (let at: u32 = 0; at < 4; at++) head = (head << 8) | byteAt(key, length, place + at);
  return head;
}

/** The four bytes from a place of an entry's key on, as headAt. */
export function headOf(entry: usize, place: u32): u32 {
  return headAt(keyOf(entry), keyLength(entry), place);
}
