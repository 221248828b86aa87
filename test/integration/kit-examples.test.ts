/** The examples of the kit, and beside each its twin in Lua: what both answer to the same commands. */
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { buildKit } from '../support/kit.ts';
import type { RawConnection } from '../support/raw.ts';
import { parseReply, type Reply } from '../support/reply.ts';
import { exchangesOf, shown, words } from '../support/transcript.ts';
import { eventually, HASHMAP_FILE, HOST_FILE, ROOT, SESSION_FILE, useServer } from '../support/server.ts';

const FOLDER = path.join(ROOT, 'kit/examples');
const names = readdirSync(FOLDER)
  .filter((name) => name.endsWith('.ts'))
  .map((name) => path.basename(name, '.ts'));
/** What no function of the server can do: it runs without a command. */
const ALONE = ['rollup', 'signout'];
const modules = await buildKit(names.map((name) => path.join(FOLDER, `${name}.ts`)));
const server = useServer({ module: [HOST_FILE, HASHMAP_FILE, SESSION_FILE, ...modules] });

/** The twins have a database of their own: some modules use the server's own keys, as they do. */
let twins: RawConnection;

beforeAll(async () => {
  twins = await server.connect();
  expect(await twins.send('SELECT', '1')).toBe('+OK\r\n');
  for (const name of names.filter((each) => !ALONE.includes(each))) {
    expect(await server.send('FUNCTION', 'LOAD', readFileSync(path.join(FOLDER, `${name}.lua`), 'utf8'))).toBe(bulkOf(name));
  }
});

const bulkOf = (text: string) => `$${text.length}\r\n${text}\r\n`;

type Call = [name: string, ...args: string[]];
const ofModule = (...call: Call) => server.send(...call);
const ofTwin = ([name, ...args]: Call) => twins.send('FCALL', name.toLowerCase().replace('.', '_'), '1', ...args);
const WAYS = [
  ['module', ofModule],
  ['twin', (...call: Call) => ofTwin(call)],
] as const;

/** What both answer, byte for byte the same. */
async function both(...call: Call): Promise<Reply> {
  const reply = await ofModule(...call);
  expect(await ofTwin(call), `the twin of ${call.join(' ')}`).toBe(reply);
  return parseReply(reply);
}

test('each is short, has its twin, and is TypeScript to an editor', () => {
  expect(names).toEqual([
    ...['board', 'flag', 'limit', 'lock', 'memo', 'once', 'queue', 'rollup', 'signout', 'slide', 'stock', 'visits', 'window'],
  ]);
  for (const name of names)
    expect(
      readFileSync(path.join(FOLDER, `${name}.ts`), 'utf8')
        .trimEnd()
        .split('\n').length,
      name,
    ).toBeLessThanOrEqual(40);
  const { stdout } = spawnSync(process.execPath, [path.join(ROOT, 'node_modules/typescript/bin/tsc'), '-p', FOLDER], { encoding: 'utf8' });
  expect(stdout).toBe('');
});

test('docs/KIT-EXAMPLES.md shows each as it is, with its commands', () => {
  const page = readFileSync(path.join(ROOT, 'docs/KIT-EXAMPLES.md'), 'utf8');
  const blocks = [...page.matchAll(/^```ts\n([^]*?)^```/gm)].map(([, text]) => text);
  expect(blocks.sort()).toEqual(names.map((name) => readFileSync(path.join(FOLDER, `${name}.ts`), 'utf8')).sort());
  const table = page
    .split('\n')
    .filter((line) => line.startsWith('|'))
    .join();
  const commands = blocks.flatMap((text) => [...text!.matchAll(/^(?:command|query)\("([\w.]+)"/gm)].map(([, name]) => name!));
  expect([...table.matchAll(/`([A-Z]+\.[A-Z]+)/g)].map(([, name]) => name!).sort()).toEqual(commands.sort());
});

test('README.md shows one of them, and what it answers', async () => {
  const page = readFileSync(path.join(ROOT, 'README.md'), 'utf8');
  expect(/^```ts\n([^]*?)^```/m.exec(page)?.[1]).toBe(readFileSync(path.join(FOLDER, 'limit.ts'), 'utf8'));
  const exchanges = exchangesOf(/^```\n(> [^]*?)^```/m.exec(page)?.[1] ?? '');
  expect(exchanges).toHaveLength(2);
  for (const { line, reply } of exchanges) expect(shown(await server.send(...words(line)))).toEqual(reply);
});

describe('limit, a token bucket', () => {
  const take = (...args: string[]) => both('LIMIT.TAKE', 'key', ...args);

  test('gives until it is empty', async () => {
    for (const left of [2, 1, 0]) expect(await take('3', '0.001')).toEqual([1, left]);
    expect(await take('3', '0.001')).toEqual([0, 0]);
  });

  test('takes several at once or none', async () => {
    expect(await take('10', '0.001', 'COST', '7')).toEqual([1, 3]);
    expect(await take('10', '0.001', 'COST', '4')).toEqual([0, 3]);
    expect(await take('10', '0.001', 'COST', '3')).toEqual([1, 0]);
  });

  test.each(WAYS)('fills again: %s', async (_, send) => {
    expect(await send('LIMIT.TAKE', 'key', '1', '1000')).toBe('*2\r\n:1\r\n:0\r\n');
    expect(
      await eventually(
        () => send('LIMIT.TAKE', 'key', '1', '1000'),
        (reply) => reply.includes(':1'),
      ),
    ).toBe('*2\r\n:1\r\n:0\r\n');
  });

  test('refuses a bucket that holds or gains nothing', async () => {
    for (const [capacity, refill] of [
      ['0', '1'],
      ['1', '0'],
    ] as const)
      expect(await take(capacity, refill)).toEqual(new Error('ERR capacity and refill must be over 0'));
  });
});

describe.each([
  ['window', 'WINDOW.HIT'],
  ['slide', 'SLIDE.HIT'],
])('%s, a sliding window', (_, name) => {
  test('lets as many through as the limit says, and tells how long the next has to wait', async () => {
    for (const [, send] of WAYS) {
      for (const left of [2, 1, 0]) expect(await send(name, 'key', '3', '600000')).toBe(`*3\r\n:1\r\n:${left}\r\n:0\r\n`);
      const [isThrough, left, wait] = parseReply(await send(name, 'key', '3', '600000')) as number[];
      expect([isThrough, left]).toEqual([0, 0]);
      expect(wait).toBeGreaterThan(300_000);
      expect(wait).toBeLessThanOrEqual(600_000);
    }
  });

  test.each(WAYS)('forgets what fell out of it: %s', async (_, send) => {
    const hit = () => send(name, 'key', '2', '1');
    for (let times = 0; times < 5; times++) expect(await eventually(hit, (reply) => reply.startsWith('*3\r\n:1'))).toMatch(/:0\r\n$/);
    expect(await eventually(hit, (reply) => reply === '*3\r\n:1\r\n:1\r\n:0\r\n')).toMatch(/^\*3\r\n:1\r\n:1/);
  });

  test('refuses a limit or a window of 0', async () => {
    expect(await both(name, 'key', '0', '1')).toEqual(new Error('ERR limit and window must be over 0'));
    expect(await both(name, 'key', '1', '0')).toEqual(new Error('ERR limit and window must be over 0'));
  });
});

describe('board, a leaderboard', () => {
  const add = (user: string, points: number) => both('BOARD.ADD', 'key', user, String(points));

  test('keeps users in order while their points change', async () => {
    expect([await add('ann', 10), await add('bob', 30), await add('cid', 20)]).toEqual([10, 30, 20]);
    expect(await both('BOARD.TOP', 'key', '10')).toEqual(['bob', 30, 'cid', 20, 'ann', 10]);
    expect(await add('ann', 15)).toBe(25);
    expect(await add('bob', -40)).toBe(-10);
    expect(await both('BOARD.TOP', 'key', '2')).toEqual(['ann', 25, 'cid', 20]);
    expect(await both('BOARD.TOP', 'key', '2', 'FROM', '1')).toEqual(['cid', 20, 'bob', -10]);
    expect(await Promise.all(['ann', 'cid', 'bob', 'dan'].map((user) => both('BOARD.RANK', 'key', user)))).toEqual([0, 1, 2, null]);
  });

  test('has users of the same points by name', async () => {
    for (const user of ['eve', 'ann', 'dan', '\xff', 'B']) await add(user, 5);
    expect(await both('BOARD.TOP', 'key', '5')).toEqual(['B', 5, 'ann', 5, 'dan', 5, 'eve', 5, '\xff', 5]);
  });

  test('has pages beyond its end, and boards that are not there', async () => {
    await add('ann', 1);
    expect(await both('BOARD.TOP', 'key', '5', 'FROM', '1')).toEqual([]);
    expect(await both('BOARD.TOP', 'key', '0')).toEqual([]);
    expect(await both('BOARD.TOP', 'other', '5')).toEqual([]);
    expect(await both('BOARD.RANK', 'other', 'ann')).toBeNull();
    expect(await both('BOARD.TOP', 'key', '-1')).toEqual(new Error('ERR count and place must not be below 0'));
  });
});

describe('flag, features with a roll-out', () => {
  const set = (...args: string[]) => both('FLAG.SET', 'key', ...args);
  const users = Array.from({ length: 300 }, (_, number) => `user${number}`);
  const having = async (key = 'key') => {
    const replies = await Promise.all(users.map((user) => both('FLAG.HAS', key, user)));
    return users.filter((_, index) => replies[index] === 1);
  };

  test('gives a part of the users the feature, who keep it as it grows', async () => {
    expect(await having()).toEqual([]);
    expect(await set('20')).toBe('OK');
    const few = await having();
    expect(few.length).toBeGreaterThan(30);
    expect(few.length).toBeLessThan(90);
    expect(await set('70')).toBe('OK');
    const most = await having();
    expect(most.length).toBeGreaterThan(180);
    expect(most.length).toBeLessThan(240);
    expect(few.filter((user) => !most.includes(user))).toEqual([]);
    expect(await set('100')).toBe('OK');
    expect(await having()).toEqual(users);
  });

  test('has other users for another feature', async () => {
    expect([await set('20'), await both('FLAG.SET', 'other', '20')]).toEqual(['OK', 'OK']);
    expect(await having('other')).not.toEqual(await having());
  });

  test('lets users in and keeps users out by name', async () => {
    expect(await set('0', 'ALLOW', 'ann', 'bob', 'DENY', 'bob', 'cid')).toBe('OK');
    expect(await Promise.all(['ann', 'bob', 'cid'].map((user) => both('FLAG.HAS', 'key', user)))).toEqual([1, 0, 0]);
    expect(await set('100', 'DENY', 'cid')).toBe('OK');
    expect(await Promise.all(['ann', 'bob', 'cid'].map((user) => both('FLAG.HAS', 'key', user)))).toEqual([1, 1, 0]);
    expect([await both('FLAG.CLEAR', 'key'), await both('FLAG.CLEAR', 'key')]).toEqual([1, 0]);
    expect(await both('FLAG.HAS', 'key', 'ann')).toBe(0);
  });

  test('refuses a percentage that is none', async () => {
    for (const percent of ['-1', '101']) expect(await set(percent)).toEqual(new Error('ERR percent must be from 0 to 100'));
  });
});

test('slide keeps its hits in a sorted set of the server', async () => {
  for (const one of [server, twins]) expect(await one.send('ZADD', 'key', '1', 'long ago', '2', 'long ago too')).toBe(':2\r\n');
  for (const left of [1, 0]) expect(await both('SLIDE.HIT', 'key', '2', '600000')).toEqual([1, left, 0]);
  expect(await server.send('ZCARD', 'key')).toBe(':2\r\n');
  expect(parseReply(await server.send('PTTL', 'key'))).toBeGreaterThan(300_000);
});

describe('lock, with tokens that grow', () => {
  const LONG = '600000';

  test('is held by one, who alone can extend it and give it back', async () => {
    expect([await both('LOCK.ACQUIRE', 'key', LONG), await both('LOCK.ACQUIRE', 'key', LONG)]).toEqual([1, null]);
    for (const token of ['2', '01', 'a token']) {
      expect([await both('LOCK.EXTEND', 'key', token, LONG), await both('LOCK.RELEASE', 'key', token)]).toEqual([0, 0]);
    }
    expect(await both('LOCK.EXTEND', 'key', '1', '900000')).toBe(1);
    expect(parseReply(await server.send('PTTL', 'key'))).toBeGreaterThan(600_000);
    expect([await both('LOCK.RELEASE', 'key', '1'), await both('LOCK.RELEASE', 'key', '1')]).toEqual([1, 0]);
    expect([await both('LOCK.EXTEND', 'key', '1', LONG), await both('LOCK.ACQUIRE', 'key', LONG)]).toEqual([0, 2]);
    expect(await server.send('GET', 'key')).toBe('$1\r\n2\r\n');
  });

  test.each(WAYS)('is free again after its time, and its old token is worth nothing: %s', async (_, send) => {
    expect(await send('LOCK.ACQUIRE', 'key', '1')).toBe(':1\r\n');
    const acquire = () => send('LOCK.ACQUIRE', 'key', LONG);
    expect(await eventually(acquire, (reply) => reply !== '$-1\r\n')).toBe(':2\r\n');
    expect([await send('LOCK.EXTEND', 'key', '1', LONG), await send('LOCK.RELEASE', 'key', '1')]).toEqual([':0\r\n', ':0\r\n']);
  });

  test('refuses no time at all', async () => {
    expect(await both('LOCK.ACQUIRE', 'key', '0')).toEqual(new Error('ERR ms must be over 0'));
    expect(await both('LOCK.EXTEND', 'key', '1', '0')).toEqual(new Error('ERR ms must be over 0'));
    expect(await both('LOCK.ACQUIRE', 'key', LONG)).toBe(1);
  });
});

describe.each(WAYS)('memo, a cache that one caller fills: %s', (_, send) => {
  const get = async (lease = '600000') => parseReply(await send('MEMO.GET', 'key', lease)) as [string | null, string | null];
  const store = (lease: string | null, value: string, ...more: string[]) => send('MEMO.SET', 'key', lease ?? '', value, ...more);

  test('has one compute what is missing, and the others wait', async () => {
    const [value, lease] = await get();
    expect([value, typeof lease]).toEqual([null, 'string']);
    expect(await get()).toEqual([null, null]);
    expect([await store('another', 'no', '600000'), await store(lease, '\0\xff', '600000')]).toEqual([':0\r\n', ':1\r\n']);
    expect(await get()).toEqual(['\0\xff', null]);
    expect(await store(lease, 'again', '600000')).toBe(':0\r\n');
  });

  test('has one compute what is stale, and the others use it meanwhile', async () => {
    const [, first] = await get();
    expect(await store(first, 'old', '1', 'STALE', '600000')).toBe(':1\r\n');
    const [value, lease] = await eventually(get, ([, granted]) => granted !== null);
    expect(value).toBe('old');
    expect(await get()).toEqual(['old', null]);
    expect(await store(lease, 'new', '600000')).toBe(':1\r\n');
    expect(await get()).toEqual(['new', null]);
  });

  test('gives the lease to another one when it is over', async () => {
    const [, first] = await get('1');
    const [value, second] = await eventually(get, ([, granted]) => granted !== null);
    expect(value).toBeNull();
    expect([await store(first, 'late', '600000'), await store(second, 'in time', '600000')]).toEqual([':0\r\n', ':1\r\n']);
  });

  test('stores nothing that was computed before it was dropped', async () => {
    const [, lease] = await get();
    expect([await send('MEMO.DROP', 'key'), await store(lease, 'old', '600000')]).toEqual([':0\r\n', ':0\r\n']);
    const [, next] = await get();
    expect([await store(next, 'new', '600000'), await send('MEMO.DROP', 'key')]).toEqual([':1\r\n', ':1\r\n']);
    expect((await get())[0]).toBeNull();
  });

  test('computes anew what the server has evicted, or another client deleted', async () => {
    const [, lease] = await get();
    expect(await store(lease, 'value', '600000')).toBe(':1\r\n');
    const owner = send === ofModule ? server : twins;
    expect([await owner.send('GET', 'key'), await owner.send('DEL', 'key')]).toEqual(['$5\r\nvalue\r\n', ':1\r\n']);
    const [value, next] = await get();
    expect([value, typeof next]).toEqual([null, 'string']);
  });

  test('refuses times that are none', async () => {
    expect(await send('MEMO.GET', 'key', '0')).toBe('-ERR lease must be over 0\r\n');
    for (const times of [['0'], ['1', 'STALE', '-1']]) {
      expect(await store('lease', 'value', ...times)).toBe('-ERR ms must be over 0, and STALE not below\r\n');
    }
  });
});

describe('once, idempotency keys', () => {
  test('does a request once, and answers it again', async () => {
    expect(await both('ONCE.BEGIN', 'key', 'digest', '600000')).toBeNull();
    expect(await both('ONCE.BEGIN', 'key', 'digest', '600000')).toEqual(new Error('INPROGRESS this request is under way'));
    expect(await both('ONCE.END', 'key', 'digest', '201 \0 created', '600000')).toBe('OK');
    expect(await both('ONCE.BEGIN', 'key', 'digest', '600000')).toBe('201 \0 created');
    expect(await both('ONCE.BEGIN', 'key', 'other', '600000')).toEqual(new Error('MISMATCH this key belongs to another request'));
    expect(await both('ONCE.CANCEL', 'key', 'digest')).toBe(0);
  });

  test('can be tried again after a failure', async () => {
    expect(await both('ONCE.CANCEL', 'key', 'digest')).toBe(0);
    expect(await both('ONCE.BEGIN', 'key', 'digest', '600000')).toBeNull();
    expect(await both('ONCE.CANCEL', 'key', 'other')).toBe(0);
    expect(await both('ONCE.CANCEL', 'key', 'digest')).toBe(1);
    expect(await both('ONCE.BEGIN', 'key', 'digest', '600000')).toBeNull();
  });

  test.each(WAYS)('can be tried again after its lease: %s', async (_, send) => {
    const begin = () => send('ONCE.BEGIN', 'key', 'digest', '1');
    expect(await begin()).toBe('$-1\r\n');
    expect(await eventually(begin, (reply) => reply === '$-1\r\n')).toBe('$-1\r\n');
    const end = () => send('ONCE.END', 'late', 'digest', 'answer', '600000');
    expect(await end()).toBe('-EXPIRED the lease of this request is over\r\n');
  });

  test('refuses a lease of 0', async () => {
    expect(await both('ONCE.BEGIN', 'key', 'digest', '0')).toEqual(new Error('ERR lease must be over 0'));
  });
});

describe('queue, delayed jobs', () => {
  test('are taken in their order, once, and are gone when they are done', async () => {
    expect([await both('QUEUE.PUSH', 'key', 'one'), await both('QUEUE.PUSH', 'key', '\0\xff')]).toEqual([1, 2]);
    for (const [, send] of WAYS) {
      const [id, until, tries, payload] = parseReply(await send('QUEUE.TAKE', 'key', '600000')) as [number, number, number, string];
      expect([id, tries, payload]).toEqual([1, 1, 'one']);
      expect(until).toBeGreaterThan(Date.now());
      expect(await send('QUEUE.DONE', 'key', '1', String(until - 1))).toBe(':0\r\n');
      expect(await send('QUEUE.DONE', 'key', '1', String(until))).toBe(':1\r\n');
      expect(await send('QUEUE.DONE', 'key', '1', String(until))).toBe(':0\r\n');
      expect(await send('QUEUE.TAKE', 'key', '600000')).toMatch(/^\*4\r\n:2\r\n:\d+\r\n:1\r\n\$2\r\n\0\xff\r\n$/);
      expect(await send('QUEUE.TAKE', 'key', '600000')).toMatch(/^[$*]-1\r\n$/);
    }
    expect(await both('QUEUE.LENGTH', 'key')).toBe(1);
  });

  test('come later when they are to', async () => {
    expect(await both('QUEUE.PUSH', 'key', 'later', 'DELAY', '600000')).toBe(1);
    expect(await both('QUEUE.TAKE', 'key', '1')).toBeNull();
    expect(await both('QUEUE.LENGTH', 'key')).toBe(1);
    expect(await both('QUEUE.LENGTH', 'other')).toBe(0);
  });

  test.each(WAYS)('come again when nobody is done with them in time: %s', async (_, send) => {
    expect(await send('QUEUE.PUSH', 'key', 'job', 'DELAY', '1')).toBe(':1\r\n');
    const take = (hide: string) =>
      eventually(
        () => send('QUEUE.TAKE', 'key', hide),
        (reply) => reply.startsWith('*4'),
      );
    const [, early] = parseReply(await take('1')) as number[];
    const [, late, tries] = parseReply(await take('600000')) as number[];
    expect(tries).toBe(2);
    expect(await send('QUEUE.DONE', 'key', '1', String(early))).toBe(':0\r\n');
    expect(await send('QUEUE.DONE', 'key', '1', String(late))).toBe(':1\r\n');
  });

  test('are hidden for some time at least', async () => {
    expect(await both('QUEUE.TAKE', 'key', '0')).toEqual(new Error('ERR hide must be over 0'));
  });
});

describe('visits, counted with HyperLogLog', () => {
  test('counts each once', async () => {
    expect(await both('VISITS.COUNT', 'key', '7')).toBe(0);
    expect(await both('VISITS.ADD', 'key', 'ann', 'bob', 'ann')).toBe('OK');
    expect(await both('VISITS.ADD', 'key', 'bob', 'cid', '\0\xff')).toBe('OK');
    expect(await both('VISITS.COUNT', 'key', '7')).toBe(4);
    expect(await both('VISITS.COUNT', 'key', '0')).toBe(0);
    expect(await both('VISITS.COUNT', 'key', '1000000000')).toBe(4);
    expect(await both('VISITS.COUNT', 'other', '7')).toBe(0);
  });

  test('counts many within some percent', async () => {
    const visitors = Array.from({ length: 20_000 }, (_, number) => `visitor-${number}`);
    for (let at = 0; at < visitors.length; at += 500) expect(await both('VISITS.ADD', 'key', ...visitors.slice(at, at + 500))).toBe('OK');
    for (const [way, send] of WAYS) {
      const count = parseReply(await send('VISITS.COUNT', 'key', '7')) as number;
      expect(Math.abs(count / visitors.length - 1), way).toBeLessThan(0.05);
    }
  });
});

describe('stock, with reservations', () => {
  const add = (item: string, count: number) => both('STOCK.ADD', 'key', item, String(count));
  const hold = (id: string, ...items: string[]) => both('STOCK.HOLD', 'key', id, '600000', ...items);

  test('reserves all or nothing', async () => {
    expect([await add('tea', 5), await add('cup', 1)]).toEqual([5, 1]);
    expect(await hold('a', 'tea', '2', 'cup', '1')).toBe('OK');
    expect(await hold('b', 'tea', '2', 'cup', '1')).toEqual(new Error('OUTOFSTOCK cup: 1 missing'));
    expect(await hold('b', 'tea', '2', 'tea', '2')).toEqual(new Error('OUTOFSTOCK tea: 1 missing'));
    expect([await add('tea', 0), await add('cup', 0)]).toEqual([3, 0]);
    expect(await hold('a', 'tea', '1')).toEqual(new Error('HELD there is a reservation of this id'));
    expect(await add('tea', 0)).toBe(3);
  });

  test('frees what is not sold', async () => {
    expect(await add('tea', 5)).toBe(5);
    expect([await hold('a', 'tea', '2'), await hold('b', 'tea', '3')]).toEqual(['OK', 'OK']);
    expect(await both('STOCK.END', 'key', 'a', 'SOLD')).toBe(1);
    expect(await both('STOCK.END', 'key', 'b')).toBe(1);
    expect(await both('STOCK.END', 'key', 'b')).toBe(0);
    expect(await add('tea', 0)).toBe(3);
    expect(await add('tea', -4)).toEqual(new Error('OUTOFSTOCK tea: 1 missing'));
    expect(await add('tea', -3)).toBe(0);
  });

  test.each(WAYS)('frees what is reserved for too long: %s', async (_, send) => {
    expect(await send('STOCK.ADD', 'key', 'tea', '5')).toBe(':5\r\n');
    expect(await send('STOCK.HOLD', 'key', 'a', '1', 'tea', '5')).toBe('+OK\r\n');
    expect(
      await eventually(
        () => send('STOCK.ADD', 'key', 'tea', '0'),
        (reply) => reply === ':5\r\n',
      ),
    ).toBe(':5\r\n');
    expect(await send('STOCK.END', 'key', 'a', 'SOLD')).toBe(':0\r\n');
  });

  test.each(WAYS)('frees all at once, however many are over: %s', async (_, send) => {
    expect(await send('STOCK.ADD', 'key', 'tea', '1200')).toBe(':1200\r\n');
    const holds = Array.from({ length: 1200 }, (_, at) => send('STOCK.HOLD', 'key', `id${at}`, '500', 'tea', '1'));
    expect(new Set(await Promise.all(holds))).toEqual(new Set(['+OK\r\n']));
    const time = async () => (parseReply(await server.send('TIME')) as string[]).map(Number);
    const made = (await time())[0]!;
    await eventually(time, ([seconds]) => seconds! > made + 1);
    expect(await send('STOCK.ADD', 'key', 'tea', '0')).toBe(':1200\r\n');
  });

  test('refuses to reserve nothing', async () => {
    for (const args of [
      ['0', 'tea', '1'],
      ['1', 'tea', '0'],
    ])
      expect(await both('STOCK.HOLD', 'key', 'a', ...args)).toEqual(new Error('ERR ms and counts must be over 0'));
  });
});

describe('rollup, once a day', () => {
  test('has hits by the day when that is over', async () => {
    const day = Math.floor(Date.now() / 86_400_000) - 2;
    const at = String(day * 86_400_000 + 5_000_000);
    expect(await server.send('ROLLUP.HIT', 'page', 'BY', '7', 'AT', at)).toBe('+OK\r\n');
    expect(await server.send('ROLLUP.HIT', 'page')).toBe('+OK\r\n');
    const days = await eventually(
      () => server.send('ROLLUP.DAY', 'page', String(day)),
      (reply) => reply !== ':0\r\n',
    );
    expect(days).toBe(':7\r\n');
    expect(await server.send('ROLLUP.DAY', 'page', String(day + 2))).toBe(':0\r\n');
    expect(await server.send('ROLLUP.HIT', 'page', 'BY', '0')).toBe('-ERR count must be over 0\r\n');
  });
});

describe('signout, when a user is gone', () => {
  test.each([['DEL'], ['UNLINK'], ['PEXPIRE', '1']])('by %s', async (name, ...words) => {
    await server.send('HSET', 'user:ann', 'name', 'Ann');
    const ids = [parseReply(await server.send('SIGNOUT.IN', 'user:ann')), parseReply(await server.send('SIGNOUT.IN', 'user:bob'))];
    await server.send('SIGNOUT.IN', 'user:ann');
    expect(await server.send('SIGNOUT.COUNT', 'user:ann')).toBe(':2\r\n');
    await server.send(name, 'user:ann', ...words);
    const left = await eventually(
      () => server.send('SIGNOUT.COUNT', 'user:ann'),
      (reply) => reply === ':0\r\n',
    );
    expect(left).toBe(':0\r\n');
    expect(await server.send('SESSION.INFO', String(ids[0]))).toMatch(/^[$*]-1/);
    expect(await server.send('SESSION.INFO', String(ids[1]))).toContain('user:bob');
    expect(await server.send('SESSION.COUNT')).toBe(':1\r\n');
  });
});
