/**
 * Whatever way a replica's state came by, it is in the replica's own append-only file too, and in those of
 * its own replicas.
 */
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { parseBulk } from '../support/raw.ts';
import { caughtUp, follow, linked } from '../support/replication.ts';
import { eventually, startServer, tested, type LinkMode, type TestServer } from '../support/server.ts';
import { dump } from '../support/state.ts';
import { createWith } from './suites/session-options.ts';

const APPEND_ONLY = ['--appendonly', 'yes', '--appendfsync', 'always'];
const otherLink: LinkMode = tested.link === 'auto' ? 'command' : 'auto';

/** Entries and sessions by every kind of effect: of commands one by one, in MULTI, in EVAL. */
async function write(server: TestServer, name: string): Promise<void> {
  for (let index = 0; index < 10; index++) {
    await server.send('CUSTOM.SET', `${name} plain ${index}`, 'value');
    await server.send('CUSTOM.SET', `${name} until ${index}`, 'value', 'EX', '5000');
    await server.send('CUSTOM.APPEND', `${name} until ${index}`, ' and more');
    const id = await createWith(server, `${name} user ${index % 3}`, 'NEW', 'DATA', 'a', '1', 'b', '2');
    await server.send('SESSION.ADD_DATA', id, 'c', 'x'.repeat(index * 300));
    await server.send('SESSION.DEL_DATA', id, 'a');
    if (index % 3 === 0) await server.send('SESSION.ASSIGN', id, `${name} heir`);
    const next = index % 2 === 0 ? id : parseBulk(await server.send('SESSION.ROTATE', id, 'GRACE', '500000'));
    if (index % 5 === 4) await server.send('SESSION.DELETE', next);
  }
  await server.send('CUSTOM.PERSIST', `${name} until 1`);
  await server.send('MULTI');
  await server.send('SESSION.CREATE', `${name} in MULTI`);
  await server.send('CUSTOM.SET', `${name} in MULTI`, 'value', 'EX', '5000');
  expect(await server.send('EXEC')).toContain('Session created');
  const script = `redis.call('SESSION.CREATE', ARGV[1]) redis.call('CUSTOM.SET', ARGV[1], 'value', 'EX', '5000')`;
  expect(await server.send('EVAL', script, '0', `${name} in EVAL`)).not.toMatch(/^-/);
}

/** Waits until the server's append-only file is whole: a full synchronisation begins it anew. */
async function fileWhole(server: TestServer): Promise<void> {
  const done = await eventually(
    () => server.info('persistence'),
    (fields) => fields.aof_rewrite_in_progress === '0' && fields.aof_rewrite_scheduled === '0',
  );
  expect([done.aof_enabled, done.aof_rewrite_in_progress, done.aof_last_bgrewrite_status]).toEqual(['1', '0', 'ok']);
}

/** Ends the server as a crash does and starts it from its own file alone, as a primary. */
async function startFromFile(server: TestServer): Promise<void> {
  await fileWhole(server);
  await server.kill();
  await server.start();
  expect((await server.info('replication')).role).toBe('master');
}

async function offset(server: TestServer): Promise<string | undefined> {
  const { role, master_repl_offset, slave_repl_offset } = await server.info('replication');
  return role === 'master' ? master_repl_offset : slave_repl_offset;
}

/** How many effects the file holds beside its base. */
function effectsInFile(server: TestServer): number {
  const folder = path.join(server.folder, 'appendonlydir');
  const files = readdirSync(folder).filter((file) => file.endsWith('.incr.aof'));
  return files.reduce(
    (sum, file) => sum + readFileSync(path.join(folder, file), 'latin1').split(/(?:custom|session)\.apply\r\n/).length - 1,
    0,
  );
}

test.each([
  [tested.link, 'disabled'],
  [otherLink, 'swapdb'],
] as const)('what a primary sends along a chain, linked by %s, loading with %s', async (link, load) => {
  const options = [...APPEND_ONLY, '--repl-diskless-load', load];
  const primary = await startServer({ tcp: true, arguments: APPEND_ONLY });
  const middle = await startServer({ tcp: true, link, arguments: options });
  const last = await startServer({ link, arguments: options });
  const servers = [primary, middle, last];
  await write(middle, 'its own data, which goes');
  await write(primary, 'before');
  await follow(middle, primary);
  await follow(last, middle);
  for (const server of servers) await fileWhole(server);
  const before = servers.map(effectsInFile);
  await write(primary, 'after');
  for (const replica of [middle, last]) await caughtUp(primary, replica);
  const state = await dump(primary);
  expect(state.length).toBeGreaterThan(60);
  const written = servers.map((server, index) => effectsInFile(server) - before[index]!);
  expect(written[0]).toBeGreaterThan(60);
  // Each effect once, though it came along a chain and may have run a command of the storage by itself.
  expect(written).toEqual(written.map(() => written[0]));
  expect(await Promise.all(servers.map(offset))).toEqual(Array(3).fill(await offset(primary)));
  for (const replica of [middle, last]) expect(await dump(replica)).toEqual(state);
  await primary.kill();
  for (const replica of [middle, last]) {
    await startFromFile(replica);
    expect(await dump(replica)).toEqual(state);
  }
});

test('what expires on the primary, and what a promoted replica does then, passes on to its own replica', async () => {
  const primary = await startServer({ tcp: true });
  const middle = await startServer({ tcp: true, arguments: APPEND_ONLY });
  const last = await startServer({ arguments: APPEND_ONLY });
  await follow(middle, primary);
  await follow(last, middle);
  await primary.send('CUSTOM.SET', 'short', 'value', 'PX', '50');
  await createWith(primary, 'short-lived', 'TTL', '1');
  const old = await createWith(primary, 'rotated');
  await primary.send('SESSION.ROTATE', old, 'GRACE', '50');
  await primary.send('CUSTOM.SET', 'long', 'value', 'EX', '5000');
  const swept = await eventually(
    async () => [await primary.send('SESSION.COUNT'), await primary.send('CUSTOM.LEN')],
    ([sessions, entries]) => sessions === ':1\r\n' && entries === ':2\r\n',
  );
  expect(swept).toEqual([':1\r\n', ':2\r\n']);
  for (const replica of [middle, last]) await caughtUp(primary, replica);
  for (const replica of [middle, last]) {
    expect([await replica.send('SESSION.COUNT'), await replica.send('CUSTOM.LEN')]).toEqual(swept);
  }
  await primary.kill();
  await middle.send('REPLICAOF', 'NO', 'ONE');
  await write(middle, 'promoted');
  expect(await middle.send('DEBUG', 'RELOAD')).toBe('+OK\r\n');
  await write(middle, 'reloaded');
  await caughtUp(middle, last);
  expect(await offset(last)).toBe(await offset(middle));
  const state = await dump(middle);
  expect(await dump(last)).toEqual(state);
  for (const server of [middle, last]) {
    await startFromFile(server);
    expect(await dump(server)).toEqual(state);
  }
});

test('a replica that turns its file on later, or was loaded from an RDB file or its own file first', async () => {
  const primary = await startServer({ tcp: true });
  const replica = await startServer({ arguments: ['--replicaof', `127.0.0.1 ${primary.port}`] });
  await linked(replica);
  await write(primary, 'without a file');
  await caughtUp(primary, replica);
  await replica.send('SAVE');
  await replica.restart();
  await linked(replica);
  expect(await replica.send('CONFIG', 'SET', 'appendonly', 'yes')).toBe('+OK\r\n');
  await fileWhole(replica);
  await write(primary, 'with one');
  await caughtUp(primary, replica);
  replica.change({ arguments: [...APPEND_ONLY, '--replicaof', `127.0.0.1 ${primary.port}`] });
  await replica.restart();
  await linked(replica);
  await fileWhole(replica);
  await write(primary, 'after a restart');
  await caughtUp(primary, replica);
  const state = await dump(primary);
  expect(await dump(replica)).toEqual(state);
  replica.change({ arguments: APPEND_ONLY });
  await startFromFile(replica);
  expect(await dump(replica)).toEqual(state);
});
