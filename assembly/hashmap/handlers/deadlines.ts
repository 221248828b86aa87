/** The commands about deadlines, and the reclaiming of what has expired. */
import { deadlineOf, entryOf, keyLength, keyOf, nodeOf } from "../../base/storage/entry";
import { beginChange, endChange } from "../../base/change";
import { argument, argumentLength, REPLIED } from "../../base/frame";
import { redis } from "../../base/redis";
import { changed } from "../../base/register";
import { failOutOfMemory } from "../../base/text";
import { replicateDel, replicateExpire } from "../replication/effects";
import { EVENT_DEL, EVENT_EXPIRE, EVENT_EXPIRED, EVENT_PERSIST } from "../replication/events";
import { changeDeadline, compactEntries, dropExpired, findEntry, isExpired, removeEntry, startWheel, table, wheel } from "../store";
import { momentOf, SECONDS } from "./time";

/** Nodes that one step of reclaiming takes from the wheel. */
const STEP_NODES: u32 = 16;

/** Entries that were reclaimed since the module was loaded. */
export let expired: u64 = 0;

/** `CUSTOM.EXPIRE key s` → `:1`, `:0` when absent. As expireIn. */
export function commandExpire(argc: i32, argv: usize): u64 {
  return expireIn(argv, SECONDS, changetype<usize>("custom.expire"));
}

/** `CUSTOM.PEXPIRE key ms` → `:1`, `:0` when absent. As expireIn. */
export function commandPexpire(argc: i32, argv: usize): u64 {
  return expireIn(argv, 0, changetype<usize>("custom.pexpire"));
}

/**
 * Gives the key a deadline; one that is not in the future deletes it. O(key), where there was no deadline also O(value).
 * Errors: `ERR value is not an integer or out of range`, `ERR invalid expire time in '<command>' command`, `OOM …`, nothing changed.
 */
function expireIn(argv: usize, form: u32, command: usize): u64 {
  const key = argument(argv, 0);
  const length = argumentLength(argv, 0);
  const now = redis.Milliseconds();
  const deadline = momentOf(argument(argv, 1), argumentLength(argv, 1), form, now, false, command);
  const hash = table.hashOf(key, length);
  const slot = liveSlot(key, length, hash);
  if (slot && deadline <= now) deleteNow(slot, hash, key, length);
  else if (slot) {
    startWheel(now);
    setNow(slot, key, length, deadline);
  }
  redis.ReplyWithLongLong(slot ? 1 : 0);
  return REPLIED;
}

function deleteNow(slot: usize, hash: u64, key: usize, length: u32): void {
  beginChange();
  removeEntry(slot, hash);
  replicateDel(key, length);
  changed(EVENT_DEL, 10, key, length);
  endChange();
  compactEntries(0);
}

function setNow(slot: usize, key: usize, length: u32, deadline: i64): void {
  beginChange();
  const done = changeDeadline(slot, deadline);
  if (done) {
    replicateExpire(key, length, deadline);
    if (deadline) changed(EVENT_EXPIRE, 13, key, length);
    else changed(EVENT_PERSIST, 14, key, length);
  }
  endChange();
  if (!done) failOutOfMemory();
  compactEntries(length);
}

/** Slot of the entry with this key, 0 when there is none or it has expired. */
function liveSlot(key: usize, length: u32, hash: u64): usize {
  const slot = table.lookup(key, length, hash);
  return slot && !isExpired(<usize>load<u32>(slot)) ? slot : 0;
}

/** `CUSTOM.PERSIST key` → `:1` when its deadline was taken away, `:0` when absent or without one. Needs no memory. O(key + value). */
export function commandPersist(argc: i32, argv: usize): u64 {
  const key = argument(argv, 0);
  const length = argumentLength(argv, 0);
  const slot = liveSlot(key, length, table.hashOf(key, length));
  const persists = slot && deadlineOf(<usize>load<u32>(slot));
  if (persists) setNow(slot, key, length, 0);
  redis.ReplyWithLongLong(persists ? 1 : 0);
  return REPLIED;
}

/** `CUSTOM.PTTL key` → ms until the deadline, -1 without one, -2 when absent. O(key). */
export function commandPttl(argc: i32, argv: usize): u64 {
  redis.ReplyWithLongLong(msLeft(argv));
  return REPLIED;
}

/** `CUSTOM.TTL key` → as PTTL, in seconds, rounded. O(key). */
export function commandTtl(argc: i32, argv: usize): u64 {
  const left = msLeft(argv);
  // Halves up, as the server does; without the sum, which overflows.
  redis.ReplyWithLongLong(left < 0 ? left : left / 1000 + i64(left % 1000 >= 500));
  return REPLIED;
}

function msLeft(argv: usize): i64 {
  const entry = findEntry(argument(argv, 0), argumentLength(argv, 0));
  if (!entry) return -2;
  const deadline = deadlineOf(entry);
  // It is not in the past for one that came in time, nor for a command that repeats what was decided elsewhere.
  return deadline ? max<i64>(deadline - redis.Milliseconds(), 0) : -1;
}

/**
 * One step of reclaiming: at most STEP_NODES entries whose slot of the wheel has come. What has expired is deleted, with its effect; the others go on
 * to their slot. And memory that has become free goes back to the system. O(1).
 * @returns whether there is more to do now
 */
export function sweepStep(): bool {
  if (!wheel.count) return compactEntries(0);
  const now = redis.Milliseconds();
  let more = true;
  beginChange();
  for (let taken: u32 = 0; more && taken < STEP_NODES; taken++) {
    const node = wheel.take(now);
    more = node != 0;
    if (more) reclaim(entryOf(node), now);
  }
  endChange();
  return compactEntries(0) || more;
}

/** Deletes an entry that the wheel has given, or puts it back there. */
function reclaim(entry: usize, now: i64): void {
  const deadline = deadlineOf(entry);
  if (deadline > now) {
    wheel.insert(nodeOf(entry), deadline);
    return;
  }
  const key = keyOf(entry);
  const length = keyLength(entry);
  expired++;
  replicateDel(key, length);
  changed(EVENT_EXPIRED, 14, key, length);
  dropExpired(entry);
}
