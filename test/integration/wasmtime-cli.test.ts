/**
 * A stock runtime links the two shipped files with nothing of ours: the wasmtime CLI, two small modules in
 * the place of the host (test/fixtures/stock-runtime/), and the import rule.
 */
import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { describe, expect, test } from 'vitest';

const ROOT = path.resolve(import.meta.dirname, '../..');
const WASMTIME = process.env.WASMTIME ?? '';
const fixture = (name: string): string => path.join(ROOT, 'test/fixtures/stock-runtime', `${name}.wat`);
const shipped = (name: string): string => path.join(ROOT, 'build', `${name}.wasm`);

const ENV = `env=${fixture('env')}`;
const REDIS = `redis=${fixture('redis')}`;
const CUSTOM = `CUSTOM=${shipped('hashmap')}`;
const SESSION = `SESSION=${shipped('session')}`;

/** Runs one exported function of a module; preloads are linked in order. */
function invoke(
  preloads: string[],
  name: string,
  file: string,
  ...args: number[]
): { status: number | null; stdout: string; stderr: string } {
  const options = preloads.flatMap((preload) => ['--preload', preload]);
  const result = spawnSync(WASMTIME, ['run', ...options, '--invoke', name, file, ...args.map(String)], { encoding: 'utf8' });
  return { status: result.status, stdout: result.stdout.trim(), stderr: result.stderr };
}

describe.skipIf(WASMTIME === '')('the wasmtime CLI', () => {
  test('links session.wasm to hashmap.wasm and creates a session', () => {
    const { status, stdout, stderr } = invoke([ENV, REDIS, CUSTOM], 'create', shipped('session'), 196608, 7);
    expect(stderr).not.toContain('Error');
    expect(status).toBe(0);
    // length << 32 | pointer: "Session created: " and 36 bytes of id.
    expect(BigInt(stdout) >> 32n).toBe(53n);
  });

  test('does not link without a provider of CUSTOM.*', () => {
    const { status, stderr } = invoke([ENV, REDIS], 'create', shipped('session'), 196608, 7);
    expect(status).not.toBe(0);
    expect(stderr).toMatch(/unknown import: `CUSTOM::\w+` has not been defined/);
  });

  test.each(['mapping_is_the_id', 'data_comes_back', 'delete_unmaps'])('a third module imports both: %s', (name) => {
    const { status, stdout, stderr } = invoke([ENV, REDIS, CUSTOM, SESSION], name, fixture('driver'));
    expect(stderr).not.toContain('Error');
    expect(status).toBe(0);
    expect(stdout).toBe('1');
  });
});
