/** Which redis-server or valkey-server is there. */
import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { findOnPath, isExecutable, Problem, say } from './process.ts';

/** The oldest server whose module API has what the host needs. */
export const VERSION_MAJOR_MIN = 7;

export interface Server {
  /** absolute path of the program */
  file: string;
  name: 'Redis' | 'Valkey';
  /** "7.0.15" */
  version: string;
}

/** Asks the program what it is; undefined when it is no such server or does not run here. */
export function identify(file: string): Server | undefined {
  const { status, stdout } = spawnSync(file, ['--version'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
  const match = /^(Redis|Valkey) server v=(\S+)/m.exec(stdout);
  if (status !== 0 || match === null) return undefined;
  return { file: path.resolve(file), name: match[1] as Server['name'], version: match[2] ?? '' };
}

function isRecentEnough(server: Server): boolean {
  return Number.parseInt(server.version) >= VERSION_MAJOR_MIN;
}

/** redis-server or valkey-server on PATH, if it is recent enough. */
export function onPath(): Server | undefined {
  for (const name of ['redis-server', 'valkey-server']) {
    const file = findOnPath(name);
    const server = file === undefined ? undefined : identify(file);
    if (server === undefined) continue;
    if (isRecentEnough(server)) return server;
    say(`${server.file} is ${server.name} ${server.version}, too old: ${VERSION_MAJOR_MIN}.0 or later is needed`);
  }
  return undefined;
}

/**
 * The server that a person asks for.
 * @param wanted its path, or its name on PATH
 * @param source what the person said it with, for messages: "REDIS_SERVER", "--server"
 */
export function named(wanted: string, source: string): Server {
  const file = wanted.includes('/') ? wanted : findOnPath(wanted);
  const server = file !== undefined && isExecutable(file) ? identify(file) : undefined;
  if (server === undefined) throw new Problem(`${source} is ${wanted}: that is no redis-server or valkey-server that runs here.`);
  if (!isRecentEnough(server)) {
    throw new Problem(`${source} is ${server.name} ${server.version}; ${VERSION_MAJOR_MIN}.0 or later is needed.`);
  }
  return server;
}

/** The server that REDIS_SERVER names; undefined when it is not set. */
export function fromEnvironment(): Server | undefined {
  const wanted = process.env.REDIS_SERVER;
  return wanted === undefined || wanted === '' ? undefined : named(wanted, 'REDIS_SERVER');
}
