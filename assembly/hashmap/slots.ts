/**
 * Entries by their cluster slots: what leaves with a slot that moves to another server. Whether an entry has
 * expired is for that server to say: a write that is on its way there may lengthen its time.
 */
import { deadlineOf, keyLength, keyOf } from "../base/storage/entry";
import { beginChange, endChange } from "../base/change";
import { lengthOf, pointerOf } from "../base/frame";
import { redis } from "../base/redis";
import { beginStep, countDrop, endStep, passBatch, stepGoesOn, takeBatch, takenAt } from "../base/slot-drop";
import { indexOne, releaseWhenShort } from "../base/slot-index";
import { firstInSlots, nextInSlots } from "../base/slot-walk";
import { queueSet } from "./replication/effects";
import { compactEntries, releaseLeaving, removeEntry, table } from "./store/entries";
import { textOf } from "./store/value";

/**
 * Queues what makes the entries of these slots where they are not. Changes no entry. O(entries), of one slot
 * O(its entries) but for the first time.
 */
export function exportEntries(slots: usize): void {
  indexEntries(slots);
  for (let entry = firstInSlots(table, slots); entry; entry = nextInSlots()) {
    const text = textOf(entry);
    queueSet(keyOf(entry), keyLength(entry), pointerOf(text), lengthOf(text), deadlineOf(entry));
  }
}

/** How many entries lie in these slots. O(entries). */
export function countEntries(slots: usize): u64 {
  let count: u64 = 0;
  for (let entry = firstInSlots(table, slots); entry; entry = nextInSlots()) count++;
  return count;
}

function indexEntries(slots: usize): void {
  releaseWhenShort();
  indexOne(slots, table);
}

/**
 * One step of dropping the entries of these slots, without effects and events: WATCH and client-side caching
 * are told. It drops `most` at most and looks at eight times as many, or drops all where `most` is 0 or less.
 * @returns whether there may be more
 */
export function dropEntries(slots: usize, most: i32): bool {
  releaseLeaving();
  if (most <= 0) indexEntries(slots);
  beginStep(slots, most);
  while (stepGoesOn()) {
    const count = takeBatch(table, slots);
    beginChange();
    for (let index: u32 = 0; index < count; index++) dropTaken(takenAt(index));
    endChange();
    passBatch();
  }
  compactEntries(0);
  return endStep();
}

function dropTaken(entry: usize): void {
  const key = keyOf(entry);
  const length = keyLength(entry);
  const hash = table.hashOf(key, length);
  redis.SignalModifiedKey(key, length);
  removeEntry(table.lookup(key, length, hash), hash);
  countDrop();
}
