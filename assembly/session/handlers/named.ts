/** The session that a command's first argument names. */
import { argument, argumentLength, REPLIED } from "../../base/frame";
import { redis } from "../../base/redis";
import { lineLength, linePointer } from "../../base/text";
import { notFoundLine } from "./replies";
import { sessionOf } from "../store/expiry";
import { beginCommand } from "../store/records";

/** The live session that the first argument names, 0 when there is none. Begins the command. */
export function namedSession(argv: usize): usize {
  beginCommand();
  return sessionOf(argument(argv, 0), argumentLength(argv, 0));
}

/** Replies that the session of the first argument is unknown. */
export function replyNotFound(argv: usize): u64 {
  notFoundLine(argument(argv, 0), argumentLength(argv, 0));
  redis.ReplyWithError(linePointer(), lineLength());
  return REPLIED;
}
