/**
 * Modules whose data the host looks after: their part of a file, their effects, and what becomes of both
 * where the module is missing.
 */
import { describe, expect, test } from 'vitest';
import { bulk } from '../support/raw.ts';
import { NOTES_FILE, WITH_NOTES, WITHOUT_NOTES } from '../support/notes.ts';
import { caughtUp, follow, Proxy } from '../support/replication.ts';
import { HOST_FILE, startServer, useServer, type TestServer } from '../support/server.ts';

const APPEND_ONLY = ['--appendonly', 'yes', '--appendfsync', 'always'];
const OK = '+OK\r\n';

const put = async (server: TestServer, key: string, text: string) => {
  expect(await server.send('NOTES.PUT', key, text)).toBe(OK);
};
const expectNotes = async (server: TestServer, notes: Record<string, string>) => {
  expect(await server.send('NOTES.COUNT')).toBe(`:${Object.keys(notes).length}\r\n`);
  for (const [key, text] of Object.entries(notes)) expect(await server.send('NOTES.GET', key), key).toBe(bulk(text));
};
/** How many modules something is kept for, and whether that has any bytes. */
const kept = async (server: TestServer) => {
  const fields = await server.info('wasm');
  return [Number(fields.wasm_kept_modules), Number(fields.wasm_kept_bytes) > 0] as const;
};
const NOTHING = [0, false] as const;
const SOMETHING = [1, true] as const;
/**
 * Waits until its append-only file is whole: while it is written for the first time, the server does not end.
 */
const written = (server: TestServer) =>
  expect
    .poll(
      async () => {
        const { aof_rewrite_in_progress, aof_rewrite_scheduled } = await server.info('persistence');
        return [aof_rewrite_in_progress, aof_rewrite_scheduled];
      },
      { timeout: 10_000 },
    )
    .toEqual(['0', '0']);
/** Starts it again with other modules. */
const restartWith = async (server: TestServer, module: string[]) => {
  server.change({ module });
  await server.restart();
};

describe('what such a module holds', () => {
  const server = useServer({ module: WITH_NOTES });

  test('is saved and loaded, with bytes of any kind', async () => {
    const notes = { one: 'text', 'ke\r\n\0y': '\xff\0\r\n', empty: '' };
    for (const [key, text] of Object.entries(notes)) await put(server, key, text);
    await server.send('CUSTOM.SET', 'key', 'value');
    expect(await server.send('DEBUG', 'RELOAD')).toBe(OK);
    await expectNotes(server, notes);
    expect(await server.send('CUSTOM.GET', 'key')).toBe(bulk('value'));
    expect(await kept(server)).toEqual(NOTHING);
  });

  test('goes with FLUSHALL, and not with FLUSHDB', async () => {
    await put(server, 'key', 'text');
    await server.send('FLUSHDB');
    await expectNotes(server, { key: 'text' });
    await server.send('FLUSHALL');
    await expectNotes(server, {});
  });
});

describe('the effect', () => {
  test('comes back from the append-only file, also those of a sweep, and is in it once', async () => {
    const server = await startServer({ module: WITH_NOTES, arguments: APPEND_ONLY });
    await put(server, 'key', 'text');
    await server.send('MULTI');
    await server.send('NOTES.PUT', 'other', 'one');
    await server.send('NOTES.PUT', 'other', 'two');
    await server.send('EXEC');
    await server.send('NOTES.LATER', 'late');
    await expect.poll(() => server.send('NOTES.GET', 'late'), { timeout: 10_000 }).toBe(bulk('swept'));
    await server.restart();
    await expectNotes(server, { key: 'text', other: 'two', late: 'swept' });
    await server.send('BGREWRITEAOF');
    await expect.poll(() => server.log, { timeout: 10_000 }).toContain('Background AOF rewrite finished successfully');
    await server.restart();
    await expectNotes(server, { key: 'text', other: 'two', late: 'swept' });
  });

  test('reaches replicas, and theirs, and their own files', async () => {
    const module = WITH_NOTES;
    const primary = await startServer({ module, tcp: true });
    const replica = await startServer({ module, tcp: true, arguments: APPEND_ONLY });
    const last = await startServer({ module, arguments: APPEND_ONLY });
    await put(primary, 'before', 'text');
    await follow(replica, primary);
    await follow(last, replica);
    await put(primary, 'key', 'text');
    await caughtUp(primary, replica);
    await caughtUp(primary, last);
    for (const server of [replica, last]) {
      await expectNotes(server, { before: 'text', key: 'text' });
      await server.send('REPLICAOF', 'NO', 'ONE');
      await written(server);
      await server.restart();
      await expectNotes(server, { before: 'text', key: 'text' });
    }
  });

  test('is unknown to clients, however they send it', async () => {
    const server = await startServer({ module: WITH_NOTES });
    const effect = ['wasm.apply', 'key', 'notes', '1', 'key', 'text'];
    const unknown = /^-(ERR|EXECABORT) .*unknown command/i;
    expect(await server.send(...effect)).toBe(
      "-ERR unknown command 'wasm.apply', with args beginning with: 'key' 'notes' '1' 'key' 'text' \r\n",
    );
    expect(await server.send('WASM.APPLY')).toMatch(unknown);
    expect(await server.send('EVAL', 'return redis.call(unpack(ARGV))', '0', ...effect)).toMatch(
      /unknown command|Unknown Redis command|not allowed from script/i,
    );
    await server.send('MULTI');
    await server.send(...effect);
    expect(await server.send('EXEC')).toMatch(/unknown command|^-EXECABORT/i);
    await expectNotes(server, {});
  });

  test.each([
    ['of another format', ['NOTES.FORMAT', 'key', '2'], 'wasm.apply of notes cannot be applied: ERR an effect of another format'],
    ['that traps', ['NOTES.PUT', 'key', 'trap'], 'wasm.apply of notes cannot be applied: ERR module notes: wasm trap'],
    ['that traps within a commit', ['NOTES.PUT', 'key', 'torn'], 'wasm.apply of notes cannot be applied: ERR module notes: wasm trap'],
  ])('%s ends the server, with the reason', async (_, command, reason) => {
    const primary = await startServer({ module: WITH_NOTES, tcp: true });
    const replica = await startServer({ module: WITH_NOTES });
    await follow(replica, primary);
    expect(await primary.send(...command)).toBe(OK);
    await expect.poll(() => replica.isRunning, { timeout: 10_000 }).toBe(false);
    expect(replica.log).toContain(reason);
    expect(replica.log).toContain('this server ends, since its data would diverge');
    expect(await primary.send('PING')).toBe('+PONG\r\n');
  });

  test('may write to another module, also when it is applied at the end of a load', async () => {
    const primary = await startServer({ module: WITH_NOTES, tcp: true });
    const replica = await startServer({ module: WITH_NOTES, arguments: APPEND_ONLY });
    const without = await startServer({ module: WITHOUT_NOTES });
    for (const server of [replica, without]) await follow(server, primary);
    await put(primary, 'key', 'shared');
    await caughtUp(primary, replica);
    await caughtUp(primary, without);
    expect(await replica.send('CUSTOM.GET', 'key')).toBe(bulk('shared'));
    expect(await without.send('CUSTOM.GET', 'key')).toBe('$-1\r\n');
    for (const server of [replica, without]) await server.send('REPLICAOF', 'NO', 'ONE');
    await written(replica);
    await replica.restart();
    expect(await replica.send('CUSTOM.GET', 'key')).toBe(bulk('shared'));
    expect(await without.send('SAVE')).toBe(OK);
    await restartWith(without, WITH_NOTES);
    await expectNotes(without, { key: 'shared' });
    expect(await without.send('CUSTOM.GET', 'key')).toBe(bulk('shared'));
  });

  test('that replies harms nothing', async () => {
    const primary = await startServer({ module: WITH_NOTES, tcp: true });
    const replica = await startServer({ module: WITH_NOTES });
    await follow(replica, primary);
    await put(primary, 'key', 'reply');
    await caughtUp(primary, replica);
    await expectNotes(replica, { key: 'reply' });
    expect(replica.log).not.toContain('CRITICAL');
  });
});

describe('a replica', () => {
  test.each(['disabled', 'swapdb'])('synchronises fully (%s) and partially', async (diskless) => {
    const module = WITH_NOTES;
    const primary = await startServer({ module, tcp: true });
    const replica = await startServer({ module, arguments: ['--repl-diskless-load', diskless] });
    await put(replica, 'own', 'old');
    await put(primary, 'key', 'text');
    const proxy = await Proxy.start(primary);
    await follow(replica, proxy);
    await expectNotes(replica, { key: 'text' });
    proxy.open = false;
    proxy.cut();
    await put(primary, 'other', 'text');
    proxy.open = true;
    await caughtUp(primary, replica);
    await expectNotes(replica, { key: 'text', other: 'text' });
    expect(Number((await primary.info('stats')).sync_partial_ok)).toBe(1);
  });

  test.each(['disabled', 'swapdb'])('without the module keeps its data and its effects (%s) until it has it', async (diskless) => {
    const primary = await startServer({ module: WITH_NOTES, tcp: true });
    const replica = await startServer({ module: WITHOUT_NOTES, arguments: ['--repl-diskless-load', diskless] });
    await put(primary, 'key', 'old');
    await follow(replica, primary);
    expect(await kept(replica)).toEqual(SOMETHING);
    await put(primary, 'key', 'new');
    await put(primary, 'behind', 'text');
    await caughtUp(primary, replica);
    expect(replica.log).toContain('the module notes is not loaded: its data are kept for it');
    await replica.send('REPLICAOF', 'NO', 'ONE');
    expect(await replica.send('SAVE')).toBe(OK);
    await replica.restart();
    expect(await kept(replica)).toEqual(SOMETHING);
    expect(await replica.send('SAVE')).toBe(OK);
    await restartWith(replica, WITH_NOTES);
    await expectNotes(replica, { key: 'new', behind: 'text' });
    expect(await kept(replica)).toEqual(NOTHING);
  });

  test.each(['disabled', 'swapdb'])('gives its own replica what it keeps (%s)', async (diskless) => {
    const primary = await startServer({ module: WITH_NOTES, tcp: true });
    const between = await startServer({ module: WITHOUT_NOTES, tcp: true });
    const last = await startServer({ module: WITH_NOTES, arguments: ['--repl-diskless-load', diskless] });
    await put(primary, 'key', 'old');
    await follow(between, primary);
    await put(primary, 'key', 'new');
    await follow(last, between);
    await put(primary, 'behind', 'text');
    await caughtUp(primary, last);
    await expectNotes(last, { key: 'new', behind: 'text' });
  });

  test('with too many effects to be kept ends, with a line that says so', async () => {
    const primary = await startServer({ module: WITH_NOTES, tcp: true });
    const replica = await startServer({ module: WITHOUT_NOTES });
    await follow(replica, primary);
    const long = 'x'.repeat(1 << 20);
    for (let count = 0; count < 63; count++) await put(primary, 'key', long);
    await caughtUp(primary, replica);
    expect(await kept(replica)).toEqual(SOMETHING);
    await put(primary, 'key', long);
    await expect.poll(() => replica.isRunning, { timeout: 10_000 }).toBe(false);
    expect(replica.log).toContain(
      'wasm.apply of notes cannot be applied: more than 64 MiB of effects wait for modules that are not loaded here',
    );
  });
});

describe('where the module is missing', () => {
  test('its data outlives saves and restarts, and FLUSHALL drops it', async () => {
    const server = await startServer({ module: WITH_NOTES });
    await put(server, 'key', 'text');
    await server.send('CUSTOM.SET', 'key', 'value');
    expect(await server.send('SAVE')).toBe(OK);
    await restartWith(server, WITHOUT_NOTES);
    expect(await kept(server)).toEqual(SOMETHING);
    expect(await server.send('CUSTOM.GET', 'key')).toBe(bulk('value'));
    expect(await server.send('DEBUG', 'RELOAD')).toBe(OK);
    expect(await server.send('BGSAVE')).toMatch(/^\+/);
    await expect.poll(async () => (await server.info('persistence')).rdb_bgsave_in_progress, { timeout: 10_000 }).toBe('0');
    await restartWith(server, WITH_NOTES);
    await expectNotes(server, { key: 'text' });
    await restartWith(server, WITHOUT_NOTES);
    await server.send('FLUSHALL');
    expect(await kept(server)).toEqual(NOTHING);
    expect(await server.send('SAVE')).toBe(OK);
    await restartWith(server, WITH_NOTES);
    await expectNotes(server, {});
  });

  test('its effects in the append-only file are kept behind what the file began with', async () => {
    const server = await startServer({ module: WITH_NOTES, arguments: APPEND_ONLY });
    await put(server, 'key', 'old');
    await server.send('BGREWRITEAOF');
    await expect.poll(() => server.log, { timeout: 10_000 }).toContain('Background AOF rewrite finished successfully');
    await put(server, 'key', 'new');
    await put(server, 'behind', 'text');
    await restartWith(server, WITHOUT_NOTES);
    expect(await kept(server)).toEqual(SOMETHING);
    const before = server.log.length;
    await server.send('BGREWRITEAOF');
    await expect.poll(() => server.log.slice(before), { timeout: 10_000 }).toContain('Background AOF rewrite finished successfully');
    await server.restart();
    expect(await kept(server)).toEqual(SOMETHING);
    await restartWith(server, WITH_NOTES);
    await expectNotes(server, { key: 'new', behind: 'text' });
    await put(server, 'last', 'text');
    await server.restart();
    await expectNotes(server, { key: 'new', behind: 'text', last: 'text' });
  });
});

test('data that the module refuses is refused: the server does not start, and the file stays', async () => {
  const server = await startServer({ module: WITH_NOTES });
  await put(server, 'key', 'refuse');
  expect(await server.send('SAVE')).toBe(OK);
  await expect(server.restart()).rejects.toThrow(/module notes: its data in this file \(encoding 1\) cannot be loaded/);
  await restartWith(server, WITHOUT_NOTES);
  expect(await kept(server)).toEqual(SOMETHING);
});

describe('the file', () => {
  test.each([
    ['Notes', /the name of a module that exports apply has a letter/],
    ['no-tes', /the name of a module that exports apply has a letter/],
    ['settings', /settings is a name of the host's own/],
  ])('cannot be named %s', async (name, reason) => {
    const { fixture, THIRD } = await import('../support/modules.ts');
    const start = startServer({ module: [HOST_FILE, await fixture('notes', THIRD, name)] });
    await expect(start).rejects.toThrow(reason);
  });

  test('has the name that it was built with', async () => {
    const { file } = await import('../support/modules.ts');
    const { readFileSync } = await import('node:fs');
    const section = Buffer.from('redis-wasm');
    const text = Buffer.from('name: memos\n');
    const bytes = Buffer.concat([
      readFileSync(NOTES_FILE),
      Buffer.from([0, 1 + section.length + text.length, section.length]),
      section,
      text,
    ]);
    await startServer({ module: [HOST_FILE, await file('memos', bytes)] });
    const start = startServer({ module: [HOST_FILE, await file('notes', bytes)] });
    await expect(start).rejects.toThrow(/it was built as memos, and its file is named notes/);
  });
});
