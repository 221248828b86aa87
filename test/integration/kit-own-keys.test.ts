/**
 * The functions of `keys` beside the server's own commands: the same reply, the same value, deadline and
 * events, the same for WATCH, client-side caching, and a replica.
 */
import { expect, test } from 'vitest';
import { OWN_FILE } from '../support/own.ts';
import type { RawConnection } from '../support/raw.ts';
import { caughtUp, follow, usePair } from '../support/replication.ts';
import { pairs, parseReply, type Reply } from '../support/reply.ts';
import { hasFieldDeadlines, HOST_FILE, type TestServer } from '../support/server.ts';

const OK = '+OK\r\n';
const { primary, replica } = usePair({ module: [HOST_FILE, OWN_FILE] }, { module: [HOST_FILE, OWN_FILE] });

const LATER = String(Date.now() + 3_600_000);
const LATE = String(Date.now() + 7_200_000);
const LONG = 'x'.repeat(3000);
const HASH = 'HSET k f 1 g two';
const LIST = 'RPUSH k a b c';
const ZSET = 'ZADD k 1 a 2 b 3.5 c';

/** What is there before; what `keys` does; the server's command of the same meaning. */
const CASES: [before: string[], own: string, native: string][] = [
  [[], 'exists', 'EXISTS k'],
  [['SET k v'], 'exists', 'EXISTS k'],
  [[], 'delete', 'DEL k'],
  [['SET k v'], 'delete', 'DEL k'],
  [[HASH, `PEXPIREAT k ${LATER}`], 'delete', 'DEL k'],
  [['SADD k a b'], 'delete', 'DEL k'],
  [[], `expireAt ${LATER}`, `PEXPIREAT k ${LATER}`],
  [['SET k v'], `expireAt ${LATER}`, `PEXPIREAT k ${LATER}`],
  [[LIST, `PEXPIREAT k ${LATE}`], `expireAt ${LATER}`, `PEXPIREAT k ${LATER}`],
  [[LIST], 'expireAt 1', 'PEXPIREAT k 1'],
  [[], 'expireAt 1', 'PEXPIREAT k 1'],
  [['SET k v'], 'persist', 'PERSIST k'],
  [['SET k v', `PEXPIREAT k ${LATER}`], 'persist', 'PERSIST k'],
  [[], 'persist', 'PERSIST k'],
  [[], 'get', 'GET k'],
  [['SET k 17'], 'get', 'GET k'],
  [['SET k some-text'], 'get', 'GET k'],
  [[`SET k ${LONG}`], 'get', 'GET k'],
  [[HASH], 'get', 'GET k'],
  [[], 'set v', 'SET k v'],
  [['SET k old', `PEXPIREAT k ${LATER}`], 'set v', 'SET k v'],
  [['SET k old', `PEXPIREAT k ${LATER}`], 'setKeep v', 'SET k v KEEPTTL'],
  [[], 'setKeep v', 'SET k v KEEPTTL'],
  [[], `setAt v ${LATER}`, `SET k v PXAT ${LATER}`],
  [['SET k old', `PEXPIREAT k ${LATE}`], `setAt v ${LATER}`, `SET k v PXAT ${LATER}`],
  [[HASH], `set ${LONG}`, `SET k ${LONG}`],
  [[], 'incr 5', 'INCRBY k 5'],
  [['SET k 17', `PEXPIREAT k ${LATER}`], 'incr -20', 'INCRBY k -20'],
  [['SET k x'], 'incr 1', 'INCRBY k 1'],
  [['SET k 017'], 'incr 1', 'INCRBY k 1'],
  [['SET k 9223372036854775807'], 'incr 1', 'INCRBY k 1'],
  [[LIST], 'incr 1', 'INCRBY k 1'],
  [[], 'append tail', 'APPEND k tail'],
  [['SET k 17', `PEXPIREAT k ${LATER}`], 'append tail', 'APPEND k tail'],
  [[`SET k ${LONG}`], `append ${LONG}`, `APPEND k ${LONG}`],
  [[ZSET], 'append tail', 'APPEND k tail'],
  [[], 'strlen', 'STRLEN k'],
  [['SET k 170'], 'strlen', 'STRLEN k'],
  [[HASH], 'strlen', 'STRLEN k'],
  [[], 'hget f', 'HGET k f'],
  [[HASH], 'hget g', 'HGET k g'],
  [[HASH], 'hget none', 'HGET k none'],
  [['SET k v'], 'hget f', 'HGET k f'],
  [[HASH], 'hexists f', 'HEXISTS k f'],
  [[], 'hset f v', 'HSET k f v'],
  [[HASH, `PEXPIREAT k ${LATER}`], 'hset f other', 'HSET k f other'],
  [[HASH], `hset new ${LONG}`, `HSET k new ${LONG}`],
  [['SET k v'], 'hset f v', 'HSET k f v'],
  [[HASH], 'hdel f', 'HDEL k f'],
  [[HASH], 'hdel none', 'HDEL k none'],
  [['HSET k f 1', `PEXPIREAT k ${LATER}`], 'hdel f', 'HDEL k f'],
  [[], 'hdel f', 'HDEL k f'],
  [[], 'hincrby f 3', 'HINCRBY k f 3'],
  [[HASH], 'hincrby f -3', 'HINCRBY k f -3'],
  [[HASH], 'hincrby g 1', 'HINCRBY k g 1'],
  [[HASH], 'hlen', 'HLEN k'],
  [['HSET k f 1'], 'hgetall', 'HGETALL k'],
  [[], 'hgetall', 'HGETALL k'],
  [[], 'zadd 1.5 m', 'ZADD k 1.5 m'],
  [[ZSET, `PEXPIREAT k ${LATER}`], 'zadd 7 a', 'ZADD k 7 a'],
  [[ZSET], 'zadd 1 a', 'ZADD k 1 a'],
  [['SET k v'], 'zadd 1 a', 'ZADD k 1 a'],
  [[ZSET], 'zincrby 2 a', 'ZINCRBY k 2 a'],
  [[], 'zincrby 2 a', 'ZINCRBY k 2 a'],
  [[ZSET], 'zrem b', 'ZREM k b'],
  [[ZSET], 'zrem none', 'ZREM k none'],
  [['ZADD k 1 a', `PEXPIREAT k ${LATER}`], 'zrem a', 'ZREM k a'],
  [[ZSET], 'zscore c', 'ZSCORE k c'],
  [[ZSET], 'zscore none', 'ZSCORE k none'],
  [[ZSET], 'zcard', 'ZCARD k'],
  [[ZSET], 'zrange 1 3 10', 'ZRANGE k 1 3 BYSCORE LIMIT 0 10'],
  [[ZSET], 'zrange 1 9 2', 'ZRANGE k 1 9 BYSCORE LIMIT 0 2'],
  [[], 'zrange 1 9 2', 'ZRANGE k 1 9 BYSCORE LIMIT 0 2'],
  [[], 'lpush v', 'LPUSH k v'],
  [[LIST, `PEXPIREAT k ${LATER}`], 'lpush v', 'LPUSH k v'],
  [[LIST], `rpush ${LONG}`, `RPUSH k ${LONG}`],
  [[HASH], 'rpush v', 'RPUSH k v'],
  [[LIST], 'lpop', 'LPOP k'],
  [['RPUSH k a', `PEXPIREAT k ${LATER}`], 'rpop', 'RPOP k'],
  [[], 'rpop', 'RPOP k'],
  [[LIST], 'lindex -1', 'LINDEX k -1'],
  [[LIST], 'lindex 7', 'LINDEX k 7'],
  [[LIST], 'lset 1 v', 'LSET k 1 v'],
  [[LIST], 'lset -3 v', 'LSET k -3 v'],
  [[LIST], 'lset 7 v', 'LSET k 7 v'],
  [[], 'lset 0 v', 'LSET k 0 v'],
  [[LIST], 'llen', 'LLEN k'],
];

/** All of a key that clients can see. */
async function valueOf(connection: RawConnection): Promise<Reply[]> {
  const type = (await connection.send('TYPE', 'k')).trim();
  const ask: Record<string, string[]> = {
    '+string': ['GET', 'k'],
    '+hash': ['HGETALL', 'k'],
    '+list': ['LRANGE', 'k', '0', '-1'],
    '+zset': ['ZRANGE', 'k', '0', '-1', 'WITHSCORES'],
    '+set': ['SMEMBERS', 'k'],
  };
  const words = ask[type];
  const found = words === undefined ? null : parseReply(await connection.send(...words));
  // A large hash has no order.
  const value = type === '+hash' ? pairs(found as Reply[]).sort() : found;
  return [type, value, parseReply(await connection.send('PEXPIRETIME', 'k'))];
}

interface Seen {
  reply: Reply | undefined;
  value: Reply[];
  onReplica: Reply[];
  events: Reply[];
  watched: boolean;
  invalidated: boolean;
  changes: number;
}

const changes = async (server: TestServer): Promise<number> => Number((await server.info('persistence')).rdb_changes_since_last_save);

/** What a command does to a key, and what others hear of it. */
async function outcome(before: string[], words: string[]): Promise<Seen> {
  for (const line of ['FLUSHALL', ...before]) await primary.send(...line.split(' '));
  await primary.send('CONFIG', 'SET', 'notify-keyspace-events', 'KEA');
  const connections = await Promise.all(Array.from({ length: 6 }, () => primary.connect()));
  const [writer, watcher, listener, tracker, cache, reader] = connections;
  await listener!.send('PSUBSCRIBE', '__keyspace@0__:k');
  expect(await watcher!.send('WATCH', 'k')).toBe(OK);
  const id = (await cache!.send('CLIENT', 'ID')).trim().slice(1);
  await cache!.send('SUBSCRIBE', '__redis__:invalidate');
  expect(await tracker!.send('CLIENT', 'TRACKING', 'on', 'REDIRECT', id)).toBe(OK);
  await tracker!.send('EXISTS', 'k');
  const counted = await changes(primary);
  const reply = parseReply(await writer!.send(...words));
  const count = (await changes(primary)) - counted;
  await watcher!.send('MULTI');
  const watched = (await watcher!.send('EXEC')) === '*-1\r\n';
  await primary.send('PUBLISH', '__redis__:invalidate', 'end');
  const invalidated = !(await cache!.next()).includes('end');
  await primary.send('PUBLISH', '__keyspace@0__:k', 'end');
  const events: Reply[] = [];
  for (let event = ''; event !== 'end';) {
    event = String((parseReply(await listener!.next()) as Reply[])[3]);
    // Valkey 9.1 calls it so where a deadline that has passed deletes a key; before it is a deletion.
    if (event !== 'end') events.push(event === 'expired' ? 'del' : event);
  }
  await caughtUp(primary, replica);
  const value = await valueOf(reader!);
  const follower = await replica.connect();
  const onReplica = await valueOf(follower);
  for (const connection of [...connections, follower]) connection.close();
  const isError = reply instanceof Error;
  return {
    reply: isError ? reply.message : reply,
    value,
    onReplica,
    events,
    watched,
    invalidated,
    changes: Math.min(count, 1),
  };
}

test('each does what the command of the server does', async () => {
  await follow(replica, primary);
  const differences: unknown[] = [];
  for (const [before, own, native] of CASES) {
    const wanted = await outcome(before, native.split(' '));
    const found = await outcome(before, ['OWN.DO', 'k', ...own.split(' ')]);
    const isEqual = JSON.stringify([found, found.onReplica]) === JSON.stringify([wanted, found.value]);
    if (!isEqual) differences.push({ before, own, found, wanted });
  }
  expect(differences).toEqual([]);
}, 300_000);

test.runIf(hasFieldDeadlines)('a field with a deadline of its own is the same on a replica', async () => {
  await follow(replica, primary);
  for (const line of ['HSET k f 10', 'HEXPIRE k 1000 FIELDS 1 f', 'OWN.DO k hincrby f 5']) await primary.send(...line.split(' '));
  await caughtUp(primary, replica);
  const left = (server: TestServer) => server.send('HTTL', 'k', 'FIELDS', '1', 'f');
  expect([await left(primary), await left(replica)]).toEqual(['*1\r\n:-1\r\n', '*1\r\n:-1\r\n']);
  expect(await replica.send('HGET', 'k', 'f')).toBe('$2\r\n15\r\n');
});
