/**
 * What a server's configuration loads: its lines as the server reads them, and the files that they include.
 */
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';

/** Of a line: plain, or in quotes. */
const WORD = /"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|\S+/g;
/** Of a pattern of files, as the server has them from glob(3): `*`, `?`, a set, or any other character. */
const PATTERN_PART = /\*|\?|\[(!?)([^\]]+)\]|[^]/g;

function wordsOf(line: string): string[] {
  return (line.match(WORD) ?? []).map((word) => (/^["']/.test(word) ? word.slice(1, -1).replaceAll(/\\(.)/g, '$1') : word));
}

/**
 * The lines of a configuration file; none where it cannot be read, which the server will tell. Comments are
 * lines of no known name.
 */
function linesOf(file: string): string[][] {
  try {
    return readFileSync(file, 'utf8').split('\n').map(wordsOf);
  } catch {
    return [];
  }
}

/** The lines that a server makes of its arguments: each `--name` begins one. */
function optionLines(given: string[]): string[][] {
  const lines: string[][] = [];
  for (const word of given) {
    if (word.startsWith('--')) lines.push(wordsOf(word.slice(2)));
    else lines.at(-1)?.push(word);
  }
  return lines;
}

/** What of a server's settings matters here. */
export interface Settings {
  /** whether host.so is loaded, by a line or by a file that one includes */
  loadsHost: boolean;
  /** whether a line says where compiled code is kept */
  namesCache: boolean;
  /** where the data goes, absolute */
  folder: string;
  /** whether a line says where */
  namesFolder: boolean;
  /** whether data is written there: at points of saving, or to an append-only file */
  isKept: boolean;
}

/**
 * What a server makes of its arguments: of a configuration file first, if there is one, and the files that it
 * includes, and of the options.
 * @param folder - where the server is started
 */
export function settingsOf(given: string[], folder: string): Settings {
  const file = configurationFile(given, folder);
  const reader = { folder, included: new Set<string>() };
  const found = { loadsHost: false, namesCache: false, namesFolder: false };
  let saves = true;
  let appends = false;
  for (const [name, values] of expanded([...(file === undefined ? [] : linesOf(file)), ...optionLines(given)], reader)) {
    if (name === 'loadmodule') found.loadsHost ||= path.basename(values[0] ?? '') === 'host.so';
    else if (name === 'wasm.cache') found.namesCache = true;
    else if (name === 'dir') found.namesFolder = true;
    else if (name === 'save') saves = values.join('') !== '';
    else if (name === 'appendonly') appends = values[0]?.toLowerCase() === 'yes';
  }
  return { ...found, folder: reader.folder, isKept: saves || appends };
}

/** The configuration file among a server's arguments, absolute: the first of them, unless it is an option. */
export function configurationFile([first]: string[], folder: string): string | undefined {
  return first === undefined || first.startsWith('-') ? undefined : path.resolve(folder, first);
}

/** Where reading has come to. */
interface Reader {
  /** What relative paths are relative to: a `dir` line leads elsewhere. */
  folder: string;
  /** Files that were included: one that includes itself is read once. */
  included: Set<string>;
}

/**
 * The lines, each with its name in small letters, and in place of those that include files the lines of
 * these.
 */
function* expanded(lines: string[][], reader: Reader): Generator<[name: string, values: string[]]> {
  for (const [word = '', ...values] of lines) {
    const name = word.toLowerCase();
    const [value] = values;
    if (name === 'dir' && value !== undefined) reader.folder = path.resolve(reader.folder, value);
    if (name !== 'include' || value === undefined) yield [name, values];
    else {
      for (const file of matching(path.resolve(reader.folder, value))) {
        if (reader.included.has(file)) continue;
        reader.included.add(file);
        yield* expanded(linesOf(file), reader);
      }
    }
  }
}

/** The files that an absolute path stands for, in order: more than one, or none, where it is a pattern. */
function matching(pattern: string): string[] {
  return pattern
    .split('/')
    .slice(1)
    .reduce<string[]>(
      (folders, part) => folders.flatMap((folder) => namesLike(part, folder).map((name) => path.join(folder, name))),
      ['/'],
    );
}

/** The names in a folder that a part of a path stands for: itself, where it is no pattern. */
function namesLike(part: string, folder: string): string[] {
  if (!/[*?[]/.test(part)) return [part];
  const source = part.replaceAll(PATTERN_PART, (token, not: string | undefined, set: string | undefined) => {
    if (token === '*') return '.*';
    if (token === '?') return '.';
    if (set !== undefined) return `[${not === '!' ? '^' : ''}${set.replaceAll(/[\\^[]/g, '\\$&')}]`;
    return token.replace(/[$()+./[\\\]^{|}]/, '\\$&');
  });
  const expression = new RegExp(`^${source}$`, 's');
  try {
    // Names that begin with a dot are meant where the pattern begins with one.
    return readdirSync(folder)
      .filter((name) => expression.test(name) && name.startsWith('.') === part.startsWith('.'))
      .sort();
  } catch {
    return [];
  }
}
