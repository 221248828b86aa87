/**
 * The tables in RDB files, format 1.
 *
 *     unsigned      number of schemas
 *     string        | number u8 | table u8 | text |, one for each
 *     records       entries without a deadline    a = key                              b = value
 *     records       entries with one              a = | deadline i64, Unix ms | key |  b = value
 *     records       heads                         a = | deadline i64, Unix ms | key |  b = nothing
 *
 * Records as in base/persistence.ts, keys and values as tables.ts has them: their first bytes are the numbers
 * that table and schema have in this file. Loading judges no deadline by the clock.
 */
import { deadlineOf, destroy, keyLength, keyOf, valueLength, valueOf } from "../../base/storage/entry";
import { Cursor } from "../../base/storage/tree/cursor";
import { beginLoad, beginSave, endLoad, endSave, item, nextItem, refuse, refuseMemory, saveItem } from "../../base/persistence";
import { lengthOf, pointerOf } from "../../base/frame";
import { redis } from "../../base/redis";
import { appendText, line, logNotice, appendNumber, logWarning } from "../../base/text";
import { Table } from "../../base/storage/table/table";
import { adopt } from "./adopt";
import { areTold, isKey, isValue, NONE, noteTold, partAt, schemaAt, schemaLimit, splitSchema, TEXT_MAX } from "./schemas";
import {
  ENTRY,
  findStored,
  hashOf,
  hashTable,
  hasUnder,
  HEAD,
  heads,
  insert,
  insertHead,
  isSorted,
  make,
  prepare,
  soundPrefix,
  startWheel,
  storedCount,
  tableCount,
  tree,
  wheel,
} from "./tables";

/** The one format, which is also the version of the sequences of records. */
const FORMAT: i32 = 1;
/** Bytes of a deadline, which an entry keeps right before its key. */
const DEADLINE_BYTES: u32 = 8;
/** Bytes before a schema's text. */
const NUMBERS: u32 = 2;

const UNTIMED: u32 = 0;
const TIMED: u32 = 1;
const HEADS: u32 = 2;

const text: usize = memory.data(8194);
/** What number a schema, and a table, of the file has here. */
const schemaHere: usize = memory.data(256);
const tableHere: usize = memory.data(256);
const parts: usize = memory.data(32, 4);
const cursor: Cursor = changetype<Cursor>(memory.data(offsetof<Cursor>(), 8));

/** Whether there is nothing to be saved. */
export function isNothing(): bool {
  return !storedCount() && !areTold;
}

/** Writes everything. Allocates nothing. O(bytes). */
export function saveTables(): void {
  let count = 0;
  for (let number: u32 = 0; number < schemaLimit(); number++) count += i32(changetype<usize>(schemaAt(number)) != 0);
  redis.SaveUnsigned(count);
  for (let number: u32 = 0; number < schemaLimit(); number++) {
    const schema = schemaAt(number);
    if (!changetype<usize>(schema)) continue;
    store<u8>(text, number);
    store<u8>(text, schema.table, 1);
    memory.copy(text + NUMBERS, schema.text, schema.length);
    redis.SaveStringBuffer(text, NUMBERS + schema.length);
  }
  const all = storedCount();
  const timed = all ? wheel.count - heads.count : 0;
  saveSequence(all ? all - timed - heads.count : 0, UNTIMED);
  saveSequence(timed, TIMED);
  saveSequence(all ? heads.count : 0, HEADS);
}

function saveSequence(count: u64, kind: u32): void {
  beginSave(count);
  if (count) {
    if (kind == HEADS) {
      saveTable(heads, kind);
    } else {
      for (let table: u32 = 0; table < tableCount(); table++) saveTable(hashTable(table), kind);
      cursor.seek(tree, text, 0);
      for (let entry = cursor.next(); entry; entry = cursor.next()) saveEntry(entry, kind);
    }
  }
  endSave();
}

function saveTable(table: Table, kind: u32): void {
  if (!table.count) return;
  for (let entry = table.firstOfAll(); entry; entry = table.nextOfAll()) saveEntry(entry, kind);
}

function saveEntry(entry: usize, kind: u32): void {
  const timed = deadlineOf(entry) != 0;
  if (timed != (kind != UNTIMED)) return;
  const before: u32 = timed ? DEADLINE_BYTES : 0;
  saveItem(keyOf(entry) - <usize>before, keyLength(entry) + before, valueOf(entry), valueLength(entry));
}

/** Reads everything into empty tables; false when the data is not sound, the cause is logged. O(bytes). */
export function loadTables(version: i32): bool {
  if (version != FORMAT) return refuse(changetype<usize>("it was written by another version of the kit"));
  if (!prepare()) return refuseMemory();
  startWheel();
  return loadSchemas() && loadSequence(UNTIMED) && loadSequence(TIMED) && loadSequence(HEADS);
}

function loadSchemas(): bool {
  memory.fill(schemaHere, <u8>NONE, 256);
  memory.fill(tableHere, <u8>NONE, 256);
  const count = redis.LoadUnsigned();
  if (count > 255) return refuse(changetype<usize>("there are too many schemas"));
  if (count) noteTold();
  for (let index: u64 = 0; index < count; index++) {
    const string = redis.LoadStringBuffer();
    const length = lengthOf(string);
    if (!string || length <= NUMBERS || length > TEXT_MAX + NUMBERS) return refuse(changetype<usize>("a schema is cut short"));
    memory.copy(text, pointerOf(string), length);
    const number = adopt(text + NUMBERS, length - NUMBERS);
    if (number == NONE) {
      logWarning();
      return false;
    }
    const table = <u8>schemaAt(number).table;
    const place = tableHere + <usize>load<u8>(text, 1);
    if (load<u8>(place) != <u8>NONE && load<u8>(place) != table) return refuse(changetype<usize>("two tables have the same number"));
    store<u8>(place, table);
    store<u8>(schemaHere + <usize>load<u8>(text), number);
  }
  return true;
}

function loadSequence(kind: u32): bool {
  const count = beginLoad(FORMAT, FORMAT, kind == UNTIMED ? 0 : DEADLINE_BYTES);
  if (count < 0) return false;
  for (let index: i64 = 0; index < count; index++) {
    if (!nextItem() || !loadRecord(kind)) return false;
  }
  return endLoad();
}

function loadRecord(kind: u32): bool {
  const before: u32 = kind == UNTIMED ? 0 : DEADLINE_BYTES;
  if (item.aLength < before + 2) return refuse(changetype<usize>("a key is cut short"));
  const deadline = before ? load<i64>(item.a) : 0;
  if (before && deadline <= 0) return refuse(changetype<usize>("a deadline is out of range"));
  const key = item.a + <usize>before;
  const length = item.aLength - before;
  const table = load<u8>(tableHere + <usize>load<u8>(key));
  if (table == <u8>NONE) return refuse(changetype<usize>("an entry is of no table"));
  const own = soundPrefix(key, length);
  if (!own) return refuse(changetype<usize>("a key is cut short"));
  // The item lies in memory that the host owns: its number is changed there, for the search.
  store<u8>(key, table);
  return kind == HEADS ? loadHead(key, length, own, deadline) : loadEntry(key, length, own, deadline);
}

function loadHead(key: usize, length: u32, own: u32, deadline: i64): bool {
  if (own != length || !load<u8>(key, 1) || item.bLength) return refuse(changetype<usize>("a head is none"));
  const hash = hashOf(key, length);
  if (heads.count && heads.lookup(key, length, hash)) return refuse(changetype<usize>("a head is there twice"));
  // It has nothing to hold for.
  if (!hasUnder(key, length)) return true;
  const head = make(key, length, 0, 0, deadline, HEAD);
  if (head && insertHead(head, hash)) return true;
  if (head) destroy(head);
  return refuseMemory();
}

function loadEntry(key: usize, length: u32, own: u32, deadline: i64): bool {
  if (!item.bLength) return refuse(changetype<usize>("a value is cut short"));
  const number = <u32>load<u8>(schemaHere + <usize>load<u8>(item.b));
  if (number == NONE) return refuse(changetype<usize>("a value is of no schema"));
  const schema = schemaAt(number);
  if (schema.table != <u32>load<u8>(key)) return refuse(changetype<usize>("a value is of another table"));
  splitSchema(schema.text, schema.length, parts);
  const type = partAt(parts, 2);
  if (!isKey(type.at, type.length, isSorted(schema.table), key + <usize>own, length - own))
    return refuse(changetype<usize>("a key is of another type"));
  if (!isValue(schema.value, schema.valueLength, item.b + 1, item.bLength - 1))
    return refuse(changetype<usize>("a value is of another type"));
  const hash = hashOf(key, length);
  if (findStored(key, length, hash)) return refuse(changetype<usize>("a key is there twice"));
  store<u8>(item.b, number);
  const entry = make(key, length, item.b, item.bLength, deadline, ENTRY);
  if (entry && insert(entry, hash)) return true;
  if (entry) destroy(entry);
  return refuseMemory();
}

/** Tells the log how many entries there are after a load. */
export function tellTables(): void {
  line(changetype<usize>(""));
  appendNumber(storedCount());
  appendText(changetype<usize>(" entries loaded"));
  logNotice();
}
