/** Packages that reach raw memory: they are refused, unless the author's package.json trusts them by name. */
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import ts from 'typescript';
import { Problem } from '../../bin/process.ts';
import { faultAt, type Fault } from '../source/faults.ts';
import { walk } from '../source/symbols.ts';

const REACHES = new Set(['changetype', 'load', 'store', 'memory', 'heap', 'unchecked', 'atomic', 'v128', 'call_indirect', 'table']);
const MEMBERS = /^(?:load|store|data|index)(?:\d|_|$)|^dataStart$|Unsafe$/;

/**
 * The first place of each package that is not trusted where it reaches raw memory, or declares a function of
 * the host.
 * @param packages texts by their absolute paths
 * @param entry the author's first file
 */
export function untrusted(packages: Map<string, string>, entry: string): Fault[] {
  const faults = new Map<string, Fault>();
  const trusted = packages.size > 0 ? trustedBy(entry) : new Set();
  for (const [file, text] of packages) {
    const name = packageOf(file);
    if (trusted.has(name) || faults.has(name)) continue;
    const source = ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true);
    const node = firstReach(source);
    if (node === undefined) continue;
    const message = `The package ${name} reaches raw memory, or the host, by ${node.getText().slice(0, 40)}: it could damage all data`;
    const instead = `Do without it; or where you trust its code, write "redis-wasm": { "trusted": ["${name}"] } into package.json.`;
    faults.set(name, faultAt(source, node.getStart(), message, instead));
  }
  return [...faults.values()];
}

/** `name`, or `@scope/name`, of a file below node_modules. */
function packageOf(file: string): string {
  const [, inside = ''] = /^.*\/node_modules\/(.*)$/.exec(file.replaceAll('\\', '/')) ?? [];
  return inside.split('/', inside.startsWith('@') ? 2 : 1).join('/');
}

/** What the package.json of an author's project trusts. Throws a Problem where that is no list of names. */
function trustedBy(entry: string): Set<unknown> {
  let folder = path.dirname(entry);
  while (!existsSync(path.join(folder, 'package.json'))) {
    if (folder === path.dirname(folder)) return new Set();
    folder = path.dirname(folder);
  }
  const file = path.join(folder, 'package.json');
  let content: { 'redis-wasm'?: { trusted?: unknown } } | null;
  try {
    content = JSON.parse(readFileSync(file, 'utf8')) as typeof content;
  } catch (error) {
    throw new Problem(`${file} is no JSON: ${String(error)}`);
  }
  const trusted = content?.['redis-wasm']?.trusted ?? [];
  if (!Array.isArray(trusted)) throw new Problem(`${file}: "trusted" of "redis-wasm" is a list of names of packages.`);
  return new Set(trusted);
}

/** The first name in a file that stands for raw memory, and not for something that the file declares. */
function firstReach(source: ts.SourceFile): ts.Node | undefined {
  let found: ts.Node | undefined;
  walk(source, (node) => {
    if (found === undefined && (ts.isDecorator(node) ? /^@external\b/.test(node.getText()) : ts.isIdentifier(node) && reaches(node)))
      found = node;
    return found === undefined;
  });
  return found;
}

function reaches(node: ts.Identifier): boolean {
  const { parent, text } = node;
  if (ts.isPropertyAccessExpression(parent) && parent.name === node) return MEMBERS.test(text) && reachesBy(parent);
  if ('name' in parent && parent.name === node) return false;
  return (REACHES.has(text) || text.startsWith('__') || /^[iuf]\d+x\d+$/.test(text)) && !isDeclared(node);
}

/** Whether a name is declared where it is seen from its place. */
function isDeclared(node: ts.Identifier): boolean {
  const isIt = (name: ts.Node | undefined) => name !== undefined && ts.isIdentifier(name) && name.text === node.text;
  const declares = (each: ts.Node): boolean => {
    if (ts.isVariableStatement(each)) return each.declarationList.declarations.some(({ name }) => isIt(name));
    if (ts.isFunctionDeclaration(each) || ts.isClassDeclaration(each) || ts.isModuleDeclaration(each)) return isIt(each.name);
    const bindings = ts.isImportDeclaration(each) ? each.importClause?.namedBindings : undefined;
    if (bindings === undefined) return false;
    return ts.isNamespaceImport(bindings) ? isIt(bindings.name) : bindings.elements.some(({ name }) => isIt(name));
  };
  const around = ts.findAncestor(node.parent, (each) => {
    if (ts.isFunctionLike(each)) return each.parameters.some(({ name }) => isIt(name));
    return (ts.isBlock(each) || ts.isModuleBlock(each) || ts.isSourceFile(each)) && each.statements.some(declares);
  });
  return around !== undefined;
}

/** Whether a member is one of the language's: `i32.load`, `list.dataStart`, `String.UTF8.encodeUnsafe`. */
function reachesBy({ expression, name }: ts.PropertyAccessExpression): boolean {
  return /^dataStart$|Unsafe$/.test(name.text) || /^(?:[iuf](?:8|16|32|64|size)|[iu]size)$/.test(expression.getText());
}
