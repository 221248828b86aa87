/**
 * The sessions in RDB files, version 2: records are sessions, those of a user from the oldest to the newest; each is an item
 * (persistence/blocks.ts) for itself, one for each field and one for each old id.
 *
 *     session    a = | created i64 | accessed i64 | expires i64 | idle u32 | version u32 | fields u32 | old ids u32 | id … |      b = user key
 *     field      a = name                                                                                            b = value
 *     old id     a = | until i64 | id … |                                                                            b = none
 *
 *     id         its key (ids.ts); expires, idle: 0 for none; times in Unix ms, idle in seconds
 *
 * Version 1 had a = | id 16 bytes | created i64 | accessed i64 | fields u32 |, and no old ids.
 */
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
import { beginChange, endChange } from "../change";
import { copy } from "../storage/bytes";
import { insertOldId } from "./records";
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
import { isKey } from "./ids";
import {
  accessedOf,
  countSessions,
  createdOf,
  expiresOf,
  fieldsOf,
  findRecord,
  idLengthOf,
  idleOf,
  idOf,
  insertRecord,
  newerOf,
  nextOldId,
  oldIdsOf,
  ownerOf,
  prepareRecord,
  prepareTable,
  setFields,
  setLimits,
  setTimes,
  setVersion,
  untilOf,
  versionOf,
} from "./records";
import { isTime } from "./time";
import { countOf, newestOf, userKey, userKeyLength, users } from "./users";
import { ID_SIZE, isId } from "./uuid";

// prettier-ignore
@inline export const VERSION: i32 = 2;


@inline const ACCESSED: usize = 8;


@inline const EXPIRES: usize = 16;


@inline const IDLE: usize = 24;


@inline const DATA_VERSION: usize = 28;


@inline const FIELDS: usize = 32;


@inline const OLD_IDS: usize = 36;


@inline const HEAD_SIZE: u32 = 40;


@inline const OLD_ID_HEAD_SIZE: u32 = 8;
/** Version 1. */
@inline const HEAD_SIZE_1: u32 = 36;

/** A session's item, or an old id's: the head and a key. */
const head: usize = memory.data(176, 8);
/** Its key, and the length of that. */
const KEY: usize = head + HEAD_SIZE;
let keyLength: u32 = 0;

/** What touching users before their use has read. */
let touched: u32 = 0;

/** Writes all sessions. Allocates nothing. O(bytes). */
export function saveSessions(): void {
  beginSave(countSessions());
  let cursor: u64 = 0;
  do {
    users.seek(cursor);
    touched += users.touch();
    for (let user = users.next(); user; user = users.next()) {
      let session = newerOf(newestOf(user));
      for (let left = countOf(user); left; left--) {
        saveSession(session);
        session = newerOf(session);
      }
    }
    cursor = users.cursor;
  } while (cursor);
  endSave();
}

function saveSession(record: usize): void {
  const fields = fieldsOf(record);
  let olds: u32 = 0;
  for (let old = oldIdsOf(record); old; old = nextOldId(old)) olds++;
  store<i64>(head, createdOf(record));
  store<i64>(head, accessedOf(record), ACCESSED);
  store<i64>(head, expiresOf(record), EXPIRES);
  store<u32>(head, idleOf(record), IDLE);
  store<u32>(head, versionOf(record), DATA_VERSION);
  store<u32>(head, countFields(fields), FIELDS);
  store<u32>(head, olds, OLD_IDS);
  copy(KEY, idOf(record), idLengthOf(record));
  const user = ownerOf(record);
  saveItem(head, HEAD_SIZE + idLengthOf(record), userKey(user), userKeyLength(user));
  beginFields(fields);
  while (nextField()) saveItem(fieldName, fieldNameLength, fieldValue, fieldValueLength);
  for (let old = oldIdsOf(record); old; old = nextOldId(old)) {
    store<i64>(head, untilOf(old));
    copy(head + OLD_ID_HEAD_SIZE, idOf(old), idLengthOf(old));
    saveItem(head, OLD_ID_HEAD_SIZE + idLengthOf(old), head, 0);
  }
}

/** Reads all sessions into the empty table; false when the data is not sound, the cause is logged. O(bytes). */
export function loadSessions(version: i32): bool {
  if (!prepareTable()) return refuseMemory();
  const count = beginLoad();
  if (count < 0) return false;
  if (version < 1 || version > VERSION) return refuse(changetype<usize>("it was written by another version of this module"));
  for (let index: i64 = 0; index < count; index++) {
    if (!nextItem() || !(version == 1 ? readHead1() : readHead())) return false;
    const record = loadSession();
    if (!record || !loadFields(record, load<u32>(head, FIELDS)) || !loadOldIds(record, load<u32>(head, OLD_IDS))) return false;
  }
  return endLoad();
}

/** Takes the item's head and key. */
function readHead(): bool {
  if (itemALength <= HEAD_SIZE || itemALength > HEAD_SIZE + 129) return refuseItem();
  memory.copy(head, itemA, itemALength);
  keyLength = itemALength - HEAD_SIZE;
  return true;
}

/** As readHead, of version 1. */
function readHead1(): bool {
  if (itemALength != HEAD_SIZE_1) return refuseItem();
  memory.fill(head, 0, HEAD_SIZE);
  memory.copy(head, itemA + ID_SIZE, 16);
  store<u32>(head, load<u32>(itemA, 32), FIELDS);
  memory.copy(KEY, itemA, ID_SIZE);
  keyLength = ID_SIZE;
  return true;
}

/** The record that the head describes, inserted; 0: refused. */
function loadSession(): usize {
  if (!isSoundKey(KEY, keyLength)) return refuseSession(changetype<usize>("an id is not well-formed"));
  if (findRecord(KEY, keyLength)) return refuseSession(changetype<usize>("a session is there twice"));
  const created = load<i64>(head);
  const accessed = load<i64>(head, ACCESSED);
  const expires = load<i64>(head, EXPIRES);
  const idle = load<u32>(head, IDLE);
  if (!isTime(created) || !isTime(accessed) || !isTime(expires)) return refuseSession(changetype<usize>("a time is out of range"));
  const record = prepareRecord(KEY, keyLength, itemB, itemBLength, <bool>(idle || expires));
  if (!record) {
    refuseMemory();
    return 0;
  }
  setTimes(record, created, accessed);
  if (idle || expires) setLimits(record, idle, expires);
  setVersion(record, load<u32>(head, DATA_VERSION));
  beginChange();
  insertRecord(false);
  endChange();
  return record;
}

function loadFields(record: usize, count: u32): bool {
  for (let index: u32 = 0; index < count; index++) {
    if (!nextItem()) return false;
    const fields = fieldsOf(record);
    if (getField(fields, itemA, itemALength)) return refuse(changetype<usize>("a field is there twice"));
    beginChange();
    const prepared = preparePut(fields, itemA, itemALength, itemB, itemBLength);
    if (prepared) setFields(record, commitPut());
    endChange();
    if (!prepared) return refuseMemory();
  }
  return true;
}

/** Those of a session are saved from the newest on, and each that is inserted becomes the first: so they are met in the other order, which tells nothing. */
function loadOldIds(record: usize, count: u32): bool {
  for (let index: u32 = 0; index < count; index++) {
    if (!nextItem()) return false;
    if (itemALength <= OLD_ID_HEAD_SIZE) return refuseItem();
    const id = itemA + OLD_ID_HEAD_SIZE;
    const length = itemALength - OLD_ID_HEAD_SIZE;
    const until = load<i64>(itemA);
    if (!isSoundKey(id, length)) return refuse(changetype<usize>("an id is not well-formed"));
    if (findRecord(id, length)) return refuse(changetype<usize>("a session is there twice"));
    if (!isTime(until)) return refuse(changetype<usize>("a time is out of range"));
    if (!insertOldId(record, id, length, until)) return refuseMemory();
  }
  return true;
}

function isSoundKey(key: usize, length: u32): bool {
  return length == ID_SIZE ? isId(key) : isKey(key, length);
}

function refuseItem(): bool {
  return refuse(changetype<usize>("a session's item is of a wrong length"));
}

function refuseSession(reason: usize): usize {
  refuse(reason);
  return 0;
}

function refuseMemory(): bool {
  return refuse(changetype<usize>("the module's memory is full (wasm.max-memory)"));
}
