/** Clients of node-redis with the commands of client/, closed when the running test is over. */
import { createClient, createClientPool, createCluster } from 'redis';
import { onTestFinished } from 'vitest';
import { custom, session } from '../../client/index.ts';
import type { Cluster } from './cluster.ts';
import type { TestServer } from './server.ts';

const MODULES = { custom, session };

/** A connected client. */
export async function typedClient<RESP extends 2 | 3 = 3>(server: Pick<TestServer, 'socket'>, RESP: RESP = 3 as RESP) {
  const client = createClient({
    RESP,
    modules: MODULES,
    socket: { path: server.socket, tls: false, reconnectStrategy: false },
  });
  client.on('error', () => undefined);
  await client.connect();
  onTestFinished(() => {
    client.destroy();
  });
  return client;
}

/** A connected pool of clients. */
export async function typedPool(server: TestServer) {
  const pool = createClientPool({ modules: MODULES, socket: { path: server.socket, tls: false, reconnectStrategy: false } });
  pool.on('error', () => undefined);
  await pool.connect();
  onTestFinished(() => {
    pool.destroy();
  });
  return pool;
}

export type TypedClient = Awaited<ReturnType<typeof typedClient>>;

/** A connected client of a cluster. */
export async function typedCluster(cluster: Cluster) {
  const client = createCluster({
    rootNodes: cluster.nodes.map((node) => ({ socket: { host: '127.0.0.1', port: node.port } })),
    modules: MODULES,
  });
  client.on('error', () => undefined);
  await client.connect();
  onTestFinished(() => {
    client.destroy();
  });
  return client;
}
