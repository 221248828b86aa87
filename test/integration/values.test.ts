/**
 * Values that the storage keeps in fewer bytes than their text has: the same text and the same bytes of
 * memory after a file, on a replica, from the append-only file; and users' mappings, which are such values.
 */
import { expect, test } from 'vitest';
import { bulk } from '../support/raw.ts';
import { caughtUp, follow, startPair } from '../support/replication.ts';
import { startServer, useServer, type TestServer } from '../support/server.ts';
import { VALUES } from '../support/values.ts';

const server = useServer();
const MINUTES = ['EX', '1000'];

/** Stores each value, one half of them with a deadline, some piece by piece. */
async function fill(target: TestServer): Promise<void> {
  for (const [at, [value]] of VALUES.entries()) {
    await target.send('CUSTOM.SET', `key${at}`, value, ...(at % 2 ? MINUTES : []));
    await target.send('CUSTOM.SET', `piece${at}`, value.slice(0, 5));
    await target.send('CUSTOM.APPEND', `piece${at}`, value.slice(5));
  }
  await target.send('CUSTOM.SET', 'sum', '127');
  await target.send('CUSTOM.INCRBY', 'sum', '1');
  await target.send('CUSTOM.MSET', ...VALUES.flatMap(([value], at) => [`many${at}`, value]));
}

const NAMES = VALUES.flatMap((_, at) => [`key${at}`, `piece${at}`, `many${at}`]);
const values = async (target: TestServer) => [await target.send('CUSTOM.MGET', ...NAMES), await target.send('CUSTOM.GET', 'sum')];
const filled = [`*${NAMES.length}\r\n${VALUES.map(([value]) => bulk(value).repeat(3)).join('')}`, bulk('128')];
async function memory(target: TestServer): Promise<string[]> {
  const replies: string[] = [];
  for (const name of NAMES) replies.push(await target.send('CUSTOM.MEMORY', name));
  return replies;
}

async function expectSame(target: TestServer, wanted: string[]): Promise<void> {
  expect(await values(target)).toEqual(filled);
  expect(await memory(target)).toEqual(wanted);
  expect(await target.send('CUSTOM.CHECK')).toBe('+OK\r\n');
}

test('are the same after a file', async () => {
  await fill(server);
  const before = await memory(server);
  await expectSame(server, before);
  expect(await server.send('DEBUG', 'RELOAD')).toBe('+OK\r\n');
  await expectSame(server, before);
});

test('are the same on a replica, from the file that it gets and from the stream', async () => {
  const { primary, replica } = await startPair();
  await fill(primary);
  const wanted = await memory(primary);
  await follow(replica, primary);
  await expectSame(replica, wanted);
  await primary.send('CUSTOM.CLEAR');
  await fill(primary);
  await caughtUp(primary, replica);
  await expectSame(replica, wanted);
});

test('are the same from the append-only file', async () => {
  const own = await startServer({ arguments: ['--appendonly', 'yes'] });
  await fill(own);
  const before = await memory(own);
  expect(await own.send('DEBUG', 'LOADAOF')).toBe('+OK\r\n');
  await expectSame(own, before);
});

test('a user’s mapping is one, and answers the id', async () => {
  const id = (await server.send('SESSION.CREATE', 'user')).trim().slice(-36);
  expect(await server.send('CUSTOM.GET', 'user')).toBe(bulk(id));
  await server.send('CUSTOM.SET', 'user of letters', 'x'.repeat(16));
  await server.send('CUSTOM.SET', 'user', id);
  const [mapping, letters] = [await server.send('CUSTOM.MEMORY', 'user'), await server.send('CUSTOM.MEMORY', 'user of letters')];
  expect(Number(letters.slice(1)) - Number(mapping.slice(1))).toBe('user of letters'.length - 'user'.length);
  expect(await server.send('SESSION.CREATE', 'user')).toBe(`+Session exists: ${id}\r\n`);
  // What only resembles an id is no mapping.
  await server.send('CUSTOM.SET', 'user', id.toUpperCase().replace(/[0-9]/, 'F'));
  expect(await server.send('SESSION.CREATE', 'user')).toMatch(/^\+Session created: /);
});
