/**
 * The storage's mapping of a user when sessions of that user end: it stays unless it names one of them; then
 * it moves to the newest that remains, or is deleted with the last. A move that the storage refuses becomes a
 * deletion: ending a session needs no memory.
 */
import { redis } from "../../base/redis";
import { lengthOf, pointerOf } from "../../base/frame";
import { keyLength, keyOf } from "../../base/storage/entry";
import { ID_BYTES, IdKey, IdText } from "../ids/ids";
import { isLive } from "../store/expiry";
import { asOldId, asSession, isOldId } from "../store/record";
import { findRecord } from "../store/table";
import { asUser } from "../store/users";
import { customDel, customGet, customSet } from "./custom";

/** Which sessions of a user end. */
@unmanaged
export class Ending {
  /** The user's entry. */
  owner: usize;
  /** This session alone … */
  private only: usize;
  /** … or, where that is 0, all but this one, of those that were created before then, Unix ms. */
  private except: usize;
  private before: i64;

  /** This session ends, and no other. */
  one(record: usize): Ending {
    this.owner = asSession(record).user;
    this.only = record;
    return this;
  }

  /** All sessions of a user end but `except` (0: none), of those created before `before`, Unix ms. */
  all(owner: usize, except: usize, before: i64): Ending {
    this.owner = owner;
    this.only = 0;
    this.except = except;
    this.before = before;
    return this;
  }

  /** Whether this session of the user ends. */
  includes(record: usize): bool {
    if (this.only) return record == this.only;
    return record != this.except && asSession(record).created < this.before;
  }
}

/** For the running command to say what ends. */
export const ending: Ending = changetype<Ending>(memory.data(offsetof<Ending>(), 8));

/**
 * What becomes of a mapping, as effects have it: `0` it stays, `1` it is deleted, else the id that it names
 * from now on.
 */
export const mapping: IdText = changetype<IdText>(memory.data(ID_BYTES, 4));
const STAYS: u8 = 48;
const DELETED: u8 = 49;

const mappedKey: IdKey = changetype<IdKey>(memory.data(ID_BYTES, 4));

/**
 * The session that a value of the storage names, by its id or an old one; 0: none, or none that is known.
 * O(1).
 */
export function sessionNamed(value: u64): usize {
  if (!value || !mappedKey.take(pointerOf(value), lengthOf(value))) return 0;
  const record = findRecord(mappedKey.start, mappedKey.length);
  return record && isOldId(record) ? asOldId(record).session : record;
}

/**
 * Changes the mapping of the user whose sessions are about to end; `mapping` tells how. O(sessions of the
 * user).
 * Errors: those of the storage, with nothing changed.
 */
export function changeMapping(ending: Ending): void {
  const owner = ending.owner;
  set(STAYS);
  const mapped = sessionNamed(customGet(keyOf(owner), keyLength(owner)));
  if (!mapped || asSession(mapped).user != owner || !ending.includes(mapped)) return;
  const heir = newestThatRemains(ending);
  if (heir) {
    mapping.take(keyOf(heir), keyLength(heir));
    tried = ending;
    if (!redis.Attempt(load<i32>(changetype<usize>(tryToMove)))) return;
  }
  set(DELETED);
  customDel(keyOf(owner), keyLength(owner));
}

/** As changeMapping, but the storage's errors do not end the command: false, the mapping stays. */
export function tryToChangeMapping(ending: Ending): bool {
  tried = ending;
  if (!redis.Attempt(load<i32>(changetype<usize>(tryToChange)))) return true;
  set(STAYS);
  return false;
}

/**
 * Tells WATCH and client-side caching that a user's sessions change, which a change of the mapping tells
 * otherwise.
 */
export function signalUser(owner: usize): void {
  if (mapping.length == 1 && load<u8>(mapping.start) == STAYS) redis.SignalModifiedKey(keyOf(owner), keyLength(owner));
}

/** What the functions below, which are called through the host, are about. */
let tried: Ending = changetype<Ending>(0);

function tryToChange(): void {
  changeMapping(tried);
}

function tryToMove(): void {
  customSet(keyOf(tried.owner), keyLength(tried.owner), mapping.start, mapping.length);
}

function set(digit: u8): void {
  store<u8>(mapping.start, digit);
  mapping.length = 1;
}

/** The user's newest live session that does not end, 0: none. */
function newestThatRemains(ending: Ending): usize {
  let record = asUser(ending.owner).newest;
  for (let left = asUser(ending.owner).count; left; left--) {
    if (!ending.includes(record) && isLive(record)) return record;
    record = asSession(record).older;
  }
  return 0;
}
