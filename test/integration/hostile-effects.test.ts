/**
 * What a module may queue for replicas and the append-only file: commands that its own linked group writes
 * by, and from commands that write.
 */
import { afterEach, describe, expect, test } from 'vitest';
import { EFFECTS, propagating, READERS } from '../support/hostile.ts';
import { bulk } from '../support/raw.ts';
import { HASHMAP_FILE, HOST_FILE, SESSION_FILE, startServer, useServer } from '../support/server.ts';

const module = [HOST_FILE, HASHMAP_FILE, SESSION_FILE, await propagating];
const { own, ...others } = EFFECTS;

test('a module replicates what its own linked group writes by, and nothing else', async () => {
  const server = await startServer({ module, link: 'auto', arguments: ['--appendonly', 'yes', '--appendfsync', 'always'] });
  await server.send('SET', 'native', 'value');
  await server.send('CUSTOM.SET', 'key', 'value');
  for (const [name, replicated] of Object.entries(others)) {
    expect(await server.send(`HOSTILE.${name}`), name).toBe(
      `-ERR module hostile: it replicates ${replicated}, which is no command that its linked group writes by\r\n`,
    );
  }
  for (let count = 0; count < 3; count++) expect(await server.send('HOSTILE.OWN'), own).toBe('+OK\r\n');
  expect(await server.send('HOSTILE.LATE')).toBe('+OK\r\n');
  expect(await server.send('HOSTILE.COUNT')).toBe(':0\r\n');
  await server.restart();
  expect(await server.send('HOSTILE.COUNT')).toBe(':4\r\n');
  expect(await server.send('GET', 'native')).toBe(bulk('value'));
  expect(await server.send('CUSTOM.GET', 'key')).toBe(bulk('value'));
});

describe('a command that does not write', () => {
  const server = useServer({ module, link: 'auto' });
  afterEach(() => server.send('CLIENT', 'UNPAUSE'));

  test.each(Object.keys(READERS))('cannot replicate (%s), so writes can be paused', async (name) => {
    const refused = /^-ERR module hostile: redis\.\w+ is not allowed here\r\n$/;
    expect(await server.send(`HOSTILE.${name}`)).toMatch(refused);
    expect(await server.send('CLIENT', 'PAUSE', '60000', 'WRITE')).toBe('+OK\r\n');
    expect(await server.send(`HOSTILE.${name}`)).toMatch(refused);
    expect(await server.send('PING')).toBe('+PONG\r\n');
  });
});
