/**
 * What a write leaves in the replication stream and the append-only file: `session.apply <format> <operation> <id> …`, with absolute ids and
 * absolute Unix ms, so that applying it twice is applying it once. All numbers are decimal text.
 *
 *     session.apply 1 create <id> <user> <created ms> <accessed ms> <1: the storage maps the user to it>
 *                     [<idle s, 0: none> <expires ms, 0: never> [<field> <value> …]]
 *     session.apply 1 set <id> <accessed ms> <version> <field> <value> [<field> <value> …]
 *     session.apply 1 unset <id> <accessed ms> <version> <field> [<field> …]
 *     session.apply 1 touch <id> <accessed ms>
 *     session.apply 1 expire <id> <idle s, 0: none> <expires ms, 0: never>
 *     session.apply 1 assign <id> <user> <mapping of the user before>
 *     session.apply 1 rotate <id> <new id> <ms until which the old id answers, 0: not at all> <1: the storage maps the user to it>
 *     session.apply 1 delete <id> <user, empty: another effect tells of it> <mapping of the user>
 *     session.apply 1 forget <old id>
 *
 *     mapping         0: it stays; 1: it is deleted; else the id that the user is mapped to from now on
 *
 * The one declared key is the id, always at position 3; all others are in the same cluster slot.
 */
import { argument, argumentLength, setArgument } from "../../base/frame";
import { redis } from "../../base/redis";
import { narrow, writeDecimal } from "../../base/text";
import { change, changeLength } from "../mapping/mapping";
import { takeScratch } from "../texts/scratch";

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
 * Takes the memory for an effect that passes `rest` arguments on: the next one to be queued. Ends the command with an OOM error when there is none:
 * so this comes before everything else is prepared.
 */
export function prepareEffect(rest: u32): void {
  if (rest + OWN_MAX > FIXED_MAX) large = takeScratch((<u64>(rest + OWN_MAX)) << 3);
}

/**
 * Queues the creation of a session. `id`: its text, as in all of these.
 * @param limited whether it has a limit, or data, which follows: `rest` arguments from `first` of `argv`
 */
// prettier-ignore
export function replicateCreate(id: usize, idLength: u32, user: usize, userLength: u32, created: i64, accessed: i64,
  limited: bool, idle: u32, expires: i64, argv: usize, first: u32, rest: u32): void {
  begin(changetype<usize>("create"), id, idLength, rest);
  add(user, userLength);
  addNumber(created);
  addNumber(accessed);
  addFlag(true);
  if (limited) {
    addNumber(idle);
    addNumber(expires);
    pass(argv, first, rest);
  }
  queue();
}

/** Queues the writing of fields: `rest` arguments, names and values, from `first` of `argv`. After prepareEffect. */
// prettier-ignore
export function replicateSet(id: usize, idLength: u32, ms: i64, version: u32, argv: usize, first: u32, rest: u32): void {
  begin(changetype<usize>("set"), id, idLength, rest);
  addNumber(ms);
  addNumber(version);
  pass(argv, first, rest);
  queue();
}

/** Queues the removal of fields: `rest` names from `first` of `argv`. After prepareEffect. */
// prettier-ignore
export function replicateUnset(id: usize, idLength: u32, ms: i64, version: u32, argv: usize, first: u32, rest: u32): void {
  begin(changetype<usize>("unset"), id, idLength, rest);
  addNumber(ms);
  addNumber(version);
  pass(argv, first, rest);
  queue();
}

/** Queues an access. */
export function replicateTouch(id: usize, idLength: u32, ms: i64): void {
  begin(changetype<usize>("touch"), id, idLength);
  addNumber(ms);
  queue();
}

/** Queues other limits: seconds of idleness and Unix ms of the end, 0: none. */
export function replicateExpire(id: usize, idLength: u32, idle: u32, expires: i64): void {
  begin(changetype<usize>("expire"), id, idLength);
  addNumber(idle);
  addNumber(expires);
  queue();
}

/** Queues that a session belongs to another user; `mapping.ts` tells what became of the mapping of the one before. */
export function replicateAssign(id: usize, idLength: u32, user: usize, userLength: u32): void {
  begin(changetype<usize>("assign"), id, idLength);
  add(user, userLength);
  add(change, changeLength);
  queue();
}

/** Queues another id of a session. */
// prettier-ignore
export function replicateRotate(id: usize, idLength: u32, newId: usize, newIdLength: u32, until: i64, mapped: bool): void {
  begin(changetype<usize>("rotate"), id, idLength);
  add(newId, newIdLength);
  addNumber(until);
  addFlag(mapped);
  queue();
}

/** Queues the end of a session; `mapping.ts` tells what became of the mapping of its user. */
export function replicateDelete(id: usize, idLength: u32, user: usize, userLength: u32): void {
  begin(changetype<usize>("delete"), id, idLength);
  add(user, userLength);
  add(change, changeLength);
  queue();
}

/** Queues the end of a session of a user whom another effect of this command tells of. */
export function replicateFurtherDelete(id: usize, idLength: u32): void {
  begin(changetype<usize>("delete"), id, idLength);
  add(FLAGS, 0);
  addFlag(false);
  queue();
}

/** Queues the end of an old id. */
export function replicateForget(id: usize, idLength: u32): void {
  begin(changetype<usize>("forget"), id, idLength);
  queue();
}

function begin(operationName: usize, id: usize, idLength: u32, rest: u32 = 0): void {
  frame = rest + OWN_MAX > FIXED_MAX ? large : fixed;
  count = 0;
  digitsUsed = 0;
  add(FORMAT, 1);
  add(operation, narrow(operationName, operation));
  add(id, idLength);
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

function pass(argv: usize, first: u32, rest: u32): void {
  for (let index = first; index < first + rest; index++) add(argument(argv, index), argumentLength(argv, index));
}

function queue(): void {
  if (!nameLength) nameLength = narrow(changetype<usize>("session.apply"), name);
  redis.Replicate(name, nameLength, frame, count);
}
