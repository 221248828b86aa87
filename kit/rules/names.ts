/**
 * Names that nothing is known by: of what JavaScript has and modules do not, of raw memory, which is the
 * kit's alone, and mistakes. Whatever the language's declarations lack is refused, so that nothing unsafe
 * has to be listed.
 */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import ts from 'typescript';
import { KIT, TYPES } from '../source/places.ts';
import { isOfLanguage } from '../source/symbols.ts';
import type { Context, Rule } from './rule.ts';

const MEMORY = 'A module reaches its data by tables, arrays and objects: raw memory is the kit’s alone.';

/** What to write instead of what JavaScript has. */
const GLOBALS: Partial<Record<string, string>> = {
  undefined: 'What may be missing is null.',
  JSON: 'Answer a Map, an array or a Reply; for JSON within a value, a package with AssemblyScript.',
  RegExp: 'Look at the text itself: startsWith, includes, indexOf, split, charCodeAt.',
  Promise: 'A command does not wait: all that it does is done when it returns.',
  setTimeout: 'Give entries a deadline: table.set(key, value, now() + 1000).',
  setInterval: 'Give entries a deadline: table.set(key, value, now() + 1000).',
  fetch: 'A module reaches nothing but its server; publish(channel, text) tells others.',
  process: 'Operators set numbers: setting("burst", 10, 1, 1000).',
  require: 'Write import { name } from "./file";',
  Buffer: 'Bytes are Uint8Array: new Uint8Array(16).',
  TextEncoder: 'Write Uint8Array.wrap(String.UTF8.encode(text)).',
  TextDecoder: 'Write String.UTF8.decode(bytes.buffer).',
  crypto: 'Write randomBytes(16), uuid(), sha256(bytes), of "redis-wasm/kit".',
  performance: 'Write now(), of "redis-wasm/kit".',
  Number: 'Write parseFloat(text), i64.parse(text), f64(value).',
  BigInt: 'Write i64(value).',
  Object: 'A Map has keys: map.keys().',
  WeakMap: 'Write Map.',
  WeakSet: 'Write Set.',
  Record: 'Write Map<string, i64>.',
  Partial: 'Write a class whose fields may be null.',
  Readonly: 'Write the type itself.',
  Pick: 'Write a class.',
  Omit: 'Write a class.',
};

const MEMBERS: Partial<Record<string, string>> = {
  find: 'Write const at = list.findIndex((item) => …); and list[at] where at is not -1.',
  flatMap: 'Write a loop that pushes.',
  entries: 'Write for (const key of map.keys()), and map.get(key).',
  toFixed: 'Write (Math.round(value * 100) / 100).toString().',
  toLocaleString: 'Write value.toString().',
  match: 'There are no regular expressions: indexOf, split, charCodeAt.',
  matchAll: 'There are no regular expressions: indexOf, split, charCodeAt.',
  search: 'Write text.indexOf("…").',
  normalize: 'Texts are compared as they are.',
  forEach: 'Write for (const key of map.keys()) …',
  from: 'Write a loop that pushes.',
  of: 'Write [a, b].',
  keys: 'Write for (let i = 0; i < list.length; i++).',
  values: 'Walk over it itself: for (const item of list).',
  parseInt: 'Write i64.parse(text), or i32(parseInt(text)).',
  now: 'Write now(), of "redis-wasm/kit".',
  toSorted: 'Write list.slice().sort(…).',
  toReversed: 'Write list.slice().reverse().',
};

export const names: Rule = (node, context) => {
  if (!ts.isIdentifier(node)) return;
  const { parent } = node;
  if (ts.isPropertyAccessExpression(parent) && parent.name === node) checkMember(parent, context);
  else if (isReference(node)) checkName(node, context);
};

/** Whether an identifier names something that is declared elsewhere. */
function isReference(node: ts.Identifier): boolean {
  const { parent } = node;
  if (ts.isImportSpecifier(parent) || ts.isExportSpecifier(parent) || ts.isImportClause(parent) || ts.isNamespaceImport(parent))
    return false;
  if (ts.isPropertyAssignment(parent) && parent.name === node) return false;
  if (ts.isQualifiedName(parent) && parent.right === node) return false;
  if (ts.isLabeledStatement(parent) || ts.isBreakOrContinueStatement(parent) || ts.isMetaProperty(parent)) return false;
  return !('name' in parent && parent.name === node);
}

function checkName(node: ts.Identifier, { checker, faults }: Context): void {
  const { text } = node;
  const symbol = checker.getSymbolAtLocation(node);
  // `const` in `as const`.
  if (text === 'const' && ts.isTypeReferenceNode(node.parent)) return;
  // What is not there has a symbol too, in a type; and so has what the checker makes by itself.
  if ((symbol?.declarations?.length ?? 0) > 0 || ts.isDecorator(node.parent) || ts.isDecorator(node.parent.parent)) return;
  if (exportsOfKit().has(text)) {
    faults.add(node, `${text} is of the kit, and not imported`, `Write it in the import: import { ${text}, … } from "${KIT}";`);
    return;
  }
  const instead = Object.hasOwn(GLOBALS, text) ? GLOBALS[text] : undefined;
  faults.add(node, `There is no ${text} in a module`, instead ?? (ofCompiler(text) ? MEMORY : undefined));
}

let exported: Set<string> | undefined;

/** The names that the kit exports. */
function exportsOfKit(): Set<string> {
  exported ??= new Set(
    [...readFileSync(path.join(TYPES, 'kit.d.ts'), 'utf8').matchAll(/^export \w+ (\w+)/gm)].map(([, name = '']) => name),
  );
  return exported;
}

/** Whether it is one of the compiler's own words. */
function ofCompiler(text: string): boolean {
  return /^(?:__|ASC_|[iuf]\d+x\d+$)/.test(text) || UNSAFE.has(text);
}

const UNSAFE = new Set(
  ['changetype', 'load', 'store', 'memory', 'heap', 'unchecked', 'atomic', 'Atomics', 'v128', 'table', 'call_indirect', 'offsetof'].concat([
    'idof',
    'sizeof',
    'alignof',
    'instantiate',
    'unreachable',
    'abort',
    'trace',
    'seed',
    'externref',
    'funcref',
    'nameof',
    'isManaged',
  ]),
);

/** What a SortedTable has, and a Table has not. */
const ORDERED = new Set(['first', 'last', 'after', 'before', 'range', 'rank', 'at', 'count']);

function checkMember(access: ts.PropertyAccessExpression, { checker, faults }: Context): void {
  const { name, expression } = access;
  if (ts.isRegularExpressionLiteral(expression)) return;
  if (checker.getSymbolAtLocation(name) !== undefined) return;
  const type = checker.getNonNullableType(checker.getTypeAtLocation(expression));
  if (type.flags & ts.TypeFlags.Any) return;
  const symbol = type.getSymbol() ?? checker.getSymbolAtLocation(expression);
  const isPlain = (type.flags & (ts.TypeFlags.NumberLike | ts.TypeFlags.StringLike | ts.TypeFlags.BooleanLike)) !== 0;
  if (!isPlain && symbol !== undefined && !isOfLanguage(symbol) && !isOfKit(symbol)) return;
  // Another rule tells of it.
  if (name.text === 'in' && symbol?.name.endsWith('SubTable') === true) return;
  const { text } = name;
  if (/^(?:Sub)?Table$/.test(symbol?.name ?? '') && symbol !== undefined && isOfKit(symbol) && ORDERED.has(text)) {
    faults.add(name, `${expression.getText()} has no order, and so no ${text}`, 'A SortedTable has it: new SortedTable<…>("…").');
    return;
  }
  const isUnsafe = /Unsafe$|^dataStart$|^(?:load|store|index)/.test(text);
  faults.add(
    name,
    `There is no ${expression.getText().length > 30 ? '' : expression.getText()}.${text} in a module`,
    Object.hasOwn(MEMBERS, text) ? MEMBERS[text] : isUnsafe ? MEMORY : undefined,
  );
}

function isOfKit(symbol: ts.Symbol): boolean {
  return symbol.declarations?.[0]?.getSourceFile().fileName.endsWith('/kit/types/kit.d.ts') ?? false;
}
