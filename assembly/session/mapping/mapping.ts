/**
 * The storage's mapping of a user when sessions of that user end: it stays unless it names one of them; then it moves to the newest that
 * remains, or is deleted with the last. A move that the storage refuses becomes a deletion: ending a session needs no memory.
 */
import { redis } from "../../base/redis";
import { lengthOf, pointerOf } from "../../base/frame";
import { customDel, customGet, customSet } from "./custom";
import { isLive } from "../store/expiry";
import { keyOfText, writeId } from "../ids/ids";
import { createdOf, findRecord, idLengthOf, idOf, isOldId, olderOf, ownerOf, sessionOfOldId } from "../store/records";
import { countOf, newestOf, userKey, userKeyLength } from "../store/users";

/** What becomes of the mapping, as effects have it: `0` it stays, `1` it is deleted, else the text of the id that it names from now on. */
export const change: usize = memory.data(128);
export let changeLength: u32 = 0;

const mappedKey: usize = memory.data(144, 8);

/** Which sessions of a user end: this one … */
let endingOne: usize = 0;
/** … or, where that is 0, all but this one, of those that were created before then, Unix ms. */
let endingExcept: usize = 0;
let endingBefore: i64 = 0;
let owner: usize = 0;

/** From now on this session alone ends. */
export function endOnly(session: usize): void {
  endingOne = session;
}

/** From now on all sessions of a user end but `except` (0: none), of those created before `before`, Unix ms. */
export function endAll(except: usize, before: i64): void {
  endingOne = 0;
  endingExcept = except;
  endingBefore = before;
}

/** Whether this session ends. */
export function ends(session: usize): bool {
  if (endingOne) return session == endingOne;
  return session != endingExcept && createdOf(session) < endingBefore;
}

/** The session that a value of the storage names, by its id or an old one; 0: none, or none that is known. O(1). */
export function sessionNamed(mapping: u64): usize {
  const length = mapping ? keyOfText(pointerOf(mapping), lengthOf(mapping), mappedKey) : 0;
  const entry = length ? findRecord(mappedKey, length) : 0;
  return entry && isOldId(entry) ? sessionOfOldId(entry) : entry;
}

/**
 * Changes the mapping of a user whose sessions are about to end; `change` tells how. O(sessions of the user).
 * Errors: those of the storage, with nothing changed.
 */
export function changeMapping(user: usize): void {
  owner = user;
  setChange(48); // 0
  const mapped = sessionNamed(customGet(userKey(user), userKeyLength(user)));
  if (!mapped || ownerOf(mapped) != user || !ends(mapped)) return;
  const heir = newestThatRemains(user);
  if (heir) {
    changeLength = writeId(idOf(heir), idLengthOf(heir), change);
    if (!redis.Attempt(load<i32>(changetype<usize>(move)))) return;
  }
  setChange(49); // 1
  customDel(userKey(user), userKeyLength(user));
}

/** Whether the mapping stays: then nobody has told yet that something of the user's has changed. */
export function stays(): bool {
  return changeLength == 1 && load<u8>(change) == 48;
}

/** As changeMapping, but the storage's errors do not end the command: false, the mapping stays. */
export function tryToChangeMapping(user: usize): bool {
  owner = user;
  if (!redis.Attempt(load<i32>(changetype<usize>(attempt)))) return true;
  setChange(48); // 0
  return false;
}

function attempt(): void {
  changeMapping(owner);
}

function move(): void {
  customSet(userKey(owner), userKeyLength(owner), change, changeLength);
}

function setChange(digit: u8): void {
  store<u8>(change, digit);
  changeLength = 1;
}

/** The user's newest live session that does not end, 0: none. */
function newestThatRemains(user: usize): usize {
  let session = newestOf(user);
  for (let left = countOf(user); left; left--) {
    if (!ends(session) && isLive(session)) return session;
    session = olderOf(session);
  }
  return 0;
}
