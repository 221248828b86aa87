/**
 * What tables hold, in one line of text each: what the data in files and effects is read by.
 *
 *     table buckets string {tokens:f64,at:i64}
 *     sorted scores {points:i64,user:string} string
 *     kind  name    type of keys             type of values
 *
 *     types    bool i8 … u64 f32 f64 string bytes · T[] · {name:T,…} a class · T? may be null
 *
 * A table has a schema for each version of the module that has left data behind. Within a module a schema has
 * a number, the first byte of every stored value: that of a table as it is declared is the table's own. In
 * effects it has an id, a hash of its text, which every server comes to by itself.
 */
import { alloc, usableSize } from "../../base/storage/heap";
import { beginChange, endChange } from "../../base/change";
import { equal } from "../../base/storage/bytes";
import { probeStack } from "../memory/arena";
import { Reader } from "../values/buffer";
import { carryArea, carrySame, carryWord } from "../../base/storage/carry";

/** Tables of a module, declared or not. */
export const TABLES_MAX: u32 = 64;
/** Schemas of a module. */
const SCHEMAS_MAX: u32 = 255;
/** Bytes of a schema's text. */
export const TEXT_MAX: u32 = 8192;
/** No table, no schema, no field of this kind. */
export const NONE: u32 = 255;

/** A part of a text: valid as long as the text is. */
@unmanaged
export class Part {
  at: usize;
  length: u32;


  @inline
  is(text: usize, length: u32): bool {
    return this.length == length && equal(this.at, text, length);
  }
}


@unmanaged
export class Schema {
  text: usize;
  length: u32;
  id: u32;
  table: u32;
  /** Where, and how long, the type of its values is. */
  value: usize;
  valueLength: u32;
  /** Whether the module's own class has these fields, in this order, and no others. */
  isCurrent: bool;
}

const schemas: usize = memory.data(1024, 4);
/** Schemas that are not those of declared tables, from number TABLES_MAX on. */
let others: u32 = 0;

/** A byte for each schema: whether this process has told the stream of it. */
const told: usize = memory.data(256);

/**
 * Whether the stream, or a file that it goes on from, has told schemas since the last flush. What follows
 * there does without them, so every file has them from then on, be there entries or not.
 */
export let areTold: bool = false;

/** Notes that schemas were told. */
export function noteTold(): void {
  areTold = true;
}

/** Whether the stream knows the schema of this number; from now on it does. */
export function tellSchema(number: u32): bool {
  areTold = true;
  const isTold = load<u8>(told + <usize>number) != 0;
  store<u8>(told + <usize>number, 1);
  return isTold;
}

/** Whether this process has told the stream of the schema of this number. */
export function isTold(number: u32): bool {
  return load<u8>(told + <usize>number) != 0;
}

/** Forgets what the stream was told of: another server has written to it meanwhile. */
export function forgetTold(): void {
  memory.fill(told, 0, 256);
}

/** The schema of this number. */
// prettier-ignore
@inline
export function schemaAt(number: u32): Schema {
  return changetype<Schema>(<usize>load<u32>(schemas + (<usize>number << 2)));
}

// prettier-ignore
@inline
function setSchema(number: u32, schema: Schema): void {
  store<u32>(schemas + (<usize>number << 2), <u32>changetype<usize>(schema));
}

/** Numbers from 0 to before this one may be schemas; schemaAt is null where there is none. */
export function schemaLimit(): u32 {
  return TABLES_MAX + others;
}

/** The four parts of a schema's text; false where it is none. `parts`: four Parts. */
export function splitSchema(text: usize, length: u32, parts: usize): bool {
  const end = text + <usize>length;
  let at = text;
  for (let index: u32 = 0; index < 4; index++) {
    const part = partAt(parts, index);
    part.at = at;
    while (at < end && load<u8>(at) != 0x20) at++;
    part.length = <u32>(at - part.at);
    if (!part.length || index < 3 != at < end) return false;
    at++;
  }
  return true;
}

// prettier-ignore
@inline
export function partAt(parts: usize, index: u32): Part {
  return changetype<Part>(parts + <usize>index * offsetof<Part>());
}

const parts: usize = memory.data(32, 4);

/** FNV-1a of the text. */
export function schemaId(text: usize, length: u32): u32 {
  let hash: u32 = 0x811c9dc5;
  for (let at = text, end = text + <usize>length; at < end; at++) hash = (hash ^ (<u32>load<u8>(at))) * 0x01000193;
  return hash;
}

/** The number of the schema with this text; NONE: it is not known. */
export function findSchema(text: usize, length: u32): u32 {
  for (let number: u32 = 0; number < schemaLimit(); number++) {
    const schema = schemaAt(number);
    if (changetype<usize>(schema) && schema.length == length && equal(schema.text, text, length)) return number;
  }
  return NONE;
}

/** The number of the schema with this id; NONE: it is not known. */
export function schemaOfId(id: u32): u32 {
  for (let number: u32 = 0; number < schemaLimit(); number++) {
    const schema = schemaAt(number);
    if (changetype<usize>(schema) && schema.id == id) return number;
  }
  return NONE;
}

/**
 * Keeps a schema under this number. Its memory is `block`, of Schema's and the text's bytes, which are copied
 * behind it.
 */
export function keepSchema(number: u32, block: usize, text: usize, length: u32, table: u32, isCurrent: bool): void {
  const schema = changetype<Schema>(block);
  const kept = block + offsetof<Schema>();
  memory.copy(kept, text, length);
  splitSchema(kept, length, parts);
  schema.text = kept;
  schema.length = length;
  schema.id = schemaId(text, length);
  schema.table = table;
  schema.value = partAt(parts, 3).at;
  schema.valueLength = partAt(parts, 3).length;
  schema.isCurrent = isCurrent;
  store<u8>(told + <usize>number, 0);
  setSchema(number, schema);
}

/**
 * Adds a schema that is not known yet; `number`: that of a table that is not declared, or NONE. Its number,
 * or NONE where there are too many or no memory is left.
 */
export function addSchema(text: usize, length: u32, table: u32, number: u32 = NONE): u32 {
  if (number == NONE && TABLES_MAX + others >= SCHEMAS_MAX) return NONE;
  probeStack();
  beginChange();
  const block = alloc(offsetof<Schema>() + length);
  if (block) {
    if (number == NONE) number = TABLES_MAX + others++;
    keepSchema(number, block, text, length, table, false);
  }
  endChange();
  return block ? number : NONE;
}

/**
 * Forgets all schemas but those of declared tables, whose memory is gone with the heap; and what was told,
 * since a flush makes whoever reads the stream forget it too.
 */
export function forgetSchemas(declared: u32): void {
  forgetTold();
  areTold = false;
  for (let number = declared; number < schemaLimit(); number++) setSchema(number, changetype<Schema>(0));
  others = 0;
}

/** Bytes of the heap that they take. */
export function schemaBytes(declared: u32): u64 {
  let bytes: u64 = 0;
  for (let number = declared; number < schemaLimit(); number++) {
    const schema = schemaAt(number);
    if (changetype<usize>(schema)) bytes += <u64>usableSize(offsetof<Schema>() + schema.length);
  }
  return bytes;
}

// ── Types ──────────────────────────────────────────────────────────────────────────────────────────────────

/** Depth to which types may be nested. */
const DEPTH_MAX: u32 = 32;

/** The end of the type that begins here: at a comma, a closing brace or the end; 0: it is no type. */
export function typeEnd(at: usize, end: usize, depth: u32 = 0): usize {
  if (depth > DEPTH_MAX || at >= end) return 0;
  if (load<u8>(at) == 0x7b) at = classEnd(at + 1, end, depth);
  else at = wordEnd(at, end);
  if (!at) return 0;
  while (at < end && (load<u8>(at) == 0x3f || load<u8>(at) == 0x5b)) {
    if (load<u8>(at) == 0x3f) at++;
    else if (at + 1 < end && load<u8>(at, 1) == 0x5d) at += 2;
    else return 0;
  }
  return at;
}

/**
 * After the closing brace. A class has a field, so that each value takes a byte: a count is one of bytes too.
 */
function classEnd(at: usize, end: usize, depth: u32): usize {
  while (at < end) {
    const name = at;
    while (at < end && isNameByte(load<u8>(at))) at++;
    if (at == name || at >= end || load<u8>(at) != 0x3a) return 0;
    at = typeEnd(at + 1, end, depth + 1);
    if (!at || at >= end) return 0;
    if (load<u8>(at) == 0x7d) return at + 1;
    if (load<u8>(at++) != 0x2c) return 0;
  }
  return 0;
}

function isNameByte(byte: u32): bool {
  return (byte | 0x20) - 97 < 26 || byte - 48 < 10 || byte == 0x5f || byte == 0x24;
}

function wordEnd(at: usize, end: usize): usize {
  const start = at;
  while (at < end && (<u32>load<u8>(at) - 97 < 26 || <u32>load<u8>(at) - 48 < 10)) at++;
  return isString(start, at) || widthOf(start, <u32>(at - start)) ? at : 0;
}

function isString(at: usize, end: usize): bool {
  const length = <u32>(end - at);
  if (length == 6) return load<u32>(at) == 0x69727473 && load<u16>(at, 4) == 0x676e; // "string"
  return length == 5 && load<u32>(at) == 0x65747962 && load<u8>(at, 4) == 0x73; // "bytes"
}

/** Bytes of a number of this type; 0: it is none. */
export function widthOf(at: usize, length: u32): u32 {
  if (length == 4) return load<u32>(at) == 0x6c6f6f62 ? 1 : 0; // "bool"
  const kind = <u32>load<u8>(at);
  const isFloat = kind == 0x66;
  if (!isFloat && kind != 0x69 && kind != 0x75) return 0;
  if (length == 2) return !isFloat && load<u8>(at, 1) == 0x38 ? 1 : 0;
  if (length != 3) return 0;
  const bits = <u32>load<u16>(at, 1);
  if (bits == 0x3436) return 8; // "64"
  if (bits == 0x3233) return 4; // "32"
  return bits == 0x3631 && !isFloat ? 2 : 0; // "16"
}

/**
 * Goes past a value of the type that begins at `type`; the end of the type. Where the bytes are not such a
 * value the reader has failed.
 */
export function skipValue(type: usize, end: usize, from: Reader): usize {
  const after = typeEnd(type, end);
  skipTyped(type, after, from);
  return after;
}

function skipTyped(type: usize, end: usize, from: Reader): void {
  const last = load<u8>(end - 1);
  if (last == 0x3f) {
    const present = from.fixed<u8>();
    if (present > 1) from.failed = true;
    if (present) skipTyped(type, end - 1, from);
  } else if (last == 0x5d) {
    for (let count = from.number(); count && !from.failed; count--) skipTyped(type, end - 2, from);
  } else if (last == 0x7d) {
    for (let at = type + 1; load<u8>(at) != 0x7d && !from.failed;) {
      while (load<u8>(at++) != 0x3a);
      at = skipValue(at, end, from);
      if (load<u8>(at) == 0x2c) at++;
    }
  } else {
    const length = <u32>(end - type);
    const width = length == 6 || length == 5 ? from.number() : widthOf(type, length);
    if (length == 4 && from.left && load<u8>(from.at) > 1) from.failed = true;
    from.skip(width);
  }
}

/** Whether the bytes are one value of this type, and nothing else. */
export function isValue(type: usize, typeLength: u32, value: usize, length: u32): bool {
  const end = type + <usize>typeLength;
  const from = checked;
  from.begin(value, length);
  skipTyped(type, end, from);
  return !from.failed && !from.left;
}

const checked: Reader = changetype<Reader>(memory.data(offsetof<Reader>(), 4));

/**
 * Whether the bytes are one key of this type. A Table's string or bytes may be any; a SortedTable's ends with
 * its own end.
 */
export function isKey(type: usize, typeLength: u32, ordered: bool, key: usize, length: u32): bool {
  const from = checked;
  from.begin(key, length);
  const end = type + <usize>typeLength;
  if (load<u8>(type) == 0x7b) {
    for (let at = type + 1; load<u8>(at) != 0x7d && !from.failed;) {
      while (load<u8>(at++) != 0x3a);
      const after = typeEnd(at, end);
      skipKeyPart(at, <u32>(after - at), from);
      at = load<u8>(after) == 0x2c ? after + 1 : after;
    }
  } else if (!ordered && isString(type, end)) {
    return true;
  } else {
    skipKeyPart(type, typeLength, from);
  }
  return !from.failed && !from.left;
}

function skipKeyPart(type: usize, length: u32, from: Reader): void {
  if (!isString(type, type + <usize>length)) {
    from.skip(widthOf(type, length) == 4 && load<u8>(type) == 0x66 ? 8 : widthOf(type, length));
    return;
  }
  while (!from.failed) {
    if (from.fixed<u8>()) continue;
    const escape = from.fixed<u8>();
    if (escape == 1) return;
    if (escape != 255) from.failed = true;
  }
}

// ── Another file in the same memory ────────────────────────────────────────────────────────────────────────

/**
 * What another file takes over in the same memory (base/storage/carry.ts): all schemas but those of declared
 * tables, which must be the same.
 */
export function carrySchemas(declared: u32): void {
  carrySame(declared);
  for (let number: u32 = 0; number < declared; number++) {
    const schema = schemaAt(number);
    carrySame(((<u64>schema.length) << 32) | schema.id);
  }
  carryArea(schemas + ((<usize>declared) << 2), 1024 - (declared << 2));
  carryArea(told, 256);
  others = carryWord<u32>(others);
  areTold = carryWord<bool>(areTold);
}
