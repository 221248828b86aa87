/** The adapters for better-auth and Keyv, with the real packages. */
import { betterAuth } from 'better-auth';
import { memoryAdapter } from 'better-auth/adapters/memory';
import { describe, expect, it } from 'vitest';
import { secondaryStorage } from '../../client/better-auth.ts';
import { KeyvCustom, type KeyvCustomOptions } from '../../client/keyv.ts';
import { typedClient } from '../support/clients.ts';
import { shiftClock } from '../support/clock.ts';
import { Keyv5, keyv6, KEYVS } from '../support/keyv.ts';
import { eventually, useServer } from '../support/server.ts';

const server = useServer();
/**
 * Seconds that an entry has left, and how close to what it was given: within 5, for a machine that is busy.
 */
const secondsLeft = async (key: string) => Number((await server.send('CUSTOM.TTL', key)).slice(1));
const CLOSE = -1;

describe('the secondary storage of better-auth', () => {
  it('stores, counts, and ends in time', async () => {
    const storage = secondaryStorage({ client: await typedClient(server) });
    expect(await storage.get('key')).toBeNull();
    await storage.set('key', 'value');
    expect(await storage.get('key')).toBe('value');
    expect(await server.send('CUSTOM.TTL', 'better-auth:key')).toBe(':-1\r\n');
    await storage.set('key', 'other', 60);
    expect(await secondsLeft('better-auth:key')).toBeCloseTo(60, CLOSE);
    expect(await storage.getAndDelete('key')).toBe('other');
    expect(await storage.getAndDelete('key')).toBeNull();
    await storage.set('key', 'value', 0);
    expect(await storage.get('key')).toBeNull();
    await storage.set('key', 'short', 0.05);
    expect(
      await eventually(
        () => storage.get('key'),
        (value) => value === null,
      ),
    ).toBeNull();
    await storage.set('key', 'value');
    await storage.delete('key');
    await storage.delete('key');
    expect(await server.send('CUSTOM.LEN')).toBe(':0\r\n');
  });

  it('counts in one step, in a window that the first one opens', async () => {
    const [one, other] = [secondaryStorage({ client: await typedClient(server) }), secondaryStorage({ client: await typedClient(server) })];
    const counts = await Promise.all(Array.from({ length: 20 }, (_, n) => (n % 2 ? one : other).increment('rate', 60)));
    expect(counts.sort((a, b) => a - b)).toEqual(Array.from({ length: 20 }, (_, n) => n + 1));
    await server.send('CUSTOM.EXPIRE', 'better-auth:rate', '30');
    expect(await one.increment('rate', 60)).toBe(21);
    expect(await secondsLeft('better-auth:rate')).toBeCloseTo(30, CLOSE);
  });

  it('opens another window when the one before ends in the middle of a count', async () => {
    const client = await typedClient(server);
    const multi = () => {
      const chain = client.multi();
      const set = (...given: Parameters<typeof chain.custom.set>) => chain.custom.set(...given).addCommand(['DEBUG', 'SLEEP', '0.15']);
      const incrBy = (...given: Parameters<typeof chain.custom.incrBy>) => chain.custom.incrBy(...given);
      // What the sleep answers is left out.
      const exec = async () => (await chain.exec()).filter((_reply, index) => index !== 1);
      return { custom: { set, incrBy }, exec };
    };
    const slow = { custom: client.custom, multi, withTypeMapping: () => slow };
    await client.custom.set('better-auth:rate', '7', { expiration: { type: 'PX', value: 100 } });
    const count = await secondaryStorage({ client: slow }).increment('rate', 60);
    // Where time stands still in a transaction it is the last one of the old window.
    expect([1, 8]).toContain(count);
    expect(await client.custom.pTTL('better-auth:rate')).not.toBe(-1);
  });

  it.each([-600_000, 600_000])('sends durations: with a clock that is %i ms off, too', async (shift) => {
    shiftClock(shift);
    const storage = secondaryStorage({ client: await typedClient(server) });
    await storage.set('key', 'value', 60);
    expect(await storage.get('key')).toBe('value');
    expect(await server.send('CUSTOM.TTL', 'better-auth:key')).toMatch(/^:(59|60)\r\n$/);
    expect([await storage.increment('rate', 60), await storage.increment('rate', 60)]).toEqual([1, 2]);
    expect(await server.send('CUSTOM.TTL', 'better-auth:rate')).toMatch(/^:(59|60)\r\n$/);
  });

  it('one of many that ask for a value to delete gets it', async () => {
    const storage = secondaryStorage({ client: await typedClient(server), prefix: '' });
    await storage.set('code', '1234', 60);
    const answers = await Promise.all(Array.from({ length: 10 }, () => storage.getAndDelete('code')));
    expect(answers.filter((answer) => answer !== null)).toEqual(['1234']);
  });

  it('refuses what it cannot store', async () => {
    const client = await typedClient(server);
    const storage = secondaryStorage({ client });
    await expect(storage.set('key', 5 as never)).rejects.toThrow('value: a string, not number');
    await expect(storage.get(undefined as never)).rejects.toThrow('key: a string, not undefined');
    await expect(storage.set('key', 'v', Number.NaN)).rejects.toThrow('ttl: seconds, not NaN');
    await expect(storage.increment('key', 0)).rejects.toThrow('ttl: more than 0 seconds, not 0');
    expect(() => secondaryStorage({ client, perfix: 'x' } as never)).toThrow('options.perfix: unknown; there are client, prefix, timeout');
    expect(() => secondaryStorage({} as never)).toThrow('createClient({ modules: { custom } })');
    expect(await server.send('CUSTOM.LEN')).toBe(':0\r\n');
  });

  it('serves better-auth: sign-up, session, sign-out, rate limit', async () => {
    const auth = betterAuth({
      baseURL: 'http://127.0.0.1',
      secret: 'a secret of the tests, of 32 characters or more',
      database: memoryAdapter({ user: [], account: [], session: [], verification: [] }),
      emailAndPassword: { enabled: true },
      secondaryStorage: secondaryStorage({ client: await typedClient(server) }),
      rateLimit: { enabled: true, storage: 'secondary-storage', window: 60, max: 3 },
      telemetry: { enabled: false },
    });
    const { headers } = await auth.api.signUpEmail({
      body: { name: 'Alice', email: 'alice@example.com', password: 'correct horse battery' },
      returnHeaders: true,
    });
    const cookie = headers.getSetCookie()[0]!.split(';')[0]!;
    const asAlice = new Headers({ cookie });
    expect((await auth.api.getSession({ headers: asAlice }))?.user.email).toBe('alice@example.com');
    const token = decodeURIComponent(cookie.slice(cookie.indexOf('=') + 1)).split('.')[0]!;
    expect(await server.send('CUSTOM.GET', `better-auth:${token}`)).toContain('alice@example.com');
    expect(await server.send('CUSTOM.TTL', `better-auth:${token}`)).toMatch(/^:60\d{4}\r\n$/);
    await auth.api.signOut({ headers: asAlice });
    expect(await auth.api.getSession({ headers: asAlice })).toBeNull();
    expect(await server.send('CUSTOM.EXISTS', `better-auth:${token}`)).toBe(':0\r\n');

    const statuses: number[] = [];
    for (let n = 0; n < 5; n++) {
      const request = new Request('http://127.0.0.1/api/auth/get-session', { headers: { 'x-forwarded-for': '192.0.2.1' } });
      statuses.push((await auth.handler(request)).status);
    }
    expect(statuses).toEqual([200, 200, 200, 429, 429]);
  });
});

describe('better-auth with it', () => {
  const EMAIL = 'alice@example.com';

  /** An application with better-auth; `mail` is what it has sent. */
  async function application() {
    const mail: string[] = [];
    const auth = betterAuth({
      baseURL: 'http://127.0.0.1',
      secret: 'a secret of the tests, of 32 characters or more',
      database: memoryAdapter({ user: [], account: [], session: [], verification: [] }),
      emailAndPassword: {
        enabled: true,
        sendResetPassword: ({ token }) => {
          mail.push(token);
          return Promise.resolve();
        },
      },
      secondaryStorage: secondaryStorage({ client: await typedClient(server) }),
      telemetry: { enabled: false },
    });
    const cookieOf = (headers: Headers) => new Headers({ cookie: headers.getSetCookie()[0]!.split(';')[0]! });
    const signUp = { name: 'Alice', email: EMAIL, password: 'correct horse battery' };
    const { headers } = await auth.api.signUpEmail({ body: signUp, returnHeaders: true });
    const signIn = async () => {
      const signedIn = await auth.api.signInEmail({ body: { email: EMAIL, password: signUp.password }, returnHeaders: true });
      return cookieOf(signedIn.headers);
    };
    return { auth, mail, first: cookieOf(headers), signIn };
  }

  it('lists the sessions of a user, and ends the others', async () => {
    const { auth, first, signIn } = await application();
    const [second, third] = [await signIn(), await signIn()];
    expect(await auth.api.listSessions({ headers: first })).toHaveLength(3);
    await auth.api.revokeOtherSessions({ headers: second });
    expect(await auth.api.listSessions({ headers: second })).toHaveLength(1);
    for (const headers of [first, third]) expect(await auth.api.getSession({ headers })).toBeNull();
  });

  it('takes a verification value once, of several that come with it at the same time', async () => {
    const { auth, mail } = await application();
    await auth.api.requestPasswordReset({ body: { email: EMAIL } });
    const [token] = mail as [string];
    expect(await server.send('CUSTOM.KEYS', 'better-auth:verification:*')).toMatch(/^\*1\r\n/);
    const resets = ['first new password', 'second new password'].map((newPassword) =>
      auth.api.resetPassword({ body: { token, newPassword } }),
    );
    const outcomes = await Promise.allSettled(resets);
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    expect(await server.send('CUSTOM.KEYS', 'better-auth:verification:*')).toBe('*0\r\n');
  });
});

async function keyvStore(options: Partial<KeyvCustomOptions> = {}): Promise<KeyvCustom> {
  return new KeyvCustom({ client: await typedClient(server), ...options });
}

async function entries(keyv: { iterator?: ((argument: undefined) => AsyncGenerator) | undefined }): Promise<[string, unknown][]> {
  const met: [string, unknown][] = [];
  for await (const entry of keyv.iterator!(undefined)) met.push(entry as [string, unknown]);
  return met.sort();
}

describe.each(KEYVS)('the store of $title', ({ version, Keyv }) => {
  async function newKeyv(namespace?: string) {
    const store = await keyvStore();
    const keyv = new Keyv({ store, ...(namespace === undefined ? {} : { namespace }), throwOnErrors: true });
    keyv.on('error', (error: unknown) => {
      throw error;
    });
    return keyv;
  }

  it('stores values of any kind that JSON has', async () => {
    const keyv = await newKeyv();
    for (const value of ['text', '', 0, 1.5, true, false, null, [1, 'a'], { a: { b: [] } }]) {
      expect(await keyv.set('key', value)).toBe(true);
      expect(await keyv.get('key')).toEqual(value);
    }
    expect(await keyv.get('absent')).toBeUndefined();
    expect(await keyv.has('key')).toBe(true);
    expect(await keyv.delete('key')).toBe(true);
    expect(await keyv.delete('key')).toBe(false);
    expect(await keyv.has('key')).toBe(false);
  });

  it('gives back what Keyv itself gives back, quotation marks and bytes too', async () => {
    const keyv = await newKeyv();
    const memory = new Keyv();
    for (const value of ['"', ':base64:x', 'é\0\n', Buffer.from([0, 255, 13, 10]), { at: new Date(0), bytes: Buffer.from('a') }]) {
      for (const each of [keyv, memory]) await each.set('key', value);
      expect(await keyv.get('key')).toEqual(await memory.get('key'));
    }
    expect(await keyv.get('key')).toBeDefined();
  });

  it('walks past what has ended', async () => {
    const keyv = await newKeyv('walk');
    await keyv.set('short', 'value', 20);
    await keyv.set('long', 'value', 60_000);
    await eventually(
      () => keyv.get('short'),
      (value) => value === undefined,
    );
    expect(await entries(keyv)).toEqual([['long', 'value']]);
  });

  it('ends entries in time, on the server', async () => {
    const keyv = await newKeyv('pages');
    await keyv.set('key', 'value', 60_000);
    const [name] = (await (await typedClient(server)).custom.keys()) as [string];
    expect(name).toBe(version === 6 ? 'keyv:pages::key' : 'keyv:pages:key');
    expect(await secondsLeft(name)).toBeCloseTo(60, CLOSE);
    await keyv.set('key', 'value', 50);
    await eventually(
      () => server.send('CUSTOM.EXISTS', name),
      (reply) => reply === ':0\r\n',
    );
    expect(await server.send('CUSTOM.EXISTS', name)).toBe(':0\r\n');
    expect(await keyv.get('key')).toBeUndefined();
    await keyv.set('key', 'value');
    expect(await server.send('CUSTOM.TTL', name)).toBe(':-1\r\n');
  });

  it('stores, reads and deletes several', async () => {
    const keyv = await newKeyv('many');
    await keyv.setMany([
      { key: 'a', value: 1 },
      { key: 'b', value: 2, ttl: 60_000 },
      { key: 'c', value: 3 },
    ]);
    expect(await keyv.getMany(['a', 'x', 'b'])).toEqual([1, undefined, 2]);
    expect(await keyv.hasMany(['a', 'x'])).toEqual([true, false]);
    expect(await keyv.deleteMany(['a', 'x', 'b'])).toEqual(version === 6 ? [true, false, true] : true);
    expect(await keyv.deleteMany(['x', 'y'])).toEqual(version === 6 ? [false, false] : false);
    expect(await keyv.getMany(['a', 'b', 'c'])).toEqual([undefined, undefined, 3]);
  });

  it('keeps namespaces apart', async () => {
    const [one, other] = [await newKeyv('one'), await newKeyv('one*')];
    await server.send('CUSTOM.SET', 'alice', 'a session');
    for (let n = 0; n < 150; n++) await one.set(`key${n}`, n);
    await other.set('key', 'other');
    expect(await entries(one)).toHaveLength(150);
    expect(await entries(other)).toEqual([['key', 'other']]);
    await other.clear();
    expect(await one.get('key149')).toBe(149);
    await one.clear();
    expect(await entries(one)).toEqual([]);
    expect(await server.send('CUSTOM.KEYS')).toBe('*1\r\n$5\r\nalice\r\n');
    await one.disconnect();
    expect(await one.has('key1')).toBe(false);
  });

  it.each([-600_000, -1000, 600_000])('sends durations: with a clock that is %i ms off, too', async (shift) => {
    shiftClock(shift);
    const keyv = await newKeyv();
    expect(await keyv.set('key', 'value', 60_000)).toBe(true);
    await keyv.setMany([{ key: 'other', value: 'value', ttl: 60_000 }]);
    expect(await keyv.getMany(['key', 'other'])).toEqual(['value', 'value']);
    for (const name of await (await typedClient(server)).custom.keys()) {
      expect(await server.send('CUSTOM.TTL', name)).toMatch(/^:(59|60)\r\n$/);
    }
    await keyv.set('short', 'value', 900);
    expect(await server.send('CUSTOM.LEN')).toBe(':3\r\n');
    await eventually(
      () => server.send('CUSTOM.LEN'),
      (reply) => reply === ':2\r\n',
    );
    expect(await server.send('CUSTOM.LEN')).toBe(':2\r\n');
  });

  it('clears its own namespace, whatever the names of others', async () => {
    const names = ['a', 'a:', 'a::', 'a::b', 'a:b', 'a%3Ab', 'a:b:', ':a', '::a', '::', 'a%3A%3Ab', 'a::b::c'];
    const keyvs = await Promise.all(names.map(newKeyv));
    const keys = ['k', ':k', 'b::k', 'b:k', '::k', 'a'];
    for (const [index, keyv] of keyvs.entries()) await keyv.setMany(keys.map((key) => ({ key, value: `${names[index]} ${key}` })));
    for (const [index, keyv] of keyvs.entries()) {
      // Keyv 5 takes a key that begins as its namespace does for one that has it already, but for those of
      // getMany.
      expect(await keyv.getMany(keys)).toEqual(keys.map((key) => `${names[index]} ${key}`));
      await keyv.clear();
      expect(await keyv.getMany(keys)).toEqual(keys.map(() => undefined));
    }
    expect(await server.send('CUSTOM.LEN')).toBe(':0\r\n');
  });

  it('reads what was stored under a namespace that needs no other form', async () => {
    const separator = version === 6 ? '::' : ':';
    const value = JSON.stringify({ value: 'from before' });
    await server.send('CUSTOM.SET', `keyv:pages${separator}key`, value);
    await server.send('CUSTOM.SET', 'keyv:key', value);
    const keyv = await newKeyv('pages');
    expect(await keyv.get('key')).toBe('from before');
    expect(await entries(keyv)).toEqual([['key', 'from before']]);
    await keyv.clear();
    expect(await server.send('CUSTOM.KEYS')).toBe('*1\r\n$8\r\nkeyv:key\r\n');
  });

  it('is for one Keyv: a second one is refused, and leaves the first as it was', async () => {
    const store = await keyvStore();
    const first = new Keyv({ store, namespace: 'a', throwOnErrors: true });
    await first.set('key', 'of a');
    expect(() => new Keyv({ store, namespace: 'b' })).toThrow(
      'store: each Keyv needs a KeyvCustom of its own, which keeps its namespace: new KeyvCustom({ client })',
    );
    const other = new Keyv();
    expect(() => {
      other.store = store;
    }).toThrow('store: each Keyv needs a KeyvCustom of its own');
    expect(store.namespace).toBe('a');
    expect(await first.get('key')).toBe('of a');
    await first.set('other', 'of a');
    expect(await server.send('CUSTOM.EXISTS', ...(version === 6 ? ['keyv:a::other'] : ['keyv:a:other']))).toBe(':1\r\n');
    first.namespace = 'c';
    expect(await first.get('key')).toBeUndefined();
  });

  it('may be told its version, and refuses the other one', async () => {
    const [right, wrong] = [await keyvStore({ keyv: version }), await keyvStore({ keyv: version === 6 ? 5 : 6 })];
    const keyv = new Keyv({ store: right, throwOnErrors: true });
    await keyv.set('key', 'value', 60_000);
    expect(await keyv.get('key')).toBe('value');
    expect(() => new Keyv({ store: wrong })).toThrow(/^options\.keyv: [56], but Keyv [56] uses this store: leave the option out$/);
  });
});

describe('the store for Keyv', () => {
  it.skipIf(keyv6 === undefined)('has the interface that Keyv 6 asks for, and is used as it is', async () => {
    const { Keyv, KeyvMemoryAdapter } = keyv6!;
    const store = await keyvStore();
    const keyv = new Keyv({ store });
    expect(keyv.store).toBe(store);
    expect(Object.keys(store.capabilities.methods).sort()).toEqual(
      Object.keys(new KeyvMemoryAdapter(new Map()).capabilities.methods).sort(),
    );
  });

  it('goes on when what Keyv listens to is listened to by others, too', async () => {
    const store = await keyvStore();
    for (let n = 0; n < 2; n++) store.on('error', () => undefined);
    const keyv = new Keyv5({ store, namespace: 'a', throwOnErrors: true });
    store.on('error', () => undefined);
    await keyv.set('key', 'value', 60_000);
    expect(await server.send('CUSTOM.TTL', 'keyv:a:key')).toMatch(/^:(59|60)\r\n$/);
  });

  it.skipIf(keyv6 === undefined)('answers as the store in memory of Keyv 6 does', async () => {
    const stores = [await keyvStore(), new keyv6!.KeyvMemoryAdapter(new Map()) as unknown as KeyvCustom];
    const [ours, memory] = await Promise.all(
      stores.map(async (store) => {
        store.namespace = 'n';
        const later = Date.now() + 60_000;
        const answers: unknown[] = [
          await store.set('a', '1'),
          await store.set('b', '2', later),
          await store.setMany([
            { key: 'c', value: '3' },
            { key: 'd', value: '4', expires: later },
          ]),
          await store.get('a'),
          await store.get('x'),
          await store.getMany(['a', 'x', 'd']),
          await store.has('b'),
          await store.hasMany(['b', 'x']),
          await store.delete('a'),
          await store.delete('a'),
          await store.deleteMany(['b', 'x']),
        ];
        const met: unknown[] = [];
        for await (const entry of store.iterator()) met.push(entry);
        await store.clear();
        return [...answers, met.sort(), await store.hasMany(['c', 'd'])];
      }),
    );
    expect(ours).toEqual(memory);
  });

  it('refuses what it cannot store', async () => {
    const client = await typedClient(server);
    const store = await keyvStore();
    await expect(store.set('key', { a: 1 })).rejects.toThrow("value: text, not object: leave Keyv's serialization on");
    await expect(store.set('key', 'v', 60_000)).rejects.toThrow('expires: a moment in Unix ms, not 60000');
    await expect(store.set('key', 'v', Number.NaN)).rejects.toThrow('expires: a number of ms, not NaN');
    await expect(store.get(1 as never)).rejects.toThrow('key: a string, not number');
    expect(() => new KeyvCustom({ client, keyv: 4 as never })).toThrow('options.keyv: 5 or 6');
    expect(() => new KeyvCustom({ client, prefix: 1 as never })).toThrow('options.prefix: a string');
    expect(() => new KeyvCustom({ client, namespace: 'n' } as never)).toThrow(
      'options.namespace: unknown; there are client, prefix, timeout, keyv',
    );
    expect(await server.send('CUSTOM.LEN')).toBe(':0\r\n');
    expect(await store.set('key', 'v', Date.now() - 1)).toBe(true);
    expect(await store.has('key')).toBe(false);
  });
});
