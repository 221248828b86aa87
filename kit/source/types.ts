/** Types as an author has written them, by the names that the kit and the language know. */
import ts from 'typescript';
import { isOfLanguage, kitName, symbolOf } from './symbols.ts';

/**
 * A type in its shortest form: aliases of the author's followed, `Array<T>` as `T[]`, `Uint8Array` as
 * `Bytes`, `boolean` as `bool`, an enum as `i32`, null last. What is none of the kit's stays as it is
 * written.
 */
export function typeText(checker: ts.TypeChecker, node: ts.TypeNode): string {
  if (ts.isParenthesizedTypeNode(node)) return typeText(checker, node.type);
  if (ts.isArrayTypeNode(node)) return arrayOf(typeText(checker, node.elementType));
  if (ts.isUnionTypeNode(node)) {
    const isNull = (each: ts.TypeNode) => ts.isLiteralTypeNode(each) && each.literal.kind === ts.SyntaxKind.NullKeyword;
    const others = node.types.filter((each) => !isNull(each)).map((each) => typeText(checker, each));
    return [...others, ...(others.length < node.types.length ? ['null'] : [])].join(' | ');
  }
  if (node.kind === ts.SyntaxKind.BooleanKeyword) return 'bool';
  if (!ts.isTypeReferenceNode(node)) return node.getText();
  return referenceText(checker, node);
}

function arrayOf(element: string): string {
  return element.includes(' | ') ? `(${element})[]` : `${element}[]`;
}

function referenceText(checker: ts.TypeChecker, node: ts.TypeReferenceNode): string {
  const symbol = symbolOf(checker, node.typeName);
  const given = (node.typeArguments ?? []).map((each) => typeText(checker, each));
  const inKit = kitName(checker, node.typeName);
  if (inKit !== undefined) return given.length > 0 ? `${inKit}<${given.join(', ')}>` : inKit;
  if (isOfLanguage(symbol)) {
    const name = node.typeName.getText();
    if (name === 'Array' && given[0] !== undefined) return arrayOf(given[0]);
    if (name === 'Uint8Array') return 'Bytes';
    return given.length > 0 ? `${name}<${given.join(', ')}>` : name;
  }
  const declaration = symbol?.declarations?.[0];
  if (declaration !== undefined && ts.isTypeAliasDeclaration(declaration) && declaration.typeParameters === undefined) {
    return typeText(checker, declaration.type);
  }
  return declaration !== undefined && ts.isEnumDeclaration(declaration) ? 'i32' : node.getText();
}

/** The class that a type names, if it is one of the author's. */
export function classOf(checker: ts.TypeChecker, node: ts.TypeNode): ts.ClassDeclaration | undefined {
  if (ts.isParenthesizedTypeNode(node)) return classOf(checker, node.type);
  if (ts.isArrayTypeNode(node)) return classOf(checker, node.elementType);
  if (ts.isUnionTypeNode(node)) return node.types.map((each) => classOf(checker, each)).find((each) => each !== undefined);
  if (!ts.isTypeReferenceNode(node)) return undefined;
  const symbol = symbolOf(checker, node.typeName);
  const declaration = symbol?.declarations?.find((each) => ts.isClassDeclaration(each) || ts.isTypeAliasDeclaration(each));
  if (declaration === undefined) return undefined;
  if (isOfLanguage(symbol)) return node.typeArguments?.map((each) => classOf(checker, each)).find((each) => each !== undefined);
  return ts.isTypeAliasDeclaration(declaration) ? classOf(checker, declaration.type) : declaration;
}
