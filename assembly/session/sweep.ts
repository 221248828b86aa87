/**
 * The sweep: reclaims, on a primary, what has expired. The host calls it again and again, each step is short.
 */
import { beginChange, endChange } from "../base/change";
import { usedBytes } from "../base/storage/heap";
import { bytesCost, DEALT_COST, STEP_COST } from "../base/sweep";
import { forgetOldId, sweepSession } from "./actions/end";
import { nowMs } from "./store/clock";
import { fieldsWait, released } from "./store/fields/tabled";
import { compactRecords } from "./store/moving";
import { insertNode, wheel } from "./store/queue";
import { asOldId, deadlineOf, isOldId, recordOfNode } from "./store/record";
import { beginCommand } from "./store/records";

/** What reclaiming costs beside what it frees, see base/sweep.ts; a session's calls the storage too. */
const SESSION_COST: u32 = 64;
const OLD_ID_COST: u32 = 16;
/** What a field of much data costs that is freed: PIECE of them as much as a step. */
const FIELD_COST: u32 = 2;
/** When a session that could not be reclaimed is come to again, in ms. */
const RETRY_MS: i64 = 10_000;

/** One step. @returns whether there is more to do now */
export function sweepStep(): bool {
  const fields = released;
  const bytes = usedBytes();
  beginCommand();
  const more = wheel.count != 0 && sweepDue(fields, bytes);
  return compactRecords(0) || more || fieldsWait();
}

/**
 * Takes what is due from the wheel until that, and what it frees, has cost STEP_COST; whether there may be
 * more.
 * @param fields what `released` was when the step began
 * @param bytes what the heap had in use then
 */
function sweepDue(fields: u32, bytes: u64): bool {
  const now = nowMs();
  let cost: u32 = 0;
  while (cost + (released - fields) * FIELD_COST + freedCost(bytes) < STEP_COST) {
    beginChange();
    const node = wheel.take(now);
    const record = node ? recordOfNode(node) : 0;
    const deadline = record ? (isOldId(record) ? asOldId(record).until : deadlineOf(record)) : 0;
    // It stays queued until it is gone: a call to the storage may end this step.
    if (node) insertNode(node, deadline > now ? deadline : now + RETRY_MS);
    endChange();
    if (!node) return false;
    if (deadline > now) {
      cost += DEALT_COST;
    } else if (isOldId(record)) {
      cost += OLD_ID_COST;
      forgetOldId(record, true);
    } else {
      cost += SESSION_COST;
      sweepSession(record);
    }
  }
  return true;
}

/** What it costs that the heap has fewer bytes in use than so many. */
// prettier-ignore
@inline
function freedCost(bytes: u64): u32 {
  const now = usedBytes();
  return now < bytes ? bytesCost(bytes - now) : 0;
}
