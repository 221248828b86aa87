/**
 * Modules of the kit for tests, built as `npx redis-wasm build` does it. The files stay in build/test/kit/,
 * in a folder named by a digest of what they are made of, so that only a change makes them anew.
 */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { Compiler } from '../../kit/asc/compiler.ts';
import { buildModules } from '../../kit/modules.ts';
import { ROOT } from './server.ts';

const OUTPUT = path.join(ROOT, 'build/test/kit');
const SOURCES = path.join(ROOT, 'build/test/kit-sources');

/** One for all builds of this process, since its first one takes twice as long as those after it. */
let compiler: Compiler | undefined;
/** The build that the next one waits for. */
let building: Promise<unknown> = Promise.resolve();

/**
 * Builds author's files, as the parts of one build; each module is named as its file.
 * @param files absolute
 * @param checks whether an object that was changed and not set is an error
 * @param levels of optimisation, as `build` takes them
 * @returns the modules' absolute paths, in the order of the files
 */
export async function buildKit(files: string[], checks = false, levels = [3, 1, 0]): Promise<string[]> {
  const digest = createHash('sha256').update(`${checks} ${levels.join()}`);
  for (const file of [...files, ...sourcesIn('assembly/base'), ...sourcesIn('assembly/kit'), ...sourcesIn('kit')]) {
    digest.update(file).update('\0').update(readFileSync(file)).update('\0');
  }
  const folder = path.join(OUTPUT, digest.digest('hex').slice(0, 16));
  const modules = files.map((file) => ({ file, name: path.basename(file, '.ts') }));
  const outputs = modules.map(({ name }) => path.join(folder, `${name}.wasm`));
  const build = building.then(async () => {
    if (existsSync(folder)) return;
    // Renamed into place as a whole: test files that run beside this one may make it too.
    const own = `${folder}.${process.pid}`;
    try {
      await buildModules(modules, { out: own, checks, levels }, (compiler ??= new Compiler()));
      if (!existsSync(folder)) renameSync(own, folder);
    } finally {
      rmSync(own, { recursive: true, force: true });
    }
  });
  building = build.catch(() => undefined);
  await build;
  return outputs;
}

/** The module of an author's file in test/fixtures/kit, absolute. */
export async function kitModule(name: string, checks = false): Promise<string> {
  const [file = ''] = await buildKit([path.join(ROOT, 'test/fixtures/kit', `${name}.ts`)], checks);
  return file;
}

/** The module of an author's text, absolute; `levels` of optimisation, as `build` takes them. */
export async function kitOf(name: string, text: string, levels?: number[]): Promise<string> {
  const source = path.join(SOURCES, createHash('sha256').update(text).digest('hex').slice(0, 16), `${name}.ts`);
  mkdirSync(path.dirname(source), { recursive: true });
  // Renamed into place: test files that run beside this one may make it too.
  writeFileSync(`${source}.${process.pid}`, text);
  renameSync(`${source}.${process.pid}`, source);
  const [file = ''] = await buildKit([source], false, levels);
  return file;
}

function sourcesIn(folder: string): string[] {
  return readdirSync(path.join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => /\.(?:ts|js)$/.test(name) && !name.startsWith('examples/'))
    .sort()
    .map((name) => path.join(ROOT, folder, name));
}
