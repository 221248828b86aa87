/**
 * A table, or the entries of one that are in a key, as the running command sees them: what is stored, and on
 * it what the command is about to change.
 */
import { isExpired } from "../../base/deadline";
import { equal } from "../../base/storage/bytes";
import { deadlineOf, spanOf } from "../../base/storage/entry";
import { lengthOf, pointerOf } from "../../base/frame";
import { redis } from "../../base/redis";
import { failLine, failOutOfMemory, line } from "../../base/text";
import { findStored, hashOf, hashTable, hasLiveUnder, hasUnder, heads, isInTree, isSorted, prepare } from "../store/tables";
import { mayWrite, requireReach, requireReachOfAll } from "./command";
import { order, weigh } from "./ordered";
import {
  addPending,
  CLEARED,
  clearedCount,
  count,
  countBytes,
  DELETED,
  ENTRY,
  findPending,
  first,
  HEAD,
  isSeen,
  Pending,
  PUT,
  TIMED,
  VOID,
} from "./pending";
import { changeSize } from "./sizes";

/** What a look-up has found: valid until the next one. */
export namespace seen {
  /** The value with the number of its schema before it; 0: there is no entry that is seen. */
  export let value: usize = 0;
  export let length: u32 = 0;
  export let deadline: i64 = 0;
  /** The stored entry, hidden or not; the record of the key. */
  export let stored: usize = 0;
  /** The hash of the key, of an entry in a hash table. */
  export let hash: u64 = 0;
  export let record: Pending = changetype<Pending>(0);
}

/** The head that the command has asked last whether its entries have all expired, and the answer. */
let asked: usize = 0;
let hasEnded: bool = false;

/** Forgets what was asked. */
// prettier-ignore
@inline
export function forgetAsked(): void {
  asked = 0;
}

/** Keys up to this moment, Unix ms, may have a deadline. */
const DEADLINE_MAX: i64 = 1 << 53;
/** A deadline that stays as it is. */
export const KEEP: i64 = -1;


@unmanaged
export class View {
  /** The part of all keys before the own key, and its length. */
  prefix: usize;
  prefixLength: u32;
  /** Number of the table. */
  table: u32;
  /** Whether its entries are in a key. */
  isIn: bool;

  /** Whether its entries lie in the tree. */
  @inline
  get isOrdered(): bool {
    return this.isIn || isSorted(this.table);
  }

  /** The head, 0: it has none, or the command is about to change it. */
  head(): usize {
    return this.isIn && heads.count ? heads.find(this.prefix, this.prefixLength) : 0;
  }

  /** Whether what is stored is not seen any more: it was cleared, or its common deadline has passed. */
  hidesStored(): bool {
    if (clearedCount && changetype<usize>(this.cleared())) return true;
    const head = this.head();
    return head != 0 && isExpired(head);
  }

  private cleared(): Pending {
    return findPending(CLEARED, this.prefix, this.prefixLength);
  }

  /** Looks an entry up, into `seen`. */
  find(key: usize, length: u32): bool {
    if (count) {
      const record = findPending(ENTRY, key, length);
      seen.record = record;
      if (changetype<usize>(record)) return seePending(record);
    } else {
      seen.record = changetype<Pending>(0);
    }
    seen.hash = isInTree(key) ? 0 : hashOf(key, length);
    const stored = findStored(key, length, seen.hash);
    seen.stored = stored;
    seen.value = 0;
    if (!stored || isExpired(stored) || this.hidesStored()) return false;
    const span = spanOf(stored);
    seen.value = pointerOf(span);
    seen.length = lengthOf(span);
    seen.deadline = deadlineOf(stored);
    return true;
  }

  /** Stores an entry. `deadline`: Unix ms, 0: none, KEEP. `value`: the number of its schema and the value. */
  put(key: usize, length: u32, value: usize, valueLength: u32, deadline: i64): void {
    const isThere = this.begin(key, length);
    if (deadline == KEEP) deadline = isThere ? seen.deadline : 0;
    else if (deadline < 0 || deadline > DEADLINE_MAX) failDeadline();
    else if (deadline && deadline <= redis.Milliseconds()) return this.take(key, length, isThere);
    const record = this.record(key, length);
    record.state = PUT;
    record.value = value;
    record.valueLength = valueLength;
    record.deadline = deadline;
    countBytes(valueLength);
    this.weighIn(record);
  }

  /** Deletes an entry; whether it was there. */
  delete(key: usize, length: u32): bool {
    const isThere = this.begin(key, length);
    this.take(key, length, isThere);
    return isThere;
  }

  private take(key: usize, length: u32, isThere: bool): void {
    if (!isThere) return;
    const record = this.record(key, length);
    record.state = record.stored ? DELETED : VOID;
    record.value = 0;
    this.weighIn(record);
  }

  /** Gives an entry another deadline, Unix ms, 0: none; whether it is there. */
  expireAt(key: usize, length: u32, deadline: i64): bool {
    const isThere = this.begin(key, length);
    requireDeadline(deadline);
    if (!isThere) return false;
    if (deadline && deadline <= redis.Milliseconds()) {
      this.take(key, length, true);
      return true;
    }
    const value = seen.value;
    const valueLength = seen.length;
    const record = this.record(key, length);
    if (record.state != PUT) {
      record.state = TIMED;
      record.value = value;
      record.valueLength = valueLength;
    }
    record.deadline = deadline;
    this.weighIn(record);
    return true;
  }

  /** Deletes all entries. */
  clear(): void {
    this.requireWritableAll();
    if (this.isAnyStored() && !changetype<usize>(this.cleared())) {
      const record = addPending(CLEARED, this.prefix, this.prefixLength);
      record.state = PUT;
    }
    for (let at = first; changetype<usize>(at); at = at.next) {
      if (at.kind != ENTRY || !this.holds(at.key, at.keyLength)) continue;
      at.state = VOID;
      this.weighIn(at);
    }
    if (this.isIn) this.setHead(0);
  }

  private isAnyStored(): bool {
    return this.isOrdered ? hasUnder(this.prefix, this.prefixLength) : hashTable(this.table).count != 0;
  }

  /** Whether a key is one of its entries'. */
  @inline
  holds(key: usize, length: u32): bool {
    return length >= this.prefixLength && equal(key, this.prefix, this.prefixLength);
  }

  /** Gives all entries a common deadline, Unix ms, 0: none. There are some. */
  setHead(deadline: i64): void {
    requireDeadline(deadline);
    let record = findPending(HEAD, this.prefix, this.prefixLength);
    if (!changetype<usize>(record)) {
      const stored = this.head();
      if (!stored && !deadline) return;
      record = addPending(HEAD, this.prefix, this.prefixLength, hashOf(this.prefix, this.prefixLength));
      record.stored = stored;
    }
    record.state = deadline ? PUT : record.stored ? DELETED : VOID;
    record.deadline = deadline;
  }

  /** The common deadline of all entries, Unix ms, 0: none. */
  headDeadline(): i64 {
    this.requireReach();
    if (count) {
      const record = findPending(HEAD, this.prefix, this.prefixLength);
      if (changetype<usize>(record)) return record.deadline;
    }
    const head = this.head();
    return head && !this.isOver(head) ? deadlineOf(head) : 0;
  }

  /** Whether all that was stored in the key when the command began has expired, as a whole or one by one. */
  private isOver(head: usize): bool {
    if (isExpired(head)) return true;
    if (asked != head) {
      hasEnded = !hasLiveUnder(this.prefix, this.prefixLength);
      asked = head;
    }
    return hasEnded;
  }

  /** Ends the command unless it may write here, and looks the entry up; whether it is seen. */
  private begin(key: usize, length: u32): bool {
    this.requireWritable(key, length);
    const isThere = this.find(key, length);
    if (!isThere) this.startAnew();
    return isThere;
  }

  /** Ends the command unless it may write a stored key, and memory can be had. */
  private requireWritable(key: usize, length: u32): void {
    mayWrite();
    requireReach(key, length);
    if (!prepare()) failOutOfMemory();
  }

  /** As requireWritable, of all entries. */
  requireWritableAll(): void {
    mayWrite();
    this.requireReach();
    if (!prepare()) failOutOfMemory();
  }

  /** Ends the command where it does not reach all entries: in a cluster, those of keys in other slots. */
  requireReach(): void {
    if (this.isIn) requireReach(this.prefix, this.prefixLength);
    else requireReachOfAll();
  }

  /** What is stored and has expired goes, with its common deadline, before the first new entry comes. */
  private startAnew(): void {
    const head = this.head();
    if (head && this.isOver(head) && !(clearedCount && changetype<usize>(this.cleared()))) this.clear();
  }

  /** The record of an entry that has been looked up. */
  private record(key: usize, length: u32): Pending {
    if (changetype<usize>(seen.record)) return seen.record;
    const stored = seen.stored;
    const record = addPending(ENTRY, key, length, seen.hash);
    record.stored = stored;
    if (isInTree(record.key)) order(record);
    seen.record = record;
    return record;
  }

  /** What the record changes the number of entries by that are seen. */
  private weighIn(record: Pending): void {
    const wasSeen = record.stored != 0 && !this.hidesStored();
    const weight = i32(isSeen(record)) - i32(wasSeen);
    if (this.isOrdered) weigh(record, weight);
    else changeSize(this.table, record, weight);
  }
}

function seePending(record: Pending): bool {
  seen.stored = record.stored;
  seen.value = isSeen(record) ? record.value : 0;
  seen.length = record.valueLength;
  seen.deadline = record.deadline;
  return isSeen(record);
}

/** Ends the command unless a deadline is one. */
export function requireDeadline(deadline: i64): void {
  if (deadline < 0 || deadline > DEADLINE_MAX) failDeadline();
}

function failDeadline(): void {
  line(changetype<usize>("ERR a deadline is a Unix time in milliseconds, from 0 to 2^53"));
  failLine();
}
