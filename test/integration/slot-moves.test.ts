/**
 * Slots that move from one node of a cluster to another, one by one as `redis-cli --cluster reshard` moves
 * them, or many at once where the server does that: what modules hold in them goes along.
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { joined, seenBy, type Seen } from '../support/cluster.ts';
import { Folder, shopWith } from '../support/live.ts';
import { closeSlot, fill, idOf, openSlot, seen, setSlot, startMove } from '../support/moves.ts';
import { bulk } from '../support/raw.ts';
import { caughtUp, linked } from '../support/replication.ts';
import { parseReply } from '../support/reply.ts';
import { eventually, startServer, tested, type TestServer } from '../support/server.ts';
import { slotOf } from '../support/slots.ts';

const OK = '+OK\r\n';
const movesAtOnce = tested.name === 'Valkey' && Number(tested.version.split('.')[0]) >= 9;

/** What holds of a node that nothing moves to or from any longer: no key of the host's, and sound data. */
async function expectSettled(node: TestServer): Promise<void> {
  expect(
    await eventually(
      () => node.send('KEYS', '*'),
      (keys) => keys === '*0\r\n',
    ),
  ).toBe('*0\r\n');
  expect([await node.send('CUSTOM.CHECK'), await node.send('SESSION.CHECK')]).toEqual([OK, OK]);
}

test('a slot that is opened for another node has its data there', async () => {
  const { cluster, source, target, owned } = await startMove();
  const { slot, id } = owned;
  const before = await seen(source, owned);
  expect(before[0]).toBe(bulk('value'));
  const entries = Number(parseReply(await source.send('CUSTOM.LEN')));
  await source.send('CUSTOM.SET', await cluster.keyOf(source, 'other'), 'stays');
  expect(await openSlot(source, target, slot), target.log).toBe(OK);
  expect(await source.send('SESSION.GET', id)).toBe(`-ASK ${slot} 127.0.0.1:${target.port}\r\n`);
  expect(await seen(target, owned)).toEqual(before);
  await closeSlot(cluster, target, slot);
  expect(await seen(target, owned)).toEqual(before);
  expect(await source.send('SESSION.GET', id)).toBe(`-MOVED ${slot} 127.0.0.1:${target.port}\r\n`);
  expect([await source.send('CUSTOM.LEN'), await target.send('CUSTOM.LEN')]).toEqual([':1\r\n', `:${entries}\r\n`]);
  await expectSettled(source);
  await expectSettled(target);
});

test('it goes back as it came', async () => {
  const { cluster, source, target, owned } = await startMove();
  const before = await seen(source, owned);
  for (const [from, to] of [
    [source, target],
    [target, source],
    [source, target],
  ] as const) {
    expect(await openSlot(from, to, owned.slot), to.log).toBe(OK);
    await closeSlot(cluster, to, owned.slot);
    expect(await seen(to, owned)).toEqual(before);
    expect(await from.send('CUSTOM.LEN')).toBe(':0\r\n');
  }
});

test('what lies in the slot and belongs to WATCH is not there any more', async () => {
  const { source, target, owned } = await startMove();
  const connection = await source.connect();
  await connection.send('WATCH', `{${owned.user}}:entry`);
  expect(await openSlot(source, target, owned.slot)).toBe(OK);
  await connection.send('MULTI');
  await connection.send('PING');
  expect(await connection.send('EXEC')).toBe('*-1\r\n');
});

test.runIf(movesAtOnce)('many slots at once', async () => {
  const { source, target, owned } = await startMove();
  const before = await seen(source, owned);
  expect(await source.send('CLUSTER', 'MIGRATESLOTS', 'SLOTSRANGE', '0', String(owned.slot), 'NODE', await idOf(target))).toBe(OK);
  await eventually(
    () => source.send('SESSION.GET', owned.id),
    (reply) => reply.startsWith('-MOVED'),
  );
  expect(await seen(target, owned)).toEqual(before);
  expect(
    await eventually(
      () => source.send('CUSTOM.LEN'),
      (reply) => reply === ':0\r\n',
    ),
  ).toBe(':0\r\n');
  await expectSettled(source);
  await expectSettled(target);
});

test.runIf(movesAtOnce)('slots that come back are there after a restart, though one of them has gone again', async () => {
  const { cluster, source, target, owned } = await startMove({ arguments: ['--appendonly', 'yes', '--appendfsync', 'always'] });
  const { slot } = owned;
  const before = await seen(source, owned);
  const beside = slot === 0 ? 1 : slot - 1;
  for (const one of [slot, beside]) {
    expect(await openSlot(source, target, one)).toBe(OK);
    await closeSlot(cluster, target, one);
  }
  const range = [Math.min(slot, beside), Math.max(slot, beside)].map(String);
  expect(await target.send('CLUSTER', 'MIGRATESLOTS', 'SLOTSRANGE', ...range, 'NODE', await idOf(source))).toBe(OK);
  expect(
    await eventually(
      () => seen(source, owned),
      (replies) => replies.join() === before.join(),
    ),
  ).toEqual(before);
  // Their file tells of a move of slots that are two nodes' by then: the server refuses it as it reads that.
  expect(await openSlot(source, target, beside)).toBe(OK);
  await closeSlot(cluster, target, beside);
  await source.kill();
  await source.start();
  expect(source.log).toContain('Requested slots span multiple shards');
  expect(
    await eventually(
      () => seen(source, owned),
      (replies) => replies.join() === before.join(),
    ),
  ).toEqual(before);
  await expectSettled(source);
});

/** A server that is paused ends where a module has it write to replicas or files all the same. */
const WITH_FILE = { arguments: ['--appendonly', 'yes'] };

test('a slot that is opened while writes are paused', async () => {
  const { cluster, source, target, owned } = await startMove(WITH_FILE);
  const { slot, id } = owned;
  const before = await seen(source, owned);
  expect(await setSlot(target, slot, 'IMPORTING', await idOf(source))).toBe(OK);
  const connection = await source.connect();
  expect(await source.send('CLIENT', 'PAUSE', '100000', 'WRITE')).toBe(OK);
  const opening = connection.send('CLUSTER', 'SETSLOT', String(slot), 'MIGRATING', await idOf(target));
  expect(await source.send('SESSION.GET', id)).toBe(before[2]);
  expect(await source.send('CLIENT', 'UNPAUSE')).toBe(OK);
  const opened = await opening;
  // Where the host hands over before the server looks at the command, it refuses.
  if (opened !== OK) {
    expect(opened).toBe('-ERR writes are paused: send it again later\r\n');
    expect(await seen(source, owned)).toEqual(before);
    expect(await setSlot(source, slot, 'MIGRATING', await idOf(target))).toBe(OK);
  }
  await closeSlot(cluster, target, slot);
  expect(await seen(target, owned)).toEqual(before);
});

test.runIf(movesAtOnce)('many slots at once, which end while writes are paused', async () => {
  const { source, target, owned } = await startMove(WITH_FILE);
  const { slot, id } = owned;
  const before = await seen(source, owned);
  expect(await source.send('CLIENT', 'PAUSE', '100000', 'WRITE')).toBe(OK);
  expect(await source.send('CLUSTER', 'MIGRATESLOTS', 'SLOTSRANGE', '0', String(slot), 'NODE', await idOf(target))).toBe(OK);
  const isGone = (reply: string) => reply.startsWith('-MOVED');
  expect(await eventually(() => source.send('SESSION.GET', id), isGone)).toSatisfy(isGone);
  expect(await source.send('CLIENT', 'UNPAUSE')).toBe(OK);
  expect(await seen(target, owned)).toEqual(before);
  const isEmpty = (reply: string) => reply === ':0\r\n';
  expect(await eventually(() => source.send('CUSTOM.LEN'), isEmpty)).toSatisfy(isEmpty);
  await expectSettled(source);
  await expectSettled(target);
});

test('an append-only file that goes on in a slot that was handed over is taken as it is', async () => {
  const { source, target, owned } = await startMove({ link: 'command', arguments: ['--appendonly', 'yes', '--appendfsync', 'always'] });
  const folder = path.join(source.folder, 'appendonlydir');
  const file = path.join(
    folder,
    readdirSync(folder).find((name) => name.endsWith('.incr.aof'))!,
  );
  const before = readFileSync(file);
  expect(before.toString()).toContain('session.apply');
  const [count, mapping] = [await source.send('SESSION.COUNT'), await source.send('CUSTOM.GET', owned.user)];
  expect(await openSlot(source, target, owned.slot)).toBe(OK);
  const [handed] = await eventually(
    () => Promise.resolve([readFileSync(file)]),
    ([bytes]) => bytes.includes('HANDED'),
  );
  await source.kill();
  // As where the server took the slot back by itself, and does not tell so as it reads the file.
  writeFileSync(file, Buffer.concat([handed, before]));
  await source.start();
  expect(await source.send('SESSION.COUNT')).toBe(count);
  expect(await source.send('CUSTOM.LEN')).not.toBe(':0\r\n');
  expect(mapping).toBe(bulk(owned.id));
  expect(await source.send('CUSTOM.KEYS')).toContain(bulk(owned.user));
});

test('a replica that starts again from its file keeps what its primary has', async () => {
  const [primary, replica] = (await joined(startServer, {}, 2, 1)) as [TestServer, TestServer];
  await linked(replica);
  const { id } = await fill(primary, 'user');
  await caughtUp(primary, replica);
  expect(await replica.send('SAVE')).toBe(OK);
  await replica.restart();
  await linked(replica);
  await primary.send('CUSTOM.SET', 'later', 'value');
  await caughtUp(primary, replica);
  const connection = await replica.connect();
  expect(await connection.send('READONLY')).toBe(OK);
  expect(await connection.send('SESSION.GET_DATA', id, 'cart')).toBe(bulk('three apples'));
  expect(await replica.send('CUSTOM.LEN')).toBe(await primary.send('CUSTOM.LEN'));
});

test.runIf(movesAtOnce)('many slots at once, with a module that was loaded while the server served', async () => {
  const folder = Folder.ofTest();
  folder.put('shop', await shopWith());
  const { source, target, owned } = await startMove({ arguments: folder.arguments });
  // Loaded at the start: its commands would come as another module of the server now.
  for (const node of [source, target]) {
    folder.put('shop', await shopWith(['"SHOP.RENAME"', '"SHOP.CALL"']));
    expect(await node.send('WASM.RELOAD', 'shop')).toBe(OK);
    expect(await node.send('MODULE', 'LIST')).toContain('wasm:shop');
  }
  expect(await source.send('SHOP.SET', owned.user, 'name', '1')).toBe(OK);
  const before = await source.send('SHOP.GET', owned.user);
  expect(await source.send('CLUSTER', 'MIGRATESLOTS', 'SLOTSRANGE', '0', String(owned.slot), 'NODE', await idOf(target))).toBe(OK);
  expect(
    await eventually(
      () => target.send('SHOP.GET', owned.user),
      (reply) => reply === before,
    ),
  ).toBe(before);
});

test('the target fails over before the slot is closed: its replica has the data, and takes its place', async () => {
  const nodes = await joined(startServer, WITH_FILE, 4, 2);
  const [source, target, , replica] = nodes as [TestServer, TestServer, TestServer, TestServer];
  const user = Array.from({ length: 100 }, (_, index) => `user${index}`).find((name) => slotOf(name) < 8192)!;
  const owned = await fill(source, user);
  const before = await seen(source, owned);
  await linked(replica);
  expect(await openSlot(source, target, owned.slot)).toBe(OK);
  await caughtUp(target, replica);
  const [id, former] = [await idOf(replica), await idOf(target)];
  const isOver = (found: Seen[]) => found.some((node) => node.id === former && node.primary === id);
  // The server gives up where it is not done in 5 s, and begins anew where it is asked again.
  const failOver = async () => {
    await replica.send('CLUSTER', 'FAILOVER');
    return eventually(() => seenBy(source), isOver, 6000);
  };
  expect(await eventually(failOver, isOver)).toSatisfy(isOver);
  // As `redis-cli --cluster fix` opens it again.
  expect(await setSlot(replica, owned.slot, 'IMPORTING', await idOf(source))).toBe(OK);
  expect(await setSlot(source, owned.slot, 'MIGRATING', id)).toBe(OK);
  for (const node of [replica, source]) expect(await setSlot(node, owned.slot, 'NODE', id)).toBe(OK);
  expect(await seen(replica, owned)).toEqual(before);
});

test('a slot that goes on before the key that brought its data is gone leaves none on a replica', async () => {
  const nodes = await joined(startServer, WITH_FILE, 4, 2);
  const [source, target, , replica] = nodes as [TestServer, TestServer, TestServer, TestServer];
  const user = Array.from({ length: 100 }, (_, index) => `user${index}`).find((name) => slotOf(name) < 8192)!;
  const { slot } = await fill(source, user);
  await linked(replica);
  // The host's turn comes once a second.
  await target.send('CONFIG', 'SET', 'hz', '1');
  expect(await openSlot(source, target, slot), target.log).toBe(OK);
  await closeSlot({ nodes: [source, target] }, target, slot);
  // Both must have settled that the slot is the target's.
  const goOn = async () => {
    const replies = [
      await setSlot(source, slot, 'IMPORTING', await idOf(target)),
      await setSlot(target, slot, 'MIGRATING', await idOf(source)),
    ];
    return replies.find((reply) => reply !== OK) ?? OK;
  };
  expect(await eventually(goOn, (reply) => reply === OK), source.log).toBe(OK);
  await caughtUp(target, replica);
  const connection = await replica.connect();
  await connection.send('READONLY');
  const isEmpty = (keys: string) => keys === '*0\r\n';
  expect(await eventually(() => connection.send('KEYS', '*'), isEmpty)).toBe('*0\r\n');
});
