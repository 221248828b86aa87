/**
 * The sessions: a table from the key of an id (ids.ts) to a record. A record is named by its entry's address, valid until the next write.
 *
 *     value of a session, by offset
 *      0 created   i64 ms      16 fields  u32 (fields.ts)      24 newer   u32 ┐ the ring of its user's sessions     32 old ids u32: the first
 *      8 accessed  i64 ms      20 user    u32 (users.ts)       28 older   u32 ┘ (users.ts)                          36 version u32
 *     and, where it has a deadline
 *     40 expires   i64 ms, absolute; 0: none       48 idle u32 seconds; 0: none       52 node of the wheel
 *
 *     value of an old id that still answers
 *      0 until i64 ms           8 session u32       12 next old id u32      16 the one before u32, 0: none      20 node of the wheel
 *
 *     node      0 next u32 · 4 back u32 (storage/wheel.ts) · 8 distance u16 from the entry's first byte
 *
 * What is allocated but not in a table yet is `pending`: an import call may end its command in between, and the next one frees it.
 */
import { copy } from "../../base/storage/bytes";
import { compact } from "../../base/compaction";
import { moveEntry } from "../../base/storage/compact";
import { create, destroy, keyLength, keyOf, valueLength, valueOf } from "../../base/storage/entry";
import { heapReset, whenShort } from "../../base/storage/heap";
import { Table } from "../../base/storage/table";
import { forgetBlocks, reserveBlock } from "../../base/persistence/blocks";
import { beginChange, endChange } from "../../base/change";
import { redis } from "../../base/redis";
import { insertNode, removeNode, wheel } from "./expiry";
import { writeId } from "../ids/ids";
import { forgetFields, releaseFields, releasePiece, setFieldsKey } from "./fields";
import { forgetScratch } from "../texts/scratch";
import { attach, detach, insertUser, prepareUser, relocateUser, releasePendingUser, setFirst, users } from "./users";

const ACCESSED: usize = 8;
const FIELDS: usize = 16;
const USER: usize = 20;
const NEWER: usize = 24;
const OLDER: usize = 28;
const OLD_IDS: usize = 32;
const VERSION: usize = 36;
const EXPIRES: usize = 40;
const IDLE: usize = 48;
const NODE: usize = 52;
const PLAIN_SIZE: u32 = 40;
const EXPIRING_SIZE: u32 = 62;
const OLD_ID_SESSION: usize = 8;
const OLD_ID_NEXT: usize = 12;
const OLD_ID_BACK: usize = 16;
const OLD_ID_NODE: usize = 20;
const OLD_ID_SIZE: u32 = 30;
const NODE_DISTANCE: usize = 8;

/** The one table; its struct is static. */
export const table: Table = changetype<Table>(memory.data(offsetof<Table>(), 16));
/** How many of its entries are old ids. */
export let oldIds: u32 = 0;
/** Whether the tables have their hash key, drawn before the first session comes: loading the module must call nothing. */
let keyed: bool = false;
const key: usize = memory.data(16, 8);
/** Text of an old id that is signalled. */
const oldIdText: usize = memory.data(128);

/** A session and an old id that are allocated but in no table yet. */
let pending: usize = 0;
let pendingHash: u64 = 0;
let pendingOldId: usize = 0;

// ── Preparing: what may fail ────────────────────────────────────────────────────────────────────────────────────────

/** Gets ready for sessions: draws the hash key and takes the buffer of saving. False when there is no memory. */
export function prepareTable(): bool {
  if (!keyed) {
    redis.GetRandomBytes(key, 16);
    table.init(load<u64>(key), load<u64>(key, 8));
    users.init(load<u64>(key), load<u64>(key, 8));
    setFieldsKey(load<u64>(key), load<u64>(key, 8));
    whenShort(load<i32>(changetype<usize>(releasePiece)));
    wheel.init();
    keyed = true;
  }
  beginChange();
  const ready = reserveBlock();
  endChange();
  return ready;
}

/**
 * Allocates a session without data, and places for it and its user in their tables. Not visible before insertRecord. Its times are the
 * caller's to set. O(user).
 * @param expiring whether it will have a deadline
 * @returns 0 when there is no memory
 */
export function prepareRecord(id: usize, idLength: u32, user: usize, userLength: u32, expiring: bool): usize {
  releasePending();
  if (!prepareTable()) return 0;
  beginChange();
  const owner = prepareUser(user, userLength);
  pending = owner ? allocate(id, idLength, expiring ? EXPIRING_SIZE : PLAIN_SIZE) : 0;
  if (pending) store<u32>(valueOf(pending), <u32>owner, USER);
  else releasePendingUser();
  endChange();
  return pending;
}

/** Allocates the copy of a session under another id. Not visible before `commitRotation`; 0 when there is no memory. */
export function prepareCopy(record: usize, id: usize, idLength: u32): usize {
  releasePending();
  beginChange();
  pending = allocate(id, idLength, valueLength(record));
  if (pending) copyValue(record, pending);
  endChange();
  return pending;
}

/** Allocates what a session's id becomes that answers on until then; false when there is no memory. After prepareCopy. */
export function prepareOldId(record: usize, until: i64): bool {
  beginChange();
  pendingOldId = create(keyOf(record), keyLength(record), 0, OLD_ID_SIZE);
  if (pendingOldId) store<i64>(valueOf(pendingOldId), until);
  endChange();
  return pendingOldId != 0;
}

/** A cleared record with a place in the table for it; 0 when there is no memory. */
function allocate(id: usize, idLength: u32, size: u32): usize {
  const record = create(id, idLength, 0, size);
  if (!record) return 0;
  pendingHash = table.hashOf(id, idLength);
  if (!table.reserve(pendingHash)) {
    destroy(record);
    return 0;
  }
  clear(valueOf(record), size);
  return record;
}

/** Clears the value of a record: 8 bytes or more. */
function clear(value: usize, size: u32): void {
  const last = value + size - 8;
  for (let at = value; at < last; at += 8) store<u64>(at, 0);
  store<u64>(last, 0);
}

/** Gives the session the room for a deadline: another block in its place. @returns its address, 0 when there is no memory */
export function makeExpiring(record: usize): usize {
  if (isExpiring(record)) return record;
  beginChange();
  const larger = create(keyOf(record), keyLength(record), 0, EXPIRING_SIZE);
  if (larger) {
    clear(valueOf(larger), EXPIRING_SIZE);
    copyValue(record, larger);
    table.replace(table.slotOf(record), larger);
    movedSession(record, larger);
    insertNode(place(larger, nodeOf(larger)), i64.MAX_VALUE);
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
    if (!load<u32>(valueOf(pending), NEWER)) releaseFields(fieldsOf(pending));
    destroy(pending);
  }
  if (pendingOldId) destroy(pendingOldId);
  pending = 0;
  pendingOldId = 0;
  endChange();
  releasePendingUser();
}

// ── Committing: what cannot fail ────────────────────────────────────────────────────────────────────────────────────

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
  attach(ownerOf(record), record);
  if (isExpiring(record)) insertNode(place(record, nodeOf(record)), deadlineOf(record));
  if (before) discard(before);
  return record;
}

/**
 * Puts the prepared copy in the place of the session. The id that it had is an old id now, which no older one outlives; or it is unknown, as are
 * all older ones. Who watches one of those, or caches what it answered, is told. O(old ids).
 */
export function commitRotation(record: usize): usize {
  const successor = pending;
  pending = 0;
  const hash = table.hashOf(keyOf(record), keyLength(record));
  table.insert(pendingHash, successor);
  movedSession(record, successor);
  const slot = table.lookup(keyOf(record), keyLength(record), hash);
  if (pendingOldId) {
    table.replace(slot, pendingOldId);
    limitOldIds(successor, untilOf(pendingOldId));
    addOldId(successor);
  } else {
    table.remove(slot, hash);
    removeOldIds(successor);
  }
  destroy(record);
  return successor;
}

/** Has the old ids of a session answer until then at most, and signals them. */
function limitOldIds(session: usize, until: i64): void {
  for (let old = oldIdsOf(session); old; old = nextOldId(old)) {
    signalOldId(old);
    if (untilOf(old) <= until) continue;
    store<i64>(valueOf(old), until);
    removeNode(nodeOf(old));
    insertNode(nodeOf(old), until);
  }
}

function removeOldIds(session: usize): void {
  for (let old = oldIdsOf(session); old; old = oldIdsOf(session)) removeRecord(old);
}

function addOldId(session: usize): void {
  const value = valueOf(pendingOldId);
  store<u32>(value, <u32>session, OLD_ID_SESSION);
  store<u32>(value, <u32>oldIdsOf(session), OLD_ID_NEXT);
  store<u32>(value, 0, OLD_ID_BACK);
  chain(pendingOldId);
  insertNode(place(pendingOldId, nodeOf(pendingOldId)), load<i64>(value));
  pendingOldId = 0;
  oldIds++;
}

/** Adds an old id, one that the table does not hold, to a session that was loaded; false when there is no memory. O(1). */
export function insertOldId(session: usize, id: usize, idLength: u32, until: i64): bool {
  beginChange();
  pendingOldId = allocate(id, idLength, OLD_ID_SIZE);
  const allocated = pendingOldId != 0;
  if (allocated) {
    store<i64>(valueOf(pendingOldId), until);
    table.insert(pendingHash, pendingOldId);
    addOldId(session);
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

/** Frees what the table holds no longer. Who watches an old id, or caches what it answered, is told: it answers no more. */
function discard(record: usize): void {
  if (isOldId(record)) {
    signalOldId(record);
    removeNode(nodeOf(record));
    unchain(record);
    oldIds--;
  } else {
    removeOldIds(record);
    if (isExpiring(record)) removeNode(nodeOf(record));
    detach(ownerOf(record), record);
    releaseFields(fieldsOf(record));
  }
  destroy(record);
}

/** Tells WATCH and client-side caching, by each of its old ids, that a session has changed or will: the ids stand for it. O(old ids). */
export function signalOldIds(record: usize): void {
  for (let old = oldIdsOf(record); old; old = nextOldId(old)) signalOldId(old);
}

function signalOldId(oldId: usize): void {
  redis.SignalModifiedKey(oldIdText, writeId(idOf(oldId), idLengthOf(oldId), oldIdText));
}

/** Makes what stands beside an old id in its session's chain point to it. O(1). */
function chain(oldId: usize): void {
  const next = nextOldId(oldId);
  store<u32>(linkTo(oldId), <u32>oldId);
  if (next) store<u32>(valueOf(next), <u32>oldId, OLD_ID_BACK);
}

/** Takes an old id out of its session's chain. O(1). */
function unchain(oldId: usize): void {
  const next = nextOldId(oldId);
  store<u32>(linkTo(oldId), <u32>next);
  if (next) store<u32>(valueOf(next), <u32>beforeOldId(oldId), OLD_ID_BACK);
}

/** Where the address of this old id stands: in its session, or in the old id before it. */
function linkTo(oldId: usize): usize {
  const before = beforeOldId(oldId);
  return before ? valueOf(before) + OLD_ID_NEXT : valueOf(sessionOfOldId(oldId)) + OLD_IDS;
}

/** Drops all sessions at once. O(pages of the memory). */
export function dropAll(): void {
  beginChange();
  if (keyed) {
    table.forget();
    users.forget();
    wheel.init();
  }
  // With another key: data that comes back from a file in the order of this one would make the table split at every step.
  keyed = false;
  heapReset();
  forgetBlocks();
  forgetFields();
  forgetScratch();
  pending = 0;
  pendingOldId = 0;
  oldIds = 0;
  releasePendingUser(true);
  endChange();
}

// ── Moving ──────────────────────────────────────────────────────────────────────────────────────────────────────────

/** Ends every write that stored `written` bytes: see compact. O(1). */
export function compactRecords(written: u32): bool {
  return compact(load<i32>(changetype<usize>(relocate)), written);
}

/** Moves a session, an old id or a user; the address of the copy, 0 when it stays. */
function relocate(block: usize): usize {
  const moved = moveEntry(table, block);
  if (!moved) return relocateUser(block);
  if (isOldId(moved)) {
    wheel.moved(nodeOf(block), nodeOf(moved));
    chain(moved);
  } else {
    movedSession(block, moved);
  }
  return moved;
}

/** Makes all that points to a session point to its copy. O(old ids). */
function movedSession(from: usize, to: usize): void {
  const value = valueOf(to);
  const newer = newerOf(to);
  if (newer == from) {
    store<u32>(value, <u32>to, NEWER);
    store<u32>(value, <u32>to, OLDER);
  } else {
    store<u32>(valueOf(newer), <u32>to, OLDER);
    store<u32>(valueOf(olderOf(to)), <u32>to, NEWER);
  }
  setFirst(ownerOf(to), from, to);
  for (let old = oldIdsOf(to); old; old = <usize>load<u32>(valueOf(old), OLD_ID_NEXT)) store<u32>(valueOf(old), <u32>to, OLD_ID_SESSION);
  if (isExpiring(from)) wheel.moved(nodeOf(from), place(to, nodeOf(to)));
}

/** Copies a session's value into that of another record, of the same size or with room for a deadline. */
function copyValue(source: usize, target: usize): void {
  copy(valueOf(target), valueOf(source), valueLength(source));
}

// ── Reading ─────────────────────────────────────────────────────────────────────────────────────────────────────────

/** How many sessions there are, those that have expired and are not reclaimed yet counted. */
export function countSessions(): u32 {
  return table.count - oldIds;
}

/** The entry of this key: a session, or an old id; 0 when there is none. O(1). */
// prettier-ignore
@inline
export function findRecord(id: usize, length: u32): usize {
  return table.find(id, length);
}

// prettier-ignore
@inline
export function isOldId(record: usize): bool {
  return valueLength(record) == OLD_ID_SIZE;
}

/** Whether the session has room for a deadline. */
// prettier-ignore
@inline
export function isExpiring(record: usize): bool {
  return valueLength(record) == EXPIRING_SIZE;
}

/** Unix ms until which an old id answers. */
export function untilOf(oldId: usize): i64 {
  return load<i64>(valueOf(oldId));
}

/** The session that an old id stands for. */
// prettier-ignore
@inline
export function sessionOfOldId(oldId: usize): usize {
  return <usize>load<u32>(valueOf(oldId), OLD_ID_SESSION);
}

/** The first of a session's old ids, 0: none. */
export function oldIdsOf(record: usize): usize {
  return <usize>load<u32>(valueOf(record), OLD_IDS);
}

/** The next of the same session's old ids, 0: none. */
export function nextOldId(oldId: usize): usize {
  return <usize>load<u32>(valueOf(oldId), OLD_ID_NEXT);
}

/** The one before it among its session's old ids, 0: none. */
export function beforeOldId(oldId: usize): usize {
  return <usize>load<u32>(valueOf(oldId), OLD_ID_BACK);
}

/** The key of its id; idLengthOf has its length. */
// prettier-ignore
@inline
export function idOf(record: usize): usize {
  return keyOf(record);
}

// prettier-ignore
@inline
export function idLengthOf(record: usize): u32 {
  return keyLength(record);
}

/** Unix ms at which the session was created. */
export function createdOf(record: usize): i64 {
  return load<i64>(valueOf(record));
}

/** Unix ms of the last access. */
export function accessedOf(record: usize): i64 {
  return load<i64>(valueOf(record), ACCESSED);
}

/**
 * Notes an access. A later deadline leaves its node where it is: the sweep that comes to it puts it further on. An earlier one, after the clock
 * went back, has it queued anew.
 */
export function setAccessed(record: usize, ms: i64): void {
  const before = accessedOf(record);
  store<i64>(valueOf(record), ms, ACCESSED);
  if (ms >= before || !isExpiring(record)) return;
  removeNode(nodeOf(record));
  insertNode(nodeOf(record), deadlineOf(record));
}

/** Sets both times. */
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

/** How often the session's data was changed, modulo 2^32. */
export function versionOf(record: usize): u32 {
  return load<u32>(valueOf(record), VERSION);
}

export function setVersion(record: usize, version: u32): void {
  store<u32>(valueOf(record), version, VERSION);
}

/** The user's entry (users.ts). */
// prettier-ignore
@inline
export function ownerOf(record: usize): usize {
  return <usize>load<u32>(valueOf(record), USER);
}

export function setOwner(record: usize, user: usize): void {
  store<u32>(valueOf(record), <u32>user, USER);
}

/** The next newer session of its user; of the newest, the oldest. */
// prettier-ignore
@inline
export function newerOf(record: usize): usize {
  return <usize>load<u32>(valueOf(record), NEWER);
}

/** The next older session of its user; of the oldest, the newest. */
// prettier-ignore
@inline
export function olderOf(record: usize): usize {
  return <usize>load<u32>(valueOf(record), OLDER);
}

export function setNewer(record: usize, newer: usize): void {
  store<u32>(valueOf(record), <u32>newer, NEWER);
}

export function setOlder(record: usize, older: usize): void {
  store<u32>(valueOf(record), <u32>older, OLDER);
}

/** Seconds of the idle limit, 0: none. */
export function idleOf(record: usize): u32 {
  return isExpiring(record) ? load<u32>(valueOf(record), IDLE) : 0;
}

/** Unix ms of the absolute end, 0: none. */
export function expiresOf(record: usize): i64 {
  return isExpiring(record) ? load<i64>(valueOf(record), EXPIRES) : 0;
}

/** Sets both limits of a session that has room for a deadline; its place in the wheel is the caller's. */
export function setLimits(record: usize, idle: u32, expires: i64): void {
  store<u32>(valueOf(record), idle, IDLE);
  store<i64>(valueOf(record), expires, EXPIRES);
}

/** Unix ms from which on the session is gone, i64.MAX_VALUE: never. */
export function deadlineOf(record: usize): i64 {
  const expires = expiresOf(record);
  const idle = idleOf(record);
  const absolute = expires ? expires : i64.MAX_VALUE;
  return idle ? min(absolute, accessedOf(record) + <i64>idle * 1000) : absolute;
}

/** The wheel's node in a session with a deadline, or in an old id. */
export function nodeOf(record: usize): usize {
  return valueOf(record) + (isOldId(record) ? OLD_ID_NODE : NODE);
}

/** The session or old id in which this node is. */
export function recordOfNode(node: usize): usize {
  return node - <usize>load<u16>(node, NODE_DISTANCE);
}

/** Notes in a node where its record begins; the node. */
function place(record: usize, node: usize): usize {
  store<u16>(node, <u16>(node - record), NODE_DISTANCE);
  return node;
}
