/** The part of docs/COMMANDS.md that the modules tell: the texts that COMMAND DOCS gets. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { ROOT } from './process.ts';

const PAGE = 'docs/COMMANDS.md';
const PART = /(<!-- commands -->\n)[^]*(<!-- end of commands -->)/;
const MODULES = ['hashmap', 'session'];

/** A command's text: its lines by their keys. */
type Told = Map<string, string>;

/**
 * What a module tells when its `onLoad` runs beside nothing: every import answers 0, and the texts are noted
 * down.
 */
function commandsOf(name: string): Told[] {
  const module = new WebAssembly.Module(readFileSync(path.join(ROOT, 'build', `${name}.wasm`)));
  const memory = new WebAssembly.Memory({ initial: 64 });
  const told: Told[] = [];
  const addCommand = (pointer: number, length: number): number => {
    const lines = Buffer.from(memory.buffer, pointer, length)
      .toString('latin1')
      .matchAll(/^\s*(\w+): *(.*)$/gm);
    told.push(new Map([...lines].map(([, key = '', value = '']) => [key, value])));
    return 0;
  };
  const imports: Record<string, Record<string, unknown>> = {};
  for (const { module: space, name: imported, kind } of WebAssembly.Module.imports(module)) {
    const target = (imports[space] ??= {});
    target[imported] = kind === 'memory' ? memory : imported === 'AddCommand' ? addCommand : () => 0;
  }
  const { exports } = new WebAssembly.Instance(module, imports as WebAssembly.Imports);
  (exports.onLoad as () => number)();
  return told;
}

/** The commands that clients may run, with what is told of each, as a table in Markdown. */
function table(): string {
  const rows = MODULES.flatMap(commandsOf)
    .filter((told) => !(told.get('flags') ?? '').split(' ').includes('effect'))
    .map((told) => {
      const of = (key: string): string => (told.get(key) ?? '').replaceAll('|', '\\|');
      const usage = `${of('name').toUpperCase()} ${of('syntax').replaceAll(/:[\w-]+/g, '')}`.trim();
      return `| \`${usage}\` | ${of('summary')} | ${of('complexity')} | ${of('since')} | ${of('acl')} |`;
    });
  return ['| command | summary | complexity | since | categories |', '|---|---|---|---|---|', ...rows, ''].join('\n');
}

/** The page as it should be. */
export function commandsPage(): { file: string; text: string } {
  const file = path.join(ROOT, PAGE);
  return { file, text: readFileSync(file, 'utf8').replace(PART, (_, begin: string, end: string) => begin + table() + end) };
}
