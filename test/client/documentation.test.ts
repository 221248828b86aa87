/** What an editor shows of the client: each method has its documentation where it is called. No server. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import ts from 'typescript';
import { expect, it } from 'vitest';
import { custom, session } from '../../client/index.ts';

const ROOT = path.dirname(path.dirname(import.meta.dirname));
const FILE = path.join(ROOT, 'test/client/shown.ts');

const FAMILIES = { custom, session };
const CALLS = Object.entries(FAMILIES).flatMap(([family, commands]) => Object.keys(commands).map((method) => `client.${family}.${method}`));
const TEXT = `import { createClient } from 'redis';
import { custom, session } from '../../client/index.ts';
const client = createClient({ modules: { custom, session } });
${CALLS.map((call) => `${call};\n${call}();`).join('\n')}
`;

/** What has been read once: the libraries and their types, of which there are many. */
const read = ts.createDocumentRegistry();

/**
 * The language service that editors ask, on a file with this text: by default one that names and calls every
 * method.
 */
function editor(program = TEXT): ts.LanguageService {
  const options = ts.parseJsonConfigFileContent(
    ts.readConfigFile(path.join(ROOT, 'tsconfig.json'), (file) => ts.sys.readFile(file)).config,
    ts.sys,
    ROOT,
  );
  const textOf = (file: string) => (file === FILE ? program : existsSync(file) ? readFileSync(file, 'utf8') : undefined);
  const host: ts.LanguageServiceHost = {
    getScriptFileNames: () => [FILE],
    getScriptVersion: (file) => (file === FILE ? program : '1'),
    getScriptSnapshot: (file) => {
      const text = textOf(file);
      return text === undefined ? undefined : ts.ScriptSnapshot.fromString(text);
    },
    getCurrentDirectory: () => ROOT,
    getCompilationSettings: () => options.options,
    getDefaultLibFileName: (settings) => ts.getDefaultLibFilePath(settings),
    fileExists: (file) => textOf(file) !== undefined,
    readFile: textOf,
    directoryExists: (folder) => ts.sys.directoryExists(folder),
  };
  return ts.createLanguageService(host, read);
}

/** What is shown of a method: its text, and its tags, each `name: text`. */
function shownOf(service: ts.LanguageService, call: string): { text: string; tags: string[] } {
  const { documentation, tags = [] } = service.getQuickInfoAtPosition(FILE, TEXT.indexOf(`${call};`) + call.length - 1) ?? {};
  return {
    // Its lines are broken wherever they are full.
    text: ts.displayPartsToString(documentation).replace(/\s+/g, ' '),
    tags: tags.map(({ name, text }) => `${name}: ${ts.displayPartsToString(text)}`),
  };
}

/** The names of the parameters that are shown while a call is written: of all its forms. */
function parametersOf(service: ts.LanguageService, call: string): string[] {
  const at = TEXT.indexOf(`${call}();`) + call.length + 1;
  const { items = [] } = service.getSignatureHelpItems(FILE, at, {}) ?? {};
  expect(items.length, call).toBeGreaterThan(0);
  return [...new Set(items.flatMap(({ parameters }) => parameters.map(({ name }) => name)))];
}

/** What TypeScript says of the examples, each a function of its own. */
function problemsOf(examples: readonly string[]): string[] {
  const functions = examples.map((code, index) => `async function example${index}() {\n${code}\n}`);
  const given = 'declare const id: string; declare const cart: string[]; declare const info: { version: number };';
  const service = editor([...TEXT.split('\n').slice(0, 3), given, ...functions].join('\n'));
  const problems = [...service.getSyntacticDiagnostics(FILE), ...service.getSemanticDiagnostics(FILE)];
  return problems.map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, '\n'));
}

it('nothing is there only since a version that is still to come', () => {
  const { version } = JSON.parse(readFileSync(path.join(ROOT, 'package.json'), 'utf8')) as { version: string };
  const files = readdirSync(path.join(ROOT, 'client'), { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts'));
  const told = files.flatMap((file) => {
    const text = readFileSync(path.join(ROOT, 'client', file), 'utf8');
    return [...text.matchAll(/\bsince (\d+\.\d+\.\d+)/gi)].map(([, since]) => ({ file, since: since! }));
  });
  expect(told.length).toBeGreaterThan(40);
  expect(told.filter(({ since }) => since.localeCompare(version, 'en', { numeric: true }) > 0)).toEqual([]);
});

it('shows what each method does: arguments, answer, an example whose types are right', () => {
  const service = editor();
  const examples: string[] = [];
  for (const call of CALLS) {
    const { text, tags } = shownOf(service, call);
    const [, family, method] = call.split('.') as [string, 'custom' | 'session', string];
    expect(text, call).toMatch(/^(?!Server command)[A-Z].{15,}\./s);
    if (method === method.toUpperCase()) {
      expect(text, call).toContain('The same as `');
      continue;
    }
    expect(text, call).toMatch(new RegExp(`Server command: \`${family.toUpperCase()}\\.[A-Z_]+\`\\. Since \\d+\\.\\d+\\.\\d+\\.`));
    expect(text, call).toMatch(/\bO\([^)]+\)/);
    const documented = tags.flatMap((tag) => /^param: (\w+) ?- ?\S/.exec(tag)?.[1] ?? []);
    expect(documented, call).toEqual(parametersOf(service, call));
    expect(tags, call).toContainEqual(expect.stringMatching(/^returns: \S/));
    const example = tags.flatMap((tag) => /^example: (.+)$/s.exec(tag)?.[1] ?? []).join('\n');
    expect(example, call).toContain(`${call}(`);
    examples.push(example);
  }
  expect(examples).toHaveLength(43);
  expect(problemsOf(examples)).toEqual([]);
});
