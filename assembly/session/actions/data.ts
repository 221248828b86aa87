/**
 * What SESSION.* commands do to the data of a session, without their replies; see create.ts for the order of
 * each write.
 */
import { beginChange, endChange } from "../../base/change";
import { argument, argumentLength, lengthOf, pointerOf, setArgument } from "../../base/frame";
import { parsed, parseInteger, sumOf } from "../../base/parse";
import { redis } from "../../base/redis";
import { appendNumber, failLine, failOutOfMemory, line, writeInteger } from "../../base/text";
import { finishWrite } from "./finish";
import { prepareEffect, replicateSet, replicateUnset } from "../replication/effects";
import { Event } from "../replication/events";
import { nowMs } from "../store/clock";
import { countFields, getField } from "../store/fields/fields";
import { commitPut, commitPuts, preparePut, preparePuts, removeFields } from "../store/fields/puts";
import { asSession, idText, setAccessed } from "../store/record";
import { touch } from "./touch";

/** Name and value of a write that is no argument of the command. */
const pair: usize = memory.data(16, 8);
const digits: usize = memory.data(24);

/**
 * Sets fields, all or none, and touches the session: `count` arguments at `argv`, names and values. O(bytes).
 * Errors: `OOM …`, nothing changed.
 */
export function addData(record: usize, argv: usize, count: u32, own: bool): void {
  const id = idText(record);
  if (own) prepareEffect(count);
  const now = nowMs();
  beginChange();
  let prepared = prepareData(record, argv, count);
  if (!prepared && makesSmaller(record, argv, count)) {
    endChange();
    redis.MayExceed();
    beginChange();
    prepared = prepareData(record, argv, count);
  }
  if (!prepared) {
    endChange();
    failOutOfMemory();
  }
  const session = asSession(record);
  if (own) replicateSet(id, now, session.version + 1, argv, count);
  session.fields = count == 2 ? commitPut() : commitPuts();
  session.version++;
  setAccessed(record, now);
  finishWrite(Event.SET, id, record, argumentLength(argv, 1));
}

function prepareData(record: usize, argv: usize, count: u32): bool {
  const fields = asSession(record).fields;
  if (count > 2) return preparePuts(fields, argv, count >> 1);
  return preparePut(fields, argument(argv, 0), argumentLength(argv, 0), argument(argv, 1), argumentLength(argv, 1));
}

/** Whether the write is of one field, whose value becomes shorter. */
function makesSmaller(record: usize, argv: usize, count: u32): bool {
  const before = count == 2 ? getField(asSession(record).fields, argument(argv, 0), argumentLength(argv, 0)) : 0;
  return lengthOf(before) > argumentLength(argv, 1);
}

/** As addData, for one field that is no argument of the command. */
export function addField(record: usize, field: usize, fieldLength: u32, value: usize, valueLength: u32, own: bool): void {
  setArgument(pair, 0, field, fieldLength);
  setArgument(pair, 1, value, valueLength);
  addData(record, pair, 2, own);
}

/**
 * Removes the fields that `count` arguments at `argv` name; how many were there. Where it is any, the session
 * is touched. O(count).
 */
export function deleteData(record: usize, argv: usize, count: u32): u32 {
  const session = asSession(record);
  const before = countFields(session.fields);
  if (!hasAny(session.fields, argv, count)) return 0;
  const id = idText(record);
  prepareEffect(count);
  const now = nowMs();
  beginChange();
  replicateUnset(id, now, session.version + 1, argv, count);
  session.fields = removeFields(session.fields, argv, count);
  session.version++;
  setAccessed(record, now);
  const removed = before - countFields(session.fields);
  finishWrite(Event.SET, id, record, 0);
  return removed;
}

/** Whether one of the fields that `count` arguments at `argv` name is there. O(count). */
function hasAny(fields: u32, argv: usize, count: u32): bool {
  for (let index: u32 = 0; index < count; index++) {
    if (getField(fields, argument(argv, index), argumentLength(argv, index))) return true;
  }
  return false;
}

/**
 * Adds to a field that holds an integer, 0 where it is absent, and touches the session; the new value. O(1).
 * Errors: `ERR hash value is not an integer`, `ERR increment or decrement would overflow`, `OOM …`, nothing
 * changed.
 */
export function increment(record: usize, field: usize, fieldLength: u32, by: i64): i64 {
  const value = getField(asSession(record).fields, field, fieldLength);
  if (value && !parseInteger(pointerOf(value), lengthOf(value))) {
    line(changetype<usize>("ERR hash value is not an integer"));
    failLine();
  }
  const after = sumOf(value ? parsed : 0, by);
  addField(record, field, fieldLength, digits, writeInteger(after, digits), true);
  return after;
}

/**
 * As addData, if the session's data is at this version; the new one.
 * Errors: `VERSION is <current>`, `OOM …`, nothing changed.
 */
export function compareAndSet(record: usize, version: i64, argv: usize, count: u32): u32 {
  if (version != <i64>asSession(record).version) {
    line(changetype<usize>("VERSION is "));
    appendNumber(asSession(record).version);
    failLine();
  }
  addData(record, argv, count, true);
  // The record may have moved.
  return <u32>version + 1;
}

/**
 * The field's value (`length << 32 | pointer`, valid until the next write), 0 when absent; touches the
 * session. O(field).
 */
export function getData(record: usize, field: usize, length: u32, own: bool): u64 {
  touch(record, own);
  return getField(asSession(record).fields, field, length);
}
