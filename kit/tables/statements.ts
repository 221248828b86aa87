/** Tables: where they are declared, what they hold, how they are used. */
import ts from 'typescript';
import { isBareGet, kitName, symbolOf, tableOf, walk } from '../source/symbols.ts';
import { classOf, typeText } from '../source/types.ts';
import { Classes, type Context } from './classes.ts';

export interface Tables extends Context {
  classes: Classes;
  /** those of all files so far, by name */
  names: Map<string, ts.Node>;
}

const KEY = /^(?:string|Bytes|[iu](?:8|16|32|64))$/;
const SORTED_KEY = /^(?:string|Bytes|bool|[iu](?:8|16|32|64)|f32|f64)$/;
const VALUE = SORTED_KEY;
const NUMBER = /^(?:bool|[iu](?:8|16|32|64)|f32|f64)$/;

/** Checks the tables of a file and what is done with them, and has the classes that they hold written. */
export function checkTables(source: ts.SourceFile, tables: Tables): void {
  walk(source, (node) => {
    if (ts.isNewExpression(node)) checkNew(node, tables);
    if (ts.isCallExpression(node) && ts.isPropertyAccessExpression(node.expression)) checkCall(node.expression, tables);
    return true;
  });
}

function checkNew(node: ts.NewExpression, tables: Tables): void {
  const { checker, faults } = tables;
  const kind = kitName(checker, node.expression);
  if (kind !== 'Table' && kind !== 'SortedTable') return;
  const [name] = node.arguments ?? [];
  const [key, value] = node.typeArguments ?? [];
  if (!isTopConst(node))
    faults.add(
      node,
      'A table is declared once, at the top level of a file',
      `Write const entries = new ${kind}<string, i64>("entries"); there.`,
    );
  if (name === undefined || !ts.isStringLiteralLike(name))
    faults.add(name ?? node, 'The name of a table is known when it is built', 'Write it as a text: "entries"');
  else checkName(name, tables);
  if (key === undefined || value === undefined)
    faults.add(node, `A table says what it holds: its keys and its values`, `Write new ${kind}<string, i64>("entries")`);
  else checkTypes(kind, key, value, tables);
}

function isTopConst(node: ts.NewExpression): boolean {
  const declaration = node.parent;
  if (!ts.isVariableDeclaration(declaration) || !(declaration.parent.flags & ts.NodeFlags.Const)) return false;
  return ts.isVariableStatement(declaration.parent.parent) && ts.isSourceFile(declaration.parent.parent.parent);
}

function checkName(node: ts.StringLiteralLike, { faults, names }: Tables): void {
  if (!/^[a-z][a-z0-9_-]{0,63}$/.test(node.text)) {
    faults.add(
      node,
      `"${node.text}" is no name of a table`,
      'A name begins with a small letter; 63 small letters, digits, _ and - may follow.',
    );
  } else if (names.has(node.text))
    faults.add(node, `There are two tables "${node.text}"`, 'Choose another name for one of them: it is what its data is found by.');
  else names.set(node.text, node);
}

function checkTypes(kind: string, key: ts.TypeNode, value: ts.TypeNode, { checker, faults, classes }: Tables): void {
  const [keyText, valueText] = [typeText(checker, key), typeText(checker, value)];
  const [keyClass, valueClass] = [classOf(checker, key), classOf(checker, value)];
  if (keyClass !== undefined && kind === 'SortedTable' && keyText === keyClass.name?.text) classes.addKey(keyClass);
  else if (keyClass !== undefined)
    faults.add(
      key,
      `A table cannot have keys of the class ${keyText}`,
      'Write a SortedTable, whose keys may be classes; or make a text of it.',
    );
  else if (!(kind === 'SortedTable' ? SORTED_KEY : KEY).test(keyText)) {
    const sorted = kind === 'SortedTable' ? ', f64, bool and classes of these' : '';
    faults.add(key, `A table cannot have keys of type ${keyText}`, `Keys are string, Bytes, whole numbers (i64 …)${sorted}.`);
  }
  if (valueClass !== undefined && valueText === valueClass.name?.text) classes.addValue(valueClass);
  else if (!VALUE.test(valueText)) {
    const instead = valueText.endsWith(' | null')
      ? 'Leave "| null" out: delete an entry that is to have no value.'
      : 'Values are string, Bytes, numbers, bool, and classes; an array is a field of one, a Map is a table of its own: table.in(key).';
    faults.add(value, `A table cannot hold values of type ${valueText}`, instead);
  }
}

function checkCall(access: ts.PropertyAccessExpression, tables: Tables): void {
  const { checker, faults } = tables;
  const kind = tableOf(checker, access.expression);
  if (kind === undefined) return;
  if (access.name.text === 'in' && kind.includes('Sub')) {
    faults.add(access.name, 'What belongs to a key holds no further key', 'Make one text of both: table.in(`${user}:${list}`)');
  }
  if (access.name.text === 'get') checkGet(access, tables);
  const value = access.name.text === 'find' ? valueNode(checker, access.expression) : undefined;
  const text = value === undefined ? '' : typeText(checker, value);
  if (NUMBER.test(text)) {
    const table = access.expression.getText();
    faults.add(
      access.name,
      `find answers null where there is nothing, and ${text} has no null`,
      `Write ${table}.has(key), or ${table}.get(key, ${text === 'bool' ? 'false' : '0'})`,
    );
  }
}

const CHOICES = new Set([ts.SyntaxKind.BarBarToken, ts.SyntaxKind.QuestionQuestionToken]);

/** `get` with a key alone. */
function checkGet(access: ts.PropertyAccessExpression, { checker, faults }: Tables): void {
  const call = access.parent;
  if (!ts.isCallExpression(call) || !isBareGet(checker, call)) return;
  const [table, key] = [access.expression.getText(), call.arguments[0]?.getText() ?? ''];
  const { parent } = call;
  const message = 'get of a table is told what to answer where there is nothing';
  if (ts.isBinaryExpression(parent) && CHOICES.has(parent.operatorToken.kind) && parent.left === call && !isAsked(parent)) {
    faults.add(call, message, `Write ${table}.get(${key}, ${parent.right.getText()})`);
    return;
  }
  const value = valueNode(checker, access.expression);
  const type = value === undefined ? '' : typeText(checker, value);
  const none = NUMBER.test(type)
    ? type === 'bool'
      ? 'false'
      : '0'
    : type === 'string'
      ? '""'
      : `new ${type === 'Bytes' ? 'Uint8Array(0)' : `${type}(…)`}`;
  const get = `${table}.get(${key}, ${none})`;
  faults.add(
    call,
    message,
    NUMBER.test(type) ? `Write ${get}, or ask ${table}.has(${key}) before` : `Write ${table}.find(${key}), which answers null, or ${get}`,
  );
}

/** Whether `a || b` is a condition. */
function isAsked(node: ts.Expression): boolean {
  const { parent } = node;
  return (ts.isIfStatement(parent) || ts.isWhileStatement(parent)) && parent.expression === node;
}

/** The type of a table's values, where it is declared. */
function valueNode(checker: ts.TypeChecker, table: ts.Expression): ts.TypeNode | undefined {
  if (ts.isNewExpression(table)) return table.typeArguments?.[1];
  if (ts.isCallExpression(table) && ts.isPropertyAccessExpression(table.expression)) return valueNode(checker, table.expression.expression);
  const declaration = symbolOf(checker, table)?.valueDeclaration;
  if (declaration === undefined || !(ts.isVariableDeclaration(declaration) || ts.isParameter(declaration))) return undefined;
  if (declaration.type !== undefined && ts.isTypeReferenceNode(declaration.type)) return declaration.type.typeArguments?.[1];
  return declaration.initializer === undefined ? undefined : valueNode(checker, declaration.initializer);
}
