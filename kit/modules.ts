/** Several modules of one build: which files they are, and where the static data of each lies. */
import { mkdirSync, readdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { Problem } from '../bin/process.ts';
import type { Cache } from './asc/cache.ts';
import type { Compiler } from './asc/compiler.ts';
import { compile, MEMORY_BASE, nameProblem, type Compiled } from './compile.ts';
import { shown } from './source/faults.ts';

export interface Module {
  /** the author's file, absolute */
  file: string;
  name: string;
}

export interface Built extends Module {
  /** the .wasm file, absolute */
  output: string;
  bytes: number;
  compiled: Compiled;
}

export interface How {
  /** where the .wasm files go, absolute; made where it is not there */
  out: string;
  levels?: number[];
  limit_ms?: number;
  /** whether an object that was changed and not set is an error */
  checks?: boolean;
  /** where what was compiled before is */
  cache?: Cache;
  /** told of a module before it is optimised, which takes its time */
  optimising?: (module: Module) => void;
  /** told of the files that a module is made of, whether it builds or not */
  followed?: (files: string[]) => void;
}

/** An author's first file: it uses the kit, and declares a command, or what is run without one. */
const MODULE = /from\s*["']redis-wasm\/kit["'][^]*^(?:command|query|every|on)\(/m;

/**
 * The modules that a person names; without names those of a folder.
 * @param name of the one module
 * Throws a Problem for a file that is not there, and for names that no module can have.
 */
export function modulesOf(given: string[], folder: string, name?: string): Module[] {
  const files = given.length > 0 ? given.map((file) => path.resolve(folder, file)) : modulesIn(folder);
  if (files.length === 0) throw new Problem(`${folder} has no module: a .ts file that imports redis-wasm/kit and has a command. Name one.`);
  if (name !== undefined && files.length > 1) throw new Problem('--name is for one file.');
  const modules = files.map((file) => ({ file, name: name ?? path.basename(file, '.ts') }));
  for (const { file, name: each } of modules) {
    if (!statSync(file, { throwIfNoEntry: false })?.isFile() || !file.endsWith('.ts')) throw new Problem(`${file} is no TypeScript file.`);
    const problem = nameProblem(each);
    if (problem !== undefined) throw new Problem(`${problem}.\nRename ${path.basename(file)}, or build it with --name limit.`);
    if (modules.filter((other) => other.name === each).length > 1) throw new Problem(`There are two modules ${each}.`);
  }
  return modules;
}

/** The authors' files in a folder that declare a command, absolute, in order. */
export function modulesIn(folder: string): string[] {
  return readdirSync(folder)
    .filter((name) => name.endsWith('.ts') && !name.endsWith('.d.ts'))
    .sort()
    .map((name) => path.join(folder, name))
    .filter((file) => MODULE.test(readFileSync(file, 'utf8')));
}

/** Compiles modules without optimising: throws a Problem that tells all that is wrong with any. */
async function checkModules(modules: Module[], how: How, compiler: Compiler): Promise<void> {
  const faults = [];
  for (const module of modules) {
    const compiled = await compile({ ...module, ...how, levels: [0], optimising: undefined }, compiler);
    how.followed?.(compiled.files);
    faults.push(...compiled.faults);
  }
  if (faults.length > 0) throw new Problem(shown(faults).trimEnd());
}

/**
 * Compiles modules, each with its static data behind that of the one before, so that all can share a memory.
 * None is optimised before all are checked.
 * A file is in its place only when it is whole. Throws a Problem that tells all that is wrong with one.
 */
export async function buildModules(modules: Module[], how: How, compiler: Compiler): Promise<Built[]> {
  if (how.levels?.[0] !== 0 && modules.length > 1) await checkModules(modules, how, compiler);
  const built: Built[] = [];
  const faults = [];
  let memoryBase = MEMORY_BASE;
  mkdirSync(how.out, { recursive: true });
  for (const module of modules) {
    const compiled = await compile({ ...module, ...how, memoryBase, optimising: () => how.optimising?.(module) }, compiler);
    how.followed?.(compiled.files);
    faults.push(...compiled.faults);
    if (compiled.wasm === undefined) continue;
    memoryBase = compiled.memoryEnd;
    const output = path.join(how.out, `${module.name}.wasm`);
    writeFileSync(`${output}.new`, compiled.wasm);
    renameSync(`${output}.new`, output);
    built.push({ ...module, output, bytes: compiled.wasm.length, compiled });
  }
  if (faults.length > 0) throw new Problem(shown(faults).trimEnd());
  return built;
}
