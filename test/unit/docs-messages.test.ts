/**
 * docs/ERRORS.md against the sources: every text that a client, the log or a refused load is told is there,
 * and no other.
 */
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';

const ROOT = path.resolve(import.meta.dirname, '../..');
/** What the server says by itself, and what is composed of parts that stand in the page one by one. */
const NOT_A_LITERAL = [
  "ERR wrong number of arguments for '<>' command",
  "ERR unknown command '<>', with args beginning with: <>",
  'load hashmap.wasm or another module that serves it',
  'No such file or directory',
  'ERR broken: <>',
];
/** How a message ends after which the server does. */
const GIVING_UP = ': this server ends, since its data would diverge';
/**
 * Literals of the host that tell nobody anything: parts of texts, documentation of a command, an errand of
 * its own.
 */
const NOT_A_MESSAGE = [
  'an import call',
  'load <> or another module that serves it',
  'load a module that serves <>',
  'was set back',
  'cannot be set back',
  'by command',
  'function <>',
  '<> of <>',
  '<>; functions: <>',
  "ERR unknown command '",
  "', with args beginning with:",
  'ERR <>',
  'it refuses a null function alone',
  "Checks that the module's tables hold together",
];

const read = (file: string): string => readFileSync(path.join(ROOT, file), 'utf8');
const filesIn = (folder: string, end: string): string[] =>
  readdirSync(path.join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith(end))
    .map((name) => path.join(folder, name));

/** What differs becomes `<>`, and so does the command that an error names. */
const normal = (text: string): string =>
  text
    .replaceAll(/<[^<>]*>|\{[^{}]*\}/g, '<>')
    .replaceAll(/'(?:session|custom)\.\w+'/g, "'<>'")
    .trim();

/** The code spans of a part of the page. */
const spansOf = (text: string): string[] =>
  [...text.matchAll(/``\s?(.+?)\s?``|`([^`]+)`/g)].map((match) => normal((match[1] ?? match[2] ?? '').replaceAll('\\|', '|')));

/**
 * The messages of the page: the first column of its tables, the second of the last one, and the lists outside
 * of tables.
 */
function documented(): string[] {
  const [common = '', authors = ''] = read('docs/ERRORS.md').split('### For authors of modules');
  const cells = (text: string, column: number) =>
    [...text.matchAll(/^\|(.*)\|$/gm)].map((row) => row[1]!.split(/(?<!\\)\|/)[column] ?? '').join('\n');
  const lists = [...common.matchAll(/^The invariants are[^]*?\n\n|^What the errors of[^:]*:[^]*?\n\n/gm)].map((list) =>
    list[0].slice(list[0].indexOf(':')),
  );
  return [cells(common, 0), ...lists, cells(authors, 1)].flatMap(spansOf);
}

/**
 * Of assembly/: lines under construction, `line(…)` with what is appended, the reasons that are handed to
 * another function, and the broken invariants.
 */
function ofModules(): string[] {
  const texts: string[] = [];
  for (const file of filesIn('assembly', '.ts')) {
    const source = read(file).replaceAll(/\/\*[^]*?\*\/|\/\/.*/g, '');
    for (const [, reason] of source.matchAll(/\b(?:failBroken|refuse|refuseSession)\(changetype<usize>\("([^"]+)"\)\)/g))
      texts.push(reason!);
    for (const [, check] of source.matchAll(/\breturn\b([^;]*);/g))
      for (const [, broken] of check!.matchAll(/changetype<usize>\("([^"]+)"\)/g))
        texts.push(broken!.replace(/^(.*, rule )\d$/, 'ERR broken: $1<n>'));
    for (const [, begin, rest] of source.matchAll(/\bline\(([^;]*)\);([^]*?)(?:\n\}|failLine|logWarning|ReplyWithError)/g)) {
      const appended = [...rest!.matchAll(/append(Text\(changetype<usize>\("([^"]*)"\)\)|Text\(|Echo\(|Number\()/g)];
      const end = appended.map((part) => part[2] ?? '<>').join('');
      for (const [, literal] of begin!.matchAll(/changetype<usize>\("([^"]*)"\)/g)) texts.push(literal! + end);
    }
  }
  return texts;
}

/** Of host/src: the literals of more than one word, without tests, panics and expectations. */
function ofHost(): string[] {
  const why = /let why = "([^"]+)"/.exec(read('host/src/duties/append_only.rs'))?.[1] ?? '';
  const files = filesIn('host/src', '.rs').filter((file) => !file.endsWith('namespace.rs'));
  return files.flatMap((file) => {
    const source = read(file)
      .replace(/#\[cfg\(test\)\][^]*/, '')
      .replaceAll(/^\s*\/\/.*$/gm, '')
      .replaceAll(/(?:\.expect\(|assert!\([^;]*, )"[^"]*"\)/g, '')
      .replaceAll(/const (?:MODULES|APPLY_TEXT): [^;]*;/g, '')
      .replaceAll(/c"(?:readonly|admin) [a-z -]+"/g, '')
      .replaceAll(/"summary: [^"]*"/g, '')
      .replaceAll('{NS}', 'redis')
      .replace(/let why = "[^"]+"/, '')
      .replace('{why}', why)
      .replaceAll(/(give_up\((?:&format!\()?"[^"]+)"/g, `$1${GIVING_UP}"`)
      .replace(`"{message}${GIVING_UP}"`, '');
    return [...source.matchAll(/"((?:[^"\\]|\\.)*)"/g)].map((match) => match[1]!);
  });
}

/** Whether a literal is a text for people: words, whatever is filled in. */
const isMessage = (text: string): boolean => text.includes(' ') && /[a-z]{2}/i.test(text.replaceAll('<>', ''));

const sorted = (texts: Iterable<string>): string[] => [...new Set(texts)].sort();

test('the page has every message of the modules and of the host', () => {
  const page = new Set(spansOf(read('docs/ERRORS.md')));
  const said = [...ofModules(), ...ofHost()].map(normal).filter(isMessage);
  expect(said.length).toBeGreaterThan(150);
  expect(sorted(said.filter((text) => !page.has(text) && !NOT_A_MESSAGE.includes(text)))).toEqual([]);
});

test('the page has no message that is said no longer', () => {
  const said = new Set([...ofModules(), ...ofHost()].map(normal));
  expect(sorted(documented().filter((text) => !said.has(text) && !NOT_A_LITERAL.includes(text)))).toEqual([]);
});
