/** What AssemblyScript's compiler says, at the author's place and in plain words. */
import path from 'node:path';
import type ts from 'typescript';
import type { Rewritten } from '../source/edits.ts';
import { faultAt, type Fault } from '../source/faults.ts';
import { adviceFor, cut } from './conversions.ts';
import type { Diagnostic } from './job.ts';

/** What is known of the author's files. */
export interface Known {
  /** each, and the text that was compiled, by its absolute path */
  rewritten: Map<string, { source: ts.SourceFile; result: Rewritten }>;
  checker: ts.TypeChecker;
  /** the functions that are handlers of commands */
  handlers: ReadonlySet<ts.Node>;
}

type Words = (...matched: string[]) => { message: string; instead?: string };

const NUMBER = /^(?:bool|[iuf]\d+|[iu]size)$/;

const CONVERSION = /^Conversion from type '(.*)' to '(.*)' requires an explicit cast\.$/;

/** Messages of the compiler's, what they mean for an author, and what to write. */
const MESSAGES: [RegExp, Words][] = [
  [
    CONVERSION,
    (_, from = '', to = '') => ({
      message: `This is ${from}, and ${to} is wanted`,
      instead: !NUMBER.test(to) ? undefined : to.startsWith('f') ? `Write ${to}(…) around it.` : `Have ${from} there too; ${cut(from, to)}`,
    }),
  ],
  [
    /^Operator '(.*)' cannot be applied to types '(.*)' and '(.*)'\.$/,
    (_, operator = '', left = '', right = '') => ({
      message: `${left} ${operator} ${right} does not go together`,
      instead: [left, right].every((type) => NUMBER.test(type))
        ? 'Write f64(…) or i64(…) around one of them.'
        : [left, right].includes('string')
          ? 'Write `${value}` for what is no text.'
          : undefined,
    }),
  ],
  [
    /^Type '(.*) \| null' is not assignable to type '(.*)'\.$/,
    (_, from = '', to = '') => ({
      message: `This may be null, and ${to} is wanted`,
      instead: `Ask first: const value = …; if (value === null) return …; it is ${from} from there on.`,
    }),
  ],
  [
    /^Type '(\(.*\) => .*)' is not assignable to type '(\(.*\) => .*)'\.$/,
    (_, from = '', to = '') => ({
      message: `This is ${from}, and ${to} is wanted`,
      instead: 'Write the function there, with a call in it: list.map<i64>((item) => change(item))',
    }),
  ],
  [
    /^Type '(.*)' is not assignable to type '(.*)'\.$/,
    (_, from = '', to = '') => ({
      message: `This is ${from}, and ${to} is wanted`,
      instead: /^string(?: \| null)?$/.test(to) && NUMBER.test(from) ? 'Write `${value}`, or value.toString().' : undefined,
    }),
  ],
  [
    /^Object is possibly 'null'\.$/,
    () => ({ message: 'This may be null', instead: 'Keep it in a const, and ask: const value = …; if (value !== null) … value' }),
  ],
  [/^Cannot find name '(.*)'\.$/, (_, name = '') => ({ message: `There is no ${name}`, instead: 'Declare it, or import it.' })],
  [/^Property '(.*)' does not exist on type '(.*)'\.$/, (_, name = '', type = '') => ({ message: `${type} has no ${name}` })],
  [
    /^Expected (?:at least )?(\d+) arguments, but got (\d+)\.$/,
    (_, wanted = '', given = '') => ({ message: `${wanted} arguments are wanted here, and ${given} given` }),
  ],
  [
    /^A required parameter cannot follow an optional parameter\.$/,
    () => ({
      message: 'A parameter without a default value stands behind one that has one',
      instead: 'Put it before that, or give it one too.',
    }),
  ],
  [
    /^Type argument expected\.$/,
    () => ({ message: 'What the function answers is not known', instead: 'Name the type: list.map<string>((item) => …).' }),
  ],
  [
    /^Property '.*#(.*)' has no initializer and is not assigned in the constructor/,
    (_, name = '') => ({
      message: `${name} has no value in a new object`,
      instead: 'Give it one: name: string = "", or in the constructor.',
    }),
  ],
  [
    /^Duplicate identifier '(.*)'\.$/,
    (_, name = '') => ({ message: `There are two ${name} here`, instead: 'Write let or const for var, or choose another name.' }),
  ],
  [
    /^Cannot assign to '(?:.*[~#])?(.*)' because it is a constant/,
    (_, name = '') => ({ message: `${name} is a const, which keeps its value`, instead: 'Write let for const.' }),
  ],
  [/^Type expected\.$/, () => ({ message: 'A type is missing', instead: 'Write it behind a colon: (value: i64): string => …' })],
  [
    /^Function '(.*)' is missing|^A function whose declared type is not 'void' must return a value\.$/,
    () => ({
      message: 'There is a way through this function that returns nothing',
      instead: 'Return a value at its end, or throw an Error.',
    }),
  ],
  [
    /^Variable '(.*)' used before its declaration\.$|^Variable '(.*)' is used before being assigned\.$/,
    (_, first = '', second = '') => ({ message: `${first}${second} has no value yet`, instead: 'Declare it with one, above.' }),
  ],
  [
    /^Not implemented: Closures$/,
    () => ({ message: 'A function within another one sees no variables of that', instead: 'Write a loop instead.' }),
  ],
];

/** A message of the compiler's, with what it means for an author. */
export function faultOf(diagnostic: Diagnostic, folder: string, { rewritten: files, ...known }: Known): Fault {
  const { message, instead } = inWords(diagnostic.message);
  const file = diagnostic.file === undefined ? undefined : path.resolve(folder, diagnostic.file);
  const author = file === undefined ? undefined : files.get(file);
  if (author !== undefined) {
    const at = author.result.originalAt(diagnostic.start);
    const [, from, to] = CONVERSION.exec(plainTypes(diagnostic.message)) ?? [];
    const advice = from === undefined || to === undefined ? undefined : adviceFor(author.source, at, { from, to, ...known });
    return faultAt(author.source, at, advice?.message ?? message, advice?.instead ?? instead);
  }
  // Of a package, or of the kit itself, which an author's types may have led there.
  const where = diagnostic.file === undefined ? '' : ` (in ${diagnostic.file.replace(/^.*~lib\//, '')})`;
  const [entry] = [...files.values()].slice(-1);
  if (entry !== undefined) return faultAt(entry.source, 0, `${message}${where}`, instead);
  return { file: file ?? folder, line: 1, column: 1, text: '', message, instead };
}

/** A message in plain words, with what to write instead. */
export function inWords(message: string): { message: string; instead?: string } {
  const plain = plainTypes(message);
  for (const [pattern, words] of MESSAGES) {
    const match = pattern.exec(plain);
    if (match !== null) return words(...match);
  }
  return { message: plain };
}

/** Names of types as an author writes them: `~lib/array/Array<~lib/string/String>` is `string[]`. */
function plainTypes(message: string): string {
  let text = message
    .replaceAll(/~lib\/string\/String/g, 'string')
    .replaceAll(/~lib\/typedarray\/Uint8Array/g, 'Bytes')
    .replaceAll(/[~\w./-]*\/(?=\w+(?:[<'>,#~|\s[\]]|$))/g, '');
  for (let before = ''; before !== text;) {
    before = text;
    text = text.replaceAll(/\bArray<([^<>]*)>/g, '$1[]');
  }
  return text;
}
