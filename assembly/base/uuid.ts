/**
 * The text of a UUID (RFC 9562), of any version: 36 bytes, for 16 raw ones.
 *
 *     xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx        x: a lower-case hexadecimal digit
 */

/** Bytes of a UUID, and of its text. */
export const UUID_BYTES: u32 = 16;
export const UUID_TEXT: u32 = 36;
/** `-`. */
const HYPHEN: u8 = 0x2d;
/** The hexadecimal digits by their value. */
const HEX: usize = memory.data<u8>([48, 49, 50, 51, 52, 53, 54, 55, 56, 57, 97, 98, 99, 100, 101, 102]);

/** Writes the UUID at `raw` as 36 bytes of text to `target`. */
export function writeUuid(raw: usize, target: usize): void {
  const bytes = v128.load(raw);
  const hex = v128.load(HEX);
  const high = i8x16.swizzle(hex, i8x16.shr_u(bytes, 4));
  const low = i8x16.swizzle(hex, v128.and(bytes, i8x16.splat(15)));
  const first = i8x16.shuffle(high, low, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
  const second = i8x16.shuffle(high, low, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
  store<u64>(target, i64x2.extract_lane(first, 0));
  store<u8>(target, HYPHEN, 8);
  store<u32>(target, i32x4.extract_lane(first, 2), 9);
  store<u8>(target, HYPHEN, 13);
  store<u32>(target, i32x4.extract_lane(first, 3), 14);
  store<u8>(target, HYPHEN, 18);
  store<u32>(target, i32x4.extract_lane(second, 0), 19);
  store<u8>(target, HYPHEN, 23);
  store<u32>(target, i32x4.extract_lane(second, 1), 24);
  store<u64>(target, i64x2.extract_lane(second, 1), 28);
}

/**
 * Reads 36 bytes of text into 16 bytes at `target`; false, with `target` undefined, when they are not the
 * lower-case text of a UUID.
 */
export function readUuid(text: usize, target: usize): bool {
  const hyphens =
    (load<u8>(text, 8) ^ HYPHEN) | (load<u8>(text, 13) ^ HYPHEN) | (load<u8>(text, 18) ^ HYPHEN) | (load<u8>(text, 23) ^ HYPHEN);
  // The 32 digits without the hyphens: bytes 0–7, 9–12, 14–17, and 19–22, 24–35.
  const first = nibbles(i8x16.shuffle(v128.load(text), v128.load(text, 2), 0, 1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 12, 14, 15, 30, 31));
  const second = nibbles(i8x16.shuffle(v128.load(text, 19), v128.load(text, 20), 0, 1, 2, 3, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 31));
  if (hyphens || v128.any_true(v128.and(v128.or(first, second), i8x16.splat(<i8>0xf0)))) return false;
  v128.store(target, i8x16.narrow_i16x8_u(joined(first), joined(second)));
  return true;
}

/** Of 16 digits, the value of each: 0 … 15, or 0xff for a byte that is no lower-case hexadecimal digit. */
// prettier-ignore
@inline
function nibbles(text: v128): v128 {
  const digits = i8x16.sub(text, i8x16.splat(48));
  const letters = i8x16.sub(text, i8x16.splat(97));
  const isDigit = i8x16.lt_u(digits, i8x16.splat(10));
  const isLetter = i8x16.lt_u(letters, i8x16.splat(6));
  const value = v128.bitselect(digits, i8x16.add(letters, i8x16.splat(10)), isDigit);
  return v128.or(value, v128.not(v128.or(isDigit, isLetter)));
}

/** Of 8 pairs of values, high nibble first, the byte of each, in the low half of its lane. */
// prettier-ignore
@inline
function joined(values: v128): v128 {
  return v128.and(v128.or(i16x8.shl(values, 4), i16x8.shr_u(values, 8)), i16x8.splat(0xff));
}
