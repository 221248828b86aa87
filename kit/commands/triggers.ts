/**
 * The statements `every(…)` and `on(…)` of a file: found, checked, turned into what has the host run their
 * handlers.
 */
import ts from 'typescript';
import type { Edits } from '../source/edits.ts';
import type { Faults } from '../source/faults.ts';
import { kitName, symbolOf } from '../source/symbols.ts';
import { typeText } from '../source/types.ts';
import { functionOf, handlerOf, literal, takeOut, type Context, type Handler } from './statements.ts';

/** As the host has them: `host/src/modules/triggers.rs`. */
const MS_MIN = 10;
const MS_MAX = 365 * 24 * 60 * 60 * 1000;
const EACH_MAX = 64;
const EVENT_BYTES_MAX = 128;
const PATTERN_BYTES_MAX = 1024;
/** Events that change nothing, or come before the key has its value: the host is not told of them. */
const UNTOLD = new Set(['keymiss', 'new', 'loaded']);

type Kind = 'every' | 'on';

/** The statements of a file. */
function triggersIn(source: ts.SourceFile, checker: ts.TypeChecker): { statement: ts.Statement; call: ts.CallExpression; kind: Kind }[] {
  return source.statements.flatMap((statement) => {
    if (!ts.isExpressionStatement(statement) || !ts.isCallExpression(statement.expression)) return [];
    const call = statement.expression;
    const name = kitName(checker, call.expression);
    return name === 'every' || name === 'on' ? [{ statement, call, kind: name }] : [];
  });
}

/** The functions that they run. */
export function triggerHandlersIn(source: ts.SourceFile, checker: ts.TypeChecker): ts.Node[] {
  return triggersIn(source, checker).flatMap(({ call, kind }) => {
    const handler = call.arguments[kind === 'every' ? 1 : 2];
    return (handler && functionOf(handler, checker)) ?? [];
  });
}

/** Finds the statements of a file, takes them out of its text, and puts what notes them at its end. */
export function rewriteTriggers(source: ts.SourceFile, edits: Edits, context: Context): void {
  for (const { statement, call, kind } of triggersIn(source, context.checker)) {
    const written = kind === 'every' ? everyOf(call, context) : onOf(call, context);
    if (written === undefined) continue;
    const { shown, noted, node, read, passed } = written;
    if (context.triggers.filter((each) => each.startsWith(`${kind}(`)).length === EACH_MAX) {
      context.faults.add(call, `There are more than ${EACH_MAX} of ${kind}(…)`, 'Have one handler do what several do.');
      continue;
    }
    const number = `t${context.triggers.length}`;
    context.triggers.push(shown);
    const handler = takeOut(statement, node, number, edits);
    const body = `__kit.beginTrigger(${kind === 'every'}); ${read}${handler}(${passed}); return __kit.done();`;
    const wrapper = `function __trigger${number}(__argc: i32, __argv: usize): u64 { ${body} }`;
    const { text } = source;
    edits.insert(text.length, `${text.endsWith('\n') ? '' : '\n'} ${wrapper} __kit.${noted}, __trigger${number});`);
  }
}

/** A statement that is as it should be. */
interface Written {
  /** for people */
  shown: string;
  /** the call that notes it, but for its last argument */
  noted: string;
  /** the handler, as it stands in the statement */
  node: ts.Expression;
  /** what reads the handler's arguments, and their names */
  read: string;
  passed: string;
}

function everyOf(call: ts.CallExpression, context: Context): Written | undefined {
  const { faults, checker } = context;
  const [intervalNode, node] = call.arguments;
  if (intervalNode === undefined || node === undefined) {
    faults.add(call, 'every needs an interval and a handler', 'Write every(60_000, tidy); with function tidy(): void { … }');
    return undefined;
  }
  const ms = intervalOf(intervalNode, checker, faults);
  const handler = handlerOf(node, context);
  if (handler === undefined || !fits(handler, node, [], context) || ms === undefined) return undefined;
  return { shown: `every(${ms})`, noted: `noteEvery(${ms}`, node, read: '', passed: '' };
}

/** The milliseconds that an interval has; notes a fault for what is none. */
function intervalOf(node: ts.Expression, checker: ts.TypeChecker, faults: Faults): number | undefined {
  const ms = numberOf(node, checker);
  if (ms === undefined) {
    faults.add(
      node,
      'The interval of every is known when it is built',
      'Write it in milliseconds: every(60_000, …) or every(60 * 1000, …)',
    );
    return undefined;
  }
  if (!Number.isInteger(ms) || ms < MS_MIN || ms > MS_MAX) {
    const longest = ms > MS_MAX ? ', which is a year' : '';
    const message = `The interval of every is ${ms} ms: it is a whole number from ${MS_MIN} to ${MS_MAX}${longest}`;
    faults.add(node, message, 'Write it in milliseconds: every(60_000, …) is once a minute.');
    return undefined;
  }
  return ms;
}

/** What a number in a file comes to, if that is known without running it. */
function numberOf(node: ts.Expression, checker: ts.TypeChecker, depth = 0): number | undefined {
  if (depth > 20) return undefined;
  const inner = (each: ts.Expression) => numberOf(each, checker, depth + 1);
  if (ts.isNumericLiteral(node)) return Number(node.text);
  if (ts.isParenthesizedExpression(node) || ts.isAsExpression(node)) return inner(node.expression);
  if (ts.isCallExpression(node) && /^[iu](?:32|64)$/.test(node.expression.getText())) {
    const [value] = node.arguments;
    return value === undefined ? undefined : inner(value);
  }
  if (ts.isPrefixUnaryExpression(node) && node.operator === ts.SyntaxKind.MinusToken) {
    const value = inner(node.operand);
    return value === undefined ? undefined : -value;
  }
  if (ts.isBinaryExpression(node)) {
    const [left, right] = [inner(node.left), inner(node.right)];
    if (left === undefined || right === undefined) return undefined;
    if (node.operatorToken.kind === ts.SyntaxKind.AsteriskToken) return left * right;
    if (node.operatorToken.kind === ts.SyntaxKind.PlusToken) return left + right;
    return node.operatorToken.kind === ts.SyntaxKind.MinusToken ? left - right : undefined;
  }
  const declaration = ts.isIdentifier(node) ? symbolOf(checker, node)?.valueDeclaration : undefined;
  if (declaration === undefined || !ts.isVariableDeclaration(declaration) || declaration.initializer === undefined) return undefined;
  return declaration.parent.flags & ts.NodeFlags.Const ? inner(declaration.initializer) : undefined;
}

function onOf(call: ts.CallExpression, context: Context): Written | undefined {
  const { faults } = context;
  const [eventNode, patternNode, node] = call.arguments;
  if (eventNode === undefined || patternNode === undefined || node === undefined) {
    faults.add(call, 'on needs an event, a pattern of keys and a handler', 'Write on("expired", "user:*", gone);');
    return undefined;
  }
  const event = literal(eventNode, 'The event of on', faults);
  const pattern = literal(patternNode, 'The pattern of on', faults);
  if (event === undefined || pattern === undefined) return undefined;
  const problem = problemOfEvent(event) ?? problemOfPattern(pattern);
  if (problem !== undefined) {
    const [message, instead] = problem;
    faults.add(problemOfEvent(event) === undefined ? patternNode : eventNode, message, instead);
    return undefined;
  }
  const handler = handlerOf(node, context);
  const types = [/^(?:string|Bytes)$/, /^string$/];
  if (handler === undefined || !fits(handler, node, types, context)) return undefined;
  const given = handler.parameters.map(({ type }) => (type === undefined ? '' : typeText(context.checker, type)));
  const read = given.map((type, index) => `const __${index} = __kit.${type === 'Bytes' ? 'argBytes' : 'argString'}(__argv, ${index}); `);
  const [eventText, patternText] = [JSON.stringify(event), JSON.stringify(pattern)];
  return {
    shown: `on(${eventText}, ${patternText})`,
    noted: `noteOn(${eventText}, ${patternText}`,
    node,
    read: read.join(''),
    passed: given.map((_, index) => `__${index}`).join(', '),
  };
}

function problemOfEvent(event: string): [message: string, instead: string] | undefined {
  const known = event.slice(0, 40);
  const channel = /^__keyevent@[^:]*__:(.*)$/.exec(event);
  if (channel !== null) return [`${known} is a channel of PUBLISH`, `Write the event alone: "${channel[1] ?? ''}"`];
  if (UNTOLD.has(event))
    return [`No handler is run after ${event}, which changes no value`, 'Choose the event of a change, such as "set" or "del".'];
  if (/[A-Z]/.test(event)) return [`Events are in small letters, and ${known} is not`, `Write "${known.toLowerCase()}"`];
  if (event !== '*' && !/^[!-~]+$/.test(event))
    return [`${JSON.stringify(known)} is no event`, 'Write its name, such as "expired", or "*" for all of them.'];
  if (Buffer.byteLength(event) > EVENT_BYTES_MAX)
    return [`An event's name has ${EVENT_BYTES_MAX} bytes at most`, 'Write its name, such as "expired".'];
  return undefined;
}

function problemOfPattern(pattern: string): [message: string, instead: string] | undefined {
  if (pattern === '') return ['An empty pattern stands for no key', 'Write "*" for all keys, or "user:*" for some.'];
  if (Buffer.byteLength(pattern) > PATTERN_BYTES_MAX)
    return [`A pattern has ${PATTERN_BYTES_MAX} bytes at most`, 'Write a shorter one, and test the key in the handler.'];
  return undefined;
}

/** Whether a handler takes what it is given, of these types at most, and answers nobody. */
function fits(handler: Handler, node: ts.Expression, types: RegExp[], { checker, faults }: Context): boolean {
  const before = faults.all.length;
  const name = handler.name?.text ?? 'The handler';
  const wanted = types.length === 0 ? '(): void' : '(key: string, event: string): void';
  const fitting = `Write ${ts.isArrowFunction(handler) ? `${wanted} => …` : `function ${handler.name?.text ?? ''}${wanted}`}`;
  const at = handler.name ?? node;
  if (handler.type === undefined || handler.parameters.some(({ type }) => type === undefined)) {
    faults.add(at, `${name} does not say all of its types`, fitting);
    return false;
  }
  if (handler.typeParameters !== undefined) faults.add(at, `${name} has types as parameters, which a handler cannot have`, fitting);
  const result = typeText(checker, handler.type);
  if (result !== 'void') faults.add(handler.type, `${name} returns ${result}, and nobody is answered`, fitting);
  handler.parameters.forEach((parameter, index) => {
    const type = parameter.type === undefined ? '' : typeText(checker, parameter.type);
    const isPlain = parameter.dotDotDotToken === undefined && parameter.questionToken === undefined && parameter.initializer === undefined;
    if (types[index] === undefined) {
      const given = types.length === 0 ? 'nothing' : 'the key and the event';
      faults.add(parameter, `${name} is given ${given}, and has the parameter ${parameter.name.getText()}`, fitting);
    } else if (!isPlain || !types[index].test(type)) {
      const given = index === 0 ? 'the key, a string or Bytes' : 'the event, a string';
      faults.add(parameter, `${name} is given ${given}, and has ${parameter.getText()}`, fitting);
    }
  });
  return faults.all.length === before;
}
