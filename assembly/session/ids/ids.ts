/**
 * Session ids. A minted one is a UUID (uuid.ts); one that the caller of CREATE minted is 16 to 128 visible ASCII characters, as frameworks
 * make them. Inside an id is the key of its record:
 *
 *     UUID                 16 raw bytes
 *     caller's own text    a zero byte, then the text: 17 to 129 bytes, so it is never taken for a UUID
 */
import { copy, equal } from "../../base/storage/bytes";
import { format, ID_SIZE, ID_TEXT_SIZE, parse } from "./uuid";

/** Longest id, in bytes of text. */
export const TEXT_MAX: u32 = 128;
const TEXT_MIN: u32 = 16;

/** The id that the running command named, as a key. */
export const givenKey: usize = memory.data(144, 8);
export let givenKeyLength: u32 = 0;
/** What `isKey` reads a UUID into. */
const uuid: usize = memory.data(16);

/** Takes the text of an id as the one that the running command names; false when it is not well-formed. O(length). */
export function take(text: usize, length: u32): bool {
  givenKeyLength = keyOfText(text, length, givenKey);
  return givenKeyLength != 0;
}

/** Takes a record's key, which stays valid when the record does not. */
export function takeKey(key: usize, length: u32): void {
  copy(givenKey, key, length);
  givenKeyLength = length;
}

/** Takes the UUID at `givenKey` that was just minted. */
export function takeMinted(): void {
  givenKeyLength = ID_SIZE;
}

/** Writes the key of the id whose text this is to `target` (129 bytes); its length, 0 when it is not well-formed. O(length). */
export function keyOfText(text: usize, length: u32, target: usize): u32 {
  if (length == ID_TEXT_SIZE && parse(text, length, target)) return ID_SIZE;
  if (length < TEXT_MIN || length > TEXT_MAX || !isVisible(text, length)) return 0;
  store<u8>(target, 0);
  copy(target + 1, text, length);
  return length + 1;
}

/** Writes the text of an id to `target` (128 bytes) and returns its length. */
export function writeId(key: usize, keyLength: u32, target: usize): u32 {
  if (keyLength == ID_SIZE) {
    format(key, target);
    return ID_TEXT_SIZE;
  }
  copy(target, key + 1, keyLength - 1);
  return keyLength - 1;
}

/** Whether these bytes, other than 16, are a key that `keyOfText` writes. The text of a UUID has another one, by which it is looked for. */
export function isKey(key: usize, keyLength: u32): bool {
  if (keyLength <= TEXT_MIN || keyLength > TEXT_MAX + 1 || load<u8>(key) != 0) return false;
  return isVisible(key + 1, keyLength - 1) && !parse(key + 1, keyLength - 1, uuid);
}

/** Whether both are the same bytes. */
// prettier-ignore
@inline
export function isSame(left: usize, leftLength: u32, right: usize, rightLength: u32): bool {
  return leftLength == rightLength && equal(left, right, leftLength);
}

function isVisible(text: usize, length: u32): bool {
  for (let index: u32 = 0; index < length; index++) {
    const byte = load<u8>(text + index);
    if (byte < 0x21 || byte > 0x7e) return false;
  }
  return true;
}
