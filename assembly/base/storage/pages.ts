/**
 * The page pool: which 64 KiB pages of the linear memory this module owns, which of them are free, and 32
 * bytes of notes on each.
 *
 * Another module's heap and the host grow the same memory at any time. So a page is ours only when our own
 * memory.grow returned it, and owned pages may have gaps between them; a run of pages is contiguous only
 * where the bitmap says that each page in it is free.
 *
 * Notes are kept outside the pages, densely: a page then holds blocks from its first byte (a 4 KiB segment is
 * 4 KiB aligned and 16 fit exactly), and a free at random touches a line of a small table, not the first line
 * of each page, which would all share one cache set. The table has two levels: 32 groups of 2048 pages (128
 * MiB of addresses), each one page of 2048 × 32 bytes, made when the first page of its group is owned.
 *
 * Pages that have become free stay resident, for they are soon used again; but only so many, in proportion to
 * those in use: the rest go back to the system, from the highest down, while pages are taken from the lowest
 * up.
 */
import { carryArea, carryWord } from "./carry";
export const PAGE_BITS: u32 = 16;
export const PAGE_SIZE: u32 = 65536;

/**
 * The notes of a page, 32 bytes; slab.ts and large.ts tell the meaning of those that have a meaning of
 * theirs.
 */
@unmanaged
export class Notes {
  free: usize;
  fresh: u32;
  used: u16;
  limit: u16;
  /** The neighbours in a list, 0: none. */
  next: Notes;
  previous: Notes;
  /** Of a slab: pool × 256 + class. And the bit STUCK. */
  tag: u16;
  /** What the page is used for. */
  kind: u8;
  /** The list that a slab is in; or VICTIM. */
  bucket: u8;
  extent: u32;
  /** The page's own number. */
  number: u32;

  /** Address of the page's first byte. */
  @inline
  get page(): usize {
    return (<usize>this.number) << PAGE_BITS;
  }
}

/** What a page is used for. 0 must be "not ours": it is what the notes of a page that we never owned say. */
export const KIND_FOREIGN: u8 = 0;
export const KIND_FREE: u8 = 1;
export const KIND_NOTES: u8 = 2;
export const KIND_SLAB: u8 = 3;
export const KIND_LARGE: u8 = 4;
export const KIND_LARGE_REST: u8 = 5;

/** `bucket` of a slab or arena that is being emptied: nothing is taken from it. */
export const VICTIM: u8 = 254;
/** Bit of `tag`: compaction met a block in it that it could not move. */
export const STUCK: u16 = 0x8000;
const GROUP_BITS: u32 = 11;
const GROUPS: u32 = 32;
const NOTE_BITS: u32 = 5;
const MAX_PAGES: u32 = 65536;
const WORDS: u32 = 1024;
/** Pages by which the memory grows at least, where the limit allows it: 1 MiB. */
const GROW_STEP: u32 = 16;
/** Free pages that stay resident: 4 MiB, or one for so many in use. */
const IDLE_PAGES: u32 = 64;
const USED_PER_IDLE: u32 = 16;
/** Pages that one step gives back to the system, at most: 1 MiB. */
const DISCARD_PAGES: u32 = 16;

/** One bit for each page of 4 GiB: 1 = ours and free. */
const bitmap: usize = memory.data(8192, 16);
/** One bit for each page of 4 GiB: 1 = ours, free, and still resident, for it was in use. */
const idle: usize = memory.data(8192, 16);
/** Address of each group's notes, 0 where it has none. */
const groups: usize = memory.data(128, 16);

/** No bit is set in the bitmap's words below this one. */
let lowestWord: u32 = 0;
/** No bit is set in the words of `idle` above this one. */
let highestIdleWord: u32 = 0;
let freePages: u32 = 0;
let idlePages: u32 = 0;
let ownedPages: u32 = 0;

/** Pages that are ours and free. O(1). */
export function freePageCount(): u32 {
  return freePages;
}

/** Free pages that are still resident. O(1). */
export function idlePageCount(): u32 {
  return idlePages;
}

/** Pages that are ours, the notes' own pages included. O(1). */
export function ownedPageCount(): u32 {
  return ownedPages;
}

/** The notes of page `number`, which must be ours. O(1). */
// prettier-ignore
@inline
export function notesOf(number: u32): Notes {
  return changetype<Notes>(groupOf(number) + (<usize>(number & ((1 << GROUP_BITS) - 1)) << NOTE_BITS));
}

/** The notes of the page in which this address is, which must be ours. O(1). */
// prettier-ignore
@inline
export function notesAt(address: usize): Notes {
  return notesOf(<u32>(address >> PAGE_BITS));
}

/** Address of the notes of the page's group, 0 where it has none. */
// prettier-ignore
@inline
function groupOf(number: u32): usize {
  return <usize>load<u32>(groups + (<usize>(number >> GROUP_BITS) << 2));
}

/** The kind of page `number`, ours or not. O(1). */
export function kindOf(number: u32): u8 {
  return groupOf(number) ? notesOf(number).kind : KIND_FOREIGN;
}

/**
 * Takes `count` contiguous pages, from the pool or by growing the memory; their kind is the caller's to set.
 * O(1) for one page where the pool has any, otherwise a search of the bitmap (1024 words at most).
 * @returns number of the first page, 0 when the memory cannot grow (page 0 is static data, never ours)
 */
export function takePages(count: u32): u32 {
  const first = takeFreePages(count);
  if (first) return first;
  return grow(count) ? takeFreePages(count) : 0;
}

/** As takePages, without growing the memory. */
export function takeFreePages(count: u32): u32 {
  const first = findRun(count);
  if (!first) return 0;
  for (let page = first, end = first + count; page < end; page++) {
    const word = (<usize>(page >> 6)) << 3;
    const bit = (<u64>1) << (page & 63);
    store<u64>(bitmap + word, load<u64>(bitmap + word) & ~bit);
    if (load<u64>(idle + word) & bit) {
      store<u64>(idle + word, load<u64>(idle + word) & ~bit);
      idlePages--;
    }
  }
  freePages -= count;
  return first;
}

/** Gives `count` pages back to the pool, resident as they are. O(count). */
export function givePages(first: u32, count: u32): void {
  for (let page = first, end = first + count; page < end; page++) {
    const word = idle + ((<usize>(page >> 6)) << 3);
    store<u64>(word, load<u64>(word) | ((<u64>1) << (page & 63)));
  }
  idlePages += count;
  highestIdleWord = max(highestIdleWord, (first + count - 1) >> 6);
  addFree(first, count);
}

function addFree(first: u32, count: u32): void {
  for (let page = first, end = first + count; page < end; page++) {
    const word = bitmap + ((<usize>(page >> 6)) << 3);
    store<u64>(word, load<u64>(word) | ((<u64>1) << (page & 63)));
    notesOf(page).kind = KIND_FREE;
  }
  lowestWord = min(lowestWord, first >> 6);
  freePages += count;
}

/**
 * Chooses free pages to be given back to the system, where more are resident than will soon be used again:
 * DISCARD_PAGES at most, neighbours. The caller gives them, at once. O(1).
 * @returns `count << 32 | first`, 0 when there are enough uses for all
 */
export function takeIdle(): u64 {
  if (idlePages <= max(IDLE_PAGES, (ownedPages - freePages) / USED_PER_IDLE)) return 0;
  while (!load<u64>(idle + ((<usize>highestIdleWord) << 3))) highestIdleWord--;
  const word = idle + ((<usize>highestIdleWord) << 3);
  const bits = load<u64>(word);
  const above = clz(bits);
  const count = min(<u32>clz(~(bits << above)), DISCARD_PAGES);
  const first = 64 - <u32>above - count;
  store<u64>(word, bits & ~((((<u64>1) << count) - 1) << first));
  idlePages -= count;
  return ((<u64>count) << 32) | (<u64>((highestIdleWord << 6) + first));
}

/** How many free pages are resident by the bits: for checks. O(words). */
export function countIdle(): u32 {
  let count: u32 = 0;
  for (let word: usize = 0; word < WORDS << 3; word += 8) count += <u32>popcnt(load<u64>(idle + word));
  return count;
}

/**
 * Gives back every page except the notes' own, whatever it holds. O(pages of the memory), under 1 ms for 4
 * GiB.
 */
export function giveAllPages(): void {
  for (let page: u32 = 0, end = <u32>memory.size(); page < end; page++) {
    if (!groupOf(page)) {
      page |= (1 << GROUP_BITS) - 1;
      continue;
    }
    const kind = kindOf(page);
    if (kind > KIND_NOTES) givePages(page, 1);
  }
}

/** First page of the lowest run of `count` free pages; 0 when there is none. */
function findRun(count: u32): u32 {
  if (freePages < count) return 0;
  let word = lowestWord;
  while (word < WORDS && !load<u64>(bitmap + ((<usize>word) << 3))) word++;
  lowestWord = word;
  if (count == 1) return (word << 6) + <u32>ctz(load<u64>(bitmap + ((<usize>word) << 3)));
  let run: u32 = 0;
  for (; word < WORDS; word++) {
    const bits = load<u64>(bitmap + ((<usize>word) << 3));
    if (bits == ~(<u64>0)) {
      run += 64;
      if (run >= count) return (word << 6) + 64 - run;
    } else if (!bits) {
      run = 0;
    } else {
      for (let bit: u32 = 0; bit < 64; bit++) {
        run = bits & ((<u64>1) << bit) ? run + 1 : 0;
        if (run >= count) return (word << 6) + bit + 1 - run;
      }
    }
  }
  return 0;
}

/**
 * Grows the memory so that a run of `count` pages is free; in steps of GROW_STEP pages, or less where only
 * less can be had.
 */
function grow(count: u32): bool {
  const first = <u32>memory.size();
  // A run may continue the free pages that end the memory, if they are ours.
  let tail: u32 = 0;
  while (tail < count && first > tail && isFree(first - tail - 1)) tail++;
  let needed = count - tail;
  if (!needed) return true;
  needed += missingGroups(first, needed);
  let wanted = max(needed, GROW_STEP);
  if (wanted > MAX_PAGES - first) wanted = MAX_PAGES - first;
  while (wanted >= needed) {
    if (memory.grow(<i32>wanted) >= 0) {
      own(first, wanted, !tail);
      return true;
    }
    if (wanted == needed) break;
    wanted = max(needed, wanted >> 1);
  }
  return false;
}

function isFree(page: u32): bool {
  return <bool>((load<u64>(bitmap + ((<usize>(page >> 6)) << 3)) >> (page & 63)) & 1);
}

/**
 * How many groups that `count` pages from `first` on touch (with the pages for these groups' own notes) have
 * no notes yet.
 */
function missingGroups(first: u32, count: u32): u32 {
  let missing: u32 = 0;
  for (let group = first >> GROUP_BITS; group < GROUPS && group << GROUP_BITS < first + count + missing; group++) {
    if (!load<u32>(groups + ((<usize>group) << 2))) missing++;
  }
  return missing;
}

/**
 * Makes the freshly grown pages ours: notes for groups that have none come from the run's start, or from its
 * end where its start continues free pages; the rest is free.
 */
function own(first: u32, count: u32, fromStart: bool): void {
  let low = first;
  let high = first + count;
  for (let group = first >> GROUP_BITS; group < GROUPS && group << GROUP_BITS < first + count; group++) {
    if (load<u32>(groups + ((<usize>group) << 2))) continue;
    if (!fromStart) high--;
    store<u32>(groups + ((<usize>group) << 2), (fromStart ? low : high) << PAGE_BITS);
    if (fromStart) low++;
  }
  for (let page = first; page < first + count; page++) {
    const notes = notesOf(page);
    notes.number = page;
    notes.kind = KIND_NOTES;
  }
  ownedPages += count;
  addFree(low, high - low);
}

/** What another file takes over in the same memory (carry.ts). */
export function carryPages(): void {
  carryArea(bitmap, 8192);
  carryArea(idle, 8192);
  carryArea(groups, 128);
  lowestWord = carryWord<u32>(lowestWord);
  highestIdleWord = carryWord<u32>(highestIdleWord);
  freePages = carryWord<u32>(freePages);
  idlePages = carryWord<u32>(idlePages);
  ownedPages = carryWord<u32>(ownedPages);
}
