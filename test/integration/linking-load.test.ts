/**
 * A load that fails, at each of its steps: one line of the log names the file and the reason. A server that starts ends; one that runs
 * lives on with its data, and its next load works.
 */
import { chmodSync, copyFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { assemble, file, fixture } from '../support/modules.ts';
import { bulk } from '../support/raw.ts';
import { eventually, HASHMAP_FILE, HOST_FILE, NATIVE_FILE, SESSION_FILE, startServer, tested, TestServer } from '../support/server.ts';

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

const onLoad = (body: string) => `(func (export "onLoad") (result i32) ${body})`;

/** The smallest module that serves a command. */
const small = await fixture('settings');

interface Unfit {
  title: string;
  /** The last one is at fault. */
  modules: string[];
  reason: RegExp;
}

const FILES: Unfit[] = [
  { title: 'a missing file', modules: ['/nonexistent/probe.wasm'], reason: /No such file/ },
  { title: 'a folder', modules: [path.dirname(HOST_FILE)], reason: /it is no regular file/ },
  { title: 'an empty file', modules: [await file('probe', new Uint8Array())], reason: /./ },
  {
    title: 'random bytes',
    modules: [
      await file(
        'probe',
        Uint8Array.from({ length: 5000 }, (_, index) => (index * index * 31 + index) >> 3),
      ),
    ],
    reason: /magic/,
  },
  { title: 'a module of 9 MiB', modules: [await file('probe', new Uint8Array(9 << 20))], reason: /9437184 bytes, more than 8388608/ },
  { title: 'a name that INFO cannot show', modules: [await file('pro be', new Uint8Array())], reason: /letters, digits/ },
  { title: 'the same name twice', modules: [HASHMAP_FILE, HASHMAP_FILE], reason: /another module of this name/ },
];

const SHAPES: Unfit[] = [
  {
    title: 'a function that the host does not have',
    modules: [await assemble('probe', '(import "redis" "Nonsense" (func))')],
    reason: /redis::Nonsense/,
  },
  {
    title: "a host's function by another type",
    modules: [await assemble('probe', '(import "redis" "ReplyWithNull" (func (param i64)))')],
    reason: /redis::ReplyWithNull/,
  },
  {
    title: 'an import out of env that is no memory',
    modules: [await assemble('probe', '(import "env" "foo" (func))')],
    reason: /it imports env\.foo: env holds the memory alone/,
  },
  {
    title: 'an import that is no function',
    modules: [await assemble('probe', '(import "CUSTOM" "get" (global i32))')],
    reason: /it imports CUSTOM\.get, which is no function/,
  },
  {
    title: 'an import of a type that no command has, where nothing serves it',
    modules: [await assemble('probe', '(import "CUSTOM" "get" (func (param i32) (result i32)))')],
    reason: /it imports CUSTOM\.get with a type that no command has \(no module loaded here registers CUSTOM commands\)/,
  },
  {
    title: 'an import of a type that no command has, beside a provider',
    modules: [HASHMAP_FILE, await assemble('probe', '(import "CUSTOM" "get" (func (param f64) (result i64)))')],
    reason: /it imports CUSTOM\.get with a type that no command has \(hashmap has ABI version 1, this module none\)/,
  },
  {
    title: 'no onLoad',
    modules: [await assemble('probe', '(memory (export "memory") 1) (table (export "table") 1 funcref)', { plain: true })],
    reason: /it does not export onLoad\(\): i32/,
  },
  {
    title: 'an onLoad of another type',
    modules: [await assemble('probe', '(func (export "onLoad") (result i64) (i64.const 0))')],
    reason: /it does not export onLoad\(\): i32/,
  },
  {
    title: 'no table',
    modules: [await assemble('probe', `(memory (export "memory") 1) ${onLoad('(i32.const 0)')}`, { plain: true })],
    reason: /it does not export table/,
  },
  {
    title: 'no memory',
    modules: [await assemble('probe', `(table (export "table") 1 funcref) ${onLoad('(i32.const 0)')}`, { plain: true })],
    reason: /it neither imports env\.memory nor exports memory/,
  },
  {
    title: 'an export that the host calls by another type',
    modules: [await assemble('probe', '(func (export "flush") (param i32))')],
    reason: /its export flush has another type/,
  },
  {
    title: 'a committing that is no mutable number',
    modules: [await assemble('probe', '(global (export "committing") i32 (i32.const 0))')],
    reason: /its export committing is no mutable i32/,
  },
];

const LIFE: Unfit[] = [
  {
    title: 'a start function that never ends',
    modules: [await assemble('probe', '(func $forever (loop $l (br $l))) (start $forever)')],
    reason: /its declarations failed: .*interrupt/,
  },
  {
    title: 'a start function that traps',
    modules: [await assemble('probe', '(func $trap unreachable) (start $trap)')],
    reason: /its declarations failed: .*unreachable/,
  },
  {
    title: 'an onLoad that never ends',
    modules: [await assemble('probe', onLoad('(loop $l (br $l)) (i32.const 0)'))],
    reason: /its declarations failed: .*interrupt/,
  },
  {
    title: 'an onLoad that traps',
    modules: [await assemble('probe', onLoad('unreachable'))],
    reason: /its declarations failed: .*unreachable/,
  },
  {
    title: 'an onLoad that does more than declare',
    modules: [
      await assemble('probe', `(import "redis" "Milliseconds" (func $now (result i64))) ${onLoad('(drop (call $now)) (i32.const 0)')}`),
    ],
    reason: /its declarations failed: .*redis::Milliseconds/,
  },
  { title: 'an onLoad that answers 1', modules: [await assemble('probe', onLoad('(i32.const 1)'))], reason: /its onLoad\(\) answered 1/ },
  {
    title: 'settings() that trap',
    modules: [await assemble('probe', '(func (export "settings") unreachable)')],
    reason: /its declarations failed: .*unreachable/,
  },
  {
    title: 'a setting outside settings()',
    modules: [
      await assemble(
        'probe',
        `(import "redis" "RegisterNumericConfig" (func $register (param i32 i32 i64 i32 i64 i64 i32) (result i32)))
         ${onLoad('(call $register (i32.const 0) (i32.const 0) (i64.const 1) (i32.const 0) (i64.const 0) (i64.const 9) (i32.const 0))')}`,
      ),
    ],
    reason: /its declarations failed: a setting outside settings\(\)/,
  },
];

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

/** The lines of the log that the module wrote as warnings, once there are any: the log comes by another way than replies do. */
function warnings(server: TestServer): Promise<string[]> {
  return eventually(
    () => server.log.split('\n').filter((line) => line.includes(' # <wasm>')),
    (lines) => lines.length > 0,
  );
}

async function expectOneLine(server: TestServer, { modules, reason }: Unfit): Promise<void> {
  const lines = await warnings(server);
  expect(lines).toHaveLength(1);
  expect(lines[0]).toContain(`cannot load ${modules.at(-1)}: `);
  expect(lines[0]).toMatch(reason);
}

/** A server that has both shipped modules works. */
async function expectServing(server: TestServer): Promise<void> {
  const reply = await server.send('SESSION.CREATE', 'user');
  expect(reply).toMatch(/^\+Session created: /);
  expect(await server.send('CUSTOM.GET', 'user')).toBe(bulk(reply.slice('+Session created: '.length, -2)));
}

describe.each([...FILES, ...SHAPES, ...LIFE, ...REGISTERED])('$title is refused', (unfit) => {
  test('at the start of a server, which ends', async () => {
    // One that never ends is ended after seconds on a processor, whatever else the machine does.
    const server = new TestServer({ module: [HOST_FILE, ...unfit.modules], timeout_ms: 100_000 });
    try {
      await expect(server.start()).rejects.toThrow(/ended at its start/);
      await expectOneLine(server, unfit);
    } finally {
      await server.stop();
    }
  });

  test('in a running server, which lives on, and the next load works', async () => {
    const server = await startServer({ module: false });
    await server.send('SET', 'native', 'value');
    expect(await server.send('MODULE', 'LOAD', HOST_FILE, ...unfit.modules)).toMatch(/^-ERR Error loading the extension/);
    await expectOneLine(server, unfit);
    expect(await server.send('CUSTOM.GET', 'key')).toMatch(/^-ERR unknown command/);
    expect(await server.send('VISIT.LIMIT')).toMatch(/^-ERR unknown command/);
    expect(await server.send('MODULE', 'LIST')).not.toContain(bulk('wasm'));
    // Where both were registered for a while, both are to be registered again; elsewhere the smallest module will do.
    const again = unfit.modules.includes(HASHMAP_FILE) ? [HASHMAP_FILE, small] : [small];
    expect(await server.send('MODULE', 'LOAD', HOST_FILE, ...again)).toBe('+OK\r\n');
    expect(await server.send('VISIT.LIMIT')).toBe(':10\r\n');
    expect(await server.send('GET', 'native')).toBe(bulk('value'));
  });
});

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
      // Valkey 9.1 then unloads the module and follows a null pointer of its own: the server may end here, in code that is not ours.
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
