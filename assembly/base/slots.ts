/**
 * Cluster slots: CRC16 (XMODEM: polynomial 0x1021, most significant bit first, no final change) of a key, or
 * of its {hash tag}, modulo 16384, as the Redis Cluster specification has it. And sets of slots, as the host
 * hands them over.
 */
export const SLOT_MASK: u32 = 16383;
/** None of them. */
export const NO_SLOT: u32 = 16384;
/** Bytes of a set of slots: bit n & 7 of byte n >> 3 is slot n. */
export const SET_BYTES: u32 = 2048;

/** What byte b adds to the CRC with k bytes behind it, at k × 256 + b: 4 × 256 × u16. */
const added: usize = memory.data(2048, 2);
/** Whether `added` is filled in. */
let ready: bool = false;

/** 2,048 bytes for whoever needs them while a module is loaded: what they hold otherwise is made anew. */
export function lendTables(): usize {
  ready = false;
  return added;
}

/** The slot of a key. O(length). */
export function slotOf(key: usize, length: u32): u32 {
  if (!ready) prepare();
  let value: u32 = 0;
  let at = key;
  let left = length;
  for (; left >= 8; left -= 8, at += 8) {
    const word = load<u64>(at);
    if (hasBrace(word)) return slotOfTag(key, length);
    value = after(value, word);
  }
  for (; left; left--, at++) {
    const byte = <u32>load<u8>(at);
    if (byte == 0x7b) return slotOfTag(key, length);
    value = afterByte(value, byte);
  }
  return value & SLOT_MASK;
}

/** As slotOf, of a key that has an opening brace. */
function slotOfTag(key: usize, length: u32): u32 {
  let open: u32 = 0;
  while (load<u8>(key + open) != 0x7b) open++;
  let close = open + 1;
  while (close < length && load<u8>(key + close) != 0x7d) close++;
  // An empty tag, or one that is never closed, is none; only the first { counts.
  if (close == length || close == open + 1) return crc(0, key, length) & SLOT_MASK;
  return crc(0, key + open + 1, close - open - 1) & SLOT_MASK;
}

/** Whether one of the eight bytes is an opening brace. */
// prettier-ignore
@inline
function hasBrace(word: u64): bool {
  const others = word ^ 0x7b7b7b7b7b7b7b7b;
  return ((others - 0x0101010101010101) & ~others & 0x8080808080808080) != 0;
}

/** The CRC after these bytes. O(length). */
export function crc(start: u32, key: usize, length: u32): u32 {
  if (!ready) prepare();
  let value = start;
  let at = key;
  let left = length;
  for (; left >= 8; left -= 8, at += 8) value = after(value, load<u64>(at));
  for (; left; left--, at++) value = afterByte(value, <u32>load<u8>(at));
  return value;
}

/** The CRC after eight bytes more, the first of them in the low byte. */
// prettier-ignore
@inline
function after(value: u32, word: u64): u32 {
  return afterFour(afterFour(value, <u32>word), <u32>(word >> 32));
}

// prettier-ignore
@inline
function afterFour(value: u32, word: u32): u32 {
  word ^= <u32>bswap<u16>(<u16>value);
  return addedBy(3, word & 255) ^ addedBy(2, (word >> 8) & 255) ^ addedBy(1, (word >> 16) & 255) ^ addedBy(0, word >> 24);
}

// prettier-ignore
@inline
function afterByte(value: u32, byte: u32): u32 {
  return ((value << 8) & 0xffff) ^ addedBy(0, (value >> 8) ^ byte);
}

// prettier-ignore
@inline
function addedBy(behind: u32, byte: u32): u32 {
  return <u32>load<u16>(added + ((<usize>((behind << 8) | byte)) << 1));
}

function prepare(): void {
  for (let byte: u32 = 0; byte < 256; byte++) {
    let value = next(0, byte);
    for (let behind: u32 = 0; behind < 4; behind++) {
      store<u16>(added + ((<usize>((behind << 8) | byte)) << 1), value);
      value = next(value, 0);
    }
  }
  ready = true;
}

/** The CRC after one byte more. */
export function next(value: u32, byte: u32): u32 {
  value ^= byte << 8;
  for (let bit = 0; bit < 8; bit++) value = value & 0x8000 ? (value << 1) ^ 0x1021 : value << 1;
  return value & 0xffff;
}

/** Writes a key of two bytes that lies in this slot. */
export function writeKeyIn(slot: u32, target: usize): void {
  if (!ready) prepare();
  // Two bytes have every CRC of 16 bits once.
  for (let first: u32 = 0; first < 256; first++) {
    for (let second: u32 = 0; second < 256; second++) {
      if (((addedBy(1, first) ^ addedBy(0, second)) & SLOT_MASK) != slot) continue;
      store<u8>(target, first);
      store<u8>(target, second, 1);
      return;
    }
  }
}

// ── Sets of slots ──────────────────────────────────────────────────────────────────────────────────────────

/** The first slot of the set at `slots`, NO_SLOT: it is empty. */
export function firstSlot(slots: usize): u32 {
  let slot: u32 = 0;
  while (slot < NO_SLOT && !hasSlot(slots, slot)) slot++;
  return slot;
}

/** The one slot of the set at `slots`, NO_SLOT: it has none, or several. */
export function onlySlot(slots: usize): u32 {
  let word: u64 = 0;
  for (let at = slots, end = slots + <usize>SET_BYTES; at < end; at += 8) {
    const bits = load<u64>(at);
    if (bits && (word || popcnt(bits) > 1)) return NO_SLOT;
    word |= bits;
  }
  return word ? firstSlot(slots) : NO_SLOT;
}

/** Whether a slot is in the set at `slots`. */
// prettier-ignore
@inline
export function hasSlot(slots: usize, slot: u32): bool {
  return (((<u32>load<u8>(slots + <usize>(slot >> 3))) >> (slot & 7)) & 1) != 0;
}
