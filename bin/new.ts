/** `npx redis-wasm new <folder>`: a project for a module: author's file, test, README. */
import { copyFileSync, existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { TEMPLATE } from '../kit/source/places.ts';
import { makeFolder, Problem, reasonOf, ROOT } from './process.ts';
import { UsageProblem } from './usage.ts';

/** What of npm's note of an installed package is used. */
interface Installed {
  packages?: Record<string, { resolved?: string } | undefined>;
}

/**
 * What to depend on to get this very package: the file that it was installed from, the folder of a clone, or
 * its version.
 * @param folder that it is depended on from
 */
function dependency(folder: string): string {
  const modules = path.dirname(ROOT);
  if (path.basename(modules) !== 'node_modules') return `file:${path.relative(folder, ROOT)}`;
  const { version } = JSON.parse(readFileSync(path.join(ROOT, 'package.json'), 'utf8')) as { version: string };
  const note = path.join(modules, '.package-lock.json');
  const installed = existsSync(note) ? (JSON.parse(readFileSync(note, 'utf8')) as Installed) : {};
  const resolved = installed.packages?.['node_modules/redis-wasm']?.resolved ?? '';
  if (!resolved.startsWith('file:')) return version;
  const file = path.resolve(path.dirname(modules), resolved.slice('file:'.length));
  if (!existsSync(file))
    throw new Problem(`${file}, which this package was installed from, is not there any more: put it back, and try again.`);
  return `file:${path.relative(folder, file)}`;
}

function manifest(folder: string): unknown {
  const name = path
    .basename(folder)
    .toLowerCase()
    .replaceAll(/[^a-z0-9-]+/g, '-')
    .replaceAll(/^-+|-+$/g, '');
  return {
    name: name === '' ? 'module' : name,
    version: '0.1.0',
    private: true,
    type: 'module',
    scripts: { build: 'redis-wasm build', dev: 'redis-wasm dev', test: 'node --test' },
    dependencies: { 'redis-wasm': dependency(folder) },
  };
}

/** Fills the folder. */
function fill(folder: string): void {
  makeFolder(folder);
  for (const name of readdirSync(TEMPLATE)) {
    // npm keeps files of that name out of packages.
    copyFileSync(path.join(TEMPLATE, name), path.join(folder, name === 'gitignore' ? '.gitignore' : name));
  }
  writeFileSync(path.join(folder, 'package.json'), `${JSON.stringify(manifest(folder), null, 2)}\n`);
}

export function command(given: string[]): number {
  const [wanted, ...others] = given;
  if (wanted === undefined || wanted === '') throw new UsageProblem('A folder is needed, for example commands.');
  if (wanted.startsWith('-')) throw new UsageProblem(`There is no option ${wanted}.`);
  if (others.length > 0) throw new UsageProblem(`One folder is enough; ${others.join(' ')} is too much.`);
  const folder = path.resolve(wanted);
  if (existsSync(folder) && (!statSync(folder).isDirectory() || readdirSync(folder).length > 0)) {
    throw new Problem(`${folder} is there already, and not empty. Choose another name.`);
  }
  try {
    fill(folder);
  } catch (error) {
    if (error instanceof Problem) throw error;
    throw new Problem(`${folder} cannot be written: ${reasonOf(error)}.`);
  }
  console.log(`${folder} holds counter.ts, with three commands, and a test of them. Go on with

  cd ${path.relative(process.cwd(), folder) || '.'}
  npm install
  npm test
  npm run dev`);
  return 0;
}
