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
