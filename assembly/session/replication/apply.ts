/**
 * `session.apply`: applies what effects.ts queued, exactly and without conditions, making the calls to the
 * storage itself. What another version of this module wrote, or nothing sound, ends with an error and changes
 * nothing. An effect on a session that is unknown does nothing: it ended later, and is not reborn.
 */
import { keyLength, keyOf } from "../../base/storage/entry";
import { beginChange, endChange } from "../../base/change";
import { isClustered, isConfined } from "../../base/context";
import { Effect } from "../../base/effect";
import { OK } from "../../base/frame";
import { redis } from "../../base/redis";
import { changed } from "../../base/register";
import { slotOf } from "../../base/slots";
import { failOutOfMemory } from "../../base/text";
import { ID_BYTES, IdKey } from "../ids/ids";
import { customDel, customSet } from "../mapping/custom";
import { removeFields } from "../store/fields/puts";
import { compactRecords } from "../store/moving";
import { signalOldIds } from "../store/old-ids";
import { applyLimits, asSession, isOldId, setAccessed, setLimits, setTimes } from "../store/record";
import {
  beginCommand,
  commitRotation,
  insertOldId,
  insertRecord,
  makeExpiring,
  prepareCopy,
  prepareOldId,
  prepareRecord,
  putData,
  removeRecord,
} from "../store/records";
import { findRecord } from "../store/table";
import { attach, detach, insertUser, prepareUser } from "../store/users";
import { MAX_TIME } from "../texts/time";
import { Event } from "./events";

const effect: Effect = changetype<Effect>(memory.data(offsetof<Effect>(), 8));
/** The key of the effect's id, and of another that it names. */
const key: IdKey = changetype<IdKey>(memory.data(ID_BYTES, 4));
const otherKey: IdKey = changetype<IdKey>(memory.data(ID_BYTES, 4));
/** Where an effect has its id. */
const ID: u32 = 2;
/** Whether the effect comes with slots of another node, and may name nothing elsewhere. */
let confined: bool = false;

/** Handler of `session.apply <format> <operation> <id> …` → `+OK`. */
export function commandApply(argc: i32, argv: usize): u64 {
  beginCommand();
  effect.take(argc, argv, changetype<usize>("session.apply"));
  if (!key.take(effect.at(ID), effect.lengthAt(ID))) effect.fail();
  confined = isConfined();
  expectAccess(effect, ID);
  expectOwn(effect, key);
  if (effect.is(changetype<usize>("create"))) applyCreate(effect);
  else if (effect.is(changetype<usize>("restore"))) applyRestore(effect);
  else if (effect.is(changetype<usize>("grace"))) applyGrace(effect);
  else if (effect.is(changetype<usize>("set"))) applySet(effect);
  else if (effect.is(changetype<usize>("unset"))) applyUnset(effect);
  else if (effect.is(changetype<usize>("touch"))) applyTouch(effect);
  else if (effect.is(changetype<usize>("expire"))) applyExpire(effect);
  else if (effect.is(changetype<usize>("assign"))) applyAssign(effect);
  else if (effect.is(changetype<usize>("rotate"))) applyRotate(effect);
  else if (effect.is(changetype<usize>("delete"))) applyDelete(effect);
  else if (effect.is(changetype<usize>("forget"))) applyForget(effect);
  else effect.fail();
  compactRecords(0);
  return OK;
}

/**
 * `create <id> <user> <created> <accessed> <mapped> [<idle> <expires> [<field> <value> …]]`: one with this id
 * is replaced. Older versions wrote 0 for `mapped` where the mapping was there already.
 */
function applyCreate(effect: Effect): void {
  const count = effect.count;
  effect.expect(count == 7 || (count >= 9 && (count & 1) == 1));
  expectAccess(effect, 3);
  const user = effect.at(3);
  const userLength = effect.lengthAt(3);
  const mapped = effect.flag(6);
  prepare(effect);
  if (mapped) customSet(user, userLength, effect.at(ID), effect.lengthAt(ID));
  beginChange();
  insertRecord(true);
  endChange();
  tell(effect, Event.CREATE);
}

/** Prepares the session of an effect whose user, times, limits and data are where `create` has them. */
function prepare(effect: Effect): usize {
  const count = effect.count;
  const created = timeAt(effect, 4);
  const accessed = timeAt(effect, 5);
  const idle = count > 7 ? numberAt(effect, 7) : 0;
  const expires = count > 7 ? timeAt(effect, 8) : 0;
  const record = prepareRecord(key.start, key.length, effect.at(3), effect.lengthAt(3), <bool>(idle || expires));
  if (!record) failOutOfMemory();
  setTimes(record, created, accessed);
  if (idle || expires) setLimits(record, idle, expires);
  if (count > 9) putData(record, effect.from(9), count - 9);
  return record;
}

/**
 * `restore <id> <user> <created> <accessed> <version> <idle> <expires> [<field> <value> …]`: a session as it
 * is elsewhere, and its user's newest. One with this id is replaced, its old ids with it: those that answer
 * come with `grace`. The storage brings the user's mapping by itself.
 */
function applyRestore(effect: Effect): void {
  const count = effect.count;
  effect.expect(count >= 9 && (count & 1) == 1);
  expectSlot(effect, effect.at(3), effect.lengthAt(3));
  const version = numberAt(effect, 6);
  asSession(prepare(effect)).version = version;
  beginChange();
  insertRecord(true);
  endChange();
  redis.SignalModifiedKey(effect.at(ID), effect.lengthAt(ID));
  redis.SignalModifiedKey(effect.at(3), effect.lengthAt(3));
}

/** `grace <id> <old id> <until>`: whatever has the old id goes. */
function applyGrace(effect: Effect): void {
  effect.expect(effect.count == 5 && otherKey.take(effect.at(3), effect.lengthAt(3)));
  const until = timeAt(effect, 4);
  effect.expect(until > 0);
  expectOwn(effect, otherKey);
  expectSlot(effect, effect.at(3), effect.lengthAt(3));
  const record = named();
  if (!record) return;
  freeOther(effect, record);
  if (!insertOldId(record, otherKey.start, otherKey.length, until)) failOutOfMemory();
  redis.SignalModifiedKey(effect.at(3), effect.lengthAt(3));
}

/** Ends the command if the effect comes with slots, and the key at argument `index` lies in none of these. */
function expectAccess(effect: Effect, index: u32): void {
  effect.expect(!confined || redis.MayAccess(effect.at(index), effect.lengthAt(index)) != 0);
}

/** As expectAccess, of the user of what has this id here. */
function expectOwn(effect: Effect, id: IdKey): void {
  const present = confined ? findRecord(id.start, id.length) : 0;
  if (!present || isOldId(present)) return;
  const user = asSession(present).user;
  effect.expect(redis.MayAccess(keyOf(user), keyLength(user)) != 0);
}

/** Ends the command, in a cluster, unless the effect's id lies in the slot of this key. */
function expectSlot(effect: Effect, key: usize, length: u32): void {
  effect.expect(!isClustered() || slotOf(key, length) == slotOf(effect.at(ID), effect.lengthAt(ID)));
}

/** `set <id> <accessed> <version> <field> <value> [<field> <value> …]` */
function applySet(effect: Effect): void {
  effect.expect(effect.count >= 7 && (effect.count & 1) == 1);
  const ms = timeAt(effect, 3);
  const version = numberAt(effect, 4);
  const record = named();
  if (!record) return;
  putData(record, effect.from(5), effect.count - 5);
  beginChange();
  noteWrite(record, ms, version);
  endChange();
  tell(effect, Event.SET, record);
}

/** `unset <id> <accessed> <version> <field> [<field> …]` */
function applyUnset(effect: Effect): void {
  effect.expect(effect.count >= 6);
  const ms = timeAt(effect, 3);
  const version = numberAt(effect, 4);
  const record = named();
  if (!record) return;
  beginChange();
  asSession(record).fields = removeFields(asSession(record).fields, effect.from(5), effect.count - 5);
  noteWrite(record, ms, version);
  endChange();
  tell(effect, Event.SET, record);
}

function noteWrite(record: usize, ms: i64, version: u32): void {
  setAccessed(record, ms);
  asSession(record).version = version;
}

/** `touch <id> <accessed>` */
function applyTouch(effect: Effect): void {
  effect.expect(effect.count == 4);
  const ms = timeAt(effect, 3);
  const record = named();
  if (!record) return;
  beginChange();
  setAccessed(record, ms);
  endChange();
}

/** `expire <id> <idle> <expires>` */
function applyExpire(effect: Effect): void {
  effect.expect(effect.count == 5);
  const idle = numberAt(effect, 3);
  const expires = timeAt(effect, 4);
  const record = named();
  if (!record) return;
  const session = makeExpiring(record);
  if (!session) failOutOfMemory();
  beginChange();
  applyLimits(session, idle, expires);
  endChange();
  tell(effect, Event.EXPIRE, session);
}

/** `assign <id> <user> <mapping of the user before>` */
function applyAssign(effect: Effect): void {
  effect.expect(effect.count == 5);
  expectAccess(effect, 3);
  const record = named();
  if (!record) return;
  const before = asSession(record).user;
  const user = effect.at(3);
  const userLength = effect.lengthAt(3);
  beginChange();
  const owner = prepareUser(user, userLength);
  endChange();
  if (!owner) failOutOfMemory();
  customSet(user, userLength, effect.at(ID), effect.lengthAt(ID));
  if (owner != before) {
    changeMappingOf(effect, keyOf(before), keyLength(before));
    beginChange();
    insertUser();
    detach(before, record);
    attach(owner, record);
    endChange();
  }
  tell(effect, Event.ASSIGN, record);
}

/** `rotate <id> <new id> <until> <mapped>` */
function applyRotate(effect: Effect): void {
  effect.expect(effect.count == 6 && otherKey.take(effect.at(3), effect.lengthAt(3)));
  expectAccess(effect, 3);
  expectOwn(effect, otherKey);
  const until = timeAt(effect, 4);
  const mapped = effect.flag(5);
  const record = named();
  if (!record) return;
  // What has the new id already is from the same effects, applied before: those that follow make it what it
  // was, in its place.
  freeOther(effect, record);
  if (!prepareCopy(record, otherKey.start, otherKey.length) || (until && !prepareOldId(record, until))) failOutOfMemory();
  const owner = asSession(record).user;
  if (mapped) customSet(keyOf(owner), keyLength(owner), effect.at(3), effect.lengthAt(3));
  else redis.SignalModifiedKey(keyOf(owner), keyLength(owner));
  beginChange();
  commitRotation(record);
  endChange();
  redis.SignalModifiedKey(effect.at(ID), effect.lengthAt(ID));
  changed(Event.ROTATE, effect.at(3), effect.lengthAt(3));
}

/** `delete <id> <user> <mapping>`; the user is empty where another effect tells of it. */
function applyDelete(effect: Effect): void {
  effect.expect(effect.count == 5);
  if (effect.lengthAt(3)) expectAccess(effect, 3);
  changeMappingOf(effect, effect.at(3), effect.lengthAt(3));
  const record = named();
  if (!record) return;
  beginChange();
  removeRecord(record);
  endChange();
  tell(effect, Event.DELETE);
}

/** `forget <old id>` */
function applyForget(effect: Effect): void {
  effect.expect(effect.count == 3);
  const record = findRecord(key.start, key.length);
  if (!record || !isOldId(record)) return;
  beginChange();
  removeRecord(record);
  endChange();
}

/**
 * Changes a user's mapping as argument 4 says: `0` not at all, `1` away with it, else the id that it names
 * from now on.
 */
function changeMappingOf(effect: Effect, user: usize, userLength: u32): void {
  const mapping = effect.at(4);
  const length = effect.lengthAt(4);
  if (length != 1) {
    effect.expect(otherKey.take(mapping, length));
    customSet(user, userLength, mapping, length);
  } else if (effect.flag(4)) {
    customDel(user, userLength);
  } else if (userLength) {
    redis.SignalModifiedKey(user, userLength);
  }
}

/** The session of the effect's id, 0 when it is unknown. */
function named(): usize {
  const record = findRecord(key.start, key.length);
  return record && !isOldId(record) ? record : 0;
}

/** Whatever has the other id that the effect names goes: that is never the session itself. */
function freeOther(effect: Effect, record: usize): void {
  const present = findRecord(otherKey.start, otherKey.length);
  effect.expect(present != record);
  beginChange();
  if (present) removeRecord(present);
  endChange();
}

/**
 * Signals and notifies the effect's id, and signals the old ids of its session, which is 0 where it has none.
 */
function tell(effect: Effect, event: usize, record: usize = 0): void {
  changed(event, effect.at(ID), effect.lengthAt(ID));
  if (record) signalOldIds(record);
}

/** The time, Unix ms, that argument `index` spells; 0: none. */
function timeAt(effect: Effect, index: u32): i64 {
  return effect.number(index, MAX_TIME);
}

/** The number that argument `index` spells. */
function numberAt(effect: Effect, index: u32): u32 {
  return <u32>effect.number(index, <i64>u32.MAX_VALUE);
}
