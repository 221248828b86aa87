/** A limit of sessions per user: the oldest end for a new one, or the new one is refused. */
import { keyLength, keyOf } from "../../base/storage/entry";
import { changed } from "../../base/register";
import { appendEcho, appendNumber, appendText, failLine, line } from "../../base/text";
import { replicateFurtherDelete } from "../replication/effects";
import { Event } from "../replication/events";
import { isLive } from "../store/expiry";
import { asSession, furtherIdText } from "../store/record";
import { removeRecord } from "../store/records";
import { asUser, findUser } from "../store/users";
import { carryWord } from "../../base/storage/carry";

/** How many sessions have ended to make room for newer ones of the same user. */
export let evicted: u64 = 0;

/**
 * How many of the user's live sessions must end before one more is within the limit `most`; 0: none, as where
 * there is no limit, 0. O(user) below the limit, else O(sessions of the user).
 * Errors: `MAXSESSIONS <user> has <n> sessions`, where they are not to be evicted.
 */
export function victimsAmong(user: usize, userLength: u32, most: u32, rejects: bool): u32 {
  const owner = most ? findUser(user, userLength) : 0;
  if (!owner || asUser(owner).count < most) return 0;
  let live: u32 = 0;
  let record = asUser(owner).newest;
  for (let left = asUser(owner).count; left; left--) {
    live += <u32>isLive(record);
    record = asSession(record).older;
  }
  if (live < most) return 0;
  if (rejects) {
    line(changetype<usize>("MAXSESSIONS "));
    appendEcho(keyOf(owner), keyLength(owner));
    appendText(changetype<usize>(" has "));
    appendNumber(live);
    appendText(changetype<usize>(" sessions"));
    failLine();
  }
  return live - most + 1;
}

/** The user's oldest session. */
function oldestOf(owner: usize): usize {
  return asSession(asUser(owner).newest).newer;
}

/** Queues the ends of the oldest `victims` live sessions. */
export function replicateEvictions(owner: usize, victims: u32): void {
  let record = victims ? oldestOf(owner) : 0;
  while (victims) {
    if (isLive(record)) {
      replicateFurtherDelete(furtherIdText(record));
      victims--;
    }
    record = asSession(record).newer;
  }
}

/** Ends the oldest `victims` live sessions; the mapping names a newer one already. */
export function evict(owner: usize, victims: u32): void {
  let record = victims ? oldestOf(owner) : 0;
  evicted += victims;
  while (victims) {
    const next = asSession(record).newer;
    if (isLive(record)) {
      const id = furtherIdText(record);
      changed(Event.EVICTED, id.start, id.length);
      removeRecord(record);
      victims--;
    }
    record = next;
  }
}

/** What another file takes over in the same memory (carry.ts). */
export function carryEvicted(): void {
  evicted = carryWord<u64>(evicted);
}
