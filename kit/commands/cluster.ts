/** What a cluster would refuse of a command, or do on whichever node it is sent to. */
import ts from 'typescript';
import { kitName } from '../source/symbols.ts';
import { walkCalled, WRITES } from './calls.ts';

const WHOLE = new Set(['clear', 'keys', 'scan', 'first', 'last', 'after', 'before', 'range', 'rank', 'at', 'count', 'size']);

/** One use of a table's own entries: `counts.add`, not `counts.in(key).add`. */
interface Use {
  table: string;
  method: string;
  /** whether a key is a text or Bytes, so that it can be one that a command declares */
  byText: boolean;
  node: ts.Node;
}

export interface Note {
  node: ts.Node;
  text: string;
}

/**
 * What an author is told of a command that does not work in a cluster; undefined: it does, as far as its
 * handler and what that calls tell.
 */
export function clusterNote(
  command: { name: string; writes: boolean; hasKeys: boolean },
  handler: ts.Node,
  checker: ts.TypeChecker,
): Note | undefined {
  const uses = usesOf(handler, checker);
  for (const { table, method, byText, node } of uses) {
    const begin = `in a cluster ${command.name}`;
    if (!command.hasKeys && command.writes && WRITES.has(method)) {
      return { node, text: `${begin} writes ${table} on whichever node it is sent to: declare what it writes as name:key` };
    }
    if (command.hasKeys && WHOLE.has(method)) {
      return { node, text: `${begin} is refused for ${table}.${method}, which reaches other slots: ${table}.in(key) is in the key's` };
    }
    if (command.hasKeys && !byText) {
      return { node, text: `${begin} is refused for ${table}, whose keys are no texts: ${table}.in(key) is in the slot of the key` };
    }
  }
  return undefined;
}

/** The uses in a function, and in those of the author's that it calls. */
function usesOf(handler: ts.Node, checker: ts.TypeChecker): Use[] {
  const uses: Use[] = [];
  walkCalled(handler, checker, (node) => {
    if (ts.isPropertyAccessExpression(node)) uses.push(...useOf(node, checker));
  });
  return uses;
}

function useOf({ expression, name }: ts.PropertyAccessExpression, checker: ts.TypeChecker): Use[] {
  const type = checker.getTypeAtLocation(expression);
  const declared = type.getSymbol()?.declarations?.[0];
  const own = declared === undefined ? undefined : ts.getNameOfDeclaration(declared);
  const kind = own === undefined ? undefined : kitName(checker, own);
  if ((kind !== 'Table' && kind !== 'SortedTable') || name.text === 'in') return [];
  const [key] = checker.getTypeArguments(type as ts.TypeReference);
  const byText = key === undefined || (key.flags & ts.TypeFlags.StringLike) !== 0 || key.getSymbol()?.name === 'Uint8Array';
  return [{ table: expression.getText(), method: name.text, byText, node: name }];
}
