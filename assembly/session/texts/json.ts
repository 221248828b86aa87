/**
 * JSON strings from arbitrary bytes. Text is escaped as JSON.stringify escapes it. What is not valid UTF-8
 * becomes U+FFFD, one for each maximal subpart of an ill-formed sequence, as the WHATWG TextDecoder does
 * (Unicode 16, section 3.9, table 3-8).
 *
 * It goes in blocks of 32 bytes, the last one padded. A block is copied whole. Where it has escapes of two
 * characters alone, it is written eight bytes at a time, each by one shuffle. Where it has others, or is not
 * valid UTF-8, it is copied in runs between the bytes that need attention: escapes, and in a block that is
 * not valid all that is not ASCII.
 */
import { copy } from "../../base/storage/bytes";
import { roomAt } from "./scratch";

const QUOTE: u8 = 0x22;
const BACKSLASH: u8 = 0x5c;
/** U+FFFD, least byte first. */
const REPLACEMENT: u32 = 0xbdbfef;
const BLOCK: u32 = 32;

/** A block that is not as it stands in the text, and room for reading 32 bytes from any place in it. */
const padded: usize = memory.data(64, 16);
/**
 * For each set of eight bytes that need an escape the shuffle that puts backslashes, number 8, before them:
 * made when the first is needed.
 */
const shuffles: usize = memory.data(4096, 16);
let hasShuffles: bool = false;

/** Where `writeBlock` stopped in the text. */
let rest: usize = 0;

/**
 * Writes the JSON string, with its quotes, to `target`, whose room `roomAt` keeps; it may touch up to 32
 * bytes more. O(length).
 * @returns the address after it
 */
export function writeString(source: usize, length: u32, target: usize): usize {
  store<u8>(target++, QUOTE);
  const end = source + length;
  while (source < end) {
    target = roomAt(target);
    const left = <u32>(end - source);
    let block = source;
    if (left < BLOCK) {
      v128.store(padded, i64x2.splat(0));
      v128.store(padded, i64x2.splat(0), 16);
      copy(padded, source, left);
      block = padded;
    }
    const low = v128.load(block);
    const high = v128.load(block, 16);
    const isAscii = !i8x16.bitmask(v128.or(low, high));
    const ill = isAscii ? i64x2.splat(0) : v128.or(illFormed(i64x2.splat(0), low), illFormed(low, high));
    const special = v128.or(escaped(low), escaped(high));
    if (left >= BLOCK && !v128.any_true(v128.or(ill, special))) {
      v128.store(target, low);
      v128.store(target, high, 16);
      const whole = isAscii ? BLOCK : wholeBytes(high);
      source += whole;
      target += whole;
      continue;
    }
    target = writeBlock(source, end, low, high, v128.any_true(ill), target);
    source = rest;
  }
  store<u8>(target, QUOTE);
  return target + 1;
}

/**
 * Writes what of the text at `source` lies in the block `low`, `high`, and what a sequence has beyond it;
 * `rest` is then where to go on.
 * @param isIll whether it has bytes that are not valid UTF-8
 * @returns the address after it
 */
function writeBlock(source: usize, end: usize, low: v128, high: v128, isIll: bool, target: usize): usize {
  let size = min(<u32>(end - source), BLOCK);
  let attention = (<u32>i8x16.bitmask(escaped(low))) | ((<u32>i8x16.bitmask(escaped(high))) << 16);
  if (isIll) attention |= (<u32>i8x16.bitmask(low)) | ((<u32>i8x16.bitmask(high)) << 16);
  else if (size == BLOCK) size = wholeBytes(high);
  attention &= u32.MAX_VALUE >> (BLOCK - size);
  if (!attention) {
    v128.store(target, low);
    v128.store(target, high, 16);
    rest = source + size;
    return target + size;
  }
  if (!isIll && !(attention & ((<u32>i8x16.bitmask(isLong(low))) | ((<u32>i8x16.bitmask(isLong(high))) << 16)))) {
    rest = source + size;
    return writeShort(letters(low), letters(high), attention, size, target);
  }
  v128.store(padded, low);
  v128.store(padded, high, 16);
  let at: u32 = 0;
  while (attention) {
    const next = <u32>ctz(attention);
    target = writeRun(at, next, target);
    const byte = load<u8>(padded + next);
    if (byte < 0x80) {
      target = writeEscape(byte, target);
      at = next + 1;
      attention &= attention - 1;
    } else {
      const sequence = sequenceAt(source + next, end);
      // It may end after the block.
      if (sequence > 0) copy(target, source + next, sequence);
      else store<u32>(target, REPLACEMENT);
      at = next + abs(sequence);
      target += sequence > 0 ? <usize>sequence : 3;
      attention = at < BLOCK ? attention & (u32.MAX_VALUE << at) : 0;
    }
  }
  rest = source + max(at, size);
  return at < size ? writeRun(at, size, target) : target;
}

/** Writes what stands in `padded` from `at` to before `end`, and touches up to 31 bytes more. */
// prettier-ignore
@inline
function writeRun(at: u32, end: u32, target: usize): usize {
  if (at == end) return target;
  v128.store(target, v128.load(padded + at));
  if (end - at > 16) v128.store(target, v128.load(padded + at, 16), 16);
  return target + (end - at);
}

/** Writes a control character, quote or backslash as its escape, and touches up to 4 bytes more. */
// prettier-ignore
@inline
function writeEscape(byte: u8, target: usize): usize {
  const letter = i8x16.extract_lane_u(letters(i8x16.splat(byte)), 0);
  if (letter >= 0x20) {
    store<u16>(target, BACKSLASH | ((<u16>letter) << 8));
    return target + 2;
  }
  const low = byte & 15;
  store<u32>(target, 0x3030755c); // \u00
  store<u8>(target, 0x30 + (byte >> 4), 4);
  store<u8>(target, low < 10 ? 48 + low : 87 + low, 5);
  return target + 6;
}

/**
 * Writes the first `size` bytes of a block with a backslash before each that `mask` has, and touches up to 16
 * bytes more.
 */
function writeShort(low: v128, high: v128, mask: u32, size: u32, target: usize): usize {
  if (!hasShuffles) makeShuffles();
  const slash = i8x16.splat(BACKSLASH);
  target = writeEight(i8x16.shuffle(low, slash, 0, 1, 2, 3, 4, 5, 6, 7, 16, 16, 16, 16, 16, 16, 16, 16), mask, size, target);
  if (size <= 8) return target;
  target = writeEight(i8x16.shuffle(low, slash, 8, 9, 10, 11, 12, 13, 14, 15, 16, 16, 16, 16, 16, 16, 16, 16), mask >> 8, size - 8, target);
  if (size <= 16) return target;
  target = writeEight(i8x16.shuffle(high, slash, 0, 1, 2, 3, 4, 5, 6, 7, 16, 16, 16, 16, 16, 16, 16, 16), mask >> 16, size - 16, target);
  if (size <= 24) return target;
  return writeEight(
    i8x16.shuffle(high, slash, 8, 9, 10, 11, 12, 13, 14, 15, 16, 16, 16, 16, 16, 16, 16, 16),
    mask >> 24,
    size - 24,
    target,
  );
}

/** Writes eight bytes, or those that are left, with backslashes, which byte 8 is. */
// prettier-ignore
@inline
function writeEight(bytes: v128, mask: u32, left: u32, target: usize): usize {
  v128.store(target, i8x16.swizzle(bytes, v128.load(shuffles + ((<usize>(mask & 255)) << 4))));
  return target + min(left, 8) + popcnt(mask & 255);
}

function makeShuffles(): void {
  for (let mask: u32 = 0; mask < 256; mask++) {
    let target = shuffles + ((<usize>mask) << 4);
    for (let byte: u32 = 0; byte < 8; byte++) {
      if ((mask >> byte) & 1) store<u8>(target++, 8);
      store<u8>(target++, byte);
    }
  }
  hasShuffles = true;
}

/** The bytes, with the letter of its short escape for each control character that has one: \b \t \n \f \r. */
// prettier-ignore
@inline
function letters(bytes: v128): v128 {
  const found = i8x16.swizzle(i8x16(0, 0, 0, 0, 0, 0, 0, 0, 0x62, 0x74, 0x6e, 0, 0x66, 0x72, 0, 0), bytes);
  return v128.or(found, v128.andnot(bytes, i8x16.ne(found, i64x2.splat(0))));
}

/** Which bytes are control characters without a short escape. */
// prettier-ignore
@inline
function isLong(bytes: v128): v128 {
  return i8x16.lt_u(letters(bytes), i8x16.splat(0x20));
}

/** Which bytes need an escape: control characters, quotes and backslashes. */
// prettier-ignore
@inline
function escaped(bytes: v128): v128 {
  // A quote changes places with a blank, and is then just past the control characters.
  const exchanged = v128.xor(bytes, i8x16.splat(0x02));
  return v128.or(i8x16.eq(i8x16.min_u(exchanged, i8x16.splat(0x20)), exchanged), i8x16.eq(bytes, i8x16.splat(BACKSLASH)));
}

// What is wrong with two bytes that stand side by side, as far as it takes no more to know: a bit each.

/** A lead without a continuation byte after it. */
const TOO_SHORT: i8 = 1;
/** A continuation byte after ASCII. */
const TOO_LONG: i8 = 2;
/** U+0800 is the first that takes three bytes, U+0080 the first that takes two. */
const OVERLONG_3: i8 = 4;
const OVERLONG_2: i8 = 32;
/** Past U+10FFFF: F4 90 and on; and F5 80 and on, whose bit is also that of F0 80, which is overlong. */
const TOO_LARGE: i8 = 8;
const TOO_LARGE_80: i8 = 64;
/** U+D800 to U+DFFF. */
const SURROGATE: i8 = 16;
/** Two continuation bytes: wrong but where a lead of three or four stands before them. */
const TWO_MORE: i8 = -128;

/** Of what the lower half of the first byte tells nothing: TOO_SHORT, TOO_LONG, TWO_MORE. */
const ANY: i8 = -125;

/** What may be wrong by the upper half of the first byte. */
// prettier-ignore
@inline
function firstUpper(): v128 {
  return i8x16(
    TOO_LONG, TOO_LONG, TOO_LONG, TOO_LONG, TOO_LONG, TOO_LONG, TOO_LONG, TOO_LONG,
    TWO_MORE, TWO_MORE, TWO_MORE, TWO_MORE,
    TOO_SHORT | OVERLONG_2,
    TOO_SHORT,
    TOO_SHORT | OVERLONG_3 | SURROGATE,
    TOO_SHORT | TOO_LARGE | TOO_LARGE_80,
  );
}

/** What may be wrong by the lower half of the first byte. */
// prettier-ignore
@inline
function firstLower(): v128 {
  return i8x16(
    ANY | OVERLONG_3 | OVERLONG_2 | TOO_LARGE_80,
    ANY | OVERLONG_2,
    ANY,
    ANY,
    ANY | TOO_LARGE,
    ANY | TOO_LARGE | TOO_LARGE_80,
    ANY | TOO_LARGE | TOO_LARGE_80,
    ANY | TOO_LARGE | TOO_LARGE_80,
    ANY | TOO_LARGE | TOO_LARGE_80,
    ANY | TOO_LARGE | TOO_LARGE_80,
    ANY | TOO_LARGE | TOO_LARGE_80,
    ANY | TOO_LARGE | TOO_LARGE_80,
    ANY | TOO_LARGE | TOO_LARGE_80,
    ANY | TOO_LARGE | TOO_LARGE_80 | SURROGATE,
    ANY | TOO_LARGE | TOO_LARGE_80,
    ANY | TOO_LARGE | TOO_LARGE_80,
  );
}

/** What may be wrong by the upper half of the second byte. */
// prettier-ignore
@inline
function secondUpper(): v128 {
  return i8x16(
    TOO_SHORT, TOO_SHORT, TOO_SHORT, TOO_SHORT, TOO_SHORT, TOO_SHORT, TOO_SHORT, TOO_SHORT,
    TOO_LONG | OVERLONG_2 | TWO_MORE | OVERLONG_3 | TOO_LARGE_80,
    TOO_LONG | OVERLONG_2 | TWO_MORE | OVERLONG_3 | TOO_LARGE,
    TOO_LONG | OVERLONG_2 | TWO_MORE | SURROGATE | TOO_LARGE,
    TOO_LONG | OVERLONG_2 | TWO_MORE | SURROGATE | TOO_LARGE,
    TOO_SHORT, TOO_SHORT, TOO_SHORT, TOO_SHORT,
  );
}

/**
 * Where bytes are not valid UTF-8: not 0 where a byte does not continue what stands before it. A sequence
 * that is cut by the end of `bytes` is none. After Keiser, Lemire: "Validating UTF-8 in less than one
 * instruction per byte", Software: Practice and Experience 51 (5), 2021: both halves of a byte and the upper
 * half of the next each name in a table what is wrong with the two, if the other halves say so too.
 * @param before the 16 bytes before them; zeros where a sequence begins with `bytes`
 */
// prettier-ignore
@inline
function illFormed(before: v128, bytes: v128): v128 {
  const back1 = i8x16.shuffle(before, bytes, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30);
  const back2 = i8x16.shuffle(before, bytes, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29);
  const back3 = i8x16.shuffle(before, bytes, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28);
  const pair = v128.and(
    v128.and(i8x16.swizzle(firstUpper(), i8x16.shr_u(back1, 4)), i8x16.swizzle(firstLower(), v128.and(back1, i8x16.splat(15)))),
    i8x16.swizzle(secondUpper(), i8x16.shr_u(bytes, 4)),
  );
  // The upper bit is set where a lead of three stands two bytes before, or one of four three bytes before.
  const continues = v128.or(i8x16.sub_sat_u(back2, i8x16.splat(0x60)), i8x16.sub_sat_u(back3, i8x16.splat(0x70)));
  return v128.xor(v128.and(continues, i8x16.splat(-128)), pair);
}

/** How many of 32 bytes, valid but for their end, are whole sequences: the last 16 tell. */
// prettier-ignore
@inline
function wholeBytes(high: v128): u32 {
  // The upper bit stays where a lead of four, three or two has fewer bytes after it.
  const cut = i8x16.sub_sat_u(high, i8x16(-128, -128, -128, -128, -128, -128, -128, -128, -128, -128, -128, -128, -128, 0x70, 0x60, 0x40));
  return 16 + <u32>ctz(i8x16.bitmask(cut) | 0x10000);
}

/**
 * Length of the valid UTF-8 sequence at `source`, which is no ASCII; minus the length of the maximal subpart
 * when it is not valid.
 */
function sequenceAt(source: usize, end: usize): i32 {
  const lead = load<u8>(source);
  if (lead < 0xc2 || lead > 0xf4) return -1;
  const length = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
  // The second byte's range is narrower after four leads: no overlong forms, no surrogates, nothing past
  // U+10FFFF.
  let low: u8 = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
  let high: u8 = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
  for (let index = 1; index < length; index++) {
    if (source + index >= end) return -index;
    const byte = load<u8>(source + index);
    if (byte < low || byte > high) return -index;
    low = 0x80;
    high = 0xbf;
  }
  return length;
}
