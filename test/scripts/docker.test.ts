/**
 * What the image of Valkey starts, with a stand-in for the official image's script, which ends as that does.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ROOT } from '../support/server.ts';

const MODULE = '--loadmodule /usr/local/lib/redis-wasm/host.so';
const folder = mkdtempSync(path.join(tmpdir(), 'docker-'));
const dockerfile = readFileSync(path.join(ROOT, 'docker/valkey.Dockerfile'), 'utf8');

beforeAll(() => {
  const official = `#!/bin/sh
set -- "$@" $VALKEY_EXTRA_FLAGS
echo "$@"
`;
  writeFileSync(path.join(folder, 'docker-entrypoint.sh'), official, { mode: 0o755 });
});

afterAll(() => {
  rmSync(folder, { recursive: true });
});

/**
 * The words that the image ends up running: by its own script where it has one, with the environment that it
 * sets.
 */
function started(given: string[], flags?: string): string {
  const [, script = 'docker-entrypoint.sh'] = /^ENTRYPOINT \["(.*)"\]$/m.exec(dockerfile) ?? [];
  const [, set] = /^ENV VALKEY_EXTRA_FLAGS="(.*)"$/m.exec(dockerfile) ?? [];
  const VALKEY_EXTRA_FLAGS = flags ?? set;
  const PATH = [folder, path.join(ROOT, 'docker'), process.env.PATH ?? ''].join(path.delimiter);
  const env = { PATH, ...(VALKEY_EXTRA_FLAGS === undefined ? {} : { VALKEY_EXTRA_FLAGS }) };
  const { stdout, stderr } = spawnSync('/bin/sh', ['-c', `exec ${script} "$@"`, 'sh', ...given], { encoding: 'utf8', env });
  return (stdout + stderr).trim();
}

test.each([
  'valkey-server',
  'valkey-server --port 1',
  '--port 1',
  '/etc/valkey.conf',
  '/etc/valkey.conf --port 1',
  '/usr/bin/valkey-server',
])('%s: the server gets the modules', (given) => {
  expect(started(given.split(' '))).toBe(`${given} ${MODULE}`);
  expect(started(given.split(' '), '--maxmemory 1gb')).toBe(`${given} ${MODULE} --maxmemory 1gb`);
});

test.each(['valkey-cli -h x ping', 'sh', 'valkey-benchmark', 'valkey-server --version', '--help', 'valkey-server --test-memory 8'])(
  '%s: is run as it is',
  (given) => {
    expect(started(given.split(' '))).toBe(given);
  },
);

test('what the image starts without arguments is the server', () => {
  // An entry point takes the official image's command away.
  expect(dockerfile).toMatch(/^ENTRYPOINT .*\nCMD \["valkey-server"\]$/m);
});
