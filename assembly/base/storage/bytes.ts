/** Comparing and copying byte strings. */

const INLINE_MAX: u32 = 64;

/** Whether `length` bytes at both places are the same. Reads nothing outside of them. O(length). */
// prettier-ignore
@inline
export function equal(left: usize, right: usize, length: u32): bool {
  if (length >= 16) return equalLong(left, right, <usize>length);
  if (length >= 8) {
    const last = <usize>length - 8;
    return ((load<u64>(left) ^ load<u64>(right)) | (load<u64>(left + last) ^ load<u64>(right + last))) == 0;
  }
  if (length >= 4) {
    const last = <usize>length - 4;
    return ((load<u32>(left) ^ load<u32>(right)) | (load<u32>(left + last) ^ load<u32>(right + last))) == 0;
  }
  return equalTiny(left, right, length);
}

function equalTiny(left: usize, right: usize, length: u32): bool {
  if (length >= 2) {
    const last = <usize>length - 2;
    return load<u16>(left) == load<u16>(right) && load<u16>(left + last) == load<u16>(right + last);
  }
  return !length || load<u8>(left) == load<u8>(right);
}

/** For 16 bytes or more: 16 at a time, the last 16 overlapping what was compared before. */
function equalLong(left: usize, right: usize, length: usize): bool {
  const last = length - 16;
  for (let at: usize = 0; at < last; at += 16) {
    if (v128.any_true(v128.xor(v128.load(left + at), v128.load(right + at)))) return false;
  }
  return !v128.any_true(v128.xor(v128.load(left + last), v128.load(right + last)));
}

/** What `countByte` reads at a time, and may read behind the bytes. */
export const STRIDE: usize = 64;
/** A lane counts up to 255, four at a time. */
const COUNTED: usize = 63 * STRIDE;

/**
 * How many of the bytes are this one. It reads less than STRIDE bytes behind them, none of which may be it.
 * O(length).
 */
export function countByte(text: usize, length: u32, byte: u8): u32 {
  const wanted = i8x16.splat(<i8>byte);
  const end = text + length;
  let total = i32x4.splat(0);
  for (let at = text; at < end;) {
    const stop = min(end, at + COUNTED);
    let counts = i8x16.splat(0);
    for (; at < stop; at += STRIDE) {
      counts = i8x16.sub(counts, i8x16.eq(v128.load(at), wanted));
      counts = i8x16.sub(counts, i8x16.eq(v128.load(at, 16), wanted));
      counts = i8x16.sub(counts, i8x16.eq(v128.load(at, 32), wanted));
      counts = i8x16.sub(counts, i8x16.eq(v128.load(at, 48), wanted));
    }
    total = i32x4.add(total, i32x4.extadd_pairwise_i16x8_u(i16x8.extadd_pairwise_i8x16_u(counts)));
  }
  return i32x4.extract_lane(total, 0) + i32x4.extract_lane(total, 1) + i32x4.extract_lane(total, 2) + i32x4.extract_lane(total, 3);
}

/** Copies `length` bytes between places that do not overlap. Touches nothing outside of them. O(length). */
export function copy(target: usize, source: usize, length: u32): void {
  const size = <usize>length;
  if (length > INLINE_MAX) {
    memory.copy(target, source, size);
  } else if (length >= 16) {
    const last = size - 16;
    for (let at: usize = 0; at < last; at += 16) v128.store(target + at, v128.load(source + at));
    v128.store(target + last, v128.load(source + last));
  } else if (length >= 8) {
    const tail = load<u64>(source + size - 8);
    store<u64>(target, load<u64>(source));
    store<u64>(target + size - 8, tail);
  } else if (length >= 4) {
    const tail = load<u32>(source + size - 4);
    store<u32>(target, load<u32>(source));
    store<u32>(target + size - 4, tail);
  } else if (length >= 2) {
    const tail = load<u16>(source + size - 2);
    store<u16>(target, load<u16>(source));
    store<u16>(target + size - 2, tail);
  } else if (length) {
    store<u8>(target, load<u8>(source));
  }
}
