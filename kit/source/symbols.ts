/** What names in an author's file stand for. */
import path from 'node:path';
import ts from 'typescript';
import { TYPES } from './places.ts';

/** What a name stands for, wherever it was imported from. */
export function symbolOf(checker: ts.TypeChecker, node: ts.Node): ts.Symbol | undefined {
  const symbol = checker.getSymbolAtLocation(node);
  if (symbol === undefined) return undefined;
  return symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol;
}

/** The name of what the kit exports, if the node is a name of that. */
export function kitName(checker: ts.TypeChecker, node: ts.Node): string | undefined {
  const symbol = symbolOf(checker, node);
  const declaration = symbol?.declarations?.[0];
  if (symbol === undefined || declaration === undefined) return undefined;
  return declaration.getSourceFile().fileName === path.join(TYPES, 'kit.d.ts') ? symbol.name : undefined;
}

/** The kit's kind of table that a value is, "SortedSubTable"; undefined: it is none. */
export function tableOf(checker: ts.TypeChecker, node: ts.Expression): string | undefined {
  const declaration = checker
    .getTypeAtLocation(node)
    .getSymbol()
    ?.declarations?.find((each) => ts.isClassDeclaration(each));
  const kind = declaration?.name === undefined ? undefined : kitName(checker, declaration.name);
  return kind?.endsWith('Table') === true ? kind : undefined;
}

/** Whether it is `get` of a table, with a key and no value for where there is none. */
export function isBareGet(checker: ts.TypeChecker, node: ts.Expression): boolean {
  if (!ts.isCallExpression(node) || !ts.isPropertyAccessExpression(node.expression)) return false;
  const { expression, name } = node.expression;
  return name.text === 'get' && node.arguments.length === 1 && tableOf(checker, expression) !== undefined;
}

/** Whether a symbol belongs to the language. */
export function isOfLanguage(symbol: ts.Symbol | undefined): boolean {
  const file = symbol?.declarations?.[0]?.getSourceFile().fileName ?? '';
  return path.dirname(file) === TYPES && path.basename(file) !== 'kit.d.ts';
}

/** Calls a function for a node and all within it, while that says yes. */
export function walk(node: ts.Node, visit: (node: ts.Node) => boolean): void {
  if (visit(node))
    ts.forEachChild(node, (child) => {
      walk(child, visit);
    });
}
