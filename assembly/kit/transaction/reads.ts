/**
 * Objects that the running command has got from tables, of builds for tests and development alone: one that
 * was changed and not set is an error, since the change would be lost.
 */
import { lengthOf, pointerOf } from "../../base/frame";
import { equal } from "../../base/storage/bytes";
import { appendEcho, appendNumber, appendText, failLine, line } from "../../base/text";
import { take } from "../memory/arena";
import { nameOf } from "../store/signal";
import { Writer } from "../values/buffer";


@unmanaged
class Read {
  object: usize;
  /** Index in the table of functions of what writes the object: `(object: usize, out: Writer) => void`. */
  writer: i32;
  /** What it was made of. */
  bytes: usize;
  length: u32;
  table: u32;
  line: u32;
  next: Read;
}

let first: Read = changetype<Read>(0);
const again: Writer = changetype<Writer>(memory.data(offsetof<Writer>(), 4));
/** The line in the author's file of what reads now. */
let lineNow: u32 = 0;

/** Forgets all of them. */
export function forgetReads(): void {
  first = changetype<Read>(0);
}

/** Says in which line of its file the author reads. */
export function readAt(lineNumber: u32): void {
  lineNow = lineNumber;
}

/** Notes an object that was made of a value's bytes. */
export function noteRead(object: usize, writer: i32, bytes: usize, length: u32, table: u32): void {
  const read = changetype<Read>(take(offsetof<Read>()));
  read.object = object;
  read.writer = writer;
  read.bytes = bytes;
  read.length = length;
  read.table = table;
  read.line = lineNow;
  read.next = first;
  first = read;
}

/** An object was set: what it was changed to lasts. */
export function noteSet(object: usize): void {
  for (let at = first; changetype<usize>(at); at = at.next) if (at.object == object) at.object = 0;
}

/** Ends the command where an object was changed and not set. */
export function checkReads(): void {
  for (let at = first; changetype<usize>(at); at = at.next) {
    if (!at.object) continue;
    again.begin();
    call_indirect<void>(at.writer, at.object, changetype<usize>(again));
    if (again.length == at.length && equal(again.start, at.bytes, at.length)) continue;
    const name = nameOf(at.table);
    line(changetype<usize>("ERR table "));
    appendEcho(pointerOf(name), lengthOf(name));
    appendText(changetype<usize>(": the object that line "));
    appendNumber(at.line);
    appendText(changetype<usize>(" reads was changed and not set, so the change is lost"));
    failLine();
  }
}
