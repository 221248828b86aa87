/**
 * `custom.apply`: applies what effects.ts queued, exactly and without conditions. What another version of this module wrote, or nothing sound,
 * ends with an error and changes nothing.
 */
import { LENGTH_MAX, valueLength } from "../../base/storage/entry";
import { beginChange, endChange } from "../../base/change";
import { argument, argumentLength, OK } from "../../base/frame";
import { parsed, parseInteger } from "../../base/parse";
import { redis } from "../../base/redis";
import { changed } from "../../base/register";
import { appendEcho, failLine, failOutOfMemory, isText, line } from "../../base/text";
import { EVENT_APPEND, EVENT_EXPIRE, EVENT_PERSIST, EVENT_SET } from "./events";
import { appendValue, changeDeadline, compactEntries, NO_MEMORY, prepareTable, startWheel, storeUntil, table } from "../store";

/** Handler of `custom.apply <format> <operation> <key> …` → `+OK`. */
export function commandApply(argc: i32, argv: usize): u64 {
  if (!isText(argument(argv, 0), argumentLength(argv, 0), changetype<usize>("1"))) {
    line(changetype<usize>("ERR custom.apply: unknown format "));
    appendEcho(argument(argv, 0), argumentLength(argv, 0));
    failLine();
  }
  const operation = argument(argv, 1);
  const length = argumentLength(argv, 1);
  if (!prepareTable()) failOutOfMemory();
  if (argc == 5 && isText(operation, length, changetype<usize>("set"))) applySet(argv);
  else if (argc == 5 && isText(operation, length, changetype<usize>("append"))) applyAppend(argv);
  else if (argc == 4 && isText(operation, length, changetype<usize>("expire"))) applyExpire(argv);
  else failUnsound();
  return OK;
}

/** `set <key> <value> <deadline>` */
function applySet(argv: usize): void {
  const key = argument(argv, 2);
  const length = argumentLength(argv, 2);
  const deadline = numberAt(argv, 4);
  const hash = table.hashOf(key, length);
  const slot = table.lookup(key, length, hash);
  if (deadline) startWheel(redis.Milliseconds());
  beginChange();
  const outcome = storeUntil(slot, hash, key, length, argument(argv, 3), argumentLength(argv, 3), deadline);
  if (outcome != NO_MEMORY) changed(EVENT_SET, 10, key, length);
  endChange();
  finish(outcome != NO_MEMORY, argumentLength(argv, 3));
}

/** `append <key> <bytes before> <suffix>`: nothing where the value is shorter or absent: it was changed later, by an effect that follows. */
function applyAppend(argv: usize): void {
  const key = argument(argv, 2);
  const length = argumentLength(argv, 2);
  const before = numberAt(argv, 3);
  const size = argumentLength(argv, 4);
  if (before + <i64>size > <i64>LENGTH_MAX) failUnsound();
  const slot = table.lookup(key, length, table.hashOf(key, length));
  if (!slot || valueLength(<usize>load<u32>(slot)) < <u64>before) return;
  beginChange();
  const outcome = appendValue(slot, <u32>before, argument(argv, 4), size);
  if (outcome != NO_MEMORY) changed(EVENT_APPEND, 13, key, length);
  endChange();
  finish(outcome != NO_MEMORY, size);
}

/** `expire <key> <deadline>`: nothing where the key is absent: it was deleted later. */
function applyExpire(argv: usize): void {
  const key = argument(argv, 2);
  const length = argumentLength(argv, 2);
  const deadline = numberAt(argv, 3);
  const slot = table.lookup(key, length, table.hashOf(key, length));
  if (!slot) return;
  if (deadline) startWheel(redis.Milliseconds());
  beginChange();
  const done = changeDeadline(slot, deadline);
  if (done && deadline) changed(EVENT_EXPIRE, 13, key, length);
  else if (done) changed(EVENT_PERSIST, 14, key, length);
  endChange();
  finish(done, 0);
}

function finish(done: bool, written: u32): void {
  if (!done) failOutOfMemory();
  compactEntries(written);
}

/** The number, 0 or more, that argument `index` spells. */
function numberAt(argv: usize, index: u32): i64 {
  if (!parseInteger(argument(argv, index), argumentLength(argv, index)) || parsed < 0) failUnsound();
  return parsed;
}

function failUnsound(): void {
  line(changetype<usize>("ERR custom.apply: not an effect that this version knows"));
  failLine();
}
