/**
 * Sessions by their cluster slots, each in that of its user: what leaves with a slot that moves to another
 * server. Whether one has expired is for that server to say: an access that is on its way there may lengthen
 * its time.
 */
import { keyLength, keyOf } from "../base/storage/entry";
import { beginChange, endChange } from "../base/change";
import { redis } from "../base/redis";
import { beginStep, countDrop, endStep, mayDrop, passBatch, stepGoesOn, takeBatch, takenAt } from "../base/slot-drop";
import { indexOne } from "../base/slot-index";
import { firstInSlots, nextInSlots } from "../base/slot-walk";
import { queueSession } from "./replication/effects";
import { compactRecords } from "./store/moving";
import { asSession, idText } from "./store/record";
import { beginCommand, removeRecord } from "./store/records";
import { asUser, users } from "./store/users";

/**
 * Queues what makes the sessions of these slots where they are not. Changes no session. O(users + bytes), of
 * one slot O(its users + bytes) but for the first time.
 */
export function exportSessions(slots: usize): void {
  indexOne(slots, users);
  for (let owner = firstInSlots(users, slots); owner; owner = nextInSlots()) exportUser(owner);
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
  for (let owner = firstInSlots(users, slots); owner; owner = nextInSlots()) count += asUser(owner).count;
  return count;
}

/**
 * One step of dropping the sessions of these slots, without effects and events: WATCH and client-side caching
 * are told of users and ids. It drops `most` at most and looks at eight times as many users, or drops all
 * where `most` is 0 or less. @returns whether there may be more
 */
export function dropSessions(slots: usize, most: i32): bool {
  beginCommand();
  if (most <= 0) indexOne(slots, users);
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
  return endStep();
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
