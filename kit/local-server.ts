/** A server on this machine that a program starts, restarts and ends: of `dev`, and of tests. */
import { spawn, type ChildProcess } from 'node:child_process';
import { createServer, type AddressInfo } from 'node:net';
import { HOST_FILE, SERVER_FILES } from '../bin/platform.ts';
import { Problem } from '../bin/process.ts';
import { fromEnvironment, named, onPath, VERSION_MAJOR_MIN, type Server } from '../bin/servers.ts';

/** For a machine that has ten times as much to do as it can. */
const START_MS = 60_000;
const END_MS = 30_000;

export interface Settings {
  server: Server;
  port: number;
  /** where it works, and keeps its data */
  folder: string;
  /** of redis-server; they win */
  arguments?: string[];
  /** called with what it logs, as it comes */
  logged?: (text: string) => void;
}

/**
 * The server that a person names, or REDIS_SERVER, or the one on PATH. Throws a Problem that says what to
 * install.
 */
export function findServer(wanted?: string): Server {
  const server = wanted === undefined ? (fromEnvironment() ?? onPath()) : named(wanted, 'The server');
  if (server !== undefined) return server;
  throw new Problem(
    `No redis-server or valkey-server ${VERSION_MAJOR_MIN}.0 or later is on PATH. Install one (Debian: apt-get install redis-server),\n` +
      'or say where it is: REDIS_SERVER=<path>',
  );
}

/** A port of this machine that nothing listens on. */
export async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve) => probe.listen(0, '127.0.0.1', resolve));
  const { port } = probe.address() as AddressInfo;
  await new Promise((resolve) => probe.close(resolve));
  return port;
}

const running = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/** A server with the host in it. */
export class LocalServer {
  /** all that it has logged since its last start */
  log = '';
  private child: ChildProcess | undefined;
  private closed: Promise<void> = Promise.resolve();

  constructor(private readonly settings: Settings) {}

  /**
   * Starts it with both modules of the project and these .wasm files. Throws a Problem with what it logged
   * where it does not come to accept connections.
   */
  async start(modules: string[]): Promise<void> {
    const { server, port, folder, logged } = this.settings;
    const [, hashmap = '', session = ''] = SERVER_FILES;
    const given = [
      ...['--port', String(port), '--bind', '127.0.0.1', '--dir', folder],
      ...['--loadmodule', HOST_FILE, hashmap, session, ...modules, ...(this.settings.arguments ?? [])],
    ];
    // In a process group of its own: a terminal's Ctrl-C would reach it beside our own signal.
    const child = spawn(server.file, given, { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'], detached: true });
    this.child = child;
    this.log = '';
    running.add(child);
    const isReady = new Promise<boolean>((resolve) => {
      const timer = setTimeout(() => {
        resolve(false);
      }, START_MS);
      for (const stream of [child.stdout, child.stderr]) {
        stream.setEncoding('utf8').on('data', (text: string) => {
          this.log += text;
          logged?.(text);
          if (/ready to accept connections/i.test(this.log)) resolve(true);
        });
      }
      this.closed = new Promise((close) => {
        child.once('error', (error) => (this.log += error.message));
        child.once('close', () => {
          running.delete(child);
          close();
          resolve(false);
        });
      });
      void this.closed.then(() => {
        clearTimeout(timer);
      });
    });
    if (await isReady) return;
    await this.end();
    throw new Problem(`${server.name} ${server.version} does not start:\n${causeOf(this.log)}`);
  }

  /** Whether it runs. */
  get isRunning(): boolean {
    return this.child !== undefined && running.has(this.child);
  }

  /** Resolves when it has ended, however that was. */
  get ended(): Promise<void> {
    return this.closed;
  }

  /** Ends it: saved, where it has save points; at once where it does not end in time. */
  async end(): Promise<void> {
    const child = this.child;
    if (child === undefined || !running.has(child)) return;
    child.kill('SIGTERM');
    const timer = setTimeout(() => child.kill('SIGKILL'), END_MS);
    await this.closed;
    clearTimeout(timer);
  }
}

/** The lines of a log that tell why: warnings and what the host says, else the last ones. */
function causeOf(log: string): string {
  const lines = log.trimEnd().split('\n');
  const telling = lines.filter((line) => / # |<wasm>|\bwasm:/.test(line) && !/overcommit|oO0OoO|Warning: no config/i.test(line));
  return (telling.length > 0 ? telling : lines.slice(-10)).join('\n');
}
