/**
 * The number that a decimal text stands for, to the nearest f64, a tie to the even one. The language's own
 * parseFloat has errors of a last place and more.
 *
 * What is exact in f64 is computed there (Clinger, "How to read floating point numbers accurately", 1990);
 * the rest by long division of whole numbers of any size, bit for bit.
 */
import { take } from "../memory/arena";

/** Digits that can decide how a number is rounded: those behind them count as one that is not 0. */
const DIGITS_MAX: i32 = 800;
/** Powers of ten beyond which every number of so many digits is infinite, or 0. */
const EXPONENT_MAX: i32 = 310;
const EXPONENT_MIN: i32 = -1130;
/** Exponents are cut here while they are read. */
const EXPONENT_CUT: i32 = 1 << 28;
/** Words of a whole number: 10^310 of 800 digits, and its shift. */
const WORDS: u32 = 256;

/** A whole number of any size: its words, the lowest first. */
@unmanaged
class Whole {
  length: u32;
  words: usize;

  set(value: u64): void {
    this.words = take(WORDS << 2);
    this.length = value >> 32 ? 2 : value ? 1 : 0;
    store<u64>(this.words, value);
  }

  // prettier-ignore
  @inline
  at(index: u32): u64 {
    return <u64>load<u32>(this.words + (<usize>index << 2));
  }

  private put(index: u32, word: u64): void {
    store<u32>(this.words + ((<usize>index) << 2), <u32>word);
  }

  /** × factor + term. */
  multiply(factor: u32, term: u32 = 0): void {
    let carry = <u64>term;
    for (let index: u32 = 0; index < this.length; index++) {
      carry += this.at(index) * factor;
      this.put(index, carry);
      carry >>= 32;
    }
    if (carry) this.put(this.length++, carry);
  }

  /** × 5^power. */
  raise(power: i32): void {
    for (; power >= 13; power -= 13) this.multiply(1220703125);
    for (; power > 0; power--) this.multiply(5);
  }

  /** × 2^bits. */
  shift(bits: u32): void {
    const whole = bits >> 5;
    if (whole) {
      memory.copy(this.words + ((<usize>whole) << 2), this.words, (<usize>this.length) << 2);
      memory.fill(this.words, 0, (<usize>whole) << 2);
      this.length += whole;
    }
    this.multiply(1 << (bits & 31));
  }

  /** How many bits it has. */
  bits(): i32 {
    return <i32>((this.length << 5) - <u32>clz<u32>(<u32>this.at(this.length - 1)));
  }

  compare(other: Whole): i32 {
    if (this.length != other.length) return this.length < other.length ? -1 : 1;
    for (let index = this.length; index--;) {
      if (this.at(index) != other.at(index)) return this.at(index) < other.at(index) ? -1 : 1;
    }
    return 0;
  }

  /** − other, which is not larger. */
  subtract(other: Whole): void {
    let borrow: u64 = 0;
    for (let index: u32 = 0; index < this.length; index++) {
      const taken = borrow + (index < other.length ? other.at(index) : 0);
      const word = this.at(index);
      borrow = u64(word < taken);
      this.put(index, word - taken);
    }
    while (this.length && !this.at(this.length - 1)) this.length--;
  }
}

const above: Whole = changetype<Whole>(memory.data(offsetof<Whole>(), 4));
const below: Whole = changetype<Whole>(memory.data(offsetof<Whole>(), 4));

/** The number of a text `[+-]digits[.digits][e[+-]digits]`; infinite where it is too large. O(length). */
export function parseDecimal(pointer: usize, length: u32): f64 {
  const end = pointer + <usize>length;
  let at = pointer;
  const sign = load<u8>(at);
  if (sign == 0x2b || sign == 0x2d) at++;
  const digits = at;
  let significant = 0;
  let exponent = 0;
  let small: u64 = 0;
  let isBehindPoint = false;
  for (; at < end && (load<u8>(at) | 0x20) != 0x65; at++) {
    if (load<u8>(at) == 0x2e) {
      isBehindPoint = true;
      continue;
    }
    const digit = load<u8>(at) - 48;
    if (isBehindPoint) exponent--;
    if (!significant && !digit) continue;
    if (significant < 19) small = small * 10 + digit;
    if (significant < DIGITS_MAX) significant++;
    else exponent++;
  }
  if (!significant) return sign == 0x2d ? -0.0 : 0;
  const mantissa = at;
  exponent += readExponent(at, end);
  let value: f64 = 0;
  if (significant <= 19 && small <= 0x20000000000000 && abs(exponent) <= 22) {
    value = exponent < 0 ? <f64>small / powerOfTen(-exponent) : <f64>small * powerOfTen(exponent);
  } else if (exponent > EXPONENT_MAX) {
    value = Infinity;
  } else if (exponent >= EXPONENT_MIN) {
    value = divide(digits, mantissa, exponent);
  }
  return sign == 0x2d ? -value : value;
}

/** The number behind the `e` that may be here. */
function readExponent(at: usize, end: usize): i32 {
  if (at >= end) return 0;
  const sign = load<u8>(++at);
  if (sign == 0x2b || sign == 0x2d) at++;
  let value = 0;
  for (; at < end; at++) value = min(value * 10 + (<i32>load<u8>(at) - 48), EXPONENT_CUT);
  return sign == 0x2d ? -value : value;
}

/** 10^power, exact, of 0 to 22. */
function powerOfTen(power: i32): f64 {
  let value: f64 = 1;
  for (; power; power--) value *= 10;
  return value;
}

/** The digits × 10^exponent, the exponent being that of the last digit that counts. */
function divide(at: usize, end: usize, exponent: i32): f64 {
  above.set(0);
  below.set(1);
  let count = 0;
  let rest = false;
  for (; at < end; at++) {
    const byte = <u32>load<u8>(at);
    if (byte == 0x2e || (!count && byte == 0x30)) continue;
    if (count < DIGITS_MAX) above.multiply(10, byte - 48);
    else rest = rest || byte != 0x30;
    count++;
  }
  // One digit more, which says that others follow.
  if (rest) {
    above.multiply(10, 1);
    exponent--;
  }
  if (exponent > 0) above.raise(exponent);
  else below.raise(-exponent);
  return quotient(exponent);
}

/** above / below × 2^exponent. */
function quotient(exponent: i32): f64 {
  // From here on 1 <= above / below < 2.
  let more = above.bits() - below.bits();
  if (more > 0) below.shift(more);
  else above.shift(-more);
  if (above.compare(below) < 0) {
    above.multiply(2);
    more--;
  }
  exponent += more;
  if (exponent > 1023) return Infinity;
  let bits: u64 = 0;
  const precision = min(53, exponent + 1075);
  if (precision < 0) return 0;
  for (let left = precision; left; left--) {
    bits <<= 1;
    if (above.compare(below) >= 0) {
      above.subtract(below);
      bits |= 1;
    }
    above.multiply(2);
  }
  const order = above.compare(below);
  if (order > 0 || (order == 0 && bits & 1)) bits++;
  // A carry goes on into the exponent.
  return reinterpret<f64>(precision == 53 ? ((<u64>(exponent + 1022)) << 52) + bits : bits);
}

/**
 * The digits of a number above 10^exponent, cut; the last one is not 0 where others follow, unless it were 5.
 * @param value over 0, less than 10^19 times that
 */
export function significant(value: f64, exponent: i32): u64 {
  const bits = reinterpret<u64>(value);
  const biased = <i32>(bits >> 52);
  const mantissa = (bits & 0xfffffffffffff) | (biased ? 0x10000000000000 : 0);
  const binary = max(biased, 1) - 1075;
  above.set(mantissa);
  below.set(1);
  if (exponent > 0) below.raise(exponent);
  else above.raise(-exponent);
  const shift = binary - exponent;
  if (shift > 0) above.shift(<u32>shift);
  else below.shift(<u32>-shift);
  let digits: u64 = 0;
  const steps = max(above.bits() - below.bits(), 0);
  below.shift(<u32>steps);
  for (let left = steps; left >= 0; left--) {
    digits <<= 1;
    if (above.compare(below) >= 0) {
      above.subtract(below);
      digits |= 1;
    }
    above.multiply(2);
  }
  const isCut = above.length != 0;
  return isCut && digits % 5 == 0 ? digits + 1 : digits;
}
