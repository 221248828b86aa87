/** Compaction (compact.ts) of the entries of a tree. */
import { sizeOf } from "../entry";
import { allocMovable, free } from "../heap";
import { Tree } from "./tree";

/**
 * What `relocate` does for an entry of this tree: copies it and has the tree name the copy, whose address it
 * answers. The old block is still readable, and compact's to free. O(log entries + length).
 * @returns 0, nothing changed: the tree does not hold it, or there is no memory
 */
export function moveEntry(tree: Tree, block: usize): usize {
  const size = sizeOf(block);
  const target = allocMovable(size);
  if (!target) return 0;
  memory.copy(target, block, <usize>size);
  if (tree.moved(block, target)) return target;
  free(target, size);
  return 0;
}
