/**
 * Byte strings as they cross the boundary.
 *
 *     an array of byte strings            a byte string in one u64 (0 is null)
 *     +-----------+-----------+-- …       63          32 31           0
 *     | pointer 0 | length 0  |           +-------------+-------------+
 *     +-----------+-----------+-- …       |   length    |   pointer   |
 *       u32         u32                   +-------------+-------------+
 *
 * An empty byte string still has a pointer that is not 0, so it differs from null.
 */

/**
 * Pointer of byte string `index` of the array at `argv`. Valid as long as the array is: until the handler
 * returns.
 */
// prettier-ignore
@inline
export function argument(argv: usize, index: u32): usize {
  return <usize>load<u32>(argv + (<usize>index << 3));
}

/** Pointers from here on are no addresses of so many bytes, which would go beyond 4 GiB. */
const LATE: usize = 0xffff0000;
const LATE_BYTES_MIN: u32 = 0x10000;

/**
 * Whether the byte string is a late argument: the server has its bytes, and
 * `redis.ReadArgument` copies them. Only a command whose text says so has any, of 64 KiB or more.
 */
// prettier-ignore
@inline
export function isLate(pointer: usize, length: u32): bool {
  return pointer >= LATE && length >= LATE_BYTES_MIN;
}

/** Length in bytes of byte string `index` of the array at `argv`. */
// prettier-ignore
@inline
export function argumentLength(argv: usize, index: u32): u32 {
  return load<u32>(argv + (<usize>index << 3), 4);
}

/** The array of byte strings that begins with number `first` of the array at `argv`. */
// prettier-ignore
@inline
export function argumentsFrom(argv: usize, first: u32): usize {
  return argv + (<usize>first << 3);
}

/** Sets byte string `index` of the array at `argv`. */
// prettier-ignore
@inline
export function setArgument(argv: usize, index: u32, pointer: usize, length: u32): void {
  store<u32>(argv + (<usize>index << 3), <u32>pointer);
  store<u32>(argv + (<usize>index << 3), length, 4);
}

/** Both halves of a byte string in one u64. */
// prettier-ignore
@inline
export function pack(pointer: usize, length: u32): u64 {
  return (<u64>length << 32) | <u64>pointer;
}

/** What a handler returns: null, as any byte string that is absent. */
export const NULL: u64 = 0;

/**
 * What a handler returns when it has replied by calls. No pointer is below 1024, so this is no byte string.
 */
export const REPLIED: u64 = 1;

/** What a handler returns for `+OK`. */
export const OK: u64 = 2;

/** The low half of what a handler returns for an integer, whose 32 bits are the high half. */
export const INTEGER: u64 = 3;

/** The pointer of a packed byte string. */
// prettier-ignore
@inline
export function pointerOf(packed: u64): usize {
  return <usize>(<u32>packed);
}

/** The length in bytes of a packed byte string. */
// prettier-ignore
@inline
export function lengthOf(packed: u64): u32 {
  return <u32>(packed >> 32);
}
