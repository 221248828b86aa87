/**
 * Strings of the language are UTF-16, those of the server are bytes. Bytes that are no UTF-8 come as lone
 * surrogates U+DC80 … U+DCFF, and go out as they were: what came in goes out the same. Any other lone
 * surrogate goes out as U+FFFD.
 */
import { pack } from "../../base/frame";
import { take } from "../memory/arena";

const ESCAPED: u32 = 0xdc00;

/** The high bits of eight bytes: none is set in ASCII. */
const NOT_ASCII: u64 = 0x8080808080808080;

/** The string of these bytes. O(length). */
export function decodeString(bytes: usize, length: u32): string {
  const string = __new((<usize>length) << 1, idof<String>());
  if (!widen(bytes, length, string)) return decodeAny(bytes, length, string);
  return changetype<string>(string);
}

/** Writes ASCII as UTF-16; false: it is none. */
function widen(bytes: usize, length: u32, target: usize): bool {
  const size = <usize>length;
  if (length >= 16) {
    let seen = i8x16.splat(0);
    // The last 16 once more, with what is left.
    const last = size - 16;
    for (let at: usize = 0; at < last; at += 16) seen = v128.or(seen, widenBlock(bytes + at, target + (at << 1)));
    seen = v128.or(seen, widenBlock(bytes + last, target + (last << 1)));
    return !i8x16.bitmask(seen);
  }
  if (length >= 8) {
    const last = size - 8;
    v128.store(target, v128.load8x8_u(bytes));
    v128.store(target + (last << 1), v128.load8x8_u(bytes + last));
    return !((load<u64>(bytes) | load<u64>(bytes + last)) & NOT_ASCII);
  }
  let seen: u32 = 0;
  for (let at: usize = 0; at < size; at++) {
    const byte = <u32>load<u8>(bytes + at);
    seen |= byte;
    store<u16>(target + (at << 1), <u16>byte);
  }
  return seen < 0x80;
}

// prettier-ignore
@inline
function widenBlock(bytes: usize, target: usize): v128 {
  const block = v128.load(bytes);
  v128.store(target, i16x8.extend_low_i8x16_u(block));
  v128.store(target, i16x8.extend_high_i8x16_u(block), 16);
  return block;
}

/** As decodeString, into the string that was made for it. */
function decodeAny(bytes: usize, length: u32, string: usize): string {
  let target = string;
  for (let at: u32 = 0; at < length;) {
    const byte = <u32>load<u8>(bytes + at);
    const size = byte < 0x80 ? 0 : sequenceAt(bytes + at, length - at);
    if (!size) {
      store<u16>(target, <u16>(byte < 0x80 ? byte : ESCAPED | byte));
      target += 2;
      at++;
      continue;
    }
    const point = pointAt(bytes + at, size);
    if (point < 0x10000) {
      store<u16>(target, <u16>point);
      target += 2;
    } else {
      store<u16>(target, <u16>(0xd7c0 + (point >> 10)));
      store<u16>(target, <u16>(0xdc00 | (point & 0x3ff)), 2);
      target += 4;
    }
    at += size;
  }
  return changetype<string>(__renew(string, target - string));
}

/** Bytes of the sound UTF-8 sequence that begins here with no ASCII byte; 0: there is none. */
function sequenceAt(bytes: usize, left: u32): u32 {
  const first = <u32>load<u8>(bytes);
  if (first < 0xc2 || first > 0xf4) return 0;
  const size: u32 = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
  if (size > left) return 0;
  for (let index: u32 = 1; index < size; index++) if ((load<u8>(bytes + index) & 0xc0) != 0x80) return 0;
  const second = <u32>load<u8>(bytes, 1);
  if (first == 0xe0 && second < 0xa0) return 0;
  if (first == 0xed && second > 0x9f) return 0;
  if (first == 0xf0 && second < 0x90) return 0;
  return first == 0xf4 && second > 0x8f ? 0 : size;
}

function pointAt(bytes: usize, size: u32): u32 {
  const second = (<u32>load<u8>(bytes, 1)) & 0x3f;
  const first = <u32>load<u8>(bytes);
  if (size == 2) return ((first & 0x1f) << 6) | second;
  const third = (<u32>load<u8>(bytes, 2)) & 0x3f;
  if (size == 3) return ((first & 0x0f) << 12) | (second << 6) | third;
  return ((first & 0x07) << 18) | (second << 12) | (third << 6) | ((<u32>load<u8>(bytes, 3)) & 0x3f);
}

/**
 * Writes the bytes of `length` UTF-16 units to `target`, which has room for three bytes each; how many bytes
 * they are. O(length).
 */
export function encodeString(units: usize, length: u32, target: usize): u32 {
  return narrow(units, length, target) ? length : encodeAny(units, length, target);
}

/** Writes UTF-16 as ASCII; false: it is none. */
function narrow(units: usize, length: u32, target: usize): bool {
  const size = <usize>length;
  if (length >= 16) {
    let seen = i16x8.splat(0);
    const last = size - 16;
    for (let at: usize = 0; at < last; at += 16) seen = v128.or(seen, narrowBlock(units + (at << 1), target + at));
    seen = v128.or(seen, narrowBlock(units + (last << 1), target + last));
    return isAscii(seen);
  }
  if (length >= 8) {
    const last = size - 8;
    const low = v128.load(units);
    const high = v128.load(units + (last << 1));
    v128.store64_lane(target, i8x16.narrow_i16x8_u(low, low), 0);
    v128.store64_lane(target + last, i8x16.narrow_i16x8_u(high, high), 0);
    return isAscii(v128.or(low, high));
  }
  let seen: u32 = 0;
  for (let at: usize = 0; at < size; at++) {
    const unit = <u32>load<u16>(units + (at << 1));
    seen |= unit;
    store<u8>(target + at, <u8>unit);
  }
  return seen < 0x80;
}

// prettier-ignore
@inline
function narrowBlock(units: usize, target: usize): v128 {
  const low = v128.load(units);
  const high = v128.load(units, 16);
  v128.store(target, i8x16.narrow_i16x8_u(low, high));
  return v128.or(low, high);
}

// prettier-ignore
@inline
function isAscii(units: v128): bool {
  return !v128.any_true(v128.and(units, i16x8.splat(<i16>0xff80)));
}

function encodeAny(units: usize, length: u32, target: usize): u32 {
  let out = target;
  for (let at: u32 = 0; at < length;) {
    const unit = <u32>load<u16>(units + ((<usize>at) << 1));
    at++;
    if (unit < 0x80) {
      store<u8>(out++, <u8>unit);
      continue;
    }
    if ((unit & 0xf800) != 0xd800) {
      out = writePoint(unit, out);
      continue;
    }
    const next = at < length ? <u32>load<u16>(units + ((<usize>at) << 1)) : 0;
    if (unit < 0xdc00 && (next & 0xfc00) == 0xdc00) {
      out = writePoint(0x10000 + ((unit & 0x3ff) << 10) + (next & 0x3ff), out);
      at++;
    } else if (unit >= 0xdc80 && unit <= 0xdcff) {
      store<u8>(out++, <u8>unit);
    } else {
      out = writePoint(0xfffd, out);
    }
  }
  return <u32>(out - target);
}

function writePoint(point: u32, out: usize): usize {
  if (point < 0x800) {
    store<u8>(out, <u8>(0xc0 | (point >> 6)));
    store<u8>(out, <u8>(0x80 | (point & 0x3f)), 1);
    return out + 2;
  }
  if (point < 0x10000) {
    store<u8>(out, <u8>(0xe0 | (point >> 12)));
    store<u8>(out, <u8>(0x80 | ((point >> 6) & 0x3f)), 1);
    store<u8>(out, <u8>(0x80 | (point & 0x3f)), 2);
    return out + 3;
  }
  store<u8>(out, <u8>(0xf0 | (point >> 18)));
  store<u8>(out, <u8>(0x80 | ((point >> 12) & 0x3f)), 1);
  store<u8>(out, <u8>(0x80 | ((point >> 6) & 0x3f)), 2);
  store<u8>(out, <u8>(0x80 | (point & 0x3f)), 3);
  return out + 4;
}

/** The bytes of a string, `length << 32 | pointer`, in the arena. */
export function bytesOf(string: string): u64 {
  const units = <u32>string.length;
  const target = take(units * 3 + 8);
  return pack(target, encodeString(changetype<usize>(string), units, target));
}

/**
 * Where the first byte 0 of so many stands; `length`: there is none. Reads nothing outside of them.
 * O(length).
 */
export function findZero(bytes: usize, length: u32): u32 {
  if (length < 16) {
    for (let at: u32 = 0; at < length; at++) if (!load<u8>(bytes + <usize>at)) return at;
    return length;
  }
  const zero = i8x16.splat(0);
  // The last 16 once more, with what is left.
  const last = length - 16;
  for (let at: u32 = 0; at < last; at += 16) {
    const found = i8x16.bitmask(i8x16.eq(v128.load(bytes + <usize>at), zero));
    if (found) return at + <u32>ctz(found);
  }
  const found = i8x16.bitmask(i8x16.eq(v128.load(bytes + <usize>last), zero));
  return found ? last + <u32>ctz(found) : length;
}
