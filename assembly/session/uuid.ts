/**
 * Session ids: UUID version 4 (RFC 9562), 36 bytes of lower-case text outside, 16 raw bytes inside.
 *
 *     xxxxxxxx-xxxx-4xxx-Nxxx-xxxxxxxxxxxx        N: 8, 9, a or b (variant 10)
 */
import { redis } from "../redis";

// prettier-ignore
@inline export const ID_SIZE: u32 = 16;


@inline export const ID_TEXT_SIZE: u32 = 36;


@inline const POOL_SIZE: u32 = 4096;

/** Random bytes drawn ahead: one host call for 256 ids. A byte is handed out once and wiped. */
const pool: usize = memory.data(4096, 16);
let poolUsed: u32 = 4096;
const HEX: usize = memory.data<u8>([48, 49, 50, 51, 52, 53, 54, 55, 56, 57, 97, 98, 99, 100, 101, 102]);

/** Writes a new random id, 16 raw bytes, to `target`. 122 of its bits come from the server's cryptographic source. */
export function mint(target: usize): void {
  if (poolUsed == POOL_SIZE) {
    redis.GetRandomBytes(pool, POOL_SIZE);
    poolUsed = 0;
  }
  const source = pool + poolUsed;
  poolUsed += ID_SIZE;
  store<u64>(target, load<u64>(source));
  store<u64>(target, load<u64>(source, 8), 8);
  store<u64>(source, 0);
  store<u64>(source, 0, 8);
  store<u8>(target, (load<u8>(target, 6) & 0x0f) | 0x40, 6);
  store<u8>(target, (load<u8>(target, 8) & 0x3f) | 0x80, 8);
}

/** Writes the id at `raw` as 36 bytes of text to `target`. */
export function format(raw: usize, target: usize): void {
  for (let index: u32 = 0; index < ID_SIZE; index++) {
    if (hasHyphenBefore(index)) store<u8>(target++, 0x2d);
    const byte = <usize>load<u8>(raw + index);
    store<u8>(target, load<u8>(HEX + (byte >> 4)));
    store<u8>(target, load<u8>(HEX + (byte & 15)), 1);
    target += 2;
  }
}

/** Reads the text of an id into 16 bytes at `target`; false, with `target` undefined, when it is not well-formed. */
export function parse(text: usize, length: u32, target: usize): bool {
  if (length != ID_TEXT_SIZE) return false;
  let wrong: u32 = 0;
  for (let index: u32 = 0; index < ID_SIZE; index++) {
    if (hasHyphenBefore(index)) wrong |= load<u8>(text++) ^ 0x2d;
    const high = nibble(load<u8>(text));
    const low = nibble(load<u8>(text, 1));
    wrong |= (high | low) & 0xf0;
    store<u8>(target + index, <u8>((high << 4) | (low & 15)));
    text += 2;
  }
  return !wrong && isId(target);
}

/** Whether 16 raw bytes are a UUID of version 4. */
export function isId(raw: usize): bool {
  return (load<u8>(raw, 6) & 0xf0) == 0x40 && (load<u8>(raw, 8) & 0xc0) == 0x80;
}

// prettier-ignore
@inline
function hasHyphenBefore(index: u32): bool {
  return <bool>((0b0000010101010000 >> index) & 1);
}

/** 0 … 15, or 0xf0 for a byte that is no lower-case hexadecimal digit. */
// prettier-ignore
@inline
function nibble(byte: u32): u32 {
  const digit = byte - 48;
  const letter = byte - 97;
  return digit < 10 ? digit : letter < 6 ? letter + 10 : 0xf0;
}
