/**
 * What the running command is about to change: one record for each entry, whatever was done to it, in the
 * arena. Nothing of it is seen outside until the commit.
 *
 *     ENTRY      an entry that is put, deleted or given another deadline
 *     HEAD       the deadline of all entries in a key
 *     CLEARED    all entries in a key, or of a table that are in none, as they were before, are gone
 *     EXTERNAL   a write of another module: external.ts
 *     SIGNAL     a key that WATCH, tracking and subscribers know; those above name theirs
 *
 * Few records are searched one by one, more by their hashes.
 */
import { copy, equal } from "../../base/storage/bytes";
import { hashOf } from "../store/tables";
import { take } from "../memory/arena";

export const ENTRY: u32 = 0;
export const HEAD: u32 = 1;
export const CLEARED: u32 = 2;
export const SIGNAL: u32 = 3;
export const EXTERNAL: u32 = 4;

/** Nothing is to be done: the record only hides what was done before it was cleared. */
export const VOID: u32 = 0;
export const PUT: u32 = 1;
export const DELETED: u32 = 2;
/** Another deadline, the value as it is. */
export const TIMED: u32 = 3;


@unmanaged
export class Pending {
  key: usize;
  keyLength: u32;
  kind: u32;
  state: u32;
  hash: u64;
  /** The number of its schema and the value. */
  value: usize;
  valueLength: u32;
  /** Unix ms, 0: none. */
  deadline: i64;
  /** The stored entry or head with this key, 0: none; whether it has expired or is hidden or not. */
  stored: usize;
  /** What the commit has made for it. */
  made: usize;
  /** The record of the key that it belongs to. */
  signal: Pending;
  /** Of a SIGNAL: where its slot comes among the command's effects. */
  slot: u32;
  /** Of a SIGNAL: whether whoever watches the key is told. */
  isTold: bool;
  /** Whether the commit writes the value where the old one was. */
  inPlace: bool;
  /** The next one, in the order in which they came; the next one with a like hash. */
  next: Pending;
  chain: Pending;
  /** Of an ENTRY in the tree: ordered.ts. */
  left: Pending;
  right: Pending;
  priority: u32;
  weight: i32;
  sum: i32;
}

/** Whether there is an entry, as the record has it. */
// prettier-ignore
@inline
export function isSeen(record: Pending): bool {
  return record.state == PUT || record.state == TIMED;
}

/** Records that are searched one by one. */
const LISTED_MAX: u32 = 8;

export let first: Pending = changetype<Pending>(0);
let last: Pending = changetype<Pending>(0);
export let count: u32 = 0;
/** How many of them are CLEARED. */
export let clearedCount: u32 = 0;
/** Bytes of all keys and values, for the size of effects. */
export let bytes: u64 = 0;
let buckets: usize = 0;
let mask: u32 = 0;

/** Forgets all records: they are gone with the arena. */
// prettier-ignore
@inline
export function forgetPending(): void {
  if (!count) return;
  first = changetype<Pending>(0);
  last = changetype<Pending>(0);
  count = 0;
  clearedCount = 0;
  bytes = 0;
  buckets = 0;
  mask = 0;
}

/** The record of this kind and key; null: there is none. */
export function findPending(kind: u32, key: usize, length: u32): Pending {
  if (buckets) return findFiled(kind, key, length, hashOf(key, length));
  for (let at = first; changetype<usize>(at); at = at.next) {
    if (at.kind == kind && at.keyLength == length && equal(at.key, key, length)) return at;
  }
  return changetype<Pending>(0);
}

function findFiled(kind: u32, key: usize, length: u32, hash: u64): Pending {
  let at = changetype<Pending>(<usize>load<u32>(buckets + ((<usize>((<u32>hash) & mask)) << 2)));
  while (changetype<usize>(at)) {
    if (at.hash == hash && at.kind == kind && at.keyLength == length && equal(at.key, key, length)) return at;
    at = at.chain;
  }
  return changetype<Pending>(0);
}

/**
 * Adds a record whose key, which is copied, has none of this kind yet.
 * @param hash of the key, 0: it is not known
 */
export function addPending(kind: u32, key: usize, length: u32, hash: u64 = 0): Pending {
  const record = changetype<Pending>(take(offsetof<Pending>()));
  const kept = take(max(length, 1));
  if (count >= LISTED_MAX && count >= mask) index(max(64, (mask + 1) << 1));
  clear(changetype<usize>(record));
  copy(kept, key, length);
  record.key = kept;
  record.keyLength = length;
  record.kind = kind;
  record.hash = hash;
  if (count) last.next = record;
  else first = record;
  last = record;
  count++;
  bytes += <u64>length + 32;
  if (kind == CLEARED) clearedCount++;
  if (buckets) file(record);
  return record;
}

/** Sets a record to 0. */
// prettier-ignore
@inline
function clear(record: usize): void {
  if (offsetof<Pending>() != 88) ERROR("a record has other bytes than those that are cleared");
  const zero = i64x2.splat(0);
  v128.store(record, zero);
  v128.store(record, zero, 16);
  v128.store(record, zero, 32);
  v128.store(record, zero, 48);
  v128.store(record, zero, 64);
  store<u64>(record, 0, 80);
}

/** Counts the bytes of a value that a record was given, or of what it says beside its key. */
// prettier-ignore
@inline
export function countBytes(length: u32): void {
  bytes += length;
}

/** Files all records in so many buckets, a power of two. */
function index(size: u32): void {
  const made = take(size << 2);
  memory.fill(made, 0, (<usize>size) << 2);
  buckets = made;
  mask = size - 1;
  for (let at = first; changetype<usize>(at); at = at.next) file(at);
}

// prettier-ignore
@inline
function file(record: Pending): void {
  if (!record.hash) record.hash = hashOf(record.key, record.keyLength);
  const bucket = buckets + (<usize>((<u32>record.hash) & mask) << 2);
  record.chain = changetype<Pending>(<usize>load<u32>(bucket));
  store<u32>(bucket, <u32>changetype<usize>(record));
}
