/**
 * What SESSION.* commands do, without their replies: shared by the commands, the link functions and the effects. Each write keeps the order
 * allocate → import calls → replicate → commit → signal. `own` says that the running command is this module's, which
 * replicates; a link function leaves that to its caller's effect.
 */
import { equal } from "../storage/bytes";
import { beginChange, endChange } from "../change";
import { lengthOf, pointerOf } from "../frame";
import { ContextFlags, redis } from "../redis";
import { EVENT_CREATE, EVENT_DELETE, EVENT_SET } from "./events";
import { changed } from "../register";
import { failOutOfMemory } from "../text";
import { customDel, customGet, customSet } from "./custom";
import { replicateCreate, replicateDelete, replicateSet, replicateTouch } from "./effects";
import { commitPut, getField, preparePut } from "./fields";
import {
  accessedOf,
  compactRecords,
  fieldsOf,
  findRecord,
  idOf,
  insertRecord,
  isOf,
  prepareRecord,
  releasePending,
  removeRecord,
  setAccessed,
  setFields,
  userLengthOf,
  userOf,
} from "./records";
import { format, ID_SIZE, ID_TEXT_SIZE, mint, parse } from "./uuid";

/** How createSession ended. */
// prettier-ignore
@inline export const CREATED: u32 = 0;


@inline export const EXISTS: u32 = 1;


@inline export const RECREATED: u32 = 2;

/** The id that the running command is about, raw and as text. */
const id: usize = memory.data(16, 8);
const idText: usize = memory.data(36);

/**
 * The user's session: the one that the storage maps the user to, or a new one. Its id's text is at `resultId`. O(user).
 *
 *     the storage maps the user to          then
 *     nothing                               CREATED   new id, mapped
 *     a live session of this user           EXISTS    touched
 *     a live session of somebody else       CREATED   stale mapping: new id, mapped
 *     a well-formed id unknown here         RECREATED with that id
 *     anything else                         CREATED   stale mapping: new id, mapped
 *
 * Errors: `OOM …`, nothing changed; those of the storage.
 */
export function createSession(user: usize, userLength: u32, own: bool): u32 {
  releasePending();
  const now = redis.Milliseconds();
  const mapping = customGet(user, userLength);
  let outcome = CREATED;
  if (mapping && parse(pointerOf(mapping), lengthOf(mapping), id)) {
    const record = findRecord(id);
    if (!record) outcome = RECREATED;
    else if (isOf(record, user, userLength)) {
      format(id, idText);
      touch(record, now, own);
      return EXISTS;
    }
  }
  if (outcome == CREATED) mintUnknown();
  format(id, idText);
  if (!prepareRecord(id, user, userLength, now, now)) failOutOfMemory();
  if (outcome == CREATED) customSet(user, userLength, idText, ID_TEXT_SIZE);
  if (own) replicateCreate(idText, user, userLength, now, now, outcome == CREATED);
  beginChange();
  insertRecord();
  endChange();
  changed(EVENT_CREATE, 14, idText, ID_TEXT_SIZE);
  compactRecords(userLength);
  return outcome;
}

/** Text of the id that createSession gave: 36 bytes, valid until the next command. */
// prettier-ignore
@inline
export function resultId(): usize {
  return idText;
}

/** The record of the id whose text this is, 0 when it is unknown or no id at all. O(1). */
export function sessionOf(text: usize, length: u32): usize {
  return parse(text, length, id) ? findRecord(id) : 0;
}

/** Sets a field of the session and touches it. O(field + value). Errors: `OOM …`, nothing changed. */
export function addData(record: usize, field: usize, fieldLength: u32, value: usize, valueLength: u32, own: bool): void {
  const now = redis.Milliseconds();
  releasePending();
  format(idOf(record), idText);
  beginChange();
  if (!preparePut(fieldsOf(record), field, fieldLength, value, valueLength)) {
    endChange();
    failOutOfMemory();
  }
  if (own) replicateSet(idText, now, field, fieldLength, value, valueLength);
  setFields(record, commitPut());
  setAccessed(record, now);
  endChange();
  changed(EVENT_SET, 11, idText, ID_TEXT_SIZE);
  compactRecords(valueLength);
}

/** The field's value (`length << 32 | pointer`, valid until the next write), 0 when absent; touches the session. O(field). */
export function getData(record: usize, field: usize, length: u32, own: bool): u64 {
  format(idOf(record), idText);
  touch(record, redis.Milliseconds(), own);
  return getField(fieldsOf(record), field, length);
}

/** Ends the session; deletes the storage's mapping of its user when that still names it. Needs no memory. O(user + fields). */
export function deleteSession(record: usize, own: bool): void {
  releasePending();
  const user = userOf(record);
  const userLength = userLengthOf(record);
  format(idOf(record), idText);
  const mapping = customGet(user, userLength);
  const unmap = lengthOf(mapping) == ID_TEXT_SIZE && equal(pointerOf(mapping), idText, ID_TEXT_SIZE);
  if (unmap) customDel(user, userLength);
  if (own) replicateDelete(idText, user, userLength, unmap);
  beginChange();
  removeRecord(record);
  endChange();
  changed(EVENT_DELETE, 14, idText, ID_TEXT_SIZE);
  compactRecords(0);
}

/**
 * Notes an access, on a primary only. Of the accesses in one second of the clock the first is replicated, where anybody listens, so a
 * replica lags by less than a second. Signals nothing: WATCH would abort on one's own read.
 */
function touch(record: usize, now: i64, own: bool): void {
  const before = accessedOf(record);
  if (before == now || redis.GetContextFlags() & ContextFlags.REPLICA) return;
  if (own && before / 1000 != now / 1000 && redis.EffectsWanted()) replicateTouch(idText, now);
  setAccessed(record, now);
}

/** A new id that no session has. */
function mintUnknown(): void {
  do mint(id);
  while (findRecord(id));
}
