/**
 * A command that fails while it replies with an array or a map answers one error: in a transaction, in a
 * script and to the typed client too. Only where much of a very long reply has left already, the error is its
 * last element, and the typed client rejects.
 */
import { ErrorReply } from '@redis/client';
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { connect } from '../../client/transfer/wire.ts';
import { typedClient } from '../support/clients.ts';
import { hostile, registering } from '../support/attacks.ts';
import { bulk } from '../support/raw.ts';
import { HOST_FILE, TestServer, useServer } from '../support/server.ts';

const LATE = 'ERR module hashmap: it ran longer than wasm.time-limit';
const KEYS = 600_000;
const KEYS_EACH = 10_000;

describe('a walk over very many keys that runs into wasm.time-limit', () => {
  // Not emptied between the tests.
  const server = new TestServer();
  beforeAll(async () => {
    await server.start();
    for (let first = 0; first < KEYS; first += KEYS_EACH) {
      const pairs = Array.from({ length: KEYS_EACH }, (_, index) => [`a key with the number ${first + index}`, 'value']);
      expect(await server.send('CUSTOM.MSET', ...pairs.flat())).toBe('+OK\r\n');
    }
    await server.send('CONFIG', 'SET', 'wasm.time-limit', '1');
    return () => server.stop();
  });

  test.each([
    ['CUSTOM.KEYS', ['CUSTOM.KEYS']],
    ['CUSTOM.KEYS with a pattern', ['CUSTOM.KEYS', '*key*number*']],
    ['CUSTOM.SCAN', ['CUSTOM.SCAN', '0', 'COUNT', String(KEYS)]],
  ])('by %s is one error', async (_, command) => {
    expect(await server.send(...command)).toBe(`-${LATE}\r\n`);
    for (const protocol of [2, 3] as const) {
      const connection = await server.connect(protocol);
      await connection.send('MULTI');
      await connection.send(...command);
      expect(await connection.send('EXEC')).toBe(`*1\r\n-${LATE}\r\n`);
      connection.close();
    }
  });

  test('is one error to a script', async () => {
    expect(await server.send('EVAL', "return redis.pcall('CUSTOM.KEYS').err", '0')).toBe(bulk(LATE));
    expect(await server.send('EVAL', "return redis.call('CUSTOM.KEYS')", '0')).toMatch(new RegExp(`^-${LATE}`));
  });

  test('rejects in the typed client', async () => {
    const client = await typedClient(server);
    await expect(client.custom.keys()).rejects.toThrow(LATE);
    await expect(client.custom.scan('0', { COUNT: KEYS })).rejects.toThrow(LATE);
    await expect(client.multi().custom.keys().exec()).rejects.toThrow();
  });

  test('is whole where there is time for it', async () => {
    await server.send('CONFIG', 'SET', 'wasm.time-limit', '60000');
    const client = await typedClient(server);
    expect(new Set(await client.custom.keys()).size).toBe(KEYS);
    await server.send('CONFIG', 'SET', 'wasm.time-limit', '1');
  });
});

/**
 * A module whose commands send more than is held, and then fail: an array, of a length that is told or not,
 * and one within another. The first of them are named as what the typed client calls.
 */
const BLOCKS = 1100;
const blocks = `(local.set $left (i32.const ${BLOCKS}))
  (loop $more (call $ReplyWithStringBuffer (i32.const 0) (i32.const 65536))
    (br_if $more (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))`;
const open = (length: number) => `(call $ReplyWithArray (i64.const ${length}))`;
const COMMANDS: Record<string, { name: string; arity: number; body: string }> = {
  keys: { name: 'custom.keys', arity: -1, body: `${open(-1)} ${blocks} unreachable` },
  mget: { name: 'custom.mget', arity: -1, body: `${open(BLOCKS + 2)} ${blocks} unreachable` },
  scan: { name: 'custom.scan', arity: -1, body: `${open(2)} (call $ReplyWithNull) ${open(-1)} ${blocks} unreachable` },
  whole: { name: 'long.whole', arity: 1, body: `${open(-1)} ${blocks} (call $ReplySetArrayLength (i64.const ${BLOCKS}))` },
  nested: {
    name: 'long.nested',
    arity: 1,
    body: `${open(-1)} ${open(3)} (call $ReplyWithNull) ${open(-1)} ${blocks} (call $ReplySetArrayLength (i64.const 0)) ${open(-1)}
      (call $ReplySetArrayLength (i64.const 0)) (call $ReplyWithMap (i64.const -1)) (call $ReplyWithLongLong (i64.const 1)) (call $ReplyWithNull)
      (call $ReplySetMapLength (i64.const 1))`,
  },
};
const long = hostile(
  `${registering(Object.entries(COMMANDS).map(([handler, { name, arity }]) => ({ name, flags: 'readonly', arity, handler: `$${handler}` })))}
   (func (export "onLoad") (result i32) (call $register))
   ${Object.entries(COMMANDS)
     .map(([handler, { body }]) => `(func $${handler} (param i32 i32) (local $left i32) ${body})`)
     .join('\n')}`,
);

describe('a reply of which much has left', async () => {
  const server = useServer({ module: [HOST_FILE, await long] });
  const TRAPPED = 'ERR module hostile: wasm trap: wasm `unreachable` instruction executed';
  const elements = async (...argv: string[]) => {
    const client = await server.client();
    const reply: unknown[] = await client.sendCommand(argv);
    client.destroy();
    return reply;
  };

  test.each([
    ['CUSTOM.KEYS', BLOCKS + 1],
    ['CUSTOM.MGET', BLOCKS + 2],
  ])('ends with the error: %s', async (name, length) => {
    const reply = await elements(name);
    expect(reply).toHaveLength(length);
    for (const element of reply.slice(0, BLOCKS)) expect(String(element)).toHaveLength(65536);
    for (const element of reply.slice(BLOCKS)) expect(String(element)).toBe(`Error: ${TRAPPED}`);
    expect(await server.send('PING')).toBe('+PONG\r\n');
  });

  test('rejects in the typed client', async () => {
    const client = await typedClient(server);
    for (const call of [client.custom.keys(), client.custom.mGet(['a', 'b']), client.custom.scan('0')]) {
      const error: unknown = await call.catch((reason: unknown) => reason);
      expect(error).toBeInstanceOf(ErrorReply);
      expect((error as Error).message).toBe(TRAPPED);
    }
  });

  test('ends a transfer', async () => {
    const wire = await connect('the source', { socket: { path: server.socket, tls: false } });
    onTestFinished(wire.close);
    await expect(wire.call(['CUSTOM.MGET', 'a'])).rejects.toThrow(`the source: ${TRAPPED}`);
    await expect(wire.atOnce([['PING'], ['CUSTOM.MGET', 'a'], ['PING']])).rejects.toThrow(`the source: ${TRAPPED}`);
    expect(await wire.atOnce([['PING']])).toEqual(['PONG']);
  });

  test('is whole where nothing fails, with arrays within it and after it', async () => {
    expect(await elements('long.whole')).toHaveLength(BLOCKS);
    const [nested, empty, map, ...rest] = (await elements('long.nested')) as unknown[][];
    expect([nested?.length, nested?.[0], nested?.[2]]).toEqual([3, null, []]);
    expect(nested?.[1]).toHaveLength(BLOCKS);
    expect([empty, map, rest]).toEqual([[1, null], undefined, []]);
    expect(await server.send('PING')).toBe('+PONG\r\n');
  });
});
