/** Keys that WATCH, tracking and subscribers know, and whose slot an entry lies in. */
import { lengthOf, pack, pointerOf } from "../../base/frame";
import { redis } from "../../base/redis";
import { keyLength, keyOf } from "../../base/storage/entry";
import { KeyKind, keyKind } from "../store/tables";
import { nameOf, signalBytes } from "../store/signal";
import { noteKey, running } from "./command";
import { addPending, CLEARED, EXTERNAL, findPending, first, Pending, SIGNAL, VOID } from "./pending";

/** REDISMODULE_NOTIFY_MODULE: keyspace events of class `d`. */
const NOTIFY_MODULE: i32 = 1 << 13;

/** Gives each record that changes something that of the key that it is told as. */
export function makeSignals(): void {
  for (let at = first; changetype<usize>(at); at = at.next) {
    if (at.kind == SIGNAL || at.state == VOID) continue;
    const key = keyOfRecord(at);
    at.signal = signalOf(pointerOf(key), lengthOf(key));
    // What is cleared is told key by key, where its keys are told as such.
    if (!isWhole(at) || keyKind(load<u8>(at.key)) == KeyKind.OTHER) at.signal.isTold = true;
  }
}

function keyOfRecord(record: Pending): u64 {
  if (record.kind == EXTERNAL) return pack(record.key, record.keyLength);
  return isWhole(record) ? nameOf(load<u8>(record.key)) : signalBytes(record.key, record.keyLength);
}

/** Whether a record clears a table, not what is in a key. */
export function isWhole(record: Pending): bool {
  return record.kind == CLEARED && !load<u8>(record.key, 1);
}

/** The record of a key. */
function signalOf(key: usize, length: u32): Pending {
  const found = findPending(SIGNAL, key, length);
  if (changetype<usize>(found)) return found;
  const added = addPending(SIGNAL, key, length);
  noteKey(added);
  return added;
}

/** Tells of a key that has changed: of one that came with its slot no event. Inside a change; cannot fail. */
export function tell(key: usize, length: u32): void {
  if (!running.eventLength) redis.SignalModifiedKey(key, length);
  else redis.KeyChanged(NOTIFY_MODULE, running.event, running.eventLength, key, length, 0);
}

/** Tells of an entry that goes with its table, unless its key is told of in any case. */
export function tellCleared(entry: usize): void {
  const key = signalBytes(keyOf(entry), keyLength(entry));
  const record = findPending(SIGNAL, pointerOf(key), lengthOf(key));
  if (!changetype<usize>(record) || !record.isTold) tell(pointerOf(key), lengthOf(key));
}
