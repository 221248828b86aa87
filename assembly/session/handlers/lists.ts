/** Handlers of the commands that are about many sessions: all of them, or those of a user. */
import { argument, argumentLength, lengthOf, pointerOf, REPLIED } from "../../base/frame";
import { failSyntax, integerOf, isWord } from "../../base/parse";
import { redis } from "../../base/redis";
import { replyArity, replyInteger } from "../../base/reply";
import { isAsked, replyAll, replyScan } from "../../base/scan";
import { checkSlot } from "../actions/create";
import { deleteAll } from "../actions/end";
import { listLine } from "./replies";
import { isLive, sessionOf } from "../store/expiry";
import { asSession, idText, isOldId } from "../store/record";
import { beginCommand, countSessions } from "../store/records";
import { table } from "../store/table";
import { asUser, findUser } from "../store/users";
import { releaseScratch } from "../texts/scratch";

/** `SESSION.LIST` → a line for each live session, in no particular order. O(sessions). */
export function commandList(argc: i32, argv: usize): u64 {
  beginCommand();
  redis.ReplyWithArray(-1);
  redis.ReplySetArrayLength(replyAll(table, load<i32>(changetype<usize>(replyLine))));
  releaseScratch();
  return REPLIED;
}

/** Whether an entry of the table is a live session, and no old id. */
function isListed(entry: usize): bool {
  return !isOldId(entry) && isLive(entry);
}

function replyLine(record: usize): bool {
  if (!isListed(record)) return false;
  const line = listLine(record);
  redis.ReplyWithStringBuffer(pointerOf(line), lengthOf(line));
  return true;
}

/** `SESSION.SCAN cursor [MATCH pattern] [COUNT n]`, ids of live sessions: see replyScan. */
export function commandScan(argc: i32, argv: usize): u64 {
  beginCommand();
  replyScan(argc, argv, table, load<i32>(changetype<usize>(replyId)));
  return REPLIED;
}

function replyId(record: usize): bool {
  if (!isListed(record)) return false;
  const id = idText(record);
  if (!isAsked(id.start, id.length)) return false;
  redis.ReplyWithStringBuffer(id.start, id.length);
  return true;
}

/** `SESSION.COUNT [user]` → how many sessions there are, or the user has. O(1). */
export function commandCount(argc: i32, argv: usize): u64 {
  if (argc > 1) return replyArity();
  if (!argc) return replyInteger(countSessions());
  const user = findUser(argument(argv, 0), argumentLength(argv, 0));
  return replyInteger(user ? asUser(user).count : 0);
}

/** `SESSION.USER user` → ids of the user's live sessions, newest first. O(sessions of the user). */
export function commandUser(argc: i32, argv: usize): u64 {
  beginCommand();
  const user = findUser(argument(argv, 0), argumentLength(argv, 0));
  redis.ReplyWithArray(-1);
  let count: i64 = 0;
  let session = user ? asUser(user).newest : 0;
  for (let left = user ? asUser(user).count : 0; left; left--) {
    if (isLive(session)) {
      const id = idText(session);
      redis.ReplyWithStringBuffer(id.start, id.length);
      count++;
    }
    session = asSession(session).older;
  }
  redis.ReplySetArrayLength(count);
  return REPLIED;
}

/**
 * `SESSION.DELUSER user [EXCEPT id] [BEFORE ms]` → how many live sessions have ended. O(sessions of the
 * user). Errors: `CROSSSLOT …`
 */
export function commandDelUser(argc: i32, argv: usize): u64 {
  beginCommand();
  const key = argument(argv, 0);
  const keyLength = argumentLength(argv, 0);
  let except: usize = 0;
  let before = i64.MAX_VALUE;
  let hasExcept = false;
  let hasBefore = false;
  if (!(argc & 1)) failSyntax();
  for (let at: u32 = 1; at < <u32>argc; at += 2) {
    const word = argument(argv, at);
    const length = argumentLength(argv, at);
    const value = argument(argv, at + 1);
    const valueLength = argumentLength(argv, at + 1);
    if (!hasExcept && isWord(word, length, changetype<usize>("EXCEPT"))) {
      checkSlot(value, valueLength, key, keyLength);
      except = sessionOf(value, valueLength);
      hasExcept = true;
    } else if (!hasBefore && isWord(word, length, changetype<usize>("BEFORE"))) {
      before = integerOf(value, valueLength);
      hasBefore = true;
    } else {
      failSyntax();
    }
  }
  const user = findUser(key, keyLength);
  return replyInteger(user ? deleteAll(user, except, before) : 0);
}
