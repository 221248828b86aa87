/** `redis.call`: commands of the server, with the permissions of whoever sent the command. */
import { describe, expect, test } from 'vitest';
import { startCluster } from '../support/cluster.ts';
import { OWN_FILE } from '../support/own.ts';
import { bulk } from '../support/raw.ts';
import { caughtUp, follow, usePair } from '../support/replication.ts';
import { HOST_FILE, startServer, useServer } from '../support/server.ts';
import { ReplicationStream } from '../support/stream.ts';

const OK = '+OK\r\n';
const MODULE = [HOST_FILE, OWN_FILE];
const server = useServer({ module: MODULE });

/** What a user with these rules is answered. */
async function login(rules: string): Promise<(line: string) => Promise<string>> {
  expect(await server.send('ACL', 'SETUSER', 'someone', 'reset', 'on', 'nopass', ...rules.split(' '))).toBe(OK);
  const connection = await server.connect();
  expect(await connection.send('AUTH', 'someone', 'x')).toBe(OK);
  return (line) => connection.send(...line.split(' '));
}

test('replies of every kind are read as what they are', async () => {
  for (const line of ['SET t text', 'SET n 17', 'HSET h f 1', 'ZADD z 1.5 m', 'RPUSH l a b', 'SADD s x'])
    await server.send(...line.split(' '));
  const shapes: Record<string, string> = {
    'GET t': 'string text',
    'GET none': 'null',
    'INCR n': 'integer 18',
    'SET t other': 'status OK',
    'LRANGE l 0 -1': 'array(string a, string b)',
    'HGETALL h': 'map(string f, string 1)',
    'SMEMBERS s': 'set(string x)',
    'ZSCORE z m': 'double 1.5',
    'ZRANGE z 0 -1 WITHSCORES': 'array(array(string m, double 1.5))',
    'MGET t none': 'array(string other, null)',
    PING: 'status PONG',
    'LPOP none 2': 'null',
  };
  for (const [line, shape] of Object.entries(shapes))
    expect(await server.send('OWN.TYPES', 'k', ...line.split(' ')), line).toBe(bulk(shape));
});

test('a reply is passed on as it came, by either protocol', async () => {
  await server.send('HSET', 'h', 'f', '1');
  await server.send('ZADD', 'z', '1.5', 'm');
  await server.send('SADD', 's', 'x');
  const connection = await server.connect();
  expect(await connection.send('OWN.CALL', 'h', 'HGETALL', 'h')).toBe('*2\r\n$1\r\nf\r\n$1\r\n1\r\n');
  expect(await connection.send('OWN.CALL', 'z', 'ZSCORE', 'z', 'm')).toBe(bulk('1.5'));
  await connection.send('HELLO', '3');
  expect(await connection.send('OWN.CALL', 'h', 'HGETALL', 'h')).toBe('%1\r\n$1\r\nf\r\n$1\r\n1\r\n');
  expect(await connection.send('OWN.CALL', 'z', 'ZSCORE', 'z', 'm')).toBe(',1.5\r\n');
  expect(await connection.send('OWN.CALL', 's', 'SMEMBERS', 's')).toBe('~1\r\n$1\r\nx\r\n');
  const bytes = '\xff\0\r\n';
  expect(await connection.send('OWN.CALL', 'b', 'SET', 'b', bytes)).toBe(OK);
  expect(await connection.send('OWN.CALL', 'b', 'GET', 'b')).toBe(bulk(bytes));
  expect(await connection.send('GET', 'b')).toBe(bulk(bytes));
});

test('an error ends the command, or is caught', async () => {
  await server.send('SET', 't', 'text');
  expect(await server.send('OWN.CALL', 't', 'LPUSH', 't', 'x')).toMatch(/^-WRONGTYPE /);
  expect(await server.send('OWN.TRY', 't', 'LPUSH', 't', 'x')).toContain('caught WRONGTYPE ');
  expect(await server.send('OWN.CALL', 't', 'NOPE')).toMatch(/^-ERR unknown command 'NOPE'/i);
  expect(await server.send('OWN.TRY', 't', 'GET')).toMatch(/caught ERR wrong number of arguments/i);
  expect(await server.send('OWN.CALL', 't', '')).toMatch(/^-ERR /);
  expect(await server.send('OWN.CALL', 't', 'a\0b')).toMatch(/^-ERR a command's name holds a NUL/);
  expect(await server.send('GET', 't')).toBe(bulk('text'));
});

test('it has the permissions of the user, key by key and selector by selector', async () => {
  const user = await login('~app:* +own.call +own.ask +own.try +get +set');
  expect(await user('OWN.CALL app:k SET app:k v')).toBe(OK);
  expect(await user('OWN.CALL app:k GET app:k')).toBe(bulk('v'));
  expect(await user('OWN.CALL app:k GET secret')).toMatch(/^-.*(NOPERM|can't access)/i);
  expect(await user('OWN.CALL app:k DEL app:k')).toMatch(/^-.*(NOPERM|can't run)/i);
  expect(await user('OWN.TRY app:k DEL app:k')).toMatch(/caught /);
  expect(await user('OWN.CALL app:k FLUSHALL')).toMatch(/^-/);
  const reader = await login('%R~app:* ~own:* +@all');
  expect(await reader('OWN.CALL own:k GET app:k')).toBe(bulk('v'));
  expect(await reader('OWN.CALL own:k SET app:k w')).toMatch(/^-.*(NOPERM|can't access)/i);
  const split = await login('~app:* +own.call (~other:* +set)');
  expect(await split('OWN.CALL app:k SET other:k v')).toBe(OK);
  expect(await split('OWN.CALL app:k SET app:k w')).toMatch(/^-.*(NOPERM|can't)/i);
  expect(await server.send('GET', 'app:k')).toBe(bulk('v'));
});

test('within MULTI and scripts too', async () => {
  const user = await login('~app:* +@all -del');
  expect(await user('MULTI')).toBe(OK);
  await user('OWN.CALL app:k SET app:k v');
  await user('OWN.CALL app:k DEL app:k');
  expect(await user('EXEC')).toMatch(/^\*2\r\n\+OK\r\n-.*(NOPERM|can't run)/i);
  const connection = await server.connect();
  await connection.send('AUTH', 'someone', 'x');
  const script = "return redis.pcall('OWN.CALL', KEYS[1], 'DEL', KEYS[1])";
  expect(await connection.send('EVAL', script, '1', 'app:k')).toMatch(/^-.*(NOPERM|can't run)/i);
  expect(await server.send('GET', 'app:k')).toBe(bulk('v'));
});

test('what scripts may not call, no command may', async () => {
  for (const line of [
    'FLUSHALL',
    'flushall ASYNC',
    'CONFIG GET port',
    'MODULE LIST',
    'DEBUG SLEEP 0',
    'SUBSCRIBE c',
    'SHUTDOWN',
    'WATCH k',
    'EVAL return 0',
  ]) {
    expect(await server.send('OWN.CALL', 'k', ...line.split(' ')), line).toMatch(/^-/);
  }
  expect(await server.send('OWN.FREE', 'OWN.FREE', 'PING')).toMatch(/^-ERR module own: it called itself through a command/);
  // Where they are let through they do not wait.
  for (const line of ['BLPOP none 0', 'WAIT 0 0']) expect(await server.send('OWN.TRY', 'none', ...line.split(' ')), line).toMatch(/^\$/);
  expect(await server.send('PING')).toBe('+PONG\r\n');
});

test('a query may only read by it', async () => {
  await server.send('SET', 'k', 'v');
  expect(await server.send('OWN.ASK', 'k', 'GET', 'k')).toBe(bulk('v'));
  expect(await server.send('OWN.ASK', 'k', 'SET', 'k', 'w')).toMatch(/^-ERR /);
  expect(await server.send('GET', 'k')).toBe(bulk('v'));
});

test('memory that is full refuses what stores', async () => {
  const other = await startServer({ module: MODULE });
  await other.send('SET', 'k', 'v');
  await other.send('CONFIG', 'SET', 'maxmemory', '1');
  expect(await other.send('OWN.CALL', 'k', 'SET', 'k', 'w')).toMatch(/^-OOM /);
  expect(await other.send('OWN.DO', 'k', 'set', 'w')).toMatch(/^-OOM /);
  expect(await other.send('OWN.ASK', 'k', 'GET', 'k')).toBe(bulk('v'));
});

test('a million calls in one command, and a reply that is too large', async () => {
  await server.send('CONFIG', 'SET', 'wasm.time-limit', '60000');
  await server.send('SET', 'k', 'four');
  expect(await server.send('OWN.MANY', 'k', '100000')).toBe(':400000\r\n');
  // What they leave behind within the command has a limit.
  expect(await server.send('OWN.MANY', 'k', '1000000')).toMatch(/^-ERR the command takes more than 64 MiB/);
  await server.send('CONFIG', 'SET', 'wasm.time-limit', '5000');
  await server.send('EVAL', "redis.call('SET', KEYS[1], string.rep('x', 100 * 1024 * 1024))", '1', 'large');
  expect(await server.send('OWN.CALL', 'large', 'GET', 'large')).toMatch(/^-ERR GET: a reply of \d+ bytes is more than/);
  expect(await server.send('OWN.LOOK', 'large', 'strlen')).toBe(':104857600\r\n');
  expect(await server.send('OWN.LOOK', 'large', 'get')).toMatch(/^-(ERR|OOM) /);
  expect(await server.send('DEL', 'large')).toBe(':1\r\n');
});

describe('with a replica', () => {
  const { primary, replica } = usePair({ module: MODULE }, { module: MODULE });

  test('several writes are one unit, and a replica needs no module for them', async () => {
    const stream = await ReplicationStream.of(primary);
    await primary.send('OWN.CALL', 'k', 'SET', 'k', 'v', 'PX', '3600000');
    const commands = await stream.commands();
    expect(commands.map(([name]) => name)).toEqual(['SET']);
    expect(commands[0]).toContain('PXAT');
    await follow(replica, primary);
    await caughtUp(primary, replica);
    expect(await replica.send('OWN.ASK', 'k', 'GET', 'k')).toBe(bulk('v'));
    expect(await replica.send('OWN.CALL', 'k', 'SET', 'k', 'w')).toMatch(/^-READONLY /);
  });
});

describe('in a cluster', () => {
  test('a key of another slot, or of another node, is refused before the server hears of it', async () => {
    const cluster = await startCluster({ module: MODULE });
    const [node, other] = [cluster.nodes[0]!, cluster.nodes[1]!];
    const key = await cluster.keyOf(node, 'key');
    const [second, foreign] = [await cluster.keyOf(node, 'second'), await cluster.keyOf(other, 'foreign')];
    expect(await node.send('OWN.CALL', key, 'SET', key, 'v')).toBe(OK);
    expect(await node.send('OWN.CALL', key, 'SET', `{${key}}b`, 'v')).toBe(OK);
    for (const words of [
      ['SET', second, 'v'],
      ['MSET', key, 'v', second, 'v'],
      ['GET', foreign],
    ]) {
      expect(await node.send('OWN.CALL', key, ...words), words.join(' ')).toMatch(/^-CROSSSLOT redis.call reaches/);
      // On Valkey 9.1 no call of any module would run after one that crosses slots.
      expect(await node.send('OWN.CALL', key, 'GET', key)).toBe(bulk('v'));
    }
    expect(await node.send('OWN.FREE', 'SET', second, 'v')).toBe(OK);
    expect(await node.send('OWN.FREE', 'MGET', key, second)).toMatch(/^-CROSSSLOT /);
    expect(await node.send('OWN.FREE', 'GET', foreign)).toMatch(/^-ERR redis.call reaches slot \d+, which is not this node's/);
    expect(await node.send('OWN.FREE', 'GET', key)).toBe(bulk('v'));
  });
});
