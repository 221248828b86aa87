/** What SESSION.* commands do to the data of a session, without their replies; see sessions.ts for the order of each write. */
import { beginChange, endChange } from "../base/change";
import { argument, argumentLength, lengthOf, pointerOf, setArgument } from "../base/frame";
import { parsed, parseInteger } from "../base/parse";
import { redis } from "../base/redis";
import { changed } from "../base/register";
import { appendNumber, failLine, failOutOfMemory, line, writeDecimal } from "../base/text";
import { prepareEffect, replicateSet, replicateUnset } from "./replication/effects";
import { EVENT_SET } from "./replication/events";
import { nowMs } from "./store/expiry";
import { commitPut, commitPuts, countFields, getField, preparePut, preparePuts, removeFields } from "./store/fields";
import { compactRecords, fieldsOf, setAccessed, setFields, setVersion, signalOldIds, versionOf } from "./store/records";
import { releaseScratch } from "./texts/scratch";
import { idText, idTextLength, nameSession, touch } from "./sessions";

/** Name and value of a write that is no argument of the command. */
const pair: usize = memory.data(16, 8);
const digits: usize = memory.data(24);

/**
 * Sets fields, all or none, and touches the session: `count` arguments, names and values, from `first` of `argv`. O(bytes).
 * Errors: `OOM …`, nothing changed.
 */
export function addData(record: usize, argv: usize, first: u32, count: u32, own: bool): void {
  nameSession(record);
  if (own) prepareEffect(count);
  const now = nowMs();
  beginChange();
  let prepared = prepareData(record, argv, first, count);
  if (!prepared && makesSmaller(record, argv, first, count)) {
    endChange();
    redis.MayExceed();
    beginChange();
    prepared = prepareData(record, argv, first, count);
  }
  if (!prepared) {
    endChange();
    failOutOfMemory();
  }
  if (own) replicateSet(idText, idTextLength, now, versionOf(record) + 1, argv, first, count);
  setFields(record, count == 2 ? commitPut() : commitPuts());
  noteWrite(record, now);
  endChange();
  releaseScratch();
  changed(EVENT_SET, 11, idText, idTextLength);
  signalOldIds(record);
  compactRecords(argumentLength(argv, first + 1));
}

function prepareData(record: usize, argv: usize, first: u32, count: u32): bool {
  const fields = fieldsOf(record);
  if (count > 2) return preparePuts(fields, argv, first, count >> 1);
  const field = argument(argv, first);
  return preparePut(fields, field, argumentLength(argv, first), argument(argv, first + 1), argumentLength(argv, first + 1));
}

/** Whether the write is of one field, whose value becomes shorter. */
function makesSmaller(record: usize, argv: usize, first: u32, count: u32): bool {
  const before = count == 2 ? getField(fieldsOf(record), argument(argv, first), argumentLength(argv, first)) : 0;
  return lengthOf(before) > argumentLength(argv, first + 1);
}

/** As addData, for one field that is no argument of the command. */
export function addField(record: usize, field: usize, fieldLength: u32, value: usize, valueLength: u32, own: bool): void {
  setArgument(pair, 0, field, fieldLength);
  setArgument(pair, 1, value, valueLength);
  addData(record, pair, 0, 2, own);
}

/** Removes the fields that `count` arguments from `first` name; how many were there. Where it is any, the session is touched. O(count). */
export function deleteData(record: usize, argv: usize, first: u32, count: u32): u32 {
  nameSession(record);
  const before = countFields(fieldsOf(record));
  let found = false;
  for (let index = first; index < first + count && !found; index++) {
    found = getField(fieldsOf(record), argument(argv, index), argumentLength(argv, index)) != 0;
  }
  if (!found) return 0;
  prepareEffect(count);
  const now = nowMs();
  beginChange();
  replicateUnset(idText, idTextLength, now, versionOf(record) + 1, argv, first, count);
  removeData(record, argv, first, count);
  noteWrite(record, now);
  endChange();
  const removed = before - countFields(fieldsOf(record));
  releaseScratch();
  changed(EVENT_SET, 11, idText, idTextLength);
  signalOldIds(record);
  // The record may move.
  compactRecords(0);
  return removed;
}

/** Removes the fields that `count` arguments from `first` name. Cannot fail. */
export function removeData(record: usize, argv: usize, first: u32, count: u32): void {
  setFields(record, removeFields(fieldsOf(record), argv, first, count));
}

/**
 * Adds to a field that holds an integer, 0 where it is absent, and touches the session; the new value. O(1).
 * Errors: `ERR hash value is not an integer`, `ERR increment or decrement would overflow`, `OOM …`, nothing changed.
 */
export function increment(record: usize, field: usize, fieldLength: u32, by: i64): i64 {
  const value = getField(fieldsOf(record), field, fieldLength);
  if (value && !parseInteger(pointerOf(value), lengthOf(value))) {
    line(changetype<usize>("ERR hash value is not an integer"));
    failLine();
  }
  const before = value ? parsed : 0;
  if (by > 0 ? before > i64.MAX_VALUE - by : before < i64.MIN_VALUE - by) {
    line(changetype<usize>("ERR increment or decrement would overflow"));
    failLine();
  }
  const after = before + by;
  addField(record, field, fieldLength, digits, writeInteger(after, digits), true);
  return after;
}

/**
 * As addData, if the session's data is at this version; the new one.
 * Errors: `VERSION is <current>`, `OOM …`, nothing changed.
 */
export function compareAndSet(record: usize, version: i64, argv: usize, first: u32, count: u32): u32 {
  if (version != <i64>versionOf(record)) {
    line(changetype<usize>("VERSION is "));
    appendNumber(versionOf(record));
    failLine();
  }
  addData(record, argv, first, count, true);
  // The record may have moved.
  return <u32>version + 1;
}

/** The field's value (`length << 32 | pointer`, valid until the next write), 0 when absent; touches the session. O(field). */
export function getData(record: usize, field: usize, length: u32, own: bool): u64 {
  nameSession(record);
  touch(record, own);
  return getField(fieldsOf(record), field, length);
}

function noteWrite(record: usize, now: i64): void {
  setAccessed(record, now);
  setVersion(record, versionOf(record) + 1);
}

/** Writes a signed integer in decimal, 20 bytes at most, and returns its length. */
function writeInteger(value: i64, target: usize): u32 {
  if (value >= 0) return writeDecimal(value, target);
  store<u8>(target, 0x2d);
  return 1 + writeDecimal(0 - <u64>value, target + 1);
}
