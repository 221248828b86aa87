/**
 * Objects that were made while the module started, by packages and by an author's constants: each command
 * sees them as they were then, whatever the one before has done to them. This file is the last of the kit's
 * own that the compiler meets, so static data from here on is not the kit's.
 */
import { lengthOf, pointerOf } from "../../base/frame";
import { permanentPart, permanentParts } from "./arena";

const PAGE_BITS: usize = 16;

/** Where static data begins that commands may change. */
const first: usize = memory.data(16, 16);
/** Whether there are such objects at all. */
let isWanted: bool = false;
/** A copy of both, in pages of its own, which no heap has; 0: there is none. */
let copies: usize = 0;
let staticBytes: usize = 0;

/** Says that there are objects to be kept as they are. */
export function keepObjects(): void {
  isWanted = true;
}

/** Whether commands begin with restoreObjects. */
// prettier-ignore
@inline
export function hasObjects(): bool {
  return copies != 0;
}

/** Notes all objects, once the module has started. False where there is no memory. */
export function noteObjects(): bool {
  if (!isWanted) return true;
  staticBytes = __heap_base - first;
  let bytes = staticBytes;
  for (let index: u32 = 0; index < permanentParts(); index++) bytes += <usize>lengthOf(permanentPart(index));
  const pages = memory.grow(<i32>((bytes + 0xffff) >> PAGE_BITS));
  if (pages < 0) return false;
  copies = (<usize>pages) << PAGE_BITS;
  memory.copy(copies, first, staticBytes);
  let copy = copies + staticBytes;
  for (let index: u32 = 0; index < permanentParts(); index++) {
    const part = permanentPart(index);
    memory.copy(copy, pointerOf(part), <usize>lengthOf(part));
    copy += <usize>lengthOf(part);
  }
  return true;
}

/** Puts all objects back. O(bytes). */
export function restoreObjects(): void {
  memory.copy(first, copies, staticBytes);
  let copy = copies + staticBytes;
  for (let index: u32 = 0; index < permanentParts(); index++) {
    const part = permanentPart(index);
    memory.copy(pointerOf(part), copy, <usize>lengthOf(part));
    copy += <usize>lengthOf(part);
  }
}
