/** What an author's file cannot hold: each fault with its place, and what to write instead. */
import { afterAll, describe, expect, test } from 'vitest';
import { Compiler } from '../../kit/asc/compiler.ts';
import { inWords } from '../../kit/asc/diagnostics.ts';
import { shown } from '../../kit/source/faults.ts';
import { check, faultsOf, faultsOfBuild, IMPORTS } from '../support/author.ts';

/** Lines within a function with a text that may be null, an array and a Map. */
const inside = (body: string): string => `function f(a: string | null, list: i64[], map: Map<string, i64>): void {\n${body}\n}`;
/** Of lines within a function, counted from 1. */
const faultsInside = (body: string): string[] =>
  faultsOf(inside(body)).map((fault) => fault.replace(/^\d+/, (line) => String(Number(line) - 2)));

const TABLE = 'State that lasts belongs in a Table: const counts = new Table<string, i64>("counts");';
const MEMORY = 'A module reaches its data by tables, arrays and objects: raw memory is the kit’s alone.';
const LOOP = 'Write a loop instead: for (const item of list) …;';

test('a fault is shown with its line and what to write', () => {
  const { faults } = check(`${IMPORTS}\n\tlet count: i32 = 0;\n`);
  const text = shown(faults, faults[0]!.file.replace(/\/[^/]*$/, ''));
  expect(text).toBe(
    'limit.ts:2:6: count is a variable of the module: every command would find it as it was at the start\n\n' +
      `  2 | \tlet count: i32 = 0;\n    | \t    ^\n  ${TABLE} What never changes is a const.\n`,
  );
});

test('a file without faults has none', () => {
  const body = `const n = list.length; for (const key of map.keys()) list.push(map.get(key));
    const texts = list.map<string>((item) => item.toString()); const bytes: Bytes = new Uint8Array(3);
    const values = new Map<string, i64>(); values.set("a", 1); list[0] = 3; let at = 0; at++;`;
  expect(faultsInside(body)).toEqual([]);
  const top = `enum Kind { A, B } const LIST = [1, 2]; const NAMES = new Set<string>(); NAMES.add("a"); const K = Kind.A;
    class A { static readonly MAX: i32 = 3; private n: i64 = 0; get next(): i64 { return ++this.n; } }
    interface Named { name: string } const burst = setting("burst", 1, 1, 9);`;
  expect(faultsOf(top)).toEqual([]);
});

describe('state', () => {
  test.each([
    ['let count: i32 = 0;', '2:5 count is a variable of the module: every command would find it as it was at the start'],
    ['var count: i32 = 0;', '2:5 count is a variable of the module: every command would find it as it was at the start'],
    ['class A { static n: i32 = 0; }', '2:18 n is a static field, which is a variable of the module'],
    [`const L: i64[] = [];\n${inside('L.push(1);')}`, "4:1 L is the module's: what push changes in it is gone with the command"],
    [`const L: i64[] = [];\n${inside('L[0] = 3;')}`, "4:1 L is the module's: what a command changes in it is gone with the command"],
    [`const L: i64[] = [];\n${inside('L[0]++;')}`, "4:1 L is the module's: what a command changes in it is gone with the command"],
    [`const L: i64[] = [];\n${inside('L.length = 0;')}`, "4:1 L is the module's: what a command changes in it is gone with the command"],
    [`const M = new Map<string, i64>();\n${inside('M.set("a", 1);')}`, "4:1 M is the module's: what set changes in it is gone"],
    [`class C { x: i64 = 0; }\nconst C1 = new C();\n${inside('C1.x += 1;')}`, "5:1 C1 is the module's: what a command changes in it"],
  ])('%j', (lines, fault) => {
    const found = faultsOf(lines);
    expect(found).toHaveLength(1);
    expect(found[0]).toContain(fault);
    expect(found[0]).toContain(TABLE);
  });

  test('what is imported is as much the module’s', () => {
    const { faults } = check({
      'limit.ts': `${IMPORTS}\nimport { LIST } from "./list";\ncommand("T.EST", "", test);\nfunction test(): void { LIST.push(1); }`,
      'list.ts': 'export const LIST: i64[] = [];\nexport let total: i64 = 0;\n',
    });
    expect(faults.map(({ file, line, message }) => `${file.replace(/.*\//, '')}:${line} ${message}`)).toEqual([
      'list.ts:2 total is a variable of the module: every command would find it as it was at the start',
      "limit.ts:4 LIST is the module's: what push changes in it is gone with the command",
    ]);
  });

  test('what needs a command is not called while the module starts', () => {
    const fault = '2:15 now() is for commands, and here it would run while the module starts → Call it within a handler.';
    expect(faultsOf('const START = now();')).toEqual([fault]);
  });
});

describe('closures', () => {
  test.each([
    ['const n = 3; list.filter((item) => item > n);', '1:43 n belongs to the function around this one'],
    ['list.filter((item) => item > list.length);', '1:30 list belongs to the function around this one'],
    ['function g(): string { return a!; }', '1:31 a belongs to the function around this one'],
  ])('%j', (body, fault) => {
    const found = faultsInside(body);
    expect(found).toHaveLength(1);
    expect(found[0]).toContain(fault);
    expect(found[0]).toContain(LOOP);
  });

  test('this within a function of a method', () => {
    const fault = '2:71 A function within a method does not see the object → Write a loop instead: for (const item of this.items) …';
    expect(faultsOf('class A { n: i64 = 0; f(l: i64[]): i64[] { return l.filter((x) => x > this.n); } }')).toEqual([fault]);
  });
});

describe('statements and expressions', () => {
  test.each([
    [
      'for (const key in list) map.size;',
      'for … in walks over names',
      'Write for (let i = 0; i < list.length; i++), or for (const key of map.keys()).',
    ],
    [
      'for (const [k, v] of map) list.push(v);',
      'There are no patterns of variables',
      'Write for (const key of map.keys()), and map.get(key)',
    ],
    [
      'for (const entry of map) list.pop();',
      'A Map is walked over by its keys',
      'for (const key of map.keys()) { const value = map.get(key); … }',
    ],
    ['for (const x of 5) list.pop();', '5 is nothing that for … of can walk over', 'Arrays, texts, Sets'],
    ['/x/.test("a");', 'There are no regular expressions', 'startsWith, includes, indexOf, split, charCodeAt'],
    ['new RegExp("x");', 'There is no RegExp in a module', 'startsWith, includes, indexOf, split, charCodeAt'],
    ['a?.length;', 'There is no ?.', 'Write if (a !== null) … a.length'],
    [
      'g()?.trim(); function g(): string | null { return null; }',
      'There is no ?.',
      'const value = g(); if (value !== null) … value.trim()',
    ],
    ['const b = a ?? "x";', 'There is no ??', 'Write a === null ? "x" : a'],
    ['a ??= "x";', 'There is no ??=', 'Write if (a === null) a = "x";'],
    ['a ||= "x";', 'There is no ||=', 'Write if (!a) a = "x";'],
    ['try { list.pop(); } catch (e) { list.pop(); }', 'An error ends the command and undoes it', 'Ask before'],
    ['const [x, y] = list;', 'There are no patterns of variables', 'const value = list; const x = value[0]; const y = value[1];'],
    ['const { size } = map;', 'There are no patterns of variables', 'const value = map; const size = value.size;'],
    ['const l = [...list, 1];', 'There is no spreading', 'a.concat(b)'],
    ['const o = { x: 1, name: "a" };', 'An object has a class', 'class Name { constructor(public x: i64, public name: string) {} }'],
    ['throw "x";', 'What is thrown is an Error', 'Write throw new Error("x");'],
    ['"x" in map;', 'there is no in', 'map.has(key)'],
    ['out: for (;;) { break out; }', 'There are no labels', 'Put the loops into a function'],
    ['const big = 1n;', 'written without n', 'Leave n out'],
    ['const x = 5 as const;', 'There is no as const', 'Leave it out'],
    ['class Q {}', 'Classes stand at the top level', 'Write class Name'],
    ['if (a === undefined) return;', 'There is no undefined in a module', 'What may be missing is null.'],
    ['JSON.stringify(1);', 'There is no JSON in a module', 'Answer a Map'],
    ['setTimeout(f, 1);', 'There is no setTimeout in a module', 'Give entries a deadline'],
    ['list.find((x) => x > 1);', 'There is no list.find in a module', 'list.findIndex('],
    ['const t: [i64, i64] = [1, 2];', 'There are no tuples', 'a class with a field for each'],
  ])('%j', (body, message, instead) => {
    const found = faultsInside(body);
    expect(found[0]).toMatch(/^1:\d+ /);
    expect(found[0]).toContain(message);
    expect(found[0]).toContain(instead);
  });

  test.each([
    ['const n = nums.get("a") || 5;', 'Write nums.get("a", 5)'],
    ['const n = nums.get("a") ?? 5;', 'Write nums.get("a", 5)'],
    ['const n = (nums.in("a").get(7) || 5) + 1;', 'Write nums.in("a").get(7, 5)'],
    ['const n = nums.get("a");', 'Write nums.get("a", 0), or ask nums.has("a") before'],
    ['if (nums.get("a")) return;', 'Write nums.get("a", 0), or ask nums.has("a") before'],
    ['if (nums.get("a") === null) return;', 'Write nums.get("a", 0), or ask nums.has("a") before'],
    ['const c = users.get("a");', 'Write users.find("a"), which answers null, or users.get("a", new User(…))'],
    ['const c = words.get("a") || "none";', 'Write words.get("a", "none")'],
    ['const c = words.get("a");', 'Write words.find("a"), which answers null, or words.get("a", "")'],
  ])('get of a table without a value for none: %s', (body, instead) => {
    const declared =
      'class User { name: string = ""; } const nums = new Table<string, i64>("nums"); ' +
      'const users = new Table<string, User>("users"); const words = new Table<string, string>("words");\n';
    const found = faultsOf(declared + inside(body));
    expect(found).toHaveLength(1);
    expect(found[0]).toMatch(/^4:\d+ get of a table is told what to answer where there is nothing/);
    expect(found[0]).toContain(instead);
  });

  test('find with ?? is get', () => {
    const found = faultsOf(`const words = new Table<string, string>("words");\n${inside('const b = words.find("a") ?? "b";')}`);
    expect(found).toEqual(['4:27 There is no ?? → Write words.get("a", "b")']);
  });
});

describe('what TypeScript takes and means otherwise', () => {
  const KEY = 'Of a key that is not there get is an error, and no undefined';
  const TEXT = 'An empty text is not false here';
  const FRACTION = 'Whole numbers divide to whole numbers: the fraction is lost';
  const PRODUCT = 'An i32 times an i32 is an i32, which a large product does not fit into';
  test.each([
    ['const n = map.get("x") || 5;', KEY, 'Write map.has("x") ? map.get("x") : 5'],
    ['const n = map.get("x") ?? 5;', KEY, 'Write map.has("x") ? map.get("x") : 5'],
    ['map.set("x", (map.get("x") || 0) + 1);', KEY, 'Write map.has("x") ? map.get("x") : 0'],
    ['if (!map.get("x")) return;', KEY, 'Write !map.has("x")'],
    ['if (map.get("x") && list.length > 0) return;', KEY, 'Write map.has("x")'],
    ['const n = map.get("x"); if (n == null) return;', KEY, 'Ask !map.has("x") before it is read.'],
    ['if (map.get("x") !== null) return;', KEY, 'Ask map.has("x") before it is read.'],
    ['const n = list[3] || 5;', 'An index out of range is an error, and no undefined', 'Write 3 < list.length ? list[3] : 5'],
    ['const n = list[3] ?? 5;', 'An index out of range is an error, and no undefined', 'Write 3 < list.length ? list[3] : 5'],
    ['const n = list.pop() || 5;', 'Of an empty array pop is an error', 'Write list.length > 0 ? list.pop() : 5'],
    ['const n = list.shift(); if (n === null) return;', 'Of an empty array shift is an error', 'Ask !(list.length > 0) before it is read.'],
    ['if (list == null) return;', 'list is never null', 'Leave the question out.'],
    ['const b = a || "x";', TEXT, 'Write a === null || a == "" ? "x" : a'],
    ['const s = "a"; const b = s || "x";', TEXT, 'Write s == "" ? "x" : s'],
    ['const s = "a"; if (s) return;', TEXT, 'Write s != ""'],
    ['if (a) return;', TEXT, 'Write a !== null, or a !== null && a != ""'],
    ['const n = a ? 1 : 2;', TEXT, 'Write a !== null, or'],
    ['while (list.length > 0 && a) list.pop();', TEXT, 'Write a !== null, or'],
    ['const mean: f64 = list[0] / list.length;', FRACTION, 'Write f64(list[0]) / f64(list.length)'],
    ['const mean: f64 = map.get("a") / list.length;', FRACTION, 'Write f64(map.get("a")) / f64(list.length)'],
    ['const mean: f64 = counts.get("a", 1) / 2;', FRACTION, 'Write f64(counts.get("a", 1)) / f64(2)'],
    ['const n = list.length; const mean: f64 = n / 2;', FRACTION, 'Write f64(n) / f64(2)'],
    ['const n = list.length; const pages = Math.ceil(n / 10);', FRACTION, 'Write f64(n) / f64(10)'],
    ['const n = list.length; if (n / 3 > 1.5) return;', FRACTION, 'Write f64(n) / f64(3)'],
    ['let x: f64 = 0; const n: i64 = 3; x += n / 2;', FRACTION, 'Write f64(n) / f64(2)'],
    ['const n = list.length; const ms: i64 = n * 24 * 3600000;', PRODUCT, 'Write i64(n) * 24 * 3600000'],
    ['const n = list.length; counts.set("a", 1, now() + n * 1000);', PRODUCT, 'Write i64(n) * 1000'],
    ['const month = 1000 * 60 * 60 * 24 * 30;', 'is more than an i32 holds', 'Write const value: i64 = …'],
    ['const s = `${10 ** 12}`;', 'is more than an i32 holds', 'Write const value: i64 = …'],
    ['list.push(1, 2);', 'push takes 1 argument here', 'Write a push for each'],
    ['list.splice(1, 1, 5);', 'splice takes 2 arguments here', 'list.slice(0, at)'],
    ['const l = list.concat([1], [2]);', 'concat takes 1 argument here', 'a.concat(b).concat(c)'],
    ['const m = new Map<string, i64>([["a", 1]]);', 'Map takes 0 arguments here', 'map.set("a", 1)'],
    ['const s = new Set<string>(["a"]);', 'Set takes 0 arguments here', 'set.add("a")'],
    ['const n = list.reduce((x, y) => x + y);', 'reduce takes 2 arguments here', 'list.reduce<i64>('],
    ['const n = Math.max(1, 2, 3);', 'max takes 2 arguments here', 'Math.max(a, Math.max(b, c))'],
    ['const d = new Date();', 'Date takes 1 argument here', 'new Date(now())'],
    ['const n = Date.now();', 'There is no Date.now in a module', 'Write now(), of "redis-wasm/kit".'],
    ['const s = String(5);', 'String makes no text of a value', 'Write `${5}`'],
    ['const n = +"5";', 'A text does not become a number by itself', 'Write parseFloat("5").'],
    ['const n = void 0;', 'There is no undefined in a module', 'What may be missing is null.'],
    [
      'list.sort((x, y) => f64(x) - f64(y));',
      'A difference does not fit into what sort takes',
      'i32(f64(x) > f64(y)) - i32(f64(x) < f64(y))',
    ],
  ])('%j', (body, message, instead) => {
    const found = faultsOf(`const counts = new Table<string, i64>("counts");\n${inside(body)}`);
    expect(found[0]).toMatch(/^4:\d+ /);
    expect(found[0]).toContain(message);
    expect(found[0]).toContain(instead);
  });

  test('what means the same is taken', () => {
    const body = `const flags = new Map<string, bool>(); if (flags.get("a") || map.has("a")) return; if (!a) return; if (a !== null) list.pop();
      const n: i64 = 5; const r: f64 = f64(n) / 2; const half = n / 2; const day: i64 = 1000 * 60 * 60 * 24 * 30; const m = n || 7;
      const at = now() + 1000 * 60 * 60 * 24 * 30; let s: string | null = null; s = "a"; if (s !== null) return; const k = i64(list.length) * 1000;
      const mean = 7 / 2.0; if (list.length) list.pop(); const big = 3000000000; const x = list[0] == 5 ? 1 : 2;`;
    expect(faultsInside(body)).toEqual([]);
  });
});

describe('declarations and types', () => {
  test.each([
    ['async function g(): i64 { return 1; }', 'A command does not wait', 'Leave async out.'],
    ['function* g(): i64 { return 1; }', 'There are no generators', 'Fill an array'],
    ['function g(x: i64) { x++; }', 'g does not say what it returns', 'g(…): void'],
    ['function g(x): void {}', 'x has no type', 'Write x: string'],
    ['function g(x?: i64): void {}', 'x may be left out, and has no value for that', 'Write x: i64 = 0'],
    ['class A { x = 1.5; }', 'x has no type', 'Write x: f64 = 1.5'],
    ['class A { #x: i64 = 0; }', '#x: there are no names with #', 'Write private x'],
    ['enum E { A = "a" }', 'Values of an enum are whole numbers', 'Write const A = "a";'],
    ['@inline function g(): void {}', 'There are no decorators', 'Leave it out.'],
    ['declare function g(): void;', 'Nothing but the kit is there to be declared', 'redis-wasm/kit'],
    ['function g(x: any): void {}', 'any is no type', 'Write the type that it has'],
    ['function g(x: unknown): void {}', 'unknown is no type', 'Write the type that it has'],
    ['function g(x: object): void {}', 'object is no type', 'Write a class.'],
    ['function g(x: number): void {}', 'number is no type', 'Write f64, or i64 or i32 for whole numbers.'],
    ['function g(x: string | i64): void {}', 'A value has one type', 'Write string, or a class'],
    ['function g(x: i64 | null): void {}', 'i64 is a number, which is never null', 'of a table ask has(key) first'],
    ['function g(x: "a" | "b"): void {}', 'A value has one type', 'Write string, or an enum.'],
    ['function g(x: string | undefined): void {}', 'There is no undefined', 'Write string | null'],
    ['function g(x: Record<string, i64>): void {}', 'There is no Record', 'Write Map<string, i64>.'],
    ['type O = { x: i64 };', 'An object has a class', 'Write class Point'],
    ['class C { constructor(public x: i64) {} } function g(): C { return { x: 1 }; }', 'C has a constructor', 'Write new C(1)'],
  ])('%j', (lines, message, instead) => {
    const found = faultsOf(lines);
    expect(found[0]).toMatch(/^2:\d+ /);
    expect(found[0]).toContain(message);
    expect(found[0]).toContain(instead);
  });
});

describe('names of the kit', () => {
  test.each(['Reply', 'now', 'SortedTable', 'KEEP', 'Bytes', 'session'])('%s is there, and not imported', (name) => {
    const text = `import { command } from "redis-wasm/kit";\ncommand("T.EST", "", test);\nfunction test(): void { const x: ${name} = new ${name}(); }`;
    for (const { message, instead } of check(text).faults) {
      expect(message).toBe(`${name} is of the kit, and not imported`);
      expect(instead).toBe(`Write it in the import: import { ${name}, … } from "redis-wasm/kit";`);
    }
    expect(check(text).faults).not.toEqual([]);
  });

  test.each(['range("a", "b")', 'first()', 'at(0)', 'rank("a")', 'count("a", "b")'])('what has an order: %s', (call) => {
    const declared = 'const nums = new Table<string, i64>("nums");\n';
    for (const table of ['nums', 'nums.in("k")']) {
      const name = call.replace(/\(.*/, '');
      expect(faultsOf(declared + inside(`${table}.${call};`))).toEqual([
        `4:${table.length + 2} ${table} has no order, and so no ${name} → A SortedTable has it: new SortedTable<…>("…").`,
      ]);
    }
  });
});

describe('raw memory', () => {
  test.each(
    ['changetype<usize>(a)', 'store<u8>(0, 1)', 'load<u8>(0)', 'memory.copy(0, 0, 1)', 'unchecked(list[0])', 'heap.alloc(1)'].concat(
      ['atomic.fence()', 'v128.splat<i32>(1)', 'i8x16.splat(1)', '__new(1, 1)', '__link(0, 0, false)', 'call_indirect(1)'],
      ['i32.load(0)', 'i64.store(0, 1)', 'list.dataStart', 'String.UTF8.encodeUnsafe(0, 0, 0)', 'offsetof<string>()', 'idof<string>()'],
    ),
  )('%s', (expression) => {
    const found = faultsInside(`${expression};`);
    expect(found).toHaveLength(1);
    expect(found[0]).toContain(MEMORY);
  });
});

describe('imports', () => {
  test.each([
    ['import fs from "node:fs";', 'A module runs in the server, where there is no Node: it has no node:fs'],
    ['import { join } from "path";', 'A module runs in the server, where there is no Node: it has no path'],
    ['import { x } from "lodash";', 'lodash is not installed'],
    ['import { y } from "./none";', 'There is no file ./none.ts'],
    ['import { z } from "redis-wasm";', 'redis-wasm has no index for modules → Import from "redis-wasm/kit".'],
    ['import { z } from "redis-wasm/kit/generated";', 'redis-wasm has no kit/generated for modules → Import from "redis-wasm/kit".'],
    ['import { z } from "~lib/rt/common";', '~lib/rt/common is not installed'],
    ['import { q } from "./limit.ts";', '"./limit.ts" ends in .ts → Leave the ending out: "./limit"'],
  ])('%s', (line, fault) => {
    const found = faultsOf(line);
    expect(found).toHaveLength(1);
    expect(found[0]).toContain(fault);
  });

  test('of a package that is there, without AssemblyScript', () => {
    const { faults } = check({ 'limit.ts': 'import { x } from "plain";', 'node_modules/plain/index.js': 'export const x = 1;' });
    expect(faults[0]!.message).toBe('plain is no package with AssemblyScript');
  });
});

describe('packages', () => {
  const files = (text: string, own: object = {}) => ({
    'limit.ts': `${IMPORTS}\nimport { f } from "raw";\ncommand("T.EST", "", (): void => { f(); });`,
    'package.json': JSON.stringify(own),
    'node_modules/raw/index.ts': `import { g } from "@of/it";\nexport function f(): void { g(); }`,
    'node_modules/@of/it/index.ts': text,
  });
  test.each([
    ['export function g(): i32 { return load<i32>(0); }', '1:35', 'load'],
    ['export function g(): void {\n  changetype<string>(0).trim(); }', '2:3', 'changetype'],
    ['export function g(): void { memory.fill(0, 0, 1); }', '1:29', 'memory'],
    ['export function g(l: i32[] = []): i32 { return unchecked(l[0]); }', '1:48', 'unchecked'],
    ['export function g(): void { i32.store(0, 1); }', '1:33', 'store'],
    ['export function g(): usize { return "".length ? [1].dataStart : 0; }', '1:53', 'dataStart'],
    ['export function g(): void { __new(1, 1); }', '1:29', '__new'],
    ['export function h(load: i32): void {} export function g(): i32 { return load<i32>(0); }', '1:73', 'load'],
    ['export function g(): void { { let load = 1; } load<i32>(0); }', '1:47', 'load'],
    ['@external("redis", "Replicate") declare function r(): void;\nexport function g(): void { r(); }', '1:1', '@external'],
  ])('%j', (text, place, word) => {
    const [fault, ...others] = check(files(text)).faults;
    expect(others).toEqual([]);
    expect(fault!.file).toMatch(/node_modules\/@of\/it\/index\.ts$/);
    expect(`${fault!.line}:${fault!.column}`).toBe(place);
    expect(fault!.message).toContain(`The package @of/it reaches raw memory, or the host, by ${word}`);
    expect(fault!.instead).toContain('"redis-wasm": { "trusted": ["@of/it"] }');
    expect(check(files(text, { 'redis-wasm': { trusted: ['raw'] } })).faults).toHaveLength(1);
    expect(check(files(text, { 'redis-wasm': { trusted: ['@of/it'] } })).faults).toEqual([]);
  });

  test('names of their own are theirs', () => {
    const text = `function load(): i32 { return 1; } class A { store: i32 = 0; }
      export function h(memory: A): i32 { const heap = memory; return heap.store; }
      export function g(): void { new A().store = load(); }`;
    expect(check(files(text)).faults).toEqual([]);
  });

  test('what trusts is a list', () => {
    expect(() => check(files('export function g(): void {}', { 'redis-wasm': { trusted: 'raw' } }))).toThrow('is a list of names');
  });
});

describe('tables', () => {
  const declared = 'const counts = new Table<string, i64>("counts");\n';
  test.each([
    ['new Table<string, i64>("Counts")', '"Counts" is no name of a table'],
    ['new Table<string, i64>("a".repeat(3))', 'The name of a table is known when it is built'],
    ['new Table("a")', 'A table says what it holds'],
    ['new Table<f64, i64>("a")', 'A table cannot have keys of type f64'],
    ['new SortedTable<string[], i64>("a")', 'A table cannot have keys of type string[]'],
    ['new Table<string, string[]>("a")', 'A table cannot hold values of type string[]'],
    ['new Table<string, Map<string, i64>>("a")', 'A table cannot hold values of type Map<string, i64>'],
    ['new Table<string, string | null>("a")', 'A table cannot hold values of type string | null'],
    ['new Table<Key, i64>("a"); class Key { x: i64 = 0; }', 'A table cannot have keys of the class Key'],
    ['new SortedTable<Key, i64>("a"); class Key { x: i64[] = []; }', 'x is of a type that has no order'],
    ['new Table<string, C>("a"); class C { x: Map<string, i64> = new Map(); }', 'x is of type Map<string, i64>, which no table can hold'],
    ['new Table<string, C>("a"); class C { c: C | null = null; }', 'C holds itself'],
    ['new Table<string, C>("a"); class C { d: D[] = []; } class D { c: C | null = null; }', 'C holds itself'],
    ['new Table<string, C>("a"); class C { kitNew: i64 = 0; }', 'Names that begin with "kit"'],
    ['new Table<string, C>("a"); class C extends D {} class D {}', 'C extends another class'],
    ['new Table<string, i64>("counts")', 'There are two tables "counts"'],
    ['new Table<string, C>("a"); class C {}', 'C has no fields'],
    ['new Table<string, C>("a"); class C { static readonly N: i32 = 1; n(): i64 { return 1; } }', 'C has no fields'],
    ['new Table<string, C>("a"); class C { d: D[] = []; } class D {}', 'D has no fields'],
    ['new SortedTable<C, i64>("a"); class C {}', 'C has no fields'],
  ])('%s', (expression, fault) => {
    const found = faultsOf(`${declared}const t = ${expression};`);
    expect(found).toHaveLength(1);
    expect(found[0]).toContain(`3:`);
    expect(found[0]).toContain(fault);
  });

  test.each([
    ['class T2 extends Table<string, i64> { constructor() { super("counts"); } }', 'Table', 'new Table<string, i64>("entries")'],
    ['class T2<V> extends SortedTable<string, V> {}', 'SortedTable', 'new SortedTable<string, i64>("entries")'],
    ['import { Table as T, SubTable } from "redis-wasm/kit"; class T2 extends T<string, i64> {}', 'Table', 'new Table<'],
    ['import { SubTable } from "redis-wasm/kit"; class T2 extends SubTable<string, i64> {}', 'SubTable', 'new Table<'],
    ['import * as kit from "redis-wasm/kit"; class T2 extends kit.SortedTable<string, i64> {}', 'SortedTable', 'new SortedTable<'],
  ])('%s', (line, kind, instead) => {
    const found = faultsOf(declared + line);
    expect(found).toHaveLength(1);
    expect(found[0]).toMatch(/^3:\d+ /);
    expect(found[0]).toContain(`No class extends a ${kind} → Write const entries = ${instead}`);
  });

  test('a name for a table’s type makes none', () => {
    expect(faultsOf('type T = Table<string, i64>;\nconst t = new T("Counts");')).toEqual(['3:15 There is no T in a module']);
  });

  test('in a function', () => {
    expect(faultsInside('const t = new Table<string, i64>("t");')[0]).toContain(
      '1:11 A table is declared once, at the top level of a file',
    );
  });

  test.each([
    ['counts.find("a")', 'Write counts.has(key), or counts.get(key, 0)'],
    ['counts.in("a").find("b")', 'Write counts.in("a").has(key), or counts.in("a").get(key, 0)'],
    ['counts.in("a").in("b")', 'Make one text of both'],
  ])('%s', (expression, instead) => {
    const found = faultsOf(declared + inside(`${expression};`));
    expect(found).toHaveLength(1);
    expect(found[0]).toContain(instead);
  });
});

describe('commands', () => {
  const handler = '\nfunction f(key: string, amount: i64 = 1): i64 { return amount; }';
  test.each([
    ['command("NODOT", "", f);', 'NODOT is no name of a command'],
    ['command("CUSTOM.X", "", f);', 'Commands CUSTOM.* belong to the module of that name'],
    ['command("session.x", "", f);', 'Commands SESSION.* belong to the module of that name'],
    ['command("WASM.X", "", f);', 'Commands WASM.* belong to the module of that name'],
    ['command("A.APPLY", "", f);', 'A.APPLY: commands of the name APPLY'],
    ['command("A.B", "key:key", f);', 'The syntax of A.B has 1 arguments (key), and f has 2 parameters (key, amount)'],
    ['command("A.B", "key:key amount:integer", f);', 'amount:integer of the syntax is always given, and amount has a default value'],
    ['command("A.B", "key:key [amount:double]", f);', 'amount is of type i64, and amount:double of the syntax needs f64'],
    ['command("A.B", "key:integer [amount:integer]", f);', 'key is of type string, and key:integer of the syntax needs i64 or i32'],
    [
      'command("A.B", "key:key ... [AMOUNT amount:integer]", f);',
      'key is of type string, and key:key of the syntax, which repeats, needs string[] or Bytes[]',
    ],
    ['command("A.B", "[X", f);', 'The syntax is not understood: a group is not ended by `]`'],
    ['command("A.B", "a:text", f);', 'The syntax is not understood: `text` is no type of an argument'],
    ['command("A.B", "[amount:integer] key:key", f);', 'servers cannot find the key key'],
    ['command("A.B", "", g);\nfunction g(): C { return new C(); } class C {}', 'g returns C, which is no reply'],
    ['command("A.B", "", g);\nfunction g(): i64 | null { return 1; }', 'i64 is a number, which is never null'],
    [
      'command("A.B", "[n:integer]", g);\nfunction g(n: i64): void {}',
      'n:integer of the syntax may be left out, and n has no value for that',
    ],
    ['command("A.B", "n ...", g);\nfunction g(...n: string[]): void {}', 'n is a rest parameter'],
    ['command("A.B", "", (): i64 => 1, { summary: "ä" });', 'The summary of a command is one line of ASCII text'],
    ['command("A.B", "", (): i64 => 1, { flags: "effect" });', 'effect is no flag of a command'],
    ['command("A.B", "", (): i64 => 1, { color: "red" });', 'color is nothing that a command is described by'],
    ['command("T.EST", "", (): i64 => 1);', 'There are two commands T.EST'],
    ['command("A.B", "", nowhere);', 'There is no nowhere in a module'],
    ['const x = "A.B"; command(x, "", f);', 'The name of a command is known when it is built'],
  ])('%s', (line, fault) => {
    const found = faultsOf(line + handler);
    expect(found.join('\n')).toContain(fault);
  });

  test('a signature that does not fit is told with one that does', () => {
    const fitting = 'function f(key: string, amount: i64 = 0, dryRun: bool, names: string[]): i64';
    const found = faultsOf(`command("A.B", "key:key [BY amount:integer] [DRY-RUN] [NAMES names ...]", f);${handler}`);
    expect(found[0]).toContain(`→ Write ${fitting}`);
    expect(faultsOf(`command("A.B", "key:key [BY amount:integer] [DRY-RUN] [NAMES names ...]", f);\n${fitting} { return 1; }`)).toEqual([]);
  });

  test.each([
    ['amount', 'i64', 'amount:integer'],
    ['amount', 'f64', 'amount:double'],
    ['amount:integer', 'f64', 'amount:double'],
    ['amount:integer', 'string', 'amount'],
    ['[amount ...]', 'i64[]', '[amount:integer ...]'],
  ])('%s for a parameter of type %s: the syntax may be what is wrong', (syntax, type, instead) => {
    const found = faultsOf(`command("A.B", "${syntax}", g); function g(amount: ${type}): void {}`);
    expect(found).toHaveLength(1);
    const changed = instead.replace(/[[\] .]/g, '');
    expect(found[0]).toMatch(new RegExp(`→ Write function g\\(amount: .*\\): void, or ${changed} in the syntax$`));
  });

  test.each([
    ['query("A.B", "key:key n:integer", left); function left(key, n) { return 1; }', '51 left', 'function left(key: string, n: i64): i64'],
    ['query("A.B", "key:key", left); function left(key): string[] { return []; }', '41 left', 'function left(key: string): string[]'],
    ['query("A.B", "item", (item) => item);', '22 The handler', '(item: string): string => …'],
    ['query("A.B", "item", (item: string) => item.length);', '22 The handler', '(item: string): i64 => …'],
    ['query("A.B", "item", (item: string) => { log(item); });', '22 The handler', '(item: string): string => …'],
    ['command("A.B", "item", (item: string) => { log(item); });', '24 The handler', '(item: string): void => …'],
    ['command("A.B", "item", function (item) { return new Reply(); });', '24 The handler', 'function (item: string): Reply'],
  ])('types of a handler that are missing are told once: %s', (line, place, instead) => {
    const found = faultsOf(line.replace('log(item)', 'item.trim()'));
    expect(found).toEqual([`2:${place} does not say all of its types → Write ${instead}`]);
  });

  test.each([
    ['nums.set(key, 1);', 'nums.set'],
    ['nums.add(key, 1);', 'nums.add'],
    ['nums.delete(key);', 'nums.delete'],
    ['nums.clear();', 'nums.clear'],
    ['nums.expireAt(key, now());', 'nums.expireAt'],
    ['nums.in(key).set(key, 1);', 'nums.in(key).set'],
    ['nums.in(key).clear();', 'nums.in(key).clear'],
    ['custom.set(key, "a");', 'custom.set'],
    ['custom.del(key);', 'custom.del'],
    ['session.addData(key, "a", "b");', 'session.addData'],
    ['session.create(key);', 'session.create'],
    ['session.delete(key);', 'session.delete'],
  ])('a query that writes: %s', (write, name) => {
    const head = IMPORTS.replace('now,', 'now, custom, session,');
    const of = (handler: string) =>
      check(`${head}\nconst nums = new Table<string, i64>("nums");\n${handler}\n`).faults.map(
        ({ line, column, message, instead }) => `${line}:${column} ${message} → ${instead}`,
      );
    const fault = `${name} writes, and A.B is a query, which only reads → Write command("A.B", …), or leave the write out.`;
    expect(of(`query("A.B", "key:key", (key: string): void => {\n${write} });`)).toEqual([`4:${name.lastIndexOf('.') + 2} ${fault}`]);
    const called = `class C { static g(key: string): void { g(key); } } function g(key: string): void {\n${write} g(key); }`;
    const { faults, commands } = check(
      `${head}\nconst nums = new Table<string, i64>("nums");\nquery("A.B", "key:key", f); function f(key: string): i64 { C.g(key); return 1; }\n${called}`,
    );
    expect(faults).toEqual([]);
    expect(commands[0]!.notes.slice(0, 1).map(({ node, text }) => node.getText() + text)).toEqual([
      `${name.replace(/.*\./, '')}${name} writes, and A.B is a query, which only reads: it fails when it comes here`,
    ]);
    expect(of(`command("A.B", "key:key", (key: string): void => { ${write} });`)).toEqual([]);
  });

  test('a query that reads, and changes what is its own', () => {
    const body =
      'const m = new Map<string, i64>(); m.set("a", 1); m.delete("a"); const s = new Set<i64>(); s.add(1); s.clear(); m.get(key);';
    expect(faultsOf(`query("A.B", "key:key", (key: string): void => { ${body} });`)).toEqual([]);
  });

  test('a file without a command', () => {
    expect(check('export const x = 1;').faults.map(({ message }) => message)).toEqual(['There is no command in it']);
  });
});

describe('numbers that do not fit where they go', () => {
  const compiler = new Compiler();
  afterAll(() => {
    compiler.end();
  });
  test.each([
    ['let held = 0; for (const e of nums.range("a", "b")) held += e.value;', 'held is an i32, since 0 is one', 'let held: i64 = 0'],
    ['let held = 0; for (const e of nums.range("a", "b")) held = held + e.value;', 'held is an i32, since 0 is one', 'let held: i64 = 0'],
    ['let mean = -1; mean += Math.sqrt(4);', 'mean is an i32, since -1 is one', 'let mean: f64 = -1'],
    ['let sum = LOW; sum = n > 3 ? n : 4;', 'sum is an i32, since LOW is one', 'let sum: i64 = LOW'],
    ['const sums = [0, 1]; sums[0] += n;', 'sums is an i32[], since [0, 1] is one', 'const sums: i64[] = [0, 1]'],
    ['let sum: i32 = 0; sum += n;', 'sum is an i32, and this an i64', 'let sum: i64 = 0'],
    ['const sum: i32 = n;', 'sum is an i32, and this an i64', 'const sum: i64 = n'],
    ['const m = new Map<string, i32>(); m.set("a", n);', 'This is i64, and i32 is wanted', 'Have i64 there too'],
    ['take(n);', 'count is an i32, and this an i64', 'count: i64 = 0'],
    ['const c = new C(n);', 'size is an i32, and this an i64', 'public size: i64'],
    ['const c = new C(1); c.size += n;', 'size is an i32, and this an i64', 'public size: i64'],
    ['const c = new C(1); c.last = n;', 'last is an i32, and this an i64', 'last: i64 = 0'],
    ['return n * 2;', 'f returns i32, and this is i64', 'f(…): i64'],
    ['nums.add("a", parseInt(text));', 'parseInt answers f64, and i64 is wanted', 'declare text:integer in the syntax, and text: i64'],
    ['nums.add("a", parseInt(other));', 'parseInt answers f64, and i64 is wanted', 'Write i64.parse(other)'],
    ['nums.add("a", parseFloat(text));', 'parseFloat answers f64, and i64 is wanted', 'declare text:integer in the syntax, and text: i64'],
    ['nums.add("a", Infinity);', 'Infinity is f64, and i64 is wanted', 'Write i64.MAX_VALUE'],
    ['nums.add("a", -Infinity);', '-Infinity is f64, and i64 is wanted', 'Write i64.MIN_VALUE'],
    ['nums.add("a", Math.floor(2.5));', 'This is f64, and i64 is wanted', 'Have f64 there too'],
  ])('%s', async (body, message, instead) => {
    const found = await faultsOfBuild(
      `class C { last: i32 = 0; constructor(public size: i32) {} } function take(count: i32 = 0): void {} const LOW = 0;
      const nums = new SortedTable<string, i64>("nums"); command("A.B", "text n:integer", f);
      function f(text: string, n: i64): i32 { const other = "1";\n${body}\nreturn 1; }`,
      compiler,
    );
    expect(found).toHaveLength(1);
    expect(found[0]).toMatch(/^5:\d+ /);
    expect(found[0]).toContain(` ${message} → `);
    expect(found[0]).toContain(instead);
    expect(found[0]).not.toMatch(/→ Write [if]\d+\(…\)/);
  });
});

test('what the compiler says is in plain words', () => {
  const said = (message: string) => Object.values(inWords(message)).join(' → ');
  expect(said("Conversion from type 'f64' to 'i64' requires an explicit cast.")).toBe(
    'This is f64, and i64 is wanted → Have f64 there too; i64(…) around this cuts the fraction, and what does not fit.',
  );
  expect(said("Type 'i64' is not assignable to type '~lib/string/String'.")).toBe(
    'This is i64, and string is wanted → Write `${value}`, or value.toString().',
  );
  expect(said("Type '~lib/array/Array<~lib/array/Array<~lib/string/String>>' is not assignable to type 'limit/Bucket | null'.")).toBe(
    'This is string[][], and Bucket | null is wanted → ',
  );
  expect(said("Type 'limit/Bucket | null' is not assignable to type 'limit/Bucket'.")).toContain('This may be null, and Bucket is wanted');
  expect(said("Operator '*' cannot be applied to types 'i64' and 'f64'.")).toContain('i64 * f64 does not go together');
  expect(said("Type 'i64' is not assignable to type '~lib/string/String | null'.")).toContain('Write `${value}`');
  expect(said("Operator '+' cannot be applied to types 'i64' and '~lib/string/String'.")).toContain(
    'Write `${value}` for what is no text.',
  );
  expect(said('A required parameter cannot follow an optional parameter.')).toContain('Put it before that, or give it one too.');
  expect(said('Type argument expected.')).toContain('Name the type: list.map<string>((item) => …).');
  expect(said("Type '(i32) => i32' is not assignable to type '(i32, i32, ~lib/array/Array<i32>) => i32'.")).toContain(
    'list.map<i64>((item) => change(item))',
  );
  expect(said("Duplicate identifier 'x'.")).toContain('Write let or const for var');
  expect(
    said("Property 'limit/A#b' has no initializer and is not assigned in the constructor before 'this' is used or returned."),
  ).toContain('b has no value in a new object → Give it one');
  expect(said("Cannot assign to 'f~y' because it is a constant or a read-only property.")).toBe(
    'y is a const, which keeps its value → Write let for const.',
  );
  expect(said('Something else.')).toBe('Something else.');
});
