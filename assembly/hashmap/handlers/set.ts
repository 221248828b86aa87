/** `CUSTOM.SET` with options, as the server's SET has them. */
import { deadlineOf } from "../../base/storage/entry";
import { beginChange } from "../../base/change";
import { argument, argumentLength, NULL, OK, REPLIED } from "../../base/frame";
import { failSyntax, isWord } from "../../base/parse";
import { redis } from "../../base/redis";
import { failOutOfMemory } from "../../base/text";
import { replicateSet } from "../replication/effects";
import { Event } from "../replication/events";
import { liveIn, prepareTable, releaseLeaving, startWheel, table, takeLeaving } from "../store/entries";
import { textOf } from "../store/value";
import { finishWrite, Outcome, storedAt, storeUntil } from "../store/writes";
import { deleteSlot } from "../actions/values";
import { replyLeaving } from "./leaving";
import { ABSOLUTE, momentOf, SECONDS } from "./time";

/** Bits of the options. */
const NX: u32 = 1;
const XX: u32 = 2;
const GET: u32 = 4;
const KEEPTTL: u32 = 8;
const EX: u32 = 16;
const PX: u32 = 32;
const EXAT: u32 = 64;
const PXAT: u32 = 128;
/** EX, PX, EXAT and PXAT. */
const TIMES: u32 = 240;

/** What a SET asks for. */
@unmanaged
class Options {
  /** Bits of the options that were given. */
  given: u32;
  /** Index of the argument that is the time. */
  timeAt: u32;

  /**
   * Reads the options, of which NX and XX, and the five of time, exclude each other. Ends the command: `ERR
   * syntax error`.
   */
  read(argc: i32, argv: usize): void {
    let given: u32 = 0;
    for (let index = 2; index < argc; index++) {
      const option = optionOf(argument(argv, index), argumentLength(argv, index));
      const others = given & ~option;
      if (!option) failSyntax();
      if (option & (NX | XX) && others & (NX | XX)) failSyntax();
      if (option & (TIMES | KEEPTTL) && others & (TIMES | KEEPTTL)) failSyntax();
      if (option & TIMES) {
        this.timeAt = ++index;
        if (index == argc) failSyntax();
      }
      given |= option;
    }
    this.given = given;
  }

  /** The deadline, Unix ms, of a SET that has a time. Errors: those of momentOf. */
  deadline(argv: usize, now: i64): i64 {
    const form = (this.given & (EX | EXAT) ? SECONDS : 0) | (this.given & (EXAT | PXAT) ? ABSOLUTE : 0);
    const time = argument(argv, this.timeAt);
    return momentOf(time, argumentLength(argv, this.timeAt), form, now, true, changetype<usize>("custom.set"));
  }
}

/** Those of the running command. */
const options: Options = changetype<Options>(memory.data(offsetof<Options>(), 4));

/**
 * `CUSTOM.SET key value [NX|XX] [GET] [EX s|PX ms|EXAT s|PXAT ms|KEEPTTL]` → `+OK`; null where NX or XX
 * forbids it; with GET the value before, or null. A moment that has passed deletes the key. O(key + value).
 * Errors: `ERR syntax error`, `ERR value is not an integer or out of range`, `ERR invalid expire time in
 * 'custom.set' command`, `OOM …`, nothing changed.
 */
export function setWithOptions(argc: i32, argv: usize): u64 {
  options.read(argc, argv);
  const given = options.given;
  const key = argument(argv, 0);
  const length = argumentLength(argv, 0);
  const now = given & TIMES ? redis.Milliseconds() : 0;
  let deadline = given & TIMES ? options.deadline(argv, now) : 0;
  releaseLeaving();
  if (!prepareTable()) failOutOfMemory();
  const hash = table.hashOf(key, length);
  const slot = table.lookup(key, length, hash);
  const old = liveIn(slot);
  if (given & (old ? NX : XX)) return given & GET && old ? textOf(old) : NULL;
  const keep = (given & GET) != 0 && old != 0;
  if (deadline && deadline <= now) {
    if (old) deleteSlot(slot, hash, key, length, keep);
  } else {
    if (given & KEEPTTL && old) deadline = deadlineOf(old);
    else if (deadline) startWheel(now);
    storeNow(slot, hash, argv, deadline, keep);
  }
  if (!(given & GET)) return OK;
  if (!takeLeaving()) return NULL;
  replyLeaving();
  return REPLIED;
}

function storeNow(slot: usize, hash: u64, argv: usize, deadline: i64, keep: bool): void {
  const key = argument(argv, 0);
  const length = argumentLength(argv, 0);
  const value = argument(argv, 1);
  const size = argumentLength(argv, 1);
  beginChange();
  const outcome = storeUntil(slot, hash, key, length, value, size, deadline, keep);
  if (outcome != Outcome.NO_MEMORY) replicateSet(key, length, storedAt(value, size, key, length), size, deadline);
  finishWrite(outcome, Event.SET, key, length, length + size);
}

/** 0: it is none. */
function optionOf(word: usize, length: u32): u32 {
  if (isWord(word, length, changetype<usize>("NX"))) return NX;
  if (isWord(word, length, changetype<usize>("XX"))) return XX;
  if (isWord(word, length, changetype<usize>("GET"))) return GET;
  if (isWord(word, length, changetype<usize>("EX"))) return EX;
  if (isWord(word, length, changetype<usize>("PX"))) return PX;
  if (isWord(word, length, changetype<usize>("EXAT"))) return EXAT;
  if (isWord(word, length, changetype<usize>("PXAT"))) return PXAT;
  return isWord(word, length, changetype<usize>("KEEPTTL")) ? KEEPTTL : 0;
}
