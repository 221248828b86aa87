/**
 * Numbers of one type where another one is wanted: what to write so that nothing is lost. By TypeScript all
 * of them are numbers, so what was declared where they go is looked for.
 */
import ts from 'typescript';

export interface Conversion {
  from: string;
  to: string;
  checker: ts.TypeChecker;
  /** the functions that are handlers of commands */
  handlers: ReadonlySet<ts.Node>;
}

export interface Advice {
  message: string;
  instead: string;
}

/**
 * What to do about a number that may not become another type by itself; undefined: nothing better is known.
 */
export function adviceFor(source: ts.SourceFile, position: number, conversion: Conversion): Advice | undefined {
  const value = expressionAt(source, position);
  if (value === undefined) return undefined;
  return aboutValue(value, conversion) ?? aboutPlace(value, conversion);
}

/** The largest expression that begins at a place, but for a choice of two. */
function expressionAt(source: ts.SourceFile, position: number): ts.Expression | undefined {
  let found: ts.Expression | undefined;
  const look = (node: ts.Node): void => {
    if (node.getStart(source) > position || node.getEnd() <= position) return;
    if (found === undefined && node.getStart(source) === position && ts.isExpression(node)) found = node;
    if (found === undefined) ts.forEachChild(node, look);
  };
  look(source);
  if (found === undefined) return undefined;
  let whole = found;
  for (let { parent } = whole; ts.isParenthesizedExpression(parent) || ts.isConditionalExpression(parent); { parent } = parent)
    whole = parent;
  return whole;
}

/** What the number itself tells: a text that was read, or no end. */
function aboutValue(value: ts.Expression, { from, to, checker, handlers }: Conversion): Advice | undefined {
  const text = value.getText();
  if (!to.startsWith('i') || !from.startsWith('f')) return undefined;
  if (/^-?\s*Infinity$/.test(text)) {
    return { message: `${text} is ${from}, and ${to} is wanted`, instead: `Write ${to}.${text.startsWith('-') ? 'MIN' : 'MAX'}_VALUE` };
  }
  if (!ts.isCallExpression(value) || !/^parse(?:Int|Float)$/.test(value.expression.getText())) return undefined;
  const read = value.arguments[0];
  const message = `${value.expression.getText()} answers ${from}, and ${to} is wanted`;
  const declared = read === undefined ? undefined : checker.getSymbolAtLocation(read)?.valueDeclaration;
  if (declared !== undefined && ts.isParameter(declared) && handlers.has(declared.parent)) {
    const name = declared.name.getText();
    return { message, instead: `Better declare ${name}:integer in the syntax, and ${name}: ${to} in the handler.` };
  }
  return { message, instead: `Write ${to}.parse(${read?.getText() ?? 'text'})` };
}

/** What the place tells that the number goes to: how it was declared. */
function aboutPlace(value: ts.Expression, conversion: Conversion): Advice | undefined {
  const { from, to, checker } = conversion;
  const { parent } = value;
  if (ts.isReturnStatement(parent) || (ts.isArrowFunction(parent) && parent.body === value)) {
    const within = ts.findAncestor(parent, (each): each is ts.SignatureDeclaration => ts.isFunctionLike(each));
    if (within?.type?.getText() !== to) return undefined;
    const name = within.name?.getText() ?? '';
    return {
      message: `${name === '' ? 'The function' : name} returns ${to}, and this is ${from}`,
      instead: `Write ${name}(…): ${from}. ${cut(from, to)}`,
    };
  }
  const declaration = declarationOf(value, checker);
  if (declaration === undefined || declaration.getSourceFile().isDeclarationFile) return undefined;
  return aboutDeclaration(declaration, conversion);
}

type Declaration = ts.VariableDeclaration | ts.ParameterDeclaration | ts.PropertyDeclaration;

/** The declaration of what a number is assigned, or given to. */
function declarationOf(value: ts.Expression, checker: ts.TypeChecker): Declaration | undefined {
  const { parent } = value;
  if (ts.isVariableDeclaration(parent) || ts.isPropertyDeclaration(parent)) return parent;
  let found: ts.Node | undefined;
  if (ts.isBinaryExpression(parent)) {
    const target = ts.isElementAccessExpression(parent.left) ? parent.left.expression : parent.left;
    found = checker.getSymbolAtLocation(ts.isPropertyAccessExpression(target) ? target.name : target)?.valueDeclaration;
  } else if (ts.isCallExpression(parent) || ts.isNewExpression(parent)) {
    const signature = checker.getResolvedSignature(parent)?.declaration;
    found =
      signature === undefined || ts.isJSDocSignature(signature) ? undefined : signature.parameters[parent.arguments?.indexOf(value) ?? -1];
  }
  if (found === undefined) return undefined;
  return ts.isVariableDeclaration(found) || ts.isParameter(found) || ts.isPropertyDeclaration(found) ? found : undefined;
}

/** How a declaration is to be written, so that it takes what it is given. */
function aboutDeclaration(declaration: Declaration, { from, to }: Conversion): Advice | undefined {
  const { type, initializer } = declaration;
  const name = declaration.name.getText();
  const isList = type === undefined ? initializer !== undefined && ts.isArrayLiteralExpression(initializer) : ts.isArrayTypeNode(type);
  const list = isList ? '[]' : '';
  if (type === undefined ? initializer === undefined : type.getText() !== `${to}${list}`) return undefined;
  const before = ts.isVariableDeclaration(declaration)
    ? `${/^\w+/.exec(declaration.parent.getText())?.[0] ?? 'let'} `
    : (declaration.modifiers ?? []).map((each) => `${each.getText()} `).join('');
  const written = `Write ${before}${name}: ${from}${list}${initializer === undefined ? '' : ` = ${initializer.getText()}`}`;
  if (type === undefined)
    return { message: `${name} is ${one(to)}${list}, since ${initializer?.getText() ?? ''} is one`, instead: written };
  return { message: `${name} is ${one(to)}${list}, and this ${one(from)}`, instead: `${written}; or else: ${cut(from, to)}` };
}

function one(type: string): string {
  return `${type.startsWith('u') ? 'a' : 'an'} ${type}`;
}

/** What a conversion by a word loses, which is the last thing to do. */
export function cut(from: string, to: string): string {
  const lost = from.startsWith('f') ? 'the fraction, and what does not fit' : 'what does not fit';
  return `${to}(…) around this cuts ${lost}.`;
}
