/**
 * While `committing` is set, heap, table or records are being changed and are not consistent: the host lets
 * no time limit strike, and a trap marks the module as damaged. It covers allocation, the commit itself with
 * the effects and signals that it queues, so that what is replicated is done, and compaction; nothing that
 * may fail or call another module happens meanwhile.
 */
export let committing: bool = false;

/** Begins a change. */
// prettier-ignore
@inline
export function beginChange(): void {
  committing = true;
}

/** Ends a change: all is consistent again. */
// prettier-ignore
@inline
export function endChange(): void {
  committing = false;
}
