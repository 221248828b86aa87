/** What each command of client/session/ sends, and how it makes answers of replies. No server. */
import { RESP_TYPES } from '@redis/client';
import { describe, expect, it } from 'vitest';
import { ArgumentError, session } from '../../client/index.ts';
import { keys, prefixed, wire } from '../support/wire.ts';

const ID = '0e8e4f0c-5d1c-4c8b-9d53-9a3f0f6f6a34';
const MINTED = 'a-minted-id-of-25-letters';
const BINARY = Buffer.from([0, 255, 13, 10]);

describe('the arguments of SESSION.*', () => {
  it.each([
    ['CREATE', [session.create, 'alice'], ['SESSION.CREATE', 'alice']],
    ['CREATE with no option set', [session.create, 'alice', { new: false, idle: undefined }], ['SESSION.CREATE', 'alice']],
    [
      'CREATE with every option',
      [session.create, 'alice', { data: { a: '1', b: BINARY }, id: MINTED, max: { n: 3, mode: 'REJECT' }, ttl: 3600, idle: 60, new: true }],
      ['SESSION.CREATE', 'alice', 'NEW', 'IDLE', '60', 'TTL', '3600', 'MAX', '3', 'REJECT', 'ID', MINTED, 'DATA', 'a', '1', 'b', BINARY],
    ],
    ['CREATE MAX alone', [session.create, 'alice', { max: 3 }], ['SESSION.CREATE', 'alice', 'MAX', '3']],
    ['CREATE MAX without a mode', [session.create, 'alice', { max: { n: 3 } }], ['SESSION.CREATE', 'alice', 'MAX', '3']],
    ['CREATE ID of bytes', [session.create, 'alice', { id: Buffer.from(MINTED) }], ['SESSION.CREATE', 'alice', 'ID', Buffer.from(MINTED)]],
    ['GET', [session.get, ID], ['SESSION.GET', ID]],
    ['GETALL', [session.getAll, ID], ['SESSION.GETALL', ID, 'LINES']],
    ['INFO', [session.info, ID], ['SESSION.INFO', ID]],
    ['LIST', [session.list], ['SESSION.LIST']],
    ['ADD_DATA of a pair', [session.addData, ID, 'field', 'value'], ['SESSION.ADD_DATA', ID, 'field', 'value']],
    ['ADD_DATA of an object', [session.addData, ID, { a: '1', b: 2 }], ['SESSION.ADD_DATA', ID, 'a', '1', 'b', '2']],
    ['ADD_DATA of a Map', [session.addData, ID, new Map([[BINARY, BINARY]])], ['SESSION.ADD_DATA', ID, BINARY, BINARY]],
    ['GET_DATA', [session.getData, ID, BINARY], ['SESSION.GET_DATA', ID, BINARY]],
    ['DEL_DATA', [session.delData, ID, 'a'], ['SESSION.DEL_DATA', ID, 'a']],
    ['DEL_DATA of several', [session.delData, ID, ['a', 'b']], ['SESSION.DEL_DATA', ID, 'a', 'b']],
    ['INCR_DATA', [session.incrData, ID, 'visits', -1], ['SESSION.INCR_DATA', ID, 'visits', '-1']],
    ['CAS', [session.cas, ID, 0, 'a', '1'], ['SESSION.CAS', ID, '0', 'a', '1']],
    ['CAS of an object', [session.cas, ID, 7, { a: '1', b: '2' }], ['SESSION.CAS', ID, '7', 'a', '1', 'b', '2']],
    ['TOUCH', [session.touch, ID], ['SESSION.TOUCH', ID]],
    ['EXPIRE', [session.expire, ID, 60], ['SESSION.EXPIRE', ID, '60']],
    ['EXPIRE IDLE', [session.expire, ID, -1, 'IDLE'], ['SESSION.EXPIRE', ID, '-1', 'IDLE']],
    ['TTL', [session.ttl, ID], ['SESSION.TTL', ID]],
    ['ROTATE', [session.rotate, ID], ['SESSION.ROTATE', ID]],
    ['ROTATE with grace', [session.rotate, ID, { grace: 0 }], ['SESSION.ROTATE', ID, 'GRACE', '0']],
    ['ASSIGN', [session.assign, ID, 'alice'], ['SESSION.ASSIGN', ID, 'alice']],
    ['DELETE', [session.delete, ID], ['SESSION.DELETE', ID]],
    ['USER', [session.user, 'alice'], ['SESSION.USER', 'alice']],
    ['DELUSER', [session.delUser, 'alice'], ['SESSION.DELUSER', 'alice']],
    ['DELUSER EXCEPT', [session.delUser, 'alice', { except: ID }], ['SESSION.DELUSER', 'alice', 'EXCEPT', ID]],
    [
      'DELUSER with both',
      [session.delUser, 'alice', { before: new Date(1_700_000_000_123), except: ID }],
      ['SESSION.DELUSER', 'alice', 'EXCEPT', ID, 'BEFORE', '1700000000123'],
    ],
    ['DELUSER BEFORE', [session.delUser, 'alice', { before: 0 }], ['SESSION.DELUSER', 'alice', 'BEFORE', '0']],
    ['SCAN', [session.scan, '0', { MATCH: 'a*', COUNT: 1 }], ['SESSION.SCAN', '0', 'MATCH', 'a*', 'COUNT', '1']],
    ['COUNT', [session.count], ['SESSION.COUNT']],
    ['COUNT of a user', [session.count, ''], ['SESSION.COUNT', '']],
    ['CHECK', [session.check], ['SESSION.CHECK']],
    ['STRAYS', [session.strays], ['SESSION.STRAYS']],
    ['STRAYS with a count', [session.strays, { count: 0 }], ['SESSION.STRAYS', 'COUNT', '0']],
  ] as [string, [Parameters<typeof wire>[0], ...unknown[]], unknown[]][])('%s', (_title, [command, ...given], expected) => {
    expect(wire(command, ...given)).toEqual(expected);
  });

  it('a cluster routes by the id, or by the user', () => {
    expect(keys(session.create, 'alice', { id: MINTED })).toEqual(['alice']);
    expect(keys(session.addData, ID, 'a', '1')).toEqual([ID]);
    expect(keys(session.assign, ID, 'alice')).toEqual([ID, 'alice']);
    expect(keys(session.delUser, 'alice', { except: ID })).toEqual(['alice', ID]);
    expect(keys(session.count)).toEqual([]);
    expect(keys(session.scan, '0')).toEqual([]);
  });

  it('a prefix of the client applies to user keys, and never to ids', () => {
    expect(prefixed(session.create, 'alice', { id: MINTED })).toEqual(['SESSION.CREATE', 'app:alice', 'ID', MINTED]);
    expect(prefixed(session.get, ID)).toEqual(['SESSION.GET', ID]);
    expect(prefixed(session.assign, ID, 'alice')).toEqual(['SESSION.ASSIGN', ID, 'app:alice']);
    expect(prefixed(session.delUser, 'alice', { except: ID })).toEqual(['SESSION.DELUSER', 'app:alice', 'EXCEPT', ID]);
  });

  it('every command is there under both names, and says where it may be sent', () => {
    for (const [name, command] of Object.entries(session)) {
      expect(typeof command.IS_READ_ONLY, name).toBe('boolean');
      expect(
        Object.values(session).filter((each) => each === command),
        name,
      ).toHaveLength(2);
    }
    expect(Object.keys(session)).toHaveLength(2 * 22);
    // What a client would answer from its own cache after the session was ended elsewhere must not be cached.
    expect(Object.values(session).some((each) => 'CACHEABLE' in each)).toBe(false);
  });
});

describe('bad arguments of SESSION.*', () => {
  it.each([
    [[session.create, undefined], 'user: a string or a Buffer, not undefined'],
    [[session.get, ''], 'id: the id of a session, not an empty string'],
    [[session.delete, null], 'id: a string or a Buffer, not null'],
    [[session.create, 'alice', 60], 'options: an object of options, not a number'],
    [[session.create, 'alice', { IDLE: 5 }], 'options.IDLE: unknown; there are new, idle, ttl, max, id, data'],
    [[session.create, 'alice', { new: 1 }], 'options.new: true or false, not 1'],
    [[session.create, 'alice', { idle: 0 }], 'options.idle: a whole number of at least 1, not 0'],
    [[session.create, 'alice', { ttl: 0.5 }], 'options.ttl: a whole number, not 0.5'],
    [[session.create, 'alice', { max: 0 }], 'options.max: a whole number of at least 1, not 0'],
    [[session.create, 'alice', { max: { mode: 'EVICT' } }], 'options.max.n: a whole number, not undefined'],
    [[session.create, 'alice', { max: { n: 1, mode: 'KILL' } }], `options.max.mode: 'EVICT' or 'REJECT', not "KILL"`],
    [[session.create, 'alice', { max: { N: 1 } }], 'options.max.N: unknown; there are n, mode'],
    [[session.create, 'alice', { id: 'short' }], 'options.id: 16 to 128 visible ASCII characters'],
    [[session.create, 'alice', { id: 'x'.repeat(129) }], 'options.id: 16 to 128 visible ASCII characters'],
    [[session.create, 'alice', { id: 'with a blank inside' }], 'options.id: 16 to 128 visible ASCII characters'],
    [[session.create, 'alice', { id: 'sixteen-letters!\n' }], 'options.id: 16 to 128 visible ASCII characters'],
    [[session.create, 'alice', { data: [] }], 'options.data: at least one field and its value are needed'],
    [[session.addData, ID], 'fields: an object, a Map or pairs of fields and values, not undefined'],
    [[session.addData, ID, { a: true }], 'fields.a: a string, a Buffer or a finite number, not a boolean'],
    [[session.addData, ID, 5, 'value'], 'field: a string or a Buffer, not a number'],
    [[session.addData, ID, 'field', undefined], 'value: a string, a Buffer or a finite number, not undefined'],
    [[session.cas, ID, -1, 'a', '1'], 'version: a whole number of at least 0, not -1'],
    [[session.cas, ID, undefined, 'a', '1'], 'version: a whole number, not undefined'],
    [[session.delData, ID, []], 'fields: at least one is needed, not an empty list'],
    [[session.incrData, ID, undefined, 1], 'field: a string or a Buffer, not undefined'],
    [[session.expire, ID, 1, 'idle'], `limit: 'IDLE' or 'TTL', not "idle"`],
    [[session.rotate, ID, { grace: -1 }], 'options.grace: a whole number of at least 0, not -1'],
    [[session.delUser, 'alice', { before: 'now' }], 'options.before: a valid Date, or whole Unix milliseconds, not "now"'],
    [[session.delUser, 'alice', { except: '' }], 'options.except: the id of a session, not an empty string'],
  ] as [[Parameters<typeof wire>[0], ...unknown[]], string][])('$1', ([command, ...given], message) => {
    let thrown: unknown;
    try {
      wire(command, ...given);
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toBeInstanceOf(ArgumentError);
    expect((thrown as ArgumentError).message).toBe(message);
    expect((thrown as ArgumentError).argument).toBe(message.slice(0, message.indexOf(': ')));
  });
});

describe('the replies of SESSION.*', () => {
  it('CREATE', () => {
    const answer = session.create.transformReply;
    expect(answer(`Session created: ${ID}`)).toEqual({ outcome: 'created', id: ID });
    expect(answer(Buffer.from(`Session exists: ${ID}`))).toEqual({ outcome: 'exists', id: ID });
    expect(answer('Session recreated: of:my-own: making')).toEqual({ outcome: 'recreated', id: 'of:my-own: making' });
    expect(() => answer('QUEUED')).toThrow('SESSION.CREATE answered "QUEUED", which is not known here');
  });

  it('GET', () => {
    const answer = session.get.transformReply;
    const json =
      '{"id":"i","user_key":"u","created_at":"2026-01-02T03:04:05.678Z","last_accessed":"2026-01-02T03:04:06.000Z",' +
      '"data":{"__proto__":"p","constructor":"c","a":"1"}}';
    const told = answer(json);
    expect(told).toEqual({
      id: 'i',
      userKey: 'u',
      createdAt: new Date(Date.UTC(2026, 0, 2, 3, 4, 5, 678)),
      lastAccessed: new Date(Date.UTC(2026, 0, 2, 3, 4, 6)),
      data: expect.anything() as unknown,
    });
    const { data } = told as unknown as { data: Record<string, string> };
    expect(Object.getPrototypeOf(data)).toBeNull();
    expect(Object.entries(data)).toEqual([
      ['__proto__', 'p'],
      ['constructor', 'c'],
      ['a', '1'],
    ]);
    expect('toString' in data).toBe(false);
    expect(answer(Buffer.from(json))).toEqual(told);
    expect(answer(null)).toBeNull();
  });

  it('GETALL, in every form of a map', () => {
    const answer = session.getAll.transformReply;
    const object = answer(['__proto__', 'p', 'a', '1']) as unknown as Record<string, string>;
    expect(Object.getPrototypeOf(object)).toBeNull();
    expect(Object.entries(object)).toEqual([
      ['__proto__', 'p'],
      ['a', '1'],
    ]);
    expect(Object.getPrototypeOf(answer({ a: '1' }))).toBeNull();
    expect(answer(['a', BINARY], undefined, { [RESP_TYPES.MAP]: Map })).toEqual(new Map([['a', BINARY]]));
    const map = new Map([['a', BINARY]]);
    expect(answer(map, undefined, { [RESP_TYPES.MAP]: Map })).toBe(map);
    const flat = [BINARY, BINARY];
    expect(answer(flat, undefined, { [RESP_TYPES.MAP]: Array })).toBe(flat);
    expect(Object.entries(answer([]) as unknown as object)).toEqual([]);
    expect(answer(null)).toBeNull();
    const asMap = { [RESP_TYPES.MAP]: Map };
    expect(Object.entries(answer('__proto__\np\n\n\n') as unknown as object)).toEqual([
      ['__proto__', 'p'],
      ['', ''],
    ]);
    expect(answer('', undefined, asMap)).toEqual(new Map());
    const bytes = Buffer.from('ff0a0a610a000a', 'hex');
    expect(answer(bytes, undefined, asMap)).toEqual(
      new Map([
        ['\ufffd', Buffer.alloc(0)],
        ['a', Buffer.of(0)],
      ]),
    );
    expect(answer(bytes, undefined, { [RESP_TYPES.MAP]: Array })).toEqual([
      Buffer.of(0xff),
      Buffer.alloc(0),
      Buffer.from('a'),
      Buffer.of(0),
    ]);
    expect(() => answer([new Error('cut'), '1'])).toThrow('cut');
    expect(() => answer(new Map([['a', new Error('cut')]]))).toThrow('cut');
  });

  it('INFO, in every form of a map', () => {
    const answer = session.info.transformReply;
    const pairs: [string, unknown][] = [
      ['id', 'i'],
      ['user_key', BINARY],
      ['created_at', '2026-01-02T03:04:05.678Z'],
      ['last_accessed', Buffer.from('2026-01-02T03:04:06.000Z')],
      ['idle', 60_000],
      ['ttl', -1],
      ['version', '3'],
      ['fields', 2],
      ['bytes', 120],
    ];
    const expected = {
      id: 'i',
      userKey: BINARY,
      createdAt: new Date(Date.UTC(2026, 0, 2, 3, 4, 5, 678)),
      lastAccessed: new Date(Date.UTC(2026, 0, 2, 3, 4, 6)),
      idle: 60_000,
      ttl: null,
      version: 3,
      fields: 2,
      bytes: 120,
    };
    expect(answer(pairs.flat())).toEqual(expected);
    expect(answer(new Map(pairs))).toEqual(expected);
    expect(answer(Object.fromEntries(pairs))).toEqual(expected);
    expect(answer(null)).toBeNull();
  });

  it('LIST, of user keys that look like its own words', () => {
    const lines = [
      `ID: ${ID}, Key: alice, Created: 2026-01-02T03:04:05.678Z`,
      `ID: i, Key: , Key: , Created: x, Created: 2026-01-02T03:04:05.678Z`,
    ];
    const createdAt = new Date(Date.UTC(2026, 0, 2, 3, 4, 5, 678));
    expect(session.list.transformReply(lines as never)).toEqual([
      { id: ID, userKey: 'alice', createdAt },
      { id: 'i', userKey: ', Key: , Created: x', createdAt },
    ]);
  });

  it('SCAN', () => {
    expect(session.scan.transformReply(['7', ['a']] as never)).toEqual({ cursor: '7', ids: ['a'] });
  });
});
