/**
 * Which sessions have expired. A session or an old id is gone from the millisecond of its deadline on, for
 * every command that may decide that; it is reclaimed by the sweep, on a primary.
 */
import { ID_BYTES, IdKey } from "../ids/ids";
import { isPast } from "./clock";
import { asOldId, deadlineOf, isExpiring, isOldId } from "./record";
import { findRecord } from "./table";

/** The key of an id that is looked up. */
const named: IdKey = changetype<IdKey>(memory.data(ID_BYTES, 4));

/** The record of the id whose text this is: a session, live or not, or an old id; 0: there is none. O(1). */
export function recordNamed(text: usize, length: u32): usize {
  return named.take(text, length) ? findRecord(named.start, named.length) : 0;
}

/** The live session of the id whose text this is, also of an old id in grace; 0 when there is none. O(1). */
export function sessionOf(text: usize, length: u32): usize {
  return liveOf(recordNamed(text, length));
}

/**
 * The session that an entry of the table stands for: itself, or of an old id its session. 0: it is none, or
 * has expired.
 */
export function liveOf(entry: usize): usize {
  if (!entry) return 0;
  if (isOldId(entry)) {
    if (isPast(asOldId(entry).until)) return 0;
    entry = asOldId(entry).session;
  }
  return isLive(entry) ? entry : 0;
}

/** Whether the session has not expired. */
export function isLive(session: usize): bool {
  return !isExpiring(session) || !isPast(deadlineOf(session));
}
