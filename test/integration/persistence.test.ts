/** The original lost everything at a restart and kept it through FLUSHALL; here neither. */
import { appendFileSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { bulk } from '../support/raw.ts';
import { eventually, startServer, useServer, type TestServer } from '../support/server.ts';
import { dump, fill } from '../support/state.ts';

describe('in the RDB file', () => {
  test('everything is there after SAVE and a restart', async () => {
    const server = await startServer();
    await fill(server);
    const before = await dump(server);
    expect(before.length).toBeGreaterThan(1500);
    expect(await server.send('SAVE')).toBe('+OK\r\n');
    await server.restart();
    expect(await dump(server)).toEqual(before);
  });

  test('everything is there after BGSAVE and a crash', async () => {
    const server = await startServer();
    await fill(server);
    const before = await dump(server);
    await server.send('BGSAVE');
    const { rdb_last_bgsave_status } = await eventually(
      () => server.info('persistence'),
      (info) => info.rdb_bgsave_in_progress === '0',
    );
    expect(rdb_last_bgsave_status).toBe('ok');
    await server.send('CUSTOM.SET', 'after the save', 'lost');
    await server.kill();
    await server.start();
    expect(await dump(server)).toEqual(before);
  });

  test('a server with save points saves when it is ended', async () => {
    const server = await startServer({ arguments: ['--save', '3600', '1'] });
    await fill(server);
    const before = await dump(server);
    await server.restart();
    expect(await dump(server)).toEqual(before);
  });

  test('an empty store is saved and loaded', async () => {
    const server = await startServer();
    expect(await server.send('SAVE')).toBe('+OK\r\n');
    await server.restart();
    expect(await dump(server)).toEqual([]);
  });

  test('DEBUG RELOAD keeps everything, and writing goes on', async () => {
    const server = await startServer();
    await fill(server);
    const before = await dump(server);
    expect(await server.send('DEBUG', 'RELOAD')).toBe('+OK\r\n');
    expect(await dump(server)).toEqual(before);
    await fill(server, 'more ');
    expect((await dump(server)).length).toBe(2 * before.length);
  });

  test('the state of one link mode loads in the other', async () => {
    const server = await startServer();
    await fill(server);
    const before = await dump(server);
    await server.send('SAVE');
    for (const link of ['auto', 'command'] as const) {
      await server.end();
      server.change({ link });
      await server.start();
      expect((await server.info('wasm')).wasm_link_CUSTOM).toBe(link === 'auto' ? 'direct' : 'command');
      expect(await dump(server)).toEqual(before);
    }
  });
});

describe('in the append-only file', () => {
  const appendOnly = ['--appendonly', 'yes', '--appendfsync', 'always'];

  test('everything acknowledged is there after a crash', async () => {
    const server = await startServer({ arguments: appendOnly });
    await fill(server);
    const before = await dump(server);
    await server.kill();
    await server.start();
    expect(await dump(server)).toEqual(before);
  });

  test('everything is there after a rewrite, and what was written after it', async () => {
    const server = await startServer({ arguments: appendOnly });
    await fill(server);
    await rewrite(server);
    await fill(server, 'after the rewrite ');
    const before = await dump(server);
    await server.kill();
    await server.start();
    expect(await dump(server)).toEqual(before);
  });

  test('an effect is in the file once, and a refused command not at all', async () => {
    const server = await startServer({ arguments: appendOnly });
    await server.send('CUSTOM.SET', 'unique-key', 'unique-value');
    await server.send('CUSTOM.DEL', 'unique-absent');
    await server.send('SESSION.ADD_DATA', '01234567-89ab-4def-8123-456789abcdef', 'unique-field', 'value');
    const folder = path.join(server.folder, 'appendonlydir');
    const text = readdirSync(folder)
      .filter((name) => name.endsWith('.aof'))
      .map((name) => readFileSync(path.join(folder, name), 'latin1'))
      .join('');
    expect(text.split('unique-key').length - 1).toBe(1);
    expect(text).not.toContain('unique-absent');
    expect(text).not.toContain('unique-field');
  });

  const ID = '01234567-89ab-4def-8123-456789abcdef';
  test.each([
    [
      'an effect of an unknown format',
      ['session.apply', '2', 'create', ID, 'other', '1', '1', '1'],
      /session\.apply cannot be applied: .*unknown format/,
    ],
    ['an effect that is cut short', ['session.apply', '1', 'forget'], /session\.apply cannot be applied: .*another number of arguments/],
    // Valkey 9 looks at ordinary commands itself.
    [
      'a write that is cut short',
      ['custom.set', 'key'],
      /custom\.set cannot be applied: .*another number|wrong number of arguments for 'custom\.set'/,
    ],
  ])('%s ends the server that would have to apply it, and says so', async (_, command, reason) => {
    const server = await startServer({ arguments: appendOnly });
    await server.send('SESSION.CREATE', 'user');
    await server.kill();
    const folder = path.join(server.folder, 'appendonlydir');
    const tail = readdirSync(folder).find((name) => name.endsWith('.incr.aof')) ?? '';
    appendFileSync(path.join(folder, tail), `*${command.length}\r\n${command.map(bulk).join('')}`);
    await expect(server.start()).rejects.toThrow(reason);
  });

  test('a server whose rewrites would drop the data refuses to load the module and names the setting', async () => {
    const failed = startServer({ arguments: [...appendOnly, '--aof-use-rdb-preamble', 'no'] });
    await expect(failed).rejects.toThrow(/aof-use-rdb-preamble/);
  });

  describe('settings that would drop the data at the next rewrite', () => {
    /** Both settings, and how often a change was undone. */
    async function settings(server: TestServer): Promise<string> {
      const setting = async (name: string) => (await server.send('CONFIG', 'GET', name)).split('\r\n').at(-2);
      const { wasm_settings_undone } = await server.info('wasm');
      return `${await setting('appendonly')} ${await setting('aof-use-rdb-preamble')} ${wasm_settings_undone}`;
    }

    /**
     * A server that is set into danger by `commands`, all of which it accepts, ends with `after`, and has its
     * data after a rewrite and a crash.
     */
    async function undone(start: string[], commands: string[][], after: string): Promise<void> {
      const server = await startServer({ arguments: start });
      await fill(server);
      for (const command of commands) expect(await server.send(...command)).not.toMatch(/^-/);
      expect(await settings(server)).toBe(after);
      const told = /was set back to (no|yes): an append-only file/;
      expect(
        await eventually(
          () => server.log,
          (log) => told.test(log),
        ),
      ).toMatch(told);
      await server.send('CONFIG', 'SET', 'aof-use-rdb-preamble', 'yes');
      await server.send('CONFIG', 'SET', 'appendonly', 'yes');
      await rewrite(server);
      const before = await dump(server);
      await server.kill();
      server.change({ arguments: appendOnly });
      await server.start();
      expect(await dump(server)).toEqual(before);
    }

    test('the preamble is switched off', () => undone(appendOnly, [['CONFIG', 'SET', 'aof-use-rdb-preamble', 'no']], 'yes yes 1'));

    test('the file is switched on while the preamble is off', () =>
      undone(['--aof-use-rdb-preamble', 'no'], [['CONFIG', 'SET', 'appendonly', 'yes']], 'no no 1'));

    test('both at once', () => undone([], [['CONFIG', 'SET', 'aof-use-rdb-preamble', 'no', 'appendonly', 'yes']], 'no yes 1'));

    test('in a transaction', () =>
      undone(appendOnly, [['MULTI'], ['CONFIG', 'SET', 'aof-use-rdb-preamble', 'no'], ['CUSTOM.SET', 'k', 'v'], ['EXEC']], 'yes yes 1'));

    test('other changes stay, and either setting alone is free', async () => {
      const server = await startServer();
      for (const command of ['aof-use-rdb-preamble no', 'maxmemory 1gb', 'aof-use-rdb-preamble yes', 'appendonly yes']) {
        expect(await server.send('CONFIG', 'SET', ...command.split(' '))).toBe('+OK\r\n');
      }
      expect(await settings(server)).toBe('yes yes 0');
      await server.send('CONFIG', 'SET', 'maxmemory', '2gb', 'aof-use-rdb-preamble', 'no');
      expect(await settings(server)).toBe('yes yes 1');
      expect(await server.send('CONFIG', 'GET', 'maxmemory')).toContain('2147483648');
      // A server does not end while it writes its first append-only file.
      await rewritten(server);
    });
  });
});

async function rewrite(server: TestServer): Promise<void> {
  await server.send('BGREWRITEAOF');
  await rewritten(server);
}

/** Waits until no rewrite is under way, the last of which must have been a good one. */
async function rewritten(server: TestServer): Promise<void> {
  const info = await eventually(
    () => server.info('persistence'),
    (fields) => fields.aof_rewrite_in_progress === '0' && fields.aof_rewrite_scheduled === '0',
  );
  expect(info.aof_last_bgrewrite_status).toBe('ok');
}

describe('flushing', () => {
  const server = useServer();

  test.each(['FLUSHALL', 'FLUSHALL ASYNC', 'FLUSHALL SYNC'])('%s clears everything', async (command) => {
    await fill(server);
    expect(await server.send(...command.split(' '))).toBe('+OK\r\n');
    expect(await dump(server)).toEqual([]);
    expect(await server.send('CUSTOM.SET', 'key', 'value')).toBe('+OK\r\n');
    expect(await server.send('SESSION.CREATE', 'user')).toMatch(/^\+Session created: /);
  });

  test('FLUSHDB and SWAPDB touch nothing: there is one namespace for the whole server', async () => {
    await fill(server);
    const before = await dump(server);
    for (const command of [['FLUSHDB'], ['SWAPDB', '0', '1']]) {
      expect(await server.send(...command)).toBe('+OK\r\n');
      expect(await dump(server)).toEqual(before);
    }
  });

  test('every database shows the same keys', async () => {
    await server.send('CUSTOM.SET', 'key', 'value');
    const other = await server.connect();
    await other.send('SELECT', '5');
    expect(await other.send('CUSTOM.GET', 'key')).toBe(bulk('value'));
    await other.send('FLUSHDB');
    expect(await server.send('CUSTOM.GET', 'key')).toBe(bulk('value'));
  });

  test('native keys of the same names are other keys', async () => {
    await server.send('SET', 'key', 'native');
    await server.send('CUSTOM.SET', 'key', 'custom');
    expect(await server.send('GET', 'key')).toBe(bulk('native'));
    expect(await server.send('CUSTOM.DEL', 'key')).toBe(':1\r\n');
    expect(await server.send('GET', 'key')).toBe(bulk('native'));
  });
});
