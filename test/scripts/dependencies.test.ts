/**
 * What this project depends on: licences that it takes, and a word in docs/DEPENDENCIES.md for each
 * dependency of its own.
 */
import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { crates, npmPackages } from '../../scripts/lib/components.ts';
import { isMet, SHIPPED, TOOLS } from '../../scripts/lib/licences.ts';
import { ROOT } from '../support/server.ts';

function read(file: string): string {
  return readFileSync(path.join(ROOT, file), 'utf8');
}

describe('an expression of licences', () => {
  const allowed = new Set(['MIT', 'Apache-2.0', 'Apache-2.0 WITH LLVM-exception', 'Zlib']);

  it.each([
    'MIT',
    'GPL-3.0 OR MIT',
    'MIT/GPL-3.0',
    '(GPL-3.0 OR MIT) AND Zlib',
    'GPL-3.0 AND MIT OR Zlib',
    'Apache-2.0 WITH LLVM-exception',
  ])('%s is met', (text) => {
    expect(isMet(text, allowed)).toBe(true);
  });

  it.each(['', 'GPL-3.0', 'MIT AND GPL-3.0', 'MIT OR', '(MIT', 'MIT)', 'MIT Zlib', 'Zlib WITH LLVM-exception', 'SEE LICENSE IN file'])(
    '"%s" is not',
    (text) => {
      expect(isMet(text, allowed)).toBe(false);
    },
  );
});

describe('a dependency', () => {
  const components = [...crates(), ...npmPackages()];

  it('has a licence that this project takes', () => {
    expect(components.length).toBeGreaterThan(300);
    expect(components.filter(({ isShipped }) => isShipped).length).toBeGreaterThan(50);
    expect(SHIPPED.has('MIT') && !SHIPPED.has('MPL-2.0')).toBe(true);
    const refused = components.filter(({ licence, isShipped }) => !isMet(licence, isShipped ? SHIPPED : TOOLS));
    expect(refused.map(({ name, licence }) => `${name}: ${licence}`)).toEqual([]);
  });

  it('that is installed with the package may be passed on', () => {
    const { packages } = JSON.parse(read('package-lock.json')) as {
      packages: Record<string, { dev?: true; peer?: true; devOptional?: true }>;
    };
    const folders = Object.entries(packages).flatMap(([folder, { dev, devOptional, peer }]) =>
      folder === '' || dev === true || devOptional === true || peer === true ? [] : [folder.slice('node_modules/'.length)],
    );
    const installed = components.filter(({ kind, name }) => kind === 'npm' && folders.includes(name));
    expect(installed.map(({ name }) => name)).toEqual(expect.arrayContaining(['assemblyscript', 'binaryen', 'long', 'typescript']));
    expect(installed.filter(({ licence }) => !isMet(licence, SHIPPED))).toEqual([]);
  });

  it('has its purpose in docs/DEPENDENCIES.md, and nothing else has', () => {
    const { dependencies, peerDependencies, devDependencies } = JSON.parse(read('package.json')) as Record<string, Record<string, string>>;
    const cargo = ['host/Cargo.toml', 'test/native/Cargo.toml'].flatMap((file) => [
      ...read(file).matchAll(/^([\w-]+) = (?:\{ version = )?"=/gm),
    ]);
    const own = [...Object.keys({ ...dependencies, ...peerDependencies, ...devDependencies }), ...cargo.map(([, name = '']) => name)];
    const told = [...read('docs/DEPENDENCIES.md').matchAll(/^\| (`.*?`) \|/gm)].flatMap(([, cell = '']) => [...cell.matchAll(/`(.*?)`/g)]);
    expect(told.map(([, name]) => name).sort()).toEqual([...new Set(own)].sort());
  });

  it('is installed without a warning', () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'npm-'));
    onTestFinished(() => {
      rmSync(folder, { recursive: true });
    });
    for (const file of ['package.json', 'package-lock.json']) cpSync(path.join(ROOT, file), path.join(folder, file));
    const { status, stderr } = spawnSync('npm', ['ci', '--dry-run', '--offline'], { cwd: folder, encoding: 'utf8' });
    expect(stderr).toBe('');
    expect(status).toBe(0);
  });

  it('is pinned: one version, by the manifest', () => {
    const { dependencies, devDependencies } = JSON.parse(read('package.json')) as Record<string, Record<string, string>>;
    const versions = Object.values({ ...dependencies, ...devDependencies });
    expect(versions.length).toBeGreaterThan(20);
    expect(versions.filter((version) => !/^(npm:(@[\w-]+\/)?[\w-]+@)?\d+\.\d+\.\d+$/.test(version))).toEqual([]);
    for (const file of ['host/Cargo.toml', 'test/native/Cargo.toml']) {
      const lines = read(file)
        .split(/^\[(?:dev-)?dependencies\]$/m)[1]!
        .split(/^\[/m)[0]!
        .trim()
        .split('\n');
      expect(lines.filter((line) => !/^[\w-]+ = (\{ version = )?"=\d+\.\d+\.\d+"/.test(line))).toEqual([]);
    }
  });
});
