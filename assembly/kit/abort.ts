/** `throw`, and what the language itself throws: the error reply of the running command. */
import { redis } from "../base/redis";
import { writeDecimal } from "../base/text";
import { encodeString } from "./values/strings";

/** Bytes of an error reply. */
const ERROR_BYTES: u32 = 1024;
/** Characters of a code. */
const CODE_MIN: u32 = 2;
const CODE_MAX: u32 = 32;
/** Characters of a text that are looked at: as many as fit, each of three bytes at most. */
const TEXT_CHARACTERS: u32 = 300;
const FILE_CHARACTERS: u32 = 40;

const text: usize = memory.data(1024);

/**
 * What the compiler calls where an author's code throws: `-CODE text` where the message begins with a code
 * and a blank, else `-ERR text`. An error of the language names file and line. Allocates nothing.
 */
export function abort(message: string | null, file: string | null, lineNumber: u32, column: u32): void {
  const pointer = changetype<usize>(message);
  const length = pointer ? load<u32>(pointer - 4) >> 1 : 0;
  let used: u32 = 0;
  if (!hasCode(pointer, length)) {
    store<u32>(text, 0x20525245); // "ERR "
    used = 4;
  }
  used += encodeString(pointer, min(length, TEXT_CHARACTERS), text + used);
  const source = changetype<usize>(file);
  if (source && isOfLanguage(source)) used = appendPlace(used, source, lineNumber);
  redis.Fail(text, min(used, ERROR_BYTES));
  unreachable();
}

/** Whether the characters begin with a code, `[A-Z][A-Z0-9_]{1,31}`, and a blank. */
function hasCode(characters: usize, length: u32): bool {
  for (let index: u32 = 0; index < length && index <= CODE_MAX; index++) {
    const unit = <u32>load<u16>(characters + ((<usize>index) << 1));
    if (unit == 0x20) return index >= CODE_MIN;
    const isLetter = unit - 65 < 26;
    if (!isLetter && (!index || (unit - 48 >= 10 && unit != 95))) return false;
  }
  return false;
}

/**
 * Whether a file is one of the language's own, whose line says what was wrong better than its message; those
 * of the kit have messages that say it.
 */
function isOfLanguage(file: usize): bool {
  if (load<u32>(file - 4) < 16 || load<u64>(file) != 0x0062_0069_006c_007e) return false; // "~lib"
  return load<u64>(file, 8) != 0x0064_0065_0072_002f; // "/red", of "/redis-wasm/"
}

function appendPlace(used: u32, file: usize, lineNumber: u32): u32 {
  store<u16>(text + used, 0x2820); // " ("
  used += 2;
  used += encodeString(file, min(load<u32>(file - 4) >> 1, FILE_CHARACTERS), text + used);
  store<u8>(text + used, 0x3a);
  used += 1 + writeDecimal(lineNumber, text + used + 1);
  store<u8>(text + used, 0x29);
  return used + 1;
}
