/**
 * Entries by their cluster slots (store/signal.ts): what leaves with a slot that moves to another server.
 * Whether one has expired is for that server to say: a write that is on its way there may lengthen its time.
 */
import { deadlineOf, keyLength, keyOf, valueLength, valueOf } from "../../base/storage/entry";
import { Cursor } from "../../base/storage/tree/cursor";
import { beginChange, endChange } from "../../base/change";
import { argument, lengthOf, pointerOf, setArgument } from "../../base/frame";
import { redis } from "../../base/redis";
import {
  beginStep,
  beginTable,
  countDrop,
  countLook,
  endStep,
  forgetDrop,
  goesByIndex,
  isDropped,
  mayDrop,
  passBatch,
  stepGoesOn,
  takeBatch,
  takenAt,
} from "../../base/slot-drop";
import { firstSlot, hasSlot, NO_SLOT, writeKeyIn } from "../../base/slots";
import { firstInSlots, nextInSlots } from "../../base/slot-walk";
import { equal } from "../../base/storage/bytes";
import { beginArena, rewind, take, top } from "../memory/arena";
import { isTold, schemaAt, schemaLimit } from "../store/schemas";
import { signalBytes } from "../store/signal";
import { HEADS, indexTables, runs, RUNS, slotOfEntry } from "../store/slot-index";
import { beginOwners, firstOfRun, firstStored, nextOfRun, nextStored, slotInTree } from "../store/slot-walk";
import {
  compactEntries,
  hashTable,
  hasUnder,
  heads,
  prefixLength,
  remove,
  removeHead,
  storedCount,
  tableCount,
  tree,
} from "../store/tables";
import { Writer } from "../values/buffer";
import { CHANGE_BYTES, FORMAT, writeChange } from "./effects";
import { ENTRY, HEAD, Pending, PUT } from "./pending";

const cursor: Cursor = changetype<Cursor>(memory.data(offsetof<Cursor>(), 8));

// ── Exporting ──────────────────────────────────────────────────────────────────────────────────────────────

/** Bytes of a payload, which any command has room for: what is longer is an effect by itself. */
const PAYLOAD_BYTES: u32 = 8192;

const payload: Writer = changetype<Writer>(memory.data(offsetof<Writer>(), 4));
/** The arguments of the effect that is being made: the payload, and the schemas that it needs. */
let frame: usize = 0;
let argc: u32 = 0;
/** The slot that its entries lie in, NO_SLOT: there is none; and the stored key of the first of them. */
let effectSlot: u32 = NO_SLOT;
let firstKey: usize = 0;
let firstLength: u32 = 0;
/** The entry or head that is exported, as a change of a command. */
const record: Pending = changetype<Pending>(memory.data(offsetof<Pending>(), 8));

/**
 * Queues what makes the entries of these slots where they are not, each effect with its schemas: what this
 * process has told its own stream is not known there. Changes nothing. O(entries).
 */
export function exportTables(slots: usize): void {
  exportTold(slots);
  if (storedCount()) exportStored(slots);
  flushEffect();
  // What a long entry has taken is freed.
  beginArena();
}

function exportStored(slots: usize): void {
  indexTables(slots);
  for (let entry = firstStored(slots); entry; entry = nextStored()) exportOne(entry, ENTRY);
  const slotOf = load<i32>(changetype<usize>(slotOfEntry));
  for (let head = firstInSlots(heads, slots, slotOf, HEADS); head; head = nextInSlots()) exportOne(head, HEAD);
}

/**
 * Queues an effect of the schemas that were told: effects of writes do without them, and follow the slots to
 * a server that has not heard of them.
 */
function exportTold(slots: usize): void {
  const slot = firstSlot(slots);
  if (slot == NO_SLOT) return;
  beginEffect(0);
  for (let number: u32 = 0; number < schemaLimit(); number++) if (isTold(number)) addSchema(number);
  if (argc == 1) return;
  const key = take(2);
  writeKeyIn(slot, key);
  queue(key, 2);
}

function exportOne(entry: usize, kind: u32): void {
  const slot = slotOfEntry(entry);
  record.kind = kind;
  record.state = PUT;
  record.key = keyOf(entry);
  record.keyLength = keyLength(entry);
  record.value = valueOf(entry);
  record.valueLength = valueLength(entry);
  record.deadline = deadlineOf(entry);
  const size = record.keyLength + record.valueLength + CHANGE_BYTES;
  if (slot != effectSlot || payload.length + size > PAYLOAD_BYTES) {
    flushEffect();
    beginEffect(size);
    effectSlot = slot;
    firstKey = record.key;
    firstLength = record.keyLength;
  }
  addSchema(writeChange(payload, record));
}

/** Begins an effect without an event, with room for so many bytes. */
function beginEffect(size: u32): void {
  beginArena();
  // It is needed as what it exports was: beyond the limit of memory too.
  if (size > PAYLOAD_BYTES) redis.MayExceed();
  frame = take((schemaLimit() + 1) << 3);
  argc = 1;
  payload.begin(max(size, PAYLOAD_BYTES) + 8);
  payload.number(0);
}

function addSchema(number: u32): void {
  const schema = schemaAt(number);
  for (let index: u32 = 1; index < argc; index++) if (argument(frame, index) == schema.text) return;
  setArgument(frame, argc, schema.text, schema.length);
  argc++;
}

function flushEffect(): void {
  if (effectSlot == NO_SLOT) return;
  effectSlot = NO_SLOT;
  const key = signalBytes(firstKey, firstLength);
  queue(pointerOf(key), lengthOf(key));
}

function queue(key: usize, length: u32): void {
  setArgument(frame, 0, payload.start, payload.length);
  redis.ReplicateTables(key, length, FORMAT, frame, argc);
}

/** How many entries lie in these slots. O(entries). */
export function countTables(slots: usize): u64 {
  let count: u64 = 0;
  if (!storedCount()) return 0;
  for (let entry = firstStored(slots); entry; entry = nextStored()) count++;
  return count;
}

// ── Dropping ───────────────────────────────────────────────────────────────────────────────────────────────

/** Entries of the tree that are looked at at a time. */
const BATCH: u32 = 16;
const taken: usize = memory.data(64, 4);
/** The hash table that dropping has come to, or, behind the last one, the tree. */
let stage: u32 = 0;
/** The first bytes of the key in the tree to go on from. */
const FROM_BYTES: u32 = 256;
const from: usize = memory.data(256);
let fromLength: u32 = 0;

/** The next step begins anew: all data is gone. */
export function forgetStep(): void {
  forgetDrop();
  stage = 0;
  fromLength = 0;
}

/**
 * One step of dropping the entries of these slots, without effects and events: WATCH and client-side caching
 * are told. It drops `most` at most and looks at eight times as many, or drops all where `most` is 0 or less.
 * @returns whether there may be more
 */
export function dropTables(slots: usize, most: i32): bool {
  beginArena();
  if (most <= 0) indexTables(slots);
  if (!beginStep(slots, most)) stage = fromLength = 0;
  const more = storedCount() != 0 && stepGoesOn() && (dropFromHashes(slots) || (goesByIndex() ? dropRuns(slots) : dropFromTree(slots)));
  endStep();
  compactEntries(0);
  if (!more) stage = 0;
  return more;
}

function dropFromHashes(slots: usize): bool {
  for (; stage < tableCount(); stage++) {
    beginTable();
    while (stepGoesOn()) {
      const count = takeBatch(hashTable(stage), slots, load<i32>(changetype<usize>(slotOfEntry)), stage);
      for (let index: u32 = 0; index < count; index++) dropEntry(takenAt(index));
      passBatch();
    }
    if (!isDropped()) return true;
  }
  beginTable();
  return false;
}

/** Drops all of the tree that lies in one slot. */
function dropRuns(slots: usize): bool {
  const slotOf = load<i32>(changetype<usize>(slotOfEntry));
  for (let run = firstInSlots(runs, slots, slotOf, RUNS); run; run = nextInSlots()) {
    for (let count = takeRun(run); count; count = takeRun(run)) {
      for (let index: u32 = 0; index < count; index++) dropEntry(<usize>load<u32>(taken + ((<usize>index) << 2)));
    }
  }
  return false;
}

/** Takes entries of a run that there are; how many. */
function takeRun(run: usize): u32 {
  let count: u32 = 0;
  let entry = firstOfRun(run);
  for (; entry && count < BATCH; entry = nextOfRun(run)) {
    store<u32>(taken + ((<usize>count) << 2), <u32>entry);
    count++;
  }
  return count;
}

function dropFromTree(slots: usize): bool {
  const before = mayDrop();
  cursor.seek(tree, from, fromLength);
  let entry = cursor.next();
  while (entry) {
    // Where nothing was dropped the next step must begin elsewhere, or it would come no further.
    if (!stepGoesOn() && (mayDrop() < before || !isFrom(entry))) return stopAt(entry);
    let count: u32 = 0;
    beginOwners();
    for (let left = BATCH; entry && left && <i64>count < mayDrop(); left--) {
      countLook();
      if (hasSlot(slots, slotInTree(entry))) {
        store<u32>(taken + ((<usize>count) << 2), <u32>entry);
        count++;
      }
      entry = cursor.next();
    }
    if (!count) continue;
    for (let index: u32 = 0; index < count; index++) dropEntry(<usize>load<u32>(taken + ((<usize>index) << 2)));
    if (!entry) break;
    cursor.seek(tree, keyOf(entry), keyLength(entry));
    entry = cursor.next();
  }
  fromLength = 0;
  return false;
}

/** Ends the step before this entry: there may be more. */
function stopAt(entry: usize): bool {
  fromLength = min(keyLength(entry), FROM_BYTES);
  memory.copy(from, keyOf(entry), fromLength);
  return true;
}

/** Whether a step that began at this entry would begin where this one did. */
function isFrom(entry: usize): bool {
  return min(keyLength(entry), FROM_BYTES) == fromLength && equal(keyOf(entry), from, fromLength);
}

/** Drops an entry, and with the last one in a key their common deadline. */
function dropEntry(entry: usize): void {
  const key = keyOf(entry);
  const mark = top;
  const signal = signalBytes(key, keyLength(entry));
  redis.SignalModifiedKey(pointerOf(signal), lengthOf(signal));
  rewind(mark);
  const head = heads.count && load<u8>(key, 1) ? heads.find(key, prefixLength(key)) : 0;
  beginChange();
  remove(entry);
  if (head && !hasUnder(keyOf(head), keyLength(head))) removeHead(head);
  endChange();
  countDrop();
}
