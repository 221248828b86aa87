/** `on(event, pattern, handler)`: what a module does after events of keys. */
import { beforeEach, describe, expect, test } from 'vitest';
import { startCluster } from '../support/cluster.ts';
import { APPEND_ONLY, OK, startLive } from '../support/live.ts';
import { bulk } from '../support/raw.ts';
import { caughtUp, follow } from '../support/replication.ts';
import { eventually, hasJobs, startServer, useServer, type TestServer } from '../support/server.ts';
import { ReplicationStream } from '../support/stream.ts';
import { countOf, fieldOf, fieldReaches, linesWith, reaches, textOf, watchWith, withWatch } from '../support/triggers.ts';

/** Handlers of several kinds, by the names of their keys. */
const HANDLERS = `on("*", "seen:*", (key: string, event: string): void => {
  counts.add(event + " " + key, 1);
  texts.set("last", event + " " + key + " in " + caller.db.toString() + " by " + caller.user);
});
on("set", "bytes:*", (key: Bytes): void => { counts.set("length", key.length); texts.set("bytes", key.length > 6 ? key[6].toString() : ""); });
on("set", "bad:*", (key: string): void => {
  counts.add("never", 1);
  custom.set("never", key);
  publish("never", key);
  throw new Error("NOTNOW on purpose");
});
on("set", "long:*", (key: string): void => { counts.add("never", 1); while (true) counts.add("never", 1); });
on("set", "user:*", (key: string): void => {
  custom.set("custom " + key, "1");
  counts.add(key, 1);
  publish("users", key);
});
on("custom.set", "custom *", (key: string): void => { counts.add(key, 1); });
on("watch.add", "own:*", (key: string): void => { counts.add("own", 1); texts.set("own", counts.get(key, 0).toString()); });
on("watch.on", "loop", (): void => { counts.add("loop", 1); });
on("watch.add", "loop", (): void => { counts.add("loop", 1); });
on("set", "many:*", (): void => { counts.add("many", 1); });
command("WATCH.BOTH", "key:key", (key: string): void => { counts.add("own:" + key, 1); custom.set("custom " + key, "1"); }, "Writes two keys");`;
const MODULE = await withWatch(HANDLERS);

describe('a handler', () => {
  const server = useServer({ module: MODULE });
  beforeEach(async () => {
    await server.send('CONFIG', 'SET', 'maxmemory', '0', 'maxmemory-policy', 'noeviction', 'wasm.time-limit', '5000');
  });

  test('is given the key, the event and the database', async () => {
    await server.send('SET', 'seen:1', 'x');
    await reaches(server, 'set seen:1', 1);
    expect(await textOf(server, 'last')).toBe('set seen:1 in 0 by ');
    const other = await server.connect();
    await other.send('SELECT', '5');
    await other.send('HSET', 'seen:2', 'field', 'x');
    await reaches(server, 'hset seen:2', 1);
    expect(await textOf(server, 'last')).toBe('hset seen:2 in 5 by ');
    await other.send('DEL', 'seen:2');
    await reaches(server, 'del seen:2', 1);
    await server.send('SET', 'bytes:\xff\0\r\n', 'x');
    await reaches(server, 'length', 10);
    expect(await textOf(server, 'bytes')).toBe('255');
    expect(await countOf(server, 'set bytes:\xff\0\r\n')).toBe(0);
  });

  test('has run before the next command', async () => {
    const counts: number[] = [];
    for (let index = 0; index < 200; index++) {
      const set = server.send('SET', 'seen:1', 'x');
      // Without jobs, before the reply is sent.
      if (!hasJobs) await set;
      counts.push(await countOf(server, 'set seen:1'));
    }
    expect(counts).toEqual(Array.from({ length: 200 }, (_, index) => index + 1));
  });

  test('runs after each event of a transaction, a script and a command of many keys', async () => {
    const own = await server.connect();
    const words = [['MULTI'], ['SET', 'seen:1', 'x'], ['SET', 'seen:2', 'x'], ['WATCH.COUNT', 'set seen:1'], ['EXEC']];
    const replies = await Promise.all(words.map((each) => own.send(...each)));
    expect(replies.at(-1)).toBe('*3\r\n+OK\r\n+OK\r\n:0\r\n');
    await reaches(server, 'set seen:1', 1);
    await reaches(server, 'set seen:2', 1);
    await server.send('EVAL', 'redis.call("SET", KEYS[1], "x"); return redis.call("SET", KEYS[2], "x")', '2', 'seen:1', 'seen:3');
    await reaches(server, 'set seen:3', 1);
    expect(await countOf(server, 'set seen:1')).toBe(2);
    await server.send('MSET', 'seen:1', 'x', 'seen:4', 'x', 'other', 'x');
    await reaches(server, 'set seen:4', 1);
    expect(await countOf(server, 'set seen:1')).toBe(3);
  });

  test('runs after a key has expired, by the clock and by a command that looks', async () => {
    await server.send('DEBUG', 'SET-ACTIVE-EXPIRE', '0');
    await server.send('SET', 'seen:1', 'x', 'PX', '1');
    await eventually(
      () => server.send('GET', 'seen:1'),
      (reply) => reply === '$-1\r\n',
    );
    await reaches(server, 'expired seen:1', 1);
    await server.send('SET', 'seen:2', 'x', 'PX', '1');
    await server.send('DEBUG', 'SET-ACTIVE-EXPIRE', '1');
    await reaches(server, 'expired seen:2', 1);
  });

  test('runs after a key was evicted', async () => {
    await server.send('CONFIG', 'SET', 'maxmemory-policy', 'allkeys-random');
    await server.send('SET', 'seen:1', 'x'.repeat(1_000_000));
    await server.send('CONFIG', 'SET', 'maxmemory', '1');
    await server.send('PING');
    await eventually(
      async () => {
        await server.send('SET', 'other', 'x');
        return countOf(server, 'evicted seen:1');
      },
      (count) => count > 0,
    );
    expect(await countOf(server, 'evicted seen:1')).toBe(1);
  });

  test('runs after events of modules, its own command having ended', async () => {
    await server.send('CUSTOM.SET', 'custom a', 'x');
    await reaches(server, 'custom a', 1);
    expect(await server.send('WATCH.ADD', 'own:1')).toBe(':1\r\n');
    await reaches(server, 'own', 1);
    expect(await textOf(server, 'own')).toBe('1');
    expect(await server.send('WATCH.BOTH', 'b')).toBe(OK);
    await reaches(server, 'custom b', 1);
  });

  test('changes what a command may change', async () => {
    const listener = await server.connect();
    await listener.send('SUBSCRIBE', 'users');
    const heard = listener.next();
    await server.send('SET', 'user:1', 'x');
    await reaches(server, 'user:1', 1);
    expect(await server.send('CUSTOM.GET', 'custom user:1')).toBe(bulk('1'));
    expect(await heard).toBe('*3\r\n$7\r\nmessage\r\n$5\r\nusers\r\n$6\r\nuser:1\r\n');
    // By an event of its own.
    await reaches(server, 'custom user:1', 1);
  });

  test('that fails has changed nothing, is counted, and logged once in a while', async () => {
    const failed = await fieldOf(server, 'on_failed');
    for (let index = 0; index < 20; index++) expect(await server.send('SET', `bad:${index}`, 'x')).toBe(OK);
    await fieldReaches(server, 'on_failed', failed + 20);
    expect(await server.send('GET', 'bad:1')).toBe(bulk('x'));
    expect(await countOf(server, 'never')).toBe(0);
    expect(await server.send('CUSTOM.EXISTS', 'never')).toBe(':0\r\n');
    expect(linesWith(server, 'on(set, bad:*)')).toBeLessThanOrEqual(1);
    await expect.poll(() => server.log).toContain('module watch: on(set, bad:*): it failed after an event set: NOTNOW on purpose');
    expect(await server.send('WATCH.CHECK')).toBe(OK);
  });

  test('may cause others, a few times', async () => {
    const dropped = await fieldOf(server, 'on_dropped');
    expect(await server.send('WATCH.ADD', 'loop')).toBe(':1\r\n');
    expect(await reaches(server, 'loop', 5)).toBe(5);
    expect(await fieldOf(server, 'on_dropped')).toBe(dropped + 1);
    // The next event begins anew.
    expect(await server.send('WATCH.ADD', 'loop')).toBe(':6\r\n');
    expect(await reaches(server, 'loop', 10)).toBe(10);
    expect(await fieldOf(server, 'on_dropped')).toBe(dropped + 2);
  });

  test('of more events at once than may wait misses those beyond', async () => {
    const [runs, dropped] = [await fieldOf(server, 'on_runs'), await fieldOf(server, 'on_dropped')];
    const keys = Array.from({ length: 20_000 }, (_, index) => [`many:${index}`, 'x']).flat();
    expect(await server.send('MSET', ...keys)).toBe(OK);
    await reaches(server, 'many', 16_384);
    expect(await fieldOf(server, 'on_runs')).toBe(runs + 16_384);
    expect(await fieldOf(server, 'on_dropped')).toBe(dropped + 20_000 - 16_384);
  });

  test('that runs too long is left alone for a while', async () => {
    const [failed, dropped] = [await fieldOf(server, 'on_failed'), await fieldOf(server, 'on_dropped')];
    await server.send('CONFIG', 'SET', 'wasm.time-limit', '20');
    await Promise.all(Array.from({ length: 50 }, (_, index) => server.send('SET', `long:${index}`, 'x')));
    await eventually(
      async () => (await fieldOf(server, 'on_failed')) + (await fieldOf(server, 'on_dropped')),
      (sum) => sum >= failed + dropped + 50,
    );
    expect(await fieldOf(server, 'on_dropped')).toBeGreaterThan(dropped + 40);
    expect(await countOf(server, 'never')).toBe(0);
    expect(await server.send('WATCH.CHECK')).toBe(OK);
  });
});

describe('what handlers write', () => {
  const stateOf = async (server: TestServer) => [await server.send('WATCH.KEYS'), await server.send('WATCH.COUNT', 'user:1')];

  test('goes to replicas with what caused it, and comes from none of them', async () => {
    const primary = await startServer({ module: MODULE, tcp: true });
    const replica = await startServer({ module: MODULE });
    await follow(replica, primary);
    const stream = await ReplicationStream.of(primary);
    await primary.send('SET', 'user:1', 'x');
    await reaches(primary, 'custom user:1', 1);
    const commands = (await stream.commands()).map(([name]) => name!.toLowerCase());
    const unit = ['wasm.apply', 'publish', 'wasm.apply'];
    expect(commands).toEqual(hasJobs ? ['multi', 'set', ...unit, 'exec'] : ['set', 'multi', ...unit, 'exec']);
    await caughtUp(primary, replica);
    expect(await stateOf(replica)).toEqual(await stateOf(primary));
    expect(await fieldOf(replica, 'on_runs')).toBe(0);
    expect(await replica.send('REPLICAOF', 'NO', 'ONE')).toBe(OK);
    await replica.send('SET', 'user:1', 'x');
    expect(await reaches(replica, 'user:1', 2)).toBe(2);
  });

  test('is in the append-only file, from which nothing runs again', async () => {
    const server = await startServer({ module: MODULE, arguments: APPEND_ONLY });
    for (let index = 0; index < 10; index++) await server.send('SET', `user:${index % 3}`, 'x');
    await server.send('SET', 'seen:1', 'x', 'PX', '1');
    await reaches(server, 'user:1', 3);
    await reaches(server, 'expired seen:1', 1);
    const before = await stateOf(server);
    await server.restart();
    expect(await stateOf(server)).toEqual(before);
    expect(await fieldOf(server, 'on_runs')).toBe(0);
    await server.send('SET', 'user:1', 'x');
    await reaches(server, 'user:1', 4);
  });

  test('waits while clients are paused', async () => {
    const server = await startServer({ module: MODULE, tcp: true });
    const replica = await startServer({ module: MODULE });
    await follow(replica, server);
    // Those of one connection are run at once: the event is there, and the pause too.
    const paused = [server.send('SET', 'user:1', 'x'), server.send('CLIENT', 'PAUSE', '60000', 'WRITE')];
    expect(await Promise.all(paused)).toEqual([OK, OK]);
    const count = await countOf(server, 'user:1');
    expect(count).toBe(hasJobs ? 1 : 0);
    expect(await server.send('CLIENT', 'UNPAUSE')).toBe(OK);
    await reaches(server, 'user:1', 1);
    await caughtUp(server, replica);
    expect(await stateOf(replica)).toEqual(await stateOf(server));
  });

  test('lies in a cluster in the slots of the keys, one effect for each', async () => {
    const { nodes } = await startCluster({ module: MODULE }, 1);
    const stream = await ReplicationStream.of(nodes[0]!);
    await nodes[0]!.send('SET', 'seen:1', 'x');
    await reaches(nodes[0]!, 'set seen:1', 1);
    const effects = (await stream.commands()).filter(([name]) => name === 'wasm.apply');
    expect(effects.map(([, key]) => key).sort()).toEqual(['last', 'set seen:1']);
  });
});

describe('while the server serves', () => {
  const counting = (by: number, pattern = 'seen:*') => watchWith(`on("set", "${pattern}", (): void => { counts.add("seen", ${by}); });`);

  test('handlers come, are replaced and go with their module', async () => {
    const [one, other, none] = [await counting(1), await counting(100, 'other:*'), await watchWith('')];
    const { server, folder } = await startLive();
    const set = async () => {
      await server.send('SET', 'seen:1', 'x');
      await server.send('SET', 'other:1', 'x');
      // What is noted by a timer has been done by then.
      await server.send('PING');
    };
    await set();
    folder.put('watch', one);
    expect(await server.send('WASM.LOAD', 'watch')).toBe(OK);
    await set();
    expect(await reaches(server, 'seen', 1)).toBe(1);
    folder.put('watch', other);
    expect(await server.send('WASM.RELOAD', 'watch')).toBe(OK);
    await set();
    expect(await reaches(server, 'seen', 101)).toBe(101);
    folder.put('watch', none);
    expect(await server.send('WASM.RELOAD', 'watch')).toBe(OK);
    await set();
    folder.put('watch', one);
    expect(await server.send('WASM.RELOAD', 'watch')).toBe(OK);
    expect(await countOf(server, 'seen')).toBe(101);
    expect(await server.send('WASM.UNLOAD', 'watch')).toBe(OK);
    await set();
    expect(await server.send('WASM.LOAD', 'watch')).toBe(OK);
    expect(await countOf(server, 'seen')).toBe(101);
    await set();
    expect(await reaches(server, 'seen', 102)).toBe(102);
  });

  test('the handlers of a file that refuses to come stay', async () => {
    const { server, folder } = await startLive({ watch: await counting(1) });
    folder.put('watch', await watchWith('on("set", "seen:*", (): void => { counts.add("seen", 9); });\nsetting("broken", 5, 9, 1);'));
    expect(await server.send('WASM.RELOAD', 'watch')).toMatch(/^-ERR /);
    await server.send('SET', 'seen:1', 'x');
    expect(await reaches(server, 'seen', 1)).toBe(1);
  });

  test('a full synchronisation beside the present data leaves handlers that run', async () => {
    const module = await withWatch(HANDLERS);
    const primary = await startServer({ module, tcp: true });
    const replica = await startServer({ module, arguments: ['--repl-diskless-load', 'swapdb'] });
    await primary.send('SET', 'user:1', 'x');
    await follow(replica, primary);
    expect(await replica.send('REPLICAOF', 'NO', 'ONE')).toBe(OK);
    await replica.send('SET', 'user:1', 'x');
    expect(await reaches(replica, 'user:1', 2)).toBe(2);
  });
});
