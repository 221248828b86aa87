/**
 * The sweep: reclaims, on a primary, what has expired. The host calls it again and again, each step is short.
 */
import { beginChange, endChange } from "../base/change";
import { forgetOldId, sweepSession } from "./actions/end";
import { nowMs } from "./store/clock";
import { fieldsWait, PIECE, released } from "./store/fields/tabled";
import { compactRecords } from "./store/moving";
import { insertNode, wheel } from "./store/queue";
import { asOldId, deadlineOf, isOldId, recordOfNode } from "./store/record";
import { beginCommand } from "./store/records";

/** Nodes that one step looks at. */
const STEP_NODES: u32 = 16;
/** When a session that could not be reclaimed is come to again, in ms. */
const RETRY_MS: i64 = 10_000;

/** One step. @returns whether there is more to do now */
export function sweepStep(): bool {
  const before = released;
  beginCommand();
  const more = wheel.count != 0 && sweepDue(before);
  return compactRecords(0) || more || fieldsWait();
}

/**
 * Takes what is due from the wheel, a few nodes at most, while few fields are freed; whether there may be
 * more.
 * @param before what `released` was when the step began
 */
function sweepDue(before: u32): bool {
  const now = nowMs();
  for (let looked: u32 = 0; looked < STEP_NODES && released - before < PIECE; looked++) {
    beginChange();
    const node = wheel.take(now);
    const record = node ? recordOfNode(node) : 0;
    const deadline = record ? (isOldId(record) ? asOldId(record).until : deadlineOf(record)) : 0;
    // It stays queued until it is gone: a call to the storage may end this step.
    if (node) insertNode(node, deadline > now ? deadline : now + RETRY_MS);
    endChange();
    if (!node) return false;
    if (deadline > now) continue;
    if (isOldId(record)) forgetOldId(record, true);
    else sweepSession(record);
  }
  return true;
}
