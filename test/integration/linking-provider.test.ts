/**
 * No provider of CUSTOM.* at all: the session module says what is missing, stores nothing, and works once a
 * provider is there.
 */
import { describe, expect, test } from 'vitest';
import { fixture, SHIPPED } from '../support/modules.ts';
import { bulk } from '../support/raw.ts';
import { HOST_FILE, NATIVE_FILE, SESSION_FILE, startServer } from '../support/server.ts';

const ID = '01234567-89ab-4def-8123-456789abcdef';

describe('session.wasm alone', () => {
  test('answers which file is missing, and stores nothing', async () => {
    const server = await startServer({ module: [HOST_FILE, SESSION_FILE], link: 'auto' });
    const dirty = (await server.info('persistence')).rdb_changes_since_last_save;
    expect(await server.send('SESSION.CREATE', 'user')).toMatch(/^-ERR CUSTOM\.GET is not served here: load hashmap\.wasm\b.*\r\n$/);
    expect(await server.send('SESSION.LIST')).toBe('*0\r\n');
    const info = await server.info('wasm');
    expect(info.wasm_sessions).toBe('0');
    expect(info.wasm_traps).toBe('0');
    expect(info.wasm_link_CUSTOM).toBe('command');
    expect(info.wasm_link_CUSTOM_reason).toBe('no module loaded here registers CUSTOM commands');
    expect((await server.info('persistence')).rdb_changes_since_last_save).toBe(dirty);
  });

  test('answers so in a transaction and in a script too', async () => {
    const server = await startServer({ module: [HOST_FILE, SESSION_FILE], link: 'auto' });
    await server.send('MULTI');
    await server.send('SESSION.CREATE', 'user');
    expect(await server.send('EXEC')).toMatch(/^\*1\r\n-ERR CUSTOM\.GET is not served here: load hashmap\.wasm/);
    expect(await server.send('EVAL', "return redis.pcall('SESSION.CREATE', KEYS[1])", '1', 'user')).toMatch(
      /^-ERR CUSTOM\.GET is not served here: load hashmap\.wasm/,
    );
    expect(await server.send('SESSION.LIST')).toBe('*0\r\n');
  });

  test('serves what needs no storage', async () => {
    const server = await startServer({ module: [HOST_FILE, SESSION_FILE], link: 'auto' });
    expect(await server.send('SESSION.GET', ID)).toBe('$-1\r\n');
    expect(await server.send('SESSION.DELETE', ID)).toBe(':0\r\n');
    expect(await server.send('SESSION.ADD_DATA', ID, 'field', 'value')).toBe(`-Session not found: ${ID}\r\n`);
  });

  test('works once another module serves the storage, and stops cleanly when that is gone', async () => {
    const server = await startServer({ module: [HOST_FILE, SESSION_FILE], link: 'auto' });
    expect(await server.send('SESSION.CREATE', 'user')).toMatch(/^-ERR CUSTOM\.GET is not served here/);

    expect(await server.send('MODULE', 'LOAD', NATIVE_FILE)).toBe('+OK\r\n');
    const reply = await server.send('SESSION.CREATE', 'user');
    expect(reply).toMatch(/^\+Session created: /);
    const id = reply.slice('+Session created: '.length, -2);
    expect(await server.send('CUSTOM.GET', 'user')).toBe(bulk(id));
    expect(await server.send('SESSION.CREATE', 'user')).toBe(`+Session exists: ${id}\r\n`);

    expect(await server.send('MODULE', 'UNLOAD', 'native')).toBe('+OK\r\n');
    expect(await server.send('SESSION.CREATE', 'user')).toMatch(/^-ERR CUSTOM\.GET is not served here/);
    // The mapping cannot be deleted, so the session is not either: all or nothing.
    expect(await server.send('SESSION.DELETE', id)).toMatch(/^-ERR CUSTOM\.\w+ is not served here: load hashmap\.wasm/);
    expect(await server.send('SESSION.GET', id)).toContain(id);
  });
});

test('a provider that lacks one command of those that are imported is used by command, and the error names the one', async () => {
  const { hashmap } = SHIPPED.targets;
  const server = await startServer({ module: [HOST_FILE, await fixture('read-only', hashmap, 'hashmap'), SESSION_FILE], link: 'auto' });
  const info = await server.info('wasm');
  expect(info.wasm_link_CUSTOM).toBe('command');
  expect(info.wasm_link_CUSTOM_reason).toMatch(/^hashmap does not register CUSTOM\.(SET|DEL)$/);
  expect(await server.send('CUSTOM.GET', 'user')).toBe('$-1\r\n');
  expect(await server.send('SESSION.CREATE', 'user')).toMatch(/^-ERR CUSTOM\.SET is not served here: load hashmap\.wasm/);
  expect(await server.send('SESSION.LIST')).toBe('*0\r\n');
});
