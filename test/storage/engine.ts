/**
 * The storage engine compiled on its own (entry.ts) and run in Node, in a memory of its own.
 *
 * The compiled files stay in build/test/, named by a digest of the sources, so that only a change compiles
 * anew.
 */
import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, rename, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import asc from 'assemblyscript/asc';

const ROOT = path.resolve(import.meta.dirname, '../..');
const SOURCES = ['assembly/base/storage', 'test/storage/entry.ts', 'test/storage/entry-tree.ts', 'assembly/runtime.ts'];
const FLAGS = [
  ...['--runtime', './assembly/runtime', '--stackSize', '8', '--use', 'abort=', '--importMemory', '--noExportMemory', '--enable', 'simd'],
  ...['-O3', '--noAssert', '--memoryBase', '1024', '--initialMemory', '1'],
];
const PAGE = 65536;
const TABLE_BYTES = 1024;

type Numbers =
  | 'alloc' | 'allocMovable' | 'usableSize' | 'heapCheck' | 'bytesEqual' | 'pagesFree' | 'pagesIdle' | 'pagesOwned' | 'pageKind'
  | 'create' | 'createFixed' | 'keyOf' | 'keyLength' | 'valueOf' | 'valueLength' | 'sizeOf' | 'sizeFor' | 'overwrite' | 'compactionDue'
  | 'isKept'
  | 'hasRoom' | 'nodeOf' | 'entryOf' | 'kindOf' | 'hasKey'
  | 'manySet'
  | 'manyGet'
  | 'manyDelete'
  | 'manyWalk'
  | 'passInsert' | 'passFind' | 'passIterate' | 'passDelete'
  | 'tableSize' | 'tableFind' | 'tableSlotOf' | 'tableReserveMany' | 'tableNext' | 'tableCheck' | 'tableCount' | 'tableDepth'
  | 'tableSegments' | 'tableStash' | 'tableReplace' | 'tableCompact'
  | 'listSet' | 'listFind' | 'tableLooks'
  | 'treeBytes' | 'treeCount' | 'treeHeight' | 'treeFind' | 'treeInsert' | 'treeReplace' | 'treeRemove' | 'treeRank' | 'treeAt' | 'treeMoved'
  | 'treeCheck' | 'treeCompact' | 'cursorNext' | 'cursorPrevious' | 'manyInsert' | 'manyFind' | 'manyRemove' | 'manyScan' | 'manyRank'
  | 'wheelBytes' | 'wheelCount' | 'wheelCheck' | 'wheelProbes'; // prettier-ignore
type Nothings = 'free' | 'heapReset' | 'bytesCopy' | 'destroy' | 'tableClear' | 'tableForget' | 'tableEndWalk' | 'tableCompactStep'
  | 'treeInit' | 'treeForget' | 'treeRelease' | 'cursorSeek' | 'cursorSeekAfter' | 'cursorSeekPast' | 'cursorSeekAt' | 'cursorSeekFirst'
  | 'cursorSeekLast'
  | 'wheelInit' | 'wheelRemove' | 'wheelMoved'; // prettier-ignore
type Bytes = 'takeIdle' | 'freeBytes' | 'usedBytes' | 'ownedBytes' | 'slackBytes';

/** The exports of entry.ts. Addresses may come back negative: `>>> 0`. */
export type Exports = Record<Numbers, (...values: number[]) => number> &
  Record<Nothings, (...values: number[]) => void> &
  Record<Bytes, () => bigint> & {
    sipHash(k0: bigint, k1: bigint, pointer: number, length: number): bigint;
    tableInit(table: number, k0: bigint, k1: bigint): void;
    tableHash(table: number, key: number, length: number): bigint;
    tableLookup(table: number, key: number, length: number, hash: bigint): number;
    tableReserve(table: number, hash: bigint): number;
    tableInsert(table: number, hash: bigint, entry: number): void;
    tableRemove(table: number, slot: number, hash: bigint): number;
    tableSeek(table: number, cursor: bigint): void;
    tableCursor(table: number): bigint;
    tableMemory(table: number): bigint;
    createUntil(key: number, keyLength: number, value: number, valueLength: number, deadline: bigint, kind?: number): number;
    deadlineOf(entry: number): bigint;
    setDeadline(entry: number, deadline: bigint): void;
    collidingKeys(keys: number, count: number, mask: bigint): number;
    wheelInsert(wheel: number, node: number, deadline: bigint): void;
    wheelTake(wheel: number, now: bigint, last: number): number;
  };

async function sourceFiles(entry: string): Promise<string[]> {
  const full = path.join(ROOT, entry);
  if (!(await stat(full)).isDirectory()) return [full];
  const names = await readdir(full, { recursive: true });
  return names
    .filter((name) => name.endsWith('.ts'))
    .sort()
    .map((name) => path.join(full, name));
}

/**
 * What the engine is compiled with: nothing; a key's hash is its first eight bytes; it counts what look-ups
 * look at.
 */
type Build = 'plain' | 'test hash' | 'counting';
const USES: Record<Build, string[]> = {
  plain: [],
  'test hash': ['--use', 'STORAGE_TEST_HASH=1'],
  counting: ['--use', 'STORAGE_COUNT_LOOKS=1'],
};

/**
 * Compiles entry.ts, or takes the file of the same sources.
 * @returns the file's absolute path
 */
export async function compiledFile(build: Build = 'plain'): Promise<string> {
  const flags = [...FLAGS, ...USES[build]];
  const digest = createHash('sha256').update(flags.join(' '));
  for (const file of (await Promise.all(SOURCES.map(sourceFiles))).flat()) digest.update(await readFile(file));
  const target = path.join(ROOT, 'build/test', `storage-${digest.digest('hex').slice(0, 16)}.wasm`);
  if (await stat(target).catch(() => undefined)) return target;
  let binary: Uint8Array | undefined;
  const { error } = await asc.main(['test/storage/entry.ts', '--baseDir', ROOT, '--outFile', 'out.wasm', ...flags], {
    writeFile: (_name, contents) => {
      if (typeof contents !== 'string') binary = contents;
    },
    readFile: (name, baseDir) => readFile(path.resolve(baseDir, name), 'utf8').catch(() => null),
    listFiles: () => [],
  });
  if (error ?? !binary) throw new Error(`the storage engine does not compile: ${String(error?.message)}`, { cause: error });
  await mkdir(path.dirname(target), { recursive: true });
  const temporary = `${target}.${process.pid}`;
  await writeFile(temporary, binary);
  await rename(temporary, target);
  return target;
}

async function compile(build: Build): Promise<WebAssembly.Module> {
  return new WebAssembly.Module(await readFile(await compiledFile(build)));
}

const modules = new Map<Build, Promise<WebAssembly.Module>>();

export interface Options {
  /** A key's hash is its first eight bytes, big-endian; 0 for shorter ones. */
  testHash?: boolean;
  /** Look-ups count what they look at. */
  counting?: boolean;
  /** Pages that the memory may reach. */
  maximum?: number;
}

/** A fresh engine: its own memory, heap and table. */
export async function loadEngine({ testHash = false, counting = false, maximum = 65536 }: Options = {}): Promise<Engine> {
  const build = counting ? 'counting' : testHash ? 'test hash' : 'plain';
  let module = modules.get(build);
  if (!module) modules.set(build, (module = compile(build)));
  return new Engine(await module, maximum);
}

/** Creates any number of engines without waiting: for properties. */
export async function engineFactory(testHash = false): Promise<(maximum?: number) => Engine> {
  const build = testHash ? 'test hash' : 'plain';
  const module = await (modules.get(build) ?? compile(build));
  return (maximum = 65536) => new Engine(module, maximum);
}

export class Engine {
  readonly memory: WebAssembly.Memory;
  readonly x: Exports;
  /** Pages that the heap has given back to the system so far. */
  discarded = 0;
  /** Address of a table, in page 1, which the heap does not own. */
  readonly table = PAGE;
  /** Address of two areas of the test's own for arguments. */
  readonly left = PAGE + TABLE_BYTES;
  readonly right = PAGE + PAGE / 2;

  constructor(module: WebAssembly.Module, maximum: number) {
    this.memory = new WebAssembly.Memory({ initial: 2, maximum: Math.max(2, maximum) });
    this.x = new WebAssembly.Instance(module, { env: { memory: this.memory } }).exports as unknown as Exports;
    this.x.tableInit(this.table, 0x0706050403020100n, 0x0f0e0d0c0b0a0908n);
  }

  /**
   * Takes idle pages and spoils them, as the system does: whoever still relies on them sees that. Whether
   * there were any.
   */
  discardStep(): boolean {
    const pages = this.x.takeIdle();
    const [first, count] = [Number(pages & 0xffffffffn), Number(pages >> 32n)];
    this.discarded += count;
    this.bytes(first * PAGE, count * PAGE).fill(0xdd);
    return count > 0;
  }

  bytes(pointer: number, length: number): Uint8Array {
    return new Uint8Array(this.memory.buffer, pointer >>> 0, length);
  }

  /** Copies `data` to the left or right area; returns its address. */
  put(data: Uint8Array | string, area = this.left): number {
    this.bytes(area, data.length).set(typeof data === 'string' ? Buffer.from(data, 'latin1') : data);
    return area;
  }

  keyText(entry: number): string {
    return Buffer.from(this.bytes(this.x.keyOf(entry), this.x.keyLength(entry))).toString('latin1');
  }

  valueText(entry: number): string {
    return Buffer.from(this.bytes(this.x.valueOf(entry), this.x.valueLength(entry))).toString('latin1');
  }

  /** Sets a key as a command does; false where there is no memory. */
  set(key: string, value: string): boolean {
    const { x, table } = this;
    const pointer = this.put(key);
    const hash = x.tableHash(table, pointer, key.length);
    const slot = x.tableLookup(table, pointer, key.length, hash);
    const entry = x.create(pointer, key.length, this.put(value, this.right), value.length);
    if (!entry) return false;
    if (slot) {
      x.destroy(x.tableReplace(table, slot, entry));
    } else if (x.tableReserve(table, hash)) {
      x.tableInsert(table, hash, entry);
    } else {
      x.destroy(entry);
      return false;
    }
    return true;
  }

  get(key: string): string | undefined {
    const entry = this.x.tableFind(this.table, this.put(key), key.length);
    return entry ? this.valueText(entry) : undefined;
  }

  delete(key: string): boolean {
    const { x, table } = this;
    const pointer = this.put(key);
    const hash = x.tableHash(table, pointer, key.length);
    const slot = x.tableLookup(table, pointer, key.length, hash);
    if (slot) x.destroy(x.tableRemove(table, slot, hash));
    return slot !== 0;
  }

  /** The keys of one home chunk, and the cursor after it. */
  step(cursor: bigint): { keys: string[]; cursor: bigint } {
    const { x, table } = this;
    const keys: string[] = [];
    x.tableSeek(table, cursor);
    for (let entry = x.tableNext(table); entry; entry = x.tableNext(table)) keys.push(this.keyText(entry));
    return { keys, cursor: BigInt.asUintN(64, x.tableCursor(table)) };
  }

  /** All keys, by one whole walk. */
  walk(): string[] {
    const all: string[] = [];
    let cursor = 0n;
    do {
      const step = this.step(cursor);
      all.push(...step.keys);
      cursor = step.cursor;
    } while (cursor);
    return all;
  }

  /** Throws unless table and heap keep all of their rules. */
  check(): void {
    const table = this.x.tableCheck(this.table);
    if (table) throw new Error(`the table breaks rule ${table}`);
    const heap = this.x.heapCheck();
    if (heap) throw new Error(`the heap breaks rule ${heap}`);
  }
}
