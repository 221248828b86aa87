/**
 * The test projects:
 * - `unit`: the shipped .wasm files in Node, and the storage engine compiled on its own; no server.
 * - `client`: the client package without a server: what its commands send, its types, its documentation, its build.
 * - `scripts`: what `npm start` and `.ci/run` do.
 * - `stock-runtime`: the wasmtime CLI links the shipped .wasm files with nothing of ours.
 * - `Redis 7.0 auto`, … one for each server and link mode: every file of test/integration/ on that server, linked in that way.
 *
 * A server that is not to be had (see `npm run tools`) has no projects, which is said once, here.
 */
import { defineConfig } from 'vitest/config';
import { testMatrix } from './scripts/lib/servers.ts';
import * as wheels from './scripts/lib/wheels.ts';

const LINK_MODES = ['auto', 'command'];
const STOCK_RUNTIME_TESTS = ['test/integration/wasmtime-cli.test.ts'];
/** Tests that choose the link of each of their servers by themselves, or to which it is all the same: once on each kind of server. */
const BOTH_LINKS_TESTS = ['test/integration/client-*.test.ts', 'test/integration/linking*.test.ts', 'test/integration/hostile*.test.ts'];

function onlyIfFetched(wheel: wheels.Wheel): { file: string } | { reason: string } {
  const file = wheels.find(wheel);
  return file === undefined ? { reason: 'not fetched: npm run tools' } : { file };
}

const matrix = testMatrix(onlyIfFetched).flatMap((entry) => {
  if ('reason' in entry) {
    console.log(`skipped: ${entry.title}: ${entry.reason}`);
    return [];
  }
  const { file, name, version } = entry.server;
  return LINK_MODES.map((link) => ({
    extends: true as const,
    test: {
      name: `${entry.title} ${link}`,
      include: ['test/integration/**/*.test.ts'],
      exclude: link === 'auto' ? STOCK_RUNTIME_TESTS : [...STOCK_RUNTIME_TESTS, ...BOTH_LINKS_TESTS],
      env: { TEST_SERVER: file, TEST_SERVER_NAME: name, TEST_SERVER_VERSION: version, TEST_LINK: link },
    },
  }));
});

export default defineConfig({
  test: {
    // Generous: a cold, busy machine of two cores compiles and starts servers while the tests run.
    testTimeout: 30_000,
    hookTimeout: 60_000,
    projects: [
      { extends: true, test: { name: 'unit', include: ['test/unit/**/*.test.ts', 'test/storage/**/*.test.ts'] } },
      { extends: true, test: { name: 'client', include: ['test/client/**/*.test.ts'] } },
      { extends: true, test: { name: 'scripts', include: ['test/scripts/**/*.test.ts'] } },
      {
        extends: true,
        test: {
          name: 'stock-runtime',
          include: STOCK_RUNTIME_TESTS,
          env: { WASMTIME: wheels.find(wheels.WASMTIME) ?? '' },
        },
      },
      ...matrix,
    ],
  },
});
