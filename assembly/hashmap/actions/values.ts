/**
 * What the link functions and the commands of the same name do, each in the order allocate → commit →
 * replicate, signal.
 */
import { isExpired } from "../../base/deadline";
import { beginChange } from "../../base/change";
import { failOutOfMemory } from "../../base/text";
import { replicateDel } from "../replication/effects";
import { Event } from "../replication/events";
import { findEntry, prepareTable, removeEntry, table } from "../store/entries";
import { textOf } from "../store/value";
import { finishWrite, Outcome, storeValue } from "../store/writes";

/** The value as textOf gives it, 0 when the key is absent. O(key). */
export function getValue(key: usize, length: u32): u64 {
  const entry = findEntry(key, length);
  return entry ? textOf(entry) : 0;
}

/**
 * Stores the value under the key, without a deadline. O(key + value).
 * Errors: `OOM …`, nothing changed.
 * @param verbatim whether the running command is to be replicated as it came
 */
export function setValue(key: usize, keyLength: u32, value: usize, length: u32, verbatim: bool): void {
  if (!prepareTable()) failOutOfMemory();
  const hash = table.hashOf(key, keyLength);
  beginChange();
  const outcome = storeValue(table.lookup(key, keyLength, hash), hash, key, keyLength, value, length);
  finishWrite(outcome, Event.SET, key, keyLength, keyLength + length, verbatim);
}

/**
 * Deletes the key; false when it was absent. Needs no memory. O(key).
 * @param verbatim whether the running command is to be replicated as it came
 * @param effect whether the deletion of this key alone is to be replicated
 */
export function deleteValue(key: usize, length: u32, verbatim: bool, effect: bool = false): bool {
  if (!table.count) return false;
  const hash = table.hashOf(key, length);
  const slot = table.lookup(key, length, hash);
  if (!slot || isExpired(<usize>load<u32>(slot))) return false;
  beginChange();
  removeEntry(slot, hash);
  if (effect) replicateDel(key, length);
  finishWrite(Outcome.MOVED, Event.DEL, key, length, 0, verbatim);
  return true;
}

/**
 * Deletes the entry of a slot, which its key's deletion replicates; `keep`: it stays readable until it is
 * replied. O(1).
 */
export function deleteSlot(slot: usize, hash: u64, key: usize, length: u32, keep: bool): void {
  beginChange();
  removeEntry(slot, hash, keep);
  replicateDel(key, length);
  finishWrite(keep ? Outcome.KEPT : Outcome.MOVED, Event.DEL, key, length, 0);
}
