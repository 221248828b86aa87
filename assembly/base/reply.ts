/** Replies that many handlers end with: `return replyInteger(1);`. */
import { REPLIED } from "./frame";
import { redis } from "./redis";

/** Replies with an integer. */
export function replyInteger(value: i64): u64 {
  redis.ReplyWithLongLong(value);
  return REPLIED;
}

/** Replies with the server's error for a wrong number of arguments. */
export function replyArity(): u64 {
  redis.WrongArity();
  return REPLIED;
}
