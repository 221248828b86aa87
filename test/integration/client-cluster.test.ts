/** The client in a cluster of three: what has a key goes where that belongs, what walks through all goes everywhere. */
import { Keyv } from 'keyv';
import { expect, it } from 'vitest';
import { secondaryStorage } from '../../client/better-auth.ts';
import { SessionStore } from '../../client/express.ts';
import { scanIterator } from '../../client/index.ts';
import { KeyvCustom } from '../../client/keyv.ts';
import { typedCluster } from '../support/clients.ts';
import { startCluster } from '../support/cluster.ts';

it('serves every command and adapter', { timeout: 120_000 }, async () => {
  const cluster = await startCluster();
  const client = await typedCluster(cluster);
  const nodes = await Promise.all(client.masters.map((master) => client.nodeClient(master)));
  const users = Array.from({ length: 30 }, (_, index) => `user:${index}`);

  // Sessions: each on the node of its user, whichever that is.
  const ids = await Promise.all(users.map(async (user) => (await client.session.create(user, { data: { user } })).id));
  expect(await Promise.all(ids.map((id) => client.session.getData(id, 'user')))).toEqual(users);
  expect(await Promise.all(users.map((user) => client.custom.get(user)))).toEqual(ids);
  const counts = await Promise.all(nodes.map((node) => node.session.count()));
  expect(counts.every((count) => count > 0)).toBe(true);
  const met: string[] = [];
  for await (const page of scanIterator(nodes.map((node) => node.session))) met.push(...page);
  expect(met.sort()).toEqual([...ids].sort());
  const [first] = ids as [string];
  const rotated = await client.session.rotate(first);
  expect(await client.session.user(users[0]!)).toEqual([rotated]);
  const [stored, value] = await client.multi().custom.set('a', '1').custom.get('a').exec();
  expect([stored, value]).toEqual(['OK', '1']);
  expect(await client.custom.mSet({ '{tag}a': '1', '{tag}b': '2' })).toBe('OK');
  expect(await client.custom.mGet(['{tag}a', '{tag}b'])).toEqual(['1', '2']);
  await expect(client.custom.mGet(['a', 'b', 'c'])).rejects.toThrow('CROSSSLOT');

  // Adapters: their keys are on all nodes.
  const keyv = new Keyv({ store: new KeyvCustom({ client }), namespace: 'pages' });
  await keyv.setMany(users.map((key) => ({ key, value: key })));
  expect(await keyv.getMany(users)).toEqual(users);
  const entries: unknown[] = [];
  for await (const [key] of keyv.iterator!(undefined)) entries.push(key);
  expect(entries.sort()).toEqual([...users].sort());
  await keyv.clear();
  expect(await keyv.hasMany(users)).toEqual(users.map(() => false));
  const storage = secondaryStorage({ client });
  expect(await Promise.all(users.map((user) => storage.increment(user, 60)))).toEqual(users.map(() => 1));

  // The store of express-session: by its prefix all in one slot, since an id and its user must be.
  const store = new SessionStore({ client, prefix: '{app}', userOf: (session) => session.user });
  const sid = 'a-session-id-of-32-characters-00';
  const data: unknown = { user: 'alice', cookie: { originalMaxAge: null } };
  await new Promise((resolve) => {
    store.set(sid, data as never, resolve);
  });
  expect(await store.ids('alice')).toEqual([sid]);
  expect(
    await new Promise((resolve) => {
      store.length((_error, length) => {
        resolve(length);
      });
    }),
  ).toBe(1);
  await new Promise((resolve) => {
    store.clear(resolve);
  });
  expect(await store.ids('alice')).toEqual([]);
  expect(await client.session.get(rotated)).not.toBeNull();
  for (const node of cluster.nodes) {
    expect(await node.send('SESSION.CHECK')).toBe('+OK\r\n');
    expect(await node.send('CUSTOM.CHECK')).toBe('+OK\r\n');
  }
});
