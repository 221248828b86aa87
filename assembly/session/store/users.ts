/**
 * The users: a table from a user's key to the ring of its sessions, the newest first. An entry is there as long as the user has a session.
 *
 *     value    0 newest u32 · 4 count u32
 *
 *     ring     newest ─older→ … ─older→ oldest ─older→ newest, and back by `newer`
 *
 * The order is that in which sessions came to the user, by CREATE or by ASSIGN.
 */
import { create, destroy, keyLength, keyOf, valueOf } from "../../base/storage/entry";
import { moveEntry } from "../../base/storage/compact";
import { Table } from "../../base/storage/table";
import { beginChange, endChange } from "../../base/change";
import { isSame } from "../ids/ids";
import { newerOf, olderOf, setNewer, setOlder, setOwner } from "./records";

const COUNT: usize = 4;
const VALUE_SIZE: u32 = 8;
/** Sessions of a user that is still moved by compaction: each of them points to it. */
const MOVED_SESSIONS_MAX: u32 = 64;

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
  const entry = create(user, length, 0, VALUE_SIZE);
  if (!entry) return 0;
  if (!users.reserve(hash)) {
    destroy(entry);
    return 0;
  }
  store<u64>(valueOf(entry), 0);
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
export function attach(user: usize, session: usize): void {
  const newest = newestOf(user);
  setOwner(session, user);
  if (newest) {
    const oldest = newerOf(newest);
    setOlder(session, newest);
    setNewer(session, oldest);
    setNewer(newest, session);
    setOlder(oldest, session);
  } else {
    setOlder(session, session);
    setNewer(session, session);
  }
  store<u32>(valueOf(user), <u32>session);
  store<u32>(valueOf(user), countOf(user) + 1, COUNT);
}

/** Takes the session from its user, who goes with the last one. O(1). */
export function detach(user: usize, session: usize): void {
  const count = countOf(user) - 1;
  if (!count) {
    const hash = users.hashOf(keyOf(user), keyLength(user));
    users.remove(users.lookup(keyOf(user), keyLength(user), hash), hash);
    destroy(user);
    return;
  }
  const older = olderOf(session);
  const newer = newerOf(session);
  setNewer(older, newer);
  setOlder(newer, older);
  setFirst(user, session, older);
  store<u32>(valueOf(user), count, COUNT);
}

/** Where `from` is the newest session, makes `to` the newest. */
export function setFirst(user: usize, from: usize, to: usize): void {
  if (newestOf(user) == from) store<u32>(valueOf(user), <u32>to);
}

/** Compaction: moves a user with few sessions. @returns the copy's address, 0: it stays */
export function relocateUser(block: usize): usize {
  // Other blocks come here too: what is no user has no slot in this table, and its bytes may be anything.
  if (!users.count || !users.slotOf(block) || countOf(block) > MOVED_SESSIONS_MAX) return 0;
  const moved = moveEntry(users, block);
  if (!moved) return 0;
  let session = newestOf(moved);
  for (let left = countOf(moved); left; left--) {
    setOwner(session, moved);
    session = olderOf(session);
  }
  return moved;
}

/** The user's newest session. */
// prettier-ignore
@inline
export function newestOf(user: usize): usize {
  return <usize>load<u32>(valueOf(user));
}

/** How many sessions the user has, those that have expired and are not reclaimed yet counted. */
// prettier-ignore
@inline
export function countOf(user: usize): u32 {
  return load<u32>(valueOf(user), COUNT);
}

/** The user's key; userKeyLength has its length. */
// prettier-ignore
@inline
export function userKey(user: usize): usize {
  return keyOf(user);
}

// prettier-ignore
@inline
export function userKeyLength(user: usize): u32 {
  return keyLength(user);
}

/** Whether this is the user with that key. */
export function isUser(user: usize, key: usize, length: u32): bool {
  return isSame(keyOf(user), keyLength(user), key, length);
}
