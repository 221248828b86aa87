/**
 * Making sessions. As all that SESSION.* commands do to sessions, it keeps the order allocate → import calls
 * → replicate → commit → signal. `own` says that the running command is this module's, which replicates; a
 * link function leaves that to its caller's effect.
 */
import { keyLength, keyOf } from "../../base/storage/entry";
import { beginChange } from "../../base/change";
import { isClustered } from "../../base/context";
import { lengthOf, pointerOf } from "../../base/frame";
import { redis } from "../../base/redis";
import { failLine, failOutOfMemory, line } from "../../base/text";
import { forgetOldId, reclaim } from "./end";
import { evict, replicateEvictions, victimsAmong } from "./evict";
import { finishWrite } from "./finish";
import { ID_BYTES, IdKey, IdText } from "../ids/ids";
import { slotOf } from "../../base/slots";
import { moveToSlot } from "../../base/slot-ids";
import { ID_SIZE } from "../ids/uuid";
import { customGet, customSet } from "../mapping/custom";
import { Options } from "./options";
import { prepareEffect, replicateCreate } from "../replication/effects";
import { Event } from "../replication/events";
import { nowMs } from "../store/clock";
import { liveOf } from "../store/expiry";
import { asSession, isOldId, setLimits, setTimes } from "../store/record";
import { insertRecord, pendingRecord, prepareRecord, putData } from "../store/records";
import { findRecord, isUnknown } from "../store/table";
import { isUser } from "../store/users";
import { touch } from "./touch";
import { carryWord } from "../../base/storage/carry";

/** How createSession ended. */
export const CREATED: u32 = 0;
export const EXISTS: u32 = 1;
export const RECREATED: u32 = 2;

/** How many sessions commands have created. */
export let created: u64 = 0;

/** The id of the session that CREATE answers, as key and as text: valid until the next one. */
const key: IdKey = changetype<IdKey>(memory.data(ID_BYTES, 4));
export const createdId: IdText = changetype<IdText>(memory.data(ID_BYTES, 4));

/**
 * The user's session: the one that the storage maps the user to, or a new one, with what `options` say. Its
 * id is then `createdId`. O(user + data), where a limit is reached also O(sessions of the user).
 *
 *     the storage maps the user to               then
 *     nothing                                    CREATED   new id, mapped
 *     a live session of this user                EXISTS    touched
 *     a live session of somebody else            CREATED   stale mapping: new id, mapped
 *     a UUID unknown here that the caller may    RECREATED with that id, mapped anew: without a deadline
 *     use as a key
 *     anything else                              CREATED   stale mapping: new id, mapped
 *
 * Errors: `OOM …`, `IDEXISTS …`, `MAXSESSIONS …`, those of the storage; nothing changed.
 */
export function createSession(user: usize, userLength: u32, options: Options, own: bool): u32 {
  const outcome = options.isNew ? CREATED : mappedSession(user, userLength, options, own);
  if (outcome == EXISTS) return EXISTS;
  if (outcome == CREATED) chooseId(user, userLength, options, own);
  const victims = victimsAmong(user, userLength, options.most, options.rejects);
  prepareEffect(options.dataCount);
  prepareSession(user, userLength, options);
  createdId.take(key.start, key.length);
  customSet(user, userLength, createdId.start, createdId.length);
  const record = pendingRecord();
  const owner = asSession(record).user;
  beginChange();
  if (own) {
    replicateEvictions(owner, victims);
    replicateCreate(createdId, record, options.data, options.dataCount);
  }
  insertRecord(false);
  created++;
  evict(owner, victims);
  finishWrite(Event.CREATE, createdId, 0, userLength);
  return outcome;
}

/** What the storage's mapping of the user asks for, as the table above has it; the id is then in `key`. */
function mappedSession(user: usize, userLength: u32, options: Options, own: bool): u32 {
  const mapping = customGet(user, userLength);
  if (!mapping || !key.take(pointerOf(mapping), lengthOf(mapping))) return CREATED;
  if (isClustered()) {
    createdId.take(key.start, key.length);
    if (slotOf(createdId.start, createdId.length) != slotOf(user, userLength)) return CREATED;
  }
  const entry = findRecord(key.start, key.length);
  const record = liveOf(entry);
  if (record && isUser(asSession(record).user, user, userLength)) {
    createdId.take(keyOf(record), keyLength(record));
    touch(record, own);
    return EXISTS;
  }
  // What has expired and is not reclaimed yet is not unknown, so that its id never becomes valid again.
  if (entry || key.length != ID_SIZE || options.id) return CREATED;
  // Whoever may write the mapping names any id there: only one that he may use as a key comes back.
  createdId.take(key.start, key.length);
  return redis.MayAccess(createdId.start, createdId.length) ? RECREATED : CREATED;
}

/** The id of a new session in `key`: the caller's own, or one that no session has. */
function chooseId(user: usize, userLength: u32, options: Options, own: bool): void {
  if (!options.id) return mintUnknown(key, user, userLength);
  if (!key.take(options.id, options.idLength)) {
    line(changetype<usize>("ERR an id has 16 to 128 visible ASCII characters"));
    failLine();
  }
  checkOwnId(user, userLength, options);
  const entry = findRecord(key.start, key.length);
  if (!entry) return;
  if (liveOf(entry)) {
    line(changetype<usize>("IDEXISTS the id is known"));
    failLine();
  }
  if (isOldId(entry)) forgetOldId(entry, own);
  else reclaim(entry, own);
}

/**
 * Checks what the server would, were the caller's id a key that the command declares. It is none: a field of
 * DATA may be called ID too, and the server would take its value for one. Errors: `ERR …`,
 * `CROSSSLOT …`
 */
function checkOwnId(user: usize, userLength: u32, options: Options): void {
  if (!redis.MayAccess(options.id, options.idLength)) {
    line(changetype<usize>("ERR the user has no permission for the id"));
    failLine();
  }
  checkSlot(options.id, options.idLength, user, userLength);
}

/**
 * Checks that an id by which the server does not route is in the slot of its user, in a cluster. Errors:
 * `CROSSSLOT …`
 */
export function checkSlot(id: usize, idLength: u32, user: usize, userLength: u32): void {
  if (!isClustered() || slotOf(id, idLength) == slotOf(user, userLength)) return;
  line(changetype<usize>("CROSSSLOT the id is in another slot than its user"));
  failLine();
}

/** Allocates the new session, whose id is `key`, with its data. Errors: `OOM …`. */
function prepareSession(user: usize, userLength: u32, options: Options): void {
  const record = prepareRecord(key.start, key.length, user, userLength, options.isExpiring);
  if (!record) failOutOfMemory();
  setTimes(record, nowMs(), nowMs());
  if (options.isExpiring) setLimits(record, options.idle, options.expires);
  if (options.dataCount) putData(record, options.data, options.dataCount);
}

/** A new id that no session has, in the cluster slot of its user. */
export function mintUnknown(id: IdKey, user: usize, userLength: u32): void {
  const clustered = isClustered();
  do {
    id.mint();
    if (clustered) moveToSlot(id.start, slotOf(user, userLength));
  } while (!isUnknown(id.start));
}

/** What another file takes over in the same memory (carry.ts). */
export function carryCreated(): void {
  created = carryWord<u64>(created);
}
