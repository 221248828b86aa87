/**
 * Cluster slots: CRC16 (XMODEM: polynomial 0x1021, most significant bit first, no final change) of a key, or
 * of its {hash tag}, modulo 16384, as the Redis Cluster specification has it.
 */
export const SLOT_MASK: u32 = 16383;

/** The slot of a key. O(length). */
export function slotOf(key: usize, length: u32): u32 {
  for (let open: u32 = 0; open < length; open++) {
    if (load<u8>(key + open) != 0x7b) continue;
    let close = open + 1;
    while (close < length && load<u8>(key + close) != 0x7d) close++;
    // An empty tag, or one that is never closed, is none; only the first { counts.
    if (close == length || close == open + 1) break;
    return crc(0, key + open + 1, close - open - 1) & SLOT_MASK;
  }
  return crc(0, key, length) & SLOT_MASK;
}

/** The CRC after these bytes. */
export function crc(start: u32, key: usize, length: u32): u32 {
  let value = start;
  for (let index: u32 = 0; index < length; index++) value = next(value, load<u8>(key + index));
  return value;
}

/** The CRC after one byte more. */
export function next(value: u32, byte: u32): u32 {
  value ^= byte << 8;
  for (let bit = 0; bit < 8; bit++) value = value & 0x8000 ? (value << 1) ^ 0x1021 : value << 1;
  return value & 0xffff;
}
