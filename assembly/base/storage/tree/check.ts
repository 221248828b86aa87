/** Whether a tree holds together: for diagnostics. */
import { equal } from "../bytes";
import { keyLength, keyOf } from "../entry";
import { BELOW, headOf, order, ORDER_MASK } from "./keys";
import { Inner, INNER_MAX } from "./inner";
import { Leaf, LEAF_MAX } from "./leaf";
import { INNER_FEW, LEAF_FEW, Tree } from "./tree";

/** The leaf before the one that is looked at, 0: none. */
let before: Leaf = changetype<Leaf>(0);

/**
 * Walks the whole tree. O(entries).
 * @returns 0, or the first invariant that does not hold, a literal
 */
export function checkTree(tree: Tree): usize {
  if (!tree.root) return tree.count | tree.height ? changetype<usize>("the number of entries") : 0;
  before = changetype<Leaf>(0);
  const broken = checkBelow(tree, tree.root, tree.height, true);
  if (broken) return broken;
  if (before.next) return changetype<usize>("the links of leaves");
  if (tree.height && changetype<Inner>(tree.root).count < 2) return changetype<usize>("the children of a node");
  return countBelow(tree.root, tree.height) == tree.count ? 0 : changetype<usize>("the number of entries");
}

/** Checks a node and all below it; the last one of its level may have few entries or children. */
function checkBelow(tree: Tree, node: usize, level: u32, isLast: bool): usize {
  if (!level) return checkLeaf(changetype<Leaf>(node), isLast);
  const inner = changetype<Inner>(node);
  const count = inner.count;
  if (!count || count > INNER_MAX || (!isLast && count < INNER_FEW)) return changetype<usize>("the children of a node");
  for (let index: u32 = 0; index < count; index++) {
    const child = inner.child(index);
    const least = inner.least(index);
    if (least != leastOf(child, level - 1)) return changetype<usize>("the least entry of a node");
    if (inner.size(index) != countBelow(child, level - 1)) return changetype<usize>("the count of a node");
    if (!sharesPrefix(inner.least(0), least, inner.prefix)) return changetype<usize>("the prefix of a node");
    if (inner.headKept(index) != headOf(least, inner.prefix)) return changetype<usize>("a head of a node");
    const broken = checkBelow(tree, child, level - 1, isLast && index + 1 == count);
    if (broken) return broken;
  }
  for (let index = count; index < 64; index++) {
    if (inner.headKept(index) != 0xffffffff) return changetype<usize>("a head of a node");
  }
  return 0;
}

function checkLeaf(leaf: Leaf, isLast: bool): usize {
  const count = leaf.count;
  if (!count || count > LEAF_MAX || (!isLast && count < LEAF_FEW)) return changetype<usize>("the entries of a leaf");
  if (leaf.previous != before || (before && before.next != leaf)) return changetype<usize>("the links of leaves");
  if (before && !isAscending(before.entry(before.count - 1), leaf.entry(0))) return changetype<usize>("the order of entries");
  before = leaf;
  for (let index: u32 = 0; index < count; index++) {
    const entry = leaf.entry(index);
    if (index && !isAscending(leaf.entry(index - 1), entry)) return changetype<usize>("the order of entries");
    if (!sharesPrefix(leaf.entry(0), entry, leaf.prefix)) return changetype<usize>("the prefix of a leaf");
    if (leaf.tag(index) != leaf.tagFor(keyOf(entry), keyLength(entry))) return changetype<usize>("a tag of a leaf");
  }
  return 0;
}

function isAscending(entry: usize, next: usize): bool {
  return (order(entry, keyOf(next), keyLength(next), 0) & ORDER_MASK) == BELOW;
}

function sharesPrefix(entry: usize, other: usize, prefix: u32): bool {
  if (keyLength(entry) < prefix || keyLength(other) < prefix) return false;
  return equal(keyOf(entry), keyOf(other), prefix);
}

function leastOf(node: usize, level: u32): usize {
  return level ? changetype<Inner>(node).least(0) : changetype<Leaf>(node).entry(0);
}

function countBelow(node: usize, level: u32): u32 {
  return level ? changetype<Inner>(node).total : changetype<Leaf>(node).count;
}
