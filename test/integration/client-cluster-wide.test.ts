/**
 * The client over all nodes of a cluster: counts, lists, scans and CLEAR, also while slots move, nodes come
 * and fail over; and what it does with commands that are refused meanwhile.
 */
import { RESP_TYPES } from '@redis/client';
import { expect, test } from 'vitest';
import { clusterWide, withRetries, withTypedErrors } from '../../client/index.ts';
import { SessionStore } from '../../client/express.ts';
import { KeyvCustom } from '../../client/keyv.ts';
import { typedClient, typedCluster } from '../support/clients.ts';
import { startCluster, type Cluster } from '../support/cluster.ts';
import { closeSlot, idOf, join, OK, openSlot } from '../support/moves.ts';
import { eventually, startServer, type TestServer } from '../support/server.ts';
import { calls, sessionData } from '../support/session-store.ts';
import { slotOf } from '../support/slots.ts';

const users = Array.from({ length: 60 }, (_, index) => `user:${index}`);

async function filled(...options: string[]) {
  const cluster = await startCluster({ arguments: options });
  const client = await typedCluster(cluster);
  const ids = await Promise.all(users.map(async (user) => (await client.session.create(user)).id));
  return { cluster, client, ids: ids.sort(), all: clusterWide(client) };
}

/** Moves the slots of these keys from one node to another. */
async function move(cluster: Cluster, source: TestServer, target: TestServer, keys: string[]): Promise<void> {
  for (const slot of new Set(keys.map(slotOf))) {
    expect(await openSlot(source, target, slot)).toBe(OK);
    await closeSlot(cluster, target, slot);
  }
}

async function keysOf(cluster: Cluster, node: TestServer, keys: string[]): Promise<string[]> {
  const nodes = await Promise.all(keys.map(cluster.nodeOf));
  return keys.filter((_, index) => nodes[index] === node);
}

async function collected<T>(pages: AsyncIterable<T[]>, between: (page: T[]) => Promise<void> | void = () => undefined): Promise<T[]> {
  const all: T[] = [];
  for await (const page of pages) {
    all.push(...page);
    await between(page);
  }
  return all;
}

test('counts, lists, scans, checks and clears all nodes', { timeout: 120_000 }, async () => {
  const { cluster, client, ids, all } = await filled();
  const counts = await Promise.all(cluster.nodes.map((node) => node.send('SESSION.COUNT')));
  expect(counts).not.toContain(':0\r\n');
  expect(await all.session.count()).toBe(users.length);
  expect((await all.session.list()).map(({ id }) => id).sort()).toEqual(ids);
  expect((await all.session.list()).map(({ userKey }) => userKey).sort()).toEqual([...users].sort());
  expect((await collected(all.session.scanIterator({ COUNT: 5 }))).sort()).toEqual(ids);
  expect(await all.session.check()).toBe('OK');
  expect(await all.session.strays()).toEqual({ count: 0, ids: [] });

  await client.custom.set('other', 'value');
  expect(await all.custom.len()).toBe(users.length + 1);
  expect((await all.custom.keys('user:*')).sort()).toEqual([...users].sort());
  expect((await collected(all.custom.scanIterator({ MATCH: 'user:1*', COUNT: 7 }))).sort()).toEqual(
    users.filter((user) => user.startsWith('user:1')).sort(),
  );
  const bytes = clusterWide(client.withTypeMapping({ [RESP_TYPES.BLOB_STRING]: Buffer, [RESP_TYPES.NUMBER]: String }));
  expect(await bytes.custom.keys('other')).toEqual([Buffer.from('other')]);
  expect(await bytes.custom.len()).toBe(users.length + 1);
  expect(await bytes.session.count()).toBe(users.length);
  expect((await collected(bytes.session.scanIterator())).every((id) => Buffer.isBuffer(id))).toBe(true);
  expect(await all.custom.check()).toBe('OK');
  expect(await all.custom.clear()).toBe(users.length + 1);
  for (const node of cluster.nodes) expect(await node.send('CUSTOM.LEN')).toBe(':0\r\n');
});

test('of a single server it is what that has, and of no client an error', async () => {
  const server = await startServer();
  const client = await typedClient(server);
  const { id } = await client.session.create('alice');
  const all = clusterWide(client);
  expect([await all.session.count(), await all.custom.len()]).toEqual([1, 1]);
  expect(await collected(all.session.scanIterator())).toEqual([id]);
  expect(await all.custom.keys()).toEqual(['alice']);
  expect((await all.session.list()).map(({ userKey }) => userKey)).toEqual(['alice']);
  expect(await all.custom.clear()).toBe(1);
  for (const wrong of [undefined, null, {}, { custom: {} }] as never[])
    expect(() => clusterWide(wrong)).toThrow('client: a client of node-redis');
  expect(() => clusterWide(client, { timeout: 0 })).toThrow('options.timeout: ');
  expect(() => clusterWide(client, { timeuot: 1 } as never)).toThrow('timeuot');
});

/** Moves the users of another node to that which has what is met first. */
function mover(cluster: Cluster): (met: string) => Promise<void> {
  let isMoved = false;
  return async (met) => {
    if (isMoved) return;
    isMoved = true;
    const target = await cluster.nodeOf(met);
    const source = cluster.nodes.find((node) => node !== target)!;
    await move(cluster, source, target, await keysOf(cluster, source, users));
  };
}

test('meets each id whose slot moves to a node that was walked through already', { timeout: 120_000 }, async () => {
  const { cluster, ids, all } = await filled();
  const moveOnce = mover(cluster);
  const met = await collected(all.session.scanIterator({ COUNT: 1000 }), ([first]) => moveOnce(first!));
  expect([...new Set(met)].sort()).toEqual(ids);
  expect((await all.session.list()).map(({ id }) => id).sort()).toEqual(ids);
});

test('CLEAR reaches what moves to a node that was cleared already', { timeout: 120_000 }, async () => {
  const { cluster, client } = await filled();
  const moveOnce = mover(cluster);
  const watched = {
    custom: client.custom,
    masters: client.masters,
    nodeClient: async (master: (typeof client.masters)[number]) => {
      const node = await client.nodeClient(master);
      const clear = async () => {
        const [met] = await node.custom.keys('user:*');
        const count = await node.custom.clear();
        await moveOnce(met!);
        return count;
      };
      return { sendCommand: (words: string[]) => node.sendCommand(words), custom: { clear } };
    },
  };
  expect(await clusterWide(watched as unknown as typeof client).custom.clear()).toBe(users.length);
  for (const node of cluster.nodes) expect(await node.send('CUSTOM.LEN')).toBe(':0\r\n');
});

test('the store of Keyv clears what moves meanwhile', { timeout: 120_000 }, async () => {
  const cluster = await startCluster();
  const client = await typedCluster(cluster);
  const moveOnce = mover(cluster);
  const store = new KeyvCustom({ client, prefix: '' });
  await store.setMany(users.map((key) => ({ key, value: 'x' })));
  const met = await collected(store.iterator() as AsyncGenerator<string[]>, ([name]) => moveOnce(name!));
  expect([...new Set(met)].filter((text) => text !== 'x').sort()).toEqual([...users].sort());
  await store.clear();
  for (const node of cluster.nodes) expect(await node.send('CUSTOM.LEN')).toBe(':0\r\n');
});

test('what is refused while its slot moves is sent again until the slot is where it goes', { timeout: 120_000 }, async () => {
  const { cluster, client } = await filled();
  const [user] = users as [string];
  const source = await cluster.nodeOf(user);
  const target = cluster.nodes.find((node) => node !== source)!;
  const [one, two] = [`{${user}}one`, `{${user}}two`];
  await client.custom.mSet({ [one]: '1', [two]: '2' });
  expect(await openSlot(source, target, slotOf(user))).toBe(OK);
  await expect(client.custom.mGet([one, two])).rejects.toThrow(/^TRYAGAIN /);
  expect(await client.custom.get(one)).toBe('1');

  const store = new SessionStore({ client, userOf: (data) => data.user, userOfRequest: () => user });
  const sid = store.genid({});
  const refused = await target.send('INFO', 'commandstats');
  const answers = Promise.all([
    withRetries(client.custom).mGet([one, two]),
    withTypedErrors(withRetries(client.custom)).mSet({ [one]: '3', [two]: '4' }),
    calls(store)
      .set(sid, sessionData({ a: 1 }))
      .then(() => calls(store).set(sid, sessionData({ user, a: 2 }))),
  ]);
  const isRefused = (text: string) =>
    [...text.matchAll(/cmdstat_(?:custom\.mget|custom\.mset|session\.assign):.*rejected_calls=([1-9])/g)].length === 3;
  expect(isRefused(refused)).toBe(false);
  expect(await eventually(() => target.send('INFO', 'commandstats'), isRefused)).toSatisfy(isRefused);
  await closeSlot(cluster, target, slotOf(user));
  const [values, stored] = await answers;
  expect(stored).toBe('OK');
  expect([
    ['1', '2'],
    ['3', '4'],
  ]).toContainEqual(values);
  expect(await client.custom.mGet([one, two])).toEqual(['3', '4']);
  expect(await store.ids(user)).toContain(sid);
});

test('a slot that stays open has its commands refused in the end', { timeout: 120_000 }, async () => {
  const { cluster, client } = await filled();
  const [user] = users as [string];
  const source = await cluster.nodeOf(user);
  const target = cluster.nodes.find((node) => node !== source)!;
  expect(await openSlot(source, target, slotOf(user))).toBe(OK);
  await expect(withRetries(client.custom).del([`{${user}}1`, `{${user}}2`])).rejects.toThrow(/^TRYAGAIN /);
  const rejected = /cmdstat_custom\.del:.*rejected_calls=(\d+)/.exec(await target.send('INFO', 'commandstats'))?.[1];
  expect(rejected).toBe('9');
  expect(() => withRetries(undefined as never)).toThrow('namespace: ');
});

test('a node that has no slot yet: what ASK sends there waits for it, and it is walked through', { timeout: 120_000 }, async () => {
  const { cluster, client, ids, all } = await filled();
  const added = await join(cluster.nodes);
  const [user] = users as [string];
  const slot = slotOf(user);
  const [id] = (await client.session.user(user)) as [string];
  expect(await openSlot(await cluster.nodeOf(user), added, slot)).toBe(OK);
  await expect(client.session.get(id)).rejects.toThrow(`Cannot find node 127.0.0.1:${added.port}`);
  const [answer, listed] = [withRetries(client.session).get(id), all.session.list()];
  await closeSlot({ nodes: [...cluster.nodes, added] }, added, slot);
  expect(await answer).toMatchObject({ id, userKey: user });
  expect((await listed).map((session) => session.id).sort()).toEqual(ids);
  expect((await collected(all.session.scanIterator())).sort()).toEqual(ids);
  expect(await all.session.count()).toBe(ids.length);
});

test('a node that fails over while it is walked through', { timeout: 120_000 }, async () => {
  const { cluster, client, ids } = await filled('--cluster-node-timeout', '1000');
  const [first] = cluster.nodes as [TestServer];
  const replica = await join(cluster.nodes, '--cluster-node-timeout', '1000');
  expect(await replica.send('CLUSTER', 'REPLICATE', await idOf(first))).toBe(OK);
  const count = await first.send('SESSION.COUNT');
  expect(
    await eventually(
      () => replica.send('SESSION.COUNT'),
      (reply) => reply === count,
    ),
  ).toBe(count);
  let ended: Promise<void> | undefined;
  const all = clusterWide(client, { timeout: 60_000 });
  const met = await collected(all.session.scanIterator({ COUNT: 1 }), () => {
    ended ??= first.kill();
  });
  await ended;
  expect([...new Set(met)].sort()).toEqual(ids);
  expect(await replica.send('ROLE')).toContain('master');
  const [, second, third] = cluster.nodes as [TestServer, TestServer, TestServer];
  for (const node of [second, third]) await node.kill();
  await expect(clusterWide(client, { timeout: 500 }).session.list()).rejects.toThrow();
});
