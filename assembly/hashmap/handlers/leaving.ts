/** Replies of what a write has taken out of the table. */
import { valueLength, valueOf } from "../../base/storage/entry";
import { redis } from "../../base/redis";
import { releaseLeaving, takeLeaving } from "../store/entries";

/** Replies the value of the entry that has left the table, and frees it. */
export function replyLeaving(): void {
  const entry = takeLeaving();
  redis.ReplyWithStringBuffer(valueOf(entry), valueLength(entry));
  releaseLeaving();
}
