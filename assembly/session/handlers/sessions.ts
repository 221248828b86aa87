/** Handlers of the commands that are about one session as a whole. */
import { argument, argumentLength, lengthOf, NULL, pointerOf, REPLIED } from "../../base/frame";
import { failSyntax, integerOf, isWord } from "../../base/parse";
import { redis } from "../../base/redis";
import { failLine, line, lineLength, linePointer } from "../../base/text";
import { sessionMemory } from "./check";
import { liveOf, nowMs } from "../store/expiry";
import { countFields } from "../store/fields";
import { givenKey, givenKeyLength, take, writeId } from "../ids/ids";
import { readOptions } from "../options";
import {
  accessedOf,
  createdOf,
  deadlineOf,
  expiresOf,
  fieldsOf,
  findRecord,
  idLengthOf,
  idleOf,
  idOf,
  isOldId,
  ownerOf,
  versionOf,
} from "../store/records";
import { createdText, notFoundLine, replyTime, replyWord, sessionJson } from "../replies";
import { releaseScratch } from "../texts/scratch";
import {
  assignSession,
  beginCommand,
  changeLimit,
  createSession,
  deleteSession,
  idText,
  idTextLength,
  nameSession,
  rotateSession,
  sessionOf,
  touch,
} from "../sessions";
import { MAX_TIME } from "../texts/time";
import { userKey, userKeyLength } from "../store/users";

/** Ms of grace that a rotation may give: a week. */
const GRACE_MAX: i64 = 604_800_000;

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

/** Replies with an integer. */
export function replyInteger(value: i64): u64 {
  redis.ReplyWithLongLong(value);
  return REPLIED;
}

/**
 * `SESSION.CREATE user [NEW] [IDLE s] [TTL s] [MAX n [EVICT|REJECT]] [ID id] [DATA field value …]` → `+Session created: ID`, `+Session exists: ID` or
 * `+Session recreated: ID`. O(user + data), at the limit O(sessions of the user).
 */
export function commandCreate(argc: i32, argv: usize): u64 {
  beginCommand();
  readOptions(argc, argv, 1);
  const text = createdText(createSession(argument(argv, 0), argumentLength(argv, 0), true));
  redis.ReplyWithSimpleString(pointerOf(text), lengthOf(text));
  return REPLIED;
}

/** `SESSION.ASSIGN id user` → `:1`, `:0` when unknown. O(sessions of both users). */
export function commandAssign(argc: i32, argv: usize): u64 {
  const record = namedSession(argv);
  if (record) assignSession(record, argument(argv, 1), argumentLength(argv, 1));
  return replyInteger(record ? 1 : 0);
}

/** `SESSION.GET id` → the session as JSON, or null. O(bytes). */
export function commandGet(argc: i32, argv: usize): u64 {
  const record = namedSession(argv);
  if (!record) return NULL;
  const json = sessionJson(record);
  redis.ReplyWithStringBuffer(pointerOf(json), lengthOf(json));
  releaseScratch();
  return REPLIED;
}

/** `SESSION.DELETE id` → `:1`, or `:0` when it was unknown. O(sessions of the user). */
export function commandDelete(argc: i32, argv: usize): u64 {
  const record = namedSession(argv);
  if (record) deleteSession(record, true);
  return replyInteger(record ? 1 : 0);
}

/** `SESSION.TOUCH id` → `:1`, or `:0` when it was unknown. O(1). */
export function commandTouch(argc: i32, argv: usize): u64 {
  const record = namedSession(argv);
  if (record) {
    nameSession(record);
    touch(record, true);
  }
  return replyInteger(record ? 1 : 0);
}

/** `SESSION.EXPIRE id s [IDLE|TTL]` → `:1`, or `:0` when it was unknown; 0 seconds or less end it. O(1). */
export function commandExpire(argc: i32, argv: usize): u64 {
  if (argc > 3) return replyArity();
  const record = namedSession(argv);
  const seconds = integerOf(argument(argv, 1), argumentLength(argv, 1));
  const isIdle = argc == 3 && isWord(argument(argv, 2), argumentLength(argv, 2), changetype<usize>("IDLE"));
  if (argc == 3 && !isIdle && !isWord(argument(argv, 2), argumentLength(argv, 2), changetype<usize>("TTL"))) failSyntax();
  const most = isIdle ? <i64>u32.MAX_VALUE : (MAX_TIME - nowMs()) / 1000;
  if (seconds > most) {
    line(changetype<usize>("ERR invalid expire time in 'session.expire' command"));
    failLine();
  }
  if (record && seconds <= 0) deleteSession(record, true);
  else if (record) changeLimit(record, seconds, isIdle);
  return replyInteger(record ? 1 : 0);
}

/** `SESSION.TTL id` → ms that it has left, -1 without a limit, -2 when it is unknown. O(1). */
export function commandTtl(argc: i32, argv: usize): u64 {
  const record = namedSession(argv);
  if (!record) return replyInteger(-2);
  const deadline = deadlineOf(record);
  return replyInteger(deadline == i64.MAX_VALUE ? -1 : max(deadline - nowMs(), 0));
}

/** `SESSION.INFO id` → a map of what is known of it, or null. O(fields). */
export function commandInfo(argc: i32, argv: usize): u64 {
  const record = namedSession(argv);
  if (!record) return NULL;
  nameSession(record);
  const user = ownerOf(record);
  const idle = idleOf(record);
  const expires = expiresOf(record);
  redis.ReplyWithMap(9);
  replyWord(changetype<usize>("id"));
  redis.ReplyWithStringBuffer(idText, idTextLength);
  replyWord(changetype<usize>("user_key"));
  redis.ReplyWithStringBuffer(userKey(user), userKeyLength(user));
  replyWord(changetype<usize>("created_at"));
  replyTime(createdOf(record));
  replyWord(changetype<usize>("last_accessed"));
  replyTime(accessedOf(record));
  replyWord(changetype<usize>("idle"));
  redis.ReplyWithLongLong(idle ? <i64>idle * 1000 : -1);
  replyWord(changetype<usize>("ttl"));
  redis.ReplyWithLongLong(expires ? max(expires - nowMs(), 0) : -1);
  replyWord(changetype<usize>("version"));
  redis.ReplyWithLongLong(versionOf(record));
  replyWord(changetype<usize>("fields"));
  redis.ReplyWithLongLong(countFields(fieldsOf(record)));
  replyWord(changetype<usize>("bytes"));
  redis.ReplyWithLongLong(sessionMemory(record));
  return REPLIED;
}

/** `SESSION.ROTATE id [GRACE ms]` → the new id, or `-Session not found: <id>`. O(old ids). */
export function commandRotate(argc: i32, argv: usize): u64 {
  if (argc == 2) failSyntax();
  if (argc > 3) return replyArity();
  const record = namedSession(argv);
  let grace: i64 = 0;
  if (argc == 3) {
    if (!isWord(argument(argv, 1), argumentLength(argv, 1), changetype<usize>("GRACE"))) failSyntax();
    grace = integerOf(argument(argv, 2), argumentLength(argv, 2));
    if (grace < 0) {
      line(changetype<usize>("ERR value is out of range, must be positive"));
      failLine();
    }
    if (grace > GRACE_MAX) {
      line(changetype<usize>("ERR GRACE is a week at most, 604800000 milliseconds"));
      failLine();
    }
  }
  if (!record) return replyNotFound(argv);
  // By an old id in grace: somebody else has rotated it already, and has told how it is called now.
  if (isOldId(findRecord(givenKey, givenKeyLength))) nameSession(record);
  else rotateSession(record, grace);
  redis.ReplyWithStringBuffer(idText, idTextLength);
  return REPLIED;
}

/** Replies with the server's error for a wrong number of arguments. */
export function replyArity(): u64 {
  redis.WrongArity();
  return REPLIED;
}
