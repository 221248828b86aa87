/** The commands SESSION.*: the table of them first, then a handler for each. */
import { argument, argumentLength, lengthOf, NULL, OK, pointerOf, REPLIED } from "../frame";
import { redis } from "../redis";
import { command } from "../register";
import { lineLength, linePointer } from "../text";
import { commandApply } from "./apply";
import { commandCheck } from "./check";
import { table } from "./records";
import { createdText, listLine, notFoundLine, sessionJson } from "./replies";
import { releaseScratch } from "./scratch";
import { addData, createSession, deleteSession, getData, sessionOf } from "./sessions";

/** Registers the commands: 0, or how many of them the server refused. */
export function registerCommands(): i32 {
  let refused = 0;
  // name, handler's index in the table, flags, position of the key, arity
  refused += command(
    changetype<usize>("session.create"),
    load<i32>(changetype<usize>(commandCreate)),
    changetype<usize>("write deny-oom no-monitor no-slowlog"),
    1,
    2,
  );
  refused += command(
    changetype<usize>("session.get"),
    load<i32>(changetype<usize>(commandGet)),
    changetype<usize>("readonly no-monitor no-slowlog"),
    1,
    2,
  );
  refused += command(changetype<usize>("session.list"), load<i32>(changetype<usize>(commandList)), changetype<usize>("readonly"), 0, 1);
  refused += command(
    changetype<usize>("session.add_data"),
    load<i32>(changetype<usize>(commandAddData)),
    changetype<usize>("write deny-oom fast no-monitor no-slowlog"),
    1,
    4,
  );
  refused += command(
    changetype<usize>("session.get_data"),
    load<i32>(changetype<usize>(commandGetData)),
    changetype<usize>("readonly may-replicate fast no-monitor no-slowlog"),
    1,
    3,
  );
  refused += command(
    changetype<usize>("session.delete"),
    load<i32>(changetype<usize>(commandDelete)),
    changetype<usize>("write no-monitor no-slowlog"),
    1,
    2,
  );
  refused += command(
    changetype<usize>("session.apply"),
    load<i32>(changetype<usize>(commandApply)),
    changetype<usize>("write effect no-monitor no-slowlog"),
    3,
    -4,
  );
  refused += command(changetype<usize>("session.check"), load<i32>(changetype<usize>(commandCheck)), changetype<usize>("readonly"), 0, 1);
  return refused;
}

/** `SESSION.CREATE user_key` → `+Session created: ID`, `+Session exists: ID` or `+Session recreated: ID`. O(user). */
function commandCreate(argc: i32, argv: usize): u64 {
  const text = createdText(createSession(argument(argv, 0), argumentLength(argv, 0), true));
  redis.ReplyWithSimpleString(pointerOf(text), lengthOf(text));
  return REPLIED;
}

/** `SESSION.GET id` → the session as JSON, or null. O(bytes). */
function commandGet(argc: i32, argv: usize): u64 {
  const record = sessionOf(argument(argv, 0), argumentLength(argv, 0));
  if (!record) return NULL;
  const json = sessionJson(record);
  redis.ReplyWithStringBuffer(pointerOf(json), lengthOf(json));
  releaseScratch();
  return REPLIED;
}

/** `SESSION.LIST` → a line for each session, in no particular order. O(sessions). */
function commandList(argc: i32, argv: usize): u64 {
  redis.ReplyWithArray(<i64>table.count);
  let cursor: u64 = 0;
  do {
    table.seek(cursor);
    for (let record = table.next(); record; record = table.next()) {
      const line = listLine(record);
      redis.ReplyWithStringBuffer(pointerOf(line), lengthOf(line));
    }
    cursor = table.cursor;
  } while (cursor);
  releaseScratch();
  return REPLIED;
}

/** `SESSION.ADD_DATA id field value` → `+OK`, or `-Session not found: <id>`. O(field + value). */
function commandAddData(argc: i32, argv: usize): u64 {
  const record = sessionOf(argument(argv, 0), argumentLength(argv, 0));
  if (!record) return replyNotFound(argv);
  addData(record, argument(argv, 1), argumentLength(argv, 1), argument(argv, 2), argumentLength(argv, 2), true);
  return OK;
}

/** `SESSION.GET_DATA id field` → the value, null when absent, or `-Session not found: <id>`. O(field + value). */
function commandGetData(argc: i32, argv: usize): u64 {
  const record = sessionOf(argument(argv, 0), argumentLength(argv, 0));
  if (!record) return replyNotFound(argv);
  return getData(record, argument(argv, 1), argumentLength(argv, 1), true);
}

/** `SESSION.DELETE id` → `:1`, or `:0` when it was unknown. O(user + fields). */
function commandDelete(argc: i32, argv: usize): u64 {
  const record = sessionOf(argument(argv, 0), argumentLength(argv, 0));
  if (record) deleteSession(record, true);
  redis.ReplyWithLongLong(record ? 1 : 0);
  return REPLIED;
}

function replyNotFound(argv: usize): u64 {
  notFoundLine(argument(argv, 0), argumentLength(argv, 0));
  redis.ReplyWithError(linePointer(), lineLength());
  return REPLIED;
}
