/** Expressions and statements that the language does not have, each with what to write instead. */
import ts from 'typescript';
import { isBareGet } from '../source/symbols.ts';
import { missingOf } from './meanings.ts';
import { isServerCall } from '../source/symbols.ts';
import type { Context, Rule } from './rule.ts';

/** Of nodes of one kind, whatever they hold. */
const KINDS = new Map<ts.SyntaxKind, [message: string, instead: string]>([
  [
    ts.SyntaxKind.RegularExpressionLiteral,
    ['There are no regular expressions', 'Look at the text itself: startsWith, includes, indexOf, split, charCodeAt.'],
  ],
  [
    ts.SyntaxKind.TryStatement,
    [
      'An error ends the command and undoes it, so nothing can catch it',
      'Ask before: if (!table.has(key)) …; a function that may fail answers null.',
    ],
  ],
  [ts.SyntaxKind.AwaitExpression, ['A command does not wait: all that it does is done when it returns', 'Leave await out.']],
  [ts.SyntaxKind.YieldExpression, ['There are no generators', 'Fill an array, and return it.']],
  [ts.SyntaxKind.SpreadElement, ['There is no spreading', 'Write a.concat(b), or push in a loop.']],
  [ts.SyntaxKind.SpreadAssignment, ['There is no spreading', 'Copy each field.']],
  [ts.SyntaxKind.BigIntLiteral, ['Whole numbers of 64 bits are written without n', 'Leave n out: i64 is exact up to 9223372036854775807.']],
  [ts.SyntaxKind.DeleteExpression, ['Fields of an object are always there', 'Write map.delete(key) of a Map, or set the field to null.']],
  [ts.SyntaxKind.LabeledStatement, ['There are no labels', 'Put the loops into a function, and return from it.']],
  [ts.SyntaxKind.SatisfiesExpression, ['There is no satisfies', 'Leave it out.']],
  [ts.SyntaxKind.TaggedTemplateExpression, ['There are no tags of templates', 'Call a function.']],
  [ts.SyntaxKind.MetaProperty, ['A module knows nothing of its place', 'Leave it out.']],
  [ts.SyntaxKind.VoidExpression, ['There is no undefined in a module', 'What may be missing is null.']],
  [ts.SyntaxKind.WithStatement, ['There is no with', 'Name the object each time.']],
]);

export const expressions: Rule = (node, context) => {
  const { checker, faults } = context;
  const known = KINDS.get(node.kind);
  // The words of a command may be those of an array.
  if (ts.isSpreadElement(node) && isServerCall(checker, node.parent)) return;
  if (known !== undefined) faults.add(node, ...known);
  else if (ts.isBinaryExpression(node)) checkBinary(node, context);
  else if (isOptional(node)) checkOptional(node, context);
  else if (ts.isAsExpression(node) && node.type.getText() === 'const') faults.add(node.type, 'There is no as const', 'Leave it out.');
  else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
    faults.add(node, 'Imports stand at the top of a file', 'Write import { name } from "./file";');
  } else if (ts.isThrowStatement(node) && !isError(checker.getTypeAtLocation(node.expression))) {
    faults.add(
      node.expression,
      'What is thrown is an Error',
      `Write throw new Error(${ts.isStringLiteralLike(node.expression) ? node.expression.getText() : '"…"'});`,
    );
  }
};

type OptionalAccess = (ts.PropertyAccessExpression | ts.ElementAccessExpression | ts.CallExpression) & {
  questionDotToken: ts.QuestionDotToken;
};

function isOptional(node: ts.Node): node is OptionalAccess {
  return (
    (ts.isPropertyAccessExpression(node) || ts.isElementAccessExpression(node) || ts.isCallExpression(node)) &&
    node.questionDotToken !== undefined
  );
}

function checkOptional(node: OptionalAccess, { faults }: Context): void {
  const { expression, questionDotToken } = node;
  const text = expression.getText();
  const isName = ts.isIdentifier(expression);
  const name = isName ? text : 'value';
  const whole = ts.isCallExpression(node.parent) && node.parent.expression === node ? node.parent : node;
  const rest = whole
    .getText()
    .slice(text.length)
    .replace(/^\?\./, ts.isPropertyAccessExpression(node) ? '.' : '');
  const first = isName ? '' : `const value = ${text}; `;
  faults.add(questionDotToken, 'There is no ?.', `Write ${first}if (${name} !== null) … ${name}${rest}`);
}

const NULLISH = new Set([ts.SyntaxKind.QuestionQuestionToken, ts.SyntaxKind.QuestionQuestionEqualsToken]);
const LOGICAL = new Set([ts.SyntaxKind.BarBarEqualsToken, ts.SyntaxKind.AmpersandAmpersandEqualsToken]);

function checkBinary(node: ts.BinaryExpression, context: Context): void {
  const { faults } = context;
  const { left, right, operatorToken } = node;
  const [leftText, rightText] = [left.getText(), right.getText()];
  if (NULLISH.has(operatorToken.kind)) {
    // Another rule tells of it.
    const isTold = missingOf(left, context) !== undefined || isBareGet(context.checker, left);
    if (operatorToken.kind === ts.SyntaxKind.QuestionQuestionToken && isTold) return;
    const [, table, key] = /^(.*)\.find\((.*)\)$/s.exec(leftText) ?? [];
    const isSet = operatorToken.kind === ts.SyntaxKind.QuestionQuestionEqualsToken;
    const plain = ts.isIdentifier(left) ? leftText : 'value';
    const first = plain === leftText ? '' : `const value = ${leftText}; `;
    const instead =
      table === undefined
        ? isSet
          ? `Write if (${leftText} === null) ${leftText} = ${rightText};`
          : `Write ${first}${plain} === null ? ${rightText} : ${plain}`
        : `Write ${table}.get(${key ?? ''}, ${rightText})`;
    faults.add(operatorToken, `There is no ${operatorToken.getText()}`, instead);
  } else if (LOGICAL.has(operatorToken.kind)) {
    const not = operatorToken.kind === ts.SyntaxKind.BarBarEqualsToken ? '!' : '';
    faults.add(operatorToken, `There is no ${operatorToken.getText()}`, `Write if (${not}${leftText}) ${leftText} = ${rightText};`);
  } else if (operatorToken.kind === ts.SyntaxKind.InKeyword) {
    faults.add(operatorToken, 'Objects have the fields of their class, so that there is no in', 'Write map.has(key) of a Map.');
  } else if (
    operatorToken.kind === ts.SyntaxKind.EqualsToken &&
    (ts.isArrayLiteralExpression(left) || ts.isObjectLiteralExpression(left))
  ) {
    faults.add(left, 'There are no patterns of variables', 'Write an assignment for each.');
  }
}

function isError(type: ts.Type): boolean {
  if (type.flags & ts.TypeFlags.Any) return true;
  const symbol = type.getSymbol();
  return symbol !== undefined && (symbol.name === 'Error' || (type.isClassOrInterface() && (type.getBaseTypes() ?? []).some(isError)));
}
