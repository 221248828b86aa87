/** What a command does by its handler, and by the author's functions that this calls. */
import ts from 'typescript';
import { kitName, symbolOf, tableOf, walk } from '../source/symbols.ts';

/** Calls a function for each node of a handler, and of the author's functions that it calls, once. */
export function walkCalled(handler: ts.Node, checker: ts.TypeChecker, visit: (node: ts.Node) => void): void {
  const seen = new Set<ts.Node>();
  const look = (body: ts.Node): void => {
    if (seen.has(body)) return;
    seen.add(body);
    walk(body, (node) => {
      visit(node);
      const called = ts.isCallExpression(node)
        ? symbolOf(checker, ts.isPropertyAccessExpression(node.expression) ? node.expression.name : node.expression)
        : undefined;
      const declaration = called?.valueDeclaration;
      if (declaration !== undefined && !declaration.getSourceFile().isDeclarationFile && ts.isFunctionLike(declaration)) look(declaration);
      return true;
    });
  };
  look(handler);
}

/** What of a table writes. */
export const WRITES = new Set(['set', 'add', 'delete', 'clear', 'expireAt']);
const WRITES_OF_OTHERS: Partial<Record<string, string[]>> = {
  custom: ['set', 'del'],
  session: ['create', 'addData', 'delete'],
  keys: [
    ...['delete', 'deleteIf', 'expire', 'expireAt', 'persist', 'set', 'incr', 'append', 'hset', 'hdel', 'hincrby'],
    ...['zadd', 'zincrby', 'zrem', 'lpush', 'rpush', 'lpop', 'rpop', 'lset'],
  ],
};

/** A write that a query would fail by. */
export interface Write {
  /** the table, or the other module */
  of: string;
  method: ts.MemberName;
  /** whether it is in the handler itself: a function may be called otherwise by others */
  isOwn: boolean;
}

/** The writes of a handler, and of what it calls. */
export function writesOf(handler: ts.Node, checker: ts.TypeChecker): Write[] {
  const found: Write[] = [];
  walkCalled(handler, checker, (node) => {
    if (!ts.isCallExpression(node) || !ts.isPropertyAccessExpression(node.expression)) return;
    const { expression, name } = node.expression;
    const ofOther = WRITES_OF_OTHERS[ts.isIdentifier(expression) ? (kitName(checker, expression) ?? '') : ''];
    const isWrite = ofOther?.includes(name.text) ?? (WRITES.has(name.text) && tableOf(checker, expression) !== undefined);
    if (isWrite)
      found.push({ of: expression.getText(), method: name, isOwn: ts.findAncestor(node, (each) => each === handler) !== undefined });
  });
  return found;
}
