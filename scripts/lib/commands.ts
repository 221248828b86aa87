/** The part of docs/COMMANDS.md that the modules tell: the texts that COMMAND DOCS gets. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { ROOT } from './process.ts';

const PAGE = 'docs/COMMANDS.md';
const PART = /(<!-- commands -->\n)[^]*(<!-- end of commands -->)/;
const MODULES = ['hashmap', 'session'];

/** A command's text: its lines by their keys. `flags` too, whichever way it was registered. */
type Told = Map<string, string>;

/** What a module tells when its `onLoad` runs beside nothing: every import notes down, and answers 0. */
function commandsOf(name: string): Map<string, Told> {
  const module = new WebAssembly.Module(readFileSync(path.join(ROOT, 'build', `${name}.wasm`)));
  const memory = new WebAssembly.Memory({ initial: 64 });
  const told = new Map<string, Told>();
  const text = (pointer: number, length: number): string => Buffer.from(memory.buffer, pointer, length).toString('latin1');
  const note = (command: string, lines: string): number => {
    const entries = lines.split('\n').map((line) => /^\s*(\w+): *(.*)$/.exec(line));
    const known = told.get(command) ?? new Map<string, string>();
    for (const entry of entries) if (entry) known.set(entry[1] ?? '', entry[2] ?? '');
    told.set(known.get('name') ?? command, known);
    return 0;
  };
  const noted: Record<string, (...words: number[]) => number> = {
    AddCommand: (pointer = 0, length = 0) => note('', text(pointer, length)),
    CreateCommand: (pointer = 0, length = 0, _, flags = 0, flagsLength = 0) =>
      note(text(pointer, length), `flags: ${text(flags, flagsLength)}`),
    SetCommandInfo: (pointer = 0, length = 0, lines = 0, linesLength = 0) => note(text(pointer, length), text(lines, linesLength)),
  };
  const imports: Record<string, Record<string, unknown>> = {};
  for (const { module: space, name: imported, kind } of WebAssembly.Module.imports(module)) {
    const target = (imports[space] ??= {});
    target[imported] = kind === 'memory' ? memory : (noted[imported] ?? (() => 0));
  }
  const { exports } = new WebAssembly.Instance(module, imports as WebAssembly.Imports);
  (exports.onLoad as () => number)();
  return told;
}

/** The commands that clients may run, with what is told of each, as a table in Markdown. */
function table(): string {
  const rows = MODULES.flatMap((name) => [...commandsOf(name)])
    .filter(([, told]) => !(told.get('flags') ?? '').split(' ').includes('effect'))
    .map(([command, told]) => {
      const of = (key: string): string => (told.get(key) ?? '').replaceAll('|', '\\|');
      const usage = `${command.toUpperCase()} ${of('syntax').replaceAll(/:[\w-]+/g, '')}`.trim();
      return `| \`${usage}\` | ${of('summary')} | ${of('complexity')} | ${of('since')} | ${of('acl')} |`;
    });
  return ['| command | summary | complexity | since | categories |', '|---|---|---|---|---|', ...rows, ''].join('\n');
}

/** The page as it should be. */
export function commandsPage(): { file: string; text: string } {
  const file = path.join(ROOT, PAGE);
  return { file, text: readFileSync(file, 'utf8').replace(PART, (_, begin: string, end: string) => begin + table() + end) };
}
