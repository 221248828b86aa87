/**
 * Slots that move one after the other find their entries by an index, which is made when the first is asked
 * for by itself: it knows what comes afterwards, and is forgotten where it is in the way.
 */
import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { FakeServer, placeModule, type FakeModule } from '../support/fake-redis.ts';
import { kitModule } from '../support/kit.ts';
import { created, REPLICATED, userIds } from '../support/sessions.ts';
import { slotOf } from '../support/slots.ts';

/** More than are walked over without an index, in so many slots. */
const COUNT = 3000;
const TAGS = Array.from({ length: 12 }, (_, index) => `{t${index}}`);
const slotsOfTags = TAGS.map(slotOf);
const keyOf = (tag: number, number: number): string => `${TAGS[tag]}${number}`;

/** Fills the memory with entries of one slot that does not move; how many came of each size. */
const FILL = '{fill}';
function fill(server: FakeServer, sizes: number[]): number[] {
  return sizes.map((size) => {
    let count = 0;
    while (server.text('CUSTOM.SET', `${FILL}${size}/${count}`, 'x'.repeat(size)) === '+OK\r\n') count++;
    return count;
  });
}

const indexOf = (server: FakeServer, module: FakeModule): bigint => server.infoOf(module).get(`${module.name}_slot_index`)!;
/** The keys that an export of the hashmap names, each once. */
const named = (effects: Buffer[][]): string[] => effects.map((effect) => String(effect[String(effect[0]) === 'custom.set' ? 1 : 3])).sort();

beforeAll(async () => {
  placeModule('ops', await kitModule('ops'));
}, 600_000);

describe('the hashmap', () => {
  function filled(options: ConstructorParameters<typeof FakeServer>[0] = {}): FakeServer {
    const server = new FakeServer(options);
    for (let index = 0; index < COUNT; index++) server.call('CUSTOM.SET', keyOf(index % TAGS.length, index), 'value');
    return server;
  }

  test('has none for many slots, for few entries, and after a drop of nothing', () => {
    const server = filled();
    const small = new FakeServer();
    small.call('CUSTOM.SET', 'a', 'b');
    expect(small.exportSlots(small.hashmap, [slotOf('a')])).toHaveLength(1);
    server.exportSlots(server.hashmap, slotsOfTags);
    server.dropSlots(server.hashmap, [slotsOfTags[0]!], 50);
    for (const each of [small, server]) expect(indexOf(each, each.hashmap)).toBe(0n);
    const count = server.countSlots(server.hashmap, [slotsOfTags[1]!]);
    expect(server.exportSlots(server.hashmap, [slotsOfTags[1]!])).toHaveLength(count);
    expect(indexOf(server, server.hashmap)).toBeGreaterThan(BigInt(8 * (COUNT - COUNT / TAGS.length)));
    server.check();
    // It looks at nothing: a single step is its end, however few that may look at.
    expect(server.dropSlots(server.hashmap, [], 1)).toBe(1);
    expect(indexOf(server, server.hashmap)).toBe(0n);
    server.check();
  });

  test('random writes and moves lose nothing, and tell nothing twice', { timeout: 120_000 }, () => {
    const tag = fc.nat(TAGS.length - 1);
    const step = fc.oneof(
      fc.tuple(fc.constant('set'), tag, fc.nat(400)),
      fc.tuple(fc.constant('fill'), tag, fc.integer({ min: 1, max: 900 })),
      fc.tuple(fc.constant('delete'), tag, fc.nat(400)),
      fc.tuple(fc.constant('again'), tag, fc.nat(40)),
      fc.tuple(fc.constant('export'), tag, fc.constant(0)),
      fc.tuple(fc.constant('drop'), tag, fc.constant(0)),
    );
    let byIndex = 0;
    fc.assert(
      fc.property(fc.array(step, { minLength: 10, maxLength: 60 }), (steps) => {
        const server = filled();
        const keys = new Set(Array.from({ length: COUNT }, (_, index) => keyOf(index % TAGS.length, index)));
        const put = (key: string): void => {
          server.call('CUSTOM.SET', key, 'value', ...(key.endsWith('7') ? ['PX', '100000'] : []));
          keys.add(key);
        };
        const take = (key: string): void => {
          server.call('CUSTOM.DEL', key);
          keys.delete(key);
        };
        const again = (key: string): void => {
          take(key);
          put(key);
        };
        for (const [what, of, number] of steps) {
          const slot = slotsOfTags[of]!;
          const own = [...keys].filter((key) => key.startsWith(TAGS[of]!)).sort();
          if (what === 'set') put(keyOf(of, number));
          if (what === 'fill') for (let index = 0; index < number; index++) put(`${keyOf(of, index)}/${number}`);
          if (what === 'delete') for (const key of own.slice(number, number + 50)) take(key);
          if (what === 'again') for (const key of Array<string>(number).fill(keyOf(of, 0))) again(key);
          if (what === 'export') expect(named(server.exportSlots(server.hashmap, [slot]))).toEqual(own);
          if (what === 'drop') {
            server.dropSlots(server.hashmap, [slot]);
            expect(server.countSlots(server.hashmap, [slot])).toBe(0);
            for (const key of own) keys.delete(key);
          }
          if (indexOf(server, server.hashmap) > 0n) byIndex++;
          expect(server.text('CUSTOM.LEN')).toBe(`:${keys.size}\r\n`);
        }
        server.check();
      }),
      { seed: 7, numRuns: 25, endOnFailure: true },
    );
    expect(byIndex).toBeGreaterThan(200);
  });

  test('an index that would grow too much is made anew', () => {
    const server = filled();
    server.exportSlots(server.hashmap, [slotsOfTags[0]!]);
    // As many keys come and go as half of what there is, and some thousands.
    for (let index = 0; index < 4096 + COUNT / 2; index++) {
      const key = keyOf(0, COUNT * 2 + (index % 2));
      server.call('CUSTOM.SET', key, 'x');
      server.call('CUSTOM.DEL', key);
    }
    expect(indexOf(server, server.hashmap)).toBeGreaterThan(0n);
    server.call('CUSTOM.SET', keyOf(0, 1), 'x');
    expect(indexOf(server, server.hashmap)).toBe(0n);
    expect(named(server.exportSlots(server.hashmap, [slotsOfTags[0]!]))).toContain(keyOf(0, 1));
    expect(indexOf(server, server.hashmap)).toBeGreaterThan(0n);
    server.check();
  });

  test('goes with all data, and with a file that leaves', () => {
    const server = filled();
    server.exportSlots(server.hashmap, [slotsOfTags[0]!]);
    server.call('CUSTOM.CLEAR');
    expect(indexOf(server, server.hashmap)).toBe(0n);
    server.check();
    const other = filled();
    other.exportSlots(other.hashmap, [slotsOfTags[0]!]);
    (other.hashmap.exports.leave as () => bigint)();
    expect(indexOf(other, other.hashmap)).toBe(0n);
    other.check();
  });

  test('is given up where memory is short, and moves go on without it', () => {
    const server = new FakeServer({ maxPages: 32 });
    const tag = (index: number): string => keyOf(index % TAGS.length, index);
    let count = 0;
    while (count < COUNT) server.call('CUSTOM.SET', tag(count++), 'value');
    server.exportSlots(server.hashmap, [slotsOfTags[0]!]);
    const held = indexOf(server, server.hashmap);
    expect(held).toBeGreaterThan(0n);
    while (server.text('CUSTOM.SET', tag(count), 'value') === '+OK\r\n') count++;
    expect(indexOf(server, server.hashmap)).toBe(0n);
    const own = Array.from({ length: count }, (_, index) => tag(index)).filter((key) => key.startsWith(TAGS[0]!));
    expect(named(server.exportSlots(server.hashmap, [slotsOfTags[0]!]))).toEqual(own.sort());
    server.dropSlots(server.hashmap, [slotsOfTags[0]!]);
    expect(server.text('CUSTOM.LEN')).toBe(`:${count - own.length}\r\n`);
    server.check();
  });

  test('is whole or not there where memory is short while it is made', { timeout: 120_000 }, () => {
    const held = new Set<boolean>();
    // So many blocks are free: for none of it, for one part of it, for all.
    for (let room = 0; room < 64; room += 7) {
      const server = filled({ maxPages: 32 });
      const [count = 0] = fill(server, [4000, 900, 50]);
      for (let index = 0; index < room; index++) server.call('CUSTOM.DEL', `${FILL}4000/${count - 1 - index}`);
      for (const slot of slotsOfTags.slice(0, 2)) {
        expect(server.exportSlots(server.hashmap, [slot])).toHaveLength(COUNT / TAGS.length);
        held.add(indexOf(server, server.hashmap) > 0n);
      }
      server.dropSlots(server.hashmap, [slotsOfTags[0]!]);
      expect(server.countSlots(server.hashmap, slotsOfTags)).toBe(COUNT - COUNT / TAGS.length);
      server.check();
    }
    expect(held.size).toBe(2);
  });

  test('goes as a whole where memory is short while it grows', { timeout: 120_000 }, () => {
    let isShort = false;
    const server = filled({ mayGrow: () => !isShort });
    // So many that what the index gives back is enough for what it asks for.
    for (let index = COUNT; index < 4 * COUNT; index++) server.call('CUSTOM.SET', keyOf(index % TAGS.length, index), 'value');
    const [slot] = slotsOfTags as [number];
    server.exportSlots(server.hashmap, [slot]);
    isShort = true;
    // As many as it has room for, one at a time, so that nothing else needs memory; what there is, is taken.
    const again = (): void => {
      server.call('CUSTOM.SET', keyOf(0, -1), 'x');
      server.call('CUSTOM.DEL', keyOf(0, -1));
    };
    for (let index = 0; index < 3500; index++) again();
    let count = 0;
    const filler = (): string => server.text('CUSTOM.SET', `${FILL}${count++}`, 'x'.repeat(30_000));
    const sizeBefore = indexOf(server, server.hashmap);
    while (server.hashmap.exports.freeBytes() >= 65_536n) expect(filler()).toBe('+OK\r\n');
    expect(indexOf(server, server.hashmap)).toBe(sizeBefore);
    for (let index = 0; index < 1000; index++) again();
    expect(indexOf(server, server.hashmap)).toBe(0n);
    server.check();
  });

  test('knows a slot whose entries it was asked for after a walk that was broken off', () => {
    let isShort = false;
    const server = filled({ mayGrow: () => !isShort });
    // More than fit into a page.
    const count = 10_000;
    for (let index = 0; index < count; index++) server.call('CUSTOM.SET', `${FILL}${index}`, 'x');
    const [slot] = slotsOfTags as [number];
    const { push } = server.propagated;
    server.propagated.push = () => {
      throw new Error('broken off');
    };
    expect(() => server.exportSlots(server.hashmap, [slot])).toThrow('broken off');
    server.propagated.push = push;
    isShort = true;
    // Values of keys that are there already: a table that cannot grow would leave room.
    let index = 0;
    while (server.text('CUSTOM.SET', `${FILL}${index++}`, 'x'.repeat(30_000)) === '+OK\r\n');
    // There is no memory to tell so many.
    expect(server.exportSlots(server.hashmap, [slotOf(FILL)])).toHaveLength(count);
    expect(server.exportSlots(server.hashmap, [slot])).toHaveLength(COUNT / TAGS.length);
    expect(indexOf(server, server.hashmap)).toBeGreaterThan(0n);
    server.check();
  });
});

test('users of a slot are found with all their sessions', () => {
  const server = new FakeServer();
  for (let index = 0; index < COUNT; index++) created(server, keyOf(index % TAGS.length, index));
  const [first, second] = slotsOfTags as [number, number];
  expect(server.exportSlots(server.session, [first])).toHaveLength(COUNT / TAGS.length);
  expect(indexOf(server, server.session)).toBeGreaterThan(0n);
  const ids = [created(server, keyOf(0, 0), 'NEW'), created(server, keyOf(1, 99_999), 'NEW')];
  created(server, keyOf(1, 99_999), 'NEW');
  server.call('SESSION.DELETE', ids[0]!);
  const effects = server.exportSlots(server.session, [second]).map((effect) => String(effect[4]));
  expect(effects.filter((user) => user === keyOf(1, 99_999))).toHaveLength(2);
  expect(new Set(effects).size).toBe(COUNT / TAGS.length + 1);
  for (const slot of [first, second]) server.dropSlots(server.session, [slot]);
  expect(userIds(server, keyOf(1, 99_999))).toEqual([]);
  expect(server.countSlots(server.session, [...slotsOfTags])).toBe((COUNT * (TAGS.length - 2)) / TAGS.length);
  server.check();
});

describe('tables of a kit', () => {
  const steps = (index: number): string[] => [
    `set words n${index} x 0`,
    `set in-words n${index} x ${index % 5 === 0 ? '1767323050000' : '0'}`,
    `set lines n${index} 1 0`,
    `set in-lines n${index} 2 0`,
    ...(index % 3 === 0 ? ['expire in-lines 1767323050000'] : []),
  ];
  const dump = (server: FakeServer): string => server.text('OPS.DUMP');

  test.each([300, 900])('%i keys of all kinds move slot by slot, whatever comes meanwhile', { timeout: 120_000 }, (count) => {
    const server = new FakeServer({ kit: 'ops' });
    const target = new FakeServer({ kit: 'ops', seed: 99 });
    const kit = server.kit!;
    for (let index = 0; index < count; index++) server.call('OPS.RUN', keyOf(index % TAGS.length, index), ...steps(index));
    const used = new Set<number>();
    const all = Array.from({ length: 16_384 }, (_, slot) => slot);
    for (const slot of all) if (server.countSlots(kit, [slot])) used.add(slot);
    const whole = dump(server);
    let late = '';
    for (const [turn, slot] of [...used].entries()) {
      if (turn === 3) {
        expect(indexOf(server, kit) > 0n).toBe(count > 500);
        // What comes and goes, in slots that are still here, is found as well.
        for (let index = 0; index < count / 4; index++) {
          server.call('OPS.RUN', '{late}', `set words late${index} x 0`, `set lines late${index} 1 0`, `set in-lines late${index} 2 0`);
        }
        for (const one of all) if (server.countSlots(kit, [one])) used.add(one);
        late = dump(server);
      }
      const effects = server.exportSlots(kit, [slot]);
      for (const effect of effects) expect(slotOf(effect[1]!)).toBe(slot);
      target.flags |= REPLICATED;
      target.replay(effects);
      server.dropSlots(kit, [slot]);
      expect(server.countSlots(kit, [slot])).toBe(0);
    }
    server.check();
    for (const slot of used) server.dropSlots(kit, [slot]);
    expect(server.infoOf(kit).get('ops_entries')).toBe(0n);
    expect(late).not.toBe(whole);
    target.check();
    expect(target.countSlots(target.kit!, all)).toBeGreaterThan(count * 3);
    server.dropSlots(kit, []);
    expect(indexOf(server, kit)).toBe(0n);
    server.check();
  });

  // Where it is short differs: with the second the table of owners is about to grow.
  test.each([334, 371, 408])('an index goes as a whole where memory is short, by entries of %i bytes', (size) => {
    let isShort = false;
    const server = new FakeServer({ maxPages: 400, kit: 'ops', mayGrow: () => !isShort });
    const kit = server.kit!;
    for (let index = 0; index < 900; index++) {
      const kinds = [`set words n${index} x 0`, `set in-words n${index} x 0`, `set lines n${index} 1 0`];
      server.call('OPS.RUN', keyOf(index % TAGS.length, index), ...kinds);
    }
    server.exportSlots(kit, [slotsOfTags[0]!]);
    // A drop of nothing looks at nothing.
    expect(server.dropSlots(kit, [], 1)).toBe(1);
    server.exportSlots(kit, [slotsOfTags[0]!]);
    isShort = true;
    let count = 0;
    while (indexOf(server, kit) && count < 20_000) server.call('OPS.RUN', `more${count++}`, `set in-words ${'y'.repeat(size)} x 0`);
    expect(indexOf(server, kit)).toBe(0n);
    server.check();
  });
});
