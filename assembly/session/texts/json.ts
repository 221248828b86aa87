/**
 * JSON strings from arbitrary bytes. Text is escaped as JSON.stringify escapes it. What is not valid UTF-8
 * becomes U+FFFD, one for each maximal subpart of an ill-formed sequence, as the WHATWG TextDecoder does
 * (Unicode 16, section 3.9, table 3-8).
 */

const QUOTE: u8 = 0x22;
const BACKSLASH: u8 = 0x5c;

/** Bytes that `writeString` will write, its two quotes included. O(length). */
export function stringSize(source: usize, length: u32): u64 {
  let size: u64 = 2;
  const end = source + length;
  while (source < end) {
    if (end - source >= 16 && isPlain(source)) {
      size += 16;
      source += 16;
      continue;
    }
    const byte = load<u8>(source);
    if (byte < 0x80) {
      size += escapedSize(byte);
      source++;
    } else {
      const sequence = sequenceAt(source, end);
      size += sequence > 0 ? sequence : 3;
      source += abs(sequence);
    }
  }
  return size;
}

/** Writes the JSON string, with its quotes, to `target` and returns the address after it. O(length). */
export function writeString(source: usize, length: u32, target: usize): usize {
  store<u8>(target++, QUOTE);
  const end = source + length;
  while (source < end) {
    if (end - source >= 16 && isPlain(source)) {
      v128.store(target, v128.load(source));
      target += 16;
      source += 16;
      continue;
    }
    const byte = load<u8>(source);
    if (byte < 0x80) {
      target = writeEscaped(byte, target);
      source++;
      continue;
    }
    const sequence = sequenceAt(source, end);
    if (sequence > 0) {
      memory.copy(target, source, sequence);
      target += sequence;
    } else {
      store<u8>(target, 0xef);
      store<u8>(target, 0xbf, 1);
      store<u8>(target, 0xbd, 2);
      target += 3;
    }
    source += abs(sequence);
  }
  store<u8>(target, QUOTE);
  return target + 1;
}

/** Whether 16 bytes are ASCII that needs no escape. */
function isPlain(source: usize): bool {
  const bytes = v128.load(source);
  // As signed bytes, 0x80 … 0xff are below 0x20 too.
  const special = v128.or(
    i8x16.lt_s(bytes, i8x16.splat(0x20)),
    v128.or(i8x16.eq(bytes, i8x16.splat(QUOTE)), i8x16.eq(bytes, i8x16.splat(BACKSLASH))),
  );
  return !v128.any_true(special);
}

/** The letter of a short escape (\b \t \n \f \r \" \\), or 0. */
function shortEscape(byte: u8): u8 {
  if (byte == QUOTE || byte == BACKSLASH) return byte;
  if (byte == 0x08) return 0x62;
  if (byte == 0x09) return 0x74;
  if (byte == 0x0a) return 0x6e;
  if (byte == 0x0c) return 0x66;
  if (byte == 0x0d) return 0x72;
  return 0;
}

function escapedSize(byte: u8): u32 {
  if (shortEscape(byte)) return 2;
  return byte < 0x20 ? 6 : 1;
}

function writeEscaped(byte: u8, target: usize): usize {
  const letter = shortEscape(byte);
  if (letter) {
    store<u8>(target, BACKSLASH);
    store<u8>(target, letter, 1);
    return target + 2;
  }
  if (byte >= 0x20) {
    store<u8>(target, byte);
    return target + 1;
  }
  store<u32>(target, 0x3030755c); // \u00
  const low = byte & 15;
  store<u8>(target, 0x30 + (byte >> 4), 4);
  store<u8>(target, low < 10 ? 48 + low : 87 + low, 5);
  return target + 6;
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
