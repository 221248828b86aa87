/** What the shape of the code is measured by: its imports, its lengths, the width of its prose. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import ts from 'typescript';
import { ROOT } from '../../scripts/lib/process.ts';

/**
 * A folder of the project whose files stand on floors, the highest first; a name is a file or a folder in it.
 */
export interface House {
  root: string;
  floors: string[][];
}

/** An import, from one file to another, both from the top of the project. */
export interface Arrow {
  from: string;
  to: string;
}

const read = (file: string): string => readFileSync(path.join(ROOT, file), 'utf8');

/** The files of the project that match, from its top. */
export function filesOf(pattern: RegExp): string[] {
  const listed = execFileSync('git', ['ls-files', '-co', '--exclude-standard'], { cwd: ROOT, encoding: 'utf8' });
  return listed.split('\n').filter((file) => pattern.test(file) && file !== '');
}

/**
 * The houses that ARCHITECTURE.md lists, a line each: `root  floor > floor > …`, where `*` stands for all
 * that is not named.
 */
export function houses(): House[] {
  const block = /<!-- floors -->\n```\n([^`]*)```/.exec(read('ARCHITECTURE.md'))?.[1] ?? '';
  return block
    .trim()
    .split('\n')
    .map((line) => {
      const [root = '', ...rest] = line.trim().split(/\s+/);
      return {
        root,
        floors: rest
          .join(' ')
          .split(' > ')
          .map((floor) => floor.split(' ')),
      };
    });
}

/** The files that a file of TypeScript or AssemblyScript imports. */
function importsOfTypeScript(file: string, known: Set<string>): string[] {
  const { importedFiles } = ts.preProcessFile(read(file), true, true);
  return importedFiles
    .map(({ fileName }) => fileName)
    .filter((name) => name.startsWith('.'))
    .map((name) => path.normalize(path.join(path.dirname(file), name)))
    .flatMap(
      (name) => [name, `${name}.ts`, name.replace(/\.js$/, '.ts'), path.join(name, 'index.ts')].find((each) => known.has(each)) ?? [],
    );
}

/** The files that a file of Rust uses: the deepest module of each path of a `use` line that is a file. */
function importsOfRust(file: string, known: Set<string>): string[] {
  const root = file.slice(0, file.indexOf('/src/') + 5);
  const own = file
    .slice(root.length)
    .replace(/(?:\/?mod)?\.rs$/, '')
    .split('/')
    .filter((part) => part !== '' && part !== 'lib');
  const source = read(file).replace(/#\[cfg\(test\)\]\nmod tests \{[^]*/, '');
  const found = new Set<string>();
  for (const [, text = ''] of source.matchAll(/\b((?:crate|super)(?:::(?:\w+|\{[^;]*\}|\*))+)/g)) {
    for (const words of expand(text)) {
      const base = words[0] === 'crate' ? [] : own.slice(0, -1);
      while (words[0] === 'crate' || words[0] === 'super') if (words.shift() === 'super' && words[0] === 'super') base.pop();
      const full = [...base, ...words];
      for (let length = full.length; length > 0; length--) {
        const place = root + full.slice(0, length).join('/');
        const target = [`${place}.rs`, `${place}/mod.rs`].find((each) => known.has(each));
        if (target === undefined) continue;
        if (target !== file) found.add(target);
        break;
      }
    }
  }
  return [...found];
}

/** The paths in `a::{b, c::{d}}`, each as its words. */
function expand(text: string): string[][] {
  const open = text.indexOf('{');
  if (open < 0) return [text.split('::').filter((word) => word !== '')];
  const head = text
    .slice(0, open)
    .split('::')
    .filter((word) => word !== '');
  const parts: string[] = [];
  let depth = 0;
  let part = '';
  for (const letter of text.slice(open + 1, text.lastIndexOf('}'))) {
    depth += Number(letter === '{') - Number(letter === '}');
    if (letter === ',' && depth === 0) {
      parts.push(part);
      part = '';
    } else part += letter;
  }
  return [...parts, part]
    .map((each) => each.trim())
    .filter((each) => each !== '')
    .flatMap((each) => expand(each).map((words) => [...head, ...words]));
}

/** The imports within a house. */
export function arrows({ root }: House): Arrow[] {
  const files = filesOf(/\.(?:rs|ts)$/).filter((file) => file.startsWith(`${root}/`));
  const known = new Set(files);
  return files.flatMap((from) =>
    (from.endsWith('.rs') ? importsOfRust(from, known) : importsOfTypeScript(from, known)).map((to) => ({ from, to })),
  );
}

/**
 * Circles of imports: the files of each, in their order. A folder's `mod.rs` that lists its files is no part
 * of one.
 */
export function circles(all: Arrow[]): string[][] {
  const targets = new Map<string, string[]>();
  for (const { from, to } of all) targets.set(from, [...(targets.get(from) ?? []), to]);
  const done = new Set<string>();
  const found: string[][] = [];
  const walk = (file: string, way: string[]): void => {
    if (way.includes(file)) {
      found.push(way.slice(way.indexOf(file)));
      return;
    }
    if (done.has(file)) return;
    for (const next of targets.get(file) ?? []) walk(next, [...way, file]);
    done.add(file);
  };
  for (const file of targets.keys()) walk(file, []);
  return found;
}

/** The floor that a file stands on; undefined where the house has none for it. */
export function floorOf({ root, floors }: House, file: string): number | undefined {
  const name = file.slice(root.length + 1).split('/')[0] ?? '';
  const named = floors.findIndex((floor) => floor.includes(name));
  const rest = floors.findIndex((floor) => floor.includes('*'));
  return named >= 0 ? named : rest >= 0 ? rest : undefined;
}

/** Functions with their lengths in lines; of Rust, those that `fn` begins. */
export function functions(file: string): { name: string; line: number; length: number }[] {
  return file.endsWith('.rs') ? functionsOfRust(file) : functionsOfTypeScript(file);
}

function functionsOfRust(file: string): { name: string; line: number; length: number }[] {
  const lines = read(file).split('\n');
  return lines.flatMap((text, index) => {
    const [, indent = '', name = ''] = /^( *)(?:pub(?:\([^)]*\))? )?(?:const )?(?:unsafe )?(?:extern "C" )?fn (\w+)/.exec(text) ?? [];
    if (name === '' || /[;}]$/.test(text)) return [];
    const end = lines.findIndex(
      (other, at) =>
        at > index &&
        (other === `${indent}}` ||
          (other.startsWith(indent) &&
            other.endsWith(';') &&
            /^ *[^ ]/.test(other) &&
            other.length - other.trimStart().length === indent.length)),
    );
    return [{ name, line: index + 1, length: end - index + 1 }];
  });
}

function functionsOfTypeScript(file: string): { name: string; line: number; length: number }[] {
  const source = ts.createSourceFile(file, read(file), ts.ScriptTarget.Latest, true);
  const found: { name: string; line: number; length: number }[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isFunctionLike(node) && 'body' in node && node.body !== undefined) {
      const [from, to] = [node.getStart(), node.getEnd()].map((at) => source.getLineAndCharacterOfPosition(at).line);
      found.push({ name: node.name?.getText() ?? 'a function', line: from! + 1, length: to! - from! + 1 });
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found;
}

/** Lines of prose with their numbers: of a page all but tables and code, of a program its comments. */
export function prose(file: string): { line: number; text: string }[] {
  const lines = read(file)
    .split('\n')
    .map((text, index) => ({ line: index + 1, text }));
  const comment = /\.(?:rs|ts|js|mjs)$/.test(file) ? /^\s*(?:\/\/|\/\*|\* )/ : /^\s*#/;
  if (!file.endsWith('.md')) return lines.filter(({ text }) => comment.test(text));
  let isCode = false;
  return lines.filter(({ text }) => {
    if (text.startsWith('```')) isCode = !isCode;
    return !isCode && !/^(?:\s*\||```| {4}|<)/.test(text);
  });
}

/** How many lines a file has. */
export function lengthOf(file: string): number {
  return read(file).split('\n').length - 1;
}
