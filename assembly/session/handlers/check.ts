/** `SESSION.CHECK`: whether sessions, users, their data, the queue of deadlines, heap and counters hold together. */
import { checkBytes, checkStructures, entryMemory, failBroken } from "../../base/check";
import { OK } from "../../base/frame";
import { wheel } from "../store/expiry";
import { checkFields, fieldsMemory, waitingMemory } from "../store/fields";
import { isKey } from "../ids/ids";
import {
  accessedOf,
  beforeOldId,
  createdOf,
  expiresOf,
  fieldsOf,
  idLengthOf,
  idOf,
  isExpiring,
  isOldId,
  newerOf,
  nextOldId,
  nodeOf,
  oldIds,
  oldIdsOf,
  olderOf,
  ownerOf,
  recordOfNode,
  sessionOfOldId,
  table,
  untilOf,
} from "../store/records";
import { releaseScratch } from "../texts/scratch";
import { beginCommand } from "../sessions";
import { isTime } from "../texts/time";
import { countOf, newestOf, users } from "../store/users";
import { ID_SIZE, isId } from "../ids/uuid";

/** Bytes of the heap, entries queued, old ids, and sessions that users have: counted on the way. */
let bytes: u64 = 0;
let queued: u32 = 0;
let olds: u32 = 0;
let owned: u32 = 0;

/** `SESSION.CHECK` → `+OK`, or `-ERR broken: <invariant>`. O(bytes + pages): for diagnostics. */
export function commandCheck(argc: i32, argv: usize): u64 {
  beginCommand();
  releaseScratch();
  bytes = users.memoryUsed() + waitingMemory();
  queued = olds = owned = 0;
  checkStructures(table);
  if (users.count && users.check()) failBroken(changetype<usize>("the table of users"));
  checkRecords();
  checkUsers();
  if (olds != oldIds) failBroken(changetype<usize>("the number of old ids"));
  if (owned != table.count - oldIds) failBroken(changetype<usize>("the number of the users' sessions"));
  if (wheel.count != queued || (queued && wheel.check())) failBroken(changetype<usize>("the queue of deadlines"));
  checkBytes(table, bytes);
  return OK;
}

function checkRecords(): void {
  let cursor: u64 = 0;
  do {
    table.seek(cursor);
    for (let record = table.next(); record; record = table.next()) {
      bytes += entryMemory(record);
      if (isOldId(record)) checkOldId(record);
      else checkSession(record);
    }
    cursor = table.cursor;
  } while (cursor);
}

function checkSession(record: usize): void {
  checkId(record);
  if (!isTime(createdOf(record)) || !isTime(accessedOf(record)) || !isTime(expiresOf(record))) {
    failBroken(changetype<usize>("a time of a session"));
  }
  if (!checkFields(fieldsOf(record))) failBroken(changetype<usize>("the data of a session"));
  bytes += fieldsMemory(fieldsOf(record));
  if (olderOf(newerOf(record)) != record || newerOf(olderOf(record)) != record) failBroken(changetype<usize>("a user's ring of sessions"));
  if (ownerOf(olderOf(record)) != ownerOf(record) || !users.slotOf(ownerOf(record))) failBroken(changetype<usize>("the user of a session"));
  if (isExpiring(record)) checkNode(record);
  let before: usize = 0;
  for (let old = oldIdsOf(record); old; old = nextOldId(old)) {
    if (sessionOfOldId(old) != record || beforeOldId(old) != before) failBroken(changetype<usize>("the old ids of a session"));
    before = old;
    olds++;
  }
}

/** That it is one of its session's is counted by that. */
function checkOldId(record: usize): void {
  checkId(record);
  if (!isTime(untilOf(record)) || !table.slotOf(sessionOfOldId(record))) failBroken(changetype<usize>("an old id of a session"));
  checkNode(record);
}

function checkId(record: usize): void {
  const length = idLengthOf(record);
  if (length == ID_SIZE ? !isId(idOf(record)) : !isKey(idOf(record), length)) failBroken(changetype<usize>("an id of a session"));
}

function checkNode(record: usize): void {
  queued++;
  const node = nodeOf(record);
  if (recordOfNode(node) != record || load<u32>(<usize>load<u32>(node, 4)) != <u32>node)
    failBroken(changetype<usize>("a deadline of a session"));
}

function checkUsers(): void {
  let cursor: u64 = 0;
  do {
    users.seek(cursor);
    for (let user = users.next(); user; user = users.next()) {
      bytes += entryMemory(user);
      let session = newestOf(user);
      for (let left = countOf(user); left; left--) {
        if (ownerOf(session) != user) failBroken(changetype<usize>("a session of a user"));
        session = olderOf(session);
      }
      if (!countOf(user) || session != newestOf(user)) failBroken(changetype<usize>("the number of a user's sessions"));
      owned += countOf(user);
    }
    cursor = users.cursor;
  } while (cursor);
}

/** Bytes of the heap that a session takes, its data included; not those of the tables. O(fields). */
export function sessionMemory(record: usize): u64 {
  return entryMemory(record) + fieldsMemory(fieldsOf(record));
}
