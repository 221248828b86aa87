/** Modules that are loaded, replaced and unloaded while a server serves, from a folder of the test's own. */
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, onTestFinished } from 'vitest';
import { kitOf } from './kit.ts';
import { assemble, file } from './modules.ts';
import { parseReply } from './reply.ts';
import { HASHMAP_FILE, HOST_FILE, startServer, type ServerOptions, type TestServer } from './server.ts';

export const OK = '+OK\r\n';
export const NOT_KNOWN = /^-ERR unknown command/;
export const APPEND_ONLY = ['--appendonly', 'yes', '--appendfsync', 'always'];

/** A `wasm.dir`. */
export class Folder {
  constructor(readonly path: string) {}

  /** One that is removed when the test is over. */
  static ofTest(): Folder {
    const folder = mkdtempSync(path.join(tmpdir(), 'wasm-dir-'));
    onTestFinished(() => {
      rmSync(folder, { recursive: true, force: true });
    });
    return new Folder(folder);
  }

  /** Where the file of a module lies. */
  file(name: string): string {
    return path.join(this.path, `${name}.wasm`);
  }

  /** Where the file lies that a module served last. */
  served(name: string): string {
    return path.join(this.path, '.served', `${name}.wasm`);
  }

  /** Puts a file there as a whole, as a deployment does. */
  put(name: string, file: string): void {
    const temporary = path.join(this.path, `.${name}.new`);
    mkdirSync(path.dirname(temporary), { recursive: true });
    copyFileSync(file, temporary);
    renameSync(temporary, this.file(name));
  }

  remove(name: string): void {
    rmSync(this.file(name));
  }

  /** The settings of a server that takes its modules from here. */
  get arguments(): string[] {
    return ['--wasm.dir', this.path, '--wasm.allow-load', 'yes'];
  }
}

export interface Live {
  server: TestServer;
  folder: Folder;
}

/** A server that takes these files, by their modules' names, from a folder, and lets modules be loaded. */
export async function startLive(files: Record<string, string> = {}, options: ServerOptions = {}): Promise<Live> {
  const folder = Folder.ofTest();
  for (const [name, file] of Object.entries(files)) folder.put(name, file);
  // One of the shipped files alone: the other takes as long again to compile.
  const module = [HOST_FILE, HASHMAP_FILE];
  const server = await startServer({ module, ...options, arguments: [...folder.arguments, ...(options.arguments ?? [])] });
  return { server, folder };
}

/** Has another file take the place of what a module runs. */
export async function reload({ server, folder }: Live, file: string, name = 'shop'): Promise<string> {
  folder.put(name, file);
  return server.send('WASM.RELOAD', name);
}

/** What a module exports whose data the host looks after; it has none. */
export const KEEPS = `(func (export "apply") (param i32 i32 i32))
  (func (export "auxSave")) (func (export "auxLoad") (param i32) (result i32) (i32.const 0))`;

/** A module that does nothing, and could keep data; it begins with so many pages of memory. */
export function idle(name: string, pages = 1): Promise<string> {
  return assemble(name, `(memory (export "memory") ${pages}) ${KEEPS}`);
}

/** The bytes of another file of the module: `mark` tells it from others. */
export function marked(of: string, mark: string): Promise<string> {
  const section = Buffer.from([0, 2 + mark.length, 1, 'x'.charCodeAt(0), ...Buffer.from(mark)]);
  return file(path.basename(of, '.wasm'), Buffer.concat([readFileSync(of), section]));
}

/** The file with another word for how its data lies in memory: it cannot take over in the same one. */
export function laidOutOtherwise(of: string): Promise<string> {
  const text = readFileSync(of, 'latin1');
  const changed = text.replace(/layout: [0-9a-f]{8}/, 'layout: 00000000');
  if (changed === text) throw new Error(`${of} does not tell how its data lies in memory`);
  return file(path.basename(of, '.wasm'), Buffer.from(changed, 'latin1'));
}

// ── A module with data of every kind ───────────────────────────────────────────────────────────────────────

/** A hash table, a sorted table and entries `in` keys; SHOP.DUMP tells all that they hold. */
const SHOP = `import { command, query, SortedTable, Table } from "redis-wasm/kit";
class Item { constructor(public name: string, public count: i64) {} }
const items = new Table<string, Item>("items");
const ranks = new SortedTable<i64, string>("ranks");
const carts = new Table<string, i64>("carts");
command("SHOP.SET", "key:key name count:integer [DEADLINE at:unix-time]", set);
function set(key: string, name: string, count: i64, at: i64 = 0): void {
  items.set(key, new Item(name, count), at);
  ranks.in(key).set(count, name);
  carts.in(key).set(name, count);
  if (at != 0) carts.in(key).expireAt(at);
}
query("SHOP.GET", "key:key", get);
function get(key: string): string | null {
  const item = items.find(key);
  return item == null ? null : item.name + " " + item.count.toString();
}
command("SHOP.RENAME", "key:key name", rename);
function rename(key: string, name: string): bool {
  const item = items.find(key);
  if (item == null) return false;
  item.name = name;
  items.set(key, item);
  return true;
}
query("SHOP.VERSION", "", version);
function version(): string { return "one"; }
query("SHOP.DUMP", "", dump);
function dump(): string[] {
  const lines: string[] = [];
  const keys = items.keys();
  for (let index = 0; index < keys.length; index++) {
    const key = keys[index];
    const item = items.find(key)!;
    let line = key + " " + item.name + " " + item.count.toString() + " until " + items.deadline(key).toString();
    const sorted = ranks.in(key).range(i64.MIN_VALUE, i64.MAX_VALUE);
    for (let at = 0; at < sorted.length; at++) line += " #" + sorted[at].key.toString() + "=" + sorted[at].value;
    const names = carts.in(key).keys().sort();
    for (let at = 0; at < names.length; at++) line += " [" + names[at] + "]=" + carts.in(key).get(names[at], -1).toString();
    lines.push(line + " until " + carts.in(key).deadline.toString());
  }
  return lines;
}
query("SHOP.SIZE", "", size);
function size(): i64 { return items.size; }
`;

/** A version of the module: its text with these changes. Hardly optimised: so it is compiled in no time. */
export function shopWith(...changes: [from: string, to: string][]): Promise<string> {
  let text = SHOP;
  for (const [from, to] of changes) {
    if (!text.includes(from)) throw new Error(`the module has no ${from}`);
    text = text.replace(from, () => to);
  }
  return kitOf('shop', text, [0]);
}

/** The change that makes it another version. */
export const versioned = (version: string): [string, string] => ['return "one"', `return "${version}"`];

/** Unix ms, in the year 4969. */
export const FAR = 94_651_243_200_000;

/** Stores entries with and without deadlines, under keys that begin so; `bytes` of each. */
export async function fillShop(server: TestServer, count = 50, bytes = 20, prefix = 'key'): Promise<void> {
  const set = (index: number) => {
    const deadline = index % 3 === 0 ? ['DEADLINE', String(FAR + index)] : [];
    return server.send(
      'SHOP.SET',
      `${prefix}:${index % 40}${index % 2 === 0 ? `:${index}` : ''}`,
      `${index}:`.padEnd(bytes, 'x'),
      String(index - 20),
      ...deadline,
    );
  };
  for (const reply of await Promise.all(Array.from({ length: count }, (_, index) => set(index)))) expect(reply).toBe(OK);
}

/** All that the module holds, in order; its tables are sound. */
export async function dumpShop(server: TestServer): Promise<string[]> {
  expect(await server.send('SHOP.CHECK')).toBe(OK);
  return (parseReply(await server.send('SHOP.DUMP')) as string[]).sort();
}
