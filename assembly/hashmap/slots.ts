/**
 * Entries by their cluster slots: what leaves with a slot that moves to another server. Whether an entry has
 * expired is for that server to say: a write that is on its way there may lengthen its time.
 */
import { deadlineOf, keyLength, keyOf } from "../base/storage/entry";
import { beginChange, endChange } from "../base/change";
import { lengthOf, pointerOf } from "../base/frame";
import { redis } from "../base/redis";
import { beginStep, countDrop, isDropped, passBatch, stepGoesOn, takeBatch, takenAt } from "../base/slot-drop";
import { isInSlots } from "../base/slots";
import { queueSet } from "./replication/effects";
import { compactEntries, releaseLeaving, removeEntry, table } from "./store/entries";
import { textOf } from "./store/value";

/** What touching entries before their use has read. */
let touched: u32 = 0;

/** Queues what makes the entries of these slots where they are not. Changes nothing. O(entries). */
export function exportEntries(slots: usize): void {
  let cursor: u64 = 0;
  do {
    begin(cursor);
    for (let entry = table.next(); entry; entry = table.next()) {
      if (!isIn(slots, entry)) continue;
      const text = textOf(entry);
      queueSet(keyOf(entry), keyLength(entry), pointerOf(text), lengthOf(text), deadlineOf(entry));
    }
    cursor = table.cursor;
  } while (cursor);
}

/** How many entries lie in these slots. O(entries). */
export function countEntries(slots: usize): u64 {
  let count: u64 = 0;
  let cursor: u64 = 0;
  do {
    begin(cursor);
    for (let entry = table.next(); entry; entry = table.next()) count += u64(isIn(slots, entry));
    cursor = table.cursor;
  } while (cursor);
  return count;
}

/**
 * One step of dropping the entries of these slots, without effects and events: WATCH and client-side caching
 * are told. It drops `most` at most and looks at eight times as many, or drops all where `most` is 0 or less.
 * @returns whether there may be more
 */
export function dropEntries(slots: usize, most: i32): bool {
  releaseLeaving();
  beginStep(slots, most);
  while (stepGoesOn()) {
    const count = takeBatch(table, slots);
    beginChange();
    for (let index: u32 = 0; index < count; index++) dropTaken(takenAt(index));
    endChange();
    passBatch();
  }
  compactEntries(0);
  return !isDropped();
}

function dropTaken(entry: usize): void {
  const key = keyOf(entry);
  const length = keyLength(entry);
  const hash = table.hashOf(key, length);
  redis.SignalModifiedKey(key, length);
  removeEntry(table.lookup(key, length, hash), hash);
  countDrop();
}

/** Goes to the chunk of a cursor. */
function begin(cursor: u64): void {
  table.seek(cursor);
  touched += table.touch();
}

// prettier-ignore
@inline
function isIn(slots: usize, entry: usize): bool {
  return isInSlots(slots, keyOf(entry), keyLength(entry));
}
