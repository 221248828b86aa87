/**
 * Slots that move from one node of a cluster to another, one by one as `redis-cli --cluster reshard` moves
 * them, or many at once where the server does that: what modules hold in them goes along.
 */
import { expect, test } from 'vitest';
import { startCluster, type Cluster } from '../support/cluster.ts';
import { bulk } from '../support/raw.ts';
import { parseReply } from '../support/reply.ts';
import { eventually, tested, type TestServer } from '../support/server.ts';
import { slotOf } from '../support/slots.ts';

const OK = '+OK\r\n';
const movesAtOnce = tested.name === 'Valkey' && Number(tested.version.split('.')[0]) >= 9;

const idOf = async (node: TestServer) => (await node.send('CLUSTER', 'MYID')).split('\r\n')[1]!;

/** Opens a slot for its way from one node to another; answers what the source says. */
async function open(source: TestServer, target: TestServer, slot: number): Promise<string> {
  expect(await target.send('CLUSTER', 'SETSLOT', String(slot), 'IMPORTING', await idOf(source))).toBe(OK);
  return source.send('CLUSTER', 'SETSLOT', String(slot), 'MIGRATING', await idOf(target));
}

/** Tells both nodes, and all others, that the slot is the target's. */
async function close({ nodes }: Cluster, target: TestServer, slot: number): Promise<void> {
  const id = await idOf(target);
  for (const node of [target, ...nodes.filter((other) => other !== target)]) {
    expect(await node.send('CLUSTER', 'SETSLOT', String(slot), 'NODE', id)).toBe(OK);
  }
}

/** What a node holds of the fixed entries below, as its replies. */
const ask = async (node: TestServer, user: string, id: string) => [
  await node.send('CUSTOM.GET', `{${user}}:entry`),
  await node.send('CUSTOM.PEXPIRETIME', `{${user}}:timed`),
  await node.send('SESSION.GET', id),
  await node.send('SESSION.LIST', user),
  await node.send('CUSTOM.GET', user),
];

async function fill(node: TestServer, user: string): Promise<string> {
  const id = (parseReply(await node.send('SESSION.CREATE', user)) as string).split(' ').pop()!;
  await node.send('SESSION.ADD_DATA', id, 'cart', 'three apples');
  await node.send('SESSION.CREATE', user, 'IDLE', '1000');
  await node.send('CUSTOM.SET', `{${user}}:entry`, 'value');
  await node.send('CUSTOM.SET', `{${user}}:timed`, 'value', 'PXAT', '94651243200000');
  return id;
}

async function startMove(options = {}) {
  const cluster = await startCluster(options);
  const [source, target] = cluster.nodes as [TestServer, TestServer, TestServer];
  const user = await cluster.keyOf(source, 'user');
  return { cluster, source, target, user, slot: slotOf(user), id: await fill(source, user) };
}

test('a slot that is opened for another node has its data there', async () => {
  const { cluster, source, target, user, slot, id } = await startMove();
  const before = await ask(source, user, id);
  expect(before[0]).toBe(bulk('value'));
  const entries = Number(parseReply(await source.send('CUSTOM.LEN')));
  await source.send('CUSTOM.SET', await cluster.keyOf(source, 'other'), 'stays');
  const opened = await open(source, target, slot);
  expect(opened, target.log).toBe(OK);
  expect(await source.send('SESSION.GET', id)).toBe(`-ASK ${slot} 127.0.0.1:${target.port}\r\n`);
  const connection = await target.connect();
  expect(await connection.send('ASKING')).toBe(OK);
  expect(await connection.send('SESSION.GET', id)).toBe(before[2]);
  await close(cluster, target, slot);
  expect(await ask(target, user, id)).toEqual(before);
  expect(await source.send('SESSION.GET', id)).toBe(`-MOVED ${slot} 127.0.0.1:${target.port}\r\n`);
  expect([await source.send('CUSTOM.LEN'), await target.send('CUSTOM.LEN')]).toEqual([':1\r\n', `:${entries}\r\n`]);
  for (const node of [source, target]) {
    expect(
      await eventually(
        () => node.send('KEYS', '*'),
        (keys) => keys === '*0\r\n',
      ),
    ).toBe('*0\r\n');
    expect([await node.send('CUSTOM.CHECK'), await node.send('SESSION.CHECK')]).toEqual([OK, OK]);
  }
});

test.runIf(movesAtOnce)('many slots at once', async () => {
  const { source, target, user, slot, id } = await startMove();
  const before = await ask(source, user, id);
  expect(await source.send('CLUSTER', 'MIGRATESLOTS', 'SLOTSRANGE', '0', String(slot), 'NODE', await idOf(target))).toBe(OK);
  await eventually(
    () => source.send('SESSION.GET', id),
    (reply) => reply.startsWith('-MOVED'),
  );
  expect(await ask(target, user, id)).toEqual(before);
  expect(
    await eventually(
      () => source.send('CUSTOM.LEN'),
      (reply) => reply === ':0\r\n',
    ),
  ).toBe(':0\r\n');
  for (const node of [source, target]) {
    expect(await node.send('KEYS', '*')).toBe('*0\r\n');
    expect([await node.send('CUSTOM.CHECK'), await node.send('SESSION.CHECK')]).toEqual([OK, OK]);
  }
});
