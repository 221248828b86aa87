/** WASM.LOAD: a file of wasm.dir is served from now on; who may have that, and which files may be. */
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { hostile, registering } from '../support/attacks.ts';
import { dumpShop, fillShop, Folder, idle, KEEPS, NOT_KNOWN, OK, shopWith, startLive, versioned } from '../support/live.ts';
import { bulk } from '../support/raw.ts';
import { follow } from '../support/replication.ts';
import { HASHMAP_FILE, HOST_FILE, startServer, useServer, type TestServer } from '../support/server.ts';

const one = await shopWith();
const two = await shopWith(versioned('two'));
const plain = await idle('idle');
/** Registers a command of another module. */
const taken = await hostile(
  `${registering([{ name: 'custom.get', flags: 'readonly', arity: 1, handler: '$get' }])} (func $get (param i32 i32))
   (func (export "onLoad") (result i32) (call $register)) ${KEEPS}`,
  'taken',
);
const module = [HOST_FILE, HASHMAP_FILE];

const modulesOf = async (server: TestServer) => await server.send('WASM.MODULES');
/** A folder out of any `wasm.dir`, removed when the test is over. */
function elsewhere(): string {
  const folder = mkdtempSync(path.join(tmpdir(), 'wasm-other-'));
  onTestFinished(() => {
    rmSync(folder, { recursive: true, force: true });
  });
  return folder;
}

test('a file that comes while the server serves is served, and again at the next start', async () => {
  const { server, folder } = await startLive();
  expect(await server.send('SHOP.GET', 'key')).toMatch(NOT_KNOWN);
  expect(await server.send('WASM.LOAD', 'shop')).toMatch(/^-ERR No such file or directory/);
  folder.put('shop', one);
  expect(await server.send('WASM.LOAD', 'shop')).toBe(OK);
  await expect
    .poll(() => server.log)
    .toMatch(/module shop: loaded by user "default", client \d+ "", from .*shop\.wasm, SHA-256 [0-9a-f]{64}/);
  await fillShop(server);
  const before = await dumpShop(server);
  expect(await server.send('COMMAND', 'INFO', 'SHOP.SET')).toContain('shop.set');
  expect(await server.send('COMMAND', 'GETKEYS', 'SHOP.SET', 'key', 'name', '1')).toBe(`*1\r\n${bulk('key')}`);
  expect(await server.send('SAVE')).toBe(OK);
  await server.restart();
  expect(await dumpShop(server)).toEqual(before);
});

test('within MULTI its commands can be queued by the next transaction', async () => {
  const { server, folder } = await startLive();
  folder.put('shop', one);
  await server.send('MULTI');
  expect(await server.send('WASM.LOAD', 'shop')).toBe('+QUEUED\r\n');
  expect(await server.send('EXEC')).toBe(`*1\r\n${OK}`);
  expect(await server.send('SHOP.VERSION')).toBe(bulk('one'));
});

describe('who may', () => {
  test('nobody, without wasm.allow-load', async () => {
    const folder = Folder.ofTest();
    folder.put('shop', one);
    const server = await startServer({ module, arguments: ['--wasm.dir', folder.path] });
    for (const command of ['LOAD', 'RELOAD', 'UNLOAD'])
      expect(await server.send(`WASM.${command}`, 'shop')).toBe(
        `-ERR WASM.${command} needs wasm.allow-load yes in the server's configuration, from its start on\r\n`,
      );
    expect(await server.send('SHOP.VERSION')).toBe(bulk('one'));
    expect(await server.send('CONFIG', 'SET', 'wasm.allow-load', 'yes')).toMatch(/^-ERR .*immutable/);
    expect(await server.send('CONFIG', 'SET', 'wasm.dir', folder.path)).toMatch(/^-ERR .*immutable/);
  });

  test('only users who may run MODULE LOAD too', async () => {
    const { server, folder } = await startLive();
    folder.put('shop', one);
    const rules: [user: string, rules: string[], may: boolean][] = [
      ['safe', ['+@all', '-@dangerous'], false],
      ['load-only', ['+wasm.load', '+wasm.reload', '+wasm.unload'], false],
      ['no-module', ['+@all', '-module'], false],
      ['no-module-load', ['+@all', '-module|load'], false],
      ['both', ['+wasm.load', '+wasm.reload', '+wasm.unload', '+module|load'], true],
      ['all', ['+@all'], true],
    ];
    for (const [user, words, may] of rules) {
      expect(await server.send('ACL', 'SETUSER', user, 'on', 'nopass', '~*', '&*', ...words)).toBe(OK);
      const client = await server.connect();
      expect(await client.send('AUTH', user, 'any')).toBe(OK);
      for (const command of ['LOAD', 'RELOAD', 'UNLOAD']) {
        const reply = await client.send(`WASM.${command}`, 'shop');
        if (may) expect(reply, `${user} ${command}`).toBe(OK);
        else expect(reply, `${user} ${command}`).toMatch(/^-NOPERM /);
      }
      expect(await server.send('SHOP.VERSION')).toMatch(NOT_KNOWN);
    }
  });

  test('one without a wasm.dir hears that there is none', async () => {
    const server = await startServer({ module, arguments: ['--wasm.allow-load', 'yes'] });
    expect(await server.send('WASM.LOAD', 'shop')).toBe('-ERR there is no wasm.dir to load it from\r\n');
  });
});

describe('names that are none', () => {
  const server = useServer({ module, arguments: ['--wasm.allow-load', 'yes', '--wasm.dir', path.dirname(one)] });

  test.each(['..', '.', '', '/', '../shop', 'a/b', '.served/shop', '\0', 'shop\0', 'shop.wasm', ' ', 'é', '\xff', '*', 'a\r\nb'])(
    '%j',
    async (name) => {
      for (const command of ['LOAD', 'RELOAD', 'UNLOAD'])
        expect(await server.send(`WASM.${command}`, name)).toBe("-ERR a module's file name may hold letters, digits and - alone\r\n");
      expect(await server.send('WASM.UNLOAD', name, 'DROP')).toMatch(/^-ERR a module's file name/);
    },
  );

  test('too long, of the host, or with capitals', async () => {
    const before = await modulesOf(server);
    for (const name of ['x'.repeat(300), 'x'.repeat(100_000), 'wasm', 'SHOP', 'hashmap'])
      expect(await server.send('WASM.LOAD', name), name.slice(0, 20)).toMatch(/^-ERR [^\r\n]{1,200}\r\n$/);
    expect(await modulesOf(server)).toBe(before);
  });
});

describe('files that are not loaded', () => {
  test('a link out of the folder, one that goes round, a pipe and a folder', async () => {
    const { server, folder } = await startLive();
    const outside = elsewhere();
    copyFileSync(plain, path.join(outside, 'idle.wasm'));
    symlinkSync(path.join(outside, 'idle.wasm'), folder.file('idle'));
    symlinkSync(outside, path.join(folder.path, '..data'));
    symlinkSync('..data/idle.wasm', folder.file('two'));
    symlinkSync('round.wasm', folder.file('round'));
    symlinkSync('/dev/zero', folder.file('zero'));
    execFileSync('mkfifo', [folder.file('pipe')]);
    mkdirSync(folder.file('folder'));
    const before = await modulesOf(server);
    for (const [name, reason] of [
      ['idle', /^-ERR it is a link to .*\/idle\.wasm, out of wasm\.dir\r\n/],
      ['two', /^-ERR it is a link to .*\/idle\.wasm, out of wasm\.dir\r\n/],
      ['round', /^-ERR Too many levels of symbolic links/],
      ['zero', /^-ERR it is a link to \/dev\/zero, out of wasm\.dir\r\n/],
      ['pipe', /^-ERR it is no regular file\r\n/],
      ['folder', /^-ERR it is no regular file\r\n/],
    ] as const)
      expect(await server.send('WASM.LOAD', name), name).toMatch(reason);
    expect(await modulesOf(server)).toBe(before);
    // None of them keeps the server from starting.
    await server.restart();
    expect(await server.send('PING')).toBe('+PONG\r\n');
  });

  test('one of a command that another module, or the server, has; and nothing is left of it', async () => {
    const { server, folder } = await startLive({ shop: one });
    // The same commands under another name.
    const text = readFileSync(one, 'latin1').replace('name: shop', 'name: shot');
    writeFileSync(folder.file('shot'), Buffer.from(text, 'latin1'));
    const before = await modulesOf(server);
    for (let count = 0; count < 3; count++)
      expect(await server.send('WASM.LOAD', 'shot')).toMatch(/^-ERR it registers SHOP\.\w+, as shop does\r\n/);
    expect(await modulesOf(server)).toBe(before);
    expect(await server.info('wasm')).not.toHaveProperty('wasm_shot_state');
    expect(await server.send('SHOP.VERSION')).toBe(bulk('one'));
  });

  test('however many of them there are, the next one is loaded', async () => {
    const { server, folder } = await startLive();
    for (let count = 0; count < 70; count++) {
      folder.put(`taken${count}`, taken);
      expect(await server.send('WASM.LOAD', `taken${count}`)).toBe('-ERR it registers CUSTOM.GET, as hashmap does\r\n');
    }
    folder.put('shop', one);
    expect(await server.send('WASM.LOAD', 'shop')).toBe(OK);
    expect(await server.send('WASM.MODULES')).not.toContain('taken');
  });
});

test('a link within the folder is followed, as mounts of Kubernetes are, and changes as a whole', async () => {
  const folder = Folder.ofTest();
  for (const [name, file] of [
    ['first', one],
    ['second', two],
  ] as const) {
    mkdirSync(path.join(folder.path, name));
    copyFileSync(file, path.join(folder.path, name, 'shop.wasm'));
  }
  symlinkSync('first', path.join(folder.path, '..data'));
  symlinkSync('..data/shop.wasm', folder.file('shop'));
  const server = await startServer({ module, arguments: folder.arguments });
  await fillShop(server);
  const before = await dumpShop(server);
  expect(await server.send('SHOP.VERSION')).toBe(bulk('one'));
  symlinkSync('second', path.join(folder.path, '..new'));
  renameSync(path.join(folder.path, '..new'), path.join(folder.path, '..data'));
  expect(await server.send('WASM.RELOAD', 'shop')).toBe(OK);
  expect(await server.send('SHOP.VERSION')).toBe(bulk('two'));
  expect(await server.send('WASM.UNLOAD', 'shop')).toBe(OK);
  expect(await server.send('WASM.LOAD', 'shop')).toBe(OK);
  expect(await server.send('SHOP.VERSION')).toBe(bulk('two'));
  expect(await dumpShop(server)).toEqual(before);
});

describe('a file that was given as an argument', () => {
  test('wins over one of its name in the folder, with a warning', async () => {
    const { server } = await startLive({ shop: two }, { module: [HOST_FILE, one] });
    expect(await server.send('SHOP.VERSION')).toBe(bulk('one'));
    expect(server.log).toContain('shop.wasm of wasm.dir is left out: a file of this name was given as an argument');
    // What it came from is what it is replaced by.
    expect(await server.send('WASM.RELOAD', 'shop')).toBe(OK);
    expect(await server.send('SHOP.VERSION')).toBe(bulk('one'));
  });

  test('is replaced by that file, wherever the server has gone', async () => {
    const server = await startServer({ module: false });
    copyFileSync(one, path.join(server.folder, 'shop.wasm'));
    await server.end();
    server.change({ module: [HOST_FILE, 'shop.wasm'], arguments: ['--wasm.allow-load', 'yes', '--enable-protected-configs', 'yes'] });
    await server.start();
    const other = elsewhere();
    copyFileSync(two, path.join(other, 'shop.wasm'));
    expect(await server.send('CONFIG', 'SET', 'dir', other)).toBe(OK);
    expect(await server.send('WASM.RELOAD', 'shop')).toBe(OK);
    expect(await server.send('SHOP.VERSION')).toBe(bulk('one'));
  });
});

test('a module that was given, and was loaded from wasm.dir since, is one of that folder', async () => {
  const given = path.join(elsewhere(), 'shop.wasm');
  copyFileSync(one, given);
  const folder = Folder.ofTest();
  folder.put('shop', two);
  const server = await startServer({ module: [HOST_FILE, given], arguments: folder.arguments });
  expect(await server.send('SHOP.VERSION')).toBe(bulk('one'));
  expect(await server.send('WASM.UNLOAD', 'shop')).toBe(OK);
  expect(await server.send('WASM.LOAD', 'shop')).toBe(OK);
  expect(await server.send('SHOP.VERSION')).toBe(bulk('two'));
  folder.remove('shop');
  symlinkSync(given, folder.file('shop'));
  expect(await server.send('WASM.RELOAD', 'shop')).toMatch(/^-ERR it is a link to .*, out of wasm\.dir\r\n/);
  expect(await server.send('SHOP.VERSION')).toBe(bulk('two'));
});

test('commands that were refused leave room for others', async () => {
  const many = (from: number, count: number) =>
    hostile(
      `${registering(Array.from({ length: count }, (_, index) => ({ name: `many.x${from + index}`, flags: 'readonly', arity: 1, handler: '$get' })))}
       (func $get (param i32 i32)) (func (export "onLoad") (result i32) (call $register)) ${KEEPS}`,
      'many',
      2,
    );
  const { server, folder } = await startLive();
  for (let count = 0; count < 2; count++) {
    folder.put('many', await many(0, 250));
    expect(await server.send('WASM.LOAD', 'many')).toMatch(
      /^-ERR the server refused the command \S+: all modules have 256 commands already/,
    );
  }
  expect(await modulesOf(server)).not.toContain('many');
  expect(await server.send('MANY.X0')).toMatch(NOT_KNOWN);
  folder.put('many', await many(0, 100));
  expect(await server.send('WASM.LOAD', 'many')).toBe(OK);
  for (const name of ['MANY.X0', 'MANY.X99']) expect(await server.send(name)).toBe('-ERR the module sent no reply\r\n');
  folder.put('many', await many(50, 100));
  expect(await server.send('WASM.RELOAD', 'many')).toBe(OK);
  expect(await server.send('MANY.X0')).toMatch(NOT_KNOWN);
  for (const name of ['MANY.X50', 'MANY.X149']) expect(await server.send(name)).toBe('-ERR the module sent no reply\r\n');
});

describe('a wasm.dir', () => {
  test.each([
    ['that is not there', (folder: string) => path.join(folder, 'none')],
    ['that is a file', () => one],
  ])('%s is refused, naming the setting', async (_, named) => {
    const start = startServer({ module, arguments: ['--wasm.dir', named(elsewhere())] });
    await expect(start).rejects.toThrow(/wasm\.dir .*: (?:No such file|it is no folder)/);
  });

  test('with files of odd names, and more of them than there can be modules, lets the server start', async () => {
    const folder = Folder.ofTest();
    for (const name of ['a b', 'a\nb:c', 'é', '-', 'x'.repeat(200), 'UP', 'wasm']) copyFileSync(plain, folder.file(name));
    for (let count = 0; count < 70; count++) copyFileSync(plain, folder.file(`other${count}`));
    folder.put('shop', one);
    const server = await startServer({ module, arguments: folder.arguments });
    expect(await server.send('PING')).toBe('+PONG\r\n');
    for (const line of (await server.send('INFO', 'wasm')).split('\r\n').slice(1)) expect(line).toMatch(/^(?:#.*|[\w.-]+:.*|)$/);
  });
});

test('what is loaded later leaves a server able to load beside its data', async () => {
  const primary = await startServer({ module: [HOST_FILE, HASHMAP_FILE], tcp: true });
  const { server, folder } = await startLive();
  folder.put('shop', await shopWith());
  expect(await server.send('WASM.LOAD', 'shop')).toBe(OK);
  expect(await server.send('CONFIG', 'SET', 'repl-diskless-load', 'swapdb')).toBe(OK);
  await primary.send('CUSTOM.SET', 'key', 'value');
  await follow(server, primary);
  expect(await server.send('CUSTOM.GET', 'key')).toBe(bulk('value'));
  // Source: useDisklessLoad in the server.
  expect(server.log).not.toContain('not aware of async replication');
});
