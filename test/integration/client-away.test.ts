/**
 * A server that goes away and comes back, under clients of every kind: every call is answered in time, and
 * the store tells of it.
 */
import { once } from 'node:events';
import { Keyv } from 'keyv';
import { createClient, createClientPool, createCluster, createSentinel } from 'redis';
import { describe, expect, it, onTestFinished } from 'vitest';
import { secondaryStorage } from '../../client/better-auth.ts';
import type { ClientWith } from '../../client/client.ts';
import { SessionStore } from '../../client/express.ts';
import { custom, session } from '../../client/index.ts';
import { KeyvCustom } from '../../client/keyv.ts';
import { startCluster } from '../support/cluster.ts';
import { eventually, startServer, type TestServer } from '../support/server.ts';
import { Browser, serve } from '../support/web.ts';

const modules = { custom, session };
const LOCAL = ['--bind', '127.0.0.1'];
/** All keys of the tests are in one slot: that of the server that goes away. */
const PREFIX = '{app}';
/** How long a command may take, in ms. */
const timeout = 2000;

interface Connectable {
  on: (event: 'error', listener: () => void) => unknown;
  connect: () => Promise<unknown>;
  destroy: () => unknown;
}

async function connected<T extends Connectable>(client: T): Promise<T> {
  client.on('error', () => undefined);
  await client.connect();
  onTestFinished(() => {
    client.destroy();
  });
  return client;
}

/** A connected client of some kind, and the server that has what begins with PREFIX. */
interface Connected {
  client: ClientWith<'custom'> & ClientWith<'session'>;
  server: TestServer;
}

async function single(): Promise<Connected> {
  const server = await startServer();
  return { server, client: await connected(createClient({ modules, socket: { path: server.socket, tls: false } })) };
}

async function pool(): Promise<Connected> {
  const server = await startServer();
  return { server, client: await connected(createClientPool({ modules, socket: { path: server.socket, tls: false } })) };
}

async function cluster(): Promise<Connected> {
  const { nodes, nodeOf } = await startCluster();
  const rootNodes = nodes.map(({ port }) => ({ socket: { host: '127.0.0.1', port } }));
  return { server: await nodeOf(PREFIX), client: await connected(createCluster({ modules, rootNodes })) };
}

async function sentinel(): Promise<Connected> {
  const server = await startServer({ tcp: true, arguments: LOCAL });
  const configuration = `sentinel monitor main 127.0.0.1 ${server.port} 1\n`;
  const guard = await startServer({ tcp: true, module: false, configuration, arguments: [...LOCAL, '--sentinel'] });
  const sentinelRootNodes = [{ host: '127.0.0.1', port: guard.port }];
  return { server, client: await connected(createSentinel({ modules, name: 'main', sentinelRootNodes })) };
}

const KINDS = Object.entries({ createClient: single, createClientPool: pool, createCluster: cluster, createSentinel: sentinel });

/** An application on this client that counts each person's visits, and what its store has told so far. */
async function application(client: Connected['client']) {
  const store = new SessionStore({ client, prefix: PREFIX, timeout });
  const told: string[] = [];
  for (const event of ['disconnect', 'connect']) store.on(event, () => told.push(event));
  const address = await serve(store, (app) => {
    app.get('/', (request, response) => {
      const { session: data } = request as { session?: typeof request.session };
      if (data) data.visits = Number(data.visits ?? 0) + 1;
      response.send(data ? `visits: ${String(data.visits)}` : 'no session');
    });
  });
  return { store, told, address };
}

describe.each(KINDS)('under %s, a server that is killed', (_kind, start) => {
  it('leaves no request without an answer, is told of, and is used again when it is back', async () => {
    const { client, server } = await start();
    const { store, told, address } = await application(client);
    const alice = new Browser(address);
    expect(await alice.open('/')).toEqual({ status: 200, text: 'visits: 1' });
    expect(await alice.open('/')).toEqual({ status: 200, text: 'visits: 2' });
    expect(told).toEqual([]);

    const lost = once(store, 'disconnect');
    await server.kill();
    const pages = await Promise.all(Array.from({ length: 10 }, () => new Browser(address, alice.cookie).open('/')));
    for (const { status, text } of pages) expect([status, text]).toEqual(status === 200 ? [200, 'no session'] : [500, expect.any(String)]);
    await lost;
    expect(await alice.open('/')).toEqual({ status: 200, text: 'no session' });

    const back = once(store, 'connect');
    await server.start();
    await back;
    // A server that does not save has forgotten who that was.
    expect(await alice.open('/')).toEqual({ status: 200, text: 'visits: 1' });
    expect(await alice.open('/')).toEqual({ status: 200, text: 'visits: 2' });
    expect(told).toEqual(['disconnect', 'connect']);
  });

  it('fails the calls of the other adapters in time, and serves them again when it is back', async () => {
    const { client, server } = await start();
    const keyv = new Keyv({ store: new KeyvCustom({ client, prefix: PREFIX, timeout }), throwOnErrors: true });
    const storage = secondaryStorage({ client, prefix: PREFIX, timeout });
    await keyv.set('key', 'value', 60_000);
    await storage.set('key', 'value', 60);
    await server.kill();
    const calls = [
      () => keyv.get('key'),
      () => keyv.set('key', 'value'),
      () => keyv.clear(),
      () => storage.get('key'),
      () => storage.set('key', 'value', 60),
      () => storage.increment('rate', 60),
    ];
    for (let round = 0; round < 2; round++) {
      const outcomes = await Promise.allSettled(calls.map((call) => call()));
      expect(outcomes.map(({ status }) => status)).toEqual(calls.map(() => 'rejected'));
    }
    await server.start();
    const works = () => keyv.set('key', 'again').catch(() => false);
    expect(await eventually(works, (isStored) => isStored)).toBe(true);
    expect(await keyv.get('key')).toBe('again');
    expect(await storage.increment('other', 60)).toBe(1);
  });
});

describe.each(KINDS.slice(0, 2))('under %s, a server that stands still', (_kind, start) => {
  it('is told of too, without an error of the connection', async () => {
    const { client, server } = await start();
    const { store, told, address } = await application(client);
    const alice = new Browser(address);
    await alice.open('/');
    process.kill(server.pid, 'SIGSTOP');
    try {
      const lost = once(store, 'disconnect');
      expect(await alice.open('/')).toEqual({ status: 500, text: expect.stringContaining('has not answered within 2000 ms') as string });
      await lost;
      expect(await alice.open('/')).toEqual({ status: 200, text: 'no session' });
      const back = once(store, 'connect');
      process.kill(server.pid, 'SIGCONT');
      await back;
    } finally {
      process.kill(server.pid, 'SIGCONT');
    }
    expect(await alice.open('/')).toMatchObject({ status: 200, text: expect.stringMatching(/^visits: [23]$/) as string });
    expect(told).toEqual(['disconnect', 'connect']);
  });
});

describe('a store', () => {
  it('says connect when a client is connected only after it was made', async () => {
    const server = await startServer();
    const client = createClient({ modules, socket: { path: server.socket, tls: false } });
    client.on('error', () => undefined);
    const store = new SessionStore({ client });
    const reached = once(store, 'connect');
    await client.connect();
    await reached;
    const closed = once(store, 'disconnect');
    client.destroy();
    await closed;
  });

  it('takes the longest time of a timer', async () => {
    const { client } = await single();
    const store = new SessionStore({ client, timeout: 2 ** 31 - 1 });
    expect(await store.ids('nobody')).toEqual([]);
    expect(await store.ids('nobody')).toEqual([]);
  });

  it('refuses a time that is none', async () => {
    const { client } = await single();
    for (const [given, message] of [
      [0, 'options.timeout: a whole number of at least 1, not 0'],
      ['5', 'options.timeout: a whole number, not "5"'],
      [2 ** 31, 'options.timeout: at most 2147483647 ms, not 2147483648'],
    ] as const) {
      for (const make of [SessionStore, KeyvCustom]) expect(() => new make({ client, timeout: given as never })).toThrow(message);
      expect(() => secondaryStorage({ client, timeout: given as never })).toThrow(message);
    }
  });
});
