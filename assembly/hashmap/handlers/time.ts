/** Moments that clients write into arguments. */
import { integerOf } from "../../base/parse";
import { appendText, failLine, line } from "../../base/text";

/** How a moment is written; 0: ms from now on. */
export const SECONDS: u32 = 1;
export const ABSOLUTE: u32 = 2;

/**
 * The moment, Unix ms, that the argument spells in this form. Ends the command: `ERR value is not an integer
 * or out of range`; and `ERR invalid expire time in '<command>' command` where it overflows, or is 0 or less
 * and has to be `positive`.
 */
export function momentOf(pointer: usize, length: u32, form: u32, now: i64, positive: bool, command: usize): i64 {
  let ms = integerOf(pointer, length);
  if (positive && ms <= 0) failTime(command);
  if (form & SECONDS) {
    if (ms > i64.MAX_VALUE / 1000 || ms < i64.MIN_VALUE / 1000) failTime(command);
    ms *= 1000;
  }
  if (form & ABSOLUTE) return ms;
  if (ms > i64.MAX_VALUE - now) failTime(command);
  return ms + now;
}

function failTime(command: usize): void {
  line(changetype<usize>("ERR invalid expire time in '"));
  appendText(command);
  appendText(changetype<usize>("' command"));
  failLine();
}
