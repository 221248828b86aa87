/**
 * What CUSTOM.* does, in plain TypeScript: a map and no care for speed. Byte strings are JavaScript strings
 * of one character per byte, times are Unix ms. Whatever has expired is gone at once, also from counts: it is
 * to be swept before those are asked for.
 */
import { array, bulk, NULL, OK, type Mappings } from './sessions.ts';

const LONGEST = 2n ** 63n - 1n;
const SYNTAX = '-ERR syntax error\r\n';
const NOT_INTEGER = '-ERR value is not an integer or out of range\r\n';
const integer = (value: number | bigint): string => `:${value}\r\n`;
const invalidTime = (command: string): string => `-ERR invalid expire time in '${command}' command\r\n`;

interface Entry {
  value: string;
  /** Infinity: none. */
  deadline: number;
}

const valueOf = (value: string | undefined): string => (value === undefined ? NULL : bulk(value));

/** Ends a command with this reply. */
class Ended extends Error {}

/** The integer that an argument spells, in the one way that the server takes. */
function integerOf(text: string): bigint {
  if (!/^(0|-?[1-9]\d{0,18})$/.test(text)) throw new Ended(NOT_INTEGER);
  const value = BigInt(text);
  if (value > LONGEST || value < -LONGEST - 1n) throw new Ended(NOT_INTEGER);
  return value;
}

function momentOf(text: string, unit: bigint, base: number, positive: boolean, command: string): number {
  const value = integerOf(text);
  const ms = value * unit;
  if ((positive && value <= 0n) || ms > LONGEST || ms < -LONGEST - 1n || ms + BigInt(base) > LONGEST) throw new Ended(invalidTime(command));
  return Number(ms) + base;
}

/** Whether a pattern of KEYS and SCAN, without classes, matches. */
function matches(pattern: string, text: string): boolean {
  // Also because a regular expression may not be as long as a key.
  if (!/[*?[\\]/.test(pattern)) return pattern === text;
  // As in the server: nothing matches nothing, and only one star alone stands for it.
  if (text === '') return pattern === '*';
  const parts = pattern.match(/\\[^]|[^]/g) ?? [];
  const literal = (one: string): string =>
    `\\x${one
      .charCodeAt(one.length - 1)
      .toString(16)
      .padStart(2, '0')}`;
  const source = parts.map((part) => (part === '*' ? '[^]*' : part === '?' ? '[^]' : literal(part)));
  return new RegExp(`^${source.join('')}$`).test(text);
}

export class Storage implements Mappings {
  readonly #entries = new Map<string, Entry>();
  #now = 0;

  #find(key: string): Entry | undefined {
    const entry = this.#entries.get(key);
    return entry && entry.deadline > this.#now ? entry : undefined;
  }

  get(key: string): string | undefined {
    return this.#find(key)?.value;
  }
  set(key: string, value: string, deadline = Infinity): void {
    this.#entries.set(key, { value, deadline });
  }
  delete(key: string): boolean {
    return this.#find(key) !== undefined && this.#entries.delete(key);
  }
  keys(): string[] {
    return [...this.#entries.keys()].filter((key) => this.#find(key));
  }
  clear(): void {
    this.#entries.clear();
  }

  /** The moment at which what follows happens. */
  at(now: number): void {
    this.#now = now;
  }

  /** What the command, in capital letters, must reply, and what it does. */
  reply(name: string, args: string[]): string {
    const handler = this.#commands[name];
    if (!handler) throw new Error(`the model has no ${name}`);
    const { least, most = least, run } = handler;
    if (args.length < least || args.length > most) return `-ERR wrong number of arguments for '${name.toLowerCase()}' command\r\n`;
    try {
      return run(args as [string, string, ...string[]]);
    } catch (error) {
      if (error instanceof Ended) return error.message;
      throw error;
    }
  }

  #set([key, value, ...options]: [string, string, ...string[]]): string {
    const words = new Set<string>();
    let time: string | undefined;
    for (let at = 0; at < options.length; at++) {
      const word = options[at]!.toUpperCase();
      const isTime = ['EX', 'PX', 'EXAT', 'PXAT'].includes(word);
      if (!isTime && !['NX', 'XX', 'GET', 'KEEPTTL'].includes(word)) return SYNTAX;
      words.add(word);
      if ((words.has('NX') && words.has('XX')) || ['EX', 'PX', 'EXAT', 'PXAT', 'KEEPTTL'].filter((each) => words.has(each)).length > 1)
        return SYNTAX;
      if (isTime && (time = options[++at]) === undefined) return SYNTAX;
    }
    const unit = words.has('EX') || words.has('EXAT') ? 1000n : 1n;
    const base = words.has('EXAT') || words.has('PXAT') ? 0 : this.#now;
    let deadline = time === undefined ? Infinity : momentOf(time, unit, base, true, 'custom.set');
    const old = this.#find(key);
    const before = words.has('GET') ? (old ? bulk(old.value) : NULL) : undefined;
    if (words.has(old ? 'NX' : 'XX')) return before ?? NULL;
    if (words.has('KEEPTTL') && old) deadline = old.deadline;
    if (deadline <= this.#now) this.delete(key);
    else this.set(key, value, deadline);
    return before ?? OK;
  }

  #expire(key: string, text: string, unit: bigint, command: string): string {
    const deadline = momentOf(text, unit, this.#now, false, command);
    const entry = this.#find(key);
    if (!entry) return integer(0);
    if (deadline <= this.#now) this.#entries.delete(key);
    else entry.deadline = deadline;
    return integer(1);
  }

  #left(key: string): number {
    const entry = this.#find(key);
    if (!entry) return -2;
    return entry.deadline === Infinity ? -1 : entry.deadline - this.#now;
  }

  /** Changes a value, and keeps its deadline. */
  #change(key: string, value: string): void {
    const entry = this.#find(key);
    if (entry) entry.value = value;
    else this.set(key, value);
  }

  #scan(cursor: string, options: string[]): string {
    if (cursor !== '*' && !/^(0|[1-9]\d{0,18})$/.test(cursor)) return '-ERR invalid cursor\r\n';
    let pattern = '*';
    for (let at = 0; at < options.length; at += 2) {
      const [word, argument] = [options[at]!.toUpperCase(), options[at + 1]];
      if (argument === undefined || (word !== 'MATCH' && word !== 'COUNT')) return SYNTAX;
      if (word === 'MATCH') pattern = argument;
      else if (integerOf(argument) < 1n) return SYNTAX;
    }
    return array(this.keys().filter((key) => matches(pattern, key)));
  }

  readonly #commands: Record<string, { least: number; most?: number; run: (args: [string, string, ...string[]]) => string }> = {
    'CUSTOM.SET': { least: 2, most: Infinity, run: (args) => this.#set(args) },
    'CUSTOM.GET': { least: 1, run: ([key]) => valueOf(this.get(key)) },
    'CUSTOM.MSET': {
      least: 2,
      most: Infinity,
      run: (args) => {
        if (args.length % 2) return "-ERR wrong number of arguments for 'custom.mset' command\r\n";
        for (let at = 0; at < args.length; at += 2) this.set(args[at]!, args[at + 1]!);
        return OK;
      },
    },
    'CUSTOM.MGET': { least: 1, most: Infinity, run: (keys) => `*${keys.length}\r\n${keys.map((key) => valueOf(this.get(key))).join('')}` },
    'CUSTOM.DEL': { least: 1, most: Infinity, run: (keys) => integer(keys.filter((key) => this.delete(key)).length) },
    'CUSTOM.EXISTS': { least: 1, most: Infinity, run: (keys) => integer(keys.filter((key) => this.#find(key)).length) },
    'CUSTOM.GETDEL': {
      least: 1,
      run: ([key]) => {
        const value = valueOf(this.get(key));
        this.delete(key);
        return value;
      },
    },
    'CUSTOM.STRLEN': { least: 1, run: ([key]) => integer(this.get(key)?.length ?? 0) },
    'CUSTOM.INCRBY': {
      least: 2,
      run: ([key, by]) => {
        const step = integerOf(by);
        const value = integerOf(this.get(key) ?? '0') + step;
        if (value > LONGEST || value < -LONGEST - 1n) return '-ERR increment or decrement would overflow\r\n';
        this.#change(key, String(value));
        return integer(value);
      },
    },
    'CUSTOM.APPEND': {
      least: 2,
      run: ([key, suffix]) => {
        this.#change(key, (this.get(key) ?? '') + suffix);
        return integer(this.get(key)!.length);
      },
    },
    'CUSTOM.EXPIRE': { least: 2, run: ([key, time]) => this.#expire(key, time, 1000n, 'custom.expire') },
    'CUSTOM.PEXPIRE': { least: 2, run: ([key, time]) => this.#expire(key, time, 1n, 'custom.pexpire') },
    'CUSTOM.PTTL': { least: 1, run: ([key]) => integer(this.#left(key)) },
    'CUSTOM.TTL': { least: 1, run: ([key]) => integer(this.#left(key) < 0 ? this.#left(key) : Math.floor((this.#left(key) + 500) / 1000)) },
    'CUSTOM.PERSIST': {
      least: 1,
      run: ([key]) => {
        if (this.#left(key) < 0) return integer(0);
        this.#find(key)!.deadline = Infinity;
        return integer(1);
      },
    },
    'CUSTOM.SCAN': { least: 1, most: Infinity, run: ([cursor, ...options]) => this.#scan(cursor, options) },
    'CUSTOM.KEYS': {
      least: 0,
      most: 1,
      run: ([pattern]: (string | undefined)[]) => array(this.keys().filter((key) => pattern === undefined || matches(pattern, key))),
    },
    'CUSTOM.LEN': { least: 0, run: () => integer(this.keys().length) },
    'CUSTOM.CLEAR': {
      least: 0,
      run: () => {
        const count = this.keys().length;
        this.clear();
        return integer(count);
      },
    },
    'CUSTOM.CHECK': { least: 0, run: () => OK },
  };
}
