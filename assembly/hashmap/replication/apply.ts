/** `custom.apply`: applies what effects.ts queued, exactly and without conditions. */
import { LENGTH_MAX } from "../../base/storage/entry";
import { beginChange } from "../../base/change";
import { Effect } from "../../base/effect";
import { OK } from "../../base/frame";
import { redis } from "../../base/redis";
import { failOutOfMemory } from "../../base/text";
import { prepareTable, startWheel, table } from "../store/entries";
import { textLength } from "../store/value";
import { appendValue, changeDeadline, finishWrite, storeUntil } from "../store/writes";
import { Event } from "./events";

const effect: Effect = changetype<Effect>(memory.data(offsetof<Effect>(), 8));
/** Where an effect has its key. */
const KEY: u32 = 2;

/** Handler of `custom.apply <format> <operation> <key> …` → `+OK`. */
export function commandApply(argc: i32, argv: usize): u64 {
  effect.take(argc, argv, changetype<usize>("custom.apply"));
  if (!prepareTable()) failOutOfMemory();
  if (argc == 5 && effect.is(changetype<usize>("set"))) applySet(effect);
  else if (argc == 5 && effect.is(changetype<usize>("append"))) applyAppend(effect);
  else if (argc == 4 && effect.is(changetype<usize>("expire"))) applyExpire(effect);
  else effect.fail();
  return OK;
}

/** `set <key> <value> <deadline>` */
function applySet(effect: Effect): void {
  const key = effect.at(KEY);
  const length = effect.lengthAt(KEY);
  const size = effect.lengthAt(3);
  const deadline = effect.number(4, i64.MAX_VALUE);
  const hash = table.hashOf(key, length);
  const slot = table.lookup(key, length, hash);
  if (deadline) startWheel(redis.Milliseconds());
  beginChange();
  finishWrite(storeUntil(slot, hash, key, length, effect.at(3), size, deadline), Event.SET, key, length, size);
}

/**
 * `append <key> <bytes before> <suffix>`: nothing where the value is shorter or absent: it was changed later,
 * by an effect that follows.
 */
function applyAppend(effect: Effect): void {
  const key = effect.at(KEY);
  const length = effect.lengthAt(KEY);
  const size = effect.lengthAt(4);
  const before = effect.number(3, <i64>LENGTH_MAX - <i64>size);
  const slot = table.lookup(key, length, table.hashOf(key, length));
  if (!slot || textLength(<usize>load<u32>(slot)) < <u32>before) return;
  beginChange();
  finishWrite(appendValue(slot, <u32>before, effect.at(4), size), Event.APPEND, key, length, size);
}

/** `expire <key> <deadline>`: nothing where the key is absent: it was deleted later. */
function applyExpire(effect: Effect): void {
  const key = effect.at(KEY);
  const length = effect.lengthAt(KEY);
  const deadline = effect.number(3, i64.MAX_VALUE);
  const slot = table.lookup(key, length, table.hashOf(key, length));
  if (!slot) return;
  if (deadline) startWheel(redis.Milliseconds());
  beginChange();
  finishWrite(changeDeadline(slot, deadline), deadline ? Event.EXPIRE : Event.PERSIST, key, length, 0);
}
