/**
 * The files of a module: the author's own, by relative imports from the first one, and those of packages
 * with AssemblyScript; and what TypeScript knows of them.
 */
import { existsSync, readFileSync, statSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import path from 'node:path';
import ts from 'typescript';
import { KIT, TYPES } from './places.ts';
import { faultAt, type Faults } from './faults.ts';

export interface Project {
  /** the author's files, the first one last: what it imports comes before it */
  files: ts.SourceFile[];
  /** files of packages, by their absolute paths */
  packages: Map<string, string>;
  checker: ts.TypeChecker;
}

/** How TypeScript looks at an author's files: as an editor does by the kit's tsconfig.json. */
const OPTIONS: ts.CompilerOptions = {
  target: ts.ScriptTarget.ESNext,
  module: ts.ModuleKind.ESNext,
  moduleResolution: ts.ModuleResolutionKind.Bundler,
  noLib: true,
  types: [],
  strict: true,
  noEmit: true,
  paths: { [KIT]: [path.join(TYPES, 'kit.d.ts')] },
};

/** Files and imports that are found from a first file. */
interface Found {
  files: string[];
  packages: Map<string, string>;
}

/**
 * Reads an author's file and all that it imports.
 * @param entry absolute; it is there
 */
export function openProject(entry: string, faults: Faults): Project {
  const found: Found = { files: [], packages: new Map() };
  follow(entry, found, faults, new Set());
  const program = ts.createProgram({ rootNames: [...found.files, path.join(TYPES, 'kit.d.ts')], options: OPTIONS });
  for (const file of found.files) {
    for (const { start, messageText } of program.getSyntacticDiagnostics(program.getSourceFile(file))) {
      const source = program.getSourceFile(file);
      if (source !== undefined) faults.note(faultAt(source, start, ts.flattenDiagnosticMessageText(messageText, ' ')));
    }
  }
  const files = found.files.flatMap((file) => program.getSourceFile(file) ?? []);
  return { files, packages: found.packages, checker: program.getTypeChecker() };
}

/** Follows the imports of one of the author's files, in depth first. */
function follow(file: string, found: Found, faults: Faults, seen: Set<string>): void {
  if (seen.has(file)) return;
  seen.add(file);
  const source = ts.createSourceFile(file, readFileSync(file, 'utf8'), ts.ScriptTarget.Latest, true);
  for (const { fileName, pos } of ts.preProcessFile(source.text, true, true).importedFiles) {
    const at = (message: string, instead?: string) => {
      faults.note(faultAt(source, pos + 1, message, instead));
    };
    if (fileName === KIT) continue;
    if (/^\.{1,2}(\/|$)/.test(fileName)) {
      const target = fileOf(path.resolve(path.dirname(file), fileName));
      if (target !== undefined) follow(target, found, faults, seen);
      else if (fileName.endsWith('.ts')) at(`"${fileName}" ends in .ts`, `Leave the ending out: "${fileName.slice(0, -3)}"`);
      else at(`There is no file ${fileName}.ts`);
    } else followPackage(fileName, file, found, at);
  }
  found.files.push(file);
}

/** The file that an import without an ending means. */
function fileOf(place: string): string | undefined {
  return [`${place}.ts`, path.join(place, 'index.ts')].find((file) => existsSync(file) && statSync(file).isFile());
}

/** Reads a package's file, and all that it imports. */
function followPackage(name: string, importer: string, found: Found, at: (message: string, instead?: string) => void): void {
  const file = fileOfPackage(name, importer);
  if (file === undefined) {
    const [, scope = '', rest = ''] = /^(?:node:)?((?:@[^/]+\/)?[^/]+)(?:\/(.*))?$/.exec(name) ?? [];
    if (isBuiltin(name))
      at(`A module runs in the server, where there is no Node: it has no ${name}`, `What there is to import is in "${KIT}".`);
    else if (scope === 'redis-wasm') at(`redis-wasm has no ${rest || 'index'} for modules`, `Import from "${KIT}".`);
    else {
      const isHere = foldersAbove(importer).some((folder) => existsSync(path.join(folder, 'node_modules', scope)));
      at(
        isHere ? `${name} is no package with AssemblyScript` : `${name} is not installed`,
        `A module imports from "${KIT}", from the author's own files ("./other"), and from packages that hold AssemblyScript.`,
      );
    }
    return;
  }
  readPackageFile(file, found, at);
}

function readPackageFile(file: string, found: Found, at: (message: string, instead?: string) => void): void {
  if (found.packages.has(file)) return;
  const text = readFileSync(file, 'utf8');
  found.packages.set(file, text);
  for (const { fileName } of ts.preProcessFile(text, true, true).importedFiles) {
    if (fileName === KIT) continue;
    if (!fileName.startsWith('.')) followPackage(fileName, file, found, at);
    else {
      const target = fileOf(path.resolve(path.dirname(file), fileName));
      // What is not there may be a package's alias of the language's own: the compiler tells.
      if (target !== undefined) readPackageFile(target, found, at);
    }
  }
}

function foldersAbove(file: string): string[] {
  const folder = path.dirname(file);
  return folder === file ? [] : [folder, ...foldersAbove(folder)];
}

/** As the compiler finds it: `name.ts`, `name/index.ts` in the nearest node_modules. */
function fileOfPackage(name: string, importer: string): string | undefined {
  const [, folder = '', rest = 'index'] = /^((?:@[^/]+\/)?[^/]+)(?:\/(.+))?$/.exec(name) ?? [];
  if (folder === 'redis-wasm') return undefined;
  for (const above of foldersAbove(importer)) {
    const file = fileOf(path.join(above, 'node_modules', folder, rest));
    if (file !== undefined) return file;
  }
  return undefined;
}
