/**
 * What a module keeps when another file of its own takes its place in the same memory: areas of its static
 * data, and globals. Each file that has some names them in a function of its own, `carry…`, which runs twice:
 * where the old file leaves, and where the new one joins.
 *
 *     area     address u32 | bytes u32 | 0 u64            the host puts the bytes back
 *     word     0 u32       | 0 u32     | its value u64
 *     same     0 u32       | 1 u32     | its value u64    must be the same in both files
 *
 * The new file takes what the old one has written only where both have the same list.
 */

/** Bytes of an entry of the list. */
const EACH: usize = 16;
/** Entries of a list. */
const ENTRIES_MAX: usize = 128;
const list: usize = memory.data(2048, 8);

/** The next entry: of `list`, or of what was written by the file that leaves. */
let at: usize = 0;
let isJoining: bool = false;
/** Whether the lists differ. */
let differs: bool = false;

/** Begins the list of the file that leaves. */
export function beginLeave(): void {
  at = list;
  isJoining = false;
  differs = false;
}

/** Its end: `length << 32 | pointer`. */
export function endLeave(): u64 {
  return ((<u64>(at - list)) << 32) | list;
}

/** Begins to take what the file that left has written. */
export function beginJoin(pointer: usize): void {
  at = pointer;
  isJoining = true;
  differs = false;
}

/** Whether all was taken, and nothing is left before `end`. */
export function endJoin(end: usize): bool {
  return !differs && at == end;
}

/** Whether a file joins, and takes over. */
export function joins(): bool {
  return isJoining && !differs;
}

/** An area of static data that holds state. */
export function carryArea(address: usize, bytes: u32): void {
  entry(<u32>address, bytes, 0);
}

/** A global that holds state: what it is from now on. */
export function carryWord<T>(value: T): T {
  const carried = entry(0, 0, isReference<T>() ? <u64>changetype<usize>(value) : <u64>value);
  return isReference<T>() ? changetype<T>(<usize>carried) : <T>carried;
}

/** What must be the same in both files. */
export function carrySame(value: u64): void {
  if (entry(0, 1, value) != value) differs = true;
}

/** Writes an entry, or reads it; the value that it has. */
function entry(address: u32, bytes: u32, value: u64): u64 {
  if (differs) return value;
  if (isJoining) {
    differs = load<u32>(at) != address || load<u32>(at, 4) != bytes;
    if (!differs) value = load<u64>(at, 8);
  } else {
    if (at - list >= ENTRIES_MAX * EACH) unreachable();
    store<u32>(at, address);
    store<u32>(at, bytes, 4);
    store<u64>(at, value, 8);
  }
  at += EACH;
  return value;
}
