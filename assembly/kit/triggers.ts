/**
 * Handlers that the host runs by itself: at intervals, and after events of keys. A run is a command without
 * keys.
 */
import { lengthOf, pointerOf } from "../base/frame";
import { redis } from "../base/redis";
import { beginCommand } from "./transaction/begin";
import { Command } from "./transaction/command";
import { bytesOf } from "./values/strings";

/** Reads arguments, calls a handler, and commits. */
type Handler = (argc: i32, argv: usize) => u64;

class Interval {
  constructor(
    public ms: i64,
    public handler: i32,
  ) {}
}

class KeyEvent {
  constructor(
    public event: string,
    public pattern: string,
    public handler: i32,
  ) {}
}

const intervals: Interval[] = [];
const keyEvents: KeyEvent[] = [];
/** What tells the host of them: a module without any does not import how. */
const tellings: (() => void)[] = [];

/** Stand for commands. */
const everyCommand: Command = changetype<Command>(memory.data(offsetof<Command>(), 4));
const onCommand: Command = changetype<Command>(memory.data(offsetof<Command>(), 4));

/** Takes the module's name, while it starts: what the handlers change is told as `<module>.every`, `.on`. */
export function nameTriggers(name: string): void {
  nameEvent(everyCommand, name + ".every");
  nameEvent(onCommand, name + ".on");
}

function nameEvent(command: Command, name: string): void {
  const event = bytesOf(name);
  command.event = pointerOf(event);
  command.eventLength = lengthOf(event);
  command.writes = true;
  command.firstKey = 0;
}

/** Notes a handler that is run every so many ms, for onLoad. */
export function noteEvery(ms: i64, handler: Handler): void {
  if (!intervals.length) tellings.push(tellIntervals);
  intervals.push(new Interval(ms, handler.index));
}

/** Notes a handler that is run after events, for onLoad. */
export function noteOn(event: string, pattern: string, handler: Handler): void {
  if (!keyEvents.length) tellings.push(tellKeyEvents);
  keyEvents.push(new KeyEvent(event, pattern, handler.index));
}

/** Tells the host of all of them. */
export function registerTriggers(): void {
  for (let index = 0; index < tellings.length; index++) tellings[index]();
}

function tellIntervals(): void {
  for (let index = 0; index < intervals.length; index++) redis.Every(intervals[index].ms, intervals[index].handler);
}

function tellKeyEvents(): void {
  for (let index = 0; index < keyEvents.length; index++) {
    const one = keyEvents[index];
    const event = bytesOf(one.event);
    const pattern = bytesOf(one.pattern);
    redis.On(pointerOf(event), lengthOf(event), pointerOf(pattern), lengthOf(pattern), one.handler);
  }
}

/** Begins a run, as a command. */
export function beginTrigger(isEvery: bool): void {
  beginCommand(isEvery ? everyCommand : onCommand, 0, 0);
}
