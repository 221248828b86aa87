/**
 * The sweep: reclaims, on a primary, entries whose deadline has passed. The host calls it again and again,
 * each step is short.
 */
import { deadlineOf, entryOf, keyLength, keyOf, nodeOf } from "../base/storage/entry";
import { beginChange, endChange } from "../base/change";
import { redis } from "../base/redis";
import { changed } from "../base/register";
import { replicateDel } from "./replication/effects";
import { Event } from "./replication/events";
import { compactEntries, dropExpired, wheel } from "./store/entries";

/** Nodes that one step of reclaiming takes from the wheel. */
const STEP_NODES: u32 = 16;

/** Entries that were reclaimed since the module was loaded. */
export let expired: u64 = 0;

/**
 * One step of reclaiming: at most STEP_NODES entries whose slot of the wheel has come. What has expired is
 * deleted, with its effect; the others go on to their slot. And memory that has become free goes back to the
 * system. O(1).
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
  changed(Event.EXPIRED, key, length);
  dropExpired(entry);
}
