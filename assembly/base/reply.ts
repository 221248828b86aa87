/** Replies that many handlers end with: `return replyInteger(1);`. */
import { INTEGER, REPLIED } from "./frame";
import { redis } from "./redis";

/** Replies with an integer: by the handler's result where it has 32 bits, which saves a call. */
export function replyInteger(value: i64): u64 {
  if (value == <i64>(<i32>value)) return ((<u64>value) << 32) | INTEGER;
  redis.ReplyWithLongLong(value);
  return REPLIED;
}

/** Replies with the server's error for a wrong number of arguments. */
export function replyArity(): u64 {
  redis.WrongArity();
  return REPLIED;
}
