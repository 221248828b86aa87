/**
 * Arguments and answers of great length pass through memory of the host's own: it is no data, and goes back
 * to the system after the call.
 */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { eventually, startServer, type TestServer } from '../support/server.ts';

const MIB = 1 << 20;
const LINKS = ['auto', 'command'] as const;

/** Sends a command on a connection of its own: the server keeps a long one's buffer for the next. */
async function sendOnce(server: TestServer, ...argv: string[]): Promise<string> {
  const connection = await server.connect();
  const reply = await connection.send(...argv);
  connection.close();
  return reply;
}

/** Expects at most `most` bytes of the server to be resident, in a while: its own buffers go too. */
async function expectResident({ pid }: TestServer, most: number): Promise<void> {
  const resident = () => 1024 * Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]);
  expect(await eventually(resident, (bytes) => bytes <= most)).toBeLessThanOrEqual(most);
}

const used = async (server: TestServer) => Number((await server.info('memory')).used_memory);

test.each(LINKS)('a long argument of a read, linked by %s, makes no later write be refused over maxmemory', async (link) => {
  const server = await startServer({ link });
  const limit = (await used(server)) + 20 * MIB;
  await server.send('CONFIG', 'SET', 'maxmemory', String(limit));
  expect(await sendOnce(server, 'CUSTOM.GET', 'k'.repeat(40 * MIB))).toBe('$-1\r\n');
  await eventually(
    () => used(server),
    (bytes) => bytes < limit - 10 * MIB,
  );
  expect(await server.send('CUSTOM.SET', 'key', 'value')).toBe('+OK\r\n');
  expect(await server.send('SESSION.CREATE', 'user')).toMatch(/^\+Session created/);
  const info = await server.info('wasm_hashmap');
  expect(Number(info.wasm_memory_reserved)).toBeGreaterThan(40 * MIB);
  expect(Number(info.wasm_memory_used)).toBeLessThan(4 * MIB);
});

test.each(LINKS)('neither a long argument nor a long answer, linked by %s, stays resident', async (link) => {
  const server = await startServer({ link });
  await server.send('SESSION.CREATE', 'another');
  const most = 1024 * Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${server.pid}/status`, 'utf8'))?.[1]) + 16 * MIB;
  expect(await sendOnce(server, 'CUSTOM.SET', 'user', 'v'.repeat(60 * MIB))).toBe('+OK\r\n');
  // It reads the whole value, which is no id.
  expect(await server.send('SESSION.CREATE', 'user')).toMatch(/^\+Session created/);
  expect(await server.send('CUSTOM.DEL', 'user')).toBe(':1\r\n');
  await expectResident(server, most);
});
