/**
 * What kit modules hold leaves with a cluster's slot: exported from one fake server, applied by another,
 * dropped from the first.
 */
import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { FakeServer, placeModule, type FakeModule } from '../support/fake-redis.ts';
import { kitModule, kitOf } from '../support/kit.ts';
import { REPLICATED } from '../support/sessions.ts';
import { slotOf } from '../support/slots.ts';

const SLOTS = Array.from({ length: 16_384 }, (_, slot) => slot);
const half = (rest: number): number[] => SLOTS.filter((slot) => slot % 2 === rest);

/** A table for each kind of key. */
const KINDS = `import { command, SortedTable, Table } from "redis-wasm/kit";
class Pair { constructor(public name: string, public number: i32) {} }
const words = new Table<string, string>("words");
const bytes = new SortedTable<string, string>("bytes");
const signed = new Table<i16, string>("signed");
const unsigned = new SortedTable<u64, string>("unsigned");
const floats = new SortedTable<f64, string>("floats");
const pairs = new SortedTable<Pair, string>("pairs");
command("KINDS.SET", "key:key number:integer value:string", set);
function set(key: string, number: i64, value: string): void {
  words.set(key, value);
  bytes.set(key, value);
  signed.set(i16(number), value);
  unsigned.set(u64(number), value);
  floats.set(f64(number), value);
  pairs.set(new Pair(key, i32(number)), value);
  pairs.in(key).set(new Pair("x", i32(number)), value);
  words.in(key).set(value, value);
}
command("KINDS.FILL", "key:key count:integer", fill);
function fill(key: string, count: i64): void {
  for (let index: i64 = 0; index < count; index++) bytes.in(key).set(index.toString(), "x");
}
command("KINDS.LONG", "key:key count:integer size:integer", long);
function long(key: string, count: i64, size: i64): void {
  for (let index: i64 = 0; index < count; index++) bytes.in(key + "y".repeat(i32(size)) + index.toString()).set("a", "x");
}
command("KINDS.EXPIRE", "key:key deadline:integer", expire);
function expire(key: string, deadline: i64): bool { return bytes.in(key).expireAt(deadline); }`;

const version = (
  name: string,
  fields: string,
  made: string,
  more = '',
): string => `import { command, SortedTable, Table } from "redis-wasm/kit";
class Item { constructor(${fields}) {} }
const items = new Table<string, Item>("items");
${more}
command("${name}.SET", "key:key name:string", set);
function set(key: string, name: string): void { items.set(key, new Item(${made})); }
command("${name}.RENAME", "key:key name:string", rename);
function rename(key: string, name: string): void {
  const item = items.find(key);
  if (item === null) return;
  item.name = name;
  items.set(key, item);
}`;
const NEWER = version(
  'NEWER',
  'public name: string, public price: f64, public tags: string[]',
  'name, 2.5, ["a", ""]',
  `const further = new SortedTable<i64, Item>("further");
   command("NEWER.FURTHER", "key:key number:integer deadline:integer", further_);
   function further_(key: string, number: i64, deadline: i64): void {
     further.set(number, new Item(key, 1, []), deadline);
     further.in(key).set(number, new Item(key, 2, ["x"]));
     further.in(key).expireAt(deadline);
   }`,
);
const OLDER = version('OLDER', 'public name: string', 'name');

beforeAll(async () => {
  placeModule('ops', await kitModule('ops'));
  placeModule('kinds', await kitOf('kinds', KINDS));
  placeModule('newer', await kitOf('newer', NEWER));
  placeModule('older', await kitOf('older', OLDER));
}, 600_000);

const moduleOf = (server: FakeServer): FakeModule => server.kit!;
const exported = (server: FakeServer, slots: Iterable<number>): Buffer[][] => server.exportSlots(moduleOf(server), slots);

function applied(effects: Buffer[][], target: FakeServer): FakeServer {
  const { flags } = target;
  target.flags = flags | REPLICATED;
  target.replay(effects);
  target.flags = flags;
  target.check();
  return target;
}

/** A server with this module that has applied these effects. */
const taking = (name: string, effects: Buffer[][], clock: number): FakeServer => {
  const target = new FakeServer({ kit: name, seed: 99 });
  target.clock = clock;
  return applied(effects, target);
};

/** Two byte strings of a file, as docs/ABI.md has them. */
function* items(strings: Buffer[]): Generator<[Buffer, Buffer]> {
  for (let block = strings.shift()!; block[0] !== 0; block = strings.shift()!) {
    let at = 1;
    const length = (): number => {
      let value = 0;
      for (let shift = 0; ; shift += 7) {
        const byte = block[at++]!;
        value |= (byte & 127) << shift;
        if (byte < 128) return value;
      }
    };
    if (block[0] === 2) yield [strings.shift()!, strings.shift()!];
    else
      while (at < block.length) {
        const [a, b] = [length(), length()];
        yield [block.subarray(at, at + a), block.subarray(at + a, at + a + b)];
        at += a + b;
      }
  }
}

/** All that the module holds, each with schema and deadline, whatever the numbers of tables and schemas. */
function contents(server: FakeServer): string[] {
  server.check();
  const saved = server.save(moduleOf(server));
  const count = Number(saved[0]);
  const schemas = saved.slice(1, count + 1) as Buffer[];
  const texts = new Map(schemas.map((schema) => [schema[0], schema.toString('latin1', 2)]));
  const tables = new Map(schemas.map((schema) => [schema[1], schema.toString('latin1', 2).split(' ')[1]]));
  const strings = saved.slice(count + 1).filter((each): each is Buffer => typeof each !== 'bigint');
  const found: string[] = [];
  for (const kind of ['entry', 'timed', 'head']) {
    for (const [a, b] of items(strings)) {
      const deadline = kind === 'entry' ? 0n : a.readBigInt64LE(0);
      const key = a.subarray(kind === 'entry' ? 0 : 8);
      const value = kind === 'head' ? '' : `${texts.get(b[0])} ${b.toString('latin1', 1)}`;
      found.push(`${kind} ${deadline} ${tables.get(key[0])} ${key.toString('latin1', 1)} = ${value}`);
    }
  }
  return found.sort();
}

const entriesOf = (server: FakeServer): bigint | undefined => server.infoOf(moduleOf(server)).get(`${moduleOf(server).name}_entries`);

describe('random tables', () => {
  const name = fc.constantFrom('a', 'b', 'ab', 'é', 'a\0b', 'zzzzzzzzzzzzzzzzzzzzzzzzzz');
  const value = fc.constantFrom('x', 'yy', 'z'.repeat(3000));
  const deadline = fc.constantFrom('0', '0', '1767323045000', '1767323050000');
  const step = fc.oneof(
    fc.tuple(fc.constantFrom('words', 'in-words'), name, value, deadline).map(([of, n, v, d]) => `set ${of} ${n} ${v} ${d}`),
    fc.tuple(fc.constantFrom('lines', 'in-lines'), name, fc.nat(9), deadline).map(([of, n, v, d]) => `set ${of} ${n} ${v} ${d}`),
    fc.tuple(fc.constantFrom('words', 'in-words', 'lines', 'in-lines'), name).map(([of, n]) => `delete ${of} ${n}`),
    fc.tuple(name, fc.nat(9)).map(([n, v]) => `add sums ${n} ${v}`),
    fc.tuple(name, fc.constantFrom('', ' more')).map(([n, more]) => `set notes ${n} text 0.5${more}`),
    fc.tuple(fc.nat(9), name).map(([points, n]) => `set in-places ${points} ${n} place`),
    fc.tuple(fc.constantFrom('in-lines', 'in-words'), deadline).map(([of, d]) => `expire ${of} ${d}`),
  );
  const command = fc.tuple(fc.constantFrom('k', 'l', 'm', '{k}n', ''), fc.array(step, { minLength: 1, maxLength: 8 }), fc.nat(9000));

  test('move in two halves, and nothing of them is lost or changed', { timeout: 120_000 }, () => {
    let moved = 0;
    fc.assert(
      fc.property(fc.array(command, { minLength: 1, maxLength: 16 }), fc.integer({ min: 1, max: 20 }), (commands, most) => {
        const source = new FakeServer({ kit: 'ops' });
        for (const [key, steps, later] of commands) {
          source.clock += later;
          source.call('OPS.RUN', key, ...steps);
        }
        const before = contents(source);
        const heads = before.filter((each) => each.startsWith('head')).length;
        expect(source.countSlots(moduleOf(source), SLOTS)).toBe(before.length - heads);
        const target = new FakeServer({ kit: 'ops', seed: 99 });
        target.clock = source.clock;
        for (const rest of [0, 1]) {
          const effects = exported(source, half(rest));
          for (const effect of effects) expect(slotOf(effect[1]!) % 2).toBe(rest);
          moved += effects.length;
          // Each twice is as each once.
          applied(
            effects.flatMap((effect) => [effect, effect]),
            target,
          );
          source.dropSlots(moduleOf(source), half(rest), most);
          source.check();
          expect(source.countSlots(moduleOf(source), half(rest))).toBe(0);
        }
        expect(contents(target)).toEqual(before);
        expect(entriesOf(source)).toBe(0n);
        // What comes back is what was there.
        applied(exported(target, SLOTS), source);
        expect(contents(source)).toEqual(before);
      }),
      { seed: 53, numRuns: 40, endOnFailure: true },
    );
    expect(moved).toBeGreaterThan(200);
  });
});

describe('an export', () => {
  test('leaves each entry in the slot of the key that it is in, or of its own', () => {
    const server = new FakeServer({ kit: 'kinds' });
    const numbers = [-300, 0, 7, 32_000];
    const keys = ['', 'a', '{a}b', 'a\0b\0\0', 'x'.repeat(20_000), `\0${'y'.repeat(20_000)}`];
    for (const [index, key] of keys.entries()) server.call('KINDS.SET', key, String(numbers[index % numbers.length]), `value ${index}`);
    const slots = new Set([...keys, ...numbers.map(String), '18446744073709551316', 'floats', 'pairs'].map((key) => slotOf(key)));
    const all = contents(server);
    expect(server.countSlots(moduleOf(server), slots)).toBe(all.length);
    for (const slot of slots) expect(server.countSlots(moduleOf(server), [slot]), String(slot)).toBeGreaterThan(0);
    const effects = [...slots].flatMap((slot) => {
      const own = exported(server, [slot]);
      for (const effect of own) expect(slotOf(effect[1]!)).toBe(slot);
      return own;
    });
    const target = taking('kinds', effects, server.clock);
    expect(contents(target)).toEqual(all);
    for (const slot of slots) expect(server.dropSlots(moduleOf(server), [slot], 1)).toBeGreaterThan(0);
    expect(entriesOf(server)).toBe(0n);
    server.check();
  });

  test('changes nothing of what the stream is told, and tells what it has told', () => {
    const newer = new FakeServer({ kit: 'newer' });
    for (const key of ['a', 'b', 'c']) {
      newer.call('NEWER.SET', key, 'name');
      newer.call('NEWER.FURTHER', key, '5', String(newer.clock + 100_000));
    }
    const source = new FakeServer({ kit: 'older' });
    expect(source.load(moduleOf(source), newer.save(moduleOf(newer)), 1)).toBe(true);
    const before = contents(source);
    // What a version lacks, fields and tables, goes along.
    expect(before.join()).toContain('head');
    expect(before.join()).toContain('price:f64');
    const exports = exported(source, SLOTS);
    expect(contents(taking('older', exports, source.clock))).toEqual(before);
    // The first effect of the stream tells its schema, the export notwithstanding …
    source.call('OLDER.RENAME', 'a', 'renamed');
    expect(source.propagated.at(-1)).toHaveLength(6);
    source.call('OLDER.RENAME', 'a', 'again');
    expect(source.propagated.at(-1)).toHaveLength(5);
    // … and an export of slots in which nothing lies tells those that later effects do without.
    const empty = SLOTS.filter((slot) => !['a', 'b', 'c', '5'].some((key) => slotOf(key) === slot)).slice(0, 1);
    expect(source.countSlots(moduleOf(source), empty)).toBe(0);
    const told = exported(source, empty);
    expect(told.map((effect) => slotOf(effect[1]!))).toEqual(empty);
    const later = [source.propagated.at(-1)];
    expect(() => taking('older', later, source.clock)).toThrow('schema that is not known');
    const target = taking('older', [...told, ...later], source.clock);
    expect(contents(target).join()).toContain('again');
    // Of a set without slots nothing is told.
    expect(exported(source, [])).toEqual([]);
    const back = new FakeServer({ kit: 'newer', seed: 5 });
    const whole = taking('older', exported(source, SLOTS), source.clock);
    expect(back.load(moduleOf(back), whole.save(moduleOf(whole)), 1)).toBe(true);
    expect(contents(back).length).toBe(before.length);
  });

  test('batches what lies in one slot, and takes long entries by themselves', () => {
    const server = new FakeServer({ kit: 'kinds' });
    server.call('KINDS.FILL', 'a', '1000');
    expect(exported(server, [slotOf('a')]).length).toBeLessThan(10);
    server.call('KINDS.SET', 'a', '1', 'x'.repeat(300_000));
    const effects = exported(server, SLOTS);
    expect(effects.filter((effect) => effect[4]!.length > 300_000).length).toBe(8);
    expect(contents(taking('kinds', effects, server.clock))).toEqual(contents(server));
  });

  test('is told to whoever watches where it is applied, without an event', () => {
    const server = new FakeServer({ kit: 'kinds' });
    server.call('KINDS.FILL', 'a', '3');
    const target = taking('kinds', exported(server, SLOTS), server.clock);
    expect([target.events, target.signalled]).toEqual([[], ['a']]);
  });
});

describe('dropping', () => {
  test('goes on in a key with many entries, and ends their common deadline with the last', () => {
    const server = new FakeServer({ kit: 'kinds' });
    for (const key of ['a', 'b']) {
      server.call('KINDS.FILL', key, '500');
      server.call('KINDS.EXPIRE', key, String(server.clock + 100_000));
    }
    for (const list of [server.propagated, server.events, server.signalled]) list.length = 0;
    let steps = 0;
    for (let more = true; more; steps++) {
      const before = server.countSlots(moduleOf(server), [slotOf('b')]);
      more = server.dropStep(moduleOf(server), [slotOf('b')], 30);
      expect(before - server.countSlots(moduleOf(server), [slotOf('b')])).toBeLessThanOrEqual(30);
      server.check();
      server.call('KINDS.SET', `{a}${steps}`, String(steps), 'x');
    }
    expect(steps).toBeGreaterThan(16);
    expect(contents(server).filter((each) => each.startsWith('head')).length).toBe(1);
    expect(new Set(server.signalled.filter((key) => !key.startsWith('{a}') && !/^\d+$|^floats$|^pairs$/.test(key)))).toEqual(
      new Set(['b']),
    );
    expect(server.events.every((event) => event.includes('kinds.set'))).toBe(true);
    expect(server.infoOf(moduleOf(server)).get('kinds_expired')).toBe(0n);
  });

  test('comes to its end where many keys begin alike, and none of them leaves', () => {
    const server = new FakeServer({ kit: 'kinds' });
    expect(server.text('KINDS.LONG', 'a', '300', '500')).toBe('+OK\r\n');
    const free = SLOTS.filter((slot) => server.countSlots(moduleOf(server), [slot]) === 0).slice(0, 3);
    expect(server.dropSlots(moduleOf(server), free, 2)).toBeLessThan(10);
    expect(entriesOf(server)).toBe(300n);
    expect(server.dropSlots(moduleOf(server), SLOTS, 7)).toBeGreaterThan(40);
    expect(entriesOf(server)).toBe(0n);
    server.check();
  });

  test('begins anew after a flush', () => {
    const server = new FakeServer({ kit: 'kinds' });
    for (let index = 0; index < 300; index++) server.call('KINDS.SET', `key ${index}`, String(index), 'x');
    for (let step = 0; step < 60; step++) server.dropStep(moduleOf(server), half(0), 10);
    moduleOf(server).exports.flush();
    for (let index = 0; index < 300; index++) server.call('KINDS.SET', `key ${index}`, String(index), 'x');
    server.dropSlots(moduleOf(server), half(0), 10);
    expect(server.countSlots(moduleOf(server), half(0))).toBe(0);
    expect(server.countSlots(moduleOf(server), half(1))).toBeGreaterThan(0);
    server.check();
  });
});
