/** The modules' runtime is empty, so what would allocate a managed object does not compile. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, onTestFinished, test } from 'vitest';

const ROOT = path.resolve(import.meta.dirname, '../..');
const PARENT = path.join(ROOT, 'build/test');

/** Compiles a source with the options of the shipped modules; answers the compiler's status and messages. */
function compile(source: string): { status: number | null; messages: string } {
  mkdirSync(PARENT, { recursive: true });
  const folder = mkdtempSync(path.join(PARENT, 'managed-'));
  onTestFinished(() => {
    rmSync(folder, { recursive: true });
  });
  const entry = path.join(folder, 'entry.ts');
  writeFileSync(entry, source);
  const given = [
    path.relative(ROOT, entry),
    '--config',
    'asconfig.json',
    '--target',
    'hashmap',
    '--outFile',
    path.join(folder, 'out.wasm'),
  ];
  const { status, stderr } = spawnSync(path.join(ROOT, 'node_modules/.bin/asc'), given, { cwd: ROOT, encoding: 'utf8' });
  return { status, messages: stderr };
}

test.each([
  ['a string made at run time', 'export function make(number: i32): string { return "n" + number.toString(); }'],
  ['an array', 'export function make(): Array<i32> { return [1, 2, 3]; }'],
  ['a typed array', 'export function make(): Uint8Array { return new Uint8Array(8); }'],
  ['an object of a class', 'class Box { value: i32 = 1; } export function make(): Box { return new Box(); }'],
  ['a map', 'export function make(): Map<i32, i32> { return new Map<i32, i32>(); }'],
])('%s does not compile', (_, source) => {
  const { status, messages } = compile(source);
  expect(status).toBe(1);
  // Where it is the language that allocates, not a library, this compiler stops where it looks for the
  // allocator.
  expect(messages).toMatch(/Cannot find name '__new|compiler has crashed/);
});

test('a class without management over static memory compiles', () => {
  const source = `@unmanaged class Box { value: i32; }
    const box = changetype<Box>(memory.data(offsetof<Box>()));
    export function next(): i32 { return ++box.value; }`;
  expect(compile(source)).toEqual({ status: 0, messages: '' });
});
