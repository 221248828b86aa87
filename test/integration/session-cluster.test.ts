/** Sessions in a cluster, through the client that applications use: an id lies where its user lies. */
import { createCluster } from 'redis';
import { expect, onTestFinished, test } from 'vitest';
import { startCluster } from '../support/cluster.ts';
import { parseReply } from '../support/reply.ts';
import { slotOf } from '../support/slots.ts';

test('a cluster client creates, reads, rotates and deletes sessions on all nodes', { timeout: 90_000 }, async () => {
  const { nodes } = await startCluster();
  const client = createCluster({ rootNodes: [{ url: `redis://127.0.0.1:${nodes[0]!.port}` }] });
  client.on('error', () => undefined);
  await client.connect();
  onTestFinished(() => {
    client.destroy();
  });
  /** As clients do: the first key tells the node, an answer MOVED is followed. */
  const send = async (name: string, key: string, ...args: string[]): Promise<unknown> =>
    client.sendCommand(key, false, [name, key, ...args]);
  const users = Array.from({ length: 300 }, (_, index) => (index % 3 === 0 ? `{tag ${index}}:user` : `user:${index}`));
  const ids = new Map<string, string>();
  for (const user of users) {
    const id = String(await send('SESSION.CREATE', user, 'NEW', 'IDLE', '600', 'DATA', 'f', user)).slice('Session created: '.length);
    expect(slotOf(id)).toBe(slotOf(user));
    ids.set(user, id);
  }
  const counts = await Promise.all(nodes.map(async (node) => parseReply(await node.send('SESSION.COUNT')) as number));
  expect(counts.reduce((sum, count) => sum + count, 0)).toBe(300);
  for (const count of counts) expect(count).toBeGreaterThan(50);

  for (const [user, id] of ids) {
    expect(await send('CUSTOM.GET', user)).toBe(id);
    expect(await send('SESSION.GET_DATA', id, 'f')).toBe(user);
    expect(await send('SESSION.INCR_DATA', id, 'n', '3')).toBe(3);
    const next = String(await send('SESSION.ROTATE', id, 'GRACE', '60000'));
    expect(slotOf(next)).toBe(slotOf(user));
    expect(await send('SESSION.GETALL', id)).toEqual({ f: user, n: '3' });
    expect(await send('SESSION.USER', user)).toEqual([next]);
    expect(await send('SESSION.CREATE', user)).toBe(`Session exists: ${next}`);
  }
  for (const [index, [user, id]] of [...ids].entries()) {
    if (index % 2 === 0) expect(await send('SESSION.DELETE', id)).toBe(1);
    else expect(await send('SESSION.DELUSER', user)).toBe(1);
    expect(await send('CUSTOM.GET', user)).toBe(null);
  }
  for (const node of nodes) {
    expect(await node.send('SESSION.COUNT')).toBe(':0\r\n');
    for (const command of ['SESSION.CHECK', 'CUSTOM.CHECK']) expect(await node.send(command)).toBe('+OK\r\n');
    expect((await node.info('wasm')).wasm_traps).toBe('0');
  }

  // What would lie in two slots is refused by the server, a mapping to an id of another slot is stale.
  const id = String(await send('SESSION.CREATE', 'user:1')).slice('Session created: '.length);
  await expect(send('SESSION.ASSIGN', id, 'user:2')).rejects.toThrow(/CROSSSLOT/);
  expect(await send('SESSION.ASSIGN', id, '{user:1}:renamed')).toBe(1);
  expect(await send('SESSION.CREATE', 'user:1', 'NEW', 'ID', '{user:1}:an-id-of-the-caller')).toBe(
    'Session created: {user:1}:an-id-of-the-caller',
  );
  await expect(send('SESSION.CREATE', 'user:1', 'NEW', 'ID', 'an-id-of-the-caller')).rejects.toThrow(/CROSSSLOT/);
  await expect(send('SESSION.DELUSER', 'user:1', 'EXCEPT', 'an-id-of-the-caller')).rejects.toThrow(/CROSSSLOT/);
  // A field of that name is none of it.
  expect(await send('SESSION.CREATE', 'user:1', 'NEW', 'DATA', 'id', 'an-id-of-the-caller')).toMatch(/^Session created: /);
  await send('CUSTOM.SET', 'user:2', id);
  const made = String(await send('SESSION.CREATE', 'user:2'));
  expect(made).toMatch(/^Session created: /);
  expect(slotOf(made.slice('Session created: '.length))).toBe(slotOf('user:2'));
});
