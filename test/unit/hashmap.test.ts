/** CUSTOM.*: the shipped hashmap.wasm on a fake server. */
import fc from 'fast-check';
import { beforeEach, describe, expect, test } from 'vitest';
import { bulk, elements, FakeServer, NULL } from '../support/fake-redis.ts';

let server: FakeServer;
beforeEach(() => {
  server = new FakeServer();
});

/** Byte strings that break text: NUL, CR LF, invalid UTF-8, empty, what looks like a reply. */
const AWKWARD = [
  Buffer.from(''),
  Buffer.from([0]),
  Buffer.from('a\0b'),
  Buffer.from('x\r\n+INJECTED'),
  Buffer.from([0xff, 0xfe, 0x80, 0xc3, 0x28]),
  Buffer.from([0xed, 0xa0, 0x80]),
  Buffer.alloc(63, 1),
  Buffer.alloc(64, 2),
  Buffer.alloc(255, 3),
  Buffer.alloc(256, 4),
  Buffer.alloc(2049, 5),
  Buffer.alloc(65536, 6),
  Buffer.alloc(1 << 20, 7),
];

describe('CUSTOM.*', () => {
  test('SET, GET, EXISTS, DEL reply as documented', () => {
    expect(server.text('CUSTOM.GET', 'k')).toBe(NULL);
    expect(server.text('CUSTOM.EXISTS', 'k')).toBe(':0\r\n');
    expect(server.text('CUSTOM.DEL', 'k')).toBe(':0\r\n');
    expect(server.text('CUSTOM.SET', 'k', 'v')).toBe('+OK\r\n');
    expect(server.text('CUSTOM.GET', 'k')).toBe(bulk('v'));
    expect(server.text('CUSTOM.SET', 'k', 'longer than before')).toBe('+OK\r\n');
    expect(server.text('CUSTOM.GET', 'k')).toBe(bulk('longer than before'));
    expect(server.text('CUSTOM.EXISTS', 'k')).toBe(':1\r\n');
    expect(server.text('CUSTOM.DEL', 'k')).toBe(':1\r\n');
    expect(server.text('CUSTOM.GET', 'k')).toBe(NULL);
  });

  test('KEYS lists every key once', () => {
    expect(server.text('CUSTOM.KEYS')).toBe('*0\r\n');
    const keys = Array.from({ length: 5000 }, (_, index) => `key:${index}`);
    for (const key of keys) server.call('CUSTOM.SET', key, 'v');
    const reply = server.call('CUSTOM.KEYS');
    expect(reply.toString('latin1', 0, 7)).toBe('*5000\r\n');
    expect(elements(reply).map(String).sort()).toEqual([...keys].sort());
  });

  test.each(AWKWARD.map((value) => [value.length, value] as const))('any byte string of %i bytes is a key and a value', (_, value) => {
    expect(server.text('CUSTOM.SET', value, value)).toBe('+OK\r\n');
    expect(server.call('CUSTOM.GET', value).toString('latin1')).toBe(bulk(value));
    expect(elements(server.call('CUSTOM.KEYS')).every((key) => key.equals(value))).toBe(true);
    expect(server.text('CUSTOM.DEL', value)).toBe(':1\r\n');
  });

  test.each([['custom.set', 'k'], ['custom.get'], ['custom.get', 'k', 'x'], ['custom.del'], ['custom.exists'], ['custom.keys', '*', '*']])(
    '%s with another number of arguments is refused',
    (name, ...args) => {
      expect(server.text(name, ...args)).toBe(`-ERR wrong number of arguments for '${name}' command\r\n`);
    },
  );

  test('a write is replicated as it came, signalled, and notified; what changes nothing is not', () => {
    server.call('CUSTOM.SET', 'k', 'v');
    server.call('CUSTOM.DEL', 'absent');
    server.call('CUSTOM.GET', 'k');
    server.call('CUSTOM.SET', 'k', 'w');
    server.call('CUSTOM.DEL', 'k');
    expect(server.propagated.map((command) => command.map(String))).toEqual([
      ['custom.set', 'k', 'v'],
      ['custom.set', 'k', 'w'],
      ['custom.del', 'k'],
    ]);
    expect(server.signalled).toEqual(['k', 'k', 'k']);
    expect(server.events).toEqual(['8192 custom.set k', '8192 custom.set k', '8192 custom.del k']);
  });

  test('each command has its flags and keys', () => {
    const of = (name: string): unknown => {
      const command = server.commands.get(name);
      return [command?.flags.join(' '), command?.keys];
    };
    expect(of('custom.set')).toEqual(['write deny-oom fast no-monitor no-slowlog', [1, 1, 1]]);
    expect(of('custom.get')).toEqual(['readonly fast no-monitor no-slowlog', [1, 1, 1]]);
    expect(of('custom.del')).toEqual(['write fast no-monitor no-slowlog', [1, 1, 1]]);
    expect(of('custom.exists')).toEqual(['readonly fast no-monitor no-slowlog', [1, 1, 1]]);
    expect(of('custom.keys')).toEqual(['readonly no-monitor no-slowlog', [0, 0, 0]]);
  });

  test('any sequence of operations does what a Map does', () => {
    const key = fc.oneof(fc.constantFrom('a', 'b', 'c', 'd', ''), fc.string({ maxLength: 80 }));
    const value = fc.oneof(fc.uint8Array({ maxLength: 40 }), fc.uint8Array({ minLength: 200, maxLength: 4000 }));
    const operation = fc.oneof(
      fc.record({ op: fc.constant('set'), key, value }),
      fc.record({ op: fc.constant('del'), key, value: fc.constant(new Uint8Array()) }),
      fc.record({ op: fc.constant('flush'), key: fc.constant(''), value: fc.constant(new Uint8Array()) }),
    );
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 60 }), (operations) => {
        const model = new Map<string, Buffer>();
        server.hashmap.exports.flush();
        for (const { op, key, value } of operations) {
          if (op === 'set') {
            server.call('CUSTOM.SET', key, value);
            model.set(key, Buffer.from(value));
          } else if (op === 'del') {
            expect(server.text('CUSTOM.DEL', key)).toBe(model.delete(key) ? ':1\r\n' : ':0\r\n');
          } else {
            if (model.size < 5) continue;
            server.hashmap.exports.flush();
            model.clear();
          }
        }
        server.check();
        expect(server.text('CUSTOM.KEYS').startsWith(`*${model.size}\r\n`)).toBe(true);
        for (const [key, value] of model) expect(server.text('CUSTOM.GET', key)).toBe(bulk(value));
      }),
      { seed: 7, numRuns: 60 },
    );
  });
});

describe('link functions', () => {
  test('get, set, del, exists answer as the import rule says', () => {
    const { hashmap } = server;
    expect(server.link(hashmap, 'get', 'k')).toBe(0n);
    expect(server.link(hashmap, 'set', 'k', 'v')).toBe(1n);
    expect(server.link(hashmap, 'get', 'k')).toEqual(Buffer.from('v'));
    expect(server.link(hashmap, 'exists', 'k')).toBe(1n);
    expect(server.link(hashmap, 'set', 'k', '')).toBe(1n);
    // Empty is not null: its pointer is not 0.
    expect(server.link(hashmap, 'get', 'k')).not.toBe(0n);
    expect(server.link(hashmap, 'del', 'k')).toBe(1n);
    expect(server.link(hashmap, 'del', 'k')).toBe(0n);
    expect(server.link(hashmap, 'exists', 'k')).toBe(0n);
  });

  test('they signal as the commands do, and replicate nothing', () => {
    server.link(server.hashmap, 'set', 'k', 'v');
    server.link(server.hashmap, 'del', 'k');
    expect(server.signalled).toEqual(['k', 'k']);
    expect(server.events).toEqual(['8192 custom.set k', '8192 custom.del k']);
    expect(server.propagated).toEqual([]);
  });
});

describe('the life of the module', () => {
  test('flush drops everything, and the memory is used again', () => {
    expect(server.hashmap.exports.isEmpty()).toBe(1);
    const value = Buffer.alloc(3000, 1);
    const fill = (): void => {
      for (let index = 0; index < 2000; index++) server.call('CUSTOM.SET', `key:${index}`, value);
    };
    fill();
    expect(server.hashmap.exports.isEmpty()).toBe(0);
    server.hashmap.exports.flush();
    expect(server.hashmap.exports.isEmpty()).toBe(1);
    expect(server.text('CUSTOM.GET', 'key:1')).toBe(NULL);
    expect(server.text('CUSTOM.KEYS')).toBe('*0\r\n');
    fill();
    const pages = server.hashmap.region.memory.buffer.byteLength;
    for (let round = 0; round < 3; round++) {
      server.hashmap.exports.flush();
      fill();
    }
    expect(server.hashmap.region.memory.buffer.byteLength).toBe(pages);
  });

  test('INFO counts entries and bytes; deletes give pages back', () => {
    for (let index = 0; index < 1000; index++) server.call('CUSTOM.SET', `key:${index}`, Buffer.alloc(1000));
    expect(server.infoOf(server.hashmap).get('hashmap_entries')).toBe(1000n);
    expect(server.infoOf(server.hashmap).get('hashmap_heap_used')).toBeGreaterThan(1_000_000n);
    const before = server.hashmap.exports.freeBytes();
    for (let index = 0; index < 1000; index++) server.call('CUSTOM.DEL', `key:${index}`);
    expect(server.hashmap.exports.freeBytes() - before).toBeGreaterThan(900_000n);
    expect(server.infoOf(server.hashmap).get('hashmap_entries')).toBe(0n);
  });
});
