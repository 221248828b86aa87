/**
 * Sessions that end by the clock: IDLE, TTL, EXPIRE, what is hidden and what is reclaimed; on the shipped
 * session.wasm and a fake server.
 */
import { beforeEach, describe, expect, test } from 'vitest';
import { bulk, FakeServer, NULL } from '../support/fake-redis.ts';
import { created, info, mapped, reclaim, REPLICA, REPLICATED, scan, UNKNOWN_ID, userIds } from '../support/sessions.ts';

const NOT_INTEGER = '-ERR value is not an integer or out of range\r\n';
const EXPIRY = "-ERR invalid expire time in 'session.expire' command\r\n";

describe.each(['direct', 'command'] as const)('linked %s', (link) => {
  let server: FakeServer;
  beforeEach(() => {
    server = new FakeServer({ link });
  });
  const sessions = () => server.infoOf(server.session).get('session_sessions');
  const ttl = (id: string) => server.text('SESSION.TTL', id);

  test('a TTL ends the session at its millisecond, whatever is done with it', () => {
    const id = created(server, 'u', 'TTL', '2');
    for (const left of [2000, 1500, 1]) {
      server.clock = Date.UTC(2026, 0, 2, 3, 4, 7, 678) - left;
      expect(ttl(id)).toBe(`:${left}\r\n`);
      server.call('SESSION.ADD_DATA', id, 'f', 'v');
      server.call('SESSION.TOUCH', id);
      expect(server.text('SESSION.CREATE', 'u')).toBe(`+Session exists: ${id}\r\n`);
    }
    server.clock += 1;
    expect(ttl(id)).toBe(':-2\r\n');
    expect(server.text('SESSION.GET', id)).toBe(NULL);
    expect(server.text('SESSION.TOUCH', id)).toBe(':0\r\n');
    server.check();
  });

  test.each<[string, (id: string) => unknown, boolean]>([
    ['GET_DATA', (id) => server.text('SESSION.GET_DATA', id, 'f'), true],
    ['GET_DATA of an absent field', (id) => server.text('SESSION.GET_DATA', id, 'x'), true],
    ['GETALL', (id) => server.text('SESSION.GETALL', id), true],
    ['ADD_DATA', (id) => server.text('SESSION.ADD_DATA', id, 'f', 'v'), true],
    ['DEL_DATA', (id) => server.text('SESSION.DEL_DATA', id, 'f'), true],
    ['INCR_DATA', (id) => server.text('SESSION.INCR_DATA', id, 'n', '1'), true],
    ['CAS', (id) => server.text('SESSION.CAS', id, '0', 'f', 'v'), true],
    ['TOUCH', (id) => server.text('SESSION.TOUCH', id), true],
    ['CREATE that says exists', () => server.text('SESSION.CREATE', 'u'), true],
    ['GET', (id) => server.text('SESSION.GET', id), false],
    ['INFO', (id) => server.text('SESSION.INFO', id), false],
    ['TTL', (id) => ttl(id), false],
    ['USER', () => server.text('SESSION.USER', 'u'), false],
    ['LIST', () => server.text('SESSION.LIST'), false],
    ['SCAN', () => server.text('SESSION.SCAN', '0'), false],
    ['CAS of another version', (id) => server.text('SESSION.CAS', id, '5', 'f', 'v'), false],
  ])('%s: whether it counts as an access', (_, act, touches) => {
    const id = created(server, 'u', 'IDLE', '3', 'DATA', 'f', 'v');
    server.clock += 2000;
    act(id);
    expect(info(server, id)?.last_accessed).toBe(new Date(server.clock - (touches ? 0 : 2000)).toISOString());
    expect(ttl(id)).toBe(touches ? ':3000\r\n' : ':1000\r\n');
    server.clock += 999;
    expect(server.text('SESSION.GET', id)).not.toBe(NULL);
    server.clock += 1;
    expect(server.text('SESSION.GET', id) === NULL).toBe(!touches);
    server.clock += 2000;
    expect(server.text('SESSION.GET', id)).toBe(NULL);
    reclaim(server);
    expect(sessions()).toBe(0n);
    server.check();
  });

  test('of IDLE and TTL the earlier one ends it', () => {
    const id = created(server, 'u', 'IDLE', '10', 'TTL', '15');
    expect(ttl(id)).toBe(':10000\r\n');
    server.clock += 9000;
    server.call('SESSION.TOUCH', id);
    expect(ttl(id)).toBe(':6000\r\n');
    expect(info(server, id)).toMatchObject({ idle: 10_000, ttl: 6000 });
    server.clock += 6000;
    expect(ttl(id)).toBe(':-2\r\n');
  });

  test('an expired session is gone for every command, reclaimed or not', () => {
    const id = created(server, 'u', 'TTL', '1', 'DATA', 'f', 'v');
    created(server, 'v');
    server.clock += 1000;
    for (const reclaimed of [false, true]) {
      if (reclaimed) reclaim(server);
      expect(server.text('SESSION.GET', id)).toBe(NULL);
      expect(server.text('SESSION.GETALL', id)).toBe(NULL);
      expect(server.text('SESSION.INFO', id)).toBe(NULL);
      expect(server.text('SESSION.GET_DATA', id, 'f')).toBe(`-Session not found: ${id}\r\n`);
      expect(userIds(server, 'u')).toEqual([]);
      expect(scan(server)).not.toContain(id);
      expect(server.text('SESSION.LIST')).not.toContain(id);
      expect(server.text('SESSION.DELUSER', 'u')).toBe(':0\r\n');
      server.check();
    }
    expect(mapped(server, 'u')).toBe(null);
    expect(sessions()).toBe(1n);
  });

  test.each([
    'SESSION.ADD_DATA',
    'SESSION.ASSIGN',
    'SESSION.ROTATE',
    'SESSION.EXPIRE',
    'SESSION.DELETE',
    'SESSION.CAS',
    'SESSION.INCR_DATA',
    'SESSION.DEL_DATA',
  ])('%s as the first that meets an expired session does not revive it', (name) => {
    const rest: Record<string, string[]> = {
      ADD_DATA: ['f', 'v'],
      ASSIGN: ['w'],
      EXPIRE: ['60'],
      CAS: ['0', 'f', 'v'],
      INCR_DATA: ['n', '1'],
      DEL_DATA: ['f'],
    };
    const id = created(server, 'u', 'TTL', '1', 'DATA', 'f', 'v');
    server.clock += 1000;
    expect(server.text(name, id, ...(rest[name.slice(8)] ?? []))).toMatch(/^(:0|-Session not found: .*)\r\n$/);
    expect(server.text('SESSION.GET', id)).toBe(NULL);
    reclaim(server);
    expect(server.text('CUSTOM.KEYS')).toBe('*0\r\n');
    expect(sessions()).toBe(0n);
    server.check();
  });

  test('CREATE on the mapping of an expired session makes a new id, swept or not', () => {
    for (const reclaimed of [false, true]) {
      const id = created(server, 'u', 'TTL', '1');
      server.clock += 1000;
      if (reclaimed) reclaim(server);
      const next = created(server, 'u');
      expect(next).not.toBe(id);
      expect(mapped(server, 'u')).toBe(next);
      reclaim(server);
      expect(mapped(server, 'u')).toBe(next);
      server.check();
      server.call('SESSION.DELETE', next);
    }
  });

  test('reclaiming moves the mapping to the newest that remains', () => {
    const [a, b] = [created(server, 'u'), created(server, 'u', 'NEW', 'TTL', '2')];
    const c = created(server, 'u', 'NEW', 'TTL', '1');
    expect(mapped(server, 'u')).toBe(c);
    server.clock += 1000;
    reclaim(server);
    expect(mapped(server, 'u')).toBe(b);
    server.clock += 1000;
    reclaim(server);
    expect(mapped(server, 'u')).toBe(a);
    expect(server.text('SESSION.CREATE', 'u')).toBe(`+Session exists: ${a}\r\n`);
    server.check();
  });

  test('reclaiming leaves a mapping that names something else', () => {
    created(server, 'u', 'TTL', '1');
    server.call('CUSTOM.SET', 'u', 'something else');
    server.clock += 1000;
    reclaim(server);
    expect(mapped(server, 'u')).toBe('something else');
    expect(sessions()).toBe(0n);
  });

  test('a step of sweeping is bounded, and many steps reclaim all and give the memory back', () => {
    const used = () => server.infoOf(server.session).get('session_heap_used') ?? 0n;
    created(server, 'stays');
    const before = used();
    for (let index = 0; index < 5000; index++)
      created(server, `u${index % 700}`, 'NEW', 'TTL', String(1 + (index % 3)), 'DATA', 'f', 'v'.repeat(100));
    const full = used();
    server.clock += 3000;
    let steps = 0;
    let previous = sessions() ?? 0n;
    expect(previous).toBe(5001n);
    while (server.sweepStep()) {
      steps++;
      const now = sessions() ?? 0n;
      expect(previous - now).toBeLessThanOrEqual(64n);
      previous = now;
    }
    expect(steps).toBeGreaterThan(70);
    expect(sessions()).toBe(1n);
    expect(server.text('SESSION.COUNT')).toBe(':1\r\n');
    expect(server.text('CUSTOM.KEYS')).toBe(`*1\r\n${bulk('stays')}`);
    expect(used()).toBeLessThan(before + (full - before) / 10n);
    server.check();
  });

  test.each([
    [200, 10, 16],
    // 104 of the 1,024 that a step costs: 64 and one for each 8 KiB of its five pages.
    [40, 300_000, 10],
  ])('%i sessions with a value of %i bytes: a step ends as many as cost no more, %i', (count, bytes, most) => {
    for (let index = 0; index < count; index++) created(server, `u${index}`, 'TTL', '1', 'DATA', 'f', Buffer.alloc(bytes, 'v').toString());
    server.clock += 1100;
    let [largest, last] = [0, count];
    for (let more = true; more;) {
      more = server.sweepStep();
      largest = Math.max(largest, last - Number(sessions()));
      last = Number(sessions());
    }
    expect(last).toBe(0);
    expect(largest).toBe(most);
    server.check();
  });

  describe('sessions with many fields', () => {
    const used = () => Number(server.infoOf(server.session).get('session_heap_used'));
    const fill = (id: string, fields: number) => {
      for (let first = 0; first < fields; first += 1000) {
        const many = Array.from({ length: 1000 }, (_, index) => [`field ${first + index}`, 'value']).flat();
        server.call('SESSION.ADD_DATA', id, ...many);
      }
    };
    /** A step frees 512 fields, and tables that have become empty. */
    const STEP_BYTES = 512 * 64 + 200_000;

    test('are freed piece by piece when they expire', () => {
      created(server, 'stays');
      const before = used();
      for (let user = 0; user < 4; user++) fill(created(server, `u${user}`, 'TTL', '1'), 10_000);
      const full = used();
      expect(full - before).toBeGreaterThan(1_250_000);
      server.clock += 1100;
      let [steps, last] = [0, full];
      for (; server.sweepStep(); steps++) {
        expect(last - used()).toBeLessThan(STEP_BYTES);
        last = used();
        if (steps % 40 === 20) server.check();
      }
      expect(steps).toBeGreaterThan(50);
      expect(sessions()).toBe(1n);
      expect(used() - before).toBeLessThan(10_000);
      server.check();
    });

    test.each<[string, (id: string) => unknown]>([
      ['DELETE', (id) => server.text('SESSION.DELETE', id)],
      ['DELUSER', () => server.text('SESSION.DELUSER', 'u')],
      ['an eviction', () => server.text('SESSION.CREATE', 'u', 'NEW', 'MAX', '1')],
    ])('are freed piece by piece after %s, by whatever comes next', (_, end) => {
      created(server, 'stays');
      const before = used();
      const id = created(server, 'u');
      fill(id, 20_000);
      const full = used();
      end(id);
      expect(full - used()).toBeLessThan(STEP_BYTES);
      server.check();
      expect(server.text('SESSION.GET', id)).toBe(NULL);
      for (let commands = 0; commands < 60; commands++) server.call('SESSION.GET', id);
      expect(used() - before).toBeLessThan(10_000);
      server.check();
    });

    test('that wait when all is dropped are forgotten', () => {
      const id = created(server, 'u');
      fill(id, 5000);
      server.call('SESSION.DELETE', id);
      server.session.exports.flush();
      server.hashmap.exports.flush();
      server.check();
      fill(created(server, 'u'), 5000);
      reclaim(server);
      server.check();
    });

    test('leave their room to a write that needs it at once', () => {
      let full = false;
      server = new FakeServer({ link, mayGrow: () => !full });
      const id = created(server, 'u');
      fill(id, 20_000);
      const other = created(server, 'v');
      full = true;
      // Until no page is left, and then no place for what is small either.
      const isCreated = (size: number) => server.text('SESSION.CREATE', 'w', 'NEW', 'DATA', 'f', 'x'.repeat(size)).startsWith('+');
      for (const size of [1500, 100]) while (isCreated(size));
      server.call('SESSION.DELETE', id);
      const many = Array.from({ length: 15_000 }, (_, index) => [`field ${index}`, 'value']).flat();
      expect(server.text('SESSION.ADD_DATA', other, ...many)).toBe('+OK\r\n');
      server.check();
    });
  });

  test('a sweep takes nothing that lives, however often deadlines moved', () => {
    const ids = Array.from({ length: 200 }, (_, index) => created(server, `u${index}`, 'IDLE', '2'));
    for (let round = 0; round < 50; round++) {
      server.clock += 1000;
      for (const id of ids.filter((_, index) => index % 2 === 0)) server.call('SESSION.TOUCH', id);
      reclaim(server);
    }
    expect(sessions()).toBe(100n);
    for (const [index, id] of ids.entries()) expect(server.text('SESSION.GET', id) !== NULL).toBe(index % 2 === 0);
    server.clock += 1_000_000_000_000;
    reclaim(server);
    expect(sessions()).toBe(0n);
    server.check();
  });

  describe('EXPIRE', () => {
    test('sets the absolute end, or the idle limit', () => {
      const id = created(server, 'u');
      expect(ttl(id)).toBe(':-1\r\n');
      expect(server.text('SESSION.EXPIRE', id, '60')).toBe(':1\r\n');
      expect(info(server, id)).toMatchObject({ idle: -1, ttl: 60_000 });
      expect(server.text('SESSION.EXPIRE', id, '30', 'ttl')).toBe(':1\r\n');
      expect(server.text('SESSION.EXPIRE', id, '90', 'idle')).toBe(':1\r\n');
      expect(info(server, id)).toMatchObject({ idle: 90_000, ttl: 30_000 });
      server.clock += 20_000;
      expect(server.text('SESSION.EXPIRE', id, '100')).toBe(':1\r\n');
      expect(info(server, id)).toMatchObject({ idle: 90_000, ttl: 100_000 });
      expect(ttl(id)).toBe(':70000\r\n');
      server.check();
    });

    test('IDLE counts from the last access', () => {
      const id = created(server, 'u');
      server.clock += 5000;
      expect(server.text('SESSION.EXPIRE', id, '6', 'IDLE')).toBe(':1\r\n');
      expect(ttl(id)).toBe(':1000\r\n');
      expect(server.text('SESSION.EXPIRE', id, '5', 'IDLE')).toBe(':1\r\n');
      expect(ttl(id)).toBe(':-2\r\n');
      reclaim(server);
      expect(sessions()).toBe(0n);
      server.check();
    });

    test.each(['0', '-1', '-100'])('of %s s ends it at once', (seconds) => {
      for (const word of [[], ['IDLE'], ['TTL']]) {
        const older = created(server, 'u');
        const id = created(server, 'u', 'NEW');
        expect(server.text('SESSION.EXPIRE', id, seconds, ...word)).toBe(':1\r\n');
        expect(server.text('SESSION.GET', id)).toBe(NULL);
        reclaim(server);
        expect(mapped(server, 'u')).toBe(older);
        expect(sessions()).toBe(1n);
        server.call('SESSION.DELETE', older);
        server.check();
      }
    });

    test.each<[string[], string]>([
      [['x'], NOT_INTEGER],
      [['1.5'], NOT_INTEGER],
      [[''], NOT_INTEGER],
      [['5', 'WHAT'], '-ERR syntax error\r\n'],
      [['9223372036854775807'], EXPIRY],
      [['9223372036854775807', 'IDLE'], EXPIRY],
    ])('with %j is refused and changes nothing', (args, error) => {
      const id = created(server, 'u');
      expect(server.text('SESSION.EXPIRE', id, ...args)).toBe(error);
      expect(ttl(id)).toBe(':-1\r\n');
    });
  });

  test('the settings apply where CREATE says nothing', () => {
    server.configure('session-idle', 10);
    server.configure('session-ttl', 20);
    expect(info(server, created(server, 'a'))).toMatchObject({ idle: 10_000, ttl: 20_000 });
    expect(info(server, created(server, 'b', 'IDLE', '3'))).toMatchObject({ idle: 3000, ttl: 20_000 });
    expect(info(server, created(server, 'c', 'TTL', '4'))).toMatchObject({ idle: 10_000, ttl: 4000 });
    server.call('CUSTOM.SET', 'd', UNKNOWN_ID);
    server.call('SESSION.CREATE', 'd');
    expect(info(server, UNKNOWN_ID)).toMatchObject({ idle: 10_000, ttl: 20_000 });
    server.configure('session-idle', 0);
    server.configure('session-ttl', 0);
    expect(info(server, created(server, 'e'))).toMatchObject({ idle: -1, ttl: -1 });
    server.check();
  });

  test('ROTATE keeps the limits, and a new deadline is swept by its new id', () => {
    const id = created(server, 'u', 'IDLE', '5', 'TTL', '8');
    server.clock += 3000;
    const next = server.text('SESSION.ROTATE', id, 'GRACE', '60000').slice(5, 41);
    expect(info(server, next)).toMatchObject({ idle: 5000, ttl: 5000 });
    expect(ttl(next)).toBe(':2000\r\n');
    server.clock += 2000;
    for (const gone of [id, next]) expect(server.text('SESSION.GET', gone)).toBe(NULL);
    reclaim(server);
    expect(sessions()).toBe(0n);
    expect(server.text('CUSTOM.KEYS')).toBe('*0\r\n');
    server.check();
    server.clock += 60_000;
    reclaim(server);
    server.check();
  });

  describe('a clock that steps back', () => {
    test('revives nothing that was reclaimed, and ends nothing early', () => {
      const gone = created(server, 'gone', 'TTL', '1');
      const id = created(server, 'u', 'TTL', '10');
      const idle = created(server, 'v', 'IDLE', '10');
      server.clock += 1000;
      reclaim(server);
      server.clock -= 500_000;
      reclaim(server);
      expect(server.text('SESSION.GET', gone)).toBe(NULL);
      for (const lives of [id, idle]) expect(server.text('SESSION.GET', lives)).not.toBe(NULL);
      const next = created(server, 'w', 'TTL', '5');
      server.clock += 4999;
      server.sweep();
      expect(server.text('SESSION.GET', next)).not.toBe(NULL);
      server.clock += 1;
      expect(server.text('SESSION.GET', next)).toBe(NULL);
      reclaim(server);
      server.check();
      // The end of the others comes when the clock comes there.
      server.clock += 1_000_000;
      reclaim(server);
      expect(sessions()).toBe(0n);
    });

    test.each<[string, (id: string) => unknown]>([
      ['TOUCH', (id) => server.call('SESSION.TOUCH', id)],
      ['ADD_DATA', (id) => server.call('SESSION.ADD_DATA', id, 'f', 'v')],
      ['the effect of a touch', (id) => server.call('session.apply', '1', 'touch', id, String(server.clock))],
      ['the effect of a write', (id) => server.call('session.apply', '1', 'set', id, String(server.clock), '1', 'f', 'v')],
      ['the effect of a removal', (id) => server.call('session.apply', '1', 'unset', id, String(server.clock), '1', 'f')],
    ])('does not delay the reclaiming of what is idle since %s', (_, access) => {
      server.clock += 3_600_000;
      created(server, 'stays', 'TTL', '100000');
      reclaim(server);
      const id = created(server, 'u', 'IDLE', '10');
      server.clock -= 3_600_000;
      access(id);
      server.clock += 10_000;
      expect(server.text('SESSION.GET', id)).toBe(NULL);
      reclaim(server);
      expect(sessions()).toBe(1n);
      expect(mapped(server, 'u')).toBe(null);
      server.check();
    });

    test('an access of the past does not shorten the life by more than the step', () => {
      const id = created(server, 'u', 'IDLE', '100');
      server.clock -= 30_000;
      server.call('SESSION.TOUCH', id);
      const left = Number(ttl(id).slice(1));
      expect(left).toBeGreaterThanOrEqual(100_000);
      expect(left).toBeLessThanOrEqual(130_000);
      server.clock += 99_999;
      expect(server.text('SESSION.GET', id)).not.toBe(NULL);
      server.check();
    });
  });

  describe('a replica', () => {
    const pair = (): { replica: FakeServer; sync: () => void } => {
      const replica = new FakeServer({ link, seed: 99 });
      let applied = 0;
      return {
        replica,
        sync: () => {
          const flags = replica.flags;
          replica.flags = REPLICA | REPLICATED;
          replica.replay(server.propagated.slice(applied));
          applied = server.propagated.length;
          replica.flags = flags;
        },
      };
    };

    test('hides what has expired, and leaves its removal to the primary', () => {
      const { replica, sync } = pair();
      replica.flags = REPLICA;
      const id = created(server, 'u', 'TTL', '1');
      sync();
      replica.clock = server.clock += 1000;
      expect(replica.text('SESSION.GET', id)).toBe(NULL);
      expect(replica.text('SESSION.TTL', id)).toBe(':-2\r\n');
      expect(userIds(replica, 'u')).toEqual([]);
      expect(replica.propagated).toEqual([]);
      expect(replica.infoOf(replica.session).get('session_sessions')).toBe(1n);
      replica.check();
      reclaim(server);
      sync();
      expect(replica.infoOf(replica.session).get('session_sessions')).toBe(0n);
      expect(mapped(replica, 'u')).toBe(null);
      replica.check();
    });

    test('applies effects whatever its clock says', () => {
      const { replica, sync } = pair();
      replica.clock = Date.UTC(2099, 0, 1);
      const id = created(server, 'u', 'IDLE', '5', 'TTL', '60');
      server.call('SESSION.ADD_DATA', id, 'f', 'v');
      const next = server.text('SESSION.ROTATE', id, 'GRACE', '5000').slice(5, 41);
      server.call('SESSION.INCR_DATA', id, 'n', '5');
      sync();
      replica.clock = server.clock;
      expect(replica.text('SESSION.GET', next)).toBe(server.text('SESSION.GET', next));
      expect(replica.text('SESSION.GET', id)).toBe(server.text('SESSION.GET', id));
      expect(replica.text('SESSION.INFO', next)).toBe(server.text('SESSION.INFO', next));
      replica.check();
    });

    test('reads touch nothing there', () => {
      const { replica, sync } = pair();
      const id = created(server, 'u', 'IDLE', '5', 'DATA', 'f', 'v');
      sync();
      replica.flags = REPLICA;
      replica.clock += 3000;
      for (const read of [
        ['GET_DATA', id, 'f'],
        ['GETALL', id],
        ['TTL', id],
      ])
        replica.call(`SESSION.${read[0]}`, ...read.slice(1));
      expect(replica.text('SESSION.TTL', id)).toBe(':2000\r\n');
      expect(replica.propagated).toEqual([]);
    });
  });

  test('what expired is replicated as its end, once', () => {
    const id = created(server, 'u', 'TTL', '1');
    server.clock += 1000;
    const before = server.propagated.length;
    server.call('SESSION.GET', id);
    reclaim(server);
    reclaim(server);
    const ends = server.propagated.slice(before).map((effect) => effect.map(String));
    expect(ends.filter((effect) => effect.includes(id)).length).toBe(1);
    expect(server.events.filter((event) => event.endsWith(`session.expired ${id}`))).toEqual([`8192 session.expired ${id}`]);
  });
});
