/** The package as it is published: built by tsc, imported by its name, its types used by a program in TypeScript. No server. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
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
    const settings = ['--strict', '--exactOptionalPropertyTypes', '--target', 'es2023', '--module', 'nodenext', '--types', 'node'];
    return node(TSC, '--ignoreConfig', '--noEmit', ...settings, ...flags, ...programs);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const USER = `import { createClient, createCluster } from 'redis';
import { custom, session, type SessionInfo } from 'redis-wasm-sessions';
import { SessionStore } from 'redis-wasm-sessions/express';
import { KeyvCustom } from 'redis-wasm-sessions/keyv';
import { secondaryStorage } from 'redis-wasm-sessions/better-auth';
const client = createClient({ modules: { custom, session } });
const info: SessionInfo | null = await client.session.info('id');
const ms: number | null | undefined = info?.idle;
const value: string | null = await createCluster({ rootNodes: [], modules: { custom } }).custom.get('key');
// @ts-expect-error a misspelt option is an error
await client.session.create('user', { idel: 5 });
// @ts-expect-error as is a missing argument
await client.session.addData('id');
// @ts-expect-error or a client without the module
export const none = new SessionStore({ client: createClient() });
export const all = [ms, value, new SessionStore({ client }), new KeyvCustom({ client }), secondaryStorage({ client })];
`;

beforeAll(() => {
  ensureBuilt(PACKAGE);
});

describe('the package', () => {
  it.each([
    [
      'redis-wasm-sessions',
      [
        'ArgumentError',
        'IdExistsError',
        'MaxSessionsError',
        'NotLoadedError',
        'OutOfMemoryError',
        'SessionNotFoundError',
        'VersionError',
        'custom',
        'scanIterator',
        'session',
        'typedError',
        'withTypedErrors',
      ],
    ],
    ['redis-wasm-sessions/express', ['SessionGoneError', 'SessionStore']],
    ['redis-wasm-sessions/better-auth', ['secondaryStorage']],
    ['redis-wasm-sessions/keyv', ['KeyvCustom']],
  ])('exports from %s', (name, exported) => {
    const printed = node('--input-type=module', '-e', `console.log(JSON.stringify(Object.keys(await import('${name}')).sort()))`);
    expect(JSON.parse(printed)).toEqual(exported);
  });

  it('has types that a program can use, with all libraries checked', () => {
    expect(typeErrors({ 'user.ts': USER })).toBe('');
  });

  it('has examples whose types are right', () => {
    const files = examples().map(({ code }, index) => [`example-${index}.ts`, code] as const);
    expect(files.length).toBeGreaterThanOrEqual(6);
    expect(typeErrors(Object.fromEntries(files), '--skipLibCheck')).toBe('');
  });
});
