/**
 * Writes of other modules that belong to the command: they are noted, made at its commit before anything of
 * its own is changed, and taken back where one of them fails. Replicas make them as a part of its effect.
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
}


@unmanaged
export class External {
  deed: u32;
  /** Key, or id; value, or field; value of a field. */
  key: usize;
  keyLength: u32;
  field: usize;
  fieldLength: u32;
  value: usize;
  valueLength: u32;
  /** What takes it back: the value before, 0: there was none. Made at the commit. */
  before: usize;
  beforeLength: u32;
  isDone: bool;
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
export function useSessionBy(make: i32): void {
  sessionDo = make;
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

/** Makes all of them. False: one failed, and those before it were taken back. */
export function makeExternal(): bool {
  if (!redis.Attempt(load<i32>(changetype<usize>(makeAll)))) return true;
  redis.Attempt(load<i32>(changetype<usize>(takeAllBack)));
  return false;
}

function makeAll(): void {
  for (let at = firstExternal; changetype<usize>(at); at = at.next) {
    call_indirect<void>(at.deed <= Deed.CUSTOM_DEL ? customDo : sessionDo, at);
    at.isDone = true;
  }
}

function takeAllBack(): void {
  // From the last to the first.
  for (let until = changetype<External>(0); until != firstExternal;) {
    let at = firstExternal;
    while (at.next != until) at = at.next;
    if (at.isDone && at.deed <= Deed.CUSTOM_DEL) call_indirect<void>(customUndo, at);
    until = at;
  }
}

/** Bytes of one of them in an effect: `what | key | field | value`, each with its length before it. */
export function writeExternal(out: Writer, external: External): void {
  out.byte(external.deed);
  out.counted(external.key, external.keyLength);
  out.counted(external.field, external.fieldLength);
  out.counted(external.value, external.valueLength);
}
