/**
 * That the same sources give the same bytes, wherever they lie; and that what is packed is fit for other
 * machines.
 */
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { spawnSync } from 'node:child_process';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { isOlder } from '../../bin/platform.ts';
import { withLayout } from '../../scripts/lib/build.ts';
import { checkPortable } from '../../scripts/lib/portable.ts';
import { ROOT } from '../support/server.ts';

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'another-folder-'));
});
afterAll(() => {
  rmSync(folder, { recursive: true });
});

it.each(['hashmap', 'session'] as const)('%s.wasm is the same from another folder', (name) => {
  for (const source of ['assembly', 'asconfig.json', 'package.json']) {
    cpSync(path.join(ROOT, source), path.join(folder, source), { recursive: true });
  }
  rmSync(path.join(folder, 'node_modules'), { force: true });
  symlinkSync(path.join(ROOT, 'node_modules'), path.join(folder, 'node_modules'));
  const asc = path.join(ROOT, 'node_modules/.bin/asc');
  const { stderr } = spawnSync(asc, [`assembly/${name}.ts`, '--target', name, '--outFile', 'out.wasm'], { cwd: folder, encoding: 'utf8' });
  expect(stderr).toBe('');
  const made = Buffer.from(withLayout(name, readFileSync(path.join(folder, 'out.wasm'))));
  expect(made.equals(readFileSync(path.join(ROOT, `build/${name}.wasm`)))).toBe(true);
});

it('a library that needs a later glibc, or names folders of this machine, is not packed', () => {
  const file = path.join(folder, 'host.so');
  const check = (text: string) => {
    writeFileSync(file, text);
    return checkPortable(file);
  };
  expect(check('\0GLIBC_2.2.5\0GLIBC_2.28\0GLIBC_2.3.4\0')).toBe('2.28');
  expect(() => check('\0GLIBC_2.28\0GLIBC_2.34\0')).toThrow(/needs glibc 2\.34; 2\.28 is promised/);
  expect(() => check(`\0GLIBC_2.17\0${ROOT}/host/src/lib.rs`)).toThrow(/some of it was compiled without \.cargo\/config\.toml/);
});

it('versions are compared as numbers', () => {
  expect([isOlder('2.9', '2.28'), isOlder('2.28', '2.28'), isOlder('2.34', '2.28'), isOlder('1.99', '2.0')]).toEqual([
    true,
    false,
    false,
    true,
  ]);
});
