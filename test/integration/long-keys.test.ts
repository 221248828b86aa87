/**
 * Users with long keys and many sessions: a key that each session would repeat makes neither a save nor a
 * reply fail.
 */
import { statSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { caughtUp, follow } from '../support/replication.ts';
import { eventually, startServer, type TestServer } from '../support/server.ts';

const PLAIN = ['--rdbcompression', 'no'];
const MB = 1_000_000;

/** Has a user of a long key sign in so often. */
async function signIn(server: TestServer, user: string, times: number): Promise<void> {
  const replies = await Promise.all(Array.from({ length: times }, () => server.send('SESSION.CREATE', user, 'NEW')));
  for (const reply of replies) expect(reply).toMatch(/^\+Session created: /);
}

/** The elements of an array reply, which may be of many megabytes. */
async function elements(server: TestServer, ...argv: string[]): Promise<string[]> {
  const client = await server.client();
  const reply: string[] = await client.sendCommand(argv);
  client.destroy();
  return reply;
}

const size = (server: TestServer): number => statSync(path.join(server.folder, 'dump.rdb')).size;
const faults = async (server: TestServer): Promise<unknown[]> => {
  const info = [await server.info('wasm_hashmap'), await server.info('wasm_session')];
  return info.flatMap(({ wasm_traps, wasm_timeouts }) => [wasm_traps, wasm_timeouts]);
};

describe.each([
  { bytes: MB, sessions: 90, most: 1.1 * MB },
  { bytes: 4096, sessions: 2000, most: 0.25 * MB },
])('a user of $bytes bytes with $sessions sessions', ({ bytes, sessions, most }) => {
  const user = `${'u'.repeat(bytes - 1)}.`;

  test('is saved, with the key in the file once, by a child and by the server, and loaded', async () => {
    const server = await startServer({ arguments: PLAIN });
    await signIn(server, user, sessions);
    await signIn(server, 'another', 2);
    expect(await server.send('SAVE')).toBe('+OK\r\n');
    expect(size(server)).toBeGreaterThan(bytes);
    // The storage has the key too, as its mapping.
    expect(size(server)).toBeLessThan(bytes + most);
    expect(await server.send('BGSAVE')).toBe('+Background saving started\r\n');
    const info = await eventually(
      () => server.info('persistence'),
      (fields) => fields.rdb_bgsave_in_progress === '0',
    );
    expect(info.rdb_last_bgsave_status).toBe('ok');
    const ids = await server.send('SESSION.USER', user);
    expect(await server.send('DEBUG', 'RELOAD')).toBe('+OK\r\n');
    expect(await server.send('SESSION.USER', user)).toBe(ids);
    expect(await server.send('SESSION.COUNT', 'another')).toBe(':2\r\n');
    expect(await server.send('SESSION.CHECK')).toBe('+OK\r\n');
    expect(await faults(server)).toEqual(['0', '0', '0', '0']);
  });

  test('reaches a new replica', async () => {
    const primary = await startServer({ tcp: true, arguments: PLAIN });
    await signIn(primary, user, sessions);
    const replica = await startServer();
    await follow(replica, primary);
    await caughtUp(primary, replica);
    expect(await replica.send('SESSION.USER', user)).toBe(await primary.send('SESSION.USER', user));
  });

  test('is listed whole', async () => {
    const server = await startServer();
    await signIn(server, user, sessions);
    const lines = await elements(server, 'SESSION.LIST');
    expect(lines).toHaveLength(sessions);
    for (const line of lines) expect(line.includes(`, Key: ${user}, Created: `)).toBe(true);
    expect(await faults(server)).toEqual(['0', '0', '0', '0']);
  });
});

test('one long value may be asked for many times in one command', async () => {
  const server = await startServer();
  const value = 'v'.repeat(MB);
  const keys = Array.from({ length: 100 }, () => 'key');
  await server.send('CUSTOM.SET', 'key', value);
  const values = await elements(server, 'CUSTOM.MGET', ...keys);
  expect(values).toHaveLength(keys.length);
  for (const each of values) expect(each === value).toBe(true);
  expect(await faults(server)).toEqual(['0', '0', '0', '0']);
});
