/** Keys that WATCH, tracking and subscribers know, and whose slot an entry lies in. */
import { lengthOf, pointerOf } from "../../base/frame";
import { signalBytes } from "../store/signal";
import { noteKey } from "./command";
import { addPending, findPending, first, Pending, SIGNAL } from "./pending";

/** Gives each record that has none yet that of the key that it is told as. */
export function makeSignals(): void {
  for (let at = first; changetype<usize>(at); at = at.next) {
    if (at.kind == SIGNAL) continue;
    const bytes = signalBytes(at.key, at.keyLength);
    at.signal = signalOfText(pointerOf(bytes), lengthOf(bytes));
  }
}

/** The record of a key. */
export function signalOfText(key: usize, length: u32): Pending {
  const found = findPending(SIGNAL, key, length);
  if (changetype<usize>(found)) return found;
  const added = addPending(SIGNAL, key, length);
  noteKey(added);
  return added;
}
