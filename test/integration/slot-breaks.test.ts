/**
 * Moves of slots that break off by what nodes cannot take, by operators, or by the end of a process, and
 * files that are written in the middle of them.
 */
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { keyOfFirst, useCluster } from '../support/cluster.ts';
import { closeSlot, endOfMove, fill, idOf, join, moveSlots, OK, openSlot, seen, setSlot } from '../support/moves.ts';
import { bulk } from '../support/raw.ts';
import { eventually, tested, type TestServer } from '../support/server.ts';
import { slotOf } from '../support/slots.ts';

const movesAtOnce = tested.name === 'Valkey' && Number(tested.version.split('.')[0]) >= 9;
const nodes = useCluster({ arguments: ['--appendonly', 'yes', '--appendfsync', 'always'] }, 2);
const MIB = 1 << 20;
/** Long enough for a child to be found. */
const LONG_US = '60000000';

const both = () => nodes as [TestServer, TestServer];
const keyOf = (name: string) => keyOfFirst(name, 2);
const len = (node: TestServer) => node.send('CUSTOM.LEN');

async function serves(node: TestServer): Promise<void> {
  const isReady = (text: string) => text.includes('cluster_state:ok');
  expect(await eventually(() => node.send('CLUSTER', 'INFO'), isReady)).toSatisfy(isReady);
}

test('more than the other node takes in one message stays', async () => {
  const [source, target] = both();
  const key = keyOf('long');
  const slot = slotOf(key);
  // Nothing that the server could pack.
  const value = randomBytes(MIB).toString('hex');
  expect(await source.send('CUSTOM.SET', key, value)).toBe(OK);
  const [own, others] = [/modules hold \d+ bytes in slot \d+, more than proto-max-bulk-len/, /cannot be handed over to/];
  for (const [short, says] of [
    [target, others],
    [source, own],
  ] as const) {
    const before = await short.send('CONFIG', 'GET', 'proto-max-bulk-len');
    expect(await short.send('CONFIG', 'SET', 'proto-max-bulk-len', String(MIB))).toBe(OK);
    expect(await openSlot(source, target, slot)).toMatch(says);
    expect(await source.send('CONFIG', 'SET', 'proto-max-bulk-len', before.split('\r\n')[4]!)).toBe(OK);
    expect(await target.send('CONFIG', 'SET', 'proto-max-bulk-len', before.split('\r\n')[4]!)).toBe(OK);
    expect(await source.send('CUSTOM.GET', key)).toBe(bulk(value));
    expect([await len(target), await source.send('KEYS', '*')]).toEqual([':0\r\n', '*0\r\n']);
  }
  expect(await openSlot(source, target, slot)).toBe(OK);
  await closeSlot({ nodes }, target, slot);
  expect(await target.send('CUSTOM.GET', key)).toBe(bulk(value));
  expect(await target.send('CUSTOM.DEL', key)).toBe(':1\r\n');
});

test('files that are written between the steps have each what the node has', async () => {
  const [source, target] = both();
  const owned = await fill(source, keyOf('written'));
  const before = await seen(source, owned);
  const [from, to] = [await idOf(source), await idOf(target)];
  const isWritten = (info: Record<string, string>) => info.aof_rewrite_in_progress === '0' && info.aof_rewrite_scheduled === '0';
  const restart = async () => {
    for (const node of nodes) expect(await node.send('BGREWRITEAOF')).toMatch(/^\+/);
    for (const node of nodes) expect(await eventually(() => node.info('persistence'), isWritten)).toSatisfy(isWritten);
    await Promise.all(nodes.map((node) => node.kill()));
    await Promise.all(nodes.map((node) => node.start()));
    for (const node of nodes) await serves(node);
  };
  expect(await setSlot(target, owned.slot, 'IMPORTING', from)).toBe(OK);
  expect(await setSlot(source, owned.slot, 'MIGRATING', to)).toBe(OK);
  await restart();
  expect(await seen(target, owned)).toEqual(before);
  expect(await source.send('CUSTOM.GET', owned.user)).toBe(`-ASK ${owned.slot} 127.0.0.1:${target.port}\r\n`);
  expect(await setSlot(target, owned.slot, 'NODE', to)).toBe(OK);
  await restart();
  expect(await setSlot(source, owned.slot, 'NODE', to)).toBe(OK);
  expect(await seen(target, owned)).toEqual(before);
  expect(await source.send('CUSTOM.GET', owned.user)).toBe(`-MOVED ${owned.slot} 127.0.0.1:${target.port}\r\n`);
});

/** The children that a server has forked. */
const childrenOf = ({ pid }: TestServer) =>
  readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8')
    .split(' ')
    .filter((word) => word !== '')
    .map(Number);

test.runIf(movesAtOnce).each([
  ['cancelled', (source: TestServer) => source.send('CLUSTER', 'CANCELSLOTMIGRATIONS')],
  ['left by its child', (_: TestServer, child: number) => process.kill(child, 'SIGKILL')],
  ['left by the other node', async (_: TestServer, __: number, target: TestServer) => target.restart()],
])('many slots at once: a move that is %s is begun again', async (name, breakOff) => {
  const [source, target] = both();
  const owned = await fill(source, keyOf(name));
  const before = [await seen(source, owned), await len(target)];
  const isNone = (children: number[]) => children.length === 0;
  expect(await eventually(() => childrenOf(source), isNone)).toSatisfy(isNone);
  // The child sleeps behind each key.
  expect(await source.send('CONFIG', 'SET', 'rdb-key-save-delay', LONG_US)).toBe(OK);
  const words = ['CLUSTER', 'MIGRATESLOTS', 'SLOTSRANGE', String(owned.slot), String(owned.slot), 'NODE', await idOf(target)];
  expect(await source.send(...words)).toBe(OK);
  const isThere = (children: number[]) => children.length === 1;
  const children = await eventually(() => childrenOf(source), isThere);
  expect(children).toSatisfy(isThere);
  await breakOff(source, children[0]!, target);
  expect(await endOfMove(source)).toMatch(/failed|cancelled/);
  expect(await source.send('CONFIG', 'SET', 'rdb-key-save-delay', '0')).toBe(OK);
  const isDropped = (entries: string) => entries === before[1];
  expect(await eventually(() => len(target), isDropped)).toSatisfy(isDropped);
  for (const node of nodes) await serves(node);
  expect(await seen(source, owned)).toEqual(before[0]);
  expect(await moveSlots(source, [owned.slot, owned.slot], target)).toBe('success');
  expect(await seen(target, owned)).toEqual(before[0]);
});

test.runIf(movesAtOnce)('many slots at once: a node whose modules are full takes none, and does once they are not', async () => {
  const [source, target] = both();
  const key = keyOf('full');
  const slot = slotOf(key);
  const names = Array.from({ length: 200 }, (_, index) => `{${key}}${index}`);
  const value = 'x'.repeat(64 << 10);
  for (const name of names) expect(await source.send('CUSTOM.SET', name, value)).toBe(OK);
  const before = await len(target);
  const most = (await target.send('CONFIG', 'GET', 'wasm.max-memory')).split('\r\n')[4]!;
  expect(await target.send('CONFIG', 'SET', 'wasm.max-memory', '2mb')).toBe(OK);
  expect(await moveSlots(source, [slot, slot], target)).toBe('failed');
  const isDropped = (entries: string) => entries === before;
  expect(await eventually(() => len(target), isDropped)).toSatisfy(isDropped);
  expect(await target.send('CONFIG', 'SET', 'wasm.max-memory', most)).toBe(OK);
  for (const name of names) expect(await source.send('CUSTOM.GET', name)).toBe(bulk(value));
  expect(await moveSlots(source, [slot, slot], target)).toBe('success');
  for (const name of names) expect(await target.send('CUSTOM.GET', name)).toBe(bulk(value));
});

test('a node that is reset while a slot is open has the data, and gets the slot', async () => {
  const [source] = both();
  const owned = await fill(source, keyOf('reset'));
  const before = await seen(source, owned);
  const fresh = await join(nodes, '--appendonly', 'yes');
  const [, bus = ''] = /@(\d+)[ ,].*myself/.exec(await fresh.send('CLUSTER', 'NODES')) ?? [];
  expect(await openSlot(source, fresh, owned.slot)).toBe(OK);
  // Not before the key is gone that has brought the data.
  const isReset = (answer: string) => answer === OK;
  expect(await eventually(() => fresh.send('CLUSTER', 'RESET', 'SOFT'), isReset)).toBe(OK);
  await fresh.restart();
  expect(await source.send('CLUSTER', 'MEET', '127.0.0.1', String(fresh.port), bus)).toBe(OK);
  const isKnown = (text: string) => nodes.every(({ port }) => new RegExp(`:${port}@.* connected`).test(text));
  expect(await eventually(() => fresh.send('CLUSTER', 'NODES'), isKnown)).toSatisfy(isKnown);
  await closeSlot({ nodes }, fresh, owned.slot);
  await serves(fresh);
  expect(await seen(fresh, owned)).toEqual(before);
  // The others get along without it. A node without slots follows another by itself.
  expect(await openSlot(fresh, source, owned.slot)).toBe(OK);
  await closeSlot({ nodes }, source, owned.slot);
  expect(await seen(source, owned)).toEqual(before);
  for (const node of nodes) expect(await node.send('CLUSTER', 'FORGET', await idOf(fresh))).toBe(OK);
  // Redis 7.0 takes no SIGTERM while it writes its first file as a replica.
  await fresh.kill();
});

// The last one: nodes tell others for a minute whom they have forgotten.
test('a node that is forgotten while a slot is open is found again by those who are sent there', async () => {
  const [source, target] = both();
  const owned = await fill(source, keyOf('forgotten'));
  const before = await seen(source, owned);
  expect(await openSlot(source, target, owned.slot)).toBe(OK);
  const [, bus = ''] = /@(\d+)[ ,].*myself/.exec(await target.send('CLUSTER', 'NODES')) ?? [];
  for (const [one, other] of [
    [source, target],
    [target, source],
  ] as const) {
    expect(await one.send('CLUSTER', 'FORGET', await idOf(other))).toBe(OK);
  }
  expect(await source.send('SESSION.GET', owned.id)).toMatch(/^-(TRYAGAIN slot \d+ is at the node|CLUSTERDOWN)/);
  expect(await source.send('CLUSTER', 'MEET', '127.0.0.1', String(target.port), bus)).toBe(OK);
  const isAsked = (answer: string) => answer === `-ASK ${owned.slot} 127.0.0.1:${target.port}\r\n`;
  expect(await eventually(() => source.send('SESSION.GET', owned.id), isAsked)).toSatisfy(isAsked);
  await closeSlot({ nodes }, target, owned.slot);
  await serves(target);
  expect(await seen(target, owned)).toEqual(before);
});
