/**
 * Patterns as the server's KEYS and SCAN have them: `*` any bytes, `?` one byte, `[abc]` `[a-z]` `[^a]` one
 * of a class, `\` takes the next byte as it is. Where the server searches again from every `*`, this goes
 * back to the last one alone, which finds the same: so it takes O(pattern × text) at most, whatever the
 * pattern.
 */

/**
 * Whether the text matches the pattern, from end to end. As in the server, of many stars only one alone
 * stands for nothing at all.
 */
export function matches(pattern: usize, patternLength: u32, text: usize, textLength: u32): bool {
  if (!textLength) return !patternLength || (patternLength == 1 && load<u8>(pattern) == 0x2a);
  const patternEnd = pattern + patternLength;
  const textEnd = text + textLength;
  let star: usize = 0;
  let retry: usize = 0;
  while (text < textEnd) {
    if (pattern < patternEnd && load<u8>(pattern) == 0x2a) {
      star = ++pattern;
      retry = text;
      continue;
    }
    if (pattern < patternEnd && matchesOne(pattern, patternEnd, load<u8>(text))) {
      pattern = afterOne(pattern, patternEnd);
      text++;
      continue;
    }
    if (!star) return false;
    pattern = star;
    text = ++retry;
  }
  while (pattern < patternEnd && load<u8>(pattern) == 0x2a) pattern++;
  return pattern == patternEnd;
}

/** Whether the byte matches the one element, no `*`, that the pattern begins with. */
function matchesOne(pattern: usize, end: usize, byte: u8): bool {
  const first = load<u8>(pattern);
  if (first == 0x3f) return true;
  if (first == 0x5b) return inClass(pattern + 1, end, byte);
  return byte == (first == 0x5c && pattern + 1 < end ? load<u8>(pattern, 1) : first);
}

/** Where the pattern goes on after its first element. */
function afterOne(pattern: usize, end: usize): usize {
  const first = load<u8>(pattern);
  if (first == 0x5b) return classEnd(pattern + 1, end);
  return first == 0x5c && pattern + 1 < end ? pattern + 2 : pattern + 1;
}

/** Whether the byte is in the class that follows a `[`. One that is never closed ends with the pattern. */
function inClass(at: usize, end: usize, byte: u8): bool {
  const negated = at < end && load<u8>(at) == 0x5e;
  if (negated) at++;
  let found = false;
  while (at < end && load<u8>(at) != 0x5d) {
    let low = load<u8>(at);
    if (low == 0x5c && at + 1 < end) {
      found = found || load<u8>(at, 1) == byte;
      at += 2;
    } else if (at + 2 < end && load<u8>(at, 1) == 0x2d) {
      let high = load<u8>(at, 2);
      if (low > high) {
        const other = low;
        low = high;
        high = other;
      }
      found = found || (byte >= low && byte <= high);
      at += 3;
    } else {
      found = found || low == byte;
      at++;
    }
  }
  return found != negated;
}

/** The address after the class that begins at `at`, its `]` included. */
function classEnd(at: usize, end: usize): usize {
  if (at < end && load<u8>(at) == 0x5e) at++;
  while (at < end && load<u8>(at) != 0x5d) {
    if (load<u8>(at) == 0x5c && at + 1 < end) at += 2;
    else if (at + 2 < end && load<u8>(at, 1) == 0x2d) at += 3;
    else at++;
  }
  return at < end ? at + 1 : end;
}
