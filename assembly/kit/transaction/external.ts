/**
 * Writes of other modules that belong to the command: they are noted, made at its commit before anything of
 * its own is changed, and taken back where one of them fails. Those of the hashmap are a part of its effect;
 * the session manager leaves its own ones beside it, which know times and ends of other sessions.
 */
import { equal } from "../../base/storage/bytes";
import { redis } from "../../base/redis";
import { failLine, line } from "../../base/text";
import { take } from "../memory/arena";
import { Writer } from "../values/buffer";
import { addPending, countBytes, EXTERNAL, PUT } from "./pending";

/** What is done. */
export namespace Deed {
  export const CUSTOM_SET: u32 = 1;
  export const CUSTOM_DEL: u32 = 2;
  export const SESSION_ADD_DATA: u32 = 3;
  export const SESSION_DELETE: u32 = 4;
  /** The field is the user. No effect has it. */
  export const SESSION_CREATE: u32 = 5;
}

/**
 * In which order they are made: what can be taken back; new sessions, which may end others of their users;
 * ends of sessions, which cannot be taken back and need no memory.
 */
namespace Phase {
  export const CHANGES: u32 = 0;
  export const NEW: u32 = 1;
  export const ENDS: u32 = 2;
}


@unmanaged
export class External {
  deed: u32;
  /** When it is made, Phase. */
  phase: u32;
  /** Key, or id; value, or field; value of a field. */
  key: usize;
  keyLength: u32;
  field: usize;
  fieldLength: u32;
  value: usize;
  valueLength: u32;
  /** What takes it back: the value before, 0: there was none, and the ms that it had left. */
  before: usize;
  beforeLength: u32;
  msLeft: i64;
  isDone: bool;
  /** Whether one that comes after it may fail, so that it has to be taken back. */
  isFollowed: bool;
  next: External;
}

export let firstExternal: External = changetype<External>(0);
let last: External = changetype<External>(0);

/**
 * Functions `(external) => void` and their inverses, by their indices in the table; 0: the module does not
 * use them.
 */
let customDo: i32 = 0;
let customUndo: i32 = 0;
let sessionDo: i32 = 0;
let sessionUndo: i32 = 0;

/** Whether they are to be told to replicas and the append-only file. */
export let areReplicated: bool = false;

/** Forgets all of them. */
// prettier-ignore
@inline
export function forgetExternal(): void {
  firstExternal = changetype<External>(0);
}

/** Says how writes of the hashmap are made. */
export function useCustomBy(make: i32, takeBack: i32): void {
  customDo = make;
  customUndo = takeBack;
}

/** Says how writes of sessions are made. */
export function useSessionBy(make: i32, takeBack: i32): void {
  sessionDo = make;
  sessionUndo = takeBack;
}

/** Notes a write; all bytes are copied. Not of what the module does not use: an error. */
export function addExternal(deed: u32, key: usize, keyLength: u32, field: usize, fieldLength: u32, value: usize, valueLength: u32): void {
  if (!(deed <= Deed.CUSTOM_DEL ? customDo : sessionDo)) {
    line(changetype<usize>("ERR the effect writes to another module, as this version of its own does not"));
    failLine();
  }
  const external = changetype<External>(take(offsetof<External>()));
  memory.fill(changetype<usize>(external), 0, offsetof<External>());
  external.deed = deed;
  external.phase = phaseOf(deed, key, keyLength);
  external.key = copied(key, keyLength);
  external.keyLength = keyLength;
  external.field = copied(field, fieldLength);
  external.fieldLength = fieldLength;
  external.value = copied(value, valueLength);
  external.valueLength = valueLength;
  const record = addPending(EXTERNAL, key, keyLength);
  record.state = PUT;
  record.value = changetype<usize>(external);
  countBytes(fieldLength + valueLength);
  if (changetype<usize>(firstExternal)) last.next = external;
  else firstExternal = external;
  last = external;
}

function phaseOf(deed: u32, key: usize, length: u32): u32 {
  if (deed == Deed.SESSION_DELETE) return Phase.ENDS;
  if (deed == Deed.SESSION_CREATE) return Phase.NEW;
  // Data of a new session comes with it.
  const isNew =
    deed == Deed.SESSION_ADD_DATA && changetype<usize>(findExternal(Deed.SESSION_CREATE, Deed.SESSION_CREATE, key, length)) != 0;
  return isNew ? Phase.NEW : Phase.CHANGES;
}

function copied(bytes: usize, length: u32): usize {
  const copy = take(max(length, 1));
  memory.copy(copy, bytes, length);
  return copy;
}

/** The last write of these deeds to this key, and field; null: there is none. */
export function findExternal(least: u32, most: u32, key: usize, keyLength: u32, field: usize = 0, fieldLength: u32 = 0): External {
  let found = changetype<External>(0);
  for (let at = firstExternal; changetype<usize>(at); at = at.next) {
    if (at.deed < least || at.deed > most || at.keyLength != keyLength || !equal(at.key, key, keyLength)) continue;
    if (at.deed == Deed.SESSION_ADD_DATA && field && (at.fieldLength != fieldLength || !equal(at.field, field, fieldLength))) continue;
    found = at;
  }
  return found;
}

/** Whether a write is the hashmap's. */
// prettier-ignore
@inline
export function isCustom(external: External): bool {
  return external.deed <= Deed.CUSTOM_DEL;
}

/** Makes all of them. False: one failed, and those before it were taken back. */
export function makeExternal(replicates: bool): bool {
  areReplicated = replicates;
  if (!redis.Attempt(load<i32>(changetype<usize>(makeAll)))) return true;
  redis.Attempt(load<i32>(changetype<usize>(takeAllBack)));
  return false;
}

function makeAll(): void {
  const last = lastOne();
  for (let phase = Phase.CHANGES; phase <= Phase.ENDS; phase++) {
    for (let at = firstExternal; changetype<usize>(at); at = at.next) if (at.phase == phase) make(at, at != last);
  }
}

/** The one that is made last. */
function lastOne(): External {
  let found = firstExternal;
  for (let at = firstExternal; changetype<usize>(at); at = at.next) if (at.phase >= found.phase) found = at;
  return found;
}

function make(external: External, isFollowed: bool): void {
  external.isFollowed = isFollowed;
  call_indirect<void>(isCustom(external) ? customDo : sessionDo, external);
  external.isDone = true;
}

function takeAllBack(): void {
  // What was there before has room, whatever came meanwhile.
  redis.MayExceed();
  // From the last to the first.
  let undone = changetype<External>(0);
  for (let at = firstExternal; changetype<usize>(at);) {
    const next = at.next;
    at.next = undone;
    undone = at;
    at = next;
  }
  firstExternal = undone;
  takePhaseBack(Phase.NEW);
  takePhaseBack(Phase.CHANGES);
}

function takePhaseBack(phase: u32): void {
  for (let at = firstExternal; changetype<usize>(at); at = at.next) {
    if (at.isDone && at.phase == phase) call_indirect<void>(isCustom(at) ? customUndo : sessionUndo, at);
  }
}

/** Bytes of one of them in an effect: `what | key | field | value`, each with its length before it. */
export function writeExternal(out: Writer, external: External): void {
  out.byte(external.deed);
  out.counted(external.key, external.keyLength);
  out.counted(external.field, external.fieldLength);
  out.counted(external.value, external.valueLength);
}
