/**
 * The sessions in RDB files, version 3: records are sessions, those of a user together, from the oldest to
 * the newest. Each is an item (base/persistence.ts) for itself, one for each field and one for each old id. A
 * user's key is there once, with the first session.
 *
 *     first session of a user    a = | head (44 bytes, as the class Head) | id … |    b = user key
 *     another                    a = the same, with 0 sessions                        b = none
 *     field                      a = name                                             b = value
 *     old id                     a = | until i64 | id … |                             b = none
 *
 *     id         its key (ids.ts)
 *     head       created, accessed, expires i64 in Unix ms; idle u32 in seconds; version u32; how many
 *                fields, old ids, and sessions of its user, u32; expires, idle: 0 for none
 *
 * Version 2 had no number of sessions, and the user's key with each session. Version 1 had a = | id 16 bytes
 * | created i64 | accessed i64 | fields u32 |, and no old ids.
 */
import { beginLoad, beginSave, endLoad, endSave, item, nextItem, refuse, refuseMemory, saveItem } from "../base/persistence";
import { beginChange, endChange } from "../base/change";
import { copy } from "../base/storage/bytes";
import { keyLength, keyOf } from "../base/storage/entry";
import { appendNumber, appendText, line, logNotice } from "../base/text";
import { isKey } from "./ids/ids";
import { ID_SIZE } from "./ids/uuid";
import { countFields, getField, walk } from "./store/fields/fields";
import { commitPut, preparePut } from "./store/fields/puts";
import { asOldId, asSession, expiresOf, idleOf, setLimits, setTimes } from "./store/record";
import { countSessions, insertOldId, insertRecord, prepareRecord } from "./store/records";
import { findRecord, prepareTable } from "./store/table";
import { asUser, findUser, users } from "./store/users";
import { isTime } from "./texts/time";

export const VERSION: i32 = 3;
/** Bytes of the longest key of an id. */
const KEY_MAX: u32 = 129;

/** What stands before the key in a session's item: 44 bytes, of which version 2 had the first 40. */
@unmanaged
class Head {
  created: i64;
  accessed: i64;
  expires: i64;
  idle: u32;
  version: u32;
  fields: u32;
  oldIds: u32;
  sessions: u32;
  /** Not in the file: bytes of the key that follows this struct. */
  keyLength: u32;

  /** Address of the key. */
  @inline
  get key(): usize {
    return changetype<usize>(this) + offsetof<Head>();
  }

  /** Takes the first `size` bytes of the item's a, and the key after them. */
  take(size: u32): bool {
    if (item.aLength <= size || item.aLength > size + KEY_MAX) return refuseItem();
    memory.copy(changetype<usize>(this), item.a, size);
    this.takeKey(item.a + size, item.aLength - size);
    return true;
  }

  takeKey(key: usize, length: u32): void {
    copy(this.key, key, length);
    this.keyLength = length;
  }
}

/** Bytes of it in the file, by version. */
const HEAD_SIZE: u32 = 44;
const HEAD_SIZE_2: u32 = 40;

/** What stands before the key in an old id's item. */
@unmanaged
class OldIdHead {
  until: i64;
}

/** The whole item of version 1. */
@unmanaged
class Head1 {
  /** The key of an id, 16 bytes. */
  key: u64;
  keyRest: u64;
  created: i64;
  accessed: i64;
  fields: u32;
}

/** The head of the session being saved or loaded, then its key. */
const head: Head = changetype<Head>(memory.data(184, 8));

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
      let record = asSession(asUser(owner).newest).newer;
      const count = asUser(owner).count;
      for (let index: u32 = 0; index < count; index++) {
        saveSession(record, index ? 0 : count);
        record = asSession(record).newer;
      }
    }
    cursor = users.cursor;
  } while (cursor);
  endSave();
}

/** @param count how many sessions its user has, if it is the first of them, else 0 */
function saveSession(record: usize, count: u32): void {
  const session = asSession(record);
  const owner = session.user;
  let olds: u32 = 0;
  for (let old = session.oldIds; old; old = asOldId(old).next) olds++;
  head.created = session.created;
  head.accessed = session.accessed;
  head.expires = expiresOf(record);
  head.idle = idleOf(record);
  head.version = session.version;
  head.fields = countFields(session.fields);
  head.oldIds = olds;
  head.sessions = count;
  saveHead(HEAD_SIZE, record, keyOf(owner), count ? keyLength(owner) : 0);
  walk.begin(session.fields);
  while (walk.next()) saveItem(walk.name, walk.nameLength, walk.value, walk.valueLength);
  for (let old = session.oldIds; old; old = asOldId(old).next) {
    changetype<OldIdHead>(head).until = asOldId(old).until;
    saveHead(<u32>offsetof<OldIdHead>(), old, keyOf(owner), 0);
  }
}

/** Saves an item of the first `size` bytes of the head and the record's key, and of `b`. */
function saveHead(size: u32, record: usize, b: usize, bLength: u32): void {
  copy(changetype<usize>(head) + size, keyOf(record), keyLength(record));
  saveItem(changetype<usize>(head), size + keyLength(record), b, bLength);
}

/**
 * Reads all sessions into the empty table; false when the data is not sound, the cause is logged. O(bytes).
 */
export function loadSessions(version: i32): bool {
  if (!prepareTable()) return refuseMemory();
  const count = beginLoad(version, VERSION);
  if (count < 0) return false;
  let record: usize = 0;
  userLeft = 0;
  for (let index: i64 = 0; index < count; index++) {
    if (!nextItem() || !readHead(version)) return false;
    user = item.b;
    userLength = item.bLength;
    if (version == VERSION && !readUser(record, <u64>(count - index))) return false;
    record = loadSession();
    // Other items come into their places.
    const fields = head.fields;
    const olds = head.oldIds;
    if (!record || !loadFields(record, fields) || !loadOldIds(record, olds)) return false;
  }
  return endLoad();
}

/** Reads the item's head and key, of this version. */
function readHead(version: i32): bool {
  if (version != 1) return head.take(version == 2 ? HEAD_SIZE_2 : HEAD_SIZE);
  if (item.aLength != <u32>offsetof<Head1>()) return refuseItem();
  const old = changetype<Head1>(item.a);
  memory.fill(changetype<usize>(head), 0, offsetof<Head>());
  head.created = old.created;
  head.accessed = old.accessed;
  head.fields = old.fields;
  head.takeKey(item.a, ID_SIZE);
  return true;
}

/**
 * Finds the user of the session whose head was read, of version 3.
 * @param before the session before it
 * @param left how many sessions are still to come, this one included
 */
function readUser(before: usize, left: u64): bool {
  const count = head.sessions;
  if (!userLeft) {
    if (!count || count > left) return refuse(changetype<usize>("a user's number of sessions is out of range"));
    if (findUser(user, userLength)) return refuse(changetype<usize>("a user is there twice"));
    userLeft = count - 1;
    return true;
  }
  if (count || userLength) return refuse(changetype<usize>("a user begins before the sessions of another end"));
  const owner = asSession(before).user;
  user = keyOf(owner);
  userLength = keyLength(owner);
  userLeft--;
  return true;
}

/** The record that the head describes, inserted; 0: refused. */
function loadSession(): usize {
  const key = head.key;
  const length = head.keyLength;
  if (!isKey(key, length)) return refuseSession(changetype<usize>("an id is not well-formed"));
  if (findRecord(key, length)) return refuseSession(changetype<usize>("a session is there twice"));
  if (!isTime(head.created) || !isTime(head.accessed) || !isTime(head.expires)) {
    return refuseSession(changetype<usize>("a time is out of range"));
  }
  const expiring = head.idle != 0 || head.expires != 0;
  const record = prepareRecord(key, length, user, userLength, expiring);
  if (!record) {
    refuseMemory();
    return 0;
  }
  setTimes(record, head.created, head.accessed);
  if (expiring) setLimits(record, head.idle, head.expires);
  asSession(record).version = head.version;
  beginChange();
  insertRecord(false);
  endChange();
  return record;
}

function loadFields(record: usize, count: u32): bool {
  for (let index: u32 = 0; index < count; index++) {
    if (!nextItem()) return false;
    const fields = asSession(record).fields;
    if (getField(fields, item.a, item.aLength)) return refuse(changetype<usize>("a field is there twice"));
    beginChange();
    const prepared = preparePut(fields, item.a, item.aLength, item.b, item.bLength);
    if (prepared) asSession(record).fields = commitPut();
    endChange();
    if (!prepared) return refuseMemory();
  }
  return true;
}

/**
 * Those of a session are saved from the newest on, and each that is inserted becomes the first: so they are
 * met in the other order, which tells nothing.
 */
function loadOldIds(record: usize, count: u32): bool {
  const size = <u32>offsetof<OldIdHead>();
  for (let index: u32 = 0; index < count; index++) {
    if (!nextItem()) return false;
    if (item.aLength <= size) return refuseItem();
    const key = item.a + size;
    const length = item.aLength - size;
    const until = changetype<OldIdHead>(item.a).until;
    if (!isKey(key, length)) return refuse(changetype<usize>("an id is not well-formed"));
    if (findRecord(key, length)) return refuse(changetype<usize>("a session is there twice"));
    if (!isTime(until)) return refuse(changetype<usize>("a time is out of range"));
    if (!insertOldId(record, key, length, until)) return refuseMemory();
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

function refuseItem(): bool {
  return refuse(changetype<usize>("a session's item is of a wrong length"));
}

function refuseSession(reason: usize): usize {
  refuse(reason);
  return 0;
}
