/** Files of the kit as libraries of functions, on servers with scripting engines: FCALL, and EVAL. */
import { beforeEach, describe, expect, test } from 'vitest';
import { base64, built, calc, calcFile, hasEngines, library } from '../support/functions.ts';
import { bulk } from '../support/raw.ts';
import { parseReply, type Reply } from '../support/reply.ts';
import { eventually, startServer, useServer } from '../support/server.ts';

const OK = '+OK\r\n';
const error = (text: string): string => `-ERR ${text}\r\n`;

test.skipIf(hasEngines)('a server without scripting engines has no engine wasm', async () => {
  const server = await startServer();
  expect(await server.send('FUNCTION', 'LOAD', library('calc', 'AGFzbQ=='))).toBe(error("Engine 'wasm' not found"));
  expect(await server.send('CUSTOM.SET', 'key', 'value')).toBe(OK);
});

describe.runIf(hasEngines)('functions', () => {
  const server = useServer();
  const fcall = (line: string): Promise<string> => server.send('FCALL', ...line.split(' '));

  beforeEach(async () => {
    await server.send('FUNCTION', 'FLUSH', 'SYNC');
    await server.send('SCRIPT', 'FLUSH', 'SYNC');
    expect(await server.send('FUNCTION', 'LOAD', await calc())).toBe(bulk('calc'));
  });

  test('are the commands and queries of the file, with the flags that fit', async () => {
    const [[, , , engine = null, , functions = []] = []] = parseReply(await server.send('FUNCTION', 'LIST')) as Reply[][];
    const told = Object.fromEntries(
      (functions as Reply[][]).map(([, name = '', , description, , flags]) => [name as string, [description, flags]]),
    );
    expect(Object.keys(told).sort()).toEqual(
      ['add', 'behind', 'both', 'deep', 'fail', 'far', 'first', 'half', 'join', 'map', 'mixed', 'none', 'spin', 'tell', 'who'].map(
        (name) => `calc_${name}`,
      ),
    );
    expect(told.calc_add).toEqual(['Adds two numbers', ['no-writes']]);
    expect(told.calc_tell).toEqual([null, []]);
    expect(engine).toBe('wasm');
  });

  test.each([
    ['calc_add 0 2 40', ':42\r\n', ':42\r\n'],
    ['calc_join 0 a b c', bulk('a b c'), bulk('a b c')],
    ['calc_half 0 3', bulk('1.5'), ',1.5\r\n'],
    ['calc_none 0', '$-1\r\n', '_\r\n'],
    ['calc_mixed 0', '*2\r\n$1\r\na\r\n$-1\r\n', '*2\r\n$1\r\na\r\n_\r\n'],
    ['calc_map 0 4', '*4\r\n$4\r\nonce\r\n:4\r\n$5\r\ntwice\r\n:8\r\n', '%2\r\n$4\r\nonce\r\n:4\r\n$5\r\ntwice\r\n:8\r\n'],
    ['calc_tell 1 key text', bulk('key: text'), bulk('key: text')],
    ['CALC_ADD 0 1 2', ':3\r\n', ':3\r\n'],
  ])('%s answers as the command would', async (line, resp2, resp3) => {
    expect(await fcall(line)).toBe(resp2);
    expect(await (await server.connect(3)).send('FCALL', ...line.split(' '))).toBe(resp3);
  });

  test('bytes go in and out as they are', async () => {
    const bytes = 'a\0b\r\n\xc3\xa9';
    expect(await server.send('FCALL', 'calc_tell', '1', bytes, '')).toBe(bulk(`${bytes}: `));
  });

  test.each([
    ['calc_tell 0 key text', 'calc_tell takes 1 keys with these arguments, not 0'],
    ['calc_tell 2 key text', 'calc_tell takes 1 keys with these arguments, not 2'],
    ['calc_add 1 1 2', 'calc_add takes 0 keys with these arguments, not 1'],
    ['calc_first 1 key TIMES 2 OTHER key', 'calc_first takes a key as its argument 5, and keys come first in a function'],
    ['calc_behind 1 word key', 'calc_behind takes a key as its argument 2, and keys come first in a function'],
    ['calc_add 0 1', 'wrong number of arguments for the function calc_add'],
    ['calc_add 0 1 x', 'value is not an integer or out of range'],
  ])('%s is refused', async (line, reason) => {
    expect(await fcall(line)).toBe(error(reason));
  });

  test('that fail answer one error, and go on', async () => {
    expect(await server.send('FCALL', 'calc_fail', '0', 'oops')).toBe(error('oops'));
    expect(await server.send('FCALL', 'calc_fail', '0', 'FULL no room')).toBe('-FULL no room\r\n');
    expect(await fcall('calc_far 0 2')).toMatch(/^-ERR Index out of range /);
    expect(await fcall('calc_deep 0 100')).toBe(':100\r\n');
    expect(await fcall('calc_deep 0 10000000')).toBe(error('module calc: wasm trap: call stack exhausted'));
    await eventually(
      () => server.log,
      (log) => log.includes('functions: '),
    );
    expect(server.log).toMatch(/module calc: wasm trap: call stack exhausted; running: calc\.deep; functions: /);
    expect(await fcall('calc_deep 0 100')).toBe(':100\r\n');
  });

  test('that never end do so at the time limit', async () => {
    await server.send('CONFIG', 'SET', 'wasm.time-limit', '100');
    expect(await fcall('calc_spin 0')).toBe(error('module calc: it ran longer than wasm.time-limit'));
    await server.send('CONFIG', 'SET', 'wasm.time-limit', '5000');
    expect(await fcall('calc_add 0 1 2')).toBe(':3\r\n');
  });

  test.each(['FUNCTION', 'SCRIPT'])('%s KILL ends one that never does', async (family) => {
    await server.send('CONFIG', 'SET', 'wasm.time-limit', '0', 'busy-reply-threshold', '50');
    const spins = await built('spin', SPIN);
    const other = await server.connect();
    const killed = family === 'FUNCTION' ? fcall('calc_spin 0') : server.send('EVAL', `#!wasm\n${spins}`, '0');
    expect(
      await eventually(
        () => other.send('GET', 'key'),
        (reply) => reply.startsWith('-BUSY'),
      ),
    ).toMatch(/^-BUSY/);
    expect(await other.send(family, 'KILL')).toBe(OK);
    expect(await killed).toBe(error('the function was killed by FUNCTION KILL or SCRIPT KILL'));
    expect(await other.send('GET', 'key')).toBe('$-1\r\n');
    expect(await fcall('calc_add 0 1 2')).toBe(':3\r\n');
    await server.send('CONFIG', 'SET', 'wasm.time-limit', '5000', 'busy-reply-threshold', '5000');
  });

  test('run by FCALL_RO where they only read', async () => {
    expect(await server.send('FCALL_RO', 'calc_add', '0', '1', '2')).toBe(':3\r\n');
    expect(await server.send('FCALL_RO', 'calc_tell', '1', 'key', 'text')).toMatch(/^-ERR Can not execute a script with write flag/);
  });

  test('run within a transaction, and not within a script', async () => {
    await server.send('MULTI');
    for (const number of ['1', '2']) expect(await server.send('FCALL', 'calc_add', '0', number, '1')).toBe('+QUEUED\r\n');
    expect(await server.send('EXEC')).toBe('*2\r\n:2\r\n:3\r\n');
    expect(await server.send('EVAL', "return redis.call('FCALL', 'calc_add', 0, 1, 1)", '0')).toMatch(
      /^-ERR This .* is not allowed from script/,
    );
  });

  test('see their caller, whose permissions the server checks', async () => {
    const user = await server.connect();
    await server.send('ACL', 'SETUSER', 'worker', 'on', 'nopass', '~own:*', '+fcall');
    await user.send('AUTH', 'worker', 'any');
    expect(await user.send('FCALL', 'calc_who', '0')).toBe(bulk('worker 0'));
    expect(await user.send('FCALL', 'calc_tell', '1', 'own:1', 'text')).toBe(bulk('own:1: text'));
    expect(await user.send('FCALL', 'calc_tell', '1', 'key', 'text')).toMatch(/^-NOPERM/);
    expect(await user.send('FCALL_RO', 'calc_who', '0')).toMatch(/^-NOPERM/);
  });

  test('count in INFO and in the server’s own figures', async () => {
    await server.send('EVAL', `#!wasm\n${await built('one', ONE)}`, '0');
    const info = await server.info('modules');
    expect(info).toMatchObject({ wasm_libraries: '1', wasm_library_functions: '15', wasm_scripts: '1' });
    const bytes = Number(info.wasm_library_memory);
    expect(bytes).toBeGreaterThanOrEqual(2 * 65536);
    const memory = await server.info('memory');
    expect(Number(memory.used_memory_vm_functions) + Number(memory.used_memory_vm_eval)).toBeGreaterThanOrEqual(bytes);
    await server.send('SCRIPT', 'FLUSH', 'ASYNC');
    await server.send('FUNCTION', 'FLUSH', 'ASYNC');
    const gone = await eventually(
      () => server.info('modules'),
      (fields) => fields.wasm_library_memory === '0',
    );
    expect(gone).toMatchObject({ wasm_libraries: '0', wasm_library_functions: '0', wasm_scripts: '0', wasm_library_memory: '0' });
  });

  test('that may store are refused where linear memories fill maxmemory, those that read are not', async () => {
    await server.send('CONFIG', 'SET', 'maxmemory', String(Number((await server.info('memory')).used_memory) + 200_000));
    expect(await fcall('calc_tell 1 key text')).toBe("-OOM command not allowed when used memory > 'maxmemory'.\r\n");
    expect(await fcall('calc_add 0 1 2')).toBe(':3\r\n');
    await server.send('CONFIG', 'SET', 'maxmemory', '0');
  });

  test('come as base64 too, in lines of any length', async () => {
    const text = base64(await calcFile()).replaceAll(/.{76}/g, '$&\n');
    expect(await server.send('FUNCTION', 'LOAD', 'REPLACE', library('calc', `${text}\n`))).toBe(bulk('calc'));
    expect(await fcall('calc_add 0 1 2')).toBe(':3\r\n');
  });
});

const ONE = `import { query } from "redis-wasm/kit";
query("ONE.SUM", "numbers:integer ...", (numbers: i64[]): i64 => { let sum: i64 = 0; for (let i = 0; i < numbers.length; i++) sum += numbers[i]; return sum; });
`;
const SPIN = `import { query } from "redis-wasm/kit";
query("SPIN.ON", "", (): i64 => { let sum: i64 = 0; while (sum >= 0) sum = (sum + 7) & 0xffff; return sum; });
`;
const KEYED = `import { command } from "redis-wasm/kit";
command("KEYED.TELL", "key:key text", (key: string, text: string): string => key + "=" + text);
`;

test.runIf(hasEngines)('in a cluster a function reaches the keys of one slot', async () => {
  const server = await startServer({ tcp: true, arguments: ['--cluster-enabled', 'yes'] });
  await server.send('CLUSTER', 'ADDSLOTSRANGE', '0', '16383');
  await eventually(
    () => server.send('CLUSTER', 'INFO'),
    (reply) => reply.includes('cluster_state:ok'),
  );
  expect(await server.send('FUNCTION', 'LOAD', await calc())).toBe(bulk('calc'));
  expect(await server.send('FCALL', 'calc_both', '2', '{a}1', '{a}2')).toBe(bulk('{a}1{a}2'));
  expect(await server.send('FCALL', 'calc_both', '2', 'a', 'b')).toMatch(/^-CROSSSLOT/);
  expect(await server.send('FCALL', 'calc_add', '0', '2', '40')).toBe(':42\r\n');
});

describe.runIf(hasEngines)('scripts', () => {
  const server = useServer();
  beforeEach(() => server.send('SCRIPT', 'FLUSH', 'SYNC'));

  test('are files with one function', async () => {
    const script = `#!wasm flags=no-writes\n${await built('one', ONE)}`;
    for (const send of ['EVAL', 'EVAL_RO']) expect(await server.send(send, script, '0', '1', '2', '39')).toBe(':42\r\n');
    const sha = parseReply(await server.send('SCRIPT', 'LOAD', script)) as string;
    for (const send of ['EVALSHA', 'EVALSHA_RO']) expect(await server.send(send, sha, '0', '1', '2')).toBe(':3\r\n');
    expect(await server.send('SCRIPT', 'FLUSH', 'SYNC')).toBe(OK);
    expect(await server.send('EVALSHA', sha, '0', '1')).toMatch(/^-NOSCRIPT/);
    const keyed = `#!wasm\n${base64(await built('keyed', KEYED))}`;
    expect(await server.send('EVAL', keyed, '1', 'key', 'text')).toBe(bulk('key=text'));
    expect(await server.send('EVAL', keyed, '0', 'key', 'text')).toBe(error('keyed_tell takes 1 keys with these arguments, not 0'));
    expect(await server.send('EVAL_RO', keyed, '1', 'key', 'text')).toMatch(/^-ERR Can not execute a script with write flag/);
  });

  test('are nothing else, and the server goes on', async () => {
    const script = `#!wasm\n${await calcFile()}`;
    const refused = error('EVAL runs a file with one function, and calc has 15');
    expect(await server.send('EVAL', script, '0')).toBe(refused);
    expect(await server.send('SCRIPT', 'LOAD', script)).toBe(refused);
    for (const code of ['', 'return 1', '\0asm', 'AGFzbQEAAAA='])
      for (const send of [
        ['EVAL', `#!wasm\n${code}`, '0'],
        ['SCRIPT', 'LOAD', `#!wasm\n${code}`],
      ])
        expect(await server.send(...send)).toMatch(/^-ERR (?:what follows the first line|it is no file that this release)/);
    expect(await server.info('modules')).toMatchObject({ wasm_scripts: '0' });
    expect(await server.send('PING')).toBe('+PONG\r\n');
  });

  test('leave no more behind than the server keeps', { timeout: 120_000 }, async () => {
    const file = base64(await built('one', ONE));
    for (let number = 0; number < 600; number++) {
      const script = `#!wasm\n${' '.repeat(number)}${file}`;
      expect(await server.send('EVAL', script, '0', '1', '2')).toBe(':3\r\n');
    }
    expect(await server.info('modules')).toMatchObject({ wasm_scripts: '500' });
  });
});
