/** Clusters of the server under test: nodes on free ports of this machine that share all slots out evenly. */
import { expect } from 'vitest';
import { eventually, freePort, startServer, type ServerOptions, type TestServer } from './server.ts';

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

/** A cluster of `count` primaries for the running test, ready to serve. */
export async function startCluster(options: ServerOptions = {}, count = 3): Promise<Cluster> {
  const size = Math.ceil(SLOTS / count);
  const first = (index: number) => index * size;
  const last = (index: number) => Math.min(first(index + 1), SLOTS) - 1;
  const nodes: TestServer[] = [];
  const buses: number[] = [];
  for (let index = 0; index < count; index++) {
    const bus = await freePort();
    const cluster = [
      '--cluster-enabled',
      'yes',
      '--cluster-port',
      String(bus),
      '--bind',
      '127.0.0.1',
      '--cluster-announce-ip',
      '127.0.0.1',
    ];
    const node = await startServer({ ...options, tcp: true, arguments: [...cluster, ...(options.arguments ?? [])] });
    expect(await node.send('CLUSTER', 'ADDSLOTSRANGE', String(first(index)), String(last(index)))).toBe('+OK\r\n');
    nodes.push(node);
    buses.push(bus);
  }
  for (const [index, node] of nodes.entries()) {
    await nodes[0]!.send('CLUSTER', 'MEET', '127.0.0.1', String(node.port), String(buses[index]));
  }
  const isReady = (text: string) => text.includes('cluster_state:ok') && text.includes(`cluster_known_nodes:${count}`);
  for (const node of nodes) expect(await eventually(() => node.send('CLUSTER', 'INFO'), isReady)).toSatisfy(isReady);
  const slotOf = async (key: string) => Number((await nodes[0]!.send('CLUSTER', 'KEYSLOT', key)).slice(1));
  const nodeOf = async (key: string) => nodes[Math.floor((await slotOf(key)) / size)]!;
  const keyOf = async (node: TestServer, prefix: string) => {
    for (let number = 0; ; number++) if ((await nodeOf(`${prefix}${number}`)) === node) return `${prefix}${number}`;
  };
  return { nodes, slotOf, nodeOf, keyOf };
}
