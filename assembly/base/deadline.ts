/** Whether the deadline of an entry (storage/entry.ts) has passed. */
import { repeatsDecisions } from "./context";
import { redis } from "./redis";
import { deadlineOf, hasRoom } from "./storage/entry";

/**
 * Whether the entry's deadline has passed for the running command: not for one that repeats what was decided
 * elsewhere. O(1).
 */
// prettier-ignore
@inline
export function isExpired(entry: usize): bool {
  return hasRoom(entry) && hasPassed(deadlineOf(entry));
}

function hasPassed(deadline: i64): bool {
  return deadline != 0 && deadline <= redis.Milliseconds() && !repeatsDecisions();
}
