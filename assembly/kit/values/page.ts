/**
 * Cursors of tables in order: "k" and the last key in hexadecimal, so that clients that read replies as text
 * give them back as they were.
 */
import { failCursor } from "../../base/parse";

const MARK: u8 = 0x6b;

/** The cursor to go on with behind a key. */
export function cursorBehind(key: usize, length: u32): string {
  const text = changetype<string>(__new((((<usize>length) << 1) + 1) << 1, idof<string>()));
  let at = changetype<usize>(text);
  store<u16>(at, MARK);
  for (let index: u32 = 0; index < length; index++) {
    const byte = <u32>load<u8>(key + <usize>index);
    store<u32>((at += 2), digit(byte >> 4) | (digit(byte & 15) << 16));
    at += 2;
  }
  return text;
}

// prettier-ignore
@inline
function digit(value: u32): u32 {
  return value + (value < 10 ? 48 : 87);
}

/** Whether a cursor names a key to go on behind, and is not a number. */
export function isBehind(cursor: usize, length: u32): bool {
  return length != 0 && load<u8>(cursor) == MARK;
}

/** Writes the key, of half as many bytes, that a cursor goes on behind. Errors: `ERR invalid cursor`. */
export function readCursor(cursor: usize, length: u32, target: usize): void {
  if (!(length & 1)) failCursor();
  for (let at = cursor + 1, end = cursor + <usize>length; at < end; at += 2) {
    store<u8>(target++, (valueOf(load<u8>(at)) << 4) | valueOf(load<u8>(at, 1)));
  }
}

function valueOf(byte: u32): u32 {
  if (byte - 48 < 10) return byte - 48;
  if (byte - 97 >= 6) failCursor();
  return byte - 87;
}
