/** The original neither counted its memory nor refused anything over maxmemory. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { eventually, startServer, useServer, type TestServer } from '../support/server.ts';

const OOM = "-OOM command not allowed when used memory > 'maxmemory'.\r\n";
const MIB = 1 << 20;

const server = useServer();

/** Sets maxmemory to what the server uses now and `more` bytes. */
async function limit(more: number): Promise<void> {
  const used = Number((await server.info('memory')).used_memory);
  await server.send('CONFIG', 'SET', 'maxmemory', String(used + more));
}

/** Writes until the server refuses, and answers how many writes it took. */
async function writeUntilRefused(write: (index: number) => Promise<string>, most: number): Promise<number> {
  for (let index = 0; index < most; index++) {
    const reply = await write(index);
    if (reply === '+OK\r\n' || reply.startsWith('+Session')) continue;
    expect(reply).toBe(OOM);
    return index;
  }
  throw new Error(`${most} writes were accepted`);
}

test.each([
  ['CUSTOM.SET', 'key', 'value'],
  ['SESSION.CREATE', 'user'],
])('%s is refused over maxmemory and stores nothing', async (...command) => {
  await server.send('CONFIG', 'SET', 'maxmemory', '1');
  expect(await server.send(...command)).toBe(OOM);
  await server.send('CONFIG', 'SET', 'maxmemory', '0');
  expect(await server.send('CUSTOM.KEYS')).toBe('*0\r\n');
  expect(await server.send('SESSION.LIST')).toBe('*0\r\n');
});

test('ADD_DATA is refused over maxmemory, and the session stays as it was', async () => {
  const id = (await server.send('SESSION.CREATE', 'user')).trim().split(' ').at(-1);
  const before = await server.send('SESSION.GET', id);
  await server.send('CONFIG', 'SET', 'maxmemory', '1');
  expect(await server.send('SESSION.ADD_DATA', id, 'field', 'value')).toBe(OOM);
  await server.send('CONFIG', 'SET', 'maxmemory', '0');
  expect(await server.send('SESSION.GET', id)).toBe(before);
});

test('values count against maxmemory, and deletes make room', async () => {
  await limit(40 * MIB);
  const value = 'v'.repeat(MIB);
  const accepted = await writeUntilRefused((index) => server.send('CUSTOM.SET', `key:${index}`, value), 100);
  expect(accepted).toBeGreaterThan(20);
  expect(accepted).toBeLessThanOrEqual(41);
  expect(await server.send('CUSTOM.GET', 'key:0')).toMatch(/^\$1048576/);

  for (let index = 0; index < 10; index++) expect(await server.send('CUSTOM.DEL', `key:${index}`)).toBe(':1\r\n');
  expect(await server.send('CUSTOM.SET', 'key:0', value)).toBe('+OK\r\n');
  await server.send('CONFIG', 'SET', 'maxmemory', '0');
});

test('sessions count against maxmemory, and deletes make room', async () => {
  await limit(40 * MIB);
  const ids: string[] = [];
  const value = 'v'.repeat(MIB);
  const write = async (index: number): Promise<string> => {
    const reply = await server.send('SESSION.CREATE', `user:${index}`);
    if (!reply.startsWith('+')) return reply;
    ids.push(reply.trim().split(' ').at(-1));
    return server.send('SESSION.ADD_DATA', ids.at(-1), 'field', value);
  };
  const accepted = await writeUntilRefused(write, 100);
  expect(accepted).toBeGreaterThan(20);
  for (const id of ids.slice(0, 10)) expect(await server.send('SESSION.DELETE', id)).toBe(':1\r\n');
  expect(await server.send('SESSION.CREATE', 'another')).toMatch(/^\+Session created: /);
  await server.send('CONFIG', 'SET', 'maxmemory', '0');
});

test('reads and deletes work over maxmemory', async () => {
  const id = (await server.send('SESSION.CREATE', 'user')).trim().split(' ').at(-1);
  await server.send('SESSION.ADD_DATA', id, 'field', 'value');
  await server.send('CUSTOM.SET', 'key', 'value');
  await server.send('CONFIG', 'SET', 'maxmemory', '1');
  expect(await server.send('CUSTOM.GET', 'key')).toBe('$5\r\nvalue\r\n');
  expect(await server.send('SESSION.GET_DATA', id, 'field')).toBe('$5\r\nvalue\r\n');
  expect(await server.send('CUSTOM.DEL', 'key')).toBe(':1\r\n');
  expect(await server.send('SESSION.DELETE', id)).toBe(':1\r\n');
  expect(await server.send('CUSTOM.GET', 'user')).toBe('$-1\r\n');
  await server.send('CONFIG', 'SET', 'maxmemory', '0');
});

/** Bytes of a server that are resident. */
function resident({ pid }: TestServer): number {
  return 1024 * Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]);
}

test.each([
  ['deleted', (one: TestServer, keys: string[]) => Promise.all(keys.map((key) => one.send('CUSTOM.DEL', key)))],
  ['dropped', (one: TestServer) => one.send('FLUSHALL')],
  ['expired', (one: TestServer, keys: string[]) => Promise.all(keys.map((key) => one.send('CUSTOM.PEXPIRE', key, '1')))],
])('what is %s goes back to the system, and no command needs to come', async (_, remove) => {
  const one = await startServer();
  const before = resident(one);
  const keys = Array.from({ length: 1000 }, (_, index) => `key:${index}`);
  for (const key of keys) await one.send('CUSTOM.SET', key, 'v'.repeat(64 << 10));
  expect(resident(one) - before).toBeGreaterThan(56 * MIB);
  await remove(one, keys);
  const kept = await eventually(
    () => resident(one),
    (bytes) => bytes < before + 12 * MIB,
  );
  expect(kept - before).toBeLessThan(12 * MIB);
  expect(await one.send('CUSTOM.CHECK')).toBe('+OK\r\n');
});
