/** What the adapters of this package ask of a client of node-redis: of createClient, createClientPool or createCluster. */
import { RESP_TYPES } from '@redis/client';
import { ArgumentError } from './arguments.ts';

const AS_TEXT = { [RESP_TYPES.MAP]: Map };

/** A connected client that has the module `N` of this package: `createClient({ modules: { custom, session } })`. */
export type ClientWith<N extends 'custom' | 'session'> = Record<N, object> & {
  multi: (...given: never[]) => unknown;
  withTypeMapping: (...given: never[]) => unknown;
};

/**
 * The same connection, with text for bulk strings and Maps for maps, whatever the client itself is set to.
 * @throws ArgumentError when it is no such client
 */
export function asText(client: unknown, name: 'custom' | 'session'): unknown {
  const given = client as Partial<Record<string, unknown>> | null | undefined;
  const hasModule = typeof (given?.[name] as Record<string, unknown> | undefined)?.scan === 'function';
  if (!hasModule || typeof given?.withTypeMapping !== 'function') {
    throw new ArgumentError('options.client', `a client of node-redis with this package's module: createClient({ modules: { ${name} } })`);
  }
  return (given as { withTypeMapping: (mapping: object) => unknown }).withTypeMapping(AS_TEXT);
}

interface ClusterLike {
  masters: readonly unknown[];
  nodeClient: (node: unknown) => unknown;
}

/** The clients of every primary of a cluster, each with the cluster's type mapping; of anything else, the client itself. */
export async function nodesOf(client: unknown): Promise<unknown[]> {
  const { masters, nodeClient } = client as Partial<ClusterLike>;
  if (masters === undefined || typeof nodeClient !== 'function') return [client];
  const nodes = await Promise.all(masters.map((node) => nodeClient.call(client, node)));
  return nodes.map((node) => (node as { withTypeMapping: (mapping: object) => unknown }).withTypeMapping(AS_TEXT));
}
