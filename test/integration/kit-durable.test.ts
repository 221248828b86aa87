/**
 * What an author writes no line for: the data of a kit module comes back from files, is on replicas, goes
 * with FLUSHALL, expires everywhere, and is what the server's own rules hold for.
 */
import { createHash } from 'node:crypto';
import { beforeEach, describe, expect, test } from 'vitest';
import { bulk, bulks, type RawConnection } from '../support/raw.ts';
import { caughtUp, follow, Proxy, usePair } from '../support/replication.ts';
import { eventually, hasShortScores, startServer, useServer, type TestServer } from '../support/server.ts';
import { ReplicationStream } from '../support/stream.ts';
import { APPEND_ONLY, ask, infoOf, NIL, OK, state, WITH_TRIAL } from '../support/trial.ts';
import { DIFFICULT_BYTES } from './suites/custom.ts';

const FAR = '32503680000000';
const KEYS = ['key', 'other', '', '\0\xff\r\n'];

/** Something of each kind, with and without deadlines, some of it changed and deleted again. */
async function fill(server: TestServer): Promise<void> {
  const commands = KEYS.flatMap((key) => [
    ['TRIAL.SET', key, `word of ${key}`],
    ['TRIAL.SET', `${key}+`, '', 'UNTIL', FAR],
    ['TRIAL.STORE', key, `\0\r\n\xff${'b'.repeat(70_000)}`],
    ['TRIAL.NOTE', key, 'te\xffxt', '-1.5e300'],
    ['TRIAL.PUT', key, 'one', '1'],
    ['TRIAL.PUT', key, 'two', '-2', 'UNTIL', FAR],
    ['TRIAL.EXPIREALL', key, String(Number(FAR) + 1)],
  ]);
  for (let index = 0; index < 500; index++) commands.push(['TRIAL.SET', `many ${index}`, `${index}`], ['TRIAL.COUNT', String(index - 250)]);
  for (let index = 0; index < 500; index += 3) commands.push(['TRIAL.DEL', `many ${index}`], ['TRIAL.COUNT', String(index - 250)]);
  const replies = await Promise.all(commands.map((command) => server.send(...command)));
  expect(replies.filter((reply) => reply.startsWith('-'))).toEqual([]);
}

const stateOf = (server: TestServer) => state(server, ...KEYS);
/** A moment that is near, by the server's clock. */
const soon = async (server: TestServer, ms = 200) => String(Number((await server.send('TRIAL.NOW')).slice(1)) + ms);

describe('what a module holds', () => {
  const server = useServer({ module: WITH_TRIAL });

  test('comes back by DEBUG RELOAD and from the RDB file', async () => {
    await fill(server);
    const before = await stateOf(server);
    expect(await server.send('DEBUG', 'RELOAD')).toBe(OK);
    expect(await stateOf(server)).toEqual(before);
    expect(await server.send('SAVE')).toBe(OK);
    await server.restart();
    expect(await stateOf(server)).toEqual(before);
    expect(await server.send('TRIAL.DEADLINE', 'key+')).toBe(`:${FAR}\r\n`);
    expect(await server.send('TRIAL.DEADLINEALL', '')).toBe(`:${Number(FAR) + 1}\r\n`);
    // What was loaded can be changed.
    await fill(server);
    expect(await server.send('TRIAL.CHECK')).toBe(OK);
  });

  test('goes with FLUSHALL, and not with FLUSHDB and SWAPDB', async () => {
    await fill(server);
    const before = await stateOf(server);
    await server.send('FLUSHDB');
    expect(await server.send('SWAPDB', '0', '1')).toBe(OK);
    expect(await stateOf(server)).toEqual(before);
    await server.send('FLUSHALL');
    expect(await ask(server, 'TRIAL.DUMP')).toEqual(['sizes 0 0 0 0']);
    expect(await infoOf(server, 'entries')).toBe(0);
    await fill(server);
    expect((await stateOf(server)).slice(1)).toEqual(before.slice(1));
  });

  test.each(DIFFICULT_BYTES)('round-trips %s as a key and a value of text and of Bytes', async (_, bytes) => {
    for (const [set, get] of [
      ['TRIAL.SET', 'TRIAL.GET'],
      ['TRIAL.STORE', 'TRIAL.LOAD'],
    ] as const) {
      expect(await server.send(set, bytes, bytes)).toBe(OK);
      expect(await server.send(get, bytes)).toBe(bulk(bytes));
    }
    await server.send('TRIAL.PUT', bytes, 'x', '1');
    expect(await server.send('DEBUG', 'RELOAD')).toBe(OK);
    expect(await server.send('TRIAL.GET', bytes)).toBe(bulk(bytes));
    expect(await server.send('TRIAL.LOAD', bytes)).toBe(bulk(bytes));
    expect(await server.send('TRIAL.MEMBERS', bytes)).toBe('*2\r\n$1\r\nx\r\n:1\r\n');
    expect(await server.send('TRIAL.CHECK')).toBe(OK);
  });

  test('is counted in INFO', async () => {
    const before = await infoOf(server, 'heap_used');
    await fill(server);
    expect(await infoOf(server, 'heap_used')).toBeGreaterThan(before + KEYS.length * 70_000);
    expect(await infoOf(server, 'entries')).toBeGreaterThan(800);
    for (const field of ['memory_reserved', 'memory_used', 'memory_free', 'traps', 'timeouts', 'damaged', 'expired']) {
      expect(await infoOf(server, field), field).toBeGreaterThanOrEqual(0);
    }
  });

  test('is refused over maxmemory, but reads go on', async () => {
    await server.send('TRIAL.SET', 'key', 'value');
    await server.send('CONFIG', 'SET', 'maxmemory', '1mb');
    expect(await server.send('TRIAL.SET', 'key', 'x')).toMatch(/^-OOM command not allowed/);
    expect(await server.send('TRIAL.GET', 'key')).toBe(bulk('value'));
    await server.send('CONFIG', 'SET', 'maxmemory', '0');
    expect(await server.send('TRIAL.SET', 'key', 'x')).toBe(OK);
  });
});

describe('the append-only file', () => {
  test('has everything, each command as one effect, before and after it is written anew', async () => {
    const server = await startServer({ module: WITH_TRIAL, arguments: APPEND_ONLY });
    const stream = await ReplicationStream.of(server);
    await fill(server);
    await stream.commands();
    await server.send('TRIAL.MOVE', 'key', 'moved');
    expect(await server.send('TRIAL.PUTALL', 'all', '100000', '5')).toBe(':100000\r\n');
    expect((await stream.commands()).map(([name]) => name)).toEqual(['wasm.apply', 'wasm.apply']);
    await server.send('TRIAL.CLEAR', 'other');
    await server.send('TRIAL.EXPIRE', 'many 1', FAR);
    await server.send('TRIAL.EXPIRE', 'many 2', '1');
    const before = await stateOf(server);
    await server.restart();
    expect(await stateOf(server)).toEqual(before);
    await server.send('BGREWRITEAOF');
    await expect.poll(() => server.log).toContain('Background AOF rewrite finished successfully');
    await server.send('TRIAL.SET', 'behind', 'it');
    const after = await stateOf(server);
    await server.restart();
    expect(await stateOf(server)).toEqual(after);
  });
});

describe('a replica', () => {
  const { primary, replica } = usePair({ module: WITH_TRIAL, tcp: true }, { module: WITH_TRIAL });

  test.each(['disabled', 'swapdb'])('synchronises fully (%s) and partially', async (diskless) => {
    await replica.send('CONFIG', 'SET', 'repl-diskless-load', diskless);
    await replica.send('TRIAL.SET', 'own', 'goes');
    await fill(primary);
    const proxy = await Proxy.start(primary);
    await follow(replica, proxy);
    await caughtUp(primary, replica);
    expect(await stateOf(replica)).toEqual(await stateOf(primary));
    const partial = Number((await primary.info('stats')).sync_partial_ok);
    proxy.open = false;
    proxy.cut();
    await primary.send('TRIAL.MOVE', 'key', 'moved');
    await primary.send('TRIAL.PUT', 'key', 'three', '3');
    await primary.send('TRIAL.CLEAR', 'other');
    proxy.open = true;
    await caughtUp(primary, replica);
    expect(await stateOf(replica)).toEqual(await stateOf(primary));
    expect(Number((await primary.info('stats')).sync_partial_ok)).toBe(partial + 1);
    expect(await replica.send('TRIAL.SET', 'key', 'x')).toBe("-READONLY You can't write against a read only replica.\r\n");
    await primary.send('FLUSHALL');
    await primary.send('TRIAL.SET', 'after', 'all');
    await caughtUp(primary, replica);
    expect(await ask(replica, 'TRIAL.DUMP')).toEqual(['word after=all@0', 'sizes 1 0 0 0']);
  });

  test('hides what has expired until the primary says so, as a whole in a key too', async () => {
    const proxy = await Proxy.start(primary);
    await follow(replica, proxy);
    const deadline = await soon(primary, 1000);
    await Promise.all([
      primary.send('TRIAL.SET', 'key', 'value', 'UNTIL', deadline),
      primary.send('TRIAL.PUT', 'in', 'one', '1'),
      primary.send('TRIAL.EXPIREALL', 'in', deadline),
      primary.send('TRIAL.PUT', 'in', 'later', '2'),
      primary.send('TRIAL.SET', 'stays', 'value'),
    ]);
    await caughtUp(primary, replica);
    proxy.open = false;
    proxy.cut();
    await expect.poll(() => replica.send('TRIAL.GET', 'key')).toBe(NIL);
    await expect.poll(() => replica.send('TRIAL.MEMBERS', 'in')).toBe('*0\r\n');
    await expect.poll(() => infoOf(primary, 'entries')).toBe(1);
    // Two entries, one in a key, and what these have in common.
    expect(await infoOf(replica, 'entries')).toBe(5);
    expect(await replica.send('TRIAL.CHECK')).toBe(OK);
    proxy.open = true;
    await expect.poll(() => infoOf(replica, 'entries')).toBe(1);
    expect(await stateOf(replica)).toEqual(await stateOf(primary));
  });

  test('that becomes the primary goes on, and sweeps', async () => {
    await fill(primary);
    await follow(replica, primary);
    await caughtUp(primary, replica);
    await replica.send('REPLICAOF', 'NO', 'ONE');
    await follow(primary, replica);
    const before = await infoOf(replica, 'entries');
    await replica.send('TRIAL.SET', 'stays', 'value');
    await replica.send('TRIAL.SET', 'new', 'value', 'UNTIL', await soon(replica));
    await expect.poll(() => replica.send('TRIAL.DEADLINE', 'new')).toBe(':-1\r\n');
    await expect.poll(() => infoOf(replica, 'entries')).toBe(before + 1);
    await caughtUp(replica, primary);
    expect(await stateOf(primary)).toEqual(await stateOf(replica));
    await primary.send('REPLICAOF', 'NO', 'ONE');
  });
});

describe("the server's rules", () => {
  const server = useServer({ module: WITH_TRIAL });
  beforeEach(async () => {
    await server.send('TRIAL.SET', 'key', 'value');
    await server.send('TRIAL.PUT', 'in', 'one', '1');
  });

  async function login(rules: string): Promise<RawConnection> {
    expect(await server.send('ACL', 'SETUSER', 'someone', 'reset', 'on', 'nopass', ...rules.split(' '))).toBe(OK);
    const client = await server.connect();
    expect(await client.send('AUTH', 'someone', 'x')).toBe(OK);
    return client;
  }

  test('a user limited to some keys reaches no other', async () => {
    const client = await login('~app:* +@all');
    expect(await client.send('TRIAL.SET', 'key', 'x')).toMatch(/^-NOPERM /);
    expect(await client.send('TRIAL.GET', 'key')).toMatch(/^-NOPERM /);
    expect(await client.send('TRIAL.MOVE', 'app:key', 'key')).toMatch(/^-NOPERM /);
    expect(await client.send('TRIAL.SET', 'app:key', 'x')).toBe(OK);
    const reader = await login('%R~* +@all');
    expect(await reader.send('TRIAL.GET', 'key')).toBe(bulk('value'));
    expect(await reader.send('TRIAL.SET', 'key', 'x')).toMatch(/^-NOPERM /);
  });

  test.each([
    ['key', ['TRIAL.SET', 'key', 'x']],
    ['key', ['TRIAL.DEL', 'key']],
    ['key', ['TRIAL.EXPIRE', 'key', FAR]],
    ['in', ['TRIAL.PUT', 'in', 'one', '2']],
    ['in', ['TRIAL.EXPIREALL', 'in', FAR]],
    ['in', ['TRIAL.CLEAR', 'in']],
    ['to', ['TRIAL.MOVE', 'key', 'to']],
    ['key', ['TRIAL.CUSTOM', 'key', 'x']],
    ['key', ['TRIAL.RESET']],
  ])('whoever watches or caches %s is told by %j', async (key, command) => {
    const [watcher, cacher] = [await server.connect(), await server.connect(3)];
    await watcher.send('WATCH', key);
    await cacher.send('CLIENT', 'TRACKING', 'ON');
    await cacher.send('TRIAL.GET', key);
    const told = cacher.next();
    await server.send(...command);
    expect(await told).toBe(`>2\r\n${bulk('invalidate')}${bulks(key)}`);
    await watcher.send('MULTI');
    await watcher.send('PING');
    expect(await watcher.send('EXEC')).toBe('*-1\r\n');
  });

  test('what changes nothing, and what fails, tells nobody', async () => {
    const watcher = await server.connect();
    await watcher.send('WATCH', 'key', 'in', 'none');
    await server.send('TRIAL.GET', 'key');
    await server.send('TRIAL.DEL', 'none');
    await server.send('TRIAL.EXPIRE', 'none', FAR);
    await server.send('TRIAL.FAIL', 'key', 'throw');
    await server.send('TRIAL.MOVE', 'none', 'key');
    await server.send('TRIAL.CLEAR', 'none');
    await server.send('TRIAL.REMAKE', 'none');
    await watcher.send('MULTI');
    await watcher.send('PING');
    expect(await watcher.send('EXEC')).toBe('*1\r\n+PONG\r\n');
  });

  test('events are told once for each key and command, and when it expires', async () => {
    await server.send('CONFIG', 'SET', 'notify-keyspace-events', 'KEA');
    const client = await server.connect();
    await client.send('PSUBSCRIBE', '__keyevent@0__:*');
    const told = async (event: string, key: string) => {
      expect(await client.next()).toBe(bulks('pmessage', '__keyevent@0__:*', `__keyevent@0__:${event}`, key));
    };
    await server.send('TRIAL.PUTALL', 'in', '10', '1');
    await told('trial.putall', 'in');
    await server.send('TRIAL.MOVE', 'key', 'to');
    await told('trial.move', 'key');
    await told('trial.move', 'to');
    await server.send('TRIAL.FAIL', 'key', 'throw');
    await server.send('TRIAL.COUNT', '-12');
    await told('trial.count', '-12');
    await server.send('TRIAL.SET', 'late', 'x', 'UNTIL', await soon(server));
    await told('trial.set', 'late');
    await told('trial.expired', 'late');
    await server.send('TRIAL.EXPIREALL', 'in', await soon(server));
    await told('trial.expireall', 'in');
    await told('trial.expired', 'in');
    // Each key of the tables that are cleared, and none that says that it is all of them.
    await server.send('TRIAL.REMAKE', 'none');
    await server.send('TRIAL.CLEAR', 'none');
    await server.send('TRIAL.RESET');
    await told('trial.reset', 'to');
    await told('trial.reset', '-12');
    await server.send('TRIAL.RESET');
    await server.send('TRIAL.SET', 'last', 'x');
    await told('trial.set', 'last');
    await server.send('CONFIG', 'SET', 'notify-keyspace-events', '');
  });

  test('what a sweep reclaims is replicated', async () => {
    const stream = await ReplicationStream.of(server);
    await server.send('TRIAL.SET', 'late', 'x', 'UNTIL', await soon(server));
    const seen: string[][] = [];
    await eventually(
      async () => seen.push(...(await stream.commands())),
      () => seen.filter(([name]) => name === 'wasm.apply').length === 2,
    );
    const effects = seen.filter(([name]) => name === 'wasm.apply');
    expect(effects.map(([, key, name]) => `${name} ${key}`)).toEqual(['trial late', 'trial late']);
    expect(effects[1]?.[4]).toContain('trial.expired');
    expect(await infoOf(server, 'expired')).toBeGreaterThan(0);
  });

  test('a transaction and a script run commands, and see what they have written', async () => {
    const client = await server.connect();
    await client.send('MULTI');
    await client.send('TRIAL.SET', 'key', 'one');
    await client.send('TRIAL.GET', 'key');
    await client.send('TRIAL.PUT', 'in', 'two', '2');
    expect(await client.send('EXEC')).toBe('*3\r\n+OK\r\n$3\r\none\r\n:2\r\n');
    const script =
      "redis.call('TRIAL.SET', KEYS[1], ARGV[1]) return {redis.call('TRIAL.GET', KEYS[1]), redis.pcall('TRIAL.CODE', 'MINE text').err}";
    expect(await server.send('EVAL', script, '1', 'key', 'two')).toBe(bulks('two', 'MINE text'));
    expect(await server.send('EVAL_RO', "return redis.call('TRIAL.SET', KEYS[1], 'x')", '1', 'key')).toMatch(/^-ERR /);
    expect(await server.send('TRIAL.GET', 'key')).toBe(bulk('two'));
  });

  test('RESP3 clients get maps and nulls', async () => {
    const client = await server.connect(3);
    expect(await client.send('TRIAL.MEMBERS', 'in')).toBe('%1\r\n$3\r\none\r\n:1\r\n');
    expect(await client.send('TRIAL.GET', 'none')).toBe('_\r\n');
    expect(await client.send('TRIAL.NOTE', 'key', 'x', '-1.5')).toBe(',-1.5\r\n');
  });

  test('a double is read to its last bit', async () => {
    const halfway = ['9007199254740993', '9007199254740993.0000000000000000000000000000000000000001', '2.5e-324', '2.4e-324'];
    const ends = ['1.7976931348623157e308', '4.9e-324', '2.2250738585072014e-308', '2.2250738585072011e-308', '-0', '0e999', '1e-400'];
    const long = [
      `0.${'0'.repeat(300)}1`,
      `1${'0'.repeat(308)}`,
      `1${'0'.repeat(400)}e-400`,
      `0.${'3'.repeat(2000)}`,
      `5e-32${'4'.repeat(1)}`,
    ];
    const texts = [...halfway, ...ends, ...long, '.5', '5.', '+1.5E+3', '-1.7414241067927947e+52'];
    const bits = new DataView(new ArrayBuffer(8));
    for (let index = 0; index < 3000; index++) {
      const digest = createHash('sha256').update(String(index)).digest();
      bits.setBigUint64(0, digest.readBigUInt64LE());
      const value = bits.getFloat64(0);
      if (Number.isFinite(value)) texts.push(String(value), value.toPrecision(17), value.toPrecision(25));
      texts.push(`${digest.readBigUInt64LE(8)}e${(digest.readInt8(16) / 4) | 0}`, (digest.readUInt32LE(17) / 1000).toFixed(3));
    }
    const replies = await Promise.all(texts.map((text) => server.send('TRIAL.NOTE', 'key', 'text', text)));
    expect(texts.filter((text, index) => !Object.is(Number(replies[index]!.split('\r\n')[1]), Number(text)))).toEqual([]);
  });

  // As a score is told: whole numbers as such up to 2^62, an exponent where there are many zeros.
  test.each([
    ['1e15', '1000000000000000'],
    ['1e16', '10000000000000000'],
    ['4.6e18', '4600000000000000000'],
    ['5e18', '5e+18'],
    ['-1e21', '-1e+21'],
    ['12345678901234567000', '12345678901234567000'],
    ['123456789012345680000', '123456789012345680000'],
    ['1.2345678901234567e24', '1.2345678901234568e+24'],
    ['1.7976931348623157e308', '1.7976931348623157e+308'],
    ['0.1', '0.1'],
    ['-123456.789', '-123456.789'],
    ['0.000001', '0.000001'],
    ['1e-7', '1e-7'],
    ['0.0012345678', '0.0012345678'],
    ['0.00012345', '1.2345e-4'],
    ['0.000012', '0.000012'],
    ['5e-324', '5e-324'],
  ])('the double %s is told as %s', async (number, text) => {
    expect(await server.send('TRIAL.NOTE', 'key', 'text', number)).toBe(bulk(text));
    if (!hasShortScores) return;
    await server.send('ZADD', 'scores', number, 'member');
    expect(await server.send('ZSCORE', 'scores', 'member')).toBe(bulk(text));
  });

  test.each(['nan', 'inf', '-inf', '1e999', '', ' 1', '0x10', '1_0', 'Infinity'])('%s is no double', async (text) => {
    expect(await server.send('TRIAL.NOTE', 'key', 'text', text)).toBe('-ERR value is not a valid float\r\n');
  });

  test.each(['9223372036854775808', '1.0', '', ' 1', '+1', '01', '0x1'])('%s is no integer', async (text) => {
    expect(await server.send('TRIAL.COUNT', text)).toBe('-ERR value is not an integer or out of range\r\n');
  });

  test.each(['-1', '9007199254740993', '-9223372036854775808', '9223372036854775807'])('%s is no deadline', async (text) => {
    const error = '-ERR a deadline is a Unix time in milliseconds, from 0 to 2^53\r\n';
    if (text !== '-1') expect(await server.send('TRIAL.SET', 'key', 'x', 'UNTIL', text)).toBe(error);
    expect(await server.send('TRIAL.EXPIRE', 'key', text)).toBe(error);
    expect(await server.send('TRIAL.EXPIREALL', 'in', text)).toBe(error);
    expect(await server.send('TRIAL.GET', 'key')).toBe(bulk('value'));
  });
});
