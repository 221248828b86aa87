/** Keys that WATCH, tracking and subscribers know, and whose slot an entry lies in. */
import { lengthOf, pointerOf } from "../../base/frame";
import { signalBytes } from "../store/signal";
import { noteKey } from "./command";
import { addPending, findPending, Pending, SIGNAL } from "./pending";

/** The record of the key that a stored key, or the prefix of some, is told as. */
export function signalOfKey(stored: usize, storedLength: u32): Pending {
  const bytes = signalBytes(stored, storedLength);
  return signalOfText(pointerOf(bytes), lengthOf(bytes));
}

/** The record of a key. */
export function signalOfText(key: usize, length: u32): Pending {
  const found = findPending(SIGNAL, key, length);
  if (changetype<usize>(found)) return found;
  const added = addPending(SIGNAL, key, length);
  noteKey(added);
  return added;
}
