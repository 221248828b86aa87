/**
 * What the commands of sessions leave for replicas, watchers and subscribers, and what they leave when the
 * storage fails; on a fake server.
 */
import fc from 'fast-check';
import { beforeEach, describe, expect, test } from 'vitest';
import { fakeTarget } from '../fuzz/fake.ts';
import { Model } from '../fuzz/model.ts';
import { operations, runOn } from '../fuzz/operations.ts';
import { FakeServer } from '../support/fake-redis.ts';
import {
  ask,
  created,
  info,
  mapped,
  reclaim,
  REPLICA,
  REPLICATED,
  rotated,
  scan,
  UNKNOWN_ID,
  userIds,
  visible,
} from '../support/sessions.ts';

const GIVEN = 'an-id-of-the-caller';

/** Accesses are replicated once in a second of the clock: after this the last ones of all sessions are. */
function touchAll(server: FakeServer): void {
  server.clock += 1000;
  reclaim(server);
  for (const id of scan(server)) server.call('SESSION.TOUCH', id);
}

describe.each(['direct', 'command'] as const)('linked %s', (link) => {
  let server: FakeServer;
  beforeEach(() => {
    server = new FakeServer({ link });
  });

  const applied = (stream: Buffer[][], clock: number): FakeServer => {
    const replica = new FakeServer({ link, seed: 99 });
    replica.flags = REPLICA | REPLICATED;
    replica.clock = 1;
    replica.replay(stream);
    replica.flags = REPLICA;
    replica.clock = clock;
    return replica;
  };

  test('where nobody takes them, as many are counted, and none is made', { timeout: 120_000 }, async () => {
    let counted = 0;
    await fc.assert(
      fc.asyncProperty(operations(60, true), async (all) => {
        const [taking, counting] = [fakeTarget(link), fakeTarget(link)];
        counting.server.effectsTaken = false;
        for (const target of [taking, counting]) await runOn(target, new Model(), all);
        // What the storage replicates as it came costs nothing, and is queued all the same.
        const [asItCame, made] = [counting.server.propagated.length, taking.server.propagated.length];
        expect(counting.server.propagated.flat().filter((word) => /^(custom|session)\.apply$/.test(String(word)))).toEqual([]);
        expect(asItCame + counting.server.effectsCounted).toBe(made);
        counted += counting.server.effectsCounted;
      }),
      { numRuns: 60 },
    );
    expect(counted).toBeGreaterThan(0);
  });

  test('applied by a replica, once, each twice or all twice, they give the same state', { timeout: 120_000 }, async () => {
    const ordinary = operations(120, true).map((all) => all.filter(([name]) => name !== 'FLUSHALL' && name !== 'DEBUG RELOAD'));
    let effects = 0;
    await fc.assert(
      fc.asyncProperty(ordinary, async (all) => {
        const target = fakeTarget(link);
        const ids = await runOn(target, new Model(), all);
        touchAll(target.server);
        const { propagated, clock } = target.server;
        effects += propagated.length;
        const state = visible(target.server, ids);
        for (const stream of [propagated, propagated.flatMap((effect) => [effect, effect]), [...propagated, ...propagated]]) {
          expect(visible(applied(stream, clock), ids)).toEqual(state);
        }
      }),
      { seed: 41, numRuns: 60, endOnFailure: true },
    );
    expect(effects).toBeGreaterThan(500);
  });

  test('a replica that is loaded from a file of any moment and applies the rest has the same state', { timeout: 120_000 }, async () => {
    const ordinary = operations(80, true).map((all) => all.filter(([name]) => name !== 'FLUSHALL' && name !== 'DEBUG RELOAD'));
    await fc.assert(
      fc.asyncProperty(ordinary, ordinary, async (first, second) => {
        const target = fakeTarget(link);
        const model = new Model();
        const ids = await runOn(target, model, first);
        const files = target.server.modules.map((module) => target.server.save(module));
        const start = target.server.propagated.length;
        ids.push(...(await runOn(target, model, second)));
        touchAll(target.server);
        const replica = new FakeServer({ link, seed: 99 });
        replica.flags = REPLICA | REPLICATED;
        replica.clock = 1;
        for (const [index, module] of replica.modules.entries()) expect(replica.load(module, files[index]!)).toBe(true);
        replica.replay(target.server.propagated.slice(start));
        replica.flags = REPLICA;
        replica.clock = target.server.clock;
        expect(visible(replica, ids)).toEqual(visible(target.server, ids));
      }),
      { seed: 43, numRuns: 40, endOnFailure: true },
    );
  });

  test('reads leave none, but the access once a second; refused commands leave none', () => {
    const id = created(server, 'u', 'DATA', 'f', 'v');
    const before = server.propagated.length;
    for (const [name = '', ...args] of [
      ['GET', id],
      ['INFO', id],
      ['TTL', id],
      ['USER', 'u'],
      ['COUNT'],
      ['COUNT', 'u'],
      ['SCAN', '0'],
      ['LIST'],
      ['GETALL', id],
      ['TOUCH', id],
      ['CAS', id, '7', 'f', 'v'],
      ['INCR_DATA', id, 'f', '1'],
      ['ROTATE', id, 'GRACE', '-1'],
      ['CREATE', 'u', 'NEW', 'MAX', '1', 'REJECT'],
      ['CREATE', 'u', 'NEW', 'ID', 'x'],
      ['ASSIGN', UNKNOWN_ID, 'u'],
      ['DELUSER', 'nobody'],
      ['EXPIRE', UNKNOWN_ID, '5'],
    ]) {
      server.call(`SESSION.${name}`, ...args);
    }
    expect(server.propagated.slice(before)).toEqual([]);
    server.clock += 1000;
    for (let index = 0; index < 3; index++) {
      server.call('SESSION.GETALL', id);
      server.call('SESSION.TOUCH', id);
    }
    expect(server.propagated.slice(before).map((effect) => effect.map(String))).toEqual([
      ['session.apply', '1', 'touch', id, String(server.clock)],
    ]);
  });

  test('each command signals and notifies what it changed', () => {
    const heard: string[] = [];
    const after = (name: string, ...args: string[]): string => {
      const [events, signals] = [server.events.length, server.signalled.length];
      const reply = server.text(`SESSION.${name}`, ...args);
      const own = server.events.slice(events).filter((event) => event.includes(' session.'));
      heard.push(`${name}: ${own.map((event) => event.replace('8192 ', '')).join(', ')}`);
      for (const event of own) expect(server.signalled.slice(signals)).toContain(event.split(' ')[2]);
      return reply;
    };
    after('CREATE', 'u', 'ID', GIVEN, 'DATA', 'f', 'v');
    after('ADD_DATA', GIVEN, 'a', '1', 'b', '2');
    after('INCR_DATA', GIVEN, 'a', '1');
    after('CAS', GIVEN, '2', 'a', '1');
    after('DEL_DATA', GIVEN, 'a');
    after('DEL_DATA', GIVEN, 'a');
    after('EXPIRE', GIVEN, '60');
    after('TOUCH', GIVEN);
    after('GETALL', GIVEN);
    after('ASSIGN', GIVEN, 'v');
    const next = after('ROTATE', GIVEN).slice(5, 41);
    after('EXPIRE', next, '0');
    after('CREATE', 'w', 'ID', GIVEN);
    after('DELUSER', 'w');
    expect(heard.map((line) => line.replace(next, '<next>').replaceAll(GIVEN, '<id>'))).toEqual([
      'CREATE: session.create <id>',
      'ADD_DATA: session.set <id>',
      'INCR_DATA: session.set <id>',
      'CAS: session.set <id>',
      'DEL_DATA: session.set <id>',
      'DEL_DATA: ',
      'EXPIRE: session.expire <id>',
      'TOUCH: ',
      'GETALL: ',
      'ASSIGN: session.assign <id>',
      'ROTATE: session.rotate <next>',
      'EXPIRE: session.delete <next>',
      'CREATE: session.create <id>',
      'DELUSER: session.delete <id>',
    ]);
  });

  test('a version past the last one of 32 bits is 0, in the reply too', () => {
    const id = created(server, 'u');
    const last = '4294967295';
    server.call('session.apply', '1', 'set', id, String(server.clock), last, 'f', 'v');
    expect(server.text('SESSION.CAS', id, last, 'f', 'w')).toBe(':0\r\n');
    expect(info(server, id)?.version).toBe(0);
    expect(server.propagated.slice(-1).map((effect) => String(effect[5]))).toEqual(['0']);
    expect(server.text('SESSION.CAS', id, '0', 'f', 'x')).toBe(':1\r\n');
  });

  test('one who watches the old id of a ROTATE is told', () => {
    const id = created(server, 'u');
    const before = server.signalled.length;
    server.call('SESSION.ROTATE', id);
    expect(server.signalled.slice(before)).toContain(id);
  });

  test.each<[string, (id: string) => unknown, boolean]>([
    ['ADD_DATA', (id) => server.call('SESSION.ADD_DATA', id, 'g', 'w'), true],
    ['DEL_DATA', (id) => server.call('SESSION.DEL_DATA', id, 'f'), true],
    ['EXPIRE', (id) => server.call('SESSION.EXPIRE', id, '60'), true],
    ['ASSIGN', (id) => server.call('SESSION.ASSIGN', id, 'v'), true],
    ['ROTATE', (id) => server.call('SESSION.ROTATE', id), true],
    ['ROTATE with GRACE', (id) => server.call('SESSION.ROTATE', id, 'GRACE', '5000'), true],
    ['DELETE', (id) => server.call('SESSION.DELETE', id), true],
    ['DELUSER', () => server.call('SESSION.DELUSER', 'u'), true],
    ['eviction', () => server.call('SESSION.CREATE', 'u', 'NEW', 'MAX', '1'), true],
    ['TOUCH', (id) => server.call('SESSION.TOUCH', id), false],
    ['DEL_DATA of nothing', (id) => server.call('SESSION.DEL_DATA', id, 'absent'), false],
    [
      'the end of the grace',
      () => {
        server.clock += 5000;
        reclaim(server);
      },
      true,
    ],
  ])('one who watches an id in grace: whether %s is told, here and on a replica', (_, act, told) => {
    created(server, 'u', 'ID', GIVEN, 'DATA', 'f', 'v');
    const second = rotated(server, GIVEN, '5000');
    const id = rotated(server, second, '5000');
    const replica = applied(server.propagated, server.clock);
    const before = server.propagated.length;
    for (const each of [server, replica]) each.signalled.length = 0;
    act(id);
    replica.flags = REPLICA | REPLICATED;
    replica.replay(server.propagated.slice(before));
    for (const { signalled } of [server, replica]) {
      for (const old of [GIVEN, second]) expect(signalled.includes(old)).toBe(told);
    }
  });

  test('a rotation ends earlier ids on a replica too, whichever version queued their effects', () => {
    created(server, 'u', 'ID', GIVEN, 'DATA', 'f', 'v');
    const second = rotated(server, GIVEN, '60000');
    const third = rotated(server, second, '1000');
    const replica = applied(server.propagated, server.clock);
    const [until, earlier] = [999, 1000].map((ms) => replica.clock + ms);
    const answers = (id: string) => replica.text('SESSION.GET_DATA', id, 'f') === '$1\r\nv\r\n';
    expect([GIVEN, second, third].map(answers)).toEqual([true, true, true]);
    replica.clock = until!;
    expect([GIVEN, second, third].map(answers)).toEqual([true, true, true]);
    replica.clock = earlier!;
    expect([GIVEN, second, third].map(answers)).toEqual([false, false, true]);
    replica.clock = until!;
    const before = server.propagated.length;
    const last = rotated(server, third);
    replica.signalled.length = 0;
    replica.flags = REPLICA | REPLICATED;
    replica.replay(server.propagated.slice(before));
    replica.flags = REPLICA;
    expect([GIVEN, second, third, last].map(answers)).toEqual([false, false, false, true]);
    for (const gone of [GIVEN, second, third]) expect(replica.signalled).toContain(gone);
    replica.check();
    // No effect tells of the earlier ids by themselves.
    expect(server.propagated.slice(before).map((effect) => effect[2]?.toString())).toEqual(['rotate']);
  });

  describe.each(['get', 'set', 'del'])('where the storage fails at %s', (operation) => {
    const commands: [string, ...string[]][] = [
      ['CREATE', 'new'],
      ['CREATE', 'u', 'NEW'],
      ['CREATE', 'u', 'NEW', 'MAX', '1'],
      ['CREATE', 'u', 'NEW', 'ID', GIVEN, 'DATA', 'f', 'v'],
      ['ASSIGN', '<second>', 'v'],
      ['ASSIGN', '<only>', 'v'],
      ['ROTATE', '<second>'],
      ['ROTATE', '<second>', 'GRACE', '5000'],
      ['DELETE', '<second>'],
      ['DELETE', '<only>'],
      ['EXPIRE', '<second>', '0'],
      ['EXPIRE', '<only>', '0'],
      ['DELUSER', 'u'],
      ['DELUSER', 'u', 'EXCEPT', '<first>'],
    ];
    test.each(commands)('%s is done whole or refused whole (%s %s %s)', (name, ...args) => {
      const ids: Record<string, string> = {
        '<first>': created(server, 'u'),
        '<second>': created(server, 'u', 'NEW'),
        '<only>': created(server, 'o'),
      };
      const before = visible(server, Object.values(ids));
      const [effects, events] = [server.propagated.length, server.events.length];
      server.storageFails = operation;
      const reply = server.text(`SESSION.${name}`, ...args.map((arg) => ids[arg] ?? arg));
      server.storageFails = '';
      if (reply === '-ERR the storage fails\r\n') {
        expect(server.propagated.length).toBe(effects);
        expect(server.events.length).toBe(events);
        expect(visible(server, Object.values(ids))).toEqual(before);
      } else {
        expect(reply).not.toMatch(/^-/);
        const clock = server.clock;
        expect(visible(applied(server.propagated, clock), Object.values(ids))).toEqual(visible(server, Object.values(ids)));
      }
      // And the same again, now that it does not fail, is done.
      if (reply.startsWith('-')) expect(server.text(`SESSION.${name}`, ...args.map((arg) => ids[arg] ?? arg))).not.toMatch(/^-/);
      server.check();
    });

    test('a sweep lives, hides what it could not reclaim, and goes on later', () => {
      const older = created(server, 'u');
      const id = created(server, 'u', 'NEW', 'TTL', '1');
      const only = created(server, 'o', 'TTL', '1');
      server.clock += 1000;
      server.storageFails = operation;
      for (let step = 0; step < 5; step++) server.sweepStep();
      server.storageFails = '';
      for (const gone of [id, only]) expect(ask(server, 'SESSION.GET', gone)).toBe(null);
      server.clock += 60_000;
      reclaim(server);
      expect(userIds(server, 'u')).toEqual([older]);
      expect(server.text('SESSION.COUNT')).toBe(':1\r\n');
      expect(mapped(server, 'u')).not.toBe(id);
      expect(mapped(server, 'o')).not.toBe(only);
      server.check();
    });
  });
});
