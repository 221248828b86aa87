/** Loading over what is there, and saving while it changes. */
import { describe, expect, test } from 'vitest';
import { bulk, parseBulks } from '../support/raw.ts';
import { eventually, startServer, useServer } from '../support/server.ts';
import { dump, fill } from '../support/state.ts';
import { Writer } from '../support/writer.ts';

describe('DEBUG RELOAD', () => {
  const server = useServer();

  test.each([
    ['NOSAVE', ['NOSAVE']],
    ['NOSAVE MERGE', ['NOSAVE', 'MERGE']],
    ['NOSAVE NOFLUSH MERGE', ['NOSAVE', 'NOFLUSH', 'MERGE']],
  ])('%s puts what was saved in the place of what is there', async (_, options) => {
    await fill(server);
    await server.send('SAVE');
    const saved = await dump(server);
    await fill(server, 'later ');
    await server.send('CUSTOM.SET', 'many:1', 'changed');
    expect(await server.send('DEBUG', 'RELOAD', ...options)).toBe('+OK\r\n');
    expect(await dump(server)).toEqual(saved);
    await fill(server, 'after ');
    expect((await dump(server)).length).toBe(2 * saved.length);
  });

  test.each([[[]], [['MERGE']], [['NOFLUSH', 'MERGE']]])('with a save, %j, changes nothing', async (options) => {
    await fill(server);
    const before = await dump(server);
    expect(await server.send('DEBUG', 'RELOAD', ...options)).toBe('+OK\r\n');
    expect(await dump(server)).toEqual(before);
  });

  test('of a file that was saved empty empties', async () => {
    expect(await server.send('SAVE')).toBe('+OK\r\n');
    await fill(server);
    expect(await server.send('DEBUG', 'RELOAD', 'NOSAVE')).toBe('+OK\r\n');
    expect(await dump(server)).toEqual([]);
  });

  test('and DEBUG LOADAOF of an append-only file keep everything', async () => {
    await server.send('CONFIG', 'SET', 'appendonly', 'yes');
    await eventually(
      () => server.info('persistence'),
      (info) => info.aof_rewrite_in_progress === '0' && info.aof_rewrite_scheduled === '0',
    );
    await fill(server);
    const before = await dump(server);
    expect(await server.send('DEBUG', 'LOADAOF')).toBe('+OK\r\n');
    expect(await dump(server)).toEqual(before);
    await server.send('CONFIG', 'SET', 'appendonly', 'no');
  });
});

test('BGSAVE while writes go on saves one moment: no write without those that came before it', async () => {
  const server = await startServer();
  // Long enough to be written to while it is saved.
  const value = 'v'.repeat(10_000);
  await Promise.all(Array.from({ length: 3000 }, (_, index) => server.send('CUSTOM.SET', `filler ${index}`, value)));
  const client = await server.connect();
  let round = 0;
  const stop = new AbortController();
  const rounds = (async () => {
    for (; !stop.signal.aborted; round++) {
      const text = String(round).padStart(9, '0');
      await Promise.all(['first', 'second', 'third'].map((key) => client.send('CUSTOM.SET', key, text)));
    }
  })();
  const writer = await Writer.start(server);
  await writer.hasWritten(20);
  const begun = round;
  await server.send('BGSAVE');
  const info = await eventually(
    () => server.info('persistence'),
    (fields) => fields.rdb_bgsave_in_progress === '0',
  );
  expect(info.rdb_last_bgsave_status).toBe('ok');
  await writer.hasWritten(20);
  stop.abort();
  await rounds;
  await writer.stop();
  const ended = round;
  await server.kill();
  await server.start();

  const numbers = await Promise.all(
    ['first', 'second', 'third'].map(async (key) => Number((await server.send('CUSTOM.GET', key)).slice(5))),
  );
  const [first = 0, second = 0, third = 0] = numbers;
  expect(first).toBeGreaterThanOrEqual(begun - 1);
  expect(first).toBeLessThan(ended);
  expect([first, first - 1]).toContain(second);
  expect([second, second - 1]).toContain(third);
  expect(first - third).toBeLessThanOrEqual(1);
  // A session and the user's entry for it are written by one command, one after the other.
  const sessions = parseBulks(await server.send('SESSION.LIST'));
  expect(sessions.length).toBeGreaterThanOrEqual(20);
  for (const line of sessions) {
    const [, id = '', user = ''] = /^ID: (\S+), Key: (.*), Created/.exec(line) ?? [];
    expect(await server.send('CUSTOM.GET', user)).toBe(bulk(id));
  }
});
