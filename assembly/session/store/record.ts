/**
 * A record: an entry of the table of sessions, from the key of an id (ids.ts) to a session, or to an old id
 * that still answers. It is named by its entry's address, valid until the next write; its value is one of the
 * structs here, told apart by their lengths.
 */
import { copy } from "../../base/storage/bytes";
import { keyLength, keyOf, valueLength, valueOf } from "../../base/storage/entry";
import { ID_BYTES, IdText } from "../ids/ids";
import { insertNode, removeNode } from "./queue";

/** The value of a session without a deadline: 40 bytes. */
@unmanaged
export class Session {
  /** Unix ms at which it was created. */
  created: i64;
  /** Unix ms of the last access. */
  accessed: i64;
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
}

/** The value of a session that has room for a deadline: 62 bytes. */
@unmanaged
export class Expiring extends Session {
  /** Unix ms of the absolute end, 0: none. */
  expires: i64;
  /** Seconds of the idle limit, 0: none. */
  idle: u32;
  /** A node of the queue (queue.ts), 10 bytes. */
  node: u32;
  back: u32;
  distance: u16;
}

/** The value of an old id: 30 bytes. */
@unmanaged
export class OldId {
  /** Unix ms until which it answers. */
  until: i64;
  /** The session that it stands for. */
  session: usize;
  /** The next of that session's old ids, and the one before; 0: none. */
  next: usize;
  back: usize;
  /** A node of the queue, as in Expiring. */
  node: u32;
  nodeBack: u32;
  distance: u16;
}

// prettier-ignore
@inline
export function asSession(record: usize): Session {
  return changetype<Session>(valueOf(record));
}

// prettier-ignore
@inline
export function asExpiring(record: usize): Expiring {
  return changetype<Expiring>(valueOf(record));
}

// prettier-ignore
@inline
export function asOldId(record: usize): OldId {
  return changetype<OldId>(valueOf(record));
}

// prettier-ignore
@inline
export function isOldId(record: usize): bool {
  return valueLength(record) == <u32>offsetof<OldId>();
}

/** Whether the session has room for a deadline. */
// prettier-ignore
@inline
export function isExpiring(record: usize): bool {
  return valueLength(record) == <u32>offsetof<Expiring>();
}

/** Bytes of a session's value. */
// prettier-ignore
@inline
export function sessionSize(expiring: bool): u32 {
  return expiring ? <u32>offsetof<Expiring>() : <u32>offsetof<Session>();
}

/** Copies a session's value into that of another record, of the same size or with room for a deadline. */
export function copySession(source: usize, target: usize): void {
  copy(valueOf(target), valueOf(source), valueLength(source));
}

/** Clears the value of a record of `size` bytes: 8 or more. */
export function clearValue(record: usize, size: u32): void {
  const last = valueOf(record) + size - 8;
  for (let at = valueOf(record); at < last; at += 8) store<u64>(at, 0);
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
  const expires = expiresOf(record);
  const idle = idleOf(record);
  const absolute = expires ? expires : i64.MAX_VALUE;
  return idle ? min(absolute, asSession(record).accessed + <i64>idle * 1000) : absolute;
}

/** The queue's node in a session with a deadline, or in an old id. */
export function nodeOf(record: usize): usize {
  return valueOf(record) + (isOldId(record) ? offsetof<OldId>("node") : offsetof<Expiring>("node"));
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
