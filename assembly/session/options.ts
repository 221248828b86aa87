/** The options of SESSION.CREATE: `[NEW] [IDLE s] [TTL s] [MAX n [EVICT|REJECT]] [ID id] [DATA field value …]`, each at most once, DATA last. */
import { argument, argumentLength } from "../base/frame";
import { failSyntax, integerOf, isWord, parsed } from "../base/parse";
import { redis } from "../base/redis";
import { failLine, line } from "../base/text";
import { nowMs } from "./store/expiry";
import { IDLE_SETTING, MAX_SETTING, TTL_SETTING } from "./settings";
import { MAX_TIME } from "./texts/time";

/** A further session of the same user. */
export let isNew: bool = false;
/** Seconds of the idle limit, 0: none. */
export let idle: u32 = 0;
/** Unix ms of the absolute end, 0: none. */
export let expires: i64 = 0;
/** Live sessions that the user may have, 0: any number; and whether one more is refused rather than the oldest evicted. */
export let most: u32 = 0;
export let rejects: bool = false;
/** The id that the caller minted, 0: none. */
export let ownId: usize = 0;
export let ownIdLength: u32 = 0;
/** The arguments that are the session's data. */
export let data: usize = 0;
export let dataFirst: u32 = 0;
export let dataCount: u32 = 0;

/** Which options were given. */
let given: u32 = 0;

const NEW: u32 = 1;
const IDLE: u32 = 2;
const TTL: u32 = 4;
const MAX: u32 = 8;
const ID: u32 = 16;

/** Without options: what the settings say. */
export function useDefaults(): void {
  given = 0;
  isNew = false;
  rejects = false;
  ownId = 0;
  dataCount = 0;
  idle = <u32>redis.GetNumericConfig(IDLE_SETTING);
  most = <u32>redis.GetNumericConfig(MAX_SETTING);
  const ttl = redis.GetNumericConfig(TTL_SETTING);
  expires = ttl ? endAfter(ttl) : 0;
}

/** Reads the options from argument `first` on. Errors: `ERR syntax error`, those of numbers and times. */
export function readOptions(argc: i32, argv: usize, first: u32): void {
  useDefaults();
  const count = <u32>argc;
  for (let at = first; at < count;) at = readOption(count, argv, at);
}

/** Reads the option at `at` and returns where the next one is. */
function readOption(count: u32, argv: usize, at: u32): u32 {
  const word = argument(argv, at);
  const length = argumentLength(argv, at);
  if (isWord(word, length, changetype<usize>("NEW"))) {
    once(NEW);
    isNew = true;
    return at + 1;
  }
  if (at + 1 >= count) failSyntax();
  if (isWord(word, length, changetype<usize>("IDLE"))) {
    once(IDLE);
    idle = idleOf(argv, at + 1);
  } else if (isWord(word, length, changetype<usize>("TTL"))) {
    once(TTL);
    expires = endAfter(secondsOf(argv, at + 1));
  } else if (isWord(word, length, changetype<usize>("MAX"))) {
    once(MAX);
    return readMax(count, argv, at + 1);
  } else if (isWord(word, length, changetype<usize>("ID"))) {
    once(ID);
    ownId = argument(argv, at + 1);
    ownIdLength = argumentLength(argv, at + 1);
  } else if (isWord(word, length, changetype<usize>("DATA"))) {
    data = argv;
    dataFirst = at + 1;
    dataCount = count - dataFirst;
    if (dataCount & 1) failSyntax();
    return count;
  } else {
    failSyntax();
  }
  return at + 2;
}

function readMax(count: u32, argv: usize, at: u32): u32 {
  const limit = integerOf(argument(argv, at), argumentLength(argv, at));
  if (limit < 1) {
    line(changetype<usize>("ERR value is out of range, must be positive"));
    failLine();
  }
  most = <u32>min(limit, <i64>u32.MAX_VALUE);
  rejects = false;
  if (++at == count) return at;
  const word = argument(argv, at);
  const length = argumentLength(argv, at);
  rejects = isWord(word, length, changetype<usize>("REJECT"));
  return rejects || isWord(word, length, changetype<usize>("EVICT")) ? at + 1 : at;
}

function once(option: u32): void {
  if (given & option) failSyntax();
  given |= option;
}

/** The seconds of an idle limit that an argument spells. */
function idleOf(argv: usize, at: u32): u32 {
  const seconds = secondsOf(argv, at);
  if (seconds > <i64>u32.MAX_VALUE) failTime();
  return <u32>seconds;
}

/** The seconds, 1 or more, that an argument spells. */
function secondsOf(argv: usize, at: u32): i64 {
  const seconds = integerOf(argument(argv, at), argumentLength(argv, at));
  if (seconds < 1) failTime();
  return parsed;
}

/** Unix ms so many seconds from now. */
function endAfter(seconds: i64): i64 {
  if (seconds > MAX_TIME / 1000 || nowMs() + seconds * 1000 > MAX_TIME) failTime();
  return nowMs() + seconds * 1000;
}

function failTime(): void {
  line(changetype<usize>("ERR invalid expire time in 'session.create' command"));
  failLine();
}
