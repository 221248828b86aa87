/** Arguments that stay with the server until the module asks for them: docs/ABI.md, `late`. */
import { describe, expect, test } from 'vitest';
import { fixture } from '../support/modules.ts';
import { bulk } from '../support/raw.ts';
import { caughtUp, follow } from '../support/replication.ts';
import { HOST_FILE, startServer, useServer } from '../support/server.ts';
import { dump } from '../support/state.ts';

const KIB_64 = 65_536;
const LENGTHS = [0, 1, KIB_64 - 1, KIB_64, KIB_64 + 1, 1 << 20];
/** Text of which no two parts are the same. */
const textOf = (length: number): string => {
  let text = '';
  for (let n = 0; text.length < length; n++) text += `${n},`;
  return text.slice(0, length);
};
const late = await fixture('late');

describe('a module', () => {
  const server = useServer({ module: [HOST_FILE, late] });

  test.each(LENGTHS)('reads one of %i bytes', async (length) => {
    expect(await server.send('late.echo', textOf(length))).toBe(bulk(textOf(length)));
  });

  test('has those at the places that it has told, and no others', async () => {
    const [early, value] = [`early ${textOf(KIB_64)}`, `late ${textOf(KIB_64)}`];
    for (const given of [
      [early, value],
      [early, value, early],
      [early, 'short', early, value],
    ]) {
      expect(await server.send('late.last', ...given)).toBe(bulk(given.at(-1)));
    }
  });

  test.each([
    ['late.outside', /^-ERR module late: 65536 bytes at \d+ are outside its memory\r\n$/],
    ['late.longer', /^-ERR module late: it is no late argument\r\n$/],
    ['late.another', /^-ERR module late: it is no late argument\r\n$/],
    ['late.reply', /^-ERR module late: 65536 bytes at 4294901760 are outside its memory\r\n$/],
    ['late.touch', /^-ERR module late: wasm trap: out of bounds memory access\r\n$/],
  ])('that does wrong with it fails: %s', async (name, error) => {
    expect(await server.send(name, textOf(KIB_64))).toMatch(error);
    expect(await server.send('late.echo', textOf(KIB_64))).toBe(bulk(textOf(KIB_64)));
  });
});

test('values of any length are what was sent: here, on a replica, and from the append-only file', async () => {
  const server = await startServer({ tcp: true, arguments: ['--appendonly', 'yes', '--appendfsync', 'always'] });
  const replica = await startServer();
  await follow(replica, server);
  const stored = new Map<string, string>();
  for (const length of LENGTHS) {
    const [value, other] = [textOf(length), `other ${textOf(length)}`];
    for (const options of [[], ['GET'], ['NX'], ['PX', '10000000'], ['KEEPTTL', 'GET']]) {
      const key = [length, ...options].join(' ');
      expect(await server.send('CUSTOM.SET', key, value, ...options)).toBe(options.includes('GET') ? '$-1\r\n' : '+OK\r\n');
      // In its place, or in another one.
      expect(await server.send('CUSTOM.SET', `again ${key}`, other)).toBe('+OK\r\n');
      expect(await server.send('CUSTOM.SET', `again ${key}`, value, ...options.filter((word) => word !== 'NX'))).toBe(
        options.includes('GET') ? bulk(other) : '+OK\r\n',
      );
      stored.set(key, value).set(`again ${key}`, value);
    }
    expect(await server.send('CUSTOM.APPEND', `append ${length}`, value)).toBe(`:${value.length}\r\n`);
    expect(await server.send('CUSTOM.APPEND', `append ${length}`, other)).toBe(`:${value.length + other.length}\r\n`);
    stored.set(`append ${length}`, value + other);
    const pairs = ['first', 'second', 'third'].map((name) => [`${name} ${length}`, `${name} ${value}`] as const);
    expect(await server.send('CUSTOM.MSET', ...pairs.flat(), ...pairs[0]!)).toBe('+OK\r\n');
    for (const [key, text] of pairs) stored.set(key, text);
  }
  for (const [key, value] of stored) expect(await server.send('CUSTOM.GET', key)).toBe(bulk(value));
  expect(await server.send('CUSTOM.CHECK')).toBe('+OK\r\n');
  const state = await dump(server);
  await caughtUp(server, replica);
  expect(await dump(replica)).toEqual(state);
  await server.kill();
  await server.start();
  expect(await dump(server)).toEqual(state);
});

test('a value takes no more memory on its way in than where it stays', async () => {
  const server = await startServer({ arguments: ['--wasm.max-memory', '40mb'] });
  const value = 'v'.repeat(30 << 20);
  expect(await server.send('CUSTOM.SET', 'k', value)).toBe('+OK\r\n');
  expect(await server.send('CUSTOM.SET', 'l', value)).toMatch(/^-OOM /);
  expect(await server.send('CUSTOM.STRLEN', 'k')).toBe(`:${value.length}\r\n`);
  // The second one did not come in at all.
  expect(Number((await server.info('wasm_hashmap')).wasm_memory_reserved)).toBeLessThan(45 << 20);
});
