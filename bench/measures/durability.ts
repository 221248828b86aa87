/** Saving, loading, the file's size and a replica's full synchronisation, over native keys that hold the same. */
import { statSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Problem } from '../../scripts/lib/process.ts';
import type { Server } from '../../scripts/lib/servers.ts';
import { batches, drive, type Connection, type Words } from '../lib/connection.ts';
import { keyName, random, valueOf } from '../lib/random.ts';
import { createBytes, OK_BYTES } from '../lib/replies.ts';
import { median, ratio, show } from '../lib/statistics.ts';
import { CLIENT_CORE, MeasuredServer } from '../lib/server.ts';
import type { Context, Measure } from '../lib/measure.ts';

const ENTRIES = 1_000_000;
const VALUE_BYTES = 32;
const SESSIONS = 200_000;
const FIELDS = 5;
const FIELD_BYTES = 20;
const SLICE = 20_000;
const PIPELINE = 500;
const ROUNDS_MAX = 3;
const SYNC_TIMEOUT_MS = 60_000;
const ONE_BYTES = ':1\r\n'.length;
const CREATED = createBytes('Session created');

/** What two servers are filled with: the same, ours in the modules and the peer's in native keys. */
export interface Data {
  title: string;
  ours: (connection: Connection) => Promise<void>;
  native: (connection: Connection) => Promise<void>;
}

/** Text of letters and digits that does not compress. */
function noise(next: () => number, length: number): string {
  let text = '';
  while (text.length < length) text += next().toString(36).slice(2);
  return text.slice(0, length);
}

/** Sends `command(index)` for every index, in slices, so that not all are held at once. */
async function fill(connection: Connection, count: number, replyBytes: number, command: (index: number) => Words): Promise<void> {
  for (let start = 0; start < count; start += SLICE) {
    const commands = Array.from({ length: Math.min(SLICE, count - start) }, (_, index) => command(start + index));
    await drive([connection], batches(commands, PIPELINE, replyBytes));
  }
}

function entries(title: string, count: number, value: (next: () => number) => string): Data {
  const store = (name: string) => async (connection: Connection) => {
    const next = random(1);
    await fill(connection, count, OK_BYTES, (index) => [name, keyName(index), value(next)]);
  };
  return { title, ours: store('CUSTOM.SET'), native: store('SET') };
}

/** Entries whose values do not compress. */
export function noisyEntries(count: number): Data {
  return entries(`${count.toLocaleString('en')} entries, random values`, count, (next) => noise(next, VALUE_BYTES));
}

const userName = (index: number): string => `user:${String(index).padStart(7, '0')}`;

/** Sessions with fields and the user's mapping; as native keys a hash for each, a set of ids and a string for each user. */
export function sessions(count: number): Data {
  return {
    title: `${count.toLocaleString('en')} sessions with ${FIELDS} fields`,
    async ours(connection) {
      const next = random(2);
      for (let start = 0; start < count; start += PIPELINE) {
        const creates = Array.from({ length: Math.min(PIPELINE, count - start) }, (_, index): Words => [
          'SESSION.CREATE',
          userName(start + index),
        ]);
        const [batch] = batches(creates, PIPELINE, CREATED);
        if (batch === undefined) continue;
        const ids = [...(await connection.read(batch)).matchAll(/[0-9a-f-]{36}/g)].map(([id]) => id);
        await fill(connection, ids.length * FIELDS, OK_BYTES, (index) => [
          'SESSION.ADD_DATA',
          ids[Math.floor(index / FIELDS)] ?? '',
          `field:${index % FIELDS}`,
          noise(next, FIELD_BYTES),
        ]);
      }
    },
    async native(connection) {
      const next = random(2);
      const ids = Array.from({ length: count }, () => crypto.randomUUID());
      const time = '2026-01-02T03:04:05.678Z';
      await fill(connection, count, `:${FIELDS + 3}\r\n`.length, (index) => [
        ...['HSET', `session:${ids[index] ?? ''}`, 'user_key', userName(index), 'created_at', time, 'last_accessed', time],
        ...Array.from({ length: FIELDS }, (_, field) => [`field:${field}`, noise(next, FIELD_BYTES)]).flat(),
      ]);
      await fill(connection, count, ONE_BYTES, (index) => ['SADD', `sessions:${userName(index)}`, ids[index] ?? '']);
      await fill(connection, count, OK_BYTES, (index) => ['SET', userName(index), ids[index] ?? '']);
    },
  };
}

/** What a round gives for one of the servers: ms, and bytes. */
interface Figures {
  save_ms: number;
  load_ms: number;
  sync_ms: number;
  bytes: number;
}

/** A filled server, and how others like it are started. */
export interface Side {
  server: Server;
  measured: MeasuredServer;
  connection: Connection;
  modules: boolean;
  port: number;
}

/** Starts a server with the modules or without them, and fills it. */
export async function side(server: Server, modules: boolean, data: Data): Promise<Side> {
  const port = await freePort();
  const settings = ['--port', String(port), '--repl-diskless-sync', 'yes', '--repl-diskless-sync-delay', '0', '--hz', '100'];
  const measured = await MeasuredServer.start(server, { modules, settings });
  const connection = await measured.connection();
  await (modules ? data.ours : data.native)(connection);
  return { server, measured, connection, modules, port };
}

async function figures(one: Side): Promise<Figures> {
  const { measured, connection } = one;
  const before = measured.cpuNs();
  const saved = await connection.ask(['SAVE']);
  const save_ms = (measured.cpuNs() - before) / 1e6;
  if (saved !== '+OK\r\n') throw new Problem(`SAVE answered ${saved}`);
  const { size: bytes } = statSync(path.join(measured.folder, 'dump.rdb'));
  return { save_ms, load_ms: await loaded(one), sync_ms: await synchronised(one), bytes };
}

/** CPU that a server takes to load the file at its start: with the file, less that of a start without one, in ms. */
export async function loaded({ server, measured, modules }: Side): Promise<number> {
  const start = async (settings: string[]): Promise<number> => {
    const second = await MeasuredServer.start(server, { modules, settings });
    try {
      return second.cpuNs() / 1e6;
    } finally {
      await second.stop();
    }
  };
  const without = await start([]);
  return (await start(['--dir', measured.folder])) - without;
}

/** From REPLICAOF until the replica, on the other core, has everything, in ms. */
async function synchronised({ server, modules, port }: Side): Promise<number> {
  const replica = await MeasuredServer.start(server, { modules, core: CLIENT_CORE, settings: ['--repl-diskless-load', 'on-empty-db'] });
  try {
    const connection = await replica.connection();
    const before = performance.now();
    await connection.ask(['REPLICAOF', '127.0.0.1', String(port)]);
    while (performance.now() - before < SYNC_TIMEOUT_MS) {
      const info = await connection.ask(['INFO', 'replication']);
      if (info.includes('master_link_status:up')) return performance.now() - before;
      await sleep(2);
    }
    throw new Problem(`the replica did not synchronise:\n${replica.logText()}`);
  } finally {
    await replica.stop();
  }
}

async function compare(data: Data, { server, rounds, print }: Context): Promise<void> {
  const sides: Side[] = [];
  try {
    const ours = await side(server, true, data);
    sides.push(ours);
    const native = await side(server, false, data);
    sides.push(native);
    const [taken, peers]: [Figures[], Figures[]] = [[], []];
    for (let round = 0; round < Math.min(rounds, ROUNDS_MAX); round++) {
      taken.push(await figures(ours));
      peers.push(await figures(native));
    }
    const row = (what: string, name: keyof Figures, unit: string, divisor: number) => {
      const [one, other] = [taken, peers].map((all) => all.map((figure) => figure[name] / divisor));
      if (one === undefined || other === undefined) return;
      print(`${what}, ${data.title}`, show(ratio(one, other)), `${median(one).toFixed(1)} and ${median(other).toFixed(1)} ${unit}`);
    };
    row('save', 'save_ms', 'ms of CPU', 1);
    row('load', 'load_ms', 'ms of CPU', 1);
    row('file', 'bytes', 'MB', 1e6);
    row('full synchronisation', 'sync_ms', 'ms', 1);
  } finally {
    for (const one of sides) await one.measured.stop();
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const listener = createServer().once('error', reject);
    listener.listen(0, '127.0.0.1', () => {
      const { port } = listener.address() as AddressInfo;
      listener.close(() => {
        resolve(port);
      });
    });
  });
}

export const durability: Measure = {
  name: 'durability',
  summary: 'saving, loading, file size and full synchronisation, over native keys that hold the same (at most 3 rounds)',
  onlyWhenNamed: true,
  async run(context) {
    const equal = `${ENTRIES.toLocaleString('en')} entries, equal values`;
    await compare(
      entries(equal, ENTRIES, () => valueOf(VALUE_BYTES)),
      context,
    );
    await compare(noisyEntries(ENTRIES), context);
    await compare(sessions(SESSIONS), context);
  },
};
