/** What TypeScript takes and means otherwise: it would build, and do something else, or fail when it runs. */
import ts from 'typescript';
import { isBareGet, isOfLanguage } from '../source/symbols.ts';
import type { Context, Rule } from './rule.ts';

export const meanings: Rule = (node, context) => {
  if (ts.isBinaryExpression(node)) {
    checkDefault(node, context);
    checkNull(node, context);
  }
  if (ts.isExpression(node) && isCondition(node)) checkCondition(node, context);
  if (ts.isCallExpression(node) || ts.isNewExpression(node)) checkCall(node, context);
  if (ts.isPrefixUnaryExpression(node) && node.operator === ts.SyntaxKind.PlusToken && isText(typeOf(node.operand, context))) {
    context.faults.add(node, 'A text does not become a number by itself', `Write parseFloat(${node.operand.getText()}).`);
  }
};

/** Where nothing may be: what it is told as, what to ask before, and how the value is read then. */
interface Missing {
  why: string;
  has: string;
  value: string;
}

/** How reading from a Map or an array fails where JavaScript answers undefined. */
export function missingOf(given: ts.Expression, context: Context): Missing | undefined {
  const node = plain(given);
  if (ts.isElementAccessExpression(node)) {
    const list = node.expression.getText();
    const at = node.argumentExpression.getText();
    if (nameOfType(node.expression, context)?.endsWith('Array') !== true) return undefined;
    return { why: 'An index out of range is an error, and no undefined', has: `${at} < ${list}.length`, value: node.getText() };
  }
  if (!ts.isCallExpression(node) || !ts.isPropertyAccessExpression(node.expression)) return undefined;
  const { expression: of, name } = node.expression;
  const type = nameOfType(of, context);
  const given0 = node.arguments.map((each) => each.getText()).join(', ');
  if (type === 'Map' && name.text === 'get') {
    return {
      why: 'Of a key that is not there get is an error, and no undefined',
      has: `${of.getText()}.has(${given0})`,
      value: node.getText(),
    };
  }
  if (type === 'Array' && (name.text === 'pop' || name.text === 'shift')) {
    return {
      why: `Of an empty array ${name.text} is an error, and no undefined`,
      has: `${of.getText()}.length > 0`,
      value: node.getText(),
    };
  }
  return undefined;
}

/** As `missingOf`, of a name too that has such a value from its declaration. */
function missingBehind(given: ts.Expression, context: Context): Missing | undefined {
  const node = plain(given);
  const declaration = ts.isIdentifier(node) ? context.checker.getSymbolAtLocation(node)?.valueDeclaration : undefined;
  const value = declaration !== undefined && ts.isVariableDeclaration(declaration) ? declaration.initializer : undefined;
  return missingOf(value ?? node, context);
}

/** `a || b`, where a is a text or may be missing, and `a ?? b` where it may be missing. */
function checkDefault(node: ts.BinaryExpression, context: Context): void {
  const { left, right, operatorToken } = node;
  const isOr = operatorToken.kind === ts.SyntaxKind.BarBarToken;
  if (!isOr && operatorToken.kind !== ts.SyntaxKind.QuestionQuestionToken) return;
  if (isBareGet(context.checker, plain(left))) return;
  const missing = missingOf(left, context);
  if (missing !== undefined && !isBool(typeOf(left, context))) {
    context.faults.add(node, missing.why, `Write ${missing.has} ? ${missing.value} : ${right.getText()}`);
  } else if (isOr && !isInCondition(node) && isText(typeOf(left, context))) {
    const text = plain(left);
    const name = ts.isIdentifier(text) ? text.text : 'value';
    const first = ts.isIdentifier(text) ? '' : `const value = ${text.getText()}; `;
    const isEmpty = isNullable(typeOf(left, context)) ? `${name} === null || ${name} == ""` : `${name} == ""`;
    context.faults.add(node, 'An empty text is not false here', `Write ${first}${isEmpty} ? ${right.getText()} : ${name}`);
  }
}

/** A text, or what may be missing, as a condition. */
function checkCondition(node: ts.Expression, context: Context): void {
  const { parent } = node;
  if (isBareGet(context.checker, plain(node))) return;
  if (ts.isPrefixUnaryExpression(parent) || (ts.isBinaryExpression(parent) && isValueOf(parent))) {
    // !text is right, and `||` as a value is told as a whole.
    if (!ts.isPrefixUnaryExpression(parent)) return;
  } else if (isText(typeOf(node, context))) {
    const text = node.getText();
    const instead = isNullable(typeOf(node, context)) ? `${text} !== null, or ${text} !== null && ${text} != ""` : `${text} != ""`;
    context.faults.add(node, 'An empty text is not false here', `Write ${instead}`);
    return;
  }
  const missing = missingBehind(node, context);
  if (missing !== undefined && isReadOfMap(node, context) && !isBool(typeOf(node, context))) {
    context.faults.add(
      node,
      missing.why,
      `Write ${ts.isPrefixUnaryExpression(parent) ? `!(${missing.has})` : missing.has}`.replace(/!\(([^<>]*)\)$/, '!$1'),
    );
  }
}

function isReadOfMap(node: ts.Expression, context: Context): boolean {
  const value = plain(node);
  return ts.isCallExpression(value) && missingOf(value, context) !== undefined;
}

/** `value === null`, of what is never null. */
function checkNull(node: ts.BinaryExpression, context: Context): void {
  const { left, right, operatorToken } = node;
  if (!EQUALITY.has(operatorToken.kind)) return;
  const isNull = (each: ts.Expression) => each.kind === ts.SyntaxKind.NullKeyword || each.getText() === 'undefined';
  const value = isNull(right) ? left : isNull(left) ? right : undefined;
  if (value === undefined || isNull(value)) return;
  if (isBareGet(context.checker, plain(value))) return;
  const type = typeOf(value, context);
  if (isNullable(type) || type.flags & (ts.TypeFlags.Any | ts.TypeFlags.Unknown | ts.TypeFlags.TypeParameter)) return;
  const missing = missingBehind(value, context);
  const isEqual = operatorToken.getText().startsWith('=');
  const instead =
    missing === undefined ? 'Leave the question out.' : `Ask ${isEqual ? '!' : ''}${wrapped(missing.has, isEqual)} before it is read.`;
  context.faults.add(node, missing?.why ?? `${value.getText()} is never null`, instead);
}

const wrapped = (text: string, isNegated: boolean): string => (isNegated && /[<>]/.test(text) ? `(${text})` : text);

const EQUALITY = new Set([
  ts.SyntaxKind.EqualsEqualsToken,
  ts.SyntaxKind.EqualsEqualsEqualsToken,
  ts.SyntaxKind.ExclamationEqualsToken,
  ts.SyntaxKind.ExclamationEqualsEqualsToken,
]);

/** Calls that JavaScript has with more, or with fewer arguments, by their names: what to write. */
const CALLS: Partial<Record<string, string>> = {
  push: 'Write a push for each, or list.concat(others).',
  unshift: 'Write an unshift for each.',
  concat: 'Write a.concat(b).concat(c).',
  splice: 'Write list.slice(0, at).concat(values).concat(list.slice(at + count)).',
  Map: 'Write const map = new Map<string, i64>(); map.set("a", 1); …',
  Set: 'Write const set = new Set<string>(); set.add("a"); …',
  Date: 'Write new Date(now()), or new Date(Date.UTC(2026, 0, 31)).',
  reduce: 'Write list.reduce<i64>((sum, item) => sum + item, 0).',
  max: 'Write Math.max(a, Math.max(b, c)).',
  min: 'Write Math.min(a, Math.min(b, c)).',
  hypot: 'Write Math.sqrt(a * a + b * b + c * c).',
};

function checkCall(node: ts.CallExpression | ts.NewExpression, context: Context): void {
  const { checker, faults } = context;
  const { expression } = node;
  const name = ts.isPropertyAccessExpression(expression) ? expression.name.text : expression.getText();
  if (
    ts.isCallExpression(node) &&
    name === 'String' &&
    ts.isIdentifier(expression) &&
    isOfLanguage(checker.getSymbolAtLocation(expression))
  ) {
    faults.add(node, 'String makes no text of a value', `Write \`\${${node.arguments[0]?.getText() ?? 'value'}}\`, or value.toString().`);
    return;
  }
  if (ts.isCallExpression(node)) checkSort(node, context);
  const instead = Object.hasOwn(CALLS, name) ? CALLS[name] : undefined;
  const type = checker.getTypeAtLocation(expression);
  const [signature] = ts.isCallExpression(node) ? type.getCallSignatures() : type.getConstructSignatures();
  if (instead === undefined) return;
  if (!isOfLanguage(checker.getSymbolAtLocation(ts.isPropertyAccessExpression(expression) ? expression.name : expression))) return;
  // Maps and Sets declare no constructor: they take nothing.
  const parameters = signature?.declaration?.parameters ?? [];
  const most = parameters.length;
  const least = parameters.filter((each) => ts.isParameter(each) && each.questionToken === undefined).length;
  const given = node.arguments?.length ?? 0;
  if (given > most || given < least) faults.add(node, `${name} takes ${most} ${most === 1 ? 'argument' : 'arguments'} here`, instead);
}

/** `(a, b) => a - b`: the difference would be cut to 32 bits. */
function checkSort(node: ts.CallExpression, { faults, edits }: Context): void {
  const [compare] = node.arguments;
  if (!ts.isPropertyAccessExpression(node.expression) || node.expression.name.text !== 'sort' || compare === undefined) return;
  if (!ts.isArrowFunction(compare)) return;
  const body = ts.isBlock(compare.body) ? returned(compare.body) : compare.body;
  if (body === undefined || !ts.isBinaryExpression(body) || body.operatorToken.kind !== ts.SyntaxKind.MinusToken) return;
  const [left, right] = [body.left.getText(), body.right.getText()];
  const order = `i32(${left} > ${right}) - i32(${left} < ${right})`;
  if (isPath(body.left) && isPath(body.right)) edits.replace(body.getStart(), body.getEnd(), order);
  else if (!left.startsWith('i32(')) faults.add(body, 'A difference does not fit into what sort takes, an i32', `Write ${order}`);
}

function returned(body: ts.Block): ts.Expression | undefined {
  const [only] = body.statements;
  return only !== undefined && ts.isReturnStatement(only) ? only.expression : undefined;
}

/** `a.b.c`: it may be read twice. */
function isPath(node: ts.Expression): boolean {
  return ts.isIdentifier(node) || (ts.isPropertyAccessExpression(node) && isPath(node.expression));
}

// ── Places and types ───────────────────────────────────────────────────────────────────────────────────────

function plain(node: ts.Expression): ts.Expression {
  return ts.isParenthesizedExpression(node) || ts.isNonNullExpression(node) ? plain(node.expression) : node;
}

const JOINS = new Set([ts.SyntaxKind.BarBarToken, ts.SyntaxKind.AmpersandAmpersandToken]);

/** Whether it is asked as yes or no. */
function isCondition(node: ts.Expression): boolean {
  const { parent } = node;
  if (ts.isIfStatement(parent) || ts.isWhileStatement(parent) || ts.isDoStatement(parent)) return parent.expression === node;
  if (ts.isConditionalExpression(parent) || ts.isForStatement(parent)) return parent.condition === node;
  if (ts.isPrefixUnaryExpression(parent)) return parent.operator === ts.SyntaxKind.ExclamationToken;
  return ts.isBinaryExpression(parent) && JOINS.has(parent.operatorToken.kind) && (parent.left === node || isInCondition(parent));
}

function isInCondition(node: ts.Expression): boolean {
  return isCondition(node) || (ts.isParenthesizedExpression(node.parent) && isInCondition(node.parent));
}

/** Whether `a || b` is a value, and no condition. */
function isValueOf(node: ts.BinaryExpression): boolean {
  return node.operatorToken.kind === ts.SyntaxKind.BarBarToken && !isInCondition(node);
}

/** The type that a name was declared with, whatever is known of it at this place. */
function typeOf(given: ts.Expression, { checker }: Context): ts.Type {
  const node = plain(given);
  const name = ts.isPropertyAccessExpression(node) ? node.name : node;
  const symbol = ts.isIdentifier(name) ? checker.getSymbolAtLocation(name) : undefined;
  return symbol === undefined ? checker.getTypeAtLocation(node) : checker.getTypeOfSymbol(symbol);
}

/** The name of the language's type that a value has. */
function nameOfType(node: ts.Expression, { checker }: Context): string | undefined {
  const symbol = checker.getNonNullableType(checker.getTypeAtLocation(node)).getSymbol();
  return symbol !== undefined && isOfLanguage(symbol) ? symbol.name : undefined;
}

function partsOf(type: ts.Type): ts.Type[] {
  return type.isUnion() ? type.types : [type];
}

function isNullable(type: ts.Type): boolean {
  return partsOf(type).some((each) => (each.flags & ts.TypeFlags.Null) !== 0);
}

function isText(type: ts.Type): boolean {
  const parts = partsOf(type).filter((each) => (each.flags & ts.TypeFlags.Null) === 0);
  return parts.length > 0 && parts.every((each) => (each.flags & ts.TypeFlags.StringLike) !== 0);
}

function isBool(type: ts.Type): boolean {
  return partsOf(type).some((each) => (each.flags & ts.TypeFlags.BooleanLike) !== 0);
}
