/**
 * What kit modules ask of the host beside what raw ones do: who runs a command, messages, settings that are
 * words of one text.
 */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { bulk } from '../support/raw.ts';
import { NOTES_FILE, WITH_NOTES } from '../support/notes.ts';
import { caughtUp, follow } from '../support/replication.ts';
import { HOST_FILE, startServer, useServer, type TestServer } from '../support/server.ts';

const who = (user: string, database: number, burst: number) => `*3\r\n${bulk(user)}:${database}\r\n:${burst}\r\n`;

describe('the running command is told', () => {
  const server = useServer({ module: WITH_NOTES });

  test('its user and its database', async () => {
    expect(await server.send('NOTES.WHO')).toBe(who('default', 0, 10));
    await server.send('ACL', 'SETUSER', 'alice', 'on', 'nopass', '~*', '+@all');
    const connection = await server.connect();
    expect(await connection.send('AUTH', 'alice', '-')).toBe('+OK\r\n');
    expect(await connection.send('SELECT', '3')).toBe('+OK\r\n');
    expect(await connection.send('NOTES.WHO')).toBe(who('alice', 3, 10));
  });

  test('the user behind a script and a transaction', async () => {
    await server.send('ACL', 'SETUSER', 'bob', 'on', 'nopass', '~*', '+@all');
    const connection = await server.connect();
    await connection.send('AUTH', 'bob', '-');
    expect(await connection.send('EVAL', "return redis.call('NOTES.WHO')", '0')).toBe(who('bob', 0, 10));
    await connection.send('MULTI');
    await connection.send('NOTES.WHO');
    expect(await connection.send('EXEC')).toBe(`*1\r\n${who('bob', 0, 10)}`);
  });
});

describe('wasm.settings', () => {
  const set = (server: TestServer, text: string) => server.send('CONFIG', 'SET', 'wasm.settings', text);

  test('is checked by what modules have declared, and kept', async () => {
    const server = await startServer({ module: WITH_NOTES, configuration: 'wasm.settings "other.x=5 notes.burst=7"\n' });
    expect(await server.send('NOTES.WHO')).toBe(who('default', 0, 7));
    expect(await set(server, 'notes.burst=12')).toBe('+OK\r\n');
    expect(await server.send('NOTES.WHO')).toBe(who('default', 0, 12));
    for (const [text, error] of [
      ['notes.burst=101', 'notes.burst takes 1 to 100, not 101'],
      ['other.x=1 notes.burst', 'notes.burst is no module.setting=number'],
      ['notes.burst=1 notes.burst=2', 'notes.burst stands there twice'],
    ] as const) {
      const reply = await set(server, text);
      expect(reply).toMatch(/^-ERR/);
      expect(reply).toContain(error);
    }
    expect(await server.send('CONFIG', 'GET', 'wasm.settings')).toBe(`*2\r\n${bulk('wasm.settings')}${bulk('notes.burst=12')}`);
    expect(await set(server, 'other.x=5 notes.burst=9')).toBe('+OK\r\n');
    expect(await server.send('CONFIG', 'REWRITE')).toBe('+OK\r\n');
    const configuration = readFileSync(path.join(server.folder, 'redis.conf'), 'utf8');
    server.change({ configuration: configuration.replace(/^loadmodule .*$/gm, '') });
    await server.restart();
    expect(await server.send('NOTES.WHO')).toBe(who('default', 0, 9));
    expect(await set(server, '')).toBe('+OK\r\n');
    expect(await server.send('NOTES.WHO')).toBe(who('default', 0, 10));
  });

  test('a start with a value outside of its range is refused, and named', async () => {
    const start = startServer({ module: WITH_NOTES, arguments: ['--wasm.settings', 'notes.burst=0'] });
    await expect(start).rejects.toThrow(/notes\.burst takes 1 to 100, not 0/);
  });

  test('a load that fails leaves nothing declared', async () => {
    const server = await startServer({ module: false });
    for (let time = 0; time < 2; time++) expect(await server.send('MODULE', 'LOAD', HOST_FILE, NOTES_FILE, '/no.wasm')).toMatch(/^-ERR/);
    expect(await server.send('MODULE', 'LOAD', HOST_FILE, NOTES_FILE)).toBe('+OK\r\n');
    expect(await set(server, 'notes.burst=3')).toBe('+OK\r\n');
    expect(await server.send('NOTES.WHO')).toBe(who('default', 0, 3));
  });
});

describe('a message', () => {
  test('reaches the subscribers of this server and of its replicas once', async () => {
    const module = WITH_NOTES;
    const primary = await startServer({ module, tcp: true, arguments: ['--appendonly', 'yes', '--appendfsync', 'always'] });
    const replica = await startServer({ module });
    await follow(replica, primary);
    const heard: string[][] = [];
    for (const [number, server] of [primary, replica].entries()) {
      const client = await server.client();
      heard.push([]);
      await client.subscribe('news', (text) => heard[number]!.push(text));
    }
    for (const text of ['one', 'two']) expect(await primary.send('NOTES.PUBLISH', 'news', text)).toBe('+OK\r\n');
    await primary.send('PUBLISH', 'news', 'end');
    await caughtUp(primary, replica);
    await expect.poll(() => heard.map((texts) => texts.at(-1)), { timeout: 10_000 }).toEqual(['end', 'end']);
    expect(heard).toEqual([
      ['one', 'two', 'end'],
      ['one', 'two', 'end'],
    ]);
    await primary.restart();
    expect(await primary.send('PING')).toBe('+PONG\r\n');
  });
});

test('INFO shows a double by the shortest text that reads back', async () => {
  const server = await startServer({ module: WITH_NOTES });
  for (const key of ['a', 'b', 'c']) await server.send('NOTES.PUT', key, 'text');
  expect(await server.info('wasm')).toMatchObject({ wasm_notes_notes: '3', wasm_notes_share: '0.005859375' });
});
