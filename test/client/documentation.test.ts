/** What an editor shows of the client: each method has its documentation where it is called. No server. */
import { readFileSync, existsSync } from 'node:fs';
import path from 'node:path';
import ts from 'typescript';
import { expect, it } from 'vitest';
import { custom, session } from '../../client/index.ts';

const ROOT = path.dirname(path.dirname(import.meta.dirname));
const FILE = path.join(ROOT, 'test/client/shown.ts');

const CALLS = Object.entries({ custom, session }).flatMap(([family, commands]) =>
  Object.keys(commands).map((method) => `client.${family}.${method}`),
);
const TEXT = `import { createClient } from 'redis';
import { custom, session } from '../../client/index.ts';
const client = createClient({ modules: { custom, session } });
${CALLS.map((call) => `${call};`).join('\n')}
`;

/** The language service that editors ask, on a file that calls every method. */
function editor(): ts.LanguageService {
  const options = ts.parseJsonConfigFileContent(
    ts.readConfigFile(path.join(ROOT, 'tsconfig.json'), (file) => ts.sys.readFile(file)).config,
    ts.sys,
    ROOT,
  );
  const textOf = (file: string) => (file === FILE ? TEXT : existsSync(file) ? readFileSync(file, 'utf8') : undefined);
  return ts.createLanguageService({
    getScriptFileNames: () => [FILE],
    getScriptVersion: () => '1',
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
  });
}

it('shows what each method does', () => {
  const service = editor();
  for (const call of CALLS) {
    const shown = service.getQuickInfoAtPosition(FILE, TEXT.indexOf(`${call};`) + call.length - 1);
    const text = ts.displayPartsToString(shown?.documentation);
    const [, family, method] = call.split('.') as [string, 'custom' | 'session', string];
    expect(text, call).toMatch(/^(?!Server command)[A-Z].{15,}\./s);
    if (method === method.toUpperCase()) expect(text, call).toContain('The same as `');
    else expect(text, call).toMatch(new RegExp(`Server command: \`${family.toUpperCase()}\\.[A-Z_]+\`\\. Since 0\\.[12]\\.0\\.`));
  }
});
