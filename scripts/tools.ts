/**
 * `npm run tools`: fetches what the tests and benchmarks need beside the project's own packages, into
 * .tools/: Redis 8.2, Valkey 9.1, the wasmtime CLI and Keyv 6; on Debian as root also Redis 7.0, Chromium,
 * and compilers of C and Rust for WebAssembly by apt. What cannot be had is named as skipped; with CI=true it
 * is an error, but for Rust's target, which elsewhere rustup alone has.
 */
import { pathToFileURL } from 'node:url';
import * as chromium from './lib/chromium.ts';
import * as debian from './lib/debian.ts';
import * as keyv from './lib/keyv.ts';
import * as languages from './lib/languages.ts';
import { findOnPath, main, Problem, say } from './lib/process.ts';
import { testMatrix } from './lib/servers.ts';
import * as wheels from './lib/wheels.ts';

/** @returns a line for each thing that is missing: what, and why */
export function fetchTools(): string[] {
  if (findOnPath('redis-server') === undefined) debian.install(['redis-server']);
  const missing: string[] = [];
  for (const entry of testMatrix(wheels.fetch)) {
    if ('server' in entry) say(`${entry.server.name} ${entry.server.version}: ${entry.server.file}`);
    else missing.push(`${entry.title}: ${entry.reason}`);
  }
  const wasmtime = wheels.fetch(wheels.WASMTIME);
  if ('file' in wasmtime) say(`${wheels.WASMTIME.title}: ${wasmtime.file}`);
  else missing.push(`${wheels.WASMTIME.title}: ${wasmtime.reason}`);
  const keyv6 = keyv.fetch();
  if ('file' in keyv6) say(`${keyv.TITLE}: ${keyv6.file}`);
  else missing.push(`${keyv.TITLE}: ${keyv6.reason}`);
  const browser = chromium.fetch();
  if ('file' in browser) say(`Chromium: ${browser.file}`);
  else missing.push(`${chromium.TITLE}: ${browser.reason}`);
  const clang = languages.fetchC();
  if ('file' in clang) say(`${languages.C_TITLE}: ${clang.file}`);
  else missing.push(`${languages.C_TITLE}: ${clang.reason}`);
  const rustc = languages.fetchRust();
  if ('file' in rustc) say(`${languages.RUST_TITLE}: ${rustc.file}`);

  for (const line of missing) say(`skipped: ${line}`);
  if (missing.length > 0 && process.env.CI === 'true') {
    throw new Problem(`With CI=true nothing may be skipped:\n  ${missing.join('\n  ')}`);
  }
  if ('reason' in rustc) {
    missing.push(`${languages.RUST_TITLE}: ${rustc.reason}`);
    say(`skipped: ${missing.at(-1)}`);
  }
  return missing;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  await main(() => {
    fetchTools();
    return 0;
  });
}
