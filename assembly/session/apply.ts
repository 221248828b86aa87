/**
 * `session.apply`: applies what effects.ts queued, exactly and without conditions, making the calls to the storage itself. What another
 * version of this module wrote, or nothing sound, ends with an error and changes nothing.
 */
import { beginChange, endChange } from "../change";
import { argument, argumentLength, OK } from "../frame";
import { EVENT_CREATE, EVENT_DELETE, EVENT_SET } from "./events";
import { changed } from "../register";
import { appendEcho, failLine, failOutOfMemory, isText, line, parseDecimal } from "../text";
import { customDel, customSet } from "./custom";
import { commitPut, preparePut, releaseFields } from "./fields";
import {
  compactRecords,
  fieldsOf,
  findRecord,
  insertRecord,
  isOf,
  prepareRecord,
  releasePending,
  removeRecord,
  replaceRecord,
  setAccessed,
  setFields,
  setTimes,
} from "./records";
import { isTime } from "./time";
import { ID_TEXT_SIZE, parse } from "./uuid";

const id: usize = memory.data(16, 8);

/** Handler of `session.apply <format> <operation> <id> …` → `+OK`. */
export function commandApply(argc: i32, argv: usize): u64 {
  releasePending();
  if (!isText(argument(argv, 0), argumentLength(argv, 0), changetype<usize>("1"))) {
    line(changetype<usize>("ERR session.apply: unknown format "));
    appendEcho(argument(argv, 0), argumentLength(argv, 0));
    failLine();
  }
  if (!parse(argument(argv, 2), argumentLength(argv, 2), id)) failUnsound();
  const operation = argument(argv, 1);
  const length = argumentLength(argv, 1);
  if (argc == 7 && isText(operation, length, changetype<usize>("create"))) applyCreate(argv);
  else if (argc == 6 && isText(operation, length, changetype<usize>("set"))) applySet(argv);
  else if (argc == 4 && isText(operation, length, changetype<usize>("touch"))) applyTouch(argv);
  else if (argc == 5 && isText(operation, length, changetype<usize>("delete"))) applyDelete(argv);
  else failUnsound();
  compactRecords(0);
  return OK;
}

/** `create <id> <user> <created> <accessed> <mapped>`: the session as it was when new; one with this id is replaced. */
function applyCreate(argv: usize): void {
  const user = argument(argv, 3);
  const userLength = argumentLength(argv, 3);
  const created = timeAt(argv, 4);
  const accessed = timeAt(argv, 5);
  const mapped = flagAt(argv, 6);
  const present = findRecord(id);
  const same = present && isOf(present, user, userLength);
  if (!same && !prepareRecord(id, user, userLength, created, accessed)) failOutOfMemory();
  if (mapped) customSet(user, userLength, argument(argv, 2), ID_TEXT_SIZE);
  beginChange();
  if (same) {
    releaseFields(fieldsOf(present));
    setFields(present, 0);
    setTimes(present, created, accessed);
  } else if (present) {
    replaceRecord();
  } else {
    insertRecord();
  }
  endChange();
  changed(EVENT_CREATE, 14, argument(argv, 2), ID_TEXT_SIZE);
}

/** `set <id> <accessed> <field> <value>`: nothing when the session is unknown: it was deleted later, and is not reborn. */
function applySet(argv: usize): void {
  const ms = timeAt(argv, 3);
  const record = findRecord(id);
  if (!record) return;
  beginChange();
  const fields = fieldsOf(record);
  if (!preparePut(fields, argument(argv, 4), argumentLength(argv, 4), argument(argv, 5), argumentLength(argv, 5))) {
    endChange();
    failOutOfMemory();
  }
  setFields(record, commitPut());
  setAccessed(record, ms);
  endChange();
  changed(EVENT_SET, 11, argument(argv, 2), ID_TEXT_SIZE);
}

/** `touch <id> <accessed>` */
function applyTouch(argv: usize): void {
  const ms = timeAt(argv, 3);
  const record = findRecord(id);
  if (record) setAccessed(record, ms);
}

/** `delete <id> <user> <unmapped>` */
function applyDelete(argv: usize): void {
  const unmapped = flagAt(argv, 4);
  if (unmapped) customDel(argument(argv, 3), argumentLength(argv, 3));
  const record = findRecord(id);
  if (!record) return;
  beginChange();
  removeRecord(record);
  endChange();
  changed(EVENT_DELETE, 14, argument(argv, 2), ID_TEXT_SIZE);
}

/** The time, Unix ms, that argument `index` spells. */
function timeAt(argv: usize, index: u32): i64 {
  const ms = parseDecimal(argument(argv, index), argumentLength(argv, index));
  if (!isTime(ms)) failUnsound();
  return ms;
}

/** The flag, 0 or 1, that argument `index` spells. */
function flagAt(argv: usize, index: u32): bool {
  const flag = parseDecimal(argument(argv, index), argumentLength(argv, index));
  if (flag < 0 || flag > 1) failUnsound();
  return flag == 1;
}

function failUnsound(): void {
  line(changetype<usize>("ERR session.apply: not an effect that this version knows"));
  failLine();
}
