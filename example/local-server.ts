/**
 * A redis-server of the example's own: on a unix socket in its data folder, with both modules, saved when it
 * is ended.
 */
import { spawn } from 'node:child_process';
import { createConnection } from 'node:net';
import path from 'node:path';
import { endBySignals } from '../bin/ending.ts';
import { Problem, ROOT } from '../scripts/lib/process.ts';
import type { Server } from '../scripts/lib/servers.ts';

const HOST_FILE = path.join(ROOT, 'build/host.so');
/** Bytes of a unix socket's path. */
const SOCKET_PATH_LENGTH_MAX = 107;
const START_TIMEOUT_MS = 20_000;
/** Sessions that a person may have: the oldest end when there are more. */
const SESSIONS_MAX = 20;

export interface LocalServer {
  /** The unix socket's path. */
  socket: string;
  /** When it has ended: its exit status, and the end of its log. */
  ended: Promise<{ status: number; log: string }>;
  /** Ends it, and waits until it has saved. */
  end: () => Promise<void>;
  /** Whether a signal to this process has asked it to end. */
  isAskedToEnd: () => boolean;
}

/**
 * Starts it in a folder that is there, and waits until it accepts connections. Throws a Problem that says
 * what to do when it does not.
 */
export async function startLocalServer(server: Server, folder: string): Promise<LocalServer> {
  const socket = path.join(folder, 'socket');
  if (Buffer.byteLength(socket) > SOCKET_PATH_LENGTH_MAX) {
    throw new Problem(
      `The path of the data folder is too long for a socket in it: ${folder}\nChoose a shorter one: npm run example -- --data /tmp/example`,
    );
  }
  if (await listens(socket)) {
    throw new Problem(
      `An example runs already with the data in ${folder}.\nEnd it with Ctrl-C in its terminal, or choose another folder: npm run example -- --port 3001 --data /tmp/example`,
    );
  }
  const given = [
    '--port',
    '0',
    '--unixsocket',
    socket,
    '--unixsocketperm',
    '700',
    '--dir',
    folder,
    '--save',
    '60 1',
    '--loadmodule',
    HOST_FILE,
  ];
  // In a process group of its own: a terminal's Ctrl-C reaches only us, and we end the server when the site
  // has stopped.
  const child = spawn(server.file, [...given, '--wasm.session-max', String(SESSIONS_MAX)], {
    cwd: folder,
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  const isAskedToEnd = endBySignals(child);
  let log = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (chunk: string) => (log = (log + chunk).slice(-4000)));
  const ended = new Promise<{ status: number; log: string }>((resolve) => {
    child.once('error', (error) => {
      resolve({ status: 127, log: error.message });
    });
    child.once('close', (status) => {
      resolve({ status: status ?? 1, log });
    });
  });
  const end = async () => {
    child.kill('SIGTERM');
    await ended;
  };

  const deadline = Date.now() + START_TIMEOUT_MS;
  const early = ended.then(({ status, log: text }) => {
    throw new Problem(`${server.file} ended at its start (status ${status}). It says:\n${text.trimEnd()}`);
  });
  while (!(await Promise.race([listens(socket), early]))) {
    if (Date.now() > deadline) {
      await end();
      throw new Problem(`${server.file} did not answer in time. It says:\n${log.trimEnd()}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  early.catch(() => undefined);
  return { socket, ended, end, isAskedToEnd };
}

/** Whether a server accepts connections there. */
function listens(socket: string): Promise<boolean> {
  return new Promise((resolve) => {
    const connection = createConnection(socket);
    const answer = (is: boolean) => {
      connection.destroy();
      resolve(is);
    };
    connection.once('connect', () => {
      answer(true);
    });
    connection.once('error', () => {
      answer(false);
    });
  });
}
