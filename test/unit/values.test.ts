/** Values that the storage keeps in fewer bytes than their text has: whoever reads one gets the text. */
import fc from 'fast-check';
import { beforeEach, describe, expect, test } from 'vitest';
import { bulk, FakeServer, NULL } from '../support/fake-redis.ts';
import { parseReply } from '../support/reply.ts';
import { VALUES } from '../support/values.ts';

let server: FakeServer;
beforeEach(() => {
  server = new FakeServer();
});

const latin1 = (text: string) => Buffer.from(text, 'latin1');
const send = (name: string, ...args: string[]) => server.call(name, ...args.map(latin1)).toString('latin1');
/** Keys of which the entry has each form of header. */
const KEYS = ['', 'k', 'k'.repeat(31), 'k'.repeat(32), 'k'.repeat(255), 'k'.repeat(256)];
const OPTIONS = [[], ['EX', '1000']];

describe.each(VALUES)('%j', (value, bytes) => {
  const stored = bulk(latin1(value));

  test.each(KEYS)('every command reads it as it was stored, under %j', (key) => {
    for (const options of OPTIONS) {
      const store = () => {
        expect(send('CUSTOM.SET', key, value, ...options)).toBe('+OK\r\n');
      };
      store();
      expect(send('CUSTOM.GET', key)).toBe(stored);
      expect(send('CUSTOM.MGET', key, 'absent', key)).toBe(`*3\r\n${stored}${NULL}${stored}`);
      expect(send('CUSTOM.STRLEN', key)).toBe(`:${value.length}\r\n`);
      expect(send('CUSTOM.SET', key, 'other', 'NX', 'GET')).toBe(stored);
      expect(send('CUSTOM.SET', key, 'other', 'GET')).toBe(stored);
      store();
      expect(send('CUSTOM.SET', key, value, 'GET', 'KEEPTTL')).toBe(stored);
      expect(send('CUSTOM.APPEND', key, '')).toBe(`:${value.length}\r\n`);
      expect(send('CUSTOM.GET', key)).toBe(stored);
      expect(send('CUSTOM.PERSIST', key)).toBe(`:${options.length / 2}\r\n`);
      expect(send('CUSTOM.GET', key)).toBe(stored);
      expect(send('CUSTOM.EXPIRE', key, '50')).toBe(':1\r\n');
      expect(send('CUSTOM.GETDEL', key)).toBe(stored);
      expect(send('CUSTOM.MSET', key, 'first', key, value)).toBe('+OK\r\n');
      expect(send('CUSTOM.GET', key)).toBe(stored);
      expect(send('CUSTOM.SCAN', '0')).toContain(bulk(latin1(key)));
      server.check();
    }
  });

  test('is kept in as many bytes', () => {
    send('CUSTOM.SET', 'key', value);
    const used = server.infoOf(server.hashmap).get('hashmap_heap_used');
    const memory = send('CUSTOM.MEMORY', 'key');
    // Letters are kept as they come.
    send('CUSTOM.SET', 'key', 'x'.repeat(bytes));
    expect(send('CUSTOM.MEMORY', 'key')).toBe(memory);
    expect(server.infoOf(server.hashmap).get('hashmap_heap_used')).toBe(used);
  });

  test('bytes go behind it, and an integer is added, as to its text', () => {
    for (const suffix of ['x', '0', '-', 'x'.repeat(100)]) {
      send('CUSTOM.SET', 'key', value);
      expect(send('CUSTOM.APPEND', 'key', suffix)).toBe(`:${value.length + suffix.length}\r\n`);
      expect(send('CUSTOM.GET', 'key')).toBe(bulk(latin1(value + suffix)));
    }
    send('CUSTOM.SET', 'key', value);
    const isInteger = /^(0|-?[1-9]\d*)$/.test(value) && BigInt.asIntN(64, BigInt(value)) === BigInt(value);
    const by = value.startsWith('-') ? '1' : '-1';
    const sum = isInteger ? String(BigInt(value) + BigInt(by)) : '';
    expect(send('CUSTOM.INCRBY', 'key', by)).toBe(isInteger ? `:${sum}\r\n` : '-ERR value is not an integer or out of range\r\n');
    expect(send('CUSTOM.GET', 'key')).toBe(isInteger ? bulk(sum) : stored);
    server.check();
  });

  test('a module that is linked reads its text', () => {
    const { region, exports } = server.hashmap;
    send('CUSTOM.SET', 'key', value);
    const { pointers, mark } = region.push([latin1('key')]);
    const { get } = exports as unknown as { get: (key: number, length: number) => bigint };
    const reply = BigInt.asUintN(64, get(pointers[0]!, 3));
    const [pointer, length] = [Number(reply & 0xffff_ffffn), Number(reply >> 32n)];
    region.release(mark);
    expect(region.read(pointer, length).toString('latin1')).toBe(value);
    expect(pointer).toBeGreaterThan(0);
  });
});

test('text that becomes a UUID or an integer piece by piece takes no more than one that came at once', () => {
  for (const [value] of VALUES) {
    send('CUSTOM.SET', 'whole', value);
    send('CUSTOM.DEL', 'piece');
    for (let at = 0; at < value.length; at++) send('CUSTOM.APPEND', 'piece', value.charAt(at));
    if (value) expect(send('CUSTOM.GET', 'piece')).toBe(bulk(latin1(value)));
    if (value) expect(send('CUSTOM.MEMORY', 'piece')).toBe(send('CUSTOM.MEMORY', 'whole'));
  }
});

test('a file holds the text, and what is loaded is the same', () => {
  for (const [at, [value]] of VALUES.entries()) send('CUSTOM.SET', `key${at}`, value, ...OPTIONS[at & 1]!);
  const saved = server.save(server.hashmap);
  const content = Buffer.concat(saved.filter((part) => typeof part !== 'bigint'));
  for (const [value] of VALUES) expect(content.includes(latin1(value))).toBe(true);
  const memory = VALUES.map((_, at) => send('CUSTOM.MEMORY', `key${at}`));
  server = new FakeServer();
  expect(server.load(server.hashmap, saved)).toBe(true);
  expect(VALUES.map((_, at) => send('CUSTOM.GET', `key${at}`))).toEqual(VALUES.map(([value]) => bulk(latin1(value))));
  expect(VALUES.map((_, at) => send('CUSTOM.MEMORY', `key${at}`))).toEqual(memory);
  server.check();
});

test('values of every form take each other’s place, as in a Map', () => {
  const hex = fc.string({ unit: fc.constantFrom(...'0 1 2 3 4 5 6 7 8 9 a b c d e f'.split(' ')), minLength: 32, maxLength: 32 });
  const uuid = hex.map((digits) => digits.replace(/(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-'));
  const integer = fc
    .bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })
    .chain((whole) => fc.nat(63).map((bits) => String(whole >> BigInt(bits))));
  const text = fc.nat(200).map((length) => 'x'.repeat(length));
  const value = fc.oneof(uuid, integer, text, fc.constantFrom(...VALUES.map(([one]) => one)));
  const key = fc.constantFrom(...KEYS);
  const step = fc.oneof(
    { weight: 6, arbitrary: fc.tuple(fc.constantFrom('set', 'until', 'keep', 'mset', 'append'), key, value) },
    { weight: 2, arbitrary: fc.tuple(fc.constantFrom('delete', 'persist', 'expire'), key, fc.constant('')) },
    { weight: 2, arbitrary: fc.tuple(fc.constant('add'), key, integer) },
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60, size: 'max' }), (steps) => {
      server = new FakeServer();
      const model = new Map<string, string>();
      for (const [kind, name, operand] of steps) {
        apply(model, kind, name, operand);
        expect(send('CUSTOM.GET', name)).toBe(model.has(name) ? bulk(latin1(model.get(name)!)) : NULL);
        server.check();
      }
      const all = KEYS.map((name) => (model.has(name) ? bulk(latin1(model.get(name)!)) : NULL));
      expect(send('CUSTOM.MGET', ...KEYS)).toBe(`*${KEYS.length}\r\n${all.join('')}`);
    }),
    { seed: 5, numRuns: 150 },
  );
});

/** Does a step to the store and to its model. */
function apply(model: Map<string, string>, kind: string, key: string, operand: string): void {
  const before = model.get(key);
  if (kind === 'append') {
    model.set(key, (before ?? '') + operand);
    send('CUSTOM.APPEND', key, operand);
  } else if (kind === 'add') {
    const reply = String(parseReply(send('CUSTOM.INCRBY', key, operand)));
    if (/^-?\d+$/.test(reply)) model.set(key, String(BigInt(before ?? '0') + BigInt(operand)));
  } else if (kind === 'delete') {
    model.delete(key);
    send('CUSTOM.DEL', key);
  } else if (kind === 'persist' || kind === 'expire') {
    send(`CUSTOM.${kind}`, key, ...(kind === 'expire' ? ['100'] : []));
  } else {
    const options = { set: [], mset: [], until: ['PX', '5000'], keep: ['KEEPTTL', 'GET'] }[kind] ?? [];
    model.set(key, operand);
    send(kind === 'mset' ? 'CUSTOM.MSET' : 'CUSTOM.SET', key, operand, ...options);
  }
}
