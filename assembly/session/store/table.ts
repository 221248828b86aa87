/** The table of records (record.ts), and what it takes to fill it. */
import { copy, equal } from "../../base/storage/bytes";
import { carryHeap, heapReset, whenShort } from "../../base/storage/heap";
import { Table } from "../../base/storage/table/table";
import { carryBlock, forgetBlocks, reserveBlock } from "../../base/persistence";
import { redis } from "../../base/redis";
import { forgetDrop } from "../../base/slot-drop";
import { releaseIdleIndex, releaseIndex } from "../../base/slot-index";
import { ID_SIZE } from "../ids/uuid";
import { carryScratch, forgetScratch } from "../texts/scratch";
import { carryFields, forgetFields, releasePiece, setFieldsKey } from "./fields/tabled";
import { carryQueue, wheel } from "./queue";
import { carryUsers, users } from "./users";
import { carryArea, carryWord, joins } from "../../base/storage/carry";

/** The one table; its struct is static. */
export const table: Table = changetype<Table>(memory.data(offsetof<Table>(), 16));
/**
 * Whether the tables have their hash key, drawn before the first session comes: loading the module must call
 * nothing.
 */
let keyed: bool = false;
const key: usize = memory.data(16, 8);

/**
 * Gets ready for sessions: draws the hash key and takes the buffer of saving. False when there is no memory.
 */
export function prepareTable(): bool {
  if (!keyed) {
    redis.GetRandomBytes(key, 16);
    table.init(load<u64>(key), load<u64>(key, 8));
    // No key of a UUID.
    memory.fill(minted, 0, ID_SIZE);
    users.init(load<u64>(key), load<u64>(key, 8));
    setFieldsKey(load<u64>(key), load<u64>(key, 8));
    whenShort(load<i32>(changetype<usize>(releaseSome)));
    wheel.init();
    keyed = true;
  }
  return reserveBlock();
}

/** Frees what can be done without, where memory is short. Inside a change. */
function releaseSome(): bool {
  return releaseIdleIndex() || releasePiece();
}

/**
 * Forgets tables, queue and all that lies in the heap, which takes back every block. Inside a change. O(pages
 * of the memory).
 */
export function forgetTables(): void {
  releaseIndex();
  if (keyed) {
    table.forget();
    users.forget();
    wheel.init();
  }
  // With another key: data that comes back from a file in the order of this one would make the table split at
  // every step.
  keyed = false;
  heapReset();
  forgetBlocks();
  forgetFields();
  forgetScratch();
  forgetDrop();
}

/** The record of this key: a session, or an old id; 0 when there is none. O(1). */
// prettier-ignore
@inline
export function findRecord(key: usize, length: u32): usize {
  return table.find(key, length);
}

/** The key of the UUID that was minted last, and its hash: it is looked for, and then stored. */
const minted: usize = memory.data(16, 16);
let hashOfMinted: u64 = 0;

/** Whether no record has this UUID, which was just minted, as its key. O(1). */
export function isUnknown(key: usize): bool {
  copy(minted, key, ID_SIZE);
  hashOfMinted = table.hashOf(key, ID_SIZE);
  return !table.lookup(key, ID_SIZE, hashOfMinted);
}

/** The hash of the key of a new record. O(1). */
export function hashOfNew(key: usize, length: u32): u64 {
  return length == ID_SIZE && equal(minted, key, ID_SIZE) ? hashOfMinted : table.hashOf(key, length);
}

/** What another file takes over in the same memory (carry.ts). */
export function carryTable(): void {
  carryHeap();
  carryBlock();
  carryScratch();
  carryFields();
  carryQueue();
  carryUsers();
  carryArea(changetype<usize>(table), offsetof<Table>());
  carryArea(key, 16);
  keyed = carryWord<bool>(keyed);
  // Its number in the table of functions may be another one.
  if (keyed && joins()) whenShort(load<i32>(changetype<usize>(releaseSome)));
}
