/**
 * The storage engine alone against the best tables outside of a server: hashbrown in Rust, Map in JavaScript.
 * The engine runs in Wasmtime, as the host runs it, and in Node.
 * Each table is measured by a process of its own, on the server's core, and they take turns.
 */
import { readdirSync, statSync } from 'node:fs';
import path from 'node:path';
import { mustRun, Problem, ROOT } from '../../scripts/lib/process.ts';
import { SERVER_CORE } from '../lib/server.ts';
import { median, ratio, show } from '../lib/statistics.ts';
import type { Measure } from '../lib/measure.ts';

const OPERATIONS = ['insert', 'hit', 'miss', 'iterate', 'delete'] as const;
const ENTRIES = 10_000_000;
const HEAP_MB = 12_000;
const PEER = 'hashbrown';

type Times = Record<(typeof OPERATIONS)[number], number>;

/** Builds the Rust half; the program's file. */
function rustProgram(): string {
  mustRun('cargo', ['bench', '--locked', '--package', 'native', '--bench', 'tables', '--no-run'], { quiet: true });
  const folder = path.join(process.env.CARGO_TARGET_DIR ?? path.join(ROOT, 'target'), 'release/deps');
  const files = readdirSync(folder).filter((name) => /^tables-[0-9a-f]+$/.test(name));
  const newest = files.map((name) => path.join(folder, name)).sort((one, other) => statSync(other).mtimeMs - statSync(one).mtimeMs)[0];
  if (newest === undefined) throw new Problem('cargo built no benchmark of tables');
  return newest;
}

export const tables: Measure = {
  name: 'tables',
  summary: 'the storage engine alone over hashbrown and JavaScript’s Map, 1 k, 100 k and --entries (10 M) entries (only when named)',
  onlyWhenNamed: true,
  async run({ rounds, entries = ENTRIES, print }) {
    // It loads the compiler, which takes seconds.
    const { compiledFile } = await import('../../test/storage/engine.ts');
    const rust = rustProgram();
    const node = [process.execPath, `--max-old-space-size=${HEAP_MB}`, 'scripts/bootstrap.mjs', 'bench/lib/tables-node.ts'];
    const programs: Record<string, string[]> = {
      [PEER]: [rust, 'block'],
      'hashbrown, HashMap': [rust, 'map'],
      'engine in Wasmtime': [rust, await compiledFile()],
      'engine in Node': [...node, 'engine'],
      'Map in Node': [...node, 'map'],
    };
    for (const count of [...new Set([1000, 100_000, entries])]) {
      const measured = new Map<string, Times[]>(Object.keys(programs).map((name) => [name, []]));
      for (let round = 0; round < rounds; round++) {
        for (const [name, program] of Object.entries(programs)) {
          const output = mustRun('taskset', ['-c', String(SERVER_CORE), ...program, String(count)], { quiet: true });
          measured.get(name)?.push(JSON.parse(/^\{.*\}$/m.exec(output)?.[0] ?? '') as Times);
        }
      }
      for (const operation of OPERATIONS) {
        const peers = (measured.get(PEER) ?? []).map((times) => times[operation]);
        for (const [name, all] of measured) {
          const own = all.map((times) => times[operation]);
          print(`${operation}, ${count.toLocaleString('en')} entries: ${name}`, show(ratio(own, peers)), `${median(own).toFixed(1)} ns`);
        }
      }
    }
  },
};
