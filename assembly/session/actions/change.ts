/**
 * Changes of whole sessions: another user, another id, other limits. See create.ts for the order of each
 * write.
 */
import { keyLength, keyOf } from "../../base/storage/entry";
import { beginChange, endChange } from "../../base/change";
import { redis } from "../../base/redis";
import { failOutOfMemory } from "../../base/text";
import { mintUnknown } from "./create";
import { forgetOldId } from "./end";
import { evict, replicateEvictions, victimsAmong } from "./evict";
import { finishWrite } from "./finish";
import { ID_BYTES, IdKey, IdText } from "../ids/ids";
import { customGet, customSet } from "../mapping/custom";
import { ending, mapping, sessionNamed, signalUser, tryToChangeMapping } from "../mapping/mapping";
import { replicateAssign, replicateExpire, replicateRotate } from "../replication/effects";
import { Event } from "../replication/events";
import { defaultMost } from "./settings";
import { nowMs } from "../store/clock";
import { applyLimits, asOldId, asSession, expiresOf, furtherIdText, idleOf, idText } from "../store/record";
import { commitRotation, makeExpiring, pendingRecord, prepareCopy, prepareOldId } from "../store/records";
import { findRecord } from "../store/table";
import { attach, detach, insertUser, isUser, prepareUser } from "../store/users";

/** Ids in grace that one session has at most: each rotation, and each change, signals all of them. */
const OLD_IDS_MAX: u32 = 16;

/** The new id of a rotation. */
const newKey: IdKey = changetype<IdKey>(memory.data(ID_BYTES, 4));

/**
 * Makes the session another user's newest, whose oldest ones make room where a limit is set. O(sessions of
 * both users).
 * Errors: `OOM …`, those of the storage; nothing changed.
 */
export function assignSession(record: usize, user: usize, userLength: u32): void {
  const before = asSession(record).user;
  if (isUser(before, user, userLength)) return;
  const id = idText(record);
  const victims = victimsAmong(user, userLength, defaultMost(), false);
  beginChange();
  const owner = prepareUser(user, userLength);
  endChange();
  if (!owner) failOutOfMemory();
  customSet(user, userLength, id.start, id.length);
  // Where the storage fails now, the mapping goes on naming somebody else's session, and so is stale.
  tryToChangeMapping(ending.one(record));
  beginChange();
  replicateEvictions(owner, victims);
  replicateAssign(id, user, userLength, mapping);
  signalUser(before);
  insertUser();
  detach(before, record);
  attach(owner, record);
  evict(owner, victims);
  finishWrite(Event.ASSIGN, id, record, userLength);
}

/**
 * Gives the session another id, which it answers; the one that it had answers for `grace` ms more, earlier
 * ones no longer than that, and 16 in all. O(old ids).
 * Errors: `OOM …`, those of the storage; nothing changed.
 */
export function rotateSession(record: usize, grace: i64): IdText {
  const owner = asSession(record).user;
  const user = keyOf(owner);
  const userLength = keyLength(owner);
  mintUnknown(newKey, user, userLength);
  const until = grace ? nowMs() + grace : 0;
  if (!prepareCopy(record, newKey.start, newKey.length) || (grace && !prepareOldId(record, until))) failOutOfMemory();
  const id = idText(pendingRecord());
  const mapped = sessionNamed(customGet(user, userLength)) == record;
  if (mapped) customSet(user, userLength, id.start, id.length);
  const before = furtherIdText(record);
  beginChange();
  replicateRotate(before, id, until, mapped);
  if (!mapped) redis.SignalModifiedKey(user, userLength);
  commitRotation(record);
  redis.SignalModifiedKey(before.start, before.length);
  finishWrite(Event.ROTATE, id, 0, 0);
  forgetSurplus(findRecord(newKey.start, newKey.length));
  return id;
}

/** Forgets ids in grace of a session beyond OLD_IDS_MAX, those first whose time is over first. O(old ids). */
function forgetSurplus(session: usize): void {
  // A file may hold more, from before there was a limit: some are forgotten each time.
  for (let left = OLD_IDS_MAX; left; left--) {
    let count: u32 = 0;
    let first: usize = 0;
    for (let old = asSession(session).oldIds; old; old = asOldId(old).next) {
      count++;
      if (!first || asOldId(old).until < asOldId(first).until) first = old;
    }
    if (count <= OLD_IDS_MAX) return;
    forgetOldId(first, true);
  }
}

/**
 * Changes one of the session's limits: that of idleness, or its end, to so many seconds from now. Errors:
 * `OOM …`, nothing changed. O(1).
 */
export function changeLimit(record: usize, seconds: i64, isIdle: bool): void {
  const idle = isIdle ? <u32>seconds : idleOf(record);
  const expires = isIdle ? expiresOf(record) : nowMs() + seconds * 1000;
  const session = makeExpiring(record);
  if (!session) failOutOfMemory();
  const id = idText(session);
  beginChange();
  replicateExpire(id, idle, expires);
  applyLimits(session, idle, expires);
  finishWrite(Event.EXPIRE, id, session, 0);
}
