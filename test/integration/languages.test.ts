/**
 * Modules in C, in Rust and in AssemblyScript with its own runtime: what they keep outlives errors, traps and
 * time-outs, is saved, loaded and replicated, and no heap meets the host's own memory.
 */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { BUILT, C, RUST, STOCK_OPTIONS } from '../support/languages.ts';
import { caughtUp, follow, usePair } from '../support/replication.ts';
import { HOST_FILE, ROOT, startServer, type TestServer } from '../support/server.ts';

const NAMES = 500;
/** Counters of names that are short, and of some that need a larger region than the ordinary one. */
const name = (index: number) => (index % 100 === 99 ? `long:${index}:${'x'.repeat(index * 1000)}` : `name:${index}`);

/** Sets each counter to its number. */
async function fill(server: TestServer): Promise<void> {
  for (let index = 0; index < NAMES; index++) expect(await server.send('TALLY.ADD', name(index), String(index))).toBe(`:${index}\r\n`);
}

async function expectFilled(server: TestServer): Promise<void> {
  expect(await server.send('TALLY.COUNT')).toBe(`:${NAMES}\r\n`);
  for (let index = 0; index < NAMES; index++) expect(await server.send('TALLY.GET', name(index))).toBe(`:${index}\r\n`);
}

/** What it replies when the same command is sent so often. */
async function repeat(server: TestServer, times: number, ...command: string[]): Promise<Set<string>> {
  const replies = new Set<string>();
  for (let index = 0; index < times; index += 100) {
    const some = Array.from({ length: Math.min(100, times - index) }, () => server.send(...command));
    for (const reply of await Promise.all(some)) replies.add(reply);
  }
  return replies;
}

test('they are built as docs/ABI.md tells', () => {
  const page = readFileSync(path.join(ROOT, 'docs/ABI.md'), 'utf8').replaceAll(/ \\\n +/g, ' ');
  for (const command of [
    ['clang', ...C],
    ['rustc', ...RUST],
    ['asc', 'tally.ts', ...STOCK_OPTIONS],
  ])
    expect(page).toContain(`    ${command.join(' ')} `);
});

describe.each(BUILT)('$title', ({ file, trap }) => {
  const module = [HOST_FILE, file ?? ''];
  // Where there is no compiler for it, `npm run tools` and vitest.config.ts say why.
  const runs = file !== undefined;

  test.runIf(runs)('its commands answer', async () => {
    const server = await startServer({ module });
    expect(await server.send('TALLY.ADD', 'name', '5')).toBe(':5\r\n');
    expect(await server.send('TALLY.ADD', 'name', '-12')).toBe(':-7\r\n');
    expect(await server.send('TALLY.ADD', 'name', 'many')).toBe('-ERR not a number\r\n');
    expect(await server.send('TALLY.GET', 'name')).toBe(':-7\r\n');
    expect(await server.send('TALLY.GET', 'other')).toBe('$-1\r\n');
    expect(await server.send('TALLY.DEL', 'other')).toBe(':0\r\n');
    expect(await server.send('TALLY.DEL', 'name')).toBe(':1\r\n');
    expect(await server.send('TALLY.COUNT')).toBe(':0\r\n');
    expect(await server.send('TALLY.APPLY', 'name', '1')).toMatch(/^-ERR unknown command/);
  });

  test.runIf(runs)('5,000 errors, traps and time-outs, each deep in its stack, leave its data as it was', async () => {
    const server = await startServer({ module, arguments: ['--wasm.time-limit', '5000'] });
    await fill(server);
    expect(await repeat(server, 5000, 'TALLY.END', 'fail', '15')).toEqual(new Set(['-ERR as you wish\r\n']));
    for (const reply of await repeat(server, 1000, 'TALLY.END', 'trap', '15')) expect(reply).toMatch(trap);
    await server.send('CONFIG', 'SET', 'wasm.time-limit', '20');
    for (const reply of await repeat(server, 20, 'TALLY.END', 'loop', '15'))
      expect(reply).toBe('-ERR module tally: it ran longer than wasm.time-limit\r\n');
    await server.send('CONFIG', 'SET', 'wasm.time-limit', '5000');
    expect(await server.send('TALLY.END', 'well', '15')).toBe(':120\r\n');
    await expectFilled(server);
    expect(await server.info('wasm_tally')).toMatchObject({ wasm_traps: '1000', wasm_timeouts: '20' });
  });

  test.runIf(runs)('its data and the arguments of commands never share a page', async () => {
    const server = await startServer({ module });
    await fill(server);
    // Each is longer than any before: the host needs more memory, and so does the heap.
    for (let size = 100_000; size < 3_000_000; size *= 2) {
      const long = 'y'.repeat(size);
      expect(await server.send('TALLY.ADD', long, '1')).toBe(':1\r\n');
      expect(await server.send('TALLY.ADD', long, '1')).toBe(':2\r\n');
      expect(await server.send('TALLY.GET', 'z'.repeat(2 * size))).toBe('$-1\r\n');
      expect(await server.send('TALLY.GET', long)).toBe(':2\r\n');
      expect(await server.send('TALLY.DEL', long)).toBe(':1\r\n');
    }
    await expectFilled(server);
  });

  test.runIf(runs)('a trap within its commit is known to have left its data in doubt', async () => {
    const server = await startServer({ module });
    expect(await server.send('TALLY.END', 'commit', '3')).toMatch(/^-ERR module tally: /);
    expect(await server.send('TALLY.ADD', 'name', '1')).toMatch(/^-MISCONF a call ended in the middle of a write/);
    expect((await server.info('wasm_tally')).wasm_damaged).toBe('1');
    expect(await server.send('FLUSHALL')).toBe('+OK\r\n');
    expect(await server.send('TALLY.ADD', 'name', '1')).toBe(':1\r\n');
  });

  describe.runIf(runs)('with a replica', () => {
    const { primary, replica } = usePair({ module }, { module, arguments: ['--appendonly', 'yes'] });

    test('its data is saved, loaded and replicated', async () => {
      await fill(primary);
      expect(await primary.send('DEBUG', 'RELOAD')).toBe('+OK\r\n');
      await expectFilled(primary);
      await follow(replica, primary);
      await expectFilled(replica);
      expect(await primary.send('DEBUG', 'LOADAOF')).toBe('+OK\r\n');
      await expectFilled(primary);
      expect(await primary.send('TALLY.DEL', name(1))).toBe(':1\r\n');
      expect(await primary.send('TALLY.ADD', name(0), '7')).toBe(':7\r\n');
      await caughtUp(primary, replica);
      expect(await replica.send('TALLY.GET', name(0))).toBe(':7\r\n');
      expect(await replica.send('TALLY.GET', name(1))).toBe('$-1\r\n');
      expect((await primary.info('wasm_tally')).wasm_tally_counters).toBe(String(NAMES - 1));
    });
  });
});
