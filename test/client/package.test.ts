/**
 * The package as it is published: built by tsc, imported by its name, its types used by a program in
 * TypeScript. No server.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import * as keyv from '../../scripts/lib/keyv.ts';
import { ensureBuilt, PACKAGE } from '../../scripts/lib/build.ts';
import { examples, ROOT } from './examples.ts';

const TSC = path.join(ROOT, 'node_modules/typescript/bin/tsc');

/** Runs node on these arguments in the project; answers what it prints. */
function node(...given: string[]): string {
  const { status, stdout, stderr } = spawnSync(process.execPath, given, { cwd: ROOT, encoding: 'utf8' });
  return status === 0 ? stdout : `exit code ${status}: ${stdout}${stderr}`;
}

/** What tsc says of programs that import this package by its name. */
function typeErrors(files: Record<string, string>, ...flags: string[]): string {
  const folder = path.join(ROOT, 'build/client-users');
  mkdirSync(folder, { recursive: true });
  try {
    const programs = Object.entries(files).map(([name, text]) => {
      writeFileSync(path.join(folder, name), text);
      return path.join(folder, name);
    });
    const settings = ['--strict', '--exactOptionalPropertyTypes', '--target', 'es2023', '--types', 'node'];
    return node(TSC, '--ignoreConfig', '--noEmit', ...settings, ...flags, ...programs);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const NODE = ['--module', 'nodenext'];
/** How programs are compiled that another tool puts together. */
const BUNDLER = ['--module', 'esnext', '--moduleResolution', 'bundler'];

const ADAPTERS = `import { createClient, createClientPool, createCluster, createSentinel } from 'redis';
import { custom, session } from 'redis-wasm';
import { SessionStore } from 'redis-wasm/express';
import { KeyvCustom } from 'redis-wasm/keyv';
import { secondaryStorage } from 'redis-wasm/better-auth';
const modules = { custom, session };
for (const client of [createClient({ modules }), createClient({ RESP: 2, modules }), createClientPool({ modules }),
  createCluster({ rootNodes: [], modules }), createSentinel({ name: 'main', sentinelRootNodes: [], modules })]) {
  new SessionStore({ client, userOf: (data) => data.cookie.path });
  new KeyvCustom({ client });
  secondaryStorage({ client });
}
// @ts-expect-error a client without the module
export const none = new SessionStore({ client: createClient() });
`;
/** Every command on clients of every kind: types.ts, as a program that has installed the package. */
const COMMANDS = readFileSync(path.join(import.meta.dirname, 'types.ts'), 'utf8').replaceAll('../../client/index.ts', 'redis-wasm');

beforeAll(() => {
  ensureBuilt(PACKAGE);
});

describe('the package', () => {
  it.each([
    [
      'redis-wasm',
      [
        'ArgumentError',
        'IdExistsError',
        'MaxSessionsError',
        'NotLoadedError',
        'OutOfMemoryError',
        'SessionNotFoundError',
        'VersionError',
        'clusterWide',
        'custom',
        'scanIterator',
        'session',
        'typedError',
        'withRetries',
        'withTypedErrors',
      ],
    ],
    ['redis-wasm/express', ['SessionGoneError', 'SessionStore']],
    ['redis-wasm/better-auth', ['secondaryStorage']],
    ['redis-wasm/keyv', ['KeyvCustom']],
  ])('exports from %s', (name, exported) => {
    const printed = node('--input-type=module', '-e', `console.log(JSON.stringify(Object.keys(await import('${name}')).sort()))`);
    expect(JSON.parse(printed)).toEqual(exported);
  });

  it('has types that a program can use, with all libraries checked', () => {
    expect(COMMANDS).toContain("from 'redis-wasm'");
    expect(typeErrors({ 'commands.ts': COMMANDS, 'adapters.ts': ADAPTERS }, ...NODE)).toBe('');
  });

  describe('has types that a bundler’s program can use,', () => {
    const KEYV = 'keyv-6.ts';
    const files = examples().map(({ code }, index) => [`example-${index}.ts`, code] as const);
    const programs = { 'commands.ts': COMMANDS, 'adapters.ts': ADAPTERS, ...Object.fromEntries(files) };
    const keyv6 = `import { Keyv, type KeyvStorageAdapter } from '${keyv.find()}';
import { createClient } from 'redis';
import { custom } from 'redis-wasm';
import { KeyvCustom } from 'redis-wasm/keyv';
export const store: KeyvStorageAdapter = new KeyvCustom({ client: createClient({ modules: { custom } }) });
export const keyv = new Keyv({ store });
`;
    let errors: string[] = [];
    beforeAll(() => {
      const all = keyv.find() === undefined ? programs : { ...programs, [KEYV]: keyv6 };
      errors = typeErrors(all, ...BUNDLER, '--skipLibCheck').split('\n');
    });

    it('and examples whose types are right', () => {
      expect(files.length).toBeGreaterThanOrEqual(6);
      expect(errors.filter((line) => line !== '' && !line.includes(KEYV))).toEqual([]);
    });

    it.skipIf(keyv.find() === undefined)('and a store with the interface that Keyv 6 asks for', () => {
      expect(errors.filter((line) => line.includes(KEYV))).toEqual([]);
    });
  });

  it('is loaded by require where Node can do that, and else says what to do', () => {
    const program = "console.log(typeof require('redis-wasm').custom.set)";
    expect(node('--input-type=commonjs', '-e', program)).toBe('object\n');
    // As Node 20 before 20.19, and 22 before 22.12.
    const refused = node('--no-experimental-require-module', '--input-type=commonjs', '-e', program);
    expect(refused).toContain('ERR_REQUIRE_ESM');
    expect(refused).toMatch(/dynamic import\(\)/);
  });
});
