/** Times: Unix milliseconds inside, RFC 3339 in UTC with milliseconds outside: `2026-01-02T03:04:05.678Z`. */

export const TIME_TEXT_SIZE: u32 = 24;
/** 9999-12-31T23:59:59.999Z, the last time that RFC 3339 can write. */
export const MAX_TIME: i64 = 253402300799999;
const DAY_MS: i64 = 86400000;

/** Whether it is a time that can be written. */
export function isTime(ms: i64): bool {
  return <u64>ms <= <u64>MAX_TIME;
}

/** Writes the time, 0 … MAX_TIME, as 24 bytes to `target`. */
export function writeTime(target: usize, ms: i64): void {
  const day = <u32>(ms / DAY_MS);
  const inDay = <u32>(ms % DAY_MS);
  // Civil date from days by Howard Hinnant's algorithm: years begin in March, so that the leap day is the
  // last.
  const shifted = day + 719468;
  const era = shifted / 146097;
  const dayOfEra = shifted - era * 146097;
  const yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36524 - dayOfEra / 146096) / 365;
  const dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100);
  const monthFromMarch = (5 * dayOfYear + 2) / 153;
  const month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9;
  const year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0);
  writeTwo(target, year / 100);
  writeTwo(target + 2, year % 100);
  store<u8>(target, 0x2d, 4);
  writeTwo(target + 5, month);
  store<u8>(target, 0x2d, 7);
  writeTwo(target + 8, dayOfYear - (153 * monthFromMarch + 2) / 5 + 1);
  store<u8>(target, 0x54, 10);
  writeTwo(target + 11, inDay / 3600000);
  store<u8>(target, 0x3a, 13);
  writeTwo(target + 14, (inDay / 60000) % 60);
  store<u8>(target, 0x3a, 16);
  writeTwo(target + 17, (inDay / 1000) % 60);
  store<u8>(target, 0x2e, 19);
  store<u8>(target, 48 + <u8>((inDay / 100) % 10), 20);
  writeTwo(target + 21, inDay % 100);
  store<u8>(target, 0x5a, 23);
}

function writeTwo(target: usize, value: u32): void {
  store<u8>(target, 48 + <u8>(value / 10));
  store<u8>(target, 48 + <u8>(value % 10), 1);
}
