/** Every original command, as clients see it, with the shipped modules. */
import { expect, test } from 'vitest';
import { eventually, tested, useServer } from '../support/server.ts';
import { customSuite } from './suites/custom.ts';
import { sessionSuite } from './suites/session.ts';
import { sessionOptionsSuite } from './suites/session-options.ts';

const server = useServer();

customSuite(server);
sessionSuite(server);
sessionOptionsSuite(server);

test('INFO tells how the session module is linked to CUSTOM.*', async () => {
  const info = await server.info('wasm');
  expect(info.wasm_link_CUSTOM).toBe(tested.link === 'auto' ? 'direct' : 'command');
  expect(info.wasm_link_CUSTOM_reason).toMatch(tested.link === 'auto' ? /./ : /wasm\.link/);
});

test('INFO counts the sessions that were created, evicted and ended by their time', async () => {
  const counted = async () => {
    const { wasm_sessions, wasm_created, wasm_evicted, wasm_expired } = await server.info('wasm_session');
    return [wasm_sessions, wasm_created, wasm_evicted, wasm_expired].map(Number);
  };
  const [, created = 0, evicted = 0, expired = 0] = await counted();
  await server.send('SESSION.CREATE', 'alice');
  await server.send('SESSION.CREATE', 'alice');
  await server.send('SESSION.CREATE', 'alice', 'NEW', 'MAX', '1');
  const id = (await server.send('SESSION.CREATE', 'bob', 'NEW', 'TTL', '600')).trim().slice(-36);
  expect(await counted()).toEqual([2, created + 3, evicted + 1, expired]);
  expect(await server.send('SESSION.EXPIRE', id, '1')).toBe(':1\r\n');
  const after = await eventually(counted, ([sessions]) => sessions === 1);
  expect(after).toEqual([1, created + 3, evicted + 1, expired + 1]);
});

// A later version may give these commands options; surplus arguments are refused all the same, by one error
// or the other.
test.each([
  ['custom.set', ['key', 'value', 'surplus']],
  ['session.create', ['user', 'surplus']],
  ['session.add_data', ['01234567-89ab-4def-8123-456789abcdef', 'field', 'value', 'surplus']],
])('%s refuses surplus arguments and stores nothing', async (command, given) => {
  expect(await server.send(command, ...given)).toMatch(/^-ERR (wrong number of arguments for '.*' command|syntax error)\r\n$/);
  expect(await server.send('CUSTOM.KEYS')).toBe('*0\r\n');
  expect(await server.send('SESSION.LIST')).toBe('*0\r\n');
});
