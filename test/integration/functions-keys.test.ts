/** Functions on the server's own keys, and by its commands. */
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { built, hasEngines, library } from '../support/functions.ts';
import { bulk } from '../support/raw.ts';
import { caughtUp, follow } from '../support/replication.ts';
import { eventually, ROOT, startServer, useServer, type TestServer } from '../support/server.ts';

const OK = '+OK\r\n';
const NULL = '$-1\r\n';
const error = (text: string): string => `-ERR ${text}\r\n`;

const shop = async (): Promise<string> =>
  library('shop', await built('shop', readFileSync(path.join(ROOT, 'test/fixtures/kit/shop.ts'), 'utf8')));
const ONE = `import { command, keys, redis } from "redis-wasm/kit";
command("ONE.SET", "key:key how", set);
function set(key: string, how: string): void {
  if (how == "call") redis.call("SET", key, how);
  else keys.set(key, how);
}
`;

describe.runIf(hasEngines)('functions', () => {
  const server = useServer({ arguments: ['--appendonly', 'yes', '--appendfsync', 'always'] });
  const fcall = (line: string): Promise<string> => server.send('FCALL', ...line.split(' '));
  beforeEach(async () => {
    await server.send('FUNCTION', 'FLUSH', 'SYNC');
    expect(await server.send('FUNCTION', 'LOAD', await shop())).toBe(bulk('shop'));
  });

  /** What stands in the append-only file behind the word, in one line. */
  function appendedAfter(server: TestServer, word: string): string {
    const folder = path.join(server.folder, 'appendonlydir');
    const file = readdirSync(folder).find((name) => name.endsWith('.incr.aof'))!;
    const text = readFileSync(path.join(folder, file), 'latin1');
    const lines = text.slice(text.lastIndexOf(word)).split('\r\n').slice(1);
    return lines
      .filter((line) => !line.startsWith('$'))
      .join(' ')
      .trim();
  }

  test('reach the keys of FCALL, and no others', async () => {
    expect(await fcall('shop_put 1 key one')).toBe(NULL);
    expect(await fcall('shop_put 1 key two')).toBe(bulk('one'));
    expect(await server.send('GET', 'key')).toBe(bulk('two'));
    expect(await server.send('FCALL_RO', 'shop_get', '1', 'key')).toBe(bulk('two'));
    expect(await fcall('shop_steal 1 key other')).toBe(
      error('the command does not declare the key other: name it in its syntax, or use redis.call'),
    );
  });

  test('that fail leave keys as they were, and all that succeed is one unit', async () => {
    await server.send('SET', 'from', '5');
    expect(await fcall('shop_move 2 from to 9')).toBe('-EMPTY not so many are there\r\n');
    expect(await server.send('MGET', 'from', 'to')).toBe(`*2\r\n${bulk('5')}${NULL}`);
    await server.send('SET', 'mark', '1');
    expect(await fcall('shop_move 2 from to 3')).toBe(':2\r\n');
    expect(appendedAfter(server, 'mark')).toBe('1 *1 MULTI *3 INCRBY from -3 *3 INCRBY to 3 *1 EXEC');
    await server.send('SET', 'mark', '2');
    expect(await fcall('shop_call 1 key SET value')).toBe(bulk('done'));
    expect(appendedAfter(server, 'mark')).toBe('2 *1 MULTI *3 SET key value *3 RPUSH key:log value *1 EXEC');
    await server.send('WATCH', 'from');
    await (await server.connect()).send('FCALL', 'shop_move', '2', 'from', 'to', '1');
    await server.send('MULTI');
    expect(await server.send('EXEC')).toBe('*-1\r\n');
  });

  test('that only read cannot write, by either way, nor can scripts without the right', async () => {
    for (const send of ['FCALL', 'FCALL_RO']) {
      expect(await server.send(send, 'shop_sneak', '1', 'key', 'value')).toBe(error('a query cannot write: a command() can'));
      expect(await server.send(send, 'shop_ask', '0', 'INCR', 'key')).toBe(
        error("Write command 'incr' was called while write is not allowed."),
      );
    }
    expect(await server.send('FCALL_RO', 'shop_put', '1', 'key', 'value')).toMatch(/^-ERR Can not execute a script with write flag/);
    const script = await built('one', ONE);
    for (const how of ['keys', 'call']) {
      for (const send of ['EVAL', 'EVAL_RO'])
        expect(await server.send(send, `#!wasm flags=no-writes\n${script}`, '1', 'key', how)).toMatch(
          /^-ERR .*(?:cannot write|not allowed)/,
        );
      expect(await server.send('GET', 'key')).toBe(NULL);
      expect(await server.send('EVAL', `#!wasm\n${script}`, '1', 'key', how)).toBe(OK);
      expect(await server.send('GET', 'key')).toBe(bulk(how));
      await server.send('DEL', 'key');
    }
  });

  test('have the permissions of their caller', async () => {
    await server.send('ACL', 'SETUSER', 'clerk', 'on', 'nopass', '~own:*', '+fcall', '+get');
    const clerk = await server.connect();
    await clerk.send('AUTH', 'clerk', 'any');
    await server.send('MSET', 'own:1', 'mine', 'other', 'secret');
    expect(await clerk.send('FCALL', 'shop_ask', '0', 'GET', 'own:1')).toBe(bulk('mine'));
    expect(await clerk.send('FCALL', 'shop_ask', '0', 'GET', 'other')).toMatch(/^-ERR NOPERM/);
    expect(await clerk.send('FCALL', 'shop_call', '1', 'own:1', 'SET', 'value')).toMatch(/^-ERR NOPERM/);
    expect(await clerk.send('FCALL', 'shop_put', '1', 'other', 'value')).toMatch(/^-NOPERM/);
    expect(await clerk.send('FCALL', 'shop_put', '1', 'own:1', 'new')).toBe(bulk('mine'));
  });

  test('that are killed have changed nothing, and those that have cannot be killed', async () => {
    await server.send('CONFIG', 'SET', 'busy-reply-threshold', '20', 'wasm.time-limit', '1000');
    const other = await server.connect();
    const busy = () =>
      eventually(
        () => other.send('GET', 'key'),
        (reply) => reply.startsWith('-BUSY'),
      );
    const undone = fcall('shop_undone 1 key');
    await busy();
    expect(await other.send('FUNCTION', 'KILL')).toBe(OK);
    expect(await undone).toBe(error('the function was killed by FUNCTION KILL or SCRIPT KILL'));
    expect(await other.send('GET', 'key')).toBe(NULL);
    const stuck = fcall('shop_stuck 1 key');
    await busy();
    expect(await other.send('FUNCTION', 'KILL')).toMatch(/^-UNKILLABLE/);
    expect(await stuck).toBe(error('module shop: it ran longer than wasm.time-limit'));
    // What redis.call writes stays.
    expect(await other.send('GET', 'key')).toBe(bulk('written'));
    await server.send('CONFIG', 'SET', 'busy-reply-threshold', '5000', 'wasm.time-limit', '5000');
  });

  test('cannot call each other through the server', async () => {
    expect(await fcall('shop_call 1 key FCALL 0')).toMatch(/^-ERR .*/);
    expect(await fcall('shop_ask 0 EVAL key')).toMatch(/^-ERR .*/);
    expect(await fcall('shop_put 1 key value')).toBe(NULL);
  });
});

test.runIf(hasEngines)('replicas get what functions have done', async () => {
  const primary = await startServer({ tcp: true });
  const replica = await startServer();
  await follow(replica, primary);
  await primary.send('FUNCTION', 'LOAD', await shop());
  await primary.send('SET', 'from', '5');
  expect(await primary.send('FCALL', 'shop_move', '2', 'from', 'to', '3')).toBe(':2\r\n');
  await caughtUp(primary, replica);
  expect(await replica.send('MGET', 'from', 'to')).toBe(`*2\r\n${bulk('2')}${bulk('3')}`);
  expect(await replica.send('FCALL_RO', 'shop_get', '1', 'to')).toBe(bulk('3'));
  const hearer = await replica.connect();
  await hearer.send('SUBSCRIBE', 'news');
  const heard = hearer.next();
  expect(await primary.send('FCALL', 'shop_cry', '0', 'hello')).toBe(OK);
  expect(await heard).toBe(`*3\r\n${bulk('message')}${bulk('news')}${bulk('hello')}`);
  const script = `#!wasm flags=no-writes\n${await built('one', ONE)}`;
  for (const how of ['keys', 'call']) expect(await replica.send('EVAL', script, '1', 'to', how)).toMatch(/^-(?:ERR|READONLY)/);
  expect(await replica.send('GET', 'to')).toBe(bulk('3'));
});

test.runIf(hasEngines)('in a cluster a function reaches the slot of its keys', async () => {
  const server = await startServer({ tcp: true, arguments: ['--cluster-enabled', 'yes'] });
  await server.send('CLUSTER', 'ADDSLOTSRANGE', '0', '16383');
  await eventually(
    () => server.send('CLUSTER', 'INFO'),
    (reply) => reply.includes('cluster_state:ok'),
  );
  await server.send('FUNCTION', 'LOAD', await shop());
  expect(await server.send('FCALL', 'shop_put', '1', '{a}1', 'value')).toBe(NULL);
  // Its second call goes to another slot, since the key's name is longer.
  expect(await server.send('FCALL', 'shop_call', '1', 'b', 'SET', 'value')).toMatch(/CROSSSLOT/);
  expect(await server.send('FCALL', 'shop_call', '1', '{b}', 'SET', 'value')).toBe(bulk('done'));
  expect(await server.send('FCALL', 'shop_ask', '0', 'GET', '{a}1')).toBe(bulk('value'));
});
