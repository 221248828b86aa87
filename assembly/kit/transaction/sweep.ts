/** Reclaims, on a primary, what has expired: each step is a transaction of its own. */
import { deadlineOf, entryOf, keyLength, keyOf, kindOf, nodeOf } from "../../base/storage/entry";
import { Cursor } from "../../base/storage/tree/cursor";
import { beginChange, endChange } from "../../base/change";
import { redis } from "../../base/redis";
import { compactEntries, hashOf, HEAD as STORED_HEAD, isUnder, tree, wheel } from "../store/tables";
import { beginCommand } from "./begin";
import { Command } from "./command";
import { commit } from "./commit";
import { addPending, DELETED, ENTRY, findPending, HEAD, Pending } from "./pending";
import { carryWord } from "../../base/storage/carry";

/** Entries, and entries in an expired key, that one step reclaims. */
const BATCH: u32 = 32;

/** Stands for a command. */
const command: Command = changetype<Command>(memory.data(offsetof<Command>(), 4));
const taken: usize = memory.data(128, 4);
const cursor: Cursor = changetype<Cursor>(memory.data(offsetof<Cursor>(), 8));

/** Entries that were reclaimed since the module was loaded. */
export let expired: u64 = 0;

/** What is told of keys that expire: the event's name, of bytes that stay. */
export function nameExpired(event: usize, length: u32): void {
  command.event = event;
  command.eventLength = length;
}

/** One step; whether there is more to do now. */
export function sweepStep(): bool {
  if (!wheel.count) return compactEntries(0);
  const now = redis.Milliseconds();
  command.writes = true;
  command.firstKey = 0;
  beginCommand(command, 0, 0);
  let count: u32 = 0;
  beginChange();
  while (count < BATCH) {
    const node = wheel.take(now);
    if (!node) break;
    store<u32>(taken + ((<usize>count) << 2), <u32>entryOf(node));
    count++;
  }
  // They go back until the commit takes out what has expired.
  for (let index: u32 = 0; index < count; index++) wheel.insert(nodeOf(takenAt(index)), deadlineOf(takenAt(index)));
  endChange();
  for (let index: u32 = 0; index < count; index++) {
    const entry = takenAt(index);
    if (deadlineOf(entry) > now) continue;
    if (kindOf(entry) == STORED_HEAD) expireHead(entry);
    else expireEntry(entry);
  }
  commit(true);
  return count == BATCH || compactEntries(0);
}

// prettier-ignore
@inline
function takenAt(index: u32): usize {
  return <usize>load<u32>(taken + ((<usize>index) << 2));
}

function expireEntry(entry: usize): void {
  const record = recordOf(ENTRY, keyOf(entry), keyLength(entry));
  if (record.stored) return;
  record.stored = entry;
  record.state = DELETED;
  expired++;
}

/** Some of the entries in an expired key, and the head with the last of them. */
function expireHead(head: usize): void {
  const prefix = keyOf(head);
  const length = keyLength(head);
  cursor.seek(tree, prefix, length);
  let entry = cursor.next();
  for (let left = BATCH; left && entry && isUnder(entry, prefix, length); left--) {
    expireEntry(entry);
    entry = cursor.next();
  }
  if (entry && isUnder(entry, prefix, length)) return;
  const record = recordOf(HEAD, prefix, length);
  record.stored = head;
  record.state = DELETED;
}

function recordOf(kind: u32, key: usize, length: u32): Pending {
  const found = findPending(kind, key, length);
  if (changetype<usize>(found)) return found;
  return addPending(kind, key, length, hashOf(key, length));
}

/** What another file takes over in the same memory (carry.ts). */
export function carrySweep(): void {
  expired = carryWord<u64>(expired);
}
