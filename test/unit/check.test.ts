/**
 * CUSTOM.CHECK and SESSION.CHECK: sound stores pass, and every byte that is changed behind the module's back
 * is noticed.
 */
import { beforeEach, describe, expect, test } from 'vitest';
import { FakeServer } from '../support/fake-redis.ts';

let server: FakeServer;
beforeEach(() => {
  server = new FakeServer();
});

const MODULE = { 'CUSTOM.CHECK': 'hashmap', 'SESSION.CHECK': 'session' } as const;

/** Address of the only place in linear memory that holds these bytes, outside of the host's own frames. */
function find(bytes: Buffer, name: 'hashmap' | 'session'): number {
  const memory = Buffer.from(server[name].region.view.buffer);
  const places: number[] = [];
  for (let at = memory.indexOf(bytes); at >= 0; at = memory.indexOf(bytes, at + 1)) places.push(at);
  expect(places.length).toBeGreaterThan(0);
  return places.at(-1);
}

function poke(name: 'hashmap' | 'session', address: number, ...bytes: number[]): void {
  server[name].region.view.set(bytes, address);
}

function create(user: string): string {
  return server.text('SESSION.CREATE', user).trim().slice(-36);
}

const rawId = (id: string): Buffer => Buffer.from(id.replaceAll('-', ''), 'hex');

describe('CUSTOM.CHECK', () => {
  test('is +OK for an empty store and a changing one', () => {
    expect(server.text('CUSTOM.CHECK')).toBe('+OK\r\n');
    for (let index = 0; index < 3000; index++) server.call('CUSTOM.SET', `key:${index}`, Buffer.alloc((index * 37) % 5000, 1));
    expect(server.text('CUSTOM.CHECK')).toBe('+OK\r\n');
    for (let index = 0; index < 3000; index += 2) server.call('CUSTOM.DEL', `key:${index}`);
    expect(server.text('CUSTOM.CHECK')).toBe('+OK\r\n');
    server.hashmap.exports.flush();
    expect(server.text('CUSTOM.CHECK')).toBe('+OK\r\n');
  });

  test('notices a key that was changed', () => {
    for (let index = 0; index < 1000; index++) server.call('CUSTOM.SET', `key:${index}`, 'value');
    poke('hashmap', find(Buffer.from('key:777value'), 'hashmap'), 0x4b);
    expect(server.text('CUSTOM.CHECK')).toMatch(/^-ERR broken: .* of (the table|its home)\r\n$/);
  });

  test('notices bytes of the heap that nothing uses', () => {
    server.call('CUSTOM.SET', 'the key', 'a value of some length'.padEnd(200));
    // The value's length is the byte before the key.
    poke('hashmap', find(Buffer.from('the keya value'), 'hashmap') - 1, 2);
    expect(server.text('CUSTOM.CHECK')).toBe('-ERR broken: blocks of the heap that nothing uses\r\n');
  });
});

describe('CUSTOM.CHECK of deadlines', () => {
  const NODE = 2;
  const DEADLINE = 10;
  const HEADER = 18;
  let entry: number;
  beforeEach(() => {
    for (let index = 0; index < 50; index++) server.call('CUSTOM.SET', `key:${index}`, 'value', 'PX', String(100_000 + index));
    entry = find(Buffer.from('key:33value'), 'hashmap') - HEADER;
    expect(server.text('CUSTOM.CHECK')).toBe('+OK\r\n');
  });

  test('notices a node that nothing points to', () => {
    poke('hashmap', entry + NODE, 0, 4, 0, 0);
    expect(server.text('CUSTOM.CHECK')).toBe('-ERR broken: the wheel of deadlines\r\n');
  });

  test('notices a deadline without a node', () => {
    poke('hashmap', entry + DEADLINE, 0, 0, 0, 0, 0, 0, 0, 0);
    expect(server.text('CUSTOM.CHECK')).toBe('-ERR broken: the number of deadlines\r\n');
  });
});

describe('SESSION.CHECK', () => {
  test('is +OK for an empty store and a changing one', () => {
    expect(server.text('SESSION.CHECK')).toBe('+OK\r\n');
    const ids = Array.from({ length: 200 }, (_, index) => create(`user:${index}`));
    ids.forEach((id, index) => {
      for (let field = 0; field < index; field++) server.call('SESSION.ADD_DATA', id, `f${field}`, Buffer.alloc((field * 31) % 300, 1));
      if (index % 3 === 0) server.call('SESSION.DELETE', id);
    });
    expect(server.text('SESSION.CHECK')).toBe('+OK\r\n');
    server.session.exports.flush();
    expect(server.text('SESSION.CHECK')).toBe('+OK\r\n');
  });

  test.each<[what: string, offset: number, bytes: number[], error: string]>([
    ['an id that is none', 6, [0x10], '(an id of a session|.* of (the table|its home))'],
    ['a time after 9999', 41, [255, 255, 255, 255, 255, 255], 'a time of a session'],
    ['an id that is shorter', -1, [15], '(an id of a session|.* of (the table|its home))'],
  ])('notices %s', (_, offset, bytes, error) => {
    const id = create('a user with a long name');
    // The user's mapping holds the id too; before a record's stands how long it is.
    poke('session', find(Buffer.concat([Buffer.of(16), rawId(id)]), 'session') + 1 + offset, ...bytes);
    expect(server.text('SESSION.CHECK')).toMatch(new RegExp(`^-ERR broken: ${error}\r\n$`));
  });

  test('notices packed data whose count is wrong', () => {
    const id = create('user');
    server.call('SESSION.ADD_DATA', id, 'field', 'value');
    // The count is before the first item's two lengths.
    poke('session', find(Buffer.from('fieldvalue'), 'session') - 6, 2);
    expect(server.text('SESSION.CHECK')).toBe('-ERR broken: the data of a session\r\n');
  });

  test('notices tabled data whose chain is broken', () => {
    const id = create('user');
    for (let field = 0; field < 200; field++) server.call('SESSION.ADD_DATA', id, `field ${field};`, 'value');
    // The entry's value begins with the addresses of the fields before and after it.
    poke('session', find(Buffer.from('field 100;'), 'session') + 'field 100;'.length + 4, 0, 0, 0, 0);
    expect(server.text('SESSION.CHECK')).toBe('-ERR broken: the data of a session\r\n');
  });
});

test.each(Object.keys(MODULE))('%s takes no argument and needs no memory', (command) => {
  expect(server.text(command, 'surplus')).toBe(`-ERR wrong number of arguments for '${command.toLowerCase()}' command\r\n`);
  const full = new FakeServer({ maxPages: 6 });
  while (full.text('CUSTOM.SET', String(Math.random()), Buffer.alloc(500)) === '+OK\r\n');
  expect(full.text(command)).toBe('+OK\r\n');
});
