/** `every(ms, handler)`: what a module does at intervals. */
import { describe, expect, test } from 'vitest';
import { startCluster } from '../support/cluster.ts';
import { WallClock } from '../support/clock.ts';
import { APPEND_ONLY, OK, startLive } from '../support/live.ts';
import { bulk } from '../support/raw.ts';
import { caughtUp, follow } from '../support/replication.ts';
import { eventually, startServer, type TestServer } from '../support/server.ts';
import { ReplicationStream } from '../support/stream.ts';
import { countOf, fieldOf, fieldReaches, linesWith, reaches, textOf, watchWith, withWatch } from '../support/triggers.ts';

const BEAT = 'every(20, (): void => { counts.add("beats", 1); });';
/** Several keys, another module's, and a message. */
const WRITES = `every(40, writes);
function writes(): void {
  counts.add("one", 1);
  counts.add("two", 1);
  custom.set("from every", counts.get("one", 0).toString());
  publish("beats", "x");
}`;
/** How long the server runs other things meanwhile, in turns of a handler that does run. */
const TURNS = 10;

describe('a handler', () => {
  test('runs again and again, without a user, at one moment each', async () => {
    const server = await startServer({
      module: await withWatch(`every(10 * 2, (): void => {
        const begun = now();
        let sum: u64 = 0;
        for (let i = 0; i < 3_000_000; i++) sum = sum * 3 + u64(i);
        counts.add("sum", i64(sum & 1));
        counts.add("moved", now() - begun);
        texts.set("who", caller.user + " " + caller.db.toString());
        counts.add("beats", 1);
      });`),
    });
    await reaches(server, 'beats', TURNS);
    expect(await countOf(server, 'moved')).toBe(0);
    expect(await textOf(server, 'who')).toBe(' 0');
    const runs = await fieldOf(server, 'every_runs');
    expect(await countOf(server, 'beats')).toBeGreaterThanOrEqual(runs);
    expect(await fieldOf(server, 'every_failed')).toBe(0);
  });

  test('comes not before its interval is over, and no oftener', async () => {
    const server = await startServer({
      module: await withWatch(`every(200, (): void => {
        const before = counts.get("at", 0);
        if (before > 0) counts.set("least", min(counts.get("least", 1_000_000), now() - before));
        counts.set("at", now());
        counts.add("beats", 1);
      });
      every(3_600_000, (): void => { counts.add("late", 1); });`),
    });
    await reaches(server, 'beats', 4);
    // One that is late itself is followed by the next one at its time.
    expect(await countOf(server, 'least')).toBeGreaterThan(0);
    expect(await countOf(server, 'late')).toBe(0);
    const seconds = Number((await server.info('server')).uptime_in_seconds) + 1;
    expect(await countOf(server, 'beats')).toBeLessThanOrEqual(seconds * 5);
  });

  test('that fails has changed nothing, is tried later and later, and logged once in a while', async () => {
    const server = await startServer({
      module: await withWatch(`${BEAT}
      every(10, (): void => {
        counts.add("never", 1);
        custom.set("never", "x");
        publish("never", "x");
        if (!texts.has("mended")) throw new Error("NOTNOW on purpose");
      });
      every(15, (): void => { const zero = counts.get("zero", 0); counts.set("never", 1 / zero); });
      command("WATCH.MEND", "", (): void => { texts.set("mended", "yes"); }, "Mends it");`),
    });
    // Once at the beginning, then after 1 and 2 seconds.
    await fieldReaches(server, 'every_failed', 5);
    expect(await countOf(server, 'beats')).toBeGreaterThan(TURNS);
    expect(await countOf(server, 'never')).toBe(0);
    expect(await server.send('CUSTOM.EXISTS', 'never')).toBe(':0\r\n');
    expect(await fieldOf(server, 'traps')).toBeGreaterThan(0);
    expect(await fieldOf(server, 'every_missed')).toBeGreaterThan(50);
    expect(linesWith(server, 'module watch: every(')).toBe(1);
    expect(server.log).toMatch(
      /module watch: every\(1[05]\): it failed, and is tried again in 1000 ms: (?:NOTNOW on purpose|.*divide by zero)/,
    );
    expect(await server.send('WATCH.CHECK')).toBe(OK);
    await server.send('WATCH.MEND');
    await reaches(server, 'never', 1);
  });

  test('that takes long leaves the server to its clients, and is ended by the time limit', async () => {
    const server = await startServer({
      module: await withWatch(`${BEAT}
      every(10, (): void => { counts.add("never", 1); while (true) counts.add("never", 1); });`),
      arguments: ['--wasm.time-limit', '50'],
    });
    await fieldReaches(server, 'every_failed', 1);
    await reaches(server, 'beats', TURNS);
    expect(await fieldOf(server, 'every_slow')).toBeGreaterThan(0);
    expect(await fieldOf(server, 'timeouts')).toBeGreaterThan(0);
    expect(await countOf(server, 'never')).toBe(0);
    expect(await server.send('WATCH.CHECK')).toBe(OK);
  });

  test('that is slow is put off, and its turns that pass are left out', async () => {
    const server = await startServer({
      module: await withWatch(`every(10, (): void => {
        let sum: u64 = 0;
        for (let i = 0; i < 20_000_000; i++) sum = sum * 3 + u64(i);
        counts.add("beats", 1 + i64(sum & 2));
      });`),
    });
    await fieldReaches(server, 'every_slow', 3);
    expect(await fieldOf(server, 'every_missed')).toBeGreaterThanOrEqual(3);
    await expect.poll(() => server.log).toMatch(/module watch: every\(10\): it took \d+ ms, so its next turn comes later/);
    expect(linesWith(server, 'module watch: every(')).toBe(1);
  });

  test.each([
    ['back', -3_600_000],
    ['forward', 3_600_000],
  ])('goes on when the clock on the wall is set %s', async (_, ms) => {
    const clock = new WallClock();
    const server = await startServer({ module: await withWatch(BEAT), under: clock.under });
    await reaches(server, 'beats', 2);
    clock.shift(ms);
    const before = await countOf(server, 'beats');
    await reaches(server, 'beats', before + TURNS);
  });
});

describe('what a handler writes', () => {
  const stateOf = async (server: TestServer) => [
    await server.send('WATCH.COUNT', 'one'),
    await server.send('WATCH.COUNT', 'two'),
    await server.send('CUSTOM.GET', 'from every'),
  ];

  test('goes to replicas as one, which run nothing before they are primaries', async () => {
    const module = await withWatch(WRITES);
    const primary = await startServer({ module, tcp: true });
    const replica = await startServer({ module, tcp: true });
    await follow(replica, primary);
    const runs = await fieldOf(replica, 'every_runs');
    const stream = await ReplicationStream.of(primary);
    const before = await countOf(primary, 'one');
    await reaches(primary, 'one', before + TURNS);
    const names = (await stream.commands()).map(([name]) => name!.toLowerCase());
    expect(names.length).toBeGreaterThanOrEqual(4 * TURNS);
    for (let at = 0; at < names.length; at += 4) expect(names.slice(at, at + 4)).toEqual(['multi', 'wasm.apply', 'publish', 'exec']);
    expect(await fieldOf(replica, 'every_runs')).toBe(runs);
    await primary.send('CLIENT', 'PAUSE', '60000', 'WRITE');
    await caughtUp(primary, replica);
    expect(await stateOf(replica)).toEqual(await stateOf(primary));
    expect(await replica.send('REPLICAOF', 'NO', 'ONE')).toBe(OK);
    await fieldReaches(replica, 'every_runs', runs + 2);
    expect(await replica.send('WATCH.CHECK')).toBe(OK);
  });

  test('waits while clients are paused, and is not made up for', async () => {
    const server = await startServer({ module: await withWatch(`every(100, (): void => { counts.add("beats", 1); });`), tcp: true });
    const replica = await startServer({ module: await withWatch(BEAT) });
    await follow(replica, server);
    await reaches(server, 'beats', 2);
    expect(await server.send('CLIENT', 'PAUSE', '60000', 'WRITE')).toBe(OK);
    const paused = await countOf(server, 'beats');
    const missed = await fieldOf(server, 'every_missed');
    const before = Number((await server.info('server')).server_time_usec);
    await eventually(
      async () => Number((await server.info('server')).server_time_usec),
      (time) => time > before + 1_500_000,
    );
    expect(await countOf(server, 'beats')).toBe(paused);
    expect(await server.send('CLIENT', 'UNPAUSE')).toBe(OK);
    await reaches(server, 'beats', paused + 2);
    expect(await fieldOf(server, 'every_missed')).toBeGreaterThanOrEqual(missed + 10);
    expect(await countOf(server, 'beats')).toBeLessThan(paused + 10);
  });

  test('goes on at the new primary after a FAILOVER', async () => {
    const module = await withWatch(WRITES);
    const old = await startServer({ module, tcp: true });
    const heir = await startServer({ module, tcp: true });
    await follow(heir, old);
    await reaches(old, 'one', TURNS);
    expect(await old.send('FAILOVER', 'TO', '127.0.0.1', String(heir.port))).toBe(OK);
    await eventually(
      async () => (await heir.info('replication')).role,
      (role) => role === 'master',
    );
    const reached = await countOf(heir, 'one');
    await reaches(heir, 'one', reached + TURNS);
    const runs = await fieldOf(old, 'every_runs');
    await reaches(heir, 'one', reached + 2 * TURNS);
    expect(await fieldOf(old, 'every_runs')).toBe(runs);
    await heir.send('CLIENT', 'PAUSE', '60000', 'WRITE');
    await eventually(
      async () => (await old.info('replication')).master_link_status,
      (status) => status === 'up',
    );
    await caughtUp(heir, old);
    expect(await stateOf(old)).toEqual(await stateOf(heir));
  });

  test('is in the append-only file and the snapshot', async () => {
    const server = await startServer({
      module: await withWatch(WRITES.replace('every(40', 'every(1000')),
      arguments: APPEND_ONLY,
    });
    await reaches(server, 'one', 2);
    await server.send('CLIENT', 'PAUSE', '60000', 'WRITE');
    const before = await stateOf(server);
    await server.kill();
    await server.start();
    const after = await stateOf(server);
    expect(after).toEqual(before);
    expect(after[2]).toBe(bulk(after[0]!.slice(1, -2)));
  });

  test('lies in a cluster in the slots of the keys, one effect for each', async () => {
    const { nodes } = await startCluster({ module: await withWatch(WRITES) }, 1);
    const stream = await ReplicationStream.of(nodes[0]!);
    const before = await countOf(nodes[0]!, 'one');
    await reaches(nodes[0]!, 'one', before + 1);
    const commands = await stream.commands();
    const first = commands.slice(
      0,
      commands.findIndex(([name]) => name?.toLowerCase() === 'exec'),
    );
    const keys = first.filter(([name]) => name === 'wasm.apply').map(([, key]) => key);
    expect(keys.sort()).toEqual(['from every', 'one', 'two']);
  });
});

test('handlers come, are replaced and go with their module', async () => {
  const [slow, fast, none] = [
    await watchWith('every(3_600_000, (): void => { counts.add("beats", 1); });'),
    await watchWith(BEAT),
    await watchWith(''),
  ];
  const { server, folder } = await startLive({ watch: slow });
  const put = async (file: string) => {
    folder.put('watch', file);
    expect(await server.send('WASM.RELOAD', 'watch')).toBe(OK);
  };
  expect(await countOf(server, 'beats')).toBe(0);
  await put(fast);
  const reached = await reaches(server, 'beats', TURNS);
  await put(none);
  const stopped = await countOf(server, 'beats');
  expect(stopped).toBeGreaterThanOrEqual(reached);
  await put(fast);
  await reaches(server, 'beats', stopped + TURNS);
  expect(await server.send('WASM.UNLOAD', 'watch')).toBe(OK);
  expect((await server.info('wasm')).wasm_watch_every_runs).toBeUndefined();
  expect(await server.send('WASM.LOAD', 'watch')).toBe(OK);
  await reaches(server, 'beats', stopped + 2 * TURNS);
  await put(slow);
  const last = await countOf(server, 'beats');
  expect(await server.send('WASM.CHECK')).toMatch(/^-ERR unknown command/);
  expect(await countOf(server, 'beats')).toBe(last);
});
