/**
 * `redis-wasm/testing`: a server with modules for tests, of its own, on a free port, gone afterwards.
 *
 * ```js
 * import { serve } from 'redis-wasm/testing';
 * const server = await serve();
 * await server.client.sendCommand(['COUNTER.ADD', 'visits']);
 * await server.end();
 * ```
 */
import { createClient, type RedisClientType } from '@redis/client';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { usableCache, userCache } from '../bin/cache.ts';
import { requirePlatform } from '../bin/platform.ts';
import { Cache } from './asc/cache.ts';
import { Compiler } from './asc/compiler.ts';
import { findServer, freePort, LocalServer } from './local-server.ts';
import { buildModules, modulesOf } from './modules.ts';

export interface ServeOptions {
  /**
   * authors' files, or .wasm files, relative to the current folder; by default every file in it that declares
   * a command
   */
  modules?: string[];
  /** the path of a redis-server or valkey-server; by default REDIS_SERVER, else the one on PATH */
  server?: string;
  /** further arguments of redis-server: `['--appendonly', 'yes']` */
  arguments?: string[];
  /** a cluster of one node that has all slots */
  cluster?: boolean;
}

export interface Served {
  /** a client of node-redis, connected */
  client: RedisClientType;
  /** `redis://127.0.0.1:<port>` */
  url: string;
  /** all that the server has logged */
  log: () => string;
  /** Closes the client, ends the server, and removes its data. */
  end: () => Promise<void>;
}

/** Levels of optimisation that build in a moment. */
const LEVELS = [1, 0];
const LIMIT_MS = 10_000;
const PORTS_TRIED = 5;

/**
 * Starts a server with modules, which are built where they are authors' files. Rejects with what is wrong
 * with them, or why the server does not start.
 */
export async function serve(options: ServeOptions = {}): Promise<Served> {
  requirePlatform();
  const server = findServer(options.server);
  const folder = mkdtempSync(path.join(tmpdir(), 'redis-wasm-'));
  const remove = () => {
    rmSync(folder, { recursive: true, force: true });
  };
  process.once('exit', remove);
  try {
    const modules = await build(options.modules ?? [], folder);
    const cluster = options.cluster === true ? ['--cluster-enabled', 'yes'] : [];
    const cache = usableCache(userCache(), folder);
    const keeps = cache === undefined ? [] : ['--wasm.cache', cache];
    const given = ['--save', '', '--enable-debug-command', 'yes', ...keeps, ...cluster, ...(options.arguments ?? [])];
    const { local, port } = await startOnFreePort(modules, (free) => new LocalServer({ server, port: free, folder, arguments: given }));
    const url = `redis://127.0.0.1:${port}`;
    const client = createClient({ url }) as RedisClientType;
    // What it cannot do is told by the commands that fail.
    client.on('error', () => undefined);
    await client.connect();
    if (options.cluster === true) await takeAllSlots(client);
    const end = async () => {
      if (client.isOpen) client.destroy();
      await local.end();
      process.removeListener('exit', remove);
      remove();
    };
    return { client, url, log: () => local.log, end };
  } catch (error) {
    process.removeListener('exit', remove);
    remove();
    throw error;
  }
}

/** The .wasm files of modules, those of authors' files built into the folder. */
async function build(given: string[], folder: string): Promise<string[]> {
  const ready = given.filter((file) => file.endsWith('.wasm')).map((file) => path.resolve(file));
  const sources = given.filter((file) => !file.endsWith('.wasm'));
  if (given.length > 0 && sources.length === 0) return ready;
  const compiler = new Compiler();
  try {
    // Beside the data of `dev`, in what the project's .gitignore names.
    const cache = new Cache(path.resolve('.redis-wasm/tests'));
    const how = { out: path.join(folder, 'modules'), levels: LEVELS, limit_ms: LIMIT_MS, checks: true, cache };
    const built = await buildModules(modulesOf(sources, process.cwd()), how, compiler);
    return [...ready, ...built.map(({ output }) => output)];
  } finally {
    compiler.end();
  }
}

/** Another program may take the port meanwhile. */
async function startOnFreePort(modules: string[], make: (port: number) => LocalServer): Promise<{ local: LocalServer; port: number }> {
  for (let tried = 1; ; tried++) {
    const port = await freePort();
    const local = make(port);
    try {
      await local.start(modules);
      return { local, port };
    } catch (error) {
      if (tried === PORTS_TRIED || !/Address already in use/i.test(local.log)) throw error;
    }
  }
}

/** Makes it a cluster that serves every key. */
async function takeAllSlots(client: RedisClientType): Promise<void> {
  await client.sendCommand(['CLUSTER', 'ADDSLOTSRANGE', '0', '16383']);
  for (;;) {
    const state = await client.sendCommand<string>(['CLUSTER', 'INFO']);
    if (state.includes('cluster_state:ok')) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
