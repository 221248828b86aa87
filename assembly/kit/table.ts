/** Tables, as authors see them. docs/KIT.md tells of them; `types/kit.d.ts` has the same names. */
import { failLine, line } from "../base/text";
import { cursorOf, failCursor } from "../base/parse";
import { lengthOf, pack, pointerOf } from "../base/frame";
import { top, rewind, take } from "./memory/arena";
import { Reader, Writer } from "./values/buffer";
import { read, typeName, write } from "./values/codec";
import { readEvolved, schemaWith } from "./store/evolve";
import { readKey, writeKey } from "./values/keys";
import { cursorBehind, isBehind, readCursor } from "./values/page";
import { bytesOf } from "./values/strings";
import { isSchema, isTaken } from "./store/adopt";
import { schemaAt, TABLES_MAX, TEXT_MAX } from "./store/schemas";
import { declareTable, hashTable, isSorted, tableCount } from "./store/tables";
import { requireReach } from "./transaction/command";
import { scanHash, seeHash } from "./transaction/scan";
import { sizeChange } from "./transaction/sizes";
import { KEEP, seen, View } from "./transaction/view";
import { noteRead, noteSet } from "./transaction/reads";
import { endOf, expireAll, place, rankOf, step, walkFrom } from "./transaction/walk";

export const keyWriter: Writer = changetype<Writer>(memory.data(offsetof<Writer>(), 4));
const valueWriter: Writer = changetype<Writer>(memory.data(offsetof<Writer>(), 4));
const reader: Reader = changetype<Reader>(memory.data(offsetof<Reader>(), 4));

/** An entry: copies of its key and value, and its deadline, Unix ms, 0: none. */
export class Entry<K, V> {
  constructor(
    public key: K,
    public value: V,
    public deadline: i64,
  ) {}
}

/** What `scan` gives: some keys, and the cursor to go on with, "0" at the end. */
export class Page<K> {
  constructor(
    public keys: K[],
    public cursor: string,
  ) {}
}

/** What all tables have: entries, each with a key, a value, and maybe a deadline. */
export abstract class Entries<K, V> {
  constructor(
    /** Where the entries are. */
    public view: View,
  ) {}

  /** The value of a key, or `fallback` where there is none. */
  get(key: K, fallback: V): V {
    const mark = top;
    const isThere = this.look(key);
    if (!isReference<V>()) rewind(mark);
    return isThere ? this.valueAt(seen.value, seen.length) : fallback;
  }

  /** The value of a key, null where there is none. */
  find(key: K): V | null {
    return this.look(key) ? this.valueAt(seen.value, seen.length) : null;
  }

  /** Whether there is an entry with this key. */
  has(key: K): bool {
    return this.look(key);
  }

  /** Stores a value. `deadline`: Unix ms, 0: none, KEEP: as it was. */
  set(key: K, value: V, deadline: i64 = 0): void {
    if (isDefined(KIT_CHECK) && isReference<V>()) noteSet(changetype<usize>(value));
    this.writeKey(key);
    const from = keyWriter.start;
    const length = keyWriter.length;
    this.writeValue(value);
    this.view.put(from, length, valueWriter.start, valueWriter.length, deadline);
  }

  /** Deletes an entry; whether it was there. */
  delete(key: K): bool {
    this.writeKey(key);
    return this.view.delete(keyWriter.start, keyWriter.length);
  }

  /** Adds to a number, 0 where there is none; the sum. The deadline stays. */
  add(key: K, n: V): V {
    const before = this.get(key, <V>0);
    const sum = <V>(before + n);
    if (isFloat<V>()) {
      if (!isFinite(sum)) failSum(changetype<usize>("ERR increment would produce NaN or Infinity"));
    } else if (isSigned<V>() ? (n < 0 ? sum > before : sum < before) : sum < before) {
      failSum(changetype<usize>("ERR increment or decrement would overflow"));
    }
    this.set(key, sum, KEEP);
    return sum;
  }

  /** How many entries there are; those that have expired may count until they are reclaimed. */
  get size(): i32 {
    this.view.requireReach();
    const view = this.view;
    if (view.isOrdered) return <i32>rankOf(view, endOf(view), view.prefixLength);
    return sizeChange(view.table) + (view.hidesStored() ? 0 : <i32>hashTable(view.table).count);
  }

  /** Deletes all entries; not those that are `in` a key. */
  clear(): void {
    this.view.clear();
  }

  /** All keys: of a SortedTable, and of what is `in` a key, in their order. */
  keys(): K[] {
    this.view.requireReach();
    const keys: K[] = [];
    const view = this.view;
    if (view.isOrdered) {
      walkFrom(view, view.prefix, view.prefixLength);
      while (step()) keys.push(this.keyAt(place.key, place.keyLength));
    } else {
      let cursor: u64 = 0;
      do {
        cursor = scanHash(view, cursor, 1);
        while (seeHash()) keys.push(this.keyAt(place.key, place.keyLength));
      } while (cursor);
    }
    return keys;
  }

  /** Some keys, as SCAN gives them: from cursor "0" on, about `count` at a time, at least one. */
  scan(cursor: string = "0", count: i32 = 10): Page<K> {
    this.view.requireReach();
    count = max(count, 1);
    const keys: K[] = [];
    const view = this.view;
    const start = bytesOf(cursor);
    if (!view.isOrdered) {
      let at = cursorOf(pointerOf(start), lengthOf(start));
      do {
        at = scanHash(view, at, count - keys.length);
        while (seeHash()) keys.push(this.keyAt(place.key, place.keyLength));
      } while (at && keys.length < count);
      return new Page<K>(keys, at.toString());
    }
    if (isBehind(pointerOf(start), lengthOf(start))) {
      walkFrom(view, this.keyAfter(pointerOf(start), lengthOf(start)), view.prefixLength + (lengthOf(start) >> 1) + 1);
    } else {
      if (cursorOf(pointerOf(start), lengthOf(start))) failCursor();
      walkFrom(view, view.prefix, view.prefixLength);
    }
    while (keys.length < count) {
      if (!step()) return new Page<K>(keys, "0");
      keys.push(this.keyAt(place.key, place.keyLength));
    }
    const own = view.prefixLength;
    return new Page<K>(keys, cursorBehind(place.key + <usize>own, place.keyLength - own));
  }

  /** The bytes right behind the key that a cursor names: the stored key and a 0. */
  private keyAfter(cursor: usize, length: u32): usize {
    const view = this.view;
    const key = take(view.prefixLength + (length >> 1) + 1);
    memory.copy(key, view.prefix, view.prefixLength);
    readCursor(cursor, length, key + <usize>view.prefixLength);
    store<u8>(key + <usize>(view.prefixLength + (length >> 1)), 0);
    return key;
  }

  // ── Below ────────────────────────────────────────────────────────────────────────────────────────────────

  /** Writes the stored key into keyWriter. */
  writeKey(key: K): void {
    const view = this.view;
    keyWriter.begin();
    keyWriter.bytes(view.prefix, view.prefixLength);
    writeKey<K>(keyWriter, key, isSorted(view.table));
    keyWriter.finish();
  }

  deadlineOf(key: K): i64 {
    return this.look(key) ? seen.deadline : -1;
  }

  look(key: K): bool {
    this.writeKey(key);
    requireReach(keyWriter.start, keyWriter.length);
    return this.view.find(keyWriter.start, keyWriter.length);
  }

  /** Writes the number of a schema, and the value, into valueWriter. */
  private writeValue(value: V): void {
    const number = this.view.table;
    valueWriter.begin();
    valueWriter.byte(number);
    write<V>(valueWriter, value);
    valueWriter.finish();
    if (isReference<V>() && !isString<V>() && !isArray<V>() && idof<V>() != idof<Uint8Array>()) {
      const unknown = value.kitUnknown;
      if (unknown !== null) {
        valueWriter.bytes(unknown.values, unknown.valuesLength);
        store<u8>(valueWriter.start, schemaWith(schemaAt(number), unknown));
      }
    }
  }

  /** The value of these bytes, the first of which is the number of its schema. */
  valueAt(value: usize, length: u32): V {
    const number = <u32>load<u8>(value);
    reader.begin(value + 1, length - 1);
    if (isReference<V>() && !isString<V>() && !isArray<V>() && idof<V>() != idof<Uint8Array>()) {
      const schema = schemaAt(number);
      if (!schema.isCurrent) return readEvolved<V>(reader, schema, schemaAt(this.view.table));
    }
    const made = read<V>(reader);
    if (isDefined(KIT_CHECK) && isReference<V>()) {
      if (!isString<V>()) noteRead(changetype<usize>(made), writerOf<V>(), value + 1, length - 1, this.view.table);
    }
    return made;
  }

  /** The key of a stored one. */
  keyAt(key: usize, length: u32): K {
    const own = this.view.prefixLength;
    reader.begin(key + <usize>own, length - own);
    return readKey<K>(reader, isSorted(this.view.table));
  }

  /** The entry that a walk has come to. */
  entryHere(): Entry<K, V> {
    const key = this.keyAt(place.key, place.keyLength);
    return new Entry<K, V>(key, this.valueAt(place.value, place.valueLength), place.deadline);
  }
}

/** The index in the table of functions of what writes an object once more. */
function writerOf<V>(): i32 {
  const writer = (object: usize, out: usize): void => write<V>(changetype<Writer>(out), changetype<V>(object));
  return writer.index;
}

/** Ends the start of a module whose table could not be found again, or not be read, in its own files. */
function checkDeclared(name: string, text: u64): void {
  if (tableCount() == TABLES_MAX) throw new Error("a module has 64 tables at most");
  if (lengthOf(text) > TEXT_MAX) throw new Error("table " + name + ": the names and types of its fields have more than 8192 characters");
  if (!isSchema(pointerOf(text), lengthOf(text)))
    throw new Error("table " + name + ": its name is none, or its classes are nested over 32 deep");
  if (isTaken()) throw new Error("table " + name + ": there are two of this name");
}

/** Declares a table while the module starts; the view of its entries that are in no key. */
export function declare<K, V>(name: string, sorted: bool): View {
  const text = bytesOf((sorted ? "sorted " : "table ") + name + " " + typeName<K>() + " " + typeName<V>());
  checkDeclared(name, text);
  const number = declareTable(sorted, pointerOf(text), lengthOf(text));
  const view = changetype<View>(take(offsetof<View>()));
  view.prefix = take(2);
  view.prefixLength = 2;
  store<u8>(view.prefix, number);
  store<u8>(view.prefix, 0, 1);
  view.table = number;
  view.isIn = false;
  return view;
}

/** The view of a table's entries that are in this key, a string or Bytes. */
export function viewIn<I>(table: u32, key: I): View {
  const view = changetype<View>(take(offsetof<View>()));
  let bytes: u64 = 0;
  if (isString<I>()) bytes = bytesOf(changetype<string>(key));
  else bytes = pack(changetype<Uint8Array>(key).dataStart, changetype<Uint8Array>(key).length);
  keyWriter.begin();
  keyWriter.byte(table);
  keyWriter.number(lengthOf(bytes) + 1);
  keyWriter.bytes(pointerOf(bytes), lengthOf(bytes));
  keyWriter.finish();
  view.prefix = keyWriter.start;
  view.prefixLength = keyWriter.length;
  view.table = table;
  view.isIn = true;
  return view;
}

/** A table of the module: what is in it lasts. Declared once, at module level. */
export class Table<K, V> extends Entries<K, V> {
  /** `name`: what files and replicas know it by. */
  constructor(name: string) {
    super(declare<K, V>(name, false));
  }

  /** Sets the deadline of an entry, Unix ms, 0: none; whether the entry is there. */
  expireAt(key: K, deadline: i64): bool {
    this.writeKey(key);
    return this.view.expireAt(keyWriter.start, keyWriter.length, deadline);
  }

  /** The deadline of an entry, Unix ms, 0: none; -1: there is no such entry. */
  deadline(key: K): i64 {
    return this.deadlineOf(key);
  }

  /** The entries that belong to a key, as a table of its own. */
  in<I>(key: I): SubTable<K, V> {
    return new SubTable<K, V>(viewIn<I>(this.view.table, key));
  }
}

/** The entries of a Table that belong to one key. */
export class SubTable<K, V> extends Entries<K, V> {
  /** Sets the deadline of all of them, Unix ms, 0: none, until there are none; whether there are any. */
  expireAt(deadline: i64): bool {
    return expireAll(this.view, deadline);
  }

  /** The deadline of all of them, Unix ms, 0: none. */
  get deadline(): i64 {
    return this.view.headDeadline();
  }
}

function failSum(text: usize): void {
  line(text);
  failLine();
}
