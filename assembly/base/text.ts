/**
 * Text for the server: log lines, errors, names. A literal of the source is static UTF-16 in the file; it is
 * written `changetype<usize>("…")`, ASCII only, and narrowed to bytes here. One line is under construction at
 * a time:
 *
 *     line(changetype<usize>("Session not found: "));
 *     appendEcho(id, length);
 *     failLine();
 */
import { redis } from "./redis";

/** Bytes that one line holds; what is longer is cut. */
export const LINE_SIZE: u32 = 384;
/** Bytes of an id or key that an error echoes at most. */
const ECHO_SIZE: u32 = 128;

const buffer: usize = memory.data(384);
/** Digits of a number, made from the end. */
const digits: usize = memory.data(20);
let used: u32 = 0;

/** Characters of a literal. */
// prettier-ignore
@inline
export function literalLength(literal: usize): u32 {
  // A literal's header, just before it, ends with its length in bytes of UTF-16.
  return load<u32>(literal - 4) >> 1;
}

/** Writes the ASCII literal to `target` and returns its length in bytes. O(length). */
export function narrow(literal: usize, target: usize): u32 {
  const length = literalLength(literal);
  let index: u32 = 0;
  for (; index + 8 <= length; index += 8) narrowEight(literal, target, index);
  // The last eight once more, with what is left; fewer than eight in all one by one.
  if (length >= 8) narrowEight(literal, target, length - 8);
  else for (; index < length; index++) store<u8>(target + index, load<u8>(literal + ((<usize>index) << 1)));
  return length;
}

/** Writes the eight characters from `index` on. */
// prettier-ignore
@inline
function narrowEight(literal: usize, target: usize, index: u32): void {
  const wide = v128.load(literal + ((<usize>index) << 1));
  store<u64>(target + index, i64x2.extract_lane(i8x16.narrow_i16x8_u(wide, wide), 0));
}

/** Begins a line with an ASCII literal. */
export function line(literal: usize): void {
  used = 0;
  appendText(literal);
}

/** Appends an ASCII literal. */
export function appendText(literal: usize): void {
  const length = literalLength(literal);
  if (used + length <= LINE_SIZE) used += narrow(literal, buffer + used);
}

/** Appends a byte string of the user's: CR, LF and NUL become spaces, what is past 128 bytes is cut. */
export function appendEcho(pointer: usize, length: u32): void {
  const end = min(min(length, ECHO_SIZE), LINE_SIZE - used);
  for (let index: u32 = 0; index < end; index++) {
    const byte = load<u8>(pointer + index);
    store<u8>(buffer + used + index, byte == 0 || byte == 0x0a || byte == 0x0d ? 0x20 : byte);
  }
  used += end;
}

/** Appends a number in decimal digits. */
export function appendNumber(value: u64): void {
  const length = decimalLength(value);
  if (used + length <= LINE_SIZE) used += writeDecimal(value, buffer + used);
}

/** The line's bytes: valid until the next line begins. */
// prettier-ignore
@inline
export function linePointer(): usize {
  return buffer;
}

/** The line's length in bytes. */
// prettier-ignore
@inline
export function lineLength(): u32 {
  return used;
}

/** Ends the running command with the line as its error. Does not return. */
export function failLine(): void {
  redis.Fail(buffer, used);
  unreachable();
}

/**
 * Ends the running command: the memory cannot grow any more. Does not return; nothing may have been
 * committed.
 */
export function failOutOfMemory(): void {
  line(changetype<usize>("OOM the module's memory is full (wasm.max-memory)"));
  failLine();
}

/** Logs the line as a warning. */
export function logWarning(): void {
  logLine(changetype<usize>("warning"));
}

/** Logs the line as a notice. */
export function logNotice(): void {
  logLine(changetype<usize>("notice"));
}

function logLine(level: usize): void {
  const word = buffer + LINE_SIZE - 7;
  if (used > LINE_SIZE - 7) used = LINE_SIZE - 7;
  redis.Log(word, narrow(level, word), buffer, used);
}

/** How many decimal digits `value` has: 1 … 20. */
export function decimalLength(value: u64): u32 {
  let length: u32 = 1;
  for (; value >= 10; value /= 10) length++;
  return length;
}

/** Writes `value` in decimal to `target` (20 bytes at most) and returns its length in bytes. */
export function writeDecimal(value: u64, target: usize): u32 {
  let start: u32 = 20;
  do {
    const rest = value / 10;
    store<u8>(digits + --start, 48 + <u8>(value - rest * 10));
    value = rest;
  } while (value);
  memory.copy(target, digits + start, 20 - start);
  return 20 - start;
}

/** Writes a signed integer in decimal to `target` (20 bytes at most) and returns its length in bytes. */
export function writeInteger(value: i64, target: usize): u32 {
  if (value >= 0) return writeDecimal(value, target);
  store<u8>(target, 0x2d);
  return 1 + writeDecimal(0 - <u64>value, target + 1);
}

/** Whether the byte string is exactly this ASCII literal. O(length). */
export function isText(pointer: usize, length: u32, literal: usize): bool {
  if (length != literalLength(literal)) return false;
  for (let index: u32 = 0; index < length; index++) {
    if (load<u8>(pointer + index) != load<u8>(literal + ((<usize>index) << 1))) return false;
  }
  return true;
}
