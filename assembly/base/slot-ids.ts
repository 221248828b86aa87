/**
 * A session's id is minted in the cluster slot (slots.ts) of its user's key: the last five hexadecimal
 * digits of the UUID are chosen so that its text lands there. Five digits have about 64 choices for each
 * slot, four would not reach all of them.
 */
import { crc, next, SLOT_MASK } from "./slots";
import { UUID_TEXT, writeUuid } from "./uuid";

/** Digits of the text that no slot concerns. */
const FREE_DIGITS: u32 = 31;
/** Ways to write the first three of the five digits. */
const TRIPLES: u32 = 4096;

/** What digit d at place p of the five adds to the CRC: 5 × 16 × u16. */
const digitAdds: usize = memory.data(160, 2);
/**
 * Which two last digits, as a byte, add these 14 bits: an inverse to be checked, since not every sum of 14
 * bits is one.
 */
const lastPair: usize = memory.data(16384);
const text: usize = memory.data(36);
let ready: bool = false;

/**
 * Changes the last five digits of a random UUID, 16 raw bytes at `id`, so that its text is in this slot.
 * Which of the possible endings it takes is up to the digits that were there.
 */
export function moveToSlot(id: usize, slot: u32): void {
  if (!ready) prepare();
  writeUuid(id, text);
  // The CRC of the text with nothing in the place of the five digits: five zero bytes.
  const base = advance(crc(0, text, FREE_DIGITS), UUID_TEXT - FREE_DIGITS);
  const random = (((<u32>load<u8>(id, 13)) & 15) << 16) | ((<u32>load<u8>(id, 14)) << 8) | (<u32>load<u8>(id, 15));
  const stride = ((random & 255) << 1) | 1;
  let triple = random >> 8;
  for (let attempt: u32 = 0; attempt < TRIPLES; attempt++) {
    const wanted = (base ^ slot ^ added(0, triple >> 8) ^ added(1, (triple >> 4) & 15) ^ added(2, triple & 15)) & SLOT_MASK;
    const pair = <u32>load<u8>(lastPair + wanted);
    if (pairAdds(pair) == wanted) {
      store<u8>(id, (load<u8>(id, 13) & 0xf0) | (<u8>(triple >> 8)), 13);
      store<u8>(id, <u8>triple, 14);
      store<u8>(id, <u8>pair, 15);
      return;
    }
    triple = (triple + stride) & (TRIPLES - 1);
  }
}

function prepare(): void {
  for (let place: u32 = 0; place < 5; place++) {
    for (let digit: u32 = 0; digit < 16; digit++) {
      const character = digit < 10 ? 48 + digit : 87 + digit;
      store<u16>(digitAdds + <usize>((place * 16 + digit) << 1), advance(next(0, character), 4 - place));
    }
  }
  for (let pair: u32 = 0; pair < 256; pair++) store<u8>(lastPair + pairAdds(pair), pair);
  ready = true;
}

function added(place: u32, digit: u32): u32 {
  return load<u16>(digitAdds + <usize>((place * 16 + digit) << 1));
}

function pairAdds(pair: u32): u32 {
  return (added(3, pair >> 4) ^ added(4, pair & 15)) & SLOT_MASK;
}

/** The CRC after `count` zero bytes more. */
function advance(value: u32, count: u32): u32 {
  for (; count; count--) value = next(value, 0);
  return value;
}
