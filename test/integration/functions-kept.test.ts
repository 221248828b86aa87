/**
 * Libraries of functions: what is refused when one is loaded, and what the server keeps of them in files and
 * on replicas.
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { base64, built, bytesOf, calc, calcFile, hasEngines, library } from '../support/functions.ts';
import { withSection } from '../../kit/wasm.ts';
import { kitModule } from '../support/kit.ts';
import { compile, THIRD } from '../support/modules.ts';
import { bulk, parseBulk } from '../support/raw.ts';
import { caughtUp, follow } from '../support/replication.ts';
import { eventually, HASHMAP_FILE, HOST_FILE, startServer, useServer, type TestServer } from '../support/server.ts';

const OK = '+OK\r\n';
const error = (text: string): string => `-ERR ${text}\r\n`;
const NEITHER = 'what follows the first line is neither a WebAssembly file nor base64 of a whole one';
const NO_KIT = 'it is no file that this release of redis-wasm builds: its section redis-wasm tells no name and tables';
const INSTEAD = 'load the file as a module instead';

const kit = (text: string, more = ''): string => `import { query${more} } from "redis-wasm/kit";\n${text}`;
const LINKED = kit('query("LINKED.GET", "key:key", (key: string): string | null => custom.get(key));\n', ', custom');
const SET = kit(
  `const most = setting("most", 1, 0, 9);
query("SET.MOST", "", (): i64 => most.value);
`,
  ', setting',
);
const TIMED = kit(
  `query("TIMED.GET", "", (): i64 => 1);
every(1000, (): void => {});
`,
  ', every',
);
const HEARING = kit(
  `query("HEARING.GET", "", (): i64 => 1);
on("set", "*", (): void => {});
`,
  ', on',
);
const CLASH = kit(`query("CLASH.A-B", "", (): i64 => 1);
query("CLASH.A_B", "", (): i64 => 2);
`);
const CHECKED = kit(`query("CHECKED.CHECK", "", (): string => "mine");
`);

const add = (server: TestServer): Promise<string> => server.send('FCALL', 'calc_add', '0', '2', '40');

describe.runIf(hasEngines)('FUNCTION LOAD refuses', () => {
  const server = useServer();
  const load = (content: string): Promise<string> => server.send('FUNCTION', 'LOAD', library('lib', content));
  beforeEach(() => server.send('FUNCTION', 'FLUSH', 'SYNC'));

  test('what is no file of the kit', async () => {
    const file = await calcFile();
    for (const content of ['', '\n', 'return 1', '\0as', base64(file).slice(0, -1), `${base64(file)}!`, base64('no wasm')])
      expect(await load(content)).toBe(error(NEITHER));
    for (const content of ['\0asm', '\0asm\x01\0\0\0', bytesOf(HASHMAP_FILE)]) expect(await load(content)).toBe(error(NO_KIT));
    // The section stands behind all others: what is cut has lost it.
    for (const length of [100, 10_000, file.length - 1])
      expect(await load(file.slice(0, length))).toMatch(/^-ERR (?:it is no file|.*section)/);
    for (let at = 100; at < file.length - 200; at += Math.floor(file.length / 15)) {
      const broken = file.slice(0, at) + String.fromCharCode(file.charCodeAt(at) ^ 0x55) + file.slice(at + 1);
      expect(await load(broken)).toMatch(/^(?:-ERR |\$3\r\nlib\r\n)/);
      await server.send('FUNCTION', 'FLUSH', 'SYNC');
    }
    expect(await load(file)).toBe(bulk('lib'));
  });

  test('what needs a module', async () => {
    const pace = bytesOf(await kitModule('pace'));
    expect(await load(pace)).toMatch(new RegExp(`^-ERR a function has no data of its own, and pace has tables \\(.+\\): ${INSTEAD}\r\n$`));
    expect(await load(await built('linked', LINKED))).toBe(error(`a function has no links, and linked imports CUSTOM: ${INSTEAD}`));
    expect(await load(await built('set', SET))).toBe(error(`a function has no settings, and set has most: ${INSTEAD}`));
    for (const [name, text] of [
      ['timed', TIMED],
      ['hearing', HEARING],
    ] as const)
      expect(await load(await built(name, text))).toBe(error(`a function runs when it is called, and ${name} has every or on: ${INSTEAD}`));
    expect(await load(await built('clash', CLASH))).toBe(error('CLASH.A-B and CLASH.A_B would both be the function clash_a_b'));
    expect(await load((await built('clash', CLASH)).replace('GetContextFlags', 'GetContextFlagz'))).toMatch(
      /^-ERR (?:it imports redis\.GetContextFlagz, which this version of the host does not have|CLASH)/,
    );
    expect(await server.send('FUNCTION', 'LIST')).toBe('*0\r\n');
  });

  test('names that another library has, and it goes on', async () => {
    expect(await server.send('FUNCTION', 'LOAD', await calc('one'))).toBe(bulk('one'));
    expect(await server.send('FUNCTION', 'LOAD', await calc('two'))).toMatch(/^-ERR Function calc_\w+ already exists\r\n$/);
    expect(await server.send('FUNCTION', 'LOAD', await calc('one'))).toBe(error("Library 'one' already exists"));
    expect(await add(server)).toBe(':42\r\n');
    expect(await server.info('modules')).toMatchObject({ wasm_libraries: '1' });
  });

  test('a file that fails, and what it was to replace goes on', async () => {
    expect(await server.send('FUNCTION', 'LOAD', await calc())).toBe(bulk('calc'));
    expect(await server.send('FUNCTION', 'LOAD', 'REPLACE', library('calc', '\0asm'))).toBe(error(NO_KIT));
    expect(await add(server)).toBe(':42\r\n');
  });

  test('nothing that fails later, and lets it reach nobody', async () => {
    const dirty = readFileSync(await compile('dirty', 'test/fixtures/dirty.as.ts', THIRD));
    expect(await load(withSection(dirty, 'redis-wasm', 'name: dirty\ntables:\n').toString('latin1'))).toBe(bulk('lib'));
    const fcall = (...words: string[]): Promise<string> => server.send('FCALL', ...words);
    expect(await fcall('dirty_count', '0')).toBe(':1\r\n');
    expect(await fcall('dirty_break', '0')).toBe(error('module dirty: wasm trap: wasm `unreachable` instruction executed'));
    // What was in the middle of a commit is not gone on with: it begins anew.
    expect(await fcall('dirty_count', '0')).toBe(':1\r\n');
    expect(await fcall('dirty_count', '0')).toBe(':2\r\n');
    expect(await fcall('dirty_verbatim', '1', 'key')).toBe(error('module dirty: redis.ReplicateVerbatim is not allowed here'));
    expect(await fcall('dirty_replicate', '1', 'CUSTOM.SET')).toBe(
      error('module dirty: it replicates CUSTOM.SET, which is no command that its linked group writes by'),
    );
    expect(await fcall('dirty_tables', '1', 'key')).toBe(error('module dirty: a function has no tables'));
    expect(await server.send('CUSTOM.SET', 'key', 'value')).toBe(OK);
  });

  test('nothing of an author who has a CHECK of his own', async () => {
    expect(await load(await built('checked', CHECKED))).toBe(bulk('lib'));
    expect(await server.send('FCALL', 'checked_check', '0')).toBe(bulk('mine'));
  });

  test('and leaves nothing behind, however often', { timeout: 240_000 }, async () => {
    const [good, bad] = [await calc(), library('calc', await built('clash', CLASH))];
    const resident = (): number => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${server.pid}/status`, 'utf8'))?.[1]);
    const rounds = async (count: number) => {
      for (let round = 0; round < count; round++) {
        expect(await server.send('FUNCTION', 'LOAD', good)).toBe(bulk('calc'));
        expect(await server.send('FUNCTION', 'LOAD', 'REPLACE', bad)).toMatch(/^-ERR CLASH/);
        expect(await server.send('FUNCTION', ...(round % 2 === 0 ? ['DELETE', 'calc'] : ['FLUSH', 'ASYNC']))).toBe(OK);
      }
      await eventually(
        () => server.info('modules'),
        (fields) => fields.wasm_library_memory === '0',
      );
    };
    await rounds(100);
    const before = resident();
    await rounds(Number(process.env.TEST_LIBRARY_LOADS ?? 500));
    expect(await server.info('modules')).toMatchObject({ wasm_libraries: '0', wasm_library_memory: '0' });
    expect(resident() - before).toBeLessThan(8 << 10);
  });
});

describe.runIf(hasEngines)('the server keeps libraries', () => {
  test('in what FUNCTION DUMP gives, and within transactions', async () => {
    const server = await startServer();
    await server.send('FUNCTION', 'LOAD', await calc());
    const dump = parseBulk(await server.send('FUNCTION', 'DUMP'));
    expect(await server.send('FUNCTION', 'DELETE', 'calc')).toBe(OK);
    expect(await add(server)).toBe(error('Function not found'));
    expect(await server.send('FUNCTION', 'RESTORE', dump)).toBe(OK);
    expect(await add(server)).toBe(':42\r\n');
    await server.send('MULTI');
    await server.send('FUNCTION', 'LOAD', 'REPLACE', await calc());
    await server.send('FCALL', 'calc_add', '0', '1', '2');
    await server.send('FUNCTION', 'FLUSH');
    await server.send('FUNCTION', 'RESTORE', dump, 'FLUSH');
    expect(await server.send('EXEC')).toBe(`*4\r\n${bulk('calc')}:3\r\n${OK}${OK}`);
    expect(await add(server)).toBe(':42\r\n');
    expect(await server.send('FUNCTION', 'RESTORE', dump)).toBe(error('Library calc already exists'));
  });

  test.each([
    ['in the RDB file', ['--save', '3600 1']],
    ['in the append-only file', ['--appendonly', 'yes']],
  ])('%s', async (_, settings) => {
    const server = await startServer({ arguments: settings });
    await server.send('FUNCTION', 'LOAD', await calc());
    await server.send('FUNCTION', 'LOAD', library('one', base64(await built('checked', CHECKED))));
    await server.restart();
    expect(await add(server)).toBe(':42\r\n');
    expect(await server.send('FCALL', 'checked_check', '0')).toBe(bulk('mine'));
  });

  test('on replicas, by the file and by the stream', async () => {
    const primary = await startServer({ tcp: true });
    const replica = await startServer({ arguments: ['--repl-diskless-load', 'swapdb'] });
    await primary.send('FUNCTION', 'LOAD', await calc());
    await follow(replica, primary);
    expect(await replica.send('FCALL_RO', 'calc_add', '0', '2', '40')).toBe(':42\r\n');
    expect(await add(replica)).toBe(':42\r\n');
    expect(await replica.send('FCALL', 'calc_tell', '1', 'key', 'text')).toMatch(/^-READONLY/);
    await primary.send('FUNCTION', 'LOAD', library('one', await built('checked', CHECKED)));
    await primary.send('FUNCTION', 'DELETE', 'calc');
    await caughtUp(primary, replica);
    expect(await replica.send('FCALL_RO', 'checked_check', '0')).toBe(bulk('mine'));
    expect(await add(replica)).toBe(error('Function not found'));
  });
});

describe.runIf(hasEngines)('a library that cannot be used', () => {
  const spoil = (file: string) => {
    writeFileSync(file, readFileSync(file, 'latin1').replaceAll('\ntables: ', '\ntabled: '), 'latin1');
  };
  const NAME = /unusable_[0-9a-f]{16}/;

  /** It serves, its library is kept, and can be replaced. */
  async function expectUnusable(server: TestServer): Promise<void> {
    const [name = ''] = NAME.exec(await server.send('FUNCTION', 'LIST')) ?? [];
    expect(name).toMatch(NAME);
    expect(await server.send('FCALL_RO', name, '0')).toBe(error(`this library of functions cannot be used here: ${NO_KIT}`));
    await eventually(
      () => server.log,
      (log) => log.includes(`${name} stands for it`),
    );
    expect(server.log).toContain(`a library of functions cannot be used here, ${name} stands for it: ${NO_KIT}`);
    expect(await server.send('GET', 'key')).toBe(bulk('value'));
    expect(await server.send('FUNCTION', 'LOAD', 'REPLACE', await calc())).toBe(bulk('calc'));
    expect(await add(server)).toBe(':42\r\n');
  }

  test('from an RDB file leaves the server serving, and so does a replica of it', async () => {
    const server = await startServer({ tcp: true, arguments: ['--save', '3600 1', '--rdbchecksum', 'no', '--rdbcompression', 'no'] });
    await server.send('FUNCTION', 'LOAD', await calc());
    await server.send('SET', 'key', 'value');
    await server.end();
    spoil(path.join(server.folder, 'dump.rdb'));
    await server.start();
    const replica = await startServer();
    await follow(replica, server);
    expect(await replica.send('FUNCTION', 'LIST')).toMatch(NAME);
    const dump = parseBulk(await server.send('FUNCTION', 'DUMP'));
    const other = await startServer();
    expect(await other.send('FUNCTION', 'RESTORE', dump)).toBe(error(NO_KIT));
    await expectUnusable(server);
    await caughtUp(server, replica);
    expect(await add(replica)).toBe(':42\r\n');
  });

  test('from an append-only file leaves the server serving', async () => {
    const server = await startServer({ arguments: ['--appendonly', 'yes'] });
    await server.send('FUNCTION', 'LOAD', await calc());
    await server.send('SET', 'key', 'value');
    await server.end();
    const folder = path.join(server.folder, 'appendonlydir');
    const name = readdirSync(folder).find((each) => each.endsWith('.incr.aof'))!;
    spoil(path.join(folder, name));
    await server.start();
    await expectUnusable(server);
  });
});

test.runIf(hasEngines)('the engine is there after a load that came to its end, and not after one that failed', async () => {
  const server = await startServer({ module: false });
  expect(await server.send('MODULE', 'LOAD', HOST_FILE, '/no/such.wasm')).toMatch(/^-ERR/);
  expect(await server.send('FUNCTION', 'LOAD', await calc())).toBe(error("Engine 'wasm' not found"));
  expect(await server.send('MODULE', 'LOAD', HOST_FILE)).toBe(OK);
  expect(await server.send('FUNCTION', 'LOAD', await calc())).toBe(bulk('calc'));
  for (const attempt of [
    ['LOAD', HOST_FILE],
    ['UNLOAD', 'wasm'],
  ])
    expect(await server.send('MODULE', ...attempt)).toMatch(/^-ERR/);
  expect(await add(server)).toBe(':42\r\n');
});
