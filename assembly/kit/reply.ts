/**
 * What a command answers. It is made before the commit, where making it may still fail, and sent behind it,
 * where nothing can.
 * It is a row of parts, as `redis.ReplyWithParts` takes them.
 */
import { redis } from "../base/redis";
import { INTEGER, lengthOf, NULL, OK, pack, pointerOf, REPLIED } from "../base/frame";
import { integerOf } from "../base/parse";
import { take } from "./memory/arena";
import { Writer } from "./values/buffer";
import { endOf, HEAD_BYTES, isContainer, isText, Kind, kindAt, numberAt } from "./values/parts";
import { bytesOf, decodeString, encodeString } from "./values/strings";
import { commit } from "./transaction/commit";
import { running } from "./transaction/command";

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
 * after `array` and `map` come their elements. And what a command of the server has answered, to be read, or
 * to be returned as it is.
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

  // ── What it is ───────────────────────────────────────────────────────────────────────────────────────────

  /** A reply of parts that are there already: so many bytes, of which nothing is copied. */
  static of(start: usize, end: usize): Reply {
    const reply = new Reply();
    reply.out.start = start;
    reply.out.at = end;
    reply.out.end = end;
    reply.due = 0;
    return reply;
  }

  /** Where its first part begins. Errors: it is not complete. */
  private get part(): usize {
    if (this.due) throw new Error("a Reply holds less than its arrays and maps say");
    return this.out.start;
  }

  private get kind(): u32 {
    return kindAt(this.part);
  }

  /** null, string, status, integer, double, bool, bignumber, array, set, map or error. */
  get type(): string {
    const kind = this.kind;
    if (kind == Kind.BYTES) return "string";
    if (kind == Kind.STATUS) return "status";
    if (kind == Kind.INTEGER) return "integer";
    if (kind == Kind.NUMBER) return "double";
    if (kind == Kind.BOOL) return "bool";
    if (kind == Kind.BIG_NUMBER) return "bignumber";
    if (kind == Kind.ARRAY) return "array";
    if (kind == Kind.SET) return "set";
    if (kind == Kind.MAP) return "map";
    return kind == Kind.ERROR ? "error" : "null";
  }

  get isNull(): bool {
    return this.kind == Kind.NULL;
  }

  get isError(): bool {
    return this.kind == Kind.ERROR;
  }

  /** The text of an error, as `WRONGTYPE …`; empty: it is none. */
  get error(): string {
    return this.isError ? this.text() : "";
  }

  /** Elements of an array or a set, pairs of a map. Errors: it is none. */
  get length(): i32 {
    if (!isContainer(this.kind)) this.fail("an array");
    return <i32>numberAt(this.part);
  }

  /** Element `index` of an array or a set; of a map keys and values take turns. O(index). */
  at(index: i32): Reply {
    const count = this.kind == Kind.MAP ? this.length << 1 : this.length;
    if (<u32>index >= <u32>count) throw new Error("the reply has no element " + index.toString());
    let at = this.part + HEAD_BYTES;
    for (let passed = 0; passed < index; passed++) at = endOf(at);
    return Reply.of(at, endOf(at));
  }

  /** All elements; of a map keys and values take turns. */
  elements(): Reply[] {
    const count = this.kind == Kind.MAP ? this.length << 1 : this.length;
    const all = new Array<Reply>(count);
    let at = this.part + HEAD_BYTES;
    for (let index = 0; index < count; index++) {
      const end = endOf(at);
      all[index] = Reply.of(at, end);
      at = end;
    }
    return all;
  }

  /** A text, or a number as one. Errors: it is null, an array or an error. */
  asString(): string {
    const kind = this.kind;
    if (isText(kind) && kind != Kind.ERROR) return this.text();
    if (kind == Kind.INTEGER) return (<i64>numberAt(this.part)).toString();
    if (kind == Kind.NUMBER) return reinterpret<f64>(numberAt(this.part)).toString();
    if (kind == Kind.BOOL) return numberAt(this.part) ? "true" : "false";
    this.fail("a text");
    return "";
  }

  /** As asString, and null of null. */
  asStringOrNull(): string | null {
    return this.isNull ? null : this.asString();
  }

  /** The bytes of a text, a copy. */
  asBytes(): Uint8Array {
    if (!isText(this.kind) || this.isError) this.fail("a text");
    const bytes = new Uint8Array(<i32>numberAt(this.part));
    memory.copy(bytes.dataStart, this.part + HEAD_BYTES, bytes.length);
    return bytes;
  }

  /** A whole number, a truth value as 0 or 1, a text of digits. */
  asInteger(): i64 {
    const kind = this.kind;
    if (kind == Kind.INTEGER || kind == Kind.BOOL) return <i64>numberAt(this.part);
    if (!isText(kind) || kind == Kind.ERROR) this.fail("an integer");
    return integerOf(this.part + HEAD_BYTES, <u32>numberAt(this.part));
  }

  /** A number, or a text that reads as one. */
  asDouble(): f64 {
    const kind = this.kind;
    if (kind == Kind.NUMBER) return reinterpret<f64>(numberAt(this.part));
    if (kind == Kind.INTEGER || kind == Kind.BOOL) return <f64>(<i64>numberAt(this.part));
    if (!isText(kind) || kind == Kind.ERROR) this.fail("a number");
    const value = parseFloat(this.text());
    if (isNaN(value)) this.fail("a number");
    return value;
  }

  /** Whether it is true, or a number that is not 0. */
  asBool(): bool {
    return this.asInteger() != 0;
  }

  /** The elements as texts; of a map keys and values take turns. */
  asStrings(): string[] {
    const all = this.elements();
    const texts = new Array<string>(all.length);
    for (let index = 0; index < all.length; index++) texts[index] = all[index].asString();
    return texts;
  }

  /** A map of texts, also of an array in which keys and values take turns. */
  asMap(): Map<string, string> {
    const texts = this.asStrings();
    const map = new Map<string, string>();
    for (let index = 0; index + 1 < texts.length; index += 2) map.set(texts[index], texts[index + 1]);
    return map;
  }

  private text(): string {
    return decodeString(this.part + HEAD_BYTES, <u32>numberAt(this.part));
  }

  private fail(wanted: string): void {
    if (this.isError) throw new Error(this.error);
    throw new Error("the reply is " + this.type + ", not " + wanted);
  }

  private next(): void {
    if (!this.due) throw new Error("a Reply holds more than its arrays and maps say");
    this.due--;
  }

  /** Writes it where replies are made. */
  kitReply(to: Writer): void {
    if (this.isError) throw new Error(this.error);
    to.bytes(this.part, this.out.length);
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
    const isHeld = isContainer(kind);
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
