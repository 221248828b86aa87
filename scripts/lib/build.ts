/**
 * Building: assembly/ into build/hashmap.wasm and build/session.wasm, host/ into build/host.so, client/, bin/
 * and kit/ into JavaScript in build/, test/native/ into build/test/native.so. Each product is built again
 * only when the content of its sources, or of itself, is not what it was after the last build, so that a
 * start where nothing changed costs some milliseconds.
 */
import { createHash } from 'node:crypto';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { layoutOf } from '../../kit/source/layout.ts';
import { withSection } from '../../kit/wasm.ts';
import { findOnPath, mustRun, mustRunTool, Problem, ROOT, run, say } from './process.ts';
import * as debian from './debian.ts';

interface Product {
  title: string;
  /** files and folders, relative to the project */
  sources: string[];
  outputs: string[];
  build: () => void;
}

const RUST_SOURCES = ['Cargo.toml', 'Cargo.lock'];
const RUST_VERSION_MINOR_MIN = 95;

/** The folders that say how each module's data lies in memory. */
const LAYOUT = {
  hashmap: ['base', 'hashmap/store'],
  session: ['base', 'session/ids', 'session/store', 'session/texts'],
};

/** What the compiler made of a module, with a word for how its data lies in memory. */
export function withLayout(name: keyof typeof LAYOUT, wasm: Uint8Array): Uint8Array {
  return withSection(wasm, 'redis-wasm', `layout: ${layoutOf(LAYOUT[name])}\n`);
}

export const WASM: Product = {
  title: 'hashmap.wasm and session.wasm',
  sources: ['assembly', 'asconfig.json', 'package-lock.json'],
  outputs: ['build/hashmap.wasm', 'build/session.wasm'],
  build: () => {
    for (const name of ['hashmap', 'session'] as const) {
      const file = path.join(ROOT, `build/${name}.wasm`);
      const fresh = path.join(ROOT, `build/${name}.new.wasm`);
      mustRunTool('asc', [`assembly/${name}.ts`, '--target', name, '--outFile', `build/${name}.new.wasm`]);
      writeFileSync(fresh, withLayout(name, readFileSync(fresh)));
      // Renamed into place: a server that starts meanwhile finds the old file or the new one.
      renameSync(fresh, file);
    }
  },
};

export const HOST: Product = {
  title: 'host.so (the first build compiles Wasmtime and takes some minutes)',
  sources: [...RUST_SOURCES, 'host'],
  outputs: ['build/host.so'],
  build: () => {
    cargoBuild('host', 'build/host.so');
  },
};

export const NATIVE_FIXTURE: Product = {
  title: 'native.so, a module for the tests',
  sources: [...RUST_SOURCES, 'test/native'],
  outputs: ['build/test/native.so'],
  build: () => {
    cargoBuild('native', 'build/test/native.so');
  },
};

export const PACKAGE: Product = {
  title: 'the client and the program of the package',
  sources: ['bin', 'client', 'kit', 'tsconfig.json', 'package-lock.json'],
  outputs: ['build/client', 'build/bin', 'build/kit'],
  build: () => {
    mustRunTool('tsc', ['--project', 'bin/tsconfig.json', '--outDir', 'build/new']);
    for (const name of ['client', 'bin', 'kit']) {
      rmSync(path.join(ROOT, 'build', name), { recursive: true, force: true });
      renameSync(path.join(ROOT, 'build/new', name), path.join(ROOT, 'build', name));
    }
    rmSync(path.join(ROOT, 'build/new'), { recursive: true });
  },
};

/** Builds the product unless it is up to date. */
export function ensureBuilt(product: Product): void {
  const stampFile = path.join(ROOT, 'build/stamps', `${path.basename(product.outputs[0] ?? '')}.sha256`);
  const stamp = () => hashOf([...product.sources, ...product.outputs]);
  const isBuilt = product.outputs.every((file) => existsSync(path.join(ROOT, file)));
  if (isBuilt && existsSync(stampFile) && readFileSync(stampFile, 'utf8') === stamp()) return;
  say(`building ${product.title}`);
  mkdirSync(path.dirname(stampFile), { recursive: true });
  product.build();
  writeFileSync(stampFile, stamp());
}

/** sha256 over names and contents of all files in the given files and folders. */
function hashOf(paths: string[]): string {
  const hash = createHash('sha256');
  for (const file of paths.flatMap(filesIn)) {
    hash.update(`${file}\0`).update(
      createHash('sha256')
        .update(readFileSync(path.join(ROOT, file)))
        .digest(),
    );
  }
  return hash.digest('hex');
}

function filesIn(file: string): string[] {
  const absolute = path.join(ROOT, file);
  if (!existsSync(absolute)) return [];
  if (!statSync(absolute).isDirectory()) return [file];
  return readdirSync(absolute)
    .filter((name) => name !== 'target')
    .sort()
    .flatMap((name) => filesIn(path.join(file, name)));
}

function cargoBuild(crate: string, output: string): void {
  requireRust();
  mustRun('cargo', ['build', '--release', '--locked', '--package', crate]);
  const target = path.join(process.env.CARGO_TARGET_DIR ?? path.join(ROOT, 'target'), 'release', `lib${crate}.so`);
  const file = path.join(ROOT, output);
  mkdirSync(path.dirname(file), { recursive: true });
  // Renamed into place: a server that has the old file mapped keeps it. The server refuses a module that is
  // not executable.
  copyFileSync(target, `${file}.new`);
  chmodSync(`${file}.new`, 0o755);
  renameSync(`${file}.new`, file);
}

function requireRust(): void {
  const { status, stdout } = run('rustc', ['--version'], { quiet: true });
  const minor = Number(/^rustc 1\.(\d+)/m.exec(stdout)?.[1] ?? 0);
  if (status !== 0 || minor < RUST_VERSION_MINOR_MIN) {
    throw new Problem(
      `Rust 1.${RUST_VERSION_MINOR_MIN} or later is needed to build the host${status === 0 ? `; this is ${stdout.trim()}` : ''}.\n` +
        'With rustup (https://rustup.rs): rustup toolchain install stable && rustup default stable',
    );
  }
  if (findOnPath('cc') === undefined && !debian.install(['gcc', 'libc6-dev'])) {
    throw new Problem('A C compiler is needed as the linker (Debian: sudo apt-get install gcc libc6-dev).');
  }
}
