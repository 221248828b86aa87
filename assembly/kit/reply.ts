/**
 * What a command answers. It is made before the commit, where making it may still fail, and sent behind it,
 * where nothing can.
 * It is a row of parts, as `redis.ReplyWithParts` takes them.
 */
import { redis } from "../base/redis";
import { INTEGER, lengthOf, NULL, OK, pack, pointerOf, REPLIED } from "../base/frame";
import { take } from "./memory/arena";
import { Writer } from "./values/buffer";
import { bytesOf, encodeString } from "./values/strings";
import { commit } from "./transaction/commit";
import { running } from "./transaction/command";

/** Kinds of parts. */
namespace Kind {
  export const BYTES: u32 = 0;
  export const NULL: u32 = 1;
  export const INTEGER: u32 = 2;
  export const STATUS: u32 = 3;
  export const ARRAY: u32 = 6;
  export const MAP: u32 = 7;
  export const NUMBER: u32 = 10;
}

/** Bytes of a kind and its number. */
const HEAD_BYTES: u32 = 9;

/** Writes a part, but for the bytes that its number is the length of. */
// prettier-ignore
@inline
function writeHead(out: Writer, kind: u32, number: u64): void {
  const at = out.room(HEAD_BYTES);
  store<u8>(at, <u8>kind);
  store<u64>(at, number, 1);
  out.at = at + HEAD_BYTES;
}

/**
 * A reply that no type can say: mixed arrays, statuses, nulls. What is called is what is sent, in this order;
 * after `array` and `map` come their elements.
 */
export class Reply {
  private out: Writer = changetype<Writer>(take(offsetof<Writer>()));
  /** Elements that are still to come. */
  private due: i64 = 1;

  constructor() {
    this.out.begin();
  }

  /** An array of so many elements. */
  array(length: i32): this {
    return this.container(Kind.ARRAY, length, length);
  }

  /** A map of so many pairs, each a key and a value. */
  map(length: i32): this {
    return this.container(Kind.MAP, length, (<i64>length) << 1);
  }

  private container(kind: u32, length: i32, elements: i64): this {
    if (length < 0) throw new Error("a Reply has a length below 0");
    this.next();
    writeHead(this.out, kind, length);
    this.due += elements;
    return this;
  }

  string(value: string): this {
    this.next();
    writeString(this.out, Kind.BYTES, value);
    return this;
  }

  bytes(value: Uint8Array): this {
    this.next();
    writeBytes(this.out, Kind.BYTES, pack(value.dataStart, value.length));
    return this;
  }

  integer(value: i64): this {
    this.next();
    writeHead(this.out, Kind.INTEGER, <u64>value);
    return this;
  }

  double(value: f64): this {
    this.next();
    writeHead(this.out, Kind.NUMBER, reinterpret<u64>(value));
    return this;
  }

  bool(value: bool): this {
    return this.integer(<i64>value);
  }

  null(): this {
    this.next();
    writeHead(this.out, Kind.NULL, 0);
    return this;
  }

  /** `+text`. */
  status(text: string): this {
    this.next();
    writeString(this.out, Kind.STATUS, text);
    return this;
  }

  /** An array of strings. */
  strings(values: string[]): this {
    this.array(values.length);
    for (let index = 0; index < values.length; index++) this.string(values[index]);
    return this;
  }

  private next(): void {
    if (!this.due) throw new Error("a Reply holds more than its arrays and maps say");
    this.due--;
  }

  /** Writes it where replies are made. */
  kitReply(to: Writer): void {
    if (this.due) throw new Error("a Reply holds less than its arrays and maps say");
    to.bytes(this.out.start, this.out.length);
  }
}

function writeBytes(out: Writer, kind: u32, bytes: u64): void {
  writeHead(out, kind, lengthOf(bytes));
  out.bytes(pointerOf(bytes), lengthOf(bytes));
}

function writeString(out: Writer, kind: u32, value: string): void {
  const units = <u32>value.length;
  const start = out.room(HEAD_BYTES + units * 3);
  const length = encodeString(changetype<usize>(value), units, start + HEAD_BYTES);
  writeHead(out, kind, length);
  out.at += <usize>length;
}

/** Writes a value as a reply. */
function encode<T>(out: Writer, value: T): void {
  if (isReference<T>()) {
    if (isNullable<T>()) {
      if (changetype<usize>(value) == 0) writeHead(out, Kind.NULL, 0);
      else encodePresent<NonNullable<T>>(out, value!);
    } else {
      encodePresent<T>(out, value);
    }
  } else if (isFloat<T>()) {
    writeHead(out, Kind.NUMBER, reinterpret<u64>(<f64>value));
  } else {
    writeHead(out, Kind.INTEGER, <u64>(<i64>value));
  }
}

function encodePresent<T>(out: Writer, value: T): void {
  if (isString<T>()) {
    writeString(out, Kind.BYTES, changetype<string>(value));
  } else if (idof<T>() == idof<Uint8Array>()) {
    const bytes = changetype<Uint8Array>(value);
    writeBytes(out, Kind.BYTES, pack(bytes.dataStart, bytes.length));
  } else if (isArray<T>()) {
    writeHead(out, Kind.ARRAY, value.length);
    for (let index = 0; index < value.length; index++) encode<valueof<T>>(out, value[index]);
  } else if (value instanceof Map) {
    const keys = value.keys();
    const values = value.values();
    writeHead(out, Kind.MAP, keys.length);
    for (let index = 0; index < keys.length; index++) {
      encode<indexof<T>>(out, keys[index]);
      encode<valueof<T>>(out, values[index]);
    }
  } else {
    value.kitReply(out);
  }
}

const made: Writer = changetype<Writer>(memory.data(offsetof<Writer>(), 4));

/** Commits, and answers the value. */
export function reply<T>(value: T): u64 {
  if (isReference<T>()) {
    if (isNullable<T>()) {
      if (changetype<usize>(value) == 0) {
        commit(running.writes);
        return NULL;
      }
      return replyPresent<NonNullable<T>>(value!);
    }
    return replyPresent<T>(value);
  } else if (isFloat<T>()) {
    commit(running.writes);
    redis.ReplyWithDouble(<f64>value);
    return REPLIED;
  } else {
    commit(running.writes);
    if (<i64>value == <i64>(<i32>value)) return ((<u64>(<u32>value)) << 32) | INTEGER;
    redis.ReplyWithLongLong(<i64>value);
    return REPLIED;
  }
}

function replyPresent<T>(value: T): u64 {
  let bytes: u64 = 0;
  if (isString<T>()) {
    bytes = bytesOf(changetype<string>(value));
  } else if (idof<T>() == idof<Uint8Array>()) {
    const array = changetype<Uint8Array>(value);
    bytes = pack(array.dataStart, array.length);
  } else {
    made.begin();
    encodePresent<T>(made, value);
    const kind = <u32>load<u8>(made.start);
    const isHeld = kind == Kind.ARRAY || kind == Kind.MAP;
    if (isHeld) send();
    commit(running.writes);
    if (!isHeld) send();
    return REPLIED;
  }
  commit(running.writes);
  return bytes;
}

/** Commits, and answers `+OK`. */
export function done(): u64 {
  commit(running.writes);
  return OK;
}

/** Sends what was made. */
function send(): void {
  redis.ReplyWithParts(made.start, made.length);
}
