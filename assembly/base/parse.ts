/** What clients write into arguments: words, integers, cursors. */
import { failLine, line, literalLength } from "./text";

/** The number that `parseInteger` read. */
export let parsed: i64 = 0;

/** Whether the byte string is this word of upper-case ASCII letters, in any case. O(length). */
export function isWord(pointer: usize, length: u32, literal: usize): bool {
  if (length != literalLength(literal)) return false;
  for (let index: usize = 0; index < length; index++) {
    // The case of a letter is one bit, and no other character becomes a letter without it.
    if ((load<u8>(pointer + index) ^ load<u8>(literal + (index << 1))) & ~0x20) return false;
  }
  return true;
}

/**
 * Reads a signed 64-bit integer in its one decimal spelling, as the server does: no sign but `-`, no leading
 * zero, no blank. O(length).
 * @returns whether it is one; its value is then `parsed`
 */
export function parseInteger(pointer: usize, length: u32): bool {
  if (length - 1 >= 20) return false;
  const negative = load<u8>(pointer) == 0x2d;
  let at: u32 = negative ? 1 : 0;
  // More than 19 digits are too large for the result, and 19 are not for what follows.
  if (at == length || length - at > 19) return false;
  if (load<u8>(pointer + at) == 0x30) {
    parsed = 0;
    return length == 1;
  }
  let value: u64 = 0;
  for (; at < length; at++) {
    const digit = <u64>load<u8>(pointer + at) - 48;
    if (digit > 9) return false;
    value = value * 10 + digit;
  }
  if (value > <u64>i64.MAX_VALUE + <u64>negative) return false;
  parsed = negative ? 0 - <i64>value : <i64>value;
  return true;
}

/**
 * The integer that the argument spells. Ends the command when it spells none: `ERR value is not an integer or
 * out of range`.
 */
export function integerOf(pointer: usize, length: u32): i64 {
  if (!parseInteger(pointer, length)) failInteger();
  return parsed;
}

/** Ends the command: `ERR value is not an integer or out of range`. Does not return. */
export function failInteger(): void {
  line(changetype<usize>("ERR value is not an integer or out of range"));
  failLine();
}

/**
 * The cursor of a SCAN that the argument spells. Ends the command when it spells none: `ERR invalid cursor`.
 */
export function cursorOf(pointer: usize, length: u32): u64 {
  if (!parseInteger(pointer, length) || parsed < 0) failCursor();
  return <u64>parsed;
}

/** Ends the command: `ERR invalid cursor`. Does not return. */
export function failCursor(): void {
  line(changetype<usize>("ERR invalid cursor"));
  failLine();
}

/** Ends the command: `ERR syntax error`. Does not return. */
export function failSyntax(): void {
  line(changetype<usize>("ERR syntax error"));
  failLine();
}

/** Ends the command: `ERR value is out of range, must be positive`. Does not return. */
export function failPositive(): void {
  line(changetype<usize>("ERR value is out of range, must be positive"));
  failLine();
}

/**
 * The sum. Ends the command where it is no signed 64-bit integer: `ERR increment or decrement would
 * overflow`.
 */
export function sumOf(before: i64, by: i64): i64 {
  if (by < 0 ? before < i64.MIN_VALUE - by : before > i64.MAX_VALUE - by) {
    line(changetype<usize>("ERR increment or decrement would overflow"));
    failLine();
  }
  return before + by;
}
