/** Libraries in C that tests load into servers: compiled where they are needed, from test/fixtures/. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { onTestFinished } from 'vitest';
import { ROOT } from './server.ts';

/** Compiles test/fixtures/<name>.c, in a folder for the running test; the library's path. */
export function library(name: string): string {
  const folder = mkdtempSync(path.join(tmpdir(), `${name}-`));
  onTestFinished(() => {
    rmSync(folder, { recursive: true });
  });
  const file = path.join(folder, `${name}.so`);
  execFileSync('cc', ['-shared', '-fPIC', '-O2', '-Wall', '-Werror', '-o', file, path.join(ROOT, `test/fixtures/${name}.c`)]);
  return file;
}
