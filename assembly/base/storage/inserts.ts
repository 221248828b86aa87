/** Who is told of every entry that a table or tree takes. */

/** The function, by its index in the table of functions; 0: none. */
let observer: i32 = 0;

/**
 * Names the function `(owner: usize, hash: u64, entry: usize) => void` that is called before an entry whose
 * key `owner` does not hold is put in: the address of a table, or of a tree, where the hash is 0. It runs
 * inside the change that the insert belongs to, may allocate, and cannot fail. 0: nobody is told.
 */
export function observeInserts(index: i32): void {
  observer = index;
}

// prettier-ignore
@inline
export function tellInsert(owner: usize, hash: u64, entry: usize): void {
  if (observer) call_indirect<void>(observer, owner, hash, entry);
}
