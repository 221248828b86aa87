/**
 * Writing the report: the page, its plots, and the figures that both are made of, in one folder.
 * It also writes the lines of them that README.md has.
 */
import { KINDS } from '../lib/arguments.ts';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { Problem } from '../../scripts/lib/process.ts';
import { charts } from './charts.ts';
import { FIGURES_FILE } from './journal.ts';
import { headline, page } from './page.ts';
import { type Figure } from './results.ts';

const BEGIN = '<!-- figures: npm run bench -- --report -->';
const END = '<!-- end of figures -->';
/** Digits of a figure that are kept: more than any that is shown, and the same figures make the same file. */
const DIGITS = 6;

function rounded(_: string, value: unknown): unknown {
  return typeof value === 'number' && !Number.isInteger(value) ? Number(value.toPrecision(DIGITS)) : value;
}

/** Columns of a line of prose. */
const COLUMNS = 110;

/** One line of a page, broken at blanks; tables, links and headings stay whole. */
function brokenLine(words: string): string {
  if (words.length <= COLUMNS || /^[|!#<]/.test(words)) return words;
  const [first = '', ...rest] = words.split(' ');
  const lines = [first];
  for (const word of rest) {
    const current = lines[lines.length - 1] ?? '';
    if (current.length + 1 + word.length <= COLUMNS) lines[lines.length - 1] = `${current} ${word}`;
    else lines.push(words.startsWith('- ') ? `  ${word}` : word);
  }
  return lines.join('\n');
}

/** A page in Markdown whose paragraphs and list items are broken at blanks. */
function broken(text: string): string {
  const isText = (line: string): boolean => /^[^-|!#<\s]/.test(line);
  const paragraphs: string[] = [];
  for (const line of text.split('\n')) {
    const before = paragraphs[paragraphs.length - 1] ?? '';
    if (isText(before) && isText(line)) paragraphs[paragraphs.length - 1] = `${before} ${line}`;
    else paragraphs.push(line);
  }
  return paragraphs.map(brokenLine).join('\n');
}

/** Everything that the report is, by name of file. */
export function pageFiles(figures: Figure[]): Map<string, string> {
  for (const kind of KINDS)
    if (!figures.some((figure) => figure.kind === kind)) throw new Problem(`The figures have no cell of the kind ${kind}.`);
  const drawn = charts(figures);
  return new Map([
    [FIGURES_FILE, figures.map((figure) => `${JSON.stringify(figure, rounded)}\n`).join('')],
    ...drawn.map(({ name, svg }): [string, string] => [`${name}.svg`, svg]),
    ['README.md', broken(page(figures, drawn))],
  ]);
}

/** Writes the page into a folder that is there. */
export function writePage(folder: string, figures: Figure[]): void {
  for (const [name, text] of pageFiles(figures)) writeFileSync(path.join(folder, name), text);
}

/** README.md with the figures between its marks. Throws a Problem when it has none. */
export function withHeadline(readme: string, figures: Figure[]): string {
  const [begin, end] = [readme.indexOf(BEGIN), readme.indexOf(END)];
  if (begin < 0 || end < begin) throw new Problem(`README.md has no place for the figures, between ${BEGIN} and ${END}.`);
  return `${readme.slice(0, begin + BEGIN.length)}\n\n${headline(figures)}\n\n${readme.slice(end)}`;
}

export function writeReadme(file: string, figures: Figure[]): void {
  writeFileSync(file, withHeadline(readFileSync(file, 'utf8'), figures));
}
