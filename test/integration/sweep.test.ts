/** The export `sweep`: called where the server may replicate, in steps that are seen whole, and never where it may not. */
import { describe, expect, test } from 'vitest';
import { assemble, fixture } from '../support/modules.ts';
import { caughtUp, follow } from '../support/replication.ts';
import { eventually, HASHMAP_FILE, HOST_FILE, startServer, tested, type ServerOptions, type TestServer } from '../support/server.ts';
import { ReplicationStream } from '../support/stream.ts';

const sweeps = await fixture('sweeps');
/** A module whose load fails. */
const bad = await assemble('bad', '(func (export "onLoad") (result i32) (i32.const 1))');
const module = [HOST_FILE, HASHMAP_FILE, sweeps];
const start = (options: ServerOptions = {}) => startServer({ module, ...options });

/** What SWEEPS.DO takes. */
const DEEDS = { greed: '1', trap: '2', loop: '3', fail: '4', commit: '5', reply: '6', verbatim: '7', slow: '8', steady: '9', whole: '10' };
const doing = (server: TestServer, deed: keyof typeof DEEDS) => server.send('SWEEPS.DO', DEEDS[deed]);
const number = async (server: TestServer, command: string) => Number((await server.send(command)).slice(1));
const calls = (server: TestServer) => number(server, 'SWEEPS.CALLS');
const due = (server: TestServer) => number(server, 'SWEEPS.DUE');
const pause = (duration_ms: number) => new Promise((resolve) => setTimeout(resolve, duration_ms));

/** Whether the server sweeps: waits for one call more. */
async function expectSweeping(server: TestServer): Promise<void> {
  const before = await calls(server);
  expect(
    await eventually(
      () => calls(server),
      (count) => count > before,
    ),
  ).toBeGreaterThan(before);
}

/** Whether it does not: some periods pass without a call. */
async function expectQuiet(server: TestServer): Promise<void> {
  await pause(100);
  const before = await calls(server);
  await pause(500);
  expect(await calls(server)).toBe(before);
}

test('an idle server sweeps at least every 100 ms', async () => {
  const server = await start();
  await expectSweeping(server);
  const [before, begun] = [await calls(server), Date.now()];
  await pause(2000);
  expect(await calls(server)).toBeGreaterThanOrEqual(before + Math.floor((Date.now() - begun) / 100));
});

test('what is due is swept to the end, with its effects on the storage, on the replica and in the append-only file', async () => {
  const primary = await start({ tcp: true, arguments: ['--appendonly', 'yes'] });
  const replica = await start();
  await follow(replica, primary);
  await primary.send('CUSTOM.SET', 'due', 'x');
  await primary.send('SWEEPS.PUT', '100003');
  expect(
    await eventually(
      () => due(primary),
      (count) => count === 0,
    ),
  ).toBe(0);
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
  await eventually(
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
  expect(await eventually(() => primary.info('replication'), online)).toSatisfy(online);
  await expectSweeping(primary);
  expect(await primary.send('FAILOVER', 'TO', '127.0.0.1', String(replica.port), 'TIMEOUT', '20000')).toBe('+OK\r\n');
  expect(
    (
      await eventually(
        () => replica.info('replication'),
        ({ role }) => role === 'master',
      )
    ).role,
  ).toBe('master');
  expect(
    (
      await eventually(
        () => primary.info('replication'),
        ({ master_link_status }) => master_link_status === 'up',
      )
    ).role,
  ).toBe('slave');
  await expectSweeping(replica);
  await expectQuiet(primary);
});

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
    const counted = (wanted: number) =>
      eventually(
        async () => Number((await fields(server))[`wasm_${counter}`]),
        (count) => count >= wanted,
      );
    expect(await counted(1)).toBe(1);
    const first = Date.now();
    expect(await counted(2)).toBe(2);
    expect(Date.now() - first).toBeGreaterThan(700);
    await expect.poll(() => server.log).toMatch(new RegExp(`module sweeps: [^\n]*${what}[^\n]*; running: sweep; functions: [^\n]*sweep`));
    const second = Date.now();
    expect(await counted(3)).toBe(3);
    expect(Date.now() - second).toBeGreaterThan(1500);
    await server.send('SWEEPS.DO', '0');
    expect(await server.send('PING')).toBe('+PONG\r\n');
  });

  test('by redis.Fail is logged, not counted, and goes on later', async () => {
    const server = await start();
    await doing(server, 'fail');
    const line = 'module sweeps: its sweep failed: ERR swept';
    expect(
      await eventually(
        () => server.log,
        (log) => log.includes(line),
      ),
    ).toContain(line);
    expect(await fields(server)).toMatchObject({ wasm_traps: '0', wasm_timeouts: '0', wasm_damaged: '0' });
    await server.send('SWEEPS.DO', '0');
    await expectSweeping(server);
  });

  test('in the middle of a commit leaves its group damaged, which is not swept until it is flushed', async () => {
    const server = await start();
    await doing(server, 'commit');
    expect(
      (
        await eventually(
          () => fields(server),
          ({ wasm_damaged }) => wasm_damaged === '1',
        )
      ).wasm_damaged,
    ).toBe('1');
    await pause(1000);
    await expectQuiet(server);
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
    const begun = Date.now();
    for (let index = 0; index < 10; index++) {
      expect(await server.send('PING')).toBe('+PONG\r\n');
      await pause(10);
    }
    // Once it may be in the way, and for as long as its step takes where that is a commit.
    expect(Date.now() - begun).toBeLessThan(2000);
    const log = await eventually(
      () => server.log,
      (text) => text.includes(line),
    );
    expect(log).toContain(line);
    expect(await server.info('wasm_sweeps')).toMatchObject({ wasm_damaged: '0', wasm_traps: '0' });
  });

  test('that are shorter than their limit takes a fifth of the time at most', async () => {
    const server = await start();
    await doing(server, 'steady');
    await expectSweeping(server);
    const [before, begun] = [await calls(server), Date.now()];
    await pause(2000);
    const most = (Date.now() - begun) / 100;
    expect((await calls(server)) - before).toBeLessThanOrEqual(most + 2);
  });
});

test('clients are served between the steps of a sweep that has always more to do', async () => {
  const server = await start();
  await doing(server, 'greed');
  await expectSweeping(server);
  const begun = Date.now();
  for (let index = 0; index < 2000; index++) expect(await server.send('PING')).toBe('+PONG\r\n');
  // A slice of 100 µs may come before each, and no more than one.
  expect((Date.now() - begun) / 2000).toBeLessThan(2);
});

describe('a timer', () => {
  test('is not left behind by a load that fails, and the next load starts it', async () => {
    const server = await startServer({ module: false });
    expect(await server.send('MODULE', 'LOAD', HOST_FILE, HASHMAP_FILE, sweeps, bad)).toMatch(/^-ERR Error loading/);
    await pause(300);
    expect(await server.send('MODULE', 'LOAD', ...module)).toBe('+OK\r\n');
    await expectSweeping(server);
  });

  // Valkey 9.1 ends by itself there, whatever module it is.
  test.skipIf(tested.name === 'Valkey')('is not left behind where the server undoes a load for an unknown setting', async () => {
    const server = await startServer({ module: false });
    await server.send('MODULE', 'LOADEX', HOST_FILE, 'CONFIG', 'wasm.unknown', '1', 'ARGS', HASHMAP_FILE, sweeps);
    await pause(300);
    expect(await server.send('PING')).toBe('+PONG\r\n');
    if ((await server.send('MODULE', 'LIST')).includes('wasm')) await expectSweeping(server);
    else expect(await server.send('MODULE', 'LOAD', ...module)).toBe('+OK\r\n');
  });
});
