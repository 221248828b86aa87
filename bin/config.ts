/**
 * `npx redis-wasm-sessions config <folder>`: copies what the server needs into a folder, with a configuration file that loads it, and says
 * the one line that a redis.conf needs. The folder needs neither this package nor Node afterwards.
 */
import { chmodSync, copyFileSync, mkdirSync, renameSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { requirePlatform, SERVER_FILES } from './platform.ts';
import { Problem } from './process.ts';

const CONFIGURATION = 'redis-wasm-sessions.conf';

/** What the server reads through the include line; `host`: where host.so is. */
function configuration(host: string): string {
  return `# CUSTOM.* and SESSION.* for redis-server and valkey-server. To have it, one line in redis.conf:
#   include ${path.join(path.dirname(host), CONFIGURATION)}
loadmodule ${host}

# Settings, with their defaults; docs/OPERATIONS.md says what they mean.
# wasm.link auto
# wasm.max-memory 4gb
# wasm.time-limit 5000
# wasm.max-value-size 512mb
# wasm.session-idle 0
# wasm.session-ttl 0
# wasm.session-max 0
`;
}

/** Makes a folder, and those above it that are not there. */
function makeFolder(folder: string): void {
  const first = mkdirSync(folder, { recursive: true });
  if (first === undefined) return;
  // Whatever the person's umask, as for the files: the server's user has to come to them.
  for (let made = folder; made.length >= first.length; made = path.dirname(made)) chmodSync(made, 0o755);
}

/** Puts a file in place by renaming: a server that runs with the old one keeps it until its next start. */
function place(file: string, make: (temporary: string) => void): void {
  make(`${file}.new`);
  // Whatever the person's umask: the server runs as another user, and loads only a library that may be executed.
  chmodSync(`${file}.new`, file.endsWith('.so') ? 0o755 : 0o644);
  renameSync(`${file}.new`, file);
}

/** Fills the folder. Throws a Problem where that cannot be written. */
function fill(folder: string): void {
  try {
    makeFolder(folder);
    for (const source of SERVER_FILES) {
      place(path.join(folder, path.basename(source)), (temporary) => {
        copyFileSync(source, temporary);
      });
    }
    place(path.join(folder, CONFIGURATION), (temporary) => {
      writeFileSync(temporary, configuration(path.join(folder, 'host.so')));
    });
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === undefined) throw error;
    const reason = ['EEXIST', 'ENOTDIR'].includes(code) ? 'there is a file where a folder would be' : message;
    throw new Problem(`${folder} cannot be written: ${reason}. Run this with sudo, or choose another folder.`);
  }
}

export function command(given: string[]): number {
  const [wanted, ...others] = given;
  if (wanted === undefined || wanted.startsWith('-') || others.length > 0) {
    throw new Problem('usage: npx redis-wasm-sessions config <folder>, for example: /usr/local/lib/redis-wasm-sessions');
  }
  requirePlatform();
  const folder = path.resolve(wanted);
  if (/[\s"'\\]/.test(folder)) throw new Problem(`${folder}: a redis.conf takes no spaces, quotes or backslashes in this path.`);
  if (/[*?[\]]/.test(folder)) {
    throw new Problem(`${folder}: an include line takes *, ?, [ and ] in this path for a pattern of files. Choose another folder.`);
  }
  fill(folder);
  const file = path.join(folder, CONFIGURATION);
  console.log(`${folder} holds the host, both modules and their configuration. Add this line to redis.conf, and start the server again:

include ${file}

To be without it again, remove the line. On a server whose configuration is rewritten (CONFIG REWRITE, Sentinel) add this one instead, which
a rewrite keeps; it would write it beside the other, and a module is loaded once:

loadmodule ${path.join(folder, 'host.so')}`);
  return 0;
}
