/** A server for measuring: pinned to one core, without persistence, and read from outside. */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { connect, createServer, type AddressInfo } from 'node:net';
import { constants, getPriority, setPriority, tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Problem, ROOT, say } from '../../scripts/lib/process.ts';
import type { Server } from '../../scripts/lib/servers.ts';
import { Connection } from './connection.ts';

/** The server's core, and the core of the process that measures. */
export const SERVER_CORE = 0;
export const CLIENT_CORE = 1;

const START_ATTEMPTS_MAX = 400;
/** What runs it, as valgrind does, makes it slower by as much. */
const UNDER_FACTOR = 20;
const START_RETRY_MS = 25;

export interface StartOptions {
  /** further words of the server's command line */
  settings?: string[];
  /** whether the host is loaded with both shipped modules, or the modules that it loads instead */
  modules?: boolean | string[];
  /** whether the server keeps to one core, as it does by default */
  pinned?: boolean;
  /** the core that it keeps to, if it is pinned; by default SERVER_CORE */
  core?: number;
  /** words before the server's own, for example valgrind's */
  under?: string[];
  /** set on top of this process's environment */
  environment?: Record<string, string>;
}

/** Servers that have been started and not stopped. */
const running = new Set<MeasuredServer>();

export class MeasuredServer {
  readonly socket: string;
  /** its working folder: the socket and what it saves */
  readonly folder: string;
  private readonly process: ChildProcess;
  private log = '';

  private constructor(server: Server, options: StartOptions) {
    this.folder = mkdtempSync(path.join(tmpdir(), 'bench-'));
    this.socket = path.join(this.folder, 'socket');
    const host = path.join(ROOT, 'build/host.so');
    const cores = options.pinned === false ? `${SERVER_CORE},${CLIENT_CORE}` : String(options.core ?? SERVER_CORE);
    const words = [
      ...['-c', cores, ...(options.under ?? []), server.file],
      ...['--port', '0', '--unixsocket', this.socket, '--dir', this.folder, '--save', '', '--appendonly', 'no'],
      ...(options.modules === false ? [] : ['--loadmodule', host, ...(Array.isArray(options.modules) ? options.modules : [])]),
      ...(options.settings ?? []),
    ];
    this.process = spawn('taskset', words, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...options.environment } });
    for (const stream of [this.process.stdout, this.process.stderr]) stream?.on('data', (chunk: Buffer) => (this.log += chunk.toString()));
    running.add(this);
  }

  /** Starts a server and waits until it answers. */
  static async start(server: Server, options: StartOptions = {}): Promise<MeasuredServer> {
    const started = new MeasuredServer(server, options);
    const attempts = START_ATTEMPTS_MAX * (options.under === undefined ? 1 : UNDER_FACTOR);
    for (let attempt = 0; attempt < attempts; attempt++) {
      if (started.process.exitCode !== null) break;
      if (await answers(started.socket)) return started;
      await sleep(START_RETRY_MS);
    }
    await started.stop();
    throw new Problem(`The server for measuring did not start:\n${started.log}`);
  }

  get pid(): number {
    return this.process.pid ?? 0;
  }

  /** CPU time of the server's main thread since it started, in ns. */
  cpuNs(): number {
    const pid = String(this.pid);
    return Number(readFileSync(`/proc/${pid}/task/${pid}/schedstat`, 'utf8').split(' ')[0]);
  }

  /** Resident memory of the server, in bytes. */
  residentBytes(): number {
    const status = readFileSync(`/proc/${String(this.pid)}/status`, 'utf8');
    return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1]) * 1024;
  }

  /** What the server has logged so far. */
  logText(): string {
    return this.log;
  }

  connection(): Promise<Connection> {
    return Connection.open(this.socket);
  }

  connections(count: number): Promise<Connection[]> {
    return Promise.all(Array.from({ length: count }, () => this.connection()));
  }

  /** Ends the server at once. */
  async stop(): Promise<void> {
    if (this.process.exitCode === null && this.process.signalCode === null) {
      const ended = new Promise((resolve) => this.process.once('exit', resolve));
      this.process.kill('SIGKILL');
      await ended;
    }
    this.forget();
  }

  /** Kills every server that still runs, without waiting for it, when this process is about to exit. */
  static abandonAll(): void {
    for (const server of running) {
      server.process.kill('SIGKILL');
      server.forget();
    }
  }

  private forget(): void {
    running.delete(this);
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** Keeps this process to a core, and what it starts from now on. Answers whether that was possible. */
export function pinSelf(core: number): boolean {
  return spawnSync('taskset', ['-cp', String(core), String(process.pid)], { stdio: 'ignore' }).status === 0;
}

/**
 * Has this process come before others on its core while `during` runs, where that is allowed.
 * What it waits for is the server then, and not the processor.
 */
export async function ahead<T>(during: () => Promise<T>): Promise<T> {
  const usual = getPriority();
  try {
    setPriority(constants.priority.PRIORITY_HIGHEST);
  } catch {
    say('this process may not come before others: the longest times are longer than the server makes them');
  }
  return during().finally(() => {
    setPriority(usual);
  });
}

/** Starts a server, gives it to `use`, and stops it. */
export async function withServer<T>(server: Server, options: StartOptions, use: (measured: MeasuredServer) => Promise<T>): Promise<T> {
  return stopAfter(await MeasuredServer.start(server, options), use);
}

/** Gives what was started to `use`, and stops it, also when `use` fails. */
export async function stopAfter<Started extends { stop: () => Promise<void> }, T>(
  started: Started,
  use: (started: Started) => Promise<T>,
): Promise<T> {
  try {
    return await use(started);
  } finally {
    await started.stop();
  }
}

/** The same with several servers that run side by side, by their names. */
export async function withServers<Name extends string, T>(
  server: Server,
  options: Record<Name, StartOptions>,
  use: (servers: Record<Name, MeasuredServer>) => Promise<T>,
): Promise<T> {
  const started: [string, MeasuredServer][] = [];
  try {
    for (const [name, each] of Object.entries<StartOptions>(options)) started.push([name, await MeasuredServer.start(server, each)]);
    return await use(Object.fromEntries(started) as Record<Name, MeasuredServer>);
  } finally {
    for (const [, measured] of started) await measured.stop();
  }
}

/** Options of the two servers whose modules are linked directly and by command. */
export function bothLinks(options: StartOptions = {}): Record<'direct' | 'command', StartOptions> {
  return { direct: options, command: { ...options, settings: [...(options.settings ?? []), '--wasm.link', 'command'] } };
}

/** A TCP port of this machine that nobody listens on. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const listener = createServer().once('error', reject);
    listener.listen(0, '127.0.0.1', () => {
      const { port } = listener.address() as AddressInfo;
      listener.close(() => {
        resolve(port);
      });
    });
  });
}

function answers(socket: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = connect(socket);
    probe.once('error', () => {
      resolve(false);
    });
    probe.once('data', (reply) => {
      probe.destroy();
      resolve(reply.toString().startsWith('+PONG'));
    });
    probe.once('connect', () => probe.write('PING\r\n'));
  });
}
