/**
 * Values as they are stored. Numbers as many bytes as their type has, little-endian; `bool` one byte;
 * strings, `Bytes` and arrays a length in LEB128, and their bytes or elements; a class its fields one after
 * the other; before what may be null one byte, 0 or 1.
 */
import { decodeString, encodeString } from "./strings";
import { Reader, Writer } from "./buffer";

/** Writes a value of type T. */
export function write<T>(out: Writer, value: T): void {
  if (isReference<T>()) {
    if (isNullable<T>()) {
      if (changetype<usize>(value) == 0) return out.byte(0);
      out.byte(1);
      writePresent<NonNullable<T>>(out, value!);
    } else {
      writePresent<T>(out, value);
    }
  } else {
    out.fixed<T>(value);
  }
}

function writePresent<T>(out: Writer, value: T): void {
  if (isString<T>()) {
    writeString(out, changetype<string>(value));
  } else if (idof<T>() == idof<Uint8Array>()) {
    const bytes = changetype<Uint8Array>(value);
    out.counted(bytes.dataStart, <u32>bytes.length);
  } else if (isArray<T>()) {
    const length = value.length;
    out.number(<u32>length);
    for (let index = 0; index < length; index++) write<valueof<T>>(out, value[index]);
  } else {
    value.kitWrite(out);
  }
}

function writeString(out: Writer, value: string): void {
  const units = <u32>value.length;
  // A length of one byte stands for nearly all strings; what is longer than it could be is moved once.
  const start = out.room(units * 3 + 5);
  const length = encodeString(changetype<usize>(value), units, start + 1);
  if (length >= 0x80) {
    let prefix: u32 = 1;
    for (let rest = length >> 7; rest; rest >>= 7) prefix++;
    memory.copy(start + <usize>prefix, start + 1, <usize>length);
    out.number(length);
    out.at += <usize>length;
  } else {
    store<u8>(start, <u8>length);
    out.at = start + 1 + <usize>length;
  }
}

/** Reads a value of type T. */
export function read<T>(from: Reader): T {
  if (isReference<T>()) {
    if (isNullable<T>()) {
      if (!from.fixed<u8>()) return changetype<T>(0);
      return changetype<T>(readPresent<NonNullable<T>>(from));
    }
    return readPresent<T>(from);
  } else {
    return from.fixed<T>();
  }
}

function readPresent<T>(from: Reader): T {
  if (isString<T>()) {
    const length = from.number();
    return changetype<T>(decodeString(from.skip(length), from.failed ? 0 : length));
  } else if (idof<T>() == idof<Uint8Array>()) {
    const length = from.number();
    const source = from.skip(length);
    const bytes = new Uint8Array(from.failed ? 0 : length);
    memory.copy(bytes.dataStart, source, bytes.length);
    return changetype<T>(bytes);
  } else if (isArray<T>()) {
    const length = from.number();
    const array = instantiate<T>(from.has(length) ? length : 0);
    for (let index = 0; index < array.length; index++) array[index] = read<valueof<T>>(from);
    return array;
  } else {
    const made = changetype<T>(__new(offsetof<T>(), idof<T>()));
    // All fields come in their order: nothing needs its initialiser.
    const count = made.kitCount();
    for (let field = 0; field < count; field++) made.kitRead(field, from);
    return made;
  }
}

/** The name of a type in schemas. */
export function typeName<T>(): string {
  if (isReference<T>()) {
    if (isNullable<T>()) return presentName<NonNullable<T>>() + "?";
    return presentName<T>();
  }
  if (isBoolean<T>()) return "bool";
  const bits = (sizeof<T>() << 3).toString();
  if (isFloat<T>()) return "f" + bits;
  return (isSigned<T>() ? "i" : "u") + bits;
}

function presentName<T>(): string {
  if (isString<T>()) return "string";
  if (idof<T>() == idof<Uint8Array>()) return "bytes";
  if (isArray<T>()) return typeName<valueof<T>>() + "[]";
  return "{" + changetype<T>(__new(offsetof<T>(), idof<T>())).kitFields() + "}";
}
