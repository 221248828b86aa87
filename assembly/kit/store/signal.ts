/**
 * The key that a stored key is told as, to WATCH, tracking and subscribers, and whose slot it lies in: the
 * one that it is in, else its own, text as it is and integers in decimal digits. What is neither goes by the
 * name of its table.
 */
import { lengthOf, pack, pointerOf } from "../../base/frame";
import { slotOf } from "../../base/slots";
import { writeDecimal, writeInteger } from "../../base/text";
import { rewind, top } from "../memory/arena";
import { Reader } from "../values/buffer";
import { readBytesKey } from "../values/keys";
import { partAt, schemaAt, splitSchema } from "./schemas";
import { isSorted, KeyKind, keyKind, prefixLength } from "./tables";

const digits: usize = memory.data(24);
const parts: usize = memory.data(32, 4);
const ordered: Reader = changetype<Reader>(memory.data(offsetof<Reader>(), 4));

/** Its bytes, `length << 32 | pointer`: valid until the next call, as long as the stored key is. */
export function signalBytes(key: usize, length: u32): u64 {
  const own = prefixLength(key);
  if (load<u8>(key, 1)) {
    let at = key + 1;
    while (load<u8>(at) >= 0x80) at++;
    return pack(at + 1, own - <u32>(at + 1 - key));
  }
  const table = <u32>load<u8>(key);
  const kind = length == own ? KeyKind.OTHER : keyKind(table);
  if (keyKind(table) == KeyKind.TEXT && !isSorted(table)) return pack(key + <usize>own, length - own);
  if (kind == KeyKind.TEXT) return orderedText(key + <usize>own, length - own);
  if (kind == KeyKind.OTHER) return nameOf(table);
  return pack(digits, writeNumber(key + <usize>own, length - own, kind == KeyKind.SIGNED));
}

/** The cluster slot that a stored key lies in. O(length). */
export function slotOfStored(key: usize, length: u32): u32 {
  const mark = top;
  const signal = signalBytes(key, length);
  const slot = slotOf(pointerOf(signal), lengthOf(signal));
  rewind(mark);
  return slot;
}

/** The text of an ordered key, without its end. */
function orderedText(key: usize, length: u32): u64 {
  ordered.begin(key, length);
  return readBytesKey(ordered, true);
}

/** The name of a table, `length << 32 | pointer`. */
export function nameOf(table: u32): u64 {
  const schema = schemaAt(table);
  splitSchema(schema.text, schema.length, parts);
  return pack(partAt(parts, 1).at, partAt(parts, 1).length);
}

function writeNumber(key: usize, length: u32, signed: bool): u32 {
  let value: u64 = 0;
  for (let index: u32 = 0; index < length; index++) value = (value << 8) | (<u64>load<u8>(key + <usize>index));
  const bits = (<u64>length) << 3;
  if (!signed) return writeDecimal(value, digits);
  value ^= (<u64>1) << (bits - 1);
  return writeInteger((<i64>(value << (64 - bits))) >> (64 - bits), digits);
}
