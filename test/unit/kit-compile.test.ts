/** What the kit's compiler makes of an author's file: its texts, and what is registered. */
import { existsSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { Cache } from '../../kit/asc/cache.ts';
import { Compiler } from '../../kit/asc/compiler.ts';
import { parseSyntax, SyntaxFault } from '../../kit/commands/syntax.ts';
import { keysOf } from '../../kit/commands/keys.ts';
import { compile } from '../../kit/compile.ts';
import { buildModules } from '../../kit/modules.ts';
import { restoreGlobals } from '../../kit/rules/packages.ts';
import { Edits } from '../../kit/source/edits.ts';
import { memoryEnd, withSection } from '../../kit/wasm.ts';
import { check, IMPORTS, withFiles } from '../support/author.ts';

/** The text of the author's one file, as the compiler is given it. */
function rewritten(lines: string): string {
  const { faults, texts } = check(`${IMPORTS}\n${lines}\n`);
  expect(faults).toEqual([]);
  return texts['limit.ts']!;
}

/** The part of the text that is between two others. */
function between(text: string, from: string, to: string): string {
  const start = text.indexOf(from) + from.length;
  return text.slice(start, text.indexOf(to, start));
}

/** The statements of the first command's wrapper, but its frame. */
const readsOf = (syntax: string, parameters: string): string => {
  const text = rewritten(`command("A.B", "${syntax}", f);\nfunction f(${parameters}): void {}`);
  return between(text, '__kit.begin(0, __argc, __argv); ', ' f(');
};

describe('edits', () => {
  test('keep the lines, and tell where each place was', () => {
    const edits = new Edits();
    edits.insert(0, '<a>');
    edits.replace(2, 9, '[b]');
    edits.insert(9, '<c>');
    edits.insert(9, '<d>');
    const { text, originalAt } = edits.apply('01\n345\n789');
    expect(text).toBe('<a>01[b]\n\n<c><d>9');
    expect([0, 3, 4, 5, 11, 16, 17].map(originalAt)).toEqual([0, 0, 1, 2, 9, 9, 10]);
  });

  test('a change within a change is a mistake', () => {
    const edits = new Edits();
    edits.replace(0, 3, 'a');
    edits.replace(2, 4, 'b');
    expect(() => edits.apply('01234')).toThrow('changes overlap');
  });
});

describe('the syntax', () => {
  test.each([
    ['a | b', '`|` stands outside'],
    ['a ]', '`]` stands outside'],
    ['[a', 'not ended by `]`'],
    ['[a)', 'another bracket'],
    ['[]', 'is empty'],
    ['[a|]', 'is empty'],
    ['...', 'nothing comes before'],
    ['[... a]', 'does not end its group'],
    ['[...]', 'nothing comes before'],
    ['Key', 'neither a TOKEN nor a name'],
    ['a:text', '`text` is no type'],
    ['a, b', '`,` is neither'],
  ])('%s breaks the grammar', (syntax, reason) => {
    expect(() => parseSyntax(syntax)).toThrow(SyntaxFault);
    expect(() => parseSyntax(syntax)).toThrow(reason);
  });

  test.each([
    ['key:key value', ['1 RW UPDATE'], [1, 1, 1]],
    ['key:key ...', ['1..-1 RW UPDATE'], [1, -1, 1]],
    ['n:integer key:key [LIMIT n:integer]', ['2 RW UPDATE'], [2, 2, 1]],
    ['(key:key value ...)', ['1..-1/2 RW UPDATE'], [1, -1, 2]],
    ['[key:key]', ['1 RW UPDATE'], [1, 1, 1]],
    ['source:key target:key', ['1 RO ACCESS', '2 RW UPDATE'], [1, 2, 1]],
    ['a:key value b:key', ['1 RW UPDATE', '3 RW UPDATE'], [1, 3, 2]],
    ['a [STORE target:key]', ['STORE@2 RW UPDATE'], [0, 0, 0]],
    ['a:key [STORE target:key]', ['1 RW UPDATE', 'STORE@2 RW UPDATE'], [1, 1, 1]],
    ['(BY key:key) [n:integer]', ['2 RW UPDATE'], [2, 2, 1]],
    ['name', [], [0, 0, 0]],
  ])('the keys of %s', (syntax, lines, [first, last, step]) => {
    expect(keysOf(parseSyntax(syntax), (name) => name === 'source')).toEqual({ lines, first, last, step });
  });

  test.each([
    '[n:integer] key:key',
    'a ... key:key',
    '[key:key] value',
    '(a|b c) key:key',
    '[(key:key value ...)] a',
    '[FROM key:key ...]',
  ])('has no place for the key of %s', (syntax) => {
    expect(() => keysOf(parseSyntax(syntax), () => false)).toThrow('servers cannot find the key key');
  });
});

describe('a wrapper', () => {
  test('reads arguments at fixed places without a variable', () => {
    const parameters = 'a: string, b: i64, c: f64, d: Bytes, e: i32';
    expect(readsOf('a:key b:integer c:double d e:integer', parameters)).toBe(
      'const __0 = __kit.argString(__argv, 0); const __1 = __kit.argI64(__argv, 1); const __2 = __kit.argF64(__argv, 2); ' +
        'const __3 = __kit.argBytes(__argv, 3); const __4 = __kit.argI32(__argv, 4);',
    );
  });

  test('takes options in any order, each once', () => {
    const text = readsOf('a [COST cost:double] [NX|XX]', 'a: string, cost: f64 = 1, nx: bool, xx: bool');
    expect(text).toContain('let __1: f64 = 1; ');
    expect(text).toContain('while (__i < __argc) { if (!__seen0 && (__kit.isToken(__argv, __i, "COST"))) { __seen0 = true; __i++; ');
    expect(text).toContain('else if (!__seen1 && (__kit.isToken(__argv, __i, "NX"))) { __seen1 = true; __i++; __2 = true; }');
    expect(text).toContain('else if (!__seen1 && (__kit.isToken(__argv, __i, "XX"))) { __seen1 = true; __i++; __3 = true; } else break; }');
    expect(text).toMatch(/if \(__i < __argc\) __kit\.failSyntax\(\);$/);
  });

  test('ends what repeats where an option, or what must follow, begins', () => {
    expect(readsOf('names ... [LIMIT n:integer]', 'names: string[], n: i64 = 1')).toContain(
      '__0.push(__kit.argString(__argv, __i++)); } while (__argc - __i >= 1 && !__kit.isToken(__argv, __i, "LIMIT"));',
    );
    expect(readsOf('(name value ...) last', 'names: string[], values: Bytes[], last: string')).toContain('while (__argc - __i >= 3);');
  });

  test('answers what the handler returns', () => {
    const text = rewritten(
      'query("A.B", "", f);\nfunction f(): Map<string, Bytes> { return new Map(); }\ncommand("A.C", "", (): void => {});',
    );
    expect(text).toContain('return __kit.reply<Map<string, Uint8Array>>(f()); }');
    expect(text).toContain('function __handler1(): void  {}');
    expect(text).toContain('__handler1(); return __kit.done(); }');
  });

  test('is registered with all that the server is told', () => {
    const about = '{ summary: "Moves", complexity: "O(1)", since: "1.0.0", flags: "fast", categories: "@moves", readKeys: "source" }';
    const text = rewritten(
      `command("Move.Some", "source:key  target:key", (a: string, b: string): i64 => 1, ${about});\nquery("MOVE.NONE", "", f);\nfunction f(): void {}`,
    );
    const lines = [
      ...['name: move.some', 'flags: write deny-oom fast', 'syntax: source:key target:key', 'acl: @moves write', 'summary: Moves'],
      ...['complexity: O(1)', 'since: 1.0.0', 'keys: 1 RO ACCESS', 'keys: 2 RW UPDATE'],
    ];
    expect(text).toContain(`__kit.register(${JSON.stringify(lines.join('\n'))}, __command0, "move.some", true, 1);`);
    expect(text).toContain(
      '__kit.register("name: move.none\\nflags: readonly\\narity: 1\\nacl: read", __command1, "move.none", false, 0);',
    );
  });
});

describe('what does not work in a cluster', () => {
  const tables = `const words = new Table<string, i64>("words");
const numbers = new Table<i64, i64>("numbers");
class At { constructor(public ms: i64) {} }
const times = new SortedTable<At, i64>("times");
function deep(): void { helper(); }
function helper(): void { words.clear(); }`;
  const noteOf = (line: string) => {
    const { faults, commands } = check(`${IMPORTS}\n${tables}\n${line}`);
    expect(faults).toEqual([]);
    return commands[0]!.notes[0]?.text;
  };
  test.each([
    ['command("A.B", "", (): void => words.set("a", 1));', 'in a cluster A.B writes words on whichever node it is sent to'],
    ['command("A.B", "n:integer", (n: i64): i64 => numbers.add(n, 1));', 'in a cluster A.B writes numbers on whichever node'],
    ['command("A.B", "", (): void => deep());', 'in a cluster A.B writes words on'],
    ['command("A.B", "key:key", (key: string): void => deep());', 'is refused for words.clear, which reaches other slots'],
    ['query("A.B", "key:key", (key: string): i32 => words.size);', 'is refused for words.size, which reaches other slots'],
    ['command("A.B", "key:key", (key: string): i64 => numbers.add(1, 1));', 'is refused for numbers, whose keys are no texts'],
    ['query("A.B", "key:key", (key: string): bool => times.has(new At(1)));', 'is refused for times, whose keys are no texts'],
  ])('%s', (line, note) => {
    expect(noteOf(line)).toContain(note);
  });

  test.each([
    'command("A.B", "key:key", (key: string): i64 => words.add(key, 1));',
    'command("A.B", "key:key n:integer", (key: string, n: i64): i64 => numbers.in(key).add(n, 1));',
    'command("A.B", "key:key", (key: string): void => times.in(key).clear());',
    'query("A.B", "", (): i32 => words.size + numbers.size);',
    'command("A.B", "[FROM key:key]", (key: string | null): void => { if (key !== null) words.delete(key); });',
  ])('%s works', (line) => {
    expect(noteOf(line)).toBeUndefined();
  });
});

describe('the rest of a file', () => {
  test('stands on the lines where it was', () => {
    const lines = 'command(\n  "A.B",\n  "",\n  (): string =>\n    "x",\n);\n\nfunction marked(): void {}\n// the end';
    const text = rewritten(lines);
    expect(text.split('\n').findIndex((line) => line.includes('marked'))).toBe(8);
    expect(text).toContain('(): string { return (\n    "x"); }');
    expect(text).toMatch(/\/\/ the end\n function __command0/);
  });

  test('imports what is there', () => {
    const text = check(
      'import type { Bytes } from "redis-wasm/kit";\nimport { command as c } from "redis-wasm/kit";\nc("A.B", "", (b: Bytes = new Uint8Array(0)): void => {});',
    );
    expect(text.faults.map(({ message }) => message)).toEqual([expect.stringContaining('The syntax of A.B has 0 arguments (none)')]);
    const { texts } = check(
      'import type { Bytes } from "redis-wasm/kit";\nimport { command as c } from "redis-wasm/kit";\nc("A.B", "", (): void => {}); export function g(b: Bytes): void {}',
    );
    expect(texts['limit.ts']).toMatch(
      /^import \* as __kit from "~lib\/redis-wasm\/kit\/generated"; import {2}\{ Bytes \} from "redis-wasm\/kit";\nimport \{ {2}\} from/,
    );
  });

  test('loops over what it walked over', () => {
    const text = rewritten(
      'command("A.B", "", f);\nfunction f(): void {\n  for (const x of [1, 2]) g(x);\n  for (let c of "ab") { c = c; }\n  for (const s of new Set<string>()) s.length;\n}\nfunction g(x: i32): void {}',
    );
    expect(text).toContain(
      'for (let __list0 = [1, 2], __at0: i32 = 0; __at0 < __list0.length; __at0++) { const x = __list0[__at0]; g(x); }',
    );
    expect(text).toContain(
      'for (let __list1 = __characters("ab"), __at1: i32 = 0; __at1 < __list1.length; __at1++) { let c = __list1[__at1]; c = c; }',
    );
    expect(text).toContain('for (let __list2 = (new Set<string>()).values(), __at2: i32 = 0;');
    expect(text).toContain('import { characters as __characters } from "~lib/redis-wasm/kit/characters";');
  });

  test('sorts by more than the 32 bits of a difference', () => {
    const text = rewritten('command("A.B", "", f);\nfunction f(): void { [1.5].sort((a, b) => b - a); [2].sort((a, b) => i32(a) - 1); }');
    expect(text).toContain('.sort((a, b) => i32(b > a) - i32(b < a)); [2].sort((a, b) => i32(a) - 1);');
  });

  test('has codecs for the classes of tables', () => {
    const text = rewritten(
      `class Place { constructor(readonly x: f64, public y: f64 = 1) {} }
class User { name: string = ""; readonly tags: string[] = []; home: Place | null = null; work: Place = new Place(1, 2); ways: Place[] = [] ; photo: Bytes = new Uint8Array(0) }
class Score { constructor(public points: i64, public user: string) {} }
class Other { x: i64 = 0; }
const users = new Table<string, User>("users");
const scores = new SortedTable<Score, bool>("scores");
command("A.B", "", (): void => {});`,
    );
    const place = '{x:f64,y:f64}';
    expect(text).toContain(
      `kitFields(): string { return "name:string,tags:string[],home:${place}?,work:${place},ways:${place}[],photo:bytes"; }`,
    );
    expect(text).toContain('kitDefaults(): void { this.x = 0; this.y = 1; }');
    expect(text).toContain('this.home = null; this.work = new Place(1, 2); this.ways = [];');
    expect(text).toContain('constructor(public x: f64, public y: f64 = 1) {}');
    expect(text).toContain('photo: Bytes = new Uint8Array(0) ; kitFields()');
    expect(text).toContain('case 2: this.home = __kit.read<Place | null>(from); break;');
    expect(text).toContain(
      'kitWriteKey(out: __kit.Writer): void { __kit.writeKey<i64>(out, this.points); __kit.writeKey<string>(out, this.user); }',
    );
    expect(text).toContain('class Other { x: i64 = 0; }\n');
  });

  test('of a package puts its variables back', () => {
    const text =
      'export let count: i32 = 0;\nconst fixed = 1;\nclass Pool<T> { static free: i32 = 0; }\nexport class Ids { static next: i32 = 1; static readonly first: i32 = 1; private static p: i32 = 0; }';
    expect(restoreGlobals(text)).toBe(
      `import { onBegin as __onBegin } from "~lib/redis-wasm/kit/generated"; ${text}\n` +
        'let __saved0 = count; let __saved1 = Ids.next; function __restore(): void { count = __saved0; Ids.next = __saved1; } __onBegin(__restore);\n',
    );
    expect(restoreGlobals('export const x = 1;')).toBe('export const x = 1;');
  });
});

test('a section is put behind a file, and the memory that it asks for is read', () => {
  const header = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0];
  // (import "env" "f" (func (type 0))) (import "env" "memory" (memory 300))
  const types = [1, 4, 1, 0x60, 0, 0];
  const imports = [2, 22, 2, 3, 101, 110, 118, 1, 102, 0, 0, 3, 101, 110, 118, 6, 109, 101, 109, 111, 114, 121, 2, 0, 0xac, 2];
  imports[1] = imports.length - 2;
  const wasm = withSection(Uint8Array.from([...header, ...types, ...imports]), 'redis-wasm', `name: limit\n${'x'.repeat(200)}`);
  const module = new WebAssembly.Module(wasm as Uint8Array<ArrayBuffer>);
  expect(Buffer.from(WebAssembly.Module.customSections(module, 'redis-wasm')[0]!).toString()).toContain('name: limit\nxxx');
  expect(memoryEnd(wasm)).toBe(300 * 65_536);
});

test('what was compiled before is taken while its sources are the same', async () => {
  const other = 'export function one(): i64 { return 1; }\n';
  const text = `${IMPORTS} import { one } from "./other";\nquery("A.B", "", (): i64 => one());\n`;
  await withFiles({ 'limit.ts': text, 'other.ts': other }, async (folder) => {
    const compiler = new Compiler();
    const build = (by: Compiler, checks = false) =>
      compile(
        { file: path.join(folder, 'limit.ts'), name: 'limit', levels: [0], checks, cache: new Cache(path.join(folder, 'cache')) },
        by,
      );
    const { wasm } = await build(compiler);
    compiler.end();
    const none = { run: () => Promise.reject(new Error('it is compiled')) } as unknown as Compiler;
    expect(Buffer.from((await build(none)).wasm!)).toEqual(Buffer.from(wasm!));
    await expect(build(none, true)).rejects.toThrow('it is compiled');
    writeFileSync(path.join(folder, 'other.ts'), other.replace('return 1', 'return 2'));
    await expect(build(none)).rejects.toThrow('it is compiled');
  });
});

test.each([
  ['its syntax', 'const x = ;'],
  ['a rule', 'let x: i64 = 0;'],
  ['a type', 'query("A.D", "", (): i32 => now());'],
])('no file is optimised while there is another with a fault: %s', async (_, line) => {
  const good = `${IMPORTS}\nquery("A.B", "", (): i64 => 1);\n`;
  await withFiles({ 'good.ts': good, 'wrong.ts': `${good.replace('A.B', 'A.C')}${line}\n` }, async (folder) => {
    const compiler = new Compiler();
    const modules = ['good', 'wrong'].map((name) => ({ name, file: path.join(folder, `${name}.ts`) }));
    const begun: string[] = [];
    const how = { out: path.join(folder, 'out'), levels: [1], optimising: ({ name }: { name: string }) => void begun.push(name) };
    await expect(buildModules(modules, how, compiler)).rejects.toThrow(/wrong\.ts:3:\d+: /);
    expect(begun).toEqual([]);
    expect(existsSync(path.join(folder, 'out/good.wasm'))).toBe(false);
    expect(await buildModules(modules.slice(0, 1), how, compiler)).toHaveLength(1);
    expect(begun).toEqual(['good']);
    compiler.end();
  });
});
