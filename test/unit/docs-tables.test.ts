/**
 * The tables of the documentation against what they tell of: settings, fields of INFO, commands, events,
 * measures, scripts, folders.
 */
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { commandsPage } from '../../scripts/lib/commands.ts';
import { FakeServer } from '../support/fake-redis.ts';

const ROOT = path.resolve(import.meta.dirname, '../..');
const read = (file: string): string => readFileSync(path.join(ROOT, file), 'utf8');

/** The rows of the tables under a heading of a page, each as its cells. */
function rows(file: string, heading: string): string[][] {
  const level = heading.indexOf(' ');
  const [, text = ''] = read(file).split(`\n${heading}\n`);
  expect(text, `${file}: ${heading}`).not.toBe('');
  const [section = ''] = text.split(new RegExp(`\n#{1,${level}} `));
  const table = section.split('\n').filter((line) => line.startsWith('|') && !/^\|[-|]+\|$/.test(line));
  return table.map((line) => line.slice(1, -1).split(/(?<!\\)\|/));
}
const cells = (row: string[]): string[] => row.map((cell) => cell.trim().replaceAll(/[`*]/g, '').replaceAll('\\|', '|'));

const server = new FakeServer();

describe('settings', () => {
  const documented = new Map(
    rows('docs/OPERATIONS.md', '## Settings')
      .slice(1)
      .map(cells)
      .map(([name = '', , range = '', value = '']) => [name, { range, value }]),
  );
  const units: Record<string, number> = { mb: 2 ** 20, gb: 2 ** 30 };
  const numberOf = (text: string): number => {
    const [, digits = '', unit = ''] = /^([\d,]+)(mb|gb)?$/.exec(text) ?? [];
    return Number(digits.replaceAll(',', '')) * (units[unit] ?? 1);
  };

  /** Of the host's own: what it registers, in its words. */
  function ofHost(): Map<string, number[]> {
    const source = read('host/src/server/config.rs');
    const value = (words: string): number =>
      eval(words.replaceAll('_', '').replaceAll('MIB', '2**20').replaceAll('GIB', '2**30')) as number;
    const calls = source.matchAll(/register_numeric\(ctx, c"([\w-]+)", &\w+, ([^,]+), [^,]+, ([^,]+), ([^,)]+)\)/g);
    return new Map([...calls].map(([, name, ...values]) => [`wasm.${name}`, values.map(value)]));
  }

  test('the page has each of them, with its default and range', () => {
    const ofModules = [...server.settings].map(
      ([name, { default: value, min, max }]) => [`wasm.${name}`, [value, min, max].map(Number)] as const,
    );
    const registered = new Map<string, number[]>([...ofHost(), ...ofModules]);
    expect(registered.size).toBe(6);
    const texts = [...read('host/src/server/config.rs').matchAll(/register_text\(ctx, c"([\w-]+)"/g)].map(([, name]) => `wasm.${name}`);
    const choices = [...read('host/src/server/config.rs').matchAll(/register_choice\(ctx, c"([\w-]+)", &\w+, \[([^\]]*)\]/g)];
    expect(choices.length).toBe(2);
    const chosen = choices.map(([, name]) => `wasm.${name}`);
    expect([...documented.keys()].sort()).toEqual([...registered.keys(), ...texts, ...chosen].sort());
    for (const [name, [value, min, max]] of registered) {
      const told = documented.get(name);
      const [low = '', high = ''] = told?.range.split(' to ') ?? [];
      expect([told?.value ?? '', low, high].map(numberOf), name).toEqual([value, min, max]);
    }
    for (const [, name, values = ''] of choices) {
      const words = [...values.matchAll(/c"(\w+)"/g)].map(([, word]) => word);
      expect(documented.get(`wasm.${name}`), name).toEqual({ range: words.join(', '), value: words[0] });
    }
  });
});

test('the page has every field of INFO, and no other', () => {
  const source = read('host/src/duties/info.rs');
  const ofHost = [...source.matchAll(/info\.number\(c"(\w+)"|info\.text\("(\w+)"/g)].map((match) => match[1] ?? match[2]);
  const ofEach = [...source.matchAll(/ number\("(\w+)"|info\.(?:number|text)_of\(name, "(\w+)"/g)].map((match) => match[1] ?? match[2]);
  const links = [...source.matchAll(/format!\("(link_\{namespace\}\w*)"\)/g)].map((match) =>
    match[1]?.replace('{namespace}', '<NAMESPACE>'),
  );
  const ofModules = ['hashmap', 'session'].flatMap((name) =>
    [...read(`assembly/${name}.ts`).matchAll(/infoField\(changetype<usize>\("(\w+)"\)/g)].map((match) => match[1]),
  );
  expect([ofHost.length, ofEach.length]).toEqual([8, 19]);
  expect(links.length).toBe(2);
  const named = [...ofEach, ...links, ...ofModules].map((name) => `<module>_${name}`);
  const fields = new Set([...ofHost, ...named].map((name) => `wasm_${name}`));
  const documented = rows('docs/OPERATIONS.md', '## Watching')
    .slice(1)
    .map((row) => cells(row)[0]);
  expect(documented.sort()).toEqual([...fields].sort());
});

describe('commands', () => {
  test('docs/COMMANDS.md has what the server is told: run npm run docs', () => {
    const { file, text } = commandsPage();
    expect(readFileSync(file, 'utf8')).toBe(text);
  });

  const EFFECTS = ['CUSTOM.APPLY', 'SESSION.APPLY'];
  const usages = rows('docs/COMMANDS.md', '## Replies')
    .slice(1)
    .flatMap(([usage = '']) => [...usage.matchAll(/`([^`]+)`/g)].map((match) => match[1]!.replaceAll('\\|', '|')));

  test('the page has each of them once, with its replies', () => {
    const served = [...server.commands.keys()].map((name) => name.toUpperCase()).filter((name) => !EFFECTS.includes(name));
    expect(usages.map((usage) => usage.split(' ')[0]).sort()).toEqual(served.sort());
  });

  test.each(usages)('%s has the words that the server is told of', (usage) => {
    const [name = '', ...words] = usage.split(/[ [\]|]+/);
    const told = server.commandInfo.get(name.toLowerCase()) ?? '';
    const syntax = /^\s*syntax: (.*)$/m.exec(told)?.[1] ?? '';
    const tokens = (text: string[]): string[] => text.filter((word) => /^[A-Z]+$/.test(word)).sort();
    expect(tokens(words)).toEqual(tokens(syntax.split(/[ [\]()|]+/)));
  });
});

test('docs/ABI.md has every event', () => {
  const [, section = ''] = read('docs/ABI.md').split('\n## Notifications\n');
  const events = ['hashmap', 'session'].flatMap((name) =>
    [...read(`assembly/${name}/replication/events.ts`).matchAll(/changetype<usize>\("([\w.]+)"\)/g)].map((match) => match[1]!),
  );
  const told = [...section.split('\n## ')[0]!.matchAll(/`((?:custom|session)\.\w+)`/g)].map((match) => match[1]);
  expect(events.length).toBe(14);
  expect([...new Set(told)].sort()).toEqual(events.sort());
});

test('docs/BENCHMARKS.md has every measure', () => {
  const [, list = ''] = /const MEASURES: Measure\[\] = \[([^\]]*)\]/.exec(read('bench/main.ts')) ?? [];
  const measures = [...list.matchAll(/\w+/g)].map((match) => match[0]);
  const [table = ''] = read('docs/BENCHMARKS.md').split('\n## ');
  const told = [...table.matchAll(/^\| (`.*?`) \|/gm)].flatMap((row) => [...row[1]!.matchAll(/`([\w]+)`/g)].map((match) => match[1]));
  expect(told.sort()).toEqual(measures.sort());
});

test('CONTRIBUTING.md has every script and every folder of tests', () => {
  const scripts = Object.keys((JSON.parse(read('package.json')) as { scripts: Record<string, string> }).scripts);
  const named = [...read('CONTRIBUTING.md').matchAll(/npm (?:run )?([a-z:]+)/g)].map((match) => match[1]!);
  expect(scripts.filter((script) => !named.includes(script) && !/^(?:asbuild:|pre)/.test(script))).toEqual([]);
  const folders = rows('CONTRIBUTING.md', '## Tests')
    .slice(1)
    .map((row) => cells(row)[0]!);
  expect(folders.filter((folder) => !existsSync(path.join(ROOT, folder)))).toEqual([]);
});
