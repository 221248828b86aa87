/**
 * The data of sessions: several fields at once, counting, versions; on the shipped session.wasm and a fake
 * server.
 */
import fc from 'fast-check';
import { beforeEach, describe, expect, test } from 'vitest';
import { bulk, FakeServer, NULL } from '../support/fake-redis.ts';
import { ask, created, data, info, REPLICA, REPLICATED, UNKNOWN_ID } from '../support/sessions.ts';

const NOT_INTEGER = '-ERR value is not an integer or out of range\r\n';
const MAX = '9223372036854775807';
const MIN = '-9223372036854775808';

describe.each(['direct', 'command'] as const)('linked %s', (link) => {
  let server: FakeServer;
  let id: string;
  beforeEach(() => {
    server = new FakeServer({ link });
    id = created(server, 'u');
  });
  const version = () => info(server, id)?.version;

  test('ADD_DATA stores several fields, a repeated one with its last value, and counts one version', () => {
    expect(server.text('SESSION.ADD_DATA', id, 'b', '1', 'a', '2', 'b', '3')).toBe('+OK\r\n');
    expect(server.text('SESSION.ADD_DATA', id, 'c', '', '', 'x', 'a', 'longer than it was before')).toBe('+OK\r\n');
    expect(data(server, id)).toEqual([
      ['b', '3'],
      ['a', 'longer than it was before'],
      ['c', ''],
      ['', 'x'],
    ]);
    expect(version()).toBe(2);
    server.check();
  });

  test.each(['SESSION.ADD_DATA', 'SESSION.CAS'])('%s with a field that has no value is refused', (name) => {
    const head = name === 'SESSION.CAS' ? [id, '0'] : [id];
    expect(server.text(name, ...head, 'f', 'v', 'g')).toBe(`-ERR wrong number of arguments for '${name.toLowerCase()}' command\r\n`);
    expect(data(server, id)).toEqual([]);
  });

  test('GETALL answers the raw bytes, and touches', () => {
    const raw = Buffer.from([0, 255, 13, 10]);
    server.call('SESSION.ADD_DATA', id, raw, raw);
    server.clock += 1500;
    const bytes = raw.toString('latin1');
    expect(data(server, id)).toEqual([[bytes, bytes]]);
    expect(info(server, id)?.last_accessed).toBe(new Date(server.clock).toISOString());
    expect(ask(server, 'SESSION.GETALL', UNKNOWN_ID)).toBe(null);
    expect(server.text('SESSION.GETALL', created(server, 'empty'))).toBe('*0\r\n');
  });

  test('GETALL LINES answers one text, and a map where a line would be two or the text long', () => {
    const lines = (...words: string[]) => server.text('SESSION.GETALL', id, ...words);
    const bulk = (text: string) => `$${text.length}\r\n${text}\r\n`;
    expect(lines('LINES')).toBe(bulk(''));
    server.call('SESSION.ADD_DATA', id, '', '', 'f', '\r');
    server.clock += 1500;
    expect(lines('lines')).toBe(bulk('\n\nf\n\r\n'));
    expect(info(server, id)?.last_accessed).toBe(new Date(server.clock).toISOString());
    expect(lines('LINE')).toBe('-ERR syntax error\r\n');
    expect(server.text('SESSION.GETALL', UNKNOWN_ID, 'LINES')).toBe(NULL);
    // The line feed is looked for 64 bytes at a time.
    for (const length of [1, 15, 16, 63, 64, 65, 4000, 5000]) {
      for (const at of [0, length >> 1, length - 1]) {
        const value = `${'v'.repeat(at)}\n${'v'.repeat(length - at - 1)}`;
        server.call('SESSION.ADD_DATA', id, 'f', value);
        expect(lines('LINES')).toBe(lines());
        server.call('SESSION.ADD_DATA', id, 'f', value.replace('\n', '\x0b'));
        expect(lines('LINES')).toBe(bulk(`\n\nf\n${value.replace('\n', '\x0b')}\n`));
      }
    }
    server.call('SESSION.DEL_DATA', id, 'f');
    server.call('SESSION.ADD_DATA', id, 'a\nb', 'v');
    expect(lines('LINES')).toBe(lines());
    server.call('SESSION.DEL_DATA', id, 'a\nb');
    for (const [length, isText] of [
      [16_384 - 64 - 2 - 3, true],
      [16_384 - 64 - 2 - 2, false],
      [1 << 20, false],
    ] as const) {
      server.call('SESSION.ADD_DATA', id, 'f', 'v'.repeat(length));
      expect(lines('LINES').startsWith('$')).toBe(isText);
    }
    server.check();
  });

  describe('the memory of data that becomes smaller', () => {
    const used = (of: FakeServer) => Number(of.infoOf(of.session).get('session_heap_used'));
    const small = (index: number): [string, ...string[]][] => [
      ['SESSION.ADD_DATA', '<id>', 'f', 'x'.repeat(10)],
      ['SESSION.ADD_DATA', '<id>', 'f', 'x'.repeat(10), `g${index}`, 'y'],
      ['SESSION.DEL_DATA', '<id>', 'f'],
    ];

    test.each([1800, 2500])('of %i bytes, overwritten or deleted, comes back', (length) => {
      const ids = Array.from({ length: 600 }, (_, index) => created(server, `u${index}`, 'DATA', 'g', 'v', 'f', 'x'.repeat(length)));
      const before = used(server);
      expect(before).toBeGreaterThan(600 * length);
      for (const [index, each] of ids.entries()) {
        const [name, ...args] = small(index)[index % 3]!;
        server.call(name, ...args.map((arg) => (arg === '<id>' ? each : arg)));
      }
      server.check();
      expect(used(server)).toBeLessThan(before - 600 * (length - 100));
    });

    test('and what a session takes depend on its content alone: here, on a replica, and where it is loaded', () => {
      const field = fc.integer({ min: 0, max: 80 }).map((index) => `field ${index}`);
      const value = fc.oneof(fc.nat(40), fc.nat(400), fc.nat(2100)).map((length) => 'v'.repeat(length));
      const write = fc.oneof(
        fc.array(fc.tuple(field, value), { minLength: 1, maxLength: 8 }).map((pairs) => ['ADD_DATA', ...pairs.flat()]),
        fc.array(field, { minLength: 1, maxLength: 30 }).map((fields) => ['DEL_DATA', ...fields]),
      );
      fc.assert(
        fc.property(fc.array(write, { minLength: 1, maxLength: 40 }), (writes) => {
          const [primary, replica, loaded] = [1, 2, 3].map((seed) => new FakeServer({ link, seed }));
          const session = created(primary!, 'u');
          for (const [name, ...args] of writes) primary!.call(`SESSION.${name}`, session, ...args);
          replica!.flags = REPLICA | REPLICATED;
          replica!.replay(primary!.propagated);
          expect(loaded!.load(loaded!.session, primary!.save(primary!.session))).toBe(true);
          const bytes = [primary!, replica!, loaded!].map((each) => info(each, session)?.bytes as number);
          // What a table of more than 2 KiB or 64 fields takes varies a little with the hash key of the
          // server.
          const { fields } = info(primary!, session)!;
          const size = data(primary!, session)!.reduce((sum, [name, text]) => sum + 4 + name.length + text.length, 6);
          if ((fields as number) <= 64 && size <= 2048) expect(bytes).toEqual(bytes.map(() => bytes[0]));
          else for (const each of bytes) expect(Math.abs(each - bytes[0]!)).toBeLessThan(8192);
          for (const each of [primary!, replica!, loaded!]) each.check();
        }),
        { numRuns: 150 },
      );
    });

    test('DEL_DATA asks for none: where there is no room for the smaller form, the larger one stays', () => {
      let grows = true;
      const growing: number[] = [];
      const full = new FakeServer({
        link,
        mayGrow: (pages) => {
          if (!grows) growing.push(pages);
          return grows;
        },
      });
      const fields = (bytes: number) => ['a', 'x'.repeat(bytes >> 1), 'b', 'y'.repeat(bytes >> 1)];
      const ids = Array.from({ length: 40 }, (_, index) => created(full, `u${index}`, 'DATA', ...fields(1700 + index * 8)));
      grows = false;
      // All that is left is filled, so that each size has to come from what deletes leave.
      const filler = created(full, 'filler');
      for (let count = 0; full.text('SESSION.ADD_DATA', filler, `${count}`, 'z'.repeat(3000)) === '+OK\r\n';) count++;
      growing.length = 0;
      for (const each of ids) {
        expect(full.text('SESSION.DEL_DATA', each, 'a')).toBe(':1\r\n');
        expect(data(full, each)).toEqual([['b', expect.stringMatching(/^y+$/)]]);
      }
      expect(growing).toEqual([]);
      expect(info(full, ids[0]!)?.bytes).toBeGreaterThan(1700);
      full.check();
    });
  });

  test('DEL_DATA counts what it removed while compaction moves the session', () => {
    const ids = Array.from({ length: 5000 }, (_, index) =>
      created(server, index % 10 ? 'goes' : `u${index}`, 'NEW', 'DATA', 'a', '1', 'b', '2'),
    );
    server.call('SESSION.DELUSER', 'goes');
    const stays = ids.filter((_, index) => index % 10 === 0);
    for (const id of stays) expect(server.text('SESSION.DEL_DATA', id, 'a')).toBe(':1\r\n');
    for (const id of stays) expect(data(server, id)).toEqual([['b', '2']]);
    server.check();
  });

  test('DEL_DATA counts what it removed, and changes the version only then', () => {
    server.call('SESSION.ADD_DATA', id, 'a', '1', 'b', '2', 'c', '3');
    server.clock += 1000;
    expect(server.text('SESSION.DEL_DATA', id, 'x', 'b', 'b', 'a')).toBe(':2\r\n');
    expect(data(server, id)).toEqual([['c', '3']]);
    expect(version()).toBe(2);
    const before = server.propagated.length;
    expect(server.text('SESSION.DEL_DATA', id, 'a', 'y')).toBe(':0\r\n');
    expect(version()).toBe(2);
    expect(server.propagated.slice(before).filter((effect) => String(effect[1]) !== 'touch' && String(effect[2]) !== 'touch')).toEqual([]);
    // A field that comes again is the last one.
    server.call('SESSION.ADD_DATA', id, 'a', '4');
    expect(data(server, id)).toEqual([
      ['c', '3'],
      ['a', '4'],
    ]);
    expect(server.text('SESSION.DEL_DATA', id, 'a', 'c')).toBe(':2\r\n');
    expect(data(server, id)).toEqual([]);
    server.check();
  });

  test('any sequence of writes and removals does what a Map does, few fields or thousands', () => {
    const name = fc.oneof(
      { weight: 3, arbitrary: fc.nat(30).map((index) => `f${index}`) },
      { weight: 1, arbitrary: fc.nat(3000).map((index) => `many ${index}`) },
    );
    const write = fc.record({
      fields: fc.array(
        fc.tuple(
          name,
          fc.oneof(
            fc.string({ maxLength: 30 }),
            fc.nat(4000).map((length) => 'x'.repeat(length)),
          ),
        ),
        {
          minLength: 1,
          maxLength: 60,
        },
      ),
      remove: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(write, { maxLength: 30 }), (writes) => {
        const model = new Map<string, string>();
        const own = created(server, 'someone', 'NEW');
        for (const { fields, remove } of writes) {
          const names = fields.map(([field]) => field);
          if (remove) {
            const removed = names.filter((field) => model.delete(field)).length;
            expect(server.text('SESSION.DEL_DATA', own, ...names)).toBe(`:${removed}\r\n`);
          } else {
            for (const [field, value] of fields) model.set(field, value);
            expect(server.text('SESSION.ADD_DATA', own, ...fields.flat())).toBe('+OK\r\n');
          }
        }
        const bytes = (text: string) => Buffer.from(text).toString('latin1');
        expect(data(server, own)).toEqual([...model].map(([field, value]) => [field, bytes(value)]));
        expect(info(server, own)?.fields).toBe(model.size);
        server.check();
        server.call('SESSION.DELETE', own);
      }),
      { seed: 37, numRuns: 60, endOnFailure: true },
    );
  });

  test('removing and writing again and again keeps no memory', () => {
    const used = () => server.infoOf(server.session).get('session_heap_used') ?? 0n;
    const names = Array.from({ length: 200 }, (_, index) => `field ${index}`);
    const round = () => {
      server.call('SESSION.ADD_DATA', id, ...names.flatMap((name, index) => [name, 'v'.repeat(index)]));
      server.call('SESSION.DEL_DATA', id, ...names.filter((_, index) => index % 2 === 0));
      server.call('SESSION.DEL_DATA', id, ...names);
    };
    round();
    const before = used();
    for (let index = 0; index < 20; index++) round();
    expect(used()).toBeLessThanOrEqual(before);
    server.check();
  });

  describe('INCR_DATA', () => {
    test('counts from 0, and from what is there', () => {
      expect(server.text('SESSION.INCR_DATA', id, 'n', '5')).toBe(':5\r\n');
      expect(server.text('SESSION.INCR_DATA', id, 'n', '-7')).toBe(':-2\r\n');
      expect(server.text('SESSION.INCR_DATA', id, 'n', '0')).toBe(':-2\r\n');
      server.call('SESSION.ADD_DATA', id, 'n', MAX);
      expect(server.text('SESSION.INCR_DATA', id, 'n', MIN)).toBe(':-1\r\n');
      expect(data(server, id)).toEqual([['n', '-1']]);
      expect(version()).toBe(5);
    });

    test.each(['', 'x', '1.0', ' 1', '1 ', '+1', '01', '-0', '-', '9223372036854775808', '1'.repeat(30)])(
      'refuses a field that is %j, and a step that is',
      (text) => {
        server.call('SESSION.ADD_DATA', id, 'n', text);
        expect(server.text('SESSION.INCR_DATA', id, 'n', '1')).toBe('-ERR hash value is not an integer\r\n');
        expect(server.text('SESSION.INCR_DATA', id, 'm', text)).toBe(NOT_INTEGER);
        expect(data(server, id)).toEqual([['n', text]]);
        expect(version()).toBe(1);
      },
    );

    test.each([
      [MAX, '1'],
      [MIN, '-1'],
      ['-2', MIN],
      ['1', MAX],
    ])('refuses %s and %s, which would overflow', (value, step) => {
      server.call('SESSION.ADD_DATA', id, 'n', value);
      expect(server.text('SESSION.INCR_DATA', id, 'n', step)).toBe('-ERR increment or decrement would overflow\r\n');
      expect(data(server, id)).toEqual([['n', value]]);
    });
  });

  describe('CAS', () => {
    test('stores when the version is the present one', () => {
      expect(server.text('SESSION.CAS', id, '0', 'a', '1', 'b', '2')).toBe(':1\r\n');
      expect(server.text('SESSION.CAS', id, '1', 'a', '3', 'a', '4')).toBe(':2\r\n');
      expect(data(server, id)).toEqual([
        ['a', '4'],
        ['b', '2'],
      ]);
    });

    test.each(['1', '-1', MAX, MIN])('of version %s stores nothing and tells the present one', (wanted) => {
      const before = server.propagated.length;
      expect(server.text('SESSION.CAS', id, wanted, 'a', '1')).toBe('-VERSION is 0\r\n');
      expect(data(server, id)).toEqual([]);
      expect(server.propagated.length).toBe(before);
    });

    test.each(['', 'x', '1.5', '9223372036854775808'])('of version %j is refused', (wanted) => {
      expect(server.text('SESSION.CAS', id, wanted, 'a', '1')).toBe(NOT_INTEGER);
    });

    test('every command that changes data changes the version, and no other', () => {
      const steps: [string[], number][] = [
        [['ADD_DATA', id, 'a', '1'], 1],
        [['INCR_DATA', id, 'a', '1'], 2],
        [['CAS', id, '2', 'a', '1'], 3],
        [['DEL_DATA', id, 'a'], 4],
        [['DEL_DATA', id, 'a'], 4],
        [['GET_DATA', id, 'a'], 4],
        [['GETALL', id], 4],
        [['TOUCH', id], 4],
        [['EXPIRE', id, '60'], 4],
        [['ASSIGN', id, 'v'], 4],
        [['ADD_DATA', id, 'a', '1'], 5],
      ];
      for (const [[name = '', ...args], after] of steps) {
        server.call(`SESSION.${name}`, ...args);
        expect(version()).toBe(after);
      }
      const next = server.text('SESSION.ROTATE', id).slice(5, 41);
      expect(info(server, next)?.version).toBe(5);
    });
  });

  test('INFO tells all of a session, in order', () => {
    server.clock += 250;
    server.call('SESSION.ADD_DATA', id, 'f', 'v');
    server.call('SESSION.EXPIRE', id, '60');
    server.call('SESSION.EXPIRE', id, '5', 'IDLE');
    server.clock += 1000;
    const reply = server.text('SESSION.INFO', id);
    const [head, bytes = ''] = reply.split('$5\r\nbytes\r\n:');
    expect(head).toBe(
      `*18\r\n${bulk('id')}${bulk(id)}${bulk('user_key')}${bulk('u')}${bulk('created_at')}${bulk('2026-01-02T03:04:05.678Z')}` +
        `${bulk('last_accessed')}${bulk('2026-01-02T03:04:05.928Z')}${bulk('idle')}:5000\r\n${bulk('ttl')}:59000\r\n` +
        `${bulk('version')}:1\r\n${bulk('fields')}:1\r\n`,
    );
    expect(Number.parseInt(bytes, 10)).toBeGreaterThan(40);
    server.call('SESSION.ADD_DATA', id, 'large', 'x'.repeat(100_000));
    expect(info(server, id)?.bytes).toBeGreaterThan(100_000);
    expect(server.text('SESSION.INFO', UNKNOWN_ID)).toBe(NULL);
  });

  test.each([
    ['SESSION.GET', NULL],
    ['SESSION.GETALL', NULL],
    ['SESSION.INFO', NULL],
    ['SESSION.TOUCH', ':0\r\n'],
    ['SESSION.DELETE', ':0\r\n'],
    ['SESSION.TTL', ':-2\r\n'],
    ['SESSION.EXPIRE', ':0\r\n', '5'],
    ['SESSION.EXPIRE', ':0\r\n', '-5'],
    ['SESSION.ASSIGN', ':0\r\n', 'u'],
    ['SESSION.ADD_DATA', undefined, 'f', 'v'],
    ['SESSION.GET_DATA', undefined, 'f'],
    ['SESSION.DEL_DATA', undefined, 'f'],
    ['SESSION.INCR_DATA', undefined, 'f', '1'],
    ['SESSION.CAS', undefined, '0', 'f', 'v'],
    ['SESSION.ROTATE', undefined],
    ['SESSION.ROTATE', undefined, 'GRACE', '5'],
  ])('%s of an unknown id (%s)', (name, reply, ...rest) => {
    const before = server.propagated.length;
    server.call('SESSION.CREATE', 'gone', 'ID', 'an-id-of-the-caller', 'TTL', '1');
    server.clock += 1000;
    const effects = server.propagated.length;
    const unknown = ['', '\0', 'a\r\nb', 'x'.repeat(200), UNKNOWN_ID, 'an-id-of-the-caller', '\xff'];
    for (const text of unknown) {
      const echo = text.slice(0, 128).replace(/[\r\n\0]/g, ' ');
      expect(server.text(name, Buffer.from(text, 'latin1'), ...(rest as string[]))).toBe(reply ?? `-Session not found: ${echo}\r\n`);
    }
    expect(effects).toBeGreaterThan(before);
    // At most the end of the expired one is replicated by it.
    expect(server.propagated.length).toBeLessThanOrEqual(effects + 1);
    server.check();
  });

  test.each([
    ['session.create'],
    ['session.assign', 'i'],
    ['session.assign', 'i', 'u', 'x'],
    ['session.getall'],
    ['session.getall', 'i', 'LINES', 'x'],
    ['session.add_data', 'i', 'f'],
    ['session.del_data', 'i'],
    ['session.incr_data', 'i', 'f'],
    ['session.incr_data', 'i', 'f', '1', 'x'],
    ['session.cas', 'i', '0', 'f'],
    ['session.touch'],
    ['session.touch', 'i', 'x'],
    ['session.expire', 'i'],
    ['session.ttl'],
    ['session.ttl', 'i', 'x'],
    ['session.info'],
    ['session.info', 'i', 'x'],
    ['session.rotate'],
    ['session.user'],
    ['session.user', 'u', 'x'],
    ['session.deluser'],
    ['session.scan'],
    ['session.check', 'x'],
  ])('%s with another number of arguments is refused', (name, ...args) => {
    expect(server.text(name, ...args)).toBe(`-ERR wrong number of arguments for '${name}' command\r\n`);
  });
});
