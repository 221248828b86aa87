/**
 * What now is for the running command, and whether it may find that something has expired: what was decided
 * elsewhere (the replication stream, a file) meets everything as it is.
 */
import { repeatsDecisions } from "../../base/context";
import { redis } from "../../base/redis";

/**
 * Unix ms of the running command, 0: not asked for yet; whether it may find things expired, -1: not asked for
 * yet.
 */
let now: i64 = 0;
let decides: i32 = -1;

/** A command begins: it has one time, taken when it is first asked for. */
// prettier-ignore
@inline
export function startClock(): void {
  now = 0;
  decides = -1;
}

/** Unix ms of the running command. */
export function nowMs(): i64 {
  if (!now) now = redis.Milliseconds();
  return now;
}

/** Whether this deadline, Unix ms, is past, for a command that may decide that. */
export function isPast(deadline: i64): bool {
  if (deadline > nowMs()) return false;
  if (decides < 0) decides = repeatsDecisions() ? 0 : 1;
  return decides == 1;
}
