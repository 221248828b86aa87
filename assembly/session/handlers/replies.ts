/**
 * The texts that SESSION.* commands reply with. Each returns `length << 32 | pointer`, valid until the next
 * of them.
 */
import { copy } from "../../base/storage/bytes";
import { keyLength, keyOf } from "../../base/storage/entry";
import { pack } from "../../base/frame";
import { redis } from "../../base/redis";
import { appendEcho, line, narrow } from "../../base/text";
import { CREATED, createdId, EXISTS } from "../actions/create";
import { writeId } from "../ids/ids";
import { walk } from "../store/fields/fields";
import { asSession } from "../store/record";
import { writeString } from "../texts/json";
import { beginText, roomAt, takeScratch, takeWhole } from "../texts/scratch";
import { TIME_TEXT_SIZE, writeTime } from "../texts/time";

/** More than enough bytes for a line without the key. */
const LINE_FRAME: u32 = 192;

/** The replies of CREATE, each with room for the id behind it: the words are written once. */
const created: usize = memory.data(160);
const exists: usize = memory.data(160);
const recreated: usize = memory.data(160);
const id: usize = memory.data(128);
const word: usize = memory.data(64);
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
  copy(text + length, createdId.start, createdId.length);
  return pack(text, length + createdId.length);
}

/** Makes `Session not found: <id>` the line of text.ts. */
export function notFoundLine(id: usize, length: u32): void {
  line(changetype<usize>("Session not found: "));
  appendEcho(id, length);
}

/** `ID: <id>, Key: <user key>, Created: <time>`, the key raw. O(user). */
export function listLine(record: usize): u64 {
  const user = asSession(record).user;
  const userLength = keyLength(user);
  const start = takeScratch(<u64>userLength + LINE_FRAME);
  let end = put(changetype<usize>("ID: "), start);
  end = putId(record, end);
  end = put(changetype<usize>(", Key: "), end);
  memory.copy(end, keyOf(user), userLength);
  end = put(changetype<usize>(", Created: "), end + userLength);
  end = putTime(asSession(record).created, end);
  return pack(start, <u32>(end - start));
}

/**
 * `{"id":"…","user_key":"…","created_at":"…","last_accessed":"…","data":{"field":"value",…}}`. O(bytes).
 * Errors: `OOM …` where it is about 16 KiB or more and there is no memory.
 */
export function sessionJson(record: usize): u64 {
  const fixed = beginText();
  const end = writeJson(record, fixed);
  const long = takeWhole(end);
  return long ? pack(long, <u32>(writeJson(record, long) - long)) : pack(fixed, <u32>(end - fixed));
}

/** Writes the JSON to `target`, whose room `roomAt` keeps, and returns the address after it. */
function writeJson(record: usize, target: usize): usize {
  const user = asSession(record).user;
  let end = put(changetype<usize>('{"id":'), target);
  end = writeString(id, writeId(keyOf(record), keyLength(record), id), end);
  end = put(changetype<usize>(',"user_key":'), end);
  end = writeString(keyOf(user), keyLength(user), end);
  end = put(changetype<usize>(',"created_at":"'), end);
  end = putTime(asSession(record).created, end);
  end = put(changetype<usize>('","last_accessed":"'), end);
  end = putTime(asSession(record).accessed, end);
  end = put(changetype<usize>('","data":{'), end);
  let first = true;
  walk.begin(asSession(record).fields);
  while (walk.next()) {
    end = roomAt(end);
    if (!first) store<u8>(end++, 0x2c);
    first = false;
    end = writeString(walk.name, walk.nameLength, end);
    store<u8>(end, 0x3a);
    end = writeString(walk.value, walk.valueLength, end + 1);
  }
  store<u16>(end, 0x7d7d);
  return end + 2;
}

/** Replies with an ASCII literal of at most 64 bytes as a bulk string. */
export function replyWord(literal: usize): void {
  redis.ReplyWithStringBuffer(word, narrow(literal, word));
}

/** Replies with a time as RFC 3339. */
export function replyTime(ms: i64): void {
  redis.ReplyWithStringBuffer(word, <u32>(putTime(ms, word) - word));
}

function put(literal: usize, target: usize): usize {
  return target + narrow(literal, target);
}

function putId(record: usize, target: usize): usize {
  return target + writeId(keyOf(record), keyLength(record), target);
}

function putTime(ms: i64, target: usize): usize {
  writeTime(target, ms);
  return target + TIME_TEXT_SIZE;
}
