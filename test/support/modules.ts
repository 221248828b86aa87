/**
 * Module files for the tests of linking and loading: variants of the shipped modules, small modules out of
 * test/fixtures/, and modules written in WebAssembly's text format that no compiler would make. The files
 * stay in build/test/modules/, in a folder named by a digest of what they are made of, so that only a change
 * makes them anew.
 */
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import asc from 'assemblyscript/asc';
import binaryen from 'assemblyscript/binaryen';

const ROOT = path.resolve(import.meta.dirname, '../..');
const FIXTURES = 'test/fixtures';
const OUTPUT = path.join(ROOT, 'build/test/modules');

/** What a target of asconfig.json may say, as far as the tests change it. */
export interface CompilerOptions {
  /** Where the static data begins, in bytes. */
  memoryBase?: number;
  /** Pages of the imported memory. */
  initialMemory?: number;
  importMemory?: boolean;
  noExportMemory?: boolean;
  /** Names that are given a value, as `--use` gives them. */
  use?: string[];
}

interface Configuration {
  options: CompilerOptions;
  targets: { hashmap: CompilerOptions; session: CompilerOptions };
}

/** asconfig.json: how the shipped modules are compiled. */
export const SHIPPED = JSON.parse(readFileSync(path.join(ROOT, 'asconfig.json'), 'utf8')) as Configuration;

/**
 * Static data of a third module, behind that of the shipped two, which imports as many pages as that takes.
 */
export const THIRD: CompilerOptions = {
  memoryBase: (SHIPPED.targets.session.initialMemory ?? 0) * 65536,
  initialMemory: (SHIPPED.targets.session.initialMemory ?? 0) + 1,
};

/**
 * Compiles an entry, relative to the project, as the shipped modules are compiled but for `options`.
 * @param name of the module, which is the file's name
 * @returns the file's absolute path
 */
export async function compile(name: string, entry: string, options: CompilerOptions): Promise<string> {
  const configuration = JSON.stringify({ options: { ...SHIPPED.options, ...options } });
  const sources = [...filesIn('assembly'), ...filesIn(FIXTURES)].filter((file) => file.endsWith('.ts'));
  return cached(name, [entry, configuration, ...sources.map((file) => readFileSync(path.join(ROOT, file), 'utf8'))], async () => {
    let binary: Uint8Array | undefined;
    let messages = '';
    // The configuration is a file of the compiler's own world, beside asconfig.json: paths in it mean the
    // same.
    const { error } = await asc.main([entry, '--baseDir', ROOT, '--config', 'variant.json', '--outFile', 'out.wasm'], {
      readFile: (file, folder) => (path.basename(file) === 'variant.json' ? configuration : readIfThere(path.resolve(folder, file))),
      writeFile: (_, contents) => {
        if (typeof contents !== 'string') binary = contents;
      },
      listFiles: () => [],
      stderr: { write: (text) => void (messages += text.toString()) },
    });
    if (error || binary === undefined) throw new Error(`${entry} does not compile:\n${messages}`, { cause: error });
    return binary;
  });
}

/** Compiles test/fixtures/<entry>.as.ts; the module is named as the entry, or `name`. */
export function fixture(entry: string, options: CompilerOptions = THIRD, name = entry): Promise<string> {
  return compile(name, `${FIXTURES}/${entry}.as.ts`, options);
}

/**
 * Assembles a module from WebAssembly's text format: what stands between `(module` and `)`, beside the
 * memory, the table and an onLoad() that answers 0, which every module must export. `plain` leaves these out;
 * `names` keeps the functions' names, for the log.
 * @returns the file's absolute path
 */
export function assemble(name: string, text: string, { plain = false, names = false } = {}): Promise<string> {
  const onLoad = text.includes('"onLoad"') ? '' : '(func (export "onLoad") (result i32) (i32.const 0))';
  const memory = text.includes('(memory ') ? '' : '(memory (export "memory") 1)';
  const rest = plain ? '' : `${memory}(table (export "table") 4 funcref)${onLoad}`;
  const source = `(module ${text} ${rest})`;
  return cached(name, names ? [source, 'names'] : [source], () => {
    const module = binaryen.parseText(source);
    try {
      binaryen.setDebugInfo(names);
      return Promise.resolve(module.emitBinary());
    } finally {
      binaryen.setDebugInfo(false);
      module.dispose();
    }
  });
}

/**
 * Stores bytes that may be no module at all.
 * @returns the file's absolute path
 */
export function file(name: string, bytes: Uint8Array): Promise<string> {
  return cached(name, [Buffer.from(bytes)], () => Promise.resolve(bytes));
}

/** The file that `make` answers the bytes of, which are made anew where an input has changed. */
export async function cached(name: string, inputs: (string | Buffer)[], make: () => Promise<Uint8Array>): Promise<string> {
  const digest = createHash('sha256');
  for (const input of inputs) digest.update(input).update('\0');
  const target = path.join(OUTPUT, digest.digest('hex').slice(0, 16), `${name}.wasm`);
  if (readIfThere(target) !== null) return target;
  const bytes = await make();
  mkdirSync(path.dirname(target), { recursive: true });
  // Renamed into place: test files that run beside this one may make it too.
  writeFileSync(`${target}.${process.pid}`, bytes);
  renameSync(`${target}.${process.pid}`, target);
  return target;
}

function filesIn(folder: string): string[] {
  return readdirSync(path.join(ROOT, folder))
    .sort()
    .map((name) => path.join(folder, name))
    .flatMap((file) => (statSync(path.join(ROOT, file)).isDirectory() ? filesIn(file) : [file]));
}

function readIfThere(file: string): string | null {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return null;
  }
}
