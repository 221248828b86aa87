/** `<module>.CHECK`: whether tables, heads, deadlines and heap hold together. */
import { deadlineOf, keyLength, keyOf, kindOf, nodeOf } from "../../base/storage/entry";
import { heapCheck, usedBytes } from "../../base/storage/heap";
import { checkTable } from "../../base/storage/table/check";
import { Table } from "../../base/storage/table/table";
import { Cursor } from "../../base/storage/tree/cursor";
import { checkTree } from "../../base/storage/tree/check";
import { Inner, INNER_BYTES } from "../../base/storage/tree/inner";
import { LEAF_BYTES } from "../../base/storage/tree/leaf";
import { entryMemory, failBroken } from "../../base/check";
import { blockMemory } from "../../base/persistence";
import { heldBlocks } from "../memory/arena";
import { schemaBytes } from "./schemas";
import { indexBytes } from "./slot-index";
import { declared, hashTable, hasUnder, HEAD, heads, isInTree, prefixLength, storedCount, tableCount, tree, wheel } from "./tables";

const cursor: Cursor = changetype<Cursor>(memory.data(offsetof<Cursor>(), 8));
/** Bytes of all entries, and how many of them have a deadline. */
let bytes: u64 = 0;
let timed: u32 = 0;

/** Ends the command with the first invariant that does not hold. O(entries + pages). */
export function checkTables(): void {
  const heap = heapCheck();
  if (heap) failBroken(heap);
  if (!storedCount()) return;
  bytes = heldBlocks() + schemaBytes(declared) + blockMemory() + indexBytes() + (tree.root ? nodesBytes(tree.root, tree.height) : 0);
  timed = 0;
  for (let table: u32 = 0; table < tableCount(); table++) checkHash(hashTable(table), table);
  checkHash(heads, HEAD);
  const broken = checkTree(tree);
  if (broken) failBroken(broken);
  cursor.seekFirst(tree);
  for (let entry = cursor.next(); entry; entry = cursor.next()) {
    if (!isInTree(keyOf(entry))) failBroken(changetype<usize>("an entry is in the tree that belongs in a hash table"));
    checkEntry(entry);
  }
  if (wheel.check()) failBroken(changetype<usize>("the wheel of deadlines"));
  if (timed != wheel.count) failBroken(changetype<usize>("the number of deadlines"));
  if (bytes != usedBytes()) failBroken(changetype<usize>("blocks of the heap that nothing uses"));
}

/** Bytes of a node of the tree, and of all below it. */
function nodesBytes(node: usize, level: u32): u64 {
  if (!level) return LEAF_BYTES;
  const inner = changetype<Inner>(node);
  let sum: u64 = INNER_BYTES;
  for (let index: u32 = 0; index < inner.count; index++) sum += nodesBytes(inner.child(index), level - 1);
  return sum;
}

function checkHash(table: Table, number: u32): void {
  if (!table.count) {
    bytes += table.memoryUsed();
    return;
  }
  const broken = checkTable(table);
  if (broken) failBroken(broken);
  bytes += table.memoryUsed();
  for (let entry = table.firstOfAll(); entry; entry = table.nextOfAll()) {
    if (kindOf(entry) == HEAD) checkHead(entry);
    else if (<u32>load<u8>(keyOf(entry)) != number) failBroken(changetype<usize>("an entry is in another table's place"));
    checkEntry(entry);
  }
}

function checkEntry(entry: usize): void {
  bytes += entryMemory(entry);
  if (!deadlineOf(entry)) return;
  if (!wheel.holds(nodeOf(entry))) failBroken(changetype<usize>("a deadline that is not in the wheel"));
  timed++;
}

/** Checks that there are entries in the key of a head. */
function checkHead(head: usize): void {
  const prefix = keyOf(head);
  const length = keyLength(head);
  if (prefixLength(prefix) != length) failBroken(changetype<usize>("a head's key"));
  if (!deadlineOf(head)) failBroken(changetype<usize>("a head without a deadline"));
  if (!hasUnder(prefix, length)) failBroken(changetype<usize>("a head without entries"));
}
