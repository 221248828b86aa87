// Counts the tests in the runners' own reports. By itself (`node scripts/count.mjs`) it prints
// `N passed, N failed` and fails when any failed or none ran. Plain JavaScript without dependencies: it must
// answer even where the set-up failed.
import { existsSync, readFileSync, realpathSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

/**
 * @param {string} file vitest's JSON report
 * @returns {{ passed: number, failed: number }} a file that failed outside its tests (it does not compile, a
 *   hook threw) counts as one failure
 */
function countVitest(file) {
  const count = { passed: 0, failed: 0 };
  for (const { status, assertionResults } of JSON.parse(readFileSync(file, 'utf8')).testResults) {
    const failed = assertionResults.filter((result) => result.status === 'failed').length;
    count.passed += assertionResults.filter((result) => result.status === 'passed').length;
    count.failed += status === 'failed' ? Math.max(failed, 1) : failed;
  }
  return count;
}

/**
 * @param {string} file the output of `cargo test`
 * @returns {{ passed: number, failed: number }}
 */
function countCargo(file) {
  const count = { passed: 0, failed: 0 };
  for (const [, passed, failed] of readFileSync(file, 'utf8').matchAll(/^test result: .*? (\d+) passed; (\d+) failed;/gm)) {
    count.passed += Number(passed);
    count.failed += Number(failed);
  }
  return count;
}

/**
 * @param {string} folder where vitest.json and cargo.txt are; a missing one counts nothing
 * @returns {{ passed: number, failed: number }}
 */
export function countReports(folder) {
  const total = { passed: 0, failed: 0 };
  const counters = Object.entries({ 'vitest.json': countVitest, 'cargo.txt': countCargo });
  for (const [name, counter] of counters) {
    const file = path.join(folder, name);
    if (!existsSync(file)) continue;
    const { passed, failed } = counter(file);
    total.passed += passed;
    total.failed += failed;
  }
  return total;
}

if (process.argv[1] !== undefined && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  const { passed, failed } = countReports(path.join(path.dirname(fileURLToPath(import.meta.url)), '../build/reports'));
  console.log(`${passed} passed, ${failed} failed`);
  process.exitCode = passed > 0 && failed === 0 ? 0 : 1;
}
