/**
 * `redis.Attempt`: a failure is caught, wherever it came from; what is no failure ends the command as ever.
 */
import { beforeEach, describe, expect, test } from 'vitest';
import { fixture } from '../support/modules.ts';
import { bulk } from '../support/raw.ts';
import { HASHMAP_FILE, HOST_FILE, startServer, useServer } from '../support/server.ts';

const module = [HOST_FILE, HASHMAP_FILE, await fixture('attempts')];
const server = useServer({ module, arguments: ['--wasm.max-memory', '2mb', '--wasm.time-limit', '200'] });
let traps = 0;
beforeEach(async () => {
  traps = Number((await server.info('wasm')).wasm_traps);
});
const trapped = async () => Number((await server.info('wasm')).wasm_traps) - traps;

test.each([
  ['store', 0],
  ['fail', 1],
  ['nested', 1],
  ['import', 1],
])('%s: answers %i, and the command goes on', async (deed, answer) => {
  expect(await server.send('ATTEMPT.RUN', deed, 'key')).toBe(`*2\r\n:${answer}\r\n:1\r\n`);
  expect(await server.send('CUSTOM.GET', 'key')).toBe(bulk(deed));
  expect(await trapped()).toBe(0);
  expect(await server.send('CUSTOM.CHECK')).toBe('+OK\r\n');
});

test.each([
  ['trap', 'unreachable'],
  ['loop', 'it ran longer than wasm.time-limit'],
  ['type', 'has another type than is called'],
  ['nothing', 'its table has no function 100000'],
  ['recurse', 'stack'],
  ['within', 'an attempt inside a commit'],
])('%s ends the command', async (deed, what) => {
  const reply = await server.send('ATTEMPT.RUN', deed, 'key');
  expect(reply).toMatch(/^-ERR module attempts: /);
  expect(reply).toContain(what);
  expect(await server.send('CUSTOM.GET', 'key')).toBe('$-1\r\n');
});

describe('a failure in the middle of a commit', () => {
  test('is not caught, and leaves the group damaged', async () => {
    const own = await startServer({ module });
    expect(await own.send('ATTEMPT.RUN', 'commit', 'key')).toMatch(/^-ERR module attempts: ERR not shown/);
    expect(await own.send('ATTEMPT.RUN', 'store', 'key')).toMatch(/^-MISCONF /);
    expect(await own.send('FLUSHALL')).toBe('+OK\r\n');
    expect(await own.send('ATTEMPT.RUN', 'store', 'key')).toBe('*2\r\n:0\r\n:1\r\n');
  });
});
