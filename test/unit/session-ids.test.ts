/** Ids: where they come from, and in cluster mode the slot that they lie in. */
import { createHash } from 'node:crypto';
import { beforeEach, describe, expect, test } from 'vitest';
import { FakeServer } from '../support/fake-redis.ts';
import { CLUSTER, created, mapped, rotated, userIds, UUID_V4 } from '../support/sessions.ts';
import { slotOf } from '../support/slots.ts';

/** Chi-square of 16 bins, 15 degrees of freedom: passed once in ten million by chance. */
const CHI_SQUARE_MAX = 62;

function chiSquare(counts: number[]): number {
  const expected = counts.reduce((sum, count) => sum + count, 0) / counts.length;
  return counts.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0);
}

test("the slot of a key is the server's", () => {
  // From the servers' documentation: CRC16 of 123456789 is 0x31c3; only what is between the first { and the
  // next } counts.
  expect(slotOf('123456789')).toBe(0x31c3 % 16384);
  expect(slotOf('{user1000}.following')).toBe(slotOf('user1000'));
  expect(slotOf('foo{}{bar}')).not.toBe(slotOf('bar'));
  expect(slotOf('foo{{bar}}zap')).toBe(slotOf('{bar'));
  expect(slotOf('foo{bar}{zap}')).toBe(slotOf('bar'));
});

describe('in cluster mode', () => {
  let server: FakeServer;
  beforeEach(() => {
    server = new FakeServer();
    server.flags = CLUSTER;
  });

  test.each([
    '',
    'u',
    'user:1',
    '{tag}',
    '{tag}:1',
    'x{tag}y',
    '{}',
    'x{}y',
    '{',
    '}',
    '}{',
    '{{a}}',
    '{a}{b}',
    'a{b',
    'x'.repeat(10_000),
    `{${'y'.repeat(999)}}z`,
    '\0',
    '\xff{\xfe\0}',
  ])("the id is in the slot of the user %j, and in no other user's way", (text) => {
    const user = Buffer.from(text, 'latin1');
    const ids = Array.from({ length: 20 }, () => created(server, user, 'NEW'));
    for (const id of ids) {
      expect(id).toMatch(UUID_V4);
      expect(slotOf(id)).toBe(slotOf(user));
    }
    expect(new Set(ids).size).toBe(20);
    const next = rotated(server, ids[3]!);
    expect(next).toMatch(UUID_V4);
    expect(slotOf(next)).toBe(slotOf(user));
    server.check();
  });

  test('a mapping to an id of another slot is stale, to one of the same slot is recreated', () => {
    const id = created(server, 'a');
    server.call('SESSION.DELETE', id);
    const [same, other] = ['{a}', 'b'];
    expect(slotOf(other)).not.toBe(slotOf(id));
    server.call('CUSTOM.SET', other, id);
    const made = created(server, other);
    expect(slotOf(made)).toBe(slotOf(other));
    expect(mapped(server, other)).toBe(made);
    server.call('CUSTOM.SET', same, id);
    expect(server.text('SESSION.CREATE', same)).toBe(`+Session recreated: ${id}\r\n`);
  });

  test(
    'of a million ids none is there twice, every slot is reached, and what chooses the slot chooses nothing else',
    { timeout: 120_000 },
    () => {
      const COUNT = 250_000;
      const BATCH = 20_000;
      const seen = new Set<string>();
      const slots = new Set<number>();
      const digits = Array.from({ length: 36 }, () => Array.from({ length: 16 }, () => 0));
      for (let made = 0; made < COUNT; made++) {
        const user = `user:${made}`;
        const id = created(server, user);
        seen.add(id);
        const slot = slotOf(id);
        slots.add(slot);
        if (slot !== slotOf(user)) throw new Error(`${id} of ${user} is in slot ${slot}`);
        for (let at = 0; at < 36; at++) {
          const code = id.charCodeAt(at);
          const counts = digits[at]!;
          if (code !== 45) counts[code < 58 ? code - 48 : code - 87]!++;
        }
        if (made % BATCH !== 0) continue;
        for (const module of server.modules) module.exports.flush();
        for (const kept of [server.propagated, server.events, server.signalled, server.storageCalls]) kept.length = 0;
      }
      expect(seen.size).toBe(COUNT);
      expect(slots.size).toBe(16_384);
      for (const [at, counts] of digits.entries()) {
        if ([8, 13, 18, 23, 14].includes(at)) continue;
        // The variant: 8, 9, a or b.
        const bins = at === 19 ? counts.slice(8, 12) : counts;
        expect(bins.reduce((sum, count) => sum + count, 0)).toBe(COUNT);
        if (at < 31) expect(chiSquare(bins), `digit ${at}`).toBeLessThan(CHI_SQUARE_MAX);
        // The last five are chosen, among all that give the slot.
        else expect(Math.min(...bins)).toBeGreaterThan(COUNT / 20);
      }
    },
  );

  test('the ids of one user differ in their last digits too', () => {
    const ids = Array.from({ length: 3000 }, () => created(server, 'u', 'NEW', 'MAX', '3'));
    expect(new Set(ids.map((id) => id.slice(-5))).size).toBeGreaterThan(2500);
    expect(new Set(ids.map((id) => id.slice(0, 8))).size).toBeGreaterThan(2990);
  });
});

test('the numbers that ids are made of are in no file, and a server that loads it draws its own', () => {
  const server = new FakeServer();
  created(server, 'u');
  const files = server.modules.map((module) => server.save(module));
  const next = Buffer.from(created(server, 'v').replaceAll('-', ''), 'hex');
  for (const part of files.flat()) if (typeof part !== 'bigint') expect(part.includes(next.subarray(9))).toBe(false);
  const loaded = new FakeServer({ seed: 2 });
  for (const [index, module] of loaded.modules.entries()) expect(loaded.load(module, files[index]!)).toBe(true);
  const drawn: number[] = [];
  const random = loaded.random.bind(loaded);
  loaded.random = (length) => {
    drawn.push(length);
    return random(length);
  };
  const id = created(loaded, 'w');
  expect(drawn).toContain(32);
  expect(createHash('sha256').update(id).digest('hex')).not.toBe(createHash('sha256').update(next).digest('hex'));
  expect(userIds(loaded, 'w')).toEqual([id]);
});
