/** The functions of the other modules, for authors: their writes are a part of the command. */
import { isClustered } from "../base/context";
import { lengthOf, pointerOf } from "../base/frame";
import { moveToSlot } from "../base/slot-ids";
import { slotOf } from "../base/slots";
import { writeInteger } from "../base/text";
import { UUID_TEXT, writeUuid } from "../base/uuid";
import { drawUuid } from "./hand";
import { take } from "./memory/arena";
import { bytesOf, decodeString } from "./values/strings";
import { mayWrite, requireReachOfText } from "./transaction/command";
import { addExternal, areReplicated, Deed, External, findExternal, useCustomBy, useSessionBy } from "./transaction/external";


@external("CUSTOM", "get") declare function customGet(key: usize, length: u32): u64;


@external("CUSTOM", "set") declare function customSet(key: usize, length: u32, value: usize, valueLength: u32): u64;


@external("CUSTOM", "del") declare function customDel(key: usize, length: u32): u64;


@external("CUSTOM", "pttl") declare function customPttl(key: usize, length: u32): i64;


@external("CUSTOM", "pexpire") declare function customPexpire(key: usize, length: u32, ms: usize, msLength: u32): u64;


@external("SESSION", "get") declare function sessionGet(id: usize, length: u32): u64;


@external("SESSION", "get_data") declare function sessionGetData(id: usize, length: u32, field: usize, fieldLength: u32): u64;
// prettier-ignore
@external("SESSION", "add_data") declare function sessionAddData(id: usize, length: u32, field: usize, fieldLength: u32, value: usize, valueLength: u32): u64;


@external("SESSION", "delete") declare function sessionDelete(id: usize, length: u32): u64;

// These leave their own effects.
// prettier-ignore
@external("SESSION", "create$own") declare function ownCreate(user: usize, length: u32, isNew: usize, isNewLength: u32, word: usize, wordLength: u32, id: usize, idLength: u32): u64;
// prettier-ignore
@external("SESSION", "add_data$own") declare function ownAddData(id: usize, length: u32, field: usize, fieldLength: u32, value: usize, valueLength: u32): u64;


@external("SESSION", "del_data$own") declare function ownDelData(id: usize, length: u32, field: usize, fieldLength: u32): u64;


@external("SESSION", "delete$own") declare function ownDelete(id: usize, length: u32): u64;

const NEW: usize = memory.data<u8>([78, 69, 87]);
const ID: usize = memory.data<u8>([73, 68]);
const digits: usize = memory.data(24);

/** What is called by the code that the compiler adds where an author uses `custom`. */
export function useCustom(): void {
  useCustomBy(load<i32>(changetype<usize>(makeCustom)), load<i32>(changetype<usize>(takeBackCustom)));
}

/** As useCustom, of `session`. */
export function useSession(): void {
  useSessionBy(load<i32>(changetype<usize>(makeSession)), load<i32>(changetype<usize>(takeBackSession)));
}

function makeCustom(external: External): void {
  if (external.isFollowed) {
    keepBefore(external, customGet(external.key, external.keyLength));
    external.msLeft = customPttl(external.key, external.keyLength);
  }
  if (external.deed == Deed.CUSTOM_SET) customSet(external.key, external.keyLength, external.value, external.valueLength);
  else customDel(external.key, external.keyLength);
}

/** Keeps what an import has answered. */
function keepBefore(external: External, value: u64): void {
  if (!value) return;
  external.before = take(max(lengthOf(value), 1));
  external.beforeLength = lengthOf(value);
  memory.copy(external.before, pointerOf(value), lengthOf(value));
}

function takeBackCustom(external: External): void {
  if (!external.before) {
    customDel(external.key, external.keyLength);
    return;
  }
  customSet(external.key, external.keyLength, external.before, external.beforeLength);
  if (external.msLeft > 0) customPexpire(external.key, external.keyLength, digits, writeInteger(external.msLeft, digits));
}

function makeSession(external: External): void {
  if (external.deed == Deed.SESSION_CREATE) {
    ownCreate(external.field, external.fieldLength, NEW, 3, ID, 2, external.key, external.keyLength);
  } else if (external.deed == Deed.SESSION_DELETE) {
    if (areReplicated) ownDelete(external.key, external.keyLength);
    else sessionDelete(external.key, external.keyLength);
  } else if (areReplicated) {
    if (external.isFollowed) {
      keepBefore(external, sessionGetData(external.key, external.keyLength, external.field, external.fieldLength));
    }
    ownAddData(external.key, external.keyLength, external.field, external.fieldLength, external.value, external.valueLength);
  } else {
    sessionAddData(external.key, external.keyLength, external.field, external.fieldLength, external.value, external.valueLength);
  }
}

function takeBackSession(external: External): void {
  if (external.deed == Deed.SESSION_CREATE) {
    ownDelete(external.key, external.keyLength);
  } else if (external.deed == Deed.SESSION_ADD_DATA) {
    if (!external.before) ownDelData(external.key, external.keyLength, external.field, external.fieldLength);
    else ownAddData(external.key, external.keyLength, external.field, external.fieldLength, external.before, external.beforeLength);
  }
}

/** The bytes of a key. Ends the command where it does not reach the key's slot of a cluster. */
function keyOf(key: string): u64 {
  const bytes = bytesOf(key);
  requireReachOfText(pointerOf(bytes), lengthOf(bytes));
  return bytes;
}

/** The hashmap, `CUSTOM.*`. */
export class Custom {
  /** The value of a key, null where there is none. */
  get(key: string): string | null {
    const bytes = keyOf(key);
    const noted = findExternal(Deed.CUSTOM_SET, Deed.CUSTOM_DEL, pointerOf(bytes), lengthOf(bytes));
    if (changetype<usize>(noted)) return noted.deed == Deed.CUSTOM_SET ? decodeString(noted.value, noted.valueLength) : null;
    const value = customGet(pointerOf(bytes), lengthOf(bytes));
    return value ? decodeString(pointerOf(value), lengthOf(value)) : null;
  }

  /** Whether there is an entry with this key. */
  exists(key: string): bool {
    return this.get(key) !== null;
  }

  /** Stores a value, without a deadline. */
  set(key: string, value: string): void {
    mayWrite();
    const bytes = keyOf(key);
    const stored = bytesOf(value);
    addExternal(Deed.CUSTOM_SET, pointerOf(bytes), lengthOf(bytes), 0, 0, pointerOf(stored), lengthOf(stored));
  }

  /** Deletes an entry; whether it was there. */
  del(key: string): bool {
    mayWrite();
    const isThere = this.exists(key);
    const bytes = keyOf(key);
    if (isThere) addExternal(Deed.CUSTOM_DEL, pointerOf(bytes), lengthOf(bytes), 0, 0, 0, 0);
    return isThere;
  }
}

/** Sessions, `SESSION.*`. */
export class Session {
  /** The id of a new session of this user, whatever sessions there are: it is made at the commit. */
  create(user: string): string {
    mayWrite();
    const bytes = keyOf(user);
    const raw = take(16);
    const text = take(40);
    drawUuid(raw);
    if (isClustered()) moveToSlot(raw, slotOf(pointerOf(bytes), lengthOf(bytes)));
    writeUuid(raw, text);
    addExternal(Deed.SESSION_CREATE, text, UUID_TEXT, pointerOf(bytes), lengthOf(bytes), 0, 0);
    return decodeString(text, UUID_TEXT);
  }

  /** The session as JSON, null where there is none. Errors: it is one that the command has changed. */
  get(id: string): string | null {
    const bytes = keyOf(id);
    const noted = findExternal(Deed.SESSION_ADD_DATA, Deed.SESSION_CREATE, pointerOf(bytes), lengthOf(bytes));
    if (changetype<usize>(noted)) {
      if (noted.deed == Deed.SESSION_DELETE) return null;
      throw new Error("session.get of a session that the command has changed: read it before, or by getData");
    }
    const json = sessionGet(pointerOf(bytes), lengthOf(bytes));
    return json ? decodeString(pointerOf(json), lengthOf(json)) : null;
  }

  /** The value of a field, null where there is none. Errors: `Session not found: <id>`. */
  getData(id: string, field: string): string | null {
    const bytes = keyOf(id);
    const name = bytesOf(field);
    const noted = findExternal(
      Deed.SESSION_ADD_DATA,
      Deed.SESSION_CREATE,
      pointerOf(bytes),
      lengthOf(bytes),
      pointerOf(name),
      lengthOf(name),
    );
    if (changetype<usize>(noted)) {
      if (noted.deed == Deed.SESSION_ADD_DATA) return decodeString(noted.value, noted.valueLength);
      if (noted.deed == Deed.SESSION_CREATE) return null;
      throw new Error("Session not found: " + id);
    }
    const value = sessionGetData(pointerOf(bytes), lengthOf(bytes), pointerOf(name), lengthOf(name));
    return value ? decodeString(pointerOf(value), lengthOf(value)) : null;
  }

  /** Sets a field. Errors: `Session not found: <id>`. */
  addData(id: string, field: string, value: string): void {
    mayWrite();
    // An unknown session is an error at once, not at the commit.
    if (this.isGone(id)) throw new Error("Session not found: " + id);
    const bytes = keyOf(id);
    const name = bytesOf(field);
    const stored = bytesOf(value);
    addExternal(
      Deed.SESSION_ADD_DATA,
      pointerOf(bytes),
      lengthOf(bytes),
      pointerOf(name),
      lengthOf(name),
      pointerOf(stored),
      lengthOf(stored),
    );
  }

  /** Ends a session; whether it was there. */
  delete(id: string): bool {
    mayWrite();
    if (this.isGone(id)) return false;
    const bytes = keyOf(id);
    addExternal(Deed.SESSION_DELETE, pointerOf(bytes), lengthOf(bytes), 0, 0, 0, 0);
    return true;
  }

  private isGone(id: string): bool {
    const bytes = keyOf(id);
    const noted = findExternal(Deed.SESSION_ADD_DATA, Deed.SESSION_CREATE, pointerOf(bytes), lengthOf(bytes));
    if (changetype<usize>(noted)) return noted.deed == Deed.SESSION_DELETE;
    return !sessionGet(pointerOf(bytes), lengthOf(bytes));
  }
}

export const custom: Custom = new Custom();
export const session: Session = new Session();
