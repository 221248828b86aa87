/**
 * How values are kept. Whoever reads one gets the text that was stored, byte for byte.
 *
 *     TEXT         as it came
 *     UUID         16 bytes: the lower-case text of a UUID (base/uuid.ts)
 *     INTEGER      1, 2, 4 or 8 bytes, as few as hold it, signed: the one decimal spelling of a signed 64-bit
 *                  integer (parseInteger)
 *
 * The text alone decides on the form, so an entry takes the same bytes on a replica and after a restart.
 */
import { kindOf, PLAIN, spanOf, valueLength, valueOf } from "../../base/storage/entry";
import { lengthOf, pack, pointerOf } from "../../base/frame";
import { parsed, parseInteger } from "../../base/parse";
import { writeInteger } from "../../base/text";
import { readUuid, UUID_BYTES, UUID_TEXT, writeUuid } from "../../base/uuid";

const UUID: u32 = 1;
const INTEGER: u32 = 2;
/** Bytes of the longest text of an integer: a sign and 19 digits. */
const INTEGER_TEXT: u32 = 20;
/** Bytes of the longest text that is not kept as it came. */
export const SHORTENED_MAX: u32 = 36;

/** A value as an entry keeps it. */
@unmanaged
class Kept {
  bytes: usize;
  length: u32;
  kind: u32;
}

/** The value that `keep` was given: valid until the next keep, as long as the text is. */
export const kept: Kept = changetype<Kept>(memory.data(offsetof<Kept>(), 4));
/** Its bytes, where they are not the text. */
const short: usize = memory.data(16, 8);
/** The text of a value that is not kept as it came: valid until the next textOf. */
const text: usize = memory.data(36, 4);

/** Takes a text as the value to be stored. O(1). */
// prettier-ignore
@inline
export function keep(value: usize, length: u32): void {
  if ((length > INTEGER_TEXT && length != UUID_TEXT) || !shorten(value, length)) set(value, length, PLAIN);
}

/** Takes the text of an integer or a UUID; false: it is neither. */
function shorten(value: usize, length: u32): bool {
  if (length == UUID_TEXT) {
    if (!readUuid(value, short)) return false;
    set(short, UUID_BYTES, UUID);
    return true;
  }
  if (!parseInteger(value, length)) return false;
  keepInteger(parsed);
  return true;
}

function keepInteger(value: i64): void {
  store<i64>(short, value);
  const length = value == <i64>(<i8>value) ? 1 : value == <i64>(<i16>value) ? 2 : value == <i64>(<i32>value) ? 4 : 8;
  set(short, length, INTEGER);
}

/** Takes an entry's value as the one to be stored, in the form that it has. O(1). */
export function keepAs(entry: usize): void {
  set(valueOf(entry), valueLength(entry), kindOf(entry));
}

// prettier-ignore
@inline
function set(bytes: usize, length: u32, kind: u32): void {
  kept.bytes = bytes;
  kept.length = length;
  kept.kind = kind;
}

/**
 * The text of an entry's value (`length << 32 | pointer`). It lies in the entry, or in the one place for
 * texts of this module: so it is valid until the next write, and until the next textOf. O(1).
 */
export function textOf(entry: usize): u64 {
  const span = spanOf(entry);
  const kind = kindOf(entry);
  if (kind == PLAIN) return span;
  if (kind == INTEGER) return pack(text, writeInteger(integerIn(pointerOf(span), lengthOf(span)), text));
  writeUuid(pointerOf(span), text);
  return pack(text, UUID_TEXT);
}

/** Bytes of the text of an entry's value. O(1). */
export function textLength(entry: usize): u32 {
  return lengthOf(textOf(entry));
}

/** Whether an entry's value is kept as it came. */
// prettier-ignore
@inline
export function isPlain(entry: usize): bool {
  return kindOf(entry) == PLAIN;
}

function integerIn(value: usize, length: u32): i64 {
  if (length == 1) return load<i8>(value);
  if (length == 2) return load<i16>(value);
  return length == 4 ? load<i32>(value) : load<i64>(value);
}
