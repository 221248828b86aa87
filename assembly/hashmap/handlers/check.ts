/** `CUSTOM.CHECK`: whether table, heap and counters of the storage hold together. */
import { deadlineOf, nodeOf } from "../../base/storage/entry";
import { checkBytes, checkStructures, entryMemory, failBroken } from "../../base/check";
import { OK } from "../../base/frame";
import { leavingBytes, table, wheel } from "../store/entries";

/** `CUSTOM.CHECK` → `+OK`, or `-ERR broken: <invariant>`. O(entries + pages): for diagnostics. */
export function commandCheck(argc: i32, argv: usize): u64 {
  checkStructures(table);
  checkDeadlines();
  let bytes: u64 = leavingBytes();
  for (let entry = table.firstOfAll(); entry; entry = table.nextOfAll()) bytes += entryMemory(entry);
  checkBytes(table, bytes);
  return OK;
}

/** Checks the wheel, and that its nodes are those of the entries that have a deadline. O(entries). */
function checkDeadlines(): void {
  if (!wheel.count && !table.count) return;
  if (wheel.check()) failBroken(changetype<usize>("the wheel of deadlines"));
  let count: u32 = 0;
  for (let entry = table.firstOfAll(); entry; entry = table.nextOfAll()) {
    if (!deadlineOf(entry)) continue;
    if (!wheel.holds(nodeOf(entry))) failBroken(changetype<usize>("a deadline that is not in the wheel"));
    count++;
  }
  if (count != wheel.count) failBroken(changetype<usize>("the number of deadlines"));
}
