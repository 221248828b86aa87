/** The texts that SESSION.* commands reply with. Each returns `length << 32 | pointer`, valid until the next of them. */
import { copy } from "../storage/bytes";
import { pack } from "../frame";
import { appendEcho, line, narrow } from "../text";
import { beginFields, fieldName, fieldNameLength, fieldValue, fieldValueLength, nextField } from "./fields";
import { stringSize, writeString } from "./json";
import { accessedOf, createdOf, fieldsOf, idOf, userLengthOf, userOf } from "./records";
import { takeScratch } from "./scratch";
import { CREATED, EXISTS, resultId } from "./sessions";
import { TIME_TEXT_SIZE, writeTime } from "./time";
import { format, ID_TEXT_SIZE } from "./uuid";

/** Bytes of the JSON without user key and data, and more than enough for those of a line without the key. */
// prettier-ignore
@inline const JSON_FRAME: u32 = 160;


@inline const LINE_FRAME: u32 = 128;

/** The replies of CREATE, each with room for the id behind it: the words are written once. */
const created: usize = memory.data(64);
const exists: usize = memory.data(64);
const recreated: usize = memory.data(64);
let createdLength: u32 = 0;
let existsLength: u32 = 0;
let recreatedLength: u32 = 0;

/** `Session created: ID`, `Session exists: ID` or `Session recreated: ID`. */
export function createdText(outcome: u32): u64 {
  if (!createdLength) {
    createdLength = narrow(changetype<usize>("Session created: "), created);
    existsLength = narrow(changetype<usize>("Session exists: "), exists);
    recreatedLength = narrow(changetype<usize>("Session recreated: "), recreated);
  }
  const text = outcome == CREATED ? created : outcome == EXISTS ? exists : recreated;
  const length = outcome == CREATED ? createdLength : outcome == EXISTS ? existsLength : recreatedLength;
  copy(text + length, resultId(), ID_TEXT_SIZE);
  return pack(text, length + ID_TEXT_SIZE);
}

/** Makes `Session not found: <id>` the line of text.ts. */
export function notFoundLine(id: usize, length: u32): void {
  line(changetype<usize>("Session not found: "));
  appendEcho(id, length);
}

/** `ID: <id>, Key: <user key>, Created: <time>`, the key raw. O(user). */
export function listLine(record: usize): u64 {
  const userLength = userLengthOf(record);
  const start = takeScratch(<u64>userLength + LINE_FRAME);
  let end = put(changetype<usize>("ID: "), start);
  end = putId(record, end);
  end = put(changetype<usize>(", Key: "), end);
  memory.copy(end, userOf(record), userLength);
  end = put(changetype<usize>(", Created: "), end + userLength);
  end = putTime(createdOf(record), end);
  return pack(start, <u32>(end - start));
}

/**
 * `{"id":"…","user_key":"…","created_at":"…","last_accessed":"…","data":{"field":"value",…}}`. O(bytes).
 * Errors: `OOM …` where it is over 16 KiB and there is no memory.
 */
export function sessionJson(record: usize): u64 {
  const start = takeScratch(jsonSize(record));
  let end = put(changetype<usize>('{"id":"'), start);
  end = putId(record, end);
  end = put(changetype<usize>('","user_key":'), end);
  end = writeString(userOf(record), userLengthOf(record), end);
  end = put(changetype<usize>(',"created_at":"'), end);
  end = putTime(createdOf(record), end);
  end = put(changetype<usize>('","last_accessed":"'), end);
  end = putTime(accessedOf(record), end);
  end = put(changetype<usize>('","data":{'), end);
  const first = end;
  beginFields(fieldsOf(record));
  while (nextField()) {
    if (end != first) store<u8>(end++, 0x2c);
    end = writeString(fieldName, fieldNameLength, end);
    store<u8>(end, 0x3a);
    end = writeString(fieldValue, fieldValueLength, end + 1);
  }
  store<u16>(end, 0x7d7d);
  return pack(start, <u32>(end + 2 - start));
}

/** An upper bound of the JSON's length, short by nothing and over by a few bytes. */
function jsonSize(record: usize): u64 {
  let size = JSON_FRAME + stringSize(userOf(record), userLengthOf(record));
  beginFields(fieldsOf(record));
  while (nextField()) size += 2 + stringSize(fieldName, fieldNameLength) + stringSize(fieldValue, fieldValueLength);
  return size;
}

function put(literal: usize, target: usize): usize {
  return target + narrow(literal, target);
}

function putId(record: usize, target: usize): usize {
  format(idOf(record), target);
  return target + ID_TEXT_SIZE;
}

function putTime(ms: i64, target: usize): usize {
  writeTime(target, ms);
  return target + TIME_TEXT_SIZE;
}
