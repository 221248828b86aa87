/**
 * The entries of a table that lie in a set of slots (slots.ts), one by one, in any order: by the index
 * (slot-index.ts) where there is one and it is for one slot, else by a walk over all of them. Nothing may
 * change until the last one.
 */
import { endPlaces, findPlaces, isAtPlace, nextPlaceOf, placeCount, seekPlace, slotBy } from "./slot-index";
import { hasSlot } from "./slots";
import { Table } from "./storage/table/table";

let walked: Table = changetype<Table>(0);
let wanted: usize = 0;
let slotOfWalked: i32 = 0;
/** Whether the index tells where they are; the next place of it, and the number of the table there. */
let isIndexed: bool = false;
let place: u32 = 0;
let walkedSource: u32 = 0;
/** What touching entries before their use has read. */
let touched: u32 = 0;

/**
 * The first of them, 0: there is none. O(entries), O(those in the slot) with an index.
 * @param slotOfEntry a function `(entry: usize) => u32`, by its index in the table of functions; 0: their
 *   slots are those of their keys
 * @param source the number of the table in the index
 */
export function firstInSlots(table: Table, slots: usize, slotOfEntry: i32 = 0, source: u32 = 0): usize {
  walked = table;
  wanted = slots;
  slotOfWalked = slotOfEntry;
  walkedSource = source;
  place = 0;
  isIndexed = findPlaces(slots);
  table.endWalk();
  if (!isIndexed) seek(0);
  return nextInSlots();
}

/** The next one, 0 after the last. */
export function nextInSlots(): usize {
  do {
    for (let entry = walked.next(); entry; entry = walked.next()) if (isWanted(entry)) return entry;
  } while (seekNext());
  return 0;
}

/** Goes to the next chunk that is to be looked at; false: there is none. */
function seekNext(): bool {
  if (!isIndexed) {
    const cursor = walked.cursor;
    if (cursor) seek(cursor);
    return cursor != 0;
  }
  place = nextPlaceOf(walkedSource, place);
  if (place == placeCount()) {
    endPlaces();
    return false;
  }
  seekPlace(walked, place++);
  touched += walked.touch();
  return true;
}

function seek(cursor: u64): void {
  walked.seek(cursor);
  touched += walked.touch();
}

// prettier-ignore
@inline
function isWanted(entry: usize): bool {
  return hasSlot(wanted, slotBy(slotOfWalked, entry)) && (!isIndexed || isAtPlace(walked.hashOfEntry(entry), place - 1));
}
