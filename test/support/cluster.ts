/** A cluster for tests: some primaries that share the slots evenly. */
import { createCluster } from 'redis';
import { onTestFinished } from 'vitest';
import { eventually, freePort, startServer, type TestServer } from './server.ts';

const SLOTS = 16_384;
/** Nodes that do not know each other yet find together by gossip. */
const JOIN_TIMEOUT_MS = 30_000;

/** Starts `count` nodes, gives each its share of the slots, and waits until all of them say that the cluster is well. */
export async function startCluster(count = 3): Promise<TestServer[]> {
  const nodes: TestServer[] = [];
  const buses: string[] = [];
  for (let index = 0; index < count; index++) {
    // Not the default, 10,000 over the other: that may be no port.
    buses.push(String(await freePort()));
    const words = ['--cluster-enabled', 'yes', '--cluster-port', buses[index]!, '--cluster-node-timeout', '5000'];
    nodes.push(await startServer({ tcp: true, arguments: [...words, '--bind', '127.0.0.1'] }));
  }
  const share = Math.ceil(SLOTS / count);
  for (const [index, node] of nodes.entries()) {
    const last = Math.min((index + 1) * share, SLOTS) - 1;
    await ok(node, 'CLUSTER', 'ADDSLOTSRANGE', String(index * share), String(last));
    for (const other of nodes.slice(index + 1)) await ok(other, 'CLUSTER', 'MEET', '127.0.0.1', String(node.port), buses[index]!);
  }
  for (const node of nodes) {
    const info = await eventually(
      () => node.send('CLUSTER', 'INFO'),
      (text) =>
        text.includes('cluster_state:ok') && text.includes(`cluster_known_nodes:${count}`) && text.includes(`cluster_size:${count}`),
      JOIN_TIMEOUT_MS,
    );
    if (!info.includes('cluster_state:ok')) throw new Error(`the cluster did not come up:\n${info}`);
  }
  return nodes;
}

async function ok(node: TestServer, ...argv: string[]): Promise<void> {
  const reply = await node.send(...argv);
  if (reply !== '+OK\r\n') throw new Error(`${argv.join(' ')}: ${reply}`);
}

/** node-redis' client of a cluster, closed when the test is over. */
export async function clusterClient(nodes: TestServer[]) {
  const client = createCluster({ rootNodes: nodes.map(({ port }) => ({ socket: { host: '127.0.0.1', port } })) });
  client.on('error', () => undefined);
  await client.connect();
  onTestFinished(() => {
    client.destroy();
  });
  return client;
}
