/**
 * The commit of what a command is about to change. What can fail comes first and can be taken back: new
 * entries are made, and those with new keys put in. What follows cannot fail: effects are queued, entries
 * replaced and taken out, keys told of.
 */
import { deadlineOf, destroy, hasRoom, keyLength, keyOf, overwrite, valueLength } from "../../base/storage/entry";
import { Cursor } from "../../base/storage/tree/cursor";
import { beginChange, endChange } from "../../base/change";
import { redis } from "../../base/redis";
import { failLine, failOutOfMemory, line } from "../../base/text";
import {
  compactEntries,
  ENTRY as STORED_ENTRY,
  hashTable,
  hasUnder,
  HEAD as STORED_HEAD,
  heads,
  insert,
  insertHead,
  isSorted,
  isUnder,
  make,
  prefixLength,
  remove,
  removeHead,
  replace,
  reschedule,
  startWheel,
  tree,
} from "../store/tables";
import { queueEffect, queueEffects, reserveEffects } from "./effects";
import { isWhole, makeSignals, tell, tellCleared } from "./signals";
import { signalBytes } from "../store/signal";
import { lengthOf, pointerOf } from "../../base/frame";
import { commitMessages, hasMessages } from "./messages";
import { firstExternal, makeExternal } from "./external";
import { checkReads } from "./reads";
import { dropEmptyHeads } from "./walk";
import {
  CLEARED,
  clearedCount,
  count,
  DELETED,
  ENTRY,
  findPending,
  first,
  HEAD,
  isSeen,
  Pending,
  PUT,
  SIGNAL,
  TIMED,
  VOID,
} from "./pending";

/** Whether entries were put in that the commit has not been made of: a call into another module failed. */
let isStaged: bool = false;

/** Bytes that the command has stored. */
let written: u32 = 0;

/**
 * Makes it so. `replicates`: whether it is to be told to replicas and the append-only file.
 * Errors: `OOM …`, nothing has changed.
 */
// prettier-ignore
@inline
export function commit(replicates: bool): void {
  if (isDefined(KIT_CHECK)) checkReads();
  if (count) commitAll(replicates);
  else if (hasMessages()) commitMessages();
}

function commitAll(replicates: bool): void {
  if (replicates) dropEmptyHeads();
  // What most commands change is one entry: its key is told of without a record.
  const only = count == 1 && first.kind == ENTRY && first.state != VOID ? first : changetype<Pending>(0);
  let key: u64 = 0;
  if (changetype<usize>(only)) key = signalBytes(only.key, only.keyLength);
  else makeSignals();
  if (hasDeadlines()) startWheel();
  if (replicates) reserveEffects(changetype<usize>(only) != 0);
  written = 0;
  beginChange();
  if (!stage()) {
    takeBack();
    endChange();
    failOutOfMemory();
  }
  if (changetype<usize>(firstExternal)) callOthers(replicates);
  if (changetype<usize>(only)) {
    if (replicates) queueEffect(only, key);
    applyEntry(only);
    tell(pointerOf(key), lengthOf(key));
  } else {
    if (replicates) queueEffects();
    for (let at = first; changetype<usize>(at); at = at.next) apply(at);
  }
  if (clearedCount) for (let at = first; changetype<usize>(at); at = at.next) if (at.kind == CLEARED) clear(at);
  if (heads.count) for (let at = first; changetype<usize>(at); at = at.next) if (mayEmpty(at)) dropHead(at);
  isStaged = false;
  endChange();
  commitMessages();
  compactEntries(written);
}

function hasDeadlines(): bool {
  for (let at = first; changetype<usize>(at); at = at.next) if (at.deadline) return true;
  return false;
}

/** Makes the writes of other modules, between what can fail and what cannot. */
function callOthers(replicates: bool): void {
  endChange();
  if (!makeExternal(replicates)) {
    recover();
    line(changetype<usize>("ERR another module has refused a write of the command: nothing has changed"));
    failLine();
  }
  beginChange();
}

/** Takes back what a command has put in that could not be completed. */
export function recover(): void {
  if (!isStaged) return;
  beginChange();
  takeBack();
  endChange();
}

/** Forgets what a command has put in: it is gone with all data. */
export function forgetStaged(): void {
  isStaged = false;
}

// ── What can fail ──────────────────────────────────────────────────────────────────────────────────────────

/** Makes and puts in what is new; false: no memory. */
function stage(): bool {
  isStaged = true;
  for (let at = first; changetype<usize>(at); at = at.next) {
    if (at.kind == ENTRY && isSeen(at) && !stageEntry(at)) return false;
    if (at.kind == HEAD && at.state == PUT && !stageHead(at)) return false;
  }
  return true;
}

function stageEntry(record: Pending): bool {
  const stored = record.stored;
  if (stored && fitsInPlace(record, stored)) {
    record.inPlace = true;
    return true;
  }
  let entry = make(record.key, record.keyLength, record.value, record.valueLength, record.deadline, STORED_ENTRY);
  if (!entry && stored && record.valueLength < valueLength(stored)) {
    // It makes the module smaller: it may be had beyond the limit of memory.
    endChange();
    redis.MayExceed();
    beginChange();
    entry = make(record.key, record.keyLength, record.value, record.valueLength, record.deadline, STORED_ENTRY);
  }
  if (!entry) return false;
  written += record.keyLength + record.valueLength;
  if (!stored && !insert(entry, record.hash)) {
    destroy(entry);
    return false;
  }
  record.made = entry;
  return true;
}

/** Whether the stored entry can take the value and the deadline of the record. */
function fitsInPlace(record: Pending, stored: usize): bool {
  const timed = record.deadline != 0;
  if (record.state == TIMED) return hasRoom(stored) || !timed;
  if (hasRoom(stored) != timed) return false;
  // The same lengths always fit: the value is written over.
  return valueLength(stored) == record.valueLength;
}

function stageHead(record: Pending): bool {
  if (record.stored) return true;
  const head = make(record.key, record.keyLength, 0, 0, record.deadline, STORED_HEAD);
  if (!head) return false;
  if (!insertHead(head, record.hash)) {
    destroy(head);
    return false;
  }
  record.made = head;
  return true;
}

/** Takes out what `stage` has put in. */
function takeBack(): void {
  isStaged = false;
  for (let at = first; changetype<usize>(at); at = at.next) {
    if (!at.made) continue;
    if (at.kind == HEAD) removeHead(at.made);
    else if (at.stored) destroy(at.made);
    else remove(at.made);
    at.made = 0;
  }
}

// ── What cannot ────────────────────────────────────────────────────────────────────────────────────────────

function apply(record: Pending): void {
  if (record.kind == SIGNAL) {
    if (record.isTold) tell(record.key, record.keyLength);
  } else if (record.kind == ENTRY) applyEntry(record);
  else if (record.kind == HEAD) applyHead(record);
}

function applyEntry(record: Pending): void {
  const stored = record.stored;
  if (record.inPlace) {
    if (record.state == PUT) overwrite(stored, record.value, record.valueLength, STORED_ENTRY);
    if (hasRoom(stored) && deadlineOf(stored) != record.deadline) reschedule(stored, record.deadline);
  } else if (record.made) {
    if (stored) replace(stored, record.made, record.hash);
  } else if (record.state == DELETED && stored) {
    remove(stored);
  }
}

function applyHead(record: Pending): void {
  const stored = record.stored;
  if (!stored) return;
  if (record.state == PUT) reschedule(stored, record.deadline);
  else removeHead(stored);
}

/** Takes all entries out that are stored under a prefix and that the command has not put there. */
function clear(record: Pending): void {
  if (load<u8>(record.key, 1) == 0 && !isSorted(load<u8>(record.key))) clearHash(record);
  else clearTree(record);
}

function clearHash(record: Pending): void {
  const table = hashTable(load<u8>(record.key));
  let cursor: u64 = 0;
  do {
    table.seek(cursor);
    for (let entry = table.next(); entry; entry = table.next()) if (!isPut(entry)) drop(entry, true);
    cursor = table.cursor;
  } while (cursor);
}

const cursor: Cursor = changetype<Cursor>(memory.data(offsetof<Cursor>(), 8));

function clearTree(record: Pending): void {
  // The key after which the next one is to be looked for: the last that stays.
  let from = record.key;
  let length = record.keyLength;
  while (true) {
    cursor.seek(tree, from, length);
    let entry = cursor.next();
    while (entry && isUnder(entry, record.key, record.keyLength) && isPut(entry)) {
      from = keyOf(entry);
      length = keyLength(entry);
      entry = cursor.next();
    }
    if (!entry || !isUnder(entry, record.key, record.keyLength)) return;
    drop(entry, isWhole(record));
  }
}

/** Takes an entry out; `isOwn`: whether its key is told of, not one that it is in. */
function drop(entry: usize, isOwn: bool): void {
  if (isOwn) tellCleared(entry);
  remove(entry);
}

/** Whether the command has put this entry. */
function isPut(entry: usize): bool {
  const record = findPending(ENTRY, keyOf(entry), keyLength(entry));
  return changetype<usize>(record) != 0 && isSeen(record);
}

/**
 * Whether a key may have a head and no entry after this: the last one has gone, or was here in this command
 * alone.
 */
function mayEmpty(record: Pending): bool {
  return record.kind == ENTRY ? record.state == DELETED : record.kind == HEAD && record.state == PUT;
}

/** Takes the head of a key out in which there are no entries. */
function dropHead(record: Pending): void {
  if (load<u8>(record.key, 1) == 0) return;
  const length = prefixLength(record.key);
  const head = heads.find(record.key, length);
  if (!head) return;
  if (!hasUnder(record.key, length)) removeHead(head);
}
