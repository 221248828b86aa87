/**
 * Schemas that come with data, from a file or the primary: they become known here, where the module's own
 * tables can be read by them.
 */
import { appendEcho, appendText, line } from "../../base/text";
import { addSchema, findSchema, NONE, Part, partAt, schemaAt, schemaId, schemaOfId, splitSchema, TEXT_MAX, typeEnd } from "./schemas";
import { addTable, declared, tableCount } from "./tables";

const theirs: usize = memory.data(32, 4);
const ours: usize = memory.data(32, 4);

/** The parts of a schema's text. */
const KIND: u32 = 0;
const NAME: u32 = 1;
const KEY: u32 = 2;
const VALUE: u32 = 3;

/**
 * The number that the schema has here from now on; NONE: it cannot be taken, and the line that is under
 * construction says why, with the name of the table.
 */
export function adopt(text: usize, length: u32): u32 {
  const known = findSchema(text, length);
  if (known != NONE) return known;
  if (!isSchema(text, length)) return refuse(changetype<usize>("a schema is none: "), text, length);
  if (schemaOfId(schemaId(text, length)) != NONE) return refuse(changetype<usize>("two schemas have the same id: "), text, length);
  const name = partAt(theirs, NAME);
  const table = tableOf(name);
  if (table == NONE) return adoptTable(text, length);
  const schema = schemaAt(table);
  splitSchema(schema.text, schema.length, ours);
  if (!isSame(KIND)) return refuse(changetype<usize>("a Table has become a SortedTable, or the other way round: "), name.at, name.length);
  if (!isSame(KEY)) return refuseTypes(changetype<usize>("its keys"), partAt(theirs, KEY), partAt(ours, KEY));
  if (table < declared && !fieldsAgree()) return NONE;
  const number = addSchema(text, length, table);
  return number == NONE ? refuse(changetype<usize>("there are too many schemas: "), name.at, name.length) : number;
}

function adoptTable(text: usize, length: u32): u32 {
  const name = partAt(theirs, NAME);
  const table = addTable(partAt(theirs, KIND).length == 6, text, length);
  const number = table == NONE ? NONE : addSchema(text, length, table, table);
  return number == NONE ? refuse(changetype<usize>("there are too many tables: "), name.at, name.length) : number;
}

/** Whether there is a table of the name in the text that isSchema was asked of. */
export function isTaken(): bool {
  return tableOf(partAt(theirs, NAME)) != NONE;
}

/** Splits the text into `theirs`; whether it is a schema's. */
export function isSchema(text: usize, length: u32): bool {
  if (length > TEXT_MAX || !splitSchema(text, length, theirs)) return false;
  const kind = partAt(theirs, KIND);
  if (!kind.is(TABLE, 5) && !kind.is(SORTED, 6)) return false;
  const key = partAt(theirs, KEY);
  const value = partAt(theirs, VALUE);
  return (
    typeEnd(key.at, key.at + <usize>key.length) == key.at + <usize>key.length &&
    isKeyType(key) &&
    typeEnd(value.at, value.at + <usize>value.length) == value.at + <usize>value.length
  );
}

/** Whether keys may be of this type: a number, text, or a class of these alone. */
function isKeyType(key: Part): bool {
  let depth = 0;
  for (let at = key.at, end = key.at + <usize>key.length; at < end; at++) {
    const byte = load<u8>(at);
    if (byte == 0x3f || byte == 0x5b || (byte == 0x7b && ++depth > 1)) return false;
  }
  return true;
}

const TABLE: usize = memory.data<u8>([116, 97, 98, 108, 101]);
const SORTED: usize = memory.data<u8>([115, 111, 114, 116, 101, 100]);

/** The number of the table of this name. */
function tableOf(name: Part): u32 {
  for (let number: u32 = 0; number < tableCount(); number++) {
    const schema = schemaAt(number);
    splitSchema(schema.text, schema.length, ours);
    if (name.is(partAt(ours, NAME).at, partAt(ours, NAME).length)) return number;
  }
  return NONE;
}

// prettier-ignore
@inline
function isSame(index: u32): bool {
  const part = partAt(ours, index);
  return partAt(theirs, index).is(part.at, part.length);
}

/** Whether the module's own class can be read from values of the other schema. */
function fieldsAgree(): bool {
  const mine = partAt(ours, VALUE);
  const other = partAt(theirs, VALUE);
  if (other.is(mine.at, mine.length)) return true;
  if (!isClass(mine) || !isClass(other)) return refuseTypes(changetype<usize>("its values"), other, mine) != NONE;
  const field = changetype<Field>(fieldAt);
  for (let more = field.begin(other); more; more = field.next()) {
    const found = changetype<Field>(soughtAt);
    if (!found.find(mine, field.name)) continue;
    if (!found.type.is(field.type.at, field.type.length)) {
      return refuseField(field, found);
    }
  }
  return true;
}

// prettier-ignore
@inline
function isClass(type: Part): bool {
  return load<u8>(type.at + <usize>type.length - 1) == 0x7d;
}

/** A walk over the fields of a class, `{name:type,…}`. */
@unmanaged
export class Field {
  private nameAt: usize;
  private nameLength: u32;
  private typeAt: usize;
  private typeLength: u32;
  private end: usize;
  /** Its place among the fields. */
  index: i32;


  @inline
  get name(): Part {
    return changetype<Part>(changetype<usize>(this));
  }


  @inline
  get type(): Part {
    return changetype<Part>(changetype<usize>(this) + offsetof<Part>());
  }

  /** The first field; false: there is none. */
  begin(type: Part): bool {
    this.end = type.at + <usize>type.length;
    this.index = -1;
    return this.take(type.at + 1);
  }

  /** The next one; false: there is none. */
  next(): bool {
    return this.take(this.typeAt + <usize>this.typeLength + 1);
  }

  /** The field of this name; false: there is none. */
  find(type: Part, name: Part): bool {
    for (let more = this.begin(type); more; more = this.next()) if (this.name.is(name.at, name.length)) return true;
    return false;
  }

  private take(at: usize): bool {
    if (at >= this.end || load<u8>(at) == 0x7d) return false;
    this.nameAt = at;
    while (load<u8>(at) != 0x3a) at++;
    this.nameLength = <u32>(at - this.nameAt);
    this.typeAt = at + 1;
    this.typeLength = <u32>(typeEnd(at + 1, this.end) - this.typeAt);
    this.index++;
    return true;
  }
}

const fieldAt: usize = memory.data(32, 4);
const soughtAt: usize = memory.data(32, 4);

function refuse(reason: usize, text: usize, length: u32): u32 {
  line(reason);
  appendEcho(text, length);
  return NONE;
}

function beginTable(): void {
  line(changetype<usize>("table "));
  appendEcho(partAt(ours, NAME).at, partAt(ours, NAME).length);
  appendText(changetype<usize>(": "));
}

function refuseTypes(what: usize, before: Part, now: Part): u32 {
  beginTable();
  appendText(what);
  appendText(changetype<usize>(" were "));
  appendEcho(before.at, before.length);
  appendText(changetype<usize>(", and are "));
  appendEcho(now.at, now.length);
  return NONE;
}

function refuseField(before: Field, now: Field): bool {
  beginTable();
  appendText(changetype<usize>("its field "));
  appendEcho(before.name.at, before.name.length);
  appendText(changetype<usize>(" was "));
  appendEcho(before.type.at, before.type.length);
  appendText(changetype<usize>(", and is "));
  appendEcho(now.type.at, now.type.length);
  return false;
}
