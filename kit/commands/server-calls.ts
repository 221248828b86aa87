/**
 * `redis.call(name, …words)`: the language has no rest parameters, so each word becomes a call of its own, as
 * in `redis.begin(name).with(word).call()`.
 */
import ts from 'typescript';
import type { Edits } from '../source/edits.ts';
import type { Faults } from '../source/faults.ts';
import { isServerCall, kitName, walk } from '../source/symbols.ts';

/** Rewrites the calls of a file. */
export function rewriteServerCalls(
  source: ts.SourceFile,
  edits: Edits,
  { checker, faults }: { checker: ts.TypeChecker; faults: Faults },
): void {
  walk(source, (node) => {
    if (ts.isImportDeclaration(node)) return false;
    if (!ts.isIdentifier(node) || kitName(checker, node) !== 'redis') return true;
    const call = node.parent.parent;
    if (isServerCall(checker, call) && call.expression.expression === node) rewrite(call, edits, faults);
    else faults.add(node, 'redis is used by its calls alone', 'Write redis.call("GET", key), or redis.tryCall.');
    return true;
  });
}

function rewrite(node: ts.CallExpression & { expression: ts.PropertyAccessExpression }, edits: Edits, faults: Faults): void {
  const method = node.expression.name;
  const [name] = node.arguments;
  if (name === undefined || ts.isSpreadElement(name)) {
    faults.add(node, `redis.${method.text} needs the name of a command`, `Write redis.${method.text}("GET", key).`);
    return;
  }
  edits.replace(method.getStart(), method.getEnd(), 'begin');
  let end = name.getEnd();
  for (const word of node.arguments.slice(1)) {
    const isSpread = ts.isSpreadElement(word);
    edits.replace(end, (isSpread ? word.expression : word).getStart(), isSpread ? ').withAll(' : ').with(');
    end = word.getEnd();
  }
  // A comma behind the last one.
  if (end < node.getEnd() - 1) edits.replace(end, node.getEnd() - 1, '');
  edits.insert(node.getEnd(), `.${method.text}()`);
}
