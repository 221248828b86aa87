/**
 * Dropping what lies in a set of slots (slots.ts), in steps between which other commands run:
 *
 *     beginStep(slots, most);
 *     while (stepGoesOn()) {
 *       const count = takeBatch(table, slots);
 *       …                                        // drops takenAt(0 …), and calls countDrop for each
 *       passBatch();
 *     }
 *     return endStep();
 *
 * It may begin anew at any time, since what was dropped is gone. What comes into the slots meanwhile may
 * stay. All of one slot is found by the index (slot-index.ts), where there is one.
 */
import { endPlaces, findPlaces, forgetIndex, nextPlaceOf, placeCount, seekPlace, slotBy } from "./slot-index";
import { Table } from "./storage/table/table";
import { hasSlot, SET_BYTES } from "./slots";

/** Entries that are taken at a time. */
const BATCH: i64 = 16;
/** What is looked at for each that a step may drop, so that it is short where there is little to drop. */
const LOOKS: i64 = 8;
/** More than there can be. */
const ALL: i64 = 1099511627776;

/** The entries that were taken, u32 each. */
const taken: usize = memory.data(64, 4);
/** A digest of the set that is being dropped. */
let dropping: u64 = 0;
/** The cursor to go on with, 0: at the beginning; and the one behind the batch. */
let position: u64 = 0;
let following: u64 = 0;
/**
 * Whether the places of an index are gone through instead; the one to go on with, and the one behind the
 * batch.
 */
let isIndexed: bool = false;
let place: u32 = 0;
let followingPlace: u32 = 0;
/** Whether the walk is at its end; and whether it is behind the batch. */
let isAtEnd: bool = false;
let isLast: bool = false;
/** How many more the step may drop, and look at. */
let dropsLeft: i64 = 0;
let looksLeft: i64 = 0;
/** What touching entries before their use has read. */
let touched: u32 = 0;

/**
 * Begins a step that drops `most` at most, or, from the beginning, all where that is 0 or less. Whether it
 * goes on from the step before, of the same set.
 */
export function beginStep(slots: usize, most: i32): bool {
  const set = digestOf(slots);
  // A drop of nothing, which looks at nothing: no slots move any more.
  if (!set) forgetIndex();
  const isSame = most > 0 && set == dropping;
  if (!isSame) position = 0;
  isIndexed = most <= 0 && findPlaces(slots);
  place = 0;
  dropping = set;
  isAtEnd = !set;
  dropsLeft = most > 0 ? <i64>most : ALL;
  looksLeft = most > 0 ? <i64>most * LOOKS : ALL;
  return isSame;
}

/** Goes on with another table, from its beginning or where the step before has ended in it. */
export function beginTable(): void {
  isAtEnd = false;
  place = 0;
}

/** Whether the step goes by the index. */
export function goesByIndex(): bool {
  return isIndexed;
}

/** A digest of a set of slots, by which it is known again. */
function digestOf(slots: usize): u64 {
  let digest: u64 = 0;
  for (let at = slots, end = slots + <usize>SET_BYTES; at < end; at += 8) digest = rotl(digest ^ load<u64>(at), 29) * 0x9e3779b97f4a7c15;
  return digest;
}

/** Whether the step does more. */
export function stepGoesOn(): bool {
  return !isAtEnd && dropsLeft > 0 && looksLeft > 0;
}

/** Whether all of the table is dropped. */
export function isDropped(): bool {
  return isAtEnd;
}

/** Ends a step. Whether there may be more. */
export function endStep(): bool {
  endPlaces();
  return !isAtEnd;
}

/** How many more the step may drop. */
export function mayDrop(): i64 {
  return dropsLeft;
}

/** Counts one that was looked at. */
export function countLook(): void {
  looksLeft--;
}

/**
 * Takes entries of the slots, all of one home chunk; how many. O(1).
 * @param slotOfEntry a function `(entry: usize) => u32`, by its index in the table of functions; 0: their
 *   slots are those of their keys
 * @param source the number of the table in the index
 */
export function takeBatch(table: Table, slots: usize, slotOfEntry: i32 = 0, source: u32 = 0): u32 {
  const most = <u32>min(dropsLeft, BATCH);
  let count: u32 = 0;
  if (isIndexed) {
    place = nextPlaceOf(source, place);
    isLast = place == placeCount();
    if (isLast) return 0;
    seekPlace(table, place);
  } else table.seek(position);
  touched += table.touch();
  let entry = table.next();
  for (; entry && count < most; entry = table.next()) {
    countLook();
    if (!hasSlot(slots, slotBy(slotOfEntry, entry))) continue;
    store<u32>(taken + ((<usize>count) << 2), <u32>entry);
    count++;
  }
  following = entry ? position : table.cursor;
  followingPlace = place + u32(!entry);
  isLast = !entry && (isIndexed ? followingPlace == placeCount() : !following);
  table.endWalk();
  return count;
}

/** Entry `index` of the batch. */
// prettier-ignore
@inline
export function takenAt(index: u32): usize {
  return <usize>load<u32>(taken + ((<usize>index) << 2));
}

/** Counts one that was dropped; whether the step may drop more. */
export function countDrop(): bool {
  return --dropsLeft > 0;
}

/** All of the batch is dropped: goes on behind it. */
export function passBatch(): void {
  if (isIndexed) place = followingPlace;
  else position = following;
  isAtEnd = isLast;
}

/** The next step begins anew: all data is gone, and what comes is stored in another order. */
export function forgetDrop(): void {
  position = 0;
}
