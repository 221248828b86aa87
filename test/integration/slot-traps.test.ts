/**
 * Moves of slots that cannot be, or break off: all that modules hold is where it was, or at the other node.
 */
import { expect, test } from 'vitest';
import {
  closeSlot,
  idOf,
  join,
  keyThatTakes,
  moveSlots,
  openSlot,
  PASSWORD,
  seen,
  setSlot,
  startMove,
  type Move,
} from '../support/moves.ts';
import { joined } from '../support/cluster.ts';
import { caughtUp, linked } from '../support/replication.ts';
import { eventually, startServer, tested, type TestServer } from '../support/server.ts';

const OK = '+OK\r\n';
const movesAtOnce = tested.name === 'Valkey' && Number(tested.version.split('.')[0]) >= 9;

/** Has the move refused by what the source answers, with everything where it was. */
async function expectRefused({ source, target, owned }: Move, says: RegExp, attempt: () => Promise<string>): Promise<void> {
  const before = await seen(source, owned);
  expect(await setSlot(target, owned.slot, 'IMPORTING', await idOf(source))).toBe(OK);
  expect(await attempt()).toMatch(says);
  expect(await seen(source, owned)).toEqual(before);
  expect(await source.send('CLUSTER', 'NODES')).not.toContain(`[${owned.slot}->-`);
  expect(await source.send('KEYS', '*')).toBe('*0\r\n');
}

test('who may not move slots hands none over', async () => {
  const move = await startMove();
  await move.source.send('CONFIG', 'SET', 'requirepass', PASSWORD);
  const { source, target, owned } = move;
  await source.send('ACL', 'SETUSER', 'reader', 'on', '>word', '~*', '+@read', '+auth');
  const words = ['CLUSTER', 'SETSLOT', String(owned.slot), 'MIGRATING', await idOf(target)];
  const stranger = await source.connect();
  await expectRefused(move, /^-NOAUTH /, () => stranger.send(...words));
  const reader = await source.connect();
  expect(await reader.send('AUTH', 'reader', 'word')).toBe(OK);
  await expectRefused(move, /^-NOPERM /, () => reader.send(...words));
});

test('a node that asks for a password is given it', async () => {
  const { cluster, source, target, owned } = await startMove();
  await target.send('CONFIG', 'SET', 'requirepass', PASSWORD);
  await source.send('CONFIG', 'SET', 'masterauth', PASSWORD);
  const before = await seen(source, owned);
  expect(await openSlot(source, target, owned.slot)).toBe(OK);
  await closeSlot(cluster, target, owned.slot);
  expect(await seen(target, owned)).toEqual(before);
});

test('within a transaction or a script nothing is handed over', async () => {
  const move = await startMove();
  const { source, target, owned } = move;
  const words = ['CLUSTER', 'SETSLOT', String(owned.slot), 'MIGRATING', await idOf(target)];
  const connection = await source.connect();
  await expectRefused(move, /in no transaction|EXECABORT/, async () => {
    await connection.send('MULTI');
    await connection.send(...words);
    return connection.send('EXEC');
  });
  const call = words.map((word) => `'${word}'`).join(', ');
  await expectRefused(move, /^-ERR /, () => source.send('EVAL', `return redis.call(${call})`, '0'));
});

test('a node without the module, or that does not import the slot, takes nothing', async () => {
  const move = await startMove();
  const { source, target, owned } = move;
  await expectRefused(move, /cannot be handed over/, async () => {
    await setSlot(target, owned.slot, 'STABLE');
    return setSlot(source, owned.slot, 'MIGRATING', await idOf(target));
  });
  // Its own words for a node that nobody knows.
  await expectRefused(move, /^-ERR /, () => setSlot(source, owned.slot, 'MIGRATING', '0'.repeat(40)));
});

test('a node that has stopped answering keeps the slot where it is', async () => {
  const move = await startMove();
  const { source, target, owned } = move;
  const id = await idOf(target);
  await expectRefused(move, /cannot be (handed over|reached)/, async () => {
    process.kill(target.pid, 'SIGSTOP');
    const answer = await setSlot(source, owned.slot, 'MIGRATING', id);
    process.kill(target.pid, 'SIGCONT');
    return answer;
  });
  const before = await seen(source, owned);
  expect(await setSlot(source, owned.slot, 'MIGRATING', id)).toBe(OK);
  expect(await seen(target, owned)).toEqual(before);
});

test('a slot that was handed over stays so through a restart, and goes nowhere else', async () => {
  const { cluster, source, target, owned } = await startMove({ arguments: ['--appendonly', 'yes', '--appendfsync', 'always'] });
  const before = await seen(source, owned);
  expect(await openSlot(source, target, owned.slot)).toBe(OK);
  expect(await setSlot(source, owned.slot, 'STABLE')).toBe(OK);
  const asked = `-ASK ${owned.slot} 127.0.0.1:${target.port}\r\n`;
  expect(await source.send('SESSION.GET', owned.id)).toBe(asked);
  for (const end of ['kill', 'save'] as const) {
    if (end === 'save') expect(await source.send('BGREWRITEAOF')).toMatch(/^\+/);
    await eventually(
      () => source.info('persistence'),
      (info) => info.aof_rewrite_in_progress === '0' && info.aof_rewrite_scheduled === '0',
    );
    await source.kill();
    await source.start();
    await eventually(
      () => source.send('CLUSTER', 'INFO'),
      (info) => info.includes('cluster_state:ok'),
    );
    expect(await source.send('SESSION.GET', owned.id)).toBe(asked);
  }
  const third = cluster.nodes[2]!;
  expect(await setSlot(third, owned.slot, 'IMPORTING', await idOf(source))).toBe(OK);
  expect(await setSlot(source, owned.slot, 'MIGRATING', await idOf(third))).toMatch(/^-ERR .* is at the node .* already/);
  expect(await setSlot(source, owned.slot, 'MIGRATING', await idOf(target))).toBe(OK);
  await closeSlot(cluster, target, owned.slot);
  expect(await seen(target, owned)).toEqual(before);
});

test('replicas of both nodes, and their files, have what the nodes have', async () => {
  const files = ['--appendonly', 'yes', '--appendfsync', 'always'];
  const { cluster, source, target, owned } = await startMove({ arguments: files });
  const before = await seen(source, owned);
  expect(await openSlot(source, target, owned.slot)).toBe(OK);
  await closeSlot(cluster, target, owned.slot);
  for (const node of [source, target]) {
    await node.kill();
    await node.start();
    await eventually(
      () => node.send('CLUSTER', 'INFO'),
      (info) => info.includes('cluster_state:ok'),
    );
  }
  expect(await seen(target, owned)).toEqual(before);
  expect(await source.send('CUSTOM.LEN')).toBe(':0\r\n');
  expect(await target.send('KEYS', '*')).toBe('*0\r\n');
});

test('words that the server refuses hand nothing over', async () => {
  const move = await startMove();
  const { source, target, owned } = move;
  const [slot, id] = [String(owned.slot), await idOf(target)];
  for (const words of [
    [`+${slot}`, 'MIGRATING', id],
    [`0${slot}`, 'MIGRATING', id],
    [slot, 'MIGRATING', id, 'TIMEOUT'],
    [slot, 'MIGRATING', id, 'TIMEOUT', '-1'],
    [slot, 'MIGRATING', id, 'TIMEOUT', 'soon'],
  ]) {
    await expectRefused(move, /^-ERR /, () => source.send('CLUSTER', 'SETSLOT', ...words));
  }
  const before = await seen(source, owned);
  const timeout = tested.name === 'Valkey' ? ['timeout', '1000'] : [];
  expect(await setSlot(source, owned.slot, 'migrating', id, ...timeout)).toBe(OK);
  expect(await seen(target, owned)).toEqual(before);
});

test('a client that is not served now hands nothing over', async () => {
  const move = await startMove();
  const { source, target, owned } = move;
  const [slot, id] = [String(owned.slot), await idOf(target)];
  await source.send('CONFIG', 'SET', 'busy-reply-threshold', '20');
  const [busy, client, subscriber] = [await source.connect(), await source.connect(), await source.connect()];
  await expectRefused(move, /^-BUSY /, async () => {
    const script = busy.send('EVAL', 'while true do end', '0');
    await eventually(
      () => client.send('PING'),
      (reply) => reply.startsWith('-BUSY '),
    );
    const answer = await client.send('CLUSTER', 'SETSLOT', slot, 'MIGRATING', id);
    expect(await client.send('SCRIPT', 'KILL')).toBe(OK);
    await script;
    return answer;
  });
  await subscriber.send('SUBSCRIBE', 'channel');
  await expectRefused(move, /^-ERR /, () => subscriber.send('CLUSTER', 'SETSLOT', slot, 'MIGRATING', id));
});

test('who asks the old node is sent to the name that the new one tells', async () => {
  const { cluster, source, target, owned } = await startMove();
  for (const node of cluster.nodes) await node.send('CONFIG', 'SET', 'cluster-announce-hostname', `host-${node.port}`);
  await eventually(
    () => source.send('CLUSTER', 'NODES'),
    (text) => text.includes(`,host-${target.port}`),
  );
  expect(await openSlot(source, target, owned.slot)).toBe(OK);
  // From now on the host alone sends clients there.
  expect(await setSlot(source, owned.slot, 'STABLE')).toBe(OK);
  for (const [type, name] of [
    ['hostname', `host-${target.port}`],
    ['unknown-endpoint', ''],
    ['ip', '127.0.0.1'],
  ] as const) {
    await source.send('CONFIG', 'SET', 'cluster-preferred-endpoint-type', type);
    expect(await source.send('SESSION.GET', owned.id)).toBe(`-ASK ${owned.slot} ${name}:${target.port}\r\n`);
  }
});

test('a slot that is closed on both nodes goes on where it is opened again', async () => {
  const { cluster, source, target, owned } = await startMove();
  const before = await seen(source, owned);
  expect(await openSlot(source, target, owned.slot)).toBe(OK);
  // As whoever gives the move up, and redis-cli --cluster fix after that.
  for (const node of [source, target]) expect(await setSlot(node, owned.slot, 'STABLE')).toBe(OK);
  expect(await source.send('SESSION.GET', owned.id)).toMatch(/^-ASK /);
  expect(await target.send('SESSION.GET', owned.id)).toMatch(/^-MOVED /);
  expect(await openSlot(source, target, owned.slot)).toBe(OK);
  await closeSlot(cluster, target, owned.slot);
  expect(await seen(target, owned)).toEqual(before);
});

test('a slot whose new node is lost is served again, empty, where it was taken from its node for a while', async () => {
  const { source, owned } = await startMove();
  const lost = await join([source]);
  const id = await idOf(lost);
  expect(await source.send('SET', owned.user, 'native')).toBe(OK);
  expect(await openSlot(source, lost, owned.slot)).toBe(OK);
  await lost.kill();
  expect(await source.send('CLUSTER', 'FORGET', id)).toBe(OK);
  for (const words of [['STABLE'], ['NODE', await idOf(source)]]) {
    expect(await setSlot(source, owned.slot, ...words)).toBe(OK);
    expect(await source.send('CUSTOM.GET', owned.user)).toMatch(/^-TRYAGAIN .* which this one does not know any more\r\n$/);
  }
  const takeAway = async (): Promise<string> => {
    await source.send('CLUSTER', 'DELSLOTS', String(owned.slot));
    await new Promise((resolve) => setTimeout(resolve, 500));
    await source.send('CLUSTER', 'ADDSLOTS', String(owned.slot));
    return source.send('CUSTOM.GET', owned.user);
  };
  await eventually(takeAway, (reply) => reply === '$-1\r\n');
  expect(await source.send('GET', owned.user)).toBe('$6\r\nnative\r\n');
});

test('a node that is reset serves slots that it had handed over before', async () => {
  const { cluster, source, target, owned } = await startMove();
  expect(await openSlot(source, target, owned.slot)).toBe(OK);
  await closeSlot(cluster, target, owned.slot);
  expect(await source.send('CLUSTER', 'RESET', 'HARD')).toBe(OK);
  // For as long it waits before it serves: alone, it has nobody to wait for.
  expect(await source.send('CONFIG', 'SET', 'cluster-node-timeout', '500')).toBe(OK);
  expect(await source.send('CLUSTER', 'ADDSLOTSRANGE', '0', '16383')).toBe(OK);
  const isServed = (reply: string) => reply === '$-1\r\n';
  expect(await eventually(() => source.send('CUSTOM.GET', owned.user), isServed)).toSatisfy(isServed);
});

/** At once: a key that is gone is put back otherwise, where the server has not come to it yet. */
const CANCEL = ['CLUSTER', 'CANCELSLOTMIGRATIONS'];

test.runIf(movesAtOnce)('a key in the place of the one that takes data along loses none', async () => {
  const { source, target, owned } = await startMove();
  const before = await seen(source, owned);
  const [first, last] = [owned.slot - 1, owned.slot];
  const key = keyThatTakes(first);
  // The key of a move of the first slot alone, which is cancelled.
  expect(await moveSlots(source, [first, first], target, ['RENAME', key, `${key}x`], CANCEL)).toMatch(/failed|cancelled/);
  expect(await seen(source, owned)).toEqual(before);
  expect(await moveSlots(source, [first, last], target, ['RENAME', `${key}x`, key])).toBe('success');
  expect(await seen(target, owned)).toEqual(before);
});

test.runIf(movesAtOnce)('a key of a move that is over takes nothing along', async () => {
  const { source, target, owned } = await startMove();
  const before = await seen(source, owned);
  const [first, last] = [owned.slot - 1, owned.slot];
  const key = keyThatTakes(first);
  expect(await moveSlots(source, [first, last], target, ['RENAME', key, `${key}x`], CANCEL)).toMatch(/failed|cancelled/);
  const entries = await target.send('CUSTOM.LEN');
  expect(await moveSlots(source, [first, first], target)).toBe('success');
  expect(await target.send('CUSTOM.LEN')).toBe(entries);
  expect(await seen(source, owned)).toEqual(before);
});

test.runIf(movesAtOnce)('a key of a move that clients renamed keeps no file from being loaded', async () => {
  const { cluster, source, target, owned } = await startMove();
  const before = await seen(source, owned);
  const renamed = `${keyThatTakes(owned.slot)}x`;
  const words = ['RENAME', keyThatTakes(owned.slot), renamed];
  expect(await moveSlots(source, [owned.slot, owned.slot], target, words, CANCEL)).toMatch(/failed|cancelled/);
  expect(await source.send('KEYS', '*')).toContain(renamed);
  const replica = await join(cluster.nodes);
  expect(await replica.send('CLUSTER', 'REPLICATE', await idOf(source))).toBe(OK);
  await linked(replica);
  await caughtUp(source, replica);
  // It waits for its primary to delete the key, and then is one.
  expect(await replica.send('KEYS', '*')).toContain(renamed);
  expect(await replica.send('CLUSTER', 'FAILOVER', 'TAKEOVER')).toBe(OK);
  const isEmpty = (keys: string) => keys === '*0\r\n';
  expect(await eventually(() => replica.send('KEYS', '*'), isEmpty)).toSatisfy(isEmpty);
  expect(await seen(replica, owned)).toEqual(before);
});

test.runIf(movesAtOnce)('a move of many slots begins without a look at each entry', async () => {
  const { source, target, owned } = await startMove();
  for (let from = 0; from < 1_000_000; from += 10_000) {
    const pairs = Array.from({ length: 10_000 }, (_, index) => [`{${owned.user}}${from + index}`, 'value']).flat();
    expect(await source.send('CUSTOM.MSET', ...pairs)).toBe(OK);
  }
  const running_ms = async (call: () => Promise<unknown>) => {
    const before = source.running_ms;
    await call();
    return source.running_ms - before;
  };
  const all = await running_ms(() => source.send('CUSTOM.CHECK'));
  const begun = await running_ms(() => moveSlots(source, [owned.slot, owned.slot], target, CANCEL));
  expect(begun).toBeLessThan(all / 25);
});

test.runIf(movesAtOnce)('slots that go by a move that was cancelled too late leave nothing behind', async () => {
  const { source, target, owned } = await startMove();
  const before = await seen(source, owned);
  const connection = await source.connect();
  // The source hears late that the target has taken the slots: by its next PING, and no PONG.
  await connection.send('DEBUG', 'DROP-CLUSTER-PACKET-FILTER', '1');
  await connection.send('CLUSTER', 'MIGRATESLOTS', 'SLOTSRANGE', String(owned.slot), String(owned.slot), 'NODE', await idOf(target));
  const isGranted = (text: string) => text.includes('failover-granted');
  expect(await eventually(() => connection.send('CLUSTER', 'GETSLOTMIGRATIONS'), isGranted)).toSatisfy(isGranted);
  expect(await connection.send(...CANCEL)).toBe(OK);
  await connection.send('DEBUG', 'DROP-CLUSTER-PACKET-FILTER', '-1');
  const isEmpty = (reply: string) => reply === ':0\r\n';
  expect(await eventually(() => source.send('CUSTOM.LEN'), isEmpty)).toBe(':0\r\n');
  expect(source.log).toContain(`another node has the slots ${owned.slot} by a move that was cancelled too late`);
  expect(await seen(target, owned)).toEqual(before);
});

test.runIf(movesAtOnce)('a primary that fails over while slots go keeps no key of the move', async () => {
  const nodes = await joined(startServer, {}, 4, 3);
  const [source, target, , replica] = nodes as [TestServer, TestServer, TestServer, TestServer];
  await linked(replica);
  const id = await idOf(target);
  // The move does not go on.
  process.kill(target.pid, 'SIGSTOP');
  try {
    expect(await source.send('CLUSTER', 'MIGRATESLOTS', 'SLOTSRANGE', '0', '5', 'NODE', id)).toBe(OK);
    expect(await source.send('KEYS', '*')).toContain(keyThatTakes(0));
    expect(await replica.send('CLUSTER', 'FAILOVER')).toBe(OK);
    const hasFailedOver = (role: string) => role.includes('slave');
    expect(await eventually(() => source.send('ROLE'), hasFailedOver)).toSatisfy(hasFailedOver);
  } finally {
    process.kill(target.pid, 'SIGCONT');
  }
  const reader = await source.connect();
  await reader.send('READONLY');
  const isEmpty = (keys: string) => keys === '*0\r\n';
  expect(await eventually(() => reader.send('KEYS', '*'), isEmpty)).toBe('*0\r\n');
});
