/**
 * `session.apply`: applies what effects.ts queued, exactly and without conditions, making the calls to the storage itself. What another
 * version of this module wrote, or nothing sound, ends with an error and changes nothing. An effect on a session that is unknown does
 * nothing: it ended later, and is not reborn.
 */
import { beginChange, endChange } from "../../base/change";
import { argument, argumentLength, OK } from "../../base/frame";
import { redis } from "../../base/redis";
import { changed } from "../../base/register";
import { appendEcho, failLine, failOutOfMemory, isText, line, parseDecimal } from "../../base/text";
import { customDel, customSet } from "../mapping/custom";
import { removeData } from "../data";
import { EVENT_ASSIGN, EVENT_CREATE, EVENT_DELETE, EVENT_EXPIRE, EVENT_ROTATE, EVENT_SET } from "./events";
import { commitPuts, preparePuts } from "../store/fields";
import { givenKey, givenKeyLength, keyOfText, take } from "../ids/ids";
import {
  commitRotation,
  compactRecords,
  fieldsOf,
  findRecord,
  insertRecord,
  isOldId,
  makeExpiring,
  ownerOf,
  prepareCopy,
  prepareOldId,
  prepareRecord,
  removeRecord,
  setAccessed,
  setFields,
  setLimits,
  setTimes,
  setVersion,
  signalOldIds,
} from "../store/records";
import { applyLimits, beginCommand } from "../sessions";
import { isTime } from "../texts/time";
import { attach, detach, insertUser, prepareUser, userKey, userKeyLength } from "../store/users";

const newKey: usize = memory.data(144, 8);

/** The effect's operation and arguments. */
let argc: u32 = 0;
let argv: usize = 0;

/** Handler of `session.apply <format> <operation> <id> …` → `+OK`. */
export function commandApply(count: i32, frame: usize): u64 {
  beginCommand();
  argc = count;
  argv = frame;
  if (!isText(argument(argv, 0), argumentLength(argv, 0), changetype<usize>("1"))) {
    line(changetype<usize>("ERR session.apply: unknown format "));
    appendEcho(argument(argv, 0), argumentLength(argv, 0));
    failLine();
  }
  if (!take(argument(argv, 2), argumentLength(argv, 2))) failUnsound();
  if (is(changetype<usize>("create"))) applyCreate();
  else if (is(changetype<usize>("set"))) applySet();
  else if (is(changetype<usize>("unset"))) applyUnset();
  else if (is(changetype<usize>("touch"))) applyTouch();
  else if (is(changetype<usize>("expire"))) applyExpire();
  else if (is(changetype<usize>("assign"))) applyAssign();
  else if (is(changetype<usize>("rotate"))) applyRotate();
  else if (is(changetype<usize>("delete"))) applyDelete();
  else if (is(changetype<usize>("forget"))) applyForget();
  else failUnsound();
  compactRecords(0);
  return OK;
}

// prettier-ignore
function is(operation: usize): bool {
  return isText(argument(argv, 1), argumentLength(argv, 1), operation);
}

/**
 * `create <id> <user> <created> <accessed> <mapped> [<idle> <expires> [<field> <value> …]]`: one with this id is replaced. Older versions wrote
 * 0 for `mapped` where the mapping was there already.
 */
function applyCreate(): void {
  expect(argc == 7 || (argc >= 9 && (argc & 1) == 1));
  const user = argument(argv, 3);
  const userLength = argumentLength(argv, 3);
  const created = timeAt(4);
  const accessed = timeAt(5);
  const mapped = flagAt(6);
  const idle = argc > 7 ? numberAt(7) : 0;
  const expires = argc > 7 ? timeAt(8) : 0;
  const record = prepareRecord(givenKey, givenKeyLength, user, userLength, <bool>(idle || expires));
  if (!record) failOutOfMemory();
  setTimes(record, created, accessed);
  if (idle || expires) setLimits(record, idle, expires);
  if (argc > 9) putData(record, 9);
  if (mapped) customSet(user, userLength, argument(argv, 2), argumentLength(argv, 2));
  beginChange();
  insertRecord(true);
  endChange();
  tell(EVENT_CREATE, 14);
}

/** `set <id> <accessed> <version> <field> <value> [<field> <value> …]` */
function applySet(): void {
  expect(argc >= 7 && (argc & 1) == 1);
  const ms = timeAt(3);
  const version = numberAt(4);
  const record = named();
  if (!record) return;
  putData(record, 5);
  beginChange();
  setAccessed(record, ms);
  setVersion(record, version);
  endChange();
  tell(EVENT_SET, 11, record);
}

/** `unset <id> <accessed> <version> <field> [<field> …]` */
function applyUnset(): void {
  expect(argc >= 6);
  const ms = timeAt(3);
  const version = numberAt(4);
  const record = named();
  if (!record) return;
  beginChange();
  removeData(record, argv, 5, argc - 5);
  setAccessed(record, ms);
  setVersion(record, version);
  endChange();
  tell(EVENT_SET, 11, record);
}

/** `touch <id> <accessed>` */
function applyTouch(): void {
  expect(argc == 4);
  const ms = timeAt(3);
  const record = named();
  if (!record) return;
  beginChange();
  setAccessed(record, ms);
  endChange();
}

/** `expire <id> <idle> <expires>` */
function applyExpire(): void {
  expect(argc == 5);
  const idle = numberAt(3);
  const expires = timeAt(4);
  const record = named();
  if (!record) return;
  const session = makeExpiring(record);
  if (!session) failOutOfMemory();
  beginChange();
  applyLimits(session, idle, expires);
  endChange();
  tell(EVENT_EXPIRE, 14, session);
}

/** `assign <id> <user> <mapping of the user before>` */
function applyAssign(): void {
  expect(argc == 5);
  const record = named();
  if (!record) return;
  const before = ownerOf(record);
  const user = argument(argv, 3);
  const userLength = argumentLength(argv, 3);
  beginChange();
  const owner = prepareUser(user, userLength);
  endChange();
  if (!owner) failOutOfMemory();
  customSet(user, userLength, argument(argv, 2), argumentLength(argv, 2));
  if (owner != before) {
    changeMappingOf(userKey(before), userKeyLength(before), 4);
    beginChange();
    insertUser();
    detach(before, record);
    attach(owner, record);
    endChange();
  }
  tell(EVENT_ASSIGN, 14, record);
}

/** `rotate <id> <new id> <until> <mapped>` */
function applyRotate(): void {
  expect(argc == 6);
  const newId = argument(argv, 3);
  const length = keyOfText(newId, argumentLength(argv, 3), newKey);
  const until = timeAt(4);
  const mapped = flagAt(5);
  const record = named();
  if (!length) failUnsound();
  if (!record) return;
  // What has the new id already is from the same effects, applied before: those that follow make it what it was, in its place.
  const present = findRecord(newKey, length);
  if (present == record) failUnsound();
  beginChange();
  if (present) removeRecord(present);
  endChange();
  if (!prepareCopy(record, newKey, length) || (until && !prepareOldId(record, until))) failOutOfMemory();
  const owner = ownerOf(record);
  if (mapped) customSet(userKey(owner), userKeyLength(owner), newId, argumentLength(argv, 3));
  else redis.SignalModifiedKey(userKey(owner), userKeyLength(owner));
  beginChange();
  commitRotation(record);
  endChange();
  redis.SignalModifiedKey(argument(argv, 2), argumentLength(argv, 2));
  changed(EVENT_ROTATE, 14, newId, argumentLength(argv, 3));
}

/** `delete <id> <user> <mapping>`; the user is empty where another effect tells of it. */
function applyDelete(): void {
  expect(argc == 5);
  changeMappingOf(argument(argv, 3), argumentLength(argv, 3), 4);
  const record = named();
  if (!record) return;
  beginChange();
  removeRecord(record);
  endChange();
  tell(EVENT_DELETE, 14);
}

/** `forget <old id>` */
function applyForget(): void {
  expect(argc == 3);
  const entry = findRecord(givenKey, givenKeyLength);
  if (!entry || !isOldId(entry)) return;
  beginChange();
  removeRecord(entry);
  endChange();
}

/** Changes a user's mapping as argument `index` says: `0` not at all, `1` away with it, else the id that it names from now on. */
function changeMappingOf(user: usize, userLength: u32, index: u32): void {
  const length = argumentLength(argv, index);
  if (length != 1) {
    if (!keyOfText(argument(argv, index), length, newKey)) failUnsound();
    customSet(user, userLength, argument(argv, index), length);
  } else if (flagAt(index)) {
    customDel(user, userLength);
  } else if (userLength) {
    redis.SignalModifiedKey(user, userLength);
  }
}

/** Sets the fields that the arguments from `first` on name. Errors: `OOM …`. */
function putData(record: usize, first: u32): void {
  beginChange();
  const prepared = preparePuts(fieldsOf(record), argv, first, (argc - first) >> 1);
  if (prepared) setFields(record, commitPuts());
  endChange();
  if (!prepared) failOutOfMemory();
}

/** The session of the effect's id, 0 when it is unknown. */
function named(): usize {
  const entry = findRecord(givenKey, givenKeyLength);
  return entry && !isOldId(entry) ? entry : 0;
}

/** Signals and notifies the effect's id, and signals the old ids of its session, which is 0 where it has none. */
function tell(event: usize, eventLength: u32, record: usize = 0): void {
  changed(event, eventLength, argument(argv, 2), argumentLength(argv, 2));
  if (record) signalOldIds(record);
}

/** The time, Unix ms, that argument `index` spells; 0: none. */
function timeAt(index: u32): i64 {
  const ms = parseDecimal(argument(argv, index), argumentLength(argv, index));
  expect(isTime(ms));
  return ms;
}

/** The number that argument `index` spells. */
function numberAt(index: u32): u32 {
  const value = parseDecimal(argument(argv, index), argumentLength(argv, index));
  expect(value >= 0 && value <= <i64>u32.MAX_VALUE);
  return <u32>value;
}

/** The flag, 0 or 1, that argument `index` spells. */
function flagAt(index: u32): bool {
  const flag = parseDecimal(argument(argv, index), argumentLength(argv, index));
  expect(flag == 0 || flag == 1);
  return flag == 1;
}

function expect(sound: bool): void {
  if (!sound) failUnsound();
}

function failUnsound(): void {
  line(changetype<usize>("ERR session.apply: not an effect that this version knows"));
  failLine();
}
