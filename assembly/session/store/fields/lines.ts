/** A session's data as lines of one text: the name of a field, its value, the next name, and so on. */
import { copy, countByte, STRIDE } from "../../../base/storage/bytes";
import { pack } from "../../../base/frame";
import { FIXED_SIZE, takeScratch } from "../../texts/scratch";
import { walk } from "./fields";

const LINE_FEED: u8 = 0x0a;

/**
 * The lines (`length << 32 | pointer`, valid until the next reply that is put together), each with a line
 * feed behind it. 0 where a name or a value has a line feed in it, or all take nearly 16 KiB. O(bytes).
 */
export function linesOf(fields: u32): u64 {
  const start = takeScratch(FIXED_SIZE);
  const end = start + FIXED_SIZE - STRIDE;
  let at = start;
  let lines: u32 = 0;
  walk.begin(fields);
  while (walk.next()) {
    if (<u64>walk.nameLength + walk.valueLength + 2 > <u64>(end - at)) return 0;
    at = line(at, walk.name, walk.nameLength);
    at = line(at, walk.value, walk.valueLength);
    lines += 2;
  }
  memory.fill(at, 0, STRIDE);
  const length = <u32>(at - start);
  return countByte(start, length, LINE_FEED) == lines ? pack(start, length) : 0;
}

// prettier-ignore
@inline
function line(at: usize, text: usize, length: u32): usize {
  copy(at, text, length);
  store<u8>(at + length, LINE_FEED);
  return at + length + 1;
}
