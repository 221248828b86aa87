/**
 * Where objects are read from tables: builds that check tell the line of one that was changed and not set.
 */
import ts from 'typescript';
import type { Edits } from '../source/edits.ts';
import { kitName, walk } from '../source/symbols.ts';

const TABLES = new Set(['Table', 'SortedTable', 'SubTable', 'SortedSubTable']);
const READS = new Set(['get', 'find', 'first', 'last', 'after', 'before', 'at', 'range']);

/** Has each read say its line. */
export function tellLines(source: ts.SourceFile, edits: Edits, checker: ts.TypeChecker): void {
  walk(source, (node) => {
    if (!ts.isCallExpression(node) || !ts.isPropertyAccessExpression(node.expression)) return true;
    const { expression: table, name } = node.expression;
    const type = checker.getTypeAtLocation(table).symbol as ts.Symbol | undefined;
    if (!READS.has(name.text) || type === undefined || !TABLES.has(type.name) || !isOfKit(checker, type)) return true;
    const { line } = source.getLineAndCharacterOfPosition(name.getStart());
    edits.insert(table.getStart(), '__kit.inLine(');
    edits.insert(table.getEnd(), `, ${line + 1})`);
    return true;
  });
}

/** Whether a type is the kit's, and not one of that name. */
function isOfKit(checker: ts.TypeChecker, type: ts.Symbol): boolean {
  const [declaration] = type.declarations ?? [];
  const name = declaration === undefined ? undefined : ts.getNameOfDeclaration(declaration);
  return name !== undefined && kitName(checker, name) === type.name;
}
