/**
 * Nodes of a cluster: the server routes by the keys that commands declare, and data beside the keyspace stays
 * where it is.
 */
import { createCluster } from 'redis';
import { expect, onTestFinished, test } from 'vitest';
import { startCluster } from '../support/cluster.ts';
import { fixture } from '../support/modules.ts';
import { bulk, bulks } from '../support/raw.ts';
import { HASHMAP_FILE, HOST_FILE, SESSION_FILE } from '../support/server.ts';

const visits = await fixture('visits');

test('commands are routed by their keys, and a client follows', async () => {
  const cluster = await startCluster();
  const [one, other] = cluster.nodes as [(typeof cluster.nodes)[0], (typeof cluster.nodes)[0]];
  const key = await cluster.keyOf(other, 'key');
  const moved = `-MOVED ${await cluster.slotOf(key)} 127.0.0.1:${other.port}\r\n`;
  for (const command of [
    ['CUSTOM.SET', key, 'v'],
    ['CUSTOM.GET', key],
    ['CUSTOM.EXISTS', key],
    ['SESSION.CREATE', key],
    ['SESSION.GET', key],
  ]) {
    expect(await one.send(...command), command.join(' ')).toBe(moved);
  }
  expect(await other.send('CUSTOM.SET', key, 'v')).toBe('+OK\r\n');
  expect(await one.send('CUSTOM.KEYS')).toBe('*0\r\n');

  const client = createCluster({ rootNodes: [{ url: `redis://127.0.0.1:${one.port}` }] });
  client.on('error', () => undefined);
  await client.connect();
  onTestFinished(() => {
    client.destroy();
  });
  for (let index = 0; index < 100; index++) {
    const each = `many:${index}`;
    expect(await client.sendCommand(each, false, ['CUSTOM.SET', each, `value ${index}`])).toBe('OK');
    expect(await client.sendCommand(each, true, ['CUSTOM.GET', each])).toBe(`value ${index}`);
  }
  const counts = await Promise.all(cluster.nodes.map(async (node) => Number((await node.info('wasm_hashmap')).wasm_entries)));
  expect(counts.reduce((sum, count) => sum + count)).toBe(101);
  expect(Math.min(...counts)).toBeGreaterThan(0);
});

test('a command that needs a key of another node, by command, fails and has changed nothing', async () => {
  const cluster = await startCluster({ module: [HOST_FILE, HASHMAP_FILE, SESSION_FILE, visits], link: 'command' });
  const [one, other] = cluster.nodes as [(typeof cluster.nodes)[0], (typeof cluster.nodes)[0]];
  const user = await cluster.keyOf(one, 'user');
  const foreign = await cluster.keyOf(other, 'note');
  expect(await one.send('VISIT.BEGIN', user, foreign)).toContain('-ERR CUSTOM.SET: its key belongs to another node of the cluster\r\n');
  expect(await other.send('CUSTOM.GET', foreign)).toBe('$-1\r\n');
  const own = await cluster.keyOf(one, 'note');
  expect(await one.send('VISIT.BEGIN', user, own)).toContain(bulk(user));
});

test('a slot that is given away without being opened leaves its data behind', async () => {
  const { nodes, keyOf, slotOf } = await startCluster();
  const [one, other] = nodes as [(typeof nodes)[0], (typeof nodes)[0]];
  const key = await keyOf(one, 'key');
  await one.send('CUSTOM.SET', key, 'value');
  const id = (await other.send('CLUSTER', 'MYID')).split('\r\n')[1]!;
  for (const node of [other, one]) {
    expect(await node.send('CLUSTER', 'SETSLOT', String(await slotOf(key)), 'NODE', id)).toBe('+OK\r\n');
  }
  expect(await one.send('CUSTOM.GET', key)).toMatch(/^-MOVED /);
  expect(await other.send('CUSTOM.GET', key)).toBe('$-1\r\n');
  expect(await one.send('CUSTOM.KEYS')).toBe(bulks(key));
});
