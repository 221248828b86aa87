/**
 * The options of SESSION.CREATE: `[NEW] [IDLE s] [TTL s] [MAX n [EVICT|REJECT]] [ID id] [DATA field value
 * …]`, each at most once, DATA last.
 */
import { argument, argumentLength, argumentsFrom } from "../../base/frame";
import { failPositive, failSyntax, integerOf, isWord } from "../../base/parse";
import { redis } from "../../base/redis";
import { failLine, line } from "../../base/text";
import { defaultMost, IDLE_SETTING, TTL_SETTING } from "./settings";
import { nowMs } from "../store/clock";
import { MAX_TIME } from "../texts/time";

/** Bits of the options that were given. */
const NEW: u32 = 1;
const IDLE: u32 = 2;
const TTL: u32 = 4;
const MAX: u32 = 8;
const ID: u32 = 16;


@unmanaged
export class Options {
  /** Which were given. */
  private given: u32;
  /** Seconds of the idle limit, 0: none. */
  idle: u32;
  /** Unix ms of the absolute end, 0: none. */
  expires: i64;
  /** Live sessions that the user may have, 0: any number. */
  most: u32;
  /** The id that the caller minted, 0: none. */
  id: usize;
  idLength: u32;
  /** The arguments that are the session's data: names and values. */
  data: usize;
  dataCount: u32;
  /** Whether one session more than `most` is refused rather than the oldest evicted. */
  rejects: bool;

  /** Whether a further session of the same user is asked for. */
  @inline
  get isNew(): bool {
    return (this.given & NEW) != 0;
  }

  /** Whether the session will have a deadline. */
  @inline
  get isExpiring(): bool {
    return this.idle != 0 || this.expires != 0;
  }

  /** Without options: what the settings say. */
  useDefaults(): Options {
    this.given = 0;
    this.rejects = false;
    this.id = 0;
    this.dataCount = 0;
    this.idle = <u32>redis.GetNumericConfig(IDLE_SETTING);
    this.most = defaultMost();
    const ttl = redis.GetNumericConfig(TTL_SETTING);
    this.expires = ttl ? endAfter(ttl) : 0;
    return this;
  }

  /** As `NEW ID id`. */
  useId(id: usize, length: u32): Options {
    this.useDefaults();
    this.given = NEW | ID;
    this.id = id;
    this.idLength = length;
    return this;
  }

  /** Reads the options from argument `first` on. Errors: `ERR syntax error`, those of numbers and times. */
  read(argc: i32, argv: usize, first: u32): Options {
    this.useDefaults();
    const count = <u32>argc;
    for (let at = first; at < count;) at = this.readOne(count, argv, at);
    return this;
  }

  /** Reads the option at `at` and returns where the next one is. */
  private readOne(count: u32, argv: usize, at: u32): u32 {
    const word = argument(argv, at);
    const length = argumentLength(argv, at);
    if (isWord(word, length, changetype<usize>("NEW"))) {
      this.once(NEW);
      return at + 1;
    }
    if (++at >= count) failSyntax();
    if (isWord(word, length, changetype<usize>("IDLE"))) {
      this.once(IDLE);
      this.idle = idleAt(argv, at);
    } else if (isWord(word, length, changetype<usize>("TTL"))) {
      this.once(TTL);
      this.expires = endAfter(secondsAt(argv, at));
    } else if (isWord(word, length, changetype<usize>("MAX"))) {
      this.once(MAX);
      return this.readMax(count, argv, at);
    } else if (isWord(word, length, changetype<usize>("ID"))) {
      this.once(ID);
      this.id = argument(argv, at);
      this.idLength = argumentLength(argv, at);
    } else if (isWord(word, length, changetype<usize>("DATA"))) {
      this.data = argumentsFrom(argv, at);
      this.dataCount = count - at;
      if (this.dataCount & 1) failSyntax();
      return count;
    } else {
      failSyntax();
    }
    return at + 1;
  }

  private readMax(count: u32, argv: usize, at: u32): u32 {
    const limit = integerOf(argument(argv, at), argumentLength(argv, at));
    if (limit < 1) failPositive();
    this.most = <u32>min(limit, <i64>u32.MAX_VALUE);
    this.rejects = false;
    if (++at == count) return at;
    const word = argument(argv, at);
    const length = argumentLength(argv, at);
    this.rejects = isWord(word, length, changetype<usize>("REJECT"));
    return this.rejects || isWord(word, length, changetype<usize>("EVICT")) ? at + 1 : at;
  }

  private once(option: u32): void {
    if (this.given & option) failSyntax();
    this.given |= option;
  }
}

/** Those of the running command. */
export const options: Options = changetype<Options>(memory.data(offsetof<Options>(), 8));

/** The seconds of an idle limit that an argument spells. */
function idleAt(argv: usize, at: u32): u32 {
  const seconds = secondsAt(argv, at);
  if (seconds > <i64>u32.MAX_VALUE) failTime();
  return <u32>seconds;
}

/** The seconds, 1 or more, that an argument spells. */
function secondsAt(argv: usize, at: u32): i64 {
  const seconds = integerOf(argument(argv, at), argumentLength(argv, at));
  if (seconds < 1) failTime();
  return seconds;
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
