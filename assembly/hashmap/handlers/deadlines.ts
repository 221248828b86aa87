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
import { deleteSlot } from "../actions/values";
import { momentOf, SECONDS } from "./time";

/** `CUSTOM.EXPIRE key s` → `:1`, `:0` when absent. As expireIn. */
export function commandExpire(argc: i32, argv: usize): u64 {
  return expireIn(argv, SECONDS, changetype<usize>("custom.expire"));
}

/** `CUSTOM.PEXPIRE key ms` → `:1`, `:0` when absent. As expireIn. */
export function commandPexpire(argc: i32, argv: usize): u64 {
  return expireIn(argv, 0, changetype<usize>("custom.pexpire"));
}

/**
 * Gives the key a deadline; one that is not in the future deletes it. O(key), where there was no deadline
 * also O(value).
 * Errors: `ERR value is not an integer or out of range`, `ERR invalid expire time in '<command>' command`,
 * `OOM …`, nothing changed.
 */
function expireIn(argv: usize, form: u32, command: usize): u64 {
  const key = argument(argv, 0);
  const length = argumentLength(argv, 0);
  const now = redis.Milliseconds();
  const deadline = momentOf(argument(argv, 1), argumentLength(argv, 1), form, now, false, command);
  const hash = table.hashOf(key, length);
  const slot = table.lookup(key, length, hash);
  if (!liveIn(slot)) return replyInteger(0);
  if (deadline <= now) deleteSlot(slot, hash, key, length, false);
  else {
    startWheel(now);
    setNow(slot, key, length, deadline);
  }
  return replyInteger(1);
}

function setNow(slot: usize, key: usize, length: u32, deadline: i64): void {
  beginChange();
  const outcome = changeDeadline(slot, deadline);
  if (outcome != Outcome.NO_MEMORY) replicateExpire(key, length, deadline);
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
  setNow(slot, key, length, 0);
  return replyInteger(1);
}

/** `CUSTOM.PTTL key` → ms until the deadline, -1 without one, -2 when absent. O(key). */
export function commandPttl(argc: i32, argv: usize): u64 {
  return replyInteger(msLeft(argv));
}

/** `CUSTOM.TTL key` → as PTTL, in seconds, rounded. O(key). */
export function commandTtl(argc: i32, argv: usize): u64 {
  const left = msLeft(argv);
  // Halves up, as the server does; without the sum, which overflows.
  return replyInteger(left < 0 ? left : left / 1000 + i64(left % 1000 >= 500));
}

function msLeft(argv: usize): i64 {
  const entry = findEntry(argument(argv, 0), argumentLength(argv, 0));
  if (!entry) return -2;
  const deadline = deadlineOf(entry);
  // It is not in the past for one that came in time, nor for a command that repeats what was decided
  // elsewhere.
  return deadline ? max<i64>(deadline - redis.Milliseconds(), 0) : -1;
}
