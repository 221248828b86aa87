/**
 * The users: a table from a user's key to the ring of its sessions, the newest first. An entry is there as
 * long as the user has a session.
 *
 *     ring     newest ─older→ … ─older→ oldest ─older→ newest, and back by `newer`
 *
 * The order is that in which sessions came to the user, by CREATE or by ASSIGN.
 */
import { create, destroy, hasKey, keyLength, keyOf, PLAIN, valueOf } from "../../base/storage/entry";
import { moveEntry } from "../../base/storage/table/move";
import { Table } from "../../base/storage/table/table";
import { beginChange, endChange } from "../../base/change";
import { asSession } from "./record";
import { carryArea, carryWord } from "../../base/storage/carry";

/** Sessions of a user that is still moved by compaction: each of them points to it. */
const MOVED_SESSIONS_MAX: u32 = 64;

/** The value of a user's entry. */
@unmanaged
export class User {
  /** The newest session. */
  newest: usize;
  /** How many sessions it has, those that have expired and are not reclaimed yet counted. */
  count: u32;
}

// prettier-ignore
@inline
export function asUser(owner: usize): User {
  return changetype<User>(valueOf(owner));
}

/** The one table; its struct is static. */
export const users: Table = changetype<Table>(memory.data(offsetof<Table>(), 16));

/** A user that is allocated but not in the table yet. */
let pendingUser: usize = 0;
let pendingUserHash: u64 = 0;

/** The user's entry, 0 when it has no session. O(key). */
export function findUser(user: usize, length: u32): usize {
  return users.find(user, length);
}

/** The user's entry, in the table or prepared for it; 0 when there is no memory. O(key). */
export function prepareUser(user: usize, length: u32): usize {
  const hash = users.hashOf(user, length);
  const slot = users.lookup(user, length, hash);
  if (slot) return <usize>load<u32>(slot);
  const entry = create(user, length, 0, <u32>offsetof<User>(), PLAIN);
  if (!entry) return 0;
  if (!users.reserve(hash)) {
    destroy(entry);
    return 0;
  }
  asUser(entry).newest = 0;
  asUser(entry).count = 0;
  pendingUser = entry;
  pendingUserHash = hash;
  return entry;
}

/** Puts the prepared user into the table, if there is one. Cannot fail; a session must be attached next. */
export function insertUser(): void {
  if (pendingUser) users.insert(pendingUserHash, pendingUser);
  pendingUser = 0;
}

/** Frees the prepared user; `forget`: the heap has taken it back already. */
export function releasePendingUser(forget: bool = false): void {
  if (!pendingUser) return;
  if (!forget) {
    beginChange();
    destroy(pendingUser);
    endChange();
  }
  pendingUser = 0;
}

/** Makes the session the user's newest. O(1). */
export function attach(owner: usize, record: usize): void {
  const user = asUser(owner);
  const session = asSession(record);
  const newest = user.newest;
  session.user = owner;
  if (newest) {
    const oldest = asSession(newest).newer;
    session.older = newest;
    session.newer = oldest;
    asSession(newest).newer = record;
    asSession(oldest).older = record;
  } else {
    session.older = record;
    session.newer = record;
  }
  user.newest = record;
  user.count++;
}

/** Takes the session from its user, who goes with the last one. O(1). */
export function detach(owner: usize, record: usize): void {
  const user = asUser(owner);
  if (user.count == 1) {
    const hash = users.hashOf(keyOf(owner), keyLength(owner));
    users.remove(users.lookup(keyOf(owner), keyLength(owner), hash), hash);
    destroy(owner);
    return;
  }
  const session = asSession(record);
  asSession(session.older).newer = session.newer;
  asSession(session.newer).older = session.older;
  setFirst(owner, record, session.older);
  user.count--;
}

/** Where `from` is the newest session, makes `to` the newest. */
export function setFirst(owner: usize, from: usize, to: usize): void {
  if (asUser(owner).newest == from) asUser(owner).newest = to;
}

/** Compaction: moves a user with few sessions. @returns the copy's address, 0: it stays */
export function relocateUser(block: usize): usize {
  // Other blocks come here too: what is no user has no slot in this table, and its bytes may be anything.
  if (!users.count || !users.slotOf(block) || asUser(block).count > MOVED_SESSIONS_MAX) return 0;
  const moved = moveEntry(users, block);
  if (!moved) return 0;
  let record = asUser(moved).newest;
  for (let left = asUser(moved).count; left; left--) {
    asSession(record).user = moved;
    record = asSession(record).older;
  }
  return moved;
}

/** Whether this is the user with that key. O(key). */
export function isUser(owner: usize, key: usize, length: u32): bool {
  return hasKey(owner, key, length);
}

/** What another file takes over in the same memory (carry.ts). */
export function carryUsers(): void {
  carryArea(changetype<usize>(users), offsetof<Table>());
  pendingUser = carryWord<usize>(pendingUser);
  pendingUserHash = carryWord<u64>(pendingUserHash);
}
