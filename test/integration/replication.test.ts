/**
 * The original did not replicate; here a replica has every byte of its primary's state, whichever way either
 * is linked.
 */
import { describe, expect, test } from 'vitest';
import { bulk } from '../support/raw.ts';
import { caughtUp, follow, startPair } from '../support/replication.ts';
import { eventually, startServer, tested, type LinkMode, type TestServer } from '../support/server.ts';
import { dump, fill } from '../support/state.ts';

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
  // The effect of CREATE, applied by a session module that is linked by command, calls CUSTOM.SET once
  // itself.
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
  const unknown = command.replace('apply', 'apples').slice(0, command.length);
  const effect = ['1', 'set', '01234567-89ab-4def-8123-456789abcdef', 'value', '0', 'x'.repeat(200), 'y'];
  for (let count = 0; count <= effect.length; count++) {
    const reply = await server.send(unknown, ...effect.slice(0, count));
    expect(reply).toMatch(/^-ERR unknown command/);
    expect(await server.send(command, ...effect.slice(0, count))).toBe(reply.replace(unknown, command));
  }
});

describe('accesses', () => {
  const USERS = 60;
  const changes = async (server: TestServer): Promise<number> => Number((await server.info('persistence')).rdb_changes_since_last_save);

  /** Sessions of USERS users, whose creation lies in an earlier second of the clock. */
  async function createAll(server: TestServer): Promise<string[]> {
    const ids: string[] = [];
    for (let user = 0; user < USERS; user++) {
      ids.push((await server.send('SESSION.CREATE', `user ${user}`)).trim().slice(-36));
    }
    await new Promise((resolve) => setTimeout(resolve, 1100));
    return ids;
  }

  async function readAll(server: TestServer, ids: string[]): Promise<void> {
    for (const id of ids) expect(await server.send('SESSION.GET_DATA', id, 'none')).toBe('$-1\r\n');
  }

  async function accessed(server: TestServer, ids: string[]): Promise<string[]> {
    const replies = await Promise.all(ids.map((id) => server.send('SESSION.GET', id)));
    return replies.map((reply) => /"last_accessed":"([^"]+)"/.exec(reply)?.[1] ?? '');
  }

  test('leave no effect each where nobody listens, but keep the count of changes going', async () => {
    const server = await startServer();
    const ids = await createAll(server);
    const before = await accessed(server, ids);
    const changesBefore = await changes(server);
    const began = Date.now();
    await readAll(server, ids);
    const left = (await changes(server)) - changesBefore;
    expect(left).toBeGreaterThanOrEqual(1);
    expect(left).toBeLessThanOrEqual(2 + Math.floor((Date.now() - began) / 1000));
    const after = await accessed(server, ids);
    expect(after.filter((time, index) => time > (before[index] ?? ''))).toEqual(after);
  });

  test('reach a replica from its first moment on, also after a time in which nobody listened', async () => {
    const { primary, replica } = await startPair();
    const ids = await createAll(primary);
    await readAll(primary, ids);
    await follow(replica, primary);
    await new Promise((resolve) => setTimeout(resolve, 1100));
    await readAll(primary, ids);
    await caughtUp(primary, replica);
    const times = await accessed(primary, ids);
    expect(await accessed(replica, ids)).toEqual(times);
    // Again, now that the server was asked while the replica was there.
    await new Promise((resolve) => setTimeout(resolve, 1100));
    await readAll(primary, ids);
    await caughtUp(primary, replica);
    expect(await accessed(replica, ids)).toEqual(await accessed(primary, ids));
    expect(await accessed(replica, ids)).not.toEqual(times);
  });

  test('reach the append-only file, also one that is switched on later', async () => {
    const server = await startServer();
    const ids = await createAll(server);
    await readAll(server, ids);
    expect(await server.send('CONFIG', 'SET', 'appendonly', 'yes')).toBe('+OK\r\n');
    await eventually(
      () => server.info('persistence'),
      (info) => info.aof_rewrite_in_progress === '0' && info.aof_rewrite_scheduled === '0' && info.aof_enabled === '1',
    );
    await new Promise((resolve) => setTimeout(resolve, 1100));
    await readAll(server, ids);
    const times = await accessed(server, ids);
    await server.send('CONFIG', 'SET', 'appendfsync', 'always');
    await server.send('CUSTOM.SET', 'last', 'write');
    await server.kill();
    server.change({ arguments: ['--appendonly', 'yes'] });
    await server.start();
    expect(await accessed(server, ids)).toEqual(times);
  });
});
