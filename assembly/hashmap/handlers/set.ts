/** `CUSTOM.SET` with options, as the server's SET has them. */
import { deadlineOf, valueLength, valueOf } from "../../base/storage/entry";
import { beginChange, endChange } from "../../base/change";
import { argument, argumentLength, NULL, OK, pack, REPLIED } from "../../base/frame";
import { failSyntax, isWord } from "../../base/parse";
import { changed } from "../../base/register";
import { redis } from "../../base/redis";
import { failOutOfMemory } from "../../base/text";
import { replicateDel, replicateSet } from "../replication/effects";
import { EVENT_DEL, EVENT_SET } from "../replication/events";
import {
  ALLOCATED,
  compactEntries,
  isExpired,
  NO_MEMORY,
  prepareTable,
  releaseLeaving,
  removeEntry,
  startWheel,
  storeUntil,
  table,
  takeLeaving,
} from "../store";
import { ABSOLUTE, momentOf, SECONDS } from "./time";
import { replyLeaving } from "./values";

const NX: u32 = 1;
const XX: u32 = 2;
const GET: u32 = 4;
const KEEPTTL: u32 = 8;
const EX: u32 = 16;
const PX: u32 = 32;
const EXAT: u32 = 64;
const PXAT: u32 = 128;
const TIMES: u32 = 240;

/** Index of the argument that is the time. */
let timeAt: i32 = 0;

/**
 * `CUSTOM.SET key value [NX|XX] [GET] [EX s|PX ms|EXAT s|PXAT ms|KEEPTTL]` → `+OK`; null where NX or XX forbids it; with GET the value
 * before, or null. A moment that has passed deletes the key. O(key + value).
 * Errors: `ERR syntax error`, `ERR value is not an integer or out of range`, `ERR invalid expire time in 'custom.set' command`, `OOM …`, nothing
 * changed.
 */
export function setWithOptions(argc: i32, argv: usize): u64 {
  const options = parseOptions(argc, argv);
  const key = argument(argv, 0);
  const length = argumentLength(argv, 0);
  let now: i64 = 0;
  let deadline: i64 = 0;
  if (options & TIMES) {
    now = redis.Milliseconds();
    const form = (options & (EX | EXAT) ? SECONDS : 0) | (options & (EXAT | PXAT) ? ABSOLUTE : 0);
    deadline = momentOf(argument(argv, timeAt), argumentLength(argv, timeAt), form, now, true, changetype<usize>("custom.set"));
  }
  releaseLeaving();
  if (!prepareTable()) failOutOfMemory();
  const hash = table.hashOf(key, length);
  const slot = table.lookup(key, length, hash);
  const old = slot && !isExpired(<usize>load<u32>(slot)) ? <usize>load<u32>(slot) : 0;
  if (options & (old ? NX : XX)) return options & GET && old ? pack(valueOf(old), valueLength(old)) : NULL;
  const keep = (options & GET) != 0 && old != 0;
  if (deadline && deadline <= now) {
    if (old) removeNow(slot, hash, key, length, keep);
  } else {
    if (options & KEEPTTL && old) deadline = deadlineOf(old);
    else if (deadline) startWheel(now);
    storeNow(slot, hash, argv, deadline, keep);
  }
  if (!(options & GET)) return OK;
  if (!takeLeaving()) return NULL;
  replyLeaving();
  return REPLIED;
}

function removeNow(slot: usize, hash: u64, key: usize, length: u32, keep: bool): void {
  beginChange();
  removeEntry(slot, hash, keep);
  replicateDel(key, length);
  changed(EVENT_DEL, 10, key, length);
  endChange();
}

function storeNow(slot: usize, hash: u64, argv: usize, deadline: i64, keep: bool): void {
  const key = argument(argv, 0);
  const length = argumentLength(argv, 0);
  const value = argument(argv, 1);
  const size = argumentLength(argv, 1);
  beginChange();
  const outcome = storeUntil(slot, hash, key, length, value, size, deadline, keep);
  if (outcome != NO_MEMORY) {
    replicateSet(key, length, value, size, deadline);
    changed(EVENT_SET, 10, key, length);
  }
  endChange();
  if (outcome == NO_MEMORY) failOutOfMemory();
  // What is still to be replied is in no table, so that it must not be met by compaction.
  if (outcome == ALLOCATED && !keep) compactEntries(length + size);
}

/** The options, of which NX and XX, and the five of time, exclude each other. Ends the command: `ERR syntax error`. */
function parseOptions(argc: i32, argv: usize): u32 {
  let options: u32 = 0;
  for (let index = 2; index < argc; index++) {
    const option = optionOf(argument(argv, index), argumentLength(argv, index));
    const others = options & ~option;
    if (!option) failSyntax();
    if (option & (NX | XX) && others & (NX | XX)) failSyntax();
    if (option & (TIMES | KEEPTTL) && others & (TIMES | KEEPTTL)) failSyntax();
    if (option & TIMES) {
      timeAt = ++index;
      if (index == argc) failSyntax();
    }
    options |= option;
  }
  return options;
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
