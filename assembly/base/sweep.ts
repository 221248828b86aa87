/**
 * What a step of the sweep counts, so that each takes about as long, whatever it reclaims: a cost in units of
 * some 60 ns on a processor.
 */

/** What a step costs at most, but for the last thing that it does: as much as 64 small entries. */
export const STEP_COST: u32 = 1024;
/** Going on to another slot of the wheel. */
export const DEALT_COST: u32 = 4;
/** log2 of the bytes that are freed at the cost of 1. */
const BYTES_BITS: u64 = 13;

/** What freeing so many bytes costs. */
// prettier-ignore
@inline
export function bytesCost(bytes: u64): u32 {
  return <u32>(bytes >> BYTES_BITS);
}
