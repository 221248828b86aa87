/**
 * Items (pairs of byte strings) in the auxiliary data of an RDB file, packed into blocks of up to 64 KiB: one
 * string of the file holds hundreds of them, which makes the file half as large and several times faster than
 * a string for each.
 *
 *     unsigned: number of records         as the module counts them; known before the first is read
 *     string: block                       any number of them
 *     string: END block
 *
 *     PACKED  | 1 | item | item | …                   ends with the last item's last byte
 *     LARGE   | 2 | length a | length b |             then a and b as two strings of the file, never copied
 *     END     | 0 | number of items u64 |
 *     item    | length a | length b | a … | b … |     lengths: LEB128, 1–5 bytes, at most 512 MiB
 *
 * Reading trusts nothing: each length is checked against its block and the END block's number against the
 * items seen.
 */
import { alloc, free, usableSize } from "./storage/heap";
import { beginChange, endChange } from "./change";
import { redis } from "./redis";
import { pointerOf, lengthOf } from "./frame";
import { line, appendText, appendNumber, logWarning } from "./text";
import { carryWord } from "./storage/carry";

const BLOCK_SIZE: u32 = 65536;
/** Most bytes that the two lengths of an item take. */
const LENGTHS_SIZE: u32 = 10;
/** Longest byte string that the server itself can hold. */
const MAX_LENGTH: u64 = 1 << 29;
const END: u8 = 0;
const PACKED: u8 = 1;
const LARGE: u8 = 2;

/** A LARGE or END block. */
const small: usize = memory.data(16);

/**
 * The block being filled: a 64 KiB buffer on the heap, taken before the first write, so that saving never
 * allocates.
 */
let block: usize = 0;
let used: u32 = 0;
let items: u64 = 0;

/** The block being read, in the host's memory: the next item's position and the block's end. */
let cursor: usize = 0;
let end: usize = 0;
/** The first string of the LARGE item being read, on the heap. */
let large: usize = 0;
/** Bytes that a string of an item may have. */
let longest: u64 = 536870912;
let largeLength: u32 = 0;

/** Two byte strings of a file. */
@unmanaged
class Item {
  a: usize;
  aLength: u32;
  b: usize;
  bLength: u32;
}

/** The item that `nextItem` read: valid until the next import call. */
export const item: Item = changetype<Item>(memory.data(offsetof<Item>(), 4));

/**
 * Takes the buffer that saving needs; false when there is no memory for it. The untouched buffer costs no
 * resident memory.
 */
export function reserveBlock(): bool {
  if (block) return true;
  beginChange();
  block = alloc(BLOCK_SIZE);
  endChange();
  return block != 0;
}

/** Bytes of the heap that the buffers take. */
export function blockMemory(): u64 {
  return (block ? usableSize(BLOCK_SIZE) : 0) + (large ? usableSize(max(largeLength, 1)) : 0);
}

/** Forgets the buffers, after the heap took back every block. */
export function forgetBlocks(): void {
  block = 0;
  large = 0;
}

/** Begins to save `count` records. Needs `reserveBlock` beforehand, as all functions for saving do. */
export function beginSave(count: u64): void {
  redis.SaveUnsigned(count);
  items = 0;
  used = 1;
}

/** Saves one item. O(length). */
export function saveItem(a: usize, aLength: u32, b: usize, bLength: u32): void {
  items++;
  const room = <u64>aLength + bLength + LENGTHS_SIZE;
  if (room > BLOCK_SIZE - 1) return saveLarge(a, aLength, b, bLength);
  if (used + <u32>room > BLOCK_SIZE) flushBlock();
  let target = writeLength(writeLength(block + used, aLength), bLength);
  memory.copy(target, a, aLength);
  target += aLength;
  memory.copy(target, b, bLength);
  used = <u32>(target + bLength - block);
}

/** Ends the saving of all items. */
export function endSave(): void {
  flushBlock();
  store<u8>(small, END);
  store<u64>(small, items, 1);
  redis.SaveStringBuffer(small, 9);
}

function saveLarge(a: usize, aLength: u32, b: usize, bLength: u32): void {
  flushBlock();
  store<u8>(small, LARGE);
  redis.SaveStringBuffer(small, <u32>(writeLength(writeLength(small + 1, aLength), bLength) - small));
  redis.SaveStringBuffer(a, aLength);
  redis.SaveStringBuffer(b, bLength);
}

function flushBlock(): void {
  if (used == 1) return;
  store<u8>(block, PACKED);
  redis.SaveStringBuffer(block, used);
  used = 1;
}

function writeLength(target: usize, length: u32): usize {
  for (; length >= 0x80; length >>= 7) store<u8>(target++, (<u8>length) | 0x80);
  store<u8>(target, <u8>length);
  return target + 1;
}

/**
 * Begins to load and returns the number of records that the file says it holds; -1 when it cannot be read, or
 * its version is none of 1 to `newest`.
 * @param extra bytes that the first string of an item may have more than the server's longest
 */
export function beginLoad(version: i32, newest: i32, extra: u32 = 0): i64 {
  longest = MAX_LENGTH + extra;
  releaseLarge();
  cursor = end = 0;
  items = 0;
  const count = redis.LoadUnsigned();
  if (!count && redis.IsIOError()) refuseEnd();
  else if (count > <u64>u32.MAX_VALUE) refuse(changetype<usize>("the number of records is out of range"));
  else if (version < 1 || version > newest) refuse(changetype<usize>("it was written by another version of this module"));
  else return <i64>count;
  return -1;
}

/**
 * Reads the next item into `item`; false when there is none or it is not sound: the cause is logged, the load
 * is to be refused.
 */
export function nextItem(): bool {
  releaseLarge();
  items++;
  if (cursor == end) {
    const kind = nextBlock();
    if (kind == LARGE) return nextLarge();
    if (kind == END) return refuse(changetype<usize>("it ends before its last record"));
    if (kind != PACKED) return false;
  }
  if (!readLengths()) return false;
  if (<u64>item.aLength + item.bLength > <u64>(end - cursor)) return refuse(changetype<usize>("an item is longer than its block"));
  item.a = cursor;
  item.b = cursor + item.aLength;
  cursor = item.b + item.bLength;
  return true;
}

/** Whether the data ends here, with an END block that counts as many items as were read. */
export function endLoad(): bool {
  releaseLarge();
  if (cursor != end) return refuse(changetype<usize>("a block goes on after the last record"));
  const kind = nextBlock();
  if (kind < 0) return false;
  if (kind != END) return refuse(changetype<usize>("there are more blocks than records"));
  if (end - cursor != 8 || load<u64>(cursor) != items) return refuse(changetype<usize>("the number of items differs from the END block's"));
  return true;
}

/** Logs why the load is refused, and where; returns false. */
export function refuse(reason: usize): bool {
  line(changetype<usize>("refused the data of the RDB file: "));
  appendText(reason);
  appendText(changetype<usize>(" (at item "));
  appendNumber(items);
  appendText(changetype<usize>(")"));
  logWarning();
  return false;
}

/** Refuses what there is no memory for; false. */
export function refuseMemory(): bool {
  return refuse(changetype<usize>("the module's memory is full (wasm.max-memory)"));
}

/** Refuses what the server cannot read on: nothing that came is wrong, something is missing. */
function refuseEnd(): bool {
  return refuse(changetype<usize>("it ends early: the file is cut short, or the link that it comes by was cut"));
}

/**
 * Reads the next block's kind and sets cursor and end to what follows it; -1 when that failed (and is
 * logged).
 */
function nextBlock(): i32 {
  const string = redis.LoadStringBuffer();
  cursor = pointerOf(string);
  end = cursor + lengthOf(string);
  if (!string) refuseEnd();
  else if (cursor == end) refuse(changetype<usize>("a block is empty"));
  else {
    const kind = load<u8>(cursor++);
    if (kind == PACKED ? cursor < end : kind <= LARGE) return kind;
    refuse(changetype<usize>("a block is of no known kind"));
  }
  cursor = end = 0;
  return -1;
}

/**
 * The two strings that follow a LARGE block; the first is copied, because reading the second ends its life.
 */
function nextLarge(): bool {
  if (!readLengths()) return false;
  if (cursor != end) return refuse(changetype<usize>("a LARGE block is too long"));
  cursor = end = 0;
  const aLength = item.aLength;
  const a = redis.LoadStringBuffer();
  if (!a) return refuseEnd();
  if (lengthOf(a) != aLength) return refuse(changetype<usize>("a large string is of another length"));
  large = alloc(max(aLength, 1));
  if (!large) return refuseMemory();
  largeLength = aLength;
  memory.copy(large, pointerOf(a), aLength);
  const b = redis.LoadStringBuffer();
  if (!b) return refuseEnd();
  if (lengthOf(b) != item.bLength) return refuse(changetype<usize>("a large string is of another length"));
  item.a = large;
  item.b = pointerOf(b);
  return true;
}

function releaseLarge(): void {
  if (large) free(large, max(largeLength, 1));
  large = 0;
}

/** Reads both lengths of an item at the cursor and moves it past them. */
function readLengths(): bool {
  const a = readLength();
  const b = a < 0 ? -1 : readLength();
  if (b < 0) return refuse(changetype<usize>("a length is not sound"));
  item.aLength = <u32>a;
  item.bLength = <u32>b;
  return true;
}

/** A LEB128 length at the cursor, which moves past it; -1 when the block ends in it or it is over 512 MiB. */
function readLength(): i64 {
  let value: u64 = 0;
  for (let shift: u32 = 0; shift < 35 && cursor < end; shift += 7) {
    const byte = load<u8>(cursor++);
    value |= (<u64>(byte & 0x7f)) << shift;
    if (!(byte & 0x80)) return value <= longest ? <i64>value : -1;
  }
  return -1;
}

/** What another file takes over in the same memory: the buffer of saving. */
export function carryBlock(): void {
  block = carryWord<usize>(block);
}
