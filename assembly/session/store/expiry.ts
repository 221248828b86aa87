/**
 * Time: what now is for the running command, which sessions have expired, and the queue of deadlines (storage/wheel.ts).
 *
 * A session or an old id is gone from the millisecond of its deadline on, for every command; it is reclaimed by the sweep, on a primary. What was
 * decided elsewhere (the replication stream, a file) meets it as it is: there nothing expires by the clock.
 */
import { Wheel, WHEEL_BYTES } from "../../base/storage/wheel";
import { ContextFlags, redis } from "../../base/redis";
import { deadlineOf, isExpiring, isOldId, sessionOfOldId, untilOf } from "./records";
import { MAX_TIME } from "../texts/time";

/** The queue; its struct is static. */
export const wheel: Wheel = changetype<Wheel>(memory.data(WHEEL_BYTES, 16));

/** Unix ms of the running command, 0: not asked for yet; whether it may find things expired, -1: not asked for yet. */
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

/** The session that an entry of the table stands for: itself, or of an old id its session. 0: it is none, or has expired. */
export function liveOf(entry: usize): usize {
  if (!entry) return 0;
  if (isOldId(entry)) {
    if (isPast(untilOf(entry))) return 0;
    entry = sessionOfOldId(entry);
  }
  return isLive(entry) ? entry : 0;
}

/** Whether the session has not expired. */
export function isLive(session: usize): bool {
  return !isExpiring(session) || !isPast(deadlineOf(session));
}

/** Whether this deadline is past, for a command that may decide that. */
function isPast(deadline: i64): bool {
  if (deadline > nowMs()) return false;
  if (decides < 0) decides = redis.GetContextFlags() & (ContextFlags.REPLICATED | ContextFlags.LOADING) ? 0 : 1;
  return decides == 1;
}

/** Queues a node; a deadline of i64.MAX_VALUE is none. */
export function insertNode(node: usize, deadline: i64): void {
  wheel.insert(node, min(deadline, MAX_TIME));
}

/** Takes a node out of the queue. */
export function removeNode(node: usize): void {
  wheel.remove(node);
}
