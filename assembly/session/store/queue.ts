/**
 * The queue of deadlines: a timing wheel (storage/wheel.ts) of nodes that lie in records.
 *
 *     node      0 next u32 · 4 back u32 (the wheel's) · 8 distance u16 from the record's first byte
 */
import { Wheel, WHEEL_BYTES } from "../../base/storage/wheel";
import { MAX_TIME } from "../texts/time";

/** The queue; its struct is static. */
export const wheel: Wheel = changetype<Wheel>(memory.data(WHEEL_BYTES, 16));

const DISTANCE: usize = 8;

/** Queues a node; a deadline, Unix ms, of i64.MAX_VALUE is none. */
export function insertNode(node: usize, deadline: i64): void {
  wheel.insert(node, min(deadline, MAX_TIME));
}

/** Takes a node out of the queue. */
export function removeNode(node: usize): void {
  wheel.remove(node);
}

/** The session or old id in which this node is. */
export function recordOfNode(node: usize): usize {
  return node - <usize>load<u16>(node, DISTANCE);
}

/** Notes in a node where its record begins; the node. */
export function placeNode(record: usize, node: usize): usize {
  store<u16>(node, <u16>(node - record), DISTANCE);
  return node;
}
