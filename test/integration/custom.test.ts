/**
 * CUSTOM.* beside the server's own commands of those names, reply by reply; deadlines on real servers, across
 * all that keeps and copies data.
 */
import { describe, expect, test } from 'vitest';
import { bulk, parseBulks } from '../support/raw.ts';
import { caughtUp, follow, startPair } from '../support/replication.ts';
import { eventually, hasTimeOfCommand, startServer, useServer, type TestServer } from '../support/server.ts';

const server = useServer();

/** Lines of commands without `CUSTOM.`; arguments have no blanks, `''` is the empty string. */
const LINES = `
GET k|SET k v NX|SET k w NX|SET k w XX GET|GET k|SET l v XX|SET l v XX GET|SET k x NX GET|GET k|SET l v GET|GET l
SET k v EX 100|TTL k|SET k w KEEPTTL|TTL k|SET k v|TTL k|SET k v EX 5 EX 100 NX NX|SET k v nx xx|SET k v EX|SET k v EX 1 PX 1|SET k v KEEPTTL EX 1
SET k v EX 0|SET k v PX -1|SET k v EXAT 0|SET k v EX x|SET k v EX 9223372036854775807|SET k v PX 9223372036854775807|SET k v EX 9223372036854775808|SET k v BAD|SET k v EX 01
SET k v PXAT 33000000000000|TTL k|SET k v EXAT 33000000000|TTL m|EXPIRE m 10|EXPIRE k 100|TTL k|PEXPIRE k 100000|TTL k|PERSIST k|PERSIST k|PERSIST m|TTL k
EXPIRE k x|EXPIRE k 9223372036854775807|EXPIRE k -9223372036854775807|PEXPIRE k 9223372036854775807|EXPIRE k -1|EXISTS k|SET k v|PEXPIRE k 0|GET k
MSET a 1 b 2 a 3|MGET a b c a|MSET a 1 b|DEL a b c a|EXISTS a|MSET a 1 b 2|EXISTS a a b c|GETDEL a|GETDEL a|GET a|STRLEN b|STRLEN c
INCRBY n 5|INCRBY n -12|GET n|INCRBY n x|INCRBY n 1.0|INCRBY n 9223372036854775808|SET n 9223372036854775807|INCRBY n 1|SET n -9223372036854775808|INCRBY n -1|SET n ''|INCRBY n 1|SET n 01|INCRBY n 1
APPEND p ab|APPEND p cd|GET p|APPEND p ''|STRLEN p|EXPIRE p 100|APPEND p e|TTL p|INCRBY q 1|EXPIRE q 100|INCRBY q 1|TTL q
SCAN x|SCAN 0 COUNT 0|SCAN 0 COUNT x|SCAN 0 COUNT|SCAN 0 BAD 1|KEYS zzz*|KEYS a b|GETDEL a b|INCRBY n|TTL k x|APPEND k`
  .trim()
  .split(/[\n|]/)
  .map((line) => line.split(' ').map((word) => (word === "''" ? '' : word)));

test('replies as the server’s own commands do, one after the other', async () => {
  const differences: string[] = [];
  for (const [name = '', ...args] of LINES) {
    const own = await server.send(name, ...args);
    const ours = await server.send(`CUSTOM.${name}`, ...args);
    const wanted = own.replace(/'([a-z]+)' command/, "'custom.$1' command");
    if (ours !== wanted) differences.push(`${name} ${args.join(' ')}: ${JSON.stringify(ours)}, not ${JSON.stringify(wanted)}`);
  }
  expect(differences).toEqual([]);
  expect(await server.send('CUSTOM.CHECK')).toBe('+OK\r\n');
});

test('KEYS finds by a pattern what the server’s KEYS finds', async () => {
  const keys = ['', 'a', 'ab', 'abc', 'a*c', 'a-c', 'a]c', '[x]', 'b\\', 'ä', 'x^y', '\0', 'A'];
  for (const key of keys) {
    await server.send('SET', key, '');
    await server.send('CUSTOM.SET', key, '');
  }
  const elements =
    '* ? a* *c a?c a[b-d]c a[d-b]c a[^b]c a[*-]c a[\\-b]c a[]]c \\[x\\] [[]x* b\\ **b** a[b [ [^ [^a]b [a- [a-]* \\ *\\ x[\\^]y [\\]'.split(
      ' ',
    );
  for (const pattern of [...elements, '']) {
    const [own, ours] = [await server.send('KEYS', pattern), await server.send('CUSTOM.KEYS', pattern)];
    expect([pattern, parseBulks(ours).sort()]).toEqual([pattern, parseBulks(own).sort()]);
  }
});

test('the server finds the keys of each command', async () => {
  const keysOf = async (...argv: string[]) => parseBulks(await server.send('COMMAND', 'GETKEYS', ...argv));
  expect(await keysOf('CUSTOM.MSET', 'a', '1', 'b', '2')).toEqual(['a', 'b']);
  expect(await keysOf('CUSTOM.DEL', 'a', 'b', 'c')).toEqual(['a', 'b', 'c']);
  expect(await keysOf('CUSTOM.MGET', 'a', 'b')).toEqual(['a', 'b']);
  expect(await keysOf('CUSTOM.SET', 'a', 'b', 'EX', '5')).toEqual(['a']);
  expect(await keysOf('CUSTOM.EXPIRE', 'a', '5')).toEqual(['a']);
});

describe('over maxmemory', () => {
  test.each([
    ['CUSTOM.SET', 'k', 'v', 'XX'],
    ['CUSTOM.MSET', 'k', 'v'],
    ['CUSTOM.INCRBY', 'n', '1'],
    ['CUSTOM.APPEND', 'k', 'v'],
  ])('%s is refused', async (...command) => {
    await server.send('CUSTOM.SET', 'k', 'v');
    await server.send('CONFIG', 'SET', 'maxmemory', '1');
    expect(await server.send(...command)).toMatch(/^-OOM /);
    await server.send('CONFIG', 'SET', 'maxmemory', '0');
  });

  test('what deletes, or changes deadlines, is not', async () => {
    await server.send('CUSTOM.MSET', 'a', '1', 'b', '2', 'c', '3');
    await server.send('CONFIG', 'SET', 'maxmemory', '1');
    const replies: string[] = [];
    for (const line of ['EXPIRE a 5', 'PEXPIRE a 5000', 'PERSIST a', 'GETDEL a', 'DEL b', 'CLEAR']) {
      replies.push((await server.send(...(`CUSTOM.${line}`.split(' ') as [string]))).trim());
    }
    await server.send('CONFIG', 'SET', 'maxmemory', '0');
    expect(replies).toEqual([':1', ':1', ':1', '$1\r\n1', ':1', ':1']);
  });
});

/** The server's clock, in ms. */
async function clock(target: TestServer): Promise<number> {
  const [seconds = '', micros = ''] = parseBulks(await target.send('TIME'));
  return Number(seconds) * 1000 + Math.floor(Number(micros) / 1000);
}
const length = (target: TestServer) => target.send('CUSTOM.LEN');
const gone = (target: TestServer, timeout_ms = 10_000) =>
  eventually(
    () => length(target),
    (reply) => reply === ':0\r\n',
    timeout_ms,
  );

describe('a deadline', () => {
  test('takes effect at its millisecond', async () => {
    const deadline = (await clock(server)) + 500;
    await server.send('CUSTOM.SET', 'k', 'v', 'PXAT', String(deadline));
    let [there, absent] = [0, 0];
    for (let [before, after] = [0, 0]; after <= deadline + 5 || absent === 0;) {
      let reply = '';
      // One after the other, and all sent at once.
      [before, reply, after] = await Promise.all([clock(server), server.send('CUSTOM.GET', 'k'), clock(server)]);
      if (after < deadline) expect([reply, there++]).toEqual([bulk('v'), there - 1]);
      if (before >= deadline) expect([reply, absent++]).toEqual(['$-1\r\n', absent - 1]);
    }
    expect(there).toBeGreaterThan(0);
    expect(absent).toBeGreaterThan(0);
  });

  test.runIf(hasTimeOfCommand)('does not come in the middle of a transaction or a script, as the server’s own does not', async () => {
    for (const prefix of ['', 'CUSTOM.']) {
      await server.send('MULTI');
      await server.send(`${prefix}SET`, 'k', 'v', 'PX', '20');
      await server.send('DEBUG', 'SLEEP', '0.05');
      await server.send(`${prefix}GET`, 'k');
      expect([prefix, await server.send('EXEC')]).toEqual([prefix, `*3\r\n+OK\r\n+OK\r\n${bulk('v')}`]);
      expect([prefix, await server.send(`${prefix}GET`, 'k')]).toEqual([prefix, '$-1\r\n']);
      const script = `redis.call('${prefix}SET', 'k', 'v', 'PX', 1) for i = 1, 5000000 do end return redis.call('${prefix}GET', 'k')`;
      expect([prefix, await server.send('EVAL', script, '0')]).toEqual([prefix, bulk('v')]);
    }
  });

  test('is swept on a server that nobody asks for anything', async () => {
    const expired = async () => Number((await server.info('wasm_hashmap')).wasm_expired);
    const before = await expired();
    for (let at = 0; at < 100; at++) await server.send('CUSTOM.SET', `k${at}`, 'v', 'PX', '50');
    // INFO is no command of the module.
    expect(await eventually(expired, (count) => count === before + 100)).toBe(before + 100);
    expect(await length(server)).toBe(':0\r\n');
    expect(await server.send('CUSTOM.CHECK')).toBe('+OK\r\n');
  });

  test('ends a WATCH and a client’s cache when it is swept', async () => {
    const watching = await server.connect();
    // Sent at once: it is there when it is watched, and when it is read.
    await Promise.all([watching.send('CUSTOM.SET', 'k', 'v', 'PX', '50'), watching.send('WATCH', 'k')]);
    await gone(server);
    await watching.send('MULTI');
    await watching.send('PING');
    expect(await watching.send('EXEC')).toBe('*-1\r\n');

    const caching = await server.connect(3);
    await caching.send('CLIENT', 'TRACKING', 'ON');
    await Promise.all([caching.send('CUSTOM.SET', 'l', 'v', 'PX', '50'), caching.send('CUSTOM.GET', 'l')]);
    expect(await caching.next()).toBe('>2\r\n$10\r\ninvalidate\r\n*1\r\n$1\r\nl\r\n');
  });

  test('survives RDB files, DEBUG RELOAD and append-only files, and passes meanwhile', async () => {
    const own = await startServer({ arguments: ['--appendonly', 'yes', '--appendfsync', 'always'] });
    const deadline = (await clock(own)) + 100_000;
    await own.send('CUSTOM.SET', 'long', 'v', 'PXAT', String(deadline));
    await own.send('CUSTOM.SET', 'none', 'v', 'PX', '5000');
    await own.send('CUSTOM.PERSIST', 'none');
    await own.send('CUSTOM.SET', 'appended', 'ab', 'PX', '100000');
    await own.send('CUSTOM.APPEND', 'appended', 'c');
    await own.send('CUSTOM.INCRBY', 'n', '5');
    const check = async (): Promise<void> => {
      const [before, left, after] = [await clock(own), Number((await own.send('CUSTOM.PTTL', 'long')).slice(1)), await clock(own)];
      expect(deadline - left).toBeGreaterThanOrEqual(before);
      expect(deadline - left).toBeLessThanOrEqual(after);
      expect(await own.send('CUSTOM.PTTL', 'none')).toBe(':-1\r\n');
      expect(await own.send('CUSTOM.MGET', 'appended', 'n')).toBe(`*2\r\n${bulk('abc')}${bulk('5')}`);
      expect(Number((await own.send('CUSTOM.TTL', 'appended')).slice(1))).toBeGreaterThan(50);
      expect(await own.send('CUSTOM.CHECK')).toBe('+OK\r\n');
    };
    await check();
    await own.send('DEBUG', 'RELOAD');
    await check();
    await own.send('CUSTOM.SET', 'short', 'v', 'PX', '300');
    await own.kill();
    await new Promise((resolve) => setTimeout(resolve, 300));
    await own.start();
    expect(await own.send('CUSTOM.GET', 'short')).toBe('$-1\r\n');
    await check();
    await eventually(
      () => length(own),
      (reply) => reply === ':4\r\n',
    );
    expect(await length(own)).toBe(':4\r\n');
    await own.send('CUSTOM.SET', 'short', 'v', 'PX', '300');
    await own.send('BGREWRITEAOF');
    await own.restart();
    await check();
  });

  test('hides the entry on a replica, which deletes it when the primary does', async () => {
    const { primary, replica } = await startPair();
    await primary.send('CUSTOM.SET', 'before', 'v', 'PX', '100000');
    await follow(replica, primary);
    await primary.send('CUSTOM.SET', 'k', 'v', 'PX', '100000');
    await caughtUp(primary, replica);
    expect(await replica.send('CUSTOM.GET', 'k')).toBe(bulk('v'));
    expect(Number((await replica.send('CUSTOM.PTTL', 'before')).slice(1))).toBeGreaterThan(1000);
    // While writes are paused the primary does not sweep: from right after the deadline is set.
    await Promise.all([primary.send('CUSTOM.PEXPIRE', 'k', '300'), primary.send('CLIENT', 'PAUSE', '60000', 'WRITE')]);
    await eventually(
      () => replica.send('CUSTOM.GET', 'k'),
      (reply) => reply === '$-1\r\n',
    );
    expect(await replica.send('CUSTOM.EXISTS', 'k')).toBe(':0\r\n');
    expect(await primary.send('CUSTOM.GET', 'k')).toBe('$-1\r\n');
    expect([await length(primary), await length(replica)]).toEqual([':2\r\n', ':2\r\n']);
    await primary.send('CLIENT', 'UNPAUSE');
    await eventually(
      () => length(replica),
      (reply) => reply === ':1\r\n',
    );
    expect([await length(primary), await length(replica)]).toEqual([':1\r\n', ':1\r\n']);
    expect((await replica.info('wasm_hashmap')).wasm_expired).toBe('0');
    expect(await replica.send('CUSTOM.CHECK')).toBe('+OK\r\n');
    await replica.send('REPLICAOF', 'NO', 'ONE');
    await replica.send('CUSTOM.PEXPIRE', 'before', '50');
    await gone(replica);
    expect(await length(replica)).toBe(':0\r\n');
  });
});

test('every write has the same state on a replica', async () => {
  const { primary, replica } = await startPair();
  await follow(replica, primary);
  for (const [name = '', ...args] of LINES) await primary.send(`CUSTOM.${name}`, ...args);
  await caughtUp(primary, replica);
  const state = async (target: TestServer): Promise<unknown> => {
    const keys = parseBulks(await target.send('CUSTOM.KEYS')).sort();
    return Promise.all(keys.map(async (key) => [key, await target.send('CUSTOM.GET', key), (await target.send('CUSTOM.TTL', key)).length]));
  };
  expect(await state(replica)).toEqual(await state(primary));
  expect(parseBulks(await primary.send('CUSTOM.KEYS')).length).toBeGreaterThan(4);
  await primary.send('CUSTOM.CLEAR');
  await caughtUp(primary, replica);
  expect(await length(replica)).toBe(':0\r\n');
});
