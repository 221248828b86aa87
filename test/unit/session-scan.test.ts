/**
 * SESSION.SCAN's guarantee: who is there from the first step to the last is seen, whatever comes and goes
 * between; on a fake server.
 */
import fc from 'fast-check';
import { beforeEach, describe, expect, test } from 'vitest';
import { FakeServer } from '../support/fake-redis.ts';
import { ask, created, scan, UNKNOWN_ID } from '../support/sessions.ts';

let server: FakeServer;
beforeEach(() => {
  server = new FakeServer();
});

const step = (cursor: string, ...options: string[]) => ask(server, 'SESSION.SCAN', cursor, ...options) as [next: string, ids: string[]];

test('an empty server has a scan of one step', () => {
  expect(server.text('SESSION.SCAN', '0')).toBe('*2\r\n$1\r\n0\r\n*0\r\n');
});

test.each([[[]], [['COUNT', '1']], [['count', '7']], [['COUNT', '100000']]])('a walk with %j sees every session once', (options) => {
  const ids = Array.from({ length: 3000 }, (_, index) => created(server, `u${index % 50}`, 'NEW'));
  expect(scan(server, ...options).sort()).toEqual(ids.sort());
});

test('COUNT bounds a step', () => {
  for (let index = 0; index < 3000; index++) created(server, `u${index}`);
  const [, few] = step('0', 'COUNT', '1');
  const [, many] = step('0', 'COUNT', '500');
  expect(few.length).toBeLessThan(60);
  expect(many.length).toBeGreaterThan(300);
  expect(many.length).toBeLessThan(700);
});

test('MATCH chooses by id, expired sessions and old ids are left out', () => {
  const given = Array.from({ length: 40 }, (_, index) => created(server, 'u', 'NEW', 'ID', `app-${index % 2}:${'x'.repeat(10)}${index}`));
  const ended = created(server, 'u', 'NEW', 'TTL', '1');
  server.clock += 1000;
  const next = server.text('SESSION.ROTATE', given[0]!, 'GRACE', '60000').slice(5, 41);
  expect(scan(server, 'MATCH', 'app-1:*').sort()).toEqual(given.filter((id) => id.startsWith('app-1')).sort());
  expect(scan(server, 'MATCH', '????????-????-4*')).toEqual([next]);
  expect(scan(server, 'MATCH', 'APP*', 'COUNT', '3')).toEqual([]);
  expect(scan(server)).not.toContain(ended);
  expect(scan(server)).not.toContain(given[0]);
});

test.each<[string[], string]>([
  [['x'], '-ERR invalid cursor\r\n'],
  [['-1'], '-ERR invalid cursor\r\n'],
  [[''], '-ERR invalid cursor\r\n'],
  [['0', 'COUNT', '0'], '-ERR syntax error\r\n'],
  [['0', 'COUNT', '-1'], '-ERR syntax error\r\n'],
  [['0', 'COUNT', 'x'], '-ERR value is not an integer or out of range\r\n'],
  [['0', 'COUNT'], '-ERR syntax error\r\n'],
  [['0', 'MATCH'], '-ERR syntax error\r\n'],
  [['0', 'WHAT', '1'], '-ERR syntax error\r\n'],
])('%j is refused', (args, error) => {
  expect(server.text('SESSION.SCAN', ...args)).toBe(error);
});

test('any cursor is taken', () => {
  for (let index = 0; index < 500; index++) created(server, `u${index}`);
  for (const cursor of ['1', '12345', '4294967296', '9223372036854775807']) expect(server.text('SESSION.SCAN', cursor)).toMatch(/^\*2\r\n/);
});

describe('who is there all the time is seen, who never was is not', () => {
  const change = fc.record({ grow: fc.nat(400), shrink: fc.nat(300), rotate: fc.boolean() });
  test('whatever comes, goes, and splits', { timeout: 60_000 }, () => {
    fc.assert(
      fc.property(fc.nat(2000), fc.integer({ min: 1, max: 200 }), fc.array(change, { maxLength: 30 }), (start, count, changes) => {
        server.session.exports.flush();
        server.hashmap.exports.flush();
        const ever = new Set<string>();
        const make = (): string => {
          const id = created(server, `u${ever.size % 300}`, 'NEW');
          ever.add(id);
          return id;
        };
        const stays = Array.from({ length: start }, make);
        let others: string[] = Array.from({ length: 200 }, make);
        const seen = new Set<string>();
        let cursor = '0';
        do {
          const [next, ids] = step(cursor, 'COUNT', String(count));
          for (const id of ids) seen.add(id);
          cursor = next;
          const { grow, shrink, rotate } = changes.pop() ?? { grow: 0, shrink: 0, rotate: false };
          for (let index = 0; index < grow; index++) others.push(make());
          for (const id of others.slice(0, shrink)) server.call('SESSION.DELETE', id);
          others = others.slice(shrink);
          const [turned] = others;
          if (rotate && turned !== undefined) ever.add(server.text('SESSION.ROTATE', turned).slice(5, 41));
          if (rotate) others.shift();
        } while (cursor !== '0');
        for (const id of stays) expect(seen.has(id)).toBe(true);
        for (const id of seen) expect(ever.has(id)).toBe(true);
        expect(seen.has(UNKNOWN_ID)).toBe(false);
      }),
      { seed: 47, numRuns: 25, endOnFailure: true },
    );
  });
});
