/** What each command of client/custom/ sends, and how it makes answers of replies. No server. */
import { describe, expect, it } from 'vitest';
import { ArgumentError, custom } from '../../client/index.ts';
import { keys, prefixed, wire } from '../support/wire.ts';

const BINARY = Buffer.from([0, 255, 13, 10]);

describe('the arguments of CUSTOM.*', () => {
  it.each([
    ['GET', [custom.get, 'key'], ['CUSTOM.GET', 'key']],
    ['GETDEL', [custom.getDel, 'key'], ['CUSTOM.GETDEL', 'key']],
    ['DEL', [custom.del, 'key'], ['CUSTOM.DEL', 'key']],
    ['DEL of several', [custom.del, ['a', BINARY]], ['CUSTOM.DEL', 'a', BINARY]],
    ['EXISTS', [custom.exists, ['a', 'b']], ['CUSTOM.EXISTS', 'a', 'b']],
    ['MGET', [custom.mGet, ['a', 'b']], ['CUSTOM.MGET', 'a', 'b']],
    ['MSET of an object', [custom.mSet, { a: '1', b: 2 }], ['CUSTOM.MSET', 'a', '1', 'b', '2']],
    ['MSET of a Map', [custom.mSet, new Map([[BINARY, BINARY]])], ['CUSTOM.MSET', BINARY, BINARY]],
    ['MSET of pairs', [custom.mSet, [['a', '1']]], ['CUSTOM.MSET', 'a', '1']],
    ['STRLEN', [custom.strLen, 'key'], ['CUSTOM.STRLEN', 'key']],
    ['APPEND', [custom.append, 'key', 'more'], ['CUSTOM.APPEND', 'key', 'more']],
    ['INCRBY', [custom.incrBy, 'key', -5], ['CUSTOM.INCRBY', 'key', '-5']],
    ['INCRBY of 64 bits', [custom.incrBy, 'key', 2n ** 63n - 1n], ['CUSTOM.INCRBY', 'key', '9223372036854775807']],
    ['EXPIRE', [custom.expire, 'key', 0], ['CUSTOM.EXPIRE', 'key', '0']],
    ['PEXPIRE', [custom.pExpire, 'key', 1500], ['CUSTOM.PEXPIRE', 'key', '1500']],
    ['TTL', [custom.ttl, 'key'], ['CUSTOM.TTL', 'key']],
    ['PTTL', [custom.pTTL, 'key'], ['CUSTOM.PTTL', 'key']],
    ['PERSIST', [custom.persist, 'key'], ['CUSTOM.PERSIST', 'key']],
    ['SCAN', [custom.scan, '0'], ['CUSTOM.SCAN', '0']],
    ['SCAN with options', [custom.scan, '7', { MATCH: 'a*', COUNT: 100 }], ['CUSTOM.SCAN', '7', 'MATCH', 'a*', 'COUNT', '100']],
    ['KEYS', [custom.keys], ['CUSTOM.KEYS']],
    ['KEYS of a pattern', [custom.keys, 'a*'], ['CUSTOM.KEYS', 'a*']],
    ['LEN', [custom.len], ['CUSTOM.LEN']],
    ['CLEAR', [custom.clear], ['CUSTOM.CLEAR']],
    ['MEMORY', [custom.memory, 'key'], ['CUSTOM.MEMORY', 'key']],
    ['CHECK', [custom.check], ['CUSTOM.CHECK']],
    ['SET', [custom.set, 'key', 'value'], ['CUSTOM.SET', 'key', 'value']],
    ['SET of bytes', [custom.set, BINARY, BINARY], ['CUSTOM.SET', BINARY, BINARY]],
    ['SET of nothing', [custom.set, '', ''], ['CUSTOM.SET', '', '']],
    ['SET of a number', [custom.set, 'key', 1.5], ['CUSTOM.SET', 'key', '1.5']],
    ['SET NX GET', [custom.set, 'key', 'v', { condition: 'NX', GET: true }], ['CUSTOM.SET', 'key', 'v', 'NX', 'GET']],
    ['SET XX', [custom.set, 'key', 'v', { condition: 'XX', GET: false }], ['CUSTOM.SET', 'key', 'v', 'XX']],
    ['SET EX', [custom.set, 'key', 'v', { expiration: { type: 'EX', value: 60 } }], ['CUSTOM.SET', 'key', 'v', 'EX', '60']],
    ['SET PX', [custom.set, 'key', 'v', { expiration: { type: 'PX', value: 1 } }], ['CUSTOM.SET', 'key', 'v', 'PX', '1']],
    [
      'SET EXAT',
      [custom.set, 'key', 'v', { expiration: { type: 'EXAT', value: new Date(1_700_000_000_999) } }],
      ['CUSTOM.SET', 'key', 'v', 'EXAT', '1700000000'],
    ],
    [
      'SET PXAT',
      [custom.set, 'key', 'v', { expiration: { type: 'PXAT', value: new Date(1_700_000_000_999) } }],
      ['CUSTOM.SET', 'key', 'v', 'PXAT', '1700000000999'],
    ],
    ['SET KEEPTTL', [custom.set, 'key', 'v', { expiration: 'KEEPTTL' }], ['CUSTOM.SET', 'key', 'v', 'KEEPTTL']],
    ['SET KEEPTTL by type', [custom.set, 'key', 'v', { expiration: { type: 'KEEPTTL' } }], ['CUSTOM.SET', 'key', 'v', 'KEEPTTL']],
  ] as [string, [Parameters<typeof wire>[0], ...unknown[]], unknown[]][])('%s', (_title, [command, ...given], expected) => {
    expect(wire(command, ...given)).toEqual(expected);
  });

  it('a cluster routes by every key, and by nothing else', () => {
    expect(keys(custom.set, 'key', 'value')).toEqual(['key']);
    expect(keys(custom.mGet, ['a', 'b'])).toEqual(['a', 'b']);
    expect(keys(custom.mSet, { a: '1', b: '2' })).toEqual(['a', 'b']);
    expect(keys(custom.scan, '0', { MATCH: 'a*' })).toEqual([]);
    expect(keys(custom.keys, 'a*')).toEqual([]);
  });

  it('a prefix of the client applies to keys alone', () => {
    expect(prefixed(custom.mSet, { a: '1', b: '2' })).toEqual(['CUSTOM.MSET', 'app:a', '1', 'app:b', '2']);
    expect(prefixed(custom.append, 'a', 'b')).toEqual(['CUSTOM.APPEND', 'app:a', 'b']);
  });

  it('every command is there under both names, and says where it may be sent', () => {
    for (const [name, command] of Object.entries(custom)) {
      expect(typeof command.IS_READ_ONLY, name).toBe('boolean');
      expect(
        Object.values(custom).filter((each) => each === command),
        name,
      ).toHaveLength(2);
    }
    expect(Object.keys(custom)).toHaveLength(2 * 21);
  });
});

describe('bad arguments of CUSTOM.*', () => {
  it.each([
    [[custom.get, undefined], 'key: a string or a Buffer, not undefined'],
    [[custom.get, 5], 'key: a string or a Buffer, not a number'],
    [[custom.get, ['a']], 'key: a string or a Buffer, not an array'],
    [[custom.set, 'key', null], 'value: a string, a Buffer or a finite number, not null'],
    [[custom.set, 'key', { a: 1 }], 'value: a string, a Buffer or a finite number, not an object'],
    [[custom.set, 'key', Number.NaN], 'value: a string, a Buffer or a finite number, not NaN'],
    [[custom.del, []], 'keys: at least one is needed, not an empty list'],
    [[custom.mGet, ['a', 1]], 'keys[1]: a string or a Buffer, not a number'],
    [[custom.mSet, {}], 'entries: at least one field and its value are needed'],
    [[custom.mSet, 'a'], 'entries: an object, a Map or pairs of fields and values, not a string'],
    [[custom.mSet, { a: undefined }], 'entries.a: a string, a Buffer or a finite number, not undefined'],
    [[custom.mSet, [['a', '1'], ['b']]], 'entries[1]: a pair: [field, value]'],
    [[custom.incrBy, 'key', 1.5], 'increment: a whole number, not 1.5'],
    [[custom.incrBy, 'key', '1'], 'increment: a whole number, not "1"'],
    [[custom.incrBy, 'key', 2n ** 63n], 'increment: a whole number, not 9223372036854775808'],
    [[custom.expire, 'key', Infinity], 'seconds: a whole number, not Infinity'],
    [[custom.scan, 'x'], "cursor: '0', or the cursor of the reply before"],
    [[custom.scan, '0', { COUNT: 0 }], 'options.COUNT: a whole number of at least 1, not 0'],
    [[custom.scan, '0', { count: 5 }], 'options.count: unknown; there are MATCH, COUNT'],
    [[custom.set, 'key', 'v', null], 'options: an object of options, not null'],
    [[custom.set, 'key', 'v', { NX: true }], 'options.NX: unknown; there are condition, expiration, GET'],
    [[custom.set, 'key', 'v', { condition: 'nx' }], `options.condition: 'NX' or 'XX', not "nx"`],
    [[custom.set, 'key', 'v', { GET: 'yes' }], 'options.GET: true or false, not "yes"'],
    [[custom.set, 'key', 'v', { expiration: 60 }], "options.expiration: { type, value } or 'KEEPTTL'"],
    [
      [custom.set, 'key', 'v', { expiration: { type: 'EXX', value: 1 } }],
      `options.expiration.type: 'EX' or 'PX' or 'EXAT' or 'PXAT' or 'KEEPTTL', not "EXX"`,
    ],
    [[custom.set, 'key', 'v', { expiration: { type: 'EX', value: 0 } }], 'options.expiration.value: a whole number of at least 1, not 0'],
    [
      [custom.set, 'key', 'v', { expiration: { type: 'PXAT', value: new Date(Number.NaN) } }],
      'options.expiration.value: a valid Date, or whole Unix milliseconds, not NaN',
    ],
  ] as [[Parameters<typeof wire>[0], ...unknown[]], string][])('$1', ([command, ...given], message) => {
    let thrown: unknown;
    try {
      wire(command, ...given);
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toBeInstanceOf(ArgumentError);
    expect(thrown).toBeInstanceOf(TypeError);
    expect((thrown as ArgumentError).message).toBe(message);
    expect((thrown as ArgumentError).argument).toBe(message.slice(0, message.indexOf(': ')));
  });
});
