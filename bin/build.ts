/**
 * `npx redis-wasm build [file …] [--out folder] [--name n] [--debug]`: modules in TypeScript into .wasm files
 * that the host loads.
 */
import path from 'node:path';
import { Compiler } from '../kit/asc/compiler.ts';
import { buildModules, modulesOf, type Built, type Module } from '../kit/modules.ts';
import { optionsOf } from './options.ts';
import { say } from './process.ts';

/** The levels of optimisation that are tried, the best first. */
const LEVELS = [3, 1, 0];

/** What a person is told of a module that is built, and of what its commands cannot always do. */
export function told({ name, output, bytes, compiled }: Built, folder: string, time = ''): string {
  const commands = [...compiled.commands.map((command) => command.name), ...compiled.triggers].join(' ');
  const notes = compiled.commands
    .flatMap(({ notes }) => notes)
    .map((note) => {
      const source = note.node.getSourceFile();
      const { line } = source.getLineAndCharacterOfPosition(note.node.getStart());
      return `\n  note: ${path.relative(folder, source.fileName)}:${line + 1}: ${note.text}`;
    });
  return `${path.relative(folder, output)}: ${commands} (${name}, ${Math.ceil(bytes / 1024)} KiB)${time}${notes.join('')}`;
}

export async function command(given: string[]): Promise<number> {
  const { values, others } = optionsOf(given, { out: 'a folder', name: 'a name' }, ['debug']);
  const folder = process.cwd();
  const modules = modulesOf(others, folder, values.name);
  const levels = values.debug === undefined ? LEVELS : [0];
  const compiler = new Compiler();
  const how = {
    out: path.resolve(values.out ?? 'build'),
    levels,
    optimising: ({ file }: Module) => {
      say(`optimising ${path.relative(folder, file)} …`);
    },
  };
  try {
    for (const built of await buildModules(modules, how, compiler)) {
      say(told(built, folder));
      if (built.compiled.level < (levels[0] ?? 0)) {
        say(
          `  optimised at level ${built.compiled.level}: level 3 took over a minute, as it can where a function calls itself without an end`,
        );
      }
    }
  } finally {
    compiler.end();
  }
  return 0;
}
