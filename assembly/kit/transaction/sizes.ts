/** What the running command changes the sizes of hash tables by. */
import { count, Pending } from "./pending";

/** Bytes of a number for each of 64 tables. */
const SIZES_BYTES: usize = 256;
const sizes: usize = memory.data(256, 4);

/** Forgets all changes: before the records are forgotten. */
// prettier-ignore
@inline
export function forgetSizes(): void {
  if (count) memory.fill(sizes, 0, SIZES_BYTES);
}

/** Gives a record another weight. */
export function changeSize(table: u32, record: Pending, weight: i32): void {
  const place = sizes + ((<usize>table) << 2);
  store<i32>(place, load<i32>(place) + weight - record.weight);
  record.weight = weight;
}

/** By how many entries the table will be larger. */
export function sizeChange(table: u32): i32 {
  return load<i32>(sizes + ((<usize>table) << 2));
}
