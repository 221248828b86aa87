/** Handlers of the commands that are about one session as a whole. */
import { keyLength, keyOf } from "../../base/storage/entry";
import { argument, argumentLength, lengthOf, NULL, pointerOf, REPLIED } from "../../base/frame";
import { failPositive, failSyntax, integerOf, isWord } from "../../base/parse";
import { redis } from "../../base/redis";
import { replyArity, replyInteger } from "../../base/reply";
import { failLine, line } from "../../base/text";
import { assignSession, changeLimit, rotateSession } from "../actions/change";
import { createSession } from "../actions/create";
import { deleteSession } from "../actions/end";
import { options } from "../actions/options";
import { createdText, replyTime, replyWord, sessionJson } from "./replies";
import { nowMs } from "../store/clock";
import { recordNamed } from "../store/expiry";
import { countFields } from "../store/fields/fields";
import { asSession, deadlineOf, expiresOf, idleOf, idText, isOldId } from "../store/record";
import { beginCommand } from "../store/records";
import { releaseScratch } from "../texts/scratch";
import { MAX_TIME } from "../texts/time";
import { touch } from "../actions/touch";
import { sessionMemory } from "./check";
import { namedSession, replyNotFound } from "./named";

/** Ms of grace that a rotation may give: a week. */
const GRACE_MAX: i64 = 604_800_000;

/**
 * `SESSION.CREATE user [NEW] [IDLE s] [TTL s] [MAX n [EVICT|REJECT]] [ID id] [DATA field value …]` →
 * `+Session created: ID`, `+Session exists: ID` or `+Session recreated: ID`. O(user + data), at the limit
 * O(sessions of the user).
 */
export function commandCreate(argc: i32, argv: usize): u64 {
  beginCommand();
  options.read(argc, argv, 1);
  const text = createdText(createSession(argument(argv, 0), argumentLength(argv, 0), options, true));
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
  if (record) touch(record, true);
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
  const id = idText(record);
  const session = asSession(record);
  const user = session.user;
  const idle = idleOf(record);
  const expires = expiresOf(record);
  redis.ReplyWithMap(9);
  replyWord(changetype<usize>("id"));
  redis.ReplyWithStringBuffer(id.start, id.length);
  replyWord(changetype<usize>("user_key"));
  redis.ReplyWithStringBuffer(keyOf(user), keyLength(user));
  replyWord(changetype<usize>("created_at"));
  replyTime(session.created);
  replyWord(changetype<usize>("last_accessed"));
  replyTime(session.accessed);
  replyWord(changetype<usize>("idle"));
  redis.ReplyWithLongLong(idle ? <i64>idle * 1000 : -1);
  replyWord(changetype<usize>("ttl"));
  redis.ReplyWithLongLong(expires ? max(expires - nowMs(), 0) : -1);
  replyWord(changetype<usize>("version"));
  redis.ReplyWithLongLong(session.version);
  replyWord(changetype<usize>("fields"));
  redis.ReplyWithLongLong(countFields(session.fields));
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
    if (grace < 0) failPositive();
    if (grace > GRACE_MAX) {
      line(changetype<usize>("ERR GRACE is a week at most, 604800000 milliseconds"));
      failLine();
    }
  }
  if (!record) return replyNotFound(argv);
  // By an old id in grace: somebody else has rotated it already, and has told how it is called now.
  const isOld = isOldId(recordNamed(argument(argv, 0), argumentLength(argv, 0)));
  const id = isOld ? idText(record) : rotateSession(record, grace);
  redis.ReplyWithStringBuffer(id.start, id.length);
  return REPLIED;
}
