/**
 * What INFO tells of the modules: a section for each, in the words that users and their monitoring rely on.
 */
import { expect, test } from 'vitest';
import { startServer, tested, useServer, type TestServer } from '../support/server.ts';

const server = useServer();
const COMMON = ['memory_reserved', 'memory_used', 'memory_free', 'commands', 'traps', 'timeouts', 'damaged'];
const OWN = { hashmap: ['entries', 'expired'], session: ['sessions', 'expired', 'evicted', 'storage_calls'] };

const numbers = async (of: TestServer, module: string, names: string[]) => {
  const fields = await of.info(`wasm_${module}`);
  return names.map((name) => {
    expect(fields[`wasm_${name}`], `${module}: ${name}`).toMatch(/^\d+$/);
    return Number(fields[`wasm_${name}`]);
  });
};

test.each(['hashmap', 'session'] as const)('the section of %s has every field', async (module) => {
  await numbers(server, module, [...COMMON, ...OWN[module]]);
});

test('the sections are named as their modules, and INFO wasm and INFO modules have them all', async () => {
  for (const section of ['wasm', 'modules', 'everything']) {
    const text = await server.send('INFO', section);
    for (const title of ['# wasm_hashmap', '# wasm_session', 'wasm_settings_undone:0']) expect(text, section).toContain(`\n${title}\r\n`);
  }
  expect(await server.send('INFO', 'wasm_hashmap')).not.toContain('# wasm_session');
  expect(await server.send('INFO', 'wasm_session')).toContain(`\nwasm_link_CUSTOM:${tested.link === 'auto' ? 'direct' : 'command'}\r\n`);
});

test('an unknown session is counted among the errors by its first word, for its text has no code', async () => {
  await server.send('CONFIG', 'RESETSTAT');
  for (let count = 0; count < 3; count++)
    expect(await server.send('SESSION.GET_DATA', 'no-such-session', 'f')).toMatch(/^-Session not found: /);
  expect(await server.info('errorstats')).toEqual({ errorstat_Session: 'count=3' });
});

test('entries, sessions, commands and memory are counted', async () => {
  const before = await numbers(server, 'hashmap', ['commands', 'entries']);
  expect(before[1]).toBe(0);
  await server.send('CUSTOM.SET', 'key', 'value');
  await server.send('CUSTOM.GET', 'key');
  expect(await numbers(server, 'hashmap', ['commands', 'entries'])).toEqual([before[0]! + 2, 1]);
  await server.send('SESSION.CREATE', 'user');
  expect(await numbers(server, 'session', ['sessions'])).toEqual([1]);
  const [reserved, used, free] = await numbers(server, 'session', ['memory_reserved', 'memory_used', 'memory_free']);
  expect(used! + free!).toBe(reserved);
  expect(reserved! % 65536).toBe(0);
  expect(used).toBeGreaterThan(0);
});

test('reading INFO counts as no command, and a server without anything in it tells as much', async () => {
  const own = await startServer();
  for (const module of ['hashmap', 'session'] as const) {
    const counted = await numbers(own, module, ['commands', 'traps', 'timeouts', 'damaged', ...OWN[module]]);
    expect(new Set(counted)).toEqual(new Set([0]));
  }
});
