/**
 * `npx redis-wasm export` and `import`: what goes out comes back, whatever it is made of, and what is in the
 * way is told.
 */
import { spawn } from 'node:child_process';
import path from 'node:path';
import fc from 'fast-check';
import { describe, expect, onTestFinished, test } from 'vitest';
import { command as exportCommand } from '../../bin/export.ts';
import { command as importCommand } from '../../bin/import.ts';
import { Problem } from '../../bin/process.ts';
import { exportAll, type Exported } from '../../client/transfer/export.ts';
import { importAll, type Imported } from '../../client/transfer/import.ts';
import { Layout, msOf } from '../../client/transfer/layout.ts';
import { connect, type Reply, type Wire } from '../../client/transfer/wire.ts';
import { eventually, ROOT, startServer, type TestServer } from '../support/server.ts';
import { makeCertificates, tlsProxy } from '../support/tls.ts';

const LAYOUT = new Layout('wasm:');
/**
 * How far a deadline may be off after the way there and back: a clock is read in one command, and a time left
 * in the next.
 */
const DEADLINE_TOLERANCE_MS = 400;
const HOUR = 3600;

async function wireTo(server: TestServer): Promise<Wire> {
  const wire = await connect('server', { socket: { path: server.socket, tls: false } });
  onTestFinished(() => {
    wire.close();
  });
  return wire;
}

/** A server with the modules, or without, and a connection to it. */
async function start(withModules = true, ...given: string[]): Promise<{ server: TestServer; wire: Wire }> {
  const server = await startServer({ ...(withModules ? {} : { module: false }), arguments: given });
  return { server, wire: await wireTo(server) };
}

const exported = (from: Wire, to: Wire, prune = false): Promise<Exported> => exportAll(from, to, LAYOUT, { prune });
const imported = (from: Wire, to: Wire): Promise<Imported> => importAll(from, to, LAYOUT);

const latin1 = (reply: Reply | undefined): string => (Buffer.isBuffer(reply) ? reply.toString('latin1') : String(reply));
const pairs = (flat: Reply): [string, string][] =>
  (flat as Buffer[]).flatMap((name, index, all) => (index % 2 === 0 ? [[latin1(name), latin1(all[index + 1])] as [string, string]] : []));

interface Entry {
  value: string;
  /** Unix ms; -1: none. */
  deadline: number;
}

/** The moment, Unix ms, that is `left` ms ahead; -1 where that is -1. */
const momentOf = (time: Reply | undefined, left: unknown): number => (Number(left) < 0 ? -1 : msOf(time) + Number(left));

/** All entries of a server with the modules, by their keys. */
async function entriesOf(wire: Wire): Promise<Map<string, Entry>> {
  const keys = (await wire.call(['CUSTOM.KEYS'])) as Buffer[];
  const read = keys.map(async (key): Promise<[string, Entry]> => {
    const [time, value, left] = await wire.atOnce([['TIME'], ['CUSTOM.GET', key], ['CUSTOM.PTTL', key]]);
    return [latin1(key), { value: latin1(value), deadline: momentOf(time, left) }];
  });
  return new Map(await Promise.all(read));
}

interface Session {
  user: string;
  data: [string, string][];
  /** ms, -1: none. */
  idle: number;
  /** Unix ms, -1: never. */
  expires: number;
}

/** All sessions by their ids, and the ids of each user. */
async function sessionsOf(wire: Wire): Promise<{ sessions: Map<string, Session>; users: Map<string, string[]> }> {
  const lines = (await wire.call(['SESSION.LIST'])) as Buffer[];
  const ids = lines.map((line) => /^ID: (\S+), /.exec(latin1(line))?.[1] ?? '');
  const sessions = new Map<string, Session>();
  const users = new Map<string, string[]>();
  for (const id of ids) {
    const [time, info] = await wire.atOnce([['TIME'], ['SESSION.INFO', id]]);
    const told = new Map(pairs(info ?? []));
    const data = pairs(await wire.call(['SESSION.GETALL', id])).sort(([one], [other]) => (one < other ? -1 : 1));
    const user = told.get('user_key') ?? '';
    sessions.set(id, { user, data, idle: Number(told.get('idle')), expires: momentOf(time, told.get('ttl')) });
    users.set(user, ((await wire.call(['SESSION.USER', Buffer.from(user, 'latin1')])) as Buffer[]).map(latin1));
  }
  return { sessions, users };
}

/**
 * Every key of the server's own with its type, what it holds but for moments that a second run may have
 * otherwise, and whether it has a deadline.
 */
async function ownKeys(wire: Wire): Promise<string[]> {
  const read: Record<string, (key: Buffer) => Promise<Reply>> = {
    string: (key) => wire.call(['GET', key]),
    hash: (key) => wire.call(['HGETALL', key]),
    zset: (key) => wire.call(['ZRANGE', key, '0', '-1', 'WITHSCORES']),
  };
  const keys = (await wire.call(['KEYS', '*'])) as Buffer[];
  const lines = keys.map(async (key) => {
    const type = latin1(await wire.call(['TYPE', key]));
    const held = await read[type]?.(key);
    const stays = Array.isArray(held) ? pairs(held).filter(([name]) => !['@accessed', '@expires'].includes(name)) : [latin1(held)];
    const shown = stays.sort().flat().join(' ');
    return `${latin1(key)} ${type} ${shown} ${Number(await wire.call(['PTTL', key])) >= 0}`;
  });
  return (await Promise.all(lines)).sort();
}

/** Compares two servers with the modules, of which the second got its data by an export and an import. */
async function expectSame(before: Wire, after: Wire): Promise<void> {
  for (const command of ['CUSTOM.CHECK', 'SESSION.CHECK']) expect(await after.call([command])).toBe('OK');
  const [entries, entriesAfter] = [await entriesOf(before), await entriesOf(after)];
  expect([...entriesAfter.keys()].sort()).toEqual([...entries.keys()].sort());
  for (const [key, { value, deadline }] of entries) {
    const again = entriesAfter.get(key);
    expect(again?.value, key).toBe(value);
    expect(Math.abs((again?.deadline ?? NaN) - deadline), key).toBeLessThan(DEADLINE_TOLERANCE_MS);
  }
  const [one, other] = [await sessionsOf(before), await sessionsOf(after)];
  expect(other.users).toEqual(one.users);
  expect([...other.sessions.keys()].sort()).toEqual([...one.sessions.keys()].sort());
  for (const [id, { expires, ...session }] of one.sessions) {
    const { expires: expiresAfter = NaN, ...again } = other.sessions.get(id) ?? {};
    expect(again, id).toEqual(session);
    // Whole seconds from the import on, rounded down.
    expect(expires - expiresAfter, id).toBeLessThan(1000 + DEADLINE_TOLERANCE_MS);
    expect(expires - expiresAfter, id).toBeGreaterThan(-DEADLINE_TOLERANCE_MS);
  }
}

const bytes = (maxLength: number) => fc.uint8Array({ maxLength }).map((array) => Buffer.from(array));
const text = fc.string({ maxLength: 20 }).map((string) => Buffer.from(string));
const anything = fc.oneof(
  text,
  bytes(40),
  fc.constantFrom('@user', '@', '@@a', '__proto__', '7', 'a\r\nb\0').map((string) => Buffer.from(string)),
);
const entry = fc.record({
  key: anything,
  value: fc.oneof(anything, bytes(300), fc.constant(Buffer.alloc(200_000, 7))),
  seconds: fc.option(fc.integer({ min: HOUR, max: 100 * HOUR })),
});
const session = fc.record({
  user: fc.oneof(
    fc.constantFrom('alice', 'bob').map((string) => Buffer.from(string)),
    anything,
  ),
  isNew: fc.boolean(),
  idle: fc.option(fc.integer({ min: HOUR, max: 100 * HOUR })),
  ttl: fc.option(fc.integer({ min: HOUR, max: 100 * HOUR })),
  ownId: fc.option(fc.stringMatching(/^[!-~]{16,40}$/)),
  data: fc.array(fc.tuple(anything, fc.oneof(anything, bytes(300))), { maxLength: 6 }),
});

/** Fills a server with random entries and sessions. */
async function fill(wire: Wire, seed: number): Promise<void> {
  for (const { key, value, seconds } of fc.sample(entry, { numRuns: 120, seed })) {
    await wire.call(['CUSTOM.SET', key, value, ...(seconds === null ? [] : ['EX', String(seconds)])]);
  }
  for (const [index, { user, isNew, idle, ttl, ownId, data }] of fc.sample(session, { numRuns: 120, seed }).entries()) {
    const limits = [...(idle === null ? [] : ['IDLE', String(idle)]), ...(ttl === null ? [] : ['TTL', String(ttl)])];
    const options = [...(isNew ? ['NEW'] : []), ...limits, ...(ownId === null ? [] : ['ID', `${ownId}${index}`])];
    await wire.call(['SESSION.CREATE', user, ...options, ...(data.length === 0 ? [] : ['DATA', ...data.flat()])]);
    // In the order of their creation by the clock, too.
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  await wire.call(['SESSION.CREATE', 'unmapped', 'NEW']);
  await wire.call(['CUSTOM.DEL', 'unmapped']);
  await wire.call(['CUSTOM.SET', 'carol', (await wire.call(['CUSTOM.GET', 'alice'])) as Buffer]);
}

test.each([1, 2])('what goes out comes back, run %i', async (seed) => {
  const [{ wire: source }, { wire: between }, { wire: target }] = [await start(), await start(false), await start()];
  await fill(source, seed);
  const [sessions, entries] = [await source.call(['SESSION.COUNT']), await source.call(['CUSTOM.LEN'])];
  expect(Number(sessions)).toBeGreaterThan(50);
  expect(await exported(source, between)).toMatchObject({ sessions, entries });
  // A second time: nothing becomes another.
  const keys = await ownKeys(between);
  await exported(source, between);
  expect(await ownKeys(between)).toEqual(keys);
  expect(await imported(between, target)).toEqual({ sessions, entries, known: 0, ended: 0, unsound: new Set() });
  await expectSame(source, target);
  expect(await imported(between, target)).toEqual({ sessions: 0, entries, known: sessions, ended: 0, unsound: new Set() });
  await expectSame(source, target);
});

test('a node of a cluster is exported too', async () => {
  const [{ wire: node }, { wire: between }, { wire: target }] = [
    await start(true, '--cluster-enabled', 'yes'),
    await start(false),
    await start(),
  ];
  await node.call(['CLUSTER', 'ADDSLOTSRANGE', '0', '16383']);
  await eventually(
    () => node.call(['CLUSTER', 'INFO']),
    (info) => latin1(info).includes('cluster_state:ok'),
  );
  for (let index = 0; index < 20; index++) {
    await node.call(['CUSTOM.SET', `key:${index}`, `value ${index}`, 'EX', '1000']);
    await node.call(['SESSION.CREATE', `user:${index % 7}`, 'NEW', 'TTL', '1000', 'DATA', 'field', 'value']);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  expect(await exportAll(node, between, LAYOUT, { clustered: true, prune: true })).toMatchObject({ sessions: 20, entries: 27, pruned: 0 });
  await imported(between, target);
  await expectSame(node, target);
});

test('the keys are those that the documentation shows', async () => {
  const { wire } = await start();
  const created = latin1(
    await wire.call(['SESSION.CREATE', 'alice', 'IDLE', '600', 'TTL', '7200', 'DATA', 'theme', 'dark', '@user', 'mallory']),
  );
  const id = created.slice('Session created: '.length);
  await wire.call(['CUSTOM.SET', 'plain', 'value', 'EX', '100']);
  await exported(wire, wire);
  const keys = ((await wire.call(['KEYS', '*'])) as Buffer[]).map(latin1).sort();
  expect(keys).toEqual(['wasm:custom:alice', 'wasm:custom:plain', `wasm:session:${id}`, 'wasm:sessions:alice']);
  const told = new Map(pairs(await wire.call(['SESSION.INFO', id])));
  const hash = new Map(pairs(await wire.call(['HGETALL', `wasm:session:${id}`])));
  const created_ms = Date.parse(told.get('created_at') ?? '');
  expect(Object.fromEntries(hash)).toEqual({
    '@user': 'alice',
    '@created': String(created_ms),
    '@accessed': String(created_ms),
    '@version': told.get('version'),
    '@idle': '600',
    '@expires': expect.any(String) as string,
    '@@user': 'mallory',
    theme: 'dark',
  });
  expect(Math.abs(Number(hash.get('@expires')) - created_ms - 7_200_000)).toBeLessThan(DEADLINE_TOLERANCE_MS);
  expect(pairs(await wire.call(['ZRANGE', 'wasm:sessions:alice', '0', '-1', 'WITHSCORES']))).toEqual([[id, String(created_ms)]]);
  expect(latin1(await wire.call(['GET', 'wasm:custom:alice']))).toBe(id);
  // The idle limit strikes first: session, its user's set and its mapping end with it.
  for (const key of [`session:${id}`, 'sessions:alice', 'custom:alice']) {
    expect(Number(await wire.call(['PEXPIRETIME', `wasm:${key}`])), key).toBe(created_ms + 600_000);
  }
  expect(Number(await wire.call(['PTTL', 'wasm:custom:plain']))).toBeGreaterThan(10_000);
});

test('reading text is no access; reading other bytes, or very many, is one, and is counted', async () => {
  const { wire } = await start();
  const accessOf = async (user: string) =>
    new Map(pairs(await wire.call(['SESSION.INFO', (await wire.call(['CUSTOM.GET', user])) as Buffer]))).get('last_accessed');
  await wire.call(['SESSION.CREATE', 'text', 'DATA', 'name', 'Zoë \u0001 "']);
  await wire.call(['SESSION.CREATE', 'bytes', 'DATA', 'name', Buffer.from([0xff, 0xfe])]);
  await wire.call(['SESSION.CREATE', 'large', 'DATA', 'name', Buffer.alloc(17 << 20, 'x')]);
  const before = [await accessOf('text'), await accessOf('bytes'), await accessOf('large')];
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect(await exported(wire, wire)).toMatchObject({ sessions: 3, accessed: 2 });
  const after = [await accessOf('text'), await accessOf('bytes'), await accessOf('large')];
  expect(after[0]).toBe(before[0]);
  expect(after[1]).not.toBe(before[1]);
  expect(after[2]).not.toBe(before[2]);
});

test('what has ended meanwhile goes with --prune, and before that it stays', async () => {
  const [{ wire: source }, { wire: target }, { wire: fresh }] = [await start(), await start(false), await start(false)];
  await fill(source, 3);
  for (const user of ['anna', 'bert']) for (let count = 0; count < 2; count++) await source.call(['SESSION.CREATE', user, 'NEW']);
  await source.call(['CUSTOM.SET', 'plain', 'value']);
  await exported(source, target);
  await target.call(['SET', 'theirs', '1']);
  await target.call(['SET', 'wasm:other', '1']);
  const idOf = async (user: string) => (await source.call(['CUSTOM.GET', user])) as Buffer;
  expect(await source.call(['SESSION.DELETE', await idOf('anna')])).toBe(1);
  await source.call(['SESSION.ROTATE', await idOf('bert'), 'GRACE', '60000']);
  expect(await source.call(['SESSION.ASSIGN', await idOf('bert'), 'dave'])).toBe(1);
  expect(await source.call(['CUSTOM.DEL', 'plain'])).toBe(1);

  const stale = await ownKeys(target);
  expect((await exported(source, target)).pruned).toBe(0);
  expect((await ownKeys(target)).length).toBeGreaterThanOrEqual(stale.length);
  expect((await exported(source, target, true)).pruned).toBe(3);
  await exported(source, fresh);
  await fresh.call(['SET', 'theirs', '1']);
  await fresh.call(['SET', 'wasm:other', '1']);
  expect(await ownKeys(target)).toEqual(await ownKeys(fresh));
});

test('under writers everything that stays is exported, and a last run makes it the same', async () => {
  const [{ wire: source, server }, { wire: between }, { wire: target }] = [await start(), await start(false), await start()];
  await Promise.all(Array.from({ length: 2000 }, (_, index) => source.call(['CUSTOM.SET', `stays:${index}`, 'value'])));
  const writer = await wireTo(server);
  let writing = true;
  let writes = 0;
  const write = async () => {
    for (; writing; writes++) {
      await Promise.all([
        writer.call(['CUSTOM.SET', `goes:${writes % 500}`, String(writes)]),
        writer.call(['CUSTOM.DEL', `goes:${(writes + 250) % 500}`]),
        writer.call(['SESSION.CREATE', `user:${writes % 100}`, 'NEW', 'MAX', '3']),
        writer.call(['SESSION.DELUSER', `user:${(writes + 50) % 100}`]),
      ]);
    }
  };
  const written = write();
  await exported(source, between);
  writing = false;
  await written;
  expect(writes).toBeGreaterThan(10);
  const keys = new Set(((await between.call(['KEYS', 'wasm:custom:stays:*'])) as Buffer[]).map(latin1));
  expect(keys.size).toBe(2000);
  await exported(source, between, true);
  await imported(between, target);
  await expectSame(source, target);
});

test('what ends on the way does not come back to life, nor does its id', async () => {
  const [{ wire: source }, { wire: between }, { wire: target }] = [await start(), await start(false), await start()];
  await source.call(['SESSION.CREATE', 'short', 'TTL', '1']);
  await source.call(['SESSION.CREATE', 'long', 'TTL', '100']);
  await source.call(['CUSTOM.SET', 'soon', 'value', 'PX', '800']);
  await exported(source, between);
  const endless = (await source.call(['CUSTOM.GET', 'long'])) as Buffer;
  // A mapping without a deadline whose session is gone by the time of the import.
  await between.call([
    'HSET',
    'wasm:session:0123456789abcdef',
    '@user',
    'gone',
    '@created',
    '1',
    '@accessed',
    '1',
    '@version',
    '0',
    '@idle',
    '5',
  ]);
  await between.call(['ZADD', 'wasm:sessions:gone', '1', '0123456789abcdef']);
  await between.call(['SET', 'wasm:custom:gone', '0123456789abcdef']);
  await eventually(
    () => between.call(['EXISTS', 'wasm:custom:soon', 'wasm:custom:short']),
    (left) => left === 0,
  );
  expect(await imported(between, target)).toEqual({ sessions: 1, entries: 1, known: 0, ended: 1, unsound: new Set() });
  expect(await target.call(['SESSION.LIST'])).toHaveLength(1);
  expect(await target.call(['CUSTOM.KEYS'])).toEqual([Buffer.from('long')]);
  expect(await target.call(['SESSION.TTL', endless])).toBeGreaterThan(10_000);
});

/** An id and what SESSION.CREATE answered before it. */
async function create(wire: Wire, ...given: string[]): Promise<Buffer> {
  const reply = latin1(await wire.call(['SESSION.CREATE', ...given]));
  expect(reply).toMatch(/^Session created: /);
  return Buffer.from(reply.slice('Session created: '.length));
}

test('what has expired and is not reclaimed yet stays behind', async () => {
  const [{ wire: source, server }, { wire: between }, { wire: target }] = [await start(), await start(false), await start()];
  const text = 'a-text-that-might-be-an-id';
  const carols = await create(source, 'carol', 'TTL', '100');
  const older = await create(source, 'dora', 'TTL', '100');
  const doras = await create(source, 'dora', 'NEW', 'TTL', '100');
  const eriks = await create(source, 'erik', 'IDLE', '100');
  await source.call(['CUSTOM.EXPIRE', 'erik', '100']);
  const own = await create(source, 'fred', 'TTL', '200');
  await source.call(['CUSTOM.EXPIRE', 'fred', '100']);
  await create(source, 'hugo', 'TTL', '100');
  await source.call(['CUSTOM.EXPIRE', 'hugo', '200']);
  await create(source, 'gina');
  for (const key of ['gina', 'other']) await source.call(['CUSTOM.SET', key, text]);
  // Nothing is reclaimed under a pause of writes, which is sent right behind the limits.
  const operator = await wireTo(server);
  await Promise.all([
    operator.call(['SESSION.EXPIRE', carols, '1']),
    operator.call(['SESSION.EXPIRE', doras, '1']),
    operator.call(['SESSION.EXPIRE', eriks, '1', 'IDLE']),
    operator.call(['CLIENT', 'PAUSE', '100000', 'WRITE']),
  ]);
  await eventually(
    () => source.call(['SESSION.USER', 'erik']),
    (ids) => (ids as Reply[]).length === 0,
  );
  await eventually(
    () => source.call(['SESSION.USER', 'carol']),
    (ids) => (ids as Reply[]).length === 0,
  );
  expect(await source.call(['CUSTOM.LEN'])).toBe(7);
  expect(await exported(source, between)).toMatchObject({ sessions: 4, entries: 5 });
  await operator.call(['CLIENT', 'UNPAUSE']);

  expect(((await between.call(['KEYS', 'wasm:custom:*'])) as Buffer[]).map(latin1).sort()).toEqual(
    ['dora', 'fred', 'gina', 'hugo', 'other'].map((key) => `wasm:custom:${key}`),
  );
  expect(await between.call(['GET', 'wasm:custom:dora'])).toEqual(older);
  expect(await between.call(['GET', 'wasm:custom:fred'])).toEqual(own);
  // With the deadline that comes first, its session's or its own.
  for (const key of ['dora', 'fred', 'hugo']) {
    expect(Number(await between.call(['PTTL', `wasm:custom:${key}`])), key).toBeLessThanOrEqual(100_000);
    expect(Number(await between.call(['PTTL', `wasm:custom:${key}`])), key).toBeGreaterThan(10_000);
  }
  await imported(between, target);
  await create(target, 'carol');
  await create(target, 'erik');
  expect(latin1(await target.call(['SESSION.CREATE', 'dora']))).toBe(`Session exists: ${latin1(older)}`);
  for (const key of ['gina', 'other']) expect(latin1(await target.call(['CUSTOM.GET', key]))).toBe(text);
});

test('a mapping whose session ends just after it was read is not exported', async () => {
  const [{ wire: source }, { wire: between }] = [await start(), await start(false)];
  const ending = [await create(source, 'carol'), await create(source, 'dora', 'NEW')];
  const newest = await create(source, 'dora', 'NEW');
  const meanwhile: Wire = {
    ...source,
    atOnce: async (commands) => {
      const replies = await source.atOnce(commands);
      if (commands.some(([name]) => name === 'CUSTOM.MGET')) {
        for (const id of [ending[0]!, newest]) await source.call(['SESSION.DELETE', id]);
      }
      return replies;
    },
  };
  await exported(meanwhile, between);
  expect(await between.call(['GET', 'wasm:custom:carol'])).toBe(null);
  expect(await between.call(['GET', 'wasm:custom:dora'])).toEqual(ending[1]);
});

test('a mapping to a session that nobody can come to is left out', async () => {
  const [{ wire: source }, { wire: between }] = [await start(), await start(false)];
  await create(source, 'carol');
  const withoutInfo: Wire = {
    ...source,
    atOnce: async (commands) =>
      (await source.atOnce(commands)).map((reply, index) => (commands[index]?.[0] === 'SESSION.INFO' ? null : reply)),
  };
  expect(await exported(withoutInfo, between)).toMatchObject({ sessions: 0, entries: 0 });
});

test('an import that failed leaves no mapping that never was, once it has been run again', async () => {
  const [{ wire: source }, { wire: between }, { wire: target, server }] = [await start(), await start(false), await start()];
  for (const user of ['dave', 'dave', 'erin', 'frank']) await source.call(['SESSION.CREATE', user, 'NEW']);
  for (const user of ['dave', 'frank']) await source.call(['CUSTOM.DEL', user]);
  await exported(source, between);
  await target.call(['ACL', 'SETUSER', 'limited', 'on', 'nopass', '~*', '&*', '+@all', '-custom.del']);
  const limited = await connect('server', { socket: { path: server.socket, tls: false }, username: 'limited', password: 'any' });
  await expect(imported(between, limited)).rejects.toThrow(/NOPERM/);
  limited.close();
  // Since then one has come back.
  await target.call(['CUSTOM.DEL', 'frank']);
  const since = await create(target, 'frank');
  expect(await imported(between, target)).toEqual({ sessions: 0, entries: 1, known: 4, ended: 0, unsound: new Set() });
  expect(await target.call(['CUSTOM.GET', 'dave'])).toBe(null);
  expect(await target.call(['SESSION.COUNT', 'dave'])).toBe(2);
  expect(await target.call(['CUSTOM.GET', 'erin'])).toEqual(await source.call(['CUSTOM.GET', 'erin']));
  expect(await target.call(['CUSTOM.GET', 'frank'])).toEqual(since);
});

test('what export does not write is left out of an import, and told of; all else comes', async () => {
  const [{ wire: between }, { wire: target }] = [await start(false), await start()];
  const sound = { '@user': 'alice', '@created': '1', '@accessed': '1', '@version': '0' };
  const write = (id: string, notes: Record<string, string>) =>
    between.call(['HSET', `wasm:session:${id}`, ...Object.entries(notes).flat()]);
  const odd: [id: string, notes: Record<string, string>][] = [
    ...['abc', '', '0', '-5', '1.5', '1e3', '4294967296'].map((idle, index): [string, Record<string, string>] => [
      `idle-of-a-session-${index}`,
      { ...sound, '@idle': idle },
    ]),
    ...['x', '1e999', '-1', '253402300800000'].map((expires, index): [string, Record<string, string>] => [
      `expires-of-a-session-${index}`,
      { ...sound, '@expires': expires },
    ]),
    ['no-user-in-this-one', { field: 'value' }],
    ['accessed-at-no-time', { ...sound, '@accessed': 'then' }],
    ['short', sound],
    ['id with blanks in it', sound],
    ['of\r\nseveral\x1b[31mlines', sound],
  ];
  for (const [id, notes] of odd) await write(id, notes);
  await write('a-sound-session-id', sound);
  await between.call(['ZADD', 'wasm:sessions:alice', '1', 'short', '1', 'idle-of-a-session-0', '2', 'a-sound-session-id']);
  await between.call(['SET', 'wasm:custom:key', 'value']);
  const { unsound, ...figures } = await imported(between, target);
  expect(figures).toEqual({ sessions: 1, entries: 1, known: 0, ended: 0 });
  expect([...unsound].sort()).toEqual(odd.map(([id]) => `wasm:session:${id}`).sort());
  expect(await target.call(['SESSION.COUNT', 'alice'])).toBe(1);
});

test('a session of very many fields goes out and comes back', async () => {
  const [{ wire: source }, { wire: between }, { wire: target }] = [await start(), await start(false), await start()];
  const [fields, at_once] = [80_000, 16_000];
  const id = await create(source, 'alice');
  for (let first = 0; first < fields; first += at_once) {
    await source.call(['SESSION.ADD_DATA', id, ...Array.from({ length: at_once }, (_, index) => [`field:${first + index}`, 'v']).flat()]);
  }
  expect(await exported(source, between)).toMatchObject({ sessions: 1, entries: 1 });
  expect(await imported(between, target)).toMatchObject({ sessions: 1, entries: 1 });
  expect(new Map(pairs(await target.call(['SESSION.GETALL', id]))).size).toBe(fields);
});

describe('the program', () => {
  /** Runs the program of the package on these arguments. */
  async function run(...given: string[]): Promise<{ status: number | null; output: string }> {
    const child = spawn(process.execPath, ['--import', 'tsx', path.join(ROOT, 'bin/main.ts'), ...given], {
      cwd: ROOT,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (chunk: string) => (output += chunk));
    const status = await new Promise<number | null>((resolve) => child.once('close', resolve));
    return { status, output };
  }

  test('exports, imports, and tells what it did', async () => {
    const [{ wire, server: source }, { server: target, wire: other }] = [await start(), await start()];
    await fill(wire, 4);
    const out = await run('export', '--from', source.socket, '--to', `unix:${target.socket}`, '--prefix', 'left[*]:', '--prune');
    expect(out.output).toMatch(
      /^exported \d+ sessions and \d+ entries\ndeleted 0 keys of what is no longer there\n\d+ sessions hold bytes/,
    );
    expect(out.status).toBe(0);
    const back = await run('import', '--from', target.socket, '--prefix', 'left[*]:');
    expect(back.output).toMatch(/^imported \d+ sessions and \d+ entries\n$/);
    await expectSame(wire, other);
    await other.call(['HSET', 'left[*]:session:a\x1b[31m', 'field', 'value']);
    const odd = await run('import', '--from', target.socket, '--prefix', 'left[*]:');
    expect(odd.output).toContain('1 keys are not as export writes them, and were left out. The first is "left[*]:session:a\\u001b[31m"');
    expect(odd.status).toBe(1);
  });

  test('says what is in the way', async () => {
    const [plain, modules, cluster] = [await start(false), await start(), await start(true, '--cluster-enabled', 'yes')];
    await modules.wire.call(['CONFIG', 'SET', 'wasm.session-idle', '60']);
    const cases: [string[], RegExp][] = [
      [['export', '--from', plain.server.socket], /unknown command[^]*The modules are not loaded there: loadmodule/],
      [['import', '--from', plain.server.socket], /unknown command[^]*The modules are not loaded there/],
      [['export', '--from', path.join(modules.server.folder, 'none')], /none: there is no such socket/],
      [['export', '--from', modules.server.socket, '--cacert', 'ca.crt'], /no server is asked by it: rediss:/],
      [['export', '--from', 'http://localhost'], /http:\/\/ is no protocol of a server/],
      [['export', '--from', 'redis://user:secret@127.0.0.1:1'], /^127\.0\.0\.1:1: connect ECONNREFUSED/],
      [['import', '--from', 'redis://user:secret@127.0.0.1:99999'], /^redis:\/\/…@127\.0\.0\.1:99999 is no address/],
      [['export', '--form', 'x'], /Unknown option '--form'/],
      [['export', '--prune', '--prefix', ''], /--prune deletes all under the prefix, so it needs one that is not empty/],
      [['import', '--prune'], /Unknown option '--prune'/],
      [['export', '--from', modules.server.socket, '--to', cluster.server.socket], /The keys would go to a cluster/],
      [
        ['import', '--from', plain.server.socket, '--to', modules.server.socket],
        /wasm\.session-idle is 60[^]*CONFIG SET wasm\.session-idle 0/,
      ],
    ];
    for (const [[name, ...given], expected] of cases) {
      const ended = (name === 'export' ? exportCommand : importCommand)(given);
      const problem = await ended.then(
        () => 'nothing was in the way',
        (error: unknown) => (error instanceof Problem ? error.message : String(error)),
      );
      expect(problem, given.join(' ')).toMatch(expected);
      expect(problem, given.join(' ')).not.toContain('secret');
    }
  });

  test("goes to and from servers by TLS, with a CA and a certificate of one's own", async () => {
    const server = await startServer({ tcp: true });
    await server.send('CUSTOM.SET', 'a', 'b');
    const certificates = makeCertificates();
    const url = `rediss://127.0.0.1:${await tlsProxy(server.port, certificates)}`;
    const shown = ['--cert', certificates.cert, '--key', certificates.key];
    await expect(exportCommand(['--from', url, ...shown])).rejects.toThrow('of a CA of your own: --cacert <file>.');
    expect(await exportCommand(['--from', url, ...shown, '--cacert', certificates.ca])).toBe(0);
    expect(await server.send('GET', 'wasm:custom:a')).toBe('$1\r\nb\r\n');
    await server.send('CUSTOM.CLEAR');
    expect(await importCommand(['--from', url, ...shown, '--cacert', certificates.ca])).toBe(0);
    expect(await server.send('CUSTOM.GET', 'a')).toBe('$1\r\nb\r\n');
  });

  test('a server that refuses ends it with its words, and the next run completes it', async () => {
    const [{ wire, server: source }, { wire: small, server: target }] = [await start(), await start(false)];
    await Promise.all(Array.from({ length: 2000 }, (_, index) => wire.call(['CUSTOM.SET', `key:${index}`, Buffer.alloc(2000, 1)])));
    await small.call(['CONFIG', 'SET', 'maxmemory', '4mb']);
    const given = ['export', '--from', source.socket, '--to', target.socket];
    const refused = await run(...given);
    expect(refused.output).toMatch(/OOM command not allowed[^]*it may be run again/);
    expect(refused.output).not.toMatch(/\n\s+at /);
    expect(refused.status).toBe(1);
    await small.call(['CONFIG', 'SET', 'maxmemory', '0']);
    expect((await run(...given)).output).toBe('exported 0 sessions and 2,000 entries\n');
    expect(await small.call(['DBSIZE'])).toBe(2000);
  });
});
