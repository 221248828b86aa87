/**
 * Keys as they are stored.
 *
 *     of a Table          strings and Bytes as they are
 *     of a SortedTable    order-preserving: strings and Bytes with 0 as 0 255, and 0 1 at their end
 *     of both             integers big-endian, the sign flipped; f64 with all bits flipped where negative,
 *                         else the sign: -0 is 0, and NaN is refused; a class its fields one after the other
 */
import { lengthOf, pack, pointerOf } from "../../base/frame";
import { failLine, line } from "../../base/text";
import { Reader, Writer } from "./buffer";
import { decodeString, encodeString, findZero } from "./strings";
import { copy } from "../../base/storage/bytes";
import { take } from "../memory/arena";

/** The end of ordered bytes, 0 1. */
const END: u16 = 0x0100;
const END_BYTES: u32 = 2;

/** Writes a key; `ordered`: of a SortedTable. */
export function writeKey<K>(out: Writer, key: K, ordered: bool): void {
  if (isReference<K>()) {
    if (isString<K>()) writeStringKey(out, changetype<string>(key), ordered);
    else if (idof<K>() == idof<Uint8Array>()) {
      const bytes = changetype<Uint8Array>(key);
      writeBytesKey(out, bytes.dataStart, <u32>bytes.length, ordered);
    } else key.kitWriteKey(out);
  } else if (isFloat<K>()) {
    out.fixed<u64>(bswap<u64>(orderedBits(<f64>key)));
  } else if (sizeof<K>() == 8) {
    out.fixed<u64>(bswap<u64>((<u64>key) ^ (isSigned<K>() ? 0x8000000000000000 : 0)));
  } else if (sizeof<K>() == 4) {
    out.fixed<u32>(bswap<u32>((<u32>key) ^ (isSigned<K>() ? 0x80000000 : 0)));
  } else if (sizeof<K>() == 2) {
    out.fixed<u16>(bswap<u16>((<u16>key) ^ (isSigned<K>() ? 0x8000 : 0)));
  } else {
    out.byte((<u32>key) ^ (isSigned<K>() ? 0x80 : 0));
  }
}

/** The bits of a number, in an order that unsigned integers have. Errors: `ERR NaN cannot be a key`. */
function orderedBits(value: f64): u64 {
  if (value != value) {
    line(changetype<usize>("ERR NaN cannot be a key"));
    failLine();
  }
  const bits = value == 0 ? 0 : reinterpret<i64>(value);
  return <u64>(bits < 0 ? ~bits : bits ^ i64.MIN_VALUE);
}

function writeStringKey(out: Writer, key: string, ordered: bool): void {
  const units = <u32>key.length;
  const start = out.room(units * 3 + 8);
  const length = encodeString(changetype<usize>(key), units, start);
  if (!ordered) {
    out.at = start + <usize>length;
  } else if (findZero(start, length) == length) {
    store<u16>(start + <usize>length, END);
    out.at = start + <usize>(length + END_BYTES);
  } else {
    const bytes = take(length);
    copy(bytes, start, length);
    writeEscaped(out, bytes, length);
  }
}

function writeBytesKey(out: Writer, bytes: usize, length: u32, ordered: bool): void {
  if (ordered) writeEscaped(out, bytes, length);
  else out.bytes(bytes, length);
}

/** Writes the bytes of an ordered key, with their end. */
function writeEscaped(out: Writer, bytes: usize, length: u32): void {
  for (let at = bytes, end = bytes + <usize>length; at < end; at++) {
    const byte = <u32>load<u8>(at);
    out.byte(byte);
    if (!byte) out.byte(255);
  }
  out.fixed<u16>(END);
}

/** Reads a key; `ordered`: of a SortedTable. */
export function readKey<K>(from: Reader, ordered: bool): K {
  if (isReference<K>()) {
    if (isString<K>()) {
      const bytes = readBytesKey(from, ordered);
      return changetype<K>(decodeString(pointerOf(bytes), lengthOf(bytes)));
    } else if (idof<K>() == idof<Uint8Array>()) {
      const bytes = readBytesKey(from, ordered);
      const copied = new Uint8Array(<i32>lengthOf(bytes));
      memory.copy(copied.dataStart, pointerOf(bytes), copied.length);
      return changetype<K>(copied);
    } else {
      const made = changetype<K>(__new(offsetof<K>(), idof<K>()));
      made.kitReadKey(from);
      return made;
    }
  } else if (isFloat<K>()) {
    const bits = <i64>bswap<u64>(from.fixed<u64>());
    return <K>reinterpret<f64>(bits < 0 ? bits ^ i64.MIN_VALUE : ~bits);
  } else if (sizeof<K>() == 8) {
    return <K>(bswap<u64>(from.fixed<u64>()) ^ (isSigned<K>() ? 0x8000000000000000 : 0));
  } else if (sizeof<K>() == 4) {
    return <K>(bswap<u32>(from.fixed<u32>()) ^ (isSigned<K>() ? 0x80000000 : 0));
  } else if (sizeof<K>() == 2) {
    return <K>(bswap<u16>(from.fixed<u16>()) ^ (isSigned<K>() ? 0x8000 : 0));
  } else {
    return <K>((<u32>from.fixed<u8>()) ^ (isSigned<K>() ? 0x80 : 0));
  }
}

/** The bytes of a key, `length << 32 | pointer`: where they lie, or in the arena. */
export function readBytesKey(from: Reader, ordered: bool): u64 {
  const start = from.at;
  const left = from.left;
  if (!ordered) return pack(from.skip(left), left);
  // Nearly all hold no 0: the first one is the end.
  const length = findZero(start, left);
  if (length + 1 < left && load<u8>(start + <usize>length, 1) == 1) {
    from.at = start + <usize>(length + END_BYTES);
    return pack(start, length);
  }
  return readEscaped(from);
}

function readEscaped(from: Reader): u64 {
  const target = take(from.left + 1);
  let out = target;
  while (from.left) {
    const byte = from.fixed<u8>();
    if (!byte && from.fixed<u8>() == 1) break;
    store<u8>(out++, byte);
  }
  return pack(target, <u32>(out - target));
}

/** A field of a class that is a key of a SortedTable. */
export function writeOrdered<K>(out: Writer, key: K): void {
  writeKey<K>(out, key, true);
}

/** As writeOrdered wrote it. */
export function readOrdered<K>(from: Reader): K {
  return readKey<K>(from, true);
}
