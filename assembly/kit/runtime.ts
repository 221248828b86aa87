/**
 * The AssemblyScript runtime of a kit module: objects are made in the arena of the running command, and none
 * is ever freed by itself. An object has the eight bytes before it that the standard library reads: the
 * number of its class, and its size.
 */
import { extend, take } from "./memory/arena";

/** Bytes before an object. */
const HEADER: u32 = 8;
/** Bytes that one object may have. */
const SIZE_MAX: usize = 64 << 20;
const INLINE_MAX: usize = 64;

// @ts-ignore: decorator
@global @unsafe
export function __new(size: usize, id: u32): usize {
  const object = take(<u32>min(size, SIZE_MAX) + HEADER) + HEADER;
  store<u32>(object - 8, id);
  store<u32>(object - 4, <u32>size);
  // The standard library writes all of a string.
  if (id != idof<String>()) clear(object, size);
  return object;
}

/** Sets an object to 0, and maybe some of the SLACK bytes behind it: nothing lies there yet. */
// prettier-ignore
@inline
function clear(object: usize, size: usize): void {
  const zero = i64x2.splat(0);
  v128.store(object, zero);
  if (size <= 16) return;
  v128.store(object, zero, 16);
  if (size > 32) clearLong(object + 32, size - 32);
}

function clearLong(rest: usize, size: usize): void {
  if (size > INLINE_MAX) return memory.fill(rest, 0, size);
  for (let at: usize = 0; at < size; at += 16) v128.store(rest + at, i64x2.splat(0));
}

// @ts-ignore: decorator
@global @unsafe
export function __renew(object: usize, size: usize): usize {
  const before = <usize>load<u32>(object - 4);
  if (size <= before || extend(object - HEADER, <u32>before + HEADER, <u32>min(size, SIZE_MAX) + HEADER)) {
    store<u32>(object - 4, <u32>size);
    if (size > before) memory.fill(object + before, 0, size - before);
    return object;
  }
  const renewed = __new(size, load<u32>(object - 8));
  memory.copy(renewed, object, before);
  return renewed;
}

// @ts-ignore: decorator
@global @unsafe
export function __link(parent: usize, child: usize, expectMultiple: bool): void {}

// @ts-ignore: decorator
@global @unsafe
export function __pin(object: usize): usize {
  return object;
}

// @ts-ignore: decorator
@global @unsafe
export function __unpin(object: usize): void {}

// @ts-ignore: decorator
@global @unsafe
function __visit(object: usize, cookie: u32): void {}

// @ts-ignore: decorator
@global @unsafe
export function __collect(): void {}

/** What the standard library takes for a while, as for sorting. */
// @ts-ignore: decorator
@global @unsafe
export function __alloc(size: usize): usize {
  return take(<u32>min(size, SIZE_MAX));
}

// @ts-ignore: decorator
@global @unsafe
export function __free(block: usize): void {}
