/** Counting tests out of the runners' reports: nothing that failed may be lost. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { countReports } from '../../scripts/count.mjs';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'count-'));
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

function writeVitest(...files: { status: string; assertionResults: { status: string }[] }[]): void {
  writeFileSync(path.join(folder, 'vitest.json'), JSON.stringify({ testResults: files }));
}

test('no report counts nothing', () => {
  expect(countReports(folder)).toEqual({ passed: 0, failed: 0 });
});

test('every test of every file counts; skipped ones do not', () => {
  writeVitest(
    { status: 'passed', assertionResults: [{ status: 'passed' }, { status: 'passed' }, { status: 'skipped' }] },
    { status: 'failed', assertionResults: [{ status: 'passed' }, { status: 'failed' }] },
  );
  expect(countReports(folder)).toEqual({ passed: 3, failed: 1 });
});

test('a file that failed before its first test counts as a failure', () => {
  writeVitest({ status: 'failed', assertionResults: [] });
  expect(countReports(folder)).toEqual({ passed: 0, failed: 1 });
});

test('the results of all crates are added', () => {
  const result = (passed: number, failed: number) => `test result: ok. ${passed} passed; ${failed} failed; 0 ignored; 0 measured\n`;
  writeFileSync(path.join(folder, 'cargo.txt'), `running 3 tests\n${result(3, 0)}\nrunning 2 tests\n${result(1, 1)}`);
  writeVitest({ status: 'passed', assertionResults: [{ status: 'passed' }] });
  expect(countReports(folder)).toEqual({ passed: 5, failed: 1 });
});
