/** Declarations that the language does not have, or needs more of. */
import ts from 'typescript';
import { kitName } from '../source/symbols.ts';
import type { Context, Rule } from './rule.ts';

export const declarations: Rule = (node, context) => {
  const { faults } = context;
  if (ts.isObjectBindingPattern(node) || ts.isArrayBindingPattern(node)) checkPattern(node, context);
  else if (ts.isDecorator(node)) faults.add(node, 'There are no decorators', 'Leave it out.');
  else if (node.kind === ts.SyntaxKind.DeclareKeyword)
    faults.add(node, 'Nothing but the kit is there to be declared', 'Import it from "redis-wasm/kit", or write it.');
  else if (node.kind === ts.SyntaxKind.AsyncKeyword) {
    faults.add(node, 'A command does not wait: all that it does is done when it returns', 'Leave async out.');
  } else if (ts.isPrivateIdentifier(node))
    faults.add(node, `${node.text}: there are no names with #`, `Write private ${node.text.slice(1)}`);
  else if (ts.isClassExpression(node) || (ts.isClassDeclaration(node) && !ts.isSourceFile(node.parent) && !ts.isModuleBlock(node.parent))) {
    faults.add(node, 'Classes stand at the top level of a file', 'Write class Name { … } there.');
  } else if (ts.isEnumMember(node) && node.initializer !== undefined && ts.isStringLiteralLike(node.initializer)) {
    faults.add(node, 'Values of an enum are whole numbers', `Write const ${node.name.getText()} = ${node.initializer.getText()};`);
  } else if (ts.isImportDeclaration(node)) stripTypes(node, context);
  else if (ts.isHeritageClause(node)) checkHeritage(node, context);
  else if (ts.isParameter(node) || ts.isPropertyDeclaration(node)) checkMember(node, context);
  if (ts.isFunctionDeclaration(node) || ts.isMethodDeclaration(node) || ts.isGetAccessor(node)) checkFunction(node, context);
};

function checkPattern(node: ts.BindingPattern, { faults }: Context): void {
  const loop = ts.findAncestor(node, (each) => ts.isForOfStatement(each));
  if (loop?.initializer === node.parent.parent) {
    faults.add(
      node,
      'There are no patterns of variables',
      'Write for (const key of map.keys()), and map.get(key); or take one item, and its fields from that.',
    );
    return;
  }
  const value = ts.isVariableDeclaration(node.parent) ? (node.parent.initializer?.getText() ?? 'value') : 'value';
  const names = node.elements.map((element) => element.getText()).filter((name) => name !== '');
  const each = ts.isObjectBindingPattern(node)
    ? names.map((name) => `const ${name} = value.${name};`)
    : names.map((name, index) => `const ${name} = value[${index}];`);
  const from = value === 'value' ? '' : `const value = ${value.length > 30 ? '…' : value}; `;
  faults.add(node, 'There are no patterns of variables', `Write ${from}${each.join(' ')}`);
}

/** A class of the author's that is a table would be declared past the checks of names and types. */
function checkHeritage({ types }: ts.HeritageClause, { checker, faults }: Context): void {
  for (const type of types) {
    const name = kitName(checker, type.expression);
    if (name?.endsWith('Table') !== true) continue;
    const kind = name.replace('Sub', '');
    faults.add(
      type,
      `No class extends a ${name}`,
      `Write const entries = new ${kind}<string, i64>("entries"); at the top level, and functions that use it.`,
    );
  }
}

/** `import type` is an import as any other. */
function stripTypes(node: ts.ImportDeclaration, { edits }: Context): void {
  const clause = node.importClause;
  if (clause?.phaseModifier === ts.SyntaxKind.TypeKeyword) {
    const at = node.getText().indexOf('type') + node.getStart();
    edits.replace(at, at + 'type'.length, '');
  }
}

function checkMember(node: ts.ParameterDeclaration | ts.PropertyDeclaration, { faults, handlers }: Context): void {
  const name = node.name.getText();
  const type = node.type?.getText() ?? 'string';
  const isNumber = /^(?:bool(?:ean)?|[iuf]\d+)$/.test(type);
  const empty = isNumber
    ? `${name}: ${type} = ${type.startsWith('bool') ? 'false' : '0'}`
    : `${name}: ${type.replace(/ \| null$/, '')} | null = null`;
  if (node.questionToken !== undefined) faults.add(node, `${name} may be left out, and has no value for that`, `Write ${empty}`);
  const isDeclared =
    ts.isPropertyDeclaration(node) ||
    !(ts.isArrowFunction(node.parent) || ts.isFunctionExpression(node.parent) || ts.isSetAccessor(node.parent));
  if (node.type === undefined && isDeclared && !handlers.has(node.parent) && !ts.isFunctionTypeNode(node.parent)) {
    faults.add(
      node,
      `${name} has no type`,
      `Write ${name}: ${guess(node.initializer)}${node.initializer === undefined ? '' : ` = ${node.initializer.getText()}`}`,
    );
  }
}

/** The type that a literal most likely stands for. */
export function guess(value: ts.Expression | undefined): string {
  if (value === undefined || ts.isStringLiteralLike(value)) return 'string';
  if (ts.isNumericLiteral(value)) return value.text.includes('.') ? 'f64' : 'i64';
  return value.kind === ts.SyntaxKind.TrueKeyword || value.kind === ts.SyntaxKind.FalseKeyword ? 'bool' : 'string';
}

function checkFunction(
  node: ts.FunctionDeclaration | ts.MethodDeclaration | ts.GetAccessorDeclaration,
  { faults, handlers }: Context,
): void {
  const name = node.name?.getText() ?? 'The function';
  if (node.asteriskToken !== undefined) faults.add(node.asteriskToken, 'There are no generators', 'Fill an array, and return it.');
  if (node.type === undefined && !handlers.has(node))
    faults.add(
      node.name ?? node,
      `${name} does not say what it returns`,
      `Write its type behind the parameters: ${name}(…): void, or string, i64 …`,
    );
}
