/** CUSTOM.* with options, deadlines, many keys: the shipped hashmap.wasm on a fake server. */
import fc from 'fast-check';
import { beforeEach, describe, expect, test } from 'vitest';
import { bulk, bytes, elements, FakeServer, NULL } from '../support/fake-redis.ts';

const REPLICATED = 1 << 12;
const LOADING = 1 << 13;
const OK = '+OK\r\n';
const SYNTAX = '-ERR syntax error\r\n';
const NOT_INTEGER = '-ERR value is not an integer or out of range\r\n';
const invalidTime = (command: string): string => `-ERR invalid expire time in '${command}' command\r\n`;
const integer = (value: number | bigint): string => `:${value}\r\n`;
const array = (...parts: string[]): string => `*${parts.length}\r\n${parts.join('')}`;

let server: FakeServer;
beforeEach(() => {
  server = new FakeServer();
});

/** Runs the command of this line; its arguments have no blanks. */
const run = (line: string): string => server.text(...(line.split(' ') as [string, ...string[]]));
const effects = (): string[] => server.propagated.splice(0).map((command) => command.join(' '));
const keys = (): string[] => elements(server.call('CUSTOM.KEYS')).map(String).sort();

/**
 * Milliseconds that this process runs on a processor meanwhile: what else the machine does is not counted.
 */
function running_ms(action: () => void): number {
  const before = process.cpuUsage();
  action();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}

describe('CUSTOM.SET with options', () => {
  test('NX and XX', () => {
    expect(run('CUSTOM.SET k v xx')).toBe(NULL);
    expect(run('CUSTOM.GET k')).toBe(NULL);
    expect(run('CUSTOM.SET k v NX')).toBe(OK);
    expect(run('CUSTOM.SET k w nx')).toBe(NULL);
    expect(run('CUSTOM.GET k')).toBe(bulk('v'));
    expect(run('CUSTOM.SET k w Xx')).toBe(OK);
    expect(run('CUSTOM.GET k')).toBe(bulk('w'));
    expect(effects()).toEqual(['custom.set k v', 'custom.set k w']);
  });

  test('GET answers the value before, whatever NX and XX say', () => {
    expect(run('CUSTOM.SET k v GET')).toBe(NULL);
    expect(run('CUSTOM.SET k w GET')).toBe(bulk('v'));
    expect(run('CUSTOM.SET k x NX GET')).toBe(bulk('w'));
    expect(run('CUSTOM.SET l x GET XX')).toBe(NULL);
    expect(run('CUSTOM.SET l x GET NX')).toBe(NULL);
    expect(run('CUSTOM.MGET k l')).toBe(array(bulk('w'), bulk('x')));
    server.check();
  });

  test.each([
    ['EX 10', 10_000],
    ['px 1500', 1500],
    ['PX 1', 1],
  ])('%s', (option, left) => {
    expect(run(`CUSTOM.SET k v ${option}`)).toBe(OK);
    expect(run('CUSTOM.PTTL k')).toBe(integer(left));
    expect(effects()).toEqual([`custom.apply 1 set k v ${server.clock + left}`]);
    server.clock += left - 1;
    expect(run('CUSTOM.GET k')).toBe(bulk('v'));
    server.clock += 1;
    expect(run('CUSTOM.GET k')).toBe(NULL);
    server.check();
  });

  test('EXAT and PXAT; a moment that has passed deletes', () => {
    const second = Math.floor(server.clock / 1000);
    expect(run(`CUSTOM.SET k v EXAT ${second + 5}`)).toBe(OK);
    expect(run('CUSTOM.PTTL k')).toBe(integer((second + 5) * 1000 - server.clock));
    expect(run(`CUSTOM.SET k v PXAT ${server.clock + 7}`)).toBe(OK);
    expect(run('CUSTOM.PTTL k')).toBe(integer(7));
    effects();
    expect(run(`CUSTOM.SET k w GET PXAT ${server.clock}`)).toBe(bulk('v'));
    expect(run('CUSTOM.LEN')).toBe(integer(0));
    expect(run('CUSTOM.SET k w EXAT 1')).toBe(OK);
    expect(run('CUSTOM.LEN')).toBe(integer(0));
    expect(effects()).toEqual(['custom.del k']);
    server.check();
  });

  test('without an option of time the deadline goes, with KEEPTTL it stays', () => {
    run('CUSTOM.SET k v PX 1000');
    run('CUSTOM.SET k w KEEPTTL');
    expect(run('CUSTOM.PTTL k')).toBe(integer(1000));
    run(`CUSTOM.SET k ${'longer'.repeat(100)} KEEPTTL`);
    expect(run('CUSTOM.PTTL k')).toBe(integer(1000));
    run('CUSTOM.SET k x');
    expect(run('CUSTOM.PTTL k')).toBe(integer(-1));
    run('CUSTOM.SET k v PX 1000');
    run('CUSTOM.SET k y XX');
    expect(run('CUSTOM.PTTL k')).toBe(integer(-1));
    run('CUSTOM.SET k z KEEPTTL');
    expect(run('CUSTOM.PTTL k')).toBe(integer(-1));
    server.check();
  });

  test.each([
    ['NX XX', SYNTAX],
    ['xx NX', SYNTAX],
    ['NOW', SYNTAX],
    ['EX', SYNTAX],
    ['EX 1 PX 1', SYNTAX],
    ['KEEPTTL EX 1', SYNTAX],
    ['PXAT 1 KEEPTTL', SYNTAX],
    ['EX 0', invalidTime('custom.set')],
    ['PX -1', invalidTime('custom.set')],
    ['EXAT 0', invalidTime('custom.set')],
    ['EX 9223372036854775807', invalidTime('custom.set')],
    ['EX 9223372036854775', invalidTime('custom.set')],
    ['PX 9223372036854775807', invalidTime('custom.set')],
    ['EX x', NOT_INTEGER],
    ['EX 1.5', NOT_INTEGER],
    ['PX 9223372036854775808', NOT_INTEGER],
    // 2^64 + 1: what would be 1 where digits were read beyond 64 bits.
    ['PX 18446744073709551617', NOT_INTEGER],
    ['PX 01', NOT_INTEGER],
    ['PX +1', NOT_INTEGER],
    ['EX x NX XX', SYNTAX],
  ])('%s is refused, and nothing is stored', (options, error) => {
    expect(run(`CUSTOM.SET k v ${options}`)).toBe(error);
    expect(run('CUSTOM.LEN')).toBe(integer(0));
    expect(server.propagated).toEqual([]);
  });

  test('the same option twice is taken as the server takes it', () => {
    expect(run('CUSTOM.SET k v EX 5 EX 10 GET GET NX NX')).toBe(NULL);
    expect(run('CUSTOM.TTL k')).toBe(integer(10));
  });
});

describe('many keys', () => {
  test('MSET and MGET; the last of equal keys wins, deadlines go', () => {
    run('CUSTOM.SET b old PX 100');
    effects();
    expect(run('CUSTOM.MSET a 1 b 2 c 3 a 4')).toBe(OK);
    expect(run('CUSTOM.MGET a b x c a')).toBe(array(bulk('4'), bulk('2'), NULL, bulk('3'), bulk('4')));
    expect(run('CUSTOM.PTTL b')).toBe(integer(-1));
    expect(effects()).toEqual(['custom.mset a 1 b 2 c 3 a 4']);
    expect(run('CUSTOM.MSET a 1 b')).toBe("-ERR wrong number of arguments for 'custom.mset' command\r\n");
    server.check();
  });

  test('MSET of thousands of keys, new and old, keeps all structures', () => {
    const model = new Map<string, string>();
    for (let round = 0; round < 5; round++) {
      const pairs = Array.from({ length: 4000 }, (_, at) => [`key:${(at * 7 * (round + 1)) % 9000}`, `${round}:${at}`] as const);
      for (const [key, value] of pairs) model.set(key, value);
      expect(server.text('CUSTOM.MSET', ...pairs.flat())).toBe(OK);
      server.check();
    }
    expect(keys()).toEqual([...model.keys()].sort());
    for (const [key, value] of model) expect(server.text('CUSTOM.GET', key)).toBe(bulk(value));
  });

  test('MSET lets the table grow as SET does: keys are found as fast', () => {
    const CHUNK = 10_000;
    const keys = Array.from({ length: 4 * CHUNK }, (_, at) => `key:${at}`);
    const chunks = [0, 1, 2, 3].map((at) => keys.slice(at * CHUNK, (at + 1) * CHUNK));
    const other = new FakeServer();
    for (const chunk of chunks) expect(server.text('CUSTOM.MSET', ...chunk.flatMap((key) => [key, 'v']))).toBe(OK);
    for (const key of keys) other.call('CUSTOM.SET', key, 'v');
    const time = (target: FakeServer): number =>
      running_ms(() => {
        for (const chunk of chunks) expect(target.text('CUSTOM.EXISTS', ...chunk)).toBe(integer(CHUNK));
      });
    time(other);
    expect(time(server)).toBeLessThan(8 * time(other) + 50);
    server.check();
  });

  test('MSET stores nothing where memory ends, and leaves nothing behind', () => {
    const small = new FakeServer({ maxPages: 120 });
    small.call('CUSTOM.SET', 'a', 'before');
    const pairs = Array.from({ length: 100 }, (_, at) => [at ? `k${at}` : 'a', Buffer.alloc(100_000, at)]).flat();
    const used = small.infoOf(small.hashmap).get('hashmap_heap_used');
    expect(small.text('CUSTOM.MSET', ...pairs)).toMatch(/^-OOM /);
    expect(small.text('CUSTOM.GET', 'a')).toBe(bulk('before'));
    expect(small.text('CUSTOM.LEN')).toBe(integer(1));
    expect(small.propagated).toHaveLength(1);
    small.check();
    expect(Number(small.infoOf(small.hashmap).get('hashmap_heap_used'))).toBeLessThan(Number(used) + 1000);
  });

  test('DEL and EXISTS count; each deletion has its effect', () => {
    run('CUSTOM.MSET a 1 b 2 c 3');
    effects();
    expect(run('CUSTOM.EXISTS a b a x')).toBe(integer(3));
    expect(run('CUSTOM.DEL a x a b')).toBe(integer(2));
    expect(effects()).toEqual(['custom.del a', 'custom.del b']);
    expect(run('CUSTOM.DEL c')).toBe(integer(1));
    expect(effects()).toEqual(['custom.del c']);
    server.check();
  });

  test('LEN, CLEAR and MEMORY', () => {
    run('CUSTOM.MSET a 1 b 2 c 3');
    run('CUSTOM.SET d 4 PX 10');
    expect(run('CUSTOM.LEN')).toBe(integer(4));
    expect(run('CUSTOM.MEMORY x')).toBe(NULL);
    const [small, long] = ['a', `long ${'x'.repeat(1000)}`].map((line) => {
      const [key = '', value] = line.split(' ');
      if (value) server.call('CUSTOM.SET', key, value);
      return Number(server.text('CUSTOM.MEMORY', key).slice(1));
    });
    expect(small).toBe(10);
    expect(long).toBeGreaterThanOrEqual(1000 + 4 + 5);
    expect(long).toBeLessThan(1060);
    effects();
    server.signalled.length = 0;
    expect(run('CUSTOM.CLEAR')).toBe(integer(5));
    expect(effects()).toEqual(['custom.clear']);
    expect(server.signalled.sort()).toEqual(['a', 'b', 'c', 'd', 'long']);
    expect(run('CUSTOM.CLEAR')).toBe(integer(0));
    expect(effects()).toEqual([]);
    expect(run('CUSTOM.SET d 4 PX 10')).toBe(OK);
    server.check();
  });
});

describe('values', () => {
  test('GETDEL and STRLEN', () => {
    expect(run('CUSTOM.GETDEL k')).toBe(NULL);
    expect(run('CUSTOM.STRLEN k')).toBe(integer(0));
    run('CUSTOM.SET k value PX 10');
    expect(run('CUSTOM.STRLEN k')).toBe(integer(5));
    effects();
    expect(run('CUSTOM.GETDEL k')).toBe(bulk('value'));
    expect(effects()).toEqual(['custom.del k']);
    expect(run('CUSTOM.EXISTS k')).toBe(integer(0));
    server.check();
  });

  test('INCRBY', () => {
    expect(run('CUSTOM.INCRBY n 5')).toBe(integer(5));
    expect(run('CUSTOM.INCRBY n -12')).toBe(integer(-7));
    expect(run('CUSTOM.GET n')).toBe(bulk('-7'));
    run('CUSTOM.PEXPIRE n 1000');
    expect(run('CUSTOM.INCRBY n 1000000')).toBe(integer(999_993));
    expect(run('CUSTOM.PTTL n')).toBe(integer(1000));
    expect(effects().at(-1)).toBe(`custom.apply 1 set n 999993 ${server.clock + 1000}`);
    server.check();
  });

  test.each([
    ['9223372036854775807', '1'],
    ['-9223372036854775808', '-1'],
    ['9223372036854775806', '2'],
    ['-2', '-9223372036854775807'],
  ])('INCRBY %s by %s would overflow', (value, by) => {
    run(`CUSTOM.SET n ${value}`);
    expect(run(`CUSTOM.INCRBY n ${by}`)).toBe('-ERR increment or decrement would overflow\r\n');
    expect(run('CUSTOM.GET n')).toBe(bulk(value));
  });

  test('INCRBY to the ends of the range', () => {
    run('CUSTOM.SET n 9223372036854775806');
    expect(run('CUSTOM.INCRBY n 1')).toBe(':9223372036854775807\r\n');
    expect(run('CUSTOM.INCRBY n -9223372036854775808')).toBe(':-1\r\n');
    expect(run('CUSTOM.INCRBY n -9223372036854775807')).toBe(':-9223372036854775808\r\n');
    expect(run('CUSTOM.GET n')).toBe(bulk('-9223372036854775808'));
  });

  test.each(['', 'x', ' 1', '1 ', '+1', '01', '-0', '-', '1.0', '9223372036854775808', '-9223372036854775809', '99999999999999999999'])(
    'INCRBY refuses %j, as a value and as an increment',
    (text) => {
      server.call('CUSTOM.SET', 'n', text);
      expect(run('CUSTOM.INCRBY n 1')).toBe(NOT_INTEGER);
      expect(server.text('CUSTOM.INCRBY', 'm', text)).toBe(NOT_INTEGER);
      expect(run('CUSTOM.LEN')).toBe(integer(1));
    },
  );

  test('APPEND creates, lengthens, keeps the deadline', () => {
    expect(run('CUSTOM.APPEND k ab')).toBe(integer(2));
    expect(effects()).toEqual(['custom.set k ab']);
    run('CUSTOM.PEXPIRE k 500');
    effects();
    expect(run('CUSTOM.APPEND k c')).toBe(integer(3));
    expect(effects()).toEqual(['custom.apply 1 append k 2 c']);
    let model = 'abc';
    for (let length = 0; length < 3000; length += 37) {
      model += String.fromCharCode(97 + (length % 26)).repeat(length);
      expect(run(`CUSTOM.APPEND k ${model.slice(model.length - length)}`)).toBe(integer(model.length));
    }
    expect(run('CUSTOM.GET k')).toBe(bulk(model));
    expect(run('CUSTOM.PTTL k')).toBe(integer(500));
    server.check();
  });
});

describe('deadlines', () => {
  test('EXPIRE, PEXPIRE, TTL, PTTL, PERSIST', () => {
    for (const command of ['CUSTOM.EXPIRE k 10', 'CUSTOM.PEXPIRE k 10', 'CUSTOM.PERSIST k', 'CUSTOM.EXPIRE k -1']) {
      expect(run(command)).toBe(integer(0));
    }
    expect(run('CUSTOM.TTL k')).toBe(integer(-2));
    expect(run('CUSTOM.PTTL k')).toBe(integer(-2));
    run('CUSTOM.SET k v');
    expect(run('CUSTOM.TTL k')).toBe(integer(-1));
    expect(run('CUSTOM.PERSIST k')).toBe(integer(0));
    effects();
    expect(run('CUSTOM.EXPIRE k 10')).toBe(integer(1));
    expect(run('CUSTOM.PTTL k')).toBe(integer(10_000));
    expect(run('CUSTOM.PEXPIRE k 1499')).toBe(integer(1));
    expect(run('CUSTOM.TTL k')).toBe(integer(1));
    expect(run('CUSTOM.PEXPIRE k 1500')).toBe(integer(1));
    expect(run('CUSTOM.TTL k')).toBe(integer(2));
    expect(run('CUSTOM.PERSIST k')).toBe(integer(1));
    expect(run('CUSTOM.PTTL k')).toBe(integer(-1));
    const at = (ms: number): string => `custom.apply 1 expire k ${server.clock + ms}`;
    expect(effects()).toEqual([at(10_000), at(1499), at(1500), 'custom.apply 1 expire k 0']);
    expect(server.events.slice(-2)).toEqual(['8192 custom.expire k', '8192 custom.persist k']);
    expect(run('CUSTOM.GET k')).toBe(bulk('v'));
    server.check();
  });

  test.each(['0', '-1', '-9223372036854775'])('EXPIRE with %s deletes at once', (seconds) => {
    run('CUSTOM.SET k v');
    effects();
    expect(run(`CUSTOM.EXPIRE k ${seconds}`)).toBe(integer(1));
    expect(run('CUSTOM.LEN')).toBe(integer(0));
    expect(effects()).toEqual(['custom.del k']);
  });

  test('a time that overflows is invalid, one that is no integer is none', () => {
    run('CUSTOM.SET k v');
    expect(run('CUSTOM.EXPIRE k 9223372036854775807')).toBe(invalidTime('custom.expire'));
    expect(run('CUSTOM.EXPIRE k -9223372036854775807')).toBe(invalidTime('custom.expire'));
    expect(run('CUSTOM.EXPIRE k 9223372036854775')).toBe(invalidTime('custom.expire'));
    expect(run('CUSTOM.PEXPIRE k 9223372036854775807')).toBe(invalidTime('custom.pexpire'));
    expect(run('CUSTOM.EXPIRE k soon')).toBe(NOT_INTEGER);
    expect(run('CUSTOM.PEXPIRE k 9000000000000000000')).toBe(integer(1));
    expect(run('CUSTOM.TTL k')).toBe(integer(9_000_000_000_000_000));
    server.check();
  });

  test('PERSIST needs no memory', () => {
    const full = new FakeServer({ maxPages: 40 });
    full.call('CUSTOM.SET', 'k', Buffer.alloc(100_000), 'PX', '1000');
    for (let at = 0; full.text('CUSTOM.SET', `fill:${at}`, Buffer.alloc(30_000)) === OK; at++);
    expect(full.text('CUSTOM.PERSIST', 'k')).toBe(integer(1));
    expect(full.text('CUSTOM.PTTL', 'k')).toBe(integer(-1));
    full.check();
    full.clock += 10_000;
    expect(full.text('CUSTOM.STRLEN', 'k')).toBe(integer(100_000));
    expect(full.text('CUSTOM.PEXPIRE', 'k', '5')).toBe(integer(1));
    full.check();
  });

  const READS = ['GET k', 'STRLEN k', 'EXISTS k k', 'TTL k', 'PTTL k', 'MEMORY k', 'KEYS', 'KEYS *', 'MGET k', 'SCAN 0'];
  const WRITES = [
    'DEL k',
    'GETDEL k',
    'PERSIST k',
    'EXPIRE k 5',
    'APPEND k x',
    'INCRBY k 1',
    'SET k w XX',
    'SET k w KEEPTTL',
    'SET k w GET',
  ];

  test.each([...READS, ...WRITES])('CUSTOM.%s: an expired entry is as one that is absent', (line) => {
    const other = new FakeServer();
    const setUp = (target: FakeServer): void => {
      target.call('CUSTOM.SET', 'k', '5', 'PX', '100');
    };
    setUp(server);
    server.clock += 100;
    other.clock = server.clock;
    effects();
    const [name = '', ...args] = line.split(' ');
    expect(server.text(`CUSTOM.${name}`, ...args)).toBe(other.text(`CUSTOM.${name}`, ...args));
    expect(server.propagated).toEqual(other.propagated);
    expect(server.text('CUSTOM.GET', 'k')).toBe(other.text('CUSTOM.GET', 'k'));
    expect(server.text('CUSTOM.PTTL', 'k')).toBe(other.text('CUSTOM.PTTL', 'k'));
    server.check();
    server.clock += 64;
    server.sweep();
    server.check();
    expect(server.text('CUSTOM.LEN')).toBe(other.text('CUSTOM.LEN'));
  });

  test('a link function takes an expired entry as absent, and leaves it to the sweep', () => {
    run('CUSTOM.SET k v PX 100');
    server.clock += 100;
    expect(server.link(server.hashmap, 'get', 'k')).toBe(0n);
    expect(server.link(server.hashmap, 'exists', 'k')).toBe(0n);
    expect(server.link(server.hashmap, 'del', 'k')).toBe(0n);
    expect(run('CUSTOM.LEN')).toBe(integer(1));
    expect(server.link(server.hashmap, 'set', 'k', 'w')).toBe(1n);
    expect(run('CUSTOM.PTTL k')).toBe(integer(-1));
    server.check();
  });

  test.each([REPLICATED, LOADING])('what repeats decisions (flags %i) does not judge by the clock', (flags) => {
    run('CUSTOM.SET k v PX 100');
    server.clock += 1000;
    expect(run('CUSTOM.GET k')).toBe(NULL);
    server.flags = flags;
    expect(run('CUSTOM.GET k')).toBe(bulk('v'));
    expect(run('CUSTOM.DEL k')).toBe(integer(1));
    server.check();
  });

  test('the flags are asked only where a deadline has passed', () => {
    run('CUSTOM.SET k v PX 100');
    run('CUSTOM.SET l v');
    Object.defineProperty(server, 'flags', {
      get: () => {
        throw new Error('asked');
      },
    });
    run('CUSTOM.MGET k l');
    run('CUSTOM.APPEND k x');
    server.clock += 100;
    expect(() => run('CUSTOM.GET k')).toThrow('asked');
  });
});

describe('sweeping', () => {
  test('reclaims what has expired, with its effect and event, and nothing else', () => {
    run('CUSTOM.SET a 1 PX 100');
    run('CUSTOM.SET b 2 PX 100000');
    run('CUSTOM.SET c 3');
    effects();
    server.sweep();
    expect(run('CUSTOM.LEN')).toBe(integer(3));
    server.clock += 100 + 64;
    server.events.length = 0;
    server.signalled.length = 0;
    expect(server.sweep().map((command) => command.join(' '))).toEqual(['custom.del a']);
    expect(server.events).toEqual(['8192 custom.expired a']);
    expect(server.signalled).toEqual(['a']);
    expect(keys()).toEqual(['b', 'c']);
    expect(run('CUSTOM.LEN')).toBe(integer(2));
    expect(server.infoOf(server.hashmap).get('hashmap_expired')).toBe(1n);
    server.check();
  });

  test.each([
    [5000, 500, 64],
    // 52 of the 1,024 that a step costs: 16 and one for each 8 KiB.
    [60, 300_000, 20],
  ])('%i entries of %i bytes: a step takes as many as cost no more, %i, and memory comes back', (count, bytes, most) => {
    for (let at = 0; at < count; at++) server.call('CUSTOM.SET', `k${at}`, Buffer.alloc(bytes), 'PX', String(1000 + (at % 7)));
    const free = server.hashmap.exports.freeBytes();
    server.clock += 2000;
    let steps = 0;
    let largest = 0;
    for (let before = count; before > 0; steps++) {
      server.sweepStep();
      const left = Number(run('CUSTOM.LEN').slice(1));
      largest = Math.max(largest, before - left);
      before = left;
      if (steps > 2000) break;
    }
    expect(run('CUSTOM.LEN')).toBe(integer(0));
    expect(largest).toBe(most);
    server.check();
    expect(server.hashmap.exports.freeBytes() - free).toBeGreaterThan(2_000_000n);
  });

  test('a deadline that was moved later, or earlier, or taken away, is the one that counts', () => {
    for (const key of ['later', 'earlier', 'away', 'set', 'same']) server.call('CUSTOM.SET', key, 'v', 'PX', '10000');
    run('CUSTOM.PEXPIRE later 50000');
    run('CUSTOM.PEXPIRE earlier 1000');
    run('CUSTOM.PERSIST away');
    run('CUSTOM.SET set w');
    const left: string[][] = [];
    for (const ms of [1100, 9000, 40_000, 1_000_000]) {
      server.clock += ms;
      server.sweep();
      server.check();
      left.push(keys());
    }
    expect(left).toEqual([
      ['away', 'later', 'same', 'set'],
      ['away', 'later', 'set'],
      ['away', 'set'],
      ['away', 'set'],
    ]);
  });

  test('compaction moves entries with deadlines, and they still expire', () => {
    for (let at = 0; at < 30_000; at++) server.call('CUSTOM.SET', `k${at}`, Buffer.alloc(60), 'PX', String(100_000 + at));
    for (let at = 0; at < 30_000; at++) if (at % 10) server.call('CUSTOM.DEL', `k${at}`);
    for (let at = 0; at < 8000; at++) server.call('CUSTOM.SET', `other${at}`, Buffer.alloc(90));
    server.check();
    server.clock += 200_000;
    server.sweep();
    server.check();
    expect(run('CUSTOM.LEN')).toBe(integer(8000));
  });
});

describe('effects', () => {
  const operation = fc.oneof(
    fc.tuple(fc.constant('SET'), fc.constantFrom('', 'NX', 'XX', 'GET', 'PX 50', 'PX 5000', 'KEEPTTL', 'EX 1', 'PXAT 1')),
    fc.tuple(fc.constantFrom('APPEND', 'INCRBY', 'PEXPIRE', 'PERSIST', 'DEL', 'GETDEL', 'MSET', 'CLEAR', 'sweep', 'tick'), fc.constant('')),
  );
  const step = fc.record({ operation, key: fc.constantFrom('a', 'b', 'c'), number: fc.integer({ min: -9, max: 200 }) });
  const perform = (
    target: FakeServer,
    { operation: [name, option], key, number }: { operation: [string, string]; key: string; number: number },
  ): void => {
    if (name === 'tick') target.clock += Math.abs(number);
    else if (name === 'sweep') target.sweep();
    else if (name === 'SET') target.call('CUSTOM.SET', key, String(number), ...option.split(' ').filter(Boolean));
    else if (['APPEND', 'INCRBY', 'PEXPIRE'].includes(name)) target.call(`CUSTOM.${name}`, key, String(number));
    else if (name === 'MSET') target.call('CUSTOM.MSET', key, String(number), 'd', 'x');
    else if (name === 'CLEAR') target.call('CUSTOM.CLEAR');
    else target.call(`CUSTOM.${name}`, key);
  };
  const state = (target: FakeServer): unknown => {
    target.flags = REPLICATED;
    const all = elements(target.call('CUSTOM.KEYS')).map(String).sort();
    const found = all.map((key) => [key, target.text('CUSTOM.GET', key), target.text('CUSTOM.PTTL', key)]);
    target.flags = 0;
    target.check();
    return found;
  };

  test('a replica that applies them has the same state, also when it applies each twice, or all twice', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const primary = new FakeServer();
        for (const each of steps) perform(primary, each);
        const expected = state(primary);
        const stream = primary.propagated;
        for (const applied of [stream, stream.flatMap((command) => [command, command]), [...stream, ...stream]]) {
          const replica = new FakeServer({ seed: 3 });
          replica.clock = primary.clock;
          replica.flags = REPLICATED;
          replica.replay(applied);
          expect(state(replica)).toEqual(expected);
        }
      }),
      { seed: 5, numRuns: 200 },
    );
  });

  test.each([
    ['2 set k v 0', '-ERR custom.apply: unknown format 2\r\n'],
    ...[
      '1 set k v -1',
      '1 set k v x',
      '1 set k v',
      '1 append k x y',
      '1 append k 536870912 y',
      '1 expire k',
      '1 unset k v 0',
      '1 expire k 1 2',
    ].map((line) => [line, '-ERR custom.apply: not an effect that this version knows\r\n']),
  ])('custom.apply %s is refused', (line, error) => {
    run('CUSTOM.SET k v');
    const reply = run(`custom.apply ${line}`);
    if (line.split(' ').length < 4) expect(reply).toBe("-ERR wrong number of arguments for 'custom.apply' command\r\n");
    else expect(reply).toBe(error);
    expect(run('CUSTOM.GET k')).toBe(bulk('v'));
  });

  test('an effect for a key that was deleted since, or shortened, does nothing', () => {
    expect(run('custom.apply 1 append k 2 c')).toBe(OK);
    expect(run('custom.apply 1 expire k 5')).toBe(OK);
    expect(run('CUSTOM.LEN')).toBe(integer(0));
    run('CUSTOM.SET k a');
    expect(run('custom.apply 1 append k 2 c')).toBe(OK);
    expect(run('CUSTOM.GET k')).toBe(bulk('a'));
  });
});

describe('KEYS and SCAN', () => {
  const scanAll = (target: FakeServer, ...options: string[]): string[] => {
    const found: string[] = [];
    let cursor = '0';
    do {
      const reply = target.call('CUSTOM.SCAN', cursor, ...options);
      const text = reply.toString('latin1');
      const head = /^\*2\r\n\$\d+\r\n(\d+)\r\n/.exec(text);
      cursor = head?.[1] ?? '';
      found.push(...elements(reply.subarray(head?.[0].length)).map(String));
    } while (cursor !== '0');
    return found;
  };

  test.each([
    ['*', ['', 'a', 'ab', 'abc', 'a*c', 'a-c', '[x]', 'b\\']],
    ['', ['']],
    ['a', ['a']],
    ['a*', ['a', 'ab', 'abc', 'a*c', 'a-c']],
    ['a?', ['ab']],
    ['a?c', ['abc', 'a*c', 'a-c']],
    ['a\\*c', ['a*c']],
    ['a[b-d]c', ['abc']],
    ['a[d-b]c', ['abc']],
    ['a[^b]c', ['a*c', 'a-c']],
    ['a[*-]c', []],
    ['a[\\-b]c', ['abc', 'a-c']],
    ['\\[x\\]', ['[x]']],
    ['[[]x*', ['[x]']],
    ['*c', ['abc', 'a*c', 'a-c']],
    ['a*b*c', ['abc']],
    ['*b*', ['ab', 'abc', 'b\\']],
    ['b\\', ['b\\']],
    ['**a**b**', ['ab', 'abc']],
    ['a[b', ['ab']],
    ['**', ['a', 'ab', 'abc', 'a*c', 'a-c', '[x]', 'b\\']],
    ['***', ['a', 'ab', 'abc', 'a*c', 'a-c', '[x]', 'b\\']],
    ['a**', ['a', 'ab', 'abc', 'a*c', 'a-c']],
    ['A', []],
    ['ab[]c', []],
  ])('the pattern %j', (pattern, expected) => {
    for (const key of ['', 'a', 'ab', 'abc', 'a*c', 'a-c', '[x]', 'b\\']) server.call('CUSTOM.SET', key, 'v');
    expect(elements(server.call('CUSTOM.KEYS', pattern)).map(String).sort()).toEqual([...expected].sort());
    expect(scanAll(server, 'MATCH', pattern).sort()).toEqual([...expected].sort());
  });

  test('a pattern of many stars takes no exponential time', () => {
    server.call('CUSTOM.SET', 'a'.repeat(2000), 'v');
    const time = running_ms(() => {
      expect(server.text('CUSTOM.KEYS', `${'a*'.repeat(200)}b`)).toBe('*0\r\n');
    });
    expect(time).toBeLessThan(1000);
  });

  test.each([
    ['x', '-ERR invalid cursor\r\n'],
    ['-1', '-ERR invalid cursor\r\n'],
    ['0 COUNT', SYNTAX],
    ['0 COUNT 0', SYNTAX],
    ['0 COUNT x', NOT_INTEGER],
    ['0 LIMIT 5', SYNTAX],
    ['0 MATCH', SYNTAX],
  ])('SCAN %s is refused', (line, error) => {
    expect(run(`CUSTOM.SCAN ${line}`)).toBe(error);
  });

  test('SCAN of an empty store, and of one chunk', () => {
    expect(run('CUSTOM.SCAN 0')).toBe(array(bulk('0'), '*0\r\n'));
    expect(run('CUSTOM.SCAN 12345')).toBe(array(bulk('0'), '*0\r\n'));
    run('CUSTOM.SET k v');
    expect(run('CUSTOM.SCAN 0 MATCH k COUNT 1')).toBe(array(bulk('0'), array(bulk('k'))));
    expect(run('CUSTOM.SCAN 0 MATCH x')).toBe(array(bulk('0'), '*0\r\n'));
  });

  test('COUNT bounds a step; cursors are exact as floating-point numbers', () => {
    for (let at = 0; at < 5000; at++) server.call('CUSTOM.SET', `k${at}`, 'v');
    for (const count of [1, 10, 100]) {
      let cursor = '0';
      do {
        const text = server.text('CUSTOM.SCAN', cursor, 'COUNT', String(count));
        const [, next = '', length = ''] = /^\*2\r\n\$\d+\r\n(\d+)\r\n\*(\d+)/.exec(text) ?? [];
        expect(Number(length)).toBeLessThan(count + 64);
        expect(String(Number(next))).toBe(next);
        cursor = next;
      } while (cursor !== '0');
    }
    expect(scanAll(server, 'COUNT', '9000000000000000000')).toHaveLength(5000);
  });

  test('SCAN meets each key that stays, under inserts, deletes, growth and merges', () => {
    const change = fc.record({ at: fc.nat(6000), count: fc.integer({ min: 1, max: 900 }), remove: fc.boolean() });
    fc.assert(
      fc.property(fc.nat(3000), fc.array(change, { maxLength: 25 }), fc.integer({ min: 1, max: 200 }), (first, changes, count) => {
        const target = new FakeServer();
        for (let at = 0; at < 300; at++) target.call('CUSTOM.SET', `stays:${at}`, 'v');
        for (let at = 0; at < first; at++) target.call('CUSTOM.SET', `k${at}`, 'v');
        const found = new Set<string>();
        let cursor = '0';
        let turn = 0;
        do {
          const reply = target.call('CUSTOM.SCAN', cursor, 'COUNT', String(count));
          const head = /^\*2\r\n\$\d+\r\n(\d+)\r\n/.exec(reply.toString('latin1'));
          cursor = head?.[1] ?? '0';
          for (const key of elements(reply.subarray(head?.[0].length))) found.add(String(key));
          const next = changes[turn++];
          for (let at = next?.at ?? 0; next && at < next.at + next.count; at++) {
            if (next.remove) target.call('CUSTOM.DEL', `k${at}`);
            else target.call('CUSTOM.SET', `k${at}`, 'v');
          }
        } while (cursor !== '0');
        for (let at = 0; at < 300; at++) if (!found.has(`stays:${at}`)) throw new Error(`stays:${at} was not met`);
        target.check();
      }),
      { seed: 3, numRuns: 25 },
    );
  });
});

describe('the table of commands', () => {
  test('each command says what it is, and its first key as it is registered', () => {
    for (const [name, command] of server.commands) {
      if (!name.startsWith('custom.') || name === 'custom.apply') continue;
      const text = server.commandInfo.get(name) ?? '';
      for (const row of ['summary', 'complexity', 'since', 'acl']) expect(text).toContain(`${row}: `);
      expect(text.includes('keys: 1')).toBe(command.keys[0] === 1);
      expect(text).toContain(command.flags.includes('write') ? '@custom write' : '@custom read');
      expect(command.flags.includes('fast') || text.includes('slow')).toBe(true);
      expect(command.flags.includes('deny-oom')).toBe(['set', 'mset', 'incrby', 'append'].includes(name.slice(7)));
    }
    expect(server.commands.get('custom.apply')?.flags).toEqual(['write', 'effect', 'no-monitor', 'no-slowlog']);
    expect(server.commands.get('custom.apply')?.keys).toEqual([3, 3, 1]);
    expect(bytes('').length).toBe(0);
  });
});
