/**
 * A load that fails where the server has its part in it: one line of the log names the file and the reason. A
 * server that starts ends; one that runs lives on with its data, and its next load works.
 */
import { chmodSync, copyFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { assemble } from '../support/modules.ts';
import { bulk } from '../support/raw.ts';
import { eventually, HASHMAP_FILE, HOST_FILE, NATIVE_FILE, SESSION_FILE, startServer, tested, type TestServer } from '../support/server.ts';
import { testRefusal, warnings, type Unfit } from '../support/unfit.ts';

/** What a module registers as commands. */
interface Commands {
  name?: string;
  flags?: string;
  /** Index of the handler in the table: 0 has the right type, 1 another, the rest are empty. */
  handler?: number;
  /** How many; the last two letters of the name count, unless it is the `same` each time. */
  count?: number;
  same?: boolean;
}

/** A module that calls CreateCommand in onLoad(). */
function commands(
  file: string,
  { name = 'probe.aa', flags = 'readonly', handler = 0, count = 1, same = false }: Commands,
): Promise<string> {
  const letter = (rest: string) => `(i32.add (i32.const 97) (${rest} (local.get $i) (i32.const 26)))`;
  const naming =
    same || count === 1
      ? ''
      : `(i32.store8 (i32.const ${14 + name.length}) ${letter('i32.div_u')}) (i32.store8 (i32.const ${15 + name.length}) ${letter('i32.rem_u')})`;
  return assemble(
    file,
    `(import "redis" "CreateCommand" (func $create (param i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
     (memory (export "memory") 1) (data (i32.const 16) "${name}") (data (i32.const 64) "${flags}")
     (table (export "table") 4 funcref) (elem (i32.const 0) $handler $other)
     (func $handler (param i32 i32)) (func $other)
     (func (export "onLoad") (result i32) (local $i i32) (local $refused i32)
       (loop $next
         ${naming}
         (local.set $refused (i32.add (local.get $refused) (call $create
           (i32.const 16) (i32.const ${name.length}) (i32.const ${handler}) (i32.const 64) (i32.const ${flags.length})
           (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 1))))
         (br_if $next (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const ${count}))))
       (local.get $refused))`,
    { plain: true },
  );
}

/** A module that declares a data type of this name. */
const dataType = (file: string, name: string) =>
  assemble(
    file,
    `(import "redis" "CreateDataType" (func $create (param i32 i32 i32) (result i32)))
     (memory (export "memory") 1) (data (i32.const 16) "${name}")
     (func (export "auxSave")) (func (export "auxLoad") (param i32) (result i32) (i32.const 0))
     (func (export "onLoad") (result i32) (call $create (i32.const 16) (i32.const ${name.length}) (i32.const 1)))`,
  );

const REGISTERED: Unfit[] = [
  {
    title: "a command's name that the server has taken",
    modules: [HASHMAP_FILE, await commands('probe', { name: 'get' })],
    reason: /the server refused what its onLoad\(\) registers: the command get: another module, or the server, has one of this name$/,
  },
  {
    title: 'a flag that no module may have',
    modules: [HASHMAP_FILE, await commands('probe', { flags: 'readonly nonsense' })],
    reason: /a command of a module cannot have the flag nonsense/,
  },
  {
    title: 'a handler that is not there',
    modules: [HASHMAP_FILE, await commands('probe', { handler: 3 })],
    reason: /its table has no function 3/,
  },
  {
    title: 'a handler outside of the table',
    modules: [HASHMAP_FILE, await commands('probe', { handler: -1 })],
    reason: /its table has no function -1/,
  },
  {
    title: 'a handler of another type',
    modules: [HASHMAP_FILE, await commands('probe', { handler: 1 })],
    reason: /function 1 of its table has another type than is called/,
  },
  {
    title: 'the same command in two modules',
    modules: [HASHMAP_FILE, await commands('twin', {}), await commands('probe', {})],
    reason: /it registers probe\.aa, as twin does/,
  },
  {
    title: 'the same command twice',
    modules: [HASHMAP_FILE, await commands('probe', { count: 2, same: true })],
    reason: /its declarations failed: the command probe\.aa twice/,
  },
  {
    title: 'more commands than one module may have',
    modules: [HASHMAP_FILE, await commands('probe', { count: 257 })],
    reason: /more than 256 commands/,
  },
  {
    title: 'a data type whose name the server refuses',
    modules: [HASHMAP_FILE, await dataType('probe', 'short')],
    reason: /onLoad\(\) registers: the data type short, encoding 1: a name has 9 letters, digits, - and _, an encoding is 0 to 1023$/,
  },
  {
    title: 'a data type that another module has',
    modules: [HASHMAP_FILE, await dataType('probe', 'wasm-hmap')],
    reason: /onLoad\(\) registers: the data type wasm-hmap: another module has one of this name$/,
  },
];

/** A server that has both shipped modules works. */
async function expectServing(server: TestServer): Promise<void> {
  const reply = await server.send('SESSION.CREATE', 'user');
  expect(reply).toMatch(/^\+Session created: /);
  expect(await server.send('CUSTOM.GET', 'user')).toBe(bulk(reply.slice('+Session created: '.length, -2)));
}

describe.each(REGISTERED)('$title is refused', testRefusal);

test('commands that another Redis module serves already refuse the load, and that module serves on', async () => {
  const server = await startServer({ module: [NATIVE_FILE] });
  await server.send('CUSTOM.SET', 'key', 'value');
  expect(await server.send('MODULE', 'LOAD', HOST_FILE)).toMatch(/^-ERR Error loading the extension/);
  expect(await warnings(server)).toEqual([
    expect.stringContaining(`cannot load ${HASHMAP_FILE}: the server refused what its onLoad() registers: the command custom.set: another`),
  ]);
  expect(await server.send('CUSTOM.GET', 'key')).toBe(bulk('value'));
  expect(await server.send('MODULE', 'LOAD', HOST_FILE, SESSION_FILE)).toBe('+OK\r\n');
  await expectServing(server);
});

test('a second load of the library is refused, and the first one keeps its data and serves on', async () => {
  const server = await startServer();
  const created = await server.send('SESSION.CREATE', 'user');
  for (const paths of [[], [HASHMAP_FILE, SESSION_FILE], ['/nonexistent/probe.wasm']]) {
    expect(await server.send('MODULE', 'LOAD', HOST_FILE, ...paths)).toMatch(/^-ERR Error loading the extension/);
    expect(await server.send('SESSION.CREATE', 'user')).toBe(created.replace('created', 'exists'));
    expect(await server.send('CONFIG', 'GET', 'wasm.time-limit')).toBe(`*2\r\n${bulk('wasm.time-limit')}${bulk('5000')}`);
    expect((await server.info('wasm')).wasm_sessions).toBe('1');
    await expect.poll(() => server.log).toContain('a module named wasm is loaded already');
  }
  const copy = path.join(server.folder, 'copy.so');
  copyFileSync(HOST_FILE, copy);
  chmodSync(copy, 0o755);
  expect(await server.send('MODULE', 'LOAD', copy, HASHMAP_FILE, SESSION_FILE)).toMatch(/^-ERR Error loading the extension/);
  expect(await server.send('SESSION.CREATE', 'user')).toBe(created.replace('created', 'exists'));
});

test('a library that is not executable is refused by the server itself', async () => {
  const server = await startServer({ module: false });
  const copy = path.join(server.folder, 'host.so');
  copyFileSync(HOST_FILE, copy);
  chmodSync(copy, 0o644);
  expect(await server.send('MODULE', 'LOAD', copy, HASHMAP_FILE, SESSION_FILE)).toMatch(/^-ERR Error loading the extension/);
  const log = await eventually(
    () => server.log,
    (text) => text.includes('permissions'),
  );
  expect(log).toMatch(/does not have execute permissions/);
  chmodSync(copy, 0o755);
  expect(await server.send('MODULE', 'LOAD', copy, HASHMAP_FILE, SESSION_FILE)).toBe('+OK\r\n');
  await expectServing(server);
});

test("relative paths start at the server's setting dir, not where it was started", async () => {
  const files = await startServer({ module: false });
  for (const source of [HASHMAP_FILE, SESSION_FILE]) copyFileSync(source, path.join(files.folder, path.basename(source)));
  // The guard starts each server in its own folder; this one's dir is the other's.
  const server = await startServer({
    module: [HOST_FILE, 'hashmap.wasm', './session.wasm'],
    arguments: ['--dir', files.folder],
  });
  await expectServing(server);
});

describe('MODULE LOADEX', () => {
  test.each([
    ['wasm.link', 'nonsense'],
    ['wasm.max-memory', '0'],
    ['wasm.max-memory', '5gb'],
    ['wasm.max-memory', 'much'],
    ['wasm.time-limit', '-1'],
    ['wasm.max-value-size', '0'],
  ])('with %s %s is refused, and the next load works', async (name, value) => {
    const server = await startServer({ module: false });
    await server.send('SET', 'native', 'value');
    expect(await server.send('MODULE', 'LOADEX', HOST_FILE, 'CONFIG', name, value)).toMatch(/^-ERR Error loading the extension/);
    expect(await warnings(server)).toHaveLength(1);
    expect(await server.send('GET', 'native')).toBe(bulk('value'));
    expect(await server.send('CONFIG', 'GET', 'wasm.*')).toBe('*0\r\n');
    expect(await server.send('MODULE', 'LOAD', HOST_FILE)).toBe('+OK\r\n');
    expect(await server.send('CONFIG', 'GET', 'wasm.time-limit')).toBe(`*2\r\n${bulk('wasm.time-limit')}${bulk('5000')}`);
    await expectServing(server);
  });

  test('with a memory that is too small for a module is refused, and the next load works', async () => {
    const server = await startServer({ module: false });
    const large = await assemble('large', '(memory (export "memory") 100)');
    const load = ['MODULE', 'LOADEX', HOST_FILE, 'CONFIG', 'wasm.max-memory', '1mb', 'ARGS', large];
    expect(await server.send(...load)).toMatch(/^-ERR Error loading the extension/);
    expect(await warnings(server)).toEqual([expect.stringContaining(`cannot load ${large}: `)]);
    expect(await server.send('MODULE', 'LOAD', HOST_FILE, large)).toBe('+OK\r\n');
  });

  // The server looks for settings that nothing took after OnLoad has returned; no module can see their names.
  describe('with an unknown setting answers an error, after the module was loaded', () => {
    const load = ['MODULE', 'LOADEX', HOST_FILE, 'CONFIG', 'wasm.unknown', '1'];

    if (tested.name === 'Redis') {
      test('and the server lives on: 7.0 keeps the module, later ones unload it and load it again', async () => {
        const server = await startServer({ module: false });
        await server.send('SET', 'native', 'value');
        expect(await server.send(...load)).toMatch(/^-ERR Error loading the extension/);
        expect(await server.send('GET', 'native')).toBe(bulk('value'));
        const isKept = tested.version.startsWith('7.0.');
        expect((await server.send('MODULE', 'LIST')).includes(bulk('wasm'))).toBe(isKept);
        expect(await server.send('MODULE', 'LOAD', HOST_FILE)).toMatch(isKept ? /^-ERR Error loading the extension/ : /^\+OK/);
        await expectServing(server);
        expect(await server.send('SAVE')).toBe('+OK\r\n');
      });
    } else {
      // Valkey 9.1 then unloads the module and follows a null pointer of its own: the server may end here, in
      // code that is not ours.
      test('and Valkey 9.1 crashes by itself, with any module that registers a data type', async () => {
        const server = await startServer({ module: false });
        const reply = await server.send(...load).catch(() => 'ended');
        expect(reply).toMatch(/^(ended|-ERR Error loading the extension.*\r\n)$/);
        const log = await eventually(
          () => server.log,
          (text) => text.includes('Loadex configurations were not applied'),
        );
        expect(log).toMatch(/Module 'wasm' loaded from .*\n.*Loadex configurations were not applied/);
      });
    }
  });
});
