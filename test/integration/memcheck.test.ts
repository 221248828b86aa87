/**
 * The host's own memory, watched by valgrind's memcheck: no invalid access, no use of what was never written.
 * Where it is asked for: MEMCHECK=1.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, test } from 'vitest';
import { halfway } from '../support/hostile.ts';
import { HASHMAP_FILE, HOST_FILE, SESSION_FILE, startServer } from '../support/server.ts';
import { dump, fill } from '../support/state.ts';

/**
 * Safe Rust, whose optimised code looks at a part of a value before it knows whether it is there. The
 * server's own compression, which reads a table that it never wrote, is switched off.
 */
const SUPPRESSED = '{\n parser\n Memcheck:Cond\n fun:*wasmparser*Parser*parse*\n}\n';

test.skipIf(process.env.MEMCHECK !== '1')('memcheck finds nothing', { timeout: 590_000 }, async () => {
  const log = path.join(tmpdir(), `memcheck-${process.pid}`);
  writeFileSync(`${log}.supp`, SUPPRESSED);
  // The server's allocator is one that valgrind would not know.
  const under = [
    // Compiling takes some fifty times as long under it.
    ...['env', 'WASM_NO_PROCESS=1'],
    'valgrind',
    '--soname-synonyms=somalloc=*jemalloc*',
    '--error-limit=no',
    `--log-file=${log}`,
    `--suppressions=${log}.supp`,
  ];
  const server = await startServer({
    under,
    module: [HOST_FILE, HASHMAP_FILE, SESSION_FILE, await halfway],
    arguments: ['--rdbcompression', 'no'],
    timeout_ms: 300_000,
  });
  await fill(server);
  const before = await dump(server);
  for (const line of [
    'WASM.MODULES',
    'INFO wasm',
    'HOSTILE.SET',
    'HOSTILE.TRAP',
    'HOSTILE.SET',
    'MODULE LOAD /nonexistent',
    'CONFIG SET wasm.max-value-size 100mb',
    'CONFIG GET wasm.*',
    'COMMAND DOCS custom.set',
    'CUSTOM.SET key',
    'SESSION.GET nothing',
  ]) {
    expect(await server.send(...line.split(' ')), line).toMatch(/^[-+*$:%]/);
  }
  expect(await server.send('DEBUG', 'RELOAD', 'NOSAVE')).toMatch(/^[-+]/);
  await server.send('FLUSHALL');
  await fill(server);
  expect(await server.send('SAVE')).toBe('+OK\r\n');
  expect(await server.send('DEBUG', 'RELOAD')).toBe('+OK\r\n');
  expect((await dump(server)).length).toBe(before.length);
  await server.end();
  const report = readFileSync(log, 'utf8');
  const invalid = report.split('\n').filter((line) => /Invalid |uninitialised|Syscall param|Mismatched|overlap/.test(line));
  expect(invalid).toEqual([]);
  expect(report).toContain('ERROR SUMMARY: 0 errors');
});
