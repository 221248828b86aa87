/**
 * What a commit leaves in the replication stream and the append-only file:
 * `wasm.apply <key> <module> 1 <payload> [<schema> …]`, as a rule one. A command without a key leaves in a
 * cluster one of the whole tables that it clears, and one for each slot. The schemas are those that this
 * process has not told the stream of yet.
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
import { mayCrossSlots, running } from "./command";
import { External, isCustom, writeExternal } from "./external";
import { bytes, CLEARED, count, DELETED, ENTRY, EXTERNAL, first, HEAD, isSeen, Pending, PUT, SIGNAL, TIMED, VOID } from "./pending";
import { isWhole } from "./signals";

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

/** Effects of a command: one of whole tables, and one for each slot. */
const EFFECTS_MAX: u32 = 16385;
/** Bytes of a change beside its key and value, at most. */
export const CHANGE_BYTES: u32 = 24;

const payload: Writer = changetype<Writer>(memory.data(offsetof<Writer>(), 4));
/** The arguments of an effect: the payload, and schemas. */
let frame: usize = 0;
/** The records that change something, by their effects: u32 addresses. */
let changes: usize = 0;
/** Where those of each effect end in `changes`, and how many effects there may be. */
let ends: usize = 0;
let effects: u32 = 0;

/** Takes the memory that queueEffects needs, or queueEffect where there is one `only`: it must not fail. */
export function reserveEffects(only: bool): void {
  payload.begin(<u32>bytes + count * CHANGE_BYTES + running.eventLength + 8);
  frame = take((schemaLimit() + 1) << 3);
  if (only) return;
  changes = take(count << 2);
  effects = mayCrossSlots() ? EFFECTS_MAX : 1;
  ends = take(effects << 2);
}

/** Queues them. Inside a change; cannot fail. O(records, and slots where they may lie in several). */
export function queueEffects(): void {
  const count = sortChanges();
  for (let from: u32 = 0, to: u32 = 0; from < count; from = to) {
    const effect = effectOf(changeAt(from));
    while (to < count && effectOf(changeAt(to)) == effect) to++;
    if (redis.CountEffect()) queueChanges(from, to);
  }
}

/** As queueEffects, of the only record, an ENTRY that is told as this key. */
export function queueEffect(record: Pending, key: u64): void {
  if (!redis.CountEffect()) return;
  beginPayload();
  queue(pointerOf(key), lengthOf(key), add(record, 1));
}

/**
 * Puts the records that change something into `changes`, by their effects; how many they are. What is cleared
 * comes before what is put in its place.
 */
function sortChanges(): u32 {
  memory.fill(ends, 0, (<usize>effects) << 2);
  for (let at = first; changetype<usize>(at); at = at.next) if (isChange(at)) advance(at);
  let total: u32 = 0;
  for (let effect: u32 = 0; effect < effects; effect++) {
    const end = ends + ((<usize>effect) << 2);
    total += load<u32>(end);
    store<u32>(end, total - load<u32>(end));
  }
  for (let at = first; changetype<usize>(at); at = at.next) if (at.kind == CLEARED && isChange(at)) put(at);
  for (let at = first; changetype<usize>(at); at = at.next) if (at.kind != CLEARED && isChange(at)) put(at);
  return total;
}

// prettier-ignore
@inline
function isChange(record: Pending): bool {
  if (record.kind == EXTERNAL) return isCustom(changetype<External>(record.value));
  return record.kind != SIGNAL && record.state != VOID;
}

/** Which of the command's effects a record belongs to: that of whole tables is the first. */
// prettier-ignore
@inline
function effectOf(record: Pending): u32 {
  return isWhole(record) ? 0 : record.signal.slot;
}

/** One more record of its effect; how many there were before. */
function advance(record: Pending): u32 {
  const end = ends + ((<usize>effectOf(record)) << 2);
  const count = load<u32>(end);
  store<u32>(end, count + 1);
  return count;
}

function put(record: Pending): void {
  store<u32>(changes + ((<usize>advance(record)) << 2), <u32>changetype<usize>(record));
}

// prettier-ignore
@inline
function changeAt(index: u32): Pending {
  return changetype<Pending>(<usize>load<u32>(changes + ((<usize>index) << 2)));
}

function queueChanges(from: u32, to: u32): void {
  beginPayload();
  let argc: u32 = 1;
  for (let index = from; index < to; index++) argc = add(changeAt(index), argc);
  const signal = changeAt(from).signal;
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
  if (record.kind == EXTERNAL) {
    payload.byte(Change.EXTERNAL);
    writeExternal(payload, changetype<External>(record.value));
    return argc;
  }
  const number = writeChange(payload, record);
  if (tellSchema(number)) return argc;
  const schema = schemaAt(number);
  setArgument(frame, argc, schema.text, schema.length);
  return argc + 1;
}

/** Writes the change of a record that is not EXTERNAL; the number of the schema that it is told by. */
export function writeChange(payload: Writer, record: Pending): u32 {
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
  return number;
}

function kindOf(record: Pending, timed: bool): u32 {
  if (record.kind == CLEARED) return Change.CLEAR;
  if (record.kind == HEAD) return Change.HEAD;
  if (record.state == DELETED) return Change.DELETE;
  if (record.state == TIMED) return Change.DEADLINE;
  return timed ? Change.PUT_UNTIL : Change.PUT;
}
