/** What commands have at hand beside tables. */
import { redis } from "../base/redis";
import { lengthOf, pointerOf } from "../base/frame";
import { writeUuid } from "../base/uuid";
import { take } from "./memory/arena";
import { bytesOf, decodeString } from "./values/strings";
import { addMessage } from "./transaction/messages";

/** Unix time in milliseconds, the same within a command. */
export function now(): i64 {
  return redis.Milliseconds();
}

/** So many bytes from the server's cryptographic random source, 1 MiB at most. */
export function randomBytes(length: i32): Uint8Array {
  const bytes = new Uint8Array(length);
  redis.GetRandomBytes(bytes.dataStart, length);
  return bytes;
}

/** A random UUID, version 4, in lower-case text. */
export function uuid(): string {
  const raw = take(16);
  const text = take(40);
  drawUuid(raw);
  writeUuid(raw, text);
  return decodeString(text, 36);
}

/** A random UUID, version 4: 16 raw bytes. */
export function drawUuid(raw: usize): void {
  redis.GetRandomBytes(raw, 16);
  store<u8>(raw, (load<u8>(raw, 6) & 0x0f) | 0x40, 6);
  store<u8>(raw, (load<u8>(raw, 8) & 0x3f) | 0x80, 8);
}

/** Who runs the command. */
export class Caller {
  /** The user's name; empty where there is none. */
  get user(): string {
    const name = redis.GetCurrentUserName();
    return decodeString(pointerOf(name), lengthOf(name));
  }

  /** The number of the selected database. */
  get db(): i32 {
    return redis.GetSelectedDb();
  }
}

export const caller: Caller = new Caller();

/** Publishes a text when the command is committed. */
export function publish(channel: string, text: string): void {
  const to = bytesOf(channel);
  const message = bytesOf(text);
  addMessage(pointerOf(to), lengthOf(to), pointerOf(message), lengthOf(message));
}

const LEVEL: usize = memory.data<u8>([110, 111, 116, 105, 99, 101]); // notice

/** A line in the server's log. */
export function log(text: string): void {
  const bytes = bytesOf(text);
  redis.Log(LEVEL, 6, pointerOf(bytes), lengthOf(bytes));
}

class Field {
  constructor(
    public name: string,
    public value: f64,
  ) {}
}

const fields: Field[] = [];

/**
 * A field of INFO, `wasm_<module>_x_<name>`: a number that is told from now on, or the function that gives
 * it.
 */
export function info(name: string, value: () => f64): void {
  fields.push(new Field("x_" + name, 0));
  getters.push(value);
}

const getters: (() => f64)[] = [];

/** Adds the module's own fields to INFO. */
export function infoFields(): void {
  for (let index = 0; index < fields.length; index++) {
    const name = bytesOf(fields[index].name);
    redis.InfoAddFieldDouble(pointerOf(name), lengthOf(name), getters[index]());
  }
}
