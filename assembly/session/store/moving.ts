/** Records and users at other addresses: compaction, and what points to a session that has moved. */
import { moveEntry } from "../../base/storage/table/move";
import { compact } from "../../base/compaction";
import { chain } from "./old-ids";
import { wheel } from "./queue";
import { asOldId, asSession, isExpiring, isOldId, nodeOf } from "./record";
import { table } from "./table";
import { relocateUser, setFirst } from "./users";

/** Ends every write that stored `written` bytes: see compact. O(1). */
export function compactRecords(written: u32): bool {
  return compact(load<i32>(changetype<usize>(relocate)), written);
}

/** Moves a session, an old id or a user; the address of the copy, 0 when it stays. */
function relocate(block: usize): usize {
  const moved = moveEntry(table, block);
  if (!moved) return relocateUser(block);
  if (isOldId(moved)) {
    wheel.moved(nodeOf(block), nodeOf(moved));
    chain(moved);
  } else {
    movedSession(block, moved);
  }
  return moved;
}

/** Makes all that points to a session point to its copy. O(old ids). */
export function movedSession(from: usize, to: usize): void {
  const session = asSession(to);
  if (session.newer == from) {
    session.newer = to;
    session.older = to;
  } else {
    asSession(session.newer).older = to;
    asSession(session.older).newer = to;
  }
  setFirst(session.user, from, to);
  for (let old = session.oldIds; old; old = asOldId(old).next) asOldId(old).session = to;
  if (isExpiring(from)) wheel.moved(nodeOf(from), nodeOf(to));
}
