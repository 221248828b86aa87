/** auxSave and auxLoad of both modules: round trips, and hostile files, which are refused whole. */
import fc from 'fast-check';
import { beforeEach, describe, expect, test } from 'vitest';
import { bulk, bytes, elements, FakeServer, type Saved } from '../support/fake-redis.ts';

let server: FakeServer;
beforeEach(() => {
  server = new FakeServer();
});

const LARGE = 2;
const PACKED = 1;
const block = (...parts: (number | Uint8Array | string)[]): Buffer =>
  Buffer.concat(parts.map((part) => (typeof part === 'number' ? Buffer.from([part]) : bytes(part))));
const u64 = (value: bigint): Buffer => {
  const buffer = Buffer.alloc(8);
  buffer.writeBigUInt64LE(value);
  return buffer;
};
const end = (items: number): Buffer => block(0, u64(BigInt(items)));
/** An item, lengths below 128. */
/** A length below 16384, in LEB128. */
const leb = (value: number): Buffer => (value < 128 ? block(value) : block(0x80 | (value & 0x7f), value >> 7));
const item = (a: Uint8Array | string, b: Uint8Array | string): Buffer => block(leb(bytes(a).length), leb(bytes(b).length), a, b);

/** The reason where nothing that came is wrong. */
const ENDS_EARLY = 'it ends early: the file is cut short, or the link that it comes by was cut';

/** Flips, cuts, inserts and repeats in a sound file. */
const damage = fc.record({
  kind: fc.constantFrom('flip', 'cut', 'insert', 'drop', 'repeat', 'swap', 'number'),
  where: fc.nat(),
  at: fc.nat(),
  byte: fc.nat(255),
});
function damaged(saved: Saved, { kind, where, at, byte }: { kind: string; where: number; at: number; byte: number }): Saved {
  const copy = saved.map((value) => (typeof value === 'bigint' ? value : Buffer.from(value)));
  const index = where % copy.length;
  const value = copy[index];
  if (kind === 'drop') copy.splice(index, 1);
  else if (kind === 'repeat' && value !== undefined) copy.splice(index, 0, value);
  else if (kind === 'swap') copy.push(...copy.splice(index, 1));
  else if (kind === 'number') copy[0] = BigInt(at);
  else if (typeof value === 'bigint' || value === undefined || value.length === 0) copy[0] = BigInt(byte);
  else if (kind === 'flip') value[at % value.length] = (value[at % value.length] ?? 0) ^ (byte || 1);
  else if (kind === 'cut') copy[index] = value.subarray(0, at % value.length);
  else copy[index] = Buffer.concat([value.subarray(0, at % value.length), Buffer.from([byte]), value.subarray(at % value.length)]);
  return copy;
}

describe('hashmap', () => {
  const keys = (): string[] =>
    elements(server.call('CUSTOM.KEYS'))
      .map((key) => key.toString('latin1'))
      .sort();

  test('an empty store is saved and loaded', () => {
    const saved = server.save(server.hashmap);
    expect(saved).toEqual([0n, end(0), 0n, end(0)]);
    expect(server.load(server.hashmap, saved)).toBe(true);
    expect(server.hashmap.exports.isEmpty()).toBe(1);
  });

  test('the format is as documented', () => {
    server.call('CUSTOM.SET', 'key', 'value');
    server.call('CUSTOM.SET', 'long', Buffer.alloc(70000, 1));
    const saved = server.save(server.hashmap);
    expect(saved).toHaveLength(8);
    expect(saved[0]).toBe(2n);
    expect(saved).toContainEqual(block(PACKED, item('key', 'value')));
    expect(saved).toContainEqual(block(LARGE, 4, 0xf0, 0xa2, 0x04));
    expect(saved).toContainEqual(Buffer.from('long'));
    expect(saved.slice(5)).toEqual([end(2), 0n, end(0)]);
  });

  test('entries with a deadline are a sequence of their own, and expire at it after the load, not in it', () => {
    server.call('CUSTOM.SET', 'key', 'value', 'PXAT', String(server.clock + 5000));
    server.call('CUSTOM.SET', 'm', Buffer.alloc(300, 1), 'PXAT', String(server.clock + 6000));
    server.call('CUSTOM.SET', 'long', Buffer.alloc(70000, 1), 'PXAT', String(server.clock + 7000));
    server.call('CUSTOM.SET', 'none', 'v');
    const saved = server.save(server.hashmap);
    expect(saved.slice(0, 4)).toEqual([1n, block(PACKED, item('none', 'v')), end(1), 3n]);
    expect(saved).toContainEqual(block(LARGE, 12, 0xf0, 0xa2, 0x04));
    const deadline = (ms: number): Buffer => u64(BigInt(server.clock + ms));
    expect(saved).toContainEqual(Buffer.concat([deadline(7000), Buffer.from('long')]));
    expect(
      Buffer.concat(saved.filter((value) => typeof value !== 'bigint')).includes(
        item(Buffer.concat([deadline(5000), bytes('key')]), 'value'),
      ),
    ).toBe(true);
    const other = new FakeServer({ seed: 2 });
    other.clock += 5000;
    expect(other.load(other.hashmap, saved)).toBe(true);
    other.check();
    expect(other.text('CUSTOM.LEN')).toBe(':4\r\n');
    expect(other.text('CUSTOM.GET', 'key')).toBe('$-1\r\n');
    expect(other.text('CUSTOM.PTTL', 'm')).toBe(':1000\r\n');
    expect(other.text('CUSTOM.PTTL', 'none')).toBe(':-1\r\n');
    other.clock += 2064;
    other.sweep();
    expect(other.text('CUSTOM.LEN')).toBe(':1\r\n');
    other.check();
  });

  test('version 1, without deadlines, is loaded', () => {
    expect(server.load(server.hashmap, [1n, block(PACKED, item('k', 'v')), end(1)], 1)).toBe(true);
    expect(server.text('CUSTOM.GET', 'k')).toBe(bulk('v'));
    server.check();
  });

  test.each<[reason: string, saved: Saved]>([
    [ENDS_EARLY, []],
    ['a deadline is cut short', [1n, block(PACKED, item('1234567', 'v')), end(1)]],
    ['a deadline is out of range', [1n, block(PACKED, item(u64(0n), 'v')), end(1)]],
    ['a deadline is out of range', [1n, block(PACKED, item(u64(1n << 63n), 'v')), end(1)]],
    ['a key is there twice', [1n, block(PACKED, item(Buffer.concat([u64(9n), bytes('k')]), 'v')), end(1)]],
    ['a length is not sound', [1n, block(PACKED, 0x89, 0x80, 0x80, 0x80, 0x02, 1, 'kv'), end(1)]],
    ['an item is longer than its block', [1n, block(PACKED, 0x88, 0x80, 0x80, 0x80, 0x02, 1, 'kv'), end(1)]],
  ])('refuses in the second sequence: %s (%#)', (reason, second) => {
    expect(server.load(server.hashmap, [1n, block(PACKED, item('k', 'v')), end(1), ...second])).toBe(false);
    expect(server.logs.at(-1)).toContain(reason);
    expect(server.hashmap.exports.isEmpty()).toBe(1);
    server.check();
  });

  test('any content makes the round trip, into another server', () => {
    const entry = fc.tuple(
      fc.uint8Array({ maxLength: 300 }),
      fc.oneof(
        fc.uint8Array({ maxLength: 200 }),
        fc.nat(140000).map((size) => Buffer.alloc(size, size)),
      ),
    );
    fc.assert(
      fc.property(fc.array(entry, { maxLength: 40 }), (entries) => {
        server.hashmap.exports.flush();
        const model = new Map(entries.map(([key, value]) => [Buffer.from(key).toString('latin1'), Buffer.from(value)]));
        for (const [key, value] of model) server.call('CUSTOM.SET', Buffer.from(key, 'latin1'), value);
        const other = new FakeServer({ seed: 2 });
        expect(other.load(other.hashmap, server.save(server.hashmap))).toBe(true);
        expect(other.text('CUSTOM.KEYS').startsWith(`*${model.size}\r\n`)).toBe(true);
        for (const [key, value] of model) expect(other.text('CUSTOM.GET', Buffer.from(key, 'latin1')) === bulk(value)).toBe(true);
      }),
      { seed: 23, numRuns: 40 },
    );
  });

  test('many entries go into few strings, and a block is at most 64 KiB', () => {
    for (let index = 0; index < 20000; index++) server.call('CUSTOM.SET', `key:${index}`, `value:${index}`);
    const saved = server.save(server.hashmap);
    expect(saved.length).toBeLessThan(14);
    for (const value of saved) expect(typeof value === 'bigint' || value.length <= 65536).toBe(true);
    const before = keys();
    expect(server.load(server.hashmap, saved)).toBe(true);
    expect(keys()).toEqual(before);
  });

  test('saving allocates nothing', () => {
    server.call('CUSTOM.SET', 'k', 'v');
    const used = server.infoOf(server.hashmap).get('hashmap_heap_used');
    server.save(server.hashmap);
    expect(server.infoOf(server.hashmap).get('hashmap_heap_used')).toBe(used);
  });

  test.each<[reason: string, saved: Saved]>([
    [ENDS_EARLY, []],
    ['the number of records is out of range', [1n << 40n, end(0)]],
    [ENDS_EARLY, [0n]],
    [ENDS_EARLY, [1n]],
    ['a block is empty', [0n, Buffer.alloc(0)]],
    ['a block is of no known kind', [0n, block(3)]],
    ['a block is of no known kind', [1n, block(PACKED), end(1)]],
    ['it ends before its last record', [1n, end(1)]],
    ['it ends before its last record', [2n, block(PACKED, item('k', 'v')), end(2)]],
    ['there are more blocks than records', [0n, block(PACKED, item('k', 'v')), end(1)]],
    ['a block goes on after the last record', [1n, block(PACKED, item('k', 'v'), item('l', 'w')), end(2)]],
    ["the number of items differs from the END block's", [1n, block(PACKED, item('k', 'v')), end(2)]],
    ["the number of items differs from the END block's", [0n, block(0, u64(0n), 0)]],
    ['a key is there twice', [2n, block(PACKED, item('k', 'v'), item('k', 'w')), end(2)]],
    ['an item is longer than its block', [1n, block(PACKED, 1, 2, 'kv'), end(1)]],
    ['an item is longer than its block', [1n, block(PACKED, 0xff, 0xff, 0xff, 0xff, 0x01, 1, 'k'), end(1)]],
    ['a length is not sound', [1n, block(PACKED, 0x81), end(1)]],
    ['a length is not sound', [1n, block(PACKED, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 'kv'), end(1)]],
    ['a length is not sound', [1n, block(PACKED, 0x81, 0x80, 0x80, 0x80, 0x02, 1, 'kv'), end(1)]],
    [
      'a LARGE block is too long',
      [1n, block(LARGE, 1, 1, 0), 'k', 'v', end(1)].map((value) => (typeof value === 'string' ? bytes(value) : value)),
    ],
    ['a large string is of another length', [1n, block(LARGE, 1, 1), bytes('k2'), bytes('v'), end(1)]],
    ['a large string is of another length', [1n, block(LARGE, 1, 1), bytes('k'), bytes('v2'), end(1)]],
    [ENDS_EARLY, [1n, block(LARGE, 1, 1), bytes('k')]],
    [ENDS_EARLY, [1n, block(LARGE, 1, 1)]],
  ])('refuses: %s (%#)', (reason, saved) => {
    // 0x81 0x80 0x80 0x80 0x02 is 512 MiB + 1; 0xff ×4 0x01 is 512 MiB - 1.
    server.call('CUSTOM.SET', 'before', 'v');
    expect(server.load(server.hashmap, saved)).toBe(false);
    expect(server.logs.at(-1)).toContain(`warning hashmap: refused the data of the RDB file: ${reason} (at item `);
    expect(keys()).toEqual([]);
    expect(server.infoOf(server.hashmap).get('hashmap_heap_used')).toBe(0n);
    expect(server.text('CUSTOM.SET', 'after', 'v')).toBe('+OK\r\n');
  });

  test('refuses another version', () => {
    expect(server.load(server.hashmap, [0n, end(0)], 3)).toBe(false);
    expect(server.logs.at(-1)).toContain('it was written by another version of this module');
  });

  test('a damaged file is refused, or is a sound one: never a fault, never part of it', () => {
    for (let index = 0; index < 12; index++) server.call('CUSTOM.SET', `key:${index}`, Buffer.alloc(index % 5 === 4 ? 66000 : index, 0));
    const saved = server.save(server.hashmap);
    let refused = 0;
    fc.assert(
      fc.property(damage, (how) => {
        const file = damaged(saved, how);
        if (server.load(server.hashmap, file)) expect(BigInt(keys().length)).toBe(file[0]);
        else {
          refused++;
          expect(keys()).toEqual([]);
        }
      }),
      { seed: 29, numRuns: 1500 },
    );
    expect(refused).toBeGreaterThan(500);
  });

  test('a file too large for the memory is refused', () => {
    for (let index = 0; index < 3000; index++) server.call('CUSTOM.SET', `key:${index}`, Buffer.alloc(1000));
    const small = new FakeServer({ maxPages: 40 });
    expect(small.load(small.hashmap, server.save(server.hashmap))).toBe(false);
    expect(small.logs.at(-1)).toContain("the module's memory is full (wasm.max-memory)");
    expect(small.text('CUSTOM.SET', 'k', 'v')).toBe('+OK\r\n');
  });
});

describe('session', () => {
  const state = (from: FakeServer): string[] =>
    elements(from.call('SESSION.LIST'))
      .map((line) => from.text('SESSION.GET', line.toString('latin1', 4, 40)))
      .sort();
  const raw = Buffer.from('0123456789ab4cde8f0123456789abcd', 'hex');
  interface Head {
    expires?: bigint;
    idle?: number;
    version?: number;
    oldIds?: number;
    /** How many the user has, 0: it is not the first of them; undefined: as encoding 2 had it. */
    sessions?: number | undefined;
  }
  const u32 = (value: number): Buffer => {
    const target = Buffer.alloc(4);
    target.writeUInt32LE(value);
    return target;
  };
  const head = (id: Buffer, created: bigint, accessed: bigint, fields: number, rest: Head = {}): Buffer => {
    const { expires = 0n, idle = 0, version = 0, oldIds = 0, sessions = 'sessions' in rest ? undefined : 1 } = rest;
    return block(
      ...[u64(created), u64(accessed), u64(expires), u32(idle), u32(version), u32(fields), u32(oldIds)],
      ...[...(sessions === undefined ? [] : [u32(sessions)]), id],
    );
  };
  const text = (id: string): Buffer => block(0, id);

  test('sessions of all sizes make the round trip', () => {
    for (const count of [0, 1, 5, 64, 65, 1000]) {
      const id = server.text('SESSION.CREATE', Buffer.concat([Buffer.from([0, 255]), Buffer.from(`u${count}`)])).slice(18, 54);
      for (let index = 0; index < count; index++) server.call('SESSION.ADD_DATA', id, `f${index}`, 'v'.repeat(index % 50));
      server.clock += 1000;
      if (count) server.call('SESSION.ADD_DATA', id, 'large', Buffer.alloc(count === 5 ? 200_000 : 10, 'x'));
    }
    server.call('SESSION.CREATE', Buffer.alloc(70_000, 'u'));
    const other = new FakeServer({ seed: 3 });
    expect(other.load(other.session, server.save(server.session))).toBe(true);
    expect(state(other)).toEqual(state(server));
    expect(other.load(other.session, other.save(other.session))).toBe(true);
    expect(state(other)).toEqual(state(server));
  });

  test('the format is as documented', () => {
    const id = server.text('SESSION.CREATE', 'user').slice(18, 54);
    const raw = Buffer.from(id.replaceAll('-', ''), 'hex');
    server.call('SESSION.ADD_DATA', id, 'f', 'v');
    const now = BigInt(server.clock);
    expect(server.save(server.session)).toEqual([
      1n,
      block(PACKED, item(head(raw, now, now, 1, { version: 1 }), 'user'), item('f', 'v')),
      end(2),
    ]);
  });

  test("a user's key is there once, with the first of its sessions", () => {
    const ids = Array.from({ length: 3 }, () => server.text('SESSION.CREATE', 'user', 'NEW').slice(18, 54));
    const now = BigInt(server.clock);
    const heads = ids.map((id, index) => head(Buffer.from(id.replaceAll('-', ''), 'hex'), now, now, 0, { sessions: index ? 0 : 3 }));
    const saved = server.save(server.session);
    expect(saved).toEqual([3n, block(PACKED, ...heads.map((each, index) => item(each, index ? '' : 'user'))), end(3)]);
    const other = new FakeServer({ seed: 4 });
    expect(other.load(other.session, saved)).toBe(true);
    expect(other.text('SESSION.USER', 'user')).toBe(server.text('SESSION.USER', 'user'));
    other.check();
  });

  test('users of any keys with any number of sessions make the round trip', () => {
    const users = fc.array(fc.tuple(fc.uint8Array({ maxLength: 40 }), fc.nat(70_000), fc.integer({ min: 1, max: 40 })), { maxLength: 8 });
    fc.assert(
      fc.property(users, (drawn) => {
        server.session.exports.flush();
        const keys = new Set(drawn.map(([key, longer]) => Buffer.concat([key, Buffer.alloc(longer % 3 ? 0 : longer)]).toString('latin1')));
        for (const [index, key] of [...keys].entries()) {
          for (let left = drawn[index]![2]; left; left--)
            server.call('SESSION.CREATE', Buffer.from(key, 'latin1'), 'NEW', 'DATA', 'f', 'v');
        }
        const other = new FakeServer({ seed: 2 });
        expect(other.load(other.session, server.save(server.session))).toBe(true);
        for (const key of keys) {
          const user = Buffer.from(key, 'latin1');
          expect(other.text('SESSION.USER', user)).toBe(server.text('SESSION.USER', user));
        }
        expect(other.text('SESSION.COUNT')).toBe(server.text('SESSION.COUNT'));
        other.check();
      }),
      { seed: 37, numRuns: 40 },
    );
  });

  test('limits, ids of the caller, old ids and the order of a user make the round trip', () => {
    const id = (reply: string): string => reply.trim().split(': ')[1] ?? reply;
    server.call('SESSION.CREATE', 'user', 'IDLE', '100', 'TTL', '1000', 'DATA', 'f', 'v', 'g', 'w');
    const ids = ['b', 'a', 'c'].map((letter) => id(server.text('SESSION.CREATE', 'user', 'NEW', 'ID', letter.repeat(20))));
    const first = elements(server.call('SESSION.USER', 'user'))[3]?.toString() ?? '';
    const second = elements(Buffer.concat([Buffer.from('*1\r\n'), server.call('SESSION.ROTATE', first, 'GRACE', '5000')])).toString();
    const third = elements(Buffer.concat([Buffer.from('*1\r\n'), server.call('SESSION.ROTATE', second, 'GRACE', '6000')])).toString();
    server.call('SESSION.ADD_DATA', third, 'f', 'x');
    const known = (from: FakeServer): string[] => [
      from.text('SESSION.USER', 'user'),
      ...[first, second, third, ...ids].flatMap((each) => [from.text('SESSION.INFO', each), from.text('SESSION.GET', each)]),
      ...[first, second, third].map((each) => from.text('SESSION.TTL', each)),
    ];
    const before = known(server);
    const other = new FakeServer({ seed: 9 });
    expect(other.load(other.session, server.save(server.session))).toBe(true);
    expect(known(other)).toEqual(before);
    other.clock += 5000;
    expect(other.text('SESSION.GET', first)).toBe('$-1\r\n');
    expect(other.text('SESSION.GET', second)).toContain(third);
    other.clock += 95_000;
    expect(other.text('SESSION.USER', 'user')).toBe(`*3\r\n${[...ids].reverse().map(bulk).join('')}`);
    other.sweep();
    expect(other.text('SESSION.COUNT')).toBe(':3\r\n');
    other.check();
  });

  test('old ids end in any order and at once, each in constant time however many the session has', () => {
    const many = 20_000;
    const oldId = (index: number, until: bigint) => item(block(u64(until), text(`old-id-of-number-${index}`)), '');
    const secondsOf = (body: () => void): number => {
      const start = process.cpuUsage();
      body();
      return process.cpuUsage(start).user / 1e6;
    };
    /** Loads many sessions of so many old ids each, and has the old ids end. */
    const ending = (oldIds: number): number => {
      const sessions = Array.from({ length: many / oldIds }, (_, session) => {
        const own = Array.from({ length: oldIds }, (_, index) => oldId(session * oldIds + index, BigInt(server.clock + 1 + (index % 700))));
        return [item(head(text(`session-number-${session}`), 1n, 1n, 0, { oldIds }), `u${session}`), ...own];
      });
      const items = sessions.flat();
      const blocks = Array.from({ length: Math.ceil(items.length / 500) }, (_, index) => items.slice(index * 500, (index + 1) * 500));
      const saved = [BigInt(sessions.length), ...blocks.map((each) => block(PACKED, ...each)), end(items.length)];
      expect(server.load(server.session, saved)).toBe(true);
      server.check();
      server.clock += 1000;
      const seconds = secondsOf(() => server.sweep());
      expect(server.text('SESSION.SCAN', '0', 'COUNT', '100000').split('old-id').length).toBe(1);
      server.check();
      return seconds;
    };
    expect(ending(many)).toBeLessThan(3 * ending(1) + 0.1);
  });

  test.each([
    [100, 50],
    [50, 100],
  ])('old ids of a file answer as long as it says, %i and %i ms, until a rotation has an end to all', (...lives) => {
    const olds = lives.map((ms, index) => ({ id: `old-id-of-number-${index}`, ms }));
    const items = olds.map(({ id, ms }) => item(block(u64(BigInt(server.clock + ms)), text(id)), ''));
    const session = item(head(text('a-session-of-a-user'), 1n, BigInt(server.clock), 0, { oldIds: 2, sessions: undefined }), 'u');
    expect(server.load(server.session, [1n, block(PACKED, session, ...items), end(3)], 2)).toBe(true);
    server.check();
    const answering = (): string[] => olds.map(({ id }) => id).filter((id) => server.text('SESSION.GET', id) !== '$-1\r\n');
    expect(answering()).toHaveLength(2);
    server.clock += 50;
    expect(answering()).toEqual(olds.filter(({ ms }) => ms > 50).map(({ id }) => id));
    expect(server.text('SESSION.ROTATE', 'a-session-of-a-user', 'GRACE', '20')).toMatch(/^\$36/);
    expect(answering()).toHaveLength(1);
    server.clock += 20;
    expect(answering()).toEqual([]);
    server.check();
  });

  test('reads version 2, which had the key of the user with each session', () => {
    const ids = ['session-1-of-the-user', 'session-2-of-the-user'];
    const items = ids.map((id) => item(head(text(id), 5n, 6n, 0, { sessions: undefined }), 'user'));
    expect(server.load(server.session, [2n, block(PACKED, ...items), end(2)], 2)).toBe(true);
    expect(server.text('SESSION.USER', 'user')).toBe(`*2\r\n${[...ids].reverse().map(bulk).join('')}`);
    server.check();
  });

  test('reads version 1', () => {
    const head1 = block(raw, u64(5n), u64(6n), 1, 0, 0, 0);
    expect(server.load(server.session, [1n, block(PACKED, item(head1, 'user'), item('f', 'v')), end(2)], 1)).toBe(true);
    expect(server.text('SESSION.GET', '01234567-89ab-4cde-8f01-23456789abcd')).toContain(
      '"user_key":"user","created_at":"1970-01-01T00:00:00.005Z","last_accessed":"1970-01-01T00:00:00.006Z","data":{"f":"v"}',
    );
    server.check();
  });

  test.each<[reason: string, saved: Saved]>([
    ["a session's item is of a wrong length", [1n, block(PACKED, item('short', 'u')), end(1)]],
    ['an id is not well-formed', [1n, block(PACKED, item(head(Buffer.alloc(16), 1n, 1n, 0), 'u')), end(1)]],
    ['an id is not well-formed', [1n, block(PACKED, item(head(text('a space in the text'), 1n, 1n, 0), 'u')), end(1)]],
    ['an id is not well-formed', [1n, block(PACKED, item(head(block('1no-zero-byte-first'), 1n, 1n, 0), 'u')), end(1)]],
    ["a session's item is of a wrong length", [1n, block(PACKED, item(head(text('x'.repeat(129)), 1n, 1n, 0), 'u')), end(1)]],
    ['a time is out of range', [1n, block(PACKED, item(head(raw, 1n, 1n, 0, { expires: 1n << 60n }), 'u')), end(1)]],
    [
      "a session's item is of a wrong length",
      [1n, block(PACKED, item(head(raw, 1n, 1n, 0, { oldIds: 1 }), 'u'), item(u64(1n), '')), end(2)],
    ],
    [
      'a session is there twice',
      [1n, block(PACKED, item(head(raw, 1n, 1n, 0, { oldIds: 1 }), 'u'), item(block(u64(1n), raw), '')), end(2)],
    ],
    [
      'a time is out of range',
      [
        1n,
        block(PACKED, item(head(raw, 1n, 1n, 0, { oldIds: 1 }), 'u'), item(block(u64(1n << 60n), text('an-old-id-of-the-session')), '')),
        end(2),
      ],
    ],
    [
      'an id is not well-formed',
      [1n, block(PACKED, item(head(raw, 1n, 1n, 0, { oldIds: 1 }), 'u'), item(block(u64(1n), 'an-old-id-of-the-session'), '')), end(2)],
    ],
    ['a session is there twice', [2n, block(PACKED, item(head(raw, 1n, 1n, 0), 'u'), item(head(raw, 1n, 1n, 0), 'v')), end(2)]],
    ['a time is out of range', [1n, block(PACKED, item(head(raw, 253402300800000n, 1n, 0), 'u')), end(1)]],
    ['a time is out of range', [1n, block(PACKED, item(head(raw, 1n, (1n << 64n) - 1n, 0), 'u')), end(1)]],
    ['a field is there twice', [1n, block(PACKED, item(head(raw, 1n, 1n, 2), 'u'), item('f', 'v'), item('f', 'w')), end(3)]],
    ['it ends before its last record', [1n, block(PACKED, item(head(raw, 1n, 1n, 2), 'u'), item('f', 'v')), end(2)]],
    ['a block goes on after the last record', [1n, block(PACKED, item(head(raw, 1n, 1n, 0), 'u'), item('f', 'v')), end(2)]],
    ["a user's number of sessions is out of range", [1n, block(PACKED, item(head(raw, 1n, 1n, 0, { sessions: 0 }), 'u')), end(1)]],
    ["a user's number of sessions is out of range", [1n, block(PACKED, item(head(raw, 1n, 1n, 0, { sessions: 2 }), 'u')), end(1)]],
    [
      'a user is there twice',
      [2n, block(PACKED, item(head(raw, 1n, 1n, 0), 'u'), item(head(text('another-session-of-it'), 1n, 1n, 0), 'u')), end(2)],
    ],
    ...([{ sessions: 1 }, { sessions: 0 }] as const).map((second, index): [string, Saved] => [
      'a user begins before the sessions of another end',
      [
        2n,
        block(
          PACKED,
          item(head(raw, 1n, 1n, 0, { sessions: 2 }), 'u'),
          item(head(text('another-session-of-it'), 1n, 1n, 0, second), index ? 'v' : ''),
        ),
        end(2),
      ],
    ]),
  ])('refuses: %s (%#)', (reason, saved) => {
    server.call('SESSION.CREATE', 'before');
    expect(server.load(server.session, saved)).toBe(false);
    expect(server.logs.at(-1)).toContain(`warning session: refused the data of the RDB file: ${reason} (at item `);
    expect(server.text('SESSION.LIST')).toBe('*0\r\n');
    expect(server.text('SESSION.CREATE', 'after')).toMatch(/^\+Session created: /);
  });

  test('a damaged file is refused, or is a sound one: never a fault, never part of it', () => {
    for (let index = 0; index < 8; index++) {
      const id = server.text('SESSION.CREATE', `user:${index}`).slice(18, 54);
      for (let field = 0; field < index; field++) server.call('SESSION.ADD_DATA', id, `f${field}`, Buffer.alloc(field === 6 ? 66000 : 3));
    }
    const saved = server.save(server.session);
    let refused = 0;
    fc.assert(
      fc.property(damage, (how) => {
        const file = damaged(saved, how);
        // A session whose end the damage has put into the past is there, and hidden.
        if (server.load(server.session, file)) {
          expect(server.text('SESSION.COUNT')).toBe(`:${String(file[0])}\r\n`);
          server.check();
        } else {
          refused++;
          expect(server.text('SESSION.LIST')).toBe('*0\r\n');
        }
      }),
      { seed: 31, numRuns: 1500 },
    );
    expect(refused).toBeGreaterThan(500);
  });
});

/** In the order of its own hash key a table would split at every step: loading took eleven times as long. */
test('a server that loads its own file, in the order of its tables, has other hash keys by then', () => {
  const order = (command: string): string[] => elements(server.call(command)).map((line) => line.toString('latin1', 0, 40));
  for (let index = 0; index < 200; index++) {
    server.call('CUSTOM.SET', `key ${index}`, 'value');
    server.call('SESSION.CREATE', `user ${index}`);
  }
  for (const [module, command] of [
    [server.session, 'SESSION.LIST'],
    [server.hashmap, 'CUSTOM.KEYS'],
  ] as const) {
    const before = order(command);
    const saved = server.save(module);
    module.exports.flush();
    expect(server.load(module, saved)).toBe(true);
    const after = order(command);
    expect(after).not.toEqual(before);
    expect(after.sort()).toEqual(before.sort());
  }
});
