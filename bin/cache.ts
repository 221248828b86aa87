/** Folders for the setting wasm.cache, which keeps compiled code: a start compiles nothing twice. */
import { accessSync, constants, existsSync, realpathSync, statSync } from 'node:fs';
import { homedir } from 'node:os';
import path from 'node:path';
import { makeFolder } from './process.ts';

const OTHERS_WRITE = 0o022;

/** The folder of the user who runs this: `redis-wasm` among the user's caches. */
export function userCache(): string {
  const named = process.env.XDG_CACHE_HOME ?? '';
  return path.join(path.isAbsolute(named) ? named : path.join(homedir(), '.cache'), 'redis-wasm');
}

/**
 * Makes a folder for compiled code where it is not there.
 * @param data the server's own folder
 * @returns what wasm.cache may be; undefined where the server would refuse it: the folder cannot be written,
 * others can write to it, or the server's data would lie in it or around it
 */
export function usableCache(folder: string, data: string): string | undefined {
  try {
    if (areNested(real(folder), real(data))) return undefined;
    makeFolder(folder, 0o700);
    accessSync(folder, constants.W_OK | constants.X_OK);
    const { uid, mode } = statSync(folder);
    return uid === process.geteuid?.() && (mode & OTHERS_WRITE) === 0 ? realpathSync(folder) : undefined;
  } catch {
    return undefined;
  }
}

/** A path without links, whose last parts need not be there. */
function real(folder: string): string {
  if (existsSync(folder)) return realpathSync(folder);
  const parent = path.dirname(folder);
  return parent === folder ? folder : path.join(real(parent), path.basename(folder));
}

function areNested(one: string, other: string): boolean {
  const holds = (outer: string, inner: string) => `${inner}/`.startsWith(outer === '/' ? '/' : `${outer}/`);
  return holds(one, other) || holds(other, one);
}
