/**
 * Sessions by their cluster slots, each in that of its user: what leaves with a slot that moves to another
 * server. Whether one has expired is for that server to say: an access that is on its way there may lengthen
 * its time.
 */
import { keyLength, keyOf } from "../base/storage/entry";
import { beginChange, endChange } from "../base/change";
import { redis } from "../base/redis";
import { beginStep, countDrop, isDropped, mayDrop, passBatch, stepGoesOn, takeBatch, takenAt } from "../base/slot-drop";
import { isInSlots } from "../base/slots";
import { queueSession } from "./replication/effects";
import { compactRecords } from "./store/moving";
import { asSession, idText } from "./store/record";
import { beginCommand, removeRecord } from "./store/records";
import { asUser, users } from "./store/users";

/** What touching users before their use has read. */
let touched: u32 = 0;

/** Queues what makes the sessions of these slots where they are not. Changes no session. O(users + bytes). */
export function exportSessions(slots: usize): void {
  let cursor: u64 = 0;
  do {
    begin(cursor);
    for (let owner = users.next(); owner; owner = users.next()) if (isIn(slots, owner)) exportUser(owner);
    cursor = users.cursor;
  } while (cursor);
}

/** From the oldest on: each comes as the newest. */
function exportUser(owner: usize): void {
  let record = asSession(asUser(owner).newest).newer;
  for (let left = asUser(owner).count; left; left--) {
    queueSession(record);
    record = asSession(record).newer;
  }
}

/** How many sessions lie in these slots. O(users). */
export function countInSlots(slots: usize): u64 {
  let count: u64 = 0;
  let cursor: u64 = 0;
  do {
    begin(cursor);
    for (let owner = users.next(); owner; owner = users.next()) if (isIn(slots, owner)) count += asUser(owner).count;
    cursor = users.cursor;
  } while (cursor);
  return count;
}

/**
 * One step of dropping the sessions of these slots, without effects and events: WATCH and client-side caching
 * are told of users and ids. It drops `most` at most and looks at eight times as many users, or drops all
 * where `most` is 0 or less. @returns whether there may be more
 */
export function dropSessions(slots: usize, most: i32): bool {
  beginCommand();
  beginStep(slots, most);
  while (stepGoesOn()) {
    const count = takeBatch(users, slots);
    let all = true;
    beginChange();
    for (let index: u32 = 0; all && index < count; index++) all = mayDrop() > 0 && dropUser(takenAt(index));
    endChange();
    if (all) passBatch();
  }
  compactRecords(0);
  return !isDropped();
}

/** Drops sessions of a user, from the newest on; false: the step ends before the last. */
function dropUser(owner: usize): bool {
  redis.SignalModifiedKey(keyOf(owner), keyLength(owner));
  for (let left = asUser(owner).count; left; left--) {
    const record = asUser(owner).newest;
    const id = idText(record);
    redis.SignalModifiedKey(id.start, id.length);
    // With the last one its user goes.
    removeRecord(record);
    if (!countDrop()) return left == 1;
  }
  return true;
}

/** Goes to the chunk of a cursor. */
function begin(cursor: u64): void {
  users.seek(cursor);
  touched += users.touch();
}

// prettier-ignore
@inline
function isIn(slots: usize, owner: usize): bool {
  return isInSlots(slots, keyOf(owner), keyLength(owner));
}
