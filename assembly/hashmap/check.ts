/** `CUSTOM.CHECK`: whether table, heap and counters of the storage hold together. */
import { checkBytes, checkStructures, entryMemory } from "../check";
import { OK } from "../frame";
import { table } from "./store";

/** `CUSTOM.CHECK` → `+OK`, or `-ERR broken: <invariant>`. O(entries + pages): for diagnostics. */
export function commandCheck(argc: i32, argv: usize): u64 {
  checkStructures(table);
  let bytes: u64 = 0;
  let cursor: u64 = 0;
  do {
    table.seek(cursor);
    for (let entry = table.next(); entry; entry = table.next()) bytes += entryMemory(entry);
    cursor = table.cursor;
  } while (cursor);
  checkBytes(table, bytes);
  return OK;
}
