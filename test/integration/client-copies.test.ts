/**
 * The store under frameworks that copy what it has answered: the real @fastify/session, and every way to copy
 * an object.
 */
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import cookie from '@fastify/cookie';
import fastifySession from '@fastify/session';
import type { SessionData } from 'express-session';
import fastify, { type FastifyInstance, type FastifyRequest } from 'fastify';
import { describe, expect, it, onTestFinished } from 'vitest';
import { SessionStore, type SessionStoreOptions } from '../../client/express.ts';
import { typedClient } from '../support/clients.ts';
import { parseBulks } from '../support/raw.ts';
import { eventually, useServer } from '../support/server.ts';
import { calls, sessionData } from '../support/session-store.ts';
import { Browser, Gate } from '../support/web.ts';
import { wiretap } from '../support/wiretap.ts';

const server = useServer();
const SID = 'a-session-id-of-32-characters-00';

async function newStore(options: Partial<SessionStoreOptions> = {}) {
  const client = await typedClient(server);
  return new SessionStore({ client, userOf: (session) => session.user, ...options });
}

/** As a framework has it that makes an object of its own of what the store has answered. */
class Copied {
  [property: string]: unknown;

  constructor(session: object) {
    for (const name in session) this[name] = (session as Record<string, unknown>)[name];
  }
}

/** Those by which the properties are the same values. */
const SHALLOW: [string, (session: SessionData) => object][] = [
  ['a spread', (session) => ({ ...session })],
  ['Object.assign', (session) => Object.assign(Object.create(null) as object, session)],
  ['a class', (session) => new Copied(session)],
];
/** As cloneDeep of Lodash: an object of the same class, with copies of its own properties. */
function deep(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || value instanceof Date) return value;
  const copy = Object.create(Object.getPrototypeOf(value) as object | null) as Record<string, unknown>;
  for (const [name, part] of Object.entries(value)) copy[name] = deep(part);
  return copy;
}

/** As libraries have it that watch an object: each part of it is seen through a Proxy. */
function watched<T extends object>(value: T): T {
  return new Proxy(value, {
    get(target, name, receiver) {
      const part: unknown = Reflect.get(target, name, receiver);
      return typeof part === 'object' && part !== null && !(part instanceof Date) ? watched(part) : part;
    },
  });
}

const COPIES: typeof SHALLOW = [
  ...SHALLOW,
  ['JSON', (session) => JSON.parse(JSON.stringify(session)) as object],
  ['structuredClone', (session) => structuredClone(session)],
  ['a deep clone', (session) => deep(session) as object],
  ['a Proxy', (session) => watched(session)],
  ['some properties', ({ cookie, ...session }) => ({ cookie, user: session.user, a: session.a })],
];

async function stored(sid: string): Promise<Record<string, string>> {
  const parts = parseBulks(await server.send('SESSION.GETALL', sid));
  return Object.fromEntries(parts.flatMap((field, index) => (index % 2 === 0 ? [[field, parts[index + 1]!]] : [])));
}

describe.each(COPIES)('a copy: %s', (_way, copy) => {
  const copyOf = (session: SessionData | null) => copy(session!) as SessionData;

  it('is saved, and is not saved when its session has ended', async () => {
    const [store, other] = [await newStore(), await newStore()];
    await calls(store).set(SID, sessionData({ user: 'alice', a: 1 }));
    const session = copyOf(await calls(store).get(SID));
    session.a = 2;
    await calls(store).set(SID, session);
    expect(await stored(SID)).toEqual({ user: '"alice"', a: '2', cookie: '{"originalMaxAge":null}' });

    const late = copyOf(await calls(store).get(SID));
    await other.destroyAll('alice');
    const gone = once(store, 'gone');
    late.a = 3;
    await calls(store).set(SID, late);
    expect(await gone).toEqual([SID]);
    await calls(store).touch(SID, late);
    expect(await server.send('SESSION.COUNT')).toBe(':0\r\n');
  });

  it('of a copy is saved as what it is last', async () => {
    const store = await newStore();
    await calls(store).set(SID, sessionData({ a: 1 }));
    const session = copyOf(await calls(store).get(SID));
    for (const a of [2, 1, 3, 1]) {
      session.a = a;
      await calls(store).set(SID, copyOf(session));
      expect(await stored(SID)).toMatchObject({ a: String(a) });
    }
  });

  it('that is saved under another id is a session of its own', async () => {
    const store = await newStore();
    await calls(store).set(SID, sessionData({ user: 'alice' }));
    const session = copyOf(await calls(store).get(SID));
    await calls(store).destroy(SID);
    await calls(store).set(`${SID}-2`, session);
    expect(await store.ids('alice')).toEqual([`${SID}-2`]);
    session.a = 1;
    await calls(store).set(`${SID}-3`, session);
    expect(await store.ids('alice')).toEqual([`${SID}-3`, `${SID}-2`]);
  });

  it('of what was never read is not created again', async () => {
    const [store, other] = [await newStore(), await newStore()];
    const session = sessionData({ user: 'alice' });
    await calls(store).set(SID, copyOf(session));
    await other.destroyAll('alice');
    await calls(store).set(SID, copyOf(session));
    expect(await server.send('SESSION.COUNT')).toBe(':0\r\n');
  });
});

it.each(SHALLOW)('%s goes on from what was read: of two requests that change different properties both are kept', async (_way, copy) => {
  const [store, other] = [await newStore(), await newStore()];
  await calls(store).set(SID, sessionData({ a: 1, b: 1, c: 1 }));
  const [one, two] = [copy((await calls(store).get(SID))!), copy((await calls(other).get(SID))!)] as [SessionData, SessionData];
  Object.assign(one, { a: 2 });
  Object.assign(two, { b: 2, c: undefined });
  await calls(store).set(SID, one);
  await calls(other).set(SID, two);
  expect(await stored(SID)).toEqual({ a: '2', b: '2', cookie: '{"originalMaxAge":null}' });
});

it('one process reads a session and another saves it: not when it has ended', async () => {
  const [reader, saver] = [await newStore(), await newStore()];
  await calls(reader).set(SID, sessionData({ user: 'alice' }));
  for (const given of [await calls(reader).get(SID), (await calls(reader).all())![0]]) {
    const session = JSON.parse(JSON.stringify(given)) as SessionData;
    await server.send('SESSION.DELETE', SID);
    const gone = once(saver, 'gone');
    await calls(saver).set(SID, session);
    expect(await gone).toEqual([SID]);
    expect(await server.send('SESSION.COUNT')).toBe(':0\r\n');
  }
});

it('the mark of a session does not tell its id', async () => {
  const store = await newStore();
  await calls(store).set(SID, sessionData({ user: 'alice' }));
  expect(JSON.stringify(await calls(store).get(SID))).not.toContain(SID);
});

it('an id that is always the same may be used again, when it was read to be free', async () => {
  const store = await newStore();
  await calls(store).set(SID, sessionData({ a: 1 }));
  expect(await calls(store).get(SID)).toMatchObject({ a: 1 });
  await server.send('SESSION.DELETE', SID);
  expect(await calls(store).get(SID)).toBeNull();
  await calls(store).set(SID, sessionData({ a: 2 }));
  expect(await calls(store).get(SID)).toMatchObject({ a: 2 });
});

describe('@fastify/session', () => {
  type Request = FastifyRequest<{ Querystring: Record<string, string> }>;
  const sessionOf = (request: FastifyRequest) => request.session as unknown as Record<string, unknown>;

  /** Starts an application with this store; answers its address. */
  async function serve(store: SessionStore, routes: (app: FastifyInstance) => void, maxAge?: number): Promise<string> {
    const app = fastify();
    await app.register(cookie);
    await app.register(fastifySession, {
      store,
      secret: 'a secret of the tests, of 32 characters',
      idGenerator: store.genid,
      saveUninitialized: false,
      cookie: { secure: false, ...(maxAge === undefined ? {} : { maxAge }) },
    });
    routes(app);
    await app.listen({ host: '127.0.0.1', port: 0 });
    onTestFinished(() => app.close());
    return `http://127.0.0.1:${(app.server.address() as AddressInfo).port}`;
  }

  function routes(gate: Gate): (app: FastifyInstance) => void {
    return (app) => {
      app.get('/login', (request, reply) => {
        sessionOf(request).user = 'alice';
        void reply.send(request.session.sessionId);
      });
      app.get('/slow', async (request: Request) => {
        await gate.wait();
        Object.assign(sessionOf(request), request.query);
        return 'done';
      });
      app.get('/regenerate', async (request) => {
        await request.session.regenerate(Object.keys(request.session));
        return request.session.sessionId;
      });
      app.get('/', (request, reply) => {
        void reply.send({ user: sessionOf(request).user ?? 'nobody', theme: sessionOf(request).theme, size: sessionOf(request).size });
      });
    };
  }

  it('a save in flight does not undo a logout, and others keep their changes', async () => {
    const [store, other] = [await newStore(), await newStore()];
    const ends: ((sid: string) => Promise<unknown>)[] = [
      (sid) => calls(store).destroy(sid),
      (sid) => calls(other).destroy(sid),
      () => store.destroyAll('alice'),
      () => other.destroyAll('alice'),
      (sid) => server.send('SESSION.DELETE', sid),
    ];
    for (const end of ends) {
      const gate = new Gate();
      const address = await serve(store, routes(gate), 60_000);
      const browser = new Browser(address);
      const sid = (await browser.open('/login')).text;
      expect(await store.ids('alice')).toEqual([sid]);
      const slow = browser.open('/slow?theme=dark');
      await eventually(
        () => gate.count,
        (count) => count === 1,
      );
      await end(sid);
      gate.open();
      expect(await slow).toEqual({ status: 200, text: 'done' });
      expect(await server.send('SESSION.COUNT')).toBe(':0\r\n');
      expect(JSON.parse((await browser.open('/')).text)).toEqual({ user: 'nobody' });
    }
  });

  it('parallel requests that change different properties keep both', async () => {
    const gate = new Gate();
    const browser = new Browser(await serve(await newStore(), routes(gate)));
    await browser.open('/login');
    const requests = [browser.open('/slow?theme=dark'), browser.open('/slow?size=5')];
    await eventually(
      () => gate.count,
      (count) => count === 2,
    );
    gate.open();
    await Promise.all(requests);
    expect(JSON.parse((await browser.open('/')).text)).toEqual({ user: 'alice', theme: 'dark', size: '5' });
  });

  it('a session that takes all of the old one along is a new one', async () => {
    const store = await newStore();
    const browser = new Browser(await serve(store, routes(new Gate())));
    const old = (await browser.open('/login')).text;
    const sid = (await browser.open('/regenerate')).text;
    expect(sid).not.toBe(old);
    expect(await store.ids('alice')).toEqual([sid]);
    expect(JSON.parse((await browser.open('/')).text)).toEqual({ user: 'alice' });
    expect(await store.destroyAll('alice')).toBe(1);
  });

  it.each([true, false])('what a request has not changed is not written, and its cookie’s end goes on: rolling %s', async (rolling) => {
    const tap = await wiretap(server);
    const store = new SessionStore({ client: await typedClient(tap), userOf: (session) => session.user, rolling });
    const browser = new Browser(await serve(store, routes(new Gate()), 60_000));
    const sid = (await browser.open('/login')).text;
    for (let n = 0; n < 3; n++) {
      tap.commands();
      expect(JSON.parse((await browser.open('/')).text)).toEqual({ user: 'alice' });
      const read = rolling ? [`SESSION.GETALL ${sid} LINES`] : [`SESSION.GETALL ${sid} LINES`, `SESSION.INFO ${sid}`];
      expect(tap.commands()).toEqual(read);
    }
  });
});
