/**
 * What a write leaves in the replication stream and the append-only file where the command as it came would
 * not do: absolute, without conditions, with deadlines in Unix ms (0: none), so that applying it twice is
 * applying it once. All numbers are decimal text.
 *
 *     custom.set <key> <value>                           without a deadline
 *     custom.apply 1 set <key> <value> <deadline ms>
 *     custom.apply 1 append <key> <bytes of the value before> <suffix>    the value's first bytes, then it
 *     custom.apply 1 expire <key> <deadline ms>
 *     custom.del <key>
 *
 * The one declared key stands at position 3, of custom.set and custom.del at 1. Where nobody takes effects,
 * they are counted and not made.
 */
import { setArgument } from "../../base/frame";
import { redis } from "../../base/redis";
import { narrow, writeDecimal } from "../../base/text";

/** The command that was queued last, a literal; and its name, ready to be queued again. */
let named: usize = 0;
let nameLength: u32 = 0;
const name: usize = memory.data(16);
const operation: usize = memory.data(16);
const digits: usize = memory.data(24);
const frame: usize = memory.data(64, 8);
const FORMAT: usize = memory.data<u8>([49]); // 1

/** Queues the storing of a value. */
export function replicateSet(key: usize, keyLength: u32, value: usize, length: u32, deadline: i64): void {
  if (redis.CountEffect()) queueSet(key, keyLength, value, length, deadline);
}

/** As replicateSet, whether anybody takes effects or not. */
export function queueSet(key: usize, keyLength: u32, value: usize, length: u32, deadline: i64): void {
  if (!deadline) {
    setArgument(frame, 0, key, keyLength);
    setArgument(frame, 1, value, length);
    return queue(changetype<usize>("custom.set"), 2);
  }
  begin(changetype<usize>("set"), key, keyLength);
  setArgument(frame, 3, value, length);
  setArgument(frame, 4, digits, writeDecimal(deadline, digits));
  queue(changetype<usize>("custom.apply"), 5);
}

/** Queues the lengthening of a value that had `before` bytes. */
export function replicateAppend(key: usize, keyLength: u32, before: u32, suffix: usize, length: u32): void {
  if (!redis.CountEffect()) return;
  begin(changetype<usize>("append"), key, keyLength);
  setArgument(frame, 3, digits, writeDecimal(before, digits));
  setArgument(frame, 4, suffix, length);
  queue(changetype<usize>("custom.apply"), 5);
}

/** Queues another deadline. */
export function replicateExpire(key: usize, keyLength: u32, deadline: i64): void {
  if (!redis.CountEffect()) return;
  begin(changetype<usize>("expire"), key, keyLength);
  setArgument(frame, 3, digits, writeDecimal(deadline, digits));
  queue(changetype<usize>("custom.apply"), 4);
}

/** Queues the end of an entry. */
export function replicateDel(key: usize, keyLength: u32): void {
  if (!redis.CountEffect()) return;
  setArgument(frame, 0, key, keyLength);
  queue(changetype<usize>("custom.del"), 1);
}

function begin(operationName: usize, key: usize, keyLength: u32): void {
  setArgument(frame, 0, FORMAT, 1);
  setArgument(frame, 1, operation, narrow(operationName, operation));
  setArgument(frame, 2, key, keyLength);
}

/** Queues the command of this name, a literal, with so many arguments of the frame. */
function queue(command: usize, count: i32): void {
  if (command != named) {
    nameLength = narrow(command, name);
    named = command;
  }
  redis.Replicate(name, nameLength, frame, count);
}
