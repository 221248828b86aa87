/** Clusters for measuring: a node with all slots, alone or with a second one that takes slots from it. */
import { cpus } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { Problem } from '../../scripts/lib/process.ts';
import type { Server } from '../../scripts/lib/servers.ts';
import type { Connection } from './connection.ts';
import type { Words } from './load.ts';
import { CLIENT_CORE, freePort, SERVER_CORE, withServers, type MeasuredServer, type StartOptions } from './server.ts';

export const SLOT_LAST = 16_383;
const PATIENCE_MS = 120_000;
const ASK_EVERY_MS = 10;

export interface Node {
  measured: MeasuredServer;
  /** A connection to it, for set-up and moves. */
  connection: Connection;
  port: number;
  id: string;
}

/** What sends a command and answers its reply. */
type Asked = Pick<Connection, 'ask'>;

/** Two nodes: all slots are the source's to begin with. */
export interface Pair {
  source: Node;
  target: Node;
}

/** Settings of a node that stays a primary when its last slot is gone; it listens on this port. */
async function nodeSettings(port: number): Promise<string[]> {
  const bus = await freePort();
  const words = ['--cluster-enabled', 'yes', '--cluster-port', String(bus), '--cluster-allow-replica-migration', 'no'];
  return [...words, '--bind', '127.0.0.1', '--port', String(port)];
}

/** Settings of a cluster's only node, whose slots `takeSlots` gives it. */
export async function onlyNode(): Promise<string[]> {
  return nodeSettings(await freePort());
}

/** Sends what answers OK. Throws a Problem with any other answer. */
export async function must(connection: Asked, ...words: Words): Promise<void> {
  const reply = await connection.ask(words);
  if (reply !== '+OK\r\n') throw new Problem(`${words.slice(0, 3).join(' ')} answered ${reply}`);
}

/** Waits until it is so. Throws a Problem after two minutes. */
export async function until(what: string, isSo: () => Promise<boolean>): Promise<void> {
  const begun = performance.now();
  while (!(await isSo())) {
    if (performance.now() - begun > PATIENCE_MS) throw new Problem(`not within ${PATIENCE_MS / 1000} s: ${what}`);
    await sleep(ASK_EVERY_MS);
  }
}

/** Gives all slots to a node, and waits until it serves. */
export async function takeSlots(connection: Asked): Promise<void> {
  await must(connection, 'CLUSTER', 'ADDSLOTSRANGE', '0', String(SLOT_LAST));
  await until('the cluster serves', () => isServing(connection));
}

async function isServing(connection: Asked): Promise<boolean> {
  return (await connection.ask(['CLUSTER', 'INFO'])).includes('cluster_state:ok');
}

/** Makes the two one cluster, and waits until each of them serves and knows the other. */
async function join({ source, target }: Pair): Promise<void> {
  // Nodes of one epoch settle which of them is the later one while slots move already.
  await must(source.connection, 'CLUSTER', 'SET-CONFIG-EPOCH', '1');
  await must(target.connection, 'CLUSTER', 'SET-CONFIG-EPOCH', '2');
  const [, bus = ''] = /@(\d+)/.exec(await target.connection.ask(['CLUSTER', 'NODES'])) ?? [];
  await must(source.connection, 'CLUSTER', 'MEET', '127.0.0.1', String(target.port), bus);
  await takeSlots(source.connection);
  for (const [node, other] of [[source, target] as const, [target, source] as const]) {
    await until('the nodes know each other', async () => {
      const nodes = await node.connection.ask(['CLUSTER', 'NODES']);
      return new RegExp(`^${other.id} \\S+ master .* connected`, 'm').test(nodes) && (await isServing(node.connection));
    });
  }
}

/**
 * Starts two nodes, gives them to `use`, and stops them.
 * Unless `options` name a core, the source has one to itself.
 * So has the target where there are three; else it shares the client's.
 */
export async function withPair<T>(server: Server, options: StartOptions, use: (pair: Pair) => Promise<T>): Promise<T> {
  const ports = { source: await freePort(), target: await freePort() };
  const cores = { source: SERVER_CORE, target: cpus().length > 2 ? CLIENT_CORE + 1 : CLIENT_CORE };
  const optionsOf = async (name: keyof Pair) => {
    const settings = [...(options.settings ?? []), ...(await nodeSettings(ports[name]))];
    return { core: cores[name], ...options, settings };
  };
  return withServers(server, { source: await optionsOf('source'), target: await optionsOf('target') }, async (servers) => {
    const nodeOf = async (name: keyof Pair): Promise<Node> => {
      const connection = await servers[name].connection();
      const [, id = ''] = (await connection.ask(['CLUSTER', 'MYID'])).split('\r\n');
      return { measured: servers[name], connection, port: ports[name], id };
    };
    const pair = { source: await nodeOf('source'), target: await nodeOf('target') };
    await join(pair);
    return use(pair);
  });
}

/** Tags whose slots are all different. */
export async function tagsOf(connection: Connection, count: number): Promise<{ tag: string; slot: number }[]> {
  const bySlot = new Map<number, string>();
  for (let number = 0; bySlot.size < count; number++) {
    const tag = `{${String(number).padStart(4, '0')}}`;
    const slot = Number((await connection.ask(['CLUSTER', 'KEYSLOT', tag])).slice(1));
    if (!bySlot.has(slot)) bySlot.set(slot, tag);
  }
  return [...bySlot].map(([slot, tag]) => ({ tag, slot }));
}

/**
 * Keys that fill the slots of these tags alike: the number n lies in the slot of tag n, from the first again.
 */
export function keysOf(tags: { tag: string }[]): (index: number) => string {
  return (index) => `${tags[index % tags.length]?.tag ?? ''}:${String(index).padStart(9, '0')}`;
}

/** Moves slots at once, as Valkey 9 does, and waits until they are the target's. */
export async function migrateSlots({ source, target }: Pair, ranges: [first: number, last: number][]): Promise<void> {
  await must(source.connection, 'CLUSTER', 'MIGRATESLOTS', 'SLOTSRANGE', ...ranges.flat().map(String), 'NODE', target.id);
  await until('the slots have moved', async () => {
    const jobs = await source.connection.ask(['CLUSTER', 'GETSLOTMIGRATIONS']);
    if (/\r\n(?:failed|cancelled)\r\n/.test(jobs)) throw new Problem(`the slots did not move:\n${jobs}`);
    return jobs.includes('\r\nsuccess\r\n');
  });
}

/** How long a command has held a server's main thread, in ms: on the processor, and by the clock. */
export interface Held {
  cpu_ms: number;
  wall_ms: number;
}

/** Sends a command that answers OK. */
export async function holding({ measured, connection }: Node, ...words: Words): Promise<Held> {
  const [cpu, wall] = [measured.cpuNs(), performance.now()];
  await must(connection, ...words);
  const wall_ms = performance.now() - wall;
  return { cpu_ms: (measured.cpuNs() - cpu) / 1e6, wall_ms };
}

/** Opens a slot, as `redis-cli --cluster reshard` does; answers what that took the source. */
export async function openSlot({ source, target }: Pair, slot: number): Promise<Held> {
  await must(target.connection, 'CLUSTER', 'SETSLOT', String(slot), 'IMPORTING', source.id);
  return holding(source, 'CLUSTER', 'SETSLOT', String(slot), 'MIGRATING', target.id);
}

/** Has both nodes know that the slot is the target's. */
export async function closeSlot({ source, target }: Pair, slot: number): Promise<void> {
  for (const { connection } of [target, source]) await must(connection, 'CLUSTER', 'SETSLOT', String(slot), 'NODE', target.id);
}
