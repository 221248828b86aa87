/**
 * Session ids: UUID version 4 (RFC 9562), 36 bytes of lower-case text outside, 16 raw bytes inside.
 *
 *     xxxxxxxx-xxxx-4xxx-Nxxx-xxxxxxxxxxxx        N: 8, 9, a or b (variant 10)
 */
import { readUuid } from "../../base/uuid";
import { take16 } from "./random";

export const ID_SIZE: u32 = 16;
export const ID_TEXT_SIZE: u32 = 36;

/**
 * Writes a new random id, 16 raw bytes, to `target`. 122 of its bits come from the server's cryptographic
 * source.
 */
export function mint(target: usize): void {
  take16(target);
  store<u8>(target, (load<u8>(target, 6) & 0x0f) | 0x40, 6);
  store<u8>(target, (load<u8>(target, 8) & 0x3f) | 0x80, 8);
}

/**
 * Reads the text of an id into 16 bytes at `target`; false, with `target` undefined, when it is not
 * well-formed.
 */
export function parse(text: usize, length: u32, target: usize): bool {
  return length == ID_TEXT_SIZE && readUuid(text, target) && isId(target);
}

/** Whether 16 raw bytes are a UUID of version 4. */
export function isId(raw: usize): bool {
  return (load<u8>(raw, 6) & 0xf0) == 0x40 && (load<u8>(raw, 8) & 0xc0) == 0x80;
}
