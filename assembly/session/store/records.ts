/**
 * Making and removing sessions and their old ids.
 *
 * What is allocated but not in a table yet is `pending`: an import call may end its command in between, and
 * the next one frees it.
 */
import { create, destroy, keyLength, keyOf, PLAIN } from "../../base/storage/entry";
import { beginChange, endChange } from "../../base/change";
import { failOutOfMemory } from "../../base/text";
import { fieldsWait, releasePiece } from "./fields/tabled";
import { releaseFields } from "./fields/fields";
import { commitPuts, preparePuts } from "./fields/puts";
import { startClock } from "./clock";
import { movedSession } from "./moving";
import { addOldId, carryOldIds, dropOldId, forgetOldIds, limitOldIds, newOldId, oldIds } from "./old-ids";
import { insertNode, removeNode } from "./queue";
import {
  asOldId,
  asSession,
  copySession,
  deadlineOf,
  EXPIRING_BYTES,
  isExpiring,
  isOldId,
  markOldId,
  markSession,
  nodeOf,
  OLD_ID_BYTES,
  sessionSize,
} from "./record";
import { carryTable, forgetTables, hashOfNew, prepareTable, table } from "./table";
import { attach, detach, insertUser, prepareUser, releasePendingUser } from "./users";
import { carryWord } from "../../base/storage/carry";

/**
 * A session and an old id that are allocated but in no table yet, 0: none; and the hash of the session's key.
 */
let pending: usize = 0;
let pendingHash: u64 = 0;
let pendingOldId: usize = 0;

/**
 * Begins a command: what an earlier one left behind is freed, of much data a piece, and the clock is read
 * anew.
 */
export function beginCommand(): void {
  startClock();
  releasePending();
  if (!fieldsWait()) return;
  beginChange();
  releasePiece();
  endChange();
}

// ── Preparing: what may fail ───────────────────────────────────────────────────────────────────────────────

/**
 * Allocates a session without data, and places for it and its user in their tables. Not visible before
 * insertRecord. Its times are the caller's to set. O(user).
 * @param expiring whether it will have a deadline
 * @returns 0 when there is no memory
 */
export function prepareRecord(key: usize, length: u32, user: usize, userLength: u32, expiring: bool): usize {
  releasePending();
  if (!prepareTable()) return 0;
  beginChange();
  const owner = prepareUser(user, userLength);
  pending = owner ? allocate(key, length, sessionSize(expiring)) : 0;
  if (pending) {
    markSession(pending, length, expiring);
    asSession(pending).user = owner;
  } else releasePendingUser();
  endChange();
  return pending;
}

/**
 * Allocates the copy of a session under another id. Not visible before `commitRotation`; 0 when there is no
 * memory.
 */
export function prepareCopy(record: usize, key: usize, length: u32): usize {
  releasePending();
  beginChange();
  const expiring = isExpiring(record);
  pending = allocate(key, length, sessionSize(expiring));
  if (pending) {
    markSession(pending, length, expiring);
    copySession(record, pending);
  }
  endChange();
  return pending;
}

/**
 * Allocates what a session's id becomes that answers on until then; false when there is no memory. After
 * prepareCopy.
 */
export function prepareOldId(record: usize, until: i64): bool {
  beginChange();
  pendingOldId = newOldId(keyOf(record), keyLength(record), until);
  endChange();
  return pendingOldId != 0;
}

/** A record whose value is still to be written, with a place in the table; 0 when there is no memory. */
function allocate(key: usize, length: u32, size: u32): usize {
  const record = create(key, length, 0, size, PLAIN);
  if (!record) return 0;
  pendingHash = hashOfNew(key, length);
  if (!table.reserve(pendingHash)) {
    destroy(record);
    return 0;
  }
  return record;
}

/** Sets the fields that `count` arguments at `argv` name, names and values. Errors: `OOM …`. */
export function putData(record: usize, argv: usize, count: u32): void {
  beginChange();
  const prepared = preparePuts(asSession(record).fields, argv, count >> 1);
  if (prepared) asSession(record).fields = commitPuts();
  endChange();
  if (!prepared) failOutOfMemory();
}

/**
 * Gives the session the room for a deadline: another block in its place.
 * @returns its address, 0 when there is no memory
 */
export function makeExpiring(record: usize): usize {
  if (isExpiring(record)) return record;
  beginChange();
  const larger = create(keyOf(record), keyLength(record), 0, EXPIRING_BYTES, PLAIN);
  if (larger) {
    markSession(larger, keyLength(record), true);
    copySession(record, larger);
    table.replace(table.slotOf(record), larger);
    movedSession(record, larger);
    insertNode(nodeOf(larger), i64.MAX_VALUE);
    destroy(record);
  }
  endChange();
  return larger;
}

/** The session that is prepared, for its caller to fill in. */
// prettier-ignore
@inline
export function pendingRecord(): usize {
  return pending;
}

/** Frees what a command allocated and could not insert. Every write begins with it. */
export function releasePending(): void {
  if (!(pending | pendingOldId)) return releasePendingUser();
  beginChange();
  if (pending) {
    // A copy shares its data with the session that it was to replace.
    if (!asSession(pending).newer) releaseFields(asSession(pending).fields);
    destroy(pending);
  }
  if (pendingOldId) destroy(pendingOldId);
  pending = 0;
  pendingOldId = 0;
  endChange();
  releasePendingUser();
}

// ── Committing: what cannot fail ───────────────────────────────────────────────────────────────────────────

/**
 * Puts the prepared session into the tables, as its user's newest.
 * @param replaces whether something may have its id: it goes, with its data. O(old ids of that)
 */
export function insertRecord(replaces: bool): usize {
  const record = pending;
  pending = 0;
  const slot = replaces ? table.lookup(keyOf(record), keyLength(record), pendingHash) : 0;
  const before = slot ? table.replace(slot, record) : 0;
  if (!slot) table.insert(pendingHash, record);
  insertUser();
  attach(asSession(record).user, record);
  if (isExpiring(record)) insertNode(nodeOf(record), deadlineOf(record));
  if (before) discard(before);
  return record;
}

/**
 * Puts the prepared copy in the place of the session. The id that it had is an old id now, which no older one
 * outlives; or it is unknown, as are all older ones. Who watches one of those, or caches what it answered, is
 * told. O(old ids).
 */
export function commitRotation(record: usize): void {
  const successor = pending;
  pending = 0;
  const hash = table.hashOf(keyOf(record), keyLength(record));
  table.insert(pendingHash, successor);
  movedSession(record, successor);
  const slot = table.lookup(keyOf(record), keyLength(record), hash);
  if (pendingOldId) {
    table.replace(slot, pendingOldId);
    limitOldIds(successor, asOldId(pendingOldId).until);
    addPendingOldId(successor);
  } else {
    table.remove(slot, hash);
    removeOldIds(successor);
  }
  destroy(record);
}

function addPendingOldId(session: usize): void {
  addOldId(session, pendingOldId);
  pendingOldId = 0;
}

/**
 * Adds an old id, one that the table does not hold, to a session that was loaded; false when there is no
 * memory. O(1).
 */
export function insertOldId(session: usize, key: usize, length: u32, until: i64): bool {
  beginChange();
  pendingOldId = allocate(key, length, OLD_ID_BYTES);
  const allocated = pendingOldId != 0;
  if (allocated) {
    markOldId(pendingOldId, length);
    asOldId(pendingOldId).until = until;
    table.insert(pendingHash, pendingOldId);
    addPendingOldId(session);
  }
  endChange();
  return allocated;
}

/** Removes a session or an old id, with all that is its own. O(old ids). */
export function removeRecord(record: usize): void {
  const hash = table.hashOf(keyOf(record), keyLength(record));
  table.remove(table.lookup(keyOf(record), keyLength(record), hash), hash);
  discard(record);
}

/** Frees what the table holds no longer. */
function discard(record: usize): void {
  if (isOldId(record)) return dropOldId(record);
  removeOldIds(record);
  if (isExpiring(record)) removeNode(nodeOf(record));
  detach(asSession(record).user, record);
  releaseFields(asSession(record).fields);
  destroy(record);
}

function removeOldIds(session: usize): void {
  for (let old = asSession(session).oldIds; old; old = asSession(session).oldIds) removeRecord(old);
}

/** Drops all sessions at once. O(pages of the memory). */
export function dropAll(): void {
  beginChange();
  forgetTables();
  forgetOldIds();
  pending = 0;
  pendingOldId = 0;
  releasePendingUser(true);
  endChange();
}

/** How many sessions there are, those that have expired and are not reclaimed yet counted. */
export function countSessions(): u32 {
  return table.count - oldIds;
}

/** What another file takes over in the same memory (carry.ts). */
export function carryRecords(): void {
  carryTable();
  carryOldIds();
  pending = carryWord<usize>(pending);
  pendingHash = carryWord<u64>(pendingHash);
  pendingOldId = carryWord<usize>(pendingOldId);
}
