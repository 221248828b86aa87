/**
 * The client in a cluster of three: what has a key goes where that belongs, what walks through all goes
 * everywhere.
 */
import { Keyv } from 'keyv';
import { createCluster } from 'redis';
import { describe, expect, it, onTestFinished } from 'vitest';
import { secondaryStorage } from '../../client/better-auth.ts';
import { SessionStore } from '../../client/express.ts';
import { scanIterator, session as sessionModule } from '../../client/index.ts';
import { KeyvCustom } from '../../client/keyv.ts';
import { typedCluster } from '../support/clients.ts';
import { startCluster } from '../support/cluster.ts';
import { calls, sessionData } from '../support/session-store.ts';
import { Browser, serve } from '../support/web.ts';

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

describe('sessions of express-session that are spread over the slots', () => {
  const users = Array.from({ length: 24 }, (_, index) => `user:${index}`);
  const userOfRequest = (request: object) => (request as { signsIn?: string }).signsIn;

  it('each in the slot of its user, and anonymous ones in any', { timeout: 120_000 }, async () => {
    const cluster = await startCluster();
    const client = await typedCluster(cluster);
    const store = new SessionStore({ client, prefix: 'app:', userOf: ({ user }) => user, userOfRequest });
    const address = await serve(
      store,
      (app) => {
        app.get('/visit', (request, response) => {
          request.session.visited = true;
          response.send('welcome');
        });
        app.get('/login', (request, response, next) => {
          const user = request.query.user as string;
          Object.assign(request, { signsIn: user });
          request.session.regenerate((error: unknown) => {
            if (error) {
              next(error);
              return;
            }
            request.session.user = user;
            response.send('hello');
          });
        });
        app.get('/forget', (request, response) => {
          request.session.user = undefined;
          response.send('forgotten');
        });
        app.get('/logout', (request, response, next) => {
          request.session.destroy((error: unknown) => {
            if (error) next(error);
            else response.send('bye');
          });
        });
        app.get('/', (request, response) => response.send(request.session.user ?? 'nobody'));
      },
      { genid: store.genid },
    );
    const signIn = async (user: string) => {
      const browser = new Browser(address);
      await browser.open('/visit');
      const before = browser.sid;
      expect(await browser.open(`/login?user=${user}`)).toEqual({ status: 200, text: 'hello' });
      expect(await calls(store).get(before)).toBeNull();
      return browser;
    };
    const slotsOf = async (keys: string[]) => new Set(await Promise.all(keys.map((key) => cluster.slotOf(key))));

    const browsers = await Promise.all([...users, ...users].map(signIn));
    for (const [index, user] of users.entries()) {
      const sids = [browsers[index]!.sid, browsers[index + users.length]!.sid];
      expect((await store.ids(user)).sort()).toEqual([...sids].sort());
      expect(await slotsOf([`app:${user}`, ...sids.map((sid) => `app:${sid}`)])).toHaveProperty('size', 1);
      expect((await browsers[index]!.open('/')).text).toBe(user);
    }
    expect((await slotsOf(browsers.map(({ sid }) => `app:${sid}`))).size).toBe((await slotsOf(users.map((user) => `app:${user}`))).size);
    for (const node of cluster.nodes) expect(await node.send('SESSION.COUNT')).not.toBe(':0\r\n');
    expect(await calls(store).length()).toBe(browsers.length);

    // Log out: here, everywhere else, everywhere, and into an anonymous session.
    const [first, second, third] = browsers as [Browser, Browser, Browser];
    await first.open('/logout');
    expect(await store.ids(users[0]!)).toEqual([browsers[users.length]!.sid]);
    expect(await store.destroyAll(users[1]!, { except: second.sid })).toBe(1);
    // The session of somebody else.
    expect(await store.destroyAll(users[1]!, { except: third.sid })).toBe(1);
    expect((await second.open('/')).text).toBe('nobody');
    await third.open('/forget');
    expect(await store.ids(users[2]!)).toEqual([browsers[users.length + 2]!.sid]);
    expect((await third.open('/')).text).toBe('nobody');
    expect(await calls(store).get(third.sid)).toMatchObject({ cookie: {} });

    await calls(store).clear();
    for (const node of cluster.nodes) {
      expect(await node.send('SESSION.COUNT')).toBe(':0\r\n');
      expect(await node.send('SESSION.CHECK')).toBe('+OK\r\n');
    }
  });

  it('says what to write instead of what would store nothing', { timeout: 120_000 }, async () => {
    const cluster = await startCluster();
    const client = await typedCluster(cluster);
    const userOf = ({ user }: { user?: string }) => user;
    const sid = 'a-session-id-of-32-characters-00';
    for (const options of [{}, { prefix: 'app:' }]) {
      expect(() => new SessionStore({ client, userOf, ...options })).toThrow(
        "options.prefix: in a cluster with userOf a hash tag, such as '{app}'",
      );
    }
    for (const prefix of ['{', 'app{', '{}app']) {
      expect(() => new SessionStore({ client, prefix })).toThrow(
        "options.prefix: in a cluster a whole hash tag, such as '{app}', or no brace",
      );
    }

    // Signed in without regenerate: the id is in another slot.
    const store = new SessionStore({ client, prefix: 'app:', userOf, userOfRequest });
    await calls(store).set(sid, sessionData());
    const read = (await calls(store).get(sid))!;
    await expect(calls(store).set(sid, Object.assign(read, { user: users[0]! }))).rejects.toThrow(
      /^options.userOf\(session\): in a cluster a user in the slot/,
    );
    expect(await store.ids(users[0]!)).toEqual([]);

    // Without users sessions are spread by their ids alone, and ids with a tag of their own are in its slot.
    const anonymous = new SessionStore({ client, prefix: 'app:' });
    for (const id of [`${sid}-1`, `${sid}-2`, `{tag}${sid}`]) {
      await calls(anonymous).set(id, sessionData({ a: 1 }));
      expect(await calls(anonymous).get(id)).toMatchObject({ a: 1 });
    }
    const many = Array.from({ length: 40 }, () => anonymous.genid());
    await Promise.all(many.map((id) => calls(anonymous).set(id, sessionData())));
    const slots = await Promise.all(many.map((id) => cluster.slotOf(`app:${id}`)));
    expect(new Set(slots).size).toBeGreaterThan(30);
    for (const node of cluster.nodes) expect(await node.send('SESSION.COUNT')).not.toBe(':0\r\n');
  });

  it('goes by the keyPrefix of the client, too', { timeout: 120_000 }, async () => {
    const cluster = await startCluster();
    const connect = async (keyPrefix: string) => {
      const client = createCluster({
        keyPrefix,
        rootNodes: cluster.nodes.map(({ port }) => ({ socket: { host: '127.0.0.1', port } })),
        modules: { session: sessionModule },
      });
      client.on('error', () => undefined);
      await client.connect();
      onTestFinished(() => {
        client.destroy();
      });
      return client;
    };
    const store = new SessionStore({ client: await connect('shop:'), userOf: ({ user }) => user, userOfRequest });
    for (const user of users) {
      const sid = store.genid({ signsIn: user });
      await calls(store).set(sid, sessionData({ user }));
      expect(await store.ids(user)).toEqual([sid]);
    }
    const client = await connect('{shop}');
    expect(() => new SessionStore({ client })).toThrow("options.prefix: in a cluster the hash tag of the client's keyPrefix");
    await calls(new SessionStore({ client, prefix: '{shop}' })).set(`${users[0]!}-and-more-characters`, sessionData());
  });
});
