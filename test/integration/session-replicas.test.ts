/**
 * Lives, versions, order and old ids of sessions on replicas, after a restart from either file, and when a
 * replica takes over.
 */
import { describe, expect, test } from 'vitest';
import { bulk, bulks, parseBulk, parseBulks } from '../support/raw.ts';
import { parseReply } from '../support/reply.ts';
import { caughtUp, follow, linked, Proxy, startPair } from '../support/replication.ts';
import { eventually, startServer, type TestServer } from '../support/server.ts';
import { createWith } from './suites/session-options.ts';

const BYTES = /\$5\r\nbytes\r\n:\d+\r\n$/;
const LEFT = /(\$3\r\nttl\r\n):\d{3,}\r\n/;

/** Sessions of every kind; all ids that anybody was ever given. */
async function fill(server: TestServer, name = 'first'): Promise<string[]> {
  const ids: string[] = [];
  for (let index = 0; index < 120; index++) {
    const options = [[], ['IDLE', '5000'], ['TTL', '6000'], ['IDLE', '900', 'TTL', '7000']][index % 4]!;
    const given = index % 5 === 0 ? ['ID', `given-by-a-caller-${name}-${index}`] : [];
    const id = await createWith(server, `user ${index % 17}`, 'NEW', ...options, ...given, 'DATA', 'f', `v${index}`, '\0', '\xff');
    ids.push(id);
    if (index % 3 === 0) await server.send('SESSION.ADD_DATA', id, 'a', '1', 'b', 'x'.repeat(index * 30));
    if (index % 4 === 0) await server.send('SESSION.INCR_DATA', id, 'n', String(index));
    if (index % 6 === 0) await server.send('SESSION.DEL_DATA', id, 'f', 'a');
    if (index % 7 === 0) await server.send('SESSION.ASSIGN', id, `user ${(index + 3) % 17}`);
    if (index % 8 === 0) ids.push(parseBulk(await server.send('SESSION.ROTATE', id, 'GRACE', '500000')));
    if (index % 9 === 0) ids.push(parseBulk(await server.send('SESSION.ROTATE', ids.at(-1))));
    if (index % 10 === 0) await server.send('SESSION.EXPIRE', ids.at(-1), '4000', 'IDLE');
    if (index % 11 === 0) await server.send('SESSION.DELETE', ids.at(-2));
    if (index % 13 === 0) await createWith(server, `user ${index % 17}`, 'NEW', 'MAX', '3');
  }
  await server.send('SESSION.DELUSER', 'user 5', 'EXCEPT', ids[5]!);
  await server.send('SESSION.DELUSER', 'user 6');
  return ids;
}

/**
 * All that can be seen of these ids and users, but for how much time is left. Throws where a store is not
 * sound.
 */
async function seen(server: TestServer, ids: string[]): Promise<string[]> {
  for (const command of ['SESSION.CHECK', 'CUSTOM.CHECK']) expect(await server.send(command)).toBe('+OK\r\n');
  const listed = parseBulks(await server.send('SESSION.LIST')).sort();
  const all = [...new Set([...ids, ...listed.map((line) => /^ID: (\S+),/.exec(line)![1]!)])].sort();
  const sessions = all.map(async (id) => {
    const info = (await server.send('SESSION.INFO', id)).replace(BYTES, '').replace(LEFT, '$1:left');
    return `${id}: ${await server.send('SESSION.GET', id)}${info}`;
  });
  const users = Array.from({ length: 17 }, async (_, index) => {
    const user = `user ${index}`;
    return `${user}: ${await server.send('SESSION.USER', user)}${await server.send('SESSION.COUNT', user)}${await server.send('CUSTOM.GET', user)}`;
  });
  return [...listed, ...(await Promise.all([...sessions, ...users])), await server.send('SESSION.COUNT')];
}

/** Milliseconds left of each session that ends by the clock. */
async function left(server: TestServer, ids: string[]): Promise<number[]> {
  return Promise.all(ids.map(async (id) => parseReply(await server.send('SESSION.TTL', id)) as number));
}

function expectClose(before: number[], after: number[], elapsed: number): void {
  expect(before.filter((ms) => ms > 0).length).toBeGreaterThan(20);
  for (const [index, ms] of before.entries()) {
    const now = after[index]!;
    if (ms <= 0) expect(now).toBe(ms);
    else expect(now <= ms && now >= ms - elapsed - 1000).toBe(true);
  }
}

describe('after a restart', () => {
  test.each([
    ['from the RDB file', []],
    ['from the append-only file', ['--appendonly', 'yes', '--appendfsync', 'always']],
  ])('%s everything is there: limits, versions, order, old ids in grace', async (_, options) => {
    const server = await startServer({ arguments: options });
    const ids = await fill(server);
    const before = await seen(server, ids);
    expect(before.filter((line) => line.includes('given-by-a-caller')).length).toBeGreaterThan(20);
    const [lives, start] = [await left(server, ids), Date.now()];
    if (options.length === 0) expect(await server.send('SAVE')).toBe('+OK\r\n');
    await server.kill();
    await server.start();
    expect(await seen(server, ids)).toEqual(before);
    expectClose(lives, await left(server, ids), Date.now() - start);
  });

  test('what expired while it was down is gone, and reclaimed', async () => {
    const server = await startServer({ arguments: ['--save', '3600', '1'] });
    const older = await createWith(server, 'u');
    const id = await createWith(server, 'u', 'NEW', 'TTL', '1');
    const old = await createWith(server, 'v');
    const next = parseBulk(await server.send('SESSION.ROTATE', old, 'GRACE', '1000'));
    await server.end();
    await new Promise((resolve) => setTimeout(resolve, 1100));
    await server.start();
    for (const gone of [id, old]) expect(await server.send('SESSION.GET', gone)).toBe('$-1\r\n');
    const mapping = await eventually(
      () => server.send('CUSTOM.GET', 'u'),
      (reply) => reply === bulk(older),
    );
    expect(mapping).toBe(bulk(older));
    expect(await server.send('SESSION.USER', 'v')).toBe(bulks(next));
    expect(await server.send('SESSION.COUNT')).toBe(':2\r\n');
    expect(await server.send('SESSION.CHECK')).toBe('+OK\r\n');
  });

  test('a server that forks and a server that restarts mint other ids', async () => {
    const server = await startServer();
    const ids = new Set([await createWith(server, 'u')]);
    await server.send('SAVE');
    for (let index = 0; index < 300; index++) ids.add(await createWith(server, 'u', 'NEW', 'MAX', '2'));
    await server.kill();
    await server.start();
    for (let index = 0; index < 300; index++) ids.add(await createWith(server, 'u', 'NEW', 'MAX', '2'));
    expect(ids.size).toBe(601);
  });
});

describe('a replica', () => {
  test('has everything after the full synchronisation, and by effects', async () => {
    const { primary, replica } = await startPair();
    const ids = await fill(primary);
    await follow(replica, primary);
    await caughtUp(primary, replica);
    expect(await seen(replica, ids)).toEqual(await seen(primary, ids));
    ids.push(...(await fill(primary, 'second')));
    await caughtUp(primary, replica);
    expect(await seen(replica, ids)).toEqual(await seen(primary, ids));
  });

  test('hides what has expired by its own clock, and the effect of the primary removes it', async () => {
    const { primary, replica } = await startPair();
    await follow(replica, primary);
    const older = await createWith(primary, 'u');
    // The primary may not sweep from right after the creation on, so the replica has the session still.
    const [id] = await Promise.all([createWith(primary, 'u', 'NEW', 'TTL', '1'), primary.send('CLIENT', 'PAUSE', '60000', 'WRITE')]);
    await caughtUp(primary, replica);
    const sessions = async () => (await replica.info('wasm')).wasm_sessions;
    const hidden = await eventually(
      () => replica.send('SESSION.GET', id),
      (reply) => reply === '$-1\r\n',
    );
    expect(hidden).toBe('$-1\r\n');
    expect(await replica.send('SESSION.USER', 'u')).toBe(bulks(older));
    expect(await replica.send('SESSION.TTL', id)).toBe(':-2\r\n');
    expect(await sessions()).toBe('2');
    await primary.send('CLIENT', 'UNPAUSE');
    const reclaimed = await eventually(sessions, (count) => count === '1');
    expect(reclaimed).toBe('1');
    expect(await replica.send('CUSTOM.GET', 'u')).toBe(bulk(older));
    expect(await replica.send('SESSION.CHECK')).toBe('+OK\r\n');
  });

  test('that takes over goes on with all lives, and reclaims by itself', async () => {
    const { primary, replica } = await startPair();
    await follow(replica, primary);
    const ids = await fill(primary);
    const id = await createWith(primary, 'short', 'TTL', '1');
    await caughtUp(primary, replica);
    const [before, lives, start] = [await seen(primary, ids), await left(primary, ids), Date.now()];
    await primary.kill();
    await replica.send('REPLICAOF', 'NO', 'ONE');
    expectClose(lives, await left(replica, ids), Date.now() - start);
    const mapping = await eventually(
      () => replica.send('CUSTOM.GET', 'short'),
      (reply) => reply === '$-1\r\n',
    );
    expect(mapping).toBe('$-1\r\n');
    const after = await seen(replica, ids);
    const rest = (lines: string[]) => lines.filter((line) => !line.includes(id) && !line.startsWith(':'));
    expect(rest(after)).toEqual(rest(before));
    expect(await createWith(replica, 'user 1', 'NEW')).toMatch(/^[0-9a-f-]{36}$/);
  });

  test('whose link was cut goes on where it was, without a full synchronisation', async () => {
    const { primary, replica } = await startPair();
    const proxy = await Proxy.start(primary);
    await follow(replica, proxy);
    const ids = await fill(primary);
    await caughtUp(primary, replica);
    const full = (await primary.info('stats')).sync_full;
    proxy.open = false;
    proxy.cut();
    ids.push(...(await fill(primary, 'second')));
    for (let index = 0; index < 30; index++) {
      const id = await createWith(primary, `user ${index % 17}`, 'NEW', 'IDLE', '800');
      ids.push(id, parseBulk(await primary.send('SESSION.ROTATE', id, 'GRACE', '500000')));
    }
    await primary.send('SESSION.DELUSER', 'user 2');
    proxy.open = true;
    await linked(replica);
    await caughtUp(primary, replica);
    expect((await primary.info('stats')).sync_full).toBe(full);
    expect(await seen(replica, ids)).toEqual(await seen(primary, ids));
  });
});
