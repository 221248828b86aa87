/**
 * The export `sweep`: called where the server may replicate, in steps that are seen whole, and never where it
 * may not.
 */
import { describe, expect, test } from 'vitest';
import { WallClock } from '../support/clock.ts';
import { assemble, fixture } from '../support/modules.ts';
import { caughtUp, follow } from '../support/replication.ts';
import { parseReply } from '../support/reply.ts';
import {
  eventually,
  HASHMAP_FILE,
  HOST_FILE,
  SESSION_FILE,
  startServer,
  tested,
  type ServerOptions,
  type TestServer,
} from '../support/server.ts';
import { ReplicationStream } from '../support/stream.ts';

const sweeps = await fixture('sweeps');
/** A module whose load fails. */
const bad = await assemble('bad', '(func (export "onLoad") (result i32) (i32.const 1))');
const module = [HOST_FILE, HASHMAP_FILE, sweeps];
const start = (options: ServerOptions = {}) => startServer({ module, ...options });

/** What SWEEPS.DO takes. */
const DEEDS = {
  nothing: '0',
  greed: '1',
  trap: '2',
  loop: '3',
  fail: '4',
  commit: '5',
  reply: '6',
  verbatim: '7',
  slow: '8',
  steady: '9',
  whole: '10',
};
const doing = (server: TestServer, deed: keyof typeof DEEDS) => server.send('SWEEPS.DO', DEEDS[deed]);
const number = async (server: TestServer, command: string) => Number((await server.send(command)).slice(1));
const calls = (server: TestServer) => number(server, 'SWEEPS.CALLS');
const due = (server: TestServer) => number(server, 'SWEEPS.DUE');
/** What a busy machine may need for what an idle one does in a moment. */
const PATIENCE_MS = 50_000;
const eventuallyIs = async <T>(ask: () => Promise<T> | T, accepted: (value: T) => boolean) => {
  expect(await eventually(ask, accepted, PATIENCE_MS)).toSatisfy(accepted);
};

/** Lets the server's event loop run for so long by the server's own clock, in which it serves its timers. */
async function passOn(server: TestServer, duration_ms: number): Promise<void> {
  const connection = await server.connect();
  expect(await connection.send('XREAD', 'BLOCK', String(duration_ms), 'STREAMS', 'no-stream', '$')).toMatch(/^(\*|\$)-1\r\n$/);
  connection.close();
}

/** Whether the server sweeps: waits for so many calls more. */
async function expectSweeping(server: TestServer, more = 1): Promise<void> {
  const before = await calls(server);
  await eventuallyIs(
    () => calls(server),
    (count) => count >= before + more,
  );
}

/** Whether it does not: the server's time for some periods passes without a call. */
async function expectQuiet(server: TestServer, duration_ms = 500): Promise<void> {
  const before = await calls(server);
  await passOn(server, duration_ms);
  expect(await calls(server)).toBe(before);
}

/**
 * The first `count` gaps, in ms by the server's clock, between calls since the last deed: a busy machine
 * makes them longer, never shorter.
 */
async function gaps(server: TestServer, count: number): Promise<number[]> {
  const ask = async () => parseReply(await server.send('SWEEPS.GAPS')) as number[];
  const all = await eventually(ask, (found) => found.length >= count, PATIENCE_MS);
  expect(all.length).toBeGreaterThanOrEqual(count);
  return all.slice(0, count);
}

test('an idle server sweeps at least every 100 ms', async () => {
  const server = await start();
  await doing(server, 'nothing');
  expect(Math.min(...(await gaps(server, 30)))).toBeLessThanOrEqual(100);
});

test.each([
  ['back', -3_600_000],
  ['forward', 3_600_000],
])('a clock on the wall that is set %s holds no sweep up', async (_, shift_ms) => {
  const clock = new WallClock();
  const server = await startServer({ module: [HOST_FILE, HASHMAP_FILE, SESSION_FILE, sweeps], under: clock.under });
  const second = async () => Number((parseReply(await server.send('TIME')) as string[])[0]);
  await expectSweeping(server);
  const before_s = await second();
  clock.shift(shift_ms);
  // Some servers answer with the time of their last look at the clock.
  await eventuallyIs(second, (now_s) => Math.abs(now_s - before_s) > 3000);
  await expectSweeping(server, 10);
  await server.send('CUSTOM.SET', 'entry', 'x', 'PX', '1');
  await server.send('SESSION.CREATE', 'user', 'TTL', '1');
  await eventuallyIs(
    async () => [await server.send('CUSTOM.LEN'), await server.send('SESSION.COUNT')],
    (counts) => counts.every((count) => count === ':0\r\n'),
  );
});

test('what is due is swept to the end, with its effects on the storage, on the replica and in the append-only file', async () => {
  const primary = await start({ tcp: true, arguments: ['--appendonly', 'yes'] });
  const replica = await start();
  await follow(replica, primary);
  await primary.send('CUSTOM.SET', 'due', 'x');
  await primary.send('SWEEPS.PUT', '100003');
  await eventuallyIs(
    () => due(primary),
    (count) => count === 0,
  );
  await caughtUp(primary, replica);
  for (const server of [primary, replica]) {
    expect(await due(server)).toBe(0);
    expect(await server.send('CUSTOM.EXISTS', 'due')).toBe(':0\r\n');
  }
  await primary.restart();
  expect(await due(primary)).toBe(0);
  expect(await primary.send('CUSTOM.EXISTS', 'due')).toBe(':0\r\n');
});

test('what a step replicates is one transaction, and its changes are signalled', async () => {
  const server = await start();
  const stream = await ReplicationStream.of(server);
  await server.send('CONFIG', 'SET', 'notify-keyspace-events', 'KEA');
  const subscriber = await server.connect();
  await subscriber.send('SUBSCRIBE', '__keyevent@0__:swept');
  await server.send('SWEEPS.PUT', '5');
  expect(await subscriber.next()).toContain('__keyevent@0__:swept');
  await eventuallyIs(
    () => due(server),
    (count) => count === 0,
  );
  expect(await stream.commands()).toEqual([['SWEEPS.PUT', '5'], ['MULTI'], ['sweeps.took', '2'], ['sweeps.took', '3'], ['EXEC']]);
});

test('a replica sweeps nothing until it is promoted, and a demoted primary no more', async () => {
  const primary = await start({ tcp: true });
  const replica = await start();
  await follow(replica, primary);
  await doing(replica, 'greed');
  await expectQuiet(replica);
  await replica.send('REPLICAOF', 'NO', 'ONE');
  await expectSweeping(replica);
});

test('nothing is swept while clients are paused: replicating then would end the server', async () => {
  const server = await start();
  const stream = await ReplicationStream.of(server);
  await doing(server, 'greed');
  await expectSweeping(server);
  await server.send('CLIENT', 'PAUSE', '10000', 'WRITE');
  await expectQuiet(server);
  await server.send('CLIENT', 'UNPAUSE');
  await expectSweeping(server);
  // Nobody can ask meanwhile, nor end it.
  await server.send('CLIENT', 'PAUSE', '300', 'ALL');
  await expectSweeping(server);
  expect(server.isRunning).toBe(true);
  expect((await stream.commands()).length).toBeGreaterThan(0);
});

test('a failover passes while everything is swept', async () => {
  const primary = await start({ tcp: true });
  const replica = await start({ tcp: true });
  await follow(replica, primary);
  await doing(primary, 'greed');
  await doing(replica, 'greed');
  const online = (fields: Record<string, string>) => fields.slave0?.includes('state=online') === true;
  await eventuallyIs(() => primary.info('replication'), online);
  await expectSweeping(primary);
  expect(await primary.send('FAILOVER', 'TO', '127.0.0.1', String(replica.port), 'TIMEOUT', '20000')).toBe('+OK\r\n');
  await eventuallyIs(
    () => replica.info('replication'),
    ({ role }) => role === 'master',
  );
  await eventuallyIs(
    () => primary.info('replication'),
    ({ role, master_link_status }) => role === 'slave' && master_link_status === 'up',
  );
  await expectSweeping(replica);
  await expectQuiet(primary);
});

/**
 * By how much the clock on the wall, which gaps are measured by, may differ from the host's in a second or
 * two.
 */
const SLEWED_MS = 20;
/** By how much less a gap may seem: its ends, the pause in it and the fixture's own measure are whole ms. */
const ROUNDED_MS = 10;

describe('a sweep that goes wrong', () => {
  const fields = (server: TestServer) => server.info('wasm_sweeps');

  test.each([
    ['trap', 'traps', 'unreachable'],
    ['reply', 'traps', 'redis.ReplyWithNull is not allowed here'],
    ['verbatim', 'traps', 'redis.KeyChanged is not allowed here'],
    ['loop', 'timeouts', 'it ran longer than wasm.time-limit'],
  ] as const)('by %s is logged and counted, and left alone for longer each time', async (deed, counter, what) => {
    const server = await start({ arguments: ['--wasm.time-limit', '50'] });
    await doing(server, deed);
    const [first, second] = await gaps(server, 2);
    expect(first).toBeGreaterThanOrEqual(1000 - SLEWED_MS);
    expect(second).toBeGreaterThanOrEqual(2000 - SLEWED_MS);
    await server.send('MULTI');
    await server.send('SWEEPS.GAPS');
    await server.send('INFO', 'wasm_sweeps');
    const [between, told] = parseReply(await server.send('EXEC')) as [number[], string];
    expect(told).toContain(`wasm_${counter}:${between.length + 1}\r\n`);
    await expect.poll(() => server.log).toMatch(new RegExp(`module sweeps: [^\n]*${what}[^\n]*; running: sweep; functions: [^\n]*sweep`));
    await doing(server, 'nothing');
    expect(await server.send('PING')).toBe('+PONG\r\n');
  });

  test('by redis.Fail is logged, not counted, and goes on later', async () => {
    const server = await start();
    await doing(server, 'fail');
    await eventuallyIs(
      () => server.log,
      (log) => log.includes('module sweeps: its sweep failed: ERR swept'),
    );
    expect(await fields(server)).toMatchObject({ wasm_traps: '0', wasm_timeouts: '0', wasm_damaged: '0' });
    await doing(server, 'nothing');
    await expectSweeping(server);
  });

  test('in the middle of a commit leaves its group damaged, which is not swept until it is flushed', async () => {
    const server = await start();
    await doing(server, 'commit');
    await eventuallyIs(
      () => fields(server),
      ({ wasm_damaged }) => wasm_damaged === '1',
    );
    // For longer than after a first fault of another kind.
    await expectQuiet(server, 1500);
    await server.send('FLUSHALL');
    await expectSweeping(server);
  });
});

describe('a sweep with long steps', () => {
  const LONG = 'module sweeps: it ran longer than the 50 ms that it may take here; running: sweep; functions: ';

  test.each([
    ['slow', LONG],
    ['whole', LONG + 'none'],
  ] as const)('is left alone, and clients are served (%s)', async (deed, line) => {
    const server = await start({ arguments: ['--wasm.time-limit', '1000'] });
    await doing(server, deed);
    await eventuallyIs(
      () => server.log,
      (text) => text.includes(line),
    );
    for (let index = 0; index < 10; index++) expect(await server.send('PING')).toBe('+PONG\r\n');
    // Once it may be in the way, and for as long as its step takes where that is a commit.
    expect(await gaps(server, 1)).toSatisfy(([gap]: number[]) => gap! >= 1000 - SLEWED_MS);
    expect(await server.info('wasm_sweeps')).toMatchObject({ wasm_damaged: '0', wasm_traps: '0' });
  });

  test('that are shorter than their limit takes a quarter of the time at most', async () => {
    const server = await start();
    await doing(server, 'steady');
    for (const gap of await gaps(server, 10)) expect(gap).toBeGreaterThanOrEqual(4 * 20 - ROUNDED_MS);
  });
});

describe('a sweep that has always more to do', () => {
  test('leaves clients most of the time of the server', async () => {
    const server = await start();
    await doing(server, 'greed');
    await expectSweeping(server);
    const [before, begun] = [server.running_ms, performance.now()];
    await passOn(server, 2000);
    // A quarter, and what it takes to wake up for it.
    expect(server.running_ms - before).toBeLessThan(0.5 * (performance.now() - begun));
    for (let index = 0; index < 2000; index++) expect(await server.send('PING')).toBe('+PONG\r\n');
  });

  test('takes more steps in the turns after the first', async () => {
    const server = await start();
    const stream = await ReplicationStream.of(server);
    const [first, third]: [number[], number[]] = [[], []];
    for (let round = 0; round < 15; round++) {
      await server.send('SWEEPS.PUT', '20000');
      await eventuallyIs(
        () => due(server),
        (count) => count === 0,
      );
      const words = (await stream.commands()).map(([name]) => name).join(' ');
      const turns = words.split('EXEC').map((turn) => turn.split('took').length - 1);
      first.push(turns[0]!);
      third.push(turns[2]!);
    }
    // A turn in which something else had the processor has fewer steps, and none has more.
    expect(Math.max(...third)).toBeGreaterThan(1.7 * Math.max(...first));
  });
});

describe('a timer', () => {
  test('is not left behind by a load that fails, and the next load starts it', async () => {
    const server = await startServer({ module: false });
    expect(await server.send('MODULE', 'LOAD', HOST_FILE, HASHMAP_FILE, sweeps, bad)).toMatch(/^-ERR Error loading/);
    await passOn(server, 300);
    expect(await server.send('MODULE', 'LOAD', ...module)).toBe('+OK\r\n');
    await expectSweeping(server);
  });

  // Valkey 9.1 ends by itself there, whatever module it is.
  test.skipIf(tested.name === 'Valkey')('is not left behind where the server undoes a load for an unknown setting', async () => {
    const server = await startServer({ module: false });
    await server.send('MODULE', 'LOADEX', HOST_FILE, 'CONFIG', 'wasm.unknown', '1', 'ARGS', HASHMAP_FILE, sweeps);
    await passOn(server, 300);
    expect(await server.send('PING')).toBe('+PONG\r\n');
    if ((await server.send('MODULE', 'LIST')).includes('wasm')) await expectSweeping(server);
    else expect(await server.send('MODULE', 'LOAD', ...module)).toBe('+OK\r\n');
  });
});
