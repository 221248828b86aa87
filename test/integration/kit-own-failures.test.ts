/** What a command has done to keys when it fails: taken back, and nobody has heard of it. */
import { expect, test } from 'vitest';
import { OWN_FILE } from '../support/own.ts';
import { pairs, parseReply, type Reply } from '../support/reply.ts';
import { HOST_FILE, startServer, useServer, type TestServer } from '../support/server.ts';
import { ReplicationStream } from '../support/stream.ts';

const OK = '+OK\r\n';
const PURPOSE = '-ON purpose\r\n';
const server = useServer({ module: [HOST_FILE, OWN_FILE] });

const LATER = String(Date.now() + 3_600_000);
const LONG = 'x'.repeat(3000);

/** What is there before, and what is done to it. */
const CASES: [before: string[], steps: string][] = [
  [[], 'set 4 , append 2 , incr 1'],
  [[], 'set 5 , incr 2 , expire 1000 , delete'],
  [['SET k v'], 'delete'],
  [['SET k v'], 'deleteIf v'],
  [['SET k v', `PEXPIREAT k ${LATER}`], 'set other , persist , append x , delete , set again'],
  [['SET k 17', `PEXPIREAT k ${LATER}`], 'incr 5 , expireAt 1'],
  [[`SET k ${LONG}`, `PEXPIREAT k ${LATER}`], `append ${LONG} , append ${LONG} , set short`],
  [[], 'hset f v , hset g w , hdel f , hdel g , hincrby n 5'],
  [['HSET k f 1 g two', `PEXPIREAT k ${LATER}`], 'hset f 2 , hincrby f 4 , hdel f , hdel g , hset new v'],
  [['HSET k f 1 g two', `PEXPIREAT k ${LATER}`], 'delete , set v , delete , rpush w'],
  [['HSET k f 1 g two'], `hset f ${LONG} , set now-a-string`],
  [['ZADD k 1 a 2.5 b', `PEXPIREAT k ${LATER}`], 'zadd 7 a , zincrby 1 b , zrem a , zrem b , zadd 1 c'],
  [[], 'zadd 1 a , zadd 2 a , zrem a'],
  [['RPUSH k a b c', `PEXPIREAT k ${LATER}`], 'lpush x , rpush y , lpop , lpop , lset 0 z , rpop , rpop , rpop , lpush new'],
  [['RPUSH k a b c'], 'lset -1 z , lset 0 y , delete'],
  [[], 'rpush a , rpush b , lpop , lpop , set v'],
  [['SADD k a b'], 'delete , zadd 1 a'],
  [['XADD k 1-1 f v'], 'set v'],
];

async function valueOf(key = 'k'): Promise<Reply[]> {
  const type = (await server.send('TYPE', key)).trim();
  const ask: Record<string, string[]> = {
    '+string': ['GET', key],
    '+hash': ['HGETALL', key],
    '+list': ['LRANGE', key, '0', '-1'],
    '+zset': ['ZRANGE', key, '0', '-1', 'WITHSCORES'],
    '+set': ['SMEMBERS', key],
    '+stream': ['XRANGE', key, '-', '+'],
  };
  const words = ask[type];
  const value = words === undefined ? null : parseReply(await server.send(...words));
  // Neither a large hash nor a set has an order.
  const sorted = type === '+hash' ? pairs(value as Reply[]).sort() : type === '+set' ? (value as Reply[]).sort() : value;
  return [type, sorted, parseReply(await server.send('PEXPIRETIME', key))];
}

async function prepare(before: string[]): Promise<void> {
  for (const line of ['DEL k', ...before]) await server.send(...line.split(' '));
}

test('all of it is as it was, and the same steps work where nothing fails', async () => {
  for (const [before, steps] of CASES) {
    await prepare(before);
    const found = await valueOf();
    expect(await server.send('OWN.FAIL', 'k', ...steps.split(' ')), steps).toBe(PURPOSE);
    expect(await valueOf(), `${steps} of ${before.join(', ')}`).toEqual(found);
    const reply = await server.send('OWN.ALL', 'k', ...steps.split(' '));
    expect(reply, steps).not.toMatch(/^-/);
  }
  expect(await server.send('OWN.COUNT', 'k')).toBe(':0\r\n');
});

test('nobody hears of it', async () => {
  const stream = await ReplicationStream.of(server);
  await server.send('CONFIG', 'SET', 'notify-keyspace-events', 'KEA');
  const [watcher, listener, tracker, cache] = await Promise.all(Array.from({ length: 4 }, () => server.connect()));
  await prepare(['SET k v']);
  await stream.commands();
  expect(await watcher!.send('WATCH', 'k')).toBe(OK);
  await listener!.send('SUBSCRIBE', '__keyspace@0__:k');
  const id = (await cache!.send('CLIENT', 'ID')).trim().slice(1);
  await cache!.send('SUBSCRIBE', '__redis__:invalidate');
  await tracker!.send('CLIENT', 'TRACKING', 'on', 'REDIRECT', id);
  await tracker!.send('GET', 'k');
  expect(await server.send('OWN.FAIL', 'k', ...'set w , append x , expire 1000 , delete'.split(' '))).toBe(PURPOSE);
  await watcher!.send('MULTI');
  expect(await watcher!.send('EXEC')).toBe('*0\r\n');
  await server.send('PUBLISH', '__keyspace@0__:k', 'end');
  expect(await listener!.next()).toContain('end');
  await server.send('PUBLISH', '__redis__:invalidate', 'end');
  expect(await cache!.next()).toContain('end');
  expect((await stream.commands()).filter(([name]) => name !== 'PUBLISH')).toEqual([]);
});

test('several changes are one unit of replication, in their order', async () => {
  const stream = await ReplicationStream.of(server);
  await server.send('OWN.ALL', 'k', ...`set v , append w , expireAt ${LATER} , delete , rpush a`.split(' '));
  expect(await stream.commands()).toEqual([
    ['MULTI'],
    ['SET', 'k', 'v'],
    ['APPEND', 'k', 'w'],
    ['PEXPIREAT', 'k', LATER],
    ['DEL', 'k'],
    ['RPUSH', 'k', 'a'],
    ['EXEC'],
  ]);
});

test('a time limit and a type that does not fit take all back too', async () => {
  await prepare(['SET k v']);
  expect(await server.send('OWN.ALL', 'k', ...'set w , delete , rpush a , incr 1'.split(' '))).toMatch(/^-WRONGTYPE /);
  expect(await valueOf()).toEqual(['+string', 'v', -1]);
  await server.send('CONFIG', 'SET', 'wasm.time-limit', '100');
  expect(await server.send('OWN.LOOP', 'k', ...'set w , append x'.split(' '))).toMatch(/^-ERR module own: it ran longer/);
  expect(await valueOf()).toEqual(['+string', 'v', -1]);
  await server.send('CONFIG', 'SET', 'wasm.time-limit', '5000');
});

test('a server without replicas and file counts a change once', async () => {
  const changes = async () => Number((await server.info('persistence')).rdb_changes_since_last_save);
  const before = await changes();
  await server.send('OWN.ALL', 'k', ...'set v , append w'.split(' '));
  expect(await changes()).toBeGreaterThan(before);
});

test('what a call of the server has written stays, with what came before it; the rest does not', async () => {
  const stream = await ReplicationStream.of(server);
  expect(await server.send('OWN.MIX', 'k')).toBe(PURPOSE);
  expect(await valueOf()).toEqual(['+string', 'by keys and by a call', -1]);
  expect(await server.send('OWN.COUNT', 'k')).toBe(':0\r\n');
  expect(await stream.commands()).toEqual([['MULTI'], ['SET', 'k', 'by keys'], ['APPEND', 'k', ' and by a call'], ['EXEC']]);
});

test('a call that only reads finds what was changed, and settles nothing', async () => {
  await prepare(['HSET k f v']);
  expect(await server.send('OWN.READ', 'k')).toBe(PURPOSE);
  expect(await valueOf()).toEqual(['+hash', [['f', 'v']], -1]);
});

test('in a transaction and in a script as well', async () => {
  await prepare(['SET k v']);
  await server.send('MULTI');
  await server.send('OWN.FAIL', 'k', 'set', 'w');
  await server.send('OWN.ALL', 'k', 'append', 'x');
  expect(await server.send('EXEC')).toBe('*2\r\n-ON purpose\r\n:2\r\n');
  expect(await server.send('EVAL', "redis.pcall('OWN.FAIL', 'k', 'set', 'w') return redis.call('GET', 'k')", '1', 'k')).toBe(
    '$2\r\nvx\r\n',
  );
});

test('a query changes nothing, and a command only what it declares', async () => {
  await prepare(['SET k v']);
  expect(await server.send('OWN.LOOK', 'k', 'get')).toBe('$1\r\nv\r\n');
  expect(await server.send('OWN.LOOK', 'k', 'set', 'w')).toBe('-ERR a query cannot write: a command() can\r\n');
  expect(await server.send('OWN.OTHER', 'k', 'other')).toMatch(/^-ERR the command does not declare the key other/);
  expect(await server.send('OWN.OTHER', 'k', 'k')).toBe('$1\r\nv\r\n');
  expect(await server.send('OWN.COPY', 'k', 'target')).toBe(OK);
  expect(await server.send('GET', 'target')).toBe('$1\r\nv\r\n');
  expect(await server.send('OWN.BACK', 'k', 'target')).toMatch(/^-ERR the command only reads the key k/);
  expect(await valueOf()).toEqual(['+string', 'v', -1]);
});

test('a large value that is deleted and used again is refused, and is there', async () => {
  const other: TestServer = await startServer({ module: [HOST_FILE, OWN_FILE] });
  // Bytes that no file makes smaller.
  const fill = `local bytes = {} for index = 1, 65536 do bytes[index] = string.char(math.random(0, 255)) end
    redis.call('LPUSH', KEYS[1], string.rep(table.concat(bytes), 1100))`;
  await other.send('EVAL', fill, '1', 'l');
  expect(await other.send('OWN.ALL', 'l', ...'delete , set v'.split(' '))).toMatch(/^-ERR a value of over 64 MiB is deleted/);
  expect(await other.send('LLEN', 'l')).toBe(':1\r\n');
  expect(await other.send('OWN.DO', 'l', 'delete')).toBe(':1\r\n');
  expect(await other.send('EXISTS', 'l')).toBe(':0\r\n');
});
