/** `redis.call` and `keys` in `every` and `on`: as the user that `wasm.run-as` names. */
import { describe, expect, test } from 'vitest';
import { startCluster } from '../support/cluster.ts';
import { OK } from '../support/live.ts';
import { bulk } from '../support/raw.ts';
import { caughtUp, follow } from '../support/replication.ts';
import { hasJobs, startServer, useServer } from '../support/server.ts';
import { slotOf } from '../support/slots.ts';
import { ReplicationStream } from '../support/stream.ts';
import { fieldOf, fieldReaches, reaches, withWatch } from '../support/triggers.ts';

const MODULE = await withWatch(`
on("set", "call:*", (key: string): void => {
  redis.call("SET", "called:" + key, redis.call("GET", key).asString());
  counts.add(key, 1);
});
on("set", "keys:*", (key: string): void => {
  const value = keys.get(key);
  keys.set("kept:" + key, value == null ? "" : value);
  keys.delete(key);
  counts.add(key, 1);
});
on("set", "bad:*", (key: string): void => {
  counts.add("never", 1);
  keys.set("kept:" + key, "x");
  throw new Error("NOTNOW on purpose");
});
on("set", "loop:*", (key: string): void => { redis.call("SET", key, "x"); counts.add(key, 1); });
every(50, (): void => {
  if (!texts.has("beats")) return;
  redis.call("INCR", "called:beats");
  counts.add("beats", 1);
});
command("WATCH.BEAT", "", (): void => { texts.set("beats", "yes"); }, "Has it beat");`);
const AS_WORKER = { module: MODULE, arguments: ['--wasm.run-as', 'worker'] };
const WORKER = ['ACL', 'SETUSER', 'worker', 'reset', '+@all', '~call*', '~kept:*', '~keys:*', '~loop:*'];

test('without it they are refused by an error that names it', async () => {
  const server = await startServer({ module: MODULE });
  await server.send('SET', 'call:1', 'x');
  await server.send('SET', 'keys:1', 'x');
  await fieldReaches(server, 'on_failed', 2);
  await expect.poll(() => server.log).toMatch(/it failed after an event set: ERR what runs .* the user that wasm\.run-as names/);
  expect(await server.send('EXISTS', 'called:call:1', 'kept:keys:1')).toBe(':0\r\n');
  expect(await server.send('GET', 'keys:1')).toBe(bulk('x'));
  expect(await server.send('WATCH.KEYS')).toBe('*0\r\n');
  expect(await server.send('CONFIG', 'SET', 'wasm.run-as', 'default')).toMatch(/^-ERR .*immutable/);
});

describe('with it', () => {
  const server = useServer(AS_WORKER);

  test('they have that user’s permissions', async () => {
    expect(await server.send(...WORKER)).toBe(OK);
    await server.send('SET', 'call:1', 'value');
    await server.send('SET', 'keys:1', 'other');
    await reaches(server, 'call:1', 1);
    await reaches(server, 'keys:1', 1);
    expect(await server.send('MGET', 'called:call:1', 'kept:keys:1', 'keys:1')).toBe(`*3\r\n${bulk('value')}${bulk('other')}$-1\r\n`);
    // Neither the command, nor the key.
    const failed = await fieldOf(server, 'on_failed');
    expect(await server.send(...WORKER, '-set')).toBe(OK);
    await server.send('SET', 'call:2', 'value');
    await fieldReaches(server, 'on_failed', failed + 1);
    expect(await server.send('ACL', 'SETUSER', 'worker', 'reset', '+@all', '~keys:*', '~call:*', '%R~kept:*')).toBe(OK);
    await server.send('SET', 'call:3', 'value');
    await server.send('SET', 'keys:3', 'value');
    await fieldReaches(server, 'on_failed', failed + 3);
    expect(await server.send('EXISTS', 'called:call:2', 'called:call:3', 'kept:keys:3')).toBe(':0\r\n');
    expect(await server.send('GET', 'keys:3')).toBe(bulk('value'));
  });

  test('a user that is not there may do nothing', async () => {
    await server.send('ACL', 'DELUSER', 'worker');
    const failed = await fieldOf(server, 'on_failed');
    await server.send('SET', 'call:1', 'x');
    await server.send('SET', 'keys:1', 'x');
    await fieldReaches(server, 'on_failed', failed + 2);
    expect(await server.send('EXISTS', 'called:call:1', 'kept:keys:1')).toBe(':0\r\n');
  });

  test('a handler that fails has changed no key', async () => {
    expect(await server.send(...WORKER)).toBe(OK);
    const failed = await fieldOf(server, 'on_failed');
    await server.send('SET', 'bad:1', 'x');
    await fieldReaches(server, 'on_failed', failed + 1);
    expect(await server.send('EXISTS', 'kept:bad:1')).toBe(':0\r\n');
  });

  test('what they write is an event as any other, a few times', async () => {
    expect(await server.send(...WORKER)).toBe(OK);
    const dropped = await fieldOf(server, 'on_dropped');
    await server.send('SET', 'loop:1', 'x');
    await fieldReaches(server, 'on_dropped', dropped + 1);
    expect(await reaches(server, 'loop:1', 4)).toBe(4);
  });

  test('every calls the server', async () => {
    expect(await server.send(...WORKER)).toBe(OK);
    await server.send('WATCH.BEAT');
    const beats = await reaches(server, 'beats', 3);
    expect(Number((await server.send('GET', 'called:beats')).split('\r\n')[1])).toBeGreaterThanOrEqual(beats);
  });
});

test('what they write goes to replicas with the rest of the run', async () => {
  const primary = await startServer({ ...AS_WORKER, tcp: true });
  const replica = await startServer(AS_WORKER);
  await primary.send(...WORKER);
  await follow(replica, primary);
  const stream = await ReplicationStream.of(primary);
  await primary.send('SET', 'call:1', 'x');
  await reaches(primary, 'call:1', 1);
  await primary.send('SET', 'keys:1', 'x');
  await reaches(primary, 'keys:1', 1);
  const names = (await stream.commands()).map((words) => words.slice(0, 2).join(' ').toLowerCase());
  const unit = (cause: string, ...effects: string[]) =>
    hasJobs ? ['multi', cause, ...effects, 'exec'] : [cause, 'multi', ...effects, 'exec'];
  const called = unit('set call:1', 'set called:call:1', 'wasm.apply call:1');
  // Effects of tables come with the commit, and those of keys behind them.
  const kept = unit('set keys:1', 'wasm.apply keys:1', 'set kept:keys:1', 'del keys:1');
  expect(names).toEqual([...called, ...kept]);
  await caughtUp(primary, replica);
  expect(await replica.send('MGET', 'called:call:1', 'kept:keys:1', 'keys:1')).toBe(`*3\r\n${bulk('x')}${bulk('x')}$-1\r\n`);
  expect(await fieldOf(replica, 'on_runs')).toBe(0);
});

test('in a cluster they reach the keys of this node alone', async () => {
  const { nodes } = await startCluster(AS_WORKER, 2);
  const [one] = nodes;
  for (const node of nodes) await node.send(...WORKER);
  const isOfOne = (key: string) => slotOf(key) < 8192;
  // Of several lengths: what a prefix changes in the slots of keys is the same for all of one length.
  const keyWith = (kind: string, prefix: string, isHere: boolean): string => {
    for (let number = 0; ; number++) {
      const key = `${kind}:${'x'.repeat(number % 17)}${number}`;
      if (isOfOne(key) && isOfOne(`${prefix}${key}`) === isHere) return key;
    }
  };
  for (const [kind, prefix] of [
    ['call', 'called:'],
    ['keys', 'kept:'],
  ] as const) {
    const [here, elsewhere] = [keyWith(kind, prefix, true), keyWith(kind, prefix, false)];
    await one!.send('SET', here, 'x');
    await reaches(one!, here, 1);
    expect(await one!.send('GET', `${prefix}${here}`)).toBe(bulk('x'));
    const failed = await fieldOf(one!, 'on_failed');
    await one!.send('SET', elsewhere, 'x');
    await fieldReaches(one!, 'on_failed', failed + 1);
    // The server goes on calling.
    await one!.send('SET', here, 'y');
    await reaches(one!, here, 2);
    expect(await one!.send('GET', `${prefix}${here}`)).toBe(bulk('y'));
  }
});
