/** State outside of tables: it would be another one on each server, and gone with a restart. */
import ts from 'typescript';
import { isOfLanguage, kitName } from '../source/symbols.ts';
import type { Context, Rule } from './rule.ts';

const TABLE = 'State that lasts belongs in a Table: const counts = new Table<string, i64>("counts");';

/** Methods that change what they are called on, of the language's own types. */
const CHANGES = new Set(
  ['push', 'pop', 'shift', 'unshift', 'splice', 'sort', 'reverse', 'fill', 'copyWithin', 'set', 'add', 'delete', 'clear'].concat(
    ['setTime', 'setUTCDate', 'setUTCFullYear', 'setUTCHours', 'setUTCMilliseconds', 'setUTCMinutes', 'setUTCMonth', 'setUTCSeconds'],
    ['Float32', 'Float64', 'Int8', 'Int16', 'Int32', 'Int64', 'Uint8', 'Uint16', 'Uint32', 'Uint64'].map((type) => `set${type}`),
  ),
);
/** What of the kit is called while a module starts. */
const AT_START = new Set(['command', 'query', 'every', 'on', 'setting', 'info', 'Table', 'SortedTable']);
/** What of these is a statement of a file. */
const DECLARING = new Set(['command', 'query', 'every', 'on']);

export const state: Rule = (node, context) => {
  if (ts.isVariableStatement(node) && ts.isSourceFile(node.parent)) checkVariables(node, context);
  else if (ts.isPropertyDeclaration(node)) checkStatic(node, context);
  else if (ts.isBinaryExpression(node) && isAssignment(node.operatorToken.kind)) checkWrite(node.left, context);
  else if ((ts.isPrefixUnaryExpression(node) || ts.isPostfixUnaryExpression(node)) && isStep(node.operator))
    checkWrite(node.operand, context);
  else if (ts.isCallExpression(node)) checkCall(node, context);
};

function isAssignment(kind: ts.SyntaxKind): boolean {
  return kind >= ts.SyntaxKind.FirstAssignment && kind <= ts.SyntaxKind.LastAssignment;
}

function isStep(kind: ts.SyntaxKind): boolean {
  return kind === ts.SyntaxKind.PlusPlusToken || kind === ts.SyntaxKind.MinusMinusToken;
}

function checkVariables(node: ts.VariableStatement, { faults }: Context): void {
  if (node.declarationList.flags & ts.NodeFlags.Const) return;
  for (const { name } of node.declarationList.declarations) {
    faults.add(
      name,
      `${name.getText()} is a variable of the module: every command would find it as it was at the start`,
      `${TABLE} What never changes is a const.`,
    );
  }
}

function checkStatic(node: ts.PropertyDeclaration, { faults }: Context): void {
  const has = (kind: ts.SyntaxKind) => node.modifiers?.some((modifier) => modifier.kind === kind) ?? false;
  if (!has(ts.SyntaxKind.StaticKeyword) || has(ts.SyntaxKind.ReadonlyKeyword)) return;
  faults.add(
    node.name,
    `${node.name.getText()} is a static field, which is a variable of the module`,
    `${TABLE} What never changes is static readonly.`,
  );
}

/** A write to what a name at the top level of a file stands for, within a function. */
function checkWrite(target: ts.Expression, context: Context): void {
  const root = rootOf(target);
  if (root === target && !ts.isIdentifier(target)) return;
  if (!isInFunction(target) || !isOfModule(root, context.checker)) return;
  context.faults.add(target, `${root.getText()} is the module's: what a command changes in it is gone with the command`, TABLE);
}

function checkCall(node: ts.CallExpression, context: Context): void {
  const { checker, faults } = context;
  const inKit = ts.isIdentifier(node.expression) ? kitName(checker, node.expression) : undefined;
  if (inKit !== undefined && !isInFunction(node) && !AT_START.has(inKit)) {
    faults.add(node, `${inKit}() is for commands, and here it would run while the module starts`, 'Call it within a handler.');
  }
  if (inKit !== undefined && DECLARING.has(inKit) && !ts.isSourceFile(node.parent.parent)) {
    faults.add(node, `${inKit}() declares what the module does, once`, 'Write it as a statement at the top level of a file.');
  }
  if (!ts.isPropertyAccessExpression(node.expression) || !CHANGES.has(node.expression.name.text) || !isInFunction(node)) return;
  const { expression: receiver, name } = node.expression;
  const root = rootOf(receiver);
  if (!isOfLanguage(checker.getSymbolAtLocation(name)) || !isOfModule(root, checker)) return;
  faults.add(node, `${root.getText()} is the module's: what ${name.text} changes in it is gone with the command`, TABLE);
}

/** The name that an access begins with: `list` of `list[0].name`. */
function rootOf(node: ts.Expression): ts.Expression {
  if (
    ts.isPropertyAccessExpression(node) ||
    ts.isElementAccessExpression(node) ||
    ts.isNonNullExpression(node) ||
    ts.isParenthesizedExpression(node)
  ) {
    return rootOf(node.expression);
  }
  return node;
}

/** Whether a name stands for something at the top level of a file, but a table. */
function isOfModule(node: ts.Expression, checker: ts.TypeChecker): boolean {
  if (!ts.isIdentifier(node)) return false;
  const symbol = checker.getSymbolAtLocation(node);
  const declaration = symbol?.declarations?.[0];
  if (symbol === undefined || declaration === undefined || isOfLanguage(symbol)) return false;
  if (symbol.flags & ts.SymbolFlags.Alias) return true;
  if (ts.isVariableDeclaration(declaration)) return ts.isSourceFile(declaration.parent.parent.parent);
  return ts.isClassDeclaration(declaration) || ts.isEnumDeclaration(declaration);
}

/** Whether a node runs when a function is called, and not while the module starts. */
export function isInFunction(node: ts.Node): boolean {
  const above = ts.findAncestor(node.parent, (each) => ts.isFunctionLike(each));
  return above !== undefined;
}
