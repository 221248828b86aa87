/**
 * The sweep: reclaims, on a primary, entries whose deadline has passed. The host calls it again and again,
 * each step is short.
 */
import { deadlineOf, entryOf, keyLength, keyOf, nodeOf, sizeOf } from "../base/storage/entry";
import { beginChange, endChange } from "../base/change";
import { redis } from "../base/redis";
import { changed } from "../base/register";
import { bytesCost, DEALT_COST, STEP_COST } from "../base/sweep";
import { replicateDel } from "./replication/effects";
import { Event } from "./replication/events";
import { compactEntries, dropExpired, table, wheel } from "./store/entries";
import { carryWord } from "../base/storage/carry";

/** Entries that are taken from the wheel at a time. */
const BATCH: u32 = 16;
/** What a small entry costs that is reclaimed, with its effect: see base/sweep.ts. */
const RECLAIMED_COST: u32 = 16;

/** The entries that have been taken, u32 each, and the hashes of those that have expired. */
const taken: usize = memory.data(64, 4);
const hashes: usize = memory.data(128, 8);
/** Where what is only read to be in the cache is left. */
const touched: usize = memory.data(4, 4);

/** Entries that were reclaimed since the module was loaded. */
export let expired: u64 = 0;

/**
 * One step of reclaiming: entries whose slot of the wheel has come, a batch at a time, until they have cost
 * STEP_COST. What has expired is deleted, with its effect; the others go on to their slot. And memory that
 * has become free goes back to the system. O(1).
 * @returns whether there is more to do now
 */
export function sweepStep(): bool {
  if (!wheel.count) return compactEntries(0);
  const now = redis.Milliseconds();
  let more = true;
  beginChange();
  for (let cost: u32 = 0; more && cost < STEP_COST;) {
    const count = takeBatch(now);
    const expiredCount = dealOut(count, now);
    cost += (count - expiredCount) * DEALT_COST;
    cost = reclaimBatch(expiredCount, cost);
    more = count == BATCH || cost >= STEP_COST;
  }
  endChange();
  return compactEntries(0) || more;
}

/** Takes entries from the wheel; how many. */
function takeBatch(now: i64): u32 {
  for (let count: u32 = 0; count < BATCH; count++) {
    const node = wheel.take(now, (count & 1) != 0);
    if (!node) return count;
    store<u32>(taken + ((<usize>count) << 2), <u32>entryOf(node));
  }
  return BATCH;
}

/** Puts those of the batch back whose time has not come; how many are left, which are the first then. */
function dealOut(count: u32, now: i64): u32 {
  let left: u32 = 0;
  for (let index: u32 = 0; index < count; index++) {
    const entry = takenAt(index);
    const deadline = deadlineOf(entry);
    if (deadline > now) {
      wheel.insert(nodeOf(entry), deadline);
    } else {
      store<u32>(taken + ((<usize>left) << 2), <u32>entry);
      left++;
    }
  }
  return left;
}

/**
 * Deletes those that have expired, the first `count` of the batch, and answers what the step has cost then.
 * Those that it has no more time for go back to the wheel.
 */
function reclaimBatch(count: u32, cost: u32): u32 {
  for (let index: u32 = 0; index < count; index++) {
    const entry = takenAt(index);
    store<u64>(hashes + ((<usize>index) << 3), table.hashOf(keyOf(entry), keyLength(entry)));
  }
  let sum: u32 = 0;
  for (let index: u32 = 0; index < count; index++) sum += table.touchHome(hashAt(index));
  store<u32>(touched, sum);
  for (let index: u32 = 0; index < count; index++) {
    const entry = takenAt(index);
    if (cost < STEP_COST) cost += RECLAIMED_COST + reclaim(entry, hashAt(index));
    else wheel.insert(nodeOf(entry), deadlineOf(entry));
  }
  return cost;
}

/** Deletes an expired entry; what its bytes cost. */
function reclaim(entry: usize, hash: u64): u32 {
  const key = keyOf(entry);
  const length = keyLength(entry);
  const cost = bytesCost(sizeOf(entry));
  expired++;
  replicateDel(key, length);
  changed(Event.EXPIRED, key, length);
  dropExpired(entry, hash);
  return cost;
}

// prettier-ignore
@inline
function takenAt(index: u32): usize {
  return <usize>load<u32>(taken + ((<usize>index) << 2));
}

// prettier-ignore
@inline
function hashAt(index: u32): u64 {
  return load<u64>(hashes + ((<usize>index) << 3));
}

/** What another file takes over in the same memory (carry.ts). */
export function carrySweep(): void {
  expired = carryWord<u64>(expired);
}
