/**
 * Where the entries of each cluster slot are, for moves of one slot after the other: each would walk over all
 * entries otherwise. It is made in one walk when a slot is first asked for by itself, follows what is put in
 * afterwards, and is forgotten once nobody moves slots any more, or where memory is short. It is a hint: what
 * was removed is still in it.
 *
 *     place     slot: 14 bits | source: 7 bits | the upper 43 bits of the hash
 *
 *     places    all of the walk, in the order of their slots
 *     added     what came afterwards, in the order in which it came
 *     found     those of one slot, sorted, each once
 *
 * A source is one of the tables that a module has: its number is the module's choice.
 */
import { beginChange, endChange } from "./change";
import { NO_SLOT, onlySlot, slotOf } from "./slots";
import { keyLength, keyOf } from "./storage/entry";
import { alloc, free, usableSize, whenShort } from "./storage/heap";
import { observeInserts } from "./storage/inserts";
import { Table } from "./storage/table/table";

const SLOT_SHIFT: u64 = 50;
const SOURCE_SHIFT: u64 = 43;
const SOURCE_MASK: u32 = 127;
const HASH_MASK: u64 = 0x7ffffffffff;
/** Bits of a hash that a place lacks, and those of them that a cursor has. */
const HASH_SHIFT: u64 = 21;
const CURSOR_SHIFT: u64 = 5;
/** Fewer entries are walked over. */
const ENTRIES_MIN: u64 = 2048;
/** More take too much memory: they are walked over as well. */
const ENTRIES_MAX: u64 = 1 << 28;
/** Places that may be added at least. */
const ADDED_MIN: u32 = 4096;

/** A list of places. What takes or gives back memory runs inside a change. */
@unmanaged
class Places {
  at: usize;
  private capacity: u32;
  count: u32;

  /** Makes it an empty list with room for so many. False: no memory. */
  take(capacity: u32): bool {
    this.release();
    this.at = allocPinned(capacity << 3);
    if (this.at) this.capacity = capacity;
    return this.at != 0;
  }

  /** Makes room for more. False: no memory. */
  grow(): bool {
    const grown = allocPinned(this.capacity << 4);
    if (!grown) return false;
    memory.copy(grown, this.at, (<usize>this.count) << 3);
    free(this.at, this.capacity << 3);
    this.at = grown;
    this.capacity <<= 1;
    return true;
  }

  release(): void {
    if (this.at) free(this.at, this.capacity << 3);
    this.at = 0;
    this.capacity = 0;
    this.count = 0;
  }


  @inline
  get isFull(): bool {
    return this.count == this.capacity;
  }


  @inline
  get(index: u32): u64 {
    return load<u64>(this.at + ((<usize>index) << 3));
  }


  @inline
  set(index: u32, place: u64): void {
    store<u64>(this.at + ((<usize>index) << 3), place);
  }


  @inline
  push(place: u64): void {
    this.set(this.count++, place);
  }

  /** Bytes of the heap that it takes. */
  get bytes(): u64 {
    return this.at ? usableSize(this.capacity << 3) : 0;
  }
}

const places: Places = changetype<Places>(memory.data(offsetof<Places>(), 8));
const added: Places = changetype<Places>(memory.data(offsetof<Places>(), 8));
const found: Places = changetype<Places>(memory.data(offsetof<Places>(), 8));
/** Whether there is an index. */
let isMade: bool = false;
/** The slot whose places are found, NO_SLOT: none. */
let foundSlot: u32 = 16384;
/** Whether it is in use, so that it stays where memory is short. */
let isPinned: bool = false;
/** What frees what its owner keeps beside it; 0: nothing. */
let companion: i32 = 0;

// ── Making it ──────────────────────────────────────────────────────────────────────────────────────────────

/**
 * Whether an index is to be made for a command on these slots, by a walk over so many entries: each is to be
 * passed to `addPlace`, and `endIndex` makes it complete. There is room for it then.
 * @param freeCompanion a function `() => void`, by its index in the table of functions, that runs when the
 *   index is forgotten, inside a change
 */
export function beginIndex(slots: usize, entries: u64, freeCompanion: i32 = 0): bool {
  if (isMade || entries < ENTRIES_MIN || entries > ENTRIES_MAX || onlySlot(slots) == NO_SLOT) return false;
  // What a time limit may have ended.
  forgetIndex();
  beginChange();
  const isTaken = places.take(<u32>entries) && added.take(ADDED_MIN);
  if (isTaken) companion = freeCompanion;
  else releaseIndex();
  endChange();
  return isTaken;
}

/** Whether there is an index, or it is being made. */
export function hasIndex(): bool {
  return places.bytes != 0;
}

/** Adds where an entry is: its slot, the number of its source, and its hash there. Inside a change. */
export function addPlace(slot: u32, source: u32, hash: u64): void {
  if (slot == foundSlot) foundSlot = NO_SLOT;
  const place = ((<u64>slot) << SLOT_SHIFT) | ((<u64>source) << SOURCE_SHIFT) | (hash >> HASH_SHIFT);
  if (!isMade) {
    if (!places.isFull) places.push(place);
  } else if (added.count >= ADDED_MIN + (places.count >> 1) || (added.isFull && !added.grow())) releaseIndex();
  else added.push(place);
}

/** Adds all entries of a table. O(entries). */
export function addTable(table: Table, source: u32, slotOfEntry: i32 = 0): void {
  let cursor: u64 = 0;
  do {
    table.seek(cursor);
    touched += table.touch();
    for (let entry = table.next(); entry; entry = table.next()) {
      addPlace(slotBy(slotOfEntry, entry), source, table.hashOfEntry(entry));
    }
    cursor = table.cursor;
  } while (cursor);
}

/** What touching entries before their use has read. */
let touched: u32 = 0;

/**
 * The slot of an entry by a function `(entry: usize) => u32`, by its index in the table of functions; 0: that
 * of its key.
 */
// prettier-ignore
@inline
export function slotBy(slotOfEntry: i32, entry: usize): u32 {
  return slotOfEntry ? call_indirect<u32>(slotOfEntry, entry) : slotOf(keyOf(entry), keyLength(entry));
}

/** All was added. `observer` is told of each insert from now on (storage/inserts.ts). */
export function endIndex(observer: i32): void {
  sortBySlot();
  isMade = true;
  observeInserts(observer);
}

/** As all of the above, for a module with one table that matters: source 0, the slots of its keys. */
export function indexOne(slots: usize, table: Table): void {
  if (!beginIndex(slots, table.count)) return;
  addTable(table, 0);
  watched = table;
  endIndex(load<i32>(changetype<usize>(observe)));
}

let watched: Table = changetype<Table>(0);

function observe(owner: usize, hash: u64, entry: usize): void {
  if (owner == changetype<usize>(watched)) addPlace(slotOf(keyOf(entry), keyLength(entry)), 0, hash);
}

/** A block for the index itself, which does not go meanwhile. Inside a change. 0: no memory. */
function allocPinned(size: u32): usize {
  const before = isPinned;
  isPinned = true;
  const block = alloc(size);
  isPinned = before;
  return block;
}

/** Sorts the places of the walk by their slots, in place: each goes to where its slot's part is filled. */
function sortBySlot(): void {
  const count = places.count;
  const bytes: u32 = (NO_SLOT + 1) << 3;
  beginChange();
  // For each slot where its part is filled up to, and where it ends: nothing is found yet.
  const isTaken = found.take(NO_SLOT + 1);
  endChange();
  if (!isTaken) return sort(places);
  const parts = found.at;
  memory.fill(parts, 0, bytes);
  for (let index: u32 = 0; index < count; index++) {
    const part = partOf(parts, places.get(index));
    store<u32>(part, load<u32>(part, 4) + 1, 4);
  }
  let end: u32 = 0;
  for (let part = parts; part < parts + <usize>bytes; part += 8) {
    store<u32>(part, end);
    end += load<u32>(part, 4);
    store<u32>(part, end, 4);
  }
  for (let part = parts; part < parts + <usize>bytes; part += 8) {
    while (load<u32>(part) < load<u32>(part, 4)) {
      const index = load<u32>(part);
      const place = places.get(index);
      const own = partOf(parts, place);
      const target = load<u32>(own);
      store<u32>(own, target + 1);
      places.set(index, places.get(target));
      places.set(target, place);
    }
  }
  beginChange();
  found.release();
  endChange();
}

// prettier-ignore
@inline
function partOf(parts: usize, place: u64): usize {
  return parts + <usize>((place >> SLOT_SHIFT) << 3);
}

// ── Asking it ──────────────────────────────────────────────────────────────────────────────────────────────

/**
 * Whether the index tells where the entries of these slots are: `placeCount` of them, by `seekPlace`. They
 * stay until `endPlaces`, also where memory is short.
 */
export function findPlaces(slots: usize): bool {
  const slot = isMade ? onlySlot(slots) : NO_SLOT;
  isPinned = slot != NO_SLOT && (slot == foundSlot || find(slot));
  return isPinned;
}

/** The index stays where memory is short, until `endPlaces`. */
export function pinIndex(): void {
  isPinned = true;
}

/** What was found, or the index, is needed no longer. */
export function endPlaces(): void {
  isPinned = false;
}

function find(slot: u32): bool {
  // Whatever ends this before its end: what was found before is gone.
  foundSlot = NO_SLOT;
  const first = lowerBound((<u64>slot) << SLOT_SHIFT);
  const end = lowerBound((<u64>(slot + 1)) << SLOT_SHIFT);
  let count = end - first;
  for (let index: u32 = 0; index < added.count; index++) count += u32(added.get(index) >> SLOT_SHIFT == <u64>slot);
  beginChange();
  const isTaken = found.take(max(count, 1));
  endChange();
  if (!isTaken) return false;
  for (let index = first; index < end; index++) found.push(places.get(index));
  for (let index: u32 = 0; index < added.count; index++) {
    if (added.get(index) >> SLOT_SHIFT == <u64>slot) found.push(added.get(index));
  }
  sort(found);
  let kept: u32 = 0;
  for (let index: u32 = 0; index < found.count; index++) {
    if (!kept || found.get(index) != found.get(kept - 1)) found.set(kept++, found.get(index));
  }
  found.count = kept;
  foundSlot = slot;
  return true;
}

/** The first place that is not less. */
function lowerBound(place: u64): u32 {
  let low: u32 = 0;
  let high = places.count;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (places.get(middle) < place) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** How many places findPlaces has found. */
// prettier-ignore
@inline
export function placeCount(): u32 {
  return found.count;
}

/** The next place of this source that was found, from the place `index` on; `placeCount`: there is none. */
export function nextPlaceOf(source: u32, index: u32): u32 {
  while (index < found.count && ((<u32>(found.get(index) >> SOURCE_SHIFT)) & SOURCE_MASK) != source) index++;
  return index;
}

/** Seeks what is at a place that was found in the table that is its source. O(1). */
// prettier-ignore
@inline
export function seekPlace(table: Table, index: u32): void {
  table.seekHash((found.get(index) & HASH_MASK) << CURSOR_SHIFT);
}

/** Whether a hash is that of a place that was found. */
// prettier-ignore
@inline
export function isAtPlace(hash: u64, index: u32): bool {
  return hash >> HASH_SHIFT == (found.get(index) & HASH_MASK);
}

/** Sorts, by a heap in the list itself. */
function sort(list: Places): void {
  let left = list.count;
  for (let root = left >> 1; root > 0; root--) sink(list, root - 1, left);
  while (left > 1) {
    left--;
    const last = list.get(left);
    list.set(left, list.get(0));
    list.set(0, last);
    sink(list, 0, left);
  }
}

/** Lets a place sink below those that are greater, of the first `count`. */
function sink(list: Places, from: u32, count: u32): void {
  const place = list.get(from);
  let at = from;
  for (let child = (at << 1) + 1; child < count; child = (at << 1) + 1) {
    if (child + 1 < count && list.get(child) < list.get(child + 1)) child++;
    if (list.get(child) <= place) break;
    list.set(at, list.get(child));
    at = child;
  }
  list.set(at, place);
}

// ── Forgetting it ──────────────────────────────────────────────────────────────────────────────────────────

/** Frees the index; whether there was one. Inside a change. */
export function releaseIndex(): bool {
  const wasThere = hasIndex();
  places.release();
  added.release();
  found.release();
  if (companion) call_indirect<void>(companion);
  companion = 0;
  foundSlot = NO_SLOT;
  isPinned = false;
  isMade = false;
  observeInserts(0);
  return wasThere;
}

/** Frees the index. */
export function forgetIndex(): void {
  beginChange();
  releaseIndex();
  endChange();
}

/** As releaseIndex, unless it is in use: for whenShort. Whoever is in the middle of changing it pins it. */
export function releaseIdleIndex(): bool {
  return !isPinned && releaseIndex();
}

/** Has the heap free the index where memory is short: for a module that keeps nothing else to free. */
export function releaseWhenShort(): void {
  whenShort(load<i32>(changetype<usize>(releaseIdleIndex)));
}

/** Bytes of the heap that the index takes. */
export function indexBytes(): u64 {
  return places.bytes + added.bytes + found.bytes;
}
