/** The connection to the server that keeps the sessions. */
import { createClient, type RedisClientOptions } from 'redis';
import { custom, session } from '../client/index.ts';

const RECONNECT_MS_MAX = 1000;
/** A server that says nothing for so long is taken for gone; the operator's figures ask it every second. */
const SILENCE_MS_MAX = 5000;

/**
 * A client that goes on connecting by itself. While it is not connected commands fail at once, so that pages
 * say so instead of waiting.
 * @param where - `{ url }` or `{ socket: { path } }`
 */
export function createRedis(where: { url: string } | { path: string }) {
  const socket: RedisClientOptions['socket'] = {
    ...('path' in where ? { path: where.path, tls: false } : {}),
    socketTimeout: SILENCE_MS_MAX,
    connectTimeout: SILENCE_MS_MAX,
    reconnectStrategy: (retries: number) => Math.min(50 * 2 ** retries, RECONNECT_MS_MAX),
  };
  const client = createClient({
    ...('url' in where ? { url: where.url } : {}),
    socket,
    disableOfflineQueue: true,
    modules: { custom, session },
  });
  // Each is told where it matters, to the person whose page fails.
  client.on('error', () => undefined);
  return client;
}

export type Redis = ReturnType<typeof createRedis>;
