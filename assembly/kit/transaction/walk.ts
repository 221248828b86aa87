/**
 * The entries of a view in the tree, in the order of their keys, as the running command sees them: stored
 * ones and records side by side. A position of the walk is a key; nothing changes between two steps.
 */
import { isExpired } from "../../base/deadline";
import { lengthOf, pointerOf } from "../../base/frame";
import { deadlineOf, hasRoom, keyLength, keyOf, spanOf } from "../../base/storage/entry";
import { Cursor } from "../../base/storage/tree/cursor";
import { redis } from "../../base/redis";
import { take } from "../memory/arena";
import { tree } from "../store/tables";
import { compareKeys, firstFrom, hasOrdered, lastBefore, nextOf, weightBefore } from "./ordered";
import { DELETED, first, HEAD, isSeen, Pending, PUT, VOID } from "./pending";
import { requireDeadline, View } from "./view";

/** The entry that a step has come to: valid until the next command. */
@unmanaged
export class Place {
  key: usize;
  keyLength: u32;
  /** The number of its schema and the value. */
  value: usize;
  valueLength: u32;
  deadline: i64;

  /** Goes to a stored entry. */
  toStored(entry: usize): void {
    const length = keyLength(entry);
    const span = spanOf(entry);
    this.key = pointerOf(span) - <usize>length;
    this.keyLength = length;
    this.value = pointerOf(span);
    this.valueLength = lengthOf(span);
    this.deadline = hasRoom(entry) ? deadlineOf(entry) : 0;
  }

  /** Goes to a record of an entry. */
  toRecord(record: Pending): void {
    this.key = record.key;
    this.keyLength = record.keyLength;
    this.value = record.value;
    this.valueLength = record.valueLength;
    this.deadline = record.deadline;
  }
}

export const place: Place = changetype<Place>(memory.data(offsetof<Place>(), 8));
const cursor: Cursor = changetype<Cursor>(memory.data(offsetof<Cursor>(), 8));

/** The walk: its view, and what comes next of the stored entries and of the records, 0: nothing. */
let view: View = changetype<View>(0);
let isForward: bool = true;
let isHidden: bool = false;
let stored: usize = 0;
let record: Pending = changetype<Pending>(0);
/** The key that the walk ends at, 0: it ends with its view; the stored entry that it ends before, 0: none. */
let limit: usize = 0;
let limitLength: u32 = 0;
let stop: usize = 0;

/** Begins before the first entry whose key is not before this one. */
export function walkFrom(entries: View, key: usize, length: u32): void {
  begin(entries, true);
  if (!isHidden) cursor.seek(tree, key, length);
  stored = nextStored();
  record = hasOrdered() ? within(firstFrom(key, length)) : changetype<Pending>(0);
}

/** Begins behind the last entry whose key is before this one: steps go back. */
export function walkBackFrom(entries: View, key: usize, length: u32): void {
  begin(entries, false);
  if (!isHidden) cursor.seek(tree, key, length);
  stored = nextStored();
  record = hasOrdered() ? within(lastBefore(key, length)) : changetype<Pending>(0);
}

/**
 * Begins before the first entry whose key is not before `low`, and ends behind the last one whose key is
 * before `high`; or the other way round. Both are keys of the view.
 */
export function walkBetween(entries: View, low: usize, lowLength: u32, high: usize, highLength: u32, forward: bool): void {
  begin(entries, forward);
  stored = 0;
  record = changetype<Pending>(0);
  if (compareKeys(low, lowLength, high, highLength) >= 0) return;
  limit = forward ? high : low;
  limitLength = forward ? highLength : lowLength;
  if (!isHidden) {
    cursor.seek(tree, limit, limitLength);
    stop = forward ? cursor.next() : cursor.previous();
    cursor.seek(tree, forward ? low : high, forward ? lowLength : highLength);
    stored = nextStored();
  }
  if (hasOrdered()) record = within(forward ? firstFrom(low, lowLength) : lastBefore(high, highLength));
}

function begin(entries: View, forward: bool): void {
  view = entries;
  isForward = forward;
  limit = 0;
  isHidden = !tree.count || entries.hidesStored();
}

/** Goes to the next entry, into `place`; false: there is none. */
export function step(): bool {
  if (changetype<usize>(record)) return stepBoth();
  while (stored) {
    const entry = stored;
    stored = nextStored();
    if (seeStored(entry)) return true;
  }
  return false;
}

function stepBoth(): bool {
  while (stored || changetype<usize>(record)) {
    const order = compareNext();
    if (order <= 0) {
      // The record says what becomes of the stored one.
      const at = record;
      if (order == 0) stored = nextStored();
      record = nextRecord();
      if (!isSeen(at)) continue;
      place.toRecord(at);
      return true;
    }
    const entry = stored;
    stored = nextStored();
    if (seeStored(entry)) return true;
  }
  return false;
}

/** Goes to a stored entry; false: it has expired. */
// prettier-ignore
@inline
function seeStored(entry: usize): bool {
  if (isExpired(entry)) return false;
  place.toStored(entry);
  return true;
}

/**
 * Less than 0: the record comes next; 0: it is that of the stored entry; more: the stored entry comes next.
 */
function compareNext(): i32 {
  if (!changetype<usize>(record)) return 1;
  if (!stored) return -1;
  const order = compareKeys(record.key, record.keyLength, keyOf(stored), keyLength(stored));
  return isForward ? order : -order;
}

function nextStored(): usize {
  if (isHidden) return 0;
  const entry = isForward ? cursor.next() : cursor.previous();
  // Between two keys of a view all keys are of the view.
  if (limit) return entry == stop ? 0 : entry;
  return entry && view.holds(keyOf(entry), keyLength(entry)) ? entry : 0;
}

function nextRecord(): Pending {
  return within(isForward ? nextOf(record) : lastBefore(record.key, record.keyLength));
}

function within(at: Pending): Pending {
  if (!changetype<usize>(at) || !view.holds(at.key, at.keyLength)) return changetype<Pending>(0);
  if (limit && compareKeys(at.key, at.keyLength, limit, limitLength) < 0 != isForward) return changetype<Pending>(0);
  return at;
}

// ── Positions ──────────────────────────────────────────────────────────────────────────────────────────────

/**
 * How many of the view's entries have keys before this one, which begins with its prefix. Those that have
 * expired and are not reclaimed yet count. O(log n).
 */
export function rankOf(entries: View, key: usize, length: u32): i64 {
  const isHiddenHere = !tree.count || entries.hidesStored();
  let rank: i64 = isHiddenHere ? 0 : <i64>tree.rank(key, length) - <i64>tree.rank(entries.prefix, entries.prefixLength);
  if (hasOrdered()) rank += weightBefore(key, length) - weightBefore(entries.prefix, entries.prefixLength);
  return rank;
}

/**
 * Where all keys of a view end: the first byte string behind them, in the arena. Its length is the prefix's.
 */
export function endOf(entries: View): usize {
  const end = take(entries.prefixLength);
  memory.copy(end, entries.prefix, entries.prefixLength);
  let last = entries.prefixLength - 1;
  // Not all bytes are 255: the first one is a number of a table.
  for (; load<u8>(end + <usize>last) == 255; last--) store<u8>(end + <usize>last, 0);
  store<u8>(end + <usize>last, load<u8>(end + <usize>last) + 1);
  return end;
}

/** Goes to the entry at this position, and begins a walk there; false: there is none. O(log² n). */
export function walkAt(entries: View, index: i64, end: usize): bool {
  const count = rankOf(entries, end, entries.prefixLength);
  if (index < 0 || index >= count) return false;
  const base = !tree.count || entries.hidesStored() ? -1 : <i64>tree.rank(entries.prefix, entries.prefixLength);
  let from = entries.prefix;
  let length = entries.prefixLength;
  if (base >= 0) {
    // The last stored entry that as many, or fewer, come before.
    let low: i64 = 0;
    let high = <i64>tree.rank(end, entries.prefixLength) - base;
    while (low < high) {
      const middle = (low + high) >> 1;
      const entry = tree.at(<u32>(base + middle));
      if (middle + change(entries, entry) <= index) low = middle + 1;
      else high = middle;
    }
    if (low) {
      const entry = tree.at(<u32>(base + low - 1));
      from = keyOf(entry);
      length = keyLength(entry);
    }
  }
  walkFrom(entries, from, length);
  // What is deleted weighs less, so the search may have ended before records that add up to the position.
  for (let left = index - rankOf(entries, from, length); left >= 0; left--) if (!step()) return false;
  return true;
}

function change(entries: View, entry: usize): i64 {
  if (!hasOrdered()) return 0;
  return weightBefore(keyOf(entry), keyLength(entry)) - weightBefore(entries.prefix, entries.prefixLength);
}

/**
 * Gives all entries of a view in a key a common deadline, Unix ms, 0: none; whether there are any. A moment
 * that has passed deletes them.
 */
export function expireAll(entries: View, deadline: i64): bool {
  entries.requireWritableAll();
  requireDeadline(deadline);
  walkFrom(entries, entries.prefix, entries.prefixLength);
  if (!step()) return false;
  if (deadline && deadline <= redis.Milliseconds()) entries.clear();
  else entries.setHead(deadline);
  return true;
}

/** Drops the deadlines that the command gives to all entries in a key where there are none any more. */
export function dropEmptyHeads(): void {
  for (let at = first; changetype<usize>(at); at = at.next) {
    if (at.kind != HEAD || at.state != PUT) continue;
    const entries = inView;
    entries.prefix = at.key;
    entries.prefixLength = at.keyLength;
    entries.table = load<u8>(at.key);
    entries.isIn = true;
    if (rankOf(entries, endOf(entries), at.keyLength)) continue;
    at.state = at.stored ? DELETED : VOID;
    at.deadline = 0;
  }
}

const inView: View = changetype<View>(memory.data(offsetof<View>(), 4));
