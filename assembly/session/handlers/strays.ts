/**
 * `SESSION.STRAYS`: sessions that cannot move with their user's cluster slot, since they were made outside of
 * cluster mode.
 */
import { keyLength, keyOf } from "../../base/storage/entry";
import { argument, argumentLength, REPLIED } from "../../base/frame";
import { failPositive, failSyntax, integerOf, isWord } from "../../base/parse";
import { redis } from "../../base/redis";
import { slotOf } from "../../base/slots";
import { asOldId, asSession, idText } from "../store/record";
import { beginCommand } from "../store/records";
import { asUser, users } from "../store/users";

/** Ids that are named unless COUNT says another number. */
const COUNT: i64 = 100;
/** How many ids are still to be named, and how many strays there were. */
let naming: i64 = 0;
let found: u64 = 0;

/** `SESSION.STRAYS [COUNT n]` → how many there are, and an array of some of their ids. O(sessions). */
export function commandStrays(argc: i32, argv: usize): u64 {
  const most = argc ? countAt(argc, argv) : COUNT;
  beginCommand();
  const count = countStrays();
  redis.ReplyWithArray(2);
  redis.ReplyWithLongLong(count);
  redis.ReplyWithArray(min<i64>(most, count));
  naming = min<i64>(most, count);
  if (naming) walkAll();
  return REPLIED;
}

function countAt(argc: i32, argv: usize): i64 {
  if (argc != 2 || !isWord(argument(argv, 0), argumentLength(argv, 0), changetype<usize>("COUNT"))) failSyntax();
  const count = integerOf(argument(argv, 1), argumentLength(argv, 1));
  if (count < 0) failPositive();
  return count;
}

/** How many ids of sessions, old ones in grace too, lie in another slot than their user. O(sessions). */
export function countStrays(): u64 {
  naming = 0;
  walkAll();
  return found;
}

/** Counts all strays, and names them until enough are named. */
function walkAll(): void {
  found = 0;
  for (let owner = users.firstOfAll(); owner; owner = users.nextOfAll()) {
    const slot = slotOf(keyOf(owner), keyLength(owner));
    let record = asUser(owner).newest;
    for (let left = asUser(owner).count; left; left--) {
      look(record, slot);
      for (let old = asSession(record).oldIds; old; old = asOldId(old).next) look(old, slot);
      record = asSession(record).older;
    }
  }
}

function look(record: usize, slot: u32): void {
  const id = idText(record);
  if (slotOf(id.start, id.length) == slot) return;
  found++;
  if (!naming) return;
  naming--;
  redis.ReplyWithStringBuffer(id.start, id.length);
}
