/**
 * How the session module's imports of CUSTOM.* are resolved. Each cause of falling back to calls by command
 * is a server of its own, on which clients see what they see where the link is direct: the same suite passes,
 * and a recording of every command is the same.
 */
import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { assemble, compile, fixture, SHIPPED } from '../support/modules.ts';
import { parseBulks } from '../support/raw.ts';
import {
  HASHMAP_FILE,
  HOST_FILE,
  NATIVE_FILE,
  SESSION_FILE,
  startServer,
  useServer,
  type LinkMode,
  type TestServer,
} from '../support/server.ts';
import { record, recordHashmap } from './suites/recording.ts';
import { sessionSuite } from './suites/session.ts';

const { hashmap, session } = SHIPPED.targets;

interface Cause {
  title: string;
  modules: string[];
  link: LinkMode;
  /** A native module that serves CUSTOM.* too. */
  native?: boolean;
  /** `wasm_link_CUSTOM_reason` */
  reason: string;
}

const causes: Cause[] = [
  { title: 'wasm.link is command', modules: [HASHMAP_FILE, SESSION_FILE], link: 'command', reason: 'wasm.link is command' },
  {
    title: 'another Redis module serves CUSTOM.*',
    modules: [SESSION_FILE],
    link: 'auto',
    native: true,
    reason: 'no module loaded here registers CUSTOM commands',
  },
  {
    title: 'the provider lacks an export',
    modules: [await fixture('missing-export', hashmap, 'hashmap'), SESSION_FILE],
    link: 'auto',
    reason: 'hashmap does not export get',
  },
  {
    title: "the provider's export has another type",
    modules: [await fixture('other-type', hashmap, 'hashmap'), SESSION_FILE],
    link: 'auto',
    reason: 'the export get of hashmap has another type',
  },
  {
    title: "both modules' static data overlap",
    modules: [await compile('hashmap', 'assembly/hashmap.ts', session), SESSION_FILE],
    link: 'auto',
    reason: 'the static data of hashmap and session overlap',
  },
  {
    title: 'the provider has a memory of its own',
    modules: [await compile('hashmap', 'assembly/hashmap.ts', { ...hashmap, importMemory: false, noExportMemory: false }), SESSION_FILE],
    link: 'auto',
    reason: 'hashmap does not import env.memory',
  },
  {
    title: 'the session module has a memory of its own',
    modules: [HASHMAP_FILE, await compile('session', 'assembly/session.ts', { ...session, importMemory: false, noExportMemory: false })],
    link: 'auto',
    reason: 'session does not import env.memory',
  },
  {
    title: 'the provider follows another version of the conventions',
    modules: [await fixture('abi', hashmap, 'hashmap'), SESSION_FILE],
    link: 'auto',
    reason: 'hashmap has ABI version 999, this module 1',
  },
  {
    title: 'the provider comes after the session module',
    modules: [SESSION_FILE, HASHMAP_FILE],
    link: 'auto',
    reason: 'hashmap comes after it',
  },
];

/** The recordings of an empty server: in RESP2 and RESP3, those of hashmap.wasm alone at the end. */
async function recordings(server: TestServer, isHashmap = true): Promise<string[][]> {
  const both: string[][] = [];
  for (const recording of isHashmap ? [record, recordHashmap] : [record]) {
    for (const protocol of [2, 3] as const) {
      await empty(server);
      both.push(await recording(await server.connect(protocol)));
    }
  }
  await empty(server);
  return both;
}

/** FLUSHALL, and what a native provider keeps beside it. */
async function empty(server: TestServer): Promise<void> {
  await server.send('FLUSHALL');
  for (const key of parseBulks(await server.send('CUSTOM.KEYS'))) await server.send('CUSTOM.DEL', key);
}

const direct: { recordings: string[][] } = { recordings: [] };

test('static data whose place is computed is not linked directly', async () => {
  const computed = await assemble(
    'computed',
    `(import "env" "memory" (memory 4)) (import "CUSTOM" "get" (func (param i32 i32) (result i64)))
     (global (export "abi") i32 (i32.const 1)) (table (export "table") 1 funcref)
     (data (offset (i32.sub (i32.const 200000) (i32.const 198000))) "over that of the storage")
     (func (export "onLoad") (result i32) (i32.const 0))`,
    { plain: true },
  );
  const server = await startServer({ module: [HOST_FILE, HASHMAP_FILE, computed], link: 'auto' });
  const info = await server.info('wasm');
  expect(info.wasm_link_CUSTOM_reason).toBe('where the static data of hashmap or computed lies cannot be told');
});

describe('the direct link', () => {
  const server = useServer({ link: 'auto' });
  beforeAll(async () => {
    direct.recordings = await recordings(server);
  });

  test('is the default, and INFO and the log say so', async () => {
    expect(await server.send('CONFIG', 'GET', 'wasm.link')).toBe('*2\r\n$9\r\nwasm.link\r\n$4\r\nauto\r\n');
    const info = await server.info('wasm');
    expect(info.wasm_link_CUSTOM).toBe('direct');
    expect(info.wasm_link_CUSTOM_reason).toBe('linked to hashmap');
    await expect.poll(() => server.log).toContain('module session: imports of CUSTOM are resolved directly: linked to hashmap');
  });

  test('the recording has every original command, and is the same each time', async () => {
    const again = await recordings(server);
    expect(again).toEqual(direct.recordings);
    const commands = new Set(again.flat().map((line) => line.split(' ')[0]!.toUpperCase()));
    const known = (await Promise.all(['custom.*', 'session.*'].map((all) => server.send('COMMAND', 'LIST', 'FILTERBY', 'PATTERN', all))))
      .flatMap(parseBulks)
      .map((name) => name.toUpperCase());
    for (const name of known.filter((name) => !/\.(APPLY|CHECK|STRAYS)$/.test(name))) expect(commands).toContain(name);
  });

  test('wasm.link cannot be changed while the server runs', async () => {
    expect(await server.send('CONFIG', 'SET', 'wasm.link', 'command')).toMatch(/^-ERR .*immutable/);
  });
});

describe.each(causes)('by command, since $title', ({ modules, link, native, reason }) => {
  const server = useServer({
    module: [HOST_FILE, ...modules],
    link,
    arguments: native === true ? ['--loadmodule', NATIVE_FILE] : [],
  });
  beforeEach(() => empty(server));

  test('INFO and the log say so, and why', async () => {
    const info = await server.info('wasm');
    expect(info.wasm_link_CUSTOM).toBe('command');
    expect(info.wasm_link_CUSTOM_reason).toBe(reason);
    await expect.poll(() => server.log).toContain(`module session: imports of CUSTOM are resolved by command: ${reason}`);
  });

  test('every reply of every command equals the reply of the direct link', async () => {
    const found = await recordings(server, native !== true);
    expect(found).toEqual(direct.recordings.slice(0, found.length));
  });

  sessionSuite(server);
});
