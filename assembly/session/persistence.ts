/**
 * The sessions in RDB files, version 3: records are sessions, those of a user together, from the oldest to the newest. Each is an item
 * (persistence/blocks.ts) for itself, one for each field and one for each old id. A user's key is there once, with the first session.
 *
 *     first session of a user
 *                a = | created i64 | accessed i64 | expires i64 | idle u32 | version u32 | fields u32 | old ids u32 | sessions u32 | id … |
 *                                                                                                                b = user key
 *     another    a = the same, with 0 sessions                                                                   b = none
 *     field      a = name                                                                                        b = value
 *     old id     a = | until i64 | id … |                                                                        b = none
 *
 *     id         its key (ids.ts); expires, idle: 0 for none; times in Unix ms, idle in seconds; sessions: how many the user has
 *
 * Version 2 had no number of sessions, and the user's key with each session. Version 1 had a = | id 16 bytes | created i64 | accessed i64 |
 * fields u32 |, and no old ids.
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
} from "../base/persistence/blocks";
import { beginChange, endChange } from "../base/change";
import { copy } from "../base/storage/bytes";
import { appendNumber, appendText, line, logNotice } from "../base/text";
import { insertOldId } from "./store/records";
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
} from "./store/fields";
import { isKey } from "./ids/ids";
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
} from "./store/records";
import { isTime } from "./texts/time";
import { countOf, findUser, newestOf, userKey, userKeyLength, users } from "./store/users";
import { ID_SIZE, isId } from "./ids/uuid";

export const VERSION: i32 = 3;
const ACCESSED: usize = 8;
const EXPIRES: usize = 16;
const IDLE: usize = 24;
const DATA_VERSION: usize = 28;
const FIELDS: usize = 32;
const OLD_IDS: usize = 36;
const SESSIONS: usize = 40;
const HEAD_SIZE: u32 = 44;
const OLD_ID_HEAD_SIZE: u32 = 8;
/** Versions 1 and 2. */
const HEAD_SIZE_1: u32 = 36;
const HEAD_SIZE_2: u32 = 40;

/** A session's item, or an old id's: the head and a key. */
const head: usize = memory.data(176, 8);
/** Its key, and the length of that. */
const KEY: usize = head + 44;
let keyLength: u32 = 0;

/** The key of the user whose sessions are being loaded. */
let user: usize = 0;
let userLength: u32 = 0;
/** How many of them are still to come. */
let userLeft: u32 = 0;

/** What touching users before their use has read. */
let touched: u32 = 0;

/** Writes all sessions. Allocates nothing. O(bytes). */
export function saveSessions(): void {
  beginSave(countSessions());
  let cursor: u64 = 0;
  do {
    users.seek(cursor);
    touched += users.touch();
    for (let owner = users.next(); owner; owner = users.next()) {
      let session = newerOf(newestOf(owner));
      const count = countOf(owner);
      for (let index: u32 = 0; index < count; index++) {
        saveSession(session, index ? 0 : count);
        session = newerOf(session);
      }
    }
    cursor = users.cursor;
  } while (cursor);
  endSave();
}

/** @param count how many sessions its user has, if it is the first of them, else 0 */
function saveSession(record: usize, count: u32): void {
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
  store<u32>(head, count, SESSIONS);
  copy(KEY, idOf(record), idLengthOf(record));
  const owner = ownerOf(record);
  saveItem(head, HEAD_SIZE + idLengthOf(record), userKey(owner), count ? userKeyLength(owner) : 0);
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
  let record: usize = 0;
  userLeft = 0;
  for (let index: i64 = 0; index < count; index++) {
    if (!nextItem() || !(version == 1 ? readHead1() : readHead(version == 2 ? HEAD_SIZE_2 : HEAD_SIZE))) return false;
    if (version == VERSION && !readUser(record, <u64>(count - index))) return false;
    record = loadSession();
    if (!record || !loadFields(record, load<u32>(head, FIELDS)) || !loadOldIds(record, load<u32>(head, OLD_IDS))) return false;
  }
  return endLoad();
}

/** Takes the item's head, of this size, and key, and its user key. */
function readHead(size: u32): bool {
  if (itemALength <= size || itemALength > size + 129) return refuseItem();
  keyLength = itemALength - size;
  memory.copy(head, itemA, size);
  memory.copy(KEY, itemA + size, keyLength);
  user = itemB;
  userLength = itemBLength;
  return true;
}

/**
 * Finds the user of the session whose head was read, of version 3.
 * @param before the session before it
 * @param left how many sessions are still to come, this one included
 */
function readUser(before: usize, left: u64): bool {
  const count = load<u32>(head, SESSIONS);
  if (!userLeft) {
    if (!count || count > left) return refuse(changetype<usize>("a user's number of sessions is out of range"));
    if (findUser(user, userLength)) return refuse(changetype<usize>("a user is there twice"));
    userLeft = count - 1;
    return true;
  }
  if (count || userLength) return refuse(changetype<usize>("a user begins before the sessions of another end"));
  const owner = ownerOf(before);
  user = userKey(owner);
  userLength = userKeyLength(owner);
  userLeft--;
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
  user = itemB;
  userLength = itemBLength;
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
  const record = prepareRecord(KEY, keyLength, user, userLength, <bool>(idle || expires));
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

/** Tells the log how many sessions there are after a load. */
export function tellSessions(): void {
  line(changetype<usize>(""));
  appendNumber(countSessions());
  appendText(changetype<usize>(" sessions of "));
  appendNumber(users.count);
  appendText(changetype<usize>(" users loaded"));
  logNotice();
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
