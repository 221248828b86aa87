/** The functions of the other modules, for authors: their writes are a part of the command. */
import { lengthOf, pointerOf } from "../base/frame";
import { take } from "./memory/arena";
import { bytesOf, decodeString } from "./values/strings";
import { mayWrite } from "./transaction/command";
import { addExternal, Deed, External, findExternal, useCustomBy, useSessionBy } from "./transaction/external";


@external("CUSTOM", "get") declare function customGet(key: usize, length: u32): u64;


@external("CUSTOM", "set") declare function customSet(key: usize, length: u32, value: usize, valueLength: u32): u64;


@external("CUSTOM", "del") declare function customDel(key: usize, length: u32): u64;


@external("SESSION", "get") declare function sessionGet(id: usize, length: u32): u64;


@external("SESSION", "get_data") declare function sessionGetData(id: usize, length: u32, field: usize, fieldLength: u32): u64;
// prettier-ignore
@external("SESSION", "add_data") declare function sessionAddData(id: usize, length: u32, field: usize, fieldLength: u32, value: usize, valueLength: u32): u64;


@external("SESSION", "delete") declare function sessionDelete(id: usize, length: u32): u64;

/** What is called by the code that the compiler adds where an author uses `custom`. */
export function useCustom(): void {
  useCustomBy(load<i32>(changetype<usize>(makeCustom)), load<i32>(changetype<usize>(takeBackCustom)));
}

/** As useCustom, of `session`. */
export function useSession(): void {
  useSessionBy(load<i32>(changetype<usize>(makeSession)));
}

function makeCustom(external: External): void {
  const before = customGet(external.key, external.keyLength);
  if (before) {
    external.before = take(max(lengthOf(before), 1));
    external.beforeLength = lengthOf(before);
    memory.copy(external.before, pointerOf(before), lengthOf(before));
  }
  if (external.deed == Deed.CUSTOM_SET) customSet(external.key, external.keyLength, external.value, external.valueLength);
  else customDel(external.key, external.keyLength);
}

function takeBackCustom(external: External): void {
  if (external.before) customSet(external.key, external.keyLength, external.before, external.beforeLength);
  else customDel(external.key, external.keyLength);
}

function makeSession(external: External): void {
  if (external.deed == Deed.SESSION_DELETE) sessionDelete(external.key, external.keyLength);
  else sessionAddData(external.key, external.keyLength, external.field, external.fieldLength, external.value, external.valueLength);
}

/** The hashmap, `CUSTOM.*`. */
export class Custom {
  /** The value of a key, null where there is none. */
  get(key: string): string | null {
    const bytes = bytesOf(key);
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
    const bytes = bytesOf(key);
    const stored = bytesOf(value);
    addExternal(Deed.CUSTOM_SET, pointerOf(bytes), lengthOf(bytes), 0, 0, pointerOf(stored), lengthOf(stored));
  }

  /** Deletes an entry; whether it was there. */
  del(key: string): bool {
    mayWrite();
    const isThere = this.exists(key);
    const bytes = bytesOf(key);
    if (isThere) addExternal(Deed.CUSTOM_DEL, pointerOf(bytes), lengthOf(bytes), 0, 0, 0, 0);
    return isThere;
  }
}

/** Sessions, `SESSION.*`. */
export class Session {
  /** The session as JSON, null where there is none: as it was before the command has changed it. */
  get(id: string): string | null {
    const bytes = bytesOf(id);
    const noted = findExternal(Deed.SESSION_ADD_DATA, Deed.SESSION_DELETE, pointerOf(bytes), lengthOf(bytes));
    if (changetype<usize>(noted)) {
      if (noted.deed == Deed.SESSION_DELETE) return null;
      throw new Error("session.get of a session that the command has changed: read it before, or by getData");
    }
    const json = sessionGet(pointerOf(bytes), lengthOf(bytes));
    return json ? decodeString(pointerOf(json), lengthOf(json)) : null;
  }

  /** The value of a field, null where there is none. Errors: `Session not found: <id>`. */
  getData(id: string, field: string): string | null {
    const bytes = bytesOf(id);
    const name = bytesOf(field);
    const noted = findExternal(
      Deed.SESSION_ADD_DATA,
      Deed.SESSION_DELETE,
      pointerOf(bytes),
      lengthOf(bytes),
      pointerOf(name),
      lengthOf(name),
    );
    if (changetype<usize>(noted)) {
      if (noted.deed == Deed.SESSION_ADD_DATA) return decodeString(noted.value, noted.valueLength);
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
    const bytes = bytesOf(id);
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
    const bytes = bytesOf(id);
    addExternal(Deed.SESSION_DELETE, pointerOf(bytes), lengthOf(bytes), 0, 0, 0, 0);
    return true;
  }

  private isGone(id: string): bool {
    const bytes = bytesOf(id);
    const noted = findExternal(Deed.SESSION_ADD_DATA, Deed.SESSION_DELETE, pointerOf(bytes), lengthOf(bytes));
    if (changetype<usize>(noted)) return noted.deed == Deed.SESSION_DELETE;
    return !sessionGet(pointerOf(bytes), lengthOf(bytes));
  }
}

export const custom: Custom = new Custom();
export const session: Session = new Session();
