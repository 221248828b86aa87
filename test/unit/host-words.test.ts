/** The host is generic: it knows the two default files by name, and no command and no product besides. */
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';

const HOST = path.resolve(import.meta.dirname, '../../host');
const PRODUCT_WORD = /custom|session|hashmap/i;
/**
 * Names of sections that a file has beside its code, of wasmparser's for them, and of the flags of a file.
 */
const FORMAT_WORD = /KnownCustom|CustomSection|custom section|custom_flags/g;
const DEFAULT_FILES = 'const FILES_DEFAULT: [&str; 2] = ["hashmap.wasm", "session.wasm"];';

test('no line of the host but the default files has a word of the product', () => {
  const sources = readdirSync(path.join(HOST, 'src'), { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.rs'));
  expect(sources).toContain('lib.rs');
  const lines = ['Cargo.toml', 'build.rs', ...sources.map((name) => path.join('src', name))].flatMap((name) =>
    readFileSync(path.join(HOST, name), 'utf8')
      .split('\n')
      .map((line) => ({ name, line: line.trim() })),
  );
  expect(lines.filter(({ line }) => PRODUCT_WORD.test(line.replaceAll(FORMAT_WORD, '')))).toEqual([
    { name: 'src/load/files.rs', line: DEFAULT_FILES },
  ]);
});
