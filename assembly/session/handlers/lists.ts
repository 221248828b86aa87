/** Handlers of the commands that are about many sessions: all of them, or those of a user. */
import { argument, argumentLength, lengthOf, pointerOf, REPLIED } from "../../base/frame";
import { failSyntax, integerOf, isWord } from "../../base/parse";
import { redis } from "../../base/redis";
import { isAsked, replyAll, replyScan } from "../../base/scan";
import { isLive } from "../store/expiry";
import { countSessions, idLengthOf, idOf, isOldId, olderOf, table } from "../store/records";
import { listLine } from "../replies";
import { writeId } from "../ids/ids";
import { releaseScratch } from "../texts/scratch";
import { beginCommand, checkSlot, deleteAll, sessionOf } from "../sessions";
import { countOf, findUser, newestOf } from "../store/users";
import { replyArity, replyInteger } from "./sessions";

const text: usize = memory.data(128);

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
  const length = writeId(idOf(record), idLengthOf(record), text);
  if (!isAsked(text, length)) return false;
  redis.ReplyWithStringBuffer(text, length);
  return true;
}

/** `SESSION.COUNT [user]` → how many sessions there are, or the user has. O(1). */
export function commandCount(argc: i32, argv: usize): u64 {
  if (argc > 1) return replyArity();
  if (!argc) return replyInteger(countSessions());
  const user = findUser(argument(argv, 0), argumentLength(argv, 0));
  return replyInteger(user ? countOf(user) : 0);
}

/** `SESSION.USER user` → ids of the user's live sessions, newest first. O(sessions of the user). */
export function commandUser(argc: i32, argv: usize): u64 {
  beginCommand();
  const user = findUser(argument(argv, 0), argumentLength(argv, 0));
  redis.ReplyWithArray(-1);
  let count: i64 = 0;
  let session = user ? newestOf(user) : 0;
  for (let left = user ? countOf(user) : 0; left; left--) {
    if (isLive(session)) {
      redis.ReplyWithStringBuffer(text, writeId(idOf(session), idLengthOf(session), text));
      count++;
    }
    session = olderOf(session);
  }
  redis.ReplySetArrayLength(count);
  return REPLIED;
}

/** `SESSION.DELUSER user [EXCEPT id] [BEFORE ms]` → how many live sessions have ended. O(sessions of the user). Errors: `CROSSSLOT …` */
export function commandDelUser(argc: i32, argv: usize): u64 {
  beginCommand();
  let except: usize = 0;
  let before = i64.MAX_VALUE;
  let hasExcept = false;
  let hasBefore = false;
  if (!(argc & 1)) failSyntax();
  for (let at: u32 = 1; at < <u32>argc; at += 2) {
    if (!hasExcept && isWord(argument(argv, at), argumentLength(argv, at), changetype<usize>("EXCEPT"))) {
      checkSlot(argument(argv, at + 1), argumentLength(argv, at + 1), argument(argv, 0), argumentLength(argv, 0));
      except = sessionOf(argument(argv, at + 1), argumentLength(argv, at + 1));
      hasExcept = true;
    } else if (!hasBefore && isWord(argument(argv, at), argumentLength(argv, at), changetype<usize>("BEFORE"))) {
      before = integerOf(argument(argv, at + 1), argumentLength(argv, at + 1));
      hasBefore = true;
    } else {
      failSyntax();
    }
  }
  const user = findUser(argument(argv, 0), argumentLength(argv, 0));
  return replyInteger(user ? deleteAll(user, except, before) : 0);
}
