/**
 * SESSION.CREATE's options, and what works on all sessions of a user, on the shipped session.wasm and a fake
 * server.
 */
import { beforeEach, describe, expect, test } from 'vitest';
import { bulk, FakeServer, NULL } from '../support/fake-redis.ts';
import { CLUSTER, created, data, info, mapped, rotated, UNKNOWN_ID, userIds, UUID_V4 } from '../support/sessions.ts';

const GIVEN = 'an-id-of-the-caller';
const NOT_AN_ID = '-ERR an id has 16 to 128 visible ASCII characters\r\n';
const SYNTAX = '-ERR syntax error\r\n';
const NOT_INTEGER = '-ERR value is not an integer or out of range\r\n';
const NOT_POSITIVE = '-ERR value is out of range, must be positive\r\n';
const EXPIRY = "-ERR invalid expire time in 'session.create' command\r\n";

describe.each(['direct', 'command'] as const)('linked %s', (link) => {
  let server: FakeServer;
  beforeEach(() => {
    server = new FakeServer({ link });
  });

  describe('CREATE with NEW', () => {
    test('makes a further session, which the storage maps the user to', () => {
      const first = created(server, 'u');
      const second = created(server, 'u', 'NEW');
      const third = created(server, 'u', 'new');
      expect(new Set([first, second, third]).size).toBe(3);
      for (const id of [first, second, third]) expect(id).toMatch(UUID_V4);
      expect(mapped(server, 'u')).toBe(third);
      expect(userIds(server, 'u')).toEqual([third, second, first]);
      expect(server.text('SESSION.CREATE', 'u')).toBe(`+Session exists: ${third}\r\n`);
      server.check();
    });

    test.each(['', 'no id', UNKNOWN_ID])('replaces a mapping to %j', (mapping) => {
      server.call('CUSTOM.SET', 'u', mapping);
      const id = created(server, 'u', 'NEW');
      expect(id).not.toBe(mapping);
      expect(mapped(server, 'u')).toBe(id);
    });

    test('when the mapped session ends, the mapping moves to the newest that remains', () => {
      const [a, b, c] = [created(server, 'u'), created(server, 'u', 'NEW'), created(server, 'u', 'NEW')];
      expect(server.text('SESSION.DELETE', b)).toBe(':1\r\n');
      expect(mapped(server, 'u')).toBe(c);
      expect(server.text('SESSION.DELETE', c)).toBe(':1\r\n');
      expect(mapped(server, 'u')).toBe(a);
      expect(server.text('SESSION.CREATE', 'u')).toBe(`+Session exists: ${a}\r\n`);
      expect(server.text('SESSION.DELETE', a)).toBe(':1\r\n');
      expect(mapped(server, 'u')).toBe(null);
    });
  });

  describe('a mapping to an old id, which a client has put there,', () => {
    test('moves when its session ends', () => {
      const old = created(server, 'u');
      const id = rotated(server, old, '60000');
      server.call('CUSTOM.SET', 'u', old);
      expect(server.text('SESSION.CREATE', 'u')).toBe(`+Session exists: ${id}\r\n`);
      expect(server.text('SESSION.DELETE', old)).toBe(':1\r\n');
      expect(mapped(server, 'u')).toBe(null);
      expect(server.text('SESSION.CREATE', 'u')).toMatch(/^\+Session created: /);
    });

    test('follows a rotation', () => {
      const old = created(server, 'u');
      const second = rotated(server, old, '60000');
      server.call('CUSTOM.SET', 'u', old);
      const third = rotated(server, second);
      expect(mapped(server, 'u')).toBe(third);
    });
  });

  test('without NEW, options are not applied to a session that exists', () => {
    const id = created(server, 'u', 'DATA', 'f', '1');
    const again = ['IDLE', '1', 'TTL', '1', 'MAX', '1', 'REJECT', 'ID', GIVEN, 'DATA', 'f', '2', 'g', '3'];
    expect(server.text('SESSION.CREATE', 'u', ...again)).toBe(`+Session exists: ${id}\r\n`);
    expect(data(server, id)).toEqual([['f', '1']]);
    expect(info(server, id)).toMatchObject({ idle: -1, ttl: -1, version: 0 });
    expect(server.text('SESSION.GET', GIVEN)).toBe(NULL);
  });

  test('options apply to a session that is recreated', () => {
    server.call('CUSTOM.SET', 'u', UNKNOWN_ID);
    const reply = server.text('SESSION.CREATE', 'u', 'IDLE', '5', 'TTL', '60', 'DATA', 'f', 'v');
    expect(reply).toBe(`+Session recreated: ${UNKNOWN_ID}\r\n`);
    expect(info(server, UNKNOWN_ID)).toMatchObject({ idle: 5000, ttl: 60_000, fields: 1 });
  });

  describe('CREATE with DATA', () => {
    test('stores the pairs in their order, a repeated field with its last value', () => {
      const id = created(server, 'u', 'DATA', 'b', '1', 'a', '2', '', '', 'b', '3', 'DATA', 'NEW');
      expect(data(server, id)).toEqual([
        ['b', '3'],
        ['a', '2'],
        ['', ''],
        ['DATA', 'NEW'],
      ]);
      expect(info(server, id)).toMatchObject({ version: 0, fields: 4 });
      server.check();
    });

    test('stores thousands of pairs, of all sizes', () => {
      const pairs = Array.from({ length: 3000 }, (_, index) => [`field ${index}`, 'v'.repeat(index % 300)] as [string, string]);
      pairs.push(['large', 'x'.repeat(300_000)]);
      const id = created(server, 'u', 'DATA', ...pairs.flat());
      expect(data(server, id)).toEqual(pairs);
      server.check();
    });
  });

  describe('CREATE with ID', () => {
    test.each([
      ['of 16 characters', 'x'.repeat(16)],
      ['of 128 characters', '~'.repeat(128)],
      ['of 36 characters that are no UUID', 'g'.repeat(36)],
      ['that is a UUID in upper case', 'ABCDEF01-89AB-4CDE-8F01-23456789ABCD'],
      ['that is a UUID of another version', '01234567-89ab-1cde-8f01-23456789abcd'],
      ['that is a UUID', UNKNOWN_ID],
      ['of every visible character', Array.from({ length: 94 }, (_, index) => String.fromCharCode(0x21 + index)).join('')],
    ])('takes an id %s, which works everywhere', (_, id) => {
      expect(server.text('SESSION.CREATE', 'u', 'ID', id)).toBe(`+Session created: ${id}\r\n`);
      expect(mapped(server, 'u')).toBe(id);
      expect(server.text('SESSION.CREATE', 'u')).toBe(`+Session exists: ${id}\r\n`);
      expect(server.text('SESSION.ADD_DATA', id, 'f', 'v')).toBe('+OK\r\n');
      expect(server.text('SESSION.GET_DATA', id, 'f')).toBe(bulk('v'));
      const json = JSON.parse(server.text('SESSION.GET', id).split('\r\n')[1]!) as { id: string };
      expect(json.id).toBe(id);
      expect(info(server, id)).toMatchObject({ id, user_key: 'u', fields: 1 });
      expect(userIds(server, 'u')).toEqual([id]);
      expect(server.text('SESSION.LIST')).toContain(`ID: ${id}, Key: u, Created: `);
      server.check();
      expect(server.text('SESSION.DELETE', id)).toBe(':1\r\n');
      expect(mapped(server, 'u')).toBe(null);
      server.check();
    });

    test.each([
      '',
      'x'.repeat(15),
      'x'.repeat(129),
      `${'x'.repeat(16)} `,
      `${'x'.repeat(16)}\0`,
      `${'x'.repeat(16)}\x7f`,
      `${'x'.repeat(16)}\r\n`,
    ])('refuses %j', (id) => {
      expect(server.text('SESSION.CREATE', 'u', 'ID', id)).toBe(NOT_AN_ID);
      expect(server.text('CUSTOM.GET', 'u')).toBe(NULL);
    });

    test('refuses bytes above ASCII', () => {
      expect(server.text('SESSION.CREATE', 'u', 'ID', Buffer.alloc(20, 0xe9))).toBe(NOT_AN_ID);
    });

    test.each([GIVEN, UNKNOWN_ID])('refuses %s when it is known, to anybody', (id) => {
      created(server, 'u', 'ID', id);
      for (const user of ['u', 'v']) expect(server.text('SESSION.CREATE', user, 'NEW', 'ID', id)).toBe('-IDEXISTS the id is known\r\n');
      expect(server.text('SESSION.CREATE', 'v', 'ID', id)).toBe('-IDEXISTS the id is known\r\n');
      expect(mapped(server, 'v')).toBe(null);
      server.call('SESSION.DELETE', id);
      expect(created(server, 'v', 'ID', id)).toBe(id);
    });

    test('an id of the caller in a mapping is no id to recreate', () => {
      server.call('CUSTOM.SET', 'u', GIVEN);
      expect(created(server, 'u')).toMatch(UUID_V4);
    });
  });

  describe('CREATE with MAX', () => {
    const fill = (count: number): string[] => Array.from({ length: count }, () => created(server, 'u', 'NEW')).reverse();

    test('evicts the oldest', () => {
      const before = fill(3);
      const id = created(server, 'u', 'NEW', 'MAX', '3');
      expect(userIds(server, 'u')).toEqual([id, before[0], before[1]]);
      expect(server.text('SESSION.GET', before[2]!)).toBe(NULL);
      const last = created(server, 'u', 'NEW', 'MAX', '1', 'EVICT');
      expect(userIds(server, 'u')).toEqual([last]);
      expect(mapped(server, 'u')).toBe(last);
      server.check();
    });

    test('evicts many at once', () => {
      fill(300);
      const id = created(server, 'u', 'NEW', 'MAX', '2');
      expect((userIds(server, 'u') as string[])[0]).toBe(id);
      expect(server.text('SESSION.COUNT', 'u')).toBe(':2\r\n');
      server.check();
    });

    test('REJECT refuses, and changes nothing', () => {
      const before = fill(2);
      const [effects, events] = [server.propagated.length, server.events.length];
      expect(server.text('SESSION.CREATE', 'u', 'NEW', 'MAX', '2', 'REJECT')).toBe('-MAXSESSIONS u has 2 sessions\r\n');
      expect(server.text('SESSION.CREATE', 'u', 'NEW', 'MAX', '1', 'REJECT')).toBe('-MAXSESSIONS u has 2 sessions\r\n');
      expect(userIds(server, 'u')).toEqual(before);
      expect(mapped(server, 'u')).toBe(before[0]);
      expect([server.propagated.length, server.events.length]).toEqual([effects, events]);
      created(server, 'u', 'NEW', 'MAX', '3', 'REJECT');
      expect(server.text('SESSION.COUNT', 'u')).toBe(':3\r\n');
    });

    test('an error echoes the user as ids are', () => {
      const user = `a\r\n\0${'b'.repeat(200)}`;
      created(server, user, 'NEW');
      const reply = server.text('SESSION.CREATE', user, 'NEW', 'MAX', '1', 'REJECT');
      expect(reply).toBe(`-MAXSESSIONS a   ${'b'.repeat(124)} has 1 sessions\r\n`);
    });

    test('counts live sessions only', () => {
      created(server, 'u', 'NEW', 'TTL', '1');
      created(server, 'u', 'NEW', 'IDLE', '1');
      server.clock += 1000;
      const id = created(server, 'u', 'NEW', 'MAX', '1', 'REJECT');
      expect(userIds(server, 'u')).toEqual([id]);
      server.sweep();
      expect(userIds(server, 'u')).toEqual([id]);
      expect(mapped(server, 'u')).toBe(id);
      server.check();
    });

    test('wasm.session-max applies where MAX is not given, and to ASSIGN', () => {
      server.configure('session-max', 2);
      const [a, b, c] = [created(server, 'u', 'NEW'), created(server, 'u', 'NEW'), created(server, 'u', 'NEW')];
      expect(userIds(server, 'u')).toEqual([c, b]);
      expect(server.text('SESSION.GET', a)).toBe(NULL);
      const d = created(server, 'u', 'NEW', 'MAX', '3');
      expect(userIds(server, 'u')).toEqual([d, c, b]);
      const guest = created(server, 'guest');
      expect(server.text('SESSION.ASSIGN', guest, 'u')).toBe(':1\r\n');
      expect(userIds(server, 'u')).toEqual([guest, d]);
      expect(mapped(server, 'u')).toBe(guest);
      server.check();
    });
  });

  test.each<[string[], string]>([
    [['WHAT'], SYNTAX],
    [[''], SYNTAX],
    [['NEW', 'NEW'], SYNTAX],
    [['IDLE', '1', 'IDLE', '1'], SYNTAX],
    [['EVICT'], SYNTAX],
    [['NEW', 'REJECT'], SYNTAX],
    [['MAX', '1', 'EVICT', 'REJECT'], SYNTAX],
    [['MAX'], SYNTAX],
    [['IDLE'], SYNTAX],
    [['TTL'], SYNTAX],
    [['ID'], SYNTAX],
    [['DATA'], SYNTAX],
    [['DATA', 'f'], SYNTAX],
    [['DATA', 'f', 'v', 'NEW'], SYNTAX],
    [['MAX', 'x'], NOT_INTEGER],
    [['MAX', '9223372036854775808'], NOT_INTEGER],
    [['IDLE', '1.5'], NOT_INTEGER],
    [['TTL', ''], NOT_INTEGER],
    [['MAX', '0'], NOT_POSITIVE],
    [['MAX', '-1'], NOT_POSITIVE],
    [['IDLE', '0'], EXPIRY],
    [['IDLE', '-1'], EXPIRY],
    [['TTL', '0'], EXPIRY],
    [['TTL', '-5'], EXPIRY],
    [['IDLE', '9223372036854775807'], EXPIRY],
    [['TTL', '9223372036854775807'], EXPIRY],
  ])('CREATE with %j is refused and changes nothing', (options, error) => {
    expect(server.text('SESSION.CREATE', 'u', ...options)).toBe(error);
    expect(server.text('SESSION.LIST')).toBe('*0\r\n');
    expect(server.text('CUSTOM.KEYS')).toBe('*0\r\n');
    expect(server.propagated).toEqual([]);
    server.check();
  });

  describe('SESSION.ASSIGN', () => {
    test('gives the session to another user; index and mappings follow', () => {
      const [older, guest] = [created(server, 'guest'), created(server, 'guest', 'NEW', 'DATA', 'cart', '7')];
      const own = created(server, 'alice');
      server.clock += 1000;
      expect(server.text('SESSION.ASSIGN', guest, 'alice')).toBe(':1\r\n');
      expect(userIds(server, 'alice')).toEqual([guest, own]);
      expect(userIds(server, 'guest')).toEqual([older]);
      expect(mapped(server, 'alice')).toBe(guest);
      expect(mapped(server, 'guest')).toBe(older);
      expect(info(server, guest)).toMatchObject({ user_key: 'alice', created_at: '2026-01-02T03:04:05.678Z', fields: 1 });
      expect(server.text('SESSION.CREATE', 'alice')).toBe(`+Session exists: ${guest}\r\n`);
      server.check();
    });

    test('deletes the mapping of a user who has no session left, and leaves one that names something else', () => {
      const id = created(server, 'guest');
      server.call('SESSION.ASSIGN', id, 'alice');
      expect(mapped(server, 'guest')).toBe(null);
      server.call('CUSTOM.SET', 'alice', 'something else');
      server.call('SESSION.ASSIGN', id, 'bob');
      expect(mapped(server, 'alice')).toBe('something else');
      expect(mapped(server, 'bob')).toBe(id);
      server.check();
    });

    test('works with a longer user, and with a shorter one', () => {
      const id = created(server, 'u', 'DATA', 'f', 'v');
      for (const user of ['x'.repeat(5000), '', '\0', 'y'.repeat(100)]) {
        expect(server.text('SESSION.ASSIGN', id, user)).toBe(':1\r\n');
        expect(info(server, id)?.user_key).toBe(user);
        expect(mapped(server, user)).toBe(id);
        expect(data(server, id)).toEqual([['f', 'v']]);
        server.check();
      }
      expect(server.text('CUSTOM.KEYS')).toBe(`*1\r\n${bulk('y'.repeat(100))}`);
    });

    test('of an unknown id is 0 and does nothing', () => {
      expect(server.text('SESSION.ASSIGN', UNKNOWN_ID, 'u')).toBe(':0\r\n');
      expect(server.text('CUSTOM.KEYS')).toBe('*0\r\n');
      expect(server.propagated).toEqual([]);
    });
  });

  describe('SESSION.ROTATE', () => {
    test('gives the session a new id; the old one is unknown at once', () => {
      const id = created(server, 'u', 'IDLE', '60', 'DATA', 'f', 'v');
      server.call('SESSION.ADD_DATA', id, 'g', 'w');
      server.clock += 5000;
      const before = info(server, id);
      const next = /^\$36\r\n(.*)\r\n$/.exec(server.text('SESSION.ROTATE', id))?.[1] ?? '';
      expect(next).toMatch(UUID_V4);
      expect(next).not.toBe(id);
      expect(info(server, next)).toEqual({ ...before, id: next, bytes: info(server, next)?.bytes });
      expect(mapped(server, 'u')).toBe(next);
      expect(userIds(server, 'u')).toEqual([next]);
      expect(server.text('SESSION.GET', id)).toBe(NULL);
      expect(server.text('SESSION.ROTATE', id)).toBe(`-Session not found: ${id}\r\n`);
      expect(server.text('SESSION.DELETE', id)).toBe(':0\r\n');
      expect(data(server, next)).toEqual([
        ['f', 'v'],
        ['g', 'w'],
      ]);
      server.check();
    });

    test('keeps the place among the sessions of the user, and a mapping that names another', () => {
      const [a, b, c] = [created(server, 'u'), created(server, 'u', 'NEW'), created(server, 'u', 'NEW')];
      const next = rotated(server, b);
      expect(userIds(server, 'u')).toEqual([c, next, a]);
      expect(mapped(server, 'u')).toBe(c);
    });

    test("gives a UUID for a caller's id", () => {
      const id = created(server, 'u', 'ID', GIVEN);
      const next = rotated(server, id);
      expect(next).toMatch(UUID_V4);
      expect(userIds(server, 'u')).toEqual([next]);
      expect(created(server, 'v', 'ID', GIVEN)).toBe(GIVEN);
      server.check();
    });

    test.each([GIVEN, UNKNOWN_ID])('with GRACE the old id %s works until that moment', (id) => {
      created(server, 'u', 'ID', id, 'DATA', 'f', 'v');
      const next = rotated(server, id, '1000');
      server.clock += 999;
      expect(server.text('SESSION.ROTATE', id)).toBe(bulk(next));
      expect(server.text('SESSION.ROTATE', id, 'GRACE', '99999')).toBe(bulk(next));
      expect(server.text('SESSION.GET', id)).toBe(server.text('SESSION.GET', next));
      expect(server.text('SESSION.GET', id)).toContain(`"id":"${next}"`);
      expect(info(server, id)).toEqual(info(server, next));
      expect(server.text('SESSION.ADD_DATA', id, 'f', 'w')).toBe('+OK\r\n');
      expect(server.text('SESSION.GET_DATA', next, 'f')).toBe(bulk('w'));
      expect(server.text('SESSION.INCR_DATA', id, 'n', '2')).toBe(':2\r\n');
      expect(server.text('SESSION.CAS', id, '2', 'f', 'x')).toBe(':3\r\n');
      expect(server.text('SESSION.DEL_DATA', id, 'n')).toBe(':1\r\n');
      expect(server.text('SESSION.TOUCH', id)).toBe(':1\r\n');
      expect(server.text('SESSION.TTL', id)).toBe(':-1\r\n');
      expect(server.text('SESSION.EXPIRE', id, '60')).toBe(':1\r\n');
      expect(server.text('SESSION.TTL', next)).toBe(':60000\r\n');
      expect(data(server, id)).toEqual([['f', 'x']]);
      expect(server.text('SESSION.CREATE', 'v', 'ID', id)).toBe('-IDEXISTS the id is known\r\n');
      // In no list or count.
      expect(userIds(server, 'u')).toEqual([next]);
      expect(server.text('SESSION.COUNT')).toBe(':1\r\n');
      expect(server.text('SESSION.LIST')).not.toContain(id);
      expect(server.text('SESSION.SCAN', '0')).not.toContain(id);
      server.check();
      server.clock += 1;
      expect(server.text('SESSION.GET', id)).toBe(NULL);
      expect(server.text('SESSION.ADD_DATA', id, 'f', 'w')).toBe(`-Session not found: ${id}\r\n`);
      expect(server.text('SESSION.ROTATE', id)).toBe(`-Session not found: ${id}\r\n`);
      expect(server.text('SESSION.GET', next)).toContain(next);
      server.sweep();
      expect(server.text('SESSION.GET', id)).toBe(NULL);
      expect(created(server, 'v', 'ID', id)).toBe(id);
      server.check();
    });

    test('DELETE by an old id ends the session, and with it all of its old ids', () => {
      const id = created(server, 'u');
      const second = rotated(server, id, '10000');
      const third = rotated(server, second, '10000');
      for (const old of [id, second]) expect(server.text('SESSION.ROTATE', old)).toBe(bulk(third));
      expect(server.text('SESSION.DELETE', id)).toBe(':1\r\n');
      for (const gone of [id, second, third]) expect(server.text('SESSION.GET', gone)).toBe(NULL);
      expect(server.text('SESSION.DELETE', second)).toBe(':0\r\n');
      expect(mapped(server, 'u')).toBe(null);
      server.check();
      expect(created(server, 'u', 'ID', id)).toBe(id);
      expect(server.text('SESSION.GET', third)).toBe(NULL);
      server.check();
    });

    test('without GRACE makes every earlier id unknown, and with it lets none outlive a younger one', () => {
      const id = created(server, 'u', 'DATA', 'f', 'v');
      const second = rotated(server, id, '60000');
      const third = rotated(server, second, '90000');
      const fourth = rotated(server, third, '1000');
      for (const old of [id, second, third]) expect(server.text('SESSION.GET_DATA', old, 'f')).toBe(bulk('v'));
      server.check();
      server.clock += 1000;
      for (const old of [id, second, third]) expect(server.text('SESSION.GET_DATA', old, 'f')).toBe(`-Session not found: ${old}\r\n`);
      const fifth = rotated(server, fourth, '60000');
      const sixth = rotated(server, fifth, '90000');
      server.check();
      // By an id in grace nothing is rotated, and nothing ends.
      expect(rotated(server, fifth)).toBe(sixth);
      expect(server.text('SESSION.GET_DATA', fourth, 'f')).toBe(bulk('v'));
      const last = rotated(server, sixth);
      for (const old of [fourth, fifth, sixth]) {
        expect(server.text('SESSION.GET_DATA', old, 'f')).toBe(`-Session not found: ${old}\r\n`);
        expect(server.text('SESSION.DELETE', old)).toBe(':0\r\n');
      }
      expect(server.text('SESSION.GET_DATA', last, 'f')).toBe(bulk('v'));
      // Unknown, so free for others at once.
      expect(created(server, 'w', 'ID', sixth)).toBe(sixth);
      server.check();
    });

    test('ASSIGN and DELUSER EXCEPT take an old id', () => {
      const id = created(server, 'u');
      const next = rotated(server, id, '10000');
      expect(server.text('SESSION.ASSIGN', id, 'v')).toBe(':1\r\n');
      expect(userIds(server, 'v')).toEqual([next]);
      expect(mapped(server, 'v')).toBe(next);
      const other = created(server, 'v', 'NEW');
      expect(server.text('SESSION.DELUSER', 'v', 'EXCEPT', id)).toBe(':1\r\n');
      expect(server.text('SESSION.GET', other)).toBe(NULL);
      expect(userIds(server, 'v')).toEqual([next]);
      expect(mapped(server, 'v')).toBe(next);
      server.check();
    });

    test.each<[string[], string]>([
      [['GRACE'], SYNTAX],
      [['WHAT'], SYNTAX],
      [['WHAT', '1'], SYNTAX],
      [['GRACE', 'x'], NOT_INTEGER],
      [['GRACE', '-1'], NOT_POSITIVE],
    ])('with %j is refused and changes nothing', (options, error) => {
      const id = created(server, 'u');
      expect(server.text('SESSION.ROTATE', id, ...options)).toBe(error);
      expect(userIds(server, 'u')).toEqual([id]);
    });

    test('with a GRACE of over a week is refused', () => {
      const id = created(server, 'u');
      expect(server.text('SESSION.ROTATE', id, 'GRACE', '604800001')).toBe('-ERR GRACE is a week at most, 604800000 milliseconds\r\n');
      expect(userIds(server, 'u')).toEqual([id]);
      expect(server.text('SESSION.ROTATE', id, 'GRACE', '604800000')).toMatch(/^\$36/);
    });

    test('keeps 16 old ids at most: of more, the one whose time is over first is forgotten, here and by an effect', () => {
      const ids = [created(server, 'u')];
      const rotate = () => ids.push(rotated(server, ids.at(-1), '60000'));
      for (let count = 0; count < 16; count++) {
        rotate();
        server.clock += 1;
      }
      for (const id of ids) expect(server.text('SESSION.TTL', id), id).toBe(':-1\r\n');
      server.propagated.length = 0;
      rotate();
      expect(server.propagated.map((effect) => effect.slice(2, 4).map(String))).toEqual([
        ['rotate', ids.at(-2)],
        ['forget', ids[0]],
      ]);
      expect(server.text('SESSION.GET', ids[0]!)).toBe(NULL);
      for (const id of ids.slice(1)) expect(server.text('SESSION.TTL', id), id).toBe(':-1\r\n');
      server.check();
    });

    test('GRACE 0 is none', () => {
      const id = created(server, 'u');
      server.call('SESSION.ROTATE', id, 'GRACE', '0');
      expect(server.text('SESSION.GET', id)).toBe(NULL);
    });
  });

  describe('SESSION.USER, COUNT and DELUSER', () => {
    test('an unknown user has none', () => {
      created(server, 'other');
      expect(server.text('SESSION.USER', 'u')).toBe('*0\r\n');
      expect(server.text('SESSION.COUNT', 'u')).toBe(':0\r\n');
      expect(server.text('SESSION.DELUSER', 'u')).toBe(':0\r\n');
      expect(server.text('SESSION.COUNT')).toBe(':1\r\n');
    });

    test('users of thousands of sessions, and thousands of users', () => {
      const ids = Array.from({ length: 3000 }, () => created(server, 'u', 'NEW'));
      for (let index = 0; index < 3000; index++) created(server, `user ${index}`);
      expect(userIds(server, 'u')).toEqual([...ids].reverse());
      for (const id of ids.filter((_, index) => index % 3 === 0)) server.call('SESSION.DELETE', id);
      expect(userIds(server, 'u')).toEqual(ids.filter((_, index) => index % 3 !== 0).reverse());
      expect(server.text('SESSION.COUNT', 'u')).toBe(':2000\r\n');
      expect(server.text('SESSION.COUNT')).toBe(':5000\r\n');
      server.check();
      expect(server.text('SESSION.DELUSER', 'u')).toBe(':2000\r\n');
      expect(server.text('SESSION.COUNT')).toBe(':3000\r\n');
      expect(mapped(server, 'u')).toBe(null);
      server.check();
    });

    test('DELUSER ends all, all others, or those before a moment', () => {
      const made = () =>
        Array.from({ length: 4 }, () => {
          server.clock += 10;
          return created(server, 'u', 'NEW');
        });
      made();
      expect(server.text('SESSION.DELUSER', 'u')).toBe(':4\r\n');
      expect(mapped(server, 'u')).toBe(null);
      const [, b, , d] = made();
      expect(server.text('SESSION.DELUSER', 'u', 'except', b!)).toBe(':3\r\n');
      expect(userIds(server, 'u')).toEqual([b]);
      expect(mapped(server, 'u')).toBe(b);
      expect(server.text('SESSION.GET', d!)).toBe(NULL);
      server.call('SESSION.DELETE', b!);
      const start = server.clock;
      const [, f, g, h] = made();
      // The second was created at start + 20: not before that moment.
      expect(server.text('SESSION.DELUSER', 'u', 'BEFORE', String(start + 20))).toBe(':1\r\n');
      expect(userIds(server, 'u')).toEqual([h, g, f]);
      expect(server.text('SESSION.DELUSER', 'u', 'BEFORE', String(start + 40), 'EXCEPT', f!)).toBe(':1\r\n');
      expect(userIds(server, 'u')).toEqual([h, f]);
      expect(mapped(server, 'u')).toBe(h);
      server.check();
    });

    test('EXCEPT of an unknown id, or of another user, ends all', () => {
      const other = created(server, 'other');
      for (const except of [UNKNOWN_ID, 'x', '', other]) {
        created(server, 'u', 'NEW');
        created(server, 'u', 'NEW');
        expect(server.text('SESSION.DELUSER', 'u', 'EXCEPT', except)).toBe(':2\r\n');
      }
      expect(userIds(server, 'other')).toEqual([other]);
    });

    test('EXCEPT of an id in another slot is refused in a cluster, and ends nothing', () => {
      server.flags = CLUSTER;
      const kept = created(server, 'u');
      created(server, 'u', 'NEW');
      const other = created(server, 'other');
      for (const except of [other, 'x']) {
        expect(server.text('SESSION.DELUSER', 'u', 'EXCEPT', except)).toBe('-CROSSSLOT the id is in another slot than its user\r\n');
      }
      expect(server.text('SESSION.COUNT', 'u')).toBe(':2\r\n');
      expect(server.text('SESSION.DELUSER', 'u', 'EXCEPT', '{u}-unknown')).toBe(':2\r\n');
      const last = created(server, 'u');
      expect(last).not.toBe(kept);
      expect(server.text('SESSION.DELUSER', 'u', 'EXCEPT', last)).toBe(':0\r\n');
    });

    test('DELUSER leaves a mapping that names something else', () => {
      created(server, 'u');
      server.call('CUSTOM.SET', 'u', 'something else');
      expect(server.text('SESSION.DELUSER', 'u')).toBe(':1\r\n');
      expect(mapped(server, 'u')).toBe('something else');
    });

    test.each<[string[], string]>([
      [['EXCEPT'], SYNTAX],
      [['BEFORE'], SYNTAX],
      [['WHAT', '1'], SYNTAX],
      [['BEFORE', '1', 'BEFORE', '1'], SYNTAX],
      [['EXCEPT', UNKNOWN_ID, 'EXCEPT', UNKNOWN_ID], SYNTAX],
      [['BEFORE', 'x'], NOT_INTEGER],
    ])('DELUSER with %j is refused and ends nothing', (options, error) => {
      created(server, 'u');
      expect(server.text('SESSION.DELUSER', 'u', ...options)).toBe(error);
      expect(server.text('SESSION.COUNT', 'u')).toBe(':1\r\n');
    });
  });
});
