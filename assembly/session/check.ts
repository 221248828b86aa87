/** `SESSION.CHECK`: whether sessions, their data, heap and counters hold together. */
import { checkBytes, checkStructures, entryMemory, failBroken } from "../check";
import { OK } from "../frame";
import { checkFields, fieldsMemory } from "./fields";
import { accessedOf, createdOf, fieldsOf, idOf, releasePending, table } from "./records";
import { releaseScratch } from "./scratch";
import { isTime } from "./time";
import { isId } from "./uuid";

/** `SESSION.CHECK` → `+OK`, or `-ERR broken: <invariant>`. O(bytes + pages): for diagnostics. */
export function commandCheck(argc: i32, argv: usize): u64 {
  releasePending();
  releaseScratch();
  checkStructures(table);
  let bytes: u64 = 0;
  let cursor: u64 = 0;
  do {
    table.seek(cursor);
    for (let record = table.next(); record; record = table.next()) {
      checkRecord(record);
      bytes += entryMemory(record) + fieldsMemory(fieldsOf(record));
    }
    cursor = table.cursor;
  } while (cursor);
  checkBytes(table, bytes);
  return OK;
}

function checkRecord(record: usize): void {
  if (!isId(idOf(record))) failBroken(changetype<usize>("an id of a session"));
  if (!isTime(createdOf(record)) || !isTime(accessedOf(record))) failBroken(changetype<usize>("a time of a session"));
  if (!checkFields(fieldsOf(record))) failBroken(changetype<usize>("the data of a session"));
}
