/** `every(…)` and `on(…)` in an author's file: what becomes of them, and what is wrong with them. */
import { describe, expect, test } from 'vitest';
import { check, IMPORTS } from '../support/author.ts';

const HANDLERS = `
function f(): void { table.add("runs", 1); }
function g(key: string, event: string): void { table.add(key + event, 1); }
const table = new Table<string, i64>("table");`;
const checked = (lines: string) => check(`${IMPORTS.replace('{', '{ every, on, type About,')}\n${lines}\n${HANDLERS}`);
const faultsOf = (lines: string): string[] =>
  checked(lines).faults.map(({ line, column, message, instead = '' }) => `${line}:${column} ${message} → ${instead}`);
const textOf = (lines: string): string => checked(lines).texts['limit.ts'] ?? '';

describe('every', () => {
  test.each([
    ['every(10, f);', 10],
    ['every(60_000, f);', 60_000],
    ['every(24 * 60 * 60 * 1000, f);', 86_400_000],
    ['const MINUTE = 60 * 1000; every(i64(MINUTE) * 5 + (1 - 1), f);', 300_000],
    ['every(365 * 24 * 3_600_000, f);', 31_536_000_000],
    ['every(20, (): void => { table.add("runs", 1); });', 20],
    ['every(20, function (): void { table.add("runs", 1); });', 20],
  ])('%s', (line, ms) => {
    expect(faultsOf(line)).toEqual([]);
    expect(checked(line).triggers).toEqual([`every(${ms})`]);
    expect(textOf(line)).toContain(`__kit.noteEvery(${ms}, __triggert0);`);
  });

  test.each([
    ['every(60_000);', '2:1 every needs an interval and a handler → Write every(60_000, tidy); with function tidy(): void { … }'],
    ['every(9, f);', '2:7 The interval of every is 9 ms: it is a whole number from 10 to 31536000000 → '],
    ['every(0, f);', '2:7 The interval of every is 0 ms: it is a whole number from 10'],
    ['every(-60_000, f);', '2:7 The interval of every is -60000 ms: it is a whole number from 10'],
    ['every(1.5 * 15, f);', '2:7 The interval of every is 22.5 ms: it is a whole number'],
    ['every(1e12, f);', '2:7 The interval of every is 1000000000000 ms: it is a whole number from 10 to 31536000000, which is a year → '],
    [
      'every("1m", f);',
      '2:7 The interval of every is known when it is built → Write it in milliseconds: every(60_000, …) or every(60 * 1000, …)',
    ],
    ['const often = setting("often", 60, 1, 90); every(i32(often.value), f);', '2:50 The interval of every is known when it is built'],
    ['every(100 / 3, f);', '2:7 The interval of every is known when it is built'],
    ['every(20, g);', '5:12 g is given nothing, and has the parameter key → Write function g(): void'],
    ['every(20, (): i64 => 1);', '2:15 The handler returns i64, and nobody is answered → Write (): void => …'],
    ['every(20, () => { table.add("runs", 1); });', '2:11 The handler does not say all of its types → Write (): void => …'],
    ['every(20, table);', '2:11 The handler is no function of this module → Write a function at the top level'],
    [
      Array.from({ length: 65 }, () => 'every(20, f);').join('\n'),
      '66:1 There are more than 64 of every(…) → Have one handler do what several do.',
    ],
  ])('%s', (line, fault) => {
    expect(faultsOf(line).join('\n')).toContain(fault);
  });
});

describe('on', () => {
  test.each([
    ['on("expired", "user:*", g);', 'on("expired", "user:*")'],
    ['on("*", "*", g);', 'on("*", "*")'],
    ['on("limit.take", "a[bc]?\\\\*", (key: Bytes): void => { table.add("runs", 1); });', 'on("limit.take", "a[bc]?\\\\*")'],
    ['on("del", "*", f);', 'on("del", "*")'],
  ])('%s', (line, shown) => {
    expect(faultsOf(line)).toEqual([]);
    expect(checked(line).triggers).toEqual([shown]);
    expect(textOf(line)).toContain(`__kit.noteOn(${shown.slice(3, -1)}, __triggert0);`);
  });

  test('reads what its handler takes, and no more', () => {
    expect(textOf('on("set", "*", g);')).toContain(
      'const __0 = __kit.argString(__argv, 0); const __1 = __kit.argString(__argv, 1); g(__0, __1);',
    );
    expect(textOf('on("set", "*", (key: Bytes): void => {});')).toContain('const __0 = __kit.argBytes(__argv, 0); __handlert0(__0);');
  });

  test.each([
    ['on("set", g);', '2:1 on needs an event, a pattern of keys and a handler → Write on("expired", "user:*", gone);'],
    ['on("SET", "*", g);', '2:4 Events are in small letters, and SET is not → Write "set"'],
    ['on("__keyevent@0__:expired", "*", g);', '2:4 __keyevent@0__:expired is a channel of PUBLISH → Write the event alone: "expired"'],
    [
      'on("keymiss", "*", g);',
      '2:4 No handler is run after keymiss, which changes no value → Choose the event of a change, such as "set" or "del".',
    ],
    ['on("", "*", g);', '2:4 "" is no event → Write its name, such as "expired", or "*" for all of them.'],
    ['on("a b", "*", g);', '2:4 "a b" is no event → '],
    [`on("${'e'.repeat(129)}", "*", g);`, "2:4 An event's name has 128 bytes at most → "],
    ['on("set", "", g);', '2:11 An empty pattern stands for no key → Write "*" for all keys, or "user:*" for some.'],
    [
      `on("set", "${'ä'.repeat(513)}", g);`,
      '2:11 A pattern has 1024 bytes at most → Write a shorter one, and test the key in the handler.',
    ],
    ['const e = "set"; on(e, "*", g);', '2:21 The event of on is known when it is built → Write it as a text: "…"'],
    ['const p = "*"; on("set", p, g);', '2:26 The pattern of on is known when it is built'],
    [
      'on("set", "*", (key: i64): void => {});',
      '2:17 The handler is given the key, a string or Bytes, and has key: i64 → Write (key: string, event: string): void => …',
    ],
    ['on("set", "*", (key: string, event: Bytes): void => {});', '2:30 The handler is given the event, a string, and has event: Bytes'],
    [
      'on("set", "*", (key: string, event: string, db: i32): void => {});',
      '2:45 The handler is given the key and the event, and has the parameter db',
    ],
    ['on("set", "*", (key: string = ""): void => {});', '2:17 The handler is given the key, a string or Bytes, and has key: string = ""'],
    ['on("set", "*", (key: string): string => key);', '2:31 The handler returns string, and nobody is answered'],
    ['on("set", "*", (key) => {});', '2:16 The handler does not say all of its types'],
  ])('%s', (line, fault) => {
    expect(faultsOf(line).join('\n')).toContain(fault);
  });
});

test('a module needs no command beside them, and keeps every line in its place', () => {
  const text = `on("del", "*", (key: string): void => {\n  table.add(key, 1);\n});\nevery(20, f);`;
  expect(faultsOf(text)).toEqual([]);
  expect(
    textOf(text)
      .split('\n')
      .findIndex((line) => line.includes('function f()')),
  ).toBe(6);
  expect(textOf(text)).not.toMatch(/import \{[^}]*\b(?:every|on)\b/);
});

test('they stand at the top level of a file', () => {
  const inside = 'command("T.EST", "", test); function test(): void { every(20, f); }';
  expect(faultsOf(inside)).toEqual([
    '2:53 every() declares what the module does, once → Write it as a statement at the top level of a file.',
  ]);
});
