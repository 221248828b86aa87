/**
 * session.wasm: the sessions SESSION.*, for clients as commands and for other modules as exported functions.
 * docs/ABI.md tells the conventions. This file is the list of exports, nothing else.
 */
import { forgetIndex, indexBytes } from "./base/slot-index";
import { infoField, dataType, servedBy } from "./base/register";
import { beginJoin, beginLeave, endJoin, endLeave } from "./base/storage/carry";
import { freeBytes as heapFreeBytes, usedBytes } from "./base/storage/heap";
import { setArgument } from "./base/frame";
import { failLine } from "./base/text";
import { registerCommands } from "./session/commands";
import { carryCreated, created, createSession } from "./session/actions/create";
import { addField, deleteData, getData } from "./session/actions/data";
import { carryExpired, deleteSession, expired } from "./session/actions/end";
import { carryEvicted, evicted } from "./session/actions/evict";
import { carryStorageCalls, storageCalls } from "./session/mapping/custom";
import { options } from "./session/actions/options";
import { loadSessions, saveSessions, tellSessions, VERSION } from "./session/persistence";
import { createdText, notFoundLine, sessionJson } from "./session/handlers/replies";
import { registerSettings } from "./session/actions/settings";
import { sessionOf } from "./session/store/expiry";
import { beginCommand, carryRecords, countSessions, dropAll } from "./session/store/records";
import { countInSlots, dropSessions, exportSessions } from "./session/slots";
import { countStrays } from "./session/handlers/strays";
import { sweepStep } from "./session/sweep";

export { committing } from "./base/change";
export { del as delete, delOwn as delete$own };

/** Version of the conventions between directly linked modules. */
export const abi: u32 = 1;

/** Declares the settings `wasm.session-…`. */
export function settings(): void {
  registerSettings();
}

/** Declares the data type and the commands; 0, or how many of them the server refused. */
export function onLoad(): i32 {
  servedBy(changetype<usize>("CUSTOM"), changetype<usize>("hashmap.wasm"));
  return dataType(changetype<usize>("wasm-sess"), VERSION) + registerCommands();
}

/** Reclaims some of what has expired; 1 when more is due now. O(1). */
export function sweep(): i32 {
  return sweepStep() ? 1 : 0;
}

/** Drops all data at once. O(pages of the memory). */
export function flush(): void {
  dropAll();
}

/** Writes the RDB file's auxiliary data. */
export function auxSave(): void {
  saveSessions();
}

/**
 * Reads the RDB file's auxiliary data; 0, or 1 when it is refused (the cause is logged). The host calls flush
 * before, and after 1.
 */
export function auxLoad(version: i32): i32 {
  return loadSessions(version) ? 0 : 1;
}

/** Tells the log what is there after a load. */
export function loaded(): void {
  tellSessions();
}

/** Adds this module's fields to INFO. */
export function info(): void {
  infoField(changetype<usize>("sessions"), countSessions());
  infoField(changetype<usize>("created"), created);
  infoField(changetype<usize>("expired"), expired);
  infoField(changetype<usize>("evicted"), evicted);
  infoField(changetype<usize>("storage_calls"), storageCalls);
  infoField(changetype<usize>("heap_used"), usedBytes());
  infoField(changetype<usize>("slot_index"), indexBytes());
}

/** Bytes of the wholly free pages of this module's heap. O(1). */
export function freeBytes(): u64 {
  return heapFreeBytes();
}

/** 1 when there is nothing to save. */
export function isEmpty(): i32 {
  return countSessions() ? 0 : 1;
}

/** Emits the sessions of these slots as effects: a set of 2,048 bytes (base/slots.ts). O(users + bytes). */
export function exportSlots(slots: usize): void {
  exportSessions(slots);
}

/** Drops the sessions of these slots, `most` at most, all where that is 0 or less; 1: there may be more. */
export function dropSlots(slots: usize, most: i32): i32 {
  return dropSessions(slots, most) ? 1 : 0;
}

/** How many sessions lie in these slots. O(users). */
export function countSlots(slots: usize): u64 {
  return countInSlots(slots);
}

/** How many ids, old ones in grace too, lie in another slot than their user. O(sessions). */
export function strays(): u64 {
  return countStrays();
}

/** What another file of this module takes over in the same memory: a list (base/storage/carry.ts). */
export function leave(): u64 {
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
  carryRecords();
  carryCreated();
  carryExpired();
  carryEvicted();
  carryStorageCalls();
}

// The link functions do not replicate: their caller's effect does. Byte strings are `length << 32 | pointer`,
// valid until the
// caller's next import call; 0 is null.

/** Link function of SESSION.CREATE: the text of the reply. Errors: `OOM …`, those of the storage. */
export function create(user: usize, userLength: u32): u64 {
  beginCommand();
  return createdText(createSession(user, userLength, options.useDefaults(), false));
}

/** Link function of SESSION.GET: the JSON, 0 when unknown. */
export function get(id: usize, idLength: u32): u64 {
  beginCommand();
  const record = sessionOf(id, idLength);
  return record ? sessionJson(record) : 0;
}

/** Link function of SESSION.ADD_DATA: 1. Errors: `Session not found: <id>`, `OOM …`. */
export function add_data(id: usize, idLength: u32, field: usize, fieldLength: u32, value: usize, valueLength: u32): u64 {
  addField(found(id, idLength), field, fieldLength, value, valueLength, false);
  return 1;
}

/** Link function of SESSION.GET_DATA: the value, 0 when absent. Errors: `Session not found: <id>`. */
export function get_data(id: usize, idLength: u32, field: usize, fieldLength: u32): u64 {
  return getData(found(id, idLength), field, fieldLength, false);
}

/** Link function of SESSION.DELETE: 1, or 0 when unknown. */
function del(id: usize, idLength: u32): u64 {
  return remove(id, idLength, false);
}

function remove(id: usize, idLength: u32, own: bool): u64 {
  beginCommand();
  const record = sessionOf(id, idLength);
  if (record) deleteSession(record, own);
  return record ? 1 : 0;
}

// Those with a `$` leave their own effects.

/** Link function of SESSION.CREATE user NEW ID id: the text of the reply. Errors: those of the command. */
// prettier-ignore
export function create$own(
  user: usize, userLength: u32, isNew: usize, isNewLength: u32, word: usize, wordLength: u32, id: usize, idLength: u32,
): u64 {
  beginCommand();
  return createdText(createSession(user, userLength, options.useId(id, idLength), true));
}

/** As add_data. */
export function add_data$own(id: usize, idLength: u32, field: usize, fieldLength: u32, value: usize, valueLength: u32): u64 {
  addField(found(id, idLength), field, fieldLength, value, valueLength, true);
  return 1;
}

/** Link function of SESSION.DEL_DATA: 1, or 0 without such a field. Errors: `Session not found: <id>`. */
export function del_data$own(id: usize, idLength: u32, field: usize, fieldLength: u32): u64 {
  const record = found(id, idLength);
  setArgument(name, 0, field, fieldLength);
  return deleteData(record, name, 1);
}

/** As delete. */
function delOwn(id: usize, idLength: u32): u64 {
  return remove(id, idLength, true);
}

/** A field that is removed. */
const name: usize = memory.data(8, 4);

/** The session of this id; ends the command when it is unknown. */
function found(id: usize, idLength: u32): usize {
  beginCommand();
  const record = sessionOf(id, idLength);
  if (!record) {
    notFoundLine(id, idLength);
    failLine();
  }
  return record;
}
