/** The typed commands of client/ against a server, in both protocols. */
import { RESP_TYPES } from '@redis/client';
import { createClient, MultiErrorReply } from 'redis';
import { describe, expect, it, onTestFinished } from 'vitest';
import {
  ArgumentError,
  custom,
  IdExistsError,
  MaxSessionsError,
  NotLoadedError,
  scanIterator,
  session,
  SessionNotFoundError,
  typedError,
  VersionError,
  withTypedErrors,
} from '../../client/index.ts';
import { typedClient, typedPool } from '../support/clients.ts';
import { eventually, startServer, useServer } from '../support/server.ts';

const server = useServer();
const UUID = /^[\da-f]{8}-[\da-f]{4}-4[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/;
const UNKNOWN = '00000000-0000-4000-8000-000000000000';
const BYTES = Buffer.from([0, 255, 13, 10, 36]);
const AS_BUFFERS = { [RESP_TYPES.BLOB_STRING]: Buffer };

/** What a promise rejects with. */
async function rejection(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => new Error('it was resolved'),
    (error: unknown) => error,
  );
}

describe.each([2, 3] as const)('CUSTOM.* in RESP%i', (RESP) => {
  it('stores, reads and deletes', async () => {
    const client = await typedClient(server, RESP);
    expect(await client.custom.set('a', '1')).toBe('OK');
    expect(await client.custom.get('a')).toBe('1');
    expect(await client.custom.get('b')).toBeNull();
    expect(await client.custom.mSet({ b: '2', c: 3 })).toBe('OK');
    expect(await client.custom.mGet(['a', 'x', 'c'])).toEqual(['1', null, '3']);
    expect(await client.custom.exists(['a', 'b', 'x', 'a'])).toBe(3);
    expect(await client.custom.len()).toBe(3);
    expect((await client.custom.keys()).sort()).toEqual(['a', 'b', 'c']);
    expect(await client.custom.keys('[ab]')).toHaveLength(2);
    expect(await client.custom.strLen('a')).toBe(1);
    expect(await client.custom.append('a', 'bc')).toBe(3);
    expect(await client.custom.incrBy('c', -5)).toBe(-2);
    expect(await client.custom.getDel('a')).toBe('1bc');
    expect(await client.custom.getDel('a')).toBeNull();
    expect(await client.custom.memory('b')).toBeGreaterThan(0);
    expect(await client.custom.memory('a')).toBeNull();
    expect(await client.custom.del(['b', 'x'])).toBe(1);
    expect(await client.custom.check()).toBe('OK');
    expect(await client.custom.clear()).toBe(1);
  });

  it('sets with options', async () => {
    const { custom } = await typedClient(server, RESP);
    expect(await custom.set('a', '1', { condition: 'XX' })).toBeNull();
    expect(await custom.set('a', '1', { condition: 'NX', expiration: { type: 'EX', value: 100 } })).toBe('OK');
    expect(await custom.ttl('a')).toBeGreaterThan(90);
    expect(await custom.set('a', '2', { condition: 'NX' })).toBeNull();
    expect(await custom.set('a', '3', { GET: true, expiration: 'KEEPTTL' })).toBe('1');
    expect(await custom.pTTL('a')).toBeGreaterThan(90_000);
    expect(await custom.set('a', '4', { expiration: { type: 'PXAT', value: new Date(Date.now() + 50_000) } })).toBe('OK');
    expect(await custom.ttl('a')).toBeLessThanOrEqual(50);
    expect(await custom.persist('a')).toBe(1);
    expect(await custom.ttl('a')).toBe(-1);
    expect(await custom.pExpire('a', 5000)).toBe(1);
    expect(await custom.expire('a', 0)).toBe(1);
    expect(await custom.pTTL('a')).toBe(-2);
    expect(await custom.expire('a', 5)).toBe(0);
  });

  it('keeps any bytes', async () => {
    const client = await typedClient(server, RESP);
    const buffers = client.withTypeMapping(AS_BUFFERS);
    await client.custom.set(BYTES, BYTES);
    expect(await buffers.custom.get(BYTES)).toEqual(BYTES);
    expect(await buffers.custom.mGet([BYTES])).toEqual([BYTES]);
    expect(await buffers.custom.keys()).toEqual([BYTES]);
    expect(await buffers.custom.scan('0')).toEqual({ cursor: Buffer.from('0'), keys: [BYTES] });
    expect(await client.custom.mSet(new Map([[BYTES, '']]))).toBe('OK');
    expect(await client.custom.get(BYTES)).toBe('');
  });

  it('walks through all keys', async () => {
    const client = await typedClient(server, RESP);
    const keys = Array.from({ length: 300 }, (_, index) => `key:${index}`);
    await client.custom.mSet(keys.map((key) => [key, '1'] as const));
    await client.custom.set('other', '1');
    const met = new Set<string>();
    for await (const page of scanIterator(client.custom, { MATCH: 'key:*', COUNT: 20 })) for (const key of page) met.add(key);
    expect([...met].sort()).toEqual(keys.sort());
    const buffers = new Set<string>();
    for await (const page of scanIterator(client.withTypeMapping(AS_BUFFERS).custom))
      for (const key of page) buffers.add(key.toString('latin1'));
    expect(buffers.size).toBe(301);
  });
});

describe.each([2, 3] as const)('SESSION.* in RESP%i', (RESP) => {
  it('creates sessions and tells about them', async () => {
    const client = await typedClient(server, RESP);
    const before = Date.now();
    const created = await client.session.create('alice', { idle: 60, ttl: 3600, data: { theme: 'dark', visits: 1 } });
    expect(created).toEqual({ outcome: 'created', id: expect.stringMatching(UUID) as string });
    const { id } = created;
    expect(await client.session.create('alice')).toEqual({ outcome: 'exists', id });
    expect(await client.custom.get('alice')).toBe(id);

    const told = await client.session.get(id);
    expect(told).toMatchObject({ id, userKey: 'alice' });
    expect(told?.createdAt).toBeInstanceOf(Date);
    expect(told?.createdAt.getTime()).toBeGreaterThanOrEqual(before - 1);
    expect(told?.lastAccessed.getTime()).toBeGreaterThanOrEqual(told!.createdAt.getTime());
    expect({ ...told?.data }).toEqual({ theme: 'dark', visits: '1' });

    const info = await client.session.info(id);
    expect(info).toMatchObject({ id, userKey: 'alice', createdAt: told?.createdAt, idle: 60_000, version: 0, fields: 2 });
    expect(info?.ttl).toBeGreaterThan(3_500_000);
    expect(info?.bytes).toBeGreaterThan(0);
    expect(await client.session.ttl(id)).toBeLessThanOrEqual(60_000);
    expect(await client.session.list()).toEqual([{ id, userKey: 'alice', createdAt: told?.createdAt }]);
    expect(await client.session.check()).toBe('OK');
    const strays = await client.session.strays();
    expect([[], [id]]).toContainEqual(strays.ids);
    expect(await client.session.strays({ count: 0 })).toEqual({ count: strays.ids.length, ids: [] });

    const bob = await client.session.create('bob');
    expect(await client.session.info(bob.id)).toMatchObject({ idle: null, ttl: null, fields: 0 });
    expect(await client.session.ttl(bob.id)).toBe(-1);
    expect(await client.session.delete(id)).toBe(1);
    for (const gone of [id, UNKNOWN]) {
      expect(await client.session.get(gone)).toBeNull();
      expect(await client.session.getAll(gone)).toBeNull();
      expect(await client.session.info(gone)).toBeNull();
      expect(await client.session.ttl(gone)).toBe(-2);
      expect(await client.session.touch(gone)).toBe(0);
      expect(await client.session.delete(gone)).toBe(0);
    }
  });

  it('changes data', async () => {
    const client = await typedClient(server, RESP);
    const { id } = await client.session.create('alice');
    expect(await client.session.addData(id, 'a', '1')).toBe('OK');
    expect(await client.session.addData(id, { b: '2', c: 3 })).toBe('OK');
    expect(await client.session.getData(id, 'a')).toBe('1');
    expect(await client.session.getData(id, 'x')).toBeNull();
    expect(await client.session.incrData(id, 'c', 4)).toBe(7);
    expect(await client.session.delData(id, ['a', 'x'])).toBe(1);
    const { version } = (await client.session.info(id))!;
    expect(await client.session.cas(id, version, { b: '3', d: '4' })).toBe(version + 1);
    const all = await client.session.getAll(id);
    expect(Object.getPrototypeOf(all)).toBeNull();
    expect({ ...all }).toEqual({ b: '3', c: '7', d: '4' });
    const map = await client.withTypeMapping({ [RESP_TYPES.MAP]: Map }).session.getAll(id);
    expect(map).toEqual(new Map(Object.entries({ ...all })));
  });

  it('keeps fields of any name and bytes of any kind', async () => {
    const client = await typedClient(server, RESP);
    const { id } = await client.session.create(BYTES, { data: new Map([['constructor', BYTES]]) });
    expect((await client.withTypeMapping(AS_BUFFERS).session.info(id))?.userKey).toEqual(BYTES);
    const buffers = await client.withTypeMapping(AS_BUFFERS).session.getAll(id);
    expect({ ...buffers }).toEqual({ constructor: BYTES });
    await client.session.addData(id, [
      [BYTES, BYTES],
      ['__proto__', 'p'],
    ]);
    const flat = await client.withTypeMapping({ ...AS_BUFFERS, [RESP_TYPES.MAP]: Array }).session.getAll(id);
    expect((flat as unknown as Buffer[]).filter((_, index) => index % 2 === 0)).toContainEqual(BYTES);
    const map = (await client.withTypeMapping({ [RESP_TYPES.MAP]: Map }).session.getAll(id)) as unknown as Map<string, string>;
    expect(map.get('__proto__')).toBe('p');
    expect(await client.withTypeMapping(AS_BUFFERS).session.getData(id, BYTES)).toEqual(BYTES);
  });

  it('has limits, and several sessions for a user', async () => {
    const client = await typedClient(server, RESP);
    const ids: string[] = [];
    for (let n = 0; n < 3; n++) ids.unshift((await client.session.create('alice', { new: true, max: 3 })).id);
    expect(await client.session.user('alice')).toEqual(ids);
    expect(await client.session.count('alice')).toBe(3);
    expect(await client.session.count()).toBe(3);
    const { id } = await client.session.create('alice', { new: true, max: { n: 3, mode: 'EVICT' } });
    expect(await client.session.user('alice')).toEqual([id, ids[0], ids[1]]);
    expect(await client.session.expire(id, 100, 'IDLE')).toBe(1);
    expect(await client.session.expire(id, 50)).toBe(1);
    expect(await client.session.ttl(id)).toBeLessThanOrEqual(50_000);
    expect(await client.session.touch(id)).toBe(1);
    expect(await client.session.delUser('alice', { before: new Date(0) })).toBe(0);
    expect(await client.session.delUser('alice', { except: id })).toBe(2);
    expect(await client.session.expire(id, 0)).toBe(1);
    expect(await client.session.count('alice')).toBe(0);
  });

  it('rotates ids and assigns sessions', async () => {
    const client = await typedClient(server, RESP);
    const { id } = await client.session.create('anonymous', { data: { a: '1' } });
    const rotated = await client.session.rotate(id, { grace: 60_000 });
    expect(rotated).toMatch(UUID);
    expect(await client.session.rotate(id)).toBe(rotated);
    expect(await client.session.getData(id, 'a')).toBe('1');
    expect(await client.session.assign(rotated, 'alice')).toBe(1);
    expect((await client.session.get(id))?.userKey).toBe('alice');
    const last = await client.session.rotate(rotated);
    expect(await client.session.get(rotated)).toBeNull();
    expect(await client.session.assign(rotated, 'bob')).toBe(0);
    expect(await client.session.user('alice')).toEqual([last]);
  });

  it('walks through all sessions', async () => {
    const client = await typedClient(server, RESP);
    const ids = await Promise.all(Array.from({ length: 100 }, async (_, index) => (await client.session.create(`user:${index}`)).id));
    const met = new Set<string>();
    for await (const page of scanIterator(client.session, { COUNT: 7 })) for (const id of page) met.add(id);
    expect([...met].sort()).toEqual(ids.sort());
  });

  it('makes errors of their own class of replies', async () => {
    const client = await typedClient(server, RESP);
    const typed = withTypedErrors(client.session);
    const id = 'an-id-of-my-own-making';
    expect(await typed.create('alice', { id })).toEqual({ outcome: 'created', id });

    const known = await rejection(typed.create('bob', { id }));
    expect(known).toBeInstanceOf(IdExistsError);
    const full = await rejection(typed.create('alice', { new: true, max: { n: 1, mode: 'REJECT' } }));
    expect(full).toBeInstanceOf(MaxSessionsError);
    expect(full).toMatchObject({ user: 'alice', sessions: 1 });
    await typed.addData(id, 'a', '1');
    const late = await rejection(typed.cas(id, 0, 'a', '2'));
    expect(late).toBeInstanceOf(VersionError);
    expect(late).toMatchObject({ current: 1, message: 'VERSION is 1', cause: expect.any(Error) as Error });
    expect(await typed.getData(id, 'a')).toBe('1');
    const gone = await rejection(typed.getData(UNKNOWN, 'a'));
    expect(gone).toBeInstanceOf(SessionNotFoundError);
    expect(gone).toMatchObject({ id: UNKNOWN });
    expect(await rejection(typed.addData('', 'a', '1'))).toBeInstanceOf(ArgumentError);

    const raw = await rejection(client.session.getData(UNKNOWN, 'a'));
    expect(raw).not.toBeInstanceOf(SessionNotFoundError);
    expect(typedError(raw)).toBeInstanceOf(SessionNotFoundError);
  });
});

describe('clients of other kinds', () => {
  it('MULTI makes the same answers', async () => {
    const client = await typedClient(server);
    const [created, stored, id] = await client.multi().session.create('alice').custom.set('a', '1').custom.get('alice').exec();
    expect(created).toEqual({ outcome: 'created', id });
    expect(stored).toBe('OK');
    const failed = await rejection(client.multi().custom.set('a', '2').session.addData(UNKNOWN, 'a', '1').exec());
    expect(typedError(failed)).toBeInstanceOf(MultiErrorReply);
    expect((failed as MultiErrorReply).replies[1]).toBeInstanceOf(SessionNotFoundError);
  });

  it('a pool', async () => {
    const pool = await typedPool(server);
    const { id } = await pool.session.create('alice', { data: { a: '1' } });
    expect(await pool.session.getData(id, 'a')).toBe('1');
    const met: string[] = [];
    for await (const ids of scanIterator(pool.session)) met.push(...ids);
    expect(met).toEqual([id]);
  });

  it('a prefix for keys is not one for ids', async () => {
    const client = createClient({
      keyPrefix: 'app:',
      modules: { custom, session },
      socket: { path: server.socket, tls: false, reconnectStrategy: false },
    });
    await client.connect();
    onTestFinished(() => {
      client.destroy();
    });
    const { id } = await client.session.create('alice');
    expect((await client.session.get(id))?.userKey).toBe('app:alice');
    expect(await client.session.user('alice')).toEqual([id]);
    expect(await client.custom.get('alice')).toBe(id);
    expect(await client.custom.keys()).toEqual(['app:alice']);
  });

  it('a cache in the client follows what others write, and what expires', async () => {
    const other = await typedClient(server);
    const client = createClient({
      clientSideCache: { ttl: 0, maxEntries: 0, evictPolicy: 'LRU' },
      modules: { custom, session },
      socket: { path: server.socket, tls: false, reconnectStrategy: false },
    });
    await client.connect();
    onTestFinished(() => {
      client.destroy();
    });
    const hits = () => client.clientSideCache?.stats().hitCount;
    await other.custom.set('a', '1');
    expect(await client.custom.get('a')).toBe('1');
    expect(hits()).toBe(0);
    expect(await client.custom.get('a')).toBe('1');
    expect(hits()).toBe(1);
    await other.custom.set('a', '2', { expiration: { type: 'EX', value: 600 } });
    const get = () => client.custom.get('a');
    expect(await eventually(get, (value) => value === '2')).toBe('2');
    await other.custom.pExpire('a', 300);
    expect(await eventually(get, (value) => value === null)).toBeNull();
    const { id } = await client.session.create('alice');
    await client.session.get(id);
    await other.session.delete(id);
    expect(await client.session.get(id)).toBeNull();
  });

  it('a server without the module says what to do', async () => {
    const bare = await startServer({ module: false });
    const client = await typedClient(bare);
    const error = typedError(await rejection(client.session.create('alice')));
    expect(error).toBeInstanceOf(NotLoadedError);
    expect((error as Error).message).toMatch(
      /Load the module: start the server with --loadmodule <path>\/host\.so, or MODULE LOAD <path>\/host\.so$/,
    );
  });

  it('a client without the modules is told apart', () => {
    expect(() => scanIterator(undefined as never)).toThrow(ArgumentError);
    expect(() => scanIterator([{}] as never)).toThrow('from: client.custom or client.session of a client created with');
    expect(() => withTypedErrors(undefined as never)).toThrow(ArgumentError);
  });
});
