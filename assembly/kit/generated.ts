/** What the code calls that the compiler adds to an author's file. Authors do not. */
import { argument, argumentLength, lengthOf, pointerOf } from "../base/frame";
import { failInteger, integerOf, isWord } from "../base/parse";
import { failLine, line } from "../base/text";
import { take } from "./memory/arena";
import { hasObjects, restoreObjects } from "./memory/objects";
import "./abort";
import { readAt } from "./transaction/reads";
import { beginCommand } from "./transaction/begin";
import { Command, takeKey } from "./transaction/command";
import { recover } from "./transaction/commit";
import { beginTrigger as beginTriggerCommand } from "./triggers";
import { parseDecimal } from "./values/decimal";
import { bytesOf, decodeString } from "./values/strings";

export { failSyntax } from "../base/parse";
export { Reader, Writer } from "./values/buffer";
export { read, write } from "./values/codec";
export { readOrdered as readKey, writeOrdered as writeKey } from "./values/keys";
export { Unknown } from "./store/evolve";
export { done, reply } from "./reply";
export { noteEvery, noteOn } from "./triggers";
export { useCustom, useSession } from "./modules";
export { nameModule } from "./module";
export { keepObjects } from "./memory/objects";

/** Commands of a module. */
const COMMANDS_MAX: i32 = 256;

/** A command and its text, while the module starts. */
class Registered {
  constructor(
    public text: string,
    public handler: i32,
    public event: string,
    public command: Command,
  ) {}
}

export const registered: Registered[] = [];
const beginnings: (() => void)[] = [];

/**
 * Notes a command, for onLoad; its number.
 * @param text as `redis.AddCommand` takes it
 * @param event what its changes are told as
 * @param firstKey place of its first key, the name being 0; 0: it has none
 */
export function register(text: string, handler: (argc: i32, argv: usize) => u64, event: string, writes: bool, firstKey: i32): i32 {
  if (registered.length == COMMANDS_MAX) throw new Error("a module has 256 commands at most");
  const command = changetype<Command>(take(offsetof<Command>()));
  const name = bytesOf(event);
  command.event = pointerOf(name);
  command.eventLength = lengthOf(name);
  command.writes = writes;
  command.firstKey = firstKey;
  registered.push(new Registered(text, handler.index, event, command));
  store<u32>(commands + ((<usize>(registered.length - 1)) << 2), <u32>changetype<usize>(command));
  return registered.length - 1;
}

const commands: usize = memory.data(1024, 4);

/** Whether a command of this event's name was noted. */
export function hasCommand(event: string): bool {
  for (let index = 0; index < registered.length; index++) if (registered[index].event == event) return true;
  return false;
}

/** Has a function run before each command: it puts back what a library keeps at module level. */
export function onBegin(action: () => void): void {
  beginnings.push(action);
}

/** A table that line `number` of the author's file reads from: builds for tests and development alone. */
export function inLine<T>(table: T, number: i32): T {
  readAt(number);
  return table;
}

/** Begins a command. */
export function begin(number: i32, argc: i32, argv: usize): void {
  recover();
  beginCommand(changetype<Command>(<usize>load<u32>(commands + ((<usize>number) << 2))), argc, argv);
  restoreAll();
}

/** Begins what the host runs by itself: at an interval, or after an event. */
export function beginTrigger(isEvery: bool): void {
  recover();
  beginTriggerCommand(isEvery);
  restoreAll();
}

// prettier-ignore
@inline
function restoreAll(): void {
  if (hasObjects()) restoreObjects();
  if (beginnings.length) restore();
}

/** Argument `index` is a key, of which the places of the command's keys do not tell. */
export function declareKey(argv: usize, index: i32): void {
  takeKey(argv, index);
}

function restore(): void {
  for (let index = 0; index < beginnings.length; index++) beginnings[index]();
}

// ── Arguments ──────────────────────────────────────────────────────────────────────────────────────────────

/** Argument `index` as a string. */
export function argString(argv: usize, index: i32): string {
  return decodeString(argument(argv, index), argumentLength(argv, index));
}

/** Argument `index` as Bytes, a copy. */
export function argBytes(argv: usize, index: i32): Uint8Array {
  const bytes = new Uint8Array(<i32>argumentLength(argv, index));
  memory.copy(bytes.dataStart, argument(argv, index), bytes.length);
  return bytes;
}

/** Argument `index` as an integer. Errors: `ERR value is not an integer or out of range`. */
export function argI64(argv: usize, index: i32): i64 {
  return integerOf(argument(argv, index), argumentLength(argv, index));
}

/** As argI64, of 32 bits. */
export function argI32(argv: usize, index: i32): i32 {
  const value = argI64(argv, index);
  if (value != <i64>(<i32>value)) failInteger();
  return <i32>value;
}

/** Argument `index` as a number. Errors: `ERR value is not a valid float`: NaN and infinities too. */
export function argF64(argv: usize, index: i32): f64 {
  const pointer = argument(argv, index);
  const length = argumentLength(argv, index);
  let value: f64 = NaN;
  if (isNumber(pointer, length)) value = parseDecimal(pointer, length);
  if (!isFinite(value)) {
    line(changetype<usize>("ERR value is not a valid float"));
    failLine();
  }
  return value;
}

/** Whether the bytes are `[+-]digits[.digits][e[+-]digits]`, a digit before or behind the point. */
function isNumber(pointer: usize, length: u32): bool {
  const end = pointer + <usize>length;
  let at = pointer;
  if (at < end && isSign(load<u8>(at))) at++;
  let digits = at;
  while (at < end && isDigit(load<u8>(at))) at++;
  let count = at - digits;
  if (at < end && load<u8>(at) == 0x2e) {
    digits = ++at;
    while (at < end && isDigit(load<u8>(at))) at++;
    count += at - digits;
  }
  if (!count) return false;
  if (at < end && (load<u8>(at) | 0x20) == 0x65) {
    at++;
    if (at < end && isSign(load<u8>(at))) at++;
    digits = at;
    while (at < end && isDigit(load<u8>(at))) at++;
    if (at == digits) return false;
  }
  return at == end;
}

// prettier-ignore
@inline
function isDigit(byte: u32): bool {
  return byte - 48 < 10;
}

// prettier-ignore
@inline
function isSign(byte: u32): bool {
  return byte == 0x2b || byte == 0x2d;
}

/** Whether argument `index` is this word of upper-case letters, in any case. */
export function isToken(argv: usize, index: i32, word: string): bool {
  return isWord(argument(argv, index), argumentLength(argv, index), changetype<usize>(word));
}
