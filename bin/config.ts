/**
 * `npx redis-wasm config <folder>`: copies what the server needs into a folder, and says the one line that a
 * redis.conf needs. Not a file to include: CONFIG REWRITE writes loaded modules into redis.conf itself, and
 * leaves what is included as it is, so that the next start would load them twice. The folder needs neither
 * this package nor Node afterwards.
 */
import { chmodSync, copyFileSync, renameSync } from 'node:fs';
import path from 'node:path';
import { requirePlatform, SERVER_FILES } from './platform.ts';
import { makeFolder, Problem, reasonOf } from './process.ts';
import { UsageProblem } from './usage.ts';

/** Puts a file in place by renaming: a server that runs with the old one keeps it until its next start. */
function place(source: string, file: string): void {
  copyFileSync(source, `${file}.new`);
  // Whatever the person's umask: the server runs as another user, and loads only a library that may be
  // executed.
  chmodSync(`${file}.new`, file.endsWith('.so') ? 0o755 : 0o644);
  renameSync(`${file}.new`, file);
}

/** Fills the folder. Throws a Problem where that cannot be written. */
function fill(folder: string): void {
  try {
    // Whatever the person's umask, as for the files: the server's user has to come to them.
    for (const made of makeFolder(folder)) chmodSync(made, 0o755);
    for (const source of SERVER_FILES) place(source, path.join(folder, path.basename(source)));
  } catch (error) {
    throw new Problem(`${folder} cannot be written: ${reasonOf(error)}. Run this with sudo, or choose another folder.`);
  }
}

export function command(given: string[]): number {
  const [wanted, ...others] = given;
  if (wanted === undefined || wanted === '') throw new UsageProblem('A folder is needed, for example /usr/local/lib/redis-wasm.');
  if (wanted.startsWith('-')) throw new UsageProblem(`There is no option ${wanted}.`);
  if (others.length > 0) throw new UsageProblem(`One folder is enough; ${others.join(' ')} is too much.`);
  requirePlatform();
  const folder = path.resolve(wanted);
  if (/[\s"'\\]/.test(folder)) throw new Problem(`${folder}: a redis.conf takes no spaces, quotes or backslashes in this path.`);
  fill(folder);
  console.log(`${folder} holds the host and both modules. Add this line to redis.conf, and start the server again:

loadmodule ${path.join(folder, 'host.so')}

Settings are lines of redis.conf too, such as wasm.session-idle 1800: docs/OPERATIONS.md has them. To be without it again, remove the line,
and those of settings.

Modules of your own go into a folder apart from the server's dir, which its user may write to. Two lines more serve what is there, and
have WASM.LOAD and WASM.RELOAD serve new files without a restart; docs/SECURITY.md has who may:

wasm.dir ${path.join(path.dirname(folder), 'redis-wasm-modules')}
wasm.allow-load yes`);
  return 0;
}
