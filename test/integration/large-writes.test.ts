/**
 * Commands that change very much at once, under a short time limit: whole, on this server and in its
 * append-only file.
 */
import { beforeEach, describe, expect, test } from 'vitest';
import { bulk } from '../support/raw.ts';
import { startServer, useServer, type TestServer } from '../support/server.ts';

const LIMITS = ['--wasm.time-limit', '100'];

/** As `send`, which takes no such number of arguments. */
const sendMany = async (server: TestServer, argv: string[]) =>
  (await server.connect()).sendBytes(`*${argv.length}\r\n${argv.map(bulk).join('')}`);

describe('many keys', () => {
  const server = useServer({ arguments: LIMITS });
  const keys = (count: number) => Array.from({ length: count }, (_, index) => `key:${index}`);
  const pairs = (count: number) => keys(count).flatMap((key) => [key, 'value']);

  test.each([
    ['CUSTOM.MSET', pairs, () => '+OK\r\n'],
    ['CUSTOM.DEL', keys, (count: number) => `:${count}\r\n`],
  ])('are written by %s in linear time', async (name, argumentsOf, reply) => {
    const times = async (count: number) => {
      const found: number[] = [];
      for (let round = 0; round < 3; round++) {
        expect(await sendMany(server, ['CUSTOM.MSET', ...pairs(count)])).toBe('+OK\r\n');
        const before = server.running_ms;
        expect(await sendMany(server, [name, ...argumentsOf(count)])).toBe(reply(count));
        found.push(server.running_ms - before);
      }
      return found;
    };
    // 8 times as many keys; what is quadratic takes 64 times as long. What else the machine does makes some
    // rounds longer, and none shorter.
    const [few, many] = [Math.max(...(await times(10_000))), Math.min(...(await times(80_000)))];
    expect(many / few).toBeLessThan(24);
    expect((await server.info('wasm_hashmap')).wasm_damaged).toBe('0');
    expect(await server.send('CUSTOM.CHECK')).toBe('+OK\r\n');
  });
});

test('a million short keys are deleted by one command', async () => {
  const server = await startServer();
  const numbers = Array.from({ length: 1_000_000 }, (_, index) => index.toString(36));
  expect(await sendMany(server, ['CUSTOM.MSET', ...numbers.flatMap((key) => [key, ''])])).toBe('+OK\r\n');
  expect(await sendMany(server, ['CUSTOM.DEL', ...numbers])).toBe(':1000000\r\n');
  expect((await server.info('wasm_hashmap')).wasm_damaged).toBe('0');
  expect(await server.send('CUSTOM.LEN')).toBe(':0\r\n');
});

describe('many sessions of one user', () => {
  let server: TestServer;
  beforeEach(async () => {
    server = await startServer({ arguments: [...LIMITS, '--appendonly', 'yes', '--appendfsync', 'no'] });
  });
  const create = (user: string, count: number) =>
    server.send(
      'EVAL',
      `for i = 1, ${count} do redis.call('SESSION.CREATE', ARGV[1], 'NEW') end return redis.call('SESSION.COUNT')`,
      '0',
      user,
    );
  const state = async () => [await server.send('SESSION.COUNT'), await server.send('CUSTOM.LEN'), await server.send('SESSION.CHECK')];

  test.each([
    ['DELUSER ends them all', ['SESSION.DELUSER', 'u'], /^:60000\r\n$/, [':0\r\n', ':0\r\n', '+OK\r\n']],
    ['CREATE makes room for one', ['SESSION.CREATE', 'u', 'NEW', 'MAX', '1'], /^\+Session created/, [':1\r\n', ':1\r\n', '+OK\r\n']],
  ] as [string, [string, ...string[]], RegExp, string[]][])('%s, and so does the append-only file', async (_, command, reply, after) => {
    expect(await create('u', 60_000)).toBe(':60000\r\n');
    expect(await server.send(...command)).toMatch(reply);
    expect(await state()).toEqual(after);
    expect(await server.send('DEBUG', 'LOADAOF')).toBe('+OK\r\n');
    expect(await state()).toEqual(after);
  });

  test.each([
    ['DELUSER ends', ['SESSION.DELUSER', 'u'], /^:400000\r\n$/],
    ['CREATE makes room among', ['SESSION.CREATE', 'u', 'NEW', 'MAX', '1'], /^\+Session created/],
  ] as [string, [string, ...string[]], RegExp][])('%s hundreds of thousands', async (_, command, reply) => {
    for (let count = 100_000; count <= 400_000; count += 100_000) expect(await create('u', 100_000)).toBe(`:${count}\r\n`);
    expect(await server.send(...command)).toMatch(reply);
    expect((await server.info('wasm_session')).wasm_damaged).toBe('0');
    expect(await server.send('SESSION.CHECK')).toBe('+OK\r\n');
  });

  test('of a long name: what is replicated does not repeat it', async () => {
    const user = 'u'.repeat(1 << 20);
    expect(await create(user, 150)).toBe(':150\r\n');
    expect(await server.send('SESSION.DELUSER', user)).toBe(':150\r\n');
    expect(await state()).toEqual([':0\r\n', ':0\r\n', '+OK\r\n']);
    expect(await server.send('DEBUG', 'LOADAOF')).toBe('+OK\r\n');
    expect(await state()).toEqual([':0\r\n', ':0\r\n', '+OK\r\n']);
  });
});
