/**
 * A module that writes over the memory which it shares with those that it is linked to: they trusted it, and
 * CHECK tells of the damage; the server, its own data and the modules of other groups are as they were.
 * Linked by command it has no such memory.
 */
import { describe, expect, test } from 'vitest';
import { traitor, witness } from '../support/hostile.ts';
import { bulk } from '../support/raw.ts';
import { HASHMAP_FILE, HOST_FILE, SESSION_FILE, startServer, type TestServer } from '../support/server.ts';
import { dump, fill } from '../support/state.ts';

const WITNESSED = `:${61440 * 77}\r\n`;
const LIMITS = ['--wasm.time-limit', '100', '--wasm.max-memory', '64mb'];
const module = [HOST_FILE, HASHMAP_FILE, SESSION_FILE, await witness, await traitor];

async function start(link: 'auto' | 'command'): Promise<TestServer> {
  const server = await startServer({ module, link, arguments: LIMITS });
  expect((await server.info('wasm_hostile')).wasm_link_CUSTOM).toBe(link === 'auto' ? 'direct' : 'command');
  await server.send('SET', 'native', 'value');
  await server.send('WITNESS.FILL', '77');
  await fill(server);
  return server;
}

/** Every command once, and what the server calls by itself; whatever they answer, they answer. */
async function use(server: TestServer): Promise<void> {
  const id = '01234567-89ab-4def-8123-456789abcdef';
  const lines = [
    'CUSTOM.SET key value',
    'CUSTOM.GET key',
    'CUSTOM.GET many:1',
    'CUSTOM.KEYS',
    'CUSTOM.DEL many:2',
    'SESSION.CREATE user',
    'SESSION.LIST',
  ];
  for (const line of [
    ...lines,
    `SESSION.GET ${id}`,
    `SESSION.ADD_DATA ${id} f v`,
    'INFO wasm',
    'SAVE',
    'DEBUG RELOAD',
    ...lines,
    'FLUSHALL',
    ...lines,
  ]) {
    expect(await server.send(...line.split(' ')), line).toMatch(/^[-+:$*]/);
  }
}

/**
 * Bytes that are written, and for each number the seeds; all of them find something that matters when there
 * are many.
 */
const SCRIBBLES = [1, 30, 1000, 30_000, 1_000_000].flatMap((bytes) => [1, 2, 3, 4].map((seed) => ({ bytes, seed })));

describe('in its own group', () => {
  test.each(SCRIBBLES)('$bytes bytes, seed $seed: the server lives, and CHECK reports the damage', async ({ bytes, seed }) => {
    const server = await start('auto');
    await server.send('HOSTILE.SEED', String(seed));
    await server.send('HOSTILE.SCRIBBLE', String(bytes));
    const checks = [await server.send('CUSTOM.CHECK'), await server.send('SESSION.CHECK')];
    // Their own texts may be among what was written over: an error is any line that begins so.
    for (const check of checks) expect(check).toMatch(/^(\+OK|-[^\r\n]*)\r\n$/);
    if (bytes >= 30_000) expect(checks.some((check) => check.startsWith('-'))).toBe(true);
    await use(server);
    expect(await server.send('WITNESS.SUM')).toBe(WITNESSED);
    expect(await server.send('PING')).toBe('+PONG\r\n');
    await server.send('SET', 'native', 'value');
    expect(await server.send('GET', 'native')).toBe(bulk('value'));
  });
});

test('linked by command it harms nothing but itself', async () => {
  const server = await start('command');
  const before = await dump(server);
  for (const { bytes, seed } of SCRIBBLES) {
    await server.send('HOSTILE.SEED', String(seed));
    await server.send('HOSTILE.SCRIBBLE', String(bytes));
    expect(await server.send('WITNESS.SUM')).toBe(WITNESSED);
  }
  expect(await dump(server)).toEqual(before);
});
