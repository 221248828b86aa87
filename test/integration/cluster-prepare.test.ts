/** `npx redis-wasm cluster check|prepare`: ids that were made outside of cluster mode, before slots move. */
import { readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { expect, test, vi } from 'vitest';
import { command } from '../../bin/cluster.ts';
import { Problem } from '../../bin/process.ts';
import { startCluster } from '../support/cluster.ts';
import { idOf, join, OK, openSlot } from '../support/moves.ts';
import { parseReply } from '../support/reply.ts';
import { eventually, freePort, startServer, type TestServer } from '../support/server.ts';
import { slotOf } from '../support/slots.ts';

const USERS = Array.from({ length: 40 }, (_, index) => `user:${index}`);
const urlOf = ({ port }: TestServer): string => `redis://127.0.0.1:${port}`;

/** Runs the program: its status and what it has said. */
async function cluster(...given: string[]): Promise<[status: number, said: string]> {
  const lines: string[] = [];
  const spy = vi.spyOn(console, 'log').mockImplementation((line: string) => {
    lines.push(line);
  });
  const progress = vi.spyOn(console, 'error').mockImplementation(() => undefined);
  try {
    return [await command(given), lines.join('\n')];
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    return [1, [...lines, error.message].join('\n')];
  } finally {
    spy.mockRestore();
    progress.mockRestore();
  }
}

interface Told {
  safe: boolean;
  strays: number;
  rotated?: number;
  unreachable?: number;
  servers: { server: string; strays: number; ids: string[] }[];
}
const json = async (...given: string[]): Promise<[number, Told]> => {
  const [status, said] = await cluster(...given, '--json');
  return [status, JSON.parse(said) as Told];
};

async function create(server: TestServer, user: string): Promise<string> {
  return String(parseReply(await server.send('SESSION.CREATE', user, 'NEW')))
    .split(' ')
    .pop()!;
}

/** A server that is no cluster's, with a session for each user. */
async function startAlone() {
  const alone = await startServer({ tcp: true });
  const ids = new Map<string, string>();
  for (const user of USERS) ids.set(user, await create(alone, user));
  const strays = [...ids].filter(([user, id]) => slotOf(user) !== slotOf(id)).map(([, id]) => id);
  return { alone, ids, strays };
}

/** The one node of a cluster, with all slots, from the server's RDB file. */
async function startFrom(alone: TestServer): Promise<TestServer> {
  expect(await alone.send('SAVE')).toBe(OK);
  await alone.end();
  const { nodes } = await startCluster({ arguments: ['--dir', alone.folder] }, 1);
  return nodes[0]!;
}

test('on a server of its own it says what would be left behind, and where to go on', async () => {
  const { alone, strays } = await startAlone();
  expect(strays.length).toBeGreaterThan(USERS.length / 2);
  const [status, said] = await cluster('check', '--url', urlOf(alone));
  expect(status).toBe(1);
  expect(said).toContain(`: ${strays.length} ids outside of the user's slot: `);
  expect(said).toContain('This server is not in cluster mode');
  for (const id of strays) expect(said).not.toContain(id);
  expect(await cluster('prepare', '--url', urlOf(alone), '--rotate', '--grace', '60')).toEqual([
    1,
    expect.stringMatching(/^This server is not in cluster mode/),
  ]);
  expect(await alone.send('SESSION.COUNT')).toBe(`:${USERS.length}\r\n`);
});

test('says what to do where the node took the slots of its own keys alone', { timeout: 120_000 }, async () => {
  const { alone, strays } = await startAlone();
  expect(await alone.send('SET', USERS[0]!, 'native')).toBe(OK);
  expect(await alone.send('SAVE')).toBe(OK);
  await alone.end();
  const bus = String(await freePort());
  const node = await startServer({ tcp: true, arguments: ['--dir', alone.folder, '--cluster-enabled', 'yes', '--cluster-port', bus] });
  const own = slotOf(USERS[0]!);
  expect(await node.send('CLUSTER', 'ADDSLOTSRANGE', '0', '16383')).toBe(`-ERR Slot ${own} is already busy\r\n`);
  expect(await cluster('check', '--url', urlOf(node))).toEqual([
    1,
    expect.stringMatching(/CLUSTERDOWN .*\nredis-cli --cluster check <host>:<port> says which slots have no node, .*\.$/),
  ]);
  // As redis-cli --cluster fix does.
  if (own > 0) expect(await node.send('CLUSTER', 'ADDSLOTSRANGE', '0', String(own - 1))).toBe(OK);
  expect(await node.send('CLUSTER', 'ADDSLOTSRANGE', String(own + 1), '16383')).toBe(OK);
  const [, told] = await eventually(
    () => json('check', '--url', urlOf(node)),
    ([, answer]) => 'strays' in answer,
  );
  expect(told.strays).toBe(strays.length);
});

test('names the module of sessions where it was unloaded', async () => {
  const server = await startServer({ tcp: true, arguments: ['--wasm.allow-load', 'yes'] });
  expect(await server.send('WASM.UNLOAD', 'session')).toBe(OK);
  const [status, said] = await cluster('check', '--url', urlOf(server));
  expect(status).toBe(1);
  expect(said).toContain('The module session is missing there: it was unloaded. Put session.wasm into wasm.dir there');
});

test('rotates into the slots of the users, names what it has done, and says when slots move', { timeout: 120_000 }, async () => {
  const { alone, ids, strays } = await startAlone();
  const node = await startFrom(alone);
  const [status, told] = await json('check', '--url', urlOf(node));
  expect([status, told.safe, told.strays]).toEqual([1, false, strays.length]);
  expect(told.servers[0]!.ids.sort()).toEqual([...strays].sort());
  const [, said] = await cluster('prepare', '--url', urlOf(node));
  expect(said).toContain(`have no end of their own: waiting does not help them.`);
  expect(said).toContain('npx --no redis-wasm cluster prepare --rotate --grace <seconds>');
  expect(said).toContain('Old ids of sessions that were rotated are among them, until their grace is over.');
  expect(parseReply(await node.send('SESSION.STRAYS', 'COUNT', '0'))).toEqual([strays.length, []]);

  const file = path.join(node.folder, 'ids');
  const rotate = ['prepare', '--url', urlOf(node), '--rotate', '--grace', '4', '--ids', file];
  const [left, rotated] = await json(...rotate);
  expect([left, rotated.safe, rotated.rotated, rotated.unreachable, rotated.strays]).toEqual([1, false, strays.length, 0, strays.length]);
  expect(statSync(file).mode & 0o777).toBe(0o600);
  const present = new Map(
    readFileSync(file, 'latin1')
      .trimEnd()
      .split('\n')
      .map((line) => line.split(' ') as [string, string]),
  );
  expect([...present.keys()].sort()).toEqual([...strays].sort());
  for (const [user, id] of ids) {
    const latest = present.get(id) ?? id;
    expect(slotOf(latest)).toBe(slotOf(user));
    expect(parseReply(await node.send('SESSION.USER', user))).toEqual([latest]);
  }

  // Run again, it rotates none that was rotated, and waits for the end of the grace.
  const [again, second] = await json(...rotate, '--wait', '60');
  expect([again, second.safe, second.rotated, second.strays]).toEqual([0, true, 0, 0]);
  expect(readFileSync(file, 'latin1').trimEnd().split('\n')).toHaveLength(strays.length);
  expect(await cluster('check', '--url', urlOf(node))).toEqual([
    0,
    expect.stringMatching(/: 0 ids outside of .*\n• Slots can be moved\.$/),
  ]);
});

test('waits until the sessions have ended, and no longer than it may', { timeout: 120_000 }, async () => {
  const { alone, strays } = await startAlone();
  const node = await startFrom(alone);
  const [last, ...others] = strays as [string, ...string[]];
  expect((await json('check', '--url', urlOf(node)))[1].strays).toBe(strays.length);
  for (const id of others) expect(await node.send('SESSION.EXPIRE', id, '2')).toBe(':1\r\n');
  const [status, told] = await json('prepare', '--url', urlOf(node), '--wait', '8');
  expect([status, told.safe, told.strays, told.servers[0]!.ids]).toEqual([1, false, 1, [last]]);
  expect(await node.send('SESSION.DELETE', last)).toBe(':1\r\n');
  expect((await json('prepare', '--url', urlOf(node), '--wait', '1'))[0]).toBe(0);
});

test('the host refuses to move slots until it says that they can be moved', { timeout: 120_000 }, async () => {
  const { alone, strays } = await startAlone();
  const node = await startFrom(alone);
  const other = await join([node]);
  const slot = slotOf(USERS[0]!);
  expect(await openSlot(node, other, slot)).toBe(
    `-ERR ${strays.length} ids lie in other slots than their users, and would be left behind: npx --no redis-wasm cluster prepare\r\n`,
  );
  expect((await json('prepare', '--url', urlOf(node), '--rotate', '--grace', '1', '--wait', '60'))[0]).toBe(0);
  expect(await openSlot(node, other, slot)).toBe(OK);
  expect(await other.send('SESSION.COUNT')).toBe(':1\r\n');
});

test('an id in a slot that another node serves is left, and told', { timeout: 120_000 }, async () => {
  const { alone, strays } = await startAlone();
  const node = await startFrom(alone);
  const other = await join([node]);
  const [lost, ...others] = strays as [string, ...string[]];
  for (const each of [other, node]) expect(await each.send('CLUSTER', 'SETSLOT', String(slotOf(lost)), 'NODE', await idOf(other))).toBe(OK);
  const reached = others.filter((id) => slotOf(id) !== slotOf(lost)).length;
  const rotate = ['prepare', '--url', urlOf(other), '--rotate', '--grace', '1', '--wait', '5'];
  const [status, told] = await json(...rotate);
  expect([status, told.rotated, told.unreachable, told.strays]).toEqual([1, reached, strays.length - reached, strays.length - reached]);
  expect((await cluster(...rotate))[1]).toContain('lie in slots that other nodes serve: no command reaches these sessions');
});

test('a cluster without such ids is ready', { timeout: 120_000 }, async () => {
  const { nodes } = await startCluster();
  for (const user of USERS) {
    const replies = await Promise.all(nodes.map((node) => node.send('SESSION.CREATE', user)));
    expect(replies.filter((reply) => !reply.startsWith('-MOVED'))).toHaveLength(1);
  }
  const [status, told] = await json('prepare', '--url', urlOf(nodes[1]!), '--rotate', '--grace', '1');
  expect([status, told.safe, told.servers.map(({ strays }) => strays)]).toEqual([0, true, [0, 0, 0]]);
  expect(told.servers.map(({ server }) => server).sort()).toEqual(nodes.map(({ port }) => `127.0.0.1:${port}`).sort());
});

test.each([
  [['check'], 'A server is needed: --url'],
  [['move', '--url', 'redis://a'], 'One of check and prepare is needed.'],
  [['check', '--url', 'redis://a', '--wait', '1'], '--rotate and --wait are for prepare.'],
  [['prepare', '--url', 'redis://a', '--rotate'], '--rotate and --grace <seconds> belong together'],
  [['prepare', '--url', 'redis://a', '--rotate', '--grace', '604801'], '--grace takes whole seconds, from 1 to 604800.'],
  [['prepare', '--url', 'redis://a', '--wait', '1.5'], '--wait takes whole seconds, from 1 on.'],
  [['prepare', '--url', 'redis://a', '--ids', 'file'], '--ids is for --rotate.'],
  [['check', '--url', 'redis://a', '--fast'], '--fast'],
] as const)('refuses %s', async (given, message) => {
  expect((await cluster(...given))[1]).toContain(message);
});
