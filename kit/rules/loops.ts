/** `for … of`: the language has no iterators, so it becomes a loop over an index. */
import ts from 'typescript';
import type { Edits } from '../source/edits.ts';
import { isOfLanguage } from '../source/symbols.ts';
import type { Context } from './rule.ts';

/** The loops of a file so far. */
export class Loops {
  count = 0;
  hasTexts = false;

  /** What loops over texts need. */
  addImport(edits: Edits): void {
    if (this.hasTexts) edits.insert(0, 'import { characters as __characters } from "~lib/redis-wasm/kit/characters"; ');
  }
}

export function loops(node: ts.Node, context: Context, found: Loops): void {
  if (ts.isForInStatement(node)) {
    context.faults.add(
      node,
      'for … in walks over names of properties, which objects do not have here',
      'Write for (let i = 0; i < list.length; i++), or for (const key of map.keys()).',
    );
  }
  if (ts.isForOfStatement(node)) rewrite(node, context, found);
}

/** How what is walked over becomes something with a length and an index. */
type Sequence = 'array' | 'text' | 'set';

function rewrite(node: ts.ForOfStatement, context: Context, found: Loops): void {
  const { checker, faults, edits } = context;
  const { initializer, statement } = node;
  const [variable] = ts.isVariableDeclarationList(initializer) ? initializer.declarations : [];
  // Patterns are told by another rule.
  if (variable !== undefined && !ts.isIdentifier(variable.name)) return;
  const sequence = sequenceOf(checker.getNonNullableType(checker.getTypeAtLocation(node.expression)), checker);
  const text = node.expression.getText();
  if (node.awaitModifier !== undefined) faults.add(node, 'There is nothing to wait for in a command', 'Leave await out.');
  if (sequence === 'map') {
    faults.add(
      node.expression,
      'A Map is walked over by its keys',
      `Write for (const key of ${text}.keys()) { const value = ${text}.get(key); … }`,
    );
    return;
  }
  if (sequence === undefined) {
    faults.add(
      node.expression,
      `${text} is nothing that for … of can walk over`,
      'Arrays, texts, Sets, and the keys() and values() of a Map can be.',
    );
    return;
  }
  if (variable === undefined) {
    faults.add(initializer, 'for … of declares its variable', `Write for (const item of ${text})`);
    return;
  }
  const number = found.count++;
  const [list, at] = [`__list${number}`, `__at${number}`];
  found.hasTexts ||= sequence === 'text';
  const word = initializer.flags & ts.NodeFlags.Const ? 'const' : 'let';
  const first = `${word} ${variable.name.getText()} = ${list}[${at}];`;
  const [open, close] = { array: ['', ''], text: ['__characters(', ')'], set: ['(', ').values()'] }[sequence] as [string, string];
  edits.replace(initializer.getStart(), node.expression.getStart(), `let ${list} = ${open}`);
  edits.insert(node.expression.getEnd(), `${close}, ${at}: i32 = 0; ${at} < ${list}.length; ${at}++`);
  if (ts.isBlock(statement)) edits.insert(statement.getStart() + 1, ` ${first}`);
  else {
    edits.insert(statement.getStart(), `{ ${first} `);
    edits.insert(statement.getEnd(), ' }');
  }
}

function sequenceOf(type: ts.Type, checker: ts.TypeChecker): Sequence | 'map' | undefined {
  if (type.flags & ts.TypeFlags.StringLike) return 'text';
  // A package's type that TypeScript does not know: the compiler tells whether it is one.
  if (type.flags & ts.TypeFlags.Any) return 'array';
  const symbol = type.getSymbol();
  if (symbol === undefined || !isOfLanguage(symbol)) return undefined;
  if (symbol.name === 'Map') return 'map';
  if (symbol.name === 'Set') return 'set';
  return checker.isArrayType(type) || symbol.name.endsWith('Array') ? 'array' : undefined;
}
