/**
 * A session's data: fields with values, in the order of their first writing. Three forms, told apart by the u32 that stands for them:
 *
 *     0                 no field
 *     address           packed: all in one block of at most 2 KiB, found by walking it
 *     address | 1       tabled: an entry for each in a hash table, chained in order
 *
 *     packed   | size u16 | used u16 | count u16 | item | item | … | (size - used bytes vacant)
 *     item     | name length u16 | value length u16 | name | value |
 *
 *     tabled   | Table | first u32 | last u32 | bytes u32 that it would use packed |
 *     entry    key = name; value = | previous u32 | next u32 | value |        0: none
 *
 * Packed data is small, so walking it costs about a cache miss per 64 bytes; a session with thousands of fields answers in O(1).
 *
 * The content alone decides on the form, and on the size of a packed block: the smallest that the heap has. So a session takes the same bytes on a
 * replica and after a restart, whatever it held before. Where there is no room for the smaller form at once, the larger one stays.
 *
 * Writing is in two phases: `preparePut` allocates and may fail, `commitPut` cannot. Between them lies nothing but replication.
 */
import { copy, equal } from "../../base/storage/bytes";
import { createFixed, destroy, keyLength, keyOf, sizeOf, valueLength, valueOf } from "../../base/storage/entry";
import { alloc, allocWithin, free, usableSize } from "../../base/storage/heap";
import { Table } from "../../base/storage/table";
import { argument, argumentLength, pack } from "../../base/frame";

const HEADER: u32 = 6;
const ITEM_HEADER: u32 = 4;
/** Most bytes of a packed block, and most fields in it: past either, the data is tabled. */
const PACKED_MAX: u32 = 2048;
const PACKED_FIELDS: u32 = 64;
const TABLED: u32 = 1;


@inline const FIRST: usize = offsetof<Table>();


@inline const LAST: usize = FIRST + 4;


@inline const BYTES: usize = FIRST + 8;


@inline const TABLED_SIZE: u32 = <u32>(FIRST + 12);
const LINKS: u32 = 8;
/** Fields that are freed at a time: the rest of larger data waits for the commands and steps of the sweep that follow. */
export const PIECE: u32 = 512;
/** Fields that may wait: past these none does. */
const WAITING_MAX: u32 = 1 << 20;

/** The first of the tabled data that waits to be freed; the place of `last` names the next. And how many fields wait. */
let waiting: u32 = 0;
let waitingFields: u32 = 0;
/** Fields of tabled data that were freed, for those who count what a step of theirs frees. */
export let released: u32 = 0;

/** The hash key of all tables. */
let k0: u64 = 0;
let k1: u64 = 0;

/** The put that was prepared: what to change, and the item or entry that it changes or adds. */
let putFields: u32 = 0;
let putTarget: u32 = 0;
let putItem: usize = 0;
let putEntry: usize = 0;
let putSlot: usize = 0;
let putHash: u64 = 0;
let putName: usize = 0;
let putNameLength: u32 = 0;
let putValue: usize = 0;
let putValueLength: u32 = 0;

/** The walk in progress, and the field that `nextField` gave. */
let walkAt: usize = 0;
let walkEnd: usize = 0;
export let fieldName: usize = 0;
export let fieldNameLength: u32 = 0;
export let fieldValue: usize = 0;
export let fieldValueLength: u32 = 0;

/** Sets the hash key, before the first field comes. */
export function setFieldsKey(first: u64, second: u64): void {
  k0 = first;
  k1 = second;
}

/** How many fields there are. O(1). */
export function countFields(fields: u32): u32 {
  if (!fields) return 0;
  return fields & TABLED ? tableOf(fields).count : <u32>load<u16>(fields, 4);
}

/** The field's value (`length << 32 | pointer`, valid until the next write), 0 when absent. O(1), as packed data is bounded. */
export function getField(fields: u32, name: usize, length: u32): u64 {
  if (!fields) return 0;
  if (fields & TABLED) {
    const entry = tableOf(fields).find(name, length);
    return entry ? pack(valueOf(entry) + LINKS, valueLength(entry) - LINKS) : 0;
  }
  const item = findItem(<usize>fields, name, length);
  return item ? pack(item + ITEM_HEADER + load<u16>(item), load<u16>(item, 2)) : 0;
}

/** Begins a walk over the fields in order. Nothing may change until its end. */
export function beginFields(fields: u32): void {
  walkEnd = 0;
  walkAt = 0;
  if (!fields) return;
  if (fields & TABLED) {
    walkAt = <usize>load<u32>(fields & ~TABLED, FIRST);
  } else {
    walkAt = <usize>fields + HEADER;
    walkEnd = <usize>fields + load<u16>(fields, 2);
  }
}

/** Gives the next field in fieldName and fieldValue; false after the last. O(1). */
export function nextField(): bool {
  if (walkAt == walkEnd) return false;
  if (walkEnd) {
    fieldNameLength = load<u16>(walkAt);
    fieldValueLength = load<u16>(walkAt, 2);
    fieldName = walkAt + ITEM_HEADER;
    fieldValue = fieldName + fieldNameLength;
    walkAt = fieldValue + fieldValueLength;
    return true;
  }
  fieldName = keyOf(walkAt);
  fieldNameLength = keyLength(walkAt);
  const value = valueOf(walkAt);
  fieldValue = value + LINKS;
  fieldValueLength = valueLength(walkAt) - LINKS;
  walkAt = <usize>load<u32>(value, 4);
  return true;
}

/** Bytes of the heap that the data takes. O(fields). */
export function fieldsMemory(fields: u32): u64 {
  if (!fields) return 0;
  if (!(fields & TABLED)) return usableSize(load<u16>(fields));
  let bytes = tableOf(fields).memoryUsed() + usableSize(TABLED_SIZE);
  for (let entry = <usize>load<u32>(fields & ~TABLED, FIRST); entry; entry = <usize>load<u32>(valueOf(entry), 4)) {
    bytes += usableSize(sizeOf(entry));
  }
  return bytes;
}

/** Whether the data holds together: lengths within their block, or table and chain of the same entries. O(fields). */
export function checkFields(fields: u32): bool {
  if (!fields) return true;
  return fields & TABLED ? checkTabled(<usize>(fields & ~TABLED)) : checkPacked(<usize>fields);
}

function checkPacked(block: usize): bool {
  const used = <u32>load<u16>(block, 2);
  if (used > <u32>load<u16>(block)) return false;
  let at = HEADER;
  let count: u32 = 0;
  for (; at + ITEM_HEADER <= used; at += itemSize(block + at)) count++;
  return at == used && count == <u32>load<u16>(block, 4);
}

function checkTabled(tabled: usize): bool {
  const table = changetype<Table>(tabled);
  if (table.check()) return false;
  let count: u32 = 0;
  let previous: u32 = 0;
  let bytes = HEADER;
  for (let entry = load<u32>(tabled, FIRST); entry; entry = load<u32>(valueOf(<usize>entry), 4)) {
    if (++count > table.count || load<u32>(valueOf(<usize>entry)) != previous || !table.slotOf(<usize>entry)) return false;
    previous = entry;
    bytes += packedSize(<usize>entry);
  }
  return count == table.count && load<u32>(tabled, LAST) == previous && load<u32>(tabled, BYTES) == bytes;
}

/** Frees all fields, of much data only the first PIECE now. O(1), while fewer than WAITING_MAX fields wait. */
export function releaseFields(fields: u32): void {
  if (!fields) return;
  if (!(fields & TABLED)) return free(<usize>fields, load<u16>(fields));
  const tabled = fields & ~TABLED;
  waitingFields += tableOf(fields).count;
  store<u32>(<usize>tabled, waiting, LAST);
  waiting = tabled;
  do releasePiece();
  while (waitingFields > WAITING_MAX);
}

/** Whether fields wait to be freed. */
// prettier-ignore
@inline
export function fieldsWait(): bool {
  return waiting != 0;
}

/** Frees at most PIECE of the fields that wait, and tables without fields. O(1). @returns whether there was anything to free */
export function releasePiece(): bool {
  if (!waiting) return false;
  let left = PIECE;
  while (waiting && left) {
    const tabled = <usize>waiting;
    let entry = <usize>load<u32>(tabled, FIRST);
    for (; entry && left; left--) {
      const next = <usize>load<u32>(valueOf(entry), 4);
      destroy(entry);
      entry = next;
    }
    store<u32>(tabled, <u32>entry, FIRST);
    if (entry) break;
    waiting = load<u32>(tabled, LAST);
    changetype<Table>(tabled).release();
    free(tabled, TABLED_SIZE);
  }
  waitingFields -= PIECE - left;
  released += PIECE - left;
  return true;
}

/** Forgets what waits, after the heap took back every block. */
export function forgetFields(): void {
  waiting = 0;
  waitingFields = 0;
}

/** Bytes of the heap that what waits takes. O(fields that wait). */
export function waitingMemory(): u64 {
  let bytes: u64 = 0;
  for (let tabled = waiting; tabled; tabled = load<u32>(<usize>tabled, LAST)) bytes += fieldsMemory(tabled | TABLED);
  return bytes;
}

/**
 * Allocates all that setting a field to a value needs; `fields` itself is unchanged. Name and value must stay until commitPut.
 * @returns false when there is no memory
 */
export function preparePut(fields: u32, name: usize, nameLength: u32, value: usize, length: u32): bool {
  putFields = fields;
  putName = name;
  putNameLength = nameLength;
  putValue = value;
  putValueLength = length;
  if (fields & TABLED) return prepareTabled(fields);
  const used = fields ? <u32>load<u16>(fields, 2) : HEADER;
  const item = fields ? findItem(<usize>fields, name, nameLength) : 0;
  // In 64 bits: two lengths of up to 512 MiB and a block.
  const size = <u64>used + nameLength + length + ITEM_HEADER - (item ? itemSize(item) : 0);
  if (size > PACKED_MAX || (!item && countFields(fields) >= PACKED_FIELDS)) return prepareConversion(fields);
  return preparePacked(fields, <u32>size, item);
}

/** Does what was prepared and returns the u32 that stands for the data from now on. Cannot fail. */
export function commitPut(): u32 {
  return fit(put());
}

function put(): u32 {
  if (putTarget & TABLED) putTabled();
  else putPacked();
  if (putFields != putTarget) releaseFields(putFields);
  return putTarget;
}

// ── Several fields at once ──────────────────────────────────────────────────────────────────────────────────────────

/** The puts that were prepared: of tabled data the new entries, in a block of u32; else the finished copy. */
let putsFields: u32 = 0;
let putsCopy: u32 = 0;
let putsEntries: usize = 0;
let putsCount: u32 = 0;

/**
 * As preparePut, for `pairs` of name and value from argument `first` of `argv` on, all or nothing; the last value of a name that comes twice.
 * Data of up to 2 KiB is copied; of tabled data the new entries alone are made. O(bytes written + 2 KiB).
 */
export function preparePuts(fields: u32, argv: usize, first: u32, pairs: u32): bool {
  putsFields = fields;
  putsCount = pairs;
  return fields & TABLED ? prepareEntries(argv, first) : prepareCopy(argv, first);
}

/** Does what preparePuts prepared, as commitPut. */
export function commitPuts(): u32 {
  if (putsFields & TABLED) {
    putEntries();
    return fit(putsFields);
  }
  releaseFields(putsFields);
  return fit(putsCopy);
}

function prepareCopy(argv: usize, first: u32): bool {
  // Room for all of it at once, as if each name were new.
  let size = (putsFields ? <u64>load<u16>(putsFields, 2) : HEADER) + <u64>putsCount * ITEM_HEADER;
  for (let index = first, end = first + 2 * putsCount; index < end; index++) size += argumentLength(argv, index);
  putsCopy = newPacked(putsFields, size < PACKED_MAX ? <u32>size : PACKED_MAX);
  if (!putsCopy) return false;
  for (let pair: u32 = 0; pair < putsCount; pair++) {
    const at = first + 2 * pair;
    if (!preparePut(putsCopy, argument(argv, at), argumentLength(argv, at), argument(argv, at + 1), argumentLength(argv, at + 1))) {
      releaseFields(putsCopy);
      return false;
    }
    putsCopy = put();
  }
  return true;
}

function prepareEntries(argv: usize, first: u32): bool {
  putsEntries = alloc(putsCount << 2);
  if (!putsEntries) return false;
  for (let pair: u32 = 0; pair < putsCount; pair++) {
    const at = first + 2 * pair;
    const entry = createField(argument(argv, at), argumentLength(argv, at), argument(argv, at + 1), argumentLength(argv, at + 1));
    if (!entry) return releaseEntries(pair);
    store<u32>(putsEntries + ((<usize>pair) << 2), <u32>entry);
  }
  return tableOf(putsFields).reserveMany(putsCount) || releaseEntries(putsCount);
}

/** Frees the first `count` of the entries that were made, and their block. */
function releaseEntries(count: u32): bool {
  for (let pair: u32 = 0; pair < count; pair++) destroy(<usize>load<u32>(putsEntries + ((<usize>pair) << 2)));
  free(putsEntries, putsCount << 2);
  return false;
}

function putEntries(): void {
  const table = tableOf(putsFields);
  putTarget = putsFields;
  for (let pair: u32 = 0; pair < putsCount; pair++) {
    putEntry = <usize>load<u32>(putsEntries + ((<usize>pair) << 2));
    putHash = table.hashOf(keyOf(putEntry), keyLength(putEntry));
    putSlot = table.lookup(keyOf(putEntry), keyLength(putEntry), putHash);
    // Where this finds no room, the place that reserveMany has kept is taken.
    if (!putSlot) table.reserve(putHash);
    putTabled();
  }
  free(putsEntries, putsCount << 2);
}

// ── Removing ────────────────────────────────────────────────────────────────────────────────────────────────────────

/**
 * Removes the fields that `count` arguments from `first` of `argv` name, where they are there, and returns the u32 that stands for the data from now on.
 * Needs no memory. O(count).
 */
export function removeFields(fields: u32, argv: usize, first: u32, count: u32): u32 {
  for (let index = first; fields && index < first + count; index++) {
    const name = argument(argv, index);
    const length = argumentLength(argv, index);
    fields = fields & TABLED ? removeTabled(fields, name, length) : removePacked(fields, name, length);
  }
  return fields ? fit(fields) : 0;
}

function removePacked(fields: u32, name: usize, length: u32): u32 {
  const block = <usize>fields;
  const item = findItem(block, name, length);
  if (!item) return fields;
  const count = load<u16>(block, 4) - 1;
  if (!count) {
    releaseFields(fields);
    return 0;
  }
  const size = itemSize(item);
  const used = <u32>load<u16>(block, 2);
  memory.copy(item, item + size, block + used - item - size);
  store<u16>(block, used - size, 2);
  store<u16>(block, count, 4);
  return fields;
}

function removeTabled(fields: u32, name: usize, length: u32): u32 {
  const tabled = <usize>(fields & ~TABLED);
  const table = changetype<Table>(tabled);
  const hash = table.hashOf(name, length);
  const slot = table.lookup(name, length, hash);
  if (!slot) return fields;
  const entry = table.remove(slot, hash);
  store<u32>(tabled, load<u32>(tabled, BYTES) - packedSize(entry), BYTES);
  const previous = load<u32>(valueOf(entry));
  const next = load<u32>(valueOf(entry), 4);
  store<u32>(previous ? valueOf(<usize>previous) + 4 : tabled + FIRST, next);
  store<u32>(next ? valueOf(<usize>next) : tabled + LAST, previous);
  destroy(entry);
  if (table.count) return fields;
  // What reserveMany has kept goes too.
  releaseFields(fields);
  return 0;
}

// ── The smallest form ───────────────────────────────────────────────────────────────────────────────────────────────

/** The same data in the form that its content asks for, where there is room for that now. Cannot fail. O(1): packed data is bounded. */
function fit(fields: u32): u32 {
  let used: u32;
  if (fields & TABLED) {
    used = load<u32>(<usize>(fields & ~TABLED), BYTES);
    if (used > PACKED_MAX || tableOf(fields).count > PACKED_FIELDS) return fields;
  } else {
    used = <u32>load<u16>(fields, 2);
    if (usableSize(used) == load<u16>(fields)) return fields;
  }
  const size = usableSize(used);
  const block = allocWithin(size);
  if (!block) return fields;
  if (fields & TABLED) packFields(fields, block);
  else memory.copy(block, fields, used);
  store<u16>(block, size);
  releaseFields(fields);
  return <u32>block;
}

/** Writes the fields of a table to a block that has room for them, but for its size. */
function packFields(fields: u32, block: usize): void {
  let at = block + HEADER;
  beginFields(fields);
  for (; nextField(); at += itemSize(at)) writeItem(at, fieldName, fieldNameLength, fieldValue, fieldValueLength);
  store<u16>(block, at - block, 2);
  store<u16>(block, tableOf(fields).count, 4);
}

/** Bytes that a field's entry would use in a packed block. */
// prettier-ignore
@inline
function packedSize(entry: usize): u32 {
  return ITEM_HEADER + keyLength(entry) + valueLength(entry) - LINKS;
}

// ── Packed ──────────────────────────────────────────────────────────────────────────────────────────────────────────

/** The item of this name, 0 when there is none. */
function findItem(block: usize, name: usize, length: u32): usize {
  let item = block + HEADER;
  for (const end = block + load<u16>(block, 2); item < end; item += itemSize(item)) {
    if (load<u16>(item) == length && equal(item + ITEM_HEADER, name, length)) return item;
  }
  return 0;
}

// prettier-ignore
@inline
function itemSize(item: usize): u32 {
  return ITEM_HEADER + load<u16>(item) + load<u16>(item, 2);
}

/** The block itself where `size` bytes fit, else a larger copy. */
function preparePacked(fields: u32, size: u32, item: usize): bool {
  putTarget = fields;
  putItem = item;
  if (fields && size <= load<u16>(fields)) return true;
  putTarget = newPacked(fields, size);
  if (item) putItem = item - fields + putTarget;
  return putTarget != 0;
}

/** A block for `size` bytes that holds what `fields`, 0 or packed, holds; 0 when there is no memory. */
function newPacked(fields: u32, size: u32): u32 {
  const usable = usableSize(size);
  const block = alloc(usable);
  if (!block) return 0;
  if (fields) {
    memory.copy(block, fields, load<u16>(fields, 2));
  } else {
    store<u16>(block, HEADER, 2);
    store<u16>(block, 0, 4);
  }
  store<u16>(block, usable);
  return <u32>block;
}

function putPacked(): void {
  const block = <usize>putTarget;
  const used = <u32>load<u16>(block, 2);
  let item = putItem;
  let before: u32 = 0;
  if (item) {
    before = itemSize(item);
  } else {
    item = block + used;
    store<u16>(block, load<u16>(block, 4) + 1, 4);
  }
  const after = ITEM_HEADER + putNameLength + putValueLength;
  const rest = item + before;
  memory.copy(item + after, rest, block + used - rest);
  writeItem(item, putName, putNameLength, putValue, putValueLength);
  store<u16>(block, used + after - before, 2);
}

// prettier-ignore
@inline
function writeItem(item: usize, name: usize, nameLength: u32, value: usize, length: u32): void {
  store<u16>(item, nameLength);
  store<u16>(item, length, 2);
  copy(item + ITEM_HEADER, name, nameLength);
  copy(item + ITEM_HEADER + nameLength, value, length);
}

// ── Tabled ──────────────────────────────────────────────────────────────────────────────────────────────────────────

// prettier-ignore
@inline
function tableOf(fields: u32): Table {
  return changetype<Table>(<usize>(fields & ~TABLED));
}

function prepareTabled(fields: u32): bool {
  const table = tableOf(fields);
  putTarget = fields;
  putHash = table.hashOf(putName, putNameLength);
  putEntry = createField(putName, putNameLength, putValue, putValueLength);
  if (!putEntry) return false;
  putSlot = table.lookup(putName, putNameLength, putHash);
  if (putSlot || table.reserve(putHash)) return true;
  destroy(putEntry);
  return false;
}

/** Tables all that is packed, then prepares the put in the table; the packed block is freed by commitPut. */
function prepareConversion(fields: u32): bool {
  const tabled = alloc(TABLED_SIZE);
  if (!tabled) return false;
  store<u32>(tabled, 0, FIRST);
  store<u32>(tabled, 0, LAST);
  store<u32>(tabled, HEADER, BYTES);
  changetype<Table>(tabled).init(k0, k1);
  const target = (<u32>tabled) | TABLED;
  beginFields(fields);
  while (nextField()) {
    if (addField(target)) continue;
    releaseFields(target);
    return false;
  }
  if (prepareTabled(target)) return true;
  releaseFields(target);
  return false;
}

/** Adds the field of the walk, of a name that the table does not hold. */
function addField(target: u32): bool {
  const table = tableOf(target);
  const entry = createField(fieldName, fieldNameLength, fieldValue, fieldValueLength);
  if (!entry) return false;
  const hash = table.hashOf(fieldName, fieldNameLength);
  if (!table.reserve(hash)) {
    destroy(entry);
    return false;
  }
  append(<usize>(target & ~TABLED), entry);
  table.insert(hash, entry);
  return true;
}

/** A field's entry: not to be moved, because its neighbours know its address. */
function createField(name: usize, nameLength: u32, value: usize, length: u32): usize {
  const entry = createFixed(name, nameLength, 0, LINKS + length);
  if (entry) copy(valueOf(entry) + LINKS, value, length);
  return entry;
}

function putTabled(): void {
  const tabled = <usize>(putTarget & ~TABLED);
  const table = changetype<Table>(tabled);
  if (!putSlot) {
    append(tabled, putEntry);
    table.insert(putHash, putEntry);
    return;
  }
  const old = table.replace(putSlot, putEntry);
  store<u32>(tabled, load<u32>(tabled, BYTES) - packedSize(old) + packedSize(putEntry), BYTES);
  const previous = load<u32>(valueOf(old));
  const next = load<u32>(valueOf(old), 4);
  const links = valueOf(putEntry);
  store<u32>(links, previous);
  store<u32>(links, next, 4);
  store<u32>(previous ? valueOf(<usize>previous) + 4 : tabled + FIRST, <u32>putEntry);
  store<u32>(next ? valueOf(<usize>next) : tabled + LAST, <u32>putEntry);
  destroy(old);
}

/** Chains an entry behind the last. */
function append(tabled: usize, entry: usize): void {
  const last = load<u32>(tabled, LAST);
  const links = valueOf(entry);
  store<u32>(links, last);
  store<u32>(links, 0, 4);
  store<u32>(last ? valueOf(<usize>last) + 4 : tabled + FIRST, <u32>entry);
  store<u32>(tabled, <u32>entry, LAST);
  store<u32>(tabled, load<u32>(tabled, BYTES) + packedSize(entry), BYTES);
}
