/** The same module in several languages, out of test/fixtures/languages/, each built as docs/ABI.md tells. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import asc from 'assemblyscript/asc';
import * as languages from '../../scripts/lib/languages.ts';
import { cached } from './modules.ts';
import { ROOT } from './server.ts';

const FOLDER = 'test/fixtures/languages';

/** A module, built where its compiler is there. */
export interface Built {
  title: string;
  /** Undefined where there is no compiler for it. */
  file: string | undefined;
  /** What a trap in it is reported as. */
  trap: RegExp;
}

/** How docs/ABI.md has each built. */
export const C = [
  '--target=wasm32',
  '-O2',
  '-std=c11',
  '-nostdlib',
  '-ffreestanding',
  '-mbulk-memory',
  '-Wl,--no-entry',
  '-Wl,--export-table',
];
const WARNINGS = ['-Wall', '-Wextra', '-Wno-unused-parameter', '-Werror'];
export const RUST = [
  '--edition',
  '2021',
  '--target',
  languages.RUST_TARGET,
  '--crate-type',
  'cdylib',
  '-O',
  '-C',
  'link-arg=--export-table',
];
export const STOCK_OPTIONS = ['--exportTable'];
const UNREACHABLE = /^-ERR module tally: wasm trap: wasm `unreachable` instruction executed\r\n$/;

function build(compiler: languages.Compiler | undefined, source: string, given: string[]): Promise<string> | undefined {
  if (compiler === undefined) return undefined;
  const file = path.join(ROOT, FOLDER, source);
  const version = execFileSync(compiler.file, ['--version'], { env: { ...process.env, ...compiler.environment } });
  return cached('tally', [version, given.join(' '), readFileSync(file)], () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'tally-'));
    try {
      const output = path.join(folder, 'tally.wasm');
      const env = { ...process.env, ...compiler.environment };
      execFileSync(compiler.file, [...compiler.arguments, ...given, file, '-o', output], { env, stdio: ['ignore', 'ignore', 'inherit'] });
      return Promise.resolve(readFileSync(output));
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
}

const inC = (given: string[]) => build(languages.findC(), 'tally.c', [...C, ...WARNINGS, ...given]);
const inRust = (given: string[]) => build(languages.findRust(), 'tally.rs', [...RUST, ...given]);

/** Compiles a module of this text with the runtime that the AssemblyScript compiler brings. */
export function stock(name: string, text: string, given: string[]): Promise<string> {
  const entry = `${name}.ts`;
  return cached(name, ['stock', text, given.join(' ')], async () => {
    let binary: Uint8Array | undefined;
    let messages = '';
    const { error } = await asc.main([entry, ...STOCK_OPTIONS, '--outFile', 'out.wasm', ...given], {
      readFile: (file) => (path.basename(file) === entry ? text : null),
      listFiles: () => [],
      writeFile: (_, contents) => {
        if (typeof contents !== 'string') binary = contents;
      },
      stderr: { write: (text) => void (messages += text.toString()) },
    });
    if (error || binary === undefined) throw new Error(`${entry} does not compile:\n${messages}`, { cause: error });
    return binary;
  });
}

const STOCK = readFileSync(path.join(ROOT, FOLDER, 'tally.as.ts'), 'utf8');
const inAssemblyScript = (given: string[]) => stock('tally', STOCK, given);
const ABORTED = /^-ERR module tally: it aborted: as you wish, at tally\.ts:\d+:\d+\r\n$/;

/** Every way to build it that the host has to bear with. */
export const BUILT: Built[] = [
  { title: 'C', file: await inC([]), trap: UNREACHABLE },
  { title: 'C without names', file: await inC(['-Wl,--strip-all']), trap: UNREACHABLE },
  { title: 'C, not optimised', file: await inC(['-O0', '-Wl,-z,stack-size=32768']), trap: UNREACHABLE },
  { title: 'C, whose heap takes every page', file: await inC(['-DWHOLE_MEMORY']), trap: UNREACHABLE },
  { title: 'Rust', file: await inRust(['-C', 'strip=debuginfo', '-C', 'link-arg=-zstack-size=65536']), trap: UNREACHABLE },
  { title: 'Rust without names', file: await inRust(['-C', 'strip=symbols', '-C', 'link-arg=-zstack-size=65536']), trap: UNREACHABLE },
  { title: 'AssemblyScript', file: await inAssemblyScript(['-O3']), trap: ABORTED },
  { title: 'AssemblyScript, not optimised', file: await inAssemblyScript([]), trap: ABORTED },
  { title: 'AssemblyScript with names', file: await inAssemblyScript(['-Os', '--debug']), trap: ABORTED },
  { title: 'AssemblyScript, runtime minimal', file: await inAssemblyScript(['-O3', '--runtime', 'minimal']), trap: ABORTED },
  { title: 'AssemblyScript, runtime stub', file: await inAssemblyScript(['-O3', '--runtime', 'stub']), trap: ABORTED },
];
