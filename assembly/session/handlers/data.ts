/** Handlers of the commands that are about the data of a session. */
import { argument, argumentLength, NULL, OK, REPLIED } from "../../base/frame";
import { integerOf } from "../../base/parse";
import { redis } from "../../base/redis";
import { addData, compareAndSet, deleteData, getData, increment } from "../data";
import { beginFields, countFields, fieldName, fieldNameLength, fieldValue, fieldValueLength, nextField } from "../store/fields";
import { fieldsOf } from "../store/records";
import { nameSession, touch } from "../sessions";
import { namedSession, replyArity, replyInteger, replyNotFound } from "./sessions";

/** `SESSION.ADD_DATA id field value [field value …]` → `+OK`, or `-Session not found: <id>`. O(bytes). */
export function commandAddData(argc: i32, argv: usize): u64 {
  if (!(argc & 1)) return replyArity();
  const record = namedSession(argv);
  if (!record) return replyNotFound(argv);
  addData(record, argv, 1, argc - 1, true);
  return OK;
}

/** `SESSION.GET_DATA id field` → the value, null when absent, or `-Session not found: <id>`. O(field + value). */
export function commandGetData(argc: i32, argv: usize): u64 {
  const record = namedSession(argv);
  if (!record) return replyNotFound(argv);
  return getData(record, argument(argv, 1), argumentLength(argv, 1), true);
}

/** `SESSION.GETALL id` → a map of fields to values in the order of their first writing, null when it is unknown. O(bytes). */
export function commandGetAll(argc: i32, argv: usize): u64 {
  const record = namedSession(argv);
  if (!record) return NULL;
  nameSession(record);
  touch(record, true);
  const fields = fieldsOf(record);
  redis.ReplyWithMap(<i64>countFields(fields));
  beginFields(fields);
  while (nextField()) {
    redis.ReplyWithStringBuffer(fieldName, fieldNameLength);
    redis.ReplyWithStringBuffer(fieldValue, fieldValueLength);
  }
  return REPLIED;
}

/** `SESSION.DEL_DATA id field [field …]` → how many were there, or `-Session not found: <id>`. O(fields named). */
export function commandDelData(argc: i32, argv: usize): u64 {
  const record = namedSession(argv);
  if (!record) return replyNotFound(argv);
  return replyInteger(deleteData(record, argv, 1, argc - 1));
}

/** `SESSION.INCR_DATA id field n` → the new integer, or `-Session not found: <id>`. O(1). */
export function commandIncrData(argc: i32, argv: usize): u64 {
  const record = namedSession(argv);
  const by = integerOf(argument(argv, 2), argumentLength(argv, 2));
  if (!record) return replyNotFound(argv);
  return replyInteger(increment(record, argument(argv, 1), argumentLength(argv, 1), by));
}

/** `SESSION.CAS id version field value [field value …]` → the new version, `-VERSION is <current>`, or `-Session not found: <id>`. O(bytes). */
export function commandCas(argc: i32, argv: usize): u64 {
  if (argc & 1) return replyArity();
  const record = namedSession(argv);
  const version = integerOf(argument(argv, 1), argumentLength(argv, 1));
  if (!record) return replyNotFound(argv);
  return replyInteger(compareAndSet(record, version, argv, 2, argc - 2));
}
