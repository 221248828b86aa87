/**
 * Full synchronisations of every kind: what comes replaces everything, whole, and what fails replaces nothing
 * that was to stay.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { bulk } from '../support/raw.ts';
import { caughtUp, follow, linked, Proxy, usePair } from '../support/replication.ts';
import { eventually, startServer } from '../support/server.ts';
import { dump, fill } from '../support/state.ts';

const SWAPDB = ['--repl-diskless-load', 'swapdb'];

describe.each(['yes', 'no'])('with repl-diskless-sync %s', (sync) => {
  const { primary, replica } = usePair({});

  test.each(['disabled', 'on-empty-db', 'swapdb'])(
    'and repl-diskless-load %s the replica has the state of the primary alone',
    async (load) => {
      expect(await replica.send('CONFIG', 'SET', 'repl-diskless-load', load)).toBe('+OK\r\n');
      expect(await primary.send('CONFIG', 'SET', 'repl-diskless-sync', sync)).toBe('+OK\r\n');
      await fill(primary, 'new ');
      await fill(replica, 'old ');
      await primary.send('SET', 'native', 'key');
      await follow(replica, primary);
      await caughtUp(primary, replica);
      expect(await dump(replica)).toEqual(await dump(primary));
      await fill(primary, 'after ');
      await caughtUp(primary, replica);
      const state = await dump(primary);
      expect(state.length).toBeGreaterThan(3000);
      expect(await dump(replica)).toEqual(state);
    },
  );
});

test('a stream into an empty replica that holds nothing sound for one module leaves nothing of another', async () => {
  const primary = await startServer({ tcp: true, arguments: ['--rdbcompression', 'no'] });
  const replica = await startServer({ arguments: ['--repl-diskless-load', 'on-empty-db'] });
  const proxy = await Proxy.start(primary);
  await fill(primary);
  const id = (await primary.send('SESSION.CREATE', 'marked')).trim().slice(-36);
  const mark = 'a value of a session';
  await primary.send('SESSION.ADD_DATA', id, 'field', mark);
  let spoiledAt = Infinity;
  proxy.transform = (bytes) => {
    const at = bytes.indexOf(mark);
    if (at === -1) return bytes;
    spoiledAt = proxy.connections;
    proxy.open = false;
    return bytes.fill(0xff, Math.max(0, at - 100), Math.min(bytes.length, at + 100));
  };
  await replica.send('REPLICAOF', '127.0.0.1', String(proxy.port));
  const connections = await eventually(
    () => proxy.connections,
    (count) => count > spoiledAt,
  );
  expect(connections).toBeGreaterThan(spoiledAt);
  await expect.poll(() => replica.log).toContain('its data in this file (encoding 3) cannot be loaded');
  expect(await dump(replica)).toEqual([]);
  proxy.transform = (bytes) => bytes;
  proxy.open = true;
  await linked(replica);
  await caughtUp(primary, replica);
  expect(await dump(replica)).toEqual(await dump(primary));
});

describe('with repl-diskless-load swapdb', () => {
  const { primary, replica } = usePair(
    { arguments: [...SWAPDB, '--loading-process-events-interval-bytes', '1024'] },
    { arguments: ['--repl-backlog-size', '16kb', '--rdbcompression', 'no'] },
  );
  const MARK = 'a value that is easy to find in the stream';

  /**
   * The replica has followed the primary through a proxy, was cut off, and has to synchronise from the start:
   * the primary has gone on for longer than its backlog reaches. The proxy is closed.
   */
  async function cutOff(): Promise<{ proxy: Proxy; old: string[] }> {
    const proxy = await Proxy.start(primary);
    await fill(primary, 'old ');
    await follow(replica, proxy);
    await caughtUp(primary, replica);
    const old = await dump(primary);
    proxy.open = false;
    proxy.cut();
    await Promise.all(Array.from({ length: 5000 }, (_, index) => primary.send('CUSTOM.SET', `new ${index}`, `${MARK} ${index}`)));
    await fill(primary, 'new ');
    return { proxy, old };
  }

  async function converges(proxy: Proxy): Promise<void> {
    proxy.transform = (bytes) => bytes;
    proxy.slow = false;
    proxy.open = true;
    await linked(replica);
    await caughtUp(primary, replica);
    expect(await dump(replica)).toEqual(await dump(primary));
    await fill(primary, 'after ');
    await caughtUp(primary, replica);
    expect(await dump(replica)).toEqual(await dump(primary));
  }

  test('the old data is served while the new data comes, and then the new data alone', async () => {
    const { proxy, old } = await cutOff();
    const key = 'old many:1';
    expect(await replica.send('CUSTOM.GET', key)).toBe(bulk('value 1'));
    await primary.send('CUSTOM.SET', key, 'changed');
    proxy.slow = true;
    proxy.open = true;
    let seen = 0;
    await eventually(
      async () => {
        const [loading, value, ...state] = await Promise.all([
          replica.info('persistence'),
          replica.send('CUSTOM.GET', key),
          ...(seen === 3 ? [dump(replica)] : []),
        ]);
        if (loading.async_loading !== '1') return seen;
        expect(value).toBe(bulk('value 1'));
        for (const lines of state) expect(lines).toEqual(old);
        return ++seen;
      },
      (count) => count > 5,
    );
    expect(seen).toBeGreaterThan(5);
    await converges(proxy);
    expect(await replica.send('CUSTOM.GET', key)).toBe(bulk('changed'));
  });

  const failures: Record<string, (bytes: Buffer, at: number) => Buffer | null> = {
    'is cut': () => null,
    'has a flipped bit in a length': (bytes, at) => {
      // Before a value come its key and, before that, both lengths.
      bytes[bytes.lastIndexOf('new ', at) - 2]! ^= 0x40;
      return bytes;
    },
    'holds nothing sound': (bytes, at) => bytes.fill(0xff, Math.max(0, at - 1000), Math.min(bytes.length, at + 1000)),
  };

  test.each(Object.keys(failures))('a stream that %s in the middle leaves the old data in its place', async (kind) => {
    const { proxy, old } = await cutOff();
    let spoiledAt = Infinity;
    proxy.transform = (bytes) => {
      const at = bytes.indexOf(MARK);
      if (spoiledAt < Infinity || at === -1) return bytes;
      spoiledAt = proxy.connections;
      proxy.open = false;
      return failures[kind]!(bytes, at);
    };
    proxy.open = true;
    // The failed attempt, and the next one, which is turned away.
    const connections = await eventually(
      () => proxy.connections,
      (count) => count > spoiledAt,
    );
    expect(connections).toBeGreaterThan(spoiledAt);
    expect(replica.isRunning).toBe(true);
    expect(await dump(replica)).toEqual(old);
    await converges(proxy);
  });

  test('a link that is cut in the middle of the data is told from data that is wrong', async () => {
    const { proxy, old } = await cutOff();
    let reached = false;
    proxy.transform = (bytes) => {
      const at = reached ? 0 : bytes.indexOf(MARK);
      reached ||= at !== -1;
      return reached ? bytes.subarray(0, at) : bytes;
    };
    const from = replica.log.length;
    proxy.open = true;
    const log = (text: string) =>
      eventually(
        () => replica.log.slice(from),
        (lines) => lines.includes(text),
      );
    await log('Loading RDB produced by');
    proxy.open = false;
    proxy.cut();
    const told = await log('cannot be loaded');
    expect(told).toMatch(/refused the data of the RDB file: it ends early: the file is cut short, or the link that it comes by was cut \(/);
    expect(await dump(replica)).toEqual(old);
    await converges(proxy);
  });

  test('a replica that is made a primary after a stream that was cut goes on with the old data', async () => {
    const { proxy, old } = await cutOff();
    proxy.transform = (bytes) => (bytes.includes(MARK) ? null : bytes);
    const before = proxy.connections;
    proxy.open = true;
    await eventually(
      () => proxy.connections,
      (count) => count >= before + 2,
    );
    await eventually(
      () => replica.send('REPLICAOF', 'NO', 'ONE'),
      (reply) => reply === '+OK\r\n',
    );
    expect(await dump(replica)).toEqual(old);
    await fill(replica, 'its own ');
    expect((await dump(replica)).length).toBeGreaterThan(old.length + 1500);
  });

  test('a replica that has no room for a second memory keeps the old data and its link tries again', async () => {
    const { proxy, old } = await cutOff();
    const limit = (bytes: string) => execFileSync('prlimit', ['--pid', String(replica.pid), `--as=${bytes}`]);
    // Less than the address space of one linear memory beyond what is mapped.
    const mapped = Number(readFileSync(`/proc/${replica.pid}/statm`, 'utf8').split(' ')[0]) * 4096;
    limit(`${mapped + 2 ** 30}:`);
    proxy.open = true;
    const told = 'no second memory to load beside the present data';
    expect(
      await eventually(
        () => replica.log,
        (log) => log.includes(told),
      ),
    ).toContain(told);
    expect(await dump(replica)).toEqual(old);
    limit('unlimited:');
    await converges(proxy);
  });

  test('an empty primary empties it', async () => {
    await fill(replica, 'old ');
    await follow(replica, primary);
    expect(await dump(replica)).toEqual([]);
    await fill(primary);
    await caughtUp(primary, replica);
    expect(await dump(replica)).toEqual(await dump(primary));
  });

  test('the counts of the modules go on', async () => {
    await replica.send('CUSTOM.SET', 'key', 'value');
    const served = async (): Promise<number> =>
      Number(/# wasm_hashmap[^#]*?wasm_commands:(\d+)/s.exec(await replica.send('INFO', 'wasm'))?.[1]);
    const before = await served();
    expect(before).toBeGreaterThan(0);
    await follow(replica, primary);
    await replica.send('CUSTOM.GET', 'key');
    expect(await served()).toBe(before + 1);
  });
});
