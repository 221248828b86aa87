/**
 * `npx redis-wasm serve [--server <path>] [redis-server arguments]`: the server that is named, or is on PATH,
 * with both modules, on the loopback address unless a configuration file or `--bind` says otherwise. Its exit
 * status is the program's.
 */
import { userCache } from './cache.ts';
import { launch } from './launch.ts';
import { HOST_FILE, requirePlatform } from './platform.ts';
import { Problem } from './process.ts';
import { fromEnvironment, named, onPath, VERSION_MAJOR_MIN, type Server } from './servers.ts';
import { UsageProblem } from './usage.ts';

/** Throws a Problem that says what to install when there is no server. */
function find(wanted: string | undefined): Server {
  const server = wanted === undefined ? (fromEnvironment() ?? onPath()) : named(wanted, '--server');
  if (server !== undefined) return server;
  throw new Problem(
    `No redis-server or valkey-server ${VERSION_MAJOR_MIN}.0 or later is on PATH. Install one:
  Debian, Ubuntu:  sudo apt-get install redis-server   (or valkey-server)
  Fedora, RHEL:    sudo dnf install valkey             (or redis)
  Arch:            sudo pacman -S valkey
or name one: npx redis-wasm serve --server <path>`,
  );
}

export function command(given: string[]): Promise<number> {
  const at = given.indexOf('--server');
  const wanted = at === -1 ? undefined : given[at + 1];
  if (at !== -1 && wanted === undefined) throw new UsageProblem('--server needs the path of a redis-server or valkey-server.');
  requirePlatform();
  return launch(find(wanted), {
    userArguments: at === -1 ? given : given.toSpliced(at, 2),
    folder: process.cwd(),
    host: HOST_FILE,
    cache: userCache(),
    command: 'npx redis-wasm serve',
  });
}
