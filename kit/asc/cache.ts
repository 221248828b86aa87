/** What was compiled before, found by the content of all that it was made of. */
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Job } from './job.ts';

/** What is not asked for in so long is removed. */
const KEPT_MS = 7 * 86_400_000;

/** A folder of modules. One that cannot be written to holds nothing, and nothing fails by that. */
export class Cache {
  constructor(private readonly folder: string) {}

  /** The module that a job makes; undefined: it is not here. */
  find(job: Job): Uint8Array | undefined {
    const file = this.fileOf(job);
    try {
      const wasm = readFileSync(file);
      const now = new Date();
      utimesSync(file, now, now);
      return wasm;
    } catch {
      return undefined;
    }
  }

  /** Keeps what a job has made. */
  keep(job: Job, wasm: Uint8Array): void {
    const file = this.fileOf(job);
    try {
      mkdirSync(this.folder, { recursive: true });
      // Renamed into place: other tests may ask for it at the same time.
      writeFileSync(`${file}.${process.pid}`, wasm);
      renameSync(`${file}.${process.pid}`, file);
      for (const each of readdirSync(this.folder).map((name) => path.join(this.folder, name))) {
        if (statSync(each).mtimeMs < Date.now() - KEPT_MS) rmSync(each);
      }
    } catch {
      return;
    }
  }

  private fileOf(job: Job): string {
    const digest = createHash('sha256').update(JSON.stringify(job)).update(compilerDigest(job.library));
    return path.join(this.folder, `${digest.digest('hex').slice(0, 32)}.wasm`);
  }
}

const digests = new Map<string, string>();

/** Of the compiler, by its version, and of the kit's own files. */
function compilerDigest(library: string): string {
  const known = digests.get(library);
  if (known !== undefined) return known;
  const digest = createHash('sha256').update(readFileSync(fileURLToPath(new URL('./child.js', import.meta.url))));
  digest.update(readFileSync(path.join(library, '../package.json')));
  for (const part of ['base', 'kit']) {
    for (const name of readdirSync(path.join(library, part), { recursive: true, encoding: 'utf8' }).sort()) {
      if (name.endsWith('.ts')) digest.update(`${name}\0`).update(readFileSync(path.join(library, part, name)));
    }
  }
  const text = digest.digest('hex');
  digests.set(library, text);
  return text;
}
