/**
 * SCAN and KEYS of both modules: the options, the walk over a table, and the cursor, which is a position in
 * the order of the hash, of up to 48 bits. A home chunk is replied whole or not at all, and that is what
 * gives SCAN its guarantees while the table grows and splits.
 *
 * What an entry is replied as is its module's: a function `(entry: usize) => bool`, named by its index in the
 * table of functions, `load<i32>(changetype<usize>(name))`. It asks `isAsked`, and answers whether it has
 * replied one string.
 */
import { argument, argumentLength } from "./frame";
import { matches } from "./glob";
import { cursorOf, failSyntax, integerOf, isWord } from "./parse";
import { redis } from "./redis";
import { Table } from "./storage/table/table";
import { writeDecimal } from "./text";

/** Entries that SCAN looks at, unless COUNT says another number. */
const COUNT: i64 = 10;
/** Empty places that SCAN passes over for each entry that it may look at. */
const EMPTY_PER_ENTRY: u64 = 10;

const digits: usize = memory.data(24);
/** What MATCH, or KEYS, asks for; 0: everything. */
let pattern: usize = 0;
let patternLength: u32 = 0;
let count: u64 = 0;

/**
 * Asks for what matches this glob-style pattern; 0: for everything. It lasts until the next command of this
 * kind.
 */
export function ask(glob: usize, length: u32): void {
  pattern = glob;
  patternLength = length;
}

/** Whether this name is asked for. O(name × pattern) at worst. */
export function isAsked(name: usize, length: u32): bool {
  return !pattern || matches(pattern, patternLength, name, length);
}

/** Replies all entries that are asked for, as strings of an array that is open; how many. O(entries). */
export function replyAll(table: Table, reply: i32): i64 {
  return replyBetween(table, 0, 0, reply);
}

/** As replyAll, of the home chunks from one cursor to before another; 0 is the end, too. */
function replyBetween(table: Table, start: u64, end: u64, reply: i32): i64 {
  let told: i64 = 0;
  let cursor = start;
  do {
    table.seek(cursor);
    for (let entry = table.next(); entry; entry = table.next()) told += i64(call_indirect<bool>(reply, entry));
    cursor = table.cursor;
  } while (cursor != end);
  return told;
}

/**
 * The whole of `SCAN cursor [MATCH pattern] [COUNT n]` → the next cursor, 0 at the end, and an array of
 * strings. O(n).
 * Errors: `ERR invalid cursor`, `ERR syntax error`, `ERR value is not an integer or out of range`.
 */
export function replyScan(argc: i32, argv: usize, table: Table, reply: i32): void {
  const start = cursorOf(argument(argv, 0), argumentLength(argv, 0));
  parseOptions(argc, argv);
  // The cursor comes before the strings, so the chunks are walked once to find it; what they hold stays where
  // it is meanwhile.
  const end = endOf(table, start);
  redis.ReplyWithArray(2);
  redis.ReplyWithStringBuffer(digits, writeDecimal(end, digits));
  redis.ReplyWithArray(-1);
  redis.ReplySetArrayLength(replyBetween(table, start, end, reply));
}

function parseOptions(argc: i32, argv: usize): void {
  ask(0, 0);
  count = COUNT;
  for (let at = 1; at < argc; at += 2) {
    const word = argument(argv, at);
    const length = argumentLength(argv, at);
    if (at + 1 == argc) failSyntax();
    const value = argument(argv, at + 1);
    const valueLength = argumentLength(argv, at + 1);
    if (isWord(word, length, changetype<usize>("MATCH"))) ask(value, valueLength);
    else if (isWord(word, length, changetype<usize>("COUNT"))) count = countOf(value, valueLength);
    else failSyntax();
  }
}

function countOf(text: usize, length: u32): u64 {
  const number = integerOf(text, length);
  if (number < 1) failSyntax();
  return number;
}

/** The cursor after the home chunks, from this one on, that hold `count` entries. */
function endOf(table: Table, start: u64): u64 {
  let cursor = start;
  let seen: u64 = 0;
  let empty: u64 = 0;
  do {
    table.seek(cursor);
    const before = seen;
    while (table.next()) seen++;
    if (seen == before) empty++;
    cursor = table.cursor;
  } while (cursor && seen < count && empty / EMPTY_PER_ENTRY < count);
  return cursor;
}
