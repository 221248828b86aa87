/** The statements `command(…)` and `query(…)` of a file: found, checked, turned into what registers them. */
import ts from 'typescript';
import type { Edits } from '../source/edits.ts';
import type { Faults } from '../source/faults.ts';
import { kitName, symbolOf } from '../source/symbols.ts';
import { typeText } from '../source/types.ts';
import { writesOf } from './calls.ts';
import { clusterNote, type Note } from './cluster.ts';
import { aboutOf, type About } from './about.ts';
import { keysOf, type Keys } from './keys.ts';
import { argumentFor, misfit, signatureOf, slotsOf, zeroOf, type Parameter, type Slot } from './parameters.ts';
import { resultProblem } from './results.ts';
import { parseSyntax, SyntaxFault, type Item } from './syntax.ts';
import { wrapperOf } from './wrapper.ts';

/** A command as it is declared. */
export interface Command {
  /** as it is written: "LIMIT.TAKE" */
  name: string;
  syntax: string;
  writes: boolean;
  about: About;
  keys: Keys;
  parameters: Parameter[];
  /** the type that its handler returns, as it is written */
  result: string;
  node: ts.Node;
  /** what does not work always, such as in a cluster */
  notes: Note[];
}

export type Handler = ts.FunctionDeclaration | ts.ArrowFunction | ts.FunctionExpression;

/** What statements of several files share. */
export interface Context {
  checker: ts.TypeChecker;
  faults: Faults;
  /** of an author's file */
  editsOf: (source: ts.SourceFile) => Edits;
  /** those of all files so far, by their names in capitals */
  commands: Map<string, Command>;
  /** what the host runs by itself, as it is shown to people */
  triggers: string[];
  /** handlers whose parameters have default values already */
  filled: Set<ts.Node>;
}

/** Namespaces of which no author's module has a command. */
const RESERVED = ['CUSTOM', 'SESSION', 'WASM'];

/** The statements of a file that declare commands. */
function declarationsIn(
  source: ts.SourceFile,
  checker: ts.TypeChecker,
): { statement: ts.Statement; call: ts.CallExpression; writes: boolean }[] {
  return source.statements.flatMap((statement) => {
    if (!ts.isExpressionStatement(statement) || !ts.isCallExpression(statement.expression)) return [];
    const call = statement.expression;
    const name = kitName(checker, call.expression);
    return name === 'command' || name === 'query' ? [{ statement, call, writes: name === 'command' }] : [];
  });
}

/** The functions that handle the commands of a file. */
export function handlersIn(source: ts.SourceFile, checker: ts.TypeChecker): ts.Node[] {
  return declarationsIn(source, checker).flatMap(({ call }) => (call.arguments[2] && functionOf(call.arguments[2], checker)) ?? []);
}

/**
 * Finds the statements of a file, takes them out of its text, and puts what registers them at its end.
 */
export function rewriteCommands(source: ts.SourceFile, edits: Edits, context: Context): void {
  for (const { statement, call, writes } of declarationsIn(source, context.checker)) rewrite(statement, call, writes, edits, context);
}

function rewrite(statement: ts.Statement, call: ts.CallExpression, writes: boolean, edits: Edits, context: Context): void {
  const { faults, commands } = context;
  const [nameNode, syntaxNode, handlerNode, aboutNode] = call.arguments;
  if (nameNode === undefined || syntaxNode === undefined || handlerNode === undefined) {
    const word = writes ? 'command' : 'query';
    faults.add(call, `${word} needs a name, a syntax and a handler`, `Write ${word}("MODULE.VERB", "key:key", handler, "What it does");`);
    return;
  }
  const name = literal(nameNode, 'The name of a command', faults);
  const syntax = literal(syntaxNode, 'The syntax of a command', faults);
  if (name === undefined || syntax === undefined) return;
  const nameProblem = problemOfName(name, commands);
  if (nameProblem !== undefined) {
    faults.add(nameNode, ...nameProblem);
    return;
  }
  const read = readSyntax(syntax, syntaxNode, faults);
  const about = aboutOf(aboutNode, faults);
  const handler = handlerOf(handlerNode, context);
  if (read === undefined || handler === undefined) return;
  const given = checkHandler({ name, writes }, handlerNode, handler, read.slots, context);
  const keys = readKeys(read.items, writes, about, syntaxNode, faults);
  if (given === undefined || keys === undefined) return;
  const notes = writes ? [] : checkQuery(name, handler, context);
  fillDefaults(handler, given.parameters, context);
  const index = commands.size;
  const cluster = clusterNote({ name, writes, hasKeys: keys.lines.length > 0 }, handler, context.checker);
  commands.set(name.toUpperCase(), {
    name,
    syntax,
    writes,
    about,
    keys,
    ...given,
    node: nameNode,
    notes: [...notes, ...(cluster === undefined ? [] : [cluster])],
  });
  const called = takeOut(statement, handlerNode, index, edits);
  const wrapper = wrapperOf({ index, handler: called, items: read.items, slots: read.slots, ...given });
  const { text } = statement.getSourceFile();
  // A comment may be all of the last line.
  edits.insert(text.length, `${text.endsWith('\n') ? '' : '\n'} ${wrapper} ${registration(name, syntax, writes, about, keys, index)}`);
}

/**
 * Tells of the writes of a query. One in a function that it calls is a note: by another way through it, that
 * may be right.
 */
function checkQuery(name: string, handler: Handler, { checker, faults }: Context): Note[] {
  const notes: Note[] = [];
  for (const { of, method, isOwn } of writesOf(handler, checker)) {
    const message = `${of}.${method.text} writes, and ${name} is a query, which only reads`;
    if (isOwn) faults.add(method, message, `Write command("${name}", …), or leave the write out.`);
    else if (notes.length === 0) notes.push({ node: method, text: `${message}: it fails when it comes here` });
  }
  return notes;
}

/** The text of a literal; notes a fault for anything else. */
export function literal(node: ts.Node, what: string, faults: Faults): string | undefined {
  if (ts.isStringLiteralLike(node)) return node.text;
  faults.add(node, `${what} is known when it is built`, 'Write it as a text: "…"');
  return undefined;
}

function problemOfName(name: string, commands: Map<string, Command>): [message: string, instead: string] | undefined {
  const known = name.slice(0, 40);
  if (!/^[A-Za-z][A-Za-z0-9_-]*\.[A-Za-z0-9_.:-]+$/.test(name) || name.length > 128) {
    return [`${known} is no name of a command`, 'A name is MODULE.VERB, of letters, digits, - and _: "LIMIT.TAKE"'];
  }
  const [namespace = ''] = name.toUpperCase().split('.');
  if (RESERVED.includes(namespace)) {
    return [`Commands ${namespace}.* belong to the module of that name`, `Choose another word before the point: "MY${namespace}.…"`];
  }
  if (name.toUpperCase().endsWith('.APPLY'))
    return [`${known}: commands of the name APPLY are those of replication`, 'Choose another verb.'];
  if (commands.has(name.toUpperCase())) return [`There are two commands ${known}`, 'Choose another name for one of them.'];
  return undefined;
}

function readSyntax(syntax: string, node: ts.Node, faults: Faults): { items: Item[]; slots: Slot[] } | undefined {
  try {
    const items = parseSyntax(syntax);
    return { items, slots: slotsOf(items) };
  } catch (error) {
    if (!(error instanceof SyntaxFault)) throw error;
    faults.add(
      node,
      `The syntax is not understood: ${error.message}`,
      'For example "key:key amount:integer [TTL seconds:integer] [NX|XX] [name ...]"',
    );
    return undefined;
  }
}

function readKeys(items: Item[], writes: boolean, about: About, node: ts.Node, faults: Faults): Keys | undefined {
  try {
    return keysOf(items, (name) => !writes || about.readKeys.includes(name));
  } catch (error) {
    if (!(error instanceof SyntaxFault)) throw error;
    faults.add(node, `The syntax does not work: ${error.message}`);
    return undefined;
  }
}

/** The function that an argument is, or names at the top level of a file. */
export function functionOf(node: ts.Expression, checker: ts.TypeChecker): Handler | undefined {
  if (ts.isArrowFunction(node) || ts.isFunctionExpression(node)) return node;
  const declaration = ts.isIdentifier(node) ? symbolOf(checker, node)?.valueDeclaration : undefined;
  return declaration !== undefined && ts.isFunctionDeclaration(declaration) && ts.isSourceFile(declaration.parent)
    ? declaration
    : undefined;
}

/** The function that a handler is, wherever that is declared. */
export function handlerOf(node: ts.Expression, { checker, faults }: Context): Handler | undefined {
  const found = functionOf(node, checker);
  if (found !== undefined) return found;
  faults.add(node, 'The handler is no function of this module', 'Write a function at the top level of a file, and its name here.');
  return undefined;
}

/** The parameters and the result of a handler, if they fit. */
function checkHandler(
  command: Pick<Command, 'name' | 'writes'>,
  node: ts.Node,
  handler: Handler,
  slots: Slot[],
  { checker, faults }: Context,
): Pick<Command, 'parameters' | 'result'> | undefined {
  const before = faults.all.length;
  const name = handler.name?.text ?? 'The handler';
  const at = handler.name ?? node;
  const fitting = fittingOf(handler, slots, command.writes, checker);
  if (handler.type === undefined || handler.parameters.some(({ type }) => type === undefined)) {
    faults.add(at, `${name} does not say all of its types`, `Write ${fitting}`);
    return undefined;
  }
  const result = typeText(checker, handler.type);
  if (handler.typeParameters !== undefined)
    faults.add(at, `${name} has types as parameters, which a handler cannot have`, `Write ${fitting}`);
  const noReply = resultProblem(result);
  if (noReply !== undefined) faults.add(handler.type, `${name} returns ${result}, which is no reply: ${noReply}`, RESULTS);
  const parameters = handler.parameters.map((parameter) => parameterOf(parameter, handler, checker, faults, fitting));
  if (handler.parameters.length !== slots.length) {
    const list = (names: string[]) => (names.length === 0 ? 'none' : names.join(', '));
    const wanted = list(slots.map((slot) => slot.item.name));
    const found = list(parameters.map((parameter) => parameter.name));
    const message = `The syntax of ${command.name} has ${slots.length} arguments (${wanted}), and ${name} has ${parameters.length} parameters (${found})`;
    faults.add(at, message, `Write ${fitting}`);
  } else {
    slots.forEach((slot, index) => {
      const parameter = parameters[index];
      const problem = parameter === undefined || faults.all.length > before ? undefined : misfit(slot, parameter);
      const other = parameter === undefined ? undefined : argumentFor(slot, parameter.type);
      if (problem !== undefined) {
        const orElse = other === undefined ? '' : `, or ${other} in the syntax`;
        faults.add(handler.parameters[index] ?? at, `${command.name}: ${problem}`, `Write ${fitting}${orElse}`);
      }
    });
  }
  return faults.all.length > before ? undefined : { parameters, result };
}

/** A signature of a handler that fits, as the function is written. */
function fittingOf(handler: Handler, slots: Slot[], writes: boolean, checker: ts.TypeChecker): string {
  const result = handler.type?.getText() ?? resultOf(handler, writes, checker);
  const head = ts.isArrowFunction(handler) ? '' : `function ${handler.name?.text ?? ''}`;
  return `${head}${signatureOf(slots)}: ${result}${ts.isArrowFunction(handler) ? ' => …' : ''}`;
}

/** What a function most likely returns that does not say it. */
function resultOf(handler: Handler, writes: boolean, checker: ts.TypeChecker): string {
  const signature = checker.getSignatureFromDeclaration(handler);
  const text = signature === undefined ? 'any' : checker.typeToString(checker.getReturnTypeOfSignature(signature));
  if (text === 'void' && writes) return text;
  const known = text.replaceAll(/\bnumber\b/g, 'i64').replaceAll(/\bboolean\b/g, 'bool');
  return resultProblem(known) === undefined && known !== 'void' ? known : 'string';
}

/**
 * The compiler wants a default value of each parameter behind one that has any. They are never used: a
 * command gives all of them.
 */
function fillDefaults(handler: Handler, parameters: Parameter[], { editsOf, filled }: Context): void {
  if (filled.has(handler)) return;
  filled.add(handler);
  const first = parameters.findIndex(({ initial }) => initial !== undefined);
  parameters.forEach(({ type, isNullable, initial }, index) => {
    const node = handler.parameters[index];
    if (first === -1 || index < first || initial !== undefined || node === undefined) return;
    editsOf(node.getSourceFile()).insert(node.getEnd(), ` = ${isNullable ? 'null' : zeroOf(type)}`);
  });
}

const RESULTS = 'A handler returns string, Bytes, a number, bool, arrays and Maps of these, T | null of references, void, or a Reply.';

function parameterOf(node: ts.ParameterDeclaration, handler: Handler, checker: ts.TypeChecker, faults: Faults, fitting: string): Parameter {
  const name = node.name.getText();
  const text = node.type === undefined ? '' : typeText(checker, node.type);
  const others = handler.parameters.map((parameter) => parameter.name.getText());
  if (node.dotDotDotToken !== undefined) faults.add(node, `${name} is a rest parameter`, `Write ${name}: ${text || 'string[]'}`);
  if (node.questionToken !== undefined) faults.add(node, `${name} has no value for where it is left out`, `Write ${fitting}`);
  if (node.initializer !== undefined && mentions(node.initializer, others)) {
    faults.add(
      node.initializer,
      `The default value of ${name} is made of another parameter`,
      'Give it a plain one, and replace that within the function.',
    );
  }
  return {
    name,
    type: text.replace(/ \| null$/, ''),
    isNullable: text.endsWith(' | null'),
    initial: node.initializer?.getText(),
  };
}

function mentions(node: ts.Node, names: string[]): boolean {
  if (ts.isIdentifier(node) && names.includes(node.text)) return true;
  return ts.forEachChild(node, (child) => mentions(child, names)) ?? false;
}

/**
 * Takes a statement out of the text. A function that stands in it becomes one of the file.
 * @returns the name by which the handler is called
 */
export function takeOut(statement: ts.Statement, handler: ts.Expression, index: number | string, edits: Edits): string {
  const [from, to] = [statement.getStart(), statement.getEnd()];
  if (!ts.isArrowFunction(handler) && !ts.isFunctionExpression(handler)) {
    edits.replace(from, to, '');
    return handler.getText();
  }
  const name = `__handler${index}`;
  const open =
    handler
      .getChildren()
      .find((child) => child.kind === ts.SyntaxKind.OpenParenToken)
      ?.getStart() ?? from;
  edits.replace(from, open, `function ${name}`);
  if (ts.isArrowFunction(handler)) {
    const arrow = handler.equalsGreaterThanToken;
    const isBlock = ts.isBlock(handler.body);
    edits.replace(arrow.getStart(), arrow.getEnd(), isBlock ? '' : handler.type?.getText() === 'void' ? '{' : '{ return (');
    edits.replace(handler.getEnd(), to, isBlock ? '' : handler.type?.getText() === 'void' ? '; }' : '); }');
  } else edits.replace(handler.getEnd(), to, '');
  return name;
}

/** The statement that registers a command, with all that the server is told of it. */
function registration(name: string, syntax: string, writes: boolean, about: About, keys: Keys, index: number): string {
  const lower = name.toLowerCase();
  const lines = [
    `name: ${lower}`,
    `flags: ${[writes ? 'write deny-oom' : 'readonly', ...about.flags].join(' ')}`,
    ...(syntax.trim() === '' ? ['arity: 1'] : [`syntax: ${syntax.trim().replaceAll(/\s+/g, ' ')}`]),
    // Servers put a module's commands into no category by themselves.
    `acl: ${[...about.categories, writes ? 'write' : 'read'].join(' ')}`,
    ...about.lines,
    ...keys.lines.map((line) => `keys: ${line}`),
  ];
  const values = [lines.join('\n'), lower].map((text) => JSON.stringify(text));
  return `__kit.register(${values[0] ?? ''}, __command${index}, ${values[1] ?? ''}, ${writes}, ${keys.first});`;
}
