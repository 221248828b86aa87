/**
 * The tables of a module, below what authors see: byte strings to byte strings.
 *
 *     key      | table u8 | 0 | own key |                       in the table's hash table, or in the tree
 *              | table u8 | n + 1 | the n bytes of the key it is in | own key |      in the tree
 *     value    | schema u8 | value |
 *
 * Entries of unsorted tables that are `in` no key lie in a hash table for each table; all others in one tree,
 * where those of a table, and of a key, stand side by side. n + 1 is LEB128.
 *
 * A head is what all entries `in` a key have in common, their deadline: an entry of its own, with the key
 * | table u8 | n + 1 | the n bytes |.
 */
import { create, createUntil, deadlineOf, destroy, keyLength, keyOf, kindOf, nodeOf, setDeadline } from "../../base/storage/entry";
import { carryHeap, heapReset } from "../../base/storage/heap";
import { Table } from "../../base/storage/table/table";
import { moveEntry } from "../../base/storage/table/move";
import { Cursor } from "../../base/storage/tree/cursor";
import { Tree } from "../../base/storage/tree/tree";
import { moveEntry as moveInTree } from "../../base/storage/tree/move";
import { Wheel, WHEEL_BYTES } from "../../base/storage/wheel";
import { carryBlock, forgetBlocks, reserveBlock } from "../../base/persistence";
import { beginChange, endChange } from "../../base/change";
import { isExpired } from "../../base/deadline";
import { equal } from "../../base/storage/bytes";
import { releaseIndex } from "../../base/slot-index";
import { compact } from "../../base/compaction";
import { redis } from "../../base/redis";
import { forgetChunks, take } from "../memory/arena";
import { carrySchemas, forgetSchemas, keepSchema, NONE, partAt, Schema, splitSchema, TABLES_MAX, widthOf } from "./schemas";
import { carryArea, carryWord } from "../../base/storage/carry";

/** What entries and heads are told apart by: the kind of an entry's value. */
export const ENTRY: u32 = 0;
export const HEAD: u32 = 1;

/** Bytes of a hash table's struct, at least. */
const TABLE_BYTES: u32 = 128;
const tables: usize = memory.data(8192, 16);
/** A byte for each table: whether it is sorted. */
const sorted: usize = memory.data(64);
/** A byte for each table: what its keys are, KeyKind. */
const keyKinds: usize = memory.data(64);

/** What an own key can be told as. */
export namespace KeyKind {
  /** Its bytes. */
  export const TEXT: u32 = 0;
  /** Decimal digits. */
  export const SIGNED: u32 = 1;
  export const UNSIGNED: u32 = 2;
  /** The name of its table. */
  export const OTHER: u32 = 3;
}

/** What the own keys of a table are. */
// prettier-ignore
@inline
export function keyKind(table: u32): u32 {
  return <u32>load<u8>(keyKinds + <usize>table);
}

function noteKind(table: u32, schema: usize, length: u32): void {
  splitSchema(schema, length, parts);
  const type = partAt(parts, 2);
  const first = load<u8>(type.at);
  const isNumber = widthOf(type.at, type.length) != 0;
  const kind = first == 0x69 ? KeyKind.SIGNED : first == 0x75 ? KeyKind.UNSIGNED : KeyKind.OTHER;
  const isText = !isNumber && first != 0x7b;
  store<u8>(keyKinds + <usize>table, isText ? KeyKind.TEXT : isNumber ? kind : KeyKind.OTHER);
}

const parts: usize = memory.data(32, 4);
/** Tables that the module declares, and those beyond them that it holds data of. */
export let declared: u32 = 0;
let undeclared: u32 = 0;

/** All entries that are in no hash table. */
export const tree: Tree = changetype<Tree>(memory.data(offsetof<Tree>(), 16));
/** All heads. */
export const heads: Table = changetype<Table>(memory.data(offsetof<Table>(), 16));
/** The nodes of all entries and heads that have a deadline. */
export const wheel: Wheel = changetype<Wheel>(memory.data(WHEEL_BYTES, 16));
const hashKey: usize = memory.data(16, 8);
let isPrepared: bool = false;

/** Tables in all. */
// prettier-ignore
@inline
export function tableCount(): u32 {
  return declared + undeclared;
}

/** Declares a table, while the module starts; its number. */
export function declareTable(isSorted: bool, schema: usize, length: u32): u32 {
  if (offsetof<Table>() > TABLE_BYTES || declared == TABLES_MAX) unreachable();
  const number = declared++;
  store<u8>(sorted + <usize>number, isSorted);
  noteKind(number, schema, length);
  keepSchema(number, take(offsetof<Schema>() + length), schema, length, number, true);
  return number;
}

/** Adds a table that data has come for and that the module does not declare; NONE: there are too many. */
export function addTable(isSorted: bool, schema: usize, length: u32): u32 {
  if (tableCount() == TABLES_MAX) return NONE;
  const number = declared + undeclared++;
  store<u8>(sorted + <usize>number, isSorted);
  noteKind(number, schema, length);
  initTable(hashTable(number));
  return number;
}

/** Whether the table of this number is sorted. */
// prettier-ignore
@inline
export function isSorted(table: u32): bool {
  return load<u8>(sorted + <usize>table) != 0;
}

/** The hash table of a table that has this number. */
// prettier-ignore
@inline
export function hashTable(table: u32): Table {
  return changetype<Table>(tables + <usize>(table * TABLE_BYTES));
}

/** Whether an entry with this key lies in the tree. */
// prettier-ignore
@inline
export function isInTree(key: usize): bool {
  return load<u8>(key, 1) != 0 || isSorted(load<u8>(key));
}

/** The number of the table whose hash table this is. */
// prettier-ignore
@inline
export function numberOf(table: usize): u32 {
  return <u32>(table - tables) / TABLE_BYTES;
}

/** Gives a hash table the hash key of all. */
export function initTable(table: Table): void {
  table.init(load<u64>(hashKey), load<u64>(hashKey, 8));
}

/** Gets ready to hold entries. False where there is no memory. */
export function prepare(): bool {
  if (!isPrepared) {
    redis.GetRandomBytes(hashKey, 16);
    for (let table: u32 = 0; table < tableCount(); table++) initTable(hashTable(table));
    initTable(heads);
    tree.init();
    wheel.init();
    isPrepared = true;
  }
  return reserveBlock();
}

/** The hash of a key, the same in all tables. */
// prettier-ignore
@inline
export function hashOf(key: usize, length: u32): u64 {
  return heads.hashOf(key, length);
}

/** Drops everything at once. */
export function dropAll(): void {
  beginChange();
  releaseIndex();
  if (isPrepared) {
    for (let table: u32 = 0; table < tableCount(); table++) hashTable(table).forget();
    heads.forget();
    tree.forget();
    wheel.init();
  }
  isPrepared = false;
  heapReset();
  forgetBlocks();
  forgetChunks();
  forgetSchemas(declared);
  undeclared = 0;
  endChange();
}

// ── Looking up ─────────────────────────────────────────────────────────────────────────────────────────────

/**
 * The entry with this key, and this hash where it lies in a hash table, whether it has expired or not; 0:
 * there is none.
 */
// prettier-ignore
@inline
export function findStored(key: usize, length: u32, hash: u64): usize {
  if (!isPrepared) return 0;
  if (isInTree(key)) return tree.find(key, length);
  const table = hashTable(load<u8>(key));
  if (!table.count) return 0;
  const slot = table.lookup(key, length, hash);
  return slot ? <usize>load<u32>(slot) : 0;
}

/** Entries in all, and heads. */
export function storedCount(): u64 {
  if (!isPrepared) return 0;
  let count: u64 = <u64>tree.count + heads.count;
  for (let table: u32 = 0; table < tableCount(); table++) count += hashTable(table).count;
  return count;
}

/** Bytes of the part of a key before the own key. */
export function prefixLength(key: usize): u32 {
  let at = key + 1;
  let length: u32 = 0;
  for (let shift: u32 = 0; shift < 35; shift += 7) {
    const byte = <u32>load<u8>(at++);
    length |= (byte & 0x7f) << shift;
    if (byte < 0x80) break;
  }
  return <u32>(at - key) + (length ? length - 1 : 0);
}

/**
 * As prefixLength, of bytes that may be anything: 0 where they are no stored key. A length is written in as
 * few bytes as it needs, so that no two prefixes stand for the same owner.
 */
export function soundPrefix(key: usize, length: u32): u32 {
  let owner: u64 = 0;
  let at: u32 = 1;
  for (let shift: u32 = 0; shift < 35 && at < length; shift += 7) {
    const byte = <u32>load<u8>(key + <usize>at);
    at++;
    owner |= (<u64>(byte & 0x7f)) << shift;
    if (byte >= 0x80) continue;
    const end = <u64>at + (owner ? owner - 1 : 0);
    return (!byte && shift) || end > <u64>length ? 0 : <u32>end;
  }
  return 0;
}

/** Whether an entry's key begins with the prefix. */
export function isUnder(entry: usize, prefix: usize, length: u32): bool {
  return keyLength(entry) >= length && equal(keyOf(entry), prefix, length);
}

const cursor: Cursor = changetype<Cursor>(memory.data(offsetof<Cursor>(), 8));

/** Whether the tree has entries whose keys begin with the prefix. O(log entries). */
export function hasUnder(prefix: usize, length: u32): bool {
  cursor.seek(tree, prefix, length);
  const entry = cursor.next();
  return entry != 0 && isUnder(entry, prefix, length);
}

/**
 * Whether the tree has entries whose keys begin with the prefix that have not expired. O(those that have).
 */
export function hasLiveUnder(prefix: usize, length: u32): bool {
  cursor.seek(tree, prefix, length);
  for (let entry = cursor.next(); entry && isUnder(entry, prefix, length); entry = cursor.next()) {
    if (!isExpired(entry)) return true;
  }
  return false;
}

// ── Steps of a commit: inside a change ─────────────────────────────────────────────────────────────────────

/** A new entry or head that is nowhere yet; 0: no memory. */
export function make(key: usize, keyLength: u32, value: usize, length: u32, deadline: i64, kind: u32): usize {
  return deadline ? createUntil(key, keyLength, value, length, deadline, kind) : create(key, keyLength, value, length, kind);
}

/** Puts an entry in whose key is not there. False: no memory, it is the caller's still. */
export function insert(entry: usize, hash: u64): bool {
  const key = keyOf(entry);
  if (isInTree(key)) {
    if (!tree.insert(entry)) return false;
  } else {
    const table = hashTable(load<u8>(key));
    if (!table.reserve(hash)) return false;
    table.insert(hash, entry);
  }
  schedule(entry);
  return true;
}

/** As insert, of a head. */
export function insertHead(head: usize, hash: u64): bool {
  if (!heads.reserve(hash)) return false;
  heads.insert(hash, head);
  schedule(head);
  return true;
}

/** Puts an entry in the place of the one with its key, which is freed. Cannot fail. */
export function replace(old: usize, entry: usize, hash: u64): void {
  const key = keyOf(old);
  unschedule(old);
  if (isInTree(key)) {
    tree.replace(old, entry);
  } else {
    const table = hashTable(load<u8>(key));
    table.replace(table.lookup(key, keyLength(old), hash), entry);
  }
  schedule(entry);
  destroy(old);
}

/** Takes an entry out and frees it. Cannot fail. */
export function remove(entry: usize): void {
  const key = keyOf(entry);
  const length = keyLength(entry);
  unschedule(entry);
  if (isInTree(key)) {
    tree.remove(key, length);
  } else {
    const table = hashTable(load<u8>(key));
    const hash = table.hashOf(key, length);
    table.remove(table.lookup(key, length, hash), hash);
  }
  destroy(entry);
}

/** Takes a head out and frees it. Cannot fail. */
export function removeHead(head: usize): void {
  unschedule(head);
  const hash = heads.hashOf(keyOf(head), keyLength(head));
  heads.remove(heads.lookup(keyOf(head), keyLength(head), hash), hash);
  destroy(head);
}

/** Changes the deadline of an entry or head that has room for one, 0: none. */
export function reschedule(entry: usize, deadline: i64): void {
  unschedule(entry);
  setDeadline(entry, deadline);
  schedule(entry);
}

function schedule(entry: usize): void {
  const deadline = deadlineOf(entry);
  if (deadline) wheel.insert(nodeOf(entry), deadline);
}

function unschedule(entry: usize): void {
  if (deadlineOf(entry)) wheel.remove(nodeOf(entry));
}

/** Sets the clock of an empty wheel. Not inside a change. */
export function startWheel(): void {
  if (!wheel.count) wheel.take(redis.Milliseconds());
}

// ── Compaction ─────────────────────────────────────────────────────────────────────────────────────────────

/** Ends every write that stored `written` bytes. */
export function compactEntries(written: u32): bool {
  return isPrepared ? compact(load<i32>(changetype<usize>(relocate)), written) : false;
}

/** Compaction moves an entry or a head. */
function relocate(block: usize): usize {
  const entry = relocated(block);
  if (entry && deadlineOf(entry)) wheel.moved(nodeOf(block), nodeOf(entry));
  return entry;
}

function relocated(block: usize): usize {
  if (kindOf(block) == HEAD) return moveEntry(heads, block);
  const key = keyOf(block);
  if (keyLength(block) < 2 || load<u8>(key) >= <u8>tableCount()) return 0;
  return isInTree(key) ? moveInTree(tree, block) : moveEntry(hashTable(load<u8>(key)), block);
}

// ── Another file in the same memory ────────────────────────────────────────────────────────────────────────

/** What another file takes over in the same memory (base/storage/carry.ts), of the heap and of all tables. */
export function carryTables(): void {
  carrySchemas(declared);
  carryHeap();
  carryBlock();
  carryArea(tables, 8192);
  carryArea(sorted, 64);
  carryArea(keyKinds, 64);
  carryArea(changetype<usize>(tree), offsetof<Tree>());
  carryArea(changetype<usize>(heads), offsetof<Table>());
  carryArea(changetype<usize>(wheel), WHEEL_BYTES);
  carryArea(hashKey, 16);
  undeclared = carryWord<u32>(undeclared);
  isPrepared = carryWord<bool>(isPrepared);
}
