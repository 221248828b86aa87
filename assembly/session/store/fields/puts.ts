/**
 * Writing and removing a session's fields (fields.ts).
 *
 * Writing is in two phases: `preparePut` allocates and may fail, `commitPut` cannot. Between them lies
 * nothing but replication.
 */
import { destroy, keyLength, keyOf } from "../../../base/storage/entry";
import { alloc, allocWithin, free } from "../../../base/storage/heap";
import { argument, argumentLength } from "../../../base/frame";
import { countFields, releaseFields, walk } from "./fields";
import { HEAD, Item, ITEM_HEAD, newPacked, Packed, PACKED_FIELDS, PACKED_MAX, packedOf, packedSize } from "./packed";
import { createField, newTabled, TABLED, tabledOf } from "./tabled";

/** The put that was prepared: what to change, and the item or entry that it changes or adds. */
@unmanaged
class Put {
  fields: u32;
  /** The data from now on: `fields` itself, or what takes its place. */
  target: u32;
  /** Of packed data: address of the item that is there, 0: none. */
  item: usize;
  /** Of tabled data: the new entry, its hash, and the slot of the one that is there, 0: none. */
  entry: usize;
  hash: u64;
  slot: usize;
  name: usize;
  nameLength: u32;
  value: usize;
  valueLength: u32;
}

const put: Put = changetype<Put>(memory.data(offsetof<Put>(), 8));

/**
 * Allocates all that setting a field to a value needs; `fields` itself is unchanged. Name and value must stay
 * until commitPut.
 * @returns false when there is no memory
 */
export function preparePut(fields: u32, name: usize, nameLength: u32, value: usize, length: u32): bool {
  put.fields = fields;
  put.name = name;
  put.nameLength = nameLength;
  put.value = value;
  put.valueLength = length;
  if (fields & TABLED) return prepareTabled(fields);
  const used = fields ? <u32>packedOf(fields).used : HEAD;
  const item = fields ? packedOf(fields).find(name, nameLength) : 0;
  // In 64 bits: two lengths of up to 512 MiB and a block.
  const size = <u64>used + nameLength + length + ITEM_HEAD - (item ? changetype<Item>(item).size : 0);
  if (size > PACKED_MAX || (!item && countFields(fields) >= PACKED_FIELDS)) return prepareConversion(fields);
  return preparePacked(fields, <u32>size, item);
}

/** Does what was prepared and returns the u32 that stands for the data from now on. Cannot fail. */
export function commitPut(): u32 {
  return fit(commit());
}

function commit(): u32 {
  const target = put.target;
  if (target & TABLED) tabledOf(target).put(put.slot, put.hash, put.entry);
  else packedOf(target).put(put.item, put.name, put.nameLength, put.value, put.valueLength);
  if (put.fields != target) releaseFields(put.fields);
  return target;
}

/** The block itself where `size` bytes fit, else a larger copy. */
function preparePacked(fields: u32, size: u32, item: usize): bool {
  put.target = fields;
  put.item = item;
  if (fields && size <= packedOf(fields).size) return true;
  put.target = newPacked(fields, size);
  if (item) put.item = item - fields + put.target;
  return put.target != 0;
}

function prepareTabled(fields: u32): bool {
  const tabled = tabledOf(fields);
  put.target = fields;
  put.hash = tabled.hashOf(put.name, put.nameLength);
  put.entry = createField(put.name, put.nameLength, put.value, put.valueLength);
  if (!put.entry) return false;
  put.slot = tabled.lookup(put.name, put.nameLength, put.hash);
  if (put.slot || tabled.reserve(put.hash)) return true;
  destroy(put.entry);
  return false;
}

/** Tables all that is packed, then prepares the put in the table; the packed block is freed by commitPut. */
function prepareConversion(fields: u32): bool {
  const target = newTabled();
  if (!target) return false;
  let done = true;
  walk.begin(fields);
  while (done && walk.next()) done = addField(target);
  if (done && prepareTabled(target)) return true;
  releaseFields(target);
  return false;
}

/** Adds the field of the walk, of a name that the table does not hold. */
function addField(target: u32): bool {
  const tabled = tabledOf(target);
  const entry = createField(walk.name, walk.nameLength, walk.value, walk.valueLength);
  if (!entry) return false;
  const hash = tabled.hashOf(walk.name, walk.nameLength);
  if (!tabled.reserve(hash)) {
    destroy(entry);
    return false;
  }
  tabled.put(0, hash, entry);
  return true;
}

// ── Several fields at once ─────────────────────────────────────────────────────────────────────────────────

/** The puts that were prepared. */
@unmanaged
class Puts {
  fields: u32;
  count: u32;
  /** Of packed data: the finished copy. */
  copy: u32;
  /** Of tabled data: the new entries, `count` × u32. */
  entries: usize;
}

const puts: Puts = changetype<Puts>(memory.data(offsetof<Puts>(), 8));

/**
 * As preparePut, for `pairs` of name and value at `argv`, all or nothing; the last value of a name that comes
 * twice. Data of up to 2 KiB is copied; of tabled data the new entries alone are made. O(bytes written + 2
 * KiB).
 */
export function preparePuts(fields: u32, argv: usize, pairs: u32): bool {
  puts.fields = fields;
  puts.count = pairs;
  return fields & TABLED ? prepareEntries(argv) : prepareCopy(argv);
}

/** Does what preparePuts prepared, as commitPut. */
export function commitPuts(): u32 {
  if (puts.fields & TABLED) {
    putEntries();
    return fit(puts.fields);
  }
  releaseFields(puts.fields);
  return fit(puts.copy);
}

function prepareCopy(argv: usize): bool {
  // Room for all of it at once, as if each name were new.
  let size = (puts.fields ? <u64>packedOf(puts.fields).used : HEAD) + <u64>puts.count * ITEM_HEAD;
  for (let index: u32 = 0, end: u32 = 2 * puts.count; index < end; index++) size += argumentLength(argv, index);
  puts.copy = newPacked(puts.fields, size < PACKED_MAX ? <u32>size : PACKED_MAX);
  if (!puts.copy) return false;
  for (let at: u32 = 0, end: u32 = 2 * puts.count; at < end; at += 2) {
    if (!preparePut(puts.copy, argument(argv, at), argumentLength(argv, at), argument(argv, at + 1), argumentLength(argv, at + 1))) {
      releaseFields(puts.copy);
      return false;
    }
    puts.copy = commit();
  }
  return true;
}

function prepareEntries(argv: usize): bool {
  puts.entries = alloc(puts.count << 2);
  if (!puts.entries) return false;
  for (let pair: u32 = 0; pair < puts.count; pair++) {
    const at = 2 * pair;
    const entry = createField(argument(argv, at), argumentLength(argv, at), argument(argv, at + 1), argumentLength(argv, at + 1));
    if (!entry) return releaseEntries(pair);
    store<u32>(puts.entries + ((<usize>pair) << 2), <u32>entry);
  }
  return tabledOf(puts.fields).reserveMany(puts.count) || releaseEntries(puts.count);
}

/** The entry that was made for this pair. */
// prettier-ignore
@inline
function entryOf(pair: u32): usize {
  return <usize>load<u32>(puts.entries + ((<usize>pair) << 2));
}

/** Frees the first `count` of the entries that were made, and their block; false. */
function releaseEntries(count: u32): bool {
  for (let pair: u32 = 0; pair < count; pair++) destroy(entryOf(pair));
  free(puts.entries, puts.count << 2);
  return false;
}

function putEntries(): void {
  const tabled = tabledOf(puts.fields);
  for (let pair: u32 = 0; pair < puts.count; pair++) {
    const entry = entryOf(pair);
    const hash = tabled.hashOf(keyOf(entry), keyLength(entry));
    const slot = tabled.lookup(keyOf(entry), keyLength(entry), hash);
    // Where this finds no room, the place that reserveMany has kept is taken.
    if (!slot) tabled.reserve(hash);
    tabled.put(slot, hash, entry);
  }
  free(puts.entries, puts.count << 2);
}

// ── Removing ───────────────────────────────────────────────────────────────────────────────────────────────

/**
 * Removes the fields that `count` arguments at `argv` name, where they are there, and returns the u32 that
 * stands for the data from now on. Needs no memory. O(count).
 */
export function removeFields(fields: u32, argv: usize, count: u32): u32 {
  for (let index: u32 = 0; fields && index < count; index++) {
    fields = removeField(fields, argument(argv, index), argumentLength(argv, index));
  }
  return fields ? fit(fields) : 0;
}

function removeField(fields: u32, name: usize, length: u32): u32 {
  if (fields & TABLED) {
    tabledOf(fields).drop(name, length);
  } else {
    const item = packedOf(fields).find(name, length);
    if (item) packedOf(fields).remove(item);
  }
  if (countFields(fields)) return fields;
  // Of tabled data, what reserveMany has kept goes too.
  releaseFields(fields);
  return 0;
}

// ── The smallest form ──────────────────────────────────────────────────────────────────────────────────────

/**
 * The same data in the form that its content asks for, where there is room for that now. Cannot fail. O(1):
 * packed data is bounded.
 */
function fit(fields: u32): u32 {
  let used: u32;
  if (fields & TABLED) {
    used = tabledOf(fields).bytes;
    if (used > PACKED_MAX || tabledOf(fields).count > PACKED_FIELDS) return fields;
  } else {
    used = <u32>packedOf(fields).used;
    if (packedSize(used) == packedOf(fields).size) return fields;
  }
  const size = packedSize(used);
  const block = allocWithin(size);
  if (!block) return fields;
  const packed = changetype<Packed>(block);
  if (fields & TABLED) packFields(fields, packed);
  else memory.copy(block, fields, used);
  releaseFields(fields);
  return <u32>block;
}

/** Writes the fields of a table to a block that has room for them. */
function packFields(fields: u32, packed: Packed): void {
  packed.used = <u16>HEAD;
  packed.count = 0;
  walk.begin(fields);
  while (walk.next()) packed.put(0, walk.name, walk.nameLength, walk.value, walk.valueLength);
}
