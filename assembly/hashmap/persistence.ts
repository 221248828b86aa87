/**
 * The storage in RDB files, version 1: records are entries, an item each (persistence/blocks.ts), a = key, b = value.
 */
import { create, destroy, keyLength, keyOf, valueLength, valueOf } from "../storage/entry";
import {
  beginLoad,
  beginSave,
  endLoad,
  endSave,
  itemA,
  itemALength,
  itemB,
  itemBLength,
  nextItem,
  refuse,
  saveItem,
} from "../persistence/blocks";
import { prepareTable, table } from "./store";

// prettier-ignore
@inline export const VERSION: i32 = 1;

/** What touching entries before their use has read. */
let touched: u32 = 0;

/** Writes all entries. Allocates nothing. O(bytes). */
export function saveEntries(): void {
  beginSave(table.count);
  let cursor: u64 = 0;
  do {
    table.seek(cursor);
    touched += table.touch();
    for (let entry = table.next(); entry; entry = table.next()) {
      saveItem(keyOf(entry), keyLength(entry), valueOf(entry), valueLength(entry));
    }
    cursor = table.cursor;
  } while (cursor);
  endSave();
}

/** Reads all entries into the empty table; false when the data is not sound, the cause is logged. O(bytes). */
export function loadEntries(version: i32): bool {
  if (!prepareTable()) return refuse(changetype<usize>("the module's memory is full (wasm.max-memory)"));
  const count = beginLoad();
  if (count < 0) return false;
  if (version != VERSION) return refuse(changetype<usize>("it was written by another version of this module"));
  for (let index: i64 = 0; index < count; index++) {
    if (!nextItem() || !loadEntry()) return false;
  }
  return endLoad();
}

function loadEntry(): bool {
  const hash = table.hashOf(itemA, itemALength);
  if (table.lookup(itemA, itemALength, hash)) return refuse(changetype<usize>("a key is there twice"));
  const entry = create(itemA, itemALength, itemB, itemBLength);
  if (entry && table.reserve(hash)) {
    table.insert(hash, entry);
    return true;
  }
  if (entry) destroy(entry);
  return refuse(changetype<usize>("the module's memory is full (wasm.max-memory)"));
}
