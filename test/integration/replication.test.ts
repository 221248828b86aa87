/** The original did not replicate; here a replica has every byte of its primary's state, whichever way either is linked. */
import { describe, expect, test } from 'vitest';
import { bulk } from '../support/raw.ts';
import { eventually, startServer, tested, type LinkMode, type ServerOptions, type TestServer } from '../support/server.ts';
import { dump, fill } from '../support/state.ts';

async function startPair(options: ServerOptions = {}): Promise<{ primary: TestServer; replica: TestServer }> {
  const primary = await startServer({ tcp: true });
  const replica = await startServer(options);
  return { primary, replica };
}

async function follow(replica: TestServer, primary: TestServer): Promise<void> {
  await replica.send('REPLICAOF', '127.0.0.1', String(primary.port));
  const info = await eventually(
    () => replica.info('replication'),
    (fields) => fields.master_link_status === 'up' && fields.master_sync_in_progress === '0',
  );
  expect(info.master_link_status).toBe('up');
}

/** Waits until the replica has all of the primary's stream. */
async function caughtUp(primary: TestServer, replica: TestServer): Promise<void> {
  const wanted = Number((await primary.info('replication')).master_repl_offset);
  const reached = await eventually(
    async () => Number((await replica.info('replication')).slave_repl_offset),
    (offset) => offset >= wanted,
  );
  expect(reached).toBeGreaterThanOrEqual(wanted);
}

const otherLink: LinkMode = tested.link === 'auto' ? 'command' : 'auto';

describe.each([tested.link, otherLink])('a replica linked by %s', (link) => {
  test('has everything after the full synchronisation, and every write that follows', async () => {
    const { primary, replica } = await startPair({ link });
    await fill(primary, 'before ');
    await fill(replica, 'the replica has data of its own, which goes ');
    await follow(replica, primary);
    await caughtUp(primary, replica);
    expect(await dump(replica)).toEqual(await dump(primary));

    await fill(primary, 'after ');
    await caughtUp(primary, replica);
    const state = await dump(primary);
    expect(await dump(replica)).toEqual(state);
    expect(state.length).toBeGreaterThan(3000);

    await primary.send('FLUSHALL');
    await caughtUp(primary, replica);
    expect(await dump(replica)).toEqual([]);
  });
});

test('a replica applies each write once', async () => {
  const { primary, replica } = await startPair();
  await follow(replica, primary);
  const id = (await primary.send('SESSION.CREATE', 'user')).trim().split(' ').at(-1);
  await primary.send('SESSION.ADD_DATA', id, 'field', 'value');
  await primary.send('CUSTOM.SET', 'key', 'value');
  await caughtUp(primary, replica);
  expect(await replica.send('CUSTOM.GET', 'user')).toBe(bulk(id));
  expect(await replica.send('SESSION.GET', id)).toBe(await primary.send('SESSION.GET', id));
  const stats = await replica.info('commandstats');
  // The effect of CREATE, applied by a session module that is linked by command, calls CUSTOM.SET once itself.
  expect(stats['cmdstat_custom.set']?.split(',')[0]).toBe(tested.link === 'auto' ? 'calls=1' : 'calls=2');
});

test('a replica serves reads, without an effect of their own, and refuses writes', async () => {
  const { primary, replica } = await startPair();
  const id = (await primary.send('SESSION.CREATE', 'user')).trim().split(' ').at(-1);
  await primary.send('SESSION.ADD_DATA', id, 'field', 'value');
  await follow(replica, primary);
  const before = await replica.send('SESSION.GET', id);
  expect(await replica.send('SESSION.GET_DATA', id, 'field')).toBe(bulk('value'));
  expect(await replica.send('SESSION.GET', id)).toBe(before);
  for (const command of [
    ['CUSTOM.SET', 'key', 'value'],
    ['CUSTOM.DEL', 'user'],
    ['SESSION.CREATE', 'user'],
    ['SESSION.DELETE', id],
  ]) {
    expect(await replica.send(...command)).toBe("-READONLY You can't write against a read only replica.\r\n");
  }
});

test('a replica that becomes a primary goes on where the old one stopped', async () => {
  const { primary, replica } = await startPair();
  await follow(replica, primary);
  await fill(primary);
  await caughtUp(primary, replica);
  const state = await dump(primary);
  await primary.kill();
  await replica.send('REPLICAOF', 'NO', 'ONE');
  expect(await dump(replica)).toEqual(state);
  await fill(replica, 'new ');
  expect((await dump(replica)).length).toBe(2 * state.length);
});

test.each(['custom.apply', 'session.apply'])('%s answers ordinary clients as an unknown command does', async (command) => {
  const server = await startServer();
  expect(await server.send(command, '1', 'delete', 'x', 'y')).toMatch(/^-ERR unknown command/);
});
