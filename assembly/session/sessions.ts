/**
 * What SESSION.* commands do to whole sessions, without their replies: shared by the commands, the link functions and the sweep. Each write keeps
 * the order allocate → import calls → replicate → commit → signal. `own` says that the running command is this module's, which
 * replicates; a link function leaves that to its caller's effect.
 */
import { beginChange, endChange } from "../base/change";
import { lengthOf, pointerOf } from "../base/frame";
import { ContextFlags, redis } from "../base/redis";
import { changed } from "../base/register";
import { appendEcho, appendNumber, appendText, failLine, failOutOfMemory, line } from "../base/text";
import { customGet, customSet } from "./mapping/custom";
import {
  prepareEffect,
  replicateAssign,
  replicateCreate,
  replicateDelete,
  replicateExpire,
  replicateForget,
  replicateFurtherDelete,
  replicateRotate,
  replicateTouch,
} from "./replication/effects";
import { EVENT_ASSIGN, EVENT_CREATE, EVENT_DELETE, EVENT_EVICTED, EVENT_EXPIRE, EVENT_EXPIRED, EVENT_ROTATE } from "./replication/events";
import { insertNode, isLive, liveOf, nowMs, removeNode, startClock } from "./store/expiry";
import { commitPuts, fieldsWait, preparePuts, releasePiece } from "./store/fields";
import { givenKey, givenKeyLength, take, takeMinted, writeId } from "./ids/ids";
import { changeMapping, endAll, endOnly, ends, sessionNamed, stays, tryToChangeMapping } from "./mapping/mapping";
import * as options from "./options";
import {
  accessedOf,
  commitRotation,
  compactRecords,
  deadlineOf,
  expiresOf,
  findRecord,
  idLengthOf,
  idleOf,
  idOf,
  insertRecord,
  isOldId,
  makeExpiring,
  newerOf,
  nextOldId,
  nodeOf,
  olderOf,
  oldIdsOf,
  ownerOf,
  pendingRecord,
  prepareCopy,
  prepareOldId,
  prepareRecord,
  releasePending,
  removeRecord,
  setAccessed,
  setFields,
  setLimits,
  setTimes,
  signalOldIds,
  untilOf,
} from "./store/records";
import { releaseScratch } from "./texts/scratch";
import { moveToSlot, slotOf } from "./ids/slots";
import { attach, countOf, detach, findUser, insertUser, isUser, newestOf, prepareUser, userKey, userKeyLength } from "./store/users";
import { ID_SIZE, mint } from "./ids/uuid";

/** How createSession ended. */
export const CREATED: u32 = 0;
export const EXISTS: u32 = 1;
export const RECREATED: u32 = 2;

/** Text of the id that the running command is about, or has made: valid until the next command. */
export const idText: usize = memory.data(128);
export let idTextLength: u32 = 0;
/** Text of another id: of the one that a rotation ends, of a session that ends beside. */
const otherText: usize = memory.data(128);

/** Ids in grace that one session has at most: each rotation, and each change, signals all of them. */
const OLD_IDS_MAX: u32 = 16;

/** How many sessions commands have created, how many have ended because of their time, or to make room for newer ones of the same user. */
export let created: u64 = 0;
export let expired: u64 = 0;
export let evicted: u64 = 0;

/** Begins a command: what an earlier one left behind is freed, of much data a piece, and the clock is read anew. */
export function beginCommand(): void {
  startClock();
  releasePending();
  if (!fieldsWait()) return;
  beginChange();
  releasePiece();
  endChange();
}

/** The live session of the id whose text this is, also of an old id in grace; 0 when there is none. O(1). */
export function sessionOf(text: usize, length: u32): usize {
  return take(text, length) ? liveOf(findRecord(givenKey, givenKeyLength)) : 0;
}

/** Notes the session's id as text. */
export function nameSession(record: usize): void {
  idTextLength = writeId(idOf(record), idLengthOf(record), idText);
}

/**
 * The user's session: the one that the storage maps the user to, or a new one, with what `options` say. Its id is then `idText`.
 * O(user + data), where a limit is reached also O(sessions of the user).
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
export function createSession(user: usize, userLength: u32, own: bool): u32 {
  const outcome = options.isNew ? CREATED : mappedSession(user, userLength, own);
  if (outcome == EXISTS) return EXISTS;
  if (outcome == CREATED) chooseId(user, userLength, own);
  const victims = options.most ? victimsAmong(findUser(user, userLength), options.most, options.rejects) : 0;
  prepareEffect(options.dataCount);
  prepareSession(user, userLength);
  nameSession(pendingRecord());
  customSet(user, userLength, idText, idTextLength);
  const owner = ownerOf(pendingRecord());
  const now = nowMs();
  beginChange();
  if (own) {
    replicateEvictions(owner, victims);
    const limited = options.idle || options.expires || options.dataCount;
    // prettier-ignore
    replicateCreate(idText, idTextLength, user, userLength, now, now, <bool>limited, options.idle, options.expires,
      options.data, options.dataFirst, options.dataCount);
  }
  insertRecord(false);
  created++;
  evict(owner, victims);
  endChange();
  releaseScratch();
  changed(EVENT_CREATE, 14, idText, idTextLength);
  compactRecords(userLength);
  return outcome;
}

/** What the storage's mapping of the user asks for, as the table above has it; the id is then in `givenKey`. */
function mappedSession(user: usize, userLength: u32, own: bool): u32 {
  const mapping = customGet(user, userLength);
  if (!mapping || !take(pointerOf(mapping), lengthOf(mapping))) return CREATED;
  if (isClustered()) {
    idTextLength = writeId(givenKey, givenKeyLength, idText);
    if (slotOf(idText, idTextLength) != slotOf(user, userLength)) return CREATED;
  }
  const entry = findRecord(givenKey, givenKeyLength);
  const record = liveOf(entry);
  if (record && isUser(ownerOf(record), user, userLength)) {
    nameSession(record);
    touch(record, own);
    return EXISTS;
  }
  // What has expired and is not reclaimed yet is not unknown, so that its id never becomes valid again.
  if (entry || givenKeyLength != ID_SIZE || options.ownId) return CREATED;
  // Whoever may write the mapping names any id there: only one that he may use as a key comes back.
  return redis.MayAccess(pointerOf(mapping), lengthOf(mapping)) ? RECREATED : CREATED;
}

/** The id of a new session in `givenKey`: the caller's own, or one that no session has. */
function chooseId(user: usize, userLength: u32, own: bool): void {
  if (!options.ownId) return mintUnknown(user, userLength);
  if (!take(options.ownId, options.ownIdLength)) {
    line(changetype<usize>("ERR an id has 16 to 128 visible ASCII characters"));
    failLine();
  }
  checkOwnId(user, userLength);
  const entry = findRecord(givenKey, givenKeyLength);
  if (!entry) return;
  if (liveOf(entry)) {
    line(changetype<usize>("IDEXISTS the id is known"));
    failLine();
  }
  if (isOldId(entry)) forgetOldId(entry, own);
  else reclaim(entry, own);
  take(options.ownId, options.ownIdLength);
}

/**
 * Checks what the server would, were the caller's id a key that the command declares. It is none: a field of DATA may be called ID too, and the server
 * would take its value for one. Errors: `NOPERM …`, `CROSSSLOT …`
 */
function checkOwnId(user: usize, userLength: u32): void {
  if (!redis.MayAccess(options.ownId, options.ownIdLength)) {
    line(changetype<usize>("NOPERM No permissions to access a key"));
    failLine();
  }
  checkSlot(options.ownId, options.ownIdLength, user, userLength);
}

/** Checks that an id by which the server does not route is in the slot of its user, in a cluster. Errors: `CROSSSLOT …` */
export function checkSlot(id: usize, idLength: u32, user: usize, userLength: u32): void {
  if (!isClustered() || slotOf(id, idLength) == slotOf(user, userLength)) return;
  line(changetype<usize>("CROSSSLOT the id is in another slot than its user"));
  failLine();
}

/** Allocates the new session with its data. Errors: `OOM …`. */
function prepareSession(user: usize, userLength: u32): void {
  const expiring = options.idle || options.expires;
  const record = prepareRecord(givenKey, givenKeyLength, user, userLength, <bool>expiring);
  if (!record) failOutOfMemory();
  setTimes(record, nowMs(), nowMs());
  if (expiring) setLimits(record, options.idle, options.expires);
  if (!options.dataCount) return;
  beginChange();
  const prepared = preparePuts(0, options.data, options.dataFirst, options.dataCount >> 1);
  if (prepared) setFields(record, commitPuts());
  endChange();
  if (!prepared) failOutOfMemory();
}

/** A new id that no session has, in the cluster slot of its user. */
function mintUnknown(user: usize, userLength: u32): void {
  const clustered = isClustered();
  do {
    mint(givenKey);
    if (clustered) moveToSlot(givenKey, slotOf(user, userLength));
  } while (findRecord(givenKey, ID_SIZE));
  takeMinted();
}

function isClustered(): bool {
  return (redis.GetContextFlags() & ContextFlags.CLUSTER) != 0;
}

// ── A limit of sessions per user ────────────────────────────────────────────────────────────────────────────────────

/**
 * How many of the user's live sessions must end before one more is within the limit (0: none). O(1) below the limit, else O(sessions of the user).
 * Errors: `MAXSESSIONS <user> has <n> sessions`, where they are not to be evicted.
 */
function victimsAmong(owner: usize, most: u32, rejects: bool): u32 {
  if (!owner || countOf(owner) < most) return 0;
  let live: u32 = 0;
  let session = newestOf(owner);
  for (let left = countOf(owner); left; left--) {
    live += <u32>isLive(session);
    session = olderOf(session);
  }
  if (live < most) return 0;
  if (rejects) {
    line(changetype<usize>("MAXSESSIONS "));
    appendEcho(userKey(owner), userKeyLength(owner));
    appendText(changetype<usize>(" has "));
    appendNumber(live);
    appendText(changetype<usize>(" sessions"));
    failLine();
  }
  return live - most + 1;
}

/** Queues the ends of the oldest `victims` live sessions. */
function replicateEvictions(owner: usize, victims: u32): void {
  if (!victims) return;
  let session = newerOf(newestOf(owner));
  while (victims) {
    if (isLive(session)) {
      replicateFurtherDelete(otherText, writeId(idOf(session), idLengthOf(session), otherText));
      victims--;
    }
    session = newerOf(session);
  }
}

/** Ends the oldest `victims` live sessions; the mapping names a newer one already. */
function evict(owner: usize, victims: u32): void {
  if (!victims) return;
  evicted += victims;
  let session = newerOf(newestOf(owner));
  while (victims) {
    const next = newerOf(session);
    if (isLive(session)) {
      changed(EVENT_EVICTED, 15, otherText, writeId(idOf(session), idLengthOf(session), otherText));
      removeRecord(session);
      victims--;
    }
    session = next;
  }
}

// ── Ends ────────────────────────────────────────────────────────────────────────────────────────────────────────────

/** Ends the session; where the storage maps its user to it, that mapping moves on. Needs no memory. O(sessions of the user). */
export function deleteSession(record: usize, own: bool): void {
  endOnly(record);
  changeMapping(ownerOf(record));
  end(record, own, EVENT_DELETE, 14);
}

function end(record: usize, own: bool, event: usize, eventLength: u32): void {
  nameSession(record);
  const owner = ownerOf(record);
  beginChange();
  if (own) replicateDelete(idText, idTextLength, userKey(owner), userKeyLength(owner));
  signalUser(owner);
  removeRecord(record);
  endChange();
  changed(event, eventLength, idText, idTextLength);
  compactRecords(0);
}

/** Tells WATCH and client-side caching that a user's sessions change, which a change of the mapping tells otherwise. */
function signalUser(owner: usize): void {
  if (stays()) redis.SignalModifiedKey(userKey(owner), userKeyLength(owner));
}

/** Removes a session that has expired, for a command that needs its id. Errors: those of the storage, nothing changed. */
function reclaim(record: usize, own: bool): void {
  endOnly(record);
  changeMapping(ownerOf(record));
  expired++;
  end(record, own, EVENT_EXPIRED, 15);
}

/**
 * Removes a session that has expired, for the sweep. Not while the storage fails: a mapping that went on naming it would bring its id back to
 * life.
 */
export function sweepSession(record: usize): void {
  endOnly(record);
  if (!tryToChangeMapping(ownerOf(record))) return;
  expired++;
  end(record, true, EVENT_EXPIRED, 15);
}

/** Removes an old id whose time is over. */
export function forgetOldId(record: usize, own: bool): void {
  const length = writeId(idOf(record), idLengthOf(record), otherText);
  beginChange();
  if (own) replicateForget(otherText, length);
  removeRecord(record);
  endChange();
}

/**
 * Ends the user's sessions but `except` (0: none), of those created before `before`, Unix ms; how many of them were live. O(sessions of the user).
 */
export function deleteAll(owner: usize, except: usize, before: i64): u32 {
  endAll(except, before);
  changeMapping(owner);
  let live: u32 = 0;
  let any = false;
  let session = newestOf(owner);
  for (let left = countOf(owner); left; left--) {
    if (ends(session)) {
      any = true;
      live += <u32>isLive(session);
    }
    session = olderOf(session);
  }
  if (!any) return 0;
  let first = true;
  beginChange();
  signalUser(owner);
  session = newestOf(owner);
  for (let left = countOf(owner); left; left--) {
    const next = olderOf(session);
    if (ends(session)) {
      const length = writeId(idOf(session), idLengthOf(session), otherText);
      // The first tells of the mapping too: its user goes with the last session.
      if (first) replicateDelete(otherText, length, userKey(owner), userKeyLength(owner));
      else replicateFurtherDelete(otherText, length);
      first = false;
      changed(EVENT_DELETE, 14, otherText, length);
      removeRecord(session);
    }
    session = next;
  }
  endChange();
  compactRecords(0);
  return live;
}

// ── Changes ─────────────────────────────────────────────────────────────────────────────────────────────────────────

/**
 * Makes the session another user's newest, whose oldest ones make room where a limit is set. O(sessions of both users).
 * Errors: `OOM …`, those of the storage; nothing changed.
 */
export function assignSession(record: usize, user: usize, userLength: u32): void {
  const before = ownerOf(record);
  if (isUser(before, user, userLength)) return;
  options.useDefaults();
  nameSession(record);
  const victims = options.most ? victimsAmong(findUser(user, userLength), options.most, false) : 0;
  beginChange();
  const owner = prepareUser(user, userLength);
  endChange();
  if (!owner) failOutOfMemory();
  customSet(user, userLength, idText, idTextLength);
  endOnly(record);
  // Where the storage fails now, the mapping goes on naming somebody else's session, and so is stale.
  tryToChangeMapping(before);
  beginChange();
  replicateEvictions(owner, victims);
  replicateAssign(idText, idTextLength, user, userLength);
  signalUser(before);
  insertUser();
  detach(before, record);
  attach(owner, record);
  evict(owner, victims);
  endChange();
  changed(EVENT_ASSIGN, 14, idText, idTextLength);
  signalOldIds(record);
  compactRecords(userLength);
}

/**
 * Gives the session another id, which is then `idText`; the one that it had answers for `grace` ms more, earlier ones no longer than that, and 16 in
 * all. O(old ids).
 * Errors: `OOM …`, those of the storage; nothing changed.
 */
export function rotateSession(record: usize, grace: i64): void {
  const owner = ownerOf(record);
  mintUnknown(userKey(owner), userKeyLength(owner));
  const until = grace ? nowMs() + grace : 0;
  if (!prepareCopy(record, givenKey, givenKeyLength) || (grace && !prepareOldId(record, until))) failOutOfMemory();
  const length = writeId(idOf(record), idLengthOf(record), otherText);
  nameSession(pendingRecord());
  const mapped = sessionNamed(customGet(userKey(owner), userKeyLength(owner))) == record;
  if (mapped) customSet(userKey(owner), userKeyLength(owner), idText, idTextLength);
  beginChange();
  replicateRotate(otherText, length, idText, idTextLength, until, mapped);
  if (!mapped) redis.SignalModifiedKey(userKey(owner), userKeyLength(owner));
  const session = commitRotation(record);
  endChange();
  redis.SignalModifiedKey(otherText, length);
  changed(EVENT_ROTATE, 14, idText, idTextLength);
  forgetSurplus(session);
  compactRecords(0);
}

/** Forgets ids in grace of a session beyond OLD_IDS_MAX, those first whose time is over first. O(old ids). */
function forgetSurplus(session: usize): void {
  // A file may hold more, from before there was a limit: some are forgotten each time.
  for (let left = OLD_IDS_MAX; left; left--) {
    let count: u32 = 0;
    let first: usize = 0;
    for (let old = oldIdsOf(session); old; old = nextOldId(old)) {
      count++;
      if (!first || untilOf(old) < untilOf(first)) first = old;
    }
    if (count <= OLD_IDS_MAX) return;
    forgetOldId(first, true);
  }
}

/** Sets both limits of the session: seconds of idleness, Unix ms of its end, 0: none. Errors: `OOM …`, nothing changed. O(1). */
export function limitSession(record: usize, idle: u32, expires: i64): void {
  const session = makeExpiring(record);
  if (!session) failOutOfMemory();
  nameSession(session);
  beginChange();
  replicateExpire(idText, idTextLength, idle, expires);
  applyLimits(session, idle, expires);
  endChange();
  changed(EVENT_EXPIRE, 14, idText, idTextLength);
  signalOldIds(session);
  compactRecords(0);
}

/** Sets the limits and its place in the queue. Cannot fail. */
export function applyLimits(session: usize, idle: u32, expires: i64): void {
  setLimits(session, idle, expires);
  removeNode(nodeOf(session));
  insertNode(nodeOf(session), deadlineOf(session));
}

/**
 * Notes an access, on a primary only. Of the accesses in one second of the clock the first is replicated, where anybody listens, so a
 * replica lags by less than a second. Signals nothing: WATCH would abort on one's own read. The id must be `idText`.
 */
export function touch(record: usize, own: bool): void {
  const now = nowMs();
  const before = accessedOf(record);
  if (before == now || redis.GetContextFlags() & ContextFlags.REPLICA) return;
  const tells = own && before / 1000 != now / 1000 && redis.EffectsWanted();
  beginChange();
  if (tells) replicateTouch(idText, idTextLength, now);
  setAccessed(record, now);
  endChange();
}

/** The limits that a session has, with one of them changed; for EXPIRE. */
export function changeLimit(record: usize, seconds: i64, isIdle: bool): void {
  limitSession(record, isIdle ? <u32>seconds : idleOf(record), isIdle ? expiresOf(record) : nowMs() + seconds * 1000);
}
