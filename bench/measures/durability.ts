/** Saving, loading, the file's size and a full synchronisation, over native keys that hold the same. */
import { existsSync, rmSync, statSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Problem } from '../../scripts/lib/process.ts';
import type { Server } from '../../scripts/lib/servers.ts';
import { drive, type Connection } from '../lib/connection.ts';
import { batches, commands, creating, storing, type Operation } from '../lib/load.ts';
import type { Context, Measure } from '../lib/measure.ts';
import { create, createReplies } from '../lib/native-sessions.ts';
import { random, valueOf } from '../lib/random.ts';
import { CLIENT_CORE, freePort, MeasuredServer, withServer, withServers } from '../lib/server.ts';
import { VALUE_BYTES } from '../lib/sizes.ts';
import { median, ratio, show } from '../lib/statistics.ts';

const ENTRIES = 1_000_000;
const SESSIONS = 200_000;
const FIELDS = 5;
const FIELD_BYTES = 20;
const FILL_PIPELINE = 500;
const ROUNDS_MAX = 3;
const TIMEOUT_MS = 60_000;
const SAVE_POLL_MS = 0.5;
const SYNC_POLL_MS = 2;

type SideName = 'native' | 'ours';

/** What two servers are filled with, in the modules and in native keys: `count` times each operation. */
export interface Data extends Record<SideName, Operation[]> {
  title: string;
  count: number;
}

/** Texts of `length` letters and digits that do not compress, another one each time. */
function noise(seed: number, length: number): () => string {
  const next = random(seed);
  return () => {
    let text = '';
    while (text.length < length) text += next().toString(36).slice(2);
    return text.slice(0, length);
  };
}

/** Entries whose values are all equal. */
function equalEntries(count: number): Data {
  const value = valueOf(VALUE_BYTES);
  const title = `${count.toLocaleString('en')} entries, equal values`;
  return { title, count, ours: [storing('CUSTOM.SET', value)], native: [storing('SET', value)] };
}

/** Entries whose values do not compress. */
export function noisyEntries(count: number): Data {
  const store = (name: string) => [storing(name, noise(1, VALUE_BYTES))];
  return { title: `${count.toLocaleString('en')} entries, random values`, count, ours: store('CUSTOM.SET'), native: store('SET') };
}

/** Sessions with fields that do not compress; those of the modules get them after all are created. */
export function noisySessions(count: number): Data {
  const user = (index: number) => `user:${String(index).padStart(7, '0')}`;
  const ids = Array.from({ length: count }, () => crypto.randomUUID());
  const id = (index: number) => ids[index] ?? '';
  const fieldsOf = (text: () => string) => Array.from({ length: FIELDS }, (_, field) => [`field:${field}`, text()]);
  const [ourText, nativeText] = [noise(2, FIELD_BYTES), noise(2, FIELD_BYTES)];
  const add = (index: number) => fieldsOf(ourText).map((field) => ['SESSION.ADD_DATA', id(index), ...field]);
  const store = (index: number) => create({ id: id(index), user: user(index), fields: fieldsOf(nativeText).flat() });
  return {
    title: `${count.toLocaleString('en')} sessions with ${FIELDS} fields`,
    count,
    ours: [creating('Session created', (index) => [user(index), 'ID', id(index)]), commands(add, Array<string>(FIELDS).fill('+OK\r\n'))],
    native: [commands(store, createReplies(FIELDS))],
  };
}

/** A filled server, and how others like it are started. */
interface Side {
  server: Server;
  measured: MeasuredServer;
  connection: Connection;
  modules: boolean;
  port: number;
}

/**
 * Fills two servers and measures both in every round.
 * @returns by side and figure, a value for each round
 */
async function compare<Figure extends string>(
  server: Server,
  data: Data,
  rounds: number,
  measure: (side: Side) => Promise<Record<Figure, number>>,
): Promise<Record<SideName, Record<Figure, number[]>>> {
  const ports = { native: await freePort(), ours: await freePort() };
  const options = (name: SideName) => {
    const settings = ['--port', String(ports[name]), '--repl-diskless-sync', 'yes', '--repl-diskless-sync-delay', '0', '--hz', '100'];
    return { modules: name === 'ours', settings };
  };
  return withServers(server, { native: options('native'), ours: options('ours') }, async (servers) => {
    const taken: Record<SideName, Record<Figure, number>[]> = { native: [], ours: [] };
    const sides: [SideName, Side][] = [];
    for (const name of ['native', 'ours'] as const) {
      const [measured, connection] = [servers[name], await servers[name].connection()];
      for (const each of data[name]) await drive([connection], batches(each, 0, data.count, FILL_PIPELINE));
      sides.push([name, { server, measured, connection, modules: name === 'ours', port: ports[name] }]);
    }
    for (let round = 0; round < rounds; round++) {
      for (const [name, side] of sides) taken[name].push(await measure(side));
    }
    return { native: columns(taken.native), ours: columns(taken.ours) };
  });
}

/** The values of each figure, in the order of the rounds. */
function columns<Figure extends string>(rounds: Record<Figure, number>[]): Record<Figure, number[]> {
  const names = Object.keys(rounds[0] ?? {}) as Figure[];
  return Object.fromEntries(names.map((name) => [name, rounds.map((figures) => figures[name])])) as Record<Figure, number[]>;
}

/** CPU that SAVE takes, in ms, and the file's size. */
async function save({ measured, connection }: Side): Promise<{ save_ms: number; bytes: number }> {
  const before = measured.cpuNs();
  const reply = await connection.ask(['SAVE']);
  const save_ms = (measured.cpuNs() - before) / 1e6;
  if (reply !== '+OK\r\n') throw new Problem(`SAVE answered ${reply}`);
  return { save_ms, bytes: statSync(dumpOf(measured)).size };
}

/**
 * Milliseconds from BGSAVE until the file is in place, and the file's size.
 * The server's child, on the server's core, renames the file to its place when it is done.
 */
async function backgroundSave({ measured, connection }: Side): Promise<{ save_ms: number; bytes: number }> {
  const file = dumpOf(measured);
  rmSync(file, { force: true });
  const started = performance.now();
  const reply = await connection.ask(['BGSAVE']);
  if (!reply.startsWith('+')) throw new Problem(`BGSAVE answered ${reply}`);
  while (!existsSync(file)) {
    if (performance.now() - started > TIMEOUT_MS) throw new Problem(`BGSAVE did not finish:\n${measured.logText()}`);
    await sleep(SAVE_POLL_MS);
  }
  const save_ms = performance.now() - started;
  while (!(await connection.ask(['INFO', 'persistence'])).includes('rdb_bgsave_in_progress:0')) await sleep(SAVE_POLL_MS);
  return { save_ms, bytes: statSync(file).size };
}

function dumpOf({ folder }: MeasuredServer): string {
  return path.join(folder, 'dump.rdb');
}

/** CPU that loading the file takes, in ms: that of a start with it, less that of a start without a file. */
async function loaded({ server, measured, modules }: Side): Promise<number> {
  const start = (settings: string[]) => withServer(server, { modules, settings }, (second) => Promise.resolve(second.cpuNs() / 1e6));
  const without = await start([]);
  return (await start(['--dir', measured.folder])) - without;
}

/** From REPLICAOF until the replica, on the other core, has everything, in ms. */
function synchronised({ server, modules, port }: Side): Promise<number> {
  const options = { modules, core: CLIENT_CORE, settings: ['--repl-diskless-load', 'on-empty-db'] };
  return withServer(server, options, async (replica) => {
    const connection = await replica.connection();
    const before = performance.now();
    await connection.ask(['REPLICAOF', '127.0.0.1', String(port)]);
    while (performance.now() - before < TIMEOUT_MS) {
      const info = await connection.ask(['INFO', 'replication']);
      if (info.includes('master_link_status:up')) return performance.now() - before;
      await sleep(SYNC_POLL_MS);
    }
    throw new Problem(`the replica did not synchronise:\n${replica.logText()}`);
  });
}

/** What saving and loading gives for one side. */
export interface Saving {
  /** from BGSAVE until the file is in place, by the clock */
  save_ms: number[];
  /** CPU of a start with the file, less that of a start without one */
  load_ms: number[];
  /** the file's size */
  bytes: number[];
}

/** BGSAVE, the file's size and a load of it, in the modules and in native keys that hold the same. */
export function saving(server: Server, data: Data, rounds: number): Promise<Record<SideName, Saving>> {
  return compare(server, data, rounds, async (side) => {
    const { save_ms, bytes } = await backgroundSave(side);
    return { save_ms, load_ms: await loaded(side), bytes };
  });
}

async function printComparison(data: Data, { server, rounds, print }: Context): Promise<void> {
  const { ours, native } = await compare(server, data, Math.min(rounds, ROUNDS_MAX), async (side) => ({
    ...(await save(side)),
    ...{ load_ms: await loaded(side), sync_ms: await synchronised(side) },
  }));
  const row = (what: string, name: keyof typeof ours, unit: string, divisor: number) => {
    const values = `${(median(ours[name]) / divisor).toFixed(1)} and ${(median(native[name]) / divisor).toFixed(1)} ${unit}`;
    print(`${what}, ${data.title}`, show(ratio(ours[name], native[name])), values);
  };
  row('save', 'save_ms', 'ms of CPU', 1);
  row('load', 'load_ms', 'ms of CPU', 1);
  row('file', 'bytes', 'MB', 1e6);
  row('full synchronisation', 'sync_ms', 'ms', 1);
}

export const durability: Measure = {
  name: 'durability',
  summary: 'saving, loading, file size and full synchronisation, over native keys that hold the same (at most 3 rounds)',
  onlyWhenNamed: true,
  async run(context) {
    for (const data of [equalEntries(ENTRIES), noisyEntries(ENTRIES), noisySessions(SESSIONS)]) await printComparison(data, context);
  },
};
