/** Modules whose handlers the host runs by itself, and what their tests ask of them. */
import { expect } from 'vitest';
import { kitOf } from './kit.ts';
import { parseReply, type Reply } from './reply.ts';
import { eventually, HASHMAP_FILE, HOST_FILE, SESSION_FILE, type TestServer } from './server.ts';

const IMPORTS =
  'import { caller, command, custom, every, keys, on, publish, query, now, redis, session, setting, Table, type Bytes } from "redis-wasm/kit";';
/** A table of numbers and one of texts, and commands that tell what is in them. */
const TABLES = `const counts = new Table<string, i64>("counts");
const texts = new Table<string, string>("texts");
query("WATCH.COUNT", "key:key", (key: string): i64 => counts.get(key, 0), "A number");
query("WATCH.TEXT", "key:key", (key: string): string => texts.get(key, ""), "A text");
query("WATCH.KEYS", "", (): string[] => counts.keys().sort(), "The keys of all numbers");
command("WATCH.ADD", "key:key", (key: string): i64 => counts.add(key, 1), "Adds 1 to a number");
command("WATCH.FORGET", "key:key", (key: string): bool => counts.delete(key), "Deletes a number");
`;

/** The module `watch`, with these lines beside its tables and commands: counts, texts, WATCH.COUNT key … */
export function watchWith(lines: string): Promise<string> {
  return kitOf('watch', `${IMPORTS}\n${TABLES}${lines}\n`, [0]);
}

/** What a server loads: the shipped modules, and `watch` with these lines. */
export async function withWatch(lines: string): Promise<string[]> {
  return [HOST_FILE, HASHMAP_FILE, SESSION_FILE, await watchWith(lines)];
}

export async function countOf(server: Pick<TestServer, 'send'>, key: string): Promise<number> {
  return Number(parseReply(await server.send('WATCH.COUNT', key)));
}

export async function textOf(server: Pick<TestServer, 'send'>, key: string): Promise<Reply> {
  return parseReply(await server.send('WATCH.TEXT', key));
}

/** Waits until a number is at least so large, and answers it. */
export async function reaches(server: TestServer, key: string, least: number): Promise<number> {
  const count = await eventually(
    () => countOf(server, key),
    (found) => found >= least,
  );
  expect(count, key).toBeGreaterThanOrEqual(least);
  return count;
}

/** A number of INFO, `wasm_watch_<field>`. */
export async function fieldOf(server: TestServer, field: string): Promise<number> {
  const value = (await server.info('wasm'))[`wasm_watch_${field}`];
  expect(value, field).toBeDefined();
  return Number(value);
}

/** Waits until a number of INFO is at least so large, and answers it. */
export async function fieldReaches(server: TestServer, field: string, least: number): Promise<number> {
  const count = await eventually(
    () => fieldOf(server, field),
    (found) => found >= least,
  );
  expect(count, field).toBeGreaterThanOrEqual(least);
  return count;
}

/** How many lines of a server's log have this text. */
export function linesWith(server: TestServer, text: string): number {
  return server.log.split('\n').filter((line) => line.includes(text)).length;
}
