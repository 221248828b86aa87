/** Replies of what a write has taken out of the table. */
import { lengthOf, pointerOf } from "../../base/frame";
import { redis } from "../../base/redis";
import { releaseLeaving, takeLeaving } from "../store/entries";
import { textOf } from "../store/value";

/** Replies the value of the entry that has left the table, and frees it. */
export function replyLeaving(): void {
  const text = textOf(takeLeaving());
  redis.ReplyWithStringBuffer(pointerOf(text), lengthOf(text));
  releaseLeaving();
}
