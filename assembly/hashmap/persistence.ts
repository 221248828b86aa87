/**
 * The storage in RDB files, version 2: two sequences of records (base/persistence.ts), an item each.
 *
 *     entries without a deadline    a = key                              b = value
 *     entries with one              a = | deadline i64, Unix ms | key |  b = value
 *
 * Version 1 had the first sequence alone. Loading judges no deadline by the clock: what has expired meanwhile
 * is reclaimed by sweeping.
 */
import { deadlineOf, destroy, keyLength, keyOf } from "../base/storage/entry";
import { beginLoad, beginSave, endLoad, endSave, item, nextItem, refuse, refuseMemory, saveItem } from "../base/persistence";
import { lengthOf, pointerOf } from "../base/frame";
import { redis } from "../base/redis";
import { appendNumber, appendText, line, logNotice } from "../base/text";
import { createKept, prepareTable, schedule, startWheel, table, wheel } from "./store/entries";
import { keep, textOf } from "./store/value";

export const VERSION: i32 = 2;
/** Bytes of a deadline, which an entry keeps right before its key. */
const DEADLINE_SIZE: u32 = 8;

/** What touching entries before their use has read. */
let touched: u32 = 0;

/** Writes all entries. Allocates nothing. O(bytes). */
export function saveEntries(): void {
  const timed = table.count ? wheel.count : 0;
  saveSequence(table.count - timed, false);
  saveSequence(timed, true);
}

/** Writes the entries with a deadline, or those without. */
function saveSequence(count: u32, timed: bool): void {
  beginSave(count);
  let cursor: u64 = 0;
  let left = count;
  while (left) {
    table.seek(cursor);
    touched += table.touch();
    for (let entry = table.next(); entry; entry = table.next()) {
      if ((deadlineOf(entry) != 0) != timed) continue;
      const before = timed ? DEADLINE_SIZE : 0;
      const text = textOf(entry);
      saveItem(keyOf(entry) - <usize>before, keyLength(entry) + before, pointerOf(text), lengthOf(text));
      left--;
    }
    cursor = table.cursor;
    if (!cursor) break;
  }
  endSave();
}

/**
 * Reads all entries into the empty table; false when the data is not sound, the cause is logged. O(bytes).
 */
export function loadEntries(version: i32): bool {
  if (!prepareTable()) return refuseMemory();
  if (!loadSequence(version, false)) return false;
  if (version == 1) return true;
  startWheel(redis.Milliseconds());
  return loadSequence(version, true);
}

function loadSequence(version: i32, timed: bool): bool {
  const count = beginLoad(version, VERSION, timed ? DEADLINE_SIZE : 0);
  if (count < 0) return false;
  for (let index: i64 = 0; index < count; index++) {
    if (!nextItem() || !loadEntry(timed)) return false;
  }
  return endLoad();
}

function loadEntry(timed: bool): bool {
  const before = timed ? DEADLINE_SIZE : 0;
  if (item.aLength < before) return refuse(changetype<usize>("a deadline is cut short"));
  const deadline = timed ? load<i64>(item.a) : 1;
  if (deadline <= 0) return refuse(changetype<usize>("a deadline is out of range"));
  const key = item.a + <usize>before;
  const length = item.aLength - before;
  const hash = table.hashOf(key, length);
  if (table.lookup(key, length, hash)) return refuse(changetype<usize>("a key is there twice"));
  keep(item.b, item.bLength);
  const entry = createKept(key, length, timed);
  if (entry && table.reserve(hash)) {
    table.insert(hash, entry);
    if (timed) schedule(entry, deadline);
    return true;
  }
  if (entry) destroy(entry);
  return refuseMemory();
}

/** Tells the log how many entries there are after a load. */
export function tellEntries(): void {
  line(changetype<usize>(""));
  appendNumber(table.count);
  appendText(changetype<usize>(" entries loaded"));
  logNotice();
}
