/**
 * What the language's own conversions between numbers and texts call instead of what they have: the text is
 * the nearest number, and the number the shortest text, as in JavaScript.
 */
import { take } from "../memory/arena";
import { parseDecimal, significant } from "./decimal";

/** Digits that tell every f64 from each other. */
const DIGITS_MAX: i32 = 17;
/** Up to so many the text that was found is the shortest: no two such texts are the same f64. */
const DIGITS_SURE: i32 = 15;

function isDigit(unit: u32): bool {
  return unit - 48 < 10;
}

function isSpace(unit: u32): bool {
  if (unit < 0x80) return unit == 0x20 || unit - 9 < 5;
  if (unit - 0x2000 <= 10) return true;
  return (
    unit == 0xa0 ||
    unit == 0x1680 ||
    unit == 0x2028 ||
    unit == 0x2029 ||
    unit == 0x202f ||
    unit == 0x205f ||
    unit == 0x3000 ||
    unit == 0xfeff
  );
}

/** Behind the digits at a place. */
function behindDigits(text: string, at: i32): i32 {
  while (at < text.length && isDigit(<u32>text.charCodeAt(at))) at++;
  return at;
}

/** The number at the beginning of a text, NaN where there is none: parseFloat. O(length). */
export function readFloat(text: string): f64 {
  let from = 0;
  while (from < text.length && isSpace(<u32>text.charCodeAt(from))) from++;
  const sign = from < text.length ? text.charCodeAt(from) : 0;
  const digits = sign == 0x2b || sign == 0x2d ? from + 1 : from;
  if (text.substr(digits, 8) == "Infinity") return sign == 0x2d ? -Infinity : Infinity;
  let end = behindDigits(text, digits);
  let count = end - digits;
  if (end < text.length && text.charCodeAt(end) == 0x2e) {
    const behind = behindDigits(text, end + 1);
    count += behind - end - 1;
    end = behind;
  }
  if (!count) return NaN;
  if (end < text.length && (text.charCodeAt(end) | 0x20) == 0x65) {
    let power = end + 1;
    if (power < text.length && (text.charCodeAt(power) == 0x2b || text.charCodeAt(power) == 0x2d)) power++;
    const behind = behindDigits(text, power);
    if (behind > power) end = behind;
  }
  const bytes = take(<usize>(end - from));
  for (let at = from; at < end; at++) store<u8>(bytes + <usize>(at - from), <u8>text.charCodeAt(at));
  return parseDecimal(bytes, <u32>(end - from));
}

/** digits × 10^exponent. */
function valueOf(digits: u64, exponent: i32): f64 {
  const bytes = take(32);
  const end = bytes + 32;
  let at = end;
  let rest = <u32>abs(exponent);
  for (; rest; rest /= 10) store<u8>(--at, <u8>(48 + (rest % 10)));
  if (exponent) {
    store<u8>(--at, exponent < 0 ? 0x2d : 0x2b);
    store<u8>(--at, 0x65);
  }
  for (; digits; digits /= 10) store<u8>(--at, <u8>(48 + (digits % 10)));
  return parseDecimal(at, <u32>(end - at));
}

/** The power of ten behind the digits that `shorten` has left. */
let power: i32 = 0;

/** That power. */
export function shortenedPower(): i32 {
  return power;
}

/**
 * Puts the shortest digits that read back as this number, of these the nearest, of two that are as near the
 * even one, in the place of those that are there.
 * @param value finite, over 0
 * @param buffer UTF-16, `length` digits that read back as it
 * @param exponent the power of ten behind them
 * @returns how many digits there are now; `shortenedPower` is theirs
 */
export function shorten(value: f64, buffer: usize, length: i32, exponent: i32): i32 {
  power = exponent;
  if (length <= DIGITS_SURE) return length;
  // The first 17 digits, cut, and one more, which is not 0 where others follow.
  const lowest = exponent + length - DIGITS_MAX;
  const exact = significant(value, lowest - 1);
  let unit: u64 = 1000;
  for (let count = DIGITS_SURE; count <= DIGITS_MAX; count++, unit /= 10) {
    let digits = (exact + unit / 2) / unit;
    // Of two that are as near, the even one.
    if (digits & 1 && exact % unit == unit / 2) digits--;
    for (let other: u64 = 0; other < 2; other++) {
      const tried = digits + other;
      if (valueOf(tried, lowest + DIGITS_MAX - count) == value) return put(tried, buffer, lowest + DIGITS_MAX - count);
    }
  }
  return length;
}

/** Writes digits without the zeros at their end. */
function put(digits: u64, buffer: usize, exponent: i32): i32 {
  for (; digits % 10 == 0; digits /= 10) exponent++;
  let count = 0;
  for (let rest = digits; rest; rest /= 10) count++;
  for (let at = count; at--; digits /= 10) store<u16>(buffer + ((<usize>at) << 1), <u16>(48 + (digits % 10)));
  power = exponent;
  return count;
}
