/**
 * The entries of a hash table as the running command sees them, in the order of the hash; what the command is
 * about to put in comes after the last stored one.
 */
import { isExpired } from "../../base/deadline";
import { keyLength, keyOf } from "../../base/storage/entry";
import { Table } from "../../base/storage/table/table";
import { Writer } from "../values/buffer";
import { hashTable } from "../store/tables";
import { count, ENTRY, findPending, first, isSeen, Pending } from "./pending";
import { View } from "./view";
import { place } from "./walk";

/** Entries that were found, and how many of them were given: u32 addresses of stored ones. */
let found: usize = 0;
let foundCount: u32 = 0;
let given: u32 = 0;
let view: View = changetype<View>(0);
/** The records to be given behind them. */
let record: Pending = changetype<Pending>(0);

const list: Writer = changetype<Writer>(memory.data(offsetof<Writer>(), 4));

/**
 * Finds the stored entries from a cursor on, at least so many if there are: seeHash gives them. The cursor to
 * go on with, 0 at the end.
 */
export function scanHash(entries: View, cursor: u64, wanted: i32): u64 {
  view = entries;
  list.begin();
  const table: Table = hashTable(entries.table);
  const isHidden = !table.count || entries.hidesStored();
  do {
    if (isHidden) {
      cursor = 0;
      break;
    }
    table.seek(cursor);
    for (let entry = table.next(); entry; entry = table.next()) list.fixed<u32>(<u32>entry);
    cursor = table.cursor;
  } while (cursor && <i32>(list.length >> 2) < wanted);
  found = list.start;
  foundCount = list.length >> 2;
  given = 0;
  record = cursor ? changetype<Pending>(0) : first;
  return cursor;
}

/** Goes to the next one, into `place`; false: there is none. */
export function seeHash(): bool {
  while (given < foundCount) {
    const entry = <usize>load<u32>(found + ((<usize>given) << 2));
    given++;
    if (isExpired(entry)) continue;
    if (!count) return seeStored(entry);
    const pending = findPending(ENTRY, keyOf(entry), keyLength(entry));
    if (!changetype<usize>(pending)) return seeStored(entry);
    if (isSeen(pending)) return seeRecord(pending);
  }
  while (changetype<usize>(record)) {
    const at = record;
    record = at.next;
    if (at.kind == ENTRY && isSeen(at) && isNew(at) && view.holds(at.key, at.keyLength)) return seeRecord(at);
  }
  return false;
}

/** Whether no stored entry stands for the record. */
function isNew(at: Pending): bool {
  return !at.stored || isExpired(at.stored) || view.hidesStored();
}

function seeStored(entry: usize): bool {
  place.toStored(entry);
  return true;
}

function seeRecord(at: Pending): bool {
  place.toRecord(at);
  return true;
}
