/** The commands about many keys, and about the whole storage. */
import { keyLength, keyOf } from "../storage/entry";
import { entryMemory } from "../check";
import { matches } from "../glob";
import { argument, argumentLength, NULL, REPLIED } from "../frame";
import { cursorOf, failSyntax, integerOf, isWord } from "../parse";
import { redis } from "../redis";
import { writeDecimal } from "../text";
import { dropAll, findEntry, isExpired, table, wheel } from "./store";

/** Entries that SCAN looks at, unless COUNT says another number. */
@inline const COUNT: i64 = 10;
/** Empty places that SCAN passes over for each entry that it may look at. */
@inline const EMPTY_PER_ENTRY: u64 = 10;

const digits: usize = memory.data(24);
/** The options of SCAN, and the pattern of KEYS. Pattern 0: none. */
let pattern: usize = 0;
let patternLength: u32 = 0;
let count: i64 = 0;

/** `CUSTOM.KEYS [pattern]` → all keys, or those that match, in no particular order. O(entries). */
export function commandKeys(argc: i32, argv: usize): u64 {
  if (argc > 1) {
    redis.WrongArity();
    return REPLIED;
  }
  pattern = argc ? argument(argv, 0) : 0;
  patternLength = argc ? argumentLength(argv, 0) : 0;
  // Where all are to be told, their number is known beforehand.
  const known = !pattern && !wheel.count;
  redis.ReplyWithArray(known ? table.count : -1);
  let told: i64 = 0;
  let cursor: u64 = 0;
  do {
    told += replyChunk(cursor);
    cursor = table.cursor;
  } while (cursor);
  if (!known) redis.ReplySetArrayLength(told);
  return REPLIED;
}

/** Replies the keys of the home chunk at the cursor that match and have not expired; how many. */
function replyChunk(cursor: u64): i64 {
  let told: i64 = 0;
  table.seek(cursor);
  for (let entry = table.next(); entry; entry = table.next()) {
    if (pattern && !matches(pattern, patternLength, keyOf(entry), keyLength(entry))) continue;
    if (isExpired(entry)) continue;
    redis.ReplyWithStringBuffer(keyOf(entry), keyLength(entry));
    told++;
  }
  return told;
}

/**
 * `CUSTOM.SCAN cursor [MATCH pattern] [COUNT n]` → the next cursor, 0 at the end, and an array of keys: with SCAN's guarantees. A cursor is a
 * position in the order of the hash, of up to 48 bits; it means nothing after a restart. O(count).
 * Errors: `ERR invalid cursor`, `ERR syntax error`, `ERR value is not an integer or out of range`.
 */
export function commandScan(argc: i32, argv: usize): u64 {
  const start = cursorOf(argument(argv, 0), argumentLength(argv, 0));
  parseScan(argc, argv);
  const end = endOf(start);
  redis.ReplyWithArray(2);
  redis.ReplyWithStringBuffer(digits, writeDecimal(end, digits));
  redis.ReplyWithArray(-1);
  let told: i64 = 0;
  let cursor = start;
  do {
    told += replyChunk(cursor);
    cursor = table.cursor;
  } while (cursor != end);
  redis.ReplySetArrayLength(told);
  return REPLIED;
}

function parseScan(argc: i32, argv: usize): void {
  pattern = 0;
  count = COUNT;
  for (let index = 1; index < argc; index += 2) {
    const word = argument(argv, index);
    const length = argumentLength(argv, index);
    if (index + 1 == argc) failSyntax();
    const value = argument(argv, index + 1);
    const valueLength = argumentLength(argv, index + 1);
    if (isWord(word, length, changetype<usize>("MATCH"))) {
      pattern = value;
      patternLength = valueLength;
    } else if (isWord(word, length, changetype<usize>("COUNT"))) {
      count = integerOf(value, valueLength);
      if (count < 1) failSyntax();
    } else failSyntax();
  }
}

/** The cursor after the home chunks, from this one on, that hold `count` entries. */
function endOf(start: u64): u64 {
  let cursor = start;
  let seen: u64 = 0;
  let empty: u64 = 0;
  const limit = <u64>count;
  do {
    table.seek(cursor);
    const before = seen;
    while (table.next()) seen++;
    if (seen == before) empty++;
    cursor = table.cursor;
  } while (cursor && seen < limit && empty / EMPTY_PER_ENTRY < limit);
  return cursor;
}

/** `CUSTOM.LEN` → how many keys there are, with those that have expired and are not yet reclaimed. O(1). */
export function commandLen(argc: i32, argv: usize): u64 {
  redis.ReplyWithLongLong(table.count);
  return REPLIED;
}

/** `CUSTOM.CLEAR` → how many keys were removed, as CUSTOM.LEN counts them. O(entries): each key is signalled. */
export function commandClear(argc: i32, argv: usize): u64 {
  const removed = table.count;
  let cursor: u64 = 0;
  do {
    table.seek(cursor);
    for (let entry = table.next(); entry; entry = table.next()) redis.SignalModifiedKey(keyOf(entry), keyLength(entry));
    cursor = table.cursor;
  } while (cursor);
  if (removed) {
    redis.ReplicateVerbatim();
    dropAll();
  }
  redis.ReplyWithLongLong(removed);
  return REPLIED;
}

/** `CUSTOM.MEMORY key` → bytes of memory that the entry takes, null when absent. O(key). */
export function commandMemory(argc: i32, argv: usize): u64 {
  const entry = findEntry(argument(argv, 0), argumentLength(argv, 0));
  if (!entry) return NULL;
  redis.ReplyWithLongLong(entryMemory(entry) + SLOT_BYTES);
  return REPLIED;
}

/** Bytes of the table for each entry: its slot, its tag, its part of a chunk's head. */
@inline const SLOT_BYTES: u64 = 5;
