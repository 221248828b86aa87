/**
 * Links that break, chains of replicas and changes of role, with writes going on: every server ends with the
 * same bytes.
 */
import { describe, expect, test } from 'vitest';
import { caughtUp, follow, linked, Proxy } from '../support/replication.ts';
import { eventually, startServer, tested, type LinkMode, type TestServer } from '../support/server.ts';
import { dump, fill } from '../support/state.ts';
import { Writer } from '../support/writer.ts';

const otherLink: LinkMode = tested.link === 'auto' ? 'command' : 'auto';

/** How often replicas synchronised with this server: as a whole, and in part. */
async function synchronisations(server: TestServer): Promise<{ full: number; partial: number }> {
  const stats = await server.info('stats');
  return { full: Number(stats.sync_full), partial: Number(stats.sync_partial_ok) };
}

/** Waits until the primary knows its one replica as online, without which it hands nothing over. */
async function online(primary: TestServer): Promise<void> {
  const info = await eventually(
    () => primary.info('replication'),
    (fields) => fields.slave0?.includes('state=online') === true,
  );
  expect(info.slave0).toContain('state=online');
}

/** Sessions without their last access, which may lag a second on replicas. */
function withoutAccess(state: string[]): string[] {
  return state.map((line) => line.replace(/"last_accessed":"[^"]*"/, ''));
}

/** Expects the state of every replica to be the primary's, and answers it. */
async function same(primary: TestServer, ...replicas: TestServer[]): Promise<string[]> {
  const state = await dump(primary);
  for (const replica of replicas) expect(withoutAccess(await dump(replica))).toEqual(withoutAccess(state));
  return state;
}

describe('a link that breaks', () => {
  test.each(['the primary', 'the network'])('by %s goes on where it was, while writes go on', async (cause) => {
    const primary = await startServer({ tcp: true });
    const replica = await startServer({ link: otherLink });
    const proxy = await Proxy.start(primary);
    await fill(primary);
    await follow(replica, proxy);
    const { full } = await synchronisations(primary);
    const writer = await Writer.start(primary);
    for (let round = 1; round <= 3; round++) {
      await writer.hasWritten(50);
      if (cause === 'the primary') expect(await primary.send('CLIENT', 'KILL', 'TYPE', 'replica')).toBe(':1\r\n');
      else proxy.cut();
      const { partial } = await eventually(
        () => synchronisations(primary),
        (counts) => counts.partial >= round,
      );
      expect(partial).toBe(round);
      await linked(replica);
    }
    await writer.stop();
    await caughtUp(primary, replica);
    expect((await synchronisations(primary)).full).toBe(full);
    writer.expectAllIn(await same(primary, replica));
  });
});

describe('a chain', () => {
  test('of replicas has the state of its head, and keeps it when a link of it breaks', async () => {
    const primary = await startServer({ tcp: true });
    const middle = await startServer({ tcp: true, link: otherLink });
    const last = await startServer({ arguments: ['--repl-diskless-load', 'swapdb'] });
    await fill(primary, 'before ');
    await follow(middle, primary);
    await follow(last, middle);
    const writer = await Writer.start(primary);
    await writer.hasWritten(50);
    expect(await middle.send('CLIENT', 'KILL', 'TYPE', 'replica')).toBe(':1\r\n');
    await writer.hasWritten(50);
    expect(await primary.send('CLIENT', 'KILL', 'TYPE', 'replica')).toBe(':1\r\n');
    await writer.hasWritten(50);
    await linked(middle);
    await linked(last);
    await writer.stop();
    await caughtUp(primary, middle);
    await caughtUp(primary, last);
    writer.expectAllIn(await same(primary, middle, last));
    await primary.send('FLUSHALL');
    await caughtUp(primary, last);
    expect(await same(primary, middle, last)).toEqual([]);
  });
});

describe('a promotion', () => {
  test('by REPLICAOF NO ONE: the others follow the new primary without a full synchronisation', async () => {
    const primary = await startServer({ tcp: true });
    const heir = await startServer({ tcp: true, link: otherLink });
    const other = await startServer();
    await fill(primary, 'before ');
    await follow(heir, primary);
    await follow(other, primary);
    await caughtUp(primary, heir);
    await caughtUp(primary, other);
    const before = await same(primary, heir, other);
    await primary.kill();
    expect(await heir.send('REPLICAOF', 'NO', 'ONE')).toBe('+OK\r\n');
    expect(await dump(heir)).toEqual(before);
    await follow(other, heir);
    const writer = await Writer.start(heir);
    await writer.hasWritten(100);
    await writer.stop();
    await caughtUp(heir, other);
    expect(await synchronisations(heir)).toEqual({ full: 0, partial: 1 });
    writer.expectAllIn(await same(heir, other));
  });

  test('by FAILOVER loses no write that was acknowledged, before it, during it or after it', async () => {
    const old = await startServer({ tcp: true });
    const heir = await startServer({ tcp: true, link: otherLink });
    await fill(old, 'before ');
    await follow(heir, old);
    const first = await Writer.start(old);
    await first.hasWritten(100);
    await online(old);
    expect(await old.send('FAILOVER', 'TO', '127.0.0.1', String(heir.port))).toBe('+OK\r\n');
    await first.isRefused();
    const second = await Writer.start(heir);
    await second.hasWritten(100);
    await second.stop();
    await linked(old);
    await caughtUp(heir, old);
    expect((await old.info('replication')).role).toBe('slave');
    expect(await synchronisations(heir)).toEqual({ full: 0, partial: 1 });
    const state = await same(heir, old);
    first.expectAllIn(state);
    second.expectAllIn(state);
  });

  test('by FAILOVER that is given up: the old primary goes on', async () => {
    const primary = await startServer({ tcp: true });
    const replica = await startServer({ tcp: true });
    await follow(replica, primary);
    const reader = await startReader(primary);
    await online(primary);
    // The replica does not answer for a while, so that the failover waits, paused, until it is given up.
    process.kill(replica.pid, 'SIGSTOP');
    const writer = await Writer.start(primary);
    await writer.hasWritten(20);
    expect(await primary.send('FAILOVER', 'TO', '127.0.0.1', String(replica.port), 'TIMEOUT', '60000')).toBe('+OK\r\n');
    expect((await primary.info('replication')).master_failover_state).toBe('waiting-for-sync');
    const waiting = reader.read();
    expect(await primary.send('CUSTOM.EXISTS', 'none')).toBe(':0\r\n');
    expect(reader.answered).toBe(false);
    expect(await primary.send('FAILOVER', 'ABORT')).toBe('+OK\r\n');
    expect(await waiting).toBe('$-1\r\n');
    process.kill(replica.pid, 'SIGCONT');
    await writer.hasWritten(20);
    await writer.stop();
    await linked(replica);
    await caughtUp(primary, replica);
    writer.expectAllIn(await same(primary, replica));
  });
});

/** A client that reads a session's data, which updates its last access. */
async function startReader(server: TestServer): Promise<{ read: () => Promise<string>; readonly answered: boolean }> {
  const connection = await server.connect();
  const id = (await connection.send('SESSION.CREATE', 'reader')).trim().slice(-36);
  let answered = false;
  return {
    read: async () => {
      answered = false;
      const reply = await connection.send('SESSION.GET_DATA', id, 'none');
      answered = true;
      return reply;
    },
    get answered() {
      return answered;
    },
  };
}
