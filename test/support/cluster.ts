/** Clusters of the server under test: nodes on free ports of this machine that share all slots out evenly. */
import { afterAll, beforeAll } from 'vitest';
import { eventually, freePort, startServer, TestServer, type ServerOptions } from './server.ts';
import { slotOf } from './slots.ts';

const SLOTS = 16384;

export interface Cluster {
  nodes: TestServer[];
  /** The slot that a key belongs to. */
  slotOf: (key: string) => Promise<number>;
  /** The node that serves a key. */
  nodeOf: (key: string) => Promise<TestServer>;
  /** A key that this node serves: `<prefix><number>`. */
  keyOf: (node: TestServer, prefix: string) => Promise<string>;
}

/** A node as another one sees it. */
export interface Seen {
  id: string;
  port: number;
  isPrimary: boolean;
  /** The id of the primary that it follows; `-` for a primary. */
  primary: string;
  /** Whether it is the one that was asked. */
  isMyself: boolean;
  /** The ranges of slots that it serves, both ends included. */
  ranges: [first: number, last: number][];
  /** Slots that are on their way from or to it, where it is the one that was asked. */
  open: number[];
}

/** What `node` says of all nodes that it knows. */
export async function seenBy(node: Pick<TestServer, 'send'>): Promise<Seen[]> {
  const reply = await node.send('CLUSTER', 'NODES');
  const lines = reply.split('\r\n').slice(1).join('\r\n').split('\n');
  return lines
    .filter((line) => line.includes(' '))
    .map((line) => {
      const [id = '', address = '', flags = '', primary = '', , , , , ...slots] = line.trim().split(' ');
      const ranges = slots.filter((word) => !word.startsWith('[')).map((word) => word.split('-').map(Number));
      return {
        id,
        port: Number(/:(\d+)@/.exec(address)?.[1]),
        isPrimary: flags.split(',').includes('master'),
        primary,
        isMyself: flags.split(',').includes('myself'),
        ranges: ranges.map(([first = 0, last = first]) => [first, last]),
        open: slots.filter((word) => word.startsWith('[')).map((word) => parseInt(word.slice(1), 10)),
      };
    });
}

/** The ports of a node that is to join a cluster, and the settings by which it does. */
async function busOf(options: ServerOptions): Promise<{ bus: number; options: ServerOptions }> {
  const bus = await freePort();
  const words = ['--cluster-enabled', 'yes', '--cluster-port', String(bus), '--bind', '127.0.0.1', '--cluster-announce-ip', '127.0.0.1'];
  return { bus, options: { ...options, tcp: true, arguments: [...words, ...(options.arguments ?? [])] } };
}

/** Sends what answers OK. */
async function done(node: TestServer, ...words: string[]): Promise<void> {
  const reply = await node.send(...words);
  if (reply !== '+OK\r\n') throw new Error(`${words.join(' ')} answered ${reply}`);
}

/**
 * Starts nodes and joins them to a cluster that serves.
 * @param start makes a server of these options, and has it run
 * @param primaries how many of the nodes share the slots out; the others follow these, one after the other
 */
export async function joined(
  start: (options: ServerOptions) => Promise<TestServer>,
  options: ServerOptions,
  count: number,
  primaries = count,
): Promise<TestServer[]> {
  const size = Math.ceil(SLOTS / primaries);
  const ways = await Promise.all(Array.from({ length: count }, () => busOf(options)));
  const nodes = await Promise.all(ways.map((way) => start(way.options)));
  for (const [index, node] of nodes.entries()) {
    const [first, last] = [index * size, Math.min((index + 1) * size, SLOTS) - 1];
    if (index < primaries) await done(node, 'CLUSTER', 'ADDSLOTSRANGE', String(first), String(last));
    // As redis-cli has it: nodes of one epoch settle which of them is the later one while slots move already.
    await done(node, 'CLUSTER', 'SET-CONFIG-EPOCH', String(index + 1));
  }
  // Each meets each: what one tells another of the others comes a second later.
  for (const [index, node] of nodes.entries()) {
    for (const [place, { bus }] of ways.entries()) {
      if (place > index) await done(node, 'CLUSTER', 'MEET', '127.0.0.1', String(nodes[place]!.port), String(bus));
    }
  }
  const isReady = (text: string) => text.includes('cluster_state:ok') && text.includes(`cluster_known_nodes:${count}`);
  for (const node of nodes) {
    const info = await eventually(() => node.send('CLUSTER', 'INFO'), isReady);
    if (!isReady(info)) throw new Error(`the cluster does not serve:\n${info}`);
  }
  for (const [index, node] of nodes.slice(primaries).entries()) {
    const [, id = ''] = (await nodes[index % primaries]!.send('CLUSTER', 'MYID')).split('\r\n');
    await done(node, 'CLUSTER', 'REPLICATE', id);
  }
  return nodes;
}

/** A cluster of `count` primaries for the running test, ready to serve. */
export async function startCluster(options: ServerOptions = {}, count = 3): Promise<Cluster> {
  const size = Math.ceil(SLOTS / count);
  const nodes = await joined(startServer, options, count);
  const slotOf = async (key: string) => Number((await nodes[0]!.send('CLUSTER', 'KEYSLOT', key)).slice(1));
  const nodeOf = async (key: string) => nodes[Math.floor((await slotOf(key)) / size)]!;
  const keyOf = async (node: TestServer, prefix: string) => {
    for (let number = 0; ; number++) if ((await nodeOf(`${prefix}${number}`)) === node) return `${prefix}${number}`;
  };
  return { nodes, slotOf, nodeOf, keyOf };
}

/** The nodes of a cluster for the tests of a file, as `joined` makes it: each test has keys of its own. */
export function useCluster(options: ServerOptions, count: number, primaries = count): TestServer[] {
  const nodes: TestServer[] = [];
  const start = async (own: ServerOptions) => {
    const node = new TestServer(own);
    nodes.push(node);
    await node.start();
    return node;
  };
  beforeAll(() => joined(start, options, count, primaries));
  afterAll(() => Promise.all(nodes.map((node) => node.stop())));
  return nodes;
}

/**
 * A key that begins so and lies in the first of so many equal parts of the slots: those of the first node.
 */
export function keyOfFirst(prefix: string, primaries: number): string {
  const isIt = (key: string) => slotOf(key) < Math.ceil(SLOTS / primaries);
  for (let number = 0; ; number++) if (isIt(`${prefix}${number}`)) return `${prefix}${number}`;
}
