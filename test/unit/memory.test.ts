/** A memory that cannot grow: writes are refused whole, reads and deletes go on. */
import { describe, expect, test } from 'vitest';
import { bulk, type Bytes, elements, FakeServer, NULL } from '../support/fake-redis.ts';

const UNKNOWN = '01234567-89ab-4cde-8f01-23456789abcd';
const FULL = "-OOM the module's memory is full (wasm.max-memory)\r\n";

/** All that a client can see. */
function state(server: FakeServer): string[] {
  server.check();
  const sessions = elements(server.call('SESSION.LIST')).map((line) => line.toString('latin1', 4, 40));
  const keys = elements(server.call('CUSTOM.KEYS'));
  return [
    ...sessions.map((id) => server.text('SESSION.GET', id)).sort(),
    ...keys.map((key) => `${key.toString('latin1')} = ${server.text('CUSTOM.GET', key)}`).sort(),
  ];
}

/** Runs the command; when it is refused, nothing at all may have changed. True: it was refused. */
function refused(server: FakeServer, name: string, ...args: Bytes[]): boolean {
  const before = state(server);
  const [propagated, signalled] = [server.propagated.length, server.signalled.length];
  const reply = server.text(name, ...args);
  if (!reply.startsWith('-')) return false;
  expect(reply).toBe(FULL);
  expect(server.propagated.length).toBe(propagated);
  expect(server.signalled.length).toBe(signalled);
  expect(state(server)).toEqual(before);
  // What it allocated is not lost: again and again refused, it uses no more.
  const used = (): bigint =>
    [server.hashmap, server.session].reduce((sum, module) => sum + (server.infoOf(module).get(`${module.name}_heap_used`) ?? 0n), 0n);
  server.text(name, ...args);
  const usedBefore = used();
  expect(server.text(name, ...args)).toBe(FULL);
  expect(used()).toBe(usedBefore);
  return true;
}

describe('hashmap', () => {
  test('from the first page on, CUSTOM.SET is done whole or refused whole', () => {
    for (let maxPages = 6; maxPages < 14; maxPages += 2) {
      const server = new FakeServer({ maxPages });
      let refusals = 0;
      for (let index = 0; index < 200; index++) {
        const size = (index * 37) % 4000;
        if (refused(server, 'CUSTOM.SET', `key:${index % 150}`, Buffer.alloc(size, 1))) refusals++;
      }
      expect(refusals).toBeGreaterThan(0);
      const other = new FakeServer();
      expect(other.load(other.hashmap, server.save(server.hashmap))).toBe(true);
      expect(state(other)).toEqual(state(server));
    }
  });

  test('a full memory still reads and deletes, and deletes make room', () => {
    const server = new FakeServer({ maxPages: 48 });
    let count = 0;
    while (server.text('CUSTOM.SET', `key:${count}`, Buffer.alloc(900, 1)) === '+OK\r\n') count++;
    expect(count).toBeGreaterThan(1000);
    expect(server.text('CUSTOM.GET', 'key:7')).toBe(bulk(Buffer.alloc(900, 1)));
    expect(server.text('CUSTOM.KEYS').startsWith(`*${count}\r\n`)).toBe(true);
    for (let index = 0; index < count; index++) expect(server.text('CUSTOM.DEL', `key:${index}`)).toBe(':1\r\n');
    let again = 0;
    while (server.text('CUSTOM.SET', `key:${again}`, Buffer.alloc(700, 1)) === '+OK\r\n') again++;
    expect(again).toBeGreaterThan(count);
  });

  test('a value larger than the memory is refused, the old one stays', () => {
    const server = new FakeServer({ maxPages: 100 });
    server.call('CUSTOM.SET', 'k', 'v');
    expect(refused(server, 'CUSTOM.SET', 'k', Buffer.alloc(6_600_000))).toBe(true);
    expect(server.text('CUSTOM.GET', 'k')).toBe(bulk('v'));
  });
});

describe.each(['direct', 'command'] as const)('session, linked %s', (link) => {
  test('from the first page on, CREATE and ADD_DATA are done whole or refused whole', () => {
    for (let maxPages = 6; maxPages < 26; maxPages += 2) {
      const server = new FakeServer({ link, maxPages });
      const ids: string[] = [];
      let refusals = 0;
      for (let index = 0; index < 60; index++) {
        const user = `user:${index}`.padEnd((index * 53) % 3000, 'x');
        if (refused(server, 'SESSION.CREATE', user)) refusals++;
        else ids.push(server.text('CUSTOM.GET', user).split('\r\n')[1] ?? '');
        const id = ids[index % 3];
        if (id && refused(server, 'SESSION.ADD_DATA', id, `field:${index}`, Buffer.alloc((index * 71) % 2500, 'y'))) refusals++;
      }
      expect(refusals).toBeGreaterThan(0);
      const other = new FakeServer();
      expect(other.load(other.hashmap, server.save(server.hashmap)) && other.load(other.session, server.save(server.session))).toBe(true);
      expect(state(other)).toEqual(state(server));
      for (const id of ids) expect(server.text('SESSION.DELETE', id)).toBe(':1\r\n');
      expect(state(server)).toEqual([]);
    }
  });

  test('a storage that fails ends CREATE with its error; nothing is stored, and what was allocated is not lost', () => {
    const server = new FakeServer({ link });
    const id = server.text('SESSION.CREATE', 'first').slice(18, 54);
    const used = (): bigint => server.infoOf(server.session).get('session_heap_used') ?? 0n;
    const before = used();
    server.storageFails = 'set';
    for (let index = 0; index < 50; index++) {
      expect(server.text('SESSION.CREATE', `user:${index}`)).toBe('-ERR the storage fails\r\n');
    }
    expect(server.text('session.apply', '1', 'create', UNKNOWN, 'u', '1', '1', '1')).toBe('-ERR the storage fails\r\n');
    server.storageFails = 'get';
    expect(server.text('SESSION.CREATE', 'first')).toBe('-ERR the storage fails\r\n');
    expect(server.text('SESSION.DELETE', id)).toBe('-ERR the storage fails\r\n');
    server.storageFails = 'del';
    expect(server.text('SESSION.DELETE', id)).toBe('-ERR the storage fails\r\n');
    server.storageFails = '';
    expect(server.text('SESSION.ADD_DATA', id, '', '')).toBe('+OK\r\n');
    expect(server.text('SESSION.LIST').startsWith('*1\r\n')).toBe(true);
    expect(used() - before).toBeLessThan(32n);
    expect(server.propagated).toHaveLength(2);
    expect(server.text('SESSION.CREATE', 'first')).toBe(`+Session exists: ${id}\r\n`);
    expect(server.text('SESSION.DELETE', id)).toBe(':1\r\n');
  });

  test('with the memory full, an existing session is found, read and ended', () => {
    const server = new FakeServer({ link, maxPages: 64 });
    const id = server.text('SESSION.CREATE', 'u').slice(18, 54);
    server.call('SESSION.ADD_DATA', id, 'f', 'v'.repeat(1000));
    let users = 0;
    for (const size of [60000, 2000, 400, 50, 0]) {
      while (server.text('SESSION.CREATE', `${users}`.padEnd(size, 'x')) !== FULL) users++;
    }
    expect(server.text('SESSION.CREATE', 'u')).toBe(`+Session exists: ${id}\r\n`);
    expect(server.text('SESSION.GET_DATA', id, 'f')).toBe(bulk('v'.repeat(1000)));
    expect(server.text('SESSION.GET', id)).toContain('"data":{"f":"vvv');
    expect(server.text('SESSION.DELETE', id)).toBe(':1\r\n');
    expect(server.text('CUSTOM.GET', 'u')).toBe(NULL);
  });
});
