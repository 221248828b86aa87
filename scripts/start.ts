/**
 * `npm start -- <redis-server arguments>`: builds what is missing and runs a server that serves CUSTOM.* and SESSION.*.
 *
 * Every argument goes to redis-server and wins over the defaults here: the data folder (data/) and the address (loopback). With a
 * configuration file as the first argument only the module is added. Ctrl-C ends the server, which saves its data first.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { ensureBuilt, HOST, WASM } from './lib/build.ts';
import { findOnPath, main, Problem, ROOT, say } from './lib/process.ts';
import { choose, type Server } from './lib/servers.ts';

const HOST_FILE = path.join(ROOT, 'build/host.so');
const DATA_FOLDER = path.join(ROOT, 'data');
const LOADS_HOST = /^\s*loadmodule\s.*host\.so/im;

/** The server's arguments: the user's, with what they leave open filled in. `folder`: what the user's relative paths are relative to. */
export function serverArguments(userArguments: string[], folder: string): string[] {
  const [first] = userArguments;
  const hasFile = first !== undefined && !first.startsWith('-');
  const file = hasFile ? path.resolve(folder, first) : undefined;
  if (file !== undefined && !existsSync(file)) throw new Problem(`There is no configuration file ${file}`);

  const loadsHost =
    userArguments.some((argument) => argument.includes('host.so')) || (file !== undefined && LOADS_HOST.test(readFileSync(file, 'utf8')));
  const module = loadsHost ? [] : ['--loadmodule', HOST_FILE];
  if (file !== undefined) return [file, ...module, ...userArguments.slice(1)];
  // The last of several equal options counts, so the user's stand behind ours; but the server enters each folder that it is told, so a
  // relative one must be the only one.
  const dir = userArguments.includes('--dir') ? [] : ['--dir', DATA_FOLDER];
  return [...dir, '--bind', '127.0.0.1', '-::1', ...module, ...userArguments];
}

/** The value of the last `--name` among the arguments. */
function option(serverArguments: string[], name: string): string | undefined {
  const index = serverArguments.lastIndexOf(`--${name}`);
  return index === -1 ? undefined : serverArguments[index + 1];
}

/** What is served where, and a first command to try. */
function announce(log: string, given: string[]): void {
  const port = option(given, 'port') ?? /port=(\d+)/.exec(log)?.[1] ?? '6379';
  const socket = option(given, 'unixsocket');
  const client = ['redis-cli', 'valkey-cli'].find((name) => findOnPath(name) !== undefined) ?? 'npm run --silent cli --';
  const address = socket !== undefined ? ` -s ${socket}` : port === '6379' ? '' : ` -p ${port}`;
  const where = [...(port === '0' ? [] : [`port ${port}`]), ...(socket === undefined ? [] : [socket])].join(' and ');
  console.log(`
  Serving on ${where}:
    CUSTOM.*   a hashmap, by hashmap.wasm       CUSTOM.SET  CUSTOM.GET  CUSTOM.DEL  CUSTOM.EXISTS  CUSTOM.KEYS
    SESSION.*  sessions in it, by session.wasm  SESSION.CREATE  .GET  .LIST  .ADD_DATA  .GET_DATA  .DELETE
  Try, in another terminal:
    ${client}${address} SESSION.CREATE user123
  Ctrl-C saves the data and ends the server.
`);
}

/** Shows the server's output as it comes and calls `ready` with all of it so far, once, when the server accepts connections. */
function followOutput(child: ChildProcess, ready: (log: string) => void): () => string {
  let log = '';
  let isReady = false;
  child.stdout?.setEncoding('utf8').on('data', (chunk: string) => {
    process.stdout.write(chunk);
    if (isReady) return;
    log += chunk;
    if (!/ready to accept connections/i.test(log)) return;
    isReady = true;
    ready(log);
  });
  return () => log;
}

/** Runs the server until it ends. */
async function serve(server: Server, given: string[], folder: string): Promise<number> {
  // In a process group of its own: a terminal's Ctrl-C would reach the server beside our SIGTERM, and a SIGINT that comes second makes it
  // end unsaved.
  const child = spawn(server.file, given, { cwd: folder, stdio: ['ignore', 'pipe', 'inherit'], detached: true });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => child.kill('SIGTERM'));
  const logSoFar = followOutput(child, (log) => {
    announce(log, given);
  });
  const status = await new Promise<number>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => {
      resolve(code ?? 1);
    });
  });
  if (/Address already in use/i.test(logSoFar())) {
    throw new Problem('The port is in use, perhaps by another server. Choose another one: npm start -- --port 6380');
  }
  return status;
}

await main(async () => {
  const folder = process.env.INIT_CWD ?? process.cwd();
  const given = serverArguments(process.argv.slice(2), folder);
  ensureBuilt(WASM);
  ensureBuilt(HOST);
  const server = choose();
  say(`${server.name} ${server.version}: ${server.file} ${given.join(' ')}`);
  if (given.includes(DATA_FOLDER)) mkdirSync(DATA_FOLDER, { recursive: true });
  return serve(server, given, folder);
});
