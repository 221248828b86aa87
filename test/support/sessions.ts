/** Sessions on a fake server: making them, and reading everything of them that clients can see. */
import { expect } from 'vitest';
import { elements, type Bytes, type FakeServer } from './fake-redis.ts';
import { parseReply, type Reply } from './reply.ts';

export const UUID_V4 = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
export const UNKNOWN_ID = '01234567-89ab-4cde-8f01-23456789abcd';
/** Bits of `FakeServer.flags`. */
export const REPLICA = 1 << 3;
export const CLUSTER = 1 << 5;
export const REPLICATED = 1 << 12;

/** SESSION.CREATE with options, which must make a session; its id. */
export function created(server: FakeServer, user: Bytes, ...options: Bytes[]): string {
  const reply = server.text('SESSION.CREATE', user, ...options);
  expect(reply.slice(0, 18)).toBe('+Session created: ');
  return reply.slice(18, -2);
}

/** SESSION.ROTATE, with a grace in ms where one is given, which must give an id. */
export function rotated(server: FakeServer, id: string, grace?: string): string {
  const reply = server.text('SESSION.ROTATE', id, ...(grace === undefined ? [] : ['GRACE', grace]));
  expect(reply.slice(0, 5)).toBe('$36\r\n');
  return reply.slice(5, -2);
}

/** The reply as a value. */
export const ask = (server: FakeServer, name: string, ...args: Bytes[]): Reply => parseReply(server.text(name, ...args));

/** The fields of SESSION.INFO; undefined when the id is unknown. */
export function info(server: FakeServer, id: string): Record<string, string | number> | undefined {
  const reply = ask(server, 'SESSION.INFO', id) as (string | number)[] | null;
  if (!reply) return undefined;
  return Object.fromEntries(reply.flatMap((key, index) => (index % 2 === 0 ? [[key, reply[index + 1]!]] : [])));
}

/** The data of SESSION.GETALL in order; undefined when the id is unknown. */
export function data(server: FakeServer, id: string): [string, string][] | undefined {
  const reply = ask(server, 'SESSION.GETALL', id) as string[] | null;
  return reply?.flatMap((field, index) => (index % 2 === 0 ? [[field, reply[index + 1]!]] : []));
}

export const userIds = (server: FakeServer, user: Bytes): Reply => ask(server, 'SESSION.USER', user);
export const mapped = (server: FakeServer, user: Bytes): Reply => ask(server, 'CUSTOM.GET', user);

/** Reclaims all that has expired until now; the clock goes on by as much as that may take. */
export function reclaim(server: FakeServer): void {
  server.clock += 100;
  server.sweep();
}

/** All ids that a walk of SESSION.SCAN gives, in its order. */
export function scan(server: FakeServer, ...options: string[]): string[] {
  const found: string[] = [];
  let cursor = '0';
  do {
    const [next, ids] = ask(server, 'SESSION.SCAN', cursor, ...options) as [string, string[]];
    found.push(...ids);
    cursor = next;
  } while (cursor !== '0');
  return found;
}

/**
 * Everything that clients can see, but for the bytes that a session takes. Throws where either store is not
 * sound.
 * @param ids that may be known without being in a list, as those in grace
 */
export function visible(server: FakeServer, ids: string[] = []): string[] {
  server.check();
  const bare = (text: string) => text.replace(/(bytes\r\n):\d+\r\n$/, '$1');
  const lines = elements(server.call('SESSION.LIST')).map((line) => line.toString('latin1'));
  const known = [...new Set([...ids, ...lines.map((line) => /^ID: (\S+), Key: /.exec(line)![1]!)])].sort();
  const users = new Set(known.map((id) => info(server, id)?.user_key).filter((user) => user !== undefined));
  const keys = elements(server.call('CUSTOM.KEYS'));
  return [
    ...lines.sort(),
    ...known.flatMap((id) => [
      `${id}: ${server.text('SESSION.GET', id)}`,
      bare(server.text('SESSION.INFO', id)),
      server.text('SESSION.TTL', id),
    ]),
    ...[...users].sort().map((user) => `${user} has ${server.text('SESSION.USER', Buffer.from(String(user), 'latin1'))}`),
    ...keys.map((key) => `${key.toString('latin1')} = ${server.text('CUSTOM.GET', key)}`).sort(),
    server.text('SESSION.COUNT'),
  ];
}
