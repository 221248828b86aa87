/** The commands about deadlines. */
import { deadlineOf } from "../../base/storage/entry";
import { beginChange } from "../../base/change";
import { argument, argumentLength } from "../../base/frame";
import { redis } from "../../base/redis";
import { replyInteger } from "../../base/reply";
import { replicateExpire } from "../replication/effects";
import { Event } from "../replication/events";
import { findEntry, liveIn, startWheel, table } from "../store/entries";
import { changeDeadline, finishWrite, Outcome } from "../store/writes";
import { deleteSlot, deleteValue } from "../actions/values";
import { momentOf, SECONDS } from "./time";

/** `CUSTOM.EXPIRE key s` → `:1`, `:0` when absent. As expireIn. */
export function commandExpire(argc: i32, argv: usize): u64 {
  return expireAs(argv, SECONDS, changetype<usize>("custom.expire"));
}

/** `CUSTOM.PEXPIRE key ms` → `:1`, `:0` when absent. As expireIn. */
export function commandPexpire(argc: i32, argv: usize): u64 {
  return expireAs(argv, 0, changetype<usize>("custom.pexpire"));
}

function expireAs(argv: usize, form: u32, command: usize): u64 {
  const key = argument(argv, 0);
  const length = argumentLength(argv, 0);
  return replyInteger(expireIn(key, length, argument(argv, 1), argumentLength(argv, 1), form, command, true));
}

/**
 * Gives the key a deadline, so many seconds or ms from now as the text `time` says; whether it is there. One
 * that is not in the future deletes it. O(key), where there was no deadline also O(value).
 * @param own whether it replicates
 * Errors: `ERR value is not an integer or out of range`, `ERR invalid expire time in '<command>' command`,
 * `OOM …`, nothing changed.
 */
// prettier-ignore
export function expireIn(
  key: usize, length: u32, time: usize, timeLength: u32, form: u32, command: usize, own: bool,
): bool {
  const now = redis.Milliseconds();
  const deadline = momentOf(time, timeLength, form, now, false, command);
  const hash = table.hashOf(key, length);
  const slot = table.lookup(key, length, hash);
  if (!liveIn(slot)) return false;
  if (deadline <= now) {
    if (own) deleteSlot(slot, hash, key, length, false);
    else deleteValue(key, length, false);
  }  else {
    startWheel(now);
    setNow(slot, key, length, deadline, own);
  }
  return true;
}

function setNow(slot: usize, key: usize, length: u32, deadline: i64, own: bool): void {
  beginChange();
  const outcome = changeDeadline(slot, deadline);
  if (own && outcome != Outcome.NO_MEMORY) replicateExpire(key, length, deadline);
  finishWrite(outcome, deadline ? Event.EXPIRE : Event.PERSIST, key, length, length);
}

/**
 * `CUSTOM.PERSIST key` → `:1` when its deadline was taken away, `:0` when absent or without one. Needs no
 * memory. O(key + value).
 */
export function commandPersist(argc: i32, argv: usize): u64 {
  const key = argument(argv, 0);
  const length = argumentLength(argv, 0);
  const slot = table.lookup(key, length, table.hashOf(key, length));
  const entry = liveIn(slot);
  if (!entry || !deadlineOf(entry)) return replyInteger(0);
  setNow(slot, key, length, 0, true);
  return replyInteger(1);
}

/** `CUSTOM.PTTL key` → ms until the deadline, -1 without one, -2 when absent. O(key). */
export function commandPttl(argc: i32, argv: usize): u64 {
  return replyInteger(msLeft(argument(argv, 0), argumentLength(argv, 0)));
}

/** `CUSTOM.TTL key` → as PTTL, in seconds, rounded. O(key). */
export function commandTtl(argc: i32, argv: usize): u64 {
  const left = msLeft(argument(argv, 0), argumentLength(argv, 0));
  // Halves up, as the server does; without the sum, which overflows.
  return replyInteger(left < 0 ? left : left / 1000 + i64(left % 1000 >= 500));
}

/** Ms until the deadline of a key, -1 without one, -2 when absent. O(key). */
export function msLeft(key: usize, length: u32): i64 {
  const entry = findEntry(key, length);
  if (!entry) return -2;
  const deadline = deadlineOf(entry);
  // It is not in the past for one that came in time, nor for a command that repeats what was decided
  // elsewhere.
  return deadline ? max<i64>(deadline - redis.Milliseconds(), 0) : -1;
}
