/**
 * What leaves with a cluster's slot: exported from one fake server, applied by another, dropped from the
 * first.
 */
import fc from 'fast-check';
import { beforeEach, describe, expect, test } from 'vitest';
import { fakeTarget } from '../fuzz/fake.ts';
import { Model } from '../fuzz/model.ts';
import { operations, runOn } from '../fuzz/operations.ts';
import { elements, FakeServer } from '../support/fake-redis.ts';
import { CLUSTER, created, data, info, mapped, REPLICATED, rotated, userIds, visible } from '../support/sessions.ts';
import { slotOf } from '../support/slots.ts';

const SLOTS = Array.from({ length: 16_384 }, (_, slot) => slot);
const DEADLINE_MS = 60_000;

let server: FakeServer;
beforeEach(() => {
  server = new FakeServer();
});

/** A server that has applied these effects as one that takes slots does. */
function applied(effects: Buffer[][], target = new FakeServer({ seed: 99 })): FakeServer {
  const { flags } = target;
  target.clock = server.clock;
  target.flags = flags | REPLICATED;
  target.replay(effects);
  target.flags = flags;
  return target;
}

const words = (effects: Buffer[][]): string[][] => effects.map((effect) => effect.map(String));
const exported = (slots: Iterable<number>, of = server): Buffer[][] => [
  ...of.exportSlots(of.hashmap, slots),
  ...of.exportSlots(of.session, slots),
];

describe('the hashmap', () => {
  test('exports each entry of the slots, with its deadline, and counts them', () => {
    const deadline = server.clock + DEADLINE_MS;
    server.call('CUSTOM.SET', '{a}1', 'text');
    server.call('CUSTOM.SET', '{a}2', '17', 'PXAT', String(deadline));
    server.call('CUSTOM.SET', 'b', 'other');
    server.call('CUSTOM.SET', '{a}3', '01234567-89ab-4def-8123-456789abcdef');
    expect(words(server.exportSlots(server.hashmap, [slotOf('a')])).sort()).toEqual([
      ['custom.apply', '1', 'set', '{a}2', '17', String(deadline)],
      ['custom.set', '{a}1', 'text'],
      ['custom.set', '{a}3', '01234567-89ab-4def-8123-456789abcdef'],
    ]);
    expect(server.countSlots(server.hashmap, [slotOf('a')])).toBe(3);
    expect(server.countSlots(server.hashmap, SLOTS)).toBe(4);
    expect(server.exportSlots(server.hashmap, [])).toEqual([]);
  });

  test('exports though nobody takes effects, and what has expired', () => {
    server.effectsTaken = false;
    server.call('CUSTOM.SET', 'a', 'text', 'PX', '1');
    server.clock += 10;
    expect(server.exportSlots(server.hashmap, SLOTS)).toHaveLength(1);
    expect(server.effectsCounted).toBe(1);
  });

  test('drops step by step, tells whoever watches, and leaves the others', () => {
    const keys = Array.from({ length: 5000 }, (_, index) => `key:${index}`);
    for (const key of keys) server.call('CUSTOM.SET', key, key, 'PX', String(DEADLINE_MS));
    const half = SLOTS.filter((slot) => slot % 2 === 0);
    const [gone, staying] = [keys.filter((key) => slotOf(key) % 2 === 0), keys.filter((key) => slotOf(key) % 2 === 1)];
    for (const list of [server.propagated, server.events, server.signalled]) list.length = 0;
    let steps = 0;
    for (let more = true; more; steps++) {
      const before = server.countSlots(server.hashmap, half);
      more = server.dropStep(server.hashmap, half, 100);
      expect(before - server.countSlots(server.hashmap, half)).toBeLessThanOrEqual(100);
      // What comes between two steps makes the table grow under the walk.
      for (let index = 0; index < 50; index++) server.call('CUSTOM.SET', `{a}${steps}:${index}`, 'x');
    }
    expect(slotOf('a') % 2).toBe(1);
    expect(steps).toBeGreaterThanOrEqual(gone.length / 100);
    expect(server.countSlots(server.hashmap, half)).toBe(0);
    for (const key of staying) expect(mapped(server, key)).toBe(key);
    expect(server.signalled.filter((key) => key.startsWith('key:')).sort()).toEqual([...gone].sort());
    expect(server.events.filter((event) => event.includes('key:'))).toEqual([]);
    expect(server.propagated.filter((effect) => String(effect[1]).startsWith('key:'))).toEqual([]);
    expect(server.infoOf(server.hashmap).get('hashmap_expired')).toBe(0n);
    server.check();
  });

  test('begins anew with other slots, and where all go at once', () => {
    for (let index = 0; index < 500; index++) server.call('CUSTOM.SET', `key:${index}`, 'value');
    const [even, odd] = [0, 1].map((rest) => SLOTS.filter((slot) => slot % 2 === rest));
    expect(server.dropStep(server.hashmap, even!, 50)).toBe(true);
    expect(server.dropSlots(server.hashmap, odd!, 50)).toBeGreaterThan(1);
    expect(server.countSlots(server.hashmap, odd!)).toBe(0);
    expect(server.dropSlots(server.hashmap, even!, 50)).toBeGreaterThan(1);
    expect(server.text('CUSTOM.LEN')).toBe(':0\r\n');
    for (let index = 0; index < 500; index++) server.call('CUSTOM.SET', `key:${index}`, 'value');
    server.dropStep(server.hashmap, even!, 50);
    for (let index = 500; index < 1000; index++) server.call('CUSTOM.SET', `key:${index}`, 'value');
    expect(server.dropSlots(server.hashmap, even!)).toBe(1);
    expect(server.countSlots(server.hashmap, even!)).toBe(0);
    server.check();
  });
});

describe('the session manager', () => {
  test('exports a session with all that it is', () => {
    const id = created(server, 'u', 'IDLE', '100', 'TTL', '200', 'DATA', 'f', 'v', 'g', '');
    server.call('SESSION.ADD_DATA', id, 'f', 'w');
    server.clock += 50;
    server.call('SESSION.TOUCH', id);
    const next = rotated(server, id, '5000');
    const last = rotated(server, next, '4000');
    const expires = server.clock - 50 + 200_000;
    expect(words(server.exportSlots(server.session, SLOTS))).toEqual([
      [
        'session.apply',
        '1',
        'restore',
        last,
        'u',
        String(server.clock - 50),
        String(server.clock),
        '1',
        '100',
        String(expires),
        'f',
        'w',
        'g',
        '',
      ],
      ['session.apply', '1', 'grace', last, id, String(server.clock + 4000)],
      ['session.apply', '1', 'grace', last, next, String(server.clock + 4000)],
    ]);
    expect(server.countSlots(server.session, [slotOf('u')])).toBe(1);
    expect(server.countSlots(server.session, [slotOf('v')])).toBe(0);
  });

  test('exports many fields and long ones in further effects', () => {
    const id = created(server, 'u');
    for (let index = 0; index < 2500; index++) server.call('SESSION.ADD_DATA', id, `field ${index}`, `value ${index}`);
    for (const name of ['a', 'b', 'c']) server.call('SESSION.ADD_DATA', id, name, name.repeat(900_000));
    const effects = exported(SLOTS);
    expect(effects.map((effect) => String(effect[2])).filter((word) => word === 'set').length).toBe(3);
    const target = applied(effects);
    expect(visible(target, [id])).toEqual(visible(server, [id]));
    expect(data(target, id)).toEqual(data(server, id));
  });

  test('exports those of a user from the oldest on, so that their order stays', () => {
    const ids = Array.from({ length: 20 }, () => created(server, 'u', 'NEW'));
    const effects = exported(SLOTS);
    const target = applied(effects);
    expect(userIds(target, 'u')).toEqual([...ids].reverse());
    // Whole sessions are put in the place of those that are there.
    server.call('SESSION.ADD_DATA', ids[3]!, 'f', 'v');
    created(target, 'u', 'NEW');
    rotated(target, ids[5]!, '1000');
    applied(exported(SLOTS), target);
    expect((userIds(target, 'u') as string[]).slice(0, 20)).toEqual([...ids].reverse());
    expect(info(target, ids[3]!)?.version).toBe(1);
    target.check();
  });

  test('drops step by step, a user with many sessions too, and tells whoever watches', () => {
    const ids = Array.from({ length: 300 }, () => created(server, 'u', 'NEW'));
    const others = Array.from({ length: 300 }, (_, index) => created(server, `{v}${index}`, 'DATA', 'f', 'v'));
    const old = ids.splice(7, 1)[0]!;
    ids.push(rotated(server, old, '60000'));
    for (const list of [server.propagated, server.events, server.signalled]) list.length = 0;
    let steps = 0;
    for (let more = true; more; steps++) {
      const before = server.countSlots(server.session, [slotOf('u')]);
      more = server.dropStep(server.session, [slotOf('u')], 40);
      expect(before - server.countSlots(server.session, [slotOf('u')])).toBeLessThanOrEqual(40);
      server.check();
      created(server, '{v}between', 'NEW');
    }
    expect(steps).toBeGreaterThanOrEqual(8);
    expect(userIds(server, 'u')).toEqual([]);
    expect(server.countSlots(server.session, [slotOf('v')])).toBe(300 + steps);
    for (const id of [...ids, old, 'u']) expect(server.signalled).toContain(id);
    for (const id of others) expect(server.signalled).not.toContain(id);
    expect(server.events.filter((event) => !event.includes('{v}') && !event.includes('session.create'))).toEqual([]);
    const { session } = server;
    for (const field of ['expired', 'evicted']) expect(server.infoOf(session).get(`session_${field}`)).toBe(0n);
    // The mapping is the storage's own.
    expect(mapped(server, 'u')).not.toBe(null);
  });
});

test('a step drops no more sessions than it may, of whichever users', () => {
  for (let index = 0; index < 90; index++) created(server, `{u}${index % 30}`, 'NEW');
  const count = (): number => server.countSlots(server.session, [slotOf('u')]);
  for (let before = count(), more = true; more; before = count()) {
    more = server.dropStep(server.session, [slotOf('u')], 4);
    expect(before - count()).toBeLessThanOrEqual(4);
  }
  expect(count()).toBe(0);
});

describe('session.apply restore and grace', () => {
  const ID = '01234567-89ab-4def-8123-456789abcdef';
  const OTHER = 'an-id-of-the-caller';
  const restore = (...rest: string[]): string => server.text('session.apply', '1', 'restore', ...rest);
  const grace = (...rest: string[]): string => server.text('session.apply', '1', 'grace', ...rest);
  const BAD = '-ERR session.apply: not an effect that this version knows\r\n';
  const GOOD = ['1', '2', '3', '0', '0'];

  test.each([
    ['no time', ID, 'u', 'x', '2', '3', '0', '0'],
    ['a time before 1970', ID, 'u', '-1', '2', '3', '0', '0'],
    ['a time past 9999', ID, 'u', '1', '253402300800000', '3', '0', '0'],
    ['a version of more than 32 bits', ID, 'u', '1', '2', '4294967296', '0', '0'],
    ['an idle limit of more than 32 bits', ID, 'u', '1', '2', '3', '4294967296', '0'],
    ['an end past 9999', ID, 'u', '1', '2', '3', '0', '253402300800000'],
    ['a field without a value', ID, 'u', ...GOOD, 'f'],
    ['no end', ID, 'u', '1', '2', '3', '0'],
    ['no id', 'short', 'u', ...GOOD],
  ])('restore with %s is refused and changes nothing', (_, ...rest) => {
    const id = created(server, 'u', 'DATA', 'f', 'v');
    const before = visible(server, [id]);
    expect(restore(...rest)).toBe(BAD);
    expect(visible(server, [id])).toEqual(before);
  });

  test.each([
    ['no old id', ID, 'short', '5'],
    ['the session itself', ID, ID, '5'],
    ['no time', ID, OTHER, '0'],
    ['a time past 9999', ID, OTHER, '253402300800000'],
    ['too little', ID, OTHER],
    ['too much', ID, OTHER, '5', '6'],
  ])('grace with %s is refused and changes nothing', (_, ...rest) => {
    restore(ID, 'u', ...GOOD);
    const before = visible(server, [ID]);
    expect(grace(...rest)).toBe(BAD);
    expect(visible(server, [ID])).toEqual(before);
  });

  test('applied again each leaves what it has left, whatever was there', () => {
    const until = String(server.clock + DEADLINE_MS);
    server.flags = REPLICATED;
    const all = (): void => {
      expect(restore(ID, 'u', ...GOOD, 'f', 'v')).toBe('+OK\r\n');
      expect(grace(ID, OTHER, until)).toBe('+OK\r\n');
    };
    all();
    const state = visible(server, [ID, OTHER]);
    expect(state.join()).toContain(OTHER);
    all();
    expect(visible(server, [ID, OTHER])).toEqual(state);
    // The old id is one of another session, or a session by itself.
    server.call('session.apply', '1', 'create', OTHER, 'w', '1', '1', '0');
    all();
    expect(visible(server, [ID, OTHER])).toEqual(state);
    restore('another-id-of-others', 'w', ...GOOD);
    grace('another-id-of-others', OTHER, until);
    all();
    server.call('session.apply', '1', 'delete', 'another-id-of-others', '', '0');
    expect(visible(server, [ID, OTHER])).toEqual(state);
    // Of an unknown session nothing is told.
    expect(grace('an-id-that-is-unknown', OTHER, until)).toBe('+OK\r\n');
    expect(visible(server, [ID, OTHER])).toEqual(state);
  });

  test('tell whoever watches, call no storage and publish nothing', () => {
    created(server, 'u', 'ID', ID);
    for (const list of [server.storageCalls, server.events, server.signalled]) list.length = 0;
    restore(ID, 'u', ...GOOD);
    grace(ID, OTHER, '5');
    expect([server.storageCalls, server.events]).toEqual([[], []]);
    expect(server.signalled).toEqual([ID, 'u', OTHER]);
  });

  test('in a cluster id, old id and user lie in one slot', () => {
    server.flags = CLUSTER;
    const [id, same] = ['{u}-an-id-of-the-caller', '{u}-another-id-of-the-caller'];
    expect(restore(OTHER, 'u', ...GOOD)).toBe(BAD);
    expect(restore(id, 'u', ...GOOD)).toBe('+OK\r\n');
    expect(grace(id, OTHER, '5')).toBe(BAD);
    expect(grace(id, same, '5')).toBe('+OK\r\n');
  });
});

describe('ids in another slot than their user', () => {
  test('are counted and named', () => {
    const strays = (of: FakeServer, ...rest: string[]): string => of.text('SESSION.STRAYS', ...rest);
    expect(strays(server)).toBe('*2\r\n:0\r\n*0\r\n');
    const names = ['u', 'v', 'w', 'x'];
    const ids = names.map((user) => created(server, user));
    const wrong = ids.filter((id, index) => slotOf(id) !== slotOf(names[index]!));
    expect(wrong.length).toBeGreaterThan(2);
    expect((server.session.exports.strays as () => bigint)()).toBe(BigInt(wrong.length));
    const named = (...rest: string[]): string[] => strays(server, ...rest).match(/[0-9a-f-]{36}/g) ?? [];
    expect(named().sort()).toEqual([...wrong].sort());
    expect(wrong).toEqual(expect.arrayContaining(named('COUNT', '2')));
    expect(named('count', '2')).toHaveLength(2);
    expect(strays(server, 'COUNT', '0')).toBe(`*2\r\n:${wrong.length}\r\n*0\r\n`);
    // In a cluster a rotation mints into the user's slot; the old id is elsewhere until its time is over.
    const cluster = new FakeServer();
    cluster.load(cluster.session, server.save(server.session));
    cluster.flags = CLUSTER;
    for (const id of wrong) rotated(cluster, id, '1000');
    expect((cluster.session.exports.strays as () => bigint)()).toBe(BigInt(wrong.length));
    expect([...(strays(cluster).match(/[0-9a-f-]{36}/g) ?? [])].sort()).toEqual([...wrong].sort());
    cluster.clock += 2000;
    cluster.sweep();
    expect(strays(cluster)).toBe('*2\r\n:0\r\n*0\r\n');
  });

  test.each([['COUNT'], ['COUNT', 'x'], ['COUNT', '-1'], ['MATCH', '1'], ['COUNT', '1', '2']])('STRAYS %s is refused', (...rest) => {
    expect(server.text('SESSION.STRAYS', ...rest)).toMatch(/^-ERR /);
  });
});

describe.each(['direct', 'command'] as const)('linked %s', (link) => {
  test('random data moves in two halves, and nothing of it is lost or changed', { timeout: 120_000 }, async () => {
    let moved = 0;
    await fc.assert(
      fc.asyncProperty(operations(120, true), fc.boolean(), fc.integer({ min: 1, max: 40 }), async (all, storageFirst, most) => {
        const source = fakeTarget(link);
        const ids = await runOn(source, new Model(), all);
        ({ server } = source);
        const state = visible(server, ids);
        const target = new FakeServer({ link, seed: 99 });
        for (const rest of [0, 1]) {
          const half = SLOTS.filter((slot) => slot % 2 === rest);
          const modules = storageFirst ? [server.hashmap, server.session] : [server.session, server.hashmap];
          const effects = modules.flatMap((module) => server.exportSlots(module, half));
          moved += effects.length;
          applied(effects, target);
          for (const module of modules) server.dropSlots(module, half, most);
          server.check();
          for (const module of modules) expect(server.countSlots(module, half)).toBe(0);
        }
        expect(visible(target, ids)).toEqual(state);
        expect([server.text('CUSTOM.LEN'), server.text('SESSION.COUNT')]).toEqual([':0\r\n', ':0\r\n']);
        expect(elements(server.call('CUSTOM.KEYS'))).toEqual([]);
        // What comes back is what was there.
        applied(exported(SLOTS, target), server);
        expect(visible(server, ids)).toEqual(state);
      }),
      { seed: 47, numRuns: 60, endOnFailure: true },
    );
    expect(moved).toBeGreaterThan(500);
  });
});
