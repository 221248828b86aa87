/**
 * docs/KIT.md, from its beginning to its end, on one server: each block of TypeScript is a module, which from
 * there on is served, with all data kept; each transcript is what that server answers.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { check } from '../support/author.ts';
import { buildKit } from '../support/kit.ts';
import { HASHMAP_FILE, HOST_FILE, ROOT, SESSION_FILE, TestServer } from '../support/server.ts';
import { exchangesOf, pattern, shown, words } from '../support/transcript.ts';

const PAGE = readFileSync(path.join(ROOT, 'docs/KIT.md'), 'utf8');
const NAMES = [
  ...[
    'command',
    'query',
    'custom',
    'session',
    'caller',
    'equal',
    'every',
    'hmac',
    'info',
    'keys',
    'log',
    'now',
    'on',
    'publish',
    'randomBytes',
    'redis',
    'setting',
  ],
  ...['sha256', 'uuid', 'Bytes', 'KEEP', 'Reply', 'SortedTable', 'Table'],
];

interface Block {
  line: number;
  language: string;
  text: string;
}
const blocks: Block[] = [...PAGE.matchAll(/^```(\w*)\n([^]*?)^```/gm)].map(({ index, 1: language = '', 2: text = '' }) => ({
  line: PAGE.slice(0, index).split('\n').length,
  language,
  text,
}));

const folder = mkdtempSync(path.join(tmpdir(), 'kit-docs-'));
const server = new TestServer();
/** The texts of the modules, and their files, by name. */
const texts = new Map<string, string>();
const files = new Map<string, string>();
let isChanged = true;

// The tutorial's server has what `new` makes.
beforeAll(async () => {
  await server.start();
  await serve(readFileSync(path.join(ROOT, 'kit/template/counter.ts'), 'utf8'));
});
afterAll(async () => {
  await server.stop();
  rmSync(folder, { recursive: true });
});

/** What a block says of a command, from its declaration to the end of its function. */
const COMMAND = /^(?:command|query)\("(\w+)\.\w+"/m;

/** The whole text of a module: what adds a command to the one before begins with it. */
function moduleOf(text: string): [name: string, text: string] {
  const name = COMMAND.exec(text)?.[1]?.toLowerCase() ?? '';
  const before = texts.get(name);
  if (COMMAND.exec(text)?.index === 0 && before !== undefined) {
    return [name, `${before.replace(/^import \{[^}]*\}/, (line) => line.replace(' }', ', Reply }'))}\n${text}`];
  }
  if (text.startsWith('import ')) return [name, text];
  return [name, `import { ${NAMES.filter((each) => new RegExp(`\\b${each}\\b`).test(text)).join(', ')} } from "redis-wasm/kit";${text}`];
}

async function serve(text: string): Promise<void> {
  const [name, whole] = moduleOf(text);
  const file = path.join(folder, `${name}.ts`);
  writeFileSync(file, whole);
  const [output = ''] = await buildKit([file], true, [1]);
  texts.set(name, whole);
  files.set(name, output);
  isChanged = true;
}

async function follow(block: string): Promise<void> {
  if (isChanged) {
    await server.send('SAVE');
    server.change({ module: [HOST_FILE, HASHMAP_FILE, SESSION_FILE, ...files.values()] });
    await server.restart();
    isChanged = false;
  }
  for (const { line, reply } of exchangesOf(block)) {
    expect(shown(await server.send(...words(line))).join('\n'), line).toMatch(pattern(reply));
  }
}

test('the page has blocks of each kind', () => {
  const count = (language: string) => blocks.filter((block) => block.language === language).length;
  expect(count('ts')).toBeGreaterThan(10);
  expect(count('')).toBeGreaterThan(10);
  expect(new Set(blocks.map(({ language }) => language))).toEqual(new Set(['ts', '', 'js', 'json', 'sh']));
});

test.for(blocks.filter(({ language }) => language === 'ts' || language === ''))('line $line', async ({ language, text }) => {
  await (language === 'ts' ? serve(text) : follow(text));
});

test('the project that the tutorial makes has the module that it shows', () => {
  const [shownText = ''] = blocks.filter(({ language }) => language === 'ts').map(({ text }) => text);
  const template = readFileSync(path.join(ROOT, 'kit/template/counter.ts'), 'utf8');
  const code = (text: string) => text.split('\n').filter((line) => line.trim() !== '' && !/^\s*(?:\/\/|\/\*)/.test(line));
  // Its lines, in their order: the page leaves out comments and the last command.
  let at = 0;
  for (const line of code(template)) if (line === code(shownText)[at]) at++;
  expect(code(shownText).slice(at)).toEqual([]);
});

const [, instead = ''] = /<!-- instead -->([^]*?)<!-- end -->/.exec(PAGE) ?? [];
const rows = [...instead.matchAll(/^\| `(.*?)` \| `(.*?)` \|$/gm)].map(([, not, but]) =>
  [not, but].map((cell) => cell!.replaceAll('\\|', '|')),
);

const inside = (code: string) =>
  `import { log, command, now } from "redis-wasm/kit";\n` +
  `function f(list: i64[], text: string | null, map: Map<string, i64>): void { ${code} }\ncommand("T.EST", "", test); function test(): void {}\n`;

test.each(rows)('%s is told of, and %s is not', (not, but) => {
  expect(check(inside(not)).faults).not.toEqual([]);
  expect(check(inside(but)).faults).toEqual([]);
});

test('what is to be written instead compiles', async () => {
  expect(rows.length).toBeGreaterThan(10);
  const file = path.join(folder, 'instead.ts');
  const functions = rows.map(
    ([, but], at) => `export function f${at}(list: i64[], text: string | null, map: Map<string, i64>): void { ${but!} }`,
  );
  const calls = rows.map((_, at) => `f${at}([1, 2], "", new Map<string, i64>());`);
  const handler = `command("T.EST", "", test); function test(): void { ${calls.join(' ')} }`;
  writeFileSync(file, `import { log, command, now } from "redis-wasm/kit";\n${functions.join('\n')}\n${handler}\n`);
  await expect(buildKit([file], true, [1])).resolves.toHaveLength(1);
});
