/**
 * Compilers of the test modules that are written in other languages: clang with lld for C, and a rustc that
 * has the target wasm32-unknown-unknown. On Debian as root they come by apt; its Rust is unpacked into
 * .tools/, where no other build meets it.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs';
import path from 'node:path';
import * as debian from './debian.ts';
import { findOnPath, run, say } from './process.ts';
import { TOOLS_FOLDER } from './wheels.ts';

export const C_TITLE = 'modules in C';
export const RUST_TITLE = 'modules in Rust';
export const RUST_TARGET = 'wasm32-unknown-unknown';

/** A program, and what it is run with. */
export interface Compiler {
  file: string;
  arguments: string[];
  environment: Record<string, string>;
}
type Found = Compiler | { reason: string };

const PLAIN = { arguments: [], environment: {} };

/** clang, where its linker for WebAssembly is there too. */
export function findC(): Compiler | undefined {
  const file = findOnPath('clang');
  return file !== undefined && findOnPath('wasm-ld') !== undefined ? { file, ...PLAIN } : undefined;
}

/** As `findC`; on Debian as root installs it where it is missing. */
export function fetchC(): Found {
  const reason = 'there is no clang with wasm-ld on PATH (Debian: apt-get install clang lld)';
  return findC() ?? (debian.install(['clang', 'lld']) ? findC() : undefined) ?? { reason };
}

const UNPACKED = path.join(TOOLS_FOLDER, 'rust-wasm');
const PACKAGES = ['rustc', 'libstd-rust-1.63', 'libstd-rust-dev-wasm32'];

/** The rustc on PATH if it has the target, or the one that was unpacked. */
export function findRust(): Compiler | undefined {
  const onPath = findOnPath('rustc');
  if (onPath !== undefined) {
    const { stdout } = spawnSync(onPath, ['--print', 'target-libdir', '--target', RUST_TARGET], { encoding: 'utf8' });
    if (existsSync(stdout.trim())) return { file: onPath, ...PLAIN };
  }
  const root = path.join(UNPACKED, 'usr');
  const file = path.join(root, 'bin/rustc');
  const linker = findOnPath('wasm-ld');
  if (!existsSync(file) || linker === undefined) return undefined;
  const environment = { LD_LIBRARY_PATH: path.join(root, 'lib/x86_64-linux-gnu') };
  return { file, arguments: ['--sysroot', root, '-C', `linker=${linker}`], environment };
}

/** As `findRust`; on Debian as root unpacks it where it is missing: 77 MB to fetch. */
export function fetchRust(): Found {
  const reason = `no rustc has the target ${RUST_TARGET} (rustup target add ${RUST_TARGET})`;
  return findRust() ?? (unpack() ? findRust() : undefined) ?? { reason };
}

/** Debian's packages without installing them: a second rustc on PATH could be taken for the project's own. */
function unpack(): boolean {
  // Debian 12 on x86-64 has these, and the library of LLVM that clang brings is what they need.
  if (!debian.canInstall() || process.arch !== 'x64' || findC() === undefined) return false;
  say(`${RUST_TITLE}: apt-get download ${PACKAGES.join(' ')}`);
  mkdirSync(TOOLS_FOLDER, { recursive: true });
  const folder = mkdtempSync(path.join(TOOLS_FOLDER, 'download-'));
  try {
    if (run('apt-get', ['download', '-qq', '-o', 'APT::Sandbox::User=root', ...PACKAGES], { folder }).status !== 0) return false;
    for (const name of readdirSync(folder)) {
      if (run('dpkg', ['-x', name, '.'], { folder }).status !== 0) return false;
      rmSync(path.join(folder, name));
    }
    rmSync(UNPACKED, { recursive: true, force: true });
    renameSync(folder, UNPACKED);
    return true;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
