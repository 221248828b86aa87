/**
 * Tabled fields: an entry for each in a hash table, chained in the order of their first writing. See
 * fields.ts for when data is tabled. Data of many fields is freed piece by piece: what waits is a chain
 * through `last`.
 *
 *     tabled   | Table | first u32 | last u32 | bytes u32 that it would use packed |
 *     entry    key = name; value = | previous u32 | next u32 | value |        0: none
 */
import { copy } from "../../../base/storage/bytes";
import { createFixed, destroy, keyLength, sizeOf, valueLength, valueOf } from "../../../base/storage/entry";
import { alloc, free, usableSize } from "../../../base/storage/heap";
import { checkTable } from "../../../base/storage/table/check";
import { Table } from "../../../base/storage/table/table";
import { HEAD, ITEM_HEAD } from "./packed";
import { carryWord } from "../../../base/storage/carry";

/** Bit of the u32 that stands for tabled data. */
export const TABLED: u32 = 1;
/** Bytes of an entry's links. */
export const LINKS: u32 = 8;
/**
 * Fields that are freed at a time: the rest of larger data waits for the commands and steps of the sweep that
 * follow.
 */
export const PIECE: u32 = 512;
/** Fields that may wait: past these none does. */
const WAITING_MAX: u32 = 1 << 20;

/**
 * The first of the tabled data that waits to be freed; the place of `last` names the next. And how many
 * fields wait.
 */
let waiting: usize = 0;
let waitingFields: u32 = 0;
/** Fields of tabled data that were freed, for those who count what a step of theirs frees. */
export let released: u32 = 0;

/** The hash key of all tables. */
let k0: u64 = 0;
let k1: u64 = 0;

/** What stands before an entry's value. */
@unmanaged
class Links {
  previous: usize;
  next: usize;
}

// prettier-ignore
@inline
function linksOf(entry: usize): Links {
  return changetype<Links>(valueOf(entry));
}

/** The entry after this one, 0 after the last. */
// prettier-ignore
@inline
export function nextEntry(entry: usize): usize {
  return linksOf(entry).next;
}

/** Bytes that a field's entry would use in a packed block. */
// prettier-ignore
@inline
function packedSize(entry: usize): u32 {
  return ITEM_HEAD + keyLength(entry) + valueLength(entry) - LINKS;
}


@unmanaged
export class Tabled extends Table {
  /** The first and the last entry in order. */
  first: usize;
  last: usize;
  /** Bytes that the fields would use packed. */
  bytes: u32;

  /** Chains an entry behind the last. */
  append(entry: usize): void {
    const links = linksOf(entry);
    links.previous = this.last;
    links.next = 0;
    if (this.last) linksOf(this.last).next = entry;
    else this.first = entry;
    this.last = entry;
    this.bytes += packedSize(entry);
  }

  /**
   * Puts an entry in: in the place of the slot's, or behind the last where `slot` is 0, after reserve. Cannot
   * fail.
   */
  put(slot: usize, hash: u64, entry: usize): void {
    if (!slot) {
      this.append(entry);
      this.insert(hash, entry);
      return;
    }
    const old = this.replace(slot, entry);
    this.bytes += packedSize(entry) - packedSize(old);
    const links = linksOf(entry);
    links.previous = linksOf(old).previous;
    links.next = linksOf(old).next;
    this.link(links, entry, entry);
    destroy(old);
  }

  /** Takes the field of this name out, if it is there. */
  drop(name: usize, length: u32): void {
    const hash = this.hashOf(name, length);
    const slot = this.lookup(name, length, hash);
    if (!slot) return;
    const entry = this.remove(slot, hash);
    const links = linksOf(entry);
    this.bytes -= packedSize(entry);
    this.link(links, links.next, links.previous);
    destroy(entry);
  }

  /** Makes what stands beside these links point to other entries. */
  private link(links: Links, next: usize, previous: usize): void {
    if (links.previous) linksOf(links.previous).next = next;
    else this.first = next;
    if (links.next) linksOf(links.next).previous = previous;
    else this.last = previous;
  }

  /** Bytes of the heap. O(fields). */
  memory(): u64 {
    let bytes = this.memoryUsed() + usableSize(<u32>offsetof<Tabled>());
    for (let entry = this.first; entry; entry = nextEntry(entry)) bytes += usableSize(sizeOf(entry));
    return bytes;
  }

  /** Whether table and chain are of the same entries. O(fields). */
  holdsTogether(): bool {
    if (checkTable(this)) return false;
    let count: u32 = 0;
    let previous: usize = 0;
    let bytes = HEAD;
    for (let entry = this.first; entry; entry = nextEntry(entry)) {
      if (++count > this.count || linksOf(entry).previous != previous || !this.slotOf(entry)) return false;
      previous = entry;
      bytes += packedSize(entry);
    }
    return count == this.count && this.last == previous && this.bytes == bytes;
  }
}

// prettier-ignore
@inline
export function tabledOf(fields: u32): Tabled {
  return changetype<Tabled>(<usize>(fields & ~TABLED));
}

/** Sets the hash key, before the first field comes. */
export function setFieldsKey(first: u64, second: u64): void {
  k0 = first;
  k1 = second;
}

/** Tabled data without a field, as the u32 that stands for it; 0 when there is no memory. */
export function newTabled(): u32 {
  const block = alloc(<u32>offsetof<Tabled>());
  if (!block) return 0;
  const tabled = changetype<Tabled>(block);
  tabled.init(k0, k1);
  tabled.first = 0;
  tabled.last = 0;
  tabled.bytes = HEAD;
  return (<u32>block) | TABLED;
}

/** A field's entry: not to be moved, because its neighbours know its address. 0 when there is no memory. */
export function createField(name: usize, nameLength: u32, value: usize, length: u32): usize {
  const entry = createFixed(name, nameLength, 0, LINKS + length);
  if (entry) copy(valueOf(entry) + LINKS, value, length);
  return entry;
}

// ── Freeing ────────────────────────────────────────────────────────────────────────────────────────────────

/**
 * Frees tabled data, only the first PIECE of its fields now. O(1), while fewer than WAITING_MAX fields wait.
 */
export function releaseTabled(tabled: Tabled): void {
  waitingFields += tabled.count;
  tabled.last = waiting;
  waiting = changetype<usize>(tabled);
  do releasePiece();
  while (waitingFields > WAITING_MAX);
}

/** Whether fields wait to be freed. */
// prettier-ignore
@inline
export function fieldsWait(): bool {
  return waiting != 0;
}

/**
 * Frees at most PIECE of the fields that wait, and tables without fields. O(1).
 * @returns whether there was anything to free
 */
export function releasePiece(): bool {
  if (!waiting) return false;
  let left = PIECE;
  while (waiting && left) {
    const tabled = changetype<Tabled>(waiting);
    let entry = tabled.first;
    for (; entry && left; left--) {
      const next = nextEntry(entry);
      destroy(entry);
      entry = next;
    }
    tabled.first = entry;
    if (entry) break;
    waiting = tabled.last;
    tabled.release();
    free(changetype<usize>(tabled), <u32>offsetof<Tabled>());
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
  for (let tabled = waiting; tabled; tabled = changetype<Tabled>(tabled).last) bytes += changetype<Tabled>(tabled).memory();
  return bytes;
}

/** What another file takes over in the same memory (carry.ts). */
export function carryFields(): void {
  waiting = carryWord<usize>(waiting);
  waitingFields = carryWord<u32>(waitingFields);
  k0 = carryWord<u64>(k0);
  k1 = carryWord<u64>(k1);
}
