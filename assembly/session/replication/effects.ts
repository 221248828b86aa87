/**
 * What a write leaves in the replication stream and the append-only file: `session.apply <format> <operation>
 * <id> …`, with absolute ids and absolute Unix ms, so that applying it twice is applying it once. All numbers
 * are decimal text.
 *
 *     session.apply 1 create <id> <user> <created ms> <accessed ms> <1: the storage maps the user to it>
 *                     [<idle s, 0: none> <expires ms, 0: never> [<field> <value> …]]
 *     session.apply 1 set <id> <accessed ms> <version> <field> <value> [<field> <value> …]
 *     session.apply 1 unset <id> <accessed ms> <version> <field> [<field> …]
 *     session.apply 1 touch <id> <accessed ms>
 *     session.apply 1 expire <id> <idle s, 0: none> <expires ms, 0: never>
 *     session.apply 1 assign <id> <user> <mapping of the user before>
 *     session.apply 1 rotate <id> <new id> <ms until which the old id answers, 0: not at all>
 *                     <1: the storage maps the user to it>
 *     session.apply 1 delete <id> <user, empty: another effect tells of it> <mapping of the user>
 *     session.apply 1 forget <old id>
 *     session.apply 1 restore <id> <user> <created ms> <accessed ms> <version> <idle s> <expires ms>
 *                     [<field> <value> …]
 *     session.apply 1 grace <id> <old id> <ms until which it answers>
 *
 *     mapping         0: it stays; 1: it is deleted; else the id that the user is mapped to from now on
 *
 * The one declared key is the id, always at position 3; all others are in the same cluster slot. Where nobody
 * takes effects, they are counted and not made.
 */
import { keyLength, keyOf } from "../../base/storage/entry";
import { argument, argumentLength, setArgument } from "../../base/frame";
import { redis } from "../../base/redis";
import { narrow, writeDecimal } from "../../base/text";
import { IdText } from "../ids/ids";
import { walk } from "../store/fields/fields";
import { asOldId, asSession, expiresOf, furtherIdText, idleOf, idText, isExpiring } from "../store/record";
import { FIXED_SIZE, takeScratch } from "../texts/scratch";

const name: usize = memory.data(16);
let nameLength: u32 = 0;
const operation: usize = memory.data(16);
const digits: usize = memory.data(96);
const fixed: usize = memory.data(96, 8);
const FORMAT: usize = memory.data<u8>([49]); // 1
const FLAGS: usize = memory.data<u8>([48, 49]); // 0 1
/** Arguments that the static frame holds. */
const FIXED_MAX: u32 = 12;

/** The frame of the effect being made; and one for effects that pass many arguments on. */
let frame: usize = 0;
let large: usize = 0;
let count: u32 = 0;
let digitsUsed: u32 = 0;

/** Arguments of an effect beside those that it passes on. */
const OWN_MAX: u32 = 9;

/**
 * Takes the memory for an effect that passes `rest` arguments on: the next one to be queued. Ends the command
 * with an OOM error when there is none: so this comes before everything else is prepared.
 */
export function prepareEffect(rest: u32): void {
  if (rest + OWN_MAX > FIXED_MAX) large = takeScratch((<u64>(rest + OWN_MAX)) << 3);
}

/**
 * Queues the creation of the prepared session, with its data: `count` arguments at `argv`. `id`: its text, as
 * in all of these.
 */
export function replicateCreate(id: IdText, record: usize, argv: usize, count: u32): void {
  if (!redis.CountEffect()) return;
  const session = asSession(record);
  begin(changetype<usize>("create"), id, count);
  add(keyOf(session.user), keyLength(session.user));
  addNumber(session.created);
  addNumber(session.accessed);
  addFlag(true);
  if (isExpiring(record) || count) {
    addNumber(idleOf(record));
    addNumber(expiresOf(record));
    pass(argv, count);
  }
  queue();
}

/** Queues the writing of fields: `count` arguments at `argv`, names and values. After prepareEffect. */
export function replicateSet(id: IdText, ms: i64, version: u32, argv: usize, count: u32): void {
  replicateData(changetype<usize>("set"), id, ms, version, argv, count);
}

/** Queues the removal of fields: `count` names at `argv`. After prepareEffect. */
export function replicateUnset(id: IdText, ms: i64, version: u32, argv: usize, count: u32): void {
  replicateData(changetype<usize>("unset"), id, ms, version, argv, count);
}

function replicateData(operationName: usize, id: IdText, ms: i64, version: u32, argv: usize, count: u32): void {
  if (!redis.CountEffect()) return;
  begin(operationName, id, count);
  addNumber(ms);
  addNumber(version);
  pass(argv, count);
  queue();
}

/** Queues an access. */
export function replicateTouch(id: IdText, ms: i64): void {
  if (!redis.CountEffect()) return;
  begin(changetype<usize>("touch"), id);
  addNumber(ms);
  queue();
}

/** Queues other limits: seconds of idleness and Unix ms of the end, 0: none. */
export function replicateExpire(id: IdText, idle: u32, expires: i64): void {
  if (!redis.CountEffect()) return;
  begin(changetype<usize>("expire"), id);
  addNumber(idle);
  addNumber(expires);
  queue();
}

/** Queues that a session belongs to another user, and what became of the mapping of the one before. */
export function replicateAssign(id: IdText, user: usize, userLength: u32, mapping: IdText): void {
  if (!redis.CountEffect()) return;
  begin(changetype<usize>("assign"), id);
  add(user, userLength);
  addText(mapping);
  queue();
}

/** Queues another id of a session. */
export function replicateRotate(id: IdText, newId: IdText, until: i64, mapped: bool): void {
  if (!redis.CountEffect()) return;
  begin(changetype<usize>("rotate"), id);
  addText(newId);
  addNumber(until);
  addFlag(mapped);
  queue();
}

/** Queues the end of a session of this user, and what became of the user's mapping. */
export function replicateDelete(id: IdText, owner: usize, mapping: IdText): void {
  if (!redis.CountEffect()) return;
  begin(changetype<usize>("delete"), id);
  add(keyOf(owner), keyLength(owner));
  addText(mapping);
  queue();
}

/** Queues the end of a session whose user and mapping another effect tells of. */
export function replicateFurtherDelete(id: IdText): void {
  if (!redis.CountEffect()) return;
  begin(changetype<usize>("delete"), id);
  add(FLAGS, 0);
  addFlag(false);
  queue();
}

/** Queues the end of an old id. */
export function replicateForget(id: IdText): void {
  if (!redis.CountEffect()) return;
  begin(changetype<usize>("forget"), id);
  queue();
}

/** Arguments, and bytes of data, of the effect of an exported session: what is more has further effects. */
const EXPORTED_MAX: u32 = 2000;
const EXPORTED_BYTES: u64 = 1048576;

/**
 * Queues what makes the session where it is not, its user's newest there: whether anybody takes effects or
 * not. The mapping of its user is the storage's own. Needs no memory. O(bytes).
 */
export function queueSession(record: usize): void {
  const session = asSession(record);
  const owner = session.user;
  const id = idText(record);
  large = takeScratch(FIXED_SIZE);
  walk.begin(session.fields);
  begin(changetype<usize>("restore"), id, EXPORTED_MAX);
  add(keyOf(owner), keyLength(owner));
  addNumber(session.created);
  addNumber(session.accessed);
  addNumber(session.version);
  addNumber(idleOf(record));
  addNumber(expiresOf(record));
  passFields();
  queue();
  while (walk.hasNext) {
    begin(changetype<usize>("set"), id, EXPORTED_MAX);
    addNumber(session.accessed);
    addNumber(session.version);
    passFields();
    queue();
  }
  // The last one first, so that their order is the same there.
  let old = session.oldIds;
  while (old && asOldId(old).next) old = asOldId(old).next;
  for (; old; old = asOldId(old).back) queueGrace(id, old);
}

function queueGrace(id: IdText, old: usize): void {
  begin(changetype<usize>("grace"), id);
  addText(furtherIdText(old));
  addNumber(asOldId(old).until);
  queue();
}

/** Adds fields of the walk, until the effect is large enough. */
function passFields(): void {
  let bytes: u64 = 0;
  while (count < EXPORTED_MAX && bytes < EXPORTED_BYTES && walk.next()) {
    add(walk.name, walk.nameLength);
    add(walk.value, walk.valueLength);
    bytes += <u64>walk.nameLength + walk.valueLength;
  }
}

function begin(operationName: usize, id: IdText, rest: u32 = 0): void {
  frame = rest + OWN_MAX > FIXED_MAX ? large : fixed;
  count = 0;
  digitsUsed = 0;
  add(FORMAT, 1);
  add(operation, narrow(operationName, operation));
  addText(id);
}

function addText(text: IdText): void {
  add(text.start, text.length);
}

function add(pointer: usize, length: u32): void {
  setArgument(frame, count++, pointer, length);
}

function addNumber(value: u64): void {
  const length = writeDecimal(value, digits + digitsUsed);
  add(digits + digitsUsed, length);
  digitsUsed += length;
}

function addFlag(flag: bool): void {
  add(FLAGS + <usize>flag, 1);
}

function pass(argv: usize, rest: u32): void {
  for (let index: u32 = 0; index < rest; index++) add(argument(argv, index), argumentLength(argv, index));
}

function queue(): void {
  if (!nameLength) nameLength = narrow(changetype<usize>("session.apply"), name);
  redis.Replicate(name, nameLength, frame, count);
}
