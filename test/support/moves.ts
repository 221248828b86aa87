/** Slots of a cluster that move, as operators and their tools have them moved. */
import { expect } from 'vitest';
import { startCluster, type Cluster } from './cluster.ts';
import { parseReply } from './reply.ts';
import { eventually, freePort, startServer, type ServerOptions, type TestServer } from './server.ts';
import { slotOf } from './slots.ts';

export const OK = '+OK\r\n';
/** The password of nodes that have one. */
export const PASSWORD = 'secret';

export const idOf = async (node: TestServer): Promise<string> => (await node.send('CLUSTER', 'MYID')).split('\r\n')[1]!;

export const setSlot = async (node: TestServer, slot: number, ...words: string[]): Promise<string> =>
  node.send('CLUSTER', 'SETSLOT', String(slot), ...words);

/** Opens a slot for its way from one node to another; answers what the source says. */
export async function openSlot(source: TestServer, target: TestServer, slot: number): Promise<string> {
  expect(await setSlot(target, slot, 'IMPORTING', await idOf(source))).toBe(OK);
  return setSlot(source, slot, 'MIGRATING', await idOf(target));
}

/** Tells the target, and then all others, that the slot is the target's. */
export async function closeSlot({ nodes }: Pick<Cluster, 'nodes'>, target: TestServer, slot: number): Promise<void> {
  const id = await idOf(target);
  for (const node of [target, ...nodes.filter((other) => other !== target)]) {
    expect(await setSlot(node, slot, 'NODE', id)).toBe(OK);
  }
}

/** The name of the key that takes along what lies in this slot, and those behind it. */
export function keyThatTakes(slot: number): string {
  const key = (number: number) => `wasm.slot:{${number.toString(16)}}`;
  for (let number = 0; ; number++) if (slotOf(key(number)) === slot) return key(number);
}

/** A user of a node, and what belongs to it in its slot: two entries, and two sessions. */
export interface Owned {
  user: string;
  slot: number;
  /** A session with data. */
  id: string;
}

/**
 * Everything of it that clients can see, as the node's replies; by a connection that may ask an importing
 * node.
 */
export async function seen(node: TestServer, { user, id }: Owned): Promise<string[]> {
  const connection = await node.connect();
  // Refused where none is asked for.
  await connection.send('AUTH', PASSWORD);
  const ask = async (...words: string[]) => {
    await connection.send('ASKING');
    return connection.send(...words);
  };
  return [
    await ask('CUSTOM.GET', `{${user}}:entry`),
    deadlineOf(await ask('CUSTOM.PTTL', `{${user}}:timed`)),
    await ask('SESSION.GET', id),
    await ask('SESSION.LIST', user),
    await ask('CUSTOM.GET', user),
  ];
}

/** When an entry expires, as exactly as what is left of it tells. */
function deadlineOf(reply: string): string {
  const left = parseReply(reply);
  return typeof left === 'number' && left > 0 ? `minute ${Math.round((Date.now() + left) / 60_000)}` : reply;
}

export async function fill(node: TestServer, user: string): Promise<Owned> {
  const create = async (...options: string[]) =>
    (parseReply(await node.send('SESSION.CREATE', user, ...options)) as string).split(' ').pop()!;
  const id = await create();
  await node.send('SESSION.ADD_DATA', id, 'cart', 'three apples');
  await create('IDLE', '1000');
  await node.send('CUSTOM.SET', `{${user}}:entry`, 'value');
  await node.send('CUSTOM.SET', `{${user}}:timed`, 'value', 'PXAT', '94651243200000');
  return { user, slot: slotOf(user), id };
}

export interface Move {
  cluster: Cluster;
  source: TestServer;
  target: TestServer;
  owned: Owned;
}

/** Has many slots moved at once, and does something more before the server goes on with that. */
export async function moveSlots(
  source: TestServer,
  [first, last]: [number, number],
  target: TestServer,
  ...more: string[][]
): Promise<string> {
  const connection = await source.connect();
  await connection.send('MULTI');
  await connection.send('CLUSTER', 'MIGRATESLOTS', 'SLOTSRANGE', String(first), String(last), 'NODE', await idOf(target));
  for (const words of more) await connection.send(...words);
  await connection.send('EXEC');
  return endOfMove(source);
}

/** How the last of such moves has ended. */
export async function endOfMove(source: TestServer): Promise<string> {
  const hasEnded = (text: string) => !/state\r\n\$\d+\r\n(?!success|failed|cancelled)/.test(text);
  const ended = await eventually(() => source.send('CLUSTER', 'GETSLOTMIGRATIONS'), hasEnded);
  expect(ended).toSatisfy(hasEnded);
  return /state\r\n\$\d+\r\n(\w+)/.exec(ended)?.[1] ?? ended;
}

/** A cluster of three nodes, of which the first one has what is to move to the second one. */
export async function startMove(options: ServerOptions = {}): Promise<Move> {
  const cluster = await startCluster(options);
  const [source, target] = cluster.nodes as [TestServer, TestServer];
  return { cluster, source, target, owned: await fill(source, await cluster.keyOf(source, 'user')) };
}

/** Another node in the cluster of these, without slots; in the end all know it. */
export async function join(nodes: TestServer[], ...options: string[]): Promise<TestServer> {
  const bus = await freePort();
  const flags = ['--cluster-enabled', 'yes', '--cluster-port', String(bus), '--bind', '127.0.0.1', '--cluster-announce-ip', '127.0.0.1'];
  const other = await startServer({ tcp: true, arguments: [...flags, ...options] });
  const [node] = nodes as [TestServer];
  const [, busOfNode = ''] = /@(\d+)[ ,].*myself/.exec(await node.send('CLUSTER', 'NODES')) ?? [];
  expect(await other.send('CLUSTER', 'MEET', '127.0.0.1', String(node.port), busOfNode)).toBe(OK);
  for (const one of [...nodes, other]) {
    const isKnown = (text: string) => [...nodes, other].every((peer) => new RegExp(`:${peer.port}@.* connected`).test(text));
    expect(await eventually(() => one.send('CLUSTER', 'NODES'), isKnown)).toSatisfy(isKnown);
    const isReady = (text: string) => text.includes('cluster_state:ok');
    expect(await eventually(() => one.send('CLUSTER', 'INFO'), isReady)).toSatisfy(isReady);
  }
  return other;
}
