/** Author's files, as the kit's compiler sees them. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Compiler } from '../../kit/asc/compiler.ts';
import { compile, rewrite } from '../../kit/compile.ts';
import type { Command } from '../../kit/commands/statements.ts';
import type { Fault } from '../../kit/source/faults.ts';

/** What stands at the top of most files. */
export const IMPORTS = 'import { command, query, Table, SortedTable, Reply, now, setting, type Bytes } from "redis-wasm/kit";';

/** A folder with these files, by their names; removed when the action has ended. */
export function withFiles<T>(files: Record<string, string>, action: (folder: string) => T): T {
  const folder = mkdtempSync(path.join(tmpdir(), 'author-'));
  const remove = () => {
    rmSync(folder, { recursive: true });
  };
  let result: T;
  try {
    for (const [name, text] of Object.entries(files)) {
      mkdirSync(path.dirname(path.join(folder, name)), { recursive: true });
      writeFileSync(path.join(folder, name), text);
    }
    result = action(folder);
  } catch (error) {
    remove();
    throw error;
  }
  if (result instanceof Promise) return result.finally(remove) as T;
  remove();
  return result;
}

export interface Checked {
  faults: Fault[];
  commands: Command[];
  /** what the host runs by itself */
  triggers: string[];
  /** the texts that the compiler is given, by the names of the files */
  texts: Record<string, string>;
}

/** Checks a module whose first file is `limit.ts`: a text, or several files. */
export function check(files: string | Record<string, string>): Checked {
  return withFiles(typeof files === 'string' ? { 'limit.ts': files } : files, (folder) => {
    const { faults, rewritten, texts, commands, triggers } = rewrite(path.join(folder, 'limit.ts'), 'limit');
    const all = [...texts, ...[...rewritten].map(([file, { result }]) => [file, result.text] as const)];
    const byName = Object.fromEntries(all.map(([file, text]) => [path.relative(folder, file), text]));
    return { faults: faults.all, commands, triggers, texts: byName };
  });
}

/** The faults of a file with these lines below the imports, `line:column message → instead` each. */
export function faultsOf(lines: string): string[] {
  return check(`${IMPORTS}\n${lines}\n${TEST}`).faults.map(shown);
}

/** As `faultsOf`, with what the compiler says where nothing else is wrong. */
export async function faultsOfBuild(lines: string, compiler: Compiler): Promise<string[]> {
  return withFiles({ 'limit.ts': `${IMPORTS}\n${lines}\n${TEST}` }, async (folder) => {
    const { faults } = await compile({ file: path.join(folder, 'limit.ts'), name: 'limit', levels: [0] }, compiler);
    return faults.map(shown);
  });
}

const TEST = 'command("T.EST", "", test); function test(): void {}\n';

function shown({ line, column, message, instead }: Fault): string {
  return `${line}:${column} ${message}${instead === undefined ? '' : ` → ${instead}`}`;
}
