/** What a server's configuration loads: its lines as the server reads them, and the files that they include. */
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';

/** Of a line: plain, or in quotes. */
const WORD = /"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|\S+/g;
/** Of a pattern of files, as the server has them from glob(3): `*`, `?`, a set, or any other character. */
const PATTERN_PART = /\*|\?|\[(!?)([^\]]+)\]|[^]/g;

function wordsOf(line: string): string[] {
  return (line.match(WORD) ?? []).map((word) => (/^["']/.test(word) ? word.slice(1, -1).replaceAll(/\\(.)/g, '$1') : word));
}

/** The lines of a configuration file; none where it cannot be read, which the server will tell. Comments are lines of no known name. */
export function linesOf(file: string): string[][] {
  try {
    return readFileSync(file, 'utf8').split('\n').map(wordsOf);
  } catch {
    return [];
  }
}

/** The lines that a server makes of its arguments: each `--name` begins one. */
export function optionLines(given: string[]): string[][] {
  const lines: string[][] = [];
  for (const word of given) {
    if (word.startsWith('--')) lines.push(wordsOf(word.slice(2)));
    else lines.at(-1)?.push(word);
  }
  return lines;
}

/** Where reading has come to. */
interface Reader {
  /** What relative paths are relative to: a `dir` line leads elsewhere. */
  folder: string;
  /** Files that were included: one that includes itself is read once. */
  included: Set<string>;
}

/**
 * Whether the lines load host.so, by themselves or by a file that they include.
 * @param folder - where the server is started
 */
export function loadsHost(lines: string[][], folder: string): boolean {
  return loads(lines, { folder, included: new Set() });
}

function loads(lines: string[][], reader: Reader): boolean {
  return lines.some(([name = '', value]) => {
    if (value === undefined) return false;
    switch (name.toLowerCase()) {
      case 'loadmodule':
        return path.basename(value) === 'host.so';
      case 'dir':
        reader.folder = path.resolve(reader.folder, value);
        return false;
      case 'include':
        return matching(path.resolve(reader.folder, value)).some((file) => {
          if (reader.included.has(file)) return false;
          reader.included.add(file);
          return loads(linesOf(file), reader);
        });
      default:
        return false;
    }
  });
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
