/**
 * The sessions in RDB files, version 1: records are sessions; each is an item (persistence/blocks.ts) for itself and one for each field.
 *
 *     session    a = | id 16 bytes | created i64 | accessed i64 | number of fields u32 |      b = user key
 *     field      a = name                                                                     b = value
 */
import { keyOf } from "../storage/entry";
import {
  beginLoad,
  beginSave,
  endLoad,
  endSave,
  itemA,
  itemALength,
  itemB,
  itemBLength,
  nextItem,
  refuse,
  saveItem,
} from "../persistence/blocks";
import {
  beginFields,
  commitPut,
  countFields,
  fieldName,
  fieldNameLength,
  fieldValue,
  fieldValueLength,
  getField,
  nextField,
  preparePut,
} from "./fields";
import {
  accessedOf,
  createdOf,
  fieldsOf,
  findRecord,
  insertRecord,
  prepareRecord,
  prepareTable,
  setFields,
  table,
  userLengthOf,
  userOf,
} from "./records";
import { isTime } from "./time";
import { ID_SIZE, isId } from "./uuid";

// prettier-ignore
@inline export const VERSION: i32 = 1;


@inline const CREATED: usize = 16;


@inline const ACCESSED: usize = 24;


@inline const FIELDS: usize = 32;


@inline const HEAD_SIZE: u32 = 36;

const head: usize = memory.data(36, 8);

/** What touching records before their use has read. */
let touched: u32 = 0;

/** Writes all sessions. Allocates nothing. O(bytes). */
export function saveSessions(): void {
  beginSave(table.count);
  let cursor: u64 = 0;
  do {
    table.seek(cursor);
    touched += table.touch();
    for (let record = table.next(); record; record = table.next()) saveSession(record);
    cursor = table.cursor;
  } while (cursor);
  endSave();
}

function saveSession(record: usize): void {
  const fields = fieldsOf(record);
  memory.copy(head, keyOf(record), ID_SIZE);
  store<i64>(head, createdOf(record), CREATED);
  store<i64>(head, accessedOf(record), ACCESSED);
  store<u32>(head, countFields(fields), FIELDS);
  saveItem(head, HEAD_SIZE, userOf(record), userLengthOf(record));
  beginFields(fields);
  while (nextField()) saveItem(fieldName, fieldNameLength, fieldValue, fieldValueLength);
}

/** Reads all sessions into the empty table; false when the data is not sound, the cause is logged. O(bytes). */
export function loadSessions(version: i32): bool {
  if (!prepareTable()) return refuseMemory();
  const count = beginLoad();
  if (count < 0) return false;
  if (version != VERSION) return refuse(changetype<usize>("it was written by another version of this module"));
  for (let index: i64 = 0; index < count; index++) {
    if (!nextItem()) return false;
    const record = loadSession();
    if (!record || !loadFields(record, load<u32>(head, FIELDS))) return false;
  }
  return endLoad();
}

/** The record that the item describes, inserted; its head is kept at `head`. 0: refused. */
function loadSession(): usize {
  if (itemALength != HEAD_SIZE) return refuseSession(changetype<usize>("a session's item is of a wrong length"));
  memory.copy(head, itemA, HEAD_SIZE);
  if (!isId(head)) return refuseSession(changetype<usize>("an id is no UUID of version 4"));
  if (findRecord(head)) return refuseSession(changetype<usize>("a session is there twice"));
  const created = load<i64>(head, CREATED);
  const accessed = load<i64>(head, ACCESSED);
  if (!isTime(created) || !isTime(accessed)) return refuseSession(changetype<usize>("a time is out of range"));
  const record = prepareRecord(head, itemB, itemBLength, created, accessed);
  if (record) insertRecord();
  else refuseMemory();
  return record;
}

function loadFields(record: usize, count: u32): bool {
  for (let index: u32 = 0; index < count; index++) {
    if (!nextItem()) return false;
    const fields = fieldsOf(record);
    if (getField(fields, itemA, itemALength)) return refuse(changetype<usize>("a field is there twice"));
    if (!preparePut(fields, itemA, itemALength, itemB, itemBLength)) return refuseMemory();
    setFields(record, commitPut());
  }
  return true;
}

function refuseSession(reason: usize): usize {
  refuse(reason);
  return 0;
}

function refuseMemory(): bool {
  return refuse(changetype<usize>("the module's memory is full (wasm.max-memory)"));
}
