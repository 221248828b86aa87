/** The compiler in a process of its own: its limit of time, and what it says of a crash. */
import path from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { Compiler } from '../../kit/asc/compiler.ts';
import { compile, nameProblem } from '../../kit/compile.ts';
import { IMPORTS, withFiles } from '../support/author.ts';

const compiler = new Compiler();
afterAll(() => {
  compiler.end();
});

const build = (text: string, levels: number[], limit_ms: number) =>
  withFiles({ 'limit.ts': text }, (folder) => compile({ file: path.join(folder, 'limit.ts'), name: 'limit', levels, limit_ms }, compiler));

const COMMAND = `${IMPORTS}\nconst counts = new Table<string, i64>("counts");\ncommand("A.B", "key:key", (key: string): i64 => counts.add(key, 1));\n`;

test('a level that takes too long is left for a lower one', async () => {
  const { level, wasm, faults, memoryEnd } = await build(COMMAND, [3, 0], 1);
  expect([level, faults]).toEqual([0, []]);
  const module = new WebAssembly.Module(wasm as Uint8Array<ArrayBuffer>);
  const [section] = WebAssembly.Module.customSections(module, 'redis-wasm');
  expect(Buffer.from(section!).toString()).toMatch(/^name: limit\nlayout: [0-9a-f]{64}\ntables: counts\n$/);
  expect(WebAssembly.Module.exports(module).map(({ name }) => name)).toEqual(
    expect.arrayContaining(['abi', 'apply', 'auxLoad', 'auxSave', 'committing', 'onLoad', 'settings', 'sweep', 'table']),
  );
  expect(WebAssembly.Module.exports(module).map(({ name }) => name)).not.toContain('__new');
  expect(memoryEnd).toBeGreaterThan(3 * 65_536);
});

test('what the compiler finds is told at the author’s place, and the process is kept', async () => {
  const wrong = `${COMMAND}function f(n: f64): i64 { for (const x of [1, 2]) n += x; return n; }\nquery("A.C", "n:double", f);\n`;
  const { faults, wasm } = await build(wrong, [0], Infinity);
  expect(wasm).toBeUndefined();
  expect(faults.map(({ file, line, column, message }) => [path.basename(file), line, column, message])).toEqual([
    ['limit.ts', 4, 66, 'f returns i64, and this is f64'],
  ]);
  expect((await build(COMMAND, [0], Infinity)).faults).toEqual([]);
});

test('a name is fit for settings and INFO', () => {
  for (const name of ['limit', 'a', 'a1', 'a'.repeat(32)]) expect(nameProblem(name)).toBeUndefined();
  for (const name of ['', '1a', 'A', 'a_b', 'a-b', 'é', 'a'.repeat(33)]) expect(nameProblem(name)).toContain('is no name of a module');
  for (const name of ['wasm', 'link', 'run', 'session', 'hashmap', 'cache'])
    expect(nameProblem(name)).toContain("cannot be a module's name");
});
