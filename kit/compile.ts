/**
 * From an author's file to a module: parse, check, rewrite by text with every line in its place, compile,
 * and write the module's name into the file.
 */
import path from 'node:path';
import ts from 'typescript';
import type { Cache } from './asc/cache.ts';
import { Compiler } from './asc/compiler.ts';
import { faultOf } from './asc/diagnostics.ts';
import type { Outcome } from './asc/job.ts';
import { rewriteServerCalls } from './commands/server-calls.ts';
import { handlersIn, rewriteCommands, type Command } from './commands/statements.ts';
import { rewriteTriggers, triggerHandlersIn } from './commands/triggers.ts';
import { checkRules } from './rules/index.ts';
import { restoreGlobals } from './rules/packages.ts';
import { tellLines } from './rules/reads.ts';
import { untrusted } from './rules/trust.ts';
import { Edits, type Rewritten } from './source/edits.ts';
import { layoutOf } from './source/layout.ts';
import { Faults, type Fault } from './source/faults.ts';
import { rewriteImports } from './source/imports.ts';
import { ASSEMBLY } from './source/places.ts';
import { openProject } from './source/project.ts';
import { Classes } from './tables/classes.ts';
import { checkTables } from './tables/statements.ts';
import { memoryEnd, withSection } from './wasm.ts';

export interface Options {
  /** absolute */
  file: string;
  /** of the module: `[a-z][a-z0-9]{0,31}` */
  name: string;
  /** where static data may begin: a multiple of the page's 65536 bytes */
  memoryBase?: number;
  /** levels of optimisation, the best first: a lower one is taken where one takes too long */
  levels?: number[];
  /** that each level but the last may run on a processor */
  limit_ms?: number;
  /** whether an object that was changed and not set is an error: for tests and development */
  checks?: boolean;
  /** told before it is optimised, which takes its time */
  optimising?: () => void;
  /** where what was compiled before is */
  cache?: Cache;
}

export interface Compiled {
  /** undefined: there are faults */
  wasm?: Uint8Array;
  faults: Fault[];
  /** the level of optimisation that was reached */
  level: number;
  commands: Command[];
  /** what the host runs by itself: `every(60000)` */
  triggers: string[];
  /** the page's beginning behind its static data */
  memoryEnd: number;
  /** every file that it is made of but the kit's, absolute */
  files: string[];
}

/** Static data of the two modules of this project is in pages 0 to 2. */
export const MEMORY_BASE = 3 << 16;
const LEVELS = [3, 1, 0];
const LIMIT_MS = 60_000;

/** Why a name is none of a module; undefined: it is one. */
export function nameProblem(name: string): string | undefined {
  if (!/^[a-z][a-z0-9]{0,31}$/.test(name))
    return `${name} is no name of a module: a small letter, and 31 small letters and digits at most behind it`;
  return RESERVED.has(name) ? `${name} cannot be a module's name: it has a meaning of its own in settings and INFO` : undefined;
}

const RESERVED = new Set([
  'wasm',
  'link',
  'max',
  'time',
  'dir',
  'allow',
  'cache',
  'trusted',
  'settings',
  'modules',
  'run',
  'session',
  'hashmap',
]);

/** Compiles a module. What is wrong with it is among the faults, and nothing is thrown for that. */
export async function compile(options: Options, compiler: Compiler): Promise<Compiled> {
  const known = rewrite(options.file, options.name, options.checks);
  const { texts, faults, commands, triggers, rewritten } = known;
  const files = Object.fromEntries([...texts, ...[...rewritten].map(([file, { result }]) => [file, result.text] as const)]);
  const base = { commands, triggers, files: Object.keys(files).filter((file) => !path.basename(file).startsWith('~')), memoryEnd: 0 };
  if (faults.any()) return { ...base, faults: faults.all, level: 0 };
  const { outcome, level } = await runLevels(options, files, compiler);
  for (const diagnostic of outcome.diagnostics) faults.note(faultOf(diagnostic, path.dirname(options.file), known));
  if (outcome.wasm === undefined) return { ...base, faults: faults.all, level };
  const layout = layoutOf(['base', 'kit'], options.checks ? 'checks' : '');
  const wasm = withSection(outcome.wasm, 'redis-wasm', `name: ${options.name}\nlayout: ${layout}\ntables: ${known.tables.join(' ')}\n`);
  return { ...base, wasm, faults: [], level, memoryEnd: memoryEnd(wasm) };
}

/** An author's file, and what became of it. */
export interface RewrittenFile {
  source: ts.SourceFile;
  result: Rewritten;
}

/**
 * Checks and rewrites the author's files.
 * @returns `texts`: of the entry and of packages' files; both by absolute paths. `tables`: their names
 */
export function rewrite(
  file: string,
  name: string,
  checks = false,
): {
  texts: Map<string, string>;
  rewritten: Map<string, RewrittenFile>;
  faults: Faults;
  commands: Command[];
  triggers: string[];
  tables: string[];
  checker: ts.TypeChecker;
  handlers: ReadonlySet<ts.Node>;
} {
  const faults = new Faults();
  const { files, packages, checker } = openProject(file, faults);
  for (const fault of untrusted(packages, file)) faults.note(fault);
  const edits = new Map(files.map((source) => [source, new Edits()]));
  const editsOf = (source: ts.SourceFile) => edits.get(source) ?? new Edits();
  const context = {
    checker,
    faults,
    editsOf,
    commands: new Map<string, Command>(),
    handlers: new Set(files.flatMap((source) => [...handlersIn(source, checker), ...triggerHandlersIn(source, checker)])),
    triggers: new Array<string>(),
    filled: new Set<ts.Node>(),
    names: new Map<string, ts.Node>(),
  };
  const classes = new Classes(context);
  if (!faults.any()) {
    for (const source of files) {
      checkRules(source, editsOf(source), context);
      checkTables(source, { ...context, classes });
      rewriteCommands(source, editsOf(source), context);
      rewriteTriggers(source, editsOf(source), context);
      rewriteServerCalls(source, editsOf(source), context);
      rewriteImports(source, editsOf(source), checker);
      if (checks) tellLines(source, editsOf(source), checker);
    }
    if (context.commands.size === 0 && context.triggers.length === 0) noCommand(files, faults);
  }
  const texts = new Map([...packages].map(([name, text]) => [name, restoreGlobals(text)]));
  // What it exports by itself would be the module's exports.
  texts.set(path.join(path.dirname(file), `${RUNTIME}.ts`), 'import "~lib/redis-wasm/kit/runtime";\n');
  texts.set(entryOf(file), entryText(path.basename(file, '.ts'), name, packages.size > 0 || files.some(keepsObjects)));
  // Changes of a file with faults may not go together.
  const changed = (source: ts.SourceFile) => (faults.any() ? new Edits() : editsOf(source)).apply(source.text);
  const rewritten = new Map(files.map((source) => [source.fileName, { source, result: changed(source) }]));
  const { handlers, triggers } = context;
  const [commands, tables] = [[...context.commands.values()], [...context.names.keys()]];
  return { texts, rewritten, faults, commands, triggers, tables, checker, handlers };
}

function noCommand(files: ts.SourceFile[], faults: Faults): void {
  const entry = files[files.length - 1];
  if (entry !== undefined && !faults.any()) {
    faults.add(entry, 'There is no command in it', 'Write command("MODULE.VERB", "key:key", handler, "What it does"); at the top level.');
  }
}

/** Whether a file makes objects at module level, beside tables and settings, which a command could change. */
function keepsObjects(source: ts.SourceFile): boolean {
  const declarations = source.statements
    .filter((each) => ts.isVariableStatement(each))
    .flatMap((each) => each.declarationList.declarations);
  return declarations.some(({ initializer }) => {
    if (initializer === undefined) return false;
    if (ts.isNewExpression(initializer)) return !/^(?:Sorted)?Table$/.test(initializer.expression.getText());
    return ts.isArrayLiteralExpression(initializer) || (ts.isCallExpression(initializer) && initializer.expression.getText() !== 'setting');
  });
}

/** The kit's exports, and the author's first file. */
function entryText(author: string, name: string, keeps: boolean): string {
  return [
    'export * from "~lib/redis-wasm/kit/exports";',
    'import { keepObjects, nameModule } from "~lib/redis-wasm/kit/generated";',
    `import "./${author}";`,
    `nameModule("${name}");`,
    ...(keeps ? ['keepObjects();'] : []),
    '',
  ].join('\n');
}

const RUNTIME = '~runtime';

/** The first file that the compiler reads: it is nowhere on the disk. */
function entryOf(file: string): string {
  return path.join(path.dirname(file), '~entry.ts');
}

/** Compiles at the first level that does not take too long; at the last one however long it takes. */
async function runLevels(
  options: Options,
  files: Record<string, string>,
  compiler: Compiler,
): Promise<{ outcome: Outcome; level: number }> {
  const folder = path.dirname(options.file);
  for (const [index, level] of (options.levels ?? LEVELS).entries()) {
    const isLast = index === (options.levels ?? LEVELS).length - 1;
    const job = { folder, files, library: ASSEMBLY, options: ascOptions(entryOf(options.file), level, options) };
    const known = options.cache?.find(job);
    if (known !== undefined) return { outcome: { wasm: known, diagnostics: [] }, level };
    if (level > 0 && index === 0) options.optimising?.();
    const outcome = await compiler.run(job, isLast ? undefined : (options.limit_ms ?? LIMIT_MS));
    if (outcome?.wasm !== undefined) options.cache?.keep(job, outcome.wasm);
    if (outcome !== undefined) return { outcome, level };
  }
  throw new Error('there is no level to compile at');
}

function ascOptions(entry: string, level: number, { memoryBase = MEMORY_BASE, checks = false }: Options): string[] {
  const library = '~lib/redis-wasm/kit';
  return [
    entry,
    ...['--runtime', RUNTIME, '--use', `abort=${library}/abort/abort`, '--enable', 'simd'],
    ...(checks ? ['--use', 'KIT_CHECK=1'] : []),
    ...['--importMemory', '--noExportMemory', '--exportTable', '--debug'],
    ...['--memoryBase', String(memoryBase), '--optimizeLevel', String(level), '--shrinkLevel', '0'],
  ];
}
