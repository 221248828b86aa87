/** Filling a server with difficult data, and reading all of it back, to compare before and after. */
import { parseBulks } from './raw.ts';
import type { TestServer } from './server.ts';

const BYTES = ['', '\0', 'x\r\n+y', '\xff\xfe', 'b'.repeat(100_000), 'text'];

/** Keys, users, and sessions with data, of ordinary and difficult bytes; some of each deleted again. */
export async function fill(server: TestServer, prefix = ''): Promise<void> {
  const requests = BYTES.map((bytes, index) => server.send('CUSTOM.SET', `${prefix}key:${index}:${bytes}`, bytes));
  for (let index = 0; index < 2000; index++) requests.push(server.send('CUSTOM.SET', `${prefix}many:${index}`, `value ${index}`));
  for (let index = 0; index < 2000; index += 3) requests.push(server.send('CUSTOM.DEL', `${prefix}many:${index}`));
  await Promise.all(requests);
  for (let index = 0; index < 200; index++) {
    const reply = await server.send('SESSION.CREATE', `${prefix}user:${index}:${BYTES[index % BYTES.length]!.slice(0, 100)}`);
    const id = reply.trim().split(' ').at(-1);
    const writes = BYTES.slice(0, index % 5).map((bytes, field) => server.send('SESSION.ADD_DATA', id, `${field}${bytes}`, bytes));
    await Promise.all(writes);
    if (index % 7 === 0) await server.send('SESSION.DELETE', id);
  }
}

/**
 * Every key with its value and every session as GET shows it, sorted. Throws where either store is not sound.
 */
export async function dump(server: TestServer): Promise<string[]> {
  for (const command of ['CUSTOM.CHECK', 'SESSION.CHECK']) {
    const reply = await server.send(command);
    if (reply !== '+OK\r\n') throw new Error(`${command}: ${reply}`);
  }
  const keys = parseBulks(await server.send('CUSTOM.KEYS'));
  const lines = parseBulks(await server.send('SESSION.LIST'));
  const values = keys.map(async (key) => `${key} = ${await server.send('CUSTOM.GET', key)}`);
  const sessions = lines.map(async (line) => `${line}: ${await server.send('SESSION.GET', line.slice(4, 40))}`);
  return (await Promise.all([...values, ...sessions])).sort();
}
