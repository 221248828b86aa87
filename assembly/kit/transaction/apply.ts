/**
 * An effect that comes from the primary or from a file: it is a transaction, as the command was that left it.
 */
import { isConfined } from "../../base/context";
import { argument, argumentLength, lengthOf, pointerOf } from "../../base/frame";
import { redis } from "../../base/redis";
import { valueLength, valueOf } from "../../base/storage/entry";
import { appendNumber, appendText, failLine, failOutOfMemory, line } from "../../base/text";
import { Reader } from "../values/buffer";
import { rewind, take, top } from "../memory/arena";
import { forgetTold, isKey, isValue, NONE, noteTold, partAt, Schema, schemaAt, schemaOfId, splitSchema } from "../store/schemas";
import { adopt } from "../store/adopt";
import { signalBytes } from "../store/signal";
import { findStored, hashOf, heads, isSorted, prepare, soundPrefix } from "../store/tables";
import { beginCommand } from "./begin";
import { Command } from "./command";
import { addExternal, Deed } from "./external";
import { commit } from "./commit";
import { Change, FORMAT } from "./effects";
import { addPending, CLEARED, countBytes, DELETED, ENTRY, findPending, HEAD, Pending, PUT, TIMED } from "./pending";

/** Stands for the command that the effect is of. */
const command: Command = changetype<Command>(memory.data(offsetof<Command>(), 4));
const payload: Reader = changetype<Reader>(memory.data(offsetof<Reader>(), 4));
const parts: usize = memory.data(32, 4);
/** Whether the effect comes with slots of another node, and may name nothing elsewhere. */
let confined: bool = false;

/**
 * Applies the effect `payload [schema …]`. Errors: of another format, of a schema that is not known, of bytes
 * that are no changes, of entries outside the slots that it comes with; nothing has changed.
 */
export function applyEffect(format: i32, argc: i32, argv: usize): void {
  command.writes = true;
  command.firstKey = 0;
  beginCommand(command, argc, argv);
  forgetTold();
  confined = isConfined();
  if (format != FORMAT || argc < 1) fail(changetype<usize>("is of a format that this version does not know"));
  if (!prepare()) failOutOfMemory();
  for (let index = 1; index < argc; index++) {
    if (adopt(argument(argv, index), argumentLength(argv, index)) == NONE) failLine();
    noteTold();
  }
  payload.begin(argument(argv, 0), argumentLength(argv, 0));
  const length = payload.number();
  command.event = payload.skip(length);
  command.eventLength = length;
  while (payload.left && !payload.failed) readChange();
  if (payload.failed) fail(changetype<usize>("is cut short"));
  commit(false);
}

function readChange(): void {
  const kind = <u32>payload.fixed<u8>();
  if (kind == Change.EXTERNAL) return readExternal();
  const id = payload.fixed<u32>();
  const keyBytes = payload.number();
  const key = payload.skip(keyBytes);
  const number = schemaOfId(id);
  if (payload.failed) return;
  if (number == NONE) failUnknown(id);
  const schema = schemaAt(number);
  const own = take(keyBytes + 1);
  store<u8>(own, schema.table);
  memory.copy(own + 1, key, keyBytes);
  if (kind == Change.CLEAR || kind == Change.HEAD) return readPrefix(kind, own, keyBytes + 1);
  checkKey(schema, own, keyBytes + 1);
  if (confined) checkSlot(own, keyBytes + 1);
  const isPut = kind == Change.PUT || kind == Change.PUT_UNTIL;
  const record = recordOf(ENTRY, own, keyBytes + 1, findStored(own, keyBytes + 1, hashOf(own, keyBytes + 1)));
  if (isPut) {
    const length = payload.number();
    const value = payload.skip(length);
    if (payload.failed) return;
    if (!isValue(schema.value, schema.valueLength, value, length)) fail(changetype<usize>("holds a value of another type"));
    record.value = take(length + 1);
    record.valueLength = length + 1;
    store<u8>(record.value, number);
    memory.copy(record.value + 1, value, length);
    countBytes(length);
    record.state = PUT;
  } else if (kind == Change.DELETE) {
    record.state = DELETED;
  } else if (kind != Change.DEADLINE) {
    fail(changetype<usize>("holds a change that this version does not know"));
  }
  record.deadline = kind == Change.PUT_UNTIL || kind == Change.DEADLINE ? readDeadline() : 0;
  if (kind == Change.DEADLINE) setDeadline(record);
}

/** The record gets the entry's value, and the deadline that it has; nothing, where there is no entry. */
function setDeadline(record: Pending): void {
  if (!record.stored) {
    record.state = DELETED;
    return;
  }
  record.state = TIMED;
  record.value = valueOf(record.stored);
  record.valueLength = valueLength(record.stored);
}

function readExternal(): void {
  const deed = <u32>payload.fixed<u8>();
  const keyLength = payload.number();
  const key = payload.skip(keyLength);
  const fieldLength = payload.number();
  const field = payload.skip(fieldLength);
  const valueLength = payload.number();
  const value = payload.skip(valueLength);
  if (payload.failed) return;
  if (deed < Deed.CUSTOM_SET || deed > Deed.SESSION_DELETE) fail(changetype<usize>("holds a change that this version does not know"));
  if (confined && !redis.MayAccess(key, keyLength)) failElsewhere();
  addExternal(deed, key, keyLength, field, fieldLength, value, valueLength);
}

function readPrefix(kind: u32, prefix: usize, length: u32): void {
  // All entries of a table may be cleared, but only those in a key have a common deadline.
  if (soundPrefix(prefix, length) != length || (kind == Change.HEAD && !load<u8>(prefix, 1)))
    fail(changetype<usize>("holds a prefix that is none"));
  // A table as a whole lies in all slots.
  if (confined && !load<u8>(prefix, 1)) failElsewhere();
  if (confined) checkSlot(prefix, length);
  if (kind == Change.CLEAR) {
    recordOf(CLEARED, prefix, length, 0).state = PUT;
    return;
  }
  const record = recordOf(HEAD, prefix, length, heads.count ? heads.find(prefix, length) : 0);
  record.deadline = readDeadline();
  record.state = record.deadline ? PUT : DELETED;
}

function readDeadline(): i64 {
  const deadline = payload.fixed<i64>();
  if (deadline < 0) fail(changetype<usize>("holds a deadline that is none"));
  return deadline;
}

/** A new record, of a key that must not have come before. */
function recordOf(kind: u32, key: usize, length: u32, stored: usize): Pending {
  const hash = hashOf(key, length);
  if (changetype<usize>(findPending(kind, key, length))) fail(changetype<usize>("changes the same twice"));
  const record = addPending(kind, key, length, hash);
  record.stored = stored;
  return record;
}

function checkKey(schema: Schema, key: usize, length: u32): void {
  splitSchema(schema.text, schema.length, parts);
  const type = partAt(parts, 2);
  const own = soundPrefix(key, length);
  if (!own || !isKey(type.at, type.length, isSorted(schema.table), key + <usize>own, length - own)) {
    fail(changetype<usize>("holds a key of another type"));
  }
}

/**
 * Ends the command unless what has this stored key, or prefix, lies in the slots that the effect comes with.
 */
function checkSlot(key: usize, length: u32): void {
  const mark = top;
  const signal = signalBytes(key, length);
  if (!redis.MayAccess(pointerOf(signal), lengthOf(signal))) failElsewhere();
  rewind(mark);
}

function failElsewhere(): void {
  fail(changetype<usize>("names an entry of another slot than it comes with"));
}

function fail(reason: usize): void {
  line(changetype<usize>("ERR wasm.apply: the effect "));
  appendText(reason);
  failLine();
}

function failUnknown(id: u32): void {
  line(changetype<usize>("ERR wasm.apply: the effect is of a schema that is not known here, "));
  appendNumber(id);
  failLine();
}
