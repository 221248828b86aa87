/**
 * What a commit leaves in the replication stream and the append-only file:
 * `wasm.apply <key> <module> 1 <payload> [<schema> …]`, one for each slot of a cluster, else one. The schemas
 * are those that this process has not told the stream of yet.
 *
 *     payload   length | name of the event | change | change | …
 *     change    1 | id u32 | length | key | length | value                       put
 *               2 | id u32 | length | key | length | value | deadline i64        put, until then, Unix ms
 *               3 | id u32 | length | key                                        deleted
 *               4 | id u32 | length | key | deadline i64                         another deadline, 0: none
 *               5 | id u32 | length | prefix                                     all as they were
 *               6 | id u32 | length | prefix | deadline i64                      the deadline of all in a key
 *               7 | deed u8 | length | key | length | field | length | value     a write of another module
 *
 * id is that of the value's schema, or of any schema of the table. Keys are as tables store them, without the
 * number of the table; lengths are LEB128, numbers little-endian. Applying one twice is applying it once.
 */
import { redis } from "../../base/redis";
import { lengthOf, pointerOf, setArgument } from "../../base/frame";
import { Writer } from "../values/buffer";
import { take } from "../memory/arena";
import { schemaAt, schemaLimit, tellSchema } from "../store/schemas";
import { running } from "./command";
import { firstExternal, writeExternal } from "./external";
import { bytes, CLEARED, count, DELETED, ENTRY, first, HEAD, isSeen, Pending, PUT, SIGNAL, TIMED, VOID } from "./pending";

/** The format of payloads. */
export const FORMAT: i32 = 1;

export namespace Change {
  export const PUT: u32 = 1;
  export const PUT_UNTIL: u32 = 2;
  export const DELETE: u32 = 3;
  export const DEADLINE: u32 = 4;
  export const CLEAR: u32 = 5;
  export const HEAD: u32 = 6;
  export const EXTERNAL: u32 = 7;
}

/** Bytes of a change beside its key and value, at most. */
const CHANGE_BYTES: u32 = 24;

const payload: Writer = changetype<Writer>(memory.data(offsetof<Writer>(), 4));
/** The arguments of an effect: the payload, and schemas. */
let frame: usize = 0;

/** Takes the memory that queueEffects needs, which must not fail. */
export function reserveEffects(): void {
  payload.begin(<u32>bytes + count * CHANGE_BYTES + running.eventLength + 8);
  frame = take((schemaLimit() + 1) << 3);
}

/** Queues them. Inside a change; cannot fail. */
export function queueEffects(): void {
  for (let at = first; changetype<usize>(at); at = at.next) {
    if (at.kind == SIGNAL && isFirstOfSlot(at) && redis.CountEffect()) queueSlot(at);
  }
}

/** As queueEffects, of the only record, an ENTRY that is told as this key. */
export function queueEffect(record: Pending, key: u64): void {
  if (!redis.CountEffect()) return;
  beginPayload();
  queue(pointerOf(key), lengthOf(key), add(record, 1));
}

/** Whether no key before it is in its slot. */
function isFirstOfSlot(signal: Pending): bool {
  for (let at = first; at != signal; at = at.next) if (at.kind == SIGNAL && at.slot == signal.slot) return false;
  return true;
}

function queueSlot(signal: Pending): void {
  beginPayload();
  let argc: u32 = 1;
  // What is cleared comes before what is put in its place.
  for (let at = first; changetype<usize>(at); at = at.next) if (at.kind == CLEARED && at.signal.slot == signal.slot) argc = add(at, argc);
  for (let at = first; changetype<usize>(at); at = at.next) {
    if ((at.kind == ENTRY || at.kind == HEAD) && at.signal.slot == signal.slot) argc = add(at, argc);
  }
  for (let at = firstExternal; changetype<usize>(at); at = at.next) {
    if (at.signal.slot != signal.slot) continue;
    payload.byte(Change.EXTERNAL);
    writeExternal(payload, at);
  }
  queue(signal.key, signal.keyLength, argc);
}

function beginPayload(): void {
  payload.at = payload.start;
  payload.counted(running.event, running.eventLength);
}

function queue(key: usize, length: u32, argc: u32): void {
  setArgument(frame, 0, payload.start, payload.length);
  redis.ReplicateTables(key, length, FORMAT, frame, argc);
}

/** Adds a record's change, and its schema to the frame where the stream does not know it. */
function add(record: Pending, argc: u32): u32 {
  if (record.state == VOID) return argc;
  const isValue = record.kind == ENTRY && isSeen(record);
  const number = <u32>load<u8>(isValue ? record.value : record.key);
  const schema = schemaAt(number);
  const timed = record.deadline != 0;
  payload.byte(kindOf(record, timed));
  payload.fixed<u32>(schema.id);
  payload.counted(record.key + 1, record.keyLength - 1);
  if (record.kind == HEAD) payload.fixed<i64>(record.state == PUT ? record.deadline : 0);
  else if (record.kind == ENTRY && record.state == TIMED) payload.fixed<i64>(record.deadline);
  else if (isValue) {
    payload.counted(record.value + 1, record.valueLength - 1);
    if (timed) payload.fixed<i64>(record.deadline);
  }
  if (tellSchema(number)) return argc;
  setArgument(frame, argc, schema.text, schema.length);
  return argc + 1;
}

function kindOf(record: Pending, timed: bool): u32 {
  if (record.kind == CLEARED) return Change.CLEAR;
  if (record.kind == HEAD) return Change.HEAD;
  if (record.state == DELETED) return Change.DELETE;
  if (record.state == TIMED) return Change.DEADLINE;
  return timed ? Change.PUT_UNTIL : Change.PUT;
}
