/**
 * Whole numbers that lose something before they become what is wanted: a fraction, where they are divided and
 * an f64 is wanted; what is beyond 32 bits, where they are multiplied and an i64 is wanted. TypeScript knows
 * one type of number, so the kinds are found by what is written.
 */
import ts from 'typescript';
import type { Rule } from './rule.ts';

/** `literal`: it takes the type that is wanted, else i32. */
type Kind = 'literal' | 'i32' | 'i64' | 'f64';

const RANKS = { literal: 0, i32: 1, i64: 2, f64: 3 };
const PRODUCTS = new Set([ts.SyntaxKind.AsteriskToken, ts.SyntaxKind.AsteriskAsteriskToken]);
const OPERATORS = new Set([
  ...[ts.SyntaxKind.PlusToken, ts.SyntaxKind.MinusToken, ts.SyntaxKind.SlashToken, ts.SyntaxKind.PercentToken],
  ...PRODUCTS,
]);
const COMPARISONS = new Set([
  ...[ts.SyntaxKind.LessThanToken, ts.SyntaxKind.LessThanEqualsToken],
  ...[ts.SyntaxKind.GreaterThanToken, ts.SyntaxKind.GreaterThanEqualsToken],
]);
const I32_MAX = 2_147_483_647;

export const numbers: Rule = (node, { checker, faults }) => {
  if (!ts.isBinaryExpression(node) || !OPERATORS.has(node.operatorToken.kind)) return;
  const kind = kindOf(node, checker);
  if (kind === 'literal') {
    const value = valueOf(node);
    const isInner = ts.isBinaryExpression(outer(node)) && kindOf(outer(node) as ts.Expression, checker) === 'literal';
    if (isInner || value === undefined || Math.abs(value) <= I32_MAX || hasLarge(node) || wanted(node, checker) !== 'i32') return;
    faults.add(
      node,
      `${node.getText()} is more than an i32 holds, which it would be`,
      'Write const value: i64 = …, or i64(…) around the first number.',
    );
    return;
  }
  const left = kindOf(node.left, checker);
  if (kind === undefined || kind === 'f64' || left === 'literal') return;
  const goal = wanted(node, checker);
  const [first, second] = [node.left.getText(), node.right.getText()];
  if (node.operatorToken.kind === ts.SyntaxKind.SlashToken && goal === 'f64') {
    faults.add(node, 'Whole numbers divide to whole numbers: the fraction is lost', `Write f64(${first}) / f64(${second})`);
  } else if (PRODUCTS.has(node.operatorToken.kind) && kind === 'i32' && goal !== undefined && RANKS[goal] > RANKS.i32) {
    const begin = firstOf(node);
    faults.add(
      node,
      'An i32 times an i32 is an i32, which a large product does not fit into',
      `Write ${goal}(${begin.getText()})${node.getText().slice(begin.getText().length)}`,
    );
  }
};

/** The node around one, but for brackets. */
function outer(node: ts.Node): ts.Node {
  return ts.isParenthesizedExpression(node.parent) ? outer(node.parent) : node.parent;
}

/** The first number of a product: `a` of `a * b * c`. */
function firstOf(node: ts.Expression): ts.Expression {
  return ts.isBinaryExpression(node) && PRODUCTS.has(node.operatorToken.kind) ? firstOf(node.left) : node;
}

/** The value of an expression of literals. */
function valueOf(node: ts.Expression): number | undefined {
  if (ts.isParenthesizedExpression(node)) return valueOf(node.expression);
  if (ts.isNumericLiteral(node)) return Number(node.text);
  if (ts.isPrefixUnaryExpression(node)) return node.operator === ts.SyntaxKind.MinusToken ? -(valueOf(node.operand) ?? NaN) : undefined;
  if (!ts.isBinaryExpression(node)) return undefined;
  const [left, right] = [valueOf(node.left), valueOf(node.right)];
  if (left === undefined || right === undefined) return undefined;
  const { kind } = node.operatorToken;
  if (kind === ts.SyntaxKind.AsteriskToken) return left * right;
  if (kind === ts.SyntaxKind.AsteriskAsteriskToken) return left ** right;
  return kind === ts.SyntaxKind.PlusToken ? left + right : kind === ts.SyntaxKind.MinusToken ? left - right : undefined;
}

/** Whether a literal is an i64 by itself, which makes the rest one. */
function hasLarge(node: ts.Node): boolean {
  if (ts.isNumericLiteral(node)) return Number(node.text) > I32_MAX;
  return ts.forEachChild(node, hasLarge) ?? false;
}

/** The kind of a number; undefined where it is not known. */
function kindOf(node: ts.Expression, checker: ts.TypeChecker): Kind | undefined {
  if (ts.isParenthesizedExpression(node)) return kindOf(node.expression, checker);
  if (ts.isNumericLiteral(node)) return /^0[xbo]|^[\d_]+$/i.test(node.getText()) ? 'literal' : 'f64';
  if (ts.isPrefixUnaryExpression(node)) return kindOf(node.operand, checker);
  if (ts.isBinaryExpression(node)) {
    if (!OPERATORS.has(node.operatorToken.kind)) return undefined;
    const [left, right] = [kindOf(node.left, checker), kindOf(node.right, checker)];
    if (left === undefined || right === undefined) return undefined;
    return RANKS[left] >= RANKS[right] ? left : right;
  }
  if (ts.isCallExpression(node)) {
    const called = node.expression.getText();
    if (/^[iuf](?:32|64)$/.test(called)) return kindOfText(called);
    const type = checker.getResolvedSignature(node)?.declaration?.type;
    const isValue = type?.getText() === 'V' && ts.isPropertyAccessExpression(node.expression);
    return isValue ? kindWithin(node.expression.expression, checker) : kindOfType(type);
  }
  if (ts.isElementAccessExpression(node)) return kindWithin(node.expression, checker);
  if (!ts.isIdentifier(node) && !ts.isPropertyAccessExpression(node)) return undefined;
  return kindOfName(ts.isIdentifier(node) ? node : node.name, checker);
}

/** The kind of what an array, a Map or a table holds, by its declaration. */
function kindWithin(node: ts.Expression, checker: ts.TypeChecker): Kind | undefined {
  const declaration = checker.getSymbolAtLocation(ts.isPropertyAccessExpression(node) ? node.name : node)?.valueDeclaration;
  if (
    declaration === undefined ||
    !(ts.isVariableDeclaration(declaration) || ts.isParameter(declaration) || ts.isPropertyDeclaration(declaration))
  )
    return undefined;
  const type = declaration.type ?? declaration.initializer;
  if (type === undefined) return undefined;
  if (ts.isArrayTypeNode(type)) return kindOfType(type.elementType);
  return ts.isTypeReferenceNode(type) || ts.isNewExpression(type) ? kindOfType(type.typeArguments?.at(-1)) : undefined;
}

function kindOfName(name: ts.Node, checker: ts.TypeChecker): Kind | undefined {
  const declaration = checker.getSymbolAtLocation(name)?.valueDeclaration;
  if (declaration === undefined) return undefined;
  if (!ts.isVariableDeclaration(declaration) && !ts.isParameter(declaration) && !isMember(declaration)) return undefined;
  if (declaration.type !== undefined) return kindOfType(declaration.type);
  const value = ts.isPropertySignature(declaration) ? undefined : declaration.initializer;
  const kind = value === undefined ? undefined : kindOf(value, checker);
  return kind === 'literal' ? 'i32' : kind;
}

function isMember(node: ts.Node): node is ts.PropertyDeclaration | ts.PropertySignature {
  return ts.isPropertyDeclaration(node) || ts.isPropertySignature(node);
}

function kindOfType(type: ts.Node | undefined): Kind | undefined {
  return type === undefined ? undefined : kindOfText(type.getText());
}

function kindOfText(type: string): Kind | undefined {
  if (type === 'i32' || type === 'i64' || type === 'f64') return type;
  return type === 'u32' ? 'i32' : type === 'u64' ? 'i64' : undefined;
}

/** The kind that a number becomes by itself, without a word: `i32` too where nothing is wanted of it. */
function wanted(node: ts.Expression, checker: ts.TypeChecker): Kind | undefined {
  const { parent } = node;
  if (ts.isParenthesizedExpression(parent)) return wanted(parent, checker);
  if (ts.isConditionalExpression(parent)) return parent.condition === node ? undefined : wanted(parent, checker);
  if (ts.isTemplateSpan(parent)) return 'i32';
  if (ts.isVariableDeclaration(parent) || ts.isPropertyDeclaration(parent))
    return parent.type === undefined ? 'i32' : kindOfType(parent.type);
  if (ts.isReturnStatement(parent) || ts.isArrowFunction(parent)) return kindOfType(functionOf(parent)?.type);
  if (ts.isCallExpression(parent) || ts.isNewExpression(parent)) return wantedByCall(node, parent, checker);
  if (!ts.isBinaryExpression(parent)) return undefined;
  const operator = parent.operatorToken.kind;
  if (operator >= ts.SyntaxKind.FirstAssignment && operator <= ts.SyntaxKind.LastAssignment) return kindOf(parent.left, checker);
  if (!OPERATORS.has(operator) && !COMPARISONS.has(operator)) return undefined;
  const other = kindOf(parent.left === node ? parent.right : parent.left, checker);
  if (other === 'i64' || other === 'f64') return other;
  return COMPARISONS.has(operator) ? undefined : wanted(parent, checker);
}

function functionOf(node: ts.Node): ts.SignatureDeclaration | undefined {
  return ts.findAncestor(node, (each): each is ts.SignatureDeclaration => ts.isFunctionLike(each));
}

function wantedByCall(node: ts.Expression, call: ts.CallExpression | ts.NewExpression, checker: ts.TypeChecker): Kind | undefined {
  if (/^[iuf](?:8|16|32|64)$/.test(call.expression.getText())) return undefined;
  const at = call.arguments?.indexOf(node) ?? -1;
  const declaration = checker.getResolvedSignature(call)?.declaration;
  const parameter = declaration === undefined || ts.isJSDocSignature(declaration) ? undefined : declaration.parameters[at];
  return kindOfType(parameter?.type);
}
