/** Kit modules for tests: authors' files in test/fixtures/kit, compiled once. */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { Compiler } from '../../kit/asc/compiler.ts';
import { compile } from '../../kit/compile.ts';

const ROOT = path.resolve(import.meta.dirname, '../..');
const OUTPUT = path.join(ROOT, 'build/test/kit');

/** Every file that a kit module is made by. */
function sources(folder: string): string[] {
  const entries = readdirSync(path.join(ROOT, folder), { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => path.join(entry.parentPath, entry.name));
}

/**
 * Compiles an author's file, whose name is the module's, unless neither it nor the kit has changed.
 * @param name of a file in test/fixtures/kit
 * @param text in its place, where given
 * @returns the file of the module, absolute
 */
export async function kitModule(name: string, text?: string): Promise<string> {
  const source = text ?? readFileSync(path.join(ROOT, 'test/fixtures/kit', `${name}.ts`), 'utf8');
  const hash = createHash('sha256').update(source);
  for (const folder of ['assembly/base', 'assembly/kit', 'kit']) for (const file of sources(folder)) hash.update(readFileSync(file));
  const folder = path.join(OUTPUT, hash.digest('hex').slice(0, 16));
  const output = path.join(folder, `${name}.wasm`);
  if (existsSync(output)) return output;
  mkdirSync(folder, { recursive: true });
  const file = path.join(folder, `${name}.ts`);
  writeFileSync(file, source);
  const compiler = new Compiler();
  try {
    const { wasm, faults } = await compile({ file, name, levels: [1] }, compiler);
    if (wasm === undefined) throw new Error(faults.map((fault) => JSON.stringify(fault)).join('\n'));
    const fresh = `${output}.${process.pid}`;
    writeFileSync(fresh, wasm);
    renameSync(fresh, output);
  } finally {
    compiler.end();
  }
  return output;
}
