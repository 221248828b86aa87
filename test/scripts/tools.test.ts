/** `npm run tools`: what cannot be had is named; where CI=true nothing may be missing. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { ROOT } from '../support/server.ts';

/** Runs it where PATH has no program at all: no browser, and nothing that could install one. */
function runWithoutPrograms(environment: Record<string, string>): { status: number | null; output: string } {
  const folder = mkdtempSync(path.join(tmpdir(), 'path-'));
  onTestFinished(() => {
    rmSync(folder, { recursive: true });
  });
  const env = { ...process.env, CI: '', ...environment, PATH: folder };
  const program = [path.join(ROOT, 'scripts/bootstrap.mjs'), 'scripts/tools.ts'];
  const { status, stdout, stderr } = spawnSync(process.execPath, program, { env, encoding: 'utf8', timeout: 60_000 });
  return { status, output: stdout + stderr };
}

const REASON = 'the example in Chromium: there is no chromium on PATH (Debian: apt-get install chromium)';

it('without a browser says that the example is not tested in one, and how to get it', () => {
  const { status, output } = runWithoutPrograms({});
  expect(output).toContain(`skipped: ${REASON}`);
  expect(status).toBe(0);
});

it('with CI=true that is an error', () => {
  const { status, output } = runWithoutPrograms({ CI: 'true' });
  expect(output).toMatch(/With CI=true nothing may be skipped:\n[^]*the example in Chromium: there is no chromium on PATH/);
  expect(output).not.toMatch(/^\s+at /m);
  expect(status).toBe(1);
});
