/** The commands about many keys, and about the whole storage. */
import { keyLength, keyOf } from "../../base/storage/entry";
import { beginChange, endChange } from "../../base/change";
import { entryMemory } from "../../base/check";
import { isExpired } from "../../base/deadline";
import { argument, argumentLength, NULL, REPLIED } from "../../base/frame";
import { redis } from "../../base/redis";
import { replyArity, replyInteger } from "../../base/reply";
import { ask, isAsked, replyAll, replyScan } from "../../base/scan";
import { dropAll, findEntry, table, wheel } from "../store/entries";

/** `CUSTOM.KEYS [pattern]` → all keys, or those that match, in no particular order. O(entries). */
export function commandKeys(argc: i32, argv: usize): u64 {
  if (argc > 1) return replyArity();
  if (argc) ask(argument(argv, 0), argumentLength(argv, 0));
  else ask(0, 0);
  // Where all are to be told, their number is known beforehand.
  const known = !argc && !wheel.count;
  redis.ReplyWithArray(known ? table.count : -1);
  const told = replyAll(table, load<i32>(changetype<usize>(replyKey)));
  if (!known) redis.ReplySetArrayLength(told);
  return REPLIED;
}

/** `CUSTOM.SCAN cursor [MATCH pattern] [COUNT n]`: see replyScan. */
export function commandScan(argc: i32, argv: usize): u64 {
  replyScan(argc, argv, table, load<i32>(changetype<usize>(replyKey)));
  return REPLIED;
}

function replyKey(entry: usize): bool {
  if (!isAsked(keyOf(entry), keyLength(entry)) || isExpired(entry)) return false;
  redis.ReplyWithStringBuffer(keyOf(entry), keyLength(entry));
  return true;
}

/** `CUSTOM.LEN` → how many keys there are, with those that have expired and are not yet reclaimed. O(1). */
export function commandLen(argc: i32, argv: usize): u64 {
  return replyInteger(table.count);
}

/**
 * `CUSTOM.CLEAR` → how many keys were removed, as CUSTOM.LEN counts them. O(entries): each key is signalled.
 */
export function commandClear(argc: i32, argv: usize): u64 {
  const removed = table.count;
  for (let entry = table.firstOfAll(); entry; entry = table.nextOfAll()) redis.SignalModifiedKey(keyOf(entry), keyLength(entry));
  if (removed) {
    beginChange();
    redis.ReplicateVerbatim();
    dropAll();
    endChange();
  }
  return replyInteger(removed);
}

/** `CUSTOM.MEMORY key` → bytes of memory that the entry takes, null when absent. O(key). */
export function commandMemory(argc: i32, argv: usize): u64 {
  const entry = findEntry(argument(argv, 0), argumentLength(argv, 0));
  if (!entry) return NULL;
  return replyInteger(entryMemory(entry) + SLOT_BYTES);
}

/** Bytes of the table for each entry: its slot, its tag, its part of a chunk's head. */
const SLOT_BYTES: u64 = 5;
