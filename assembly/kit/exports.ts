/** What the host calls of a kit module. docs/ABI.md tells the conventions. */
import { lengthOf, pointerOf } from "../base/frame";
import { freeBytes as heapFreeBytes, usedBytes } from "../base/storage/heap";
import { forgetIndex } from "../base/slot-index";
import { beginJoin, beginLeave, endJoin, endLeave } from "../base/storage/carry";
import { infoField } from "../base/register";
import { redis } from "../base/redis";
import "./index";
import { beginArena, heldBytes, seal } from "./memory/arena";
import { bytesOf } from "./values/strings";
import { begin, hasCommand, register, registered } from "./generated";
import { done } from "./reply";
import { checkTables } from "./store/check";
import { checkName, declareSettings } from "./module";
import { infoFields } from "./hand";
import { isNothing, loadTables, saveTables, tellTables } from "./store/persistence";
import { indexBytes } from "./store/slot-index";
import { carryTables, dropAll, storedCount } from "./store/tables";
import { applyEffect } from "./transaction/apply";
import { forgetStaged, recover } from "./transaction/commit";
import { countTables, dropTables, exportTables, forgetStep } from "./transaction/slots";
import { carrySweep, expired, sweepStep } from "./transaction/sweep";
import { noteObjects } from "./memory/objects";
import { registerTriggers } from "./triggers";

export { committing } from "../base/change";

/** Version of the conventions between directly linked modules. */
export const abi: u32 = 1;

/** Declares the commands; 0, or how many of them the server refused. */
export function onLoad(): i32 {
  let refused = 0;
  for (let index = 0; index < registered.length; index++) {
    const text = bytesOf(registered[index].text);
    refused += redis.AddCommand(pointerOf(text), lengthOf(text), registered[index].handler);
  }
  if (!hasCommand(checkName())) refused += addCheck();
  registerTriggers();
  seal();
  return refused + i32(!noteObjects());
}

/** Adds `<module>.CHECK`, which every module has. */
function addCheck(): i32 {
  const name = checkName();
  checkNumber = register("", check, name, false, 0);
  const text = bytesOf(
    "name: " + name + "\nflags: readonly\nsummary: Checks that the module's tables hold together\ncomplexity: O(entries)\nacl: read",
  );
  return redis.AddCommand(pointerOf(text), lengthOf(text), registered[checkNumber].handler);
}

let checkNumber: i32 = 0;

function check(argc: i32, argv: usize): u64 {
  begin(checkNumber, argc, argv);
  checkTables();
  return done();
}

/** Declares the settings. */
export function settings(): void {
  declareSettings();
}

/** Applies an effect of this module. */
export function apply(format: i32, argc: i32, argv: usize): void {
  recover();
  applyEffect(format, argc, argv);
}

/** Drops all data at once. */
export function flush(): void {
  forgetStaged();
  forgetStep();
  dropAll();
}

/** Writes the data into the RDB file. */
export function auxSave(): void {
  recover();
  saveTables();
}

/** Reads the data of the RDB file; 0, or 1 when it is refused (the cause is logged). */
export function auxLoad(version: i32): i32 {
  return loadTables(version) ? 0 : 1;
}

/** Tells the log what is there after a load. */
export function loaded(): void {
  tellTables();
}

/** Adds this module's fields to INFO. */
export function info(): void {
  infoField(changetype<usize>("entries"), storedCount());
  infoField(changetype<usize>("expired"), expired);
  infoField(changetype<usize>("heap_used"), usedBytes() - heldBytes());
  infoField(changetype<usize>("slot_index"), indexBytes());
  infoFields();
}

/** Bytes of the wholly free pages of this module's heap. O(1). */
export function freeBytes(): u64 {
  return heapFreeBytes();
}

/** 1 when there is nothing to save. */
export function isEmpty(): i32 {
  recover();
  return isNothing() ? 1 : 0;
}

/** One step of reclaiming what has expired; 1 when more is due now. */
export function sweep(): i32 {
  recover();
  return sweepStep() ? 1 : 0;
}

/** Emits the entries of these slots as effects: a set of 2,048 bytes (base/slots.ts). O(entries). */
export function exportSlots(slots: usize): void {
  recover();
  exportTables(slots);
}

/** Drops the entries of these slots, `most` at most, or all where that is 0 or less; 1: there may be more. */
export function dropSlots(slots: usize, most: i32): i32 {
  recover();
  return dropTables(slots, most) ? 1 : 0;
}

/** How many entries lie in these slots. O(entries). */
export function countSlots(slots: usize): u64 {
  recover();
  return countTables(slots);
}

/** What another file of this module takes over in the same memory: a list (base/storage/carry.ts). */
export function leave(): u64 {
  recover();
  beginArena();
  forgetIndex();
  beginLeave();
  carry();
  return endLeave();
}

/** Takes over what the file that left has listed, before onLoad; 0, or 1 where it cannot. */
export function join(list: usize, length: u32): i32 {
  beginJoin(list);
  carry();
  return endJoin(list + <usize>length) ? 0 : 1;
}

function carry(): void {
  carryTables();
  carrySweep();
}
