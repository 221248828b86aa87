/** The ends of sessions and of old ids; see create.ts for the order of each write. */
import { beginChange, endChange } from "../../base/change";
import { changed } from "../../base/register";
import { finishWrite } from "./finish";
import { changeMapping, ending, mapping, signalUser, tryToChangeMapping } from "../mapping/mapping";
import { replicateDelete, replicateForget, replicateFurtherDelete } from "../replication/effects";
import { Event } from "../replication/events";
import { isLive } from "../store/expiry";
import { compactRecords } from "../store/moving";
import { asSession, furtherIdText, idText } from "../store/record";
import { removeRecord } from "../store/records";
import { asUser } from "../store/users";
import { carryWord } from "../../base/storage/carry";

/** How many sessions have ended because of their time. */
export let expired: u64 = 0;

/**
 * Ends the session; where the storage maps its user to it, that mapping moves on. Needs no memory. O(sessions
 * of the user).
 */
export function deleteSession(record: usize, own: bool): void {
  changeMapping(ending.one(record));
  end(record, own, Event.DELETE);
}

/**
 * Removes a session that has expired, for a command that needs its id. Errors: those of the storage, nothing
 * changed.
 */
export function reclaim(record: usize, own: bool): void {
  changeMapping(ending.one(record));
  expired++;
  end(record, own, Event.EXPIRED);
}

/**
 * Removes a session that has expired, for the sweep. Not while the storage fails: a mapping that went on
 * naming it would bring its id back to life.
 */
export function sweepSession(record: usize): void {
  if (!tryToChangeMapping(ending.one(record))) return;
  expired++;
  end(record, true, Event.EXPIRED);
}

function end(record: usize, own: bool, event: usize): void {
  const id = idText(record);
  const owner = asSession(record).user;
  beginChange();
  if (own) replicateDelete(id, owner, mapping);
  signalUser(owner);
  removeRecord(record);
  finishWrite(event, id, 0, 0);
}

/** Removes an old id whose time is over. */
export function forgetOldId(record: usize, own: bool): void {
  beginChange();
  if (own) replicateForget(furtherIdText(record));
  removeRecord(record);
  endChange();
}

/**
 * Ends the user's sessions but `except` (0: none), of those created before `before`, Unix ms; how many of
 * them were live. O(sessions of the user). Errors: those of the storage, nothing changed.
 */
export function deleteAll(owner: usize, except: usize, before: i64): u32 {
  changeMapping(ending.all(owner, except, before));
  let live: u32 = 0;
  let any = false;
  let record = asUser(owner).newest;
  for (let left = asUser(owner).count; left; left--) {
    if (ending.includes(record)) {
      any = true;
      live += <u32>isLive(record);
    }
    record = asSession(record).older;
  }
  if (!any) return 0;
  beginChange();
  signalUser(owner);
  removeEnding(owner);
  endChange();
  compactRecords(0);
  return live;
}

/** Removes the sessions of the user that end, from the newest on. */
function removeEnding(owner: usize): void {
  let first = true;
  let record = asUser(owner).newest;
  for (let left = asUser(owner).count; left; left--) {
    const next = asSession(record).older;
    if (ending.includes(record)) {
      const id = idText(record);
      // The first tells of the mapping too: its user goes with the last session.
      if (first) replicateDelete(id, owner, mapping);
      else replicateFurtherDelete(id);
      first = false;
      changed(Event.DELETE, id.start, id.length);
      removeRecord(record);
    }
    record = next;
  }
}

/** What another file takes over in the same memory (carry.ts). */
export function carryExpired(): void {
  expired = carryWord<u64>(expired);
}
