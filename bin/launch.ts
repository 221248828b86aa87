/** Running a server with the host in it, in the foreground, until it ends. */
import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { constants } from 'node:os';
import { usableCache } from './cache.ts';
import { configurationFile, settingsOf, type Settings } from './configuration.ts';
import { endBySignals } from './ending.ts';
import { findOnPath, prepareFolder, Problem, requireWritable, say } from './process.ts';
import type { Server } from './servers.ts';

export interface Launch {
  /** the person's arguments: a configuration file first, if they want one, and redis-server's options */
  userArguments: string[];
  /** what relative paths among them are relative to */
  folder: string;
  /** host.so */
  host: string;
  /**
   * where the data goes unless they say, made where it is not there; undefined: the server's own default,
   * `folder`
   */
  dataFolder?: string;
  /** where compiled code is kept unless they say, as far as that can be */
  cache?: string;
  /** the command that a person types to start this, for messages: "npm start --" */
  command: string;
  /** a client, with the words to start it, where there is no redis-cli */
  client?: string;
}

/**
 * The server's arguments: the user's, which win, with what they leave open filled in: module, address
 * (loopback), data folder, cache.
 */
export function serverArguments({ userArguments, folder, host, dataFolder, cache }: Launch): string[] {
  const file = configurationFile(userArguments, folder);
  if (file !== undefined && !existsSync(file)) throw new Problem(`There is no configuration file ${file}`);

  const { loadsHost, namesCache, namesFolder } = settingsOf(userArguments, folder);
  // Another host.so may be one that has no such setting.
  const keeps = cache === undefined || namesCache ? [] : ['--wasm.cache', cache];
  const module = loadsHost ? [] : ['--loadmodule', host, ...keeps];
  if (file !== undefined) return [file, ...module, ...userArguments.slice(1)];
  // The last of several equal options counts, so the user's stand behind ours; but the server enters each
  // folder that it is told, so a relative one must be the only one.
  const dir = dataFolder === undefined || namesFolder ? [] : ['--dir', dataFolder];
  return [...dir, '--bind', '127.0.0.1', '-::1', ...module, ...userArguments];
}

/** The value of the last `--name` among the arguments. */
function option(serverArguments: string[], name: string): string | undefined {
  const index = serverArguments.lastIndexOf(`--${name}`);
  return index === -1 ? undefined : serverArguments[index + 1];
}

/** What is served where, and a first command to try. */
function announce(
  log: string,
  given: string[],
  { isKept, folder }: Settings,
  { client: otherClient = 'redis-cli', command }: Launch,
): void {
  const port = option(given, 'port') ?? /port=(\d+)/.exec(log)?.[1] ?? '6379';
  const socket = option(given, 'unixsocket');
  const client = ['redis-cli', 'valkey-cli'].find((name) => findOnPath(name) !== undefined) ?? otherClient;
  const address = socket !== undefined ? ` -s ${socket}` : port === '6379' ? '' : ` -p ${port}`;
  const where = [...(port === '0' ? [] : [`port ${port}`]), ...(socket === undefined ? [] : [socket])].join(' and ');
  console.log(`
  Serving on ${where}:
    CUSTOM.*   a hashmap, by hashmap.wasm       CUSTOM.SET  CUSTOM.GET  CUSTOM.DEL  CUSTOM.EXISTS  CUSTOM.KEYS
    SESSION.*  sessions in it, by session.wasm  SESSION.CREATE  .GET  .LIST  .ADD_DATA  .GET_DATA  .DELETE
  Try, in another terminal:
    ${client}${address} SESSION.CREATE user123
  ${isKept ? `The data is kept in ${folder}; elsewhere: ${command} --dir <folder>` : 'The data is kept nowhere: that is how it was started.'}
  Ctrl-C ${isKept ? 'saves the data and ends' : 'ends'} the server.
`);
}

/**
 * Shows the server's output as it comes and calls `ready` with all of it so far, once, when the server
 * accepts connections.
 */
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

/**
 * Runs the server until it ends, and answers its exit status: 128 and the signal's number when a signal ended
 * it.
 */
export async function launch(server: Server, request: Launch): Promise<number> {
  const settings = settingsOf(serverArguments(request), request.folder);
  if (settings.isKept) {
    const advice = `Name another folder: ${request.command} --dir <folder>. To keep no data: ${request.command} --save ''`;
    if (settings.folder === request.dataFolder) prepareFolder(settings.folder, advice);
    else requireWritable(settings.folder, advice);
  }
  const given = serverArguments({
    ...request,
    cache: request.cache === undefined ? undefined : usableCache(request.cache, settings.folder),
  });
  say(`${server.name} ${server.version}: ${server.file} ${given.join(' ')}`);
  // In a process group of its own: a terminal's Ctrl-C would reach the server beside our SIGTERM, and a
  // SIGINT that comes second makes it end unsaved.
  const child = spawn(server.file, given, { cwd: request.folder, stdio: ['ignore', 'pipe', 'inherit'], detached: true });
  endBySignals(child);
  // Whoever reads this program's output may end before it, as `head` does: the server ends then.
  process.stdout.on('error', () => child.kill('SIGTERM'));
  const logSoFar = followOutput(child, (log) => {
    announce(log, given, settings, request);
  });
  const status = await new Promise<number>((resolve, reject) => {
    child.once('error', (error) => {
      reject(new Problem(`${server.file} cannot be started: ${error.message}`));
    });
    child.once('close', (code, signal) => {
      resolve(code ?? 128 + (signal === null ? 0 : constants.signals[signal]));
    });
  });
  if (/Address already in use/i.test(logSoFar())) {
    throw new Problem(`The port is in use, perhaps by another server. Choose another one: ${request.command} --port 6380`);
  }
  if (logSoFar().includes('a module named wasm is loaded already')) {
    throw new Problem(
      'The configuration loads the modules twice: of the lines that load host.so, or include a file that does, take out all but one.',
    );
  }
  return status;
}
