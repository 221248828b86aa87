/**
 * The sessions: raw id (16 bytes) to record.
 *
 *     value of an entry    0              8              16          20
 *                          +--------------+--------------+-----------+-------------- - -
 *                          | created ms   | accessed ms  | fields    | user key
 *                          +--------------+--------------+-----------+-------------- - -
 *                            i64            i64            u32 (fields.ts)
 *
 * A record is named by its entry's address, which is valid until the next write.
 */
import { equal, copy } from "../storage/bytes";
import { compactStep, moveEntry } from "../storage/compact";
import { create, destroy, keyOf, valueLength, valueOf } from "../storage/entry";
import { heapReset } from "../storage/heap";
import { Table } from "../storage/table";
import { forgetBlocks, reserveBlock } from "../persistence/blocks";
import { beginChange, endChange } from "../change";
import { redis } from "../redis";
import { releaseFields, setFieldsKey } from "./fields";
import { forgetScratch } from "./scratch";
import { ID_SIZE } from "./uuid";

// prettier-ignore
@inline const ACCESSED: usize = 8;


@inline const FIELDS: usize = 16;


@inline const USER: u32 = 20;

/** The one table; its struct is static. */
export const table: Table = changetype<Table>(memory.data(offsetof<Table>(), 16));
/** Whether the table has its hash key, drawn before the first session comes: loading the module must call nothing. */
let keyed: bool = false;
const key: usize = memory.data(16, 8);
/** A record that is allocated but not in the table yet: an import call may have ended its command before it was inserted. */
let pending: usize = 0;
let pendingHash: u64 = 0;

/** Gets ready for sessions: draws the hash key and takes the buffer of saving. False when there is no memory. */
export function prepareTable(): bool {
  if (!keyed) {
    redis.GetRandomBytes(key, 16);
    table.init(load<u64>(key), load<u64>(key, 8));
    setFieldsKey(load<u64>(key), load<u64>(key, 8));
    keyed = true;
  }
  beginChange();
  const ready = reserveBlock();
  endChange();
  return ready;
}

/** The record of this raw id, 0 when there is none. O(1). */
// prettier-ignore
@inline
export function findRecord(id: usize): usize {
  return table.find(id, ID_SIZE);
}

/**
 * Allocates a record without fields, and a place for it in the table. Not visible before insertRecord; when the
 * command ends in between, the next one takes it back.
 * @returns 0 when there is no memory
 */
export function prepareRecord(id: usize, user: usize, userLength: u32, created: i64, accessed: i64): usize {
  releasePending();
  if (!prepareTable()) return 0;
  beginChange();
  pending = allocateRecord(id, user, userLength);
  endChange();
  if (pending) {
    setTimes(pending, created, accessed);
    setFields(pending, 0);
  }
  return pending;
}

/** A record whose times and fields are not set yet, with a place in the table; 0 when there is no memory. */
function allocateRecord(id: usize, user: usize, userLength: u32): usize {
  const record = create(id, ID_SIZE, 0, USER + userLength);
  if (!record) return 0;
  pendingHash = table.hashOf(id, ID_SIZE);
  if (!table.reserve(pendingHash)) {
    destroy(record);
    return 0;
  }
  copy(valueOf(record) + USER, user, userLength);
  return record;
}

/** Puts the prepared record into the table. Cannot fail. O(1). */
export function insertRecord(): void {
  table.insert(pendingHash, pending);
  pending = 0;
}

/** Puts the prepared record in the place of the one with the same id, which is freed with its data. Cannot fail. O(fields). */
export function replaceRecord(): void {
  const old = table.replace(table.lookup(keyOf(pending), ID_SIZE, pendingHash), pending);
  pending = 0;
  releaseFields(fieldsOf(old));
  destroy(old);
}

/** Frees a record that a command allocated and could not insert. Every write begins with it. */
export function releasePending(): void {
  if (!pending) return;
  beginChange();
  destroy(pending);
  pending = 0;
  endChange();
}

/** Ends every write: moves a few records together where deletes have left idle memory. `written`: bytes that it stored. O(1). */
export function compactRecords(written: u32): void {
  beginChange();
  compactStep(load<i32>(changetype<usize>(relocate)), written);
  endChange();
}

/** Compaction moves a record. */
function relocate(block: usize): usize {
  return moveEntry(table, block);
}

/** Removes a record and all its data. Cannot fail. O(fields). */
export function removeRecord(record: usize): void {
  const id = keyOf(record);
  const hash = table.hashOf(id, ID_SIZE);
  table.remove(table.lookup(id, ID_SIZE, hash), hash);
  releaseFields(fieldsOf(record));
  destroy(record);
}

/** Drops all sessions at once. O(pages of the memory). */
export function dropAll(): void {
  beginChange();
  if (keyed) table.forget();
  // With another key: data that comes back from a file in the order of this one would make the table split at every step.
  keyed = false;
  heapReset();
  forgetBlocks();
  forgetScratch();
  pending = 0;
  endChange();
}

/** The raw id, 16 bytes. */
// prettier-ignore
@inline
export function idOf(record: usize): usize {
  return keyOf(record);
}

/** Unix ms at which the session was created. */
export function createdOf(record: usize): i64 {
  return load<i64>(valueOf(record));
}

/** Unix ms of the last access. */
export function accessedOf(record: usize): i64 {
  return load<i64>(valueOf(record), ACCESSED);
}

export function setAccessed(record: usize, ms: i64): void {
  store<i64>(valueOf(record), ms, ACCESSED);
}

/** Sets both times, as an effect has them. */
export function setTimes(record: usize, created: i64, accessed: i64): void {
  store<i64>(valueOf(record), created);
  store<i64>(valueOf(record), accessed, ACCESSED);
}

/** The u32 that stands for the session's data (fields.ts). */
export function fieldsOf(record: usize): u32 {
  return load<u32>(valueOf(record), FIELDS);
}

export function setFields(record: usize, fields: u32): void {
  store<u32>(valueOf(record), fields, FIELDS);
}

/** The user key's first byte; userLengthOf has its length. */
export function userOf(record: usize): usize {
  return valueOf(record) + USER;
}

export function userLengthOf(record: usize): u32 {
  return valueLength(record) - USER;
}

/** Whether the session belongs to this user. */
export function isOf(record: usize, user: usize, length: u32): bool {
  return userLengthOf(record) == length && equal(userOf(record), user, length);
}
