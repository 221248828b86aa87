/**
 * The commit of a write: the steps that cannot fail, after everything has been allocated, called and queued. While `committing` is set the
 * host lets no time limit strike; a trap meanwhile marks the module as damaged.
 */
export let committing: bool = false;

// prettier-ignore
@inline
export function beginCommit(): void {
  committing = true;
}

// prettier-ignore
@inline
export function endCommit(): void {
  committing = false;
}
