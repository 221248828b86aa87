/** The queue of deadlines: a timing wheel (storage/wheel.ts) of nodes that lie in records (record.ts). */
import { Wheel, WHEEL_BYTES } from "../../base/storage/wheel";
import { MAX_TIME } from "../texts/time";
import { carryArea } from "../../base/storage/carry";

/** The queue; its struct is static. */
export const wheel: Wheel = changetype<Wheel>(memory.data(WHEEL_BYTES, 16));

/** Queues a node; a deadline, Unix ms, of i64.MAX_VALUE is none. */
export function insertNode(node: usize, deadline: i64): void {
  wheel.insert(node, min(deadline, MAX_TIME));
}

/** Takes a node out of the queue. */
export function removeNode(node: usize): void {
  wheel.remove(node);
}

/** What another file takes over in the same memory (carry.ts). */
export function carryQueue(): void {
  carryArea(changetype<usize>(wheel), WHEEL_BYTES);
}
