/**
 * The store for express-session, with real requests. What other stores lose to races is kept here: each has a
 * test.
 */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import expressSession, { type SessionData } from 'express-session';
import { createClient, RESP_TYPES } from 'redis';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { ArgumentError, OutOfMemoryError, session } from '../../client/index.ts';
import { SessionGoneError, SessionStore, type SessionStoreOptions } from '../../client/express.ts';
import { typedClient, typedPool } from '../support/clients.ts';
import { parseBulks } from '../support/raw.ts';
import { calls, sessionData } from '../support/session-store.ts';
import { eventually, ROOT, startServer, useServer } from '../support/server.ts';
import { Browser, Gate, serve } from '../support/web.ts';
import { wiretap } from '../support/wiretap.ts';

const server = useServer();
const SID = 'a-session-id-of-32-characters-00';

async function newStore(options: Partial<SessionStoreOptions> = {}) {
  const client = await typedClient(server);
  return new SessionStore({ client, userOf: (session) => session.user, ...options });
}

/**
 * A client on which each command is sent a little earlier than those before it: as on the connections of a
 * pool, of which some are slow.
 */
async function overtaking(): Promise<SessionStoreOptions['client']> {
  const client = (await typedClient(server)).withTypeMapping({ [RESP_TYPES.MAP]: Map });
  let wait_ms = 100;
  const later = <T>(send: () => Promise<T>) =>
    new Promise<T>((resolve) => {
      setTimeout(
        () => {
          resolve(send());
        },
        (wait_ms = Math.max(0, wait_ms - 8)),
      );
    });
  const commands = new Proxy(client.session, {
    get: (target, name) => {
      const command = Reflect.get(target, name) as (...given: unknown[]) => Promise<unknown>;
      return (...given: unknown[]) => later(() => Reflect.apply(command, target, given));
    },
  });
  const multi = () => {
    const chain = client.multi();
    return { session: chain.session, exec: () => later(() => chain.exec()) };
  };
  const made = { session: commands, multi, withTypeMapping: () => made };
  return made;
}

/** The fields of a session on the server. */
async function fields(sid: string): Promise<Record<string, string>> {
  const parts = parseBulks(await server.send('SESSION.GETALL', sid));
  return Object.fromEntries(parts.flatMap((field, index) => (index % 2 === 0 ? [[field, parts[index + 1]!]] : [])));
}

describe('the contract of express-session', () => {
  it('stores, reads, touches and destroys', async () => {
    const store = await newStore();
    expect(store).toBeInstanceOf(expressSession.Store);
    expect(await calls(store).get(SID)).toBeNull();
    await calls(store).set(SID, sessionData({ cart: [1, { a: null }], user: 'alice' }));
    expect(await calls(store).get(SID)).toMatchObject({
      cart: [1, { a: null }],
      user: 'alice',
      cookie: { originalMaxAge: null },
    });
    await calls(store).touch(SID, sessionData());
    expect(await fields(SID)).toEqual({ cart: '[1,{"a":null}]', user: '"alice"', cookie: '{"originalMaxAge":null}' });
    await calls(store).destroy(SID);
    await calls(store).destroy(SID);
    expect(await calls(store).get(SID)).toBeNull();
    expect(await server.send('SESSION.CHECK')).toBe('+OK\r\n');
  });

  it('loads a session outside of a request', async () => {
    const store = await newStore();
    const load = (sid: string) =>
      new Promise<unknown>((resolve, reject) => {
        store.load(sid, (error: unknown, loaded?: unknown) => {
          if (error instanceof Error) reject(error);
          else resolve(loaded);
        });
      });
    await calls(store).set(SID, sessionData({ user: 'alice' }));
    const loaded = (await load(SID)) as SessionData & { save: (done: () => void) => void };
    expect(loaded.user).toBe('alice');
    loaded.user = 'bob';
    await new Promise<void>((resolve) => {
      loaded.save(resolve);
    });
    expect(await store.ids('bob')).toEqual([SID]);
    expect(await load('an-id-of-no-session')).toBeUndefined();
  });

  it('tells of all sessions, counts and clears them', async () => {
    const store = await newStore();
    for (const n of [1, 2, 3]) await calls(store).set(`${SID}${n}`, sessionData({ n }));
    expect(await calls(store).length()).toBe(3);
    const all = (await calls(store).all()) as unknown as { id: string; n: number }[];
    expect(all.map(({ id, n }) => [id, n]).sort()).toEqual([1, 2, 3].map((n) => [`${SID}${n}`, n]));
    await calls(store).clear();
    expect(await calls(store).length()).toBe(0);
  });

  it('keeps applications apart by a prefix', async () => {
    const [one, other] = [await newStore({ prefix: 'one:[*]' }), await newStore({ prefix: 'other:' })];
    await calls(one).set(SID, sessionData({ user: 'alice' }));
    await calls(other).set(SID, sessionData({ user: 'alice', theme: 'dark' }));
    expect(await calls(one).length()).toBe(1);
    expect(await calls(one).all()).toMatchObject([{ id: SID, user: 'alice' }]);
    expect(await one.ids('alice')).toEqual([SID]);
    await calls(one).clear();
    expect(await calls(one).get(SID)).toBeNull();
    expect(await calls(other).get(SID)).toMatchObject({ theme: 'dark' });
    expect(await server.send('SESSION.USER', 'other:alice')).toBe(`*1\r\n$${SID.length + 6}\r\nother:${SID}\r\n`);
  });

  it('replaces what is there, of an object that it has not read', async () => {
    const store = await newStore();
    await calls(store).set(SID, sessionData({ a: 1, b: 2 }));
    await calls(store).set(SID, sessionData({ b: 3, user: 'alice' }));
    expect(await calls(store).get(SID)).toMatchObject({ b: 3, user: 'alice' });
    expect(await fields(SID)).not.toHaveProperty('a');
    expect(await store.ids('alice')).toEqual([SID]);
  });

  it('reads what other programs have written, and leaves what it cannot show', async () => {
    const store = await newStore();
    const raw = ['number', '42', 'text', 'not JSON', 'spaced', '{ "a": 1 }', 'constructor', '"c"', '__proto__', '{"polluted":true}'];
    await server.send('SESSION.CREATE', 'alice', 'ID', SID, 'DATA', ...raw);
    const session = (await calls(store).get(SID))!;
    expect(session).toMatchObject({ number: 42, text: 'not JSON', spaced: { a: 1 }, cookie: { originalMaxAge: null } });
    expect(Object.getPrototypeOf(session)).toBe(Object.prototype);
    const seen = store.createSession({ sessionID: SID, sessionStore: store } as never, session);
    expect((seen as unknown as { polluted?: boolean }).polluted).toBeUndefined();
    seen.added = 1;
    await calls(store).set(SID, seen);
    const stored = await fields(SID);
    expect(stored).toMatchObject({ number: '42', text: 'not JSON', spaced: '{ "a": 1 }', added: '1' });
    expect(Object.entries(stored)).toEqual(
      expect.arrayContaining([
        ['constructor', '"c"'],
        ['__proto__', '{"polluted":true}'],
      ]),
    );
  });

  it('does with the permissions of docs/SECURITY.md all but list everybody’s sessions, and with none of them less', async () => {
    const page = readFileSync(path.join(ROOT, 'docs/SECURITY.md'), 'utf8');
    const [, line = '', password = ''] = /^ {4}(ACL SETUSER web on >(\S+) .*)$/m.exec(page) ?? [];
    const client = createClient({
      modules: { session },
      socket: { path: server.socket, tls: false },
      username: 'web',
      password,
    });
    client.on('error', () => undefined);
    const store = new SessionStore({ client, userOf: (data) => data.user, prefix: 'app:', rolling: false, lifetime: 3600 });
    const everything = async (sid: string) => {
      await calls(store).set(sid, sessionData({ user: 'alice' }, { originalMaxAge: 60_000 }));
      const read = (await calls(store).get(sid))!;
      await calls(store).touch(sid, read);
      Object.assign(read.cookie, { originalMaxAge: 120_000 });
      await calls(store).set(sid, read);
      Object.assign(read, { user: undefined, theme: 'dark' });
      await calls(store).set(sid, read);
      await calls(store).set(sid, Object.assign(read, { user: 'bob' }));
      const found = [await store.ids('bob'), await store.destroyAll('bob', { except: sid })];
      await calls(store).destroy(sid);
      return found;
    };
    expect(await server.send(...line.split(' '))).toBe('+OK\r\n');
    await client.connect();
    onTestFinished(async () => {
      client.destroy();
      await server.send('ACL', 'DELUSER', 'web');
    });
    expect(await everything(SID)).toEqual([[SID], 0]);
    for (const [permission, command] of line.matchAll(/\+(\S+)/g)) {
      await server.send('FLUSHALL');
      await server.send('ACL', 'SETUSER', 'web', `-${command}`);
      await expect(everything(SID + command!), permission).rejects.toThrow(/^(NOPERM|EXECABORT) /);
      await server.send('ACL', 'SETUSER', 'web', permission);
    }
  });

  it('tells express-session when the connection is lost and back', async () => {
    const own = await startServer();
    const client = createClient({ modules: { session }, socket: { path: own.socket, tls: false } });
    client.on('error', () => undefined);
    await client.connect();
    onTestFinished(() => {
      client.destroy();
    });
    const store = new SessionStore({ client });
    const lost = once(store, 'disconnect');
    await own.kill();
    await lost;
    const reached = once(store, 'connect');
    await own.start();
    await reached;
  });

  it('has many stores on one client, which all hear of its connection', async () => {
    const own = await startServer();
    const client = createClient({ modules: { session }, socket: { path: own.socket, tls: false } });
    client.on('error', () => undefined);
    await client.connect();
    const warnings: Error[] = [];
    const warned = (warning: Error) => warnings.push(warning);
    process.on('warning', warned);
    onTestFinished(() => {
      process.off('warning', warned);
      client.destroy();
    });
    const stores = Array.from({ length: 30 }, () => new SessionStore({ client }));
    const all = (event: string) => Promise.all(stores.map((store) => once(store, event)));
    const lost = all('disconnect');
    await own.kill();
    await lost;
    const reached = all('connect');
    await own.start();
    await reached;
    expect(warnings).toEqual([]);
  });

  it('hands errors to the callback, or to the event', async () => {
    const store = await newStore();
    const unwritable = { self: {} as object };
    unwritable.self = unwritable;
    await expect(calls(store).set(SID, sessionData({ unwritable }))).rejects.toThrow(/^session\.unwritable: cannot be written as JSON/);
    await expect(calls(store).set('short', sessionData())).rejects.toThrow(/^sid: 16 to 128 visible ASCII characters/);
    await expect(calls(store).set(SID, { user: 'alice' } as unknown as SessionData)).rejects.toThrow(/^session\.cookie: /);
    const emitted = once(store, 'error');
    store.destroy('short');
    expect((await emitted)[0]).toBeInstanceOf(ArgumentError);
    await expect(calls(await newStore({ userOf: () => 5 as never })).set(SID, sessionData())).rejects.toThrow(
      /^options\.userOf\(session\): /,
    );
    expect(await calls(store).get('short')).toBeNull();
    expect(await calls(store).get('an id with blanks in it')).toBeNull();
    store.removeAllListeners('error');
    store.destroy('short');
    expect(await calls(store).get(SID)).toBeNull();
  });

  it('refuses options that are none', async () => {
    const client = await typedClient(server);
    const made = (options: object) => () => new SessionStore(options as SessionStoreOptions);
    expect(made({ client, idle: 0 })).toThrow('options.idle: whole seconds, at least 1');
    expect(made({ client, lifetime: 0.5 })).toThrow('options.lifetime: whole seconds, at least 1');
    expect(made({ client, userOf: 'user' })).toThrow('options.userOf: a function of the session');
    expect(made({ client, prefix: 'a b' })).toThrow('options.prefix: visible ASCII characters');
    expect(made({ client, rolling: 'yes' })).toThrow('options.rolling: true or false, not "yes"');
    expect(made({ client, ttl: 5 })).toThrow(
      'options.ttl: unknown; there are client, userOf, prefix, rolling, idle, lifetime, timeout, userOfRequest',
    );
    expect(made({ client: {} })).toThrow(
      "options.client: a client of node-redis with this package's module: createClient({ modules: { session } })",
    );
    await expect(new SessionStore({ client }).destroyAll('alice', { before: 'x' as never })).rejects.toThrow('options.before: ');
    await expect(new SessionStore({ client }).ids(5 as never)).rejects.toThrow('user: a string or a Buffer, not a number');
  });
});

describe('what goes over the wire', () => {
  it('is only what a request has changed', async () => {
    const tap = await wiretap(server);
    const store = new SessionStore({ client: await typedClient(tap), userOf: (session) => session.user });
    const address = await serve(store, (app) => {
      app.get('/set', (request, response) => {
        Object.assign(request.session, request.query);
        response.send('set');
      });
      app.get('/delete', (request, response) => {
        request.session[request.query.name as string] = undefined;
        response.send('deleted');
      });
      app.get('/read', (request, response) => response.send(JSON.stringify(request.session)));
    });
    const browser = new Browser(address);
    const sent = async (page: string) => {
      tap.commands();
      await browser.open(page);
      return tap.commands().map((command) => command.replaceAll(browser.sid, 'SID'));
    };
    expect(await sent('/set?a=1&b=2')).toEqual([
      'SESSION.CREATE anonymous:{SID} NEW IDLE 86400 ID SID DATA a "1" b "2" cookie {"originalMaxAge":null,"httpOnly":true,"path":"/"}',
    ]);
    // Reading it was the access that counts.
    expect(await sent('/read')).toEqual(['SESSION.GETALL SID LINES']);
    expect(await sent('/set?b=2')).toEqual(['SESSION.GETALL SID LINES']);
    expect(await sent('/set?b=5')).toEqual(['SESSION.GETALL SID LINES', 'SESSION.ADD_DATA SID b "5"']);
    expect(await sent('/delete?name=a')).toEqual(['SESSION.GETALL SID LINES', 'SESSION.DEL_DATA SID a']);
    // A session that names a user is always this user's, whatever ends a save midway.
    expect(await sent('/set?user=alice')).toEqual([
      'SESSION.GETALL SID LINES',
      'SESSION.ASSIGN SID alice',
      'SESSION.ADD_DATA SID user "alice"',
    ]);
    expect(JSON.parse((await browser.open('/read')).text)).toMatchObject({ b: '5', user: 'alice' });
    expect(await sent('/delete?name=user')).toEqual([
      'SESSION.GETALL SID LINES',
      'MULTI',
      'SESSION.DEL_DATA SID user',
      'SESSION.ASSIGN SID anonymous:{SID}',
      'EXEC',
    ]);
  });

  it('is an access now and then, of a session that is used all the time and never changed', async () => {
    const tap = await wiretap(server);
    const store = new SessionStore({ client: await typedClient(tap) });
    await calls(store).set(SID, sessionData({ a: 1 }, { originalMaxAge: 5000 }));
    const session = (await calls(store).get(SID))!;
    tap.commands();
    const began = performance.now();
    const sent = await eventually(
      async () => {
        await calls(store).set(SID, session);
        await calls(store).touch(SID, session);
        return tap.commands();
      },
      (commands) => commands.length > 0,
    );
    expect(sent).toEqual([`SESSION.TOUCH ${SID}`]);
    // A hundredth of five seconds after the read.
    expect(performance.now() - began).toBeGreaterThan(40);
  });
});

describe('how long a session lives', () => {
  const routes = (app: Parameters<Parameters<typeof serve>[1]>[0]) => {
    app.get('/login', (request, response) => {
      request.session.user = 'alice';
      response.send(request.sessionID);
    });
    app.get('/age', (request, response) => {
      request.session.cookie.maxAge = Number(request.query.ms);
      response.send('aged');
    });
    app.get('/expires', (request, response) => {
      Object.assign(request.session.cookie, { expires: new Date(Date.now() + Number(request.query.ms)) });
      response.send('set');
    });
    app.get('/no-age', (request, response) => {
      Object.assign(request.session.cookie, { maxAge: null });
      response.send('none');
    });
    app.get('/end', (request, response) => {
      request.session.cookie.maxAge = 0;
      request.session.user = 'nobody';
      response.send('ended');
    });
    app.get('/', (request, response) => response.send(request.session.user ?? 'nobody'));
  };
  const info = async (sid: string) => (await (await typedClient(server)).session.info(sid))!;

  it('rolling: maxAge is time without a request', async () => {
    const address = await serve(await newStore({ lifetime: 7200 }), routes, { cookie: { maxAge: 1_800_000 }, rolling: true });
    const browser = new Browser(address);
    await browser.open('/login');
    expect(await info(browser.sid)).toMatchObject({ idle: 1_800_000, ttl: expect.any(Number) as number, version: 0 });
    expect((await info(browser.sid)).ttl).toBeGreaterThan(7_190_000);
    for (let n = 0; n < 3; n++) expect((await browser.open('/')).text).toBe('alice');
    // Only read: no field was written, the cookie's neither.
    expect((await info(browser.sid)).version).toBe(0);
    expect(await fields(browser.sid)).toMatchObject({ cookie: expect.not.stringContaining('expires') as string });
  });

  it('fixed: maxAge is time since the creation', async () => {
    const address = await serve(await newStore({ rolling: false, lifetime: 100 }), routes, { cookie: { maxAge: 60_000 } });
    const browser = new Browser(address);
    await browser.open('/login');
    const { ttl, idle } = await info(browser.sid);
    expect(idle).toBeNull();
    expect(ttl).toBeLessThanOrEqual(60_000);
    expect(ttl).toBeGreaterThan(50_000);
    for (let n = 0; n < 3; n++) expect((await browser.open('/')).text).toBe('alice');
    expect((await info(browser.sid)).version).toBe(0);
    await browser.open('/age?ms=30000');
    expect((await info(browser.sid)).ttl).toBeLessThanOrEqual(30_000);
  });

  it('fixed: no maxAge that is given later goes beyond the lifetime', async () => {
    const browser = new Browser(await serve(await newStore({ rolling: false, lifetime: 60 }), routes, { cookie: { maxAge: 50_000 } }));
    await browser.open('/login');
    const { createdAt } = await info(browser.sid);
    // The server takes whole seconds: with two that have passed, a lifetime from now on is seen.
    await eventually(
      () => Date.now(),
      (now) => now > createdAt.getTime() + 2000,
    );
    for (const change of ['/age?ms=59500', '/age?ms=600000', '/no-age', '/expires?ms=600000']) {
      expect((await browser.open(change)).status).toBe(200);
      const most_ms = createdAt.getTime() + 60_000 - Date.now();
      expect((await info(browser.sid)).ttl).toBeLessThan(most_ms + 1000);
    }
    expect((await info(browser.sid)).ttl).toBeGreaterThan(1000);
  });

  describe.each([600_000, 1000, -1000, -600_000])('where the application’s clock is %d ms ahead of the server’s', (ahead_ms) => {
    const shiftClock = () => {
      vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + ahead_ms });
      onTestFinished(() => {
        vi.useRealTimers();
      });
    };

    it('fixed: the lifetime counts from the creation, however often a maxAge is given', async () => {
      const store = await newStore({ rolling: false, lifetime: 60 });
      shiftClock();
      const session = sessionData({}, { originalMaxAge: 30_000 });
      await calls(store).set(SID, session);
      await eventually(
        async () => {
          await server.send('SESSION.TOUCH', SID);
          return info(SID);
        },
        ({ createdAt, lastAccessed }) => lastAccessed.getTime() - createdAt.getTime() > 1500,
      );
      for (const [maxAge_ms, most_ms] of [
        [50_000, 50_000],
        [600_000, 60_000],
        [700_000, 60_000],
        [null, 60_000],
        [20_000, 20_000],
      ] as const) {
        Object.assign(session.cookie, { originalMaxAge: maxAge_ms });
        await calls(store).set(SID, session);
        const { createdAt, lastAccessed, ttl } = await info(SID);
        expect(ttl).toBeLessThanOrEqual(most_ms);
        // The server takes whole seconds.
        expect(lastAccessed.getTime() - createdAt.getTime() + ttl!).toBeLessThan(61_000);
        expect(ttl).toBeGreaterThan(most_ms - 15_000);
      }
    });

    it('a cookie ends when its session does, which another process with the right time has saved', async () => {
      for (const rolling of [true, false]) {
        await server.send('FLUSHALL');
        const store = await newStore({ rolling });
        await calls(store).set(SID, sessionData({}, { originalMaxAge: 60_000 }));
        shiftClock();
        const read = [await calls(store).get(SID), ...((await calls(store).all()) ?? [])];
        expect(read).toHaveLength(2);
        for (const session of read) {
          const { expires } = session!.cookie as { expires?: Date };
          const left_ms = expires!.getTime() - Date.now();
          expect(left_ms).toBeLessThanOrEqual(60_000);
          expect(left_ms).toBeGreaterThan(45_000);
        }
        vi.useRealTimers();
      }
    });

    it('an end that a request sets is that much later', async () => {
      const store = await newStore();
      shiftClock();
      await calls(store).set(SID, sessionData({}, { expires: new Date(Date.now() + 60_000) }));
      expect((await info(SID)).idle).toBe(60_000);
    });

    it('sessions from before another one are ended, by the time of the server', async () => {
      const store = await newStore();
      shiftClock();
      for (const sid of [SID, `${SID}-2`]) {
        await calls(store).set(sid, sessionData({ user: 'alice' }));
        const { createdAt } = await info(sid);
        await eventually(
          async () => {
            await server.send('SESSION.TOUCH', sid);
            return (await info(sid)).lastAccessed;
          },
          (now) => now > createdAt,
        );
      }
      expect(await store.destroyAll('alice', { before: (await info(`${SID}-2`)).createdAt })).toBe(1);
      expect(await store.ids('alice')).toEqual([`${SID}-2`]);
    });
  });

  it('a cookie is what it was after a round trip through JSON, and without a time where it has none', async () => {
    const store = await newStore({ idle: 500 });
    const end = new Date(Date.now() + 60_000);
    for (const [cookie, idle] of [
      [{ originalMaxAge: 60_000, expires: end.toISOString() }, 60_000],
      [{ originalMaxAge: null, expires: end.toISOString() }, 60_000],
      [{ originalMaxAge: null, expires: null }, 500_000],
      [{ originalMaxAge: false, expires: false }, 500_000],
      [{ maxAge: null }, 500_000],
      [{ maxAge: 30_000 }, 30_000],
      [{}, 500_000],
    ] as const) {
      await calls(store).set(SID, sessionData({}, cookie));
      const now = (await info(SID)).idle;
      expect(now).toBeLessThanOrEqual(idle);
      expect(now).toBeGreaterThan(idle - 15_000);
    }
    await calls(store).set(SID, sessionData({}, { maxAge: -1 }));
    expect(await server.send('SESSION.COUNT')).toBe(':0\r\n');
  });

  it('a touch applies a changed cookie, of an object that it has not read too', async () => {
    const store = await newStore();
    await calls(store).set(SID, sessionData({ a: 1 }, { originalMaxAge: 60_000 }));
    await calls(store).touch(SID, sessionData({ a: 2 }, { originalMaxAge: 120_000, path: '/app' }));
    expect((await info(SID)).idle).toBe(120_000);
    expect((await calls(store).get(SID))?.cookie).toMatchObject({ originalMaxAge: 120_000, path: '/app' });
    expect(await fields(SID)).toMatchObject({ a: '1' });
    const gone = once(store, 'gone');
    await calls(store).touch('another-id-of-32-characters-0000', sessionData());
    expect(await gone).toEqual(['another-id-of-32-characters-0000']);
  });

  it('without maxAge: the idle time of the options', async () => {
    const browser = new Browser(await serve(await newStore({ idle: 500 }), routes));
    await browser.open('/login');
    expect(await info(browser.sid)).toMatchObject({ idle: 500_000, ttl: null });
  });

  it('a maxAge that a request changes, and nothing else, is applied', async () => {
    const browser = new Browser(await serve(await newStore(), routes, { cookie: { maxAge: 60_000 } }));
    await browser.open('/login');
    await browser.open('/age?ms=3600000');
    expect(await info(browser.sid)).toMatchObject({ idle: 3_600_000 });
    await browser.open('/');
    expect(await info(browser.sid)).toMatchObject({ idle: 3_600_000, version: 1 });
  });

  it('a moment is applied that a request sets as the cookie’s end', async () => {
    for (const rolling of [true, false]) {
      const browser = new Browser(await serve(await newStore({ rolling }), routes, { cookie: { maxAge: 60_000 } }));
      await browser.open('/login');
      await browser.open('/expires?ms=3600000');
      const { idle, ttl } = await info(browser.sid);
      const [limit, other] = rolling ? [idle, ttl] : [ttl, idle];
      expect(limit).toBeGreaterThan(3_590_000);
      expect(limit).toBeLessThanOrEqual(3_600_000);
      expect(other).toBeNull();
    }
  });

  it('a maxAge that is taken away is the idle time of the options, and one that is given takes its place', async () => {
    const rolling = new Browser(await serve(await newStore({ idle: 500 }), routes, { cookie: { maxAge: 60_000 } }));
    await rolling.open('/login');
    await rolling.open('/no-age');
    expect(await info(rolling.sid)).toMatchObject({ idle: 500_000, ttl: null });

    const fixed = new Browser(await serve(await newStore({ idle: 500, rolling: false }), routes, { cookie: { maxAge: 60_000 } }));
    await fixed.open('/login');
    await fixed.open('/no-age');
    expect((await info(fixed.sid)).idle).toBe(500_000);
    expect((await info(fixed.sid)).ttl).toBeGreaterThan(1e12);
    await fixed.open('/age?ms=3600000');
    const { idle, ttl } = await info(fixed.sid);
    expect(ttl).toBeLessThanOrEqual(3_600_000);
    expect(idle).toBeGreaterThan(1e12);
    expect((await fixed.open('/')).text).toBe('alice');
  });

  it('the longest times are those that the server takes', async () => {
    const [rolling, fixed] = [await newStore({ idle: 0xffff_ffff }), await newStore({ rolling: false })];
    const aged = (ms: number) => sessionData({}, { originalMaxAge: ms });
    await calls(rolling).set(SID, aged(0xffff_ffff * 1000));
    expect((await info(SID)).idle).toBe(0xffff_ffff * 1000);
    await calls(rolling).set(`${SID}-idle`, sessionData());
    const end = new Date('9999-12-31T23:59:58Z');
    await calls(fixed).set(`${SID}-fixed`, sessionData({}, { expires: end }));
    expect((await info(`${SID}-fixed`)).ttl).toBeGreaterThan(end.getTime() - Date.now() - 2000);
    for (const [store, longer] of [
      [rolling, 0xffff_ffff * 1000 + 1],
      [fixed, 1e15],
    ] as const) {
      const told = { name: 'ArgumentError', argument: 'session.cookie.maxAge' };
      await expect(calls(store).set(`${SID}-longer`, aged(longer))).rejects.toMatchObject(told);
    }
  });

  it('a cookie that another program has written, of no time that there is, is no reason not to read the session', async () => {
    const store = await newStore();
    for (const cookie of ['{"originalMaxAge":1e999}', '{"originalMaxAge":1e300}', '{"expires":"never"}']) {
      await server.send('FLUSHALL');
      await server.send('SESSION.CREATE', 'alice', 'ID', SID, 'DATA', 'a', '1', 'cookie', cookie);
      const session = (await calls(store).get(SID))!;
      expect(session.a).toBe(1);
      Object.assign(session.cookie, { originalMaxAge: 60_000 });
      await calls(store).set(SID, session);
      expect((await info(SID)).idle).toBe(60_000);
    }
  });

  it('a maxAge of 0 ends it', async () => {
    const browser = new Browser(await serve(await newStore(), routes, { cookie: { maxAge: 60_000 } }));
    await browser.open('/login');
    await browser.open('/end');
    expect(await server.send('SESSION.COUNT')).toBe(':0\r\n');
    expect((await browser.open('/')).text).toBe('nobody');
  });

  it('ends by itself', async () => {
    const browser = new Browser(await serve(await newStore(), routes, { cookie: { maxAge: 1000 }, rolling: true }));
    await browser.open('/login');
    const { sid } = browser;
    await eventually(
      () => server.send('SESSION.GET', sid),
      (reply) => reply === '$-1\r\n',
    );
    expect((await browser.open('/')).text).toBe('nobody');
  });
});

describe('users', () => {
  const routes = (app: Parameters<Parameters<typeof serve>[1]>[0]) => {
    app.get('/visit', (request, response) => {
      request.session.visited = true;
      response.send('welcome');
    });
    app.get('/login', (request, response) => {
      request.session.user = request.query.user as string;
      response.send('hello');
    });
    app.get('/logout', (request, response) => {
      request.session.user = '';
      response.send('bye');
    });
    app.get('/', (request, response) => response.send(request.session.user ?? 'nobody'));
  };

  it('a session is anonymous, then its user’s, then anonymous again', async () => {
    const store = await newStore();
    const browser = new Browser(await serve(store, routes));
    await browser.open('/visit');
    const { sid } = browser;
    expect(await server.send('CUSTOM.GET', `anonymous:{${sid}}`)).toContain(sid);
    await browser.open('/login?user=alice');
    expect(browser.sid).toBe(sid);
    expect(await store.ids('alice')).toEqual([sid]);
    expect(await server.send('CUSTOM.GET', 'alice')).toContain(sid);
    expect(await server.send('CUSTOM.GET', `anonymous:{${sid}}`)).toBe('$-1\r\n');
    await browser.open('/logout');
    expect(await store.ids('alice')).toEqual([]);
    expect(await server.send('SESSION.CHECK')).toBe('+OK\r\n');
  });

  it('tells users apart whose keys are bytes that are no text', async () => {
    const store = await newStore({ userOf: ({ user }) => Buffer.from(user ?? '', 'hex') });
    const session = sessionData({ user: 'ff' });
    await calls(store).set(SID, session);
    session.user = 'fe';
    await calls(store).set(SID, session);
    expect(await store.ids(Buffer.from('fe', 'hex'))).toEqual([SID]);
    expect(await store.ids(Buffer.from('ff', 'hex'))).toEqual([]);
  });

  it('logs out all other devices, all from before a moment, and all', async () => {
    const store = await newStore();
    const address = await serve(store, routes);
    const browsers = [new Browser(address), new Browser(address), new Browser(address)];
    for (const browser of browsers) await browser.open('/login?user=alice');
    const [first, second, third] = browsers as [Browser, Browser, Browser];
    expect(await store.ids('alice')).toEqual([third.sid, second.sid, first.sid]);
    expect(await store.destroyAll('alice', { except: second.sid })).toBe(2);
    expect((await first.open('/')).text).toBe('nobody');
    expect((await second.open('/')).text).toBe('alice');
    expect(await store.destroyAll('alice', { before: 0 })).toBe(0);
    expect(await store.destroyAll('alice')).toBe(1);
    expect((await second.open('/')).text).toBe('nobody');
  });
});

describe('when memory has run out', () => {
  const full = useServer({ arguments: ['--wasm.max-memory', '3mb'] });
  const tooLong = 'x'.repeat(3 << 20);
  const stored = async () => parseBulks(await full.send('SESSION.GETALL', SID));

  /** A session on that server, as a request has read it. */
  async function readBack(data: Record<string, unknown>) {
    const client = await typedClient(full);
    const store = new SessionStore({ client, userOf: (session) => session.user });
    await calls(store).set(SID, sessionData(data));
    return { store, session: (await calls(store).get(SID))! };
  }

  it('a save that fails has stored, deleted and assigned nothing, and the next one does all of it', async () => {
    const { store, session } = await readBack({ old: 'keep?' });
    const before = await stored();
    const { old, ...rest } = session;
    Object.assign(session, { user: 'bob', long: tooLong, old: undefined });
    await expect(calls(store).set(SID, session)).rejects.toThrow(OutOfMemoryError);
    expect([old, await stored()]).toEqual(['keep?', before]);
    expect(await store.ids('bob')).toEqual([]);
    expect(await full.send('CUSTOM.GET', `anonymous:{${SID}}`)).toContain(SID);

    session.long = 'short';
    await calls(store).set(SID, session);
    expect(await calls(store).get(SID)).toEqual({ ...rest, user: 'bob', long: 'short' });
    expect(await store.ids('bob')).toEqual([SID]);
    expect(await full.send('SESSION.CHECK')).toBe('+OK\r\n');
  });

  it('a user whose logout fails keeps the session, and so does log out everywhere', async () => {
    const { store, session } = await readBack({ user: 'bob' });
    Object.assign(session, { user: '', long: tooLong });
    await expect(calls(store).set(SID, session)).rejects.toThrow(OutOfMemoryError);
    expect(await store.destroyAll('bob')).toBe(1);
  });

  it('a session whose login may be stored, for the answer is lost, is its user’s', async () => {
    const client = (await typedClient(full)).withTypeMapping({ [RESP_TYPES.MAP]: Map });
    const addData = async (...given: [string, Map<string, string>]) => {
      await client.session.addData(...given);
      throw new Error('the connection is lost');
    };
    const commands = new Proxy(client.session, {
      get: (target, name) => (name === 'addData' ? addData : (Reflect.get(target, name) as unknown)),
    });
    const made = { session: commands, multi: () => client.multi(), withTypeMapping: () => made };
    const store = new SessionStore({ client: made, userOf: (session) => session.user });
    const session = sessionData();
    await calls(store).set(SID, session);
    session.user = 'bob';
    await expect(calls(store).set(SID, session)).rejects.toThrow('the connection is lost');
    expect(await store.destroyAll('bob')).toBe(1);
  });

  it('a limit is not changed by a save that fails', async () => {
    const { store, session } = await readBack({});
    Object.assign(session, { long: tooLong });
    Object.assign(session.cookie, { originalMaxAge: 5000 });
    await expect(calls(store).set(SID, session)).rejects.toThrow(OutOfMemoryError);
    expect((await (await typedClient(full)).session.info(SID))?.idle).toBe(86_400_000);
  });
});

describe('races', () => {
  /** Two processes, as it were: each has a store and a client of its own. */
  async function twoServers(routes: Parameters<typeof serve>[1]) {
    const options = { rolling: true, cookie: { maxAge: 60_000 } };
    const [one, other] = [await newStore(), await newStore()];
    return { stores: [one, other] as const, addresses: [await serve(one, routes, options), await serve(other, routes, options)] as const };
  }

  it('a save in flight does not undo a logout', async () => {
    let gate = new Gate();
    const { stores, addresses } = await twoServers((app) => {
      app.get('/login', (request, response) => {
        request.session.user = 'alice';
        response.send('hello');
      });
      app.get('/slow', async (request, response) => {
        await gate.wait();
        request.session.slow = true;
        response.send('done');
      });
      app.get('/logout', (request, response, next) => {
        request.session.destroy((error: unknown) => {
          if (error) next(error);
          else response.send('bye');
        });
      });
      app.get('/', (request, response) => response.send(request.session.user ?? 'nobody'));
    });
    /**
     * Every way in which a session ends: in this process, in another one, with all of its user, by an
     * operator, by its time.
     */
    const ways: ((cookie: string, sid: string) => Promise<unknown>)[] = [
      ...addresses.map((address) => (cookie: string) => new Browser(address, cookie).open('/logout')),
      () => stores[1].destroyAll('alice'),
      (_cookie, sid) => server.send('SESSION.DELETE', sid),
      async (_cookie, sid) => {
        await server.send('SESSION.EXPIRE', sid, '1');
        await eventually(
          () => server.send('SESSION.TTL', sid),
          (reply) => reply === ':-2\r\n',
        );
      },
    ];
    for (const end of ways) {
      gate = new Gate();
      const browser = new Browser(addresses[0]);
      await browser.open('/login');
      const { sid, cookie } = browser;
      const gone = once(stores[0], 'gone');
      const slow = browser.open('/slow');
      await eventually(
        () => gate.count,
        (count) => count === 1,
      );
      await end(cookie, sid);
      expect(await server.send('SESSION.GET', sid)).toBe('$-1\r\n');
      gate.open();
      expect(await slow).toEqual({ status: 200, text: 'done' });
      expect(await gone).toEqual([sid]);
      expect(await server.send('SESSION.GET', sid)).toBe('$-1\r\n');
      expect(await stores[0].ids('alice')).toEqual([]);
      expect((await new Browser(addresses[0], cookie).open('/')).text).toBe('nobody');
    }
  });

  it('a session that was never saved, and destroyed, is not saved by who still holds it', async () => {
    const store = await newStore();
    const saved = new Gate();
    const browser = new Browser(
      await serve(store, (app) => {
        app.get('/', (request, response) => {
          const { session } = request;
          session.user = 'alice';
          session.destroy(() => {
            session.save(() => {
              saved.open();
              response.send('bye');
            });
          });
        });
      }),
    );
    await browser.open('/');
    await saved.wait();
    expect(await server.send('SESSION.COUNT')).toBe(':0\r\n');
  });

  it('a session that could not be destroyed lives on, and its saves are stored', async () => {
    expect(await server.send('ACL', 'SETUSER', 'default', '-session.delete')).toBe('+OK\r\n');
    onTestFinished(async () => {
      await server.send('ACL', 'SETUSER', 'default', '+session.delete');
    });
    const store = await newStore();
    const gone: string[] = [];
    store.on('gone', (sid: string) => gone.push(sid));
    await calls(store).set(SID, sessionData({ a: 1 }));
    const session = (await calls(store).get(SID))!;
    await expect(calls(store).destroy(SID)).rejects.toThrow(/^NOPERM /);
    session.a = 2;
    await calls(store).set(SID, session);
    expect(await fields(SID)).toMatchObject({ a: '2' });
    expect(gone).toEqual([]);

    // One that fails after one that has succeeded does not bring it back.
    await server.send('ACL', 'SETUSER', 'default', '+session.delete');
    await calls(store).destroy(SID);
    await server.send('ACL', 'SETUSER', 'default', '-session.delete');
    await expect(calls(store).destroy(SID)).rejects.toThrow(/^NOPERM /);
    await calls(store).set(SID, sessionData({ a: 3 }));
    expect(gone).toEqual([SID]);
    expect(await server.send('SESSION.COUNT')).toBe(':0\r\n');
  });

  it('parallel requests that change different fields keep both', async () => {
    const gate = new Gate();
    const { addresses } = await twoServers((app) => {
      app.get('/start', (request, response) => {
        request.session.cart = [];
        response.send('started');
      });
      app.get('/set', async (request, response) => {
        await gate.wait();
        Object.assign(request.session, request.query);
        response.send('set');
      });
      app.get('/', (request, response) => response.send(JSON.stringify(request.session)));
    });
    const browser = new Browser(addresses[0]);
    await browser.open('/start');
    const twin = new Browser(addresses[1], browser.cookie);
    const requests = [
      ...Array.from({ length: 4 }, (_, n) => browser.open(`/set?a${n}=1`)),
      ...Array.from({ length: 4 }, (_, n) => twin.open(`/set?b${n}=2`)),
    ];
    await eventually(
      () => gate.count,
      (count) => count === 8,
    );
    gate.open();
    await Promise.all(requests);
    expect(JSON.parse((await browser.open('/')).text)).toMatchObject({
      cart: [],
      a0: '1',
      a1: '1',
      a2: '1',
      a3: '1',
      b0: '2',
      b1: '2',
      b2: '2',
      b3: '2',
    });
  });

  it('a login and a parallel request that changes another field keep both, and the user', async () => {
    const gate = new Gate();
    const { stores, addresses } = await twoServers((app) => {
      app.get('/visit', (request, response) => {
        request.session.visited = true;
        response.send('welcome');
      });
      app.get('/login', async (request, response) => {
        await gate.wait();
        request.session.user = 'alice';
        response.send('hello');
      });
      app.get('/set', async (request, response) => {
        await gate.wait();
        request.session.theme = 'dark';
        response.send('set');
      });
      app.get('/', (request, response) => response.send(JSON.stringify(request.session)));
    });
    const browser = new Browser(addresses[0]);
    await browser.open('/visit');
    const { sid, cookie } = browser;
    const requests = [browser.open('/login'), ...addresses.map((address) => new Browser(address, cookie).open('/set'))];
    await eventually(
      () => gate.count,
      (count) => count === 3,
    );
    gate.open();
    await Promise.all(requests);
    expect(JSON.parse((await browser.open('/')).text)).toMatchObject({ visited: true, user: 'alice', theme: 'dark' });
    expect(await stores[0].ids('alice')).toEqual([sid]);
    expect(await server.send('CUSTOM.GET', `anonymous:{${sid}}`)).toBe('$-1\r\n');
    expect(await server.send('SESSION.CHECK')).toBe('+OK\r\n');
  });

  it('parallel requests that delete the same field leave the session alone', async () => {
    const gate = new Gate();
    const { stores, addresses } = await twoServers((app) => {
      app.get('/start', (request, response) => {
        Object.assign(request.session, { note: 'read me', user: 'alice' });
        response.send('started');
      });
      app.get('/read', async (request, response) => {
        await gate.wait();
        delete request.session.note;
        response.send('read');
      });
      app.get('/', (request, response) => response.send(JSON.stringify(request.session)));
    });
    const gone: string[] = [];
    for (const store of stores) store.on('gone', (sid: string) => gone.push(sid));
    const browser = new Browser(addresses[0]);
    await browser.open('/start');
    const readers = addresses.map((address) => new Browser(address, browser.cookie).open('/read'));
    await eventually(
      () => gate.count,
      (count) => count === 2,
    );
    gate.open();
    await Promise.all(readers);
    const left = JSON.parse((await browser.open('/')).text) as object;
    expect(left).toMatchObject({ user: 'alice' });
    expect(left).not.toHaveProperty('note');
    expect(gone).toEqual([]);
  });

  it('of requests that regenerate one session one wins, and a save of the old one is lost', async () => {
    const gate = new Gate();
    const { addresses } = await twoServers((app) => {
      app.get('/visit', (request, response) => {
        request.session.visited = true;
        response.send('welcome');
      });
      app.get('/login', async (request, response, next) => {
        await gate.wait();
        request.session.regenerate((error: unknown) => {
          if (error) {
            next(error);
            return;
          }
          request.session.user = 'alice';
          response.send('hello');
        });
      });
      app.get('/save', async (request, response) => {
        await gate.wait();
        request.session.late = true;
        response.send('saved');
      });
    });
    const browser = new Browser(addresses[0]);
    await browser.open('/visit');
    const { sid, cookie } = browser;
    const racers = Array.from({ length: 6 }, (_, n) => new Browser(addresses[n % 2]!, cookie));
    const answers = racers.map((racer) => racer.open('/login'));
    const save = new Browser(addresses[0], cookie).open('/save');
    await eventually(
      () => gate.count,
      (count) => count === 7,
    );
    gate.open();
    const done = await Promise.all(answers);
    await save;
    expect(done.filter(({ status }) => status === 200)).toHaveLength(1);
    for (const { status, text } of done) if (status !== 200) expect(text).toBe(`SessionGoneError: ${new SessionGoneError().message}`);
    const winner = racers[done.findIndex(({ status }) => status === 200)]!;
    expect(winner.sid).not.toBe(sid);
    expect(racers.filter((racer) => racer.given > 0)).toEqual([winner]);
    expect(await server.send('SESSION.GET', sid)).toBe('$-1\r\n');
    expect(await server.send('SESSION.USER', 'alice')).toBe(`*1\r\n$${winner.sid.length}\r\n${winner.sid}\r\n`);
    expect(await server.send('SESSION.COUNT')).toBe(':1\r\n');
  });

  it('a session of which nothing was saved may be regenerated', async () => {
    const browser = new Browser(
      await serve(await newStore(), (app) => {
        app.get('/', (request, response, next) => {
          request.session.regenerate((error: unknown) => {
            if (error) next(error);
            else response.send('fresh');
          });
        });
      }),
    );
    expect((await browser.open('/')).text).toBe('fresh');
  });

  it('a slow request that changes nothing is an access when it is done, and tells of a session that has ended meanwhile', async () => {
    const gate = new Gate();
    const { stores, addresses } = await twoServers((app) => {
      app.get('/login', (request, response) => {
        request.session.user = 'alice';
        response.send('hello');
      });
      app.get('/read', async (request, response) => {
        await gate.wait();
        response.send(request.session.user);
      });
    });
    const browser = new Browser(addresses[0]);
    await browser.open('/login');
    const { sid } = browser;
    const gone = once(stores[0], 'gone', { signal: AbortSignal.timeout(30_000) });
    const read = browser.open('/read');
    await eventually(
      () => gate.count,
      (count) => count === 1,
    );
    const began = performance.now();
    await stores[1].destroyAll('alice');
    // A touch is sent a hundredth of the idle time after the read, which is a minute here.
    await eventually(
      () => performance.now() - began,
      (passed_ms) => passed_ms > 600,
    );
    gate.open();
    expect(await read).toEqual({ status: 200, text: 'alice' });
    expect(await gone).toEqual([sid]);
    expect(await server.send('SESSION.COUNT')).toBe(':0\r\n');
  });

  it('commands that overtake each other on the way change nothing: saves stay in order, and a destroy comes after them', async () => {
    const store = new SessionStore({ client: await overtaking(), userOf: (session) => session.user });
    const session = sessionData({ user: 'alice' });
    for (let n = 0; n <= 5; n++) {
      session.n = n;
      void calls(store).set(SID, session);
    }
    await calls(store).touch(SID, session);
    expect(await fields(SID)).toMatchObject({ n: '5' });
    session.n = 6;
    void calls(store).set(SID, session);
    await calls(store).destroy(SID);

    // Not even created yet when it is destroyed.
    const other = `${SID}-other`;
    const saved = calls(store).set(other, sessionData());
    await calls(store).destroy(other);
    await saved;
    expect(await server.send('SESSION.COUNT')).toBe(':0\r\n');
  });

  it('saves of one request go in their order, on a pool too', async () => {
    const pool = await typedPool(server);
    const store = new SessionStore({ client: pool, userOf: (session) => session.user });
    const browser = new Browser(
      await serve(store, (app) => {
        app.get('/', (request, response) => {
          for (let n = 0; n <= 20; n++) {
            request.session.n = n;
            request.session.save();
          }
          request.session.user = 'alice';
          response.send('saved');
        });
      }),
    );
    await browser.open('/');
    expect(await fields(browser.sid)).toMatchObject({ n: '20', user: '"alice"' });
    expect(await store.ids('alice')).toEqual([browser.sid]);
  });
});
