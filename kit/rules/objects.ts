/** Object literals: an object has a class, whose fields are known. */
import ts from 'typescript';
import { kitName } from '../source/symbols.ts';
import { guess } from './declarations.ts';
import type { Rule } from './rule.ts';

export const objects: Rule = (node, { checker, faults }) => {
  if (!ts.isObjectLiteralExpression(node) || isPattern(node)) return;
  const call = node.parent;
  if (ts.isCallExpression(call)) {
    const name = kitName(checker, call.expression);
    if (name === 'command' || name === 'query') return;
  }
  const wanted = checker.getContextualType(node);
  const declaration = (wanted === undefined ? undefined : checker.getNonNullableType(wanted))?.getSymbol()?.declarations?.[0];
  if (declaration !== undefined && ts.isClassDeclaration(declaration)) {
    if (!declaration.members.some((member) => ts.isConstructorDeclaration(member))) return;
    const name = declaration.name?.text ?? 'Name';
    faults.add(node, `${name} has a constructor, which makes its objects`, `Write new ${name}(${node.properties.map(valueOf).join(', ')})`);
    return;
  }
  const fields = node.properties.map((property) => `public ${property.name?.getText() ?? '…'}: ${guess(initializerOf(property))}`);
  faults.add(
    node,
    'An object has a class',
    `Write class Name { constructor(${fields.join(', ')}) {} } at the top level, and new Name(${node.properties.map(valueOf).join(', ')})`,
  );
};

function isPattern(node: ts.Node): boolean {
  const { parent } = node;
  return ts.isBinaryExpression(parent) && parent.left === node && parent.operatorToken.kind === ts.SyntaxKind.EqualsToken;
}

function initializerOf(property: ts.ObjectLiteralElementLike): ts.Expression | undefined {
  return ts.isPropertyAssignment(property) ? property.initializer : undefined;
}

function valueOf(property: ts.ObjectLiteralElementLike): string {
  return (initializerOf(property) ?? property.name)?.getText() ?? '…';
}
