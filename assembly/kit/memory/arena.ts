/**
 * What a command makes: a bump allocator that each command begins anew.
 *
 *     static page      64 KiB, which most commands never leave
 *     further chunks   blocks of the heap, each twice as large, freed when the next command begins
 *
 * What is made while the module starts, before `seal`, stays for good: it lies at the beginning of the static
 * page, and what does not fit there in pages that no heap has. Commands begin behind it. They, and the start,
 * may take 64 MiB.
 */
import { alloc, free, usableSize } from "../../base/storage/heap";
import { pack } from "../../base/frame";
import { beginChange, endChange } from "../../base/change";
import { failLine, failOutOfMemory, line } from "../../base/text";

/** Bytes of the static page. */
const PAGE_BYTES: u32 = 65536;
/** Bytes that one command may take beside the static page. */
const COMMAND_BYTES_MAX: u32 = 64 << 20;
/** Bytes behind the last block of a chunk that may be written: objects are cleared by 16 bytes at a time. */
const SLACK: u32 = 16;
const CHUNK_BYTES_MIN: u32 = 128 << 10;
/** Chunks of one command: each is twice as large as the one before, or as large as one object. */
const CHUNKS_MAX: u32 = 64;
/** Parts that the start may fill. */
const FILLED_MAX: u32 = 64;
/** Bytes that commands have without a chunk of their own, at least. */
const FIRST_BYTES_MIN: u32 = 16 << 10;
/** Calls that the probe of the stack is deep. */
const PROBE_DEPTH: i32 = 200;

const page: usize = memory.data(65536, 16);
/** Chunks of the running command: address and bytes of each. */
const chunks: usize = memory.data(512, 4);
let chunkCount: u32 = 0;
let chunkBytes: u32 = 0;

/** The next free byte, and the end of the chunk that it lies in. */
export let top: usize = page;
let end: usize = page + 65520;
/** The beginning of that chunk. */
let start: usize = page;
/** Where commands begin, and the chunk that this lies in. */
let base: usize = page;
let baseStart: usize = page;
let baseEnd: usize = end;
/** Whether the module has started. */
let isSealed: bool = false;
/** What the start has filled before the chunk that it ended in: address and end of each part. */
const filled: usize = memory.data(512, 4);
let filledCount: u32 = 0;

/** Everything that was made until now stays. */
export function seal(): void {
  if (end - top < <usize>FIRST_BYTES_MIN) top = takeForGood(0);
  base = top;
  baseStart = start;
  baseEnd = end;
  isSealed = true;
}

/** Drops what the command before has made. */
// prettier-ignore
@inline
export function beginArena(): void {
  if (chunkCount) freeChunks();
  top = base;
}

/** Drops what was made since `top` had this value, where it still lies in the same chunk. */
// prettier-ignore
@inline
export function rewind(mark: usize): void {
  if (mark <= top && mark >= start) top = mark;
}

/** In how many parts of the memory the permanent objects lie. */
export function permanentParts(): u32 {
  return filledCount + 1;
}

/** Where part `index` of the permanent objects begins, and its bytes, `bytes << 32 | pointer`. */
export function permanentPart(index: u32): u64 {
  if (index == filledCount) return pack(baseStart, <u32>(base - baseStart));
  const part = filled + ((<usize>index) << 3);
  return pack(load<u32>(part), load<u32>(part, 4) - load<u32>(part));
}

/** The chunks are gone with the heap that they came from. */
export function forgetChunks(): void {
  chunkCount = 0;
  chunkBytes = 0;
  top = base;
  end = baseEnd;
  start = baseStart;
}

/** Bytes that the chunks' blocks really have. */
export function heldBlocks(): u64 {
  let bytes: u64 = 0;
  for (let index: u32 = 0; index < chunkCount; index++) bytes += usableSize(load<u32>(chunks + ((<usize>index) << 3), 4));
  return bytes;
}

/** Bytes of the heap that the chunks take. */
export function heldBytes(): u32 {
  return chunkBytes;
}

/** `size` bytes, aligned to 8, not cleared. Errors: `ERR the command takes more than 64 MiB …`, `OOM …`. */
// prettier-ignore
@inline
export function take(size: u32): usize {
  const block = top;
  const next = block + (((<usize>size) + 7) & ~7);
  if (next > end) return takeFurther(size);
  top = next;
  return block;
}

/** What lies behind `at`, of the block that was taken last and goes to `blockEnd`, is not needed. */
// prettier-ignore
@inline
export function giveBack(at: usize, blockEnd: usize): void {
  if (((blockEnd + 7) & ~7) == top) top = (at + 7) & ~7;
}

/** Whether the block of this size is the last one and was made `bytes` long in place. */
export function extend(block: usize, size: u32, bytes: u32): bool {
  if (block + ((<usize>size + 7) & ~7) != top) return false;
  const next = block + ((<usize>bytes + 7) & ~7);
  if (next > end || next < block) return false;
  top = next;
  return true;
}

/** As takeFurther, while the module starts: of pages that are taken for this. */
function takeForGood(size: u32): usize {
  // Twice as much as the part before, so that there are few.
  const bytes = (max(size, min((<u32>(end - start)) << 1, COMMAND_BYTES_MAX)) + SLACK + PAGE_BYTES - 1) & ~(PAGE_BYTES - 1);
  const first = size > COMMAND_BYTES_MAX || filledCount == FILLED_MAX ? -1 : memory.grow(<i32>(bytes / PAGE_BYTES));
  if (first < 0) failOutOfMemory();
  store<u32>(filled + ((<usize>filledCount) << 3), <u32>start);
  store<u32>(filled + ((<usize>filledCount) << 3), <u32>top, 4);
  filledCount++;
  start = <usize>first * PAGE_BYTES;
  end = start + <usize>bytes - SLACK;
  top = start + ((<usize>size + 7) & ~7);
  return start;
}

function takeFurther(size: u32): usize {
  if (!isSealed) return takeForGood(size);
  if (size > COMMAND_BYTES_MAX) failTooMuch();
  const last = chunkCount ? load<u32>(chunks + ((<usize>(chunkCount - 1)) << 3), 4) : CHUNK_BYTES_MIN >> 1;
  // As much as is left, where twice as much is not.
  const bytes = max(min(last << 1, COMMAND_BYTES_MAX - chunkBytes), size + 8 + SLACK);
  if (chunkBytes + bytes > COMMAND_BYTES_MAX || chunkCount == CHUNKS_MAX) failTooMuch();
  // A command that has used up its stack must not do so while the heap is being changed.
  probe(PROBE_DEPTH);
  beginChange();
  const chunk = alloc(bytes);
  if (chunk) {
    store<u32>(chunks + ((<usize>chunkCount) << 3), <u32>chunk);
    store<u32>(chunks + ((<usize>chunkCount) << 3), bytes, 4);
    chunkCount++;
    chunkBytes += bytes;
  }
  endChange();
  if (!chunk) failOutOfMemory();
  top = (chunk + 7) & ~7;
  start = top;
  end = chunk + bytes - SLACK;
  const block = top;
  top = block + ((<usize>size + 7) & ~7);
  return block;
}

/** Uses some of the stack, so that what follows cannot be what uses it up. Traps where none is left. */
function probe(depth: i32): i32 {
  return depth ? probe(depth - 1) + 1 : 0;
}

/** As probe: before anything is changed from within an author's code. */
export function probeStack(): void {
  probe(PROBE_DEPTH);
}

/** A length of a text or an array, in units of any size, if a command may have as many bytes. */
export function boundedLength(units: u64): usize {
  if (units > <u64>COMMAND_BYTES_MAX) failTooMuch();
  return <usize>units;
}

function failTooMuch(): void {
  line(changetype<usize>("ERR the command takes more than 64 MiB of memory"));
  failLine();
}

function freeChunks(): void {
  beginChange();
  for (let index: u32 = 0; index < chunkCount; index++) {
    const chunk = chunks + ((<usize>index) << 3);
    free(<usize>load<u32>(chunk), load<u32>(chunk, 4));
  }
  chunkCount = 0;
  chunkBytes = 0;
  endChange();
  end = baseEnd;
  start = baseStart;
}
