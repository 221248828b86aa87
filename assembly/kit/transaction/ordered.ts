/**
 * The records of entries in the tree, in the order of their keys: a treap (Seidel, Aragon: "Randomized search
 * trees"). Each weighs what it will change the number of entries by, 1, 0 or -1, and knows the sum below it,
 * so that positions within the tree as it will be are found in O(log n).
 */
import { Pending } from "./pending";

let root: Pending = changetype<Pending>(0);
let seed: u32 = 0x9e3779b9;

/** Forgets all records. */
// prettier-ignore
@inline
export function forgetOrdered(): void {
  root = changetype<Pending>(0);
}

/** Whether there are any. */
// prettier-ignore
@inline
export function hasOrdered(): bool {
  return changetype<usize>(root) != 0;
}

/** Less than 0, 0 or more than 0: how two keys compare. */
export function compareKeys(one: usize, oneLength: u32, other: usize, otherLength: u32): i32 {
  const common = min(oneLength, otherLength);
  let at: u32 = 0;
  for (; at + 8 <= common; at += 8) {
    const left = load<u64>(one + <usize>at);
    const right = load<u64>(other + <usize>at);
    if (left != right) return bswap<u64>(left) < bswap<u64>(right) ? -1 : 1;
  }
  for (; at < common; at++) {
    const difference = <i32>load<u8>(one + <usize>at) - <i32>load<u8>(other + <usize>at);
    if (difference) return difference;
  }
  return oneLength < otherLength ? -1 : i32(oneLength > otherLength);
}

// prettier-ignore
@inline
function isBefore(record: Pending, key: usize, length: u32): bool {
  return compareKeys(record.key, record.keyLength, key, length) < 0;
}

/** Puts a record in that is not there, of weight 0. */
export function order(record: Pending): void {
  seed ^= seed << 13;
  seed ^= seed >> 17;
  seed ^= seed << 5;
  record.priority = seed;
  // Down to where its priority belongs; what lies below is split there.
  let at = rootPlace;
  let node = root;
  while (changetype<usize>(node) && node.priority >= record.priority) {
    at = isBefore(node, record.key, record.keyLength) ? rightPlace(node) : leftPlace(node);
    node = changetype<Pending>(<usize>load<u32>(at));
  }
  split(node, record);
  store<u32>(at, <u32>changetype<usize>(record));
  if (at == rootPlace) root = record;
}

/** Where the root is kept while `order` runs. */
const rootPlace: usize = memory.data(4, 4);

// prettier-ignore
@inline
function leftPlace(node: Pending): usize {
  return changetype<usize>(node) + offsetof<Pending>("left");
}

// prettier-ignore
@inline
function rightPlace(node: Pending): usize {
  return changetype<usize>(node) + offsetof<Pending>("right");
}

/** Splits what lies below `node` into what comes before the record, its left, and the rest, its right. */
function split(node: Pending, record: Pending): void {
  let left = leftPlace(record);
  let right = rightPlace(record);
  store<u32>(left, 0);
  store<u32>(right, 0);
  const from = node;
  while (changetype<usize>(node)) {
    if (isBefore(node, record.key, record.keyLength)) {
      store<u32>(left, <u32>changetype<usize>(node));
      left = rightPlace(node);
      node = node.right;
      store<u32>(left, 0);
    } else {
      store<u32>(right, <u32>changetype<usize>(node));
      right = leftPlace(node);
      node = node.left;
      store<u32>(right, 0);
    }
  }
  if (changetype<usize>(from)) {
    addUp(record.left, true);
    addUp(record.right, false);
  }
  record.sum = record.weight + sumOf(record.left) + sumOf(record.right);
}

/**
 * Mends the sums along the path that split has cut: down the right side of the left part, or the other way
 * round.
 */
function addUp(node: Pending, isLeft: bool): i32 {
  if (!changetype<usize>(node)) return 0;
  addUp(isLeft ? node.right : node.left, isLeft);
  node.sum = node.weight + sumOf(node.left) + sumOf(node.right);
  return node.sum;
}

// prettier-ignore
@inline
function sumOf(node: Pending): i32 {
  return changetype<usize>(node) ? node.sum : 0;
}

/** Gives a record that is there another weight. */
export function weigh(record: Pending, weight: i32): void {
  const change = weight - record.weight;
  if (!change) return;
  record.weight = weight;
  for (let node = root; changetype<usize>(node);) {
    node.sum += change;
    if (node == record) return;
    node = isBefore(node, record.key, record.keyLength) ? node.right : node.left;
  }
}

/** What the records before this key weigh. */
export function weightBefore(key: usize, length: u32): i32 {
  let weight = 0;
  for (let node = root; changetype<usize>(node);) {
    if (isBefore(node, key, length)) {
      weight += node.weight + sumOf(node.left);
      node = node.right;
    } else {
      node = node.left;
    }
  }
  return weight;
}

/** The first record whose key is not before this one; null: there is none. */
export function firstFrom(key: usize, length: u32): Pending {
  let found = changetype<Pending>(0);
  for (let node = root; changetype<usize>(node);) {
    if (isBefore(node, key, length)) {
      node = node.right;
    } else {
      found = node;
      node = node.left;
    }
  }
  return found;
}

/** The last record whose key is before this one; null: there is none. */
export function lastBefore(key: usize, length: u32): Pending {
  let found = changetype<Pending>(0);
  for (let node = root; changetype<usize>(node);) {
    if (isBefore(node, key, length)) {
      found = node;
      node = node.right;
    } else {
      node = node.left;
    }
  }
  return found;
}

/** The record behind this one; null: it is the last. */
export function nextOf(record: Pending): Pending {
  let found = changetype<Pending>(0);
  for (let node = root; changetype<usize>(node);) {
    if (compareKeys(node.key, node.keyLength, record.key, record.keyLength) > 0) {
      found = node;
      node = node.left;
    } else {
      node = node.right;
    }
  }
  return found;
}
