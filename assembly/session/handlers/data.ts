/** Handlers of the commands that are about the data of a session. */
import { argument, argumentLength, argumentsFrom, NULL, OK, REPLIED } from "../../base/frame";
import { failSyntax, integerOf, isWord } from "../../base/parse";
import { redis } from "../../base/redis";
import { replyArity, replyInteger } from "../../base/reply";
import { addData, compareAndSet, deleteData, getData, increment } from "../actions/data";
import { countFields, walk } from "../store/fields/fields";
import { linesOf } from "../store/fields/lines";
import { asSession } from "../store/record";
import { touch } from "../actions/touch";
import { namedSession, replyNotFound } from "./named";

/** `SESSION.ADD_DATA id field value [field value …]` → `+OK`, or `-Session not found: <id>`. O(bytes). */
export function commandAddData(argc: i32, argv: usize): u64 {
  if (!(argc & 1)) return replyArity();
  const record = namedSession(argv);
  if (!record) return replyNotFound(argv);
  addData(record, argumentsFrom(argv, 1), argc - 1, true);
  return OK;
}

/**
 * `SESSION.GET_DATA id field` → the value, null when absent, or `-Session not found: <id>`. O(field + value).
 */
export function commandGetData(argc: i32, argv: usize): u64 {
  const record = namedSession(argv);
  if (!record) return replyNotFound(argv);
  return getData(record, argument(argv, 1), argumentLength(argv, 1), true);
}

/**
 * `SESSION.GETALL id [LINES]` → a map of fields to values in the order of their first writing, null when it
 * is unknown. With LINES one text instead, where that is possible (lines.ts). O(bytes).
 */
export function commandGetAll(argc: i32, argv: usize): u64 {
  if (argc > 2) return replyArity();
  const asLines = argc > 1;
  if (asLines && !isWord(argument(argv, 1), argumentLength(argv, 1), changetype<usize>("LINES"))) failSyntax();
  const record = namedSession(argv);
  if (!record) return NULL;
  touch(record, true);
  const fields = asSession(record).fields;
  if (asLines) {
    const lines = linesOf(fields);
    if (lines) return lines;
  }
  redis.ReplyWithMap(<i64>countFields(fields));
  walk.begin(fields);
  while (walk.next()) {
    redis.ReplyWithStringBuffer(walk.name, walk.nameLength);
    redis.ReplyWithStringBuffer(walk.value, walk.valueLength);
  }
  return REPLIED;
}

/**
 * `SESSION.DEL_DATA id field [field …]` → how many were there, or `-Session not found: <id>`. O(fields
 * named).
 */
export function commandDelData(argc: i32, argv: usize): u64 {
  const record = namedSession(argv);
  if (!record) return replyNotFound(argv);
  return replyInteger(deleteData(record, argumentsFrom(argv, 1), argc - 1));
}

/** `SESSION.INCR_DATA id field n` → the new integer, or `-Session not found: <id>`. O(1). */
export function commandIncrData(argc: i32, argv: usize): u64 {
  const record = namedSession(argv);
  const by = integerOf(argument(argv, 2), argumentLength(argv, 2));
  if (!record) return replyNotFound(argv);
  return replyInteger(increment(record, argument(argv, 1), argumentLength(argv, 1), by));
}

/**
 * `SESSION.CAS id version field value [field value …]` → the new version, `-VERSION is <current>`, or
 * `-Session not found: <id>`. O(bytes).
 */
export function commandCas(argc: i32, argv: usize): u64 {
  if (argc & 1) return replyArity();
  const record = namedSession(argv);
  const version = integerOf(argument(argv, 1), argumentLength(argv, 1));
  if (!record) return replyNotFound(argv);
  return replyInteger(compareAndSet(record, version, argumentsFrom(argv, 2), argc - 2));
}
