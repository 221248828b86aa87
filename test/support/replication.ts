/**
 * Replicas for tests: one server made to follow another, also through a proxy that cuts, delays or spoils
 * what the primary sends.
 */
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { beforeEach, expect, onTestFinished } from 'vitest';
import { eventually, startServer, useServer, type ServerOptions, type TestServer } from './server.ts';

/** A primary and a server that does not follow it yet. */
export async function startPair(options: ServerOptions = {}): Promise<{ primary: TestServer; replica: TestServer }> {
  const primary = await startServer({ tcp: true });
  const replica = await startServer(options);
  return { primary, replica };
}

/** The same for a file or describe block: empty, and neither follows the other, before each test. */
export function usePair(options: ServerOptions, primaryOptions: ServerOptions = {}): { primary: TestServer; replica: TestServer } {
  const primary = useServer({ ...primaryOptions, tcp: true });
  beforeEach(async () => {
    expect(await replica.send('REPLICAOF', 'NO', 'ONE')).toBe('+OK\r\n');
  });
  const replica = useServer(options);
  return { primary, replica };
}

/** Makes `replica` follow what listens on `source.port`, and waits until the link is up. */
export async function follow(replica: TestServer, source: { port: number }): Promise<void> {
  await replica.send('REPLICAOF', '127.0.0.1', String(source.port));
  await linked(replica);
}

/** Waits until the replica's link is up and its synchronisation is over. */
export async function linked(replica: TestServer): Promise<void> {
  const info = await eventually(
    () => replica.info('replication'),
    (fields) => fields.master_link_status === 'up' && fields.master_sync_in_progress === '0',
  );
  expect(info.master_link_status).toBe('up');
}

/** Waits until the replica has all of the primary's stream. */
export async function caughtUp(primary: TestServer, replica: TestServer): Promise<void> {
  const wanted = Number((await primary.info('replication')).master_repl_offset);
  const reached = await eventually(
    async () => Number((await replica.info('replication')).slave_repl_offset),
    (offset) => offset >= wanted,
  );
  expect(reached).toBeGreaterThanOrEqual(wanted);
}

/** Bytes that pass in one step while a proxy is slow, and the pause between two. */
const SLOW_BYTES = 512;
const SLOW_MS = 5;

/** Stands between a replica and its primary, on a port of its own. */
export class Proxy {
  /** How many connections a replica has made, those included that were turned away. */
  connections = 0;
  /** Whether connections are let through. */
  open = true;
  /** Whether what the primary sends passes in small steps. */
  slow = false;
  /** What becomes of the primary's bytes; null: the connection is cut there. */
  transform: (bytes: Buffer) => Buffer | null = (bytes) => bytes;
  #listener: Server;
  #sockets = new Set<Socket>();

  /** A proxy to `primary` until the test is over. */
  static async start(primary: TestServer): Promise<Proxy> {
    const proxy = new Proxy(primary.port);
    await new Promise<void>((resolve) => proxy.#listener.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => {
      proxy.#listener.close();
      proxy.cut();
    });
    return proxy;
  }

  private constructor(target: number) {
    this.#listener = createServer((replica) => {
      this.connections++;
      if (!this.open) {
        replica.destroy();
        return;
      }
      const primary = connect(target, '127.0.0.1');
      for (const [one, other] of [
        [replica, primary],
        [primary, replica],
      ] as const) {
        this.#sockets.add(one);
        one
          .on('error', () => undefined)
          .on('close', () => {
            this.#sockets.delete(one);
            other.destroy();
          });
      }
      replica.pipe(primary);
      primary.on('data', (bytes) => {
        primary.pause();
        void this.#pass(bytes, replica).then(() => primary.resume());
      });
    });
  }

  get port(): number {
    return (this.#listener.address() as AddressInfo).port;
  }

  /** Ends every connection. */
  cut(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  async #pass(bytes: Buffer, replica: Socket): Promise<void> {
    const changed = this.transform(bytes);
    if (changed === null) {
      replica.destroy();
      return;
    }
    let position = 0;
    while (position < changed.length && !replica.destroyed) {
      const end = this.slow ? position + SLOW_BYTES : changed.length;
      replica.write(changed.subarray(position, end));
      position = end;
      if (this.slow) await new Promise((resolve) => setTimeout(resolve, SLOW_MS));
    }
  }
}
