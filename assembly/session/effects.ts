/**
 * What a write leaves in the replication stream and the append-only file: `session.apply <format> <operation> <id> …`, with absolute ids and
 * absolute Unix ms, so that applying it twice is applying it once. All numbers are decimal text.
 *
 *     session.apply 1 create <id> <user> <created ms> <accessed ms> <1: the storage maps the user to it>
 *     session.apply 1 set <id> <accessed ms> <field> <value>
 *     session.apply 1 touch <id> <accessed ms>
 *     session.apply 1 delete <id> <user> <1: the storage's mapping of the user goes with it>
 *
 * The one declared key is the id, always at position 3; a user's key is in the same cluster slot as the id.
 */
import { setArgument } from "../frame";
import { redis } from "../redis";
import { narrow, writeDecimal } from "../text";
import { ID_TEXT_SIZE } from "./uuid";

const name: usize = memory.data(16);
let nameLength: u32 = 0;
const operation: usize = memory.data(16);
const digits: usize = memory.data(48);
const frame: usize = memory.data(64, 8);
const FORMAT: usize = memory.data<u8>([49]); // 1
const FLAGS: usize = memory.data<u8>([48, 49]); // 0 1

/** Queues the creation of a session. `id`: 36 bytes of text, as in all of these. */
export function replicateCreate(id: usize, user: usize, userLength: u32, created: i64, accessed: i64, mapped: bool): void {
  begin(changetype<usize>("create"), id);
  setArgument(frame, 3, user, userLength);
  setArgument(frame, 4, digits, writeDecimal(created, digits));
  setArgument(frame, 5, digits + 24, writeDecimal(accessed, digits + 24));
  setArgument(frame, 6, FLAGS + <usize>mapped, 1);
  queue(7);
}

/** Queues the writing of a field. */
export function replicateSet(id: usize, ms: i64, field: usize, fieldLength: u32, value: usize, valueLength: u32): void {
  begin(changetype<usize>("set"), id);
  setArgument(frame, 3, digits, writeDecimal(ms, digits));
  setArgument(frame, 4, field, fieldLength);
  setArgument(frame, 5, value, valueLength);
  queue(6);
}

/** Queues an access. */
export function replicateTouch(id: usize, ms: i64): void {
  begin(changetype<usize>("touch"), id);
  setArgument(frame, 3, digits, writeDecimal(ms, digits));
  queue(4);
}

/** Queues the end of a session. */
export function replicateDelete(id: usize, user: usize, userLength: u32, unmapped: bool): void {
  begin(changetype<usize>("delete"), id);
  setArgument(frame, 3, user, userLength);
  setArgument(frame, 4, FLAGS + <usize>unmapped, 1);
  queue(5);
}

function begin(operationName: usize, id: usize): void {
  setArgument(frame, 0, FORMAT, 1);
  setArgument(frame, 1, operation, narrow(operationName, operation));
  setArgument(frame, 2, id, ID_TEXT_SIZE);
}

function queue(count: i32): void {
  if (!nameLength) nameLength = narrow(changetype<usize>("session.apply"), name);
  redis.Replicate(name, nameLength, frame, count);
}
