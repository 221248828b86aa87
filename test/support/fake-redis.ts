/// <reference lib="dom" />
/**
 * A small stand-in for the host and its server: runs the shipped .wasm files in Node. It is stricter than the
 * real one where that finds faults: what it hands to a module (arguments, results of calls) is overwritten
 * the moment its promised life ends, and an order that the design forbids (an import call or a failure inside
 * a commit, a function outside its phase) throws.
 */
import { readFileSync } from 'node:fs';
import { instantiateSync } from '@assemblyscript/loader';
import binaryen from 'assemblyscript/binaryen';
import { hostFunctions } from './host-functions.ts';

export type Bytes = string | Uint8Array;
/** What `auxSave` wrote: numbers and strings in order. */
export type Saved = (bigint | Buffer)[];

export interface Exports {
  abi: WebAssembly.Global;
  committing: WebAssembly.Global;
  table: WebAssembly.Table;
  onLoad(): number;
  flush(): void;
  auxSave(): void;
  auxLoad(version: number): number;
  info(): void;
  freeBytes(): bigint;
  isEmpty(): number;
  settings?(): void;
  sweep?(): number;
  exportSlots(slots: number): void;
  dropSlots(slots: number, most: number): number;
  countSlots(slots: number): bigint;
  [link: string]: unknown;
}

interface Command {
  module: FakeModule;
  name: string;
  handler: (argc: number, argv: number) => bigint | undefined;
  flags: string[];
  keys: [first: number, last: number, step: number];
  arity: number;
  /** Whether the argument at this place may be late; the command's name is at 0. */
  isLate?: (place: number) => boolean;
}

/** What a commit may call beside what replicates: what it queues, and what cannot fail. */
const IN_COMMIT = new Set(['KeyChanged', 'PublishMessage', 'ReadArgument', 'SignalModifiedKey']);

/** A setting that a module has declared; tests change it by `configure`. */
interface Setting {
  module: FakeModule;
  handle: number;
  default: bigint;
  min: bigint;
  max: bigint;
  value: bigint;
}

/** An array or map whose elements are still to come. */
interface Container {
  kind: 'Array' | 'Map';
  /** Elements still owed; undefined: the length is told afterwards. */
  owed: number | undefined;
  sent: number;
  /** Where its head stands among the parts of the reply. */
  head: number;
}

/** `redis.Fail`: ends the running command with an error. */
export class Failed extends Error {}
/** An error that a real server would end with a trap, or never let happen. */
export class Fault extends Error {}

const PAGE = 65536;
/** The pointer of a late argument is this and its number; it has so many bytes at least. */
const LATE = 0xffff0000;
const LATE_BYTES_MIN = 65536;
const POISON = 0xdd;
/** Bytes of a set of cluster slots. */
const SET_BYTES = 2048;
/** Steps of sweeping that no test needs. */
const SWEEP_STEPS_MAX = 1_000_000;
/** Results of handlers that are no byte strings. */
const ANSWER = { null: 0n, replied: 1n, ok: 2n, integer: 3n };

/** Where a module's file is that is not one of the shipped. */
const elsewhere = new Map<string, string>();
/** Lets a FakeServer load a module of this file. */
export function placeModule(name: string, file: string): void {
  elsewhere.set(name, file);
}
const contentsOf = (name: string): Buffer => readFileSync(elsewhere.get(name) ?? new URL(`../../build/${name}.wasm`, import.meta.url));

/** The file as it is shipped, compiled once. */
const compiled = new Map<string, WebAssembly.Module>();
export function moduleFile(name: string): WebAssembly.Module {
  let module = compiled.get(name);
  if (!module) {
    module = new WebAssembly.Module(contentsOf(name) as Uint8Array<ArrayBuffer>);
    compiled.set(name, module);
  }
  return module;
}

/** The shipped file, with each growth of its memory made a question to the import `test.grow`. */
const growing = new Map<string, WebAssembly.Module>();
function growingFile(name: string): WebAssembly.Module {
  let module = growing.get(name);
  if (!module) {
    const shipped = binaryen.readBinary(contentsOf(name));
    shipped.setFeatures(binaryen.Features.All);
    const text = shipped.emitText().replace(/\(memory\.grow\b/g, '(call $testGrow');
    shipped.dispose();
    const changed = binaryen.parseText(text.replace('(module', '(module (import "test" "grow" (func $testGrow (param i32) (result i32)))'));
    changed.setFeatures(binaryen.Features.All);
    module = new WebAssembly.Module(changed.emitBinary() as Uint8Array<ArrayBuffer>);
    changed.dispose();
    growing.set(name, module);
  }
  return module;
}

/** Pages of the memory that a module imports. */
const pages = new Map<string, number>();
function pagesOf(name: string): number {
  const found = pages.get(name) ?? readPages(name);
  pages.set(name, found);
  return found;
}

function readPages(name: string): number {
  const text = binaryen.readBinary(contentsOf(name));
  const count = Number(/\(import "env" "memory" \(memory \S+ (\d+)/.exec(text.emitText())?.[1] ?? 3);
  text.dispose();
  return count;
}

export const bytes = (value: Bytes): Buffer => (typeof value === 'string' ? Buffer.from(value) : Buffer.from(value));

/** The host replaces CR, LF and NUL; the modules do not leave that to it. */
/** What a line `late: first/step` says. */
function isLateAt(line: string): (place: number) => boolean {
  const [first = NaN, step = 0] = line === '' ? [] : line.split('/').map(Number);
  return (place) => place === first || (step > 0 && place > first && (place - first) % step === 0);
}

function oneLine(text: string): string {
  if (/[\r\n\0]/.test(text)) throw new Fault(`CR, LF or NUL in ${JSON.stringify(text)}`);
  return text;
}

/** A linear memory and the host's own region in it: a stack of frames. */
class Region {
  readonly memory: WebAssembly.Memory;
  private start = 0;
  private size = 0;
  private used = 0;
  /** Regions that a larger one replaced while frames lay in them. */
  private readonly retired: number[] = [];

  constructor(memory: WebAssembly.Memory) {
    this.memory = memory;
    this.grow(1);
  }

  get view(): Buffer {
    return Buffer.from(this.memory.buffer);
  }

  read(pointer: number, length: number): Buffer {
    const [start, size] = [pointer >>> 0, length >>> 0];
    if (start + size > this.memory.buffer.byteLength) throw new Fault(`${start}+${size} is outside of the memory`);
    if (size > 0 && start === 0) throw new Fault('a null pointer');
    return Buffer.from(this.view.subarray(start, start + size));
  }

  /** Puts values at the top of the region; each at an odd address, so that nothing relies on alignment. */
  push(values: Buffer[]): { pointers: number[]; mark: number } {
    const mark = this.used;
    const total = values.reduce((sum, value) => sum + value.length + 2, 16);
    if (this.used + total > this.size) this.grow(Math.ceil((this.used + total) / PAGE));
    const pointers = values.map((value) => {
      const pointer = (this.start + this.used) | 1;
      this.view.set(value, pointer);
      this.used = pointer + value.length - this.start;
      return pointer;
    });
    return { pointers, mark };
  }

  /** Four-byte aligned words on top of the region. */
  pushWords(words: number[]): number {
    this.used = (this.used + 3) & ~3;
    if (this.used + words.length * 4 > this.size) this.grow(Math.ceil((this.used + words.length * 4) / PAGE));
    const pointer = this.start + this.used;
    words.forEach((word, index) => this.view.writeUInt32LE(word >>> 0, pointer + index * 4));
    this.used += words.length * 4;
    return pointer;
  }

  /** Ends the life of everything above the mark. */
  release(mark: number): void {
    this.view.fill(POISON, this.start + mark, this.start + this.used);
    this.used = mark;
  }

  private grow(pages: number): void {
    const first = this.memory.grow(pages);
    this.retired.push(this.start);
    this.start = first * PAGE;
    this.size = pages * PAGE;
  }
}

/** The host's functions: in which phases each may be called, and what it does. */
type Functions = Record<string, [phases: string, body: (...args: never[]) => unknown]>;

/** One loaded module. */
export class FakeModule {
  readonly name: string;
  readonly exports: Exports;
  readonly region: Region;
  private readonly server: FakeServer;
  /** The last byte string given to the module by an import call: it dies with the next import call. */
  private given: { pointer: number; length: number } | undefined;
  private readonly givenRegion: Region;

  constructor(server: FakeServer, name: string, region: Region, links: Record<string, Record<string, unknown>>) {
    this.server = server;
    this.name = name;
    this.region = region;
    this.givenRegion = new Region(region.memory);
    const imports = {
      env: { memory: region.memory },
      redis: this.namespace(),
      test: { grow: (pages: number) => this.grow(pages) },
      ...links,
    };
    const file = server.mayGrow ? growingFile(name) : moduleFile(name);
    this.exports = instantiateSync(file, imports as never).exports as unknown as Exports;
  }

  /** Stands in for `memory.grow`: the page that the new ones begin at, or -1. */
  private grow(pages: number): number {
    if (!this.server.mayExceed && !this.server.mayGrow?.(pages)) return -1;
    try {
      return this.region.memory.grow(pages >>> 0);
    } catch {
      return -1;
    }
  }

  get committing(): boolean {
    return Boolean(this.exports.committing.value);
  }

  /** Hands a byte string to the module, valid until its next import call. */
  give(value: Buffer): bigint {
    this.expire();
    const { pointers } = this.givenRegion.push([value]);
    const pointer = pointers[0] ?? 0;
    this.given = { pointer, length: value.length };
    return (BigInt(value.length) << 32n) | BigInt(pointer >>> 0);
  }

  /** Ends the life of what was given. */
  expire(): void {
    if (this.given) this.givenRegion.release(0);
    this.given = undefined;
  }

  private replies(read: (pointer: number, length: number) => Buffer, line: (pointer: number, length: number) => string): Functions {
    const server = this.server;
    return {
      ReplyWithSimpleString: [
        'command',
        (p: number, l: number) => {
          server.reply(`+${line(p, l)}\r\n`);
        },
      ],
      ReplyWithError: [
        'command',
        (p: number, l: number) => {
          server.reply(`-${line(p, l)}\r\n`);
        },
      ],
      ReplyWithStringBuffer: [
        'command',
        (p: number, l: number) => {
          server.replyBulk(read(p, l));
        },
      ],
      ReplyWithNull: [
        'command',
        () => {
          server.reply(NULL);
        },
      ],
      WrongArity: [
        'command',
        () => {
          server.reply(`-ERR wrong number of arguments for '${server.running?.name ?? ''}' command\r\n`);
        },
      ],
      ReplyWithLongLong: [
        'command',
        (value: bigint) => {
          server.reply(`:${value}\r\n`);
        },
      ],
      ReplyWithArray: [
        'command',
        (length: bigint) => {
          server.openReply('Array', length);
        },
      ],
      ReplySetArrayLength: [
        'command',
        (length: bigint) => {
          server.setReplyLength('Array', length);
        },
      ],
      ReplyWithMap: [
        'command',
        (length: bigint) => {
          server.openReply('Map', length);
        },
      ],
      ReplyWithParts: ['command', this.sendingParts(read)],
      ReplySetMapLength: [
        'command',
        (length: bigint) => {
          server.setReplyLength('Map', length);
        },
      ],
    };
  }

  private sendingParts(read: (pointer: number, length: number) => Buffer): (pointer: number, length: number) => void {
    return (pointer, length) => {
      this.sendParts(read(pointer, length));
    };
  }

  /** What ReplyWithParts takes; numbers but integers are for real servers. */
  private sendParts(written: Buffer): void {
    const { server } = this;
    for (let at = 0; at < written.length;) {
      const kind = written.readUInt8(at);
      const number = written.readBigInt64LE(at + 1);
      at += 9;
      if (kind === 0) server.replyBulk(written.subarray(at, at + Number(number)));
      else if (kind === 1) server.reply(NULL);
      else if (kind === 2) server.reply(`:${number}\r\n`);
      else if (kind === 3) server.reply(`+${written.toString('utf8', at, at + Number(number))}\r\n`);
      else if (kind === 6 || kind === 7) server.openReply(kind === 6 ? 'Array' : 'Map', number);
      else throw new Fault(`no part of a reply: ${kind}`);
      if (kind === 0 || kind === 3) at += Number(number);
    }
  }

  private readArgument(words: number[]): Buffer {
    const [pointer = 0, length = 0, target = 0] = words.map((word) => word >>> 0);
    const argument = this.server.argument(pointer - LATE);
    if (argument?.length !== length || length < LATE_BYTES_MIN) throw new Fault('no late argument');
    this.region.view.set(argument, target);
    return argument;
  }

  private streams(read: (pointer: number, length: number) => Buffer): Functions {
    const server = this.server;
    return {
      SaveUnsigned: ['save', (value: bigint) => server.file.push(BigInt.asUintN(64, value))],
      SaveStringBuffer: ['save', (p: number, l: number) => server.file.push(read(p, l))],
      LoadUnsigned: ['aux', () => server.loadUnsigned()],
      LoadStringBuffer: ['aux', () => server.loadString(this)],
      IsIOError: ['aux', () => Number(server.ioError)],
    };
  }

  /** What kit modules ask for beside. */
  private ofKits(
    read: (pointer: number, length: number) => Buffer,
    text: (pointer: number, length: number) => string,
    array: (pointer: number, count: number) => Buffer[],
  ): Functions {
    const server = this.server;
    return {
      RegisterSetting: [
        'settings',
        (n: number, nl: number, value: bigint, min: bigint, max: bigint, handle: number) =>
          server.declareKit(`${this.name}.${text(n, nl)}`, { module: this, handle, default: value, min, max, value }),
      ],
      GetSetting: ['command sweep aux save info', (handle: number) => server.kitSetting(this, handle)],
      GetCurrentUserName: ['command sweep', () => this.give(Buffer.from(server.phase === 'sweep' ? '' : server.userName))],
      ReplyWithDouble: [
        'command',
        (value: number) => {
          server.replyBulk(Buffer.from(String(value)));
        },
      ],
      GetSelectedDb: ['command sweep', () => (server.phase === 'sweep' ? 0 : server.database)],
      ReplicateTables: [
        'command sweep export',
        (k: number, kl: number, format: number, argv: number, argc: number) =>
          server.replicate(['wasm.apply', read(k, kl), this.name, String(format), ...array(argv, argc)]),
      ],
      PublishMessage: ['command sweep', (c: number, cl: number, p: number, l: number) => server.published.push([text(c, cl), text(p, l)])],
      InfoAddFieldDouble: ['info', (n: number, nl: number, value: number) => server.doubles.set(`${this.name}_${text(n, nl)}`, value)],
    };
  }

  private functions(): Functions {
    const server = this.server;
    const read = (pointer: number, length: number): Buffer => this.region.read(pointer, length);
    const text = (pointer: number, length: number): string => read(pointer, length).toString('latin1');
    const line = (pointer: number, length: number): string => oneLine(text(pointer, length));
    const array = (pointer: number, count: number): Buffer[] => {
      const words = read(pointer, count * 8);
      return Array.from({ length: count }, (_, index) => read(words.readUInt32LE(index * 8), words.readUInt32LE(index * 8 + 4)));
    };
    return {
      AddCommand: ['load', (p: number, l: number, handler: number) => this.addCommand(text(p, l), handler)],
      CreateCommand: ['load', (...args: number[]) => this.createCommand(args, text)],
      SetCommandInfo: ['load', (n: number, nl: number, p: number, l: number) => server.describe(this, text(n, nl), text(p, l))],
      RegisterNumericConfig: [
        'settings',
        (n: number, nl: number, value: bigint, _flags: number, min: bigint, max: bigint, handle: number) =>
          server.declare(text(n, nl), { module: this, handle, default: value, min, max, value }),
      ],
      GetNumericConfig: ['command sweep aux save info', (handle: number) => server.setting(this, handle)],
      ServedBy: ['load', (n: number, nl: number, f: number, fl: number) => server.servedBy.set(text(n, nl), text(f, fl))],
      Every: ['load', (ms: bigint, handler: number) => server.every.push([ms, handler])],
      On: ['load', (e: number, el: number, p: number, l: number, handler: number) => server.on.push([text(e, el), text(p, l), handler])],
      ReadArgument: ['command', (...args: number[]) => this.readArgument(args)],
      CreateDataType: ['load', (n: number, nl: number, version: number) => server.dataType(this, text(n, nl), version)],
      ...this.replies(read, line),
      ...this.ownKeys(),
      Fail: ['command sweep', (p: number, l: number) => this.fail(line(p, l))],
      Attempt: ['command sweep', (handler: number) => this.attempt(handler)],
      Milliseconds: ['command sweep aux drop', () => BigInt(server.clock)],
      GetRandomBytes: [
        'command sweep aux',
        (p: number, l: number) => {
          this.region.view.set(server.random(l), p >>> 0);
        },
      ],
      Log: [
        'command sweep aux',
        (v: number, vl: number, p: number, l: number) => server.logs.push(`${text(v, vl)} ${this.name}: ${text(p, l)}`),
      ],
      MayAccess: ['command', (p: number, l: number) => Number(server.mayAccess(text(p, l)))],
      GetContextFlags: ['command sweep drop', () => server.flags],
      ReplicateVerbatim: ['command', () => server.replicateVerbatim()],
      Replicate: [
        'command sweep export',
        (n: number, nl: number, argv: number, argc: number) => server.replicate([text(n, nl), ...array(argv, argc)]),
      ],
      MayExceed: ['command sweep export', () => (server.mayExceed = true)],
      // A module that still relied on the bytes would see these.
      DiscardMemory: ['command sweep drop', (p: number, l: number) => this.region.view.fill(0xdd, p >>> 0, (p >>> 0) + l)],
      CountEffect: ['command sweep', () => server.countEffect()],
      EffectsWanted: ['command sweep', () => Number(server.effectsWanted)],
      SignalModifiedKey: ['command sweep drop', (p: number, l: number) => server.signalled.push(text(p, l))],
      NotifyKeyspaceEvent: [
        'command sweep',
        (type: number, e: number, el: number, p: number, l: number) => server.events.push(`${type} ${text(e, el)} ${text(p, l)}`),
      ],
      KeyChanged: [
        'command sweep',
        (type: number, e: number, el: number, p: number, l: number, verbatim: number) => {
          if (verbatim && server.phase === 'sweep') throw new Fault('no command runs that could be replicated as it came');
          if (verbatim) server.replicateVerbatim();
          server.signalled.push(text(p, l));
          server.events.push(`${type} ${text(e, el)} ${text(p, l)}`);
        },
      ],
      ...this.streams(read),
      ...this.ofKits(read, text, array),
      InfoAddFieldULongLong: ['info', (n: number, nl: number, value: bigint) => server.info.set(`${this.name}_${text(n, nl)}`, value)],
    };
  }

  private namespace(): Record<string, unknown> {
    const functions = Object.entries(this.functions());
    return Object.fromEntries(functions.map(([name, [phases, body]]) => [name, this.guarded(name, phases, body)]));
  }

  /** The functions that a module may import, and the phases of each. */
  phases(): Record<string, string[]> {
    return Object.fromEntries(Object.entries(this.functions()).map(([name, [phases]]) => [name, phases.split(' ')]));
  }

  private guarded(name: string, phases: string, body: (...args: never[]) => unknown): (...args: never[]) => unknown {
    return (...args) => {
      if (!phases.split(' ').includes(this.server.phase)) throw new Fault(`${name} in phase ${this.server.phase}`);
      const isEffect = name.startsWith('Replicate') || name === 'CountEffect';
      if (this.committing && !isEffect && !IN_COMMIT.has(name)) throw new Fault(`${name} inside a commit`);
      // A command that ended between its effect and its commit would have done it everywhere but here.
      if (!this.committing && isEffect && this.server.phase !== 'export') throw new Fault(`${name} outside a commit`);
      this.expire();
      return body(...args);
    };
  }

  /** The server's own keys and commands: what they do is seen on real servers alone. */
  private ownKeys(): Record<string, [string, () => never]> {
    const names = hostFunctions('redis-keys').map(({ name }) => name);
    const missing = (name: string) => () => {
      throw new Fault(`${name}: there is no server behind this one`);
    };
    return Object.fromEntries(names.map((name) => [name, ['command', missing(name)]]));
  }

  private fail(error: string): never {
    for (const module of this.server.modules) if (module.committing) throw new Fault('a failure inside a commit');
    throw new Failed(error);
  }

  /** `redis.Attempt`: 1 when the function was ended by a failure, its own or that of an import call. */
  private attempt(handler: number): number {
    try {
      (this.exports.table.get(handler) as () => void)();
      return 0;
    } catch (error) {
      if (!(error instanceof Failed)) throw error;
      return 1;
    }
  }

  /** A command by its text: lines `key: value`, as docs/ABI.md has them. */
  private addCommand(text: string, handler: number): number {
    const own = new Map<string, string>();
    const rest: string[] = [];
    for (const row of text.split('\n')) {
      const [, key = '', value = ''] = /^\s*(name|flags|arity|late): +(.*)$/.exec(row) ?? [];
      if (key === '') rest.push(row);
      else own.set(key, value);
    }
    const first = Number(/^\s*keys: +(\d+)/m.exec(text)?.[1] ?? 0);
    // Required words, and whether there may be more.
    const words =
      (/^\s*syntax: +(.*)$/m.exec(text)?.[1] ?? '').replaceAll(/\[[^\]]*\]/g, '...').match(/[\w:-]+|\.{3}/g) ?? ([] as string[]);
    const least = 1 + words.filter((word) => word !== '...').length;
    const name = own.get('name') ?? '';
    this.server.commands.set(name, {
      module: this,
      name,
      handler: this.exports.table.get(handler) as Command['handler'],
      flags: (own.get('flags') ?? '').split(' '),
      keys: [first, first, first === 0 ? 0 : 1],
      arity: Number(own.get('arity') ?? (words.includes('...') ? -least : least)),
      isLate: isLateAt(own.get('late') ?? ''),
    });
    return this.server.describe(this, name, rest.join('\n'));
  }

  private createCommand(args: number[], text: (pointer: number, length: number) => string): number {
    const [name = 0, nameLength = 0, handler = 0, flags = 0, flagsLength = 0, first = 0, last = 0, step = 0, arity = 0] = args;
    const command = text(name, nameLength);
    this.server.commands.set(command, {
      module: this,
      name: command,
      handler: this.exports.table.get(handler) as Command['handler'],
      flags: text(flags, flagsLength).split(' '),
      keys: [first, last, step],
      arity,
    });
    return 0;
  }
}

export interface Options {
  /**
   * Direct: both modules in one memory, the session's imports are the hashmap's exports. Command: each has
   * its own.
   */
  link?: 'direct' | 'command';
  /** Pages that a memory may have. */
  maxPages?: number;
  seed?: number;
  /** Asked at each growth of a memory by a module, in pages, where given. */
  mayGrow?: (pages: number) => boolean;
  /** A kit's module, from `placeModule`, that is loaded beside the two. */
  kit?: string;
  /** What it is linked to, by namespaces. */
  kitLinks?: Record<string, Record<string, unknown>>;
}

/** A server with both modules loaded. */
export class FakeServer {
  readonly commands = new Map<string, Command>();
  readonly servedBy = new Map<string, string>();
  /** Command → the text that describes it. */
  readonly commandInfo = new Map<string, string>();
  /** What the modules' settings() declared, by name. */
  readonly settings = new Map<string, Setting>();
  /** Those of them that stand in `wasm.settings`, by `module.name`. */
  readonly kitSettings = new Map<string, Setting>();
  readonly dataTypes = new Map<string, [name: string, version: number]>();
  readonly modules: FakeModule[] = [];
  readonly hashmap: FakeModule;
  readonly session: FakeModule;
  /** The kit's module, if there is one. */
  readonly kit: FakeModule | undefined;
  /** What was queued for replicas, the outermost command's alone. */
  readonly propagated: Buffer[][] = [];
  readonly signalled: string[] = [];
  readonly events: string[] = [];
  readonly logs: string[] = [];
  readonly info = new Map<string, bigint>();
  readonly doubles = new Map<string, number>();
  /** What modules have registered that the host runs by itself. */
  readonly every: [ms: bigint, handler: number][] = [];
  readonly on: [event: string, pattern: string, handler: number][] = [];
  /** Channels and messages. */
  readonly published: [channel: string, message: string][] = [];
  /** Who runs commands, and in which database. */
  userName = 'default';
  database = 0;
  /** Calls of CUSTOM.* that came from the session module, in order. */
  readonly storageCalls: string[] = [];
  /** Name of the import of CUSTOM.* that ends its caller with an error. */
  storageFails = '';
  /** Whether the client may read and write a key. */
  mayAccess = (key: string): boolean => key !== '';
  /** Whether the running command has said that it frees memory: no growth is refused to it. */
  mayExceed = false;
  clock = Date.UTC(2026, 0, 2, 3, 4, 5, 678);
  flags = 0;
  /** Whether anybody takes what is replicated … */
  effectsTaken = true;
  /** … and how many effects were counted instead, of those that are asked for. */
  effectsCounted = 0;
  effectsWanted = true;
  phase = 'load';
  running: { name: string; args: Buffer[] } | undefined;
  file: Saved = [];
  ioError = false;
  private replies: Buffer[] = [];
  private containers: Container[] = [];
  private depth = 0;
  private seed: number;
  readonly maxPages: number;
  readonly mayGrow: Options['mayGrow'];

  constructor({ link = 'direct', maxPages = 4096, seed = 1, mayGrow, kit, kitLinks = {} }: Options = {}) {
    this.mayGrow = mayGrow;
    this.seed = seed;
    this.maxPages = maxPages;
    const region = this.newRegion();
    this.hashmap = this.add('hashmap', region, {});
    const custom = link === 'direct' ? this.direct() : this.byCommand();
    this.session = this.add('session', link === 'direct' ? region : this.newRegion(), { CUSTOM: custom });
    this.kit = kit === undefined ? undefined : this.add(kit, this.newRegion(pagesOf(kit)), kitLinks);
    this.phase = 'idle';
  }

  private newRegion(initial = 3): Region {
    return new Region(new WebAssembly.Memory({ initial, maximum: this.maxPages }));
  }

  private add(name: string, region: Region, links: Record<string, Record<string, unknown>>): FakeModule {
    const module = new FakeModule(this, name, region, links);
    this.modules.push(module);
    this.phase = 'settings';
    module.exports.settings?.();
    this.phase = 'load';
    if (module.exports.onLoad() !== 0) throw new Fault(`${name}: onLoad`);
    return module;
  }

  /** The direct link: the exports themselves, between two checks. */
  private direct(): Record<string, unknown> {
    const link =
      (name: string) =>
      (...args: number[]): bigint => {
        this.storageCall(name);
        return (this.hashmap.exports[name] as (...args: number[]) => bigint)(...args);
      };
    return { get: link('get'), set: link('set'), del: link('del'), exists: link('exists') };
  }

  /**
   * The fallback: each import is a nested call of the command, its reply converted as the host converts it.
   */
  private byCommand(): Record<string, unknown> {
    const link =
      (name: string) =>
      (...args: number[]): bigint => {
        this.storageCall(name);
        const strings: Buffer[] = [];
        for (let index = 0; index < args.length; index += 2) {
          strings.push(this.session.region.read(args[index] ?? 0, args[index + 1] ?? 0));
        }
        const reply = this.nested(`custom.${name}`, strings);
        const head = reply.toString('latin1', 1, reply.indexOf('\r\n'));
        if (reply[0] === 0x2d) throw new Failed(head);
        if (reply[0] === 0x3a) return BigInt(head);
        if (reply[0] === 0x2b) return head === 'OK' ? 1n : this.session.give(Buffer.from(head, 'latin1'));
        if (head === '-1') return 0n;
        return this.session.give(reply.subarray(head.length + 3, -2));
      };
    return { get: link('get'), set: link('set'), del: link('del'), exists: link('exists') };
  }

  private storageCall(name: string): void {
    this.session.expire();
    if (this.session.committing) throw new Fault('an import call inside a commit');
    if (this.storageFails === name) throw new Failed('ERR the storage fails');
    this.storageCalls.push(name);
  }

  private nested(name: string, args: Buffer[]): Buffer {
    const [replies, containers, running] = [this.replies, this.containers, this.running];
    try {
      return this.run(name, args);
    } finally {
      this.replies = replies;
      this.containers = containers;
      this.running = running;
    }
  }

  /** Runs a command and returns its reply, byte for byte. */
  call(name: string, ...args: Bytes[]): Buffer {
    return this.run(name.toLowerCase(), args.map(bytes));
  }

  /** As call, as text of one byte per character. */
  text(name: string, ...args: Bytes[]): string {
    return this.call(name, ...args).toString('latin1');
  }

  /** An argument of the running command. */
  argument(index: number): Buffer | undefined {
    return this.running?.args[index];
  }

  private run(name: string, args: Buffer[]): Buffer {
    const command = this.commands.get(name) ?? this.applied(name, args);
    if (!command) return Buffer.from(`-ERR unknown command '${name}'\r\n`);
    const count = args.length + 1;
    if (command.arity < 0 ? count < -command.arity : count !== command.arity) {
      return Buffer.from(`-ERR wrong number of arguments for '${name}' command\r\n`);
    }
    const { region } = command.module;
    // A late argument has a pointer that is no address, and its bytes are asked for.
    const isLate = (index: number): boolean => (args[index]?.length ?? 0) >= LATE_BYTES_MIN && command.isLate?.(index + 1) === true;
    const { pointers, mark } = region.push(args.map((arg, index) => (isLate(index) ? Buffer.alloc(0) : arg)));
    const argv = region.pushWords(args.flatMap((arg, index) => [isLate(index) ? LATE + index : (pointers[index] ?? 0), arg.length]));
    this.replies = [];
    this.containers = [];
    this.running = { name, args };
    const phase = this.phase;
    this.phase = 'command';
    this.depth++;
    try {
      this.answer(region, command.handler(args.length, argv));
      if (this.replies.length === 0 || this.containers.length > 0) throw new Fault(`${name} has not sent its whole reply`);
    } catch (error) {
      if (!(error instanceof Failed)) throw error;
      this.replies = [Buffer.from(`-${error.message}\r\n`, 'latin1')];
    } finally {
      this.depth--;
      this.phase = phase;
      region.release(mark);
      command.module.expire();
    }
    if (command.module.committing) throw new Fault(`${name} left its commit open`);
    return Buffer.concat(this.replies);
  }

  /** The effect of a kit's module, as a command. */
  private applied(name: string, args: Buffer[]): Command | undefined {
    const { kit } = this;
    if (kit === undefined || name !== 'wasm.apply' || String(args[1]) !== kit.name) return undefined;
    const apply = kit.exports.apply as (format: number, argc: number, argv: number) => void;
    const handler = (argc: number, argv: number) => {
      apply(Number(args[2]), argc - 3, argv + 24);
      return ANSWER.ok;
    };
    return { module: kit, name, handler, flags: ['write'], keys: [1, 1, 1], arity: -4 };
  }

  /** Throws unless every structure of both modules holds together. */
  check(): void {
    for (const command of ['CUSTOM.CHECK', 'SESSION.CHECK', ...(this.kit === undefined ? [] : [`${this.kit.name}.CHECK`])]) {
      const reply = this.text(command);
      if (reply !== '+OK\r\n') throw new Fault(`${command}: ${reply}`);
    }
  }

  /** The reply that a handler's result stands for. */
  private answer(region: Region, result: bigint | undefined): void {
    if (result === undefined || result === ANSWER.replied) return;
    if (result === ANSWER.null) this.reply(NULL);
    else if (result === ANSWER.ok) this.reply('+OK\r\n');
    else if (BigInt.asUintN(32, result) === ANSWER.integer) this.reply(`:${BigInt.asIntN(64, result) >> 32n}\r\n`);
    else this.replyBulk(region.read(Number(BigInt.asUintN(32, result)), Number(result >> 32n)));
  }

  /** Calls a link function as a third module would, between its own import calls. */
  link(module: FakeModule, name: string, ...args: Bytes[]): bigint | Buffer {
    const strings = args.map(bytes);
    const { pointers, mark } = module.region.push(strings);
    const phase = this.phase;
    this.phase = 'command';
    this.depth++;
    try {
      const call = module.exports[name] as (...args: number[]) => bigint;
      const result = BigInt.asUintN(64, call(...strings.flatMap((string, index) => [pointers[index] ?? 0, string.length])));
      return result >> 32n || result > 0xffffn ? module.region.read(Number(result & 0xffffffffn), Number(result >> 32n)) : result;
    } finally {
      this.depth--;
      this.phase = phase;
      module.region.release(mark);
    }
  }

  /** Applies what another server propagated, as a replica does. */
  replay(effects: Buffer[][]): void {
    for (const [name, ...args] of effects) {
      const reply = this.text(String(name), ...args);
      if (reply.startsWith('-')) throw new Fault(`${String(name)}: ${reply}`);
    }
  }

  reply(text: string): void {
    this.sent(Buffer.from(text, 'latin1'));
  }

  replyBulk(value: Buffer): void {
    this.sent(Buffer.from(`$${value.length}\r\n`), value, Buffer.from('\r\n'));
  }

  /** One element of the reply. More than one reply in all, which the host drops, is a fault here. */
  private sent(...parts: Buffer[]): void {
    const open = this.containers[this.containers.length - 1];
    if (!open && this.replies.length > 0) throw new Fault('a second reply');
    this.replies.push(...parts);
    if (!open) return;
    open.sent++;
    if (open.owed !== undefined) open.owed--;
    this.settle();
  }

  /** Closes what has got all of its elements. */
  private settle(): void {
    while (this.containers[this.containers.length - 1]?.owed === 0) this.containers.pop();
  }

  /** Opens an array or map; RESP2, where a map is an array of both. */
  openReply(kind: Container['kind'], length: bigint): void {
    const elements = Number(length) * (kind === 'Map' ? 2 : 1);
    this.sent(Buffer.from(`*${elements}\r\n`));
    this.containers.push({ kind, owed: elements < 0 ? undefined : elements, sent: 0, head: this.replies.length - 1 });
    this.settle();
  }

  /** Tells the length of the innermost container, which must be what was sent: the host mends what is not. */
  setReplyLength(kind: Container['kind'], length: bigint): void {
    const open = this.containers.pop();
    if (open?.kind !== kind || open.owed !== undefined) throw new Fault(`no ${kind} waits for its length`);
    const elements = Number(length) * (kind === 'Map' ? 2 : 1);
    if (elements !== open.sent) throw new Fault(`${open.sent} elements were sent, ${elements} promised`);
    this.replies[open.head] = Buffer.from(`*${elements}\r\n`);
    this.settle();
  }

  /** Queues the running command as it came. */
  replicateVerbatim(): number {
    return this.replicate([this.running?.name ?? '', ...(this.running?.args ?? [])]);
  }

  /** Whether an effect is to be queued; where nobody takes it, it is counted. */
  countEffect(): number {
    if (!this.effectsTaken && this.depth === 1) this.effectsCounted++;
    return Number(this.effectsTaken);
  }

  replicate(command: (string | Buffer)[]): number {
    return this.depth === 1 ? this.propagated.push(command.map(bytes)) : 0;
  }

  /** What a module says of its command. */
  describe(module: FakeModule, command: string, text: string): number {
    if (this.commands.get(command)?.module !== module) return 1;
    for (const each of text.split('\n').map((row) => row.trim())) {
      if (each !== '' && !/^(summary|syntax|complexity|since|keys|tips|acl): +\S/.test(each)) throw new Fault(`${command}: ${each}`);
    }
    if (this.commandInfo.has(command)) throw new Fault(`${command} is described twice`);
    this.commandInfo.set(command, text);
    return 0;
  }

  declare(name: string, setting: Setting): number {
    if (this.settings.has(name)) throw new Fault(`the setting ${name} twice`);
    this.settings.set(name, setting);
    return 0;
  }

  declareKit(name: string, setting: Setting): number {
    if (this.kitSettings.has(name)) throw new Fault(`the setting ${name} twice`);
    this.kitSettings.set(name, setting);
    return 0;
  }

  kitSetting(module: FakeModule, handle: number): bigint {
    const setting = [...this.kitSettings.values()].find((each) => each.module === module && each.handle === handle);
    if (!setting) throw new Fault(`${module.name} declares no setting ${handle}`);
    return setting.value;
  }

  /** Changes a setting as CONFIG SET does. */
  configure(name: string, value: number | bigint): void {
    const setting = this.settings.get(name);
    if (!setting) throw new Fault(`no module declares the setting ${name}`);
    if (BigInt(value) < setting.min || BigInt(value) > setting.max) throw new Fault(`${name} cannot be ${value}`);
    setting.value = BigInt(value);
  }

  setting(module: FakeModule, handle: number): bigint {
    const setting = [...this.settings.values()].find((each) => each.module === module && each.handle === handle);
    if (!setting) throw new Fault(`${module.name} declares no setting ${handle}`);
    return setting.value;
  }

  /**
   * One step of each module's sweep, as the host's timer has it done; whether any has more that is due now.
   */
  sweepStep(): boolean {
    this.phase = 'sweep';
    this.depth++;
    try {
      return this.modules.map((module) => this.sweepOf(module)).includes(true);
    } finally {
      this.depth--;
      this.phase = 'idle';
    }
  }

  private sweepOf(module: FakeModule): boolean {
    this.running = undefined;
    const more = module.exports.sweep?.() ?? 0;
    module.expire();
    if (module.committing) throw new Fault(`${module.name} left its commit open in its sweep`);
    if (more !== 0 && more !== 1) throw new Fault(`${module.name}: sweep answered ${more}`);
    return more === 1;
  }

  /** Sweeps until nothing more is due; what that queued for replicas. */
  sweep(): Buffer[][] {
    const before = this.propagated.length;
    for (let steps = 0; this.sweepStep(); steps++) {
      if (steps > SWEEP_STEPS_MAX) throw new Fault('a sweep that does not end');
    }
    return this.propagated.slice(before);
  }

  dataType(module: FakeModule, name: string, version: number): number {
    this.dataTypes.set(module.name, [name, version]);
    return 0;
  }

  /** Seeded random bytes (mulberry32): the same in each run of a test. */
  random(length: number): Buffer {
    const target = Buffer.alloc(length);
    for (let index = 0; index < length; index++) {
      this.seed = (this.seed + 0x6d2b79f5) | 0;
      let word = Math.imul(this.seed ^ (this.seed >>> 15), 1 | this.seed);
      word = (word + Math.imul(word ^ (word >>> 7), 61 | word)) ^ word;
      target[index] = (word ^ (word >>> 14)) & 255;
    }
    return target;
  }

  save(module: FakeModule): Saved {
    return this.inPhase('save', () => {
      this.file = [];
      module.exports.auxSave();
      return this.file;
    });
  }

  /** Loads what `save` gave, as the host does: flush before, and after a failure. */
  load(module: FakeModule, saved: Saved, version = this.dataTypes.get(module.name)?.[1] ?? 0): boolean {
    return this.inPhase('aux', () => {
      this.file = [...saved];
      this.ioError = false;
      module.exports.flush();
      // The server itself refuses what goes on after a payload's end.
      const loaded = module.exports.auxLoad(version) === 0 && this.file.length === 0;
      module.expire();
      if (!loaded) module.exports.flush();
      return loaded;
    });
  }

  /**
   * What a module exports of these slots, as commands. It must change nothing, and so take no memory but for
   * its index.
   */
  exportSlots(module: FakeModule, slots: Iterable<number>): Buffer[][] {
    const [used, start] = [this.usedOf(module), this.propagated.length];
    this.inSlots(module, 'export', slots, (set) => {
      module.exports.exportSlots(set);
    });
    if (this.usedOf(module) > used) throw new Fault(`${module.name}: an export took memory`);
    return this.propagated.splice(start);
  }

  /** Has a module drop what lies in these slots, `most` at a time; how many steps that took. */
  dropSlots(module: FakeModule, slots: Iterable<number>, most = 0): number {
    for (let steps = 1; ; steps++) {
      if (!this.dropStep(module, slots, most)) return steps;
      if (steps > SWEEP_STEPS_MAX) throw new Fault('a drop that does not end');
    }
  }

  /** One step of that; whether there may be more. */
  dropStep(module: FakeModule, slots: Iterable<number>, most: number): boolean {
    const more = this.inSlots(module, 'drop', slots, (set) => module.exports.dropSlots(set, most));
    if (more !== 0 && more !== 1) throw new Fault(`${module.name}: dropSlots answered ${more}`);
    return more === 1;
  }

  /** How many a module has in these slots. */
  countSlots(module: FakeModule, slots: Iterable<number>): number {
    return Number(this.inSlots(module, 'count', slots, (set) => module.exports.countSlots(set)));
  }

  private usedOf(module: FakeModule): bigint {
    const info = this.infoOf(module);
    return (info.get(`${module.name}_heap_used`) ?? 0n) - (info.get(`${module.name}_slot_index`) ?? 0n);
  }

  private inSlots<Result>(module: FakeModule, phase: string, slots: Iterable<number>, body: (set: number) => Result): Result {
    const set = Buffer.alloc(SET_BYTES);
    for (const slot of slots) set[slot >> 3]! |= 1 << (slot & 7);
    const { pointers, mark } = module.region.push([set]);
    this.depth++;
    try {
      return this.inPhase(phase, () => body(pointers[0] ?? 0));
    } finally {
      this.depth--;
      module.region.release(mark);
      module.expire();
      if (module.committing) throw new Fault(`${module.name} left its commit open`);
    }
  }

  infoOf(module: FakeModule): Map<string, bigint> {
    this.info.clear();
    this.inPhase('info', () => {
      module.exports.info();
    });
    return this.info;
  }

  loadUnsigned(): bigint {
    const value = this.file.shift();
    if (typeof value === 'bigint') return BigInt.asIntN(64, value);
    this.ioError = true;
    return 0n;
  }

  loadString(module: FakeModule): bigint {
    const value = this.file.shift();
    if (value !== undefined && typeof value !== 'bigint') return module.give(value);
    this.ioError = true;
    return 0n;
  }

  private inPhase<Result>(phase: string, body: () => Result): Result {
    this.phase = phase;
    try {
      return body();
    } finally {
      this.phase = 'idle';
    }
  }
}

/** Null, as it stands on the wire. */
export const NULL = '$-1\r\n';
/** A bulk string, as it stands on the wire. */
export const bulk = (value: Bytes): string => {
  const content = bytes(value);
  return `$${content.length}\r\n${content.toString('latin1')}\r\n`;
};

/** The elements of an array of bulk strings. */
export function elements(reply: Buffer): Buffer[] {
  const found: Buffer[] = [];
  let at = reply.indexOf('\r\n') + 2;
  while (at < reply.length) {
    const end = reply.indexOf('\r\n', at);
    const length = Number(reply.toString('latin1', at + 1, end));
    found.push(reply.subarray(end + 2, end + 2 + length));
    at = end + 4 + length;
  }
  return found;
}
