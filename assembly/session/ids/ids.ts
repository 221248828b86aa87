/**
 * Session ids. A minted one is a UUID (uuid.ts); one that the caller of CREATE minted is 16 to 128 visible
 * ASCII characters, as frameworks make them. Inside an id is the key of its record:
 *
 *     UUID                 16 raw bytes
 *     caller's own text    a zero byte, then the text: 17 to 129 bytes, so it is never taken for a UUID
 */
import { copy } from "../../base/storage/bytes";
import { writeUuid } from "../../base/uuid";
import { ID_SIZE, ID_TEXT_SIZE, isId, mint, parse } from "./uuid";

/**
 * Bytes of an IdKey and of an IdText, each with room for the longest id:
 * `changetype<IdKey>(memory.data(ID_BYTES, 4))`.
 */
export const ID_BYTES: i32 = 136;
/** What `isKey` reads a UUID into. */
const uuid: usize = memory.data(16);
/** Longest id, in bytes of text. */
export const TEXT_MAX: u32 = 128;
const TEXT_MIN: u32 = 16;

/** The key of an id, with its length in bytes; 0: it is none. */
@unmanaged
export class IdKey {
  length: u32;

  /** Address of its first byte. */
  @inline
  get start(): usize {
    return changetype<usize>(this) + offsetof<IdKey>();
  }

  /** Takes the key of the id whose text this is; false when it is not well-formed. O(length). */
  take(text: usize, length: u32): bool {
    this.length = keyOfText(text, length, this.start);
    return this.length != 0;
  }

  /** Takes the key of a new UUID. */
  mint(): void {
    mint(this.start);
    this.length = ID_SIZE;
  }
}

/** The text of an id, with its length in bytes. */
@unmanaged
export class IdText {
  length: u32;

  /** Address of its first byte. */
  @inline
  get start(): usize {
    return changetype<usize>(this) + offsetof<IdText>();
  }

  /** Takes the text of the id whose key this is. */
  take(key: usize, keyLength: u32): IdText {
    this.length = writeId(key, keyLength, this.start);
    return this;
  }
}

/**
 * Writes the key of the id whose text this is to `target` (129 bytes); its length, 0 when it is not
 * well-formed. O(length).
 */
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
    writeUuid(key, target);
    return ID_TEXT_SIZE;
  }
  copy(target, key + 1, keyLength - 1);
  return keyLength - 1;
}

/**
 * Whether these bytes are a key that `keyOfText` writes. The text of a UUID has another one, by which it is
 * looked for.
 */
export function isKey(key: usize, keyLength: u32): bool {
  if (keyLength == ID_SIZE) return isId(key);
  if (keyLength <= TEXT_MIN || keyLength > TEXT_MAX + 1 || load<u8>(key) != 0) return false;
  return isVisible(key + 1, keyLength - 1) && !parse(key + 1, keyLength - 1, uuid);
}

/** Whether all are visible ASCII characters. 16 at a time, and there are as many; the last 16 overlap. */
function isVisible(text: usize, length: u32): bool {
  const last = <usize>length - TEXT_MIN;
  for (let at: usize = 0; at < last; at += TEXT_MIN) if (!areVisible(v128.load(text + at))) return false;
  return areVisible(v128.load(text + last));
}

// prettier-ignore
@inline
function areVisible(bytes: v128): bool {
  return !v128.any_true(i8x16.gt_u(i8x16.sub(bytes, i8x16.splat(0x21)), i8x16.splat(0x7e - 0x21)));
}
