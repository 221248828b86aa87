/**
 * Servers for tests: each in a folder of its own, on a unix socket, waited for by PONG, always ended.
 *
 * A test file that needs one server says `const server = useServer()`: started before its first test, emptied
 * before each, ended after the last. A test that needs a server of its own says
 * `const server = await startServer({ … })`: ended when the test is over. Which program runs, and how its
 * modules are linked, is the test project's choice (vitest.config.ts).
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createClient } from 'redis';
import { afterAll, beforeAll, beforeEach, onTestFinished } from 'vitest';
import { RawConnection } from './raw.ts';
import { trustedWord } from './trusted.ts';

export const ROOT = path.dirname(path.dirname(import.meta.dirname));
export const HOST_FILE = path.join(ROOT, 'build/host.so');
export const HASHMAP_FILE = path.join(ROOT, 'build/hashmap.wasm');
export const SESSION_FILE = path.join(ROOT, 'build/session.wasm');
export const NATIVE_FILE = path.join(ROOT, 'build/test/native.so');

/** Which of the test runner's workers this is. */
const WORKERS_MAX = 20;
const worker = Number(process.env.VITEST_POOL_ID ?? 0) % WORKERS_MAX;

/** Where the servers of this worker keep compiled code: to compile is most of what a start costs. */
const CODE_FOLDER = path.join(ROOT, 'build/test/code', String(worker));

/** For a machine that has ten times as much to do as it can: only what is broken waits so long. */
const TIMEOUT_MS = 30_000;
const RETRY_MS = 10;

export type LinkMode = 'auto' | 'command';

/** The server under test, told by the test project. */
export const tested = {
  file: process.env.TEST_SERVER ?? 'redis-server',
  name: process.env.TEST_SERVER_NAME ?? 'Redis',
  version: process.env.TEST_SERVER_VERSION ?? '7.0.0',
  link: (process.env.TEST_LINK ?? 'auto') as LinkMode,
};

/** Whether the server under test is at least of this version: one for Redis, one for Valkey. */
function isAtLeast(redis: string, valkey: string): boolean {
  const [wanted = [], have = []] = [tested.name === 'Valkey' ? valkey : redis, tested.version].map((text) => text.split('.').map(Number));
  const [major = 0, minor = 0] = have;
  return major > wanted[0]! || (major === wanted[0] && minor >= wanted[1]!);
}

/** Whether it puts commands of modules into categories of permissions … */
export const hasCategories = isAtLeast('7.2', '7.2');
/** … and into such as the modules add. */
export const hasOwnCategories = isAtLeast('7.4', '8.0');

/** Whether its permissions can be of databases. */
export const hasDatabaseRules = tested.name === 'Valkey' && isAtLeast('0.0', '9.1');

/** Whether it can keep a command from clients, in COMMAND LIST and COMMAND DOCS too. */
export const hidesEffects = tested.name === 'Redis' && isAtLeast('8.0', '0.0');

/** Whether fields of a hash can have a time to live of their own. */
export const hasFieldDeadlines = isAtLeast('7.4', '9.0');

/** Whether it tells modules of the time that stands still within a transaction or a script. */
export const hasTimeOfCommand = isAtLeast('7.2', '7.2');

/** Whether it runs what modules ask of it at an event within what has caused that. */
export const hasJobs = isAtLeast('7.2', '7.2');

/** Whether it writes a score as the shortest text that reads back. */
export const hasShortScores = isAtLeast('7.2', '7.2');

export interface ServerOptions {
  /** The module file and its arguments; false: no module. By default build/host.so without arguments. */
  module?: string[] | false;
  /** `wasm.link`; by default the test project's. */
  link?: LinkMode;
  /**
   * Whether it takes compiled code from where the servers before it have kept theirs. By default it does,
   * unless it has a `wasm.dir`, where a load while it serves is to take its time, or is `under` what limits
   * it.
   */
  cached?: boolean;
  /** Whether all modules may share a memory, by `wasm.trusted`; by default they may. */
  trusted?: boolean;
  /** Further arguments of redis-server; they win over the guard's own. */
  arguments?: string[];
  /** Text of a redis.conf to start with. */
  configuration?: string;
  /** Listen on a free TCP port too: `port`. */
  tcp?: boolean;
  /** Words before the server's own, of a program that becomes the server: its process id stays. */
  under?: string[];
  /** Milliseconds to wait for PONG. */
  timeout_ms?: number;
}

/** Files that share a memory without being named, where they lie beside the host. */
const OWN_FILES = [HASHMAP_FILE, SESSION_FILE];

/** The setting by which all of these files may share a memory, as far as they are there. */
function trustedArguments(files: string[]): string[] {
  const words = files.filter((file) => !OWN_FILES.includes(file)).flatMap(trustedWord);
  return words.length === 0 ? [] : ['--wasm.trusted', words.join(' ')];
}

const running = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

export class TestServer {
  /** Its working folder: socket, dump, append-only file, configuration. */
  readonly folder = mkdtempSync(path.join(tmpdir(), 'wasm-'));
  readonly socket = path.join(this.folder, 'socket');
  /** TCP port; 0 without `tcp`. */
  port = 0;
  /** Everything that it has logged since its first start. */
  log = '';
  #options: ServerOptions;
  #child: ChildProcess | undefined;
  #ended: Promise<void> = Promise.resolve();
  #connection: Promise<RawConnection> | undefined;
  #connections: { close: () => void }[] = [];

  constructor(options: ServerOptions = {}) {
    this.#options = options;
  }

  /** Starts it and waits for PONG. Rejects with the log when it ends before, or does not answer in time. */
  async start(): Promise<void> {
    if (this.#options.tcp === true && this.port === 0) this.port = await freePort();
    const [program, ...words] = [...(this.#options.under ?? []), tested.file, ...this.#commandLine()];
    const child = spawn(program ?? tested.file, words, { cwd: this.folder, stdio: ['ignore', 'pipe', 'pipe'] });
    running.add(child);
    this.#child = child;
    for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (chunk: string) => (this.log += chunk));
    this.#ended = new Promise((resolve) => {
      child
        .once('error', (error) => (this.log += error.message))
        .once('close', () => {
          running.delete(child);
          resolve();
        });
    });
    await this.#waitForPong();
  }

  #commandLine(): string[] {
    const { module = [HOST_FILE], link = tested.link, configuration, trusted = true, under } = this.#options;
    const words = this.#options.arguments ?? [];
    const { cached = under === undefined && !words.includes('--wasm.dir') } = this.#options;
    const file = path.join(this.folder, 'redis.conf');
    if (configuration !== undefined) writeFileSync(file, configuration);
    return [
      ...(configuration === undefined ? [] : [file]),
      ...['--port', String(this.port), '--unixsocket', this.socket, '--dir', this.folder, '--save', ''],
      ...['--enable-module-command', 'yes', '--enable-debug-command', 'yes', '--repl-diskless-sync-delay', '0'],
      ...(module === false ? [] : ['--loadmodule', ...module]),
      ...(module === false || !module[0]?.endsWith('host.so')
        ? []
        : ['--wasm.link', link, ...(trusted ? trustedArguments(module.slice(1)) : []), ...(cached ? ['--wasm.cache', CODE_FOLDER] : [])]),
      ...words,
    ];
  }

  async #waitForPong(): Promise<void> {
    const deadline = Date.now() + (this.#options.timeout_ms ?? TIMEOUT_MS);
    while (Date.now() < deadline) {
      if (!this.isRunning) {
        await this.#ended;
        throw new Error(`the server ended at its start:\n${this.log}`);
      }
      try {
        const connection = await RawConnection.connect(this.socket);
        const reply = await connection.send('PING');
        connection.close();
        if (reply === '+PONG\r\n') return;
      } catch {
        // Not listening yet.
      }
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
    await this.kill();
    throw new Error(`the server did not answer in time:\n${this.log}`);
  }

  get isRunning(): boolean {
    return this.#child !== undefined && this.#child.exitCode === null && this.#child.signalCode === null;
  }

  get pid(): number {
    return this.#child?.pid ?? 0;
  }

  /** Milliseconds that the server's main thread has run on a processor since its start. */
  get running_ms(): number {
    const [nanoseconds = ''] = readFileSync(`/proc/${this.pid}/task/${this.pid}/schedstat`, 'utf8').split(' ');
    return Number(nanoseconds) / 1e6;
  }

  /**
   * Milliseconds that all of its threads have run on a processor, those that have ended too; in steps of 10.
   */
  get process_ms(): number {
    const fields = readFileSync(`/proc/${this.pid}/stat`, 'latin1').split(') ')[1]!.split(' ');
    return 10 * (Number(fields[11]) + Number(fields[12]));
  }

  /** Bytes that are resident now; from here on the peak is counted anew. */
  resetPeak(): number {
    writeFileSync(`/proc/${this.pid}/clear_refs`, '5');
    return this.peakBytes();
  }

  /** The most bytes that were resident since the start, or since `resetPeak`. */
  peakBytes(): number {
    const [, kilobytes] = /^VmHWM:\s+(\d+) kB/m.exec(readFileSync(`/proc/${this.pid}/status`, 'utf8')) ?? [];
    return Number(kilobytes) * 1024;
  }

  /** Sends one command on a connection that all calls share and answers the reply's bytes (see raw.ts). */
  async send(...argv: string[]): Promise<string> {
    const connection = (this.#connection ??= this.connect());
    // While it is down there is none: the next call tries again.
    connection.catch(() => {
      if (this.#connection === connection) this.#connection = undefined;
    });
    const raw = await connection;
    // One that was made while the server was ending is of no use to those that come later.
    if (raw.isClosed && this.#connection === connection) this.#connection = undefined;
    return raw.send(...argv);
  }

  /** A connection of its own, closed with the server; `protocol` 3 switches it to RESP3. */
  async connect(protocol: 2 | 3 = 2): Promise<RawConnection> {
    const connection = await RawConnection.connect(this.socket);
    this.#connections.push(connection);
    if (protocol === 3) await connection.send('HELLO', '3');
    return connection;
  }

  /**
   * Closes this connection before it ends the server, which waits ten seconds for a replica that acknowledges
   * nothing.
   */
  closeFirst(connection: { close: () => void }): void {
    this.#connections.push(connection);
  }

  /** A connected node-redis client, to be closed by the caller. */
  async client(protocol: 2 | 3 = 2) {
    const client = createClient({ RESP: protocol, socket: { path: this.socket, tls: false, reconnectStrategy: false } });
    client.on('error', () => undefined);
    await client.connect();
    return client;
  }

  /** The fields of a section of INFO. */
  async info(section: string): Promise<Record<string, string>> {
    const lines = (await this.send('INFO', section)).split('\r\n').slice(1);
    const fields = lines.filter((line) => line.includes(':') && !line.startsWith('#'));
    return Object.fromEntries(fields.map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1)]));
  }

  /** Ends it as an operator does (SIGTERM; SIGKILL when that does not help) and keeps its folder. */
  async end(): Promise<void> {
    this.#disconnect();
    if (!this.isRunning) return;
    this.#child?.kill('SIGTERM');
    const timer = setTimeout(() => this.#child?.kill('SIGKILL'), TIMEOUT_MS);
    await this.#ended;
    clearTimeout(timer);
  }

  /** Ends it as a crash does. */
  async kill(): Promise<void> {
    this.#disconnect();
    this.#child?.kill('SIGKILL');
    await this.#ended;
  }

  /** Changes what it is started with next. */
  change(options: ServerOptions): void {
    this.#options = { ...this.#options, ...options };
  }

  /** Ends it and starts it again in the same folder with the same arguments. */
  async restart(): Promise<void> {
    await this.end();
    await this.start();
  }

  /** Ends it and removes its folder. */
  async stop(): Promise<void> {
    await this.end();
    rmSync(this.folder, { recursive: true, force: true });
  }

  #disconnect(): void {
    for (const connection of this.#connections.splice(0)) connection.close();
    this.#connection = undefined;
  }
}

/** One server for the tests of a file or describe block, emptied before each test. */
export function useServer(options: ServerOptions = {}): TestServer {
  const server = new TestServer(options);
  beforeAll(() => server.start());
  beforeEach(async () => {
    await server.send('FLUSHALL');
  });
  afterAll(() => server.stop());
  return server;
}

/** A server for the running test alone. */
export async function startServer(options: ServerOptions = {}): Promise<TestServer> {
  const server = new TestServer(options);
  onTestFinished(() => server.stop());
  await server.start();
  return server;
}

/** Calls `attempt` until what it answers is `accepted`, at most for `timeout_ms`; answers the last one. */
export async function eventually<T>(attempt: () => Promise<T> | T, accepted: (value: T) => boolean, timeout_ms = TIMEOUT_MS): Promise<T> {
  const deadline = Date.now() + timeout_ms;
  let value = await attempt();
  while (!accepted(value) && Date.now() < deadline) {
    await new Promise((resolve) => setTimeout(resolve, 2 * RETRY_MS));
    value = await attempt();
  }
  return value;
}

/** Ports for each of the test runner's workers, below those that the system gives out by itself. */
const PORT_FIRST = 10_000;
const PORTS_EACH = 1000;
let portsTaken = Math.floor(Math.random() * PORTS_EACH);

/**
 * A TCP port that nothing listens on, and that nobody else takes before it is used: each worker has its own,
 * and takes one after the other.
 */
export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < PORTS_EACH; attempt++) {
    const port = PORT_FIRST + worker * PORTS_EACH + (portsTaken++ % PORTS_EACH);
    if (await isFree(port)) return port;
  }
  throw new Error('no port of this worker is free');
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const listener = createServer().once('error', () => {
      resolve(false);
    });
    listener.listen(port, '127.0.0.1', () => {
      listener.close(() => {
        resolve(true);
      });
    });
  });
}
