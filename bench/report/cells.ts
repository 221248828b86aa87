/** What each kind of cell measures, on servers of its own. */
import { existsSync, rmSync, statSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Problem } from '../../scripts/lib/process.ts';
import type { Server } from '../../scripts/lib/servers.ts';
import { batches, type Connection, type Words } from '../lib/connection.ts';
import { keyName, random, valueOf } from '../lib/random.ts';
import { bulkBytes, OK_BYTES } from '../lib/replies.ts';
import { takeTurns, type Contender } from '../lib/rounds.ts';
import { MeasuredServer } from '../lib/server.ts';
import { loaded, side, type Data } from '../measures/durability.ts';
import { filling } from '../measures/growth.ts';
import { fill } from '../measures/storage.ts';
import type { CommandName, Results, Saving } from './results.ts';

const CONNECTIONS = 50;
const VALUE_BYTES = 32;
const SAVE_TIMEOUT_MS = 60_000;
const SAVE_POLL_MS = 0.5;
const SEED = 1;

export function connect(measured: MeasuredServer): Promise<Connection[]> {
  return Promise.all(Array.from({ length: CONNECTIONS }, () => measured.connection()));
}

/**
 * SET, GET, CUSTOM.SET and CUSTOM.GET of random keys, all in one server that holds `keys` of each.
 * @param operations by pipeline depth, how many commands a round sends
 */
export async function commands(
  server: Server,
  keys: number,
  operations: Record<string, number>,
  rounds: number,
): Promise<Results['commands']> {
  const measured = await MeasuredServer.start(server);
  try {
    const connections = await connect(measured);
    const value = valueOf(VALUE_BYTES);
    for (const name of ['SET', 'CUSTOM.SET']) await fill(connections, name, keys, value);
    const contender = (name: CommandName, depth: number, count: number): Contender<CommandName> => {
      const next = random(SEED);
      const store = name.endsWith('SET');
      const words = Array.from({ length: count }, (): Words => [name, keyName(Math.floor(next() * keys)), ...(store ? [value] : [])]);
      const encoded = batches(words, depth, store ? OK_BYTES : bulkBytes(VALUE_BYTES));
      return { name, measured, connections, load: () => encoded };
    };
    const byDepth: Results['commands']['byDepth'] = {};
    for (const [depth, count] of Object.entries(operations)) {
      const names: CommandName[] = ['SET', 'CUSTOM.SET', 'GET', 'CUSTOM.GET'];
      const contenders = names.map((name) => contender(name, Number(depth), count));
      byDepth[depth] = await takeTurns(contenders, rounds);
    }
    return { byDepth };
  } finally {
    await measured.stop();
  }
}

/** Single inserts into an empty server, of SET and of CUSTOM.SET, each in a server of its own in every round. */
export async function growth(server: Server, entries: number, rounds: number): Promise<Results['growth']> {
  const result: Results['growth'] = { SET: [], 'CUSTOM.SET': [] };
  for (let round = 0; round < rounds; round++) {
    for (const name of ['SET', 'CUSTOM.SET'] as const) {
      const measured = await MeasuredServer.start(server);
      try {
        result[name].push(await filling(measured, await measured.connection(), name, entries));
      } finally {
        await measured.stop();
      }
    }
  }
  return result;
}

/** Milliseconds from BGSAVE until the file is in place: the server's child, on the server's core, renames it there when it is done. */
async function backgroundSave(measured: MeasuredServer, connection: Connection): Promise<{ save_ms: number; bytes: number }> {
  const file = path.join(measured.folder, 'dump.rdb');
  rmSync(file, { force: true });
  const started = performance.now();
  const reply = await connection.ask(['BGSAVE']);
  if (!reply.startsWith('+')) throw new Problem(`BGSAVE answered ${reply}`);
  while (!existsSync(file)) {
    if (performance.now() - started > SAVE_TIMEOUT_MS) throw new Problem(`BGSAVE did not end:\n${measured.logText()}`);
    await sleep(SAVE_POLL_MS);
  }
  const save_ms = performance.now() - started;
  while (!(await connection.ask(['INFO', 'persistence'])).includes('rdb_bgsave_in_progress:0')) await sleep(SAVE_POLL_MS);
  return { save_ms, bytes: statSync(file).size };
}

/** BGSAVE, the file's size and a load of it, in the modules and in native keys that hold the same. */
export async function saving(server: Server, data: Data, rounds: number): Promise<Results['saving']> {
  const sides = { native: await side(server, false, data), ours: await side(server, true, data) };
  const result = { native: emptySaving(), ours: emptySaving() };
  try {
    for (let round = 0; round < rounds; round++) {
      for (const name of ['native', 'ours'] as const) {
        const { save_ms, bytes } = await backgroundSave(sides[name].measured, sides[name].connection);
        result[name].save_ms.push(save_ms);
        result[name].bytes.push(bytes);
        result[name].load_ms.push(await loaded(sides[name]));
      }
    }
    return result;
  } finally {
    for (const { measured } of Object.values(sides)) await measured.stop();
  }
}

function emptySaving(): Saving {
  return { save_ms: [], load_ms: [], bytes: [] };
}

/** Both sides in turn, `rounds` times. */
export async function both(
  rounds: number,
  measure: (name: 'native' | 'ours') => Promise<number>,
): Promise<{ native: number[]; ours: number[] }> {
  const result: { native: number[]; ours: number[] } = { native: [], ours: [] };
  for (let round = 0; round < rounds; round++) {
    for (const name of ['native', 'ours'] as const) result[name].push(await measure(name));
  }
  return result;
}
