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

/** Whether a file of types is one of the kit's, and not of the language's. */
function isOfKit(file: string): boolean {
  return path.dirname(file) === TYPES && ['kit.d.ts', 'server.d.ts'].includes(path.basename(file));
}

/** The name of what the kit exports, if the node is a name of that. */
export function kitName(checker: ts.TypeChecker, node: ts.Node): string | undefined {
  const symbol = symbolOf(checker, node);
  const declaration = symbol?.declarations?.[0];
  if (symbol === undefined || declaration === undefined) return undefined;
  return isOfKit(declaration.getSourceFile().fileName) ? symbol.name : undefined;
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

/** Whether it is `redis.call(…)` or `redis.tryCall(…)`. */
export function isServerCall(
  checker: ts.TypeChecker,
  node: ts.Node,
): node is ts.CallExpression & { expression: ts.PropertyAccessExpression } {
  if (!ts.isCallExpression(node) || !ts.isPropertyAccessExpression(node.expression)) return false;
  const { expression, name } = node.expression;
  return ['call', 'tryCall'].includes(name.text) && ts.isIdentifier(expression) && kitName(checker, expression) === 'redis';
}

/** Whether a symbol belongs to the language. */
export function isOfLanguage(symbol: ts.Symbol | undefined): boolean {
  const file = symbol?.declarations?.[0]?.getSourceFile().fileName ?? '';
  return path.dirname(file) === TYPES && !isOfKit(file);
}

/** Calls a function for a node and all within it, while that says yes. */
export function walk(node: ts.Node, visit: (node: ts.Node) => boolean): void {
  if (visit(node))
    ts.forEachChild(node, (child) => {
      walk(child, visit);
    });
}
