/**
 * Modules that have a data type and effects of their own: loaded and unloaded while a server serves, missing
 * at a start or on a replica, with nothing lost.
 */
import { readdirSync, readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { stock } from '../support/languages.ts';
import { APPEND_ONLY, NOT_KNOWN, OK, startLive, type Folder } from '../support/live.ts';
import { caughtUp, follow } from '../support/replication.ts';
import { HOST_FILE, ROOT, startServer, type TestServer } from '../support/server.ts';

const TEXT = readFileSync(path.join(ROOT, 'test/fixtures/languages/tally.as.ts'), 'utf8');
/** Counters by name: TALLY.ADD leaves an effect of its own, TALLY.DEL itself. */
const tally = await stock('tally', TEXT, ['-O3']);
/** Another version of it, without the command of the effect. */
const lacking = await stock('tally', TEXT.replace('name: tally.apply', 'name: tally.other'), ['-O3']);
/** The host alone, and with the module as an argument. */
const WITHOUT = [HOST_FILE, await stock('none', TEXT.replaceAll('tally', 'none').replaceAll('as-none1', 'as-none01'), ['-O3'])];
const GIVEN = [...WITHOUT, tally];

const NAMES = ['one', 'two', 'three', 'gone'];
/** Counts, and counts on: what is there comes of effects of both kinds. */
async function count(server: TestServer, by = '1'): Promise<void> {
  for (const name of NAMES) expect(await server.send('TALLY.ADD', name, by)).toMatch(/^:\d+\r\n/);
  expect(await server.send('TALLY.DEL', 'gone')).toBe(':1\r\n');
}
const counters = async (server: TestServer) => {
  const replies = await Promise.all(NAMES.map((name) => server.send('TALLY.GET', name)));
  return [await server.send('TALLY.COUNT'), ...replies].map((reply) => reply.trim()).join(' ');
};
const all = (value: number) => `:3 :${value} :${value} :${value} $-1`;
const NONE = ':0 $-1 $-1 $-1 $-1';
const kept = async (server: TestServer) => {
  const { wasm_kept_modules, wasm_kept_bytes } = await server.info('wasm');
  return [wasm_kept_modules, Number(wasm_kept_bytes) > 0];
};
const SOMETHING = ['1', true];
const NOTHING = ['0', false];
const rewritten = async (server: TestServer) => {
  await server.send('BGREWRITEAOF');
  const fields = async () => {
    const { aof_rewrite_in_progress, aof_rewrite_scheduled } = await server.info('persistence');
    return [aof_rewrite_in_progress, aof_rewrite_scheduled];
  };
  await expect.poll(fields, { timeout: 10_000 }).toEqual(['0', '0']);
};
/** All that its append-only files hold. */
function appended(server: TestServer): string {
  const folder = path.join(server.folder, 'appendonlydir');
  return readdirSync(folder)
    .map((file) => readFileSync(path.join(folder, file), 'latin1'))
    .join('');
}
/** Starts it again without the module's file, and without what served last. */
async function restartWithout(server: TestServer, folder: Folder): Promise<void> {
  await server.kill();
  folder.remove('tally');
  rmSync(folder.served('tally'), { force: true });
  await server.start();
  expect(await server.send('TALLY.COUNT')).toMatch(NOT_KNOWN);
}

test('one that comes while the server serves is served, also by the next start, with its data', async () => {
  const { server, folder } = await startLive({}, { module: WITHOUT, arguments: APPEND_ONLY });
  folder.put('tally', tally);
  expect(await server.send('WASM.LOAD', 'tally')).toBe(OK);
  expect(await counters(server)).toBe(NONE);
  await count(server);
  expect(await server.send('DEBUG', 'RELOAD')).toBe(OK);
  expect(await counters(server)).toBe(all(1));
  await count(server);
  for (const restart of ['its tail', 'the whole']) {
    if (restart === 'the whole') await rewritten(server);
    await server.kill();
    await server.start();
    expect(await counters(server), restart).toBe(all(2));
  }
  folder.put('tally', lacking);
  expect(await server.send('WASM.RELOAD', 'tally')).toBe(OK);
  expect(await counters(server)).toBe(all(2));
});

test('one that is unloaded answers as unknown, tells nothing in INFO, and is back with its data', async () => {
  const { server } = await startLive({ tally }, { module: WITHOUT });
  await count(server);
  expect((await server.info('wasm_tally')).wasm_tally_tally_counters).toBe('3');
  expect(await server.send('WASM.UNLOAD', 'tally')).toBe(OK);
  for (const words of [
    ['TALLY.ADD', 'one', '1'],
    ['TALLY.GET', 'one'],
    ['TALLY.APPLY', 'one', '1'],
  ])
    expect(await server.send(...words)).toMatch(NOT_KNOWN);
  const fields = await server.info('wasm_tally');
  expect(fields).toMatchObject({ wasm_tally_state: 'missing', wasm_tally_missing_reason: 'it was unloaded' });
  expect(fields).not.toHaveProperty('wasm_tally_tally_counters');
  expect(await kept(server)).toEqual(SOMETHING);
  expect(await server.send('DEBUG', 'RELOAD')).toBe(OK);
  expect(await kept(server)).toEqual(SOMETHING);
  expect(await server.send('WASM.LOAD', 'tally')).toBe(OK);
  expect(await counters(server)).toBe(all(1));
  expect(await kept(server)).toEqual(NOTHING);

  expect(await server.send('WASM.UNLOAD', 'tally')).toBe(OK);
  expect(await server.send('FLUSHALL')).toBe(OK);
  expect(await kept(server)).toEqual(NOTHING);
  expect(await server.send('WASM.LOAD', 'tally')).toBe(OK);
  expect(await counters(server)).toBe(NONE);
});

describe('where its file is gone', () => {
  test('its effects in the append-only file are kept, through rewrites and starts, until it is there again', async () => {
    const { server, folder } = await startLive({ tally }, { module: WITHOUT, arguments: APPEND_ONLY });
    await count(server);
    await rewritten(server);
    await count(server);
    await restartWithout(server, folder);
    expect(await kept(server)).toEqual(SOMETHING);
    await rewritten(server);
    await server.kill();
    await server.start();
    expect(await kept(server)).toEqual(SOMETHING);
    folder.put('tally', tally);
    expect(await server.send('WASM.LOAD', 'tally')).toBe(OK);
    expect(await counters(server)).toBe(all(2));
    expect(await kept(server)).toEqual(NOTHING);
    await count(server);
    await server.kill();
    await server.start();
    expect(await counters(server)).toBe(all(3));
  });

  test('a start that has it applies what was kept in the file', async () => {
    const { server, folder } = await startLive({ tally }, { module: WITHOUT, arguments: APPEND_ONLY });
    await count(server);
    await restartWithout(server, folder);
    await rewritten(server);
    await server.end();
    server.change({ module: GIVEN });
    await server.start();
    expect(await counters(server)).toBe(all(1));
  });
});

/** Where a primary has the module from decides how its effects travel. */
const PRIMARIES: [how: string, start: () => Promise<TestServer>][] = [
  ['as an argument', () => startServer({ module: GIVEN, tcp: true })],
  ['from wasm.dir', async () => (await startLive({ tally }, { module: WITHOUT, tcp: true })).server],
];

describe.each(PRIMARIES)('a primary has it %s', (_, start) => {
  test.each([
    ['given', {}, GIVEN],
    ['from wasm.dir', { tally }, WITHOUT],
  ])(
    'a replica that had it %s keeps what comes while it is unloaded, for replicas and files of its own too',
    async (_how, files, module) => {
      const primary = await start();
      const replica = await startLive(files, { module, tcp: true, arguments: APPEND_ONLY });
      replica.folder.put('tally', tally);
      await follow(replica.server, primary);
      const last = await startLive({ tally }, { module: WITHOUT, arguments: APPEND_ONLY });
      await follow(last.server, replica.server);
      await count(primary);
      await caughtUp(primary, replica.server);
      expect(await counters(replica.server)).toBe(all(1));
      expect(appended(replica.server).match(/tally\.del/gi)).toHaveLength(1);
      for (const server of [replica.server, last.server]) await rewritten(server);
      expect(await replica.server.send('WASM.UNLOAD', 'tally')).toBe(OK);
      await count(primary);
      await count(primary);
      await caughtUp(primary, replica.server);
      await caughtUp(primary, last.server);
      expect(await counters(last.server)).toBe(all(3));
      expect(await kept(replica.server)).toEqual(SOMETHING);
      // One that synchronises with what is kept.
      const fresh = await startLive({ tally }, { module: WITHOUT });
      await follow(fresh.server, replica.server);
      expect(await counters(fresh.server)).toBe(all(3));

      expect(await replica.server.send('REPLICAOF', 'NO', 'ONE')).toBe(OK);
      expect(await replica.server.send('WASM.LOAD', 'tally')).toBe(OK);
      expect(await counters(replica.server)).toBe(all(3));
      await count(replica.server);
      await caughtUp(replica.server, last.server);
      // Out of the tails of their files.
      for (const server of [replica.server, last.server]) {
        await server.kill();
        await server.start();
        expect(await counters(server)).toBe(all(4));
      }
    },
  );
});

test('a replica of another version keeps what that does not know, and serves on', async () => {
  const { server: primary } = await startLive({ tally }, { module: WITHOUT, tcp: true });
  const replica = await startLive({ tally: lacking }, { module: WITHOUT });
  await follow(replica.server, primary);
  await count(primary);
  await caughtUp(primary, replica.server);
  expect(await replica.server.send('TALLY.COUNT')).toMatch(NOT_KNOWN);
  expect(replica.server.log).toMatch(/module tally: it is missing from now on, .*tally\.apply: no module has the command any longer/);
  expect(await kept(replica.server)).toEqual(SOMETHING);
  replica.folder.put('tally', tally);
  expect(await replica.server.send('WASM.LOAD', 'tally')).toBe(OK);
  expect(await counters(replica.server)).toBe(all(1));
});

test.each(['disabled', 'swapdb'])('a replica that never had it keeps all (%s), and serves it once it has the file', async (diskless) => {
  const { server: primary } = await startLive({ tally }, { module: WITHOUT, tcp: true });
  const replica = await startLive({}, { module: WITHOUT, tcp: true, arguments: ['--repl-diskless-load', diskless] });
  const last = await startLive({ tally }, { module: WITHOUT, arguments: ['--repl-diskless-load', diskless] });
  await count(primary);
  await follow(replica.server, primary);
  await count(primary);
  await caughtUp(primary, replica.server);
  await follow(last.server, replica.server);
  await count(primary);
  await caughtUp(primary, last.server);
  expect(await counters(last.server)).toBe(all(3));
  expect(await kept(replica.server)).toEqual(SOMETHING);
  replica.folder.put('tally', tally);
  expect(await replica.server.send('WASM.LOAD', 'tally')).toBe(OK);
  expect(await counters(replica.server)).toBe(all(3));
  await count(primary);
  await caughtUp(primary, replica.server);
  expect(await counters(replica.server)).toBe(all(4));
});

test('DROP replicates, to what serves and to what is kept', async () => {
  const { server: primary } = await startLive({ tally }, { module: WITHOUT, tcp: true, arguments: APPEND_ONLY });
  const [serving, without] = [await startLive({ tally }, { module: WITHOUT }), await startLive({}, { module: WITHOUT })];
  await count(primary);
  for (const { server } of [serving, without]) await follow(server, primary);
  expect(await serving.server.send('WASM.UNLOAD', 'tally', 'DROP')).toBe('-ERR a replica drops what its primary drops: DROP it there\r\n');
  expect(await kept(without.server)).toEqual(SOMETHING);
  expect(await primary.send('WASM.UNLOAD', 'tally', 'DROP')).toBe(OK);
  for (const { server } of [serving, without]) await caughtUp(primary, server);
  expect(await counters(serving.server)).toBe(NONE);
  for (const server of [primary, without.server]) expect(await kept(server)).toEqual(NOTHING);
  await primary.kill();
  await primary.start();
  expect(await counters(primary)).toBe(NONE);
  // What is kept of one that is missing goes too.
  await count(primary);
  expect(await primary.send('WASM.UNLOAD', 'tally')).toBe(OK);
  expect(await primary.send('WASM.UNLOAD', 'tally', 'DROP')).toBe(OK);
  expect(await kept(primary)).toEqual(NOTHING);
});
