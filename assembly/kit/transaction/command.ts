/** The running command: what it may do, and where its keys are. */
import { argument, argumentLength, lengthOf, pointerOf } from "../../base/frame";
import { isClustered } from "../../base/context";
import { failLine, line } from "../../base/text";
import { slotOf } from "../../base/slots";
import { signalBytes } from "../store/signal";
import { Pending } from "./pending";

/** A command as it was registered. */
@unmanaged
export class Command {
  /** Name of the event that its changes are told as. */
  event: usize;
  eventLength: u32;
  writes: bool;
  /** Place of its first key, the name being 0; 0: it has none. */
  firstKey: i32;
}

/** Slots that a command's keys may be in: more are CROSSSLOT. */
const NO_SLOT: u32 = 16384;

/** The one that runs. */
export let running: Command = changetype<Command>(0);
/** The only slot that it reaches, NO_SLOT: any. */
let reach: u32 = NO_SLOT;
/** Whether this server is a node of a cluster, as far as the running command asked. */
let clustered: bool = false;

/** Takes the command that runs from now on. */
export function takeCommand(command: Command, argc: i32, argv: usize): void {
  running = command;
  reach = NO_SLOT;
  clustered = isClustered();
  if (clustered && command.firstKey) reach = declaredSlot(command, argc, argv);
}

/** The slot of the command's first key: the server has seen that all are in it. */
function declaredSlot(command: Command, argc: i32, argv: usize): u32 {
  const index = command.firstKey - 1;
  return index < argc ? slotOf(argument(argv, index), argumentLength(argv, index)) : NO_SLOT;
}

/** Takes a key that stands behind a word: the server has seen that it is in the slot of the others. */
export function takeKey(argv: usize, index: i32): void {
  if (clustered && reach == NO_SLOT) reach = slotOf(argument(argv, index), argumentLength(argv, index));
}

/** Ends the command unless it may write. */
export function mayWrite(): void {
  if (running.writes) return;
  line(changetype<usize>("ERR a query cannot write: a command() can"));
  failLine();
}

function requireSlot(key: usize, length: u32): void {
  const signal = signalBytes(key, length);
  requireReachOfText(pointerOf(signal), lengthOf(signal));
}

function failReach(): void {
  line(changetype<usize>("CROSSSLOT the command reaches a key in another slot than that of its own keys"));
  failLine();
}

/**
 * Ends the command if a stored key, or what has this prefix, lies in a slot that it has declared no key of.
 */
// prettier-ignore
@inline
export function requireReach(key: usize, length: u32): void {
  if (reach != NO_SLOT) requireSlot(key, length);
}

/** As requireReach, of a whole table: there is no slot that all of it lies in. */
export function requireReachOfAll(): void {
  if (reach != NO_SLOT) failReach();
}

/** As requireReach, of a key as clients know it. */
export function requireReachOfText(key: usize, length: u32): void {
  if (reach != NO_SLOT && slotOf(key, length) != reach) failReach();
}

/** Whether what the command changes may lie in several slots: it has declared no key. */
export function mayCrossSlots(): bool {
  return clustered && reach == NO_SLOT;
}

/** Notes where the effect of a key's slot comes: 0 is that of whole tables, or the only one. */
export function noteKey(signal: Pending): void {
  signal.slot = mayCrossSlots() ? slotOf(signal.key, signal.keyLength) + 1 : 0;
}
