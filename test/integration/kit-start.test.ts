/** Modules that cannot start: the server's log says why, in the words of what was thrown. */
import { expect, test } from 'vitest';
import { kitOf } from '../support/kit.ts';
import { HOST_FILE, startServer } from '../support/server.ts';

const IMPORT = 'import { command, query, SortedTable, Table } from "redis-wasm/kit";\n';
const COMMAND = '\ncommand("BAD.SET", "key:key", (key: string): void => words.set(key, "x"));\n';
const WORDS = 'const words = new Table<string, string>("words");\n';
const fields = Array.from({ length: 130 }, (_, index) => `${'f'.repeat(56)}${String(index).padStart(4, '0')}: i64 = 0;`);
/** A class that holds one that holds one … */
const nested = Array.from(
  { length: 40 },
  (_, index) => `class N${index} { ${index ? `in: N${index - 1} = new N${index - 1}();` : 'n: i64 = 0;'} }`,
);

const MODULES: [what: string, text: string, reason: string][] = [
  ['throws', `const n = bad();\nfunction bad(): i32 { throw new Error("NOT\\r\\ntoday"); }\n${WORDS}`, 'it failed: ERR NOT  today'],
  [
    'has a table whose fields no file could tell',
    `class Wide { ${fields.join(' ')} }\nconst wide = new Table<string, Wide>("wide");\n${WORDS}`,
    'it failed: ERR table wide: the names and types of its fields have more than 8192 characters',
  ],
  [
    'has a table of classes that are nested too deep',
    `${nested.join('\n')}\nconst deep = new Table<string, N39>("deep");\n${WORDS}`,
    'it failed: ERR table deep: its name is none, or its classes are nested over 32 deep',
  ],
  [
    'has 65 tables',
    `${WORDS}${Array.from({ length: 64 }, (_, index) => `const t${index} = new Table<string, i64>("t${index}");`).join('\n')}`,
    'it failed: ERR a module has 64 tables at most',
  ],
];

test.each(MODULES)(
  'a module that %s',
  async (_, text, reason) => {
    const file = await kitOf('bad', `${IMPORT}${text}${COMMAND}`);
    await expect(startServer({ module: [HOST_FILE, file] })).rejects.toThrow(`bad.wasm: its declarations failed: ${reason}`);
  },
  120_000,
);
