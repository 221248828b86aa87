/**
 * SESSION.*: the shipped session.wasm on a fake server, its imports linked to hashmap.wasm directly and by
 * command.
 */
import { createCipheriv } from 'node:crypto';
import fc from 'fast-check';
import { beforeEach, describe, expect, test } from 'vitest';
import { bulk, bytes, type Bytes, elements, FakeServer, NULL } from '../support/fake-redis.ts';

const V4 = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const UNKNOWN = '01234567-89ab-4cde-8f01-23456789abcd';
const REPLICA = 1 << 3;

/** The id in the reply of SESSION.CREATE, which must be of this kind. */
function create(server: FakeServer, user: Bytes, kind = 'created'): string {
  const reply = server.text('SESSION.CREATE', user);
  const prefix = `+Session ${kind}: `;
  expect(reply.slice(0, prefix.length)).toBe(prefix);
  const id = reply.slice(prefix.length, -2);
  expect(id).toMatch(V4);
  return id;
}

/** The first bytes of the ChaCha20 stream of a key, with counter and nonce 0. */
function chacha20(key: Buffer, length: number): Buffer {
  return createCipheriv('chacha20', key, Buffer.alloc(16)).update(Buffer.alloc(length));
}

/** 16 bytes as the text of a UUID of version 4. */
function uuid(bytes: Buffer): string {
  const raw = Buffer.from(bytes);
  raw[6] = ((raw[6] ?? 0) & 0x0f) | 0x40;
  raw[8] = ((raw[8] ?? 0) & 0x3f) | 0x80;
  return raw.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
}

const json = (server: FakeServer, id: string): string => {
  const [content] = elements(Buffer.concat([Buffer.from('*1\r\n'), server.call('SESSION.GET', id)]));
  // Fatal: JSON text is valid UTF-8.
  return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(content);
};
const effects = (server: FakeServer): string[] => server.propagated.map((command) => command.map(String).join(' '));

describe.each(['direct', 'command'] as const)('linked %s', (link) => {
  let server: FakeServer;
  beforeEach(() => {
    server = new FakeServer({ link });
  });

  describe('SESSION.CREATE', () => {
    test('makes a session and maps the user to it', () => {
      const id = create(server, 'user123');
      expect(server.text('CUSTOM.GET', 'user123')).toBe(bulk(id));
      expect(server.storageCalls).toEqual(['get', 'set']);
    });

    test('gives the live session of the user again and touches it', () => {
      const id = create(server, 'u');
      server.clock += 5000;
      expect(create(server, 'u', 'exists')).toBe(id);
      expect(json(server, id)).toContain('"created_at":"2026-01-02T03:04:05.678Z","last_accessed":"2026-01-02T03:04:10.678Z"');
    });

    test('uses a well-formed id again whose session is gone', () => {
      server.call('CUSTOM.SET', 'u', UNKNOWN);
      expect(create(server, 'u', 'recreated')).toBe(UNKNOWN);
      expect(create(server, 'u', 'exists')).toBe(UNKNOWN);
      expect(server.storageCalls).toEqual(['get', 'set', 'get']);
    });

    test('and the deadline that its mapping had is gone', () => {
      server.call('CUSTOM.SET', 'u', UNKNOWN, 'EX', '100');
      expect(create(server, 'u', 'recreated')).toBe(UNKNOWN);
      expect(server.call('CUSTOM.PTTL', 'u').toString()).toBe(':-1\r\n');
      server.clock += 200_000;
      expect(create(server, 'u', 'exists')).toBe(UNKNOWN);
    });

    test("takes a mapping to another user's session as stale", () => {
      const alice = create(server, 'alice');
      server.call('CUSTOM.SET', 'bob', alice);
      const bob = create(server, 'bob');
      expect(bob).not.toBe(alice);
      expect(server.text('CUSTOM.GET', 'bob')).toBe(bulk(bob));
      expect(create(server, 'alice', 'exists')).toBe(alice);
    });

    test.each([
      '',
      'x',
      UNKNOWN.toUpperCase(),
      UNKNOWN.slice(1),
      `${UNKNOWN}0`,
      '01234567-89ab-5cde-8f01-23456789abcd',
      '01234567-89ab-4cde-7f01-23456789abcd',
      '01234567-89ab-4cde-cf01-23456789abcd',
      '01234567089ab-4cde-8f01-23456789abcd',
      '01234567-89ab-4cde-8f01-23456789abcg',
      '01234567-89ab-4cde-8f01-23456789abc\0',
      '0123456 -89ab-4cde-8f01-23456789abcd',
    ])('takes a mapping to %j, which is no id, as stale', (mapping) => {
      server.call('CUSTOM.SET', 'u', mapping);
      const id = create(server, 'u');
      expect(server.text('CUSTOM.GET', 'u')).toBe(bulk(id));
    });

    test('mints ids that differ', () => {
      const ids = new Set(Array.from({ length: 3000 }, (_, index) => create(server, `user:${index}`)));
      expect(ids.size).toBe(3000);
    });

    test("ids are the stream of ChaCha20 under keys from the server's source", () => {
      const random = server.random.bind(server);
      const keys: Buffer[] = [];
      server.random = (length) => {
        const drawn = random(length);
        if (length === 32) keys.push(Buffer.from(drawn));
        return drawn;
      };
      const ids = Array.from({ length: 300 }, (_, index) => create(server, `user:${index}`));
      // 256 ids come from one key.
      expect(keys.length).toBe(2);
      const stream = Buffer.concat(keys.map((key) => chacha20(key, 4096)));
      expect(ids).toEqual(ids.map((_, index) => uuid(stream.subarray(16 * index, 16 * index + 16))));
    });

    test('mints again when the id is taken', () => {
      const random = server.random.bind(server);
      // The first key comes twice: all 256 ids of the second draw are taken.
      const keys = [Buffer.alloc(32, 7), Buffer.alloc(32, 7)];
      server.random = (length) => (length === 32 ? keys.shift() : undefined) ?? random(length);
      const ids = Array.from({ length: 257 }, (_, index) => create(server, `user:${index}`));
      expect(new Set(ids).size).toBe(257);
      expect(create(server, 'user:0', 'exists')).toBe(ids[0]);
    });
  });

  describe('data', () => {
    test('ADD_DATA and GET_DATA', () => {
      const id = create(server, 'u');
      expect(server.text('SESSION.GET_DATA', id, 'email')).toBe(NULL);
      expect(server.text('SESSION.ADD_DATA', id, 'email', 'a@b.c')).toBe('+OK\r\n');
      expect(server.text('SESSION.GET_DATA', id, 'email')).toBe(bulk('a@b.c'));
      expect(server.text('SESSION.ADD_DATA', id, 'email', '')).toBe('+OK\r\n');
      expect(server.text('SESSION.GET_DATA', id, 'email')).toBe(bulk(''));
    });

    test('both touch the session', () => {
      const id = create(server, 'u');
      server.clock += 1000;
      server.call('SESSION.ADD_DATA', id, 'f', 'v');
      expect(json(server, id)).toContain('"last_accessed":"2026-01-02T03:04:06.678Z"');
      server.clock += 1;
      server.call('SESSION.GET_DATA', id, 'f');
      expect(json(server, id)).toContain('"last_accessed":"2026-01-02T03:04:06.679Z"');
      server.clock += 1;
      server.call('SESSION.GET_DATA', id, 'absent');
      expect(json(server, id)).toContain('"last_accessed":"2026-01-02T03:04:06.680Z"');
      server.clock += 1000;
      server.call('SESSION.GET', id);
      expect(json(server, id)).toContain('"last_accessed":"2026-01-02T03:04:06.680Z"');
    });

    test.each(['SESSION.ADD_DATA', 'SESSION.GET_DATA'])('%s of an unknown id is an error that echoes it', (name) => {
      const call = (id: Bytes): string => server.text(name, id, 'f', ...(name.endsWith('ADD_DATA') ? ['v'] : []));
      expect(call(UNKNOWN)).toBe(`-Session not found: ${UNKNOWN}\r\n`);
      expect(call('')).toBe('-Session not found: \r\n');
      expect(call('a\r\nb\0c')).toBe('-Session not found: a  b c\r\n');
      expect(call('x'.repeat(129))).toBe(`-Session not found: ${'x'.repeat(128)}\r\n`);
      expect(call(Buffer.from([0xff, 0xc3]))).toBe('-Session not found: \xff\xc3\r\n');
    });

    test('an ended session is not reborn by a late write', () => {
      const id = create(server, 'u');
      server.call('SESSION.DELETE', id);
      expect(server.text('SESSION.ADD_DATA', id, 'f', 'v')).toBe(`-Session not found: ${id}\r\n`);
      expect(server.text('SESSION.GET', id)).toBe(NULL);
    });

    test('any byte strings are names and values, up to 1 MiB', () => {
      const id = create(server, 'u');
      const strings = ['', '\0', 'a\r\nb', Buffer.from([0xff, 0x80]), Buffer.alloc(70000, 1), Buffer.alloc(1 << 20, 2)].map(bytes);
      for (const name of strings) {
        for (const value of strings) {
          expect(server.text('SESSION.ADD_DATA', id, name, value)).toBe('+OK\r\n');
          expect(server.text('SESSION.GET_DATA', id, name) === bulk(value)).toBe(true);
        }
      }
    });

    test('fields stay in the order of their first writing, few or thousands', () => {
      for (const count of [1, 63, 64, 65, 66, 3000]) {
        const id = create(server, `u${count}`);
        const expected: Record<string, string> = {};
        for (let index = 0; index < count; index++) {
          expected[`f${index}`] = `v${index}`;
          server.call('SESSION.ADD_DATA', id, `f${index}`, `v${index}`);
        }
        for (let index = 0; index < count; index += 7) {
          const value = 'longer'.repeat((index % 5) + 1);
          expected[`f${index}`] = value;
          server.call('SESSION.ADD_DATA', id, `f${index}`, value);
        }
        const { data } = JSON.parse(json(server, id)) as { data: object };
        expect(Object.entries(data)).toEqual(Object.entries(expected));
        expect(server.text('SESSION.GET_DATA', id, `f${count - 1}`)).toBe(bulk(expected[`f${count - 1}`] ?? ''));
        expect(server.text('SESSION.GET_DATA', id, 'absent')).toBe(NULL);
      }
    });

    test('writing and reading again and again keeps no memory', () => {
      const used = (): bigint => server.infoOf(server.session).get('session_heap_used') ?? 0n;
      for (const count of [3, 100]) {
        const id = create(server, `u${count}`);
        const round = (size: number): void => {
          for (let index = 0; index < count; index++) server.call('SESSION.ADD_DATA', id, `f${index}`, 'v'.repeat(size));
          server.call('SESSION.ADD_DATA', id, 'long', 'v'.repeat(size * 200));
          server.call('SESSION.GET', id);
        };
        round(100);
        const before = used();
        for (const size of [101, 150, 120, 100]) round(size);
        expect(used()).toBe(before);
      }
    });

    test('any sequence of writes does what a Map does', () => {
      const name = fc.oneof(fc.constantFrom('a', 'b', 'c', ''), fc.string({ maxLength: 20 }));
      const value = fc.oneof(fc.string({ maxLength: 30 }), fc.string({ minLength: 100, maxLength: 900 }));
      fc.assert(
        fc.property(fc.array(fc.tuple(name, value), { maxLength: 120 }), (writes) => {
          const model = new Map<string, string>();
          const id = create(server, 'u');
          for (const [field, content] of writes) {
            server.call('SESSION.ADD_DATA', id, field, content);
            model.set(field, content);
          }
          for (const [field, content] of model) {
            expect(server.call('SESSION.GET_DATA', id, field).toString()).toBe(`$${Buffer.byteLength(content)}\r\n${content}\r\n`);
          }
          const entries = [...model].map(([field, content]) => `${JSON.stringify(field)}:${JSON.stringify(content)}`);
          expect(json(server, id).endsWith(`"data":{${entries.join(',')}}}`)).toBe(true);
          server.call('SESSION.DELETE', id);
        }),
        { seed: 11, numRuns: 60 },
      );
      // Every block of every field is back.
      expect(server.infoOf(server.session).get('session_heap_used')).toBeLessThanOrEqual(65536n + 64n);
    });
  });

  describe('SESSION.GET', () => {
    test('is exact', () => {
      const id = create(server, 'user123');
      server.clock += 86_400_000;
      server.call('SESSION.ADD_DATA', id, 'email', 'a@b.c');
      server.call('SESSION.ADD_DATA', id, 'n', '1');
      expect(server.text('SESSION.GET', id)).toBe(
        bulk(
          `{"id":"${id}","user_key":"user123","created_at":"2026-01-02T03:04:05.678Z",` +
            '"last_accessed":"2026-01-03T03:04:05.678Z","data":{"email":"a@b.c","n":"1"}}',
        ),
      );
      expect(server.text('SESSION.GET', UNKNOWN)).toBe(NULL);
      expect(server.text('SESSION.GET', 'x')).toBe(NULL);
    });

    test('escapes as JSON.stringify and decodes as TextDecoder, any bytes', () => {
      const decode = (value: Uint8Array): string => new TextDecoder('utf-8', { ignoreBOM: true }).decode(value);
      const interesting = fc.constantFrom(
        0,
        9,
        10,
        31,
        34,
        92,
        127,
        0x80,
        0xbf,
        0xc1,
        0xc2,
        0xe0,
        0xed,
        0xf0,
        0xf4,
        0xf5,
        0xff,
        0x9f,
        0xa0,
        65,
      );
      const content = fc.oneof(
        fc.array(interesting, { maxLength: 40 }).map((codes) => Uint8Array.from(codes)),
        fc.string({ unit: 'binary', maxLength: 40 }).map((text) => new Uint8Array(Buffer.from(text))),
        fc.uint8Array({ maxLength: 60 }),
      );
      let users = 0;
      fc.assert(
        fc.property(content, content, content, (user, field, value) => {
          server.session.exports.flush();
          server.hashmap.exports.flush();
          users++;
          const id = create(server, user);
          server.call('SESSION.ADD_DATA', id, field, value);
          const text = JSON.stringify({ a: decode(user), b: decode(field), c: decode(value) });
          const [, a, b, c] = /^\{"a":(".*"),"b":(".*"),"c":(".*")\}$/s.exec(text) ?? [];
          const got = json(server, id);
          expect(got).toContain(`"user_key":${a},"created_at"`);
          expect(got.endsWith(`"data":{${b}:${c}}}`)).toBe(true);
        }),
        { seed: 13, numRuns: 400 },
      );
      expect(users).toBeGreaterThan(300);
    });

    test('each kind of ill-formed UTF-8 becomes as many U+FFFD as TextDecoder makes of it', () => {
      const leads = [0x80, 0xbf, 0xc0, 0xc1, 0xc2, 0xdf, 0xe0, 0xe1, 0xec, 0xed, 0xee, 0xef, 0xf0, 0xf1, 0xf3, 0xf4, 0xf5, 0xff];
      const nexts = [0x41, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc2];
      const user = Buffer.from(
        leads.flatMap((lead) => [lead, 0x41, ...nexts.flatMap((a) => [lead, a, 0x41, lead, a, 0x80, 0x41, lead, a, 0x80, 0xbf, 0x41])]),
      );
      const text = new TextDecoder('utf-8', { ignoreBOM: true }).decode(user);
      const id = create(server, user);
      expect(json(server, id)).toContain(`"user_key":${JSON.stringify(text)},`);
      // Cut off at its end, too.
      for (const lead of leads) {
        for (const tail of [[], [0x80], [0x90, 0x80], [0xa0, 0x80]]) {
          const cut = Buffer.from([lead, ...tail]);
          server.call('SESSION.ADD_DATA', id, 'f', cut);
          expect(json(server, id)).toContain(`"f":${JSON.stringify(new TextDecoder('utf-8', { ignoreBOM: true }).decode(cut))}`);
        }
      }
    });

    /** Sends the texts as values of one session and compares its JSON. */
    const expectValues = (texts: Uint8Array[]): void => {
      const decode = (value: Uint8Array): string => new TextDecoder('utf-8', { ignoreBOM: true }).decode(value);
      server.session.exports.flush();
      server.hashmap.exports.flush();
      const id = create(server, 'u');
      server.call('SESSION.ADD_DATA', id, ...texts.flatMap((text, index) => [`f${index}`, text]));
      const data = Object.fromEntries(texts.map((text, index) => [`f${index}`, decode(text)]));
      const got = json(server, id);
      expect(got.slice(got.indexOf('"data":'))).toBe(`"data":${JSON.stringify(data)}}`);
    };

    test('what a text holds at its end, or before more, is the same wherever it stands', () => {
      const pieces = [
        ['"', '\\', '\n', '\u0001', '\u007f', 'ü', '\u0800', '\ud7ff', '\ue000', '\uffff', '\u{10000}', '\u{10ffff}'].map((text) =>
          Buffer.from(text),
        ),
        [[0x80], [0xc0, 0x80], [0xc1, 0xbf], [0xc3], [0xe0, 0x9f, 0xbf], [0xe2, 0x82], [0xed, 0xa0, 0x80], [0xef, 0xbf]],
        [
          [0xf0, 0x8f, 0xbf, 0xbf],
          [0xf0, 0x9f],
          [0xf0, 0x9f, 0x98],
          [0xf4, 0x90, 0x80, 0x80],
          [0xf5, 0x80, 0x80, 0x80],
          [0xff, 0xc3, 0xbc],
        ],
      ].flat();
      for (const before of ['a', 'é'] as const) {
        for (const after of ['', 'b', 'ж'.repeat(40), '"'.repeat(40)]) {
          const texts = pieces.flatMap((piece) =>
            Array.from({ length: 67 }, (_, length) =>
              Buffer.concat([Buffer.alloc(length, before), Buffer.from(piece), Buffer.from(after)]),
            ),
          );
          expectValues(texts);
        }
      }
    });

    test('any mixture of well-formed and ill-formed pieces is decoded as TextDecoder decodes it', () => {
      const valid = fc.constantFrom(
        'plain ASCII, more than a block of 32 bytes of it',
        'a',
        'Ä',
        'Привет, мир, и ещё',
        '漢字漢字漢字',
        '😀😀😀😀',
        '"',
        '\n',
        '\u0000',
      );
      const piece = fc.oneof(
        { weight: 4, arbitrary: valid.map((text) => new Uint8Array(Buffer.from(text))) },
        { weight: 1, arbitrary: fc.uint8Array({ maxLength: 3 }) },
        { weight: 1, arbitrary: valid.map((text) => new Uint8Array(Buffer.from(text).subarray(0, -1))) },
      );
      const text = fc.array(piece, { maxLength: 20 }).map((parts) => new Uint8Array(Buffer.concat(parts)));
      fc.assert(
        fc.property(fc.array(text, { minLength: 1, maxLength: 50 }), (texts) => {
          expectValues(texts);
        }),
        { seed: 17, numRuns: 150 },
      );
    });

    test.each(['x', '"', '\u0001', 'ü'])('a text of %j is whole, however long its JSON', (character) => {
      const size = Buffer.byteLength(JSON.stringify(character)) - 2;
      const texts = [15_600, 15_800, 16_000, 16_200, 16_384, 16_500, 33_000, 100_000].map((length) => character.repeat(length / size));
      for (const text of texts) {
        for (const extra of ['', 'y', 'yy', 'y'.repeat(100)]) {
          const id = create(server, text + extra);
          server.call('SESSION.ADD_DATA', id, 'after', 'it');
          expect(json(server, id)).toContain(`"user_key":${JSON.stringify(text + extra)},`);
          expect(json(server, id)).toContain('"data":{"after":"it"}}');
        }
      }
    });

    test('every single control character is escaped as JSON.stringify does', () => {
      const all = String.fromCharCode(...Array.from({ length: 128 }, (_, code) => code));
      const id = create(server, all);
      expect(json(server, id)).toContain(`"user_key":${JSON.stringify(all)},`);
    });

    test('is right when it is long', () => {
      const id = create(server, 'u');
      for (const length of [5000, 16000, 70000]) server.call('SESSION.ADD_DATA', id, `f${length}`, '"'.repeat(length));
      const { data } = JSON.parse(json(server, id)) as { data: Record<string, string> };
      expect(Object.values(data).map((value) => value.length)).toEqual([5000, 16000, 70000]);
    });

    test('writes times as Date does', () => {
      fc.assert(
        fc.property(fc.integer({ min: 0, max: 253402300799999 }), (ms) => {
          server.session.exports.flush();
          server.hashmap.exports.flush();
          server.clock = ms;
          const id = create(server, 'u');
          expect(json(server, id)).toContain(`"created_at":"${new Date(ms).toISOString()}"`);
        }),
        {
          seed: 17,
          numRuns: 300,
          examples: [[0], [253402300799999], [951782399999], [951782400000], [4107542400000], [1709164800000], [1709251199999]],
        },
      );
    });
  });

  describe('SESSION.LIST', () => {
    test('has a line for each session, user keys raw', () => {
      expect(server.text('SESSION.LIST')).toBe('*0\r\n');
      const users = ['alice', Buffer.from([0, 255, 13, 10]), '', Buffer.alloc(40000, 'x')].map(bytes);
      const lines = users.map((user) => {
        const id = create(server, user);
        return Buffer.concat([Buffer.from(`ID: ${id}, Key: `), user, Buffer.from(', Created: 2026-01-02T03:04:05.678Z')]).toString(
          'latin1',
        );
      });
      const reply = server.call('SESSION.LIST');
      expect(reply.toString('latin1', 0, 4)).toBe('*4\r\n');
      const got = elements(reply).map((line) => line.toString('latin1'));
      expect(got.sort()).toEqual(lines.sort());
    });
  });

  describe('SESSION.DELETE', () => {
    test('ends the session and the mapping', () => {
      const id = create(server, 'u');
      expect(server.text('SESSION.DELETE', id)).toBe(':1\r\n');
      expect(server.text('CUSTOM.GET', 'u')).toBe(NULL);
      expect(server.text('SESSION.GET', id)).toBe(NULL);
      expect(server.text('SESSION.DELETE', id)).toBe(':0\r\n');
      expect(server.text('SESSION.DELETE', 'no id')).toBe(':0\r\n');
    });

    test('leaves a mapping that names another session', () => {
      const old = create(server, 'u');
      server.call('CUSTOM.DEL', 'u');
      const newer = create(server, 'u');
      expect(newer).not.toBe(old);
      expect(server.text('SESSION.DELETE', old)).toBe(':1\r\n');
      expect(server.text('CUSTOM.GET', 'u')).toBe(bulk(newer));
      expect(create(server, 'u', 'exists')).toBe(newer);
    });

    test('leaves a mapping that is no id', () => {
      const id = create(server, 'u');
      server.call('CUSTOM.SET', 'u', 'something else');
      server.call('SESSION.DELETE', id);
      expect(server.text('CUSTOM.GET', 'u')).toBe(bulk('something else'));
    });
  });

  test.each([
    ['session.create'],
    ['session.get'],
    ['session.get', 'i', 'x'],
    ['session.list', 'x'],
    ['session.add_data', 'i', 'f'],
    ['session.add_data', 'i', 'f', 'v', 'x'],
    ['session.get_data', 'i'],
    ['session.get_data', 'i', 'f', 'x'],
    ['session.delete'],
    ['session.delete', 'i', 'x'],
  ])('%s with another number of arguments is refused', (name, ...args) => {
    expect(server.text(name, ...args)).toBe(`-ERR wrong number of arguments for '${name}' command\r\n`);
  });

  describe('effects', () => {
    test('each write leaves its effect; a read that touches does once a second', () => {
      const id = create(server, 'u');
      const [t0, t1] = [server.clock, server.clock + 1000];
      server.call('SESSION.ADD_DATA', id, 'f', 'v');
      server.call('SESSION.GET_DATA', id, 'f');
      server.clock += 300;
      server.call('SESSION.GET_DATA', id, 'f');
      server.clock = t1;
      server.call('SESSION.GET_DATA', id, 'f');
      server.clock += 100;
      create(server, 'u', 'exists');
      server.call('SESSION.DELETE', id);
      server.call('SESSION.DELETE', id);
      expect(effects(server)).toEqual([
        `session.apply 1 create ${id} u ${t0} ${t0} 1`,
        `session.apply 1 set ${id} ${t0} 1 f v`,
        `session.apply 1 touch ${id} ${t1}`,
        `session.apply 1 delete ${id} u 1`,
      ]);
    });

    test('where nobody listens, touching leaves none', () => {
      const id = create(server, 'u');
      server.effectsWanted = false;
      server.clock += 1000;
      server.call('SESSION.GET_DATA', id, 'f');
      server.call('SESSION.ADD_DATA', id, 'f', 'v');
      expect(effects(server).slice(1)).toEqual([`session.apply 1 set ${id} ${server.clock} 1 f v`]);
      expect(json(server, id)).toContain(`"last_accessed":"${new Date(server.clock).toISOString()}"`);
    });

    test('recreating and deleting say what became of the mapping', () => {
      server.call('CUSTOM.SET', 'u', UNKNOWN);
      create(server, 'u', 'recreated');
      server.call('CUSTOM.SET', 'u', 'other');
      server.call('SESSION.DELETE', UNKNOWN);
      expect(effects(server).filter((effect) => effect.startsWith('session'))).toEqual([
        `session.apply 1 create ${UNKNOWN} u ${server.clock} ${server.clock} 1`,
        `session.apply 1 delete ${UNKNOWN} u 0`,
      ]);
    });

    test('signals and events name the id; touching signals nothing', () => {
      const id = create(server, 'u');
      server.clock += 5000;
      server.call('SESSION.GET_DATA', id, 'f');
      create(server, 'u', 'exists');
      server.call('SESSION.ADD_DATA', id, 'f', 'v');
      server.call('SESSION.DELETE', id);
      expect(server.signalled).toEqual(['u', id, id, 'u', id]);
      expect(server.events).toEqual([
        '8192 custom.set u',
        `8192 session.create ${id}`,
        `8192 session.set ${id}`,
        '8192 custom.del u',
        `8192 session.delete ${id}`,
      ]);
    });

    test('a replica that applies them has the same state, also when it applies each twice, or all twice', () => {
      const ids = ['a', 'b', Buffer.from([0, 255])].map((user) => create(server, user));
      const [a = '', b = '', c = ''] = ids;
      for (let index = 0; index < 100; index++) server.call('SESSION.ADD_DATA', a, `f${index}`, `v${index}`);
      server.call('SESSION.ADD_DATA', a, 'f3', 'changed');
      server.call('SESSION.ADD_DATA', c, Buffer.from([0, 1, 255]), Buffer.alloc(5000, 0));
      server.clock += 2000;
      server.call('SESSION.GET_DATA', c, 'x');
      server.call('SESSION.DELETE', b);
      create(server, 'b');
      server.call('CUSTOM.SET', 'd', UNKNOWN);
      create(server, 'd', 'recreated');
      server.call('CUSTOM.DEL', 'd');
      create(server, 'd');
      const state = (from: FakeServer): string[] => {
        from.check();
        const sessions = elements(from.call('SESSION.LIST')).map((line) => line.toString('latin1', 4, 40));
        const keys = elements(from.call('CUSTOM.KEYS'));
        return [
          ...sessions.map((id) => from.text('SESSION.GET', id)).sort(),
          ...keys.map((key) => `${key.toString('latin1')} = ${from.text('CUSTOM.GET', key)}`).sort(),
        ];
      };
      const each = server.propagated;
      for (const stream of [each, each.flatMap((effect) => [effect, effect]), [...each, ...each]]) {
        const replica = new FakeServer({ link, seed: 99 });
        replica.flags = REPLICA | (1 << 12);
        replica.clock = 1;
        replica.replay(stream);
        expect(state(replica)).toEqual(state(server));
      }
    });

    test('an effect for a session that was deleted since does nothing', () => {
      const before = effects(server).length;
      expect(server.text('session.apply', '1', 'set', UNKNOWN, '5', '1', 'f', 'v')).toBe('+OK\r\n');
      expect(server.text('session.apply', '1', 'touch', UNKNOWN, '5')).toBe('+OK\r\n');
      expect(server.text('session.apply', '1', 'delete', UNKNOWN, 'u', '0')).toBe('+OK\r\n');
      expect(server.text('SESSION.LIST')).toBe('*0\r\n');
      expect(effects(server).length).toBe(before);
    });

    test('the mapping is set and deleted exactly when the effect says so', () => {
      server.call('session.apply', '1', 'create', UNKNOWN, 'u', '5', '6', '0');
      expect(server.text('CUSTOM.GET', 'u')).toBe(NULL);
      server.call('session.apply', '1', 'create', UNKNOWN, 'u', '5', '6', '1');
      expect(server.text('CUSTOM.GET', 'u')).toBe(bulk(UNKNOWN));
      server.call('session.apply', '1', 'delete', UNKNOWN, 'u', '0');
      expect(server.text('CUSTOM.GET', 'u')).toBe(bulk(UNKNOWN));
      server.call('session.apply', '1', 'delete', UNKNOWN, 'u', '1');
      expect(server.text('CUSTOM.GET', 'u')).toBe(NULL);
    });

    test('a session that an effect replaces leaves no memory behind', () => {
      const used = (): bigint => server.infoOf(server.session).get('session_heap_used') ?? 0n;
      const replace = (user: string): void => {
        server.call('session.apply', '1', 'create', UNKNOWN, user, '5', '6', '0');
        for (let index = 0; index < 80; index++) server.call('session.apply', '1', 'set', UNKNOWN, '7', '1', `f${index}`, 'v'.repeat(40));
      };
      replace('a');
      const before = used();
      for (const user of ['a', 'b', 'a', 'a', 'b']) replace(user);
      replace('a');
      expect(used()).toBe(before);
    });

    test('an id whose user differs is taken over exactly', () => {
      server.call('session.apply', '1', 'create', UNKNOWN, 'a', '5', '6', '0');
      server.call('SESSION.ADD_DATA', UNKNOWN, 'f', 'v');
      server.call('session.apply', '1', 'create', UNKNOWN, 'b', '7', '8', '1');
      expect(json(server, UNKNOWN)).toBe(
        `{"id":"${UNKNOWN}","user_key":"b","created_at":"1970-01-01T00:00:00.007Z","last_accessed":"1970-01-01T00:00:00.008Z","data":{}}`,
      );
      expect(server.text('CUSTOM.GET', 'b')).toBe(bulk(UNKNOWN));
    });

    test.each([
      [['2', 'create', UNKNOWN, 'u', '1', '1', '1'], 'unknown format 2'],
      [['', 'touch', UNKNOWN, '1'], 'unknown format '],
      [['1', 'create', UNKNOWN, 'u', '1', '1'], 'not an effect that this version knows'],
      [['1', 'create', UNKNOWN, 'u', '1', '1', '2'], 'not an effect that this version knows'],
      [['1', 'create', UNKNOWN, 'u', '-1', '1', '1'], 'not an effect that this version knows'],
      [['1', 'create', UNKNOWN, 'u', '253402300800000', '1', '1'], 'not an effect that this version knows'],
      [['1', 'create', 'x', 'u', '1', '1', '1'], 'not an effect that this version knows'],
      [['1', 'touch', UNKNOWN, ''], 'not an effect that this version knows'],
      [['1', 'touch', UNKNOWN, '1', '2'], 'not an effect that this version knows'],
      [['1', 'rename', UNKNOWN, '1'], 'not an effect that this version knows'],
      [['1', 'set', UNKNOWN, '1x', '1', 'f', 'v'], 'not an effect that this version knows'],
    ])('session.apply %j is an error and changes nothing', (args, error) => {
      expect(server.text('session.apply', ...args)).toBe(`-ERR session.apply: ${error}\r\n`);
      expect(server.text('SESSION.LIST')).toBe('*0\r\n');
      expect(server.text('CUSTOM.KEYS')).toBe('*0\r\n');
      expect(server.propagated).toEqual([]);
    });

    test('a replica reads without touching', () => {
      const id = create(server, 'u');
      server.call('SESSION.ADD_DATA', id, 'f', 'v');
      const before = json(server, id);
      const count = server.propagated.length;
      server.flags = REPLICA;
      server.clock += 60_000;
      expect(server.text('SESSION.GET_DATA', id, 'f')).toBe(bulk('v'));
      expect(json(server, id)).toBe(before);
      expect(server.propagated.length).toBe(count);
    });
  });

  test('link functions answer as the import rule says, and replicate nothing', () => {
    const { session } = server;
    const text = String(server.link(session, 'create', 'u'));
    expect(text).toMatch(/^Session created: /);
    const id = text.slice(17);
    expect(server.text('CUSTOM.GET', 'u')).toBe(bulk(id));
    expect(server.link(session, 'add_data', id, 'f', 'v')).toBe(1n);
    expect(server.link(session, 'get_data', id, 'f')).toEqual(Buffer.from('v'));
    expect(server.link(session, 'get_data', id, 'absent')).toBe(0n);
    expect(String(server.link(session, 'get', id))).toBe(json(server, id));
    expect(server.link(session, 'get', UNKNOWN)).toBe(0n);
    expect(() => server.link(session, 'add_data', UNKNOWN, 'f', 'v')).toThrow(`Session not found: ${UNKNOWN}`);
    expect(() => server.link(session, 'get_data', 'a\nb', 'f')).toThrow('Session not found: a b');
    expect(server.link(session, 'delete', id)).toBe(1n);
    expect(server.link(session, 'delete', id)).toBe(0n);
    expect(server.propagated).toEqual([]);
    expect(server.signalled).toEqual(['u', id, id, 'u', id]);
  });

  test('flush drops everything; INFO counts', () => {
    for (let index = 0; index < 500; index++) {
      const id = create(server, `u${index}`);
      for (let field = 0; field < (index % 3) * 50; field++) server.call('SESSION.ADD_DATA', id, `f${field}`, 'v');
    }
    expect(server.infoOf(server.session).get('session_sessions')).toBe(500n);
    expect(server.session.exports.isEmpty()).toBe(0);
    server.session.exports.flush();
    expect(server.session.exports.isEmpty()).toBe(1);
    expect(server.infoOf(server.session).get('session_heap_used')).toBe(0n);
    expect(server.text('SESSION.LIST')).toBe('*0\r\n');
    const id = create(server, 'u7', 'recreated');
    expect(server.text('SESSION.ADD_DATA', id, 'f', 'v')).toBe('+OK\r\n');
  });
});

test('each command has its flags and keys', () => {
  const server = new FakeServer();
  const of = (name: string): unknown => {
    const command = server.commands.get(name);
    return [command?.flags.join(' '), command?.keys];
  };
  expect(of('session.create')).toEqual(['write deny-oom no-monitor no-slowlog', [1, 1, 1]]);
  expect(of('session.get')).toEqual(['readonly no-monitor no-slowlog', [1, 1, 1]]);
  expect(of('session.list')).toEqual(['readonly', [0, 0, 0]]);
  expect(of('session.add_data')).toEqual(['write deny-oom fast no-monitor no-slowlog', [1, 1, 1]]);
  expect(of('session.get_data')).toEqual(['readonly may-replicate fast no-monitor no-slowlog', [1, 1, 1]]);
  expect(of('session.delete')).toEqual(['write no-monitor no-slowlog', [1, 1, 1]]);
  expect(of('session.apply')).toEqual(['write effect no-monitor no-slowlog', [3, 3, 1]]);
});

test('both link modes give the same replies and the same state for any sequence of commands', () => {
  const users = fc.constantFrom('a', 'b', 'c');
  const fields = fc.constantFrom('f', 'g', '');
  const operation = fc.oneof(
    fc.tuple(fc.constantFrom('SESSION.CREATE', 'CUSTOM.DEL'), users, fields),
    fc.tuple(fc.constantFrom('DELETE', 'ADD', 'GET', 'MAP'), users, fields),
  );
  fc.assert(
    fc.property(fc.array(operation, { maxLength: 60 }), fc.integer(), (operations, seed) => {
      const outcome = (link: 'direct' | 'command'): string[] => {
        const server = new FakeServer({ link, seed });
        const replies: string[] = [];
        const idOf = (user: string): string => server.text('CUSTOM.GET', user).split('\r\n')[1] ?? '';
        for (const [op, user, field] of operations) {
          server.clock += 77;
          if (op === 'DELETE') replies.push(server.text('SESSION.DELETE', idOf(user)));
          else if (op === 'ADD') replies.push(server.text('SESSION.ADD_DATA', idOf(user), field, `${server.clock}`));
          else if (op === 'GET') replies.push(server.text('SESSION.GET_DATA', idOf(user), field));
          else if (op === 'MAP') replies.push(server.text('CUSTOM.SET', user, idOf('a')));
          else replies.push(server.text(op, user));
          replies.push(server.text('SESSION.GET', idOf(user)));
        }
        return [...replies, ...effects(server), ...server.signalled, ...server.events];
      };
      // Both draw the same ids: the seeds of the tables come from the same source in the same order.
      expect(outcome('command')).toEqual(outcome('direct'));
    }),
    { seed: 19, numRuns: 40 },
  );
});
