/**
 * A third party's modules: they import any command as the shipped ones do, and declare settings of their own.
 */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { fixture, THIRD } from '../support/modules.ts';
import { bulk } from '../support/raw.ts';
import { HASHMAP_FILE, HOST_FILE, NATIVE_FILE, ROOT, SESSION_FILE, startServer, useServer, type LinkMode } from '../support/server.ts';

const visits = await fixture('visits');
const settings = await fixture('settings', THIRD, 'visitors');
const itself = await fixture('itself');
const ID = /[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/;
const UNKNOWN_ID = '01234567-89ab-4def-8123-456789abcdef';

interface Case {
  title: string;
  modules: string[];
  link: LinkMode;
  native?: boolean;
  /** How the third module's imports are resolved. */
  custom: string;
  session: string;
}

const CASES: Case[] = [
  {
    title: 'directly, to both modules in one memory',
    modules: [HASHMAP_FILE, SESSION_FILE, visits],
    link: 'auto',
    custom: 'direct, linked to hashmap',
    session: 'direct, linked to session',
  },
  {
    title: 'by command',
    modules: [HASHMAP_FILE, SESSION_FILE, visits],
    link: 'command',
    custom: 'command, wasm.link is command',
    session: 'command, wasm.link is command',
  },
  {
    title: 'by command, from the first place',
    modules: [visits, HASHMAP_FILE, SESSION_FILE],
    link: 'auto',
    custom: 'command, hashmap comes after it',
    session: 'command, session comes after it',
  },
  {
    title: 'directly to one module, by command to another Redis module',
    modules: [SESSION_FILE, visits],
    link: 'auto',
    native: true,
    custom: 'command, no module loaded here registers CUSTOM commands',
    session: 'direct, linked to session',
  },
];

describe.each(CASES)("a third module's imports, resolved $title", ({ modules, link, native, custom, session }) => {
  const server = useServer({
    module: [HOST_FILE, ...modules],
    link,
    arguments: native === true ? ['--loadmodule', NATIVE_FILE] : [],
  });

  test('WASM.MODULES tells how', async () => {
    const reply = await server.send('WASM.MODULES');
    expect(reply).toContain(bulk(`CUSTOM.get: ${custom}`));
    expect(reply).toContain(bulk(`CUSTOM.set: ${custom}`));
    expect(reply).toContain(bulk(`SESSION.create: ${session}`));
    expect(reply).toContain(bulk('redis.CreateCommand: host'));
    await expect.poll(() => server.log.split('\n').filter((line) => line.includes('module visits: imports of '))).toHaveLength(2);
  });

  test.each(['user', 'x\r\n+INJECTED\0\xff', 'long '.repeat(50_000)])('write and read sessions and storage', async (user) => {
    const created = await server.send('VISIT.BEGIN', user, 'note');
    const id = ID.exec(created)![0];
    expect(created).toBe(`*4\r\n${bulk(`Session created: ${id}`)}${bulk(id)}:1\r\n${bulk(user)}`);
    expect(await server.send('CUSTOM.GET', user)).toBe(bulk(id));
    expect(await server.send('CUSTOM.GET', 'note')).toBe(bulk(user));
    expect(await server.send('SESSION.CREATE', user)).toBe(`+Session exists: ${id}\r\n`);

    expect(await server.send('VISIT.READ', id, 'field')).toBe(`*2\r\n$-1\r\n${await server.send('SESSION.GET', id)}`);
    await server.send('SESSION.ADD_DATA', id, 'field', user);
    expect(await server.send('VISIT.READ', id, 'field')).toBe(`*2\r\n${bulk(user)}${await server.send('SESSION.GET', id)}`);
  });

  test('an error of an imported function ends the command with that error, and is no trap', async () => {
    expect(await server.send('VISIT.READ', UNKNOWN_ID, 'field')).toBe(`-Session not found: ${UNKNOWN_ID}\r\n`);
    expect(await server.send('INFO', 'wasm')).not.toMatch(/wasm_traps:[^0]/);
    expect(await server.send('PING')).toBe('+PONG\r\n');
  });

  test('an error after a part of the reply completes the reply', async () => {
    // The mapping's deletion is no import of this module: a session that ends in between is the only error
    // that READ can meet.
    const created = await server.send('VISIT.BEGIN', 'user', 'note');
    await server.send('SESSION.DELETE', ID.exec(created)![0]);
    expect(await server.send('VISIT.READ', ID.exec(created)![0], 'field')).toMatch(/^-Session not found: /);
    expect(await server.send('PING')).toBe('+PONG\r\n');
  });
});

describe('a module that comes back into its own linked group', () => {
  test('through its own namespace gets an error, and lives on', async () => {
    const server = await startServer({ module: [HOST_FILE, itself], link: 'auto' });
    const info = await server.info('wasm');
    expect(info.wasm_link_ITSELF).toBe('command');
    expect(info.wasm_link_ITSELF_reason).toBe('it serves this namespace itself');
    expect(await server.send('ITSELF.OUTER')).toBe('-ERR module itself: it called itself through a command\r\n');
    expect(await server.send('ITSELF.INNER')).toBe(':5\r\n');
    expect(await server.send('ITSELF.OUTER')).toBe('-ERR module itself: it called itself through a command\r\n');
  });

  test('through a module that is linked to the same provider gets an error, nothing is stored', async () => {
    // visits is linked to hashmap, session too; visits calls session, which comes after it, by command.
    const server = await startServer({ module: [HOST_FILE, HASHMAP_FILE, visits, SESSION_FILE], link: 'auto' });
    expect(await server.send('VISIT.BEGIN', 'user', 'note')).toMatch(/^(\*4\r\n)?-ERR module session: it called itself through a command/);
    expect(await server.send('PING')).toBe('+PONG\r\n');
    expect(await server.send('SESSION.LIST')).toBe('*0\r\n');
    expect(await server.send('CUSTOM.KEYS')).toBe('*0\r\n');
  });
});

describe("a module's own setting", () => {
  const get = (value: string) => `*2\r\n${bulk('wasm.visitors')}${bulk(value)}`;

  test('has its default, and CONFIG SET changes what the module sees', async () => {
    const server = await startServer({ module: [HOST_FILE, settings] });
    expect(await server.send('CONFIG', 'GET', 'wasm.visitors')).toBe(get('10'));
    expect(await server.send('VISIT.LIMIT')).toBe(':10\r\n');
    expect(await server.send('CONFIG', 'SET', 'wasm.visitors', '55')).toBe('+OK\r\n');
    expect(await server.send('CONFIG', 'GET', 'wasm.visitors')).toBe(get('55'));
    expect(await server.send('VISIT.LIMIT')).toBe(':55\r\n');
    for (const value of ['0', '1001', 'many', '']) expect(await server.send('CONFIG', 'SET', 'wasm.visitors', value)).toMatch(/^-ERR /);
    expect(await server.send('VISIT.LIMIT')).toBe(':55\r\n');
  });

  test('is set in redis.conf, before onLoad() runs, and CONFIG REWRITE keeps a change', async () => {
    const server = await startServer({ module: false, configuration: `loadmodule ${HOST_FILE} ${settings}\nwasm.visitors 20\n` });
    expect(await server.send('VISIT.LIMIT')).toBe(':20\r\n');
    expect(await server.send('CONFIG', 'SET', 'wasm.visitors', '33')).toBe('+OK\r\n');
    expect(await server.send('CONFIG', 'REWRITE')).toBe('+OK\r\n');
    const rewritten = readFileSync(path.join(server.folder, 'redis.conf'), 'utf8');
    expect(rewritten).toMatch(/^wasm\.visitors 33$/m);
    expect(rewritten).toContain(`loadmodule ${HOST_FILE} ${settings}`);
  });

  test('is set by MODULE LOADEX', async () => {
    const server = await startServer({ module: false });
    const load = ['MODULE', 'LOADEX', HOST_FILE, 'CONFIG', 'wasm.visitors', '42', 'ARGS', settings];
    expect(await server.send(...load)).toBe('+OK\r\n');
    expect(await server.send('VISIT.LIMIT')).toBe(':42\r\n');
  });

  test.each(['0', '1001', 'many'])('refuses the load with a value of %s, and the next load works', async (value) => {
    const server = await startServer({ module: false });
    expect(await server.send('SET', 'native', 'value')).toBe('+OK\r\n');
    const load = ['MODULE', 'LOADEX', HOST_FILE, 'CONFIG', 'wasm.visitors', value, 'ARGS', settings];
    expect(await server.send(...load)).toMatch(/^-ERR Error loading the extension/);
    expect(await server.send('GET', 'native')).toBe(bulk('value'));
    expect(await server.send('MODULE', 'LOAD', HOST_FILE, settings)).toBe('+OK\r\n');
    expect(await server.send('VISIT.LIMIT')).toBe(':10\r\n');
  });

  test('outlives a load that failed after it was registered', async () => {
    const server = await startServer({ module: false });
    expect(await server.send('MODULE', 'LOAD', HOST_FILE, settings, '/nonexistent/module.wasm')).toMatch(/^-ERR/);
    expect(await server.send('CONFIG', 'GET', 'wasm.visitors')).toBe('*0\r\n');
    expect(await server.send('MODULE', 'LOADEX', HOST_FILE, 'CONFIG', 'wasm.visitors', '7', 'ARGS', settings)).toBe('+OK\r\n');
    expect(await server.send('VISIT.LIMIT')).toBe(':7\r\n');
  });

  test('is refused when two modules declare it, and in onLoad()', async () => {
    const server = await startServer({ module: false });
    const twin = await fixture('settings-twin');
    expect(await server.send('MODULE', 'LOAD', HOST_FILE, settings, twin)).toMatch(/^-ERR/);
    await expect.poll(() => server.log).toContain(`cannot load ${twin}: `);
    expect(await server.send('MODULE', 'LOAD', HOST_FILE, settings)).toBe('+OK\r\n');
    expect(await server.send('VISIT.LIMIT')).toBe(':10\r\n');
  });
});

describe('WASM.MODULES', () => {
  const files = [HASHMAP_FILE, SESSION_FILE];
  const server = useServer({ link: 'auto' });
  const sha256 = (file: string) => createHash('sha256').update(readFileSync(file)).digest('hex');

  test('lists the modules with path, hash, version, exports and imports', async () => {
    const reply = await server.send('WASM.MODULES');
    expect(reply.startsWith('*2\r\n*20\r\n$4\r\nname\r\n$7\r\nhashmap\r\n')).toBe(true);
    for (const file of files) {
      const name = path.basename(file, '.wasm');
      expect(reply).toContain(
        ['name', name, 'path', file, 'sha256', sha256(file)].map(bulk).join('') + `${bulk('version')}:1\r\n${bulk('exports')}*`,
      );
    }
    for (const name of ['get', 'set', 'del', 'exists', 'onLoad', 'create', 'add_data']) expect(reply).toContain(bulk(name));
    for (const name of ['get', 'set', 'del']) expect(reply).toContain(bulk(`CUSTOM.${name}: direct, linked to hashmap`));
    expect(reply).toContain(bulk('env.memory: host'));
    const { version } = JSON.parse(readFileSync(path.join(ROOT, 'package.json'), 'utf8')) as { version: string };
    const state = new RegExp(`\\$5\r\nstate\r\n\\$7\r\nserving\r\n\\$5\r\nsince\r\n:\\d{13}\r\n\\$7\r\nreloads\r\n:0\r\n`);
    expect(reply).toMatch(state);
    expect(reply).toContain(bulk('release') + bulk(version));
  });

  test('answers maps in RESP3, and equals the imports and exports of the files', async () => {
    const raw = await server.connect(3);
    const reply = await raw.send('WASM.MODULES');
    expect(reply.startsWith('*2\r\n%10\r\n')).toBe(true);
    const client = await server.client(3);
    try {
      const modules = (await client.sendCommand(['WASM.MODULES'])) as unknown as Record<string, string[]>[];
      for (const [index, file] of files.entries()) {
        const module = new WebAssembly.Module(readFileSync(file));
        const functions = WebAssembly.Module.exports(module).filter(({ kind }) => kind === 'function');
        expect([...modules[index]!.exports!].sort()).toEqual(functions.map(({ name }) => name).sort());
        const imports = WebAssembly.Module.imports(module).map(({ module: namespace, name }) => `${namespace}.${name}`);
        expect(modules[index]!.imports!.map((line) => line.split(':')[0]).sort()).toEqual(imports.sort());
      }
    } finally {
      client.destroy();
    }
  });

  test('takes no argument', async () => {
    expect(await server.send('WASM.MODULES', 'surplus')).toBe("-ERR wrong number of arguments for 'wasm.modules' command\r\n");
  });
});
