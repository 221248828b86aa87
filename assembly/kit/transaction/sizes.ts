/** What the running command changes the sizes of hash tables by. */
import { Pending } from "./pending";

/** A number for each of 64 tables. */
const sizes: usize = memory.data(256, 4);

/** A bit for each table whose number was changed. */
let changed: u64 = 0;

/** Forgets all changes. */
// prettier-ignore
@inline
export function forgetSizes(): void {
  for (; changed; changed &= changed - 1) store<i32>(sizes + (<usize>ctz(changed) << 2), 0);
}

/** Gives a record another weight. */
export function changeSize(table: u32, record: Pending, weight: i32): void {
  const place = sizes + ((<usize>table) << 2);
  store<i32>(place, load<i32>(place) + weight - record.weight);
  changed |= (<u64>1) << table;
  record.weight = weight;
}

/** By how many entries the table will be larger. */
export function sizeChange(table: u32): i32 {
  return load<i32>(sizes + ((<usize>table) << 2));
}
