/** Old ids that still answer: those of a session are a chain, which begins in the session. */
import { create, destroy, keyLength, keyOf, PLAIN } from "../../base/storage/entry";
import { redis } from "../../base/redis";
import { ID_BYTES, IdText } from "../ids/ids";
import { insertNode, removeNode } from "./queue";
import { asOldId, asSession, markOldId, nodeOf, OLD_ID_BYTES } from "./record";
import { carryWord } from "../../base/storage/carry";

/** How many old ids there are in the table. */
export let oldIds: u32 = 0;
/** Text of an old id that is signalled. */
const text: IdText = changetype<IdText>(memory.data(ID_BYTES, 4));

/** A new old id with this key, in no table and no chain yet; 0 when there is no memory. */
export function newOldId(key: usize, length: u32, until: i64): usize {
  const oldId = create(key, length, 0, OLD_ID_BYTES, PLAIN);
  if (!oldId) return 0;
  markOldId(oldId, length);
  asOldId(oldId).until = until;
  return oldId;
}

/** Makes an old id that the table holds now the first of its session's. Cannot fail. O(1). */
export function addOldId(session: usize, oldId: usize): void {
  const value = asOldId(oldId);
  value.session = session;
  value.next = asSession(session).oldIds;
  value.back = 0;
  chain(oldId);
  insertNode(nodeOf(oldId), value.until);
  oldIds++;
}

/**
 * Frees an old id that the table holds no longer. Who watches it, or caches what it answered, is told. O(1).
 */
export function dropOldId(oldId: usize): void {
  signalOldId(oldId);
  removeNode(nodeOf(oldId));
  link(oldId, asOldId(oldId).next, asOldId(oldId).back);
  oldIds--;
  destroy(oldId);
}

/** Has the old ids of a session answer until then at most, and signals them. O(old ids). */
export function limitOldIds(session: usize, until: i64): void {
  for (let old = asSession(session).oldIds; old; old = asOldId(old).next) {
    signalOldId(old);
    if (asOldId(old).until <= until) continue;
    asOldId(old).until = until;
    removeNode(nodeOf(old));
    insertNode(nodeOf(old), until);
  }
}

/**
 * Tells WATCH and client-side caching, by each of its old ids, that a session has changed or will: the ids
 * stand for it. O(old ids).
 */
export function signalOldIds(session: usize): void {
  for (let old = asSession(session).oldIds; old; old = asOldId(old).next) signalOldId(old);
}

function signalOldId(oldId: usize): void {
  text.take(keyOf(oldId), keyLength(oldId));
  redis.SignalModifiedKey(text.start, text.length);
}

/** Makes what stands beside an old id in its session's chain point to it. O(1). */
export function chain(oldId: usize): void {
  link(oldId, oldId, oldId);
}

/** Makes what stands beside an old id in its session's chain point to others. O(1). */
function link(oldId: usize, next: usize, back: usize): void {
  const value = asOldId(oldId);
  if (value.back) asOldId(value.back).next = next;
  else asSession(value.session).oldIds = next;
  if (value.next) asOldId(value.next).back = back;
}

/** Forgets all old ids, after the heap took back every block. */
export function forgetOldIds(): void {
  oldIds = 0;
}

/** What another file takes over in the same memory (carry.ts). */
export function carryOldIds(): void {
  oldIds = carryWord<u32>(oldIds);
}
