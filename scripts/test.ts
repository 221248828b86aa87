/**
 * `npm test -- [vitest arguments]`: builds what is missing, fetches the test servers and runs every test:
 * vitest's and cargo's.
 *
 * The reports go to build/reports/: vitest.json and cargo.txt. With arguments (`npm test -- --project unit`,
 * a part of a file's name) only vitest runs, only for what they choose. The last line counts the tests of all
 * reports.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { ensureBuilt, HOST, NATIVE_FIXTURE, PACKAGE, WASM } from './lib/build.ts';
import { main, ROOT, run, say } from './lib/process.ts';
import { countReports } from './count.mjs';
import { fetchTools } from './tools.ts';

const REPORTS = path.join(ROOT, 'build/reports');

function runVitest(chosen: string[]): number {
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${path.join(REPORTS, 'vitest.json')}`];
  return run(path.join(ROOT, 'node_modules/.bin/vitest'), ['run', ...reporters, ...chosen]).status;
}

/** The host's own tests, in the release profile: they share the compiled dependencies with the build. */
function runCargoTest(): number {
  const given = ['test', '--release', '--locked', '--workspace', '--no-fail-fast'];
  const { status, stdout } = spawnSync('cargo', given, { cwd: ROOT, stdio: ['ignore', 'pipe', 'inherit'], encoding: 'utf8' });
  process.stdout.write(stdout);
  writeFileSync(path.join(REPORTS, 'cargo.txt'), stdout);
  return status ?? 1;
}

await main(() => {
  const chosen = process.argv.slice(2);
  rmSync(REPORTS, { recursive: true, force: true });
  mkdirSync(REPORTS, { recursive: true });
  for (const product of [WASM, HOST, PACKAGE, NATIVE_FIXTURE]) ensureBuilt(product);
  const missing = fetchTools();

  const statuses = [runVitest(chosen)];
  if (chosen.length === 0) {
    say('cargo test');
    statuses.push(runCargoTest());
  }
  for (const line of missing) console.log(`skipped: ${line}`);
  const { passed, failed } = countReports(REPORTS);
  console.log(`${passed} passed, ${failed} failed`);
  return statuses.every((status) => status === 0) && failed === 0 && passed > 0 ? 0 : 1;
});
