/**
 * All entries of a module's tables that lie in a set of cluster slots, one by one: by the index
 * (slot-index.ts) where there is one and it is for one slot, else by a walk over all of them. Nothing may
 * change until the last one.
 */
import { findPlaces } from "../../base/slot-index";
import { hasSlot } from "../../base/slots";
import { firstInSlots, nextInSlots } from "../../base/slot-walk";
import { keyLength, keyOf } from "../../base/storage/entry";
import { Cursor } from "../../base/storage/tree/cursor";
import { slotOfStored } from "./signal";
import { isInKey, runs, RUNS, slotOfEntry } from "./slot-index";
import { hashTable, isUnder, prefixLength, tableCount, tree } from "./tables";

const cursor: Cursor = changetype<Cursor>(memory.data(offsetof<Cursor>(), 8));
let wanted: usize = 0;
/** The hash table that the walk is in, or, behind the last one, the tree. */
let walked: u32 = 0;
/** The run of the tree that it is in, 0: it goes over the whole tree, or is at its end. */
let run: usize = 0;
let isIndexed: bool = false;

/** The first entry, 0: there is none. O(entries), O(those in the slot) with an index. */
export function firstStored(slots: usize): usize {
  wanted = slots;
  walked = 0;
  return enterTable();
}

/** The next entry, 0 after the last. */
export function nextStored(): usize {
  if (walked == tableCount()) return nextInTree();
  const entry = nextInSlots();
  if (entry) return entry;
  walked++;
  return enterTable();
}

function enterTable(): usize {
  const slotOf = load<i32>(changetype<usize>(slotOfEntry));
  for (; walked < tableCount(); walked++) {
    const entry = firstInSlots(hashTable(walked), wanted, slotOf, walked);
    if (entry) return entry;
  }
  isIndexed = findPlaces(wanted);
  if (!isIndexed) {
    beginOwners();
    cursor.seekFirst(tree);
    return nextInTree();
  }
  run = firstInSlots(runs, wanted, slotOf, RUNS);
  return enterRuns();
}

function nextInTree(): usize {
  if (isIndexed) {
    const entry = run ? nextOfRun(run) : 0;
    if (entry || !run) return entry;
    run = nextInSlots();
    return enterRuns();
  }
  let entry = cursor.next();
  while (entry && !hasSlot(wanted, slotInTree(entry))) entry = cursor.next();
  return entry;
}

/** The first entry of this run or of one behind it: runs stay that have none any more. */
function enterRuns(): usize {
  for (; run; run = nextInSlots()) {
    const entry = firstOfRun(run);
    if (entry) return entry;
  }
  return 0;
}

// ── Runs ───────────────────────────────────────────────────────────────────────────────────────────────────

/** The first entry of a run that is there, 0: none. O(log entries). */
export function firstOfRun(run: usize): usize {
  if (!isInKey(run)) return tree.find(keyOf(run), keyLength(run));
  cursor.seek(tree, keyOf(run), keyLength(run));
  return nextOfRun(run);
}

/** The next one, 0 after the last. */
export function nextOfRun(run: usize): usize {
  const entry = isInKey(run) ? cursor.next() : 0;
  return entry && isUnder(entry, keyOf(run), keyLength(run)) ? entry : 0;
}

// ── Owners ─────────────────────────────────────────────────────────────────────────────────────────────────

/** The prefix of the key that the entry before was in, 0: none; and its slot. Such stand side by side. */
let owner: usize = 0;
let ownerLength: u32 = 0;
let ownerSlot: u32 = 0;

/** Begins to ask for entries of the tree, one after the other. */
export function beginOwners(): void {
  owner = 0;
}

/** The slot of an entry of the tree. Nothing may change since beginOwners. */
export function slotInTree(entry: usize): u32 {
  if (!isInKey(entry)) return slotOfEntry(entry);
  if (owner && isUnder(entry, owner, ownerLength)) return ownerSlot;
  owner = keyOf(entry);
  ownerLength = prefixLength(owner);
  ownerSlot = slotOfStored(owner, ownerLength);
  return ownerSlot;
}
