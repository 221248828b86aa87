/** Functions that use variables of the function around them: the language has none. */
import ts from 'typescript';
import type { Rule } from './rule.ts';

export const closures: Rule = (node, { checker, faults }) => {
  if (node.kind === ts.SyntaxKind.ThisKeyword) {
    const inner = functionAround(node);
    if (inner === undefined || !ts.isArrowFunction(inner)) return;
    faults.add(node, 'A function within a method does not see the object', 'Write a loop instead: for (const item of this.items) …');
    return;
  }
  if (!ts.isIdentifier(node) || (ts.isPropertyAccessExpression(node.parent) && node.parent.name === node)) return;
  const inner = functionAround(node);
  const symbol = ts.isShorthandPropertyAssignment(node.parent)
    ? checker.getShorthandAssignmentValueSymbol(node.parent)
    : checker.getSymbolAtLocation(node);
  const declaration = symbol?.valueDeclaration;
  if (inner === undefined || declaration === undefined || !(ts.isVariableDeclaration(declaration) || ts.isParameter(declaration))) return;
  const outer = functionAround(declaration.name);
  if (outer === undefined || outer === inner || declaration.getSourceFile() !== node.getSourceFile()) return;
  faults.add(
    node,
    `${node.text} belongs to the function around this one, which a function within cannot see`,
    `Write a loop instead: for (const item of list) …; or give the inner function ${node.text} as a parameter.`,
  );
};

/** The function whose variables a node could use. */
function functionAround(node: ts.Node): ts.SignatureDeclaration | undefined {
  return ts.findAncestor(node.parent, (each): each is ts.SignatureDeclaration => ts.isFunctionLike(each) && !ts.isFunctionTypeNode(each));
}
