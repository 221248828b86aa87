/**
 * The test projects:
 * - `unit`: the shipped .wasm files in Node, and the storage engine compiled on its own; no server.
 * - `client`: the client package without a server: what its commands send, its types, its documentation, its
 *   build.
 * - `scripts`: what `npm start`, `.ci/run`, and the program's `export` and `import` do.
 * - `example`: the example site by itself and in a real browser, once: on Redis 7.0, else on the first server
 *   that there is.
 * - `stock-runtime`: the wasmtime CLI links the shipped .wasm files with nothing of ours.
 * - `Redis 7.0 auto`, … one for each server, linked directly: every file of test/integration/, on later
 *   servers but for those in which the server makes no difference. `Redis 7.0 command`: the first server,
 *   linked by command.
 *
 * A server that is not to be had (see `npm run tools`) has no projects, which is said once, here.
 */
import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';
import * as chromium from './scripts/lib/chromium.ts';
import * as keyv from './scripts/lib/keyv.ts';
import * as languages from './scripts/lib/languages.ts';
import { testMatrix, type Server } from './scripts/lib/servers.ts';
import * as wheels from './scripts/lib/wheels.ts';

const STOCK_RUNTIME_TESTS = ['test/integration/wasmtime-cli.test.ts'];
const integrationTests = (...names: string[]) => names.map((name) => `test/integration/${name}.test.ts`);
/**
 * Tests of what the host, its compiler, the modules or the client decide by themselves: the server is only
 * what has loaded them, and later ones would show the same again. What the host asks of a server, or is asked
 * by one, is tested on each: a test of replicas, permissions, settings or the list of commands is not to be
 * added here.
 */
const FIRST_SERVER_TESTS = integrationTests(
  ...['client-away', 'client-contract', 'client-copies', 'client-examples', 'client-express', 'cluster-prepare'],
  ...['hostile-compile', 'hostile-exports', 'hostile-files', 'hostile-lengths', 'hostile-linked', 'hostile-pointers', 'kit-arguments'],
  ...['kit-docs', 'kit-examples', 'kit-memory', 'large-writes', 'linking-files', 'live-memory', 'soak'],
);
/**
 * Tests that choose the link of each of their servers by themselves, or to which it is all the same: they run
 * with `auto` alone.
 */
const BOTH_LINKS_TESTS = integrationTests(
  ...[
    'acl',
    'answers',
    'attempt',
    'client-*',
    'cluster-prepare',
    'command-info',
    'corpus',
    'deploy',
    'described',
    'failing-save',
    'functions*',
    'hostile-[!p]*',
    'large-writes',
  ],
  ...[
    'kit-*',
    'languages',
    'linking*',
    'live-[!l]*',
    'live-load',
    'loaded',
    'readers',
    'server-rules',
    'slot-*',
    'soak',
    'stack-pointer',
    'sweep',
  ],
);

function onlyIfFetched(wheel: wheels.Wheel): { file: string } | { reason: string } {
  const file = wheels.find(wheel);
  return file === undefined ? { reason: 'not fetched: npm run tools' } : { file };
}

/** What the tests of a project are told of their server. */
function serverOf({ file, name, version }: Server, link: string): Record<string, string> {
  return { TEST_SERVER: file, TEST_SERVER_NAME: name, TEST_SERVER_VERSION: version, TEST_LINK: link };
}

const entries = testMatrix(onlyIfFetched);
const servers = entries.filter((entry) => 'server' in entry);
/**
 * Linked directly on every server; by command on the first one alone: what a server makes of a call by
 * command, tests of the list above look at on each.
 */
const matrix = servers.flatMap(({ title, server }, place) =>
  (place === 0 ? ['auto', 'command'] : ['auto']).map((link) => ({
    extends: true as const,
    test: {
      name: `${title} ${link}`,
      include: ['test/integration/**/*.test.ts'],
      exclude: [...STOCK_RUNTIME_TESTS, ...(place > 0 ? FIRST_SERVER_TESTS : []), ...(link === 'command' ? BOTH_LINKS_TESTS : [])],
      env: serverOf(server, link),
    },
  })),
);
/** Of the projects that run once: Redis 7.0, else the first server that there is. */
const firstServer = servers[0] === undefined ? {} : serverOf(servers[0].server, 'auto');
const browser = chromium.find();
const example = servers.slice(0, 1).map(({ server }) => ({
  extends: true as const,
  test: {
    name: 'example',
    include: ['test/example/**/*.test.ts'],
    exclude: browser === undefined ? ['test/example/**/*.browser.test.ts'] : [],
    env: { ...serverOf(server, 'auto'), TEST_BROWSER: browser ?? '' },
  },
}));
// Vitest reads this file once for each project, in one process.
if (process.env.SKIPPED_IS_TOLD === undefined) {
  process.env.SKIPPED_IS_TOLD = 'yes';
  for (const entry of entries) if ('reason' in entry) console.log(`skipped: ${entry.title}: ${entry.reason}`);
  if (keyv.find() === undefined) console.log(`skipped: ${keyv.TITLE}: not fetched: npm run tools`);
  if (browser === undefined) console.log(`skipped: ${chromium.TITLE}: not found: npm run tools`);
  if (languages.findC() === undefined) console.log(`skipped: ${languages.C_TITLE}: no compiler: npm run tools`);
  if (languages.findRust() === undefined) console.log(`skipped: ${languages.RUST_TITLE}: no compiler: npm run tools`);
}

export default defineConfig({
  test: {
    // Generous: a cold, busy machine of two cores compiles and starts servers while the tests run.
    testTimeout: 120_000,
    hookTimeout: 120_000,
    // A line of a server's log may come after the reply that it belongs to.
    expect: { poll: { timeout: 30_000, interval: 10 } },
    // Tests wait for servers more than they compute.
    maxWorkers: 2 * availableParallelism(),
    // One process runs one file of its project after the other: what they import is read and compiled once.
    // A file takes back what it changes of the process.
    isolate: false,
    projects: [
      { extends: true, test: { name: 'unit', include: ['test/unit/**/*.test.ts', 'test/storage/**/*.test.ts'] } },
      { extends: true, test: { name: 'client', include: ['test/client/**/*.test.ts'] } },
      { extends: true, test: { name: 'scripts', include: ['test/scripts/**/*.test.ts'], env: firstServer } },
      {
        extends: true,
        test: {
          name: 'stock-runtime',
          include: STOCK_RUNTIME_TESTS,
          env: { WASMTIME: wheels.find(wheels.WASMTIME) ?? '' },
        },
      },
      ...example,
      ...matrix,
    ],
  },
});
