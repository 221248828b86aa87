/**
 * Bad input to every public function of the client: an ArgumentError that names the argument, before anything
 * is sent. No server.
 */
import { EventEmitter } from 'node:events';
import expressSession, { type SessionData } from 'express-session';
import { describe, expect, it } from 'vitest';
import { secondaryStorage } from '../../client/better-auth.ts';
import { SessionStore } from '../../client/express.ts';
import { ArgumentError, custom, scanIterator, session, withTypedErrors } from '../../client/index.ts';
import { KeyvCustom } from '../../client/keyv.ts';
import { CALLS } from '../support/calls.ts';
import { wire } from '../support/wire.ts';

/** Half a surrogate pair: UTF-8 has no bytes for it, and would have the same ones for each. */
const HALF = '\ud800';
/** What is no argument anywhere. */
const WRONG: unknown[] = [null, HALF, Number.NaN, [], Symbol('wrong'), () => 0, [null], new Date(Number.NaN)];

type Path = [name: string, ...properties: string[]];

/** Where something may be wrong in a call: each argument, and each property of the options. */
function pathsOf(call: Readonly<Record<string, unknown>>): Path[] {
  const within = (value: unknown, path: Path): Path[] => {
    const isOptions = typeof value === 'object' && value !== null && !Array.isArray(value);
    return [path, ...(isOptions ? Object.entries(value).flatMap(([name, each]) => within(each, [...path, name])) : [])];
  };
  return Object.entries(call).flatMap(([name, value]) => within(value, [name]));
}

/** The call's arguments with another value at this place. */
function withValue(call: Readonly<Record<string, unknown>>, [name, ...properties]: Path, wrong: unknown): unknown[] {
  const changed = (value: unknown, [property, ...rest]: string[]): unknown =>
    property === undefined ? wrong : { ...(value as object), [property]: changed((value as Record<string, unknown>)[property], rest) };
  return Object.entries(call).map(([each, value]) => (each === name ? changed(value, properties) : value));
}

/** How an ArgumentError names this place. */
const named = (path: Path) => path.join('.').replaceAll('?', '');

/** Whether the name is that of the place, or of an element of what stands there. */
function isWithin(argument: string, place: string): boolean {
  return argument === place || (argument.startsWith(place) && '.['.includes(argument.charAt(place.length)));
}

function thrownBy(run: () => unknown): unknown {
  try {
    return run();
  } catch (error) {
    return error;
  }
}

it('there is a call of every command', () => {
  expect(CALLS).toHaveLength(43);
  for (const { command, call } of CALLS) expect(wire(command, ...Object.values(call)).length).toBeGreaterThan(0);
});

describe.each(CALLS.filter(({ call }) => Object.keys(call).length > 0))('$name', ({ command, call }) => {
  const paths = pathsOf(call);
  it('names what is wrong', () => {
    for (const path of paths) {
      for (const wrong of WRONG) {
        const error = thrownBy(() => wire(command, ...withValue(call, path, wrong)));
        expect(error, `${named(path)}: ${String(wrong)}`).toBeInstanceOf(ArgumentError);
        expect((error as ArgumentError).argument).toSatisfy((argument: string) => isWithin(argument, named(path)));
        expect((error as ArgumentError).message).toBe(
          `${(error as ArgumentError).argument}: ${(error as Error).message.split(': ').slice(1).join(': ')}`,
        );
      }
    }
  });

  it('names what is missing', () => {
    for (const name of Object.keys(call).filter((each) => !each.endsWith('?'))) {
      const error = thrownBy(() => wire(command, ...withValue(call, [name], undefined)));
      expect(error, name).toMatchObject({ name: 'ArgumentError', argument: name });
    }
  });

  const options = call['options?'];
  if (options === undefined) return;
  it('names an option that there is not, and knows those that are undefined', () => {
    const misspelt = withValue(call, ['options?'], { ...(options as object), optoin: 1 });
    expect(thrownBy(() => wire(command, ...misspelt))).toMatchObject({ name: 'ArgumentError', argument: 'options.optoin' });
    const none = Object.fromEntries(Object.keys(options as object).map((name) => [name, undefined]));
    const bare = withValue(call, ['options?'], undefined);
    expect(wire(command, ...withValue(call, ['options?'], none))).toEqual(wire(command, ...bare));
  });
});

describe('more than the eye sees', () => {
  it.each([
    ['session.addData', ['id', 'a', '1', 'b', '2'], 'fields'],
    ['session.addData', ['id', { a: '1' }, 'value'], 'field'],
    ['session.addData', ['id', 'a', undefined], 'value'],
    ['session.addData', ['', 'a', '1'], 'id'],
    ['session.cas', ['id', 0, 'a', '1', 'b', '2'], 'fields'],
    ['session.cas', ['id', -1, 'a', '1'], 'version'],
    ['session.create', ['alice', { id: 'short' }], 'options.id'],
    ['session.create', ['alice', { id: 'with blanks in the middle' }], 'options.id'],
    ['session.create', ['alice', { max: { n: 0 } }], 'options.max.n'],
    ['session.create', ['alice', { max: { n: 1, mod: 'EVICT' } }], 'options.max.mod'],
    ['session.create', ['alice', { data: {} }], 'options.data'],
    ['session.create', ['alice', { data: { a: null } }], 'options.data.a'],
    ['session.create', ['alice', new Set(['new'])], 'options'],
    ['session.rotate', ['id', { grace: -1 }], 'options.grace'],
    ['custom.set', ['key', 'value', { expiration: { type: 'EX', value: 1, at: 2 } }], 'options.expiration.at'],
    ['custom.set', ['key', 'value', { expiration: { type: 'PXAT' } }], 'options.expiration.value'],
    ['custom.mSet', [{ a: '1', b: Symbol('b') }], 'entries.b'],
    ['custom.mSet', [new Map([[1, '1']])], 'entries[0]'],
    ['custom.del', [['a', null]], 'keys[1]'],
    ['custom.incrBy', ['key', 2n ** 63n], 'increment'],
    ['custom.incrBy', ['key', 2 ** 53], 'increment'],
    ['custom.scan', [0], 'cursor'],
    ['custom.scan', ['-1'], 'cursor'],
  ] as const)('%s of %o: %s', (name, given, argument) => {
    const { command } = CALLS.find((each) => each.name === name)!;
    expect(thrownBy(() => wire(command, ...given))).toMatchObject({ name: 'ArgumentError', argument });
  });
});

describe('what is no fields', () => {
  const EXPECTED = 'an object, a Map or pairs of fields and values, not';
  it.each([
    [new Uint8Array(3), 'a Uint8Array'],
    [new DataView(new ArrayBuffer(1)), 'a DataView'],
    [Buffer.from('abc'), 'a Buffer'],
    [new ArrayBuffer(3), 'an ArrayBuffer'],
    [new Set(['a']), 'a Set'],
    [new Date(0), 'a Date'],
    [Promise.resolve({ a: '1' }), 'a Promise'],
    [new URLSearchParams('a=1'), 'a URLSearchParams'],
    [/a/, 'a RegExp'],
  ])('%o is told what is wanted', (given, kind) => {
    expect(thrownBy(() => wire(session.addData, 'id', given))).toMatchObject({ message: `fields: ${EXPECTED} ${kind}` });
    const data = given as never;
    expect(thrownBy(() => wire(session.create, 'alice', { data }))).toMatchObject({ message: `options.data: ${EXPECTED} ${kind}` });
  });

  it('an object of any class is fields, and one without a prototype', () => {
    class Data {
      a = '1';
    }
    const bare = Object.assign(Object.create(null) as object, { a: '1' });
    for (const given of [new Data(), bare]) expect(wire(session.addData, 'id', given)).toEqual(['SESSION.ADD_DATA', 'id', 'a', '1']);
  });
});

/**
 * A client that must not send anything: its commands check their arguments, and fail where these are right.
 */
function unusedClient() {
  const namespace = (commands: object) =>
    new Proxy(commands, {
      get:
        (target, name) =>
        (...given: unknown[]): never => {
          wire((target as Record<string | symbol, typeof custom.get>)[name]!, ...given);
          return expect.fail(`${String(name)} was sent`);
        },
    });
  const modules = { custom: namespace(custom), session: namespace(session) };
  const client = Object.assign(new EventEmitter(), modules, { multi: (): never => expect.fail('MULTI was sent') });
  return Object.assign(client, { withTypeMapping: () => client });
}

describe('the adapters', () => {
  const client = unusedClient();
  const store = new SessionStore({ client });
  const storage = secondaryStorage({ client });
  const keyv = new KeyvCustom({ client });
  const sid = 'a-session-id-of-32-characters-00';
  const data = { cookie: { originalMaxAge: null } } as unknown as SessionData;
  const done = () => undefined;
  /** What is told of a session that cannot be saved. */
  const told = (by: SessionStore, method: 'set' | 'touch', given: SessionData) =>
    new Promise((resolve) => {
      by[method](sid, given, resolve);
    });
  const not = undefined as never;
  const wrong = 5 as never;
  const entry = { key: 'a', value: 'v' };

  it.each([
    ['scanIterator', () => scanIterator(not), 'from'],
    ['scanIterator', () => scanIterator([client.custom as never, wrong]), 'from'],
    ['scanIterator', () => scanIterator(client.custom as never, { COUNT: 0 }), 'options.COUNT'],
    ['scanIterator', () => scanIterator(client.custom as never, { match: 'a' } as never), 'options.match'],
    ['withTypedErrors', () => withTypedErrors(wrong), 'namespace'],
    ['SessionStore', () => new SessionStore(not), 'options.client'],
    ['SessionStore', () => new SessionStore(wrong), 'options'],
    ['SessionStore', () => new SessionStore([] as never), 'options'],
    ['SessionStore', () => new SessionStore({ client: {} as never }), 'options.client'],
    ['SessionStore', () => new SessionStore({ client, userOf: 'user' as never }), 'options.userOf'],
    ['SessionStore', () => new SessionStore({ client, prefix: 'a b' }), 'options.prefix'],
    ['SessionStore', () => new SessionStore({ client, userOfRequest: 'user' as never }), 'options.userOfRequest'],
    ['SessionStore.genid', () => new SessionStore({ client, userOfRequest: () => 5 as never }).genid({}), 'options.userOfRequest(request)'],
    ['SessionStore', () => new SessionStore({ client, rolling: 1 as never }), 'options.rolling'],
    ['SessionStore', () => new SessionStore({ client, idle: 0 }), 'options.idle'],
    ['SessionStore', () => new SessionStore({ client, idle: 2 ** 32 }), 'options.idle'],
    ['SessionStore', () => new SessionStore({ client, lifetime: 0.5 }), 'options.lifetime'],
    ['SessionStore', () => new SessionStore({ client, lifetime: 1e12 }), 'options.lifetime'],
    ['SessionStore', () => new SessionStore({ client, ttl: 1 } as never), 'options.ttl'],
    [
      'get',
      () => {
        store.get(sid, wrong);
      },
      'callback',
    ],
    [
      'set',
      () => {
        store.set(sid, data, wrong);
      },
      'callback',
    ],
    [
      'touch',
      () => {
        store.touch(sid, data, wrong);
      },
      'callback',
    ],
    [
      'destroy',
      () => {
        store.destroy(sid, wrong);
      },
      'callback',
    ],
    [
      'all',
      () => {
        store.all(not);
      },
      'callback',
    ],
    [
      'length',
      () => {
        store.length(not);
      },
      'callback',
    ],
    [
      'clear',
      () => {
        store.clear(wrong);
      },
      'callback',
    ],
    [
      'regenerate',
      () => {
        store.regenerate(not, done);
      },
      'request',
    ],
    [
      'regenerate',
      () => {
        store.regenerate({} as never, not);
      },
      'callback',
    ],
    ['createSession', () => store.createSession(not, data), 'request'],
    ['createSession', () => store.createSession({} as never, {} as never), 'session.cookie'],
    ['secondaryStorage', () => secondaryStorage(not), 'options.client'],
    ['secondaryStorage', () => secondaryStorage({ client, prefix: wrong }), 'options.prefix'],
    ['secondaryStorage', () => secondaryStorage({ client, ttl: 1 } as never), 'options.ttl'],
    ['KeyvCustom', () => new KeyvCustom(not), 'options.client'],
    ['KeyvCustom', () => new KeyvCustom({ client, prefix: wrong }), 'options.prefix'],
    ['KeyvCustom', () => new KeyvCustom({ client, keyv: 4 as never }), 'options.keyv'],
    ['KeyvCustom', () => new KeyvCustom({ client, namespace: 'n' } as never), 'options.namespace'],
  ])('%s throws, and names it: %#', (_title, run, argument) => {
    expect(thrownBy(run)).toMatchObject({ name: 'ArgumentError', argument });
  });

  it.each([
    ['ids', () => store.ids(wrong), 'user'],
    ['destroyAll', () => store.destroyAll(not), 'user'],
    ['destroyAll', () => store.destroyAll('alice', { except: 'short' }), 'options.except'],
    ['destroyAll', () => store.destroyAll('alice', { before: 'now' as never }), 'options.before'],
    ['destroyAll', () => store.destroyAll('alice', { exept: sid } as never), 'options.exept'],
    ['storage.get', () => storage.get(not), 'key'],
    ['storage.set', () => storage.set(not, 'value'), 'key'],
    ['storage.set', () => storage.set('key', wrong), 'value'],
    ['storage.set', () => storage.set('key', 'value', Number.NaN), 'ttl'],
    ['storage.delete', () => storage.delete(wrong), 'key'],
    ['storage.getAndDelete', () => storage.getAndDelete(wrong), 'key'],
    ['storage.increment', () => storage.increment(wrong, 1), 'key'],
    ['storage.increment', () => storage.increment('key', 0), 'ttl'],
    ['keyv.get', () => keyv.get(wrong), 'key'],
    ['keyv.getMany', () => keyv.getMany(wrong), 'keys'],
    ['keyv.getMany', () => keyv.getMany(['a', wrong]), 'keys[1]'],
    ['keyv.set', () => keyv.set(wrong, 'value'), 'key'],
    ['keyv.set', () => keyv.set('key', { a: 1 }), 'value'],
    ['keyv.set', () => keyv.set('key', 'value', Number.NaN), 'expires'],
    ['keyv.set', () => keyv.set('key', 'value', 60_000), 'expires'],
    ['keyv.setMany', () => keyv.setMany(not), 'entries'],
    ['keyv.setMany', () => keyv.setMany([{ key: 'a', value: 'v' }, not]), 'entries[1]'],
    [
      'keyv.setMany',
      () =>
        keyv.setMany([
          { key: 'a', value: 'v' },
          { key: 'b', value: 1 },
        ]),
      'entries[1].value',
    ],
    ['keyv.setMany', () => keyv.setMany([{ key: 'a', value: 'v', expires: Number.NaN }]), 'entries[0].expires'],
    ['keyv.setMany', () => keyv.setMany([entry, { key: HALF, value: 'v' }]), 'entries[1].key'],
    ['keyv.setMany', () => keyv.setMany([entry, { key: 'b', value: HALF }]), 'entries[1].value'],
    ['keyv.get', () => keyv.get(HALF), 'key'],
    ['storage.get', () => storage.get(HALF), 'key'],
    ['storage.set', () => storage.set('key', HALF), 'value'],
    ['storage.increment', () => storage.increment(HALF, 1), 'key'],
    ['ids', () => store.ids(HALF), 'user'],
    ['keyv.delete', () => keyv.delete(wrong), 'key'],
    ['keyv.deleteMany', () => keyv.deleteMany([wrong]), 'keys[0]'],
    ['keyv.has', () => keyv.has(wrong), 'key'],
    ['keyv.hasMany', () => keyv.hasMany('key' as never), 'keys'],
    ['keyv.iterator', () => keyv.iterator(wrong).next(), 'namespace'],
  ])('%s rejects, and names it: %#', async (_title, run, argument) => {
    await expect(run()).rejects.toMatchObject({ name: 'ArgumentError', argument });
  });

  it('a property or a user that UTF-8 cannot write is told so', async () => {
    const odd = { ...data, [HALF]: 1 } as unknown as SessionData;
    expect(await told(store, 'set', odd)).toMatchObject({ name: 'ArgumentError', argument: `session.${HALF}` });
    const users = new SessionStore({ client, userOf: () => HALF });
    expect(await told(users, 'set', data)).toMatchObject({ name: 'ArgumentError', argument: 'options.userOf(session)' });
  });

  it.each([Number.NaN, Infinity, -Infinity, 2 ** 32 * 1000, 1e300, Number.MAX_VALUE])('a maxAge of %d is told so', async (ms) => {
    const fixed = new SessionStore({ client, rolling: false });
    const error = { name: 'ArgumentError', argument: 'session.cookie.maxAge' };
    const cookies = [{ originalMaxAge: ms }, { maxAge: ms }];
    for (const cookie of cookies) {
      const aged = { cookie } as unknown as SessionData;
      expect(await told(store, 'set', aged)).toMatchObject(error);
      expect(await told(store, 'touch', aged)).toMatchObject(error);
      if (ms !== 2 ** 32 * 1000) expect(await told(fixed, 'set', aged)).toMatchObject(error);
    }
  });

  const never = new Date(Number.NaN);
  const plain = (cookie: object) => cookie;
  const ofExpressSession = (cookie: object) => new (expressSession.Cookie as unknown as new (options: object) => object)(cookie);
  it.each([
    ['expires', 'a valid Date', plain, { expires: never }],
    ['expires', 'a valid Date', plain, { originalMaxAge: null, expires: 'never' }],
    ['expires', 'a valid Date', plain, { expires: '' }],
    ['expires', 'a valid Date, not 5', plain, { expires: 5 }],
    ['expires', 'a valid Date, not 0', plain, { originalMaxAge: 1000, expires: 0 }],
    ['expires', 'a valid Date, not a boolean', plain, { expires: true }],
    ['expires', 'a valid Date, not an object', plain, { expires: {} }],
    ['expires', 'a valid Date', ofExpressSession, { expires: never }],
    ['expires', 'a valid Date', ofExpressSession, { expires: 'never' }],
    ['expires', 'a valid Date, not 5', ofExpressSession, { expires: 5 }],
    ['maxAge', 'milliseconds, not NaN', plain, { originalMaxAge: Number.NaN }],
    ['maxAge', 'milliseconds, not "60000"', plain, { maxAge: '60000' }],
    ['maxAge', 'milliseconds, not "60000"', plain, { originalMaxAge: '60000' }],
    ['maxAge', 'milliseconds, not a boolean', plain, { maxAge: true }],
    ['maxAge', 'milliseconds, not a Date', plain, { maxAge: new Date() }],
  ])('a cookie’s %s is told to be %s: %#', async (name, expected, kind, given) => {
    const session = { cookie: kind(given) } as unknown as SessionData;
    const error = { name: 'ArgumentError', argument: `session.cookie.${name}`, message: `session.cookie.${name}: ${expected}` };
    expect(await told(store, 'set', session)).toMatchObject(error);
    expect(await told(store, 'touch', session)).toMatchObject(error);
  });

  it('an end that is no moment, or one after the year 9999, is told so', async () => {
    const fixed = new SessionStore({ client, rolling: false });
    for (const expires of [new Date(Number.NaN), new Date('+010000-01-02')]) {
      const ending = { cookie: { originalMaxAge: null, expires } } as unknown as SessionData;
      const error = await told(fixed, 'set', ending);
      expect(error).toMatchObject({ name: 'ArgumentError', argument: 'session.cookie.expires' });
    }
  });

  it.each([
    [
      'set',
      (back: (error: unknown) => void) => {
        store.set('short', data, back);
      },
      'sid',
    ],
    [
      'set',
      (back: (error: unknown) => void) => {
        store.set(sid, not, back);
      },
      'session',
    ],
    [
      'set',
      (back: (error: unknown) => void) => {
        store.set(sid, {} as never, back);
      },
      'session.cookie',
    ],
    [
      'touch',
      (back: (error: unknown) => void) => {
        store.touch(wrong, data, back);
      },
      'sid',
    ],
    [
      'touch',
      (back: (error: unknown) => void) => {
        store.touch(sid, not, back);
      },
      'session',
    ],
    [
      'destroy',
      (back: (error: unknown) => void) => {
        store.destroy(wrong, back);
      },
      'sid',
    ],
  ])('%s calls back with the error that names it: %#', async (_title, run, argument) => {
    expect(await new Promise(run)).toMatchObject({ name: 'ArgumentError', argument });
  });

  it('an id that can be none is that of no session', async () => {
    expect(
      await new Promise((resolve) => {
        store.get(wrong, (error, session) => {
          resolve([error, session]);
        });
      }),
    ).toEqual([null, null]);
  });
});
