/** Types that say less than the language needs to know. */
import ts from 'typescript';
import { typeText } from '../source/types.ts';
import type { Context, Rule } from './rule.ts';

const KEYWORDS = new Map<ts.SyntaxKind, string>([
  [ts.SyntaxKind.AnyKeyword, 'Write the type that it has: string, i64, f64, a class …'],
  [ts.SyntaxKind.UnknownKeyword, 'Write the type that it has: string, i64, f64, a class …'],
  [ts.SyntaxKind.ObjectKeyword, 'Write a class.'],
  [ts.SyntaxKind.UndefinedKeyword, 'What may be missing is null: string | null'],
  [ts.SyntaxKind.NumberKeyword, 'Write f64, or i64 or i32 for whole numbers.'],
  [ts.SyntaxKind.NeverKeyword, 'Write void.'],
  [ts.SyntaxKind.SymbolKeyword, 'Write an enum.'],
  [ts.SyntaxKind.BigIntKeyword, 'Write i64, or u64.'],
]);

const NO_NULL = /^(?:bool|[iuf](?:8|16|32|64)|[iu]size) \| null$/;

export const types: Rule = (node, context) => {
  const { faults } = context;
  const instead = KEYWORDS.get(node.kind);
  if (instead !== undefined && ts.isTypeNode(node)) {
    // `string | undefined` is told once, as a union.
    if (!ts.isUnionTypeNode(node.parent)) faults.add(node, `${node.getText()} is no type of the language of modules`, instead);
  } else if (ts.isUnionTypeNode(node)) checkUnion(node, context);
  else if (ts.isTupleTypeNode(node))
    faults.add(node, 'There are no tuples', 'Write a class with a field for each; for a reply of several kinds, Reply.');
  else if (ts.isTypeLiteralNode(node))
    faults.add(node, 'An object has a class', 'Write class Point { constructor(public x: f64, public y: f64) {} }');
  else if (ts.isLiteralTypeNode(node) && node.literal.kind !== ts.SyntaxKind.NullKeyword && !ts.isUnionTypeNode(node.parent)) {
    faults.add(node, 'A value is no type', 'Write string or i64, or an enum.');
  } else if (ts.isTypePredicateNode(node)) faults.add(node, 'A function cannot tell of a type', 'Write bool.');
  else {
    const kind = ADVANCED.get(node.kind);
    if (kind !== undefined && ts.isTypeNode(node)) faults.add(node, `There are no ${kind}`, 'Write the type out.');
  }
};

const ADVANCED = new Map<ts.SyntaxKind, string>([
  [ts.SyntaxKind.IntersectionType, 'intersections of types'],
  [ts.SyntaxKind.ConditionalType, 'conditional types'],
  [ts.SyntaxKind.MappedType, 'mapped types'],
  [ts.SyntaxKind.IndexedAccessType, 'types of fields'],
  [ts.SyntaxKind.TypeOperator, 'types made of types'],
  [ts.SyntaxKind.TypeQuery, 'types of values'],
  [ts.SyntaxKind.TemplateLiteralType, 'types of texts'],
]);

function checkUnion(node: ts.UnionTypeNode, { checker, faults }: Context): void {
  const text = typeText(checker, node);
  const others = text.split(' | ').filter((part) => part !== 'null' && part !== 'undefined');
  const [first = 'string'] = others;
  if (text.includes('undefined')) faults.add(node, 'There is no undefined: what may be missing is null', `Write ${first} | null`);
  else if (NO_NULL.test(text))
    faults.add(
      node,
      `${first} is a number, which is never null`,
      `Write ${first}, and choose a value for "none"; of a table ask has(key) first.`,
    );
  else if (others.length > 1) {
    const isTexts = node.types.every((each) => ts.isLiteralTypeNode(each));
    faults.add(
      node,
      'A value has one type; only | null may be behind it',
      isTexts ? 'Write string, or an enum.' : `Write ${first}, or a class with a field for each.`,
    );
  }
}
