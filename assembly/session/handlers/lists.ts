/** Handlers of the commands that are about many sessions: all of them, or those of a user. */
import { argument, argumentLength, lengthOf, pointerOf, REPLIED } from "../../frame";
import { matches } from "../../glob";
import { cursorOf, failSyntax, integerOf, isWord } from "../../parse";
import { redis } from "../../redis";
import { writeDecimal } from "../../text";
import { isLive } from "../expiry";
import { countSessions, idLengthOf, idOf, isOldId, olderOf, table } from "../records";
import { listLine } from "../replies";
import { writeId } from "../ids";
import { releaseScratch } from "../scratch";
import { beginCommand, deleteAll, sessionOf } from "../sessions";
import { countOf, findUser, newestOf } from "../users";
import { replyArity, replyInteger } from "./sessions";

/** Entries that a step of SCAN looks at, where COUNT does not tell. */
// prettier-ignore
@inline const SCAN_COUNT: i64 = 10;

const text: usize = memory.data(128);
const cursorText: usize = memory.data(24);
let pattern: usize = 0;
let patternLength: u32 = 0;
let atLeast: i64 = 0;

/** `SESSION.LIST` → a line for each live session, in no particular order. O(sessions). */
export function commandList(argc: i32, argv: usize): u64 {
  beginCommand();
  redis.ReplyWithArray(-1);
  let count: i64 = 0;
  let cursor: u64 = 0;
  do {
    table.seek(cursor);
    for (let record = table.next(); record; record = table.next()) {
      if (isOldId(record) || !isLive(record)) continue;
      const line = listLine(record);
      redis.ReplyWithStringBuffer(pointerOf(line), lengthOf(line));
      count++;
    }
    cursor = table.cursor;
  } while (cursor);
  redis.ReplySetArrayLength(count);
  releaseScratch();
  return REPLIED;
}

/** `SESSION.SCAN cursor [MATCH pattern] [COUNT n]` → the next cursor, and ids of live sessions. O(n). */
export function commandScan(argc: i32, argv: usize): u64 {
  beginCommand();
  let cursor = cursorOf(argument(argv, 0), argumentLength(argv, 0));
  readScanOptions(argc, argv);
  redis.ReplyWithArray(2);
  // The cursor comes before the ids in the reply, so the chunks are walked once to find it; what they hold stays where it is meanwhile.
  const begin = cursor;
  let seen: i64 = 0;
  do {
    cursor = scanChunk(cursor, false);
    seen += max(chunkEntries, 1);
  } while (cursor && seen < atLeast);
  redis.ReplyWithStringBuffer(cursorText, writeDecimal(cursor, cursorText));
  redis.ReplyWithArray(-1);
  let replied: i64 = 0;
  for (let at = begin; ;) {
    at = scanChunk(at, true);
    replied += chunkEntries;
    if (at == cursor) break;
  }
  redis.ReplySetArrayLength(replied);
  return REPLIED;
}

/** How many entries the last chunk had, or of them how many were replied. */
let chunkEntries: i64 = 0;

/** Walks the chunk at the cursor, replying with what SCAN asked for if so told, and returns the cursor of the next. */
function scanChunk(cursor: u64, replies: bool): u64 {
  chunkEntries = 0;
  table.seek(cursor);
  for (let record = table.next(); record; record = table.next()) {
    if (!replies) {
      chunkEntries++;
      continue;
    }
    if (isOldId(record) || !isLive(record)) continue;
    const length = writeId(idOf(record), idLengthOf(record), text);
    if (pattern && !matches(pattern, patternLength, text, length)) continue;
    redis.ReplyWithStringBuffer(text, length);
    chunkEntries++;
  }
  return table.cursor;
}

function readScanOptions(argc: i32, argv: usize): void {
  pattern = 0;
  atLeast = SCAN_COUNT;
  if (!(argc & 1)) failSyntax();
  for (let at: u32 = 1; at < <u32>argc; at += 2) {
    const value = argument(argv, at + 1);
    const length = argumentLength(argv, at + 1);
    if (isWord(argument(argv, at), argumentLength(argv, at), changetype<usize>("MATCH"))) {
      pattern = value;
      patternLength = length;
    } else if (isWord(argument(argv, at), argumentLength(argv, at), changetype<usize>("COUNT"))) {
      atLeast = integerOf(value, length);
      if (atLeast < 1) failSyntax();
    } else {
      failSyntax();
    }
  }
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

/** `SESSION.DELUSER user [EXCEPT id] [BEFORE ms]` → how many live sessions have ended. O(sessions of the user). */
export function commandDelUser(argc: i32, argv: usize): u64 {
  beginCommand();
  let except: usize = 0;
  let before = i64.MAX_VALUE;
  let hasExcept = false;
  let hasBefore = false;
  if (!(argc & 1)) failSyntax();
  for (let at: u32 = 1; at < <u32>argc; at += 2) {
    if (!hasExcept && isWord(argument(argv, at), argumentLength(argv, at), changetype<usize>("EXCEPT"))) {
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
