/**
 * Effects that nobody takes are not made, but counted: save points see no difference, and whoever begins to
 * listen misses nothing, whatever runs at that moment.
 */
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { caughtUp, follow, linked, Proxy } from '../support/replication.ts';
import { eventually, HOST_FILE, NATIVE_FILE, SESSION_FILE, startServer, useServer, type TestServer } from '../support/server.ts';
import { dump } from '../support/state.ts';

const ID = '01234567-89ab-4def-8123-456789abcdef';
const FILE = ['--appendonly', 'yes', '--appendfsync', 'no', '--auto-aof-rewrite-percentage', '0'];

/** Writes, and how many changes each is for the server's own command, where it has one like it. */
const WRITES: [command: string[], changes?: number][] = [
  [['CUSTOM.SET', 'key', 'value'], 1],
  [['CUSTOM.SET', 'key', 'value', 'PX', '100000'], 1],
  [['CUSTOM.SET', 'key', 'value', 'NX'], 0],
  [['CUSTOM.APPEND', 'key', '1'], 1],
  [['CUSTOM.INCRBY', 'number', '5'], 1],
  [['CUSTOM.PEXPIRE', 'number', '100000'], 1],
  [['CUSTOM.PERSIST', 'number'], 1],
  [['CUSTOM.INCRBY', 'key', '1'], 0],
  [['CUSTOM.GETDEL', 'key'], 1],
  [['CUSTOM.DEL', 'key'], 0],
  [['CUSTOM.DEL', 'number'], 1],
  [['SESSION.CREATE', 'user', 'ID', ID, 'IDLE', '1000']],
  [['SESSION.ADD_DATA', ID, 'field', 'value', 'number', '1']],
  [['SESSION.INCR_DATA', ID, 'number', '1']],
  [['SESSION.CAS', ID, '2', 'field', 'other']],
  [['SESSION.DEL_DATA', ID, 'field']],
  [['SESSION.EXPIRE', ID, '2000']],
  [['SESSION.ASSIGN', ID, 'other']],
  [['SESSION.CREATE', 'other', 'NEW', 'MAX', '1']],
  [['SESSION.DELUSER', 'other']],
];

/** Ways in which the same commands run. */
const RUNS: Record<string, (server: TestServer, command: string[]) => Promise<unknown>> = {
  'by themselves': (server, command) => server.send(...command),
  'in MULTI': async (server, command) => {
    for (const words of [['MULTI'], command, ['EXEC']]) await server.send(...words);
  },
  'in EVAL': (server, command) => server.send('EVAL', 'return redis.pcall(unpack(ARGV))', '0', ...command),
};

async function changes(server: TestServer): Promise<number> {
  return Number((await server.info('persistence')).rdb_changes_since_last_save);
}

/** Runs every write, and answers how many changes the server counted for each. */
async function counted(server: TestServer, run: (server: TestServer, command: string[]) => Promise<unknown>): Promise<number[]> {
  const each: number[] = [];
  for (const [command] of WRITES) {
    const before = await changes(server);
    await run(server, command);
    each.push((await changes(server)) - before);
  }
  return each;
}

/** What the append-only file holds beside its base. */
function appended(server: TestServer): string {
  const folder = path.join(server.folder, 'appendonlydir');
  const files = readdirSync(folder).filter((file) => file.endsWith('.incr.aof'));
  return files.map((file) => readFileSync(path.join(folder, file), 'latin1')).join('');
}

/** Waits until the append-only file is whole. */
async function fileWhole(server: TestServer): Promise<void> {
  const { aof_last_bgrewrite_status } = await eventually(
    () => server.info('persistence'),
    (fields) => fields.aof_enabled === '1' && fields.aof_rewrite_in_progress === '0' && fields.aof_rewrite_scheduled === '0',
  );
  expect(aof_last_bgrewrite_status).toBe('ok');
}

/** Commands that must never be in a stream: what they do depends on when they run, or how often. */
const NEVER = /(CUSTOM\.(INCRBY|APPEND)|SESSION\.(CREATE|ADD_DATA))/i;

/** Kills the server, starts it from its file, and expects the state that it had. */
async function startFromFile(server: TestServer): Promise<void> {
  await fileWhole(server);
  const before = await dump(server);
  expect(appended(server)).not.toMatch(NEVER);
  await server.kill();
  server.change({ arguments: FILE });
  await server.start();
  expect(await dump(server)).toEqual(before);
}

/** Between two rounds of writes: the state stays small enough to be compared soon. */
const PAUSE_MS = 4;

/** Writes that are none of the server's own, until `end` is called, which answers how many there were. */
function writing(server: TestServer): { end: () => Promise<number> } {
  let [ended, count] = [false, 0];
  const run = async (): Promise<void> => {
    const connection = await server.connect();
    // A session that is there already would be touched, which replicates at most once in a second.
    const id = (await connection.send('SESSION.CREATE', 'user', 'NEW')).trim().slice(-ID.length);
    for (; !ended; count++) {
      const index = String(count);
      const all = [
        ['CUSTOM.INCRBY', 'number', '1'],
        ['CUSTOM.APPEND', 'text', '.'],
        ['CUSTOM.SET', `timed ${index}`, index, 'PX', '1000000'],
        ['SESSION.CREATE', `user ${index}`, 'NEW'],
        ['SESSION.ADD_DATA', id, `field ${index}`, index],
      ];
      await Promise.all(all.map((words) => connection.send(...words)));
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
  };
  const done = run();
  return {
    end: async () => {
      ended = true;
      await done;
      return count;
    },
  };
}

describe('a write counts as many changes', () => {
  const silent = useServer();
  const heard = useServer({ arguments: FILE });

  test.each(Object.keys(RUNS))('%s', async (form) => {
    const [without, taken] = [await counted(silent, RUNS[form]!), await counted(heard, RUNS[form]!)];
    expect(without).toEqual(taken);
    // Each that changed something is one at least, and one of the storage as many as the server's own.
    for (const [index, [command, wanted]] of WRITES.entries()) {
      if (wanted === undefined) expect(without[index], command.join(' ')).toBeGreaterThan(0);
      else expect(without[index], command.join(' ')).toBe(wanted);
    }
  });

  test('of what expires', async () => {
    for (const server of [silent, heard]) {
      for (let index = 0; index < 20; index++) {
        await server.send('CUSTOM.SET', `short ${index}`, 'value', 'PX', '1');
        await server.send('SESSION.CREATE', `user ${index}`, 'TTL', '1');
      }
      const empty = await eventually(
        async () => [await server.send('CUSTOM.LEN'), await server.send('SESSION.COUNT')],
        (replies) => replies.every((reply) => reply === ':0\r\n'),
      );
      expect(empty).toEqual([':0\r\n', ':0\r\n']);
    }
    const each = await eventually(
      () => Promise.all([changes(silent), changes(heard)]),
      ([without, taken]) => without === taken,
    );
    expect(each[0]).toBe(each[1]);
  });

  test('so that a save point saves', async () => {
    const server = await startServer({ arguments: ['--save', '1 3'] });
    for (let index = 0; index < 3; index++) await server.send('CUSTOM.INCRBY', 'number', '1');
    const fields = await eventually(
      () => server.info('persistence'),
      ({ rdb_saves, rdb_changes_since_last_save }) => rdb_saves !== '0' && rdb_changes_since_last_save === '0',
    );
    expect([fields.rdb_saves, fields.rdb_changes_since_last_save]).toEqual(['1', '0']);
  });

  test('within a command of another module, which keeps it to itself', async () => {
    const each: number[] = [];
    for (const settings of [[], FILE]) {
      const server = await startServer({ module: [HOST_FILE, SESSION_FILE], arguments: ['--loadmodule', NATIVE_FILE, ...settings] });
      expect(await server.send('NATIVE.CREATE', 'user', ID)).toBe(`+Session created: ${ID}\r\n`);
      each.push(await changes(server));
      if (settings === FILE) expect(appended(server)).not.toMatch(/session/i);
    }
    expect(each[0]).toBe(each[1]);
  });
});

describe('who begins to listen misses nothing', () => {
  test('an append-only file, in the middle of writes', async () => {
    const server = await startServer();
    const writer = writing(server);
    for (let round = 0; round < 3; round++) {
      expect(await server.send('CONFIG', 'SET', 'appendonly', 'yes')).toBe('+OK\r\n');
      await fileWhole(server);
      expect(await server.send('CONFIG', 'SET', 'appendonly', round < 2 ? 'no' : 'yes')).toBe('+OK\r\n');
    }
    expect(await writer.end()).toBeGreaterThan(0);
    await startFromFile(server);
  });

  test('an append-only file that begins within a transaction', async () => {
    const server = await startServer();
    await server.send('CUSTOM.SET', 'number', '1');
    const write = [
      ['CUSTOM.INCRBY', 'number', '1'],
      ['CUSTOM.SET', 'timed', 'value', 'PX', '1000000'],
      ['SESSION.CREATE', 'user', 'NEW'],
      ['EVAL', "return redis.call('CUSTOM.INCRBY', 'number', '1')", '0'],
    ];
    for (const words of [['MULTI'], ...write, ['CONFIG', 'SET', 'appendonly', 'yes'], ...write]) await server.send(...words);
    expect(await server.send('EXEC')).toContain('+OK\r\n');
    expect(await server.send('CUSTOM.GET', 'number')).toBe('$1\r\n5\r\n');
    await startFromFile(server);
  });

  test.each(['0', '1'])('a replica, in the middle of writes, its snapshot after %s s', async (delay) => {
    const primary = await startServer({ tcp: true, arguments: ['--repl-diskless-sync-delay', delay] });
    const replica = await startServer();
    const writer = writing(primary);
    await follow(replica, primary);
    expect(await writer.end()).toBeGreaterThan(0);
    await primary.send('CUSTOM.INCRBY', 'number', '1');
    expect(await primary.send('WAIT', '1', '20000')).toBe(':1\r\n');
    expect(await dump(replica)).toEqual(await dump(primary));
    // A second one starts from a snapshot of its own.
    const further = await startServer();
    const again = writing(primary);
    await follow(further, primary);
    await again.end();
    for (const each of [replica, further]) {
      await caughtUp(primary, each);
      expect(await dump(each)).toEqual(await dump(primary));
    }
  });

  test('a replica that comes back for what is kept for it', async () => {
    const primary = await startServer({ tcp: true });
    const replica = await startServer();
    const proxy = await Proxy.start(primary);
    await follow(replica, proxy);
    await primary.send('CUSTOM.SET', 'number', '1');
    await caughtUp(primary, replica);
    const { sync_full } = await primary.info('stats');
    proxy.open = false;
    proxy.cut();
    await eventually(
      () => primary.info('replication'),
      ({ connected_slaves }) => connected_slaves === '0',
    );
    const writer = writing(primary);
    // Longer than what is known about listeners holds.
    const until = Date.now() + 1500;
    await eventually(
      () => Date.now(),
      (now) => now > until,
    );
    await writer.end();
    proxy.open = true;
    await linked(replica);
    await caughtUp(primary, replica);
    expect((await primary.info('stats')).sync_full).toBe(sync_full);
    expect(await dump(replica)).toEqual(await dump(primary));
  });
});
