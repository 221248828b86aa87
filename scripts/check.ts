/**
 * `npm run check`: formatters, linters and types of all three languages. Runs every check, then names those
 * that failed.
 */
import path from 'node:path';
import { main, ROOT, run, say } from './lib/process.ts';

const BIN = path.join(ROOT, 'node_modules/.bin');

/** Each unsafe block says why it is none. */
const RUST_RULES = ['-D', 'clippy::undocumented_unsafe_blocks', '-D', 'clippy::too_many_lines'];

const CHECKS: [title: string, command: string, ...programArguments: string[]][] = [
  ['format', path.join(BIN, 'prettier'), '--check', '--log-level', 'warn', '.'],
  ['format of Rust', 'cargo', 'fmt', '--all', '--check'],
  ['lint', path.join(BIN, 'eslint'), '--max-warnings', '0', '.'],
  ['types', path.join(BIN, 'tsc'), '--noEmit'],
  ['types of the client', path.join(BIN, 'tsc'), '--project', 'client/tsconfig.json', '--noEmit'],
  ['types of the program', path.join(BIN, 'tsc'), '--project', 'bin/tsconfig.json', '--noEmit'],
  ['types of the example’s script', path.join(BIN, 'tsc'), '--project', 'example/public/tsconfig.json', '--noEmit'],
  ['hashmap', path.join(BIN, 'asc'), 'assembly/hashmap.ts', '--target', 'hashmap', '--noEmit'],
  ['session', path.join(BIN, 'asc'), 'assembly/session.ts', '--target', 'session', '--noEmit'],
  ['clippy', 'cargo', 'clippy', '--release', '--locked', '--workspace', '--all-targets', '--', '-D', 'warnings', ...RUST_RULES],
];

await main(() => {
  const failed = CHECKS.filter(([title, command, ...programArguments]) => {
    say(title);
    return run(command, programArguments).status !== 0;
  }).map(([title]) => title);
  console.log(failed.length === 0 ? 'all checks passed' : `failed: ${failed.join(', ')}`);
  return failed.length === 0 ? 0 : 1;
});
