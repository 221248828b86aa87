/**
 * `SESSION.CHECK`: whether sessions, users, their data, the queue of deadlines, heap and counters hold
 * together.
 */
import { keyLength, keyOf } from "../../base/storage/entry";
import { checkTable } from "../../base/storage/table/check";
import { checkBytes, checkStructures, entryMemory, failBroken } from "../../base/check";
import { OK } from "../../base/frame";
import { isKey } from "../ids/ids";
import { checkFields, fieldsMemory } from "../store/fields/fields";
import { waitingMemory } from "../store/fields/tabled";
import { oldIds } from "../store/old-ids";
import { wheel } from "../store/queue";
import { asOldId, asSession, expiresOf, isExpiring, isOldId, nodeOf, recordOfNode } from "../store/record";
import { beginCommand } from "../store/records";
import { table } from "../store/table";
import { asUser, users } from "../store/users";
import { releaseScratch } from "../texts/scratch";
import { isTime } from "../texts/time";

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
  if (users.count && checkTable(users)) failBroken(changetype<usize>("the table of users"));
  checkRecords();
  checkUsers();
  if (olds != oldIds) failBroken(changetype<usize>("the number of old ids"));
  if (owned != table.count - oldIds) failBroken(changetype<usize>("the number of the users' sessions"));
  if (wheel.count != queued || (queued && wheel.check())) failBroken(changetype<usize>("the queue of deadlines"));
  checkBytes(table, bytes);
  return OK;
}

function checkRecords(): void {
  for (let record = table.firstOfAll(); record; record = table.nextOfAll()) {
    bytes += entryMemory(record);
    if (isOldId(record)) checkOldId(record);
    else checkSession(record);
  }
}

function checkSession(record: usize): void {
  checkId(record);
  if (!isTime(asSession(record).created) || !isTime(asSession(record).accessed) || !isTime(expiresOf(record))) {
    failBroken(changetype<usize>("a time of a session"));
  }
  if (!checkFields(asSession(record).fields)) failBroken(changetype<usize>("the data of a session"));
  bytes += fieldsMemory(asSession(record).fields);
  if (asSession(asSession(record).newer).older != record || asSession(asSession(record).older).newer != record)
    failBroken(changetype<usize>("a user's ring of sessions"));
  if (asSession(asSession(record).older).user != asSession(record).user || !users.slotOf(asSession(record).user))
    failBroken(changetype<usize>("the user of a session"));
  if (isExpiring(record)) checkNode(record);
  let before: usize = 0;
  for (let old = asSession(record).oldIds; old; old = asOldId(old).next) {
    if (asOldId(old).session != record || asOldId(old).back != before) failBroken(changetype<usize>("the old ids of a session"));
    before = old;
    olds++;
  }
}

/** That it is one of its session's is counted by that. */
function checkOldId(record: usize): void {
  checkId(record);
  if (!isTime(asOldId(record).until) || !table.slotOf(asOldId(record).session)) failBroken(changetype<usize>("an old id of a session"));
  checkNode(record);
}

function checkId(record: usize): void {
  if (!isKey(keyOf(record), keyLength(record))) failBroken(changetype<usize>("an id of a session"));
}

function checkNode(record: usize): void {
  queued++;
  const node = nodeOf(record);
  if (recordOfNode(node) != record || !wheel.holds(node)) failBroken(changetype<usize>("a deadline of a session"));
}

function checkUsers(): void {
  for (let owner = users.firstOfAll(); owner; owner = users.nextOfAll()) {
    bytes += entryMemory(owner);
    const user = asUser(owner);
    let record = user.newest;
    for (let left = user.count; left; left--) {
      if (asSession(record).user != owner) failBroken(changetype<usize>("a session of a user"));
      record = asSession(record).older;
    }
    if (!user.count || record != user.newest) failBroken(changetype<usize>("the number of a user's sessions"));
    owned += user.count;
  }
}

/** Bytes of the heap that a session takes, its data included; not those of the tables. O(fields). */
export function sessionMemory(record: usize): u64 {
  return entryMemory(record) + fieldsMemory(asSession(record).fields);
}
