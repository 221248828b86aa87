/**
 * A record: an entry of the table of sessions, from the key of an id (ids.ts) to a session, or to an old id
 * that still answers. It is named by its entry's address, valid until the next write; its value is one of the
 * structs here, told apart by its first byte.
 */
import { copy } from "../../base/storage/bytes";
import { entryOfValue, keyLength, keyOf, shortValueOf } from "../../base/storage/entry";
import { ID_BYTES, IdText } from "../ids/ids";
import { insertNode, removeNode } from "./queue";

/**
 * What a record is, in the first byte of its value. Where it has a node, the byte tells the key's length too,
 * by which the record is found from its node:
 *
 *     0            a session without a deadline
 *     1 … 127      a session with room for a deadline: key's length - KEY_MIN
 *     128 …        an old id: 128 + key's length - KEY_MIN
 */
const OLD_ID: u32 = 128;
/** The shortest key has 16 bytes, the longest 129. */
const KEY_MIN: u32 = 15;
/** Bytes of the value of a session without a deadline, of one with room for it, and of an old id. */
export const SESSION_BYTES: u32 = 37;
export const EXPIRING_BYTES: u32 = 55;
export const OLD_ID_BYTES: u32 = 45;
/** Where the node of the queue lies in the value of the two that have one. */
const NODE: u32 = 37;

/** What follows the first byte of a session's value. Times are 48 bits. */
@unmanaged
export class Session {
  /** The u32 that stands for its data (fields.ts). */
  fields: u32;
  /** Its user's entry (users.ts). */
  user: usize;
  /**
   * The next newer session of its user; of the newest, the oldest. And the next older one; of the oldest, the
   * newest.
   */
  newer: usize;
  older: usize;
  /** The first of its old ids, 0: none. */
  oldIds: usize;
  /** How often its data was changed, modulo 2^32. */
  version: u32;

  /** Unix ms at which it was created. */
  @inline
  get created(): i64 {
    return load48(changetype<usize>(this) + 24);
  }


  @inline
  set created(ms: i64) {
    store48(changetype<usize>(this) + 24, ms);
  }

  /** Unix ms of the last access. */
  @inline
  get accessed(): i64 {
    return load48(changetype<usize>(this) + 30);
  }


  @inline
  set accessed(ms: i64) {
    store48(changetype<usize>(this) + 30, ms);
  }
}

/** As Session, of a session that has room for a deadline: after its node of the queue (queue.ts). */
@unmanaged
export class Expiring extends Session {
  /** Unix ms of the absolute end, 0: none. */
  @inline
  get expires(): i64 {
    return load48(changetype<usize>(this) + 44);
  }


  @inline
  set expires(ms: i64) {
    store48(changetype<usize>(this) + 44, ms);
  }

  /** Seconds of the idle limit, 0: none. */
  @inline
  get idle(): u32 {
    return load<u32>(changetype<usize>(this), 50);
  }


  @inline
  set idle(seconds: u32) {
    store<u32>(changetype<usize>(this), seconds, 50);
  }
}

/** What follows the first byte of an old id's value; then nothing as far as its node. */
@unmanaged
export class OldId {
  /** The session that it stands for. */
  session: usize;
  /** The next of that session's old ids, and the one before; 0: none. */
  next: usize;
  back: usize;

  /** Unix ms until which it answers. */
  @inline
  get until(): i64 {
    return load48(changetype<usize>(this) + 12);
  }


  @inline
  set until(ms: i64) {
    store48(changetype<usize>(this) + 12, ms);
  }
}

// prettier-ignore
@inline
function load48(at: usize): i64 {
  return <i64>load<u32>(at) | (<i64>load<u16>(at, 4) << 32);
}

// prettier-ignore
@inline
function store48(at: usize, ms: i64): void {
  store<u32>(at, <u32>ms);
  store<u16>(at, <u16>(ms >> 32), 4);
}

// prettier-ignore
@inline
export function asSession(record: usize): Session {
  return changetype<Session>(shortValueOf(record) + 1);
}

// prettier-ignore
@inline
export function asExpiring(record: usize): Expiring {
  return changetype<Expiring>(shortValueOf(record) + 1);
}

// prettier-ignore
@inline
export function asOldId(record: usize): OldId {
  return changetype<OldId>(shortValueOf(record) + 1);
}

/** The first byte of a record's value. */
// prettier-ignore
@inline
function markOf(record: usize): u32 {
  return <u32>load<u8>(shortValueOf(record));
}

// prettier-ignore
@inline
export function isOldId(record: usize): bool {
  return markOf(record) >= OLD_ID;
}

/** Whether the session has room for a deadline. */
// prettier-ignore
@inline
export function isExpiring(record: usize): bool {
  return markOf(record) != 0;
}

/** Bytes of a session's value. */
// prettier-ignore
@inline
export function sessionSize(expiring: bool): u32 {
  return expiring ? EXPIRING_BYTES : SESSION_BYTES;
}

/** Makes a record, whose key has this length, a session that is cleared. */
export function markSession(record: usize, keyLength: u32, expiring: bool): void {
  clearValue(record, sessionSize(expiring));
  if (expiring) store<u8>(shortValueOf(record), <u8>(keyLength - KEY_MIN));
}

/** Makes a record, whose key has this length, an old id that is cleared. */
export function markOldId(record: usize, keyLength: u32): void {
  clearValue(record, OLD_ID_BYTES);
  store<u8>(shortValueOf(record), <u8>(OLD_ID + keyLength - KEY_MIN));
}

/**
 * Copies a session's value into that of another record, of the same size or with room for a deadline; the
 * first byte stays.
 */
export function copySession(source: usize, target: usize): void {
  copy(shortValueOf(target) + 1, shortValueOf(source) + 1, sessionSize(isExpiring(source)) - 1);
}

/** Clears the value of a record of `size` bytes: 8 or more. */
function clearValue(record: usize, size: u32): void {
  const last = shortValueOf(record) + size - 8;
  for (let at = shortValueOf(record); at < last; at += 8) store<u64>(at, 0);
  store<u64>(last, 0);
}

// ── Ids ────────────────────────────────────────────────────────────────────────────────────────────────────

const text: IdText = changetype<IdText>(memory.data(ID_BYTES, 4));
const furtherText: IdText = changetype<IdText>(memory.data(ID_BYTES, 4));

/** The text of the record's id, valid until the next call; also when the record is not any more. */
export function idText(record: usize): IdText {
  return text.take(keyOf(record), keyLength(record));
}

/** As idText, of another record beside it. */
export function furtherIdText(record: usize): IdText {
  return furtherText.take(keyOf(record), keyLength(record));
}

// ── Deadlines ──────────────────────────────────────────────────────────────────────────────────────────────

/** Seconds of the idle limit, 0: none. */
export function idleOf(record: usize): u32 {
  return isExpiring(record) ? asExpiring(record).idle : 0;
}

/** Unix ms of the absolute end, 0: none. */
export function expiresOf(record: usize): i64 {
  return isExpiring(record) ? asExpiring(record).expires : 0;
}

/** Unix ms from which on the session is gone, i64.MAX_VALUE: never. */
export function deadlineOf(record: usize): i64 {
  if (!isExpiring(record)) return i64.MAX_VALUE;
  const session = asExpiring(record);
  const expires = session.expires;
  const absolute = expires ? expires : i64.MAX_VALUE;
  const idle = session.idle;
  return idle ? min(absolute, session.accessed + <i64>idle * 1000) : absolute;
}

/** The queue's node in a session with a deadline, or in an old id. */
export function nodeOf(record: usize): usize {
  return shortValueOf(record) + NODE;
}

/** The session or old id in which this node of the queue is. */
export function recordOfNode(node: usize): usize {
  const value = node - NODE;
  const mark = <u32>load<u8>(value);
  return entryOfValue(value, (mark & (OLD_ID - 1)) + KEY_MIN, mark & OLD_ID ? OLD_ID_BYTES : EXPIRING_BYTES);
}

/**
 * Notes an access. A later deadline leaves its node where it is: the sweep that comes to it puts it further
 * on. An earlier one, after the clock went back, has it queued anew.
 */
export function setAccessed(record: usize, ms: i64): void {
  const session = asSession(record);
  const before = session.accessed;
  session.accessed = ms;
  if (ms < before && isExpiring(record)) requeue(record);
}

/** Sets both times of a session that is in no table yet. */
export function setTimes(record: usize, created: i64, accessed: i64): void {
  const session = asSession(record);
  session.created = created;
  session.accessed = accessed;
}

/** Sets both limits of a session that has room for a deadline; its place in the queue is the caller's. */
export function setLimits(record: usize, idle: u32, expires: i64): void {
  const session = asExpiring(record);
  session.idle = idle;
  session.expires = expires;
}

/** Sets the limits and its place in the queue. Cannot fail. */
export function applyLimits(record: usize, idle: u32, expires: i64): void {
  setLimits(record, idle, expires);
  requeue(record);
}

function requeue(record: usize): void {
  removeNode(nodeOf(record));
  insertNode(nodeOf(record), deadlineOf(record));
}
